/* SPDX-License-Identifier: BSD-2-Clause */
/* Origin validation: the cases of RFC 6811 and around them, the sets, and what is of interest. */
#include "rpki/vrp.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static struct vrp vrp(const char *text, uint8_t max_len, uint32_t as)
{
	return (struct vrp){.prefix = prefix(text), .max_len = max_len, .as = as};
}

static void validation_table(void **state)
{
	static const struct {
		const char *prefix;
		uint8_t max_len;
		uint32_t as;
	} roas[] = {
		{"192.0.2.0/24", 24, 64500},   {"198.51.100.0/22", 24, 64500}, {"203.0.113.0/24", 24, 0},
		{"203.0.112.0/22", 22, 64502}, {"10.0.0.0/8", 8, 64503},       {"10.1.0.0/16", 16, 64504},
		{"2001:db8::/32", 48, 64500},  {"2001:db8:f::/48", 48, 64509}, {"0.0.0.0/0", 0, 64999},
		{"172.16.0.0/12", 24, 64505},  {"172.16.0.0/12", 16, 64500},
	};
	static const struct {
		const char *prefix;
		uint32_t as;
		enum vrp_state want;
		const char *why; /* part of the sentence */
	} cases[] = {
		{"192.0.2.0/24", 64500, VRP_VALID, "192.0.2.0/24 AS64500"},
		{"192.0.2.0/24", 64501, VRP_INVALID, "allow others"},
		{"192.0.2.0/25", 64500, VRP_INVALID, "0.0.0.0/0 AS64999, 192.0.2.0/24 AS64500"},
		{"198.51.100.0/24", 64500, VRP_VALID, "198.51.100.0/22-24 AS64500"},
		{"198.51.100.0/22", 64500, VRP_VALID, "AS64500"},
		{"203.0.113.0/24", 0, VRP_INVALID, "203.0.113.0/24 AS0"},
		{"203.0.112.0/22", 64502, VRP_VALID, "203.0.112.0/22 AS64502"},
		{"203.0.113.0/24", 64502, VRP_INVALID, "AS0"},
		{"10.1.0.0/16", 64504, VRP_VALID, "10.1.0.0/16 AS64504"},
		{"10.1.0.0/16", 64503, VRP_INVALID, "10.0.0.0/8 AS64503"},
		{"10.0.0.0/8", 64503, VRP_VALID, "10.0.0.0/8 AS64503"},
		{"172.16.0.0/24", 64505, VRP_VALID, "172.16.0.0/12-24 AS64505"},
		{"172.16.0.0/24", 64500, VRP_INVALID, "172.16.0.0/12-16 AS64500"},
		{"2001:db8:53::/48", 64500, VRP_VALID, "2001:db8::/32-48 AS64500"},
		{"2001:db8:53::/49", 64500, VRP_INVALID, "more specific than the ROAs allow"},
		{"2001:db8:f::/48", 64500, VRP_VALID, "2001:db8::/32-48"},
		{"2001:db8:f::/48", 64509, VRP_VALID, "2001:db8:f::/48 AS64509"},
		{"2001:db9::/48", 64500, VRP_NOT_FOUND, "no ROA covers it"},
		{"2001:d00::/24", 64500, VRP_NOT_FOUND, "no ROA covers it"},
	};
	struct vrp_set s = {0};
	char why[VRP_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(roas); i++) {
		struct vrp v = vrp(roas[i].prefix, roas[i].max_len, roas[i].as);

		assert_int_equal(vrp_set_add(&s, &v), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_prefix p = prefix(cases[i].prefix);
		enum vrp_state got = vrp_validate(&s, &p, cases[i].as, why);

		if (got != cases[i].want || !strstr(why, cases[i].why))
			fail_msg("%s AS%u: %s (%s)", cases[i].prefix, cases[i].as, vrp_state_text(got), why);
	}
	vrp_set_done(&s);
}

/* A sentence that would be too long says how many it leaves out, and stays within its room. */
static void long_sentence(void **state)
{
	struct ip_prefix p = prefix("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128");
	char why[VRP_WHY_MAX];
	struct vrp_set s = {0};

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct vrp v = vrp("2001:db8:ffff:ffff:ffff:ffff:ffff:fffe/127", 128, UINT32_MAX - i);

		assert_int_equal(vrp_set_add(&s, &v), 0);
	}
	assert_int_equal(vrp_validate(&s, &p, 1, why), VRP_INVALID);
	assert_true(strlen(why) < VRP_WHY_MAX);
	assert_non_null(strstr(why, "2001:db8:ffff:"));
	p = prefix("192.0.2.0/24");
	vrp_set_clear(&s);
	for (uint32_t i = 0; i < 100; i++) {
		struct vrp v = vrp("192.0.2.0/24", 24, 64600 + i);

		assert_int_equal(vrp_set_add(&s, &v), 0);
	}
	assert_int_equal(vrp_validate(&s, &p, 1, why), VRP_INVALID);
	assert_non_null(strstr(why, " and 97 more"));
	vrp_set_done(&s);
}

