/* SPDX-License-Identifier: BSD-2-Clause */
/* Versions in and out: whole ones, differences, and what leads from one to another. */
#include "base/err.h"
#include "journal/journal_priv.h"

#include <stdlib.h>
#include <string.h>

const char *journal_origin_text(enum journal_origin o)
{
	static const char *const texts[JOURNAL_ORIGINS] = {"file", "transfer", "update", "rollback", "signer"};

	return (unsigned)o < JOURNAL_ORIGINS ? texts[o] : "unknown";
}

/* ---- content ---- */

/* Record k of set i. The TTL is that of the set, as it is answered (RFC 2181 5.2). */
static struct rr content_rr(const struct content *c, size_t i, uint32_t k)
{
	const struct content_rrset *s = content_rrset(c, i);

	return (struct rr){.owner = s->owner, .type = s->type, .rclass = CLASS_IN, .ttl = s->ttl, .rdlen = s->records[k].rdlen,
	                   .rdata = s->records[k].rdata};
}

static int check_version(struct journal_txn *t, const struct journal_version *v)
{
	if ((unsigned)v->origin >= JOURNAL_ORIGINS || v->digest_len > JOURNAL_DIGEST_MAX || !memchr(v->who, 0, sizeof(v->who)))
		return txn_fail(t, ERR_INVALID, "facts of a version that cannot be");
	return 0;
}

static int check_content(struct journal_txn *t, const struct content *c, const struct journal_version *v)
{
	const struct content_rrset *set = content_soa(c);
	struct soa soa;
	int err = check_version(t, v);

	if (err)
		return err;
	if (!set || set->count != 1 || soa_parse(set->records[0].rdata, set->records[0].rdlen, &soa) < 0)
		return txn_fail(t, ERR_INVALID, "a zone has one SOA");
	if (soa.serial != v->serial)
		return txn_fail(t, ERR_INVALID, "serial %u in the SOA, said to be %u", soa.serial, v->serial);
	return 0;
}

static int check_record(struct journal_txn *t, const uint8_t *apex, const struct rr *rr)
{
	char text[RECORD_TEXT_MAX];

	if (!name_is_under(rr->owner, apex))
		return txn_fail(t, ERR_INVALID, "%s is outside the zone", record_text(rr, text));
	if (rr->rclass != CLASS_IN || rrtype_is_meta(rr->type) || rdata_check(rr->type, rr->rdata, rr->rdlen) < 0)
		return txn_fail(t, ERR_INVALID, "%s is no record of a zone", record_text(rr, text));
	return 0;
}

static int put_whole(struct journal_txn *t, const struct content *c, const struct journal_version *v, struct row_zone *z)
{
	const uint8_t *apex = content_apex(c);
	const struct row_key changes = row_key_change(z->id, 0, 0);
	struct whole_writer w = {0};
	struct rr rr, before = {0};
	int err = txn_del_prefix(t, &changes, 9);

	if (!err)
		err = whole_start(&w, t, apex, z);
	for (size_t i = 0; !err && i < content_rrset_count(c); i++)
		for (uint32_t k = 0; !err && k < content_rrset(c, i)->count; k++) {
			rr = content_rr(c, i, k);
			err = check_record(t, apex, &rr);
			if (!err && (i || k) && record_order(&before, &rr) >= 0)
				err = txn_fail(t, ERR_INVALID, "records out of order");
			if (!err)
				err = whole_add(&w, &rr);
			before = rr;
		}
	if (!err && w.records > JOURNAL_RECORDS_MAX)
		err = txn_fail(t, ERR_LIMIT, "more than %u records", JOURNAL_RECORDS_MAX);
	if (!err)
		err = whole_finish(&w);
	whole_done(&w);
	if (err)
		return err;
	z->has_version = true;
	z->whole = *v;
	z->newest = v->serial;
	z->newest_records = z->records;
	z->newest_sum = z->sum;
	z->changes = 0;
	z->change_octets = 0;
	z->thinned = z->next_seq;
	return zone_row_put(t, apex, z);
}

int journal_put_whole(struct journal_txn *t, const struct content *c, const struct journal_version *v)
{
	struct row_zone z;
	int err = zone_row_make(t, content_apex(c), &z);

	if (!err)
		err = check_content(t, c, v);
	return err ? err : put_whole(t, c, v, &z);
}

