/* SPDX-License-Identifier: BSD-2-Clause */
/* Rise and fall as tables: results as + and -, after each the expected state as u, p, f. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "health/state.h"

static const struct {
	const char *name;
	uint16_t rise, fall;
	const char *results, *states;
} rows[] = {
	{"rises after three", 3, 2, "+++", "uup"},
	{"a failure begins the rise anew", 3, 2, "++-+++", "uuuuup"},
	{"falls from unknown too", 3, 2, "--", "uf"},
	{"one pass between saves it from unknown", 3, 2, "-+-+--", "uuuuuf"},
	{"one failure is no fall", 2, 2, "++-+-+-+", "uppppppp"},
	{"two in a row are", 2, 2, "++-+--", "uppppf"},
	{"comes back only after a whole rise", 3, 2, "--++-+++", "uffffffp"},
	{"rise and fall of one", 1, 1, "+-+-", "pfpf"},
	{"stays while results agree", 2, 2, "++++--++", "upppp" "ffp"},
};

static void test_tables(void **state)
{
	static const char letters[] = "upf";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct health_rule rule = {rows[i].rise, rows[i].fall};
		enum health_state before;
		struct health h;

		assert_int_equal(strlen(rows[i].results), strlen(rows[i].states));
		health_init(&h, 7);
		for (size_t k = 0; rows[i].results[k]; k++) {
			before = h.state;
			bool changed = health_step(&h, &rule, rows[i].results[k] == '+', 100 + k);

			if (letters[h.state] != rows[i].states[k])
				fail_msg("%s: after %zu results: %c, expected %c", rows[i].name, k + 1, letters[h.state], rows[i].states[k]);
			assert_int_equal(changed, h.state != before);
			if (changed)
				assert_int_equal(h.since_ms, 100 + k);
		}
	}
}

static void test_init(void **state)
{
	struct health h;

	(void)state;
	health_init(&h, 42);
	assert_int_equal(h.state, HEALTH_UNKNOWN);
	assert_int_equal(h.since_ms, 42);
	assert_int_equal(h.passes + h.failures + h.run, 0);
}

/* A week of ten results a second, failing in runs of every length below the fall: never a change; then the largest rule. */
static void test_long(void **state)
{
	struct health_rule rule = {10, 4};
	uint64_t steps = 0;
	struct health h;

	(void)state;
	health_init(&h, 0);
	for (int i = 0; i < 10; i++)
		health_step(&h, &rule, true, steps++);
	assert_int_equal(h.state, HEALTH_PASS);
	for (unsigned run = 1; steps < 6048000; run = run % 3 + 1) {
		for (unsigned i = 0; i < run; i++)
			assert_false(health_step(&h, &rule, false, steps++));
		assert_false(health_step(&h, &rule, true, steps++));
	}
	assert_int_equal(h.passes + h.failures, steps);
	rule = (struct health_rule){UINT16_MAX, UINT16_MAX};
	for (unsigned i = 1; i < UINT16_MAX; i++)
		assert_false(health_step(&h, &rule, false, steps++));
	assert_true(health_step(&h, &rule, false, steps++));
	assert_int_equal(h.state, HEALTH_FAIL);
}

/* A rule made smaller by a reload counts at the next result, also when the run is beyond it already. */
static void test_rule_changes(void **state)
{
	struct health_rule rule = {10, 2};
	struct health h;

	(void)state;
	health_init(&h, 0);
	for (int i = 0; i < 6; i++)
		assert_false(health_step(&h, &rule, true, 1));
	rule.rise = 3;
	assert_true(health_step(&h, &rule, true, 2));
	assert_int_equal(h.state, HEALTH_PASS);
}

/* When the next check begins: sooner while a failure is not confirmed. */
static void test_pause(void **state)
{
	const struct health_rule rule = {.rise = 2, .fall = 2};
	struct health h;

	(void)state;
	health_init(&h, 0);
	assert_int_equal(health_pause_ms(&h, 4000), 1000);
	health_step(&h, &rule, true, 1);
	assert_int_equal(health_pause_ms(&h, 4000), 1000);
	health_step(&h, &rule, true, 2);
	assert_int_equal(health_pause_ms(&h, 4000), 4000);
	health_step(&h, &rule, false, 3);
	assert_int_equal(health_pause_ms(&h, 4000), 1000);
	assert_int_equal(health_pause_ms(&h, 100), HEALTH_CONFIRM_MIN_MS);
	assert_int_equal(health_pause_ms(&h, 20), 20);
	health_step(&h, &rule, false, 4);
	assert_int_equal(h.state, HEALTH_FAIL);
	assert_int_equal(health_pause_ms(&h, 4000), 4000);
	health_step(&h, &rule, true, 5);
	assert_int_equal(health_pause_ms(&h, 4000), 4000);
}

static void test_combine(void **state)
{
	static const struct {
		enum health_state own;
		uint32_t passing, failing;
		enum health_state want;
	} cases[] = {
		{HEALTH_UNKNOWN, 0, 0, HEALTH_UNKNOWN}, {HEALTH_PASS, 0, 9, HEALTH_PASS},  {HEALTH_FAIL, 9, 0, HEALTH_FAIL},
		{HEALTH_UNKNOWN, 1, 1, HEALTH_PASS},    {HEALTH_UNKNOWN, 1, 2, HEALTH_FAIL}, {HEALTH_UNKNOWN, 2, 1, HEALTH_PASS},
		{HEALTH_UNKNOWN, 0, 1, HEALTH_FAIL},    {HEALTH_UNKNOWN, 1, 0, HEALTH_PASS},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(health_combine(cases[i].own, cases[i].passing, cases[i].failing), cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables), cmocka_unit_test(test_pause), cmocka_unit_test(test_combine),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_rule_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
