/* SPDX-License-Identifier: BSD-2-Clause */
/* The guard: who counts, what it says, and that two pops cannot leave relying on each other. */
#include "route/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { T0 = 1000000, US = 1 /* our place in the fleet file */ };

#define WELL .announce = ANNOUNCE_YES, .verdict = VERDICT_PASS, .answers = true
#define SEEN .name = "p", .age_ms = 100, .answered = true, .headroom = UINT32_MAX
#pragma GCC diagnostic ignored "-Woverride-init" /* WELL and SEEN, but for what follows them */

/* One other pop, and a cause: does it count, and as what? Our data is 300 s old, our place is 1. */
static void who_counts(void **state)
{
	static const struct {
		const char *name;
		struct guard_peer p;
		uint32_t wants;
		struct guard_view v; /* known, better, better_fresh, front, stayers, carriers, answering */
	} cases[] = {
	    {"well", {SEEN, .says = {WELL}}, CAUSE_ZONES, {.known = 1, .better = 1, .better_fresh = 1, .stayers = 1, .carriers = 1}},
	    {"at the limit of freshness", {SEEN, .says = {WELL}, .age_ms = 400}, CAUSE_ZONES,
	     {.known = 1, .better = 1, .better_fresh = 1, .stayers = 1, .carriers = 1}},
	    {"not fresh", {SEEN, .says = {WELL}, .age_ms = 401}, CAUSE_ZONES, {.known = 1, .better = 1, .stayers = 1, .carriers = 1}},
	    {"not fresh, but far away", {SEEN, .says = {WELL}, .age_ms = 600, .round_ms = 100}, CAUSE_ZONES,
	     {.known = 1, .better = 1, .better_fresh = 1, .stayers = 1, .carriers = 1}},
	    {"too far away", {SEEN, .says = {WELL}, .age_ms = 2401, .round_ms = 5000}, CAUSE_ZONES,
	     {.known = 1, .better = 1, .stayers = 1, .carriers = 1}},
	    {"old view", {SEEN, .says = {WELL}, .age_ms = 5001, .answered = false}, CAUSE_ZONES, {0}},
	    {"old view, last question answered", {SEEN, .says = {WELL}, .age_ms = 5001}, CAUSE_ZONES,
	     {.known = 1, .better = 1, .stayers = 1, .carriers = 1}},
	    {"too old a view", {SEEN, .says = {WELL}, .age_ms = 30001}, CAUSE_ZONES, {0}},
	    {"never heard", {SEEN, .says = {WELL}, .age_ms = UINT64_MAX, .answered = false}, CAUSE_ZONES, {0}},
	    {"with an intent", {SEEN, .says = {WELL, .intent = CAUSE_STALE}}, CAUSE_ZONES, {.known = 1, .better = 1, .stayers = 1, .carriers = 1}},
	    {"withdrawn", {SEEN, .says = {WELL, .announce = ANNOUNCE_NONE}}, CAUSE_ZONES, {.known = 1}},
	    {"draining", {SEEN, .says = {WELL, .announce = ANNOUNCE_GSHUT}}, CAUSE_ZONES, {.known = 1, .carriers = 1}},
	    {"de-preferred", {SEEN, .says = {WELL, .announce = ANNOUNCE_DEPREF}}, CAUSE_ZONES, {.known = 1, .stayers = 1, .carriers = 1}},
	    {"answers nothing", {SEEN, .says = {WELL, .answers = false}}, CAUSE_ZONES, {.known = 1}},
	    {"undecided", {SEEN, .says = {WELL, .verdict = VERDICT_UNKNOWN}}, CAUSE_ZONES, {.known = 1, .carriers = 1}},
	    {"same cause", {SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_ZONES}}, CAUSE_ZONES, {.known = 1, .carriers = 1}},
	    {"other cause", {SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_OVERLOAD}}, CAUSE_ZONES,
	     {.known = 1, .stayers = 1, .carriers = 1, .overloaded = 1}},
	    {"hard, comes before us", {SEEN, .says = {WELL, .verdict = VERDICT_HARD}}, CAUSE_ZONES, {.known = 1, .carriers = 1}},
	    {"hard, comes after us", {SEEN, .says = {WELL, .verdict = VERDICT_HARD}, .place = 2}, CAUSE_ZONES, {.known = 1}},
	    {"hard and out, before us", {SEEN, .says = {WELL, .verdict = VERDICT_HARD, .announce = ANNOUNCE_NONE}}, CAUSE_ZONES,
	     {.known = 1, .answering = 1}},
	    {"hard and out, after us", {SEEN, .says = {WELL, .verdict = VERDICT_HARD, .announce = ANNOUNCE_NONE}, .place = 2}, CAUSE_ZONES, {.known = 1}},
	    {"hard and out, silent", {SEEN, .says = {.verdict = VERDICT_HARD}}, CAUSE_ZONES, {.known = 1}},
	    {"data half as old", {SEEN, .says = {WELL}, .data_age_ms = 149800}, CAUSE_STALE,
	     {.known = 1, .better = 1, .better_fresh = 1, .stayers = 1, .carriers = 1}},
	    {"data more than half as old", {SEEN, .says = {WELL}, .data_age_ms = 150000}, CAUSE_STALE, {.known = 1, .carriers = 1}},
	    {"more than half, by the age of the view", {SEEN, .says = {WELL}, .data_age_ms = 149950}, CAUSE_STALE, {.known = 1, .carriers = 1}},
	    {"data of its own", {SEEN, .says = {WELL}, .data_age_ms = 0}, CAUSE_STALE,
	     {.known = 1, .better = 1, .better_fresh = 1, .stayers = 1, .carriers = 1}},
	    {"the same age does not matter for zones", {SEEN, .says = {WELL}, .data_age_ms = 300000}, CAUSE_ZONES,
	     {.known = 1, .better = 1, .better_fresh = 1, .stayers = 1, .carriers = 1}},
	    {"an alert without a cause", {SEEN, .says = {WELL, .verdict = VERDICT_SOFT}}, CAUSE_ZONES,
	     {.known = 1, .better = 1, .better_fresh = 1, .stayers = 1, .carriers = 1}},
	    {"leaves for the same, before us", {SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_ZONES, .intent = CAUSE_ZONES}}, CAUSE_ZONES,
	     {.known = 1, .carriers = 1, .front = 1}},
	    {"leaves for the same, after us", {SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_ZONES, .intent = CAUSE_ZONES}, .place = 2},
	     CAUSE_ZONES, {.known = 1, .carriers = 1}},
	    {"leaves for something else", {SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_STALE, .intent = CAUSE_STALE}}, CAUSE_ZONES,
	     {.known = 1, .carriers = 1, .stayers = 1}},
	    {"after us, with older data", {SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_STALE, .intent = CAUSE_STALE}, .place = 2,
	                                   .data_age_ms = 311000}, CAUSE_STALE, {.known = 1, .carriers = 1, .front = 1}},
	    {"before us, data as old", {SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_STALE, .intent = CAUSE_STALE},
	                                .data_age_ms = 305000}, CAUSE_STALE, {.known = 1, .carriers = 1, .front = 1}},
	    {"before us, with newer data", {SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_STALE, .intent = CAUSE_STALE},
	                                    .data_age_ms = 289000}, CAUSE_STALE, {.known = 1, .carriers = 1}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guard_input in = {.place = US, .others = 1, .peers = &cases[i].p, .peer_count = 1, .data_age_ms = 300000};
		const struct guard_view *w = &cases[i].v;
		struct guard_view v;

		guard_look(&in, cases[i].wants, &v);
		if (v.known != w->known || v.better != w->better || v.better_fresh != w->better_fresh || v.front != w->front ||
		    v.stayers != w->stayers || v.carriers != w->carriers || v.answering != w->answering || v.overloaded != w->overloaded)
			fail_msg("%s: known %u better %u fresh %u front %u stayers %u carriers %u answering %u overloaded %u", cases[i].name, v.known, v.better,
			         v.better_fresh, v.front, v.stayers, v.carriers, v.answering, v.overloaded);
	}
}