/* Append a net difference to z. */
static int append(struct journal_txn *t, const uint8_t *apex, struct row_zone *z, const struct events *e, const struct journal_version *v,
                  const struct journal_keep *keep)
{
	struct row_change c = {.from = z->newest, .version = *v};
	struct events_total total;
	int err = events_total(e, &total);

	if (err)
		return txn_fail(t, err, "more than %u records in a difference", JOURNAL_RECORDS_MAX);
	if (total.deleted > z->newest_records || z->newest_records - total.deleted + total.added > JOURNAL_RECORDS_MAX)
		return txn_fail(t, ERR_INVALID, "a difference deletes more records than there are, or adds too many");
	c.records = z->newest_records - total.deleted + total.added;
	c.sum = z->newest_sum + total.sum;
	err = change_store(t, apex, z->id, z->next_seq, &c, e);
	if (err)
		return err;
	z->next_seq++;
	z->changes++;
	z->change_octets += c.octets;
	z->newest = v->serial;
	z->newest_records = c.records;
	z->newest_sum = c.sum;
	err = retain(t, apex, z, keep, v->when_s);
	return err ? err : zone_row_put(t, apex, z);
}

/* What leads from the newest version to c, in order. ERR_LIMIT: more than max records, nothing said. */
static int compare(struct journal_txn *t, const struct row_zone *z, const struct content *c, size_t max, struct events *e)
{
	const uint8_t *apex = content_apex(c);
	struct events net;
	struct arena arena;
	struct version_walk w = {0};
	struct rr old, new;
	size_t i = 0;
	uint32_t k = 0;
	int got = 0, err;

	arena_init(&arena, 0);
	events_init(&net, &arena);
	err = changes_load_net(t, apex, z->id, 0, z->next_seq, &net);
	if (!err)
		err = walk_start(&w, t, apex, z, net.list, net.count);
	if (!err)
		err = got = walk_next(&w, &old);
	while (err >= 0 && (got == 1 || i < content_rrset_count(c))) {
		bool has_new = i < content_rrset_count(c);
		int d;

		if (has_new)
			new = content_rr(c, i, k);
		d = !has_new ? -1 : got != 1 ? 1 : record_order(&old, &new);
		err = 0;
		if (d < 0 || (d == 0 && !record_same(&old, &new)))
			err = events_add(e, &old, false);
		if (!err && (d > 0 || (d == 0 && !record_same(&old, &new))))
			err = check_record(t, apex, &new);
		if (!err && (d > 0 || (d == 0 && !record_same(&old, &new))))
			err = events_add(e, &new, true);
		if (!err && e->count > max)
			err = ERR_LIMIT;
		if (!err && d >= 0 && ++k == content_rrset(c, i)->count) {
			i++;
			k = 0;
		}
		if (!err && d <= 0)
			err = got = walk_next(&w, &old);
	}
	if (err >= 0 && (w.records != z->newest_records || w.sum != z->newest_sum))
		err = txn_fail(t, ERR_MALFORMED, "version %u does not have the records that it had", z->newest);
	walk_done(&w);
	events_done(&net);
	arena_done(&arena);
	return err < 0 ? err : 0;
}

int journal_put_version(struct journal_txn *t, const struct content *c, const struct journal_version *v, const struct journal_keep *keep,
                        enum journal_outcome *out)
{
	const uint8_t *apex = content_apex(c);
	enum journal_outcome outcome = JOURNAL_STORED_WHOLE;
	struct row_zone z;
	struct arena arena;
	struct events e;
	int err = zone_row_make(t, apex, &z);

	if (!err)
		err = check_content(t, c, v);
	if (err)
		return err;
	arena_init(&arena, 0);
	events_init(&e, &arena);
	if (z.has_version && (v->serial == z.newest || serial_after(v->serial, z.newest))) {
		uint64_t room = keep ? keep->octets_max / JOURNAL_RECORD_OCTETS : JOURNAL_RECORDS_MAX;
		size_t max = MAX((size_t)JOURNAL_SMALL_CHANGE, MIN((size_t)room, content_record_count(c) + z.newest_records));

		err = compare(t, &z, c, max, &e);
		if (!err && v->serial != z.newest)
			outcome = JOURNAL_STORED_DIFFERENCE;
		else if (!err && !e.count)
			outcome = JOURNAL_UNCHANGED;
		else if (err == ERR_LIMIT)
			err = 0;
	}
	if (!err && outcome == JOURNAL_STORED_DIFFERENCE)
		err = append(t, apex, &z, &e, v, keep);
	else if (!err && outcome == JOURNAL_STORED_WHOLE)
		err = put_whole(t, c, v, &z);
	events_done(&e);
	arena_done(&arena);
	if (!err)
		*out = outcome;
	return err;
}

