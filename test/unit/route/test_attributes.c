/* SPDX-License-Identifier: BSD-2-Clause */
/* What a neighbor hears in each state, by its configuration. */
#include "route/attributes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint32_t own[] = {64500U << 16 | 1, 64500U << 16 | 2};
static uint32_t low[] = {64496U << 16 | 80, 64500U << 16 | 1};
static uint32_t full[CONFIG_COMMUNITIES_MAX];
static struct config_large_community own_large[] = {{64500, 1, 2}};
static struct config_large_community low_large[] = {{64500, 1, 2}, {64496, 0, 80}};

static void each_state(void **state)
{
	const struct config_neighbor plain = {.local_pref = 100};
	const struct config_neighbor rich = {
		.communities = own, .community_count = 2, .large = own_large, .large_count = 1, .prepend = 2, .has_med = true, .med = 10,
		.local_pref = 200,
		.de_prefer = {.communities = low, .community_count = 2, .large = low_large, .large_count = 2, .has_med = true, .med = 500},
		.drain = {.has_prepend = true, .prepend = 1, .has_local_pref = true, .local_pref = 5},
	};
	const struct config_neighbor odd = {
		.prepend = 32, .local_pref = 0,
		.de_prefer = {.has_prepend = true, .prepend = 32, .has_local_pref = true, .local_pref = 70},
		.drain = {.has_prepend = true, .prepend = 0},
	};
	/* How the message would tell it; a path of one AS is no prepend. */
	const struct {
		const char *name;
		const struct config_neighbor *n;
		bool internal;
		enum decide_announce state;
		const char *text;
	} cases[] = {
		{"plain", &plain, false, DECIDE_ANNOUNCE, "path 64500"},
		{"plain, de-preferred", &plain, false, DECIDE_DEPREF, "path 64500 64500 64500 64500"},
		{"plain, drained", &plain, false, DECIDE_GSHUT, "path 64500 communities 65535:0"},
		{"plain iBGP", &plain, true, DECIDE_ANNOUNCE, "local-pref 100"},
		{"plain iBGP, de-preferred", &plain, true, DECIDE_DEPREF, "local-pref 50"},
		{"plain iBGP, drained", &plain, true, DECIDE_GSHUT, "local-pref 0 communities 65535:0"},
		{"rich", &rich, false, DECIDE_ANNOUNCE, "path 64500 64500 64500 med 10 communities 64500:1 64500:2 large 64500:1:2"},
		{"rich, de-preferred: the default prepend on top, each community once", &rich, false, DECIDE_DEPREF,
		 "path 64500 64500 64500 64500 64500 64500 med 500 communities 64500:1 64500:2 64496:80 large 64500:1:2 64496:0:80"},
		{"rich, drained", &rich, false, DECIDE_GSHUT,
		 "path 64500 64500 64500 64500 med 10 communities 65535:0 64500:1 64500:2 large 64500:1:2"},
		{"rich iBGP", &rich, true, DECIDE_ANNOUNCE, "local-pref 200 med 10 communities 64500:1 64500:2 large 64500:1:2"},
		{"rich iBGP, de-preferred: half of its own", &rich, true, DECIDE_DEPREF,
		 "local-pref 100 med 500 communities 64500:1 64500:2 64496:80 large 64500:1:2 64496:0:80"},
		{"rich iBGP, drained: as configured", &rich, true, DECIDE_GSHUT,
		 "local-pref 5 med 10 communities 65535:0 64500:1 64500:2 large 64500:1:2"},
		{"local-pref 0 stays 0", &odd, true, DECIDE_ANNOUNCE, "local-pref 0"},
		{"local-pref of the state", &odd, true, DECIDE_DEPREF, "local-pref 70"},
	};
	const struct bgp_peering external = {.local_as = 64500}, internal = {.local_as = 64500, .internal = true};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bgp_route r = {0};
		char text[BGP_ROUTE_TEXT_MAX];

		print_message("%s\n", cases[i].name);
		assert_true(attributes_of(cases[i].n, cases[i].internal, cases[i].state, &r));
		assert_int_equal(prefix_parse("192.0.2.0/24", &r.prefix), 0);
		assert_true(bgp_route_valid(&r));
		bgp_route_text(&r, cases[i].internal ? &internal : &external, text, sizeof(text));
		assert_string_equal(text + strlen("192.0.2.0/24 "), cases[i].text);
	}
}

static void withdrawn_is_nothing(void **state)
{
	const struct config_neighbor n = {.prepend = 1};
	struct bgp_route r = {.prepend = 9};

	(void)state;
	assert_false(attributes_of(&n, false, DECIDE_WITHDRAW, &r));
	assert_int_equal(r.prepend, 9);
}

/* The longest lists, and more prepends than a path has room for: still a route, still with graceful-shutdown. */
static void limits_hold(void **state)
{
	struct config_neighbor n = {.prepend = 32, .communities = full, .community_count = CONFIG_COMMUNITIES_MAX};
	struct bgp_route r;

	(void)state;
	for (uint32_t i = 0; i < CONFIG_COMMUNITIES_MAX; i++)
		full[i] = i;
	n.drain = n.de_prefer = (struct config_state){.communities = full, .community_count = CONFIG_COMMUNITIES_MAX, .has_prepend = true, .prepend = 32};
	assert_true(attributes_of(&n, false, DECIDE_GSHUT, &r));
	assert_true(r.prepend == BGP_PREPEND_MAX && r.community_count == CONFIG_COMMUNITIES_MAX + 1 && r.communities[0] == BGP_COMMUNITY_GSHUT);
	r.prefix.addr.family = 4;
	assert_true(bgp_route_valid(&r));
}

/* What is not told must not count as a change: a session would be told the same again. */
static void what_is_not_told_makes_no_difference(void **state)
{
	struct config_neighbor a = {.prepend = 1, .local_pref = 100}, b = {.prepend = 2, .local_pref = 100};
	struct bgp_route x, y;

	(void)state;
	assert_true(attributes_of(&a, true, DECIDE_ANNOUNCE, &x) && attributes_of(&b, true, DECIDE_ANNOUNCE, &y));
	assert_true(bgp_route_equal(&x, &y));
	b = (struct config_neighbor){.prepend = 1, .local_pref = 7};
	assert_true(attributes_of(&a, false, DECIDE_ANNOUNCE, &x) && attributes_of(&b, false, DECIDE_ANNOUNCE, &y));
	assert_true(bgp_route_equal(&x, &y));
	assert_true(attributes_of(&b, true, DECIDE_ANNOUNCE, &y));
	assert_false(bgp_route_equal(&x, &y));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state),
		cmocka_unit_test(withdrawn_is_nothing),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(what_is_not_told_makes_no_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
