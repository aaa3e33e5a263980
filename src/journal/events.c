/* SPDX-License-Identifier: BSD-2-Clause */
/* Differences: read from their rows, brought to their net effect, and stored.
 *
 * The records of several differences are thrown together, each with the number of its step, and sorted by record and then by step. All that
 * happened to one record then stands in a row, and must be deletions and additions in turn. If the first is a deletion, the record was there
 * before; if the last is an addition, it is there after: these two are the net effect, or nothing if they are the same to the letter. */
#include "base/err.h"
#include "journal/journal_priv.h"

#include <stdlib.h>
#include <string.h>

void events_init(struct events *e, struct arena *arena)
{
	*e = (struct events){.arena = arena};
}

void events_done(struct events *e)
{
	free(e->list);
	*e = (struct events){.arena = e->arena};
}

int events_add(struct events *e, const struct rr *rr, bool added)
{
	size_t len = name_len(rr->owner);
	const uint8_t *rdata;
	struct event *ev;

	if (e->count == e->cap) {
		size_t cap = e->cap ? 2 * e->cap : 64;
		struct event *list = realloc(e->list, cap * sizeof(*list));

		if (!list)
			return ERR_NO_MEMORY;
		e->list = list;
		e->cap = cap;
	}
	if (!e->last_owner || name_len(e->last_owner) != len || memcmp(e->last_owner, rr->owner, len) != 0) {
		const uint8_t *owner = arena_alloc_aligned(e->arena, len, 1);

		if (!owner)
			return ERR_NO_MEMORY;
		memcpy((uint8_t *)(uintptr_t)owner, rr->owner, len);
		e->last_owner = owner;
	}
	rdata = arena_alloc_aligned(e->arena, MAX(rr->rdlen, 1), 1);
	if (!rdata)
		return ERR_NO_MEMORY;
	memcpy((uint8_t *)(uintptr_t)rdata, rr->rdata, rr->rdlen);
	ev = &e->list[e->count++];
	*ev = (struct event){.rr = *rr, .step = e->steps, .added = added};
	ev->rr.owner = e->last_owner;
	ev->rr.rdata = rdata;
	return 0;
}

static int order(const void *a, const void *b)
{
	const struct event *x = a, *y = b;
	int d = record_order(&x->rr, &y->rr);

	if (!d && x->step != y->step)
		d = x->step < y->step ? -1 : 1;
	return d ? d : (int)x->added - (int)y->added;
}

int events_net(struct journal_txn *t, struct events *e)
{
	char text[RECORD_TEXT_MAX];
	size_t kept = 0, next;

	if (e->count)
		qsort(e->list, e->count, sizeof(*e->list), order);
	for (size_t i = 0; i < e->count; i = next) {
		struct event first = e->list[i], last;

		for (next = i + 1; next < e->count && record_order(&e->list[next].rr, &first.rr) == 0; next++)
			if (e->list[next].added == e->list[next - 1].added)
				return txn_fail(t, ERR_MALFORMED, "%s is %s twice", record_text(&first.rr, text),
				                first.added ? "added" : "deleted");
		last = e->list[next - 1];
		if (!first.added && last.added && record_same(&first.rr, &last.rr))
			continue;
		if (!first.added)
			e->list[kept++] = first;
		if (last.added)
			e->list[kept++] = last;
	}
	e->count = kept;
	return 0;
}

int events_total(const struct events *e, struct events_total *out)
{
	uint64_t deleted = 0, added = 0;

	*out = (struct events_total){0};
	for (size_t i = 0; i < e->count; i++) {
		const struct event *ev = &e->list[i];

		*(ev->added ? &added : &deleted) += 1;
		out->sum += ev->added ? record_sum(&ev->rr) : 0 - record_sum(&ev->rr);
		out->message += record_octets(&ev->rr);
	}
	if (deleted > JOURNAL_RECORDS_MAX || added > JOURNAL_RECORDS_MAX)
		return ERR_LIMIT;
	out->deleted = (uint32_t)deleted;
	out->added = (uint32_t)added;
	return 0;
}

/* ---- rows ---- */

int change_next(struct journal_txn *t, uint64_t id, uint64_t *seq, struct row_change *out)
{
	const struct row_key key = row_key_change(id, *seq, 0);
	struct row_key found;
	struct reader r, k;
	int err = txn_next(t, &key, &found, &r);

	if (err)
		return err;
	if (found.len != key.len || memcmp(found.bytes, key.bytes, 9) != 0)
		return ERR_NOT_FOUND;
	if (get_u32(found.bytes + 17) != 0)
		return txn_fail(t, ERR_MALFORMED, "a difference without its head");
	if (row_change_get(&r, out) < 0)
		return txn_fail(t, ERR_MALFORMED, "the head of a difference is damaged");
	k = reader_of(found.bytes + 9, 8);
	*seq = (uint64_t)reader_u32(&k) << 32;
	*seq |= reader_u32(&k);
	return 0;
}

