/* SPDX-License-Identifier: BSD-2-Clause */
/* Endpoints on the board: what counts of an endpoint, as its own checks grow old. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "watch/endpoints_priv.h"

enum { MS = 1000000 };

static void test_age(void **state)
{
	static const struct {
		const char *what;
		int64_t age_ms; /* of the last check, seen from the time at hand */
		enum health_state counts;
	} cases[] = {
		{"just checked", 0, HEALTH_FAIL},
		{"checked after the time at hand was read", -1, HEALTH_FAIL},
		{"three intervals and a timeout", 3 * 100 + 50, HEALTH_FAIL},
		{"too old", 3 * 100 + 50 + 2000 + 1, HEALTH_UNKNOWN},
	};
	struct watch *w = calloc(1, sizeof(*w));
	struct config_pool_endpoint conf = {.name = "a"};
	struct config_pool pool_conf = {.name = "pool", .endpoints = &conf, .endpoint_count = 1, .check = {.type = CONFIG_CHECK_TCP, .interval_ms = 100, .timeout_ms = 50}};

	(void)state;
	assert_non_null(w);
	w->board = calloc(1, sizeof(*w->board));
	assert_non_null(w->board);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct endpoints e = {.watch = w};
		struct endpoint_pool pool = {.owner = &e, .conf = &pool_conf, .own = true, .count = 1};
		struct endpoint_state s = {.pool = &pool, .row = ENDPOINTS_NO_ROW, .checked_ns = 10000 * (uint64_t)MS, .health = {.state = HEALTH_FAIL}, .counts = HEALTH_FAIL};

		pool.list = &s;
		endpoints_show(&s, (uint64_t)((int64_t)s.checked_ns + cases[i].age_ms * MS));
		if (s.counts != cases[i].counts)
			fail_msg("%s: counts as %d", cases[i].what, s.counts);
		assert_int_equal(pool.known, cases[i].counts != HEALTH_UNKNOWN);
	}
	free(w->board);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