/* ---- differences in ---- */

/* One SOA of the apex with this serial? */
static int check_soa(struct journal_txn *t, const uint8_t *apex, const struct rr *list, size_t count, uint32_t serial)
{
	unsigned found = 0;

	for (size_t i = 0; i < count; i++) {
		struct soa soa;

		if (list[i].type != RR_SOA)
			continue;
		if (++found > 1 || !name_equal(list[i].owner, apex) || soa_parse(list[i].rdata, list[i].rdlen, &soa) < 0 || soa.serial != serial)
			return txn_fail(t, ERR_INVALID, "a difference whose SOA records are not those of its serials");
	}
	return found == 1 ? 0 : txn_fail(t, ERR_INVALID, "a difference without SOA");
}

static int take(struct journal_txn *t, const uint8_t *apex, const struct rr *rr, bool added, struct events *e)
{
	int err = check_record(t, apex, rr);

	return err ? err : events_add(e, rr, added);
}

/* May a difference between these serials be added? */
static int check_step(struct journal_txn *t, const uint8_t *apex, uint32_t from, uint32_t to, const struct journal_version *v, struct row_zone *z)
{
	int err = zone_row_get(t, apex, z);

	if (!err && !z->has_version)
		err = ERR_NOT_FOUND;
	if (err)
		return err == ERR_NOT_FOUND ? txn_fail(t, err, "no version to which a difference could be added") : err;
	if (z->newest != from)
		return txn_fail(t, ERR_STALE, "a difference from serial %u, but the newest version is %u", from, z->newest);
	if (v->serial != to || !serial_after(to, from))
		return txn_fail(t, ERR_INVALID, "a difference from serial %u to %u does not go forward", from, to);
	return check_version(t, v);
}

static int append_new(struct journal_txn *t, const uint8_t *apex, struct row_zone *z, struct events *e, const struct journal_version *v,
                      const struct journal_keep *keep)
{
	int err = events_net(t, e);

	/* The same record twice is the caller's fault, not damage. */
	if (err)
		return err == ERR_MALFORMED ? ERR_INVALID : err;
	return append(t, apex, z, e, v, keep);
}

int journal_put_difference(struct journal_txn *t, const uint8_t *apex, const struct journal_change *change, const struct journal_version *v,
                           const struct journal_keep *keep)
{
	struct row_zone z;
	struct arena arena;
	struct events e;
	int err = check_step(t, apex, change->from, change->to, v, &z);

	if (err)
		return err;
	arena_init(&arena, 0);
	events_init(&e, &arena);
	err = check_soa(t, apex, change->deleted, change->deleted_count, change->from);
	if (!err)
		err = check_soa(t, apex, change->added, change->added_count, change->to);
	for (size_t i = 0; !err && i < change->deleted_count; i++)
		err = take(t, apex, &change->deleted[i], false, &e);
	for (size_t i = 0; !err && i < change->added_count; i++)
		err = take(t, apex, &change->added[i], true, &e);
	if (!err)
		err = append_new(t, apex, &z, &e, v, keep);
	events_done(&e);
	arena_done(&arena);
	return err;
}

static int content_serial(struct journal_txn *t, const struct content *c, uint32_t *out)
{
	const struct content_rrset *set = content_soa(c);
	struct soa soa;

	if (!set || set->count != 1 || soa_parse(set->records[0].rdata, set->records[0].rdlen, &soa) < 0)
		return txn_fail(t, ERR_INVALID, "a difference whose SOA records are not those of its serials");
	*out = soa.serial;
	return 0;
}

