/* SPDX-License-Identifier: BSD-2-Clause */
/* The records of a version in canonical order: the chunks of the whole version, read one after the other, merged with a net effect. Nothing
 * is taken on trust: a deletion must find its record, an addition must not, and the chunks must be as many as were written. */
#include "base/err.h"
#include "journal/journal_priv.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_PREFIX = 13 /* octets of a chunk's key before its order */ };

int chunk_next(struct journal_txn *t, const struct row_zone *z, const struct row_key *key, struct row_key *found, struct row_records *head,
               struct reader *records)
{
	int err = txn_next(t, key, found, records);

	if (err)
		return err;
	if (found->len != key->len || memcmp(found->bytes, key->bytes, CHUNK_PREFIX) != 0)
		return ERR_NOT_FOUND;
	if (row_records_get(records, head) < 0 || head->side != ROW_WHOLE || reader_left(records) > RECORDS_MAX)
		return txn_fail(t, ERR_MALFORMED, "records of version %u are damaged", z->whole.serial);
	return 0;
}

static int start(struct version_walk *w, struct journal_txn *t, const uint8_t *apex, const struct row_zone *z, const struct event *events,
                 size_t count)
{
	*w = (struct version_walk){.t = t, .z = z, .apex = apex, .events = events, .end = count};
	w->next = row_key_chunk(z->id, z->generation, 0);
	records_unpack_start(&w->u, apex, NULL, 0);
	w->bytes = malloc(RECORDS_MAX);
	return w->bytes ? 0 : ERR_NO_MEMORY;
}

int walk_start(struct version_walk *w, struct journal_txn *t, const uint8_t *apex, const struct row_zone *z, const struct event *events,
               size_t count)
{
	return start(w, t, apex, z, events, count);
}

int walk_start_chunk(struct version_walk *w, struct journal_txn *t, const uint8_t *apex, const struct row_zone *z, const struct row_key *key,
                     const struct event *events, size_t count)
{
	int err = start(w, t, apex, z, events, count);

	if (err)
		return err;
	w->next = *key;
	w->one_chunk = true;
	return 0;
}

void walk_done(struct version_walk *w)
{
	free(w->bytes);
	w->bytes = NULL;
}

/* 1: there is one more; 0: no more. */
static int next_chunk(struct version_walk *w)
{
	struct row_records head;
	struct row_key found;
	struct reader r;
	int err;

	if (w->left || reader_left(&w->u.r))
		return txn_fail(w->t, ERR_MALFORMED, "records of version %u are damaged", w->z->whole.serial);
	if (w->one_chunk && w->chunks)
		return 0;
	err = chunk_next(w->t, w->z, &w->next, &found, &head, &r);
	if (err == ERR_NOT_FOUND && (w->one_chunk || w->chunks != w->z->chunks))
		return txn_fail(w->t, ERR_MALFORMED, "records of version %u are missing", w->z->whole.serial);
	if (err)
		return err == ERR_NOT_FOUND ? 0 : err;
	w->len = reader_left(&r);
	memcpy(w->bytes, r.base + r.pos, w->len);
	w->left = head.count;
	w->chunks++;
	w->next = found;
	/* The key that follows: orders are never the greatest number. */
	for (size_t i = found.len; i-- > CHUNK_PREFIX;)
		if (++w->next.bytes[i])
			break;
	records_unpack_start(&w->u, w->apex, w->bytes, w->len);
	return 1;
}

static int next_base(struct version_walk *w)
{
	int got;

	if (w->has_base)
		return 0;
	while (!w->left) {
		got = next_chunk(w);
		if (got <= 0)
			return got;
	}
	got = records_unpack(&w->u, &w->base);
	if (got != 1)
		return txn_fail(w->t, ERR_MALFORMED, "records of version %u are damaged", w->z->whole.serial);
	w->left--;
	w->has_base = true;
	return 0;
}

static int give(struct version_walk *w, const struct rr *rr, struct rr *out)
{
	w->records++;
	w->sum += record_sum(rr);
	*out = *rr;
	return 1;
}

int walk_next(struct version_walk *w, struct rr *out)
{
	char text[RECORD_TEXT_MAX];

	for (;;) {
		const struct event *e = w->at < w->end ? &w->events[w->at] : NULL;
		int err = next_base(w), d;

		if (err)
			return err;
		if (!e && !w->has_base)
			return 0;
		d = !e ? -1 : !w->has_base ? 1 : record_order(&w->base, &e->rr);
		if (d < 0) {
			w->has_base = false;
			return give(w, &w->base, out);
		}
		w->at++;
		if (e->added && d == 0)
			return txn_fail(w->t, ERR_MALFORMED, "a difference adds %s, which is there", record_text(&e->rr, text));
		if (e->added)
			return give(w, &e->rr, out);
		if (d)
			return txn_fail(w->t, ERR_MALFORMED, "a difference deletes %s, which is not there", record_text(&e->rr, text));
		w->has_base = false;
		/* The same record with another TTL or in other letters may be added next: then nothing is there any more. */
	}
}
