/* SPDX-License-Identifier: BSD-2-Clause */
/* The decision: each rule of the ladder by its table, drains, hold-down, and a week of flapping in one go. */
#include "route/decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { T0 = 1000000 };

static const struct decide_conf conf = {
    .worker_dead_ms = 150, .drain_ms = 5000, .rise_hold_ms = 1000, .rise_hold_max_ms = 300000};

static const struct decide_input good = {
    .worker_silent_ms = 5, .zones = 2, .zones_ready = 2, .verdict = DECIDE_PASS, .verdict_why = "", .checks_silent_ms = 5};

static const char *why(const struct decide_state *s, const struct decide_input *in)
{
	static char text[DECIDE_WHY_MAX];

	text[0] = '\0';
	return decide_explain(s, &conf, in, text);
}

static struct decide_state announced(void)
{
	struct decide_state s;

	decide_init(&s, T0);
	assert_int_equal(s.now, DECIDE_WITHDRAW);
	assert_true(decide_step(&s, &conf, &good, T0));
	assert_int_equal(s.now, DECIDE_ANNOUNCE);
	return s;
}

#define GOOD .worker_silent_ms = 5, .zones = 2, .zones_ready = 2, .verdict = DECIDE_PASS, .verdict_why = "", .checks_silent_ms = 5
#pragma GCC diagnostic ignored "-Woverride-init" /* GOOD, but for what follows it */

