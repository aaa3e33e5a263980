/* SPDX-License-Identifier: BSD-2-Clause */
/* The decision where other pops and orders matter: soft causes, the last pop, starts with something missing, freeze, force, RPKI. Some of these
 * scenarios were found by the fleet simulator (fleet_sim.h). */
#include "route/decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { T0 = 1000000, STEP = 10, ALL = CAUSE_STALE | CAUSE_BEHIND | CAUSE_EXPIRY | CAUSE_ZONES | CAUSE_SIGNATURES | CAUSE_BACKENDS };

static const struct decide_conf conf = {.worker_dead_ms = 150, .drain_ms = 5000, .rise_hold_ms = 1000, .rise_hold_max_ms = 300000,
                                        .keep_at_least = 1, .leave_causes = ALL, .last_pop_stays = true};

#define WELL .announce = ANNOUNCE_YES, .verdict = VERDICT_PASS, .answers = true
#define SEEN .name = "fra", .age_ms = 100, .answered = true, .headroom = UINT32_MAX
#define OTHERS(p) .seen = {.place = 1, .others = sizeof(p) / sizeof((p)[0]), .peers = (p), .peer_count = sizeof(p) / sizeof((p)[0]), .stale_in_ms = UINT64_MAX}
#define GOOD                                                                                                                            \
	.worker_silent_ms = 5, .worker_lives = true, .zones = 2, .zones_ready = 2, .verdict = DECIDE_PASS, .verdict_why = "why", .checks_silent_ms = 5, \
	.answers = true, .seen = {.stale_in_ms = UINT64_MAX}
#define SOFT(c) .verdict = DECIDE_SOFT, .causes = (c)
#define HARD .verdict = DECIDE_HARD
#pragma GCC diagnostic ignored "-Woverride-init" /* GOOD, but for what follows it */

/* A node under test and its time. */
struct at {
	struct decide_state s;
	struct decide_conf conf;
	uint64_t now;
};

static struct at fresh(void)
{
	struct at a = {.conf = conf, .now = T0};

	decide_init(&a.s, a.now);
	return a;
}

static struct at announced(void)
{
	struct at a = fresh();

	assert_true(decide_step(&a.s, &a.conf, &(struct decide_input){GOOD}, a.now));
	assert_int_equal(a.s.now, DECIDE_ANNOUNCE);
	return a;
}

/* So long with this input: what is announced then. */
static enum decide_announce run(struct at *a, const struct decide_input *in, uint64_t ms)
{
	for (uint64_t t = 0; t < ms; t += STEP) {
		a->now += STEP;
		decide_step(&a->s, &a->conf, in, a->now);
	}
	return a->s.now;
}

/* The time until something else is announced; at most `most`. */
static uint64_t until(struct at *a, const struct decide_input *in, uint64_t most)
{
	uint64_t from = a->now;

	while (a->now - from < most) {
		a->now += STEP;
		if (decide_step(&a->s, &a->conf, in, a->now))
			break;
	}
	return a->now - from;
}

static const char *why(const struct at *a, const struct decide_input *in)
{
	static char text[DECIDE_WHY_MAX];

	text[0] = '\0';
	return decide_explain(&a->s, &a->conf, in, text);
}

#define assert_between(x, low, high) assert_in_range(x, low, high)

/* Data is stale, the other pop has fresh data: gone when the intent was public for long enough; back when the cause is. */
static void leaves_and_comes_back(void **state)
{
	struct guard_peer other[] = {{SEEN, .says = {WELL}}};
	struct decide_input soft = {GOOD, SOFT(CAUSE_STALE), OTHERS(other)}, good = {GOOD, OTHERS(other)};
	struct at a = announced();

	(void)state;
	soft.seen.data_age_ms = 300000;
	soft.seen.stale_in_ms = 0;
	assert_between(until(&a, &soft, 5000), 600, 650);
	assert_int_equal(a.s.now, DECIDE_WITHDRAW);
	assert_int_equal(a.s.flaps, 1);
	assert_string_equal(why(&a, &soft), "withdrawn with the guard's leave: why; sees fra announced/pass");
	assert_int_equal(run(&a, &soft, 3600000), DECIDE_WITHDRAW);
	assert_string_equal(why(&a, &soft), "not announced while others carry on: why; sees fra announced/pass");
	assert_int_equal(a.s.guard.intent, 0); /* who is out does not press the others */
	assert_between(until(&a, &good, 5000), 1000, 1050);
	assert_int_equal(a.s.now, DECIDE_ANNOUNCE);
}