int change_load(struct journal_txn *t, const uint8_t *apex, uint64_t id, uint64_t seq, const struct row_change *c, struct events *e)
{
	uint64_t counts[3] = {0};

	for (uint32_t part = 1; part <= c->parts; part++) {
		const struct row_key key = row_key_change(id, seq, part);
		struct records_unpacker u;
		struct row_records head;
		struct reader r;
		struct rr rr;
		uint32_t n = 0;
		int got, err = txn_get(t, &key, &r);

		if (err == ERR_NOT_FOUND)
			return txn_fail(t, ERR_MALFORMED, "difference %u to %u: part %u is missing", c->from, c->version.serial, part);
		if (!err)
			err = row_records_get(&r, &head);
		if (err)
			return txn_fail(t, err, "difference %u to %u: part %u is damaged", c->from, c->version.serial, part);
		records_unpack_start(&u, apex, r.base + r.pos, reader_left(&r));
		while ((got = records_unpack(&u, &rr)) == 1) {
			n++;
			err = events_add(e, &rr, head.side == ROW_ADDED);
			if (err)
				return err;
		}
		if (got < 0 || n != head.count || head.side == ROW_WHOLE)
			return txn_fail(t, ERR_MALFORMED, "difference %u to %u: part %u is damaged", c->from, c->version.serial, part);
		counts[head.side] += n;
	}
	if (counts[ROW_DELETED] != c->deleted || counts[ROW_ADDED] != c->added)
		return txn_fail(t, ERR_MALFORMED, "difference %u to %u: not as many records as it had", c->from, c->version.serial);
	e->steps++;
	return 0;
}

static int put_part(struct journal_txn *t, uint64_t id, uint64_t seq, struct row_change *c, enum row_side side, struct records_packer *p)
{
	const struct row_key key = row_key_change(id, seq, ++c->parts);
	struct writer w = txn_body(t, ROW_VALUE_MAX);

	row_records_put(&w, &(struct row_records){.side = side, .count = p->count});
	writer_bytes(&w, p->bytes, p->len);
	c->octets += w.pos;
	return txn_put(t, &key, &w);
}

static int put_side(struct journal_txn *t, const uint8_t *apex, uint64_t id, uint64_t seq, struct row_change *c, const struct events *e,
                    enum row_side side, struct records_packer *p)
{
	int err = 0;

	records_pack_start(p, apex);
	for (size_t i = 0; !err && i < e->count; i++) {
		if (e->list[i].added != (side == ROW_ADDED))
			continue;
		err = records_pack(p, &e->list[i].rr);
		if (err == ERR_NO_SPACE) {
			err = put_part(t, id, seq, c, side, p);
			records_pack_start(p, apex);
			if (!err)
				err = records_pack(p, &e->list[i].rr);
		}
	}
	return err || !p->count ? err : put_part(t, id, seq, c, side, p);
}

int change_store(struct journal_txn *t, const uint8_t *apex, uint64_t id, uint64_t seq, struct row_change *c, const struct events *e)
{
	const struct row_key key = row_key_change(id, seq, 0);
	struct records_packer *p = malloc(sizeof(*p));
	struct events_total total;
	struct writer w;
	int err = p ? events_total(e, &total) : ERR_NO_MEMORY;

	if (err)
		goto out;
	c->deleted = total.deleted;
	c->added = total.added;
	c->message = total.message;
	c->parts = 0;
	c->octets = 0;
	err = put_side(t, apex, id, seq, c, e, ROW_DELETED, p);
	if (!err)
		err = put_side(t, apex, id, seq, c, e, ROW_ADDED, p);
	if (err)
		goto out;
	w = txn_body(t, ROW_BODY_MAX);
	row_change_put(&w, c);
	err = txn_put(t, &key, &w);
out:
	free(p);
	return err;
}

int change_remove(struct journal_txn *t, uint64_t id, uint64_t seq)
{
	const struct row_key key = row_key_change(id, seq, 0);

	return txn_del_prefix(t, &key, 17);
}

int changes_load_net(struct journal_txn *t, const uint8_t *apex, uint64_t id, uint64_t after, uint64_t last, struct events *e)
{
	int err = 0;

	for (uint64_t seq = after + 1; seq <= last; seq++) {
		struct row_change c;

		err = change_next(t, id, &seq, &c);
		if (err || seq > last)
			break;
		err = change_load(t, apex, id, seq, &c, e);
		if (err)
			return err;
	}
	if (err && err != ERR_NOT_FOUND)
		return err;
	return events_net(t, e);
}
