/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows to octets and back. Every reader checks lengths and ranges itself, so that also a row with a right checksum cannot do harm. */
#include "journal/rows.h"

#include "base/err.h"
#include "base/hash.h"

#include <string.h>

static void put_u64(uint8_t *p, uint64_t v)
{
	put_u32(p, (uint32_t)(v >> 32));
	put_u32(p + 4, (uint32_t)v);
}

static uint64_t get_u64(const uint8_t *p)
{
	return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

static void writer_u64(struct writer *w, uint64_t v)
{
	uint8_t *p = writer_room(w, 8);

	if (p)
		put_u64(p, v);
}

static uint64_t reader_u64(struct reader *r)
{
	const uint8_t *p = reader_bytes(r, 8);

	return p ? get_u64(p) : 0;
}

static void writer_text(struct writer *w, const char *text)
{
	size_t len = strlen(text);

	writer_u8(w, (uint8_t)len);
	writer_bytes(w, text, len);
}

/* Into out of cap octets, NUL included. */
static void reader_text(struct reader *r, char *out, size_t cap)
{
	size_t len = reader_u8(r);
	const uint8_t *p = reader_bytes(r, len);

	if (!p || len >= cap || memchr(p, 0, len)) {
		r->failed = true;
		return;
	}
	memcpy(out, p, len);
	out[len] = 0;
}

static bool reader_bool(struct reader *r)
{
	uint8_t v = reader_u8(r);

	if (v > 1)
		r->failed = true;
	return v == 1;
}

static int finished(const struct reader *r)
{
	return reader_ok(r) && !reader_left(r) ? 0 : ERR_MALFORMED;
}

/* ---- keys ---- */

static struct row_key key_of(enum row_kind kind)
{
	return (struct row_key){.bytes = {(uint8_t)kind}, .len = 1};
}

static void key_u64(struct row_key *k, uint64_t v)
{
	put_u64(k->bytes + k->len, v);
	k->len += 8;
}

static void key_u32(struct row_key *k, uint32_t v)
{
	put_u32(k->bytes + k->len, v);
	k->len += 4;
}

struct row_key row_key_format(void)
{
	return key_of(ROW_FORMAT);
}

struct row_key row_key_zone(const uint8_t *apex)
{
	struct row_key k = key_of(ROW_ZONE);
	struct name lower;

	name_lower(&lower, apex);
	memcpy(k.bytes + k.len, lower.wire, lower.len);
	k.len += lower.len;
	return k;
}

struct row_key row_key_timers(uint64_t id)
{
	struct row_key k = key_of(ROW_TIMERS);

	key_u64(&k, id);
	return k;
}

struct row_key row_key_note(enum journal_note what, uint64_t id)
{
	struct row_key k = key_of(ROW_NOTE);

	k.bytes[k.len++] = (uint8_t)what;
	key_u64(&k, id);
	return k;
}

struct row_key row_key_serial(uint64_t id)
{
	struct row_key k = key_of(ROW_SERIAL);

	key_u64(&k, id);
	return k;
}

struct row_key row_key_chunk(uint64_t id, uint32_t generation, uint64_t order)
{
	struct row_key k = key_of(ROW_CHUNK);

	key_u64(&k, id);
	key_u32(&k, generation);
	key_u64(&k, order);
	return k;
}

struct row_key row_key_change(uint64_t id, uint64_t seq, uint32_t part)
{
	struct row_key k = key_of(ROW_CHANGE);

	key_u64(&k, id);
	key_u64(&k, seq);
	key_u32(&k, part);
	return k;
}

/* ---- seals ---- */

static uint64_t checksum(const void *key, size_t key_len, const uint8_t *body, size_t len)
{
	return hash_checksum(body, len, hash_checksum(key, key_len, ROWS_FORMAT));
}

void row_seal(const void *key, size_t key_len, uint8_t *value, size_t len)
{
	put_u64(value, checksum(key, key_len, value + ROWS_SEAL, len - ROWS_SEAL));
}

int row_unseal(const void *key, size_t key_len, const void *value, size_t len, struct reader *out)
{
	const uint8_t *p = value;

	if (len < ROWS_SEAL || get_u64(p) != checksum(key, key_len, p + ROWS_SEAL, len - ROWS_SEAL))
		return ERR_MALFORMED;
	*out = reader_of(p + ROWS_SEAL, len - ROWS_SEAL);
	return 0;
}

/* ---- bodies ---- */

void row_format_put(struct writer *w, const struct row_format *f)
{
	writer_u32(w, f->format);
	writer_u64(w, f->next_id);
}

int row_format_get(struct reader *r, struct row_format *out)
{
	struct row_format f;

	f.format = reader_u32(r);
	f.next_id = reader_u64(r);
	/* A later format may go on after these two. */
	if (!reader_ok(r) || (f.format == ROWS_FORMAT && reader_left(r)))
		return ERR_MALFORMED;
	*out = f;
	return 0;
}

static void version_put(struct writer *w, const struct journal_version *v)
{
	writer_u32(w, v->serial);
	writer_u8(w, (uint8_t)v->origin);
	writer_u64(w, v->when_s);
	writer_u8(w, v->digest_kind);
	writer_u8(w, v->digest_len);
	writer_bytes(w, v->digest, v->digest_len);
	writer_text(w, v->who);
}

static void version_get(struct reader *r, struct journal_version *v)
{
	const uint8_t *digest;
	uint8_t origin;

	memset(v, 0, sizeof(*v));
	v->serial = reader_u32(r);
	origin = reader_u8(r);
	v->when_s = reader_u64(r);
	v->digest_kind = reader_u8(r);
	v->digest_len = reader_u8(r);
	digest = reader_bytes(r, v->digest_len);
	if (!digest || v->digest_len > JOURNAL_DIGEST_MAX || origin >= JOURNAL_ORIGINS) {
		r->failed = true;
		return;
	}
	v->origin = (enum journal_origin)origin;
	memcpy(v->digest, digest, v->digest_len);
	reader_text(r, v->who, sizeof(v->who));
}

void row_zone_put(struct writer *w, const struct row_zone *z)
{
	writer_u64(w, z->id);
	writer_u8(w, z->has_version);
	version_put(w, &z->whole);
	writer_u32(w, z->generation);
	writer_u64(w, z->records);
	writer_u64(w, z->octets);
	writer_u64(w, z->chunks);
	writer_u64(w, z->sum);
	writer_u32(w, z->newest);
	writer_u64(w, z->newest_records);
	writer_u64(w, z->newest_sum);
	writer_u64(w, z->next_seq);
	writer_u64(w, z->thinned);
	writer_u32(w, z->changes);
	writer_u64(w, z->change_octets);
}

int row_zone_get(struct reader *r, struct row_zone *out)
{
	struct row_zone z;

	z.id = reader_u64(r);
	z.has_version = reader_bool(r);
	version_get(r, &z.whole);
	z.generation = reader_u32(r);
	z.records = reader_u64(r);
	z.octets = reader_u64(r);
	z.chunks = reader_u64(r);
	z.sum = reader_u64(r);
	z.newest = reader_u32(r);
	z.newest_records = reader_u64(r);
	z.newest_sum = reader_u64(r);
	z.next_seq = reader_u64(r);
	z.thinned = reader_u64(r);
	z.changes = reader_u32(r);
	z.change_octets = reader_u64(r);
	if (finished(r) < 0)
		return ERR_MALFORMED;
	*out = z;
	return 0;
}

void row_change_put(struct writer *w, const struct row_change *c)
{
	writer_u32(w, c->from);
	version_put(w, &c->version);
	writer_u32(w, c->deleted);
	writer_u32(w, c->added);
	writer_u32(w, c->merged);
	writer_u32(w, c->parts);
	writer_u64(w, c->octets);
	writer_u64(w, c->message);
	writer_u64(w, c->records);
	writer_u64(w, c->sum);
}

int row_change_get(struct reader *r, struct row_change *out)
{
	struct row_change c = {.from = reader_u32(r)};

	version_get(r, &c.version);
	c.deleted = reader_u32(r);
	c.added = reader_u32(r);
	c.merged = reader_u32(r);
	c.parts = reader_u32(r);
	c.octets = reader_u64(r);
	c.message = reader_u64(r);
	c.records = reader_u64(r);
	c.sum = reader_u64(r);
	if (finished(r) < 0)
		return ERR_MALFORMED;
	*out = c;
	return 0;
}

void row_timers_put(struct writer *w, const struct journal_timers *t)
{
	writer_u64(w, t->refreshed_s);
	writer_u64(w, t->refresh_at_s);
	writer_u64(w, t->expire_at_s);
	writer_u8(w, t->has_expire_option);
	writer_u32(w, t->expire_option_s);
	writer_u8(w, t->has_primary_serial);
	writer_u32(w, t->primary_serial);
	writer_u32(w, t->failures);
	writer_u64(w, t->error_s);
	writer_text(w, t->error);
	writer_text(w, t->primary);
}

int row_timers_get(struct reader *r, struct journal_timers *out)
{
	struct journal_timers t = {0};

	t.refreshed_s = reader_u64(r);
	t.refresh_at_s = reader_u64(r);
	t.expire_at_s = reader_u64(r);
	t.has_expire_option = reader_bool(r);
	t.expire_option_s = reader_u32(r);
	t.has_primary_serial = reader_bool(r);
	t.primary_serial = reader_u32(r);
	t.failures = reader_u32(r);
	t.error_s = reader_u64(r);
	reader_text(r, t.error, sizeof(t.error));
	reader_text(r, t.primary, sizeof(t.primary));
	if (finished(r) < 0)
		return ERR_MALFORMED;
	*out = t;
	return 0;
}

void row_note_put(struct writer *w, const struct row_note *n)
{
	struct name lower;

	name_lower(&lower, n->apex);
	writer_bytes(w, lower.wire, lower.len);
	writer_bytes(w, n->octets, n->len);
}

int row_note_get(struct reader *r, struct row_note *out)
{
	const uint8_t *p = r->base + r->pos;
	size_t left = reader_left(r);
	int len = name_check(p, left);

	if (len < 0 || left - (size_t)len > JOURNAL_NOTE_MAX)
		return ERR_MALFORMED;
	*out = (struct row_note){.apex = p, .octets = p + len, .len = left - (size_t)len};
	return 0;
}

void row_serial_put(struct writer *w, const struct journal_serial *s)
{
	writer_u32(w, s->serial);
	writer_u64(w, s->files[0]);
	writer_u64(w, s->files[1]);
}

int row_serial_get(struct reader *r, struct journal_serial *out)
{
	struct journal_serial s = {.serial = reader_u32(r)};

	s.files[0] = reader_u64(r);
	s.files[1] = reader_u64(r);
	if (finished(r) < 0)
		return ERR_MALFORMED;
	*out = s;
	return 0;
}

void row_records_put(struct writer *w, const struct row_records *h)
{
	writer_u8(w, (uint8_t)h->side);
	writer_u32(w, h->count);
}

int row_records_get(struct reader *r, struct row_records *out)
{
	uint8_t side = reader_u8(r);
	uint32_t count;

	count = reader_u32(r);
	if (!reader_ok(r) || side > ROW_ADDED || !count)
		return ERR_MALFORMED;
	*out = (struct row_records){.side = (enum row_side)side, .count = count};
	return 0;
}