/* The intent is raised so early that the route moves at the limit. */
static void in_time_for_the_limit(void **state)
{
	struct guard_peer other[] = {{SEEN, .says = {WELL}, .round_ms = 50}};
	struct decide_input in = {GOOD, OTHERS(other)};
	struct at a = announced();

	(void)state;
	for (uint64_t left = 3000;; left -= STEP) {
		in.seen.data_age_ms = 300000 - left;
		in.seen.stale_in_ms = left;
		if (!left) {
			in.verdict = DECIDE_SOFT;
			in.causes = CAUSE_STALE;
		}
		run(&a, &in, STEP);
		assert_int_equal(a.s.guard.intent, left <= 700 ? (left ? CAUSE_STALE : a.s.guard.intent) : 0);
		assert_string_equal(left ? why(&a, &in) : "", left ? "all checks pass" : "");
		if (!left)
			break;
		assert_int_equal(a.s.now, DECIDE_ANNOUNCE);
	}
	assert_int_equal(a.s.now, DECIDE_WITHDRAW);
}

/* All were as stale; the primary is back, and the others know it first: nobody moves for that. One that stays stale leaves in the end. */
static void stale_together(void **state)
{
	struct guard_peer as_stale[] = {{SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_STALE}, .data_age_ms = 302000}};
	struct guard_peer fresh_again[] = {{SEEN, .says = {WELL}}};
	struct decide_input soft = {GOOD, SOFT(CAUSE_STALE), OTHERS(as_stale)}, after = {GOOD, SOFT(CAUSE_STALE), OTHERS(fresh_again)};
	struct decide_input good = {GOOD, OTHERS(fresh_again)};
	struct at a = announced();

	(void)state;
	soft.seen.data_age_ms = after.seen.data_age_ms = 300000;
	soft.seen.stale_in_ms = after.seen.stale_in_ms = 0;
	assert_int_equal(run(&a, &soft, 60000), DECIDE_ANNOUNCE);
	assert_int_equal(run(&a, &after, 20000), DECIDE_ANNOUNCE);
	assert_int_equal(a.s.guard.intent, 0);
	assert_string_equal(why(&a, &after), "announced until it is clear that others have it not: why; sees fra announced/pass");
	assert_int_equal(run(&a, &good, 20000), DECIDE_ANNOUNCE);
	assert_int_equal(a.s.flaps, 0);
	/* The next time it is this pop alone. */
	assert_between(until(&a, &after, 5000), 600, 650);
	assert_int_equal(a.s.now, DECIDE_WITHDRAW);
	a = announced();
	run(&a, &soft, 60000);
	assert_between(until(&a, &after, 60000), 30500, 30700);
	assert_int_equal(a.s.now, DECIDE_WITHDRAW);
}

