/* SPDX-License-Identifier: BSD-2-Clause */
/* The choice of a server.
 *
 * Who may be asked is decided first, in classes: servers that are well; those that answer, but with errors; those that watch holds for ill and that have not failed us (checks may be wrong, or
 * older than the cure); silent ones, at the pace of trials. Within the best class that is not empty the pool's policy chooses:
 *
 *	latency   the least (questions outstanding + 1) x smoothed latency. One that has not answered yet counts as the quickest, so that it is tried; a figure that is old counts less with
 *	          each second, so that one which was slow once is looked at again
 *	weight    at random
 *	hash      rendezvous hashing over the question, weighted: when a server goes only its own questions move
 *	ordered   the first
 *
 * The circuit breaker is each worker's own: EDGE_OPEN_AFTER failures in a row open it, if it is silence that has lasted EDGE_OPEN_SILENT_MS; a trial after a pause that doubles may close it. An answer
 * of any kind ends silence; errors that are answered (SERVFAIL, REFUSED...) open it as well, but may be about one zone only: such a server is put last and not left out.
 *
 * Not here: slow start of a server that comes back; the limit of questions at a time bounds what it gets. */
#include "edge/servers.h"

#include <string.h>

enum { LATENCY_OLD_NS = 1000000000, TRY_FACTOR = 4, CLASSES = 4 };
#define MS_NS UINT64_C(1000000)

/* Of its failures. The clocks of two callers may differ by a turn of the loop. */
static uint64_t failing_for(const struct edge_server *s, uint64_t now_ns)
{
	return now_ns > s->failing_ns ? now_ns - s->failing_ns : 0;
}

/* 0: well; CLASSES: not to be asked. */
static unsigned class_of(const struct edge_server *s, uint64_t now_ns)
{
	if (s->loops)
		return CLASSES;
	if (s->open && !s->answers)
		return now_ns >= s->trial_ns || failing_for(s, now_ns) < EDGE_HOPE_MS * MS_NS ? 3 : CLASSES;
	if (s->down)
		return 2;
	return s->open;
}

static uint64_t cost(const struct edge_server *s, uint64_t now_ns)
{
	uint64_t latency = s->latency_us ? s->latency_us : 1, age = now_ns > s->latency_ns ? (now_ns - s->latency_ns) / LATENCY_OLD_NS : 0;

	return (s->outstanding + UINT64_C(1)) * (latency / (age + 1) + 1);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
	x = (x ^ x >> 27) * 0x94d049bb133111ebU;
	return x ^ x >> 31;
}

/* -log2(x / 2^64) in units of 2^-16, for x > 0: what lies between powers of two by a parabola, which is off by less than 0.01. */
static uint64_t minus_log2(uint64_t x)
{
	unsigned zeros = (unsigned)__builtin_clzll(x);
	uint64_t f = (x << zeros) >> 47 & 0xffff; /* the mantissa without its leading one */
	uint64_t log = f + ((UINT64_C(22544) * f >> 16) * (65536 - f) >> 16);

	return ((uint64_t)zeros << 16) + 65536 - MIN(log, UINT64_C(65535));
}

/* The least wins: an exponential variable with the weight as its rate. */
static uint64_t rendezvous(const struct edge_server *s, uint64_t hash)
{
	return (minus_log2(mix(hash ^ s->key) | 1) << 24) / MAX(s->weight, 1U);
}

static int choose_by_weight(const struct edge_server *servers, const struct edge_pool *p, const uint16_t *of, unsigned n, uint64_t random)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += servers[p->rows[of[i]]].weight;
	if (!sum)
		return of[random % n];
	random %= sum;
	for (unsigned i = 0; i < n; i++) {
		uint32_t weight = servers[p->rows[of[i]]].weight;

		if (random < weight)
			return of[i];
		random -= weight;
	}
	return of[n - 1];
}

static int choose_least(const struct edge_server *servers, const struct edge_pool *p, const uint16_t *of, unsigned n, uint64_t hash, uint64_t random, uint64_t now_ns)
{
	uint64_t least = UINT64_MAX;
	int best = of[0];

	/* From a random place, so that among equals it is not always the first. */
	for (unsigned k = 0; k < n; k++) {
		unsigned i = (unsigned)((k + random) % n);
		const struct edge_server *s = &servers[p->rows[of[i]]];
		uint64_t c = p->policy == EDGE_POLICY_HASH ? rendezvous(s, hash) : cost(s, now_ns);

		if (c < least) {
			least = c;
			best = of[i];
		}
	}
	return best;
}