static void nobody_announces_is_said_only_of_all(void **state)
{
	struct guard_peer p[2] = {{SEEN, .says = {.verdict = VERDICT_HARD}}, {SEEN, .says = {.verdict = VERDICT_HARD}}};
	struct guard_input in = {.place = US, .others = 2, .peers = p, .peer_count = 2};
	struct guard_view v;

	(void)state;
	guard_look(&in, 0, &v);
	assert_true(v.none_announces);
	in.others = 3; /* one of whom there is no row */
	guard_look(&in, 0, &v);
	assert_false(v.none_announces);
	in.others = 2;
	p[1].age_ms = UINT64_MAX;
	p[1].answered = false;
	guard_look(&in, 0, &v);
	assert_false(v.none_announces);
	p[1] = (struct guard_peer){SEEN, .says = {.announce = ANNOUNCE_GSHUT}};
	guard_look(&in, 0, &v);
	assert_false(v.none_announces);
	in.others = 0;
	in.peer_count = 0;
	guard_look(&in, 0, &v);
	assert_false(v.none_announces);
}

/* What it says at once, and after `ms` of the same. */
static void says(void **state)
{
	static const struct {
		const char *name;
		struct guard_rule rule;
		uint32_t others, count, qps;
		struct guard_peer p[3];
		enum guard_says first, later;
		uint32_t ms, intent;
	} cases[] = {
	    {"alone", {CAUSE_STALE, 1, false}, 0, 0, 0, {{0}}, GUARD_ALONE, GUARD_ALONE, 99999, 0},
	    {"nobody seen", {CAUSE_STALE, 1, false}, 2, 1, 0, {{.age_ms = UINT64_MAX}}, GUARD_BLIND, GUARD_BLIND, 99999, 0},
	    {"equal", {CAUSE_ZONES, 1, false}, 1, 1, 0, {{SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_ZONES}}}, GUARD_EQUAL,
	     GUARD_EQUAL, 99999, 0},
	    {"one of two", {CAUSE_ZONES, 2, false}, 2, 1, 0, {{SEEN, .says = {WELL}}}, GUARD_FEW, GUARD_FEW, 99999, 0},
	    {"enough", {CAUSE_ZONES, 1, false}, 1, 1, 0, {{SEEN, .says = {WELL}}}, GUARD_WAITS, GUARD_GO, 600, CAUSE_ZONES},
	    {"enough, not yet", {CAUSE_ZONES, 1, false}, 1, 1, 0, {{SEEN, .says = {WELL}}}, GUARD_WAITS, GUARD_WAITS, 599, CAUSE_ZONES},
	    {"far away, not yet", {CAUSE_ZONES, 1, false}, 1, 1, 0, {{SEEN, .says = {WELL}, .round_ms = 200}}, GUARD_WAITS, GUARD_WAITS, 999, CAUSE_ZONES},
	    {"far away", {CAUSE_ZONES, 1, false}, 1, 1, 0, {{SEEN, .says = {WELL}, .round_ms = 200}}, GUARD_WAITS, GUARD_GO, 1000, CAUSE_ZONES},
	    {"known, not fresh: the intent is raised", {CAUSE_ZONES, 1, false}, 1, 1, 0, {{SEEN, .says = {WELL}, .age_ms = 900}}, GUARD_FEW, GUARD_FEW,
	     99999, CAUSE_ZONES},
	    {"the one that is well means to leave", {CAUSE_ZONES, 1, false}, 1, 1, 0, {{SEEN, .says = {WELL, .intent = CAUSE_STALE}}}, GUARD_FEW, GUARD_FEW,
	     99999, CAUSE_ZONES},
	    {"not our turn", {CAUSE_ZONES, 1, false}, 2, 2, 0, {{SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_ZONES, .intent = CAUSE_ZONES}},
	                                                       {SEEN, .says = {WELL}, .place = 2}}, GUARD_TURN, GUARD_TURN, 4999, CAUSE_ZONES},
	    {"one that does not go is passed over", {CAUSE_ZONES, 1, false}, 2, 2, 0,
	     {{SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_ZONES, .intent = CAUSE_ZONES}}, {SEEN, .says = {WELL}, .place = 2}}, GUARD_TURN,
	     GUARD_GO, 5600, CAUSE_ZONES},
	    {"no room", {CAUSE_ZONES, 1, false}, 1, 1, 100, {{SEEN, .says = {WELL}, .headroom = 124}}, GUARD_NO_ROOM, GUARD_NO_ROOM, 99999, 0},
	    {"room", {CAUSE_ZONES, 1, false}, 1, 1, 100, {{SEEN, .says = {WELL}, .headroom = 125}}, GUARD_WAITS, GUARD_GO, 600, CAUSE_ZONES},
	    {"room at two", {CAUSE_ZONES, 1, false}, 2, 2, 100, {{SEEN, .says = {WELL}, .headroom = 63}, {SEEN, .says = {WELL}, .headroom = 62}}, GUARD_WAITS,
	     GUARD_GO, 600, CAUSE_ZONES},
	    {"shed: room must be known", {CAUSE_OVERLOAD, 1, true}, 1, 1, 100, {{SEEN, .says = {WELL}}}, GUARD_NO_ROOM, GUARD_NO_ROOM, 99999, 0},
	    {"shed", {CAUSE_OVERLOAD, 1, true}, 1, 1, 100, {{SEEN, .says = {WELL}, .headroom = 200}}, GUARD_WAITS, GUARD_GO, 10000, CAUSE_OVERLOAD},
	    {"shed, not yet", {CAUSE_OVERLOAD, 1, true}, 1, 1, 100, {{SEEN, .says = {WELL}, .headroom = 200}}, GUARD_WAITS, GUARD_WAITS, 9999, CAUSE_OVERLOAD},
	    {"shed asks for one even where nobody need stay", {CAUSE_OVERLOAD, 0, true}, 1, 0, 100, {{0}}, GUARD_BLIND, GUARD_BLIND, 99999, 0},
	    {"keep-at-least 0: nobody is asked", {CAUSE_STALE, 0, false}, 1, 0, 100, {{0}}, GUARD_WAITS, GUARD_GO, 600, CAUSE_STALE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guard_input in = {.place = US, .others = cases[i].others, .peers = cases[i].p, .peer_count = cases[i].count,
		                         .data_age_ms = 300000, .qps = cases[i].qps};
		struct guard_state g = {0};
		struct guard_view v;
		enum guard_says first, later;

		guard_look(&in, cases[i].rule.wants, &v);
		first = guard_ask(&g, &cases[i].rule, &in, &v, T0);
		later = first;
		for (uint32_t t = 1; t <= cases[i].ms && t <= 20000; t++)
			later = guard_ask(&g, &cases[i].rule, &in, &v, T0 + t);
		if (first != cases[i].first || later != cases[i].later || g.intent != cases[i].intent)
			fail_msg("%s: said %d, then %d; intent %u", cases[i].name, first, later, g.intent);
	}
}