/* Soft and announced for a while, with others as they are: what comes of it, and what is said. */
static void soft_and_others(void **state)
{
	static const struct {
		const char *name;
		uint32_t cause, keep;
		struct guard_peer p[2];
		enum decide_announce after_5s, after_60s;
		const char *why; /* after 60 s, its beginning */
	} cases[] = {
	    {"nobody is seen", CAUSE_STALE, 1, {{SEEN, .age_ms = UINT64_MAX, .answered = false}, {SEEN, .age_ms = UINT64_MAX, .answered = false, .name = "nyc"}},
	     DECIDE_ANNOUNCE, DECIDE_ANNOUNCE, "announced: why; guard: no, no other pop can be seen; sees fra not at all, nyc not at all"},
	    {"all are as stale", CAUSE_STALE, 1, {{SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_STALE}, .data_age_ms = 302000},
	                                          {SEEN, .says = {WELL}, .data_age_ms = 297000, .name = "nyc"}},
	     DECIDE_ANNOUNCE, DECIDE_ANNOUNCE, "announced: why; guard: no, no other pop is better; sees fra announced/soft-fail, nyc announced/pass"},
	    {"one of the two that are needed", CAUSE_STALE, 2, {{SEEN, .says = {WELL}}, {SEEN, .says = {.verdict = VERDICT_HARD}, .name = "nyc"}},
	     DECIDE_DEPREF, DECIDE_DEPREF, "de-preferred: why; guard: no, too few others are seen well; sees fra announced/pass, nyc withdrawn/hard-fail"},
	    {"views that are not fresh", CAUSE_STALE, 1, {{SEEN, .says = {WELL}, .age_ms = 900}, {SEEN, .says = {WELL}, .age_ms = 900}}, DECIDE_ANNOUNCE,
	     DECIDE_DEPREF, "de-preferred: why; guard: no, too few others are seen well"},
	    {"they leave, too", CAUSE_STALE, 1, {{SEEN, .says = {WELL, .intent = CAUSE_ZONES}}, {SEEN, .says = {WELL, .intent = CAUSE_ZONES}}}, DECIDE_ANNOUNCE,
	     DECIDE_DEPREF, "de-preferred: why; guard: no, too few others are seen well; sees fra about to leave"},
	    {"they are full", CAUSE_STALE, 1, {{SEEN, .says = {WELL}, .headroom = 10}, {SEEN, .says = {WELL}, .headroom = 10}}, DECIDE_ANNOUNCE,
	     DECIDE_ANNOUNCE, "announced: why; guard: no, the others have no room for its load"},
	    {"a cause that does not press is looked at for a while", CAUSE_ZONES, 1, {{SEEN, .says = {WELL}}, {SEEN, .says = {WELL}}}, DECIDE_ANNOUNCE,
	     DECIDE_WITHDRAW, "not announced while others carry on: why"},
	    {"the backends of a zone are dead for all", CAUSE_BACKENDS, 1, {{SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_BACKENDS}},
	                                                                    {SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_BACKENDS}, .name = "nyc"}},
	     DECIDE_ANNOUNCE, DECIDE_ANNOUNCE, "announced: why; guard: no, no other pop is better; sees fra announced/soft-fail, nyc announced/soft-fail"},
	    {"the backends of a zone are dead for this pop alone", CAUSE_BACKENDS, 1, {{SEEN, .says = {WELL}}, {SEEN, .says = {WELL}}}, DECIDE_ANNOUNCE,
	     DECIDE_WITHDRAW, "not announced while others carry on: why"},
	    {"a cause that is no reason to leave", CAUSE_OVERLOAD, 1, {{SEEN, .says = {WELL}}, {SEEN, .says = {WELL}}}, DECIDE_ANNOUNCE, DECIDE_ANNOUNCE,
	     "overloaded, absorbed: why"},
	    {"keep-at-least 0", CAUSE_STALE, 0, {{SEEN, .age_ms = UINT64_MAX, .answered = false}, {SEEN, .age_ms = UINT64_MAX, .answered = false}},
	     DECIDE_WITHDRAW, DECIDE_WITHDRAW, "not announced while others carry on"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct decide_input in = {GOOD, SOFT(cases[i].cause), OTHERS(cases[i].p)};
		enum decide_announce early, late;
		struct at a = announced();

		a.conf.keep_at_least = cases[i].keep;
		in.seen.data_age_ms = 300000;
		in.seen.stale_in_ms = cases[i].cause == CAUSE_STALE ? 0 : UINT64_MAX;
		in.seen.qps = 100;
		early = run(&a, &in, 4900);
		late = run(&a, &in, 55100);
		if (early != cases[i].after_5s || late != cases[i].after_60s || strncmp(why(&a, &in), cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("%s: %d, then %d: \"%s\"", cases[i].name, early, late, why(&a, &in));
	}
}

/* It left; then the others go. */
static void comes_back_when_others_go(void **state)
{
	static const struct {
		const char *name;
		struct guard_peer then;
		uint64_t low, high;
		enum decide_announce back;
	} cases[] = {
	    {"seen to be withdrawn", {SEEN, .says = {.verdict = VERDICT_HARD}}, 600, 650, DECIDE_DEPREF},
	    {"seen to fail, though it announces", {SEEN, .says = {WELL, .verdict = VERDICT_HARD}}, 600, 650, DECIDE_DEPREF},
	    {"not seen any more", {SEEN, .says = {WELL}, .age_ms = 6000, .answered = false}, 3000, 3050, DECIDE_DEPREF},
	    {"draining", {SEEN, .says = {WELL, .announce = ANNOUNCE_GSHUT}}, 3000, 3050, DECIDE_DEPREF},
	    {"as stale as we are", {SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_STALE}, .data_age_ms = 300000}, 3000, 3050, DECIDE_DEPREF},
	    {"overloaded only: it carries on", {SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_OVERLOAD}}, 99990, 100010, DECIDE_WITHDRAW},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guard_peer other[] = {{SEEN, .says = {WELL}}};
		struct decide_input in = {GOOD, SOFT(CAUSE_STALE), OTHERS(other)};
		struct at a = announced();
		uint64_t took;

		in.seen.data_age_ms = 300000;
		in.seen.stale_in_ms = 0;
		assert_int_equal(run(&a, &in, 20000), DECIDE_WITHDRAW);
		other[0] = cases[i].then;
		took = until(&a, &in, 100000);
		if (took < cases[i].low || took > cases[i].high || a.s.now != cases[i].back)
			fail_msg("%s: %d after %u ms, \"%s\"", cases[i].name, a.s.now, (unsigned)took, why(&a, &in));
		if (a.s.now == DECIDE_WITHDRAW)
			continue;
		assert_memory_equal(why(&a, &in), "announced again, too few others carry on: why", 44);
		/* And does not leave again at once when the other is back. */
		other[0] = (struct guard_peer){SEEN, .says = {WELL}};
		assert_between(until(&a, &in, 100000), DECIDE_DWELL_MS, DECIDE_DWELL_MS + 1000);
		assert_int_equal(a.s.now, DECIDE_WITHDRAW);
	}
}

