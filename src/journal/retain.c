/* SPDX-License-Identifier: BSD-2-Clause */
/* The limits of history. Oldest differences go into the whole version when there are more than may be kept; differences of one period that
 * is long past become one, so that a zone that changes every second can still go back a month. */
#include "base/err.h"
#include "journal/journal_priv.h"

/* The sequence up to which differences have to go, 0: none. */
static int too_much(struct journal_txn *t, const struct row_zone *z, const struct journal_keep *keep, uint64_t *last)
{
	uint64_t changes = z->changes, octets = z->change_octets, seq = 1;
	struct row_change c;
	int err;

	*last = 0;
	/* In 64 bits neither sum can overflow: the second operand is an eighth. */
	if (changes <= (uint64_t)keep->differences_max + keep->differences_max / 8 &&
	    (octets <= keep->octets_max || octets - keep->octets_max <= keep->octets_max / 8))
		return 0;
	for (; changes > keep->differences_max || octets > keep->octets_max; seq++) {
		err = change_next(t, z->id, &seq, &c);
		if (err)
			return err == ERR_NOT_FOUND ? txn_fail(t, ERR_MALFORMED, "differences are missing") : err;
		changes--;
		octets -= c.octets;
		*last = seq;
	}
	return 0;
}

/* Two differences, one after the other, become one with the facts of the later. */
static int merge(struct journal_txn *t, const uint8_t *apex, struct row_zone *z, uint64_t a_seq, const struct row_change *a, uint64_t b_seq,
                 struct row_change *b)
{
	struct arena arena;
	struct events e;
	int err;

	arena_init(&arena, 0);
	events_init(&e, &arena);
	err = changes_load_net(t, apex, z->id, a_seq - 1, b_seq, &e);
	if (!err)
		err = change_remove(t, z->id, a_seq);
	if (!err)
		err = change_remove(t, z->id, b_seq);
	if (!err) {
		z->changes--;
		z->change_octets -= a->octets + b->octets;
		b->from = a->from;
		b->merged += a->merged + 1;
		err = change_store(t, apex, z->id, b_seq, b, &e);
		z->change_octets += b->octets;
	}
	events_done(&e);
	arena_done(&arena);
	return err;
}

static int thin(struct journal_txn *t, const uint8_t *apex, struct row_zone *z, const struct journal_keep *keep, uint64_t now_s)
{
	struct row_change a, b;
	uint64_t a_seq = MAX(z->thinned, 1), b_seq;
	unsigned merged = 0;
	int err = change_next(t, z->id, &a_seq, &a);

	while (!err && merged < JOURNAL_THIN_PER_COMMIT) {
		b_seq = a_seq + 1;
		err = change_next(t, z->id, &b_seq, &b);
		if (err || b.version.when_s > now_s || now_s - b.version.when_s < keep->all_s)
			break;
		if (a.version.when_s / keep->step_s == b.version.when_s / keep->step_s && a.octets + b.octets <= JOURNAL_THIN_OCTETS) {
			err = merge(t, apex, z, a_seq, &a, b_seq, &b);
			merged++;
		}
		a = b;
		a_seq = b_seq;
		z->thinned = a_seq;
	}
	return err == ERR_NOT_FOUND ? 0 : err;
}

int retain(struct journal_txn *t, const uint8_t *apex, struct row_zone *z, const struct journal_keep *keep, uint64_t now_s)
{
	uint64_t last;
	int err;

	if (!keep)
		return 0;
	if (keep->step_s) {
		err = thin(t, apex, z, keep, now_s);
		if (err)
			return err;
	}
	err = too_much(t, z, keep, &last);
	return err || !last ? err : whole_fold(t, apex, z, last);
}
