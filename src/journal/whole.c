/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole version: records in canonical order in chunks of 32 KiB, each a row.
 *
 * A chunk's key holds its order, a number with room before the next one. Folding differences in rewrites only the chunks whose range they
 * touch; one that outgrows its row is cut into several, numbered between it and the next. When there is no number left, or the chunks
 * have become too small, or most of it changes, everything is written again as a new generation. So the work of a fold is that of the
 * chunks touched, at most twice that of the zone. */
#include "base/err.h"
#include "journal/journal_priv.h"

#include <stdlib.h>
#include <string.h>

#define ORDER_STEP ((uint64_t)1 << 32) /* between chunks written in one go */

static int put_chunk(struct journal_txn *t, const struct row_zone *z, uint32_t generation, uint64_t order, const struct records_packer *p)
{
	const struct row_key key = row_key_chunk(z->id, generation, order);
	struct writer w = txn_body(t, ROW_VALUE_MAX);

	row_records_put(&w, &(struct row_records){.side = ROW_WHOLE, .count = p->count});
	writer_bytes(&w, p->bytes, p->len);
	return txn_put(t, &key, &w);
}

/* ---- all of it ---- */

int whole_start(struct whole_writer *w, struct journal_txn *t, const uint8_t *apex, struct row_zone *z)
{
	*w = (struct whole_writer){.t = t, .z = z, .apex = apex, .generation = z->generation + 1, .order = ORDER_STEP};
	w->p = malloc(sizeof(*w->p));
	if (!w->p)
		return ERR_NO_MEMORY;
	records_pack_start(w->p, apex);
	return 0;
}

static int whole_flush(struct whole_writer *w)
{
	int err = put_chunk(w->t, w->z, w->generation, w->order, w->p);

	w->order += ORDER_STEP;
	w->octets += w->p->len;
	w->chunks++;
	records_pack_start(w->p, w->apex);
	return err;
}

int whole_add(struct whole_writer *w, const struct rr *rr)
{
	int err = records_pack(w->p, rr);

	if (err == ERR_NO_SPACE) {
		err = whole_flush(w);
		if (!err)
			err = records_pack(w->p, rr);
	}
	w->records++;
	w->sum += record_sum(rr);
	return err;
}

int whole_finish(struct whole_writer *w)
{
	const struct row_key old = row_key_chunk(w->z->id, w->z->generation, 0);
	int err = w->p->count ? whole_flush(w) : 0;

	if (!err)
		err = txn_del_prefix(w->t, &old, 13);
	if (err)
		return err;
	w->z->generation = w->generation;
	w->z->records = w->records;
	w->z->octets = w->octets;
	w->z->chunks = w->chunks;
	w->z->sum = w->sum;
	return 0;
}

void whole_done(struct whole_writer *w)
{
	free(w->p);
	w->p = NULL;
}

static int rewrite(struct journal_txn *t, const uint8_t *apex, struct row_zone *z, const struct event *events, size_t count)
{
	struct version_walk walk = {0};
	struct whole_writer w = {0};
	struct rr rr;
	int got = 0, err = walk_start(&walk, t, apex, z, events, count);

	if (!err)
		err = whole_start(&w, t, apex, z);
	while (!err && (got = walk_next(&walk, &rr)) == 1)
		err = whole_add(&w, &rr);
	if (!err)
		err = got;
	if (!err)
		err = whole_finish(&w);
	walk_done(&walk);
	whole_done(&w);
	return err;
}

/* ---- chunk by chunk ---- */

static uint64_t order_of(const struct row_key *key)
{
	return (uint64_t)get_u32(key->bytes + 13) << 32 | get_u32(key->bytes + 17);
}

/* The events before the first record of the chunk after key: *next is its order (or far away, if there is none) and *count how many. */
static int events_before_next(struct journal_txn *t, const uint8_t *apex, const struct row_zone *z, const struct row_key *key,
                              const struct event *events, size_t count, uint64_t *next, size_t *before)
{
	const struct row_key after = row_key_chunk(z->id, z->generation, order_of(key) + 1);
	struct records_unpacker u;
	struct row_records head;
	struct row_key found;
	struct reader r;
	struct rr first;
	size_t n = 0;
	int err = chunk_next(t, z, &after, &found, &head, &r);

	if (err == ERR_NOT_FOUND) {
		*next = order_of(key) + 2 * ORDER_STEP;
		*before = count;
		return 0;
	}
	if (err)
		return err;
	records_unpack_start(&u, apex, r.base + r.pos, reader_left(&r));
	if (records_unpack(&u, &first) != 1)
		return txn_fail(t, ERR_MALFORMED, "records of version %u are damaged", z->whole.serial);
	while (n < count && record_order(&events[n].rr, &first) < 0)
		n++;
	*next = order_of(&found);
	*before = n;
	return 0;
}