/* De-preferred, and then all are as bad: nobody is to be preferred any more. */
static void equals_are_equal(void **state)
{
	struct guard_peer other[] = {{SEEN, .says = {WELL}}};
	struct decide_input in = {GOOD, SOFT(CAUSE_STALE), OTHERS(other)};
	struct at a = announced();

	(void)state;
	a.conf.keep_at_least = 2;
	in.seen.data_age_ms = 300000;
	in.seen.stale_in_ms = 0;
	assert_int_equal(run(&a, &in, 3000), DECIDE_DEPREF);
	other[0].data_age_ms = 299000;
	assert_between(until(&a, &in, 60000), DECIDE_DWELL_MS, DECIDE_DWELL_MS + 100);
	assert_int_equal(a.s.now, DECIDE_ANNOUNCE);
	assert_int_equal(run(&a, &in, 600000), DECIDE_ANNOUNCE);
}

static void overload_is_shed(void **state)
{
	struct guard_peer other[] = {{SEEN, .says = {WELL}, .headroom = 1000}};
	struct decide_input over = {GOOD, SOFT(CAUSE_OVERLOAD), OTHERS(other)}, good = {GOOD, OTHERS(other)};
	struct at a = announced();

	(void)state;
	a.conf.shed = true;
	over.seen.qps = 900; /* a quarter more than that they cannot take */
	assert_int_equal(run(&a, &over, 60000), DECIDE_ANNOUNCE);
	assert_string_equal(why(&a, &over), "overloaded, absorbed: why; guard: no, the others have no room for its load; sees fra announced/pass");
	over.seen.qps = 800;
	assert_between(until(&a, &over, 60000), GUARD_SHED_MS, GUARD_SHED_MS + 50);
	assert_int_equal(a.s.now, DECIDE_DEPREF);
	/* The load has gone: back after a minute, and sooner if it is too much for the other. */
	assert_between(until(&a, &good, 600000), DECIDE_SHED_MS, DECIDE_SHED_MS + 50);
	assert_int_equal(a.s.now, DECIDE_ANNOUNCE);
	run(&a, &good, 20000);
	assert_between(until(&a, &over, 60000), GUARD_SHED_MS, GUARD_SHED_MS + 50);
	other[0].says.verdict = VERDICT_SOFT;
	other[0].says.causes = CAUSE_OVERLOAD;
	assert_between(until(&a, &good, 600000), DECIDE_DWELL_MS, DECIDE_DWELL_MS + 50);
	/* It does not help: all are overloaded, all announce. */
	other[0] = (struct guard_peer){SEEN, .says = {WELL}, .headroom = 1000};
	run(&a, &good, 20000);
	assert_between(until(&a, &over, 60000), GUARD_SHED_MS, GUARD_SHED_MS + 50);
	other[0].says.verdict = VERDICT_SOFT;
	other[0].says.causes = CAUSE_OVERLOAD;
	assert_between(until(&a, &over, 600000), DECIDE_DWELL_MS, DECIDE_DWELL_MS + 50);
	assert_int_equal(a.s.now, DECIDE_ANNOUNCE);
}