/* One step from a fresh state and one from an announcing state. */
static void each_rule(void **state)
{
	static const struct {
		const char *name;
		struct decide_input in;
		enum decide_announce fresh, announcing;
		const char *why; /* of the announcing one, its beginning */
		uint32_t flaps;
	} cases[] = {
	    {"all is well", {GOOD}, DECIDE_ANNOUNCE, DECIDE_ANNOUNCE, "all checks pass", 0},
	    {"soft failure keeps announcing", {GOOD, .verdict = DECIDE_SOFT}, DECIDE_ANNOUNCE, DECIDE_ANNOUNCE, "", 0},
	    {"worker at the limit", {GOOD, .worker_silent_ms = 150}, DECIDE_ANNOUNCE, DECIDE_ANNOUNCE, "all checks pass", 0},
	    {"worker beyond it", {GOOD, .worker_silent_ms = 151}, DECIDE_WITHDRAW, DECIDE_WITHDRAW,
	     "an answer worker has been silent for more than 150 ms", 1},
	    {"worker never spoke", {GOOD, .worker_silent_ms = UINT64_MAX}, DECIDE_WITHDRAW, DECIDE_WITHDRAW,
	     "an answer worker has not started", 1},
	    {"hard failure", {GOOD, .verdict = DECIDE_HARD, .verdict_why = "SERVFAIL"}, DECIDE_WITHDRAW, DECIDE_WITHDRAW,
	     "checks fail: SERVFAIL", 1},
	    {"hard failure long ago, checks silent", {GOOD, .verdict = DECIDE_HARD, .checks_silent_ms = 1001}, DECIDE_WITHDRAW,
	     DECIDE_ANNOUNCE, "the checks are silent: the last decision is kept for 10 s", 0},
	    {"checks never spoke", {GOOD, .checks_silent_ms = UINT64_MAX}, DECIDE_WITHDRAW, DECIDE_ANNOUNCE,
	     "the checks are silent: the last decision is kept for 10 s", 0},
	    {"checks undecided", {GOOD, .verdict = DECIDE_UNKNOWN}, DECIDE_WITHDRAW, DECIDE_ANNOUNCE,
	     "the checks have not decided: the last decision is kept for 10 s", 0},
	    {"zone missing", {GOOD, .zones_ready = 1}, DECIDE_WITHDRAW, DECIDE_ANNOUNCE, "all checks pass", 0},
	    {"drain", {GOOD, .drain = true}, DECIDE_WITHDRAW, DECIDE_GSHUT, "drained by order: graceful shutdown", 0},
	    {"stopping", {GOOD, .stopping = true}, DECIDE_WITHDRAW, DECIDE_GSHUT, "the node is stopping: graceful shutdown", 0},
	    {"drain does not save a dead worker", {GOOD, .drain = true, .worker_silent_ms = 200}, DECIDE_WITHDRAW, DECIDE_WITHDRAW,
	     "an answer worker has been silent", 1},
	    {"drain with silent checks", {GOOD, .drain = true, .checks_silent_ms = 5000}, DECIDE_WITHDRAW, DECIDE_GSHUT,
	     "drained by order", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct decide_state fresh, s = announced();

		decide_init(&fresh, T0);
		decide_step(&fresh, &conf, &cases[i].in, T0 + 10);
		assert_int_equal(decide_step(&s, &conf, &cases[i].in, T0 + 10), cases[i].announcing != DECIDE_ANNOUNCE);
		if (fresh.now != cases[i].fresh || s.now != cases[i].announcing ||
		    strncmp(why(&s, &cases[i].in), cases[i].why, strlen(cases[i].why)) != 0 || s.flaps != cases[i].flaps)
			fail_msg("%s: fresh %d, announcing %d, flaps %u, \"%s\"", cases[i].name, fresh.now, s.now, s.flaps, why(&s, &cases[i].in));
		assert_int_equal(fresh.flaps, 0); /* what was not announced cannot flap */
	}
}

static void silent_checks_are_trusted_for_a_while(void **state)
{
	struct decide_input silent = {GOOD, .checks_silent_ms = 2000};
	struct decide_state s = announced();

	(void)state;
	for (uint64_t t = 0; t < DECIDE_HOLD_MS; t += 10)
		assert_false(decide_step(&s, &conf, &silent, T0 + 100 + t));
	assert_true(decide_step(&s, &conf, &silent, T0 + 100 + DECIDE_HOLD_MS));
	assert_int_equal(s.now, DECIDE_WITHDRAW);
	assert_string_equal(why(&s, &silent), "the checks are silent for more than 10 s");
	assert_int_equal(s.flaps, 0); /* nobody said the answers were wrong */
	assert_true(decide_step(&s, &conf, &good, T0 + 20000));

	/* A heard verdict in between starts the time anew. */
	for (uint64_t t = 0; t < 60000; t += 1000)
		assert_false(decide_step(&s, &conf, t % 9000 ? &silent : &good, T0 + 30000 + t));
}

static void drain_and_resume(void **state)
{
	struct decide_input drain = {GOOD, .drain = true};
	struct decide_state s = announced();

	(void)state;
	assert_true(decide_step(&s, &conf, &drain, T0 + 100));
	assert_int_equal(s.now, DECIDE_GSHUT);
	assert_false(decide_step(&s, &conf, &drain, T0 + 5099));
	assert_true(decide_step(&s, &conf, &drain, T0 + 5100));
	assert_int_equal(s.now, DECIDE_WITHDRAW);
	assert_true(s.drained);
	assert_string_equal(why(&s, &drain), "drained by order");
	assert_false(decide_step(&s, &conf, &drain, T0 + 999999));
	assert_true(decide_step(&s, &conf, &good, T0 + 1000000)); /* resume: at once, an order is no flap */
	assert_int_equal(s.now, DECIDE_ANNOUNCE);
	assert_int_equal(s.flaps, 0);
	assert_false(s.drained);

	/* Taken back in the midst of it. */
	assert_true(decide_step(&s, &conf, &drain, T0 + 1000100));
	assert_true(decide_step(&s, &conf, &good, T0 + 1000200));
	assert_int_equal(s.now, DECIDE_ANNOUNCE);

	/* A failure while draining withdraws at once, and the drain counts as done. */
	assert_true(decide_step(&s, &conf, &drain, T0 + 1000300));
	assert_true(decide_step(&s, &conf, &(struct decide_input){GOOD, .drain = true, .verdict = DECIDE_HARD, .verdict_why = "x"}, T0 + 1000310));
	assert_int_equal(s.now, DECIDE_WITHDRAW);
	assert_false(decide_step(&s, &conf, &drain, T0 + 1000320)); /* and it does not come back as GSHUT */
	assert_true(s.drained);
}

static void hold_down_doubles_and_is_forgotten(void **state)
{
	static const uint32_t holds[] = {1000, 2000, 4000, 8000, 16000, 32000, 64000, 128000, 256000, 300000, 300000};
	struct decide_input hard = {GOOD, .verdict = DECIDE_HARD, .verdict_why = "no answer"};
	struct decide_state s = announced();
	uint64_t t = T0;

	(void)state;
	for (size_t i = 0; i < sizeof(holds) / sizeof(holds[0]); i++) {
		t += 1000;
		assert_true(decide_step(&s, &conf, &hard, t));
		t += 10;
		assert_false(decide_step(&s, &conf, &good, t)); /* passing since here */
		assert_int_equal(s.hold_until_ms, t + holds[i]);
		assert_false(decide_step(&s, &conf, &good, t + holds[i] - 1));
		t += holds[i];
		assert_true(decide_step(&s, &conf, &good, t));
		assert_int_equal(s.flaps, i + 1);
	}
	assert_false(decide_step(&s, &conf, &good, t + DECIDE_STABLE_MS - 1));
	assert_int_equal(s.flaps, 11);
	assert_false(decide_step(&s, &conf, &good, t + DECIDE_STABLE_MS));
	assert_int_equal(s.flaps, 0);

	/* A failure within the hold starts it anew. */
	assert_true(decide_step(&s, &conf, &hard, t += 700000));
	assert_false(decide_step(&s, &conf, &good, t += 10));
	assert_false(decide_step(&s, &conf, &hard, t += 900));
	assert_false(decide_step(&s, &conf, &good, t += 10));
	assert_false(decide_step(&s, &conf, &good, t += 999));
	assert_true(decide_step(&s, &conf, &good, t += 1));
}

/* A week in which the checks fail for two seconds out of every `period`. What the Internet sees of it stays small; what must never be,
 * never is: announced in a second that fails. */
static void week_of_flapping(void **state)
{
	static const struct {
		uint64_t period_s;
		unsigned most; /* changes seen by routers in the week */
	} weeks[] = {
	    {4, 8},        /* never a whole hold-down free of failures after the second or third */
	    {20, 16},
	    {60, 16},
	    {400, 2 * 7 * 86400 / 400 + 20},
	    {86400, 2 * 7 + 2},
	};
	enum { WEEK_S = 7 * 86400 };

	(void)state;
	for (size_t w = 0; w < sizeof(weeks) / sizeof(weeks[0]); w++) {
		struct decide_input hard = {GOOD, .verdict = DECIDE_HARD, .verdict_why = "no answer"};
		struct decide_state s = announced();
		unsigned changes = 0;
		uint64_t t, quiet = 0;

		for (t = 1; t < WEEK_S; t++) {
			bool fails = t % weeks[w].period_s < 2;

			changes += decide_step(&s, &conf, fails ? &hard : &good, T0 + t * 1000);
			if (fails)
				assert_int_equal(s.now, DECIDE_WITHDRAW);
		}
		if (changes > weeks[w].most || changes < 2)
			fail_msg("a failure each %u s: %u changes", (unsigned)weeks[w].period_s, changes);
		/* When it is over, the node comes back within the longest hold-down, and is as good as new after the stable time. */
		for (; s.now != DECIDE_ANNOUNCE; quiet++)
			decide_step(&s, &conf, &good, T0 + (t + quiet) * 1000);
		assert_true(quiet * 1000 <= conf.rise_hold_max_ms + 2000);
		decide_step(&s, &conf, &good, s.since_ms + DECIDE_STABLE_MS);
		assert_int_equal(s.flaps, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_rule),
	    cmocka_unit_test(silent_checks_are_trusted_for_a_while),
	    cmocka_unit_test(drain_and_resume),
	    cmocka_unit_test(hold_down_doubles_and_is_forgotten),
	    cmocka_unit_test(week_of_flapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