struct chunk_out {
	struct records_packer *p;
	uint64_t order, step;
	uint64_t octets, chunks;
};

static int flush_out(struct journal_txn *t, const uint8_t *apex, const struct row_zone *z, struct chunk_out *o)
{
	int err = put_chunk(t, z, z->generation, o->order, o->p);

	o->order += o->step;
	o->octets += o->p->len;
	o->chunks++;
	records_pack_start(o->p, apex);
	return err;
}

/* Apply events to the chunk at key. Its place ends at order `next`. ERR_NO_SPACE: nothing is written, no room for the numbers. */
static int fold_chunk(struct journal_txn *t, const uint8_t *apex, struct row_zone *z, const struct row_key *key, uint64_t next,
                      const struct event *events, size_t count, struct records_packer *p)
{
	struct chunk_out o = {.p = p, .order = order_of(key)};
	struct version_walk walk;
	uint64_t room = RECORDS_MAX;
	size_t old;
	struct rr rr;
	int got = 0, err;

	/* As if no two of the added ones went into one row with another. */
	for (size_t i = 0; i < count; i++)
		room += events[i].added ? record_octets(&events[i].rr) : 0;
	o.step = (next - o.order) / (room / (RECORDS_CHUNK / 2) + 4);
	if (!o.step)
		return ERR_NO_SPACE;
	err = walk_start_chunk(&walk, t, apex, z, key, events, count);
	if (err)
		return err;
	records_pack_start(p, apex);
	got = walk_next(&walk, &rr);
	old = walk.len;
	err = txn_del(t, key);
	for (; !err && got == 1; got = walk_next(&walk, &rr)) {
		err = records_pack(p, &rr);
		if (err == ERR_NO_SPACE) {
			err = flush_out(t, apex, z, &o);
			if (!err)
				err = records_pack(p, &rr);
		}
	}
	if (!err && got < 0)
		err = got;
	if (!err && p->count)
		err = flush_out(t, apex, z, &o);
	walk_done(&walk);
	z->octets = z->octets - old + o.octets;
	z->chunks = z->chunks - 1 + o.chunks;
	return err;
}

static int fold_in_place(struct journal_txn *t, const uint8_t *apex, struct row_zone *z, const struct event *events, size_t count)
{
	struct row_key key = row_key_chunk(z->id, z->generation, 0);
	struct records_packer *p = malloc(sizeof(*p));
	int err = p ? 0 : ERR_NO_MEMORY;

	while (!err && count) {
		struct row_records head;
		struct reader r;
		uint64_t next = 0;
		size_t n = 0;

		err = chunk_next(t, z, &key, &key, &head, &r);
		if (err == ERR_NOT_FOUND)
			err = txn_fail(t, ERR_MALFORMED, "records of version %u are missing", z->whole.serial);
		if (!err)
			err = events_before_next(t, apex, z, &key, events, count, &next, &n);
		if (!err && n)
			err = fold_chunk(t, apex, z, &key, next, events, n, p);
		if (err == ERR_NO_SPACE) {
			/* The events so far have been applied. */
			err = rewrite(t, apex, z, events, count);
			break;
		}
		events += n;
		count -= n;
		key = row_key_chunk(z->id, z->generation, next);
	}
	free(p);
	return err;
}

/* Chunks are half full on average at worst. */
static bool too_loose(const struct row_zone *z)
{
	return z->chunks > 8 + 2 * (z->octets / RECORDS_CHUNK + 1);
}

int whole_fold(struct journal_txn *t, const uint8_t *apex, struct row_zone *z, uint64_t last)
{
	struct row_change c, of_last = {0};
	struct arena arena;
	struct events e;
	uint64_t seq = 0;
	bool found = false;
	int err;

	arena_init(&arena, 0);
	events_init(&e, &arena);
	err = changes_load_net(t, apex, z->id, 0, last, &e);
	for (seq = 1; !err && seq <= last; seq++) {
		err = change_next(t, z->id, &seq, &c);
		if (err || seq > last)
			break;
		of_last = c;
		found = true;
		z->changes--;
		z->change_octets -= c.octets;
		err = change_remove(t, z->id, seq);
	}
	if (err == ERR_NOT_FOUND)
		err = 0;
	if (err || !found)
		goto out;
	if (e.count > z->records / 2)
		err = rewrite(t, apex, z, e.list, e.count);
	else
		err = fold_in_place(t, apex, z, e.list, e.count);
	if (err)
		goto out;
	z->whole = of_last.version;
	z->records = of_last.records;
	z->sum = of_last.sum;
	if (too_loose(z))
		err = rewrite(t, apex, z, NULL, 0);
	if (!err && (z->records != of_last.records || z->sum != of_last.sum))
		err = txn_fail(t, ERR_MALFORMED, "version %u does not have the records that it had", of_last.version.serial);
out:
	events_done(&e);
	arena_done(&arena);
	return err;
}