/* Hard failure, as announcing and as withdrawn one, with another pop before us (place 0) in this state. */
static void last_pop(void **state)
{
	static const struct {
		const char *name;
		struct guard_peer p;
		bool answers, last_stays;
		enum decide_announce stays, comes_back; /* at once; within a minute after it had to go */
	} cases[] = {
	    {"it is well", {SEEN, .says = {WELL}}, true, true, DECIDE_WITHDRAW, DECIDE_WITHDRAW},
	    {"it is not seen", {SEEN, .age_ms = UINT64_MAX, .answered = false}, true, true, DECIDE_WITHDRAW, DECIDE_WITHDRAW},
	    {"it is out", {SEEN, .says = {.verdict = VERDICT_HARD}}, true, true, DECIDE_ANNOUNCE, DECIDE_ANNOUNCE},
	    {"it is drained", {SEEN, .says = {.verdict = VERDICT_PASS, .answers = true}}, true, true, DECIDE_ANNOUNCE, DECIDE_ANNOUNCE},
	    {"it is out, we answer nothing", {SEEN, .says = {.verdict = VERDICT_HARD}}, false, true, DECIDE_WITHDRAW, DECIDE_WITHDRAW},
	    {"it is out, the last one is to go", {SEEN, .says = {.verdict = VERDICT_HARD}}, true, false, DECIDE_WITHDRAW, DECIDE_WITHDRAW},
	    {"it announces and answers nothing", {SEEN, .says = {WELL, .verdict = VERDICT_HARD, .answers = false}}, true, true, DECIDE_ANNOUNCE,
	     DECIDE_WITHDRAW},
	    {"it fails in part and comes first", {SEEN, .says = {WELL, .verdict = VERDICT_HARD}}, true, true, DECIDE_WITHDRAW, DECIDE_WITHDRAW},
	    {"it fails in part and comes after us", {SEEN, .says = {WELL, .verdict = VERDICT_HARD}, .place = 2}, true, true, DECIDE_ANNOUNCE,
	     DECIDE_WITHDRAW},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guard_peer well[] = {{SEEN, .says = {WELL}}}, other[] = {cases[i].p};
		struct decide_input in = {GOOD, HARD, OTHERS(other)}, before = {GOOD, HARD, OTHERS(well)};
		struct at a = announced(), b = announced();

		in.answers = cases[i].answers;
		a.conf.last_pop_stays = b.conf.last_pop_stays = cases[i].last_stays;
		assert_int_equal(run(&b, &before, 5000), DECIDE_WITHDRAW);
		run(&a, &in, STEP);
		run(&b, &in, 60000);
		if (a.s.now != cases[i].stays || b.s.now != cases[i].comes_back)
			fail_msg("%s: %d at once, %d after it went: \"%s\"", cases[i].name, a.s.now, b.s.now, why(&b, &in));
	}
}

/* All fail in part at the same moment, each seeing the others announce: all go. The first of them comes back, and soon. */
static void of_several_the_first_comes_back(void **state)
{
	struct guard_peer second[] = {{SEEN, .says = {WELL, .announce = ANNOUNCE_NONE, .verdict = VERDICT_HARD}, .place = 1}};
	struct guard_peer first[] = {{SEEN, .says = {WELL, .announce = ANNOUNCE_NONE, .verdict = VERDICT_HARD}, .place = 0}};
	struct guard_peer well[] = {{SEEN, .says = {WELL}}};
	struct decide_input fails = {GOOD, HARD, OTHERS(well)};
	struct decide_input a_sees = {GOOD, HARD, OTHERS(second)}, b_sees = {GOOD, HARD, OTHERS(first)};
	struct at a = announced(), b = announced();

	(void)state;
	a_sees.seen.place = 0;
	assert_int_equal(run(&a, &fails, 100), DECIDE_WITHDRAW);
	assert_int_equal(run(&b, &fails, 100), DECIDE_WITHDRAW);
	assert_between(until(&a, &a_sees, 60000), 600, 1100);
	assert_string_equal(why(&a, &a_sees), "checks fail, but no other pop answers: why; sees fra withdrawn/hard-fail");
	/* The second one waits for it, not for ever. */
	assert_between(until(&b, &b_sees, 60000), 600 + GUARD_TURN_MS, 700 + GUARD_TURN_MS);
	/* And leaves it to a pop that is well. */
	assert_between(until(&b, &fails, 60000), STEP, STEP);
	assert_int_equal(b.s.now, DECIDE_WITHDRAW);
}

