/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal_kit.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/wire.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VERSIONS_MAX = 4096, NAME_RECORDS_MAX = 3 };

const uint8_t kit_apex[] = "\x04" "zone" "\x07" "example";

uint64_t kit_mix(uint64_t v)
{
	v += 0x9e3779b97f4a7c15ULL;
	v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9ULL;
	v = (v ^ (v >> 27)) * 0x94d049bb133111ebULL;
	return v ^ (v >> 31);
}

unsigned kit_below(struct kit_rng *r, unsigned n)
{
	return (unsigned)(kit_mix(r->s++) % n);
}

struct name kit_name(const char *text)
{
	struct name n;

	if (name_from_text(text, strlen(text), kit_apex, &n) != 0)
		abort();
	return n;
}

/* ---- zones ---- */

struct made {
	struct rr rr;
	struct name owner;
	uint8_t small[32];
	uint8_t *large;
};

static size_t soa_rdata(uint32_t serial, uint8_t rdata[22])
{
	memset(rdata, 0, 22);
	put_u32(rdata + 2, serial);
	return 22;
}

/* Records of name i at a serial; the same for all serials of one of its periods. */
static unsigned name_records(const struct kit_zone *z, unsigned i, uint32_t serial, struct made out[NAME_RECORDS_MAX])
{
	uint64_t who = kit_mix(z->seed * 1000003 + i), state;
	/* Changes at serials that are its own remainder modulo calm. */
	uint32_t period = (serial + (uint32_t)(who % z->calm)) / z->calm;
	unsigned n = 0;
	char text[64];

	state = kit_mix(who ^ ((uint64_t)period << 32));
	if (state % 5 == 0)
		return 0;
	/* Some in capitals at times; some deep, some on top of each other. */
	snprintf(text, sizeof(text), state % 7 == 0 ? "N%llx.%x" : "n%llx.%x", (unsigned long long)(who % 100000 * 1000 + i), i % 7);
	out[n].owner = kit_name(text);
	put_u32(out[n].small, (uint32_t)(state >> 20) & 0x3);
	out[n].rr = (struct rr){.type = RR_A, .ttl = state % 3 ? 300 : 600, .rdlen = 4};
	out[n++].large = NULL;
	if (who % 4 == 0) {
		out[n].owner = out[0].owner;
		memcpy(out[n].small, state % 2 ? "\0\x0a\x02mx\0" : "\0\x0a\x02MX\0", 6);
		out[n].rr = (struct rr){.type = RR_MX, .ttl = 3600, .rdlen = 6};
		out[n++].large = NULL;
	}
	if (z->text && who % 8 == 1) {
		size_t len = 1 + (size_t)(state >> 8) % z->text;

		out[n].owner = out[0].owner;
		out[n].large = malloc(len + 256);
		if (!out[n].large)
			abort();
		for (size_t at = 0, part; at < len; at += part + 1) {
			part = MIN(len - at, (size_t)255);
			out[n].large[at] = (uint8_t)part;
			memset(out[n].large + at + 1, (int)(state & 0xff), part);
			if (at + part + 1 >= len)
				len = at + part + 1;
		}
		out[n].rr = (struct rr){.type = RR_TXT, .ttl = 60, .rdlen = (uint16_t)MIN(len, (size_t)RDATA_MAX)};
		n++;
	}
	for (unsigned k = 0; k < n; k++) {
		out[k].rr.owner = out[k].owner.wire;
		out[k].rr.rclass = CLASS_IN;
		out[k].rr.rdata = out[k].large ? out[k].large : out[k].small;
	}
	return n;
}

struct content *kit_content(const struct kit_zone *z, uint32_t serial)
{
	struct content *c = content_new(kit_apex);
	uint8_t soa[22];
	struct rr rr = {.owner = kit_apex, .type = RR_SOA, .rclass = CLASS_IN, .ttl = 3600, .rdata = soa};