/* A pop in front does not let its turn pass while there are too few others for anybody to go; and when it has gone, the next one waits until it has looked again. */
static void turns_that_do_not_pass(void **state)
{
	struct guard_peer p[] = {{SEEN, .says = {WELL, .verdict = VERDICT_SOFT, .causes = CAUSE_ZONES, .intent = CAUSE_ZONES}}, {SEEN, .says = {WELL}, .place = 2}};
	struct guard_input in = {.place = US, .others = 2, .peers = p, .peer_count = 2};
	struct guard_rule rule = {CAUSE_ZONES, 1, false};
	struct guard_state g = {0};
	struct guard_view v;
	uint64_t now = T0;

	(void)state;
	p[1].age_ms = GUARD_KNOWN_MS; /* it is known, but was not heard of for a while */
	for (; now < T0 + 3U * GUARD_TURN_MS; now += 50) {
		guard_look(&in, CAUSE_ZONES, &v);
		assert_int_equal(guard_ask(&g, &rule, &in, &v, now), GUARD_FEW);
	}
	p[1].age_ms = 100;
	guard_look(&in, CAUSE_ZONES, &v);
	assert_int_equal(v.front, 1);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, now), GUARD_TURN);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, now + GUARD_TURN_MS - 200), GUARD_TURN);
	/* It is passed over, and goes just then. */
	assert_int_equal(guard_ask(&g, &rule, &in, &v, now + GUARD_TURN_MS), GUARD_WAITS);
	p[0].says.announce = ANNOUNCE_NONE;
	guard_look(&in, CAUSE_ZONES, &v);
	assert_int_equal(v.front, 0);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, now + GUARD_TURN_MS + 590), GUARD_WAITS);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, now + GUARD_TURN_MS + 590 + 599), GUARD_WAITS);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, now + GUARD_TURN_MS + 590 + 600), GUARD_GO);
}

