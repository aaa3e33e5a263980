/* SPDX-License-Identifier: BSD-2-Clause */
#include "limit/prefix_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static unsigned next_random(uint32_t *seed)
{
	*seed = *seed * 1664525U + 1013904223U;
	return *seed >> 16;
}

static struct prefix_set *make(const char *const *texts)
{
	struct ip_prefix p[32];
	struct prefix_set *s;
	size_t n = 0;

	for (; texts[n]; n++)
		assert_int_equal(prefix_parse(texts[n], &p[n]), 0);
	assert_int_equal(prefix_set_make(p, n, &s), 0);
	return s;
}

static void test_rows(void **state)
{
	static const char *const list[] = {"192.0.2.0/24", "10.0.0.0/8",   "10.1.0.0/16", "192.0.3.0/24", "255.255.255.255/32", "203.0.113.64/26",
	                                   "2001:db8::/32", "2001:db8:1::/48", "::1/128",  "fe80::/10",    NULL};
	static const struct {
		const char *addr;
		bool in;
	} rows[] = {
		{"192.0.2.0", true},   {"192.0.2.255", true},      {"192.0.3.255", true}, {"192.0.1.255", false}, {"192.0.4.0", false},
		{"10.255.0.1", true},  {"11.0.0.0", false},        {"9.255.255.255", false}, {"255.255.255.255", true}, {"255.255.255.254", false},
		{"203.0.113.63", false}, {"203.0.113.64", true},   {"203.0.113.127", true}, {"203.0.113.128", false}, {"0.0.0.0", false},
		{"2001:db8:ffff::1", true}, {"2001:db9::", false}, {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false}, {"::1", true}, {"::2", false},
		{"::", false},         {"febf::1", true},          {"fec0::1", false},
		{"c000:200::", false}, /* the octets of 192.0.2.0 */
	};
	struct prefix_set *s = make(list);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ip_addr a;

		assert_int_equal(addr_parse(rows[i].addr, &a), 0);
		if (prefix_set_has(s, &a) != rows[i].in)
			fail_msg("%s", rows[i].addr);
		assert_false(prefix_set_has(NULL, &a));
	}
	prefix_set_free(s);
}

static void test_everything_and_nothing(void **state)
{
	static const char *const all[] = {"0.0.0.0/0", "::/0", "10.0.0.0/8", NULL}, *const none[] = {NULL};
	struct prefix_set *s = make(all), *empty = make(none);
	struct ip_addr a;

	(void)state;
	assert_int_equal(addr_parse("0.0.0.0", &a), 0);
	assert_true(prefix_set_has(s, &a));
	assert_false(prefix_set_has(empty, &a));
	assert_int_equal(addr_parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &a), 0);
	assert_true(prefix_set_has(s, &a));
	assert_false(prefix_set_has(empty, &a));
	prefix_set_free(s);
	prefix_set_free(empty);
}

/* Against a plain search, for many prefixes that overlap. */
static void test_like_plain(void **state)
{
	enum { COUNT = 300, ASKED = 20000 };
	struct ip_prefix p[COUNT];
	struct prefix_set *s;
	uint32_t seed = 1;

	(void)state;
	memset(p, 0, sizeof(p));
	for (size_t i = 0; i < COUNT; i++) {
		p[i].addr.family = i % 2 ? 6 : 4;
		p[i].len = (uint8_t)(4 + next_random(&seed) % (p[i].addr.family == 4 ? 20 : 28));
		for (unsigned b = 0; b < p[i].len; b++)
			if (next_random(&seed) % 2)
				p[i].addr.bytes[b / 8] |= (uint8_t)(0x80 >> b % 8);
	}
	assert_int_equal(prefix_set_make(p, COUNT, &s), 0);
	for (unsigned k = 0; k < ASKED; k++) {
		struct ip_addr a = {.family = k % 2 ? 6 : 4};
		bool in = false;

		for (size_t i = 0; i < (a.family == 4 ? 4U : 16U); i++)
			a.bytes[i] = (uint8_t)next_random(&seed);
		for (size_t i = 0; i < COUNT && !in; i++) {
			in = p[i].addr.family == a.family;
			for (unsigned b = 0; in && b < p[i].len; b++)
				in = !((p[i].addr.bytes[b / 8] ^ a.bytes[b / 8]) & (0x80 >> b % 8));
		}
		assert_int_equal(prefix_set_has(s, &a), in);
	}
	prefix_set_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_everything_and_nothing), cmocka_unit_test(test_like_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
