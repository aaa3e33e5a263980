/* SPDX-License-Identifier: BSD-2-Clause */
/* What the log says a decision rested on: all of it, and of many pops those for whom there is room, whole. */
#include "route/decide.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void all_of_it(void **state)
{
	static const struct guard_peer peers[] = {
	        {.name = "fra", .age_ms = 320, .answered = true, .says = {.announce = ANNOUNCE_YES, .verdict = VERDICT_PASS}},
	        {.name = "ams", .age_ms = 90, .answered = true, .says = {.announce = ANNOUNCE_DEPREF, .verdict = VERDICT_SOFT, .intent = CAUSE_STALE}},
	        {.name = "lon", .age_ms = UINT64_MAX},
	};
	struct decide_input in = {
	        .verdict = DECIDE_SOFT, .verdict_why = "x", .causes = CAUSE_STALE | CAUSE_ZONES, .answers = true, .zones = 7, .zones_ready = 6, .checks_silent_ms = 12,
	        .worker_silent_ms = 3, .drain = true, .seen = {.others = 4, .peers = peers, .peer_count = 3, .data_age_ms = 70000, .load = 250, .qps = 9000},
	};
	struct decide_state s = {.says = GUARD_FEW, .guard = {.intent = CAUSE_STALE}};
	char buf[DECIDE_INPUTS_MAX];

	(void)state;
	assert_string_equal(decide_inputs(&s, &in, buf, sizeof(buf)),
	                    "verdict=soft-fail causes=stale,zones answers=yes zones=6/7 checks_silent_ms=12 worker_silent_ms=3 order=drain stopping=no rpki=allowed intent=stale "
	                    "guard=few data_age_ms=70000 load_permille=250 qps=9000 others=4 seen=2 peers=\"fra:announced/pass/320ms ams:de-preferred/soft-fail/leaving/90ms lon:unseen\"");
	in = (struct decide_input){.verdict = DECIDE_UNKNOWN, .verdict_why = "", .checks_silent_ms = UINT64_MAX, .worker_silent_ms = UINT64_MAX, .stopping = true, .refused_why = "no"};
	s = (struct decide_state){.says = GUARD_NOTHING};
	assert_string_equal(decide_inputs(&s, &in, buf, sizeof(buf)),
	                    "verdict=unknown causes=none answers=no zones=0/0 checks_silent_ms=never worker_silent_ms=never order=none stopping=yes rpki=refused intent=none "
	                    "guard=not-asked data_age_ms=0 load_permille=0 qps=0 others=0 seen=0 peers=\"\"");
}

static void many_pops(void **state)
{
	static struct guard_peer peers[BOARD_PEERS_MAX];
	struct decide_input in = {.verdict_why = "", .seen = {.others = BOARD_PEERS_MAX, .peers = peers, .peer_count = BOARD_PEERS_MAX}};
	struct decide_state s = {.says = GUARD_NOTHING};

	(void)state;
	for (size_t i = 0; i < BOARD_PEERS_MAX; i++)
		peers[i] = (struct guard_peer){.name = "a-node-with-a-long-name", .age_ms = 100, .answered = true, .says = {.announce = ANNOUNCE_YES, .verdict = VERDICT_PASS}};
	for (size_t cap = 64; cap <= DECIDE_INPUTS_MAX; cap++) {
		char buf[DECIDE_INPUTS_MAX + 8];
		const char *list;
		size_t quotes = 0;

		memset(buf, 'Z', sizeof(buf));
		decide_inputs(&s, &in, buf, cap);
		assert_true(strlen(buf) < cap);
		for (size_t i = cap; i < sizeof(buf); i++)
			assert_int_equal(buf[i], 'Z');
		for (const char *p = buf; *p; p++)
			quotes += *p == '"';
		assert_int_equal(quotes % 2, 0);
		list = strstr(buf, "peers=\"");
		/* Each that is there is there whole. */
		for (const char *p = list ? list + 7 : NULL; p && *p && *p != '"'; p += strcspn(p, " \""), p += *p == ' ')
			assert_true(strncmp(p, "a-node-with-a-long-name:announced/pass/100ms", 44) == 0 || strncmp(p, "...", 3) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(all_of_it), cmocka_unit_test(many_pops)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