static void sets(void **state)
{
	struct vrp a = vrp("192.0.2.0/24", 24, 64500), b = vrp("192.0.2.0/24", 25, 64500);
	struct vrp_set s = {0}, copy = {0};

	(void)state;
	assert_int_equal(vrp_set_add(&s, &a), 0);
	assert_int_equal(vrp_set_add(&s, &a), ERR_EXISTS);
	assert_int_equal(vrp_set_remove(&s, &b), ERR_NOT_FOUND);
	assert_int_equal(vrp_set_add(&s, &b), 0);
	assert_int_equal(vrp_set_copy(&copy, &s), 0);
	assert_int_equal(vrp_set_remove(&s, &a), 0);
	assert_int_equal(s.count, 1);
	assert_int_equal(copy.count, 2);
	vrp_set_clear(&s);
	for (uint32_t i = 0; i < VRP_SET_MAX; i++) {
		a.as = i * 7919 % 65536;
		assert_int_equal(vrp_set_add(&s, &a), 0);
	}
	a.as = UINT32_MAX;
	assert_int_equal(vrp_set_add(&s, &a), ERR_LIMIT);
	assert_int_equal(s.count, VRP_SET_MAX);
	for (uint32_t i = 0; i < VRP_SET_MAX; i++) {
		a.as = i * 7919 % 65536;
		assert_int_equal(vrp_set_remove(&s, &a), 0);
	}
	assert_int_equal(s.count, 0);
	vrp_set_done(&s);
	vrp_set_done(&copy);
}

static void interest(void **state)
{
	static const struct {
		const char *prefix;
		bool want;
	} cases[] = {
		{"192.0.2.0/24", true},
		{"192.0.2.0/25", false},
		{"192.0.0.0/16", true},
		{"0.0.0.0/0", true},
		{"192.0.3.0/24", false},
		{"203.0.112.0/23", true},
		{"203.0.112.0/24", false},
		{"203.0.113.0/24", true},
		{"203.0.112.0/22", true},
		{"2001:db8:53::/48", true},
		{"2001:db8:53::/49", false},
		{"2001:db8::/32", true},
		{"::/0", true},
		{"2001:db8:54::/48", false},
		{"255.255.255.255/32", false},
		{"0.0.0.0/32", false},
	};
	struct ip_prefix list[] = {prefix("203.0.113.0/24"), prefix("192.0.2.0/24"), prefix("203.0.112.0/23"),
	                           prefix("2001:db8:53::/48"), prefix("192.0.2.0/24")};
	struct vrp_interest in = {0}, other = {0};

	(void)state;
	assert_int_equal(vrp_interest_set(&in, list, ARRAY_LEN(list)), 0);
	assert_int_equal(in.count, 4);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_prefix p = prefix(cases[i].prefix);

		if (vrp_interest_covered_by(&in, &p) != cases[i].want)
			fail_msg("%s: not %d", cases[i].prefix, cases[i].want);
	}
	assert_int_equal(vrp_interest_set(&other, list, 4), 0);
	assert_true(vrp_interest_equal(&in, &other));
	assert_int_equal(vrp_interest_set(&other, list, 3), 0);
	assert_false(vrp_interest_equal(&in, &other));
	assert_int_equal(vrp_interest_set(&other, NULL, 0), 0);
	assert_false(vrp_interest_covered_by(&other, &list[0]));
	vrp_interest_done(&in);
	vrp_interest_done(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(validation_table),
		cmocka_unit_test(long_sentence),
		cmocka_unit_test(sets),
		cmocka_unit_test(interest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