	rr.rdlen = (uint16_t)soa_rdata(serial, soa);
	if (!c || content_add(c, &rr, NULL) != 0)
		abort();
	rr = (struct rr){.owner = kit_apex, .type = RR_NS, .rclass = CLASS_IN, .ttl = 3600, .rdlen = 4, .rdata = (const uint8_t *)"\x02ns"};
	if (content_add(c, &rr, NULL) != 0)
		abort();
	for (unsigned i = 0; i < z->names; i++) {
		struct made made[NAME_RECORDS_MAX];
		unsigned n = name_records(z, i, serial, made);

		for (unsigned k = 0; k < n; k++) {
			if (content_add(c, &made[k].rr, NULL) != 0)
				abort();
			free(made[k].large);
		}
	}
	if (content_finish(c) != 0)
		abort();
	return c;
}

static void list_add(struct rr **list, size_t *count, const struct rr *rr)
{
	size_t len = name_len(rr->owner);
	uint8_t *bytes = malloc(len + rr->rdlen + 1);

	*list = realloc(*list, (*count + 1) * sizeof(**list));
	if (!bytes || !*list)
		abort();
	memcpy(bytes, rr->owner, len);
	if (rr->rdlen)
		memcpy(bytes + len, rr->rdata, rr->rdlen);
	(*list)[*count] = *rr;
	(*list)[*count].owner = bytes;
	(*list)[*count].rdata = bytes + len;
	(*count)++;
}

static void shuffle(struct rr *list, size_t count, uint64_t seed)
{
	struct kit_rng r = {.s = seed};

	for (size_t i = count; i > 1; i--) {
		size_t k = kit_below(&r, (unsigned)i);
		struct rr rr = list[k];

		list[k] = list[i - 1];
		list[i - 1] = rr;
	}
}

static bool same(const struct made *a, const struct made *b)
{
	return a->rr.type == b->rr.type && a->rr.ttl == b->rr.ttl && a->rr.rdlen == b->rr.rdlen && a->owner.len == b->owner.len &&
	       memcmp(a->owner.wire, b->owner.wire, a->owner.len) == 0 && memcmp(a->rr.rdata, b->rr.rdata, a->rr.rdlen) == 0;
}

struct journal_change *kit_change(const struct kit_zone *z, uint32_t from, uint32_t to)
{
	struct journal_change *c = calloc(1, sizeof(*c));
	struct rr *deleted = NULL, *added = NULL;
	uint8_t soa[22];
	struct rr rr = {.owner = kit_apex, .type = RR_SOA, .rclass = CLASS_IN, .ttl = 3600, .rdata = soa};

	if (!c)
		abort();
	rr.rdlen = (uint16_t)soa_rdata(from, soa);
	list_add(&deleted, &c->deleted_count, &rr);
	soa_rdata(to, soa);
	list_add(&added, &c->added_count, &rr);
	for (unsigned i = 0; i < z->names; i++) {
		struct made a[NAME_RECORDS_MAX], b[NAME_RECORDS_MAX];
		unsigned m = name_records(z, i, from, a), n = name_records(z, i, to, b);

		for (unsigned k = 0; k < m; k++) {
			bool found = false;

			for (unsigned l = 0; l < n; l++)
				found |= same(&a[k], &b[l]);
			if (!found)
				list_add(&deleted, &c->deleted_count, &a[k].rr);
		}
		for (unsigned l = 0; l < n; l++) {
			bool found = false;

			for (unsigned k = 0; k < m; k++)
				found |= same(&a[k], &b[l]);
			if (!found)
				list_add(&added, &c->added_count, &b[l].rr);
		}
		for (unsigned k = 0; k < m; k++)
			free(a[k].large);
		for (unsigned l = 0; l < n; l++)
			free(b[l].large);
	}
	shuffle(deleted, c->deleted_count, from);
	shuffle(added, c->added_count, to);
	*c = (struct journal_change){.from = from, .to = to, .deleted = deleted, .deleted_count = c->deleted_count, .added = added,
	                             .added_count = c->added_count};
	return c;
}

void kit_change_free(struct journal_change *c)
{
	for (size_t i = 0; i < c->deleted_count; i++)
		free((void *)(uintptr_t)c->deleted[i].owner);
	for (size_t i = 0; i < c->added_count; i++)
		free((void *)(uintptr_t)c->added[i].owner);
	free((void *)(uintptr_t)c->deleted);
	free((void *)(uintptr_t)c->added);
	free(c);
}

