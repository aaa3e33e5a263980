/* SPDX-License-Identifier: BSD-2-Clause */
/* Several caches over time: which one is believed, what is held, and what is not known any more. */
#include "rpki/origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { NOW = 1000000 };

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static void pick(void **state)
{
	static const struct {
		const char *name;
		struct {
			uint32_t preference;
			enum rtr_state state;
			uint64_t expires_ms;
		} caches[3];
		int want;
	} cases[] = {
		{"none has anything", {{1, RTR_DOWN, 0}, {2, RTR_ASKING, 0}, {3, RTR_CONNECTING, NOW}}, -1},
		{"the preferred", {{2, RTR_CURRENT, NOW + 1}, {1, RTR_CURRENT, NOW + 1}, {3, RTR_CURRENT, NOW + 1}}, 1},
		{"the first of equal ones", {{1, RTR_CURRENT, NOW + 1}, {1, RTR_CURRENT, NOW + 1}, {1, RTR_CURRENT, NOW + 1}}, 0},
		{"the preferred has nothing yet", {{1, RTR_RECEIVING, 0}, {2, RTR_CURRENT, NOW + 1}, {3, RTR_CURRENT, NOW + 1}}, 1},
		{"the preferred is being asked again", {{1, RTR_ASKING, NOW + 1}, {2, RTR_CURRENT, NOW + 1}, {3, RTR_DOWN, 0}}, 0},
		{"the preferred is down", {{1, RTR_DOWN, NOW + 9}, {2, RTR_DOWN, NOW + 9}, {3, RTR_CURRENT, NOW + 1}}, 2},
		{"all are down", {{2, RTR_DOWN, NOW + 1}, {1, RTR_CONNECTING, NOW + 1}, {3, RTR_DOWN, NOW + 99}}, 1},
		{"all are down, and the preferred is expired", {{2, RTR_DOWN, NOW + 1}, {1, RTR_DOWN, NOW}, {3, RTR_DOWN, NOW + 99}}, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		static struct rtr r[3];
		struct origin_cache list[3];
		int got;

		for (size_t k = 0; k < 3; k++) {
			r[k] = (struct rtr){.state = cases[i].caches[k].state, .expires_ms = cases[i].caches[k].expires_ms, .complete = true};
			list[k] = (struct origin_cache){.rtr = &r[k], .preference = cases[i].caches[k].preference};
		}
		got = origin_pick(list, 3, NOW);
		if (got != cases[i].want)
			fail_msg("%s: %d", cases[i].name, got);
		assert_int_equal(origin_pick(list, 0, NOW), -1);
	}
}

static void over_time(void **state)
{
	static struct rtr r;
	struct vrp ours = {.prefix = prefix("192.0.2.0/24"), .max_len = 24, .as = 64500};
	struct origin o = {.prefix = ours.prefix, .as = 64500, .since_ms = 5};

	(void)state;
	/* Nothing is known at first: told once. */
	assert_true(origin_judge(&o, NULL, NOW));
	assert_int_equal(o.state, VRP_UNKNOWN);
	assert_non_null(strstr(o.why, "no cache has answered yet"));
	assert_false(origin_judge(&o, NULL, NOW + 1));
	/* A cache without a ROA, then with one. */
	r = (struct rtr){.expires_ms = NOW + 100, .complete = true};
	assert_true(origin_judge(&o, &r, NOW + 1));
	assert_int_equal(o.state, VRP_NOT_FOUND);
	assert_int_equal(vrp_set_add(&r.have, &ours), 0);
	assert_true(origin_judge(&o, &r, NOW + 2));
	assert_int_equal(o.state, VRP_VALID);
	assert_int_equal(o.since_ms, NOW + 2);
	assert_false(origin_judge(&o, &r, NOW + 3));
	/* A longer life of the data alone is no news, but it counts. */
	r.expires_ms = NOW + 200;
	assert_false(origin_judge(&o, &r, NOW + 4));
	assert_int_equal(o.expires_ms, NOW + 200);
	/* Held, to the millisecond; then unknown, once. */
	assert_false(origin_judge(&o, NULL, NOW + 199));
	assert_int_equal(o.state, VRP_VALID);
	assert_true(origin_judge(&o, NULL, NOW + 200));
	assert_int_equal(o.state, VRP_UNKNOWN);
	assert_int_equal(o.since_ms, NOW + 200);
	assert_non_null(strstr(o.why, "no longer count"));
	assert_false(origin_judge(&o, NULL, NOW + 300));
	/* Invalid; another ROA of the same kind is another sentence, but not another state. */
	vrp_set_clear(&r.have);
	ours.as = 64999;
	assert_int_equal(vrp_set_add(&r.have, &ours), 0);
	r.expires_ms = NOW + 900;
	assert_true(origin_judge(&o, &r, NOW + 400));
	assert_int_equal(o.state, VRP_INVALID);
	ours.as = 64998;
	assert_int_equal(vrp_set_add(&r.have, &ours), 0);
	assert_true(origin_judge(&o, &r, NOW + 500));
	assert_int_equal(o.state, VRP_INVALID);
	assert_int_equal(o.since_ms, NOW + 400);
	vrp_set_done(&r.have);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pick),
		cmocka_unit_test(over_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
