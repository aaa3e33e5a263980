/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose turn is next: a heap of those that wait, by the moment, and queues of those that are due, a pair for each first primary. */
#include "sync/secondary_priv.h"

/* ---- the heap ---- */

int64_t secondary_wants_at(const struct secondary *z)
{
	int64_t due = z->phase == SECONDARY_WAITING ? z->due_ms : INT64_MAX;

	return z->has_version && !z->expired ? MIN(due, z->expire_at_ms) : due;
}

static void put(struct secondary_set *set, size_t at, struct secondary *z)
{
	set->heap[at] = z;
	z->heap_at = at;
}

static void settle(struct secondary_set *set, size_t at)
{
	struct secondary *z = set->heap[at];
	int64_t when = secondary_wants_at(z);

	while (at && secondary_wants_at(set->heap[(at - 1) / 2]) > when) {
		put(set, at, set->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		size_t child = at * 2 + 1;

		if (child + 1 < set->heap_count && secondary_wants_at(set->heap[child + 1]) < secondary_wants_at(set->heap[child]))
			child++;
		if (child >= set->heap_count || secondary_wants_at(set->heap[child]) >= when)
			break;
		put(set, at, set->heap[child]);
		at = child;
	}
	put(set, at, z);
}

void secondary_changed(struct secondary_set *set, struct secondary *z)
{
	if (z->heap_at == SIZE_MAX)
		return;
	settle(set, z->heap_at);
	secondary_tally(set, z, true);
}

void secondary_heap_in(struct secondary_set *set, struct secondary *z)
{
	z->heap_at = set->heap_count++;
	set->heap[z->heap_at] = z;
	settle(set, z->heap_at);
	secondary_tally(set, z, true);
}

void secondary_heap_out(struct secondary_set *set, struct secondary *z)
{
	size_t at = z->heap_at;
	struct secondary *last;

	if (at == SIZE_MAX)
		return;
	z->heap_at = SIZE_MAX;
	secondary_tally(set, z, false);
	last = set->heap[--set->heap_count];
	if (last == z)
		return;
	put(set, at, last);
	settle(set, at);
}

/* ---- queues ---- */

void secondary_enqueue(struct secondary_set *set, struct secondary *z)
{
	struct secondary_queue *q = &z->source->queue[z->urgent];

	z->next = NULL;
	*q->last = z;
	q->last = &z->next;
	set->queued[z->urgent]++;
	z->phase = SECONDARY_QUEUED;
	secondary_changed(set, z);
}

struct secondary *secondary_dequeue(struct secondary_set *set, struct secondary_queue *q, bool urgent)
{
	struct secondary *z = q->first;

	q->first = z->next;
	if (!q->first)
		q->last = &q->first;
	z->next = NULL;
	set->queued[urgent]--;
	return z;
}

/* A routine refresh becomes urgent: out of its place, to the end of the other queue. */
static void promote(struct secondary_set *set, struct secondary *z)
{
	struct secondary_queue *q = &z->source->queue[0];
	struct secondary **at = &q->first;

	while (*at && *at != z)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = z->next;
	if (!*at)
		q->last = at;
	set->queued[0]--;
	z->urgent = true;
	secondary_enqueue(set, z);
}

void secondary_hurry(struct secondary_set *set, struct secondary *z)
{
	if (z->phase == SECONDARY_QUEUED && !z->urgent) {
		promote(set, z);
	} else if (z->phase == SECONDARY_WAITING) {
		z->urgent = true;
		secondary_enqueue(set, z);
	}
}