struct journal_version kit_version(uint32_t serial)
{
	struct journal_version v = {.serial = serial, .origin = serial % JOURNAL_ORIGINS, .when_s = 1000000ULL + serial * 10ULL, .digest_kind = 1,
	                            .digest_len = 48};

	memset(v.digest, (int)(serial & 0xff), v.digest_len);
	snprintf(v.who, sizeof(v.who), "maker of %u", serial);
	return v;
}

static uint64_t rr_sum(const uint8_t *owner, uint16_t type, uint32_t ttl, const uint8_t *rdata, size_t rdlen)
{
	uint64_t h = hash_checksum(owner, name_len(owner), (uint64_t)type << 32 | ttl);

	return hash_checksum(rdata, rdlen, h);
}

/* The set's TTL and owner count, as these are what is answered. */
uint64_t kit_sum(const struct content *c)
{
	uint64_t sum = content_record_count(c);

	for (size_t i = 0; i < content_rrset_count(c); i++) {
		const struct content_rrset *s = content_rrset(c, i);

		for (uint32_t k = 0; k < s->count; k++)
			sum += rr_sum(s->owner, s->type, s->ttl, s->records[k].rdata, s->records[k].rdlen);
	}
	return sum;
}

/* ---- folders ---- */

enum { FOLDERS_MAX = 64 };
static char *folders[FOLDERS_MAX]; /* that are there */