int journal_put_contents(struct journal_txn *t, const struct content *removed, const struct content *added, const struct journal_version *v,
                         const struct journal_keep *keep)
{
	const struct content *sides[2] = {removed, added};
	const uint8_t *apex = content_apex(removed);
	struct row_zone z;
	struct arena arena;
	struct events e;
	uint32_t from, to;
	int err = content_serial(t, removed, &from);

	if (!err)
		err = content_serial(t, added, &to);
	if (!err)
		err = check_step(t, apex, from, to, v, &z);
	if (err)
		return err;
	arena_init(&arena, 0);
	events_init(&e, &arena);
	for (unsigned side = 0; side < 2; side++)
		for (size_t i = 0; !err && i < content_rrset_count(sides[side]); i++)
			for (uint32_t k = 0; !err && k < content_rrset(sides[side], i)->count; k++) {
				const struct rr rr = content_rr(sides[side], i, k);

				err = take(t, apex, &rr, side == 1, &e);
			}
	if (!err)
		err = append_new(t, apex, &z, &e, v, keep);
	events_done(&e);
	arena_done(&arena);
	return err;
}

/* ---- out ---- */

struct position {
	uint64_t seq; /* of the difference that made the version; 0: the whole one */
	uint64_t records, sum;
};

/* Where a version is kept; the latest, should a serial have come around. */
static int find(struct journal_txn *t, const struct row_zone *z, uint32_t serial, struct position *out)
{
	struct position p;
	bool found = z->whole.serial == serial;
	int err;

	p = (struct position){.records = z->records, .sum = z->sum};
	for (uint64_t seq = 1;; seq++) {
		struct row_change c;

		err = change_next(t, z->id, &seq, &c);
		if (err)
			break;
		if (c.version.serial == serial) {
			p = (struct position){.seq = seq, .records = c.records, .sum = c.sum};
			found = true;
		}
	}
	if (err != ERR_NOT_FOUND)
		return err;
	if (!found)
		return txn_fail(t, ERR_NOT_FOUND, "no version with serial %u is kept", serial);
	*out = p;
	return 0;
}

static int find_zone(struct journal_txn *t, const uint8_t *apex, struct row_zone *z)
{
	int err = zone_row_get(t, apex, z);

	if (!err && !z->has_version)
		err = ERR_NOT_FOUND;
	return err == ERR_NOT_FOUND ? txn_fail(t, err, "no version is kept") : err;
}

/* Hand out e as a difference from..to; backwards: as one that undoes it. */
static int give(struct events *e, uint32_t from, uint32_t to, bool backwards, struct journal_changes *out)
{
	size_t counts[2] = {0}, at[2] = {0};
	struct rr *sides[2];
	struct journal_change *items = arena_zalloc(&out->arena, (out->count + 1) * sizeof(*items));

	for (size_t i = 0; i < e->count; i++)
		counts[e->list[i].added]++;
	for (unsigned i = 0; i < 2; i++)
		sides[i] = arena_zalloc(&out->arena, MAX(counts[i], (size_t)1) * sizeof(struct rr));
	if (!items || !sides[0] || !sides[1])
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < e->count; i++) {
		bool added = e->list[i].added;

		sides[added][at[added]++] = e->list[i].rr;
		out->octets += record_octets(&e->list[i].rr);
	}
	if (out->count)
		memcpy(items, out->items, out->count * sizeof(*items));
	items[out->count++] = (struct journal_change){.from = from, .to = to, .deleted = sides[backwards], .deleted_count = counts[backwards],
	                                              .added = sides[!backwards], .added_count = counts[!backwards]};
	out->items = items;
	return 0;
}

static int get_condensed(struct journal_txn *t, const uint8_t *apex, const struct row_zone *z, uint64_t after, uint64_t last, uint32_t from,
                         uint32_t to, bool backwards, struct journal_changes *out)
{
	struct events e;
	int err;

	events_init(&e, &out->arena);
	err = changes_load_net(t, apex, z->id, after, last, &e);
	if (!err)
		err = give(&e, from, to, backwards, out);
	events_done(&e);
	return err;
}

static int get_each(struct journal_txn *t, const uint8_t *apex, const struct row_zone *z, uint64_t after, uint64_t last, uint64_t octets_max,
                    struct journal_changes *out)
{
	struct events e;
	uint64_t octets = 0;
	int err = 0;