/* A network of one pop: stays while it answers anything, and once it has gone it comes back by its checks only. */
static void the_only_pop(void **state)
{
	struct decide_input part = {GOOD, HARD}, none = {GOOD, HARD, .answers = false}, good = {GOOD};
	struct at a = announced();

	(void)state;
	assert_int_equal(run(&a, &part, 60000), DECIDE_ANNOUNCE);
	assert_string_equal(why(&a, &part), "checks fail, but no other pop answers: why; there is no other pop");
	assert_int_equal(run(&a, &none, STEP), DECIDE_WITHDRAW);
	assert_int_equal(run(&a, &part, 60000), DECIDE_WITHDRAW);
	assert_between(until(&a, &good, 60000), 1000, 1050);
	a.conf.last_pop_stays = false;
	assert_int_equal(run(&a, &part, STEP), DECIDE_WITHDRAW);
}

/* Held down for five minutes after many flaps; but if nobody else announces, ten seconds. */
static void hold_down_in_an_emergency(void **state)
{
	struct guard_peer other[] = {{SEEN, .says = {WELL}}};
	struct decide_input fails = {GOOD, HARD, .answers = false, OTHERS(other)}, good = {GOOD, OTHERS(other)};
	struct at a = announced();

	(void)state;
	a.s.flaps = 20;
	run(&a, &fails, STEP);
	assert_int_equal(run(&a, &good, 200000), DECIDE_WITHDRAW);
	other[0].says.announce = ANNOUNCE_NONE;
	assert_between(until(&a, &good, 60000), STEP, STEP);
	assert_int_equal(a.s.now, DECIDE_ANNOUNCE);
	run(&a, &fails, STEP);
	assert_between(until(&a, &good, 60000), DECIDE_EMERGENCY_MS, DECIDE_EMERGENCY_MS + 50);
}

/* A node starts and one zone of two does not load. */
static void start_with_zones_missing(void **state)
{
	static const struct {
		const char *name;
		struct guard_peer p;
		enum decide_announce after_60s;
		uint64_t low, high;
	} cases[] = {
	    {"the other pop announces", {SEEN, .says = {WELL}}, DECIDE_WITHDRAW, 60000, 60000},
	    {"the other pop is seen not to", {SEEN, .says = {.verdict = VERDICT_HARD}}, DECIDE_ANNOUNCE, 10000, 10050},
	    {"the other pop announces only as the last one, hard-failed", {SEEN, .says = {WELL, .verdict = VERDICT_HARD}}, DECIDE_ANNOUNCE, 10000, 10050},
	    {"the other pop is not seen", {SEEN, .age_ms = UINT64_MAX, .answered = false}, DECIDE_DEPREF, 30000, 30050},
	};
	struct decide_input alone = {GOOD, .zones_ready = 1};
	struct at a = fresh();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guard_peer other[] = {cases[i].p};
		struct decide_input in = {GOOD, .zones_ready = 1, OTHERS(other)}, none = {GOOD, .zones_ready = 0, OTHERS(other)};
		struct at b = fresh(), c = fresh();
		uint64_t took = until(&b, &in, 60000);

		if (b.s.now != cases[i].after_60s || took < cases[i].low || took > cases[i].high)
			fail_msg("%s: %d after %u ms: \"%s\"", cases[i].name, b.s.now, (unsigned)took, why(&b, &in));
		assert_int_equal(run(&c, &none, 60000), DECIDE_WITHDRAW); /* without any zone nothing helps */
	}
	assert_int_equal(run(&a, &alone, 600000), DECIDE_WITHDRAW);
	assert_string_equal(why(&a, &alone), "1 of 2 zones are loaded");
	/* Once announced, a zone that does not load is its own matter, also after a flap. */
	a = announced();
	run(&a, &(struct decide_input){GOOD, HARD, .answers = false, .zones_ready = 1}, STEP);
	assert_between(until(&a, &alone, 60000), 1000, 1050);
	assert_int_equal(a.s.now, DECIDE_ANNOUNCE);
}