static void remove_folder(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	char path[600];

	while (d && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(folder);
}

/* What a failed test left. */
static void remove_folders(void)
{
	for (unsigned i = 0; i < FOLDERS_MAX; i++)
		if (folders[i])
			remove_folder(folders[i]);
}

char *kit_folder(void)
{
	static bool registered;
	char *folder = strdup("/tmp/zonecast-journal-XXXXXX");

	if (!folder || !mkdtemp(folder) || (!registered && atexit(remove_folders) != 0))
		abort();
	registered = true;
	for (unsigned i = 0; i < FOLDERS_MAX; i++)
		if (!folders[i]) {
			folders[i] = folder;
			return folder;
		}
	abort();
}

void kit_folder_free(char *folder)
{
	remove_folder(folder);
	for (unsigned i = 0; i < FOLDERS_MAX; i++)
		if (folders[i] == folder)
			folders[i] = NULL;
	free(folder);
}

/* ---- calls ---- */

struct put {
	const struct content *content;
	const struct journal_change *change;
	const struct journal_keep *keep;
	enum journal_outcome outcome;
};

static uint32_t content_serial(const struct content *c)
{
	const struct content_rrset *set = content_soa(c);
	struct soa soa;

	if (!set || soa_parse(set->records[0].rdata, set->records[0].rdlen, &soa) < 0)
		return 0;
	return soa.serial;
}

static int put_version(struct journal_txn *t, void *ctx)
{
	struct put *p = ctx;
	const struct journal_version v = kit_version(content_serial(p->content));

	return journal_put_version(t, p->content, &v, p->keep, &p->outcome);
}

static int put_whole(struct journal_txn *t, void *ctx)
{
	struct put *p = ctx;
	const struct journal_version v = kit_version(content_serial(p->content));

	return journal_put_whole(t, p->content, &v);
}

static int put_change(struct journal_txn *t, void *ctx)
{
	struct put *p = ctx;
	const struct journal_version v = kit_version(p->change->to);

	return journal_put_difference(t, kit_apex, p->change, &v, p->keep);
}

int kit_put_version(struct journal *j, const struct content *c, const struct journal_keep *keep, enum journal_outcome *out, struct text *why)
{
	struct put p = {.content = c, .keep = keep};
	int err = journal_write(j, put_version, &p, why);

	if (!err)
		*out = p.outcome;
	return err;
}

int kit_put_whole(struct journal *j, const struct content *c, struct text *why)
{
	struct put p = {.content = c};

	return journal_write(j, put_whole, &p, why);
}

int kit_put_change(struct journal *j, const struct journal_change *change, const struct journal_keep *keep, struct text *why)
{
	struct put p = {.change = change, .keep = keep};

	return journal_write(j, put_change, &p, why);
}

struct get {
	uint32_t serial;
	struct content *content;
	struct journal_zone zone;
	uint32_t *serials;
	int count, max;
};

static int get_content(struct journal_txn *t, void *ctx)
{
	struct get *g = ctx;

	return journal_get_content(t, kit_apex, g->serial, &g->content);
}

int kit_get_content(struct journal *j, uint32_t serial, struct content **out, struct text *why)
{
	struct get g = {.serial = serial};
	int err = journal_read(j, get_content, &g, why);

	if (!err)
		*out = g.content;
	return err;
}

static int get_zone(struct journal_txn *t, void *ctx)
{
	struct get *g = ctx;

	return journal_get_zone(t, kit_apex, &g->zone);
}

int kit_get_zone(struct journal *j, struct journal_zone *out)
{
	struct get g = {0};
	int err = journal_read(j, get_zone, &g, NULL);

	if (!err)
		*out = g.zone;
	return err;
}

static int note_entry(void *ctx, const struct journal_entry *e)
{
	struct get *g = ctx;
	const struct journal_version v = kit_version(e->version.serial);

	if (memcmp(&v.digest, &e->version.digest, sizeof(v.digest)) != 0 || strcmp(v.who, e->version.who) != 0 || v.when_s != e->version.when_s ||
	    v.origin != e->version.origin || v.digest_kind != e->version.digest_kind || v.digest_len != e->version.digest_len)
		return ERR_INVALID;
	if (g->count < g->max)
		g->serials[g->count++] = e->version.serial;
	return 0;
}

static int get_serials(struct journal_txn *t, void *ctx)
{
	return journal_history(t, kit_apex, note_entry, ctx);
}

int kit_serials(struct journal *j, uint32_t *serials, int max, struct text *why)
{
	struct get g = {.serials = serials, .max = max};
	int err = journal_read(j, get_serials, &g, why);

	return err ? err : g.count;
}

struct verify {
	const struct kit_zone *z;
	uint32_t from, to;
	struct text *why;
};

static uint64_t side_sum(const struct rr *list, size_t count)
{
	uint64_t sum = count;

	for (size_t i = 0; i < count; i++)
		sum += rr_sum(list[i].owner, list[i].type, list[i].ttl, list[i].rdata, list[i].rdlen);
	return sum;
}

static int verify_change(struct journal_txn *t, void *ctx)
{
	struct verify *v = ctx;
	struct journal_changes got;
	struct journal_change *want;
	int err = journal_get_changes(t, kit_apex, v->from, v->to, false, UINT64_MAX, &got);

	if (err)
		return err;
	want = kit_change(v->z, v->from, v->to);
	if (got.count != 1 || got.items[0].from != v->from || got.items[0].to != v->to || got.items[0].deleted[0].type != RR_SOA ||
	    got.items[0].added[0].type != RR_SOA ||
	    side_sum(got.items[0].deleted, got.items[0].deleted_count) != side_sum(want->deleted, want->deleted_count) ||
	    side_sum(got.items[0].added, got.items[0].added_count) != side_sum(want->added, want->added_count)) {
		text_fmt(v->why, "difference %u to %u is another", v->from, v->to);
		err = ERR_INVALID;
	}
	kit_change_free(want);
	journal_changes_done(&got);
	return err;
}

int kit_verify(struct journal *j, const struct kit_zone *z, struct text *why)
{
	static uint32_t serials[VERSIONS_MAX];
	int n = kit_serials(j, serials, VERSIONS_MAX, why);

	for (int i = 0; i < n; i++) {
		struct verify v = {.z = z, .from = i ? serials[i - 1] : 0, .to = serials[i], .why = why};
		struct content *got, *want;
		bool good;

		if (kit_get_content(j, serials[i], &got, why) != 0)
			return -1;
		want = kit_content(z, serials[i]);
		good = kit_sum(got) == kit_sum(want);
		content_free(got);
		content_free(want);
		if (!good) {
			text_clear(why);
			text_fmt(why, "version %u is not what it was", serials[i]);
			return -1;
		}
		if (i && journal_read(j, verify_change, &v, why) != 0)
			return -1;
	}
	return n < 0 ? -1 : n;
}
