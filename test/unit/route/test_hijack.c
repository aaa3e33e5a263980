/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose a route is: scripts of routes coming and going, and the table's limits. */
#include "route/hijack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct hijack_table t;
static const struct endpoint one = {.addr = {.family = 4, .bytes = {10, 0, 0, 1}}, .port = 179};
static const struct endpoint two = {.addr = {.family = 4, .bytes = {10, 0, 0, 2}}, .port = 179};

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static void ours(const char *const *texts, const uint32_t *as)
{
	struct hijack_ours list[32];
	size_t n = 0;

	for (; texts[n]; n++)
		list[n] = (struct hijack_ours){.prefix = prefix(texts[n]), .as = as[n]};
	hijack_set_ours(&t, list, n);
}

static int setup(void **state)
{
	static const char *const texts[] = {"192.0.2.0/24", "2001:db8:53::/48", "203.0.113.0/24", "203.0.112.0/22", "203.0.115.0/24", NULL};
	static const uint32_t as[] = {64500, 64500, 64500, 64500, 64511};

	(void)state;
	memset(&t, 0, sizeof(t));
	ours(texts, as);
	return 0;
}

/* A path of 64601 and this origin; 0: a set at its end; 1: empty. */
static struct bgp_path path(uint32_t origin, uint8_t *bytes)
{
	const uint8_t plain[] = {2, 2, 0, 0, 0xfc, 0x59, (uint8_t)(origin >> 24), (uint8_t)(origin >> 16), (uint8_t)(origin >> 8), (uint8_t)origin};
	static const uint8_t set[] = {1, 1, 0, 0, 0xfc, 0x59};

	if (origin == 1)
		return (struct bgp_path){.segments = bytes, .local = true};
	memcpy(bytes, origin ? plain : set, origin ? sizeof(plain) : sizeof(set));
	return (struct bgp_path){.segments = bytes, .len = origin ? sizeof(plain) : sizeof(set), .has_origin = origin != 0, .origin = origin};
}

static enum hijack_event come(const struct endpoint *from, const char *text, uint32_t origin, struct hijack *out)
{
	struct ip_prefix p = prefix(text);
	uint8_t bytes[16];
	struct bgp_path a = path(origin, bytes);

	return hijack_route(&t, from, &p, &a, 1000, out);
}

static enum hijack_event go(const struct endpoint *from, const char *text, struct hijack *out)
{
	struct ip_prefix p = prefix(text);

	return hijack_route(&t, from, &p, NULL, 2000, out);
}

static void which_routes(void **state)
{
	static const struct {
		const char *route;
		uint32_t origin;
		const char *of; /* NULL: none */
	} cases[] = {
		{"192.0.2.0/24", 64999, "192.0.2.0/24"},
		{"192.0.2.0/24", 64500, NULL},
		{"192.0.2.0/24", 1, NULL},
		{"192.0.2.0/24", 0, "192.0.2.0/24"},
		{"192.0.2.128/25", 64999, "192.0.2.0/24"},
		{"192.0.2.53/32", 64999, "192.0.2.0/24"},
		{"192.0.2.128/25", 64500, NULL},
		{"192.0.0.0/16", 64999, NULL}, /* less specific: takes nothing */
		{"0.0.0.0/0", 64999, NULL},
		{"192.0.3.0/24", 64999, NULL},
		{"192.0.1.0/24", 64999, NULL},
		{"203.0.113.0/25", 64999, "203.0.113.0/24"},
		{"203.0.114.0/24", 64999, "203.0.112.0/22"},
		{"203.0.112.0/22", 64999, "203.0.112.0/22"},
		{"203.0.115.0/24", 64511, NULL},
		{"203.0.115.0/24", 64500, "203.0.115.0/24"}, /* another network's */
		{"203.0.115.128/25", 64500, "203.0.115.0/24"},
		{"203.0.112.0/23", 64500, NULL},
		{"2001:db8:53::/48", 64999, "2001:db8:53::/48"},
		{"2001:db8:53:1::/64", 64999, "2001:db8:53::/48"},
		{"2001:db8:54::/48", 64999, NULL},
		{"2001:db8::/32", 64999, NULL},
		{"::/0", 64999, NULL},
	};
	char text[PREFIX_TEXT_MAX];
	struct hijack h;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum hijack_event e = come(&one, cases[i].route, cases[i].origin, &h);

		if (e != (cases[i].of ? HIJACK_BEGUN : HIJACK_NOTHING) || (cases[i].of && strcmp(prefix_text(&h.ours, text), cases[i].of) != 0))
			fail_msg("%s from %u: %d", cases[i].route, cases[i].origin, e);
		if (cases[i].of)
			assert_int_equal(go(&one, cases[i].route, &h), HIJACK_OVER);
		assert_int_equal(t.count, 0);
	}
}

