/* SPDX-License-Identifier: BSD-2-Clause */
/* The choice of a server: policies, who may be asked at all, limits, the circuit breaker in simulated time. */
#include "edge/servers.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 4 };
#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

static struct edge_server servers[N];
static struct edge_pool pool;
static const struct edge_tried nobody;

static void reset(enum edge_policy policy)
{
	memset(servers, 0, sizeof(servers));
	pool = (struct edge_pool){.policy = policy, .count = N};
	for (uint16_t i = 0; i < N; i++) {
		servers[i] = (struct edge_server){.key = 1000 + i * 77U, .weight = 100, .limit = 10};
		pool.rows[i] = (uint16_t)(N - 1 - i); /* places are not rows */
	}
}

static struct edge_server *at(unsigned place)
{
	return &servers[pool.rows[place]];
}

static int choose(uint64_t hash, uint64_t random, uint64_t now)
{
	bool full;

	return edge_pool_choose(servers, &pool, &nobody, hash, random, now, &full);
}

static uint64_t draw(void)
{
	static uint64_t x = 88172645463325252U;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* So many failures, the last of them now. */
static void fail_n(struct edge_server *s, unsigned n, uint64_t now)
{
	while (n--)
		edge_server_failed(s, n ? now - EDGE_OPEN_SILENT_MS * MS : now);
}

static void test_ordered(void **state)
{
	struct edge_tried tried = {{0}};
	bool full;

	(void)state;
	reset(EDGE_POLICY_ORDERED);
	for (int expected = 0; expected < N; expected++) {
		int got = edge_pool_choose(servers, &pool, &tried, draw(), draw(), 0, &full);

		assert_int_equal(got, expected);
		edge_tried_set(&tried, (unsigned)got);
	}
	assert_int_equal(edge_pool_choose(servers, &pool, &tried, 0, 0, 0, &full), -1);
	assert_false(full);
	at(0)->down = true;
	assert_int_equal(choose(0, 0, SECOND), 1);
	fail_n(at(1), EDGE_OPEN_AFTER, SECOND);
	assert_int_equal(choose(0, 0, SECOND), 2);
}

static void test_last_resorts(void **state)
{
	uint64_t now = 100 * SECOND;

	(void)state;
	reset(EDGE_POLICY_ORDERED);
	/* 0 is silent, 1 is down by checks only, 2 answers with errors, 3 leads back here. */
	fail_n(at(0), EDGE_OPEN_AFTER, now);
	at(1)->down = true;
	for (int i = 0; i < EDGE_OPEN_AFTER; i++)
		edge_server_answered(at(2), false, MS, now);
	assert_true(at(2)->open);
	at(3)->down = at(3)->loops = true;
	assert_true(edge_pool_down(servers, &pool));
	assert_int_equal(choose(0, 0, now), 2);
	at(2)->loops = true;
	assert_int_equal(choose(0, 0, now), 1);
	at(1)->loops = true;
	/* The silent one: while there is hope, and at its trials. */
	assert_int_equal(choose(0, 0, now), 0);
	edge_server_sent(at(0), now + EDGE_TRIAL_MIN_MS * MS);
	edge_server_sent(at(0), now + 3 * EDGE_TRIAL_MIN_MS * MS);
	assert_int_equal(choose(0, 0, now + (EDGE_HOPE_MS - EDGE_OPEN_SILENT_MS) * MS - 1), 0);
	assert_int_equal(choose(0, 0, now + (EDGE_HOPE_MS - EDGE_OPEN_SILENT_MS) * MS), -1);
	assert_int_equal(choose(0, 0, now + 7 * EDGE_TRIAL_MIN_MS * MS), 0);
	/* One that is well ends all that. */
	at(3)->down = at(3)->loops = false;
	assert_int_equal(choose(0, 0, now + 7 * EDGE_TRIAL_MIN_MS * MS), 3);
	assert_false(edge_pool_down(servers, &pool));
}

/* Of many questions at a time five are lost in a moment: that is no silence. */
static void test_a_moment(void **state)
{
	struct edge_server s = {.limit = 1};

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		edge_server_failed(&s, 10 * SECOND + i * MS / 10);
	assert_false(s.open);
	edge_server_answered(&s, true, MS, 10 * SECOND + 200 * MS);
	for (unsigned i = 0; i < 1000; i++)
		edge_server_failed(&s, 10 * SECOND + 250 * MS + i * MS / 10);
	assert_false(s.open);
	edge_server_failed(&s, 10 * SECOND + (250 + EDGE_OPEN_SILENT_MS) * MS);
	assert_true(s.open);
	/* Who says that nobody is there is believed at once. */
	edge_server_back(&s);
	edge_server_refused(&s, 20 * SECOND);
	assert_true(s.open);
}

static void test_limits(void **state)
{
	bool full;

	(void)state;
	reset(EDGE_POLICY_ORDERED);
	at(0)->outstanding = at(0)->limit;
	assert_int_equal(edge_pool_choose(servers, &pool, &nobody, 0, 0, 0, &full), 1);
	assert_false(full);
	for (unsigned i = 0; i < N; i++)
		at(i)->outstanding = at(i)->limit;
	assert_int_equal(edge_pool_choose(servers, &pool, &nobody, 0, 0, 0, &full), -1);
	assert_true(full);
}

static void test_weight(void **state)
{
	static const uint32_t weights[N] = {100, 300, 500, 100};
	unsigned got[N] = {0};
	enum { DRAWS = 20000 };

	(void)state;
	reset(EDGE_POLICY_WEIGHT);
	for (unsigned i = 0; i < N; i++)
		at(i)->weight = weights[i];
	for (unsigned i = 0; i < DRAWS; i++)
		got[choose(0, draw(), 0)]++;
	for (unsigned i = 0; i < N; i++)
		assert_in_range(got[i], DRAWS / 1000 * weights[i] * 9 / 10, DRAWS / 1000 * weights[i] * 11 / 10);
	at(2)->down = true;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_not_equal(choose(0, draw(), 0), 2);
}

/* Without one server only its questions move; shares follow weights. */
static void test_hash(void **state)
{
	enum { QUESTIONS = 20000 };
	static int before[QUESTIONS];
	static const uint32_t weights[N] = {100, 200, 300, 400};
	unsigned got[N] = {0}, moved = 0;

	(void)state;
	reset(EDGE_POLICY_HASH);
	for (unsigned i = 0; i < N; i++)
		at(i)->weight = weights[i];
	for (uint64_t q = 0; q < QUESTIONS; q++) {
		before[q] = choose(q * 0x9e3779b97f4a7c15U, draw(), 0);
		assert_int_equal(before[q], choose(q * 0x9e3779b97f4a7c15U, draw(), 0));
		got[before[q]]++;
	}
	for (unsigned i = 0; i < N; i++)
		assert_in_range(got[i], QUESTIONS / 1000 * weights[i] * 9 / 10, QUESTIONS / 1000 * weights[i] * 11 / 10);
	at(1)->down = true;
	for (uint64_t q = 0; q < QUESTIONS; q++) {
		int now = choose(q * 0x9e3779b97f4a7c15U, draw(), 0);

		assert_int_not_equal(now, 1);
		if (before[q] == 1)
			moved++;
		else
			assert_int_equal(now, before[q]);
	}
	assert_int_equal(moved, got[1]);
}

static void test_latency(void **state)
{
	(void)state;
	reset(EDGE_POLICY_LATENCY);
	/* Those that nobody has asked yet first. */
	for (unsigned i = 0; i < N; i++) {
		int got = choose(0, draw(), 0);

		assert_int_equal(at((unsigned)got)->latency_us, 0);
		edge_server_answered(at((unsigned)got), true, (1 + (uint64_t)got) * MS, 0);
	}
	assert_int_equal(choose(0, draw(), 0), 0);
	at(0)->outstanding = 1; /* 2 x 1 ms against 1 x 2 ms: still, or equal */
	at(0)->outstanding = 2;
	assert_int_equal(choose(0, draw(), 0), 1);
	/* A figure that is old is not believed for ever. */
	at(0)->outstanding = 0;
	edge_server_answered(at(0), true, MS, 100 * SECOND);
	assert_int_not_equal(choose(0, draw(), 100 * SECOND), 0);
}

static void test_smoothing(void **state)
{
	struct edge_server s = {.limit = 1};

	(void)state;
	assert_int_equal(edge_server_timeout_ms(&s), 80);
	edge_server_answered(&s, true, 10 * MS, 0);
	assert_in_range(s.latency_us, 10000, 10001);
	assert_int_equal(edge_server_timeout_ms(&s), EDGE_TRY_MIN_MS);
	for (int i = 0; i < 60; i++)
		edge_server_answered(&s, true, 40 * MS, 0);
	assert_in_range(s.latency_us, 39900, 40001);
	assert_in_range(edge_server_timeout_ms(&s), 159, 160);
	for (int i = 0; i < 60; i++)
		edge_server_answered(&s, true, 2000 * MS, 0);
	assert_int_equal(edge_server_timeout_ms(&s), EDGE_TRY_MAX_MS);
}

static void test_circuit(void **state)
{
	struct edge_server *s;
	uint64_t now = SECOND, pause = EDGE_TRIAL_MIN_MS;

	(void)state;
	reset(EDGE_POLICY_ORDERED);
	s = at(0);
	fail_n(s, EDGE_OPEN_AFTER - 1, now);
	assert_false(s->open);
	edge_server_answered(s, true, MS, now);
	fail_n(s, EDGE_OPEN_AFTER - 1, now);
	assert_false(s->open); /* in a row */
	fail_n(s, 1, now);
	assert_true(s->open);
	/* Trials: each pause twice the one before, up to the longest. */
	for (int i = 0; i < 8; i++) {
		assert_int_equal(edge_pool_trial(servers, &pool, &nobody, now + pause * MS - 1), -1);
		now += pause * MS;
		assert_int_equal(edge_pool_trial(servers, &pool, &nobody, now), 0);
		edge_server_sent(s, now);
		assert_int_equal(edge_pool_trial(servers, &pool, &nobody, now), -1);
		edge_server_failed(s, now);
		s->outstanding--;
		pause = MIN(pause * 2, (uint64_t)EDGE_TRIAL_MAX_MS);
	}
	assert_int_equal(pause, EDGE_TRIAL_MAX_MS);
	edge_server_answered(s, true, MS, now);
	assert_false(s->open);
	assert_int_equal(choose(0, 0, now), 0);
	edge_server_refused(s, now);
	edge_server_back(s);
	assert_int_equal(choose(0, 0, now), 0);
	/* Opened again, the pause is short again; and there is no hope. */
	edge_server_refused(s, now);
	assert_true(s->open && !s->answers);
	for (unsigned i = 1; i < N; i++)
		at(i)->loops = true;
	assert_int_equal(choose(0, 0, now), -1);
	assert_int_equal(edge_pool_trial(servers, &pool, &nobody, now + EDGE_TRIAL_MIN_MS * MS), 0);
}

static void test_trial_not_of_who_is_down(void **state)
{
	(void)state;
	reset(EDGE_POLICY_ORDERED);
	edge_server_refused(at(2), 9 * SECOND);
	assert_int_equal(edge_pool_trial(servers, &pool, &nobody, 10 * SECOND), 2);
	at(2)->down = true;
	assert_int_equal(edge_pool_trial(servers, &pool, &nobody, 10 * SECOND), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ordered), cmocka_unit_test(test_last_resorts), cmocka_unit_test(test_limits), cmocka_unit_test(test_weight), cmocka_unit_test(test_hash),
		cmocka_unit_test(test_latency), cmocka_unit_test(test_smoothing), cmocka_unit_test(test_circuit), cmocka_unit_test(test_a_moment), cmocka_unit_test(test_trial_not_of_who_is_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
