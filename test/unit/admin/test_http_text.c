/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/api_write.h"
#include "admin/http_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_host(void **state)
{
	static const struct {
		const char *field, *want; /* NULL: none */
		bool address;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1:8053", "192.0.2.1", true},
		{"192.0.2.1:", "192.0.2.1", true},
		{"[2001:DB8::1]:8053", "2001:db8::1", true},
		{"[::1]", "::1", true},
		{"W1.Example.:80", "w1.example", false},
		{"localhost", "localhost", false},
		{"192.0.2.1.evil.example", "192.0.2.1.evil.example", false},
		{"::1", NULL, false},
		{"[::1", NULL, false},
		{"[::1]x", NULL, false},
		{"[]", NULL, false},
		{"", NULL, false},
		{":80", NULL, false},
		{"a:65536", NULL, false},
		{"a:8x", NULL, false},
		{"a:1:2", NULL, false},
		{"a b", NULL, false},
		{"a/b", NULL, false},
		{"a@b", NULL, false},
		{"[fe80::1%25lo]", NULL, false},
		{"\xc3\xa4", NULL, false},
	};
	char out[254];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool got = http_text_host(rows[i].field, out, sizeof(out));

		if (got != (rows[i].want != NULL) || (got && (strcmp(out, rows[i].want) != 0 || http_text_is_address(out) != rows[i].address)))
			fail_msg("%s: %s", rows[i].field, got ? out : "none");
	}
	assert_false(http_text_host("much.too.long", out, 8));
}

static void test_cookie(void **state)
{
	static const struct {
		const char *field, *want;
	} rows[] = {
		{"s=1", "1"}, {"a=b; s=12", "12"}, {"s=1; s=2", "1"}, {"s=", ""}, {"xs=1; s=2", "2"}, {"a=s=1", NULL}, {"s", NULL}, {"", NULL}, {";;; ;s=x;", "x"}, {"ss=1", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = 0;
		const char *got = http_text_cookie(rows[i].field, "s", &len);

		if (!got != !rows[i].want || (got && (len != strlen(rows[i].want) || memcmp(got, rows[i].want, len) != 0)))
			fail_msg("%s: %.*s", rows[i].field, (int)len, got ? got : "");
	}
}

static void test_bearer(void **state)
{
	size_t len;

	(void)state;
	assert_string_equal(http_text_bearer("Bearer abc", &len), "abc");
	assert_int_equal(len, 3);
	assert_string_equal(http_text_bearer("bEARER   abc", &len), "abc");
	assert_null(http_text_bearer("Bearer", &len));
	assert_null(http_text_bearer("Bearer ", &len));
	assert_null(http_text_bearer("Bearer a b", &len));
	assert_null(http_text_bearer("Basic abc", &len));
	assert_null(http_text_bearer("", &len));
}

static void test_number(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_true(http_text_number("0", 0, &n) && n == 0);
	assert_true(http_text_number("18446744073709551615", UINT64_MAX, &n) && n == UINT64_MAX);
	assert_false(http_text_number("18446744073709551616", UINT64_MAX, &n));
	assert_false(http_text_number("1001", 1000, &n));
	assert_true(http_text_number("1000", 1000, &n) && n == 1000);
	assert_false(http_text_number("", 9, &n));
	assert_false(http_text_number("-1", 9, &n));
	assert_false(http_text_number("+1", 9, &n));
	assert_false(http_text_number(" 1", 9, &n));
	assert_false(http_text_number("1 ", 9, &n));
	assert_false(http_text_number("5", 4, &n)); /* also where the limit has fewer digits than the number */
	assert_int_equal(n, 1000);
}

static void test_lists(void **state)
{
	(void)state;
	assert_true(http_text_has_tag("\"a\"", "\"a\""));
	assert_true(http_text_has_tag("\"b\", W/\"a\"", "\"a\""));
	assert_true(http_text_has_tag("*", "\"a\""));
	assert_false(http_text_has_tag("\"aa\"", "\"a\""));
	assert_false(http_text_has_tag("", "\"a\""));
	assert_true(http_text_takes_gzip("gzip"));
	assert_true(http_text_takes_gzip("br;q=1, GZIP;q=0.1"));
	assert_false(http_text_takes_gzip("gzip;q=0"));
	assert_false(http_text_takes_gzip("gzip;q=0.00, br"));
	assert_false(http_text_takes_gzip("x-gzip, identity"));
	assert_false(http_text_takes_gzip("gzipped"));
	assert_true(http_text_is_json("application/json"));
	assert_true(http_text_is_json("Application/JSON; charset=utf-8"));
	assert_false(http_text_is_json("application/jsonp"));
	assert_false(http_text_is_json("text/plain"));
	assert_true(http_text_same_origin("http://w1:8053", "w1:8053", false));
	assert_false(http_text_same_origin("http://w1:8053", "w1:8053", true));
	assert_true(http_text_same_origin("https://W1", "w1", true));
	assert_false(http_text_same_origin("http://w1:8053.evil.example", "w1:8053", false));
	assert_false(http_text_same_origin("null", "w1", false));
}

static void test_places(void **state)
{
	static const char *const bad[] = {"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "a.1.2.3", "1.2.3.4x", "-1.2.3.4", "99999999999999999999999.1.1.1"};
	struct board_events_cursor c = {{9, 9, 9, 9}};
	struct text t;

	(void)state;
	text_init(&t);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(events_place_parse(bad[i], &c));
	assert_int_equal(c.last[0], 9);
	assert_true(events_place_parse("12.0.55.3", &c));
	events_place_text(&c, &t);
	assert_string_equal(t.chars, "12.0.55.3");
	text_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_host),   cmocka_unit_test(test_cookie), cmocka_unit_test(test_bearer),
	                                   cmocka_unit_test(test_number), cmocka_unit_test(test_lists),  cmocka_unit_test(test_places)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