/* A node starts with old data: it stays out while others announce better ones. */
static void start_with_a_soft_cause(void **state)
{
	static const struct {
		const char *name;
		uint32_t others;
		struct guard_peer p;
		enum decide_announce after;
		uint64_t low, high;
	} cases[] = {
	    {"it is the only pop", 0, {0}, DECIDE_ANNOUNCE, STEP, STEP},
	    {"the other is well", 1, {SEEN, .says = {WELL}}, DECIDE_WITHDRAW, 60000, 60000},
	    {"the other is as stale", 1, {SEEN, .says = {WELL}, .data_age_ms = 299000}, DECIDE_ANNOUNCE, 3000, 3050},
	    {"the other is out", 1, {SEEN, .says = {.verdict = VERDICT_HARD}}, DECIDE_ANNOUNCE, 600, 650},
	    {"the other is not seen", 1, {SEEN, .age_ms = UINT64_MAX, .answered = false}, DECIDE_ANNOUNCE, 3000, 3050},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guard_peer other[] = {cases[i].p};
		struct decide_input in = {GOOD, SOFT(CAUSE_STALE), OTHERS(other)};
		struct at a = fresh();
		uint64_t took;

		in.seen.others = cases[i].others;
		in.seen.peer_count = cases[i].others;
		in.seen.data_age_ms = 300000;
		in.seen.stale_in_ms = 0;
		took = until(&a, &in, 60000);
		if (a.s.now != cases[i].after || took < cases[i].low || took > cases[i].high)
			fail_msg("%s: %d after %u ms: \"%s\"", cases[i].name, a.s.now, (unsigned)took, why(&a, &in));
	}
}

