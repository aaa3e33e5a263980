/* SPDX-License-Identifier: BSD-2-Clause */
/* The stubborn rule of backstop prefixes, and leaving one neighbor by order: each as a story of steps. */
#include "route/backstop.h"
#include "route/leave.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { T0 = 1000000, DRAIN_MS = 5000, STEPS_MAX = 12 };

struct step {
	uint64_t at_ms; /* after T0 */
	struct backstop_input in;
	enum decide_announce want;
	const char *why; /* beginning */
};

static const struct {
	const char *name;
	struct step step[STEPS_MAX];
} stories[] = {
    {"announced as soon as a worker lives, and for as long",
     {{0, {.youngest_ms = UINT64_MAX}, DECIDE_WITHDRAW, "no answer worker has started"},
      {10, {.youngest_ms = 3}, DECIDE_ANNOUNCE, "an answer worker lives"},
      {9000000, {.youngest_ms = BACKSTOP_DEAD_MS}, DECIDE_ANNOUNCE, "an answer worker lives"}}},
    {"nobody left to answer, and somebody again",
     {{0, {.youngest_ms = 3}, DECIDE_ANNOUNCE, ""},
      {3000, {.youngest_ms = BACKSTOP_DEAD_MS + 1}, DECIDE_WITHDRAW, "no answer worker lives"},
      {3500, {.youngest_ms = 1}, DECIDE_WITHDRAW, "an answer worker is back"},
      {4499, {.youngest_ms = 1}, DECIDE_WITHDRAW, "an answer worker is back"},
      {4500, {.youngest_ms = 1}, DECIDE_ANNOUNCE, "an answer worker lives"}}},
    {"a worker that does not stay alive does not count",
     {{0, {.youngest_ms = 3}, DECIDE_ANNOUNCE, ""},
      {3000, {.youngest_ms = 2500}, DECIDE_WITHDRAW, ""},
      {3500, {.youngest_ms = 1}, DECIDE_WITHDRAW, ""},
      {4400, {.youngest_ms = 2500}, DECIDE_WITHDRAW, ""},
      {4600, {.youngest_ms = 1}, DECIDE_WITHDRAW, ""},
      {5599, {.youngest_ms = 1}, DECIDE_WITHDRAW, ""},
      {5600, {.youngest_ms = 1}, DECIDE_ANNOUNCE, ""}}},
    {"drained by name, and back",
     {{0, {.youngest_ms = 3}, DECIDE_ANNOUNCE, ""},
      {100, {.youngest_ms = 3, .drain = true, .drain_ms = DRAIN_MS}, DECIDE_GSHUT, "drained by order: graceful"},
      {100 + DRAIN_MS - 1, {.youngest_ms = 3, .drain = true, .drain_ms = DRAIN_MS}, DECIDE_GSHUT, ""},
      {100 + DRAIN_MS, {.youngest_ms = 3, .drain = true, .drain_ms = DRAIN_MS}, DECIDE_WITHDRAW, "drained by order"},
      {900000, {.youngest_ms = 3}, DECIDE_ANNOUNCE, ""}}},
    {"a node that starts drained announces nothing for a moment",
     {{0, {.youngest_ms = UINT64_MAX, .drain = true, .drain_ms = DRAIN_MS}, DECIDE_WITHDRAW, "drained by order"},
      {10, {.youngest_ms = 3, .drain = true, .drain_ms = DRAIN_MS}, DECIDE_WITHDRAW, "drained by order"}}},
    {"no time for a drain",
     {{0, {.youngest_ms = 3}, DECIDE_ANNOUNCE, ""},
      {10, {.youngest_ms = 3, .drain = true}, DECIDE_WITHDRAW, "drained by order"}}},
    {"the end of the node: with the networks, not before them",
     {{0, {.youngest_ms = 3}, DECIDE_ANNOUNCE, ""},
      {100, {.youngest_ms = 3, .stopping = true}, DECIDE_GSHUT, "the node is stopping"},
      {60000, {.youngest_ms = 3, .stopping = true}, DECIDE_GSHUT, ""},
      {60010, {.youngest_ms = 3, .stopping = true, .others_gone = true}, DECIDE_WITHDRAW, "the node is stopping"}}},
};

static void the_ladder(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
		struct backstop b;

		backstop_init(&b, T0);
		assert_int_equal(b.now, DECIDE_WITHDRAW);
		for (size_t k = 0; k < STEPS_MAX && stories[i].step[k].why; k++) {
			const struct step *s = &stories[i].step[k];
			enum decide_announce before = b.now;
			bool changed = backstop_step(&b, &s->in, T0 + s->at_ms);

			if (b.now != s->want || strncmp(b.why, s->why, strlen(s->why)) != 0)
				fail_msg("%s, step %zu: %d \"%s\"", stories[i].name, k, b.now, b.why);
			assert_int_equal(changed, before != b.now);
			if (changed)
				assert_int_equal(b.since_ms, T0 + s->at_ms);
		}
	}
}

static void leaving_a_neighbor(void **state)
{
	struct leave l = {0};

	(void)state;
	assert_false(leave_step(&l, false, DRAIN_MS, T0));
	assert_int_equal(leave_limit(&l, DECIDE_ANNOUNCE), DECIDE_ANNOUNCE);
	assert_true(leave_step(&l, true, DRAIN_MS, T0));
	assert_int_equal(leave_limit(&l, DECIDE_ANNOUNCE), DECIDE_GSHUT);
	assert_int_equal(leave_limit(&l, DECIDE_WITHDRAW), DECIDE_WITHDRAW); /* never more than was decided */
	assert_false(leave_step(&l, true, DRAIN_MS, T0 + DRAIN_MS - 1));
	assert_true(leave_step(&l, true, DRAIN_MS, T0 + DRAIN_MS));
	assert_int_equal(leave_limit(&l, DECIDE_ANNOUNCE), DECIDE_WITHDRAW);
	assert_int_equal(leave_limit(&l, DECIDE_GSHUT), DECIDE_WITHDRAW);
	assert_false(leave_step(&l, true, DRAIN_MS, T0 + 10 * DRAIN_MS));
	assert_true(leave_step(&l, false, DRAIN_MS, T0 + 11 * DRAIN_MS));
	assert_int_equal(leave_limit(&l, DECIDE_ANNOUNCE), DECIDE_ANNOUNCE);
	assert_true(leave_step(&l, true, 0, T0 + 12 * DRAIN_MS)); /* no drain-time: at once */
	assert_int_equal(leave_limit(&l, DECIDE_ANNOUNCE), DECIDE_WITHDRAW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_ladder), cmocka_unit_test(leaving_a_neighbor)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