static void course(void **state)
{
	struct hijack h;

	(void)state;
	assert_int_equal(come(&one, "192.0.2.0/25", 64999, &h), HIJACK_BEGUN);
	assert_string_equal(h.path, "64601 64999");
	assert_int_equal(h.as, 64500);
	assert_int_equal(h.origin, 64999);
	assert_int_equal(come(&one, "192.0.2.0/25", 64999, &h), HIJACK_NOTHING);
	assert_int_equal(come(&two, "192.0.2.0/25", 64999, &h), HIJACK_BEGUN);
	assert_int_equal(come(&one, "192.0.2.0/25", 64998, &h), HIJACK_OTHER_PATH);
	assert_int_equal(t.count, 2);
	/* Ours again, which is a withdrawal as well. */
	assert_int_equal(come(&one, "192.0.2.0/25", 64500, &h), HIJACK_OVER);
	assert_int_equal(h.origin, 64998);
	assert_int_equal(go(&one, "192.0.2.0/25", &h), HIJACK_NOTHING);
	/* The neighbor is gone. */
	assert_int_equal(come(&two, "2001:db8:53::/64", 64999, &h), HIJACK_BEGUN);
	assert_int_equal(come(&one, "2001:db8:53::/64", 64999, &h), HIJACK_BEGUN);
	assert_true(hijack_forget(&t, &two, &h));
	assert_true(hijack_forget(&t, &two, &h));
	assert_false(hijack_forget(&t, &two, &h));
	assert_int_equal(t.count, 1);
	assert_int_equal(t.seen, 4);
}

static void other_configuration(void **state)
{
	static const char *const texts[] = {"192.0.2.0/24", "203.0.113.0/24", NULL};
	static const uint32_t as[] = {64999, 64500};
	struct hijack h;

	(void)state;
	assert_int_equal(come(&one, "192.0.2.0/24", 64999, &h), HIJACK_BEGUN);
	assert_int_equal(come(&one, "203.0.113.0/24", 64999, &h), HIJACK_BEGUN);
	assert_int_equal(come(&one, "203.0.114.0/24", 64999, &h), HIJACK_BEGUN);
	ours(texts, as); /* one is theirs now, of one nothing is ours */
	assert_int_equal(t.count, 1);
	assert_int_equal(go(&one, "203.0.113.0/24", &h), HIJACK_OVER);
	ours(texts + 2, as);
	assert_int_equal(come(&one, "192.0.2.0/24", 64998, &h), HIJACK_NOTHING);
}

static void no_room(void **state)
{
	struct hijack h;
	char text[32];

	(void)state;
	for (unsigned i = 0; i < HIJACKS_MAX; i++) {
		snprintf(text, sizeof(text), "203.0.%u.%u/32", 112 + i / 256, i % 256);
		assert_int_equal(come(&one, text, 64999, &h), HIJACK_BEGUN);
	}
	assert_int_equal(come(&one, "192.0.2.0/24", 64999, &h), HIJACK_NO_ROOM);
	assert_int_equal(t.left_out, 1);
	assert_int_equal(go(&one, "203.0.112.77/32", &h), HIJACK_OVER);
	assert_int_equal(come(&one, "192.0.2.0/24", 64999, &h), HIJACK_BEGUN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(which_routes, setup),
		cmocka_unit_test_setup(course, setup),
		cmocka_unit_test_setup(other_configuration, setup),
		cmocka_unit_test_setup(no_room, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