/* Orders and RPKI against what else is there: from an announcing node, and from one that has not announced yet. */
static void orders(void **state)
{
	static const struct {
		const char *name;
		struct decide_input in;
		enum decide_announce announcing, fresh;
		const char *why; /* of the announcing one */
	} cases[] = {
	    {"frozen", {GOOD, .frozen = true}, DECIDE_ANNOUNCE, DECIDE_ANNOUNCE, "frozen by order: kept as it was"},
	    {"frozen, checks fail", {GOOD, HARD, .answers = false, .frozen = true}, DECIDE_ANNOUNCE, DECIDE_WITHDRAW, "frozen by order: kept as it was"},
	    {"frozen, checks silent", {GOOD, .checks_silent_ms = 99999, .frozen = true}, DECIDE_ANNOUNCE, DECIDE_WITHDRAW, "frozen by order"},
	    {"frozen, refused", {GOOD, .refused_why = "invalid", .frozen = true}, DECIDE_ANNOUNCE, DECIDE_WITHDRAW, "frozen by order"},
	    {"frozen, a worker is dead", {GOOD, .worker_silent_ms = 200, .frozen = true}, DECIDE_WITHDRAW, DECIDE_WITHDRAW, "an answer worker"},
	    {"frozen, the node stops", {GOOD, .stopping = true, .frozen = true}, DECIDE_WITHDRAW, DECIDE_WITHDRAW, "the node is stopping"},
	    {"forced", {GOOD, .forced = true}, DECIDE_ANNOUNCE, DECIDE_ANNOUNCE, "forced by order, whatever the checks say"},
	    {"forced, checks fail", {GOOD, HARD, .answers = false, .forced = true}, DECIDE_ANNOUNCE, DECIDE_ANNOUNCE, "forced by order"},
	    {"forced, checks silent", {GOOD, .checks_silent_ms = UINT64_MAX, .forced = true}, DECIDE_ANNOUNCE, DECIDE_ANNOUNCE, "forced by order"},
	    {"forced, refused", {GOOD, .refused_why = "invalid", .forced = true}, DECIDE_ANNOUNCE, DECIDE_ANNOUNCE, "forced by order"},
	    {"forced, a worker is dead", {GOOD, .worker_silent_ms = 200, .forced = true}, DECIDE_ANNOUNCE, DECIDE_ANNOUNCE, "forced by order"},
	    {"forced, all workers are dead", {GOOD, .worker_silent_ms = 200, .worker_lives = false, .forced = true}, DECIDE_WITHDRAW, DECIDE_WITHDRAW,
	     "an answer worker"},
	    {"forced, some zones are missing", {GOOD, .zones_ready = 1, .forced = true}, DECIDE_ANNOUNCE, DECIDE_ANNOUNCE, "forced by order"},
	    {"forced, no zone was loaded", {GOOD, .zones_ready = 0, .forced = true}, DECIDE_ANNOUNCE, DECIDE_WITHDRAW, "all checks pass"},
	    {"forced, the node stops", {GOOD, .stopping = true, .forced = true}, DECIDE_WITHDRAW, DECIDE_WITHDRAW, "the node is stopping"},
	    {"refused", {GOOD, .refused_why = "invalid"}, DECIDE_WITHDRAW, DECIDE_WITHDRAW, "not allowed by RPKI: invalid"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct at a = announced(), b = fresh();

		run(&a, &cases[i].in, 15000);
		run(&b, &cases[i].in, 15000);
		if (a.s.now != cases[i].announcing || b.s.now != cases[i].fresh || strncmp(why(&a, &cases[i].in), cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("%s: %d, fresh %d, \"%s\"", cases[i].name, a.s.now, b.s.now, why(&a, &cases[i].in));
	}
}

static void thaw(void **state)
{
	struct decide_input frozen = {GOOD, HARD, .answers = false, .frozen = true}, dead = {GOOD, .frozen = true, .worker_silent_ms = 200};
	struct decide_input thawed = {GOOD, HARD, .answers = false};
	struct at a = announced();

	(void)state;
	run(&a, &frozen, 5000);
	/* A worker that dies and lives again: as it was, after the hold-down. */
	assert_int_equal(run(&a, &dead, 100), DECIDE_WITHDRAW);
	assert_between(until(&a, &frozen, 60000), 1000, 1050);
	assert_int_equal(a.s.now, DECIDE_ANNOUNCE);
	assert_int_equal(run(&a, &thawed, STEP), DECIDE_WITHDRAW);
	/* What is withdrawn stays so, too. */
	assert_int_equal(run(&a, &(struct decide_input){GOOD, .frozen = true}, 600000), DECIDE_WITHDRAW);
	assert_between(until(&a, &(struct decide_input){GOOD}, 60000), STEP, 2050);
}

/* Timers run only while they are asked for: an hour of silence is no hour of being alone. */
static void timers_do_not_run_aside(void **state)
{
	struct guard_peer other[] = {{SEEN, .says = {WELL}}};
	struct decide_input in = {GOOD, SOFT(CAUSE_STALE), OTHERS(other)}, fails = {GOOD, HARD, .answers = false, OTHERS(other)};
	struct at a = announced();

	(void)state;
	in.seen.data_age_ms = 300000;
	in.seen.stale_in_ms = 0;
	run(&a, &in, 20000);
	other[0] = (struct guard_peer){SEEN, .age_ms = 6000, .answered = false};
	assert_int_equal(run(&a, &in, 2000), DECIDE_WITHDRAW);
	assert_int_equal(run(&a, &fails, 3600000), DECIDE_WITHDRAW);
	assert_between(until(&a, &in, 60000), 3000, 3050);
}

/* An order to drain goes before the guard, and what the guard began is forgotten. */
static void drain_of_a_soft_node(void **state)
{
	struct guard_peer other[] = {{SEEN, .says = {WELL}}};
	struct decide_input in = {GOOD, SOFT(CAUSE_STALE), OTHERS(other)}, drain;
	struct at a = announced();

	(void)state;
	a.conf.keep_at_least = 2;
	in.seen.data_age_ms = 300000;
	in.seen.stale_in_ms = 0;
	assert_int_equal(run(&a, &in, 5000), DECIDE_DEPREF);
	drain = in;
	drain.drain = true;
	assert_int_equal(run(&a, &drain, 100), DECIDE_GSHUT);
	assert_int_equal(a.s.guard.intent, 0);
	assert_int_equal(run(&a, &drain, 5000), DECIDE_WITHDRAW);
	assert_true(a.s.drained);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(leaves_and_comes_back),
	    cmocka_unit_test(in_time_for_the_limit),
	    cmocka_unit_test(stale_together),
	    cmocka_unit_test(soft_and_others),
	    cmocka_unit_test(comes_back_when_others_go),
	    cmocka_unit_test(equals_are_equal),
	    cmocka_unit_test(overload_is_shed),
	    cmocka_unit_test(last_pop),
	    cmocka_unit_test(of_several_the_first_comes_back),
	    cmocka_unit_test(the_only_pop),
	    cmocka_unit_test(hold_down_in_an_emergency),
	    cmocka_unit_test(start_with_zones_missing),
	    cmocka_unit_test(start_with_a_soft_cause),
	    cmocka_unit_test(orders),
	    cmocka_unit_test(thaw),
	    cmocka_unit_test(timers_do_not_run_aside),
	    cmocka_unit_test(drain_of_a_soft_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