int edge_pool_choose(const struct edge_server *servers, const struct edge_pool *p, const struct edge_tried *tried, uint64_t hash, uint64_t random, uint64_t now_ns, bool *full)
{
	uint16_t of[EDGE_POOL_SERVERS_MAX];
	unsigned n = 0, best = CLASSES;

	*full = false;
	for (unsigned i = 0; i < p->count; i++) {
		const struct edge_server *s = &servers[p->rows[i]];
		unsigned class = class_of(s, now_ns);

		if (class > best || class == CLASSES || edge_tried_has(tried, i))
			continue;
		if (s->outstanding >= s->limit) {
			*full = true;
			continue;
		}
		if (class < best) {
			best = class;
			n = 0;
		}
		of[n++] = (uint16_t)i;
	}
	if (!n)
		return -1;
	*full = false;
	switch (p->policy) {
	case EDGE_POLICY_ORDERED:
		return of[0];
	case EDGE_POLICY_WEIGHT:
		return choose_by_weight(servers, p, of, n, random);
	case EDGE_POLICY_LATENCY:
	case EDGE_POLICY_HASH:
		break;
	}
	return choose_least(servers, p, of, n, hash, random, now_ns);
}

int edge_pool_trial(const struct edge_server *servers, const struct edge_pool *p, const struct edge_tried *tried, uint64_t now_ns)
{
	for (unsigned i = 0; i < p->count; i++) {
		const struct edge_server *s = &servers[p->rows[i]];

		if (s->open && !s->loops && !s->down && now_ns >= s->trial_ns && s->outstanding < s->limit && !edge_tried_has(tried, i))
			return (int)i;
	}
	return -1;
}

bool edge_pool_down(const struct edge_server *servers, const struct edge_pool *p)
{
	for (unsigned i = 0; i < p->count; i++) {
		const struct edge_server *s = &servers[p->rows[i]];

		if (!s->loops && !s->down && !s->open)
			return false;
	}
	return true;
}

void edge_server_sent(struct edge_server *s, uint64_t now_ns)
{
	s->outstanding++;
	if (!s->open || now_ns < s->trial_ns)
		return;
	/* A trial: the next one not before the pause is over, whatever becomes of this one. */
	s->pause_ms = MIN(s->pause_ms * 2, (uint32_t)EDGE_TRIAL_MAX_MS);
	s->trial_ns = now_ns + s->pause_ms * MS_NS;
}

static void fail(struct edge_server *s, uint64_t now_ns)
{
	if (!s->failures)
		s->failing_ns = now_ns;
	if (s->failures < EDGE_OPEN_AFTER)
		s->failures++;
	if (s->failures < EDGE_OPEN_AFTER || s->open || (!s->answers && failing_for(s, now_ns) < EDGE_OPEN_SILENT_MS * MS_NS))
		return;
	s->open = true;
	s->pause_ms = EDGE_TRIAL_MIN_MS;
	s->trial_ns = now_ns + s->pause_ms * MS_NS;
}

void edge_server_answered(struct edge_server *s, bool good, uint64_t took_ns, uint64_t now_ns)
{
	uint64_t us = MIN(took_ns / 1000 + 1, UINT64_C(10000000));

	/* RFC 6298 2.3: an eighth of each new one. */
	s->latency_us = s->latency_us ? (uint32_t)((s->latency_us * UINT64_C(7) + us) / 8) : (uint32_t)us;
	s->latency_us = MAX(s->latency_us, 1U);
	s->latency_ns = now_ns;
	s->answers = true;
	if (!good) {
		fail(s, now_ns);
		return;
	}
	edge_server_back(s);
}

void edge_server_back(struct edge_server *s)
{
	s->failures = 0;
	s->open = false;
}

void edge_server_failed(struct edge_server *s, uint64_t now_ns)
{
	s->answers = false;
	fail(s, now_ns);
}

void edge_server_refused(struct edge_server *s, uint64_t now_ns)
{
	s->failures = MAX(s->failures, (uint16_t)(EDGE_OPEN_AFTER - 1));
	s->failing_ns = now_ns - MIN(now_ns, EDGE_HOPE_MS * MS_NS); /* there is nothing to hope for */
	edge_server_failed(s, now_ns);
}

uint32_t edge_server_timeout_ms(const struct edge_server *s)
{
	uint32_t latency = s->latency_us ? s->latency_us : EDGE_LATENCY_FIRST_US;
	uint64_t ms = (uint64_t)latency * TRY_FACTOR / 1000;

	return (uint32_t)MAX(MIN(ms, (uint64_t)EDGE_TRY_MAX_MS), (uint64_t)EDGE_TRY_MIN_MS);
}
