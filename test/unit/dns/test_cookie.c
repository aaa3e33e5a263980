/* SPDX-License-Identifier: BSD-2-Clause */
/* DNS cookies: the vectors of RFC 9018 appendix A, and every way in which a cookie is not good. */
#include "dns/cookie.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct cookie_secrets secrets_of(const char *first, const char *second)
{
	struct cookie_secrets s = {.count = second ? 2 : 1};

	assert_int_equal(cookie_secret_parse(first, strlen(first), s.secret[0]), 0);
	if (second)
		assert_int_equal(cookie_secret_parse(second, strlen(second), s.secret[1]), 0);
	return s;
}

static void from_hex(const char *hex, uint8_t *out, size_t *len)
{
	for (*len = 0; *hex; hex += 2, ++*len) {
		unsigned v;

		assert_int_equal(sscanf(hex, "%2x", &v), 1);
		out[*len] = (uint8_t)v;
	}
}

/* RFC 9018 A.1 to A.4. */
static void test_vectors(void **state)
{
	static const struct {
		const char *client, *secret, *second, *option, *reply;
		uint32_t now_s;
		enum cookie_verdict want;
	} cases[] = {
		{"198.51.100.100", "e5e973e5a6b2a43f48e7dc849e37bfcf", NULL, "2464c4abcf10c957", "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
		 1559731985, COOKIE_CLIENT_ONLY},
		{"198.51.100.100", "e5e973e5a6b2a43f48e7dc849e37bfcf", NULL, "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
		 "2464c4abcf10c957010000005cf7a871d4a564a1442aca77", 1559734385, COOKIE_GOOD},
		{"203.0.113.203", "e5e973e5a6b2a43f48e7dc849e37bfcf", NULL, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
		 "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e", 1559734700, COOKIE_BAD}, /* almost two hours old */
		{"203.0.113.203", "e5e973e5a6b2a43f48e7dc849e37bfcf", NULL, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
		 "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 0x5cf78f71, COOKIE_GOOD}, /* reserved octets count */
		{"2001:db8:220:1:59de:d0f4:8769:82b8", "445536bcd2513298075a5d379663c962", "dd3bdf9344b678b185a6f5cb60fca715",
		 "22681ab97d52c298010000005cf7c57926556bd0934c72f8", "22681ab97d52c298010000005cf7c609a6bb79d16625507a", 1559741961, COOKIE_GOOD},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cookie_secrets s = secrets_of(cases[i].secret, cases[i].second);
		uint8_t option[64], want[64], reply[COOKIE_LEN];
		size_t len, want_len;
		struct ip_addr a;

		assert_int_equal(addr_parse(cases[i].client, &a), 0);
		from_hex(cases[i].option, option, &len);
		from_hex(cases[i].reply, want, &want_len);
		assert_int_equal(cookie_judge(&s, &a, option, len, cases[i].now_s, reply), cases[i].want);
		assert_memory_equal(reply, want, COOKIE_LEN);
	}
}

static void test_verdicts(void **state)
{
	enum { NOW = 0xfffffff0 }; /* the clock's 32 bits wrap within the test */
	struct cookie_secrets s = secrets_of("000102030405060708090a0b0c0d0e0f", "ff0102030405060708090a0b0c0d0e0f"), old = s, none = {0};
	struct ip_addr v4, v6, other;
	uint8_t c[COOKIE_OPTION_MAX + 1] = {1, 2, 3, 4, 5, 6, 7, 8}, made[COOKIE_LEN], reply[COOKIE_LEN];

	(void)state;
	assert_int_equal(addr_parse("192.0.2.1", &v4), 0);
	assert_int_equal(addr_parse("2001:db8::1", &v6), 0);
	assert_int_equal(addr_parse("192.0.2.2", &other), 0);
	assert_int_equal(cookie_judge(&s, &v4, NULL, 0, NOW, reply), COOKIE_NONE);
	assert_int_equal(cookie_judge(&none, &v4, c, 8, NOW, reply), COOKIE_NONE);
	for (size_t len = 0; len <= COOKIE_OPTION_MAX + 1; len++) {
		enum cookie_verdict want = len == 8 ? COOKIE_CLIENT_ONLY : len >= 16 && len <= 40 ? COOKIE_BAD : COOKIE_MALFORMED;

		assert_int_equal(cookie_judge(&s, &v4, c, len, NOW, reply), want);
	}
	for (int family = 0; family < 2; family++) {
		const struct ip_addr *a = family ? &v6 : &v4;

		cookie_make(&s, a, c, NOW, made);
		assert_int_equal(cookie_judge(&s, a, made, COOKIE_LEN, NOW, reply), COOKIE_GOOD);
		assert_memory_equal(reply, made, COOKIE_LEN); /* fresh: the same again */
		assert_int_equal(cookie_judge(&s, &other, made, COOKIE_LEN, NOW, reply), COOKIE_BAD);
		assert_int_equal(cookie_judge(&s, a, made, COOKIE_LEN, NOW + 1799U, reply), COOKIE_GOOD);
		assert_memory_equal(reply, made, COOKIE_LEN);
		assert_int_equal(cookie_judge(&s, a, made, COOKIE_LEN, NOW + 1801U, reply), COOKIE_GOOD);
		assert_memory_not_equal(reply, made, COOKIE_LEN);
		assert_int_equal(cookie_judge(&s, a, reply, COOKIE_LEN, NOW + 1801U, made), COOKIE_GOOD);
		cookie_make(&s, a, c, NOW, made);
		assert_int_equal(cookie_judge(&s, a, made, COOKIE_LEN, NOW + 3600U, reply), COOKIE_GOOD);
		assert_int_equal(cookie_judge(&s, a, made, COOKIE_LEN, NOW + 3601U, reply), COOKIE_BAD);
		assert_int_equal(cookie_judge(&s, a, made, COOKIE_LEN, NOW - 300U, reply), COOKIE_GOOD);
		assert_int_equal(cookie_judge(&s, a, made, COOKIE_LEN, NOW - 301U, reply), COOKIE_BAD);
		for (size_t i = 0; i < COOKIE_LEN; i++) {
			made[i] ^= 1;
			assert_int_equal(cookie_judge(&s, a, made, COOKIE_LEN, NOW, reply), COOKIE_BAD);
			made[i] ^= 1;
		}
	}
	/* Roll-over: a cookie of the second secret is good and answered with one of the first. */
	memcpy(old.secret[0], s.secret[1], COOKIE_SECRET_LEN);
	cookie_make(&old, &v4, c, NOW, made);
	assert_int_equal(cookie_judge(&s, &v4, made, COOKIE_LEN, NOW, reply), COOKIE_GOOD);
	assert_memory_not_equal(reply, made, COOKIE_LEN);
	s.count = 1;
	assert_int_equal(cookie_judge(&s, &v4, made, COOKIE_LEN, NOW, reply), COOKIE_BAD);
	assert_int_equal(cookie_judge(&s, &v4, reply, COOKIE_LEN, NOW, made), COOKIE_GOOD);
}

/* Nodes 5 and 9 of a fleet that has the marks 5, 9 and 63. */
static void test_sites(void **state)
{
	struct cookie_secrets five = secrets_of("000102030405060708090a0b0c0d0e0f", NULL), nine, none = five;
	uint8_t c[COOKIE_LEN] = {1, 2, 3, 4, 5, 6, 7, 8}, made[COOKIE_LEN], reply[COOKIE_LEN];
	struct ip_addr a;

	(void)state;
	assert_int_equal(addr_parse("2001:db8::1", &a), 0);
	five.sites = 1ULL << 5 | 1ULL << 9 | 1ULL << 63;
	nine = five;
	five.site = 5;
	nine.site = 9;
	for (uint32_t now = 1559731985; now < 1559731985 + 130; now++) {
		int32_t off;

		cookie_make(&five, &a, c, now, made);
		off = (int32_t)((uint32_t)made[12] << 24 | (uint32_t)made[13] << 16 | (uint32_t)made[14] << 8 | made[15]) - (int32_t)now;
		assert_true(off > -64 && off < 64 && off + 64 < COOKIE_AHEAD_MAX_S);
		assert_memory_equal(made + 8, "\1\0\0\0", 4); /* version, reserved: as RFC 9018 has them */
		/* Any server with the secret takes it; its own node gives it back. */
		assert_int_equal(cookie_judge(&none, &a, made, COOKIE_LEN, now, reply), COOKIE_GOOD);
		assert_int_equal(cookie_other_site(&none, made), 0);
		assert_int_equal(cookie_judge(&five, &a, made, COOKIE_LEN, now, reply), COOKIE_GOOD);
		assert_memory_equal(reply, made, COOKIE_LEN);
		assert_int_equal(cookie_other_site(&five, made), 0);
		/* Another node takes it as well, knows whose it is, and gives one of its own. */
		assert_int_equal(cookie_judge(&nine, &a, made, COOKIE_LEN, now, reply), COOKIE_GOOD);
		assert_int_equal(cookie_other_site(&nine, made), 5);
		assert_int_equal(cookie_other_site(&nine, reply), 0);
		assert_int_equal(cookie_other_site(&five, reply), 9);
	}
	/* A mark that nobody has is nobody's: made by a server that makes no marks. */
	cookie_make(&none, &a, c, 64 * 1000000 + 7, made);
	assert_int_equal(cookie_other_site(&nine, made), 0);
	cookie_make(&none, &a, c, 64 * 1000000 + 63, made);
	assert_int_equal(cookie_other_site(&nine, made), 63);
}

static void test_secret(void **state)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{"000102030405060708090A0b0c0d0e0f", 0}, {" \n000102030405060708090a0b0c0d0e0f\r\n", 0},
		{"", ERR_MALFORMED}, {"000102030405060708090a0b0c0d0e0", ERR_MALFORMED}, {"000102030405060708090a0b0c0d0e0f0", ERR_MALFORMED},
		{"000102030405060708090a0b0c0d0e0g", ERR_MALFORMED}, {"0001020304050607 8090a0b0c0d0e0f", ERR_MALFORMED},
	};
	uint8_t out[COOKIE_SECRET_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		memset(out, 0xaa, sizeof(out));
		assert_int_equal(cookie_secret_parse(cases[i].text, strlen(cases[i].text), out), cases[i].want);
		for (unsigned k = 0; k < sizeof(out); k++)
			assert_int_equal(out[k], cases[i].want ? 0xaa : k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_verdicts), cmocka_unit_test(test_secret),
		cmocka_unit_test(test_sites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