/* Where messages are lost another's intent may be heard of when it has left: then the time begins anew, too. */
static void others_that_have_left(void **state)
{
	struct guard_peer p[] = {{SEEN, .says = {WELL}}, {SEEN, .says = {WELL}, .place = 2}};
	struct guard_input in = {.place = US, .others = 2, .peers = p, .peer_count = 2};
	struct guard_rule rule = {CAUSE_ZONES, 1, false};
	struct guard_state g = {0};
	struct guard_view v;

	(void)state;
	p[0].age_ms = 2750;
	guard_look(&in, CAUSE_ZONES, &v);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, T0), GUARD_WAITS);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, T0 + 590), GUARD_WAITS);
	p[0] = (struct guard_peer){SEEN, .says = {WELL, .announce = ANNOUNCE_NONE, .verdict = VERDICT_SOFT, .causes = CAUSE_ZONES}};
	guard_look(&in, CAUSE_ZONES, &v);
	assert_int_equal(v.gone, 1);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, T0 + 640), GUARD_WAITS);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, T0 + 1230), GUARD_WAITS);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, T0 + 1240), GUARD_GO);
}

/* A doubt in between starts the time anew, but not that of the intent. */
static void all_that_time(void **state)
{
	struct guard_peer p = {SEEN, .says = {WELL}};
	struct guard_input in = {.place = US, .others = 1, .peers = &p, .peer_count = 1};
	struct guard_rule rule = {CAUSE_ZONES, 1, false};
	struct guard_state g = {0};
	struct guard_view v;

	(void)state;
	guard_look(&in, CAUSE_ZONES, &v);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, T0), GUARD_WAITS);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, T0 + 599), GUARD_WAITS);
	p.age_ms = 500;
	guard_look(&in, CAUSE_ZONES, &v);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, T0 + 599), GUARD_FEW);
	p.age_ms = 100;
	guard_look(&in, CAUSE_ZONES, &v);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, T0 + 700), GUARD_WAITS);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, T0 + 1299), GUARD_WAITS);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, T0 + 1300), GUARD_GO);
	assert_int_equal(g.intent_since_ms, T0);
	p.says.announce = ANNOUNCE_NONE; /* nobody there any more: the intent goes, too */
	guard_look(&in, CAUSE_ZONES, &v);
	assert_int_equal(guard_ask(&g, &rule, &in, &v, T0 + 1310), GUARD_EQUAL);
	assert_int_equal(g.intent, 0);
}

