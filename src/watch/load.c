/* SPDX-License-Identifier: BSD-2-Clause */
/* Workers say how much CPU time they have used and how many datagrams the kernel dropped before they could read them.
 * The busiest worker counts and not the mean: clients are spread over workers by the hash of their address, and those
 * of a full one lose their queries while others idle.
 *
 * A node is overloaded after some seconds at its limit, and is so until it has been well below for longer: a move of
 * traffic costs more than a few lost queries. What it can do is estimated from what it does: answers per second by
 * load, from a fifth of load on, where the fixed costs of a turn of the loop matter less. The estimate is kept when
 * the load goes. It is a guess: a node whose limit is its link says so by `capacity`. */
#include "watch/load.h"

#include "base/attr.h"

#include <stdio.h>
#include <string.h>

static uint32_t whole(double n)
{
	return n < UINT32_MAX - 1 ? (uint32_t)(n + 0.5) : UINT32_MAX - 1;
}

static uint32_t smooth(double *value, uint64_t now)
{
	*value += ((double)now - *value) / LOAD_SMOOTH;
	return whole(*value);
}

struct look {
	uint64_t permille, answers, lost; /* of the time between two looks */
	uint32_t busiest;
};

/* A worker that was restarted counts its CPU time from the beginning: its share is left out once. */
static struct look look(const struct load *l, const struct load_worker *workers, uint32_t n, uint64_t kernel_answers, uint64_t span_ns)
{
	struct look k = {.answers = kernel_answers > l->kernel_answers ? kernel_answers - l->kernel_answers : 0};

	for (uint32_t i = 0; i < n && i < l->workers; i++) {
		const struct load_worker *now = &workers[i], *was = &l->last[i];
		uint64_t used = now->cpu_ns > was->cpu_ns ? now->cpu_ns - was->cpu_ns : 0, permille = MIN(used / (span_ns / 1000 + 1), (uint64_t)1000);

		if (permille > k.permille) {
			k.permille = permille;
			k.busiest = i;
		}
		k.answers += now->answers > was->answers ? now->answers - was->answers : 0;
		k.lost += now->overflows > was->overflows ? now->overflows - was->overflows : 0;
	}
	return k;
}

static void turn(struct load *l, bool full, uint64_t now_ns)
{
	if (full != l->full || !l->turned_ns) {
		l->full = full;
		l->turned_ns = now_ns;
	}
	if (l->full != l->overload && now_ns - l->turned_ns >= (l->full ? LOAD_ENTER_MS : LOAD_LEAVE_MS) * 1000000ULL)
		l->overload = l->full;
}

static void say(struct load *l, uint32_t capacity)
{
	char lost[48] = "";

	l->why[0] = '\0';
	if (!l->overload)
		return;
	if (l->lost)
		snprintf(lost, sizeof(lost), ", %u queries a second are lost", l->lost);
	if (capacity && l->qps >= capacity)
		snprintf(l->why, sizeof(l->why), "overloaded: %u answers a second, its capacity is %u%s", l->qps, capacity, lost);
	else
		snprintf(l->why, sizeof(l->why), "overloaded: answer worker %u is at %u%% of its time%s", l->busiest, l->permille / 10, lost);
}

void load_step(struct load *l, const struct load_worker *workers, uint32_t n, uint64_t kernel_answers, uint32_t capacity, uint64_t now_ns)
{
	uint64_t span_ns = now_ns - l->looked_ns;
	bool first = !l->looked_ns || now_ns <= l->looked_ns || span_ns > LOAD_LOOK_MAX_MS * 1000000ULL, full;
	struct look k;

	n = MIN(n, (uint32_t)BOARD_WORKERS_MAX);
	if (!first) {
		k = look(l, workers, n, kernel_answers, span_ns);
		l->permille = smooth(&l->smooth[0], k.permille);
		l->busiest = k.busiest;
		l->qps = smooth(&l->smooth[1], k.answers * 1000000000U / span_ns);
		l->lost = smooth(&l->smooth[2], k.lost * 1000000000U / span_ns);
		if (l->permille >= LOAD_KNOWN)
			l->estimate = whole(l->smooth[1] * 1000 / l->smooth[0]);
		/* Once it is too much the lower bound counts: a flood that pauses for a moment is not over. */
		full = l->permille >= (l->full ? LOAD_EASY : LOAD_FULL) || (capacity && l->qps >= capacity) ||
		       (k.lost >= LOAD_LOST_MIN && k.lost * LOAD_LOST_PART >= k.answers);
		turn(l, full, now_ns);
		say(l, capacity);
	}
	if (!capacity)
		capacity = l->estimate;
	l->headroom = !capacity ? UINT32_MAX : capacity > l->qps ? capacity - l->qps : 0;
	memcpy(l->last, workers, n * sizeof(*workers));
	l->workers = n;
	l->kernel_answers = kernel_answers;
	l->looked_ns = now_ns;
}