	for (uint64_t seq = after + 1; !err && seq <= last; seq++) {
		struct row_change c;

		err = change_next(t, z->id, &seq, &c);
		if (err || seq > last)
			break;
		octets += c.message;
		if (octets > octets_max)
			return txn_fail(t, ERR_LIMIT, "the differences have more than %llu octets", (unsigned long long)octets_max);
		events_init(&e, &out->arena);
		err = change_load(t, apex, z->id, seq, &c, &e);
		if (!err)
			err = events_net(t, &e);
		if (!err)
			err = give(&e, c.from, c.version.serial, false, out);
		events_done(&e);
	}
	return err == ERR_NOT_FOUND ? 0 : err;
}

int journal_get_changes(struct journal_txn *t, const uint8_t *apex, uint32_t from, uint32_t to, bool condensed, uint64_t octets_max,
                        struct journal_changes *out)
{
	struct journal_changes changes = {0};
	struct position a, b;
	struct row_zone z;
	int err = find_zone(t, apex, &z);

	if (!err)
		err = find(t, &z, from, &a);
	if (!err)
		err = find(t, &z, to, &b);
	if (err)
		return err;
	arena_init(&changes.arena, 0);
	if (a.seq < b.seq && !condensed)
		err = get_each(t, apex, &z, a.seq, b.seq, octets_max, &changes);
	else if (a.seq != b.seq)
		err = get_condensed(t, apex, &z, MIN(a.seq, b.seq), MAX(a.seq, b.seq), from, to, a.seq > b.seq, &changes);
	if (!err && changes.octets > octets_max)
		err = txn_fail(t, ERR_LIMIT, "the differences have more than %llu octets", (unsigned long long)octets_max);
	if (err)
		arena_done(&changes.arena);
	else
		*out = changes;
	return err;
}

void journal_changes_done(struct journal_changes *c)
{
	arena_done(&c->arena);
	*c = (struct journal_changes){0};
}

int journal_get_records(struct journal_txn *t, const uint8_t *apex, uint32_t serial, journal_record_fn *fn, void *ctx)
{
	struct version_walk w = {0};
	struct position p;
	struct arena arena;
	struct events net;
	struct row_zone z;
	struct rr rr;
	int got = 0, err = find_zone(t, apex, &z);

	if (!err)
		err = find(t, &z, serial, &p);
	if (err)
		return err;
	arena_init(&arena, 0);
	events_init(&net, &arena);
	err = changes_load_net(t, apex, z.id, 0, p.seq, &net);
	if (!err)
		err = walk_start(&w, t, apex, &z, net.list, net.count);
	while (!err && (got = walk_next(&w, &rr)) == 1)
		err = fn(ctx, &rr);
	if (!err)
		err = got;
	if (!err && (w.records != p.records || w.sum != p.sum))
		err = txn_fail(t, ERR_MALFORMED, "version %u does not have the records that it had", serial);
	walk_done(&w);
	events_done(&net);
	arena_done(&arena);
	return err;
}

static int collect(void *ctx, const struct rr *rr)
{
	return content_add(ctx, rr, NULL);
}

int journal_get_content(struct journal_txn *t, const uint8_t *apex, uint32_t serial, struct content **out)
{
	struct content *c = content_new(apex);
	int err = c ? journal_get_records(t, apex, serial, collect, c) : ERR_NO_MEMORY;

	if (!err)
		err = content_finish(c);
	if (err)
		content_free(c);
	else
		*out = c;
	return err;
}

int journal_history(struct journal_txn *t, const uint8_t *apex, journal_entry_fn *fn, void *ctx)
{
	struct journal_entry e;
	struct row_zone z;
	int err = find_zone(t, apex, &z);

	if (err)
		return err;
	e = (struct journal_entry){.version = z.whole, .records = z.records, .is_whole = true, .octets = z.octets};
	err = fn(ctx, &e);
	for (uint64_t seq = 1; !err; seq++) {
		struct row_change c;

		err = change_next(t, z.id, &seq, &c);
		if (err)
			break;
		e = (struct journal_entry){.version = c.version, .records = c.records, .from = c.from, .deleted = c.deleted, .added = c.added,
		                           .merged = c.merged, .octets = c.octets};
		err = fn(ctx, &e);
	}
	return err == ERR_NOT_FOUND ? 0 : err;
}