/* Two pops, each with a cause that the other does not mind, each seen by the other as `lag` ago: whenever their causes begin, at most one goes.
 * Their verdicts stay PASS here, so that nothing but intents keeps them from relying on each other. */
static void never_both(void **state)
{
	enum { STEP = 10, SPAN = 3000, LAG_MAX = 400 };
	unsigned runs = 0, one = 0;

	(void)state;
	for (unsigned lag = STEP; lag <= LAG_MAX; lag += STEP)
		for (unsigned later = 0; later <= 1500; later += 2 * STEP) {
			struct guard_state g[2] = {0};
			struct board_peer_family past[2][SPAN / STEP];
			unsigned out = 0;

			for (unsigned t = 0; t < SPAN / STEP; t++)
				for (unsigned i = 0; i < 2; i++) {
					struct guard_peer p = {SEEN, .says = {WELL}, .age_ms = lag, .place = 1 - i};
					struct guard_input in = {.place = i, .others = 1, .peers = &p, .peer_count = 1};
					struct guard_rule rule = {i ? CAUSE_ZONES : CAUSE_EXPIRY, 1, false};
					struct guard_view v;

					past[i][t] = (struct board_peer_family){WELL, .intent = (uint8_t)g[i].intent};
					if (out & (1U << i))
						past[i][t].announce = ANNOUNCE_NONE;
					if ((out & (1U << i)) || t * STEP < 500 + (i ? later : 0))
						continue;
					if (t * STEP >= lag)
						p.says = past[1 - i][t - lag / STEP];
					guard_look(&in, rule.wants, &v);
					if (guard_ask(&g[i], &rule, &in, &v, T0 + t * STEP) == GUARD_GO)
						out |= 1U << i;
					past[i][t].intent = (uint8_t)g[i].intent;
				}
			runs++;
			one += out != 0;
			if (out == 3)
				fail_msg("both left: views of %u ms, causes %u ms apart", lag, later);
		}
	assert_true(one > runs / 10); /* and mostly one does: this is no proof by standing still */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_counts),
	    cmocka_unit_test(nobody_announces_is_said_only_of_all),
	    cmocka_unit_test(says),
	    cmocka_unit_test(turns_that_do_not_pass),
	    cmocka_unit_test(others_that_have_left),
	    cmocka_unit_test(all_that_time),
	    cmocka_unit_test(never_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
