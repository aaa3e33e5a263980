/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/tokens.h"

#include "base/err.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define A "aaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbb"

static struct tokens tokens;

static void test_good(void **state)
{
	static const char text[] = "# comment\n\n  alice\tro  " A "  \r\nbob rw " B;
	const struct token *t;
	char why[160];
	unsigned line;

	(void)state;
	assert_int_equal(tokens_parse(text, strlen(text), &tokens, &line, why, sizeof(why)), 0);
	assert_int_equal(tokens.count, 2);
	t = tokens_find(&tokens, A, strlen(A));
	assert_non_null(t);
	assert_string_equal(t->name, "alice");
	assert_false(t->changes);
	t = tokens_find(&tokens, B, strlen(B));
	assert_string_equal(t->name, "bob");
	assert_true(t->changes);
	assert_null(tokens_find(&tokens, A, strlen(A) - 1));
	assert_null(tokens_find(&tokens, A B, strlen(A B)));
	assert_null(tokens_find(&tokens, "", 0));
}

static void test_bad(void **state)
{
	static const struct {
		const char *text, *why;
		unsigned line;
	} rows[] = {
		{"", "there is no token", 0},
		{"# none\n", "there is no token", 1},
		{"a ro", "a line is NAME", 1},
		{"a " A, "a line is NAME", 1},
		{"a ro " A " more", "a line is NAME", 1},
		{"a ro " A "\nb RW " B, "the second word", 2},
		{"a r " A, "the second word", 1},
		{"a ro short", "20 to 256 characters", 1},
		{"a ro aaaaaaaaaaaaaaaaaaa\xc3\xa4", "20 to 256 characters", 1},
		{"\xc3\xa4 ro " A, "characters of ASCII", 1},
		{"0123456789012345678901234567890123456789012345678901234567890123 ro " A, "at most 63", 1},
		{"a ro " A "\n\nb rw " A "\n", "twice", 3},
	};
	char why[160];
	unsigned line;

	(void)state;
	tokens.count = 77;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		line = 99;
		assert_int_equal(tokens_parse(rows[i].text, strlen(rows[i].text), &tokens, &line, why, sizeof(why)), ERR_INVALID);
		if (!strstr(why, rows[i].why) || line != rows[i].line)
			fail_msg("%s: line %u: %s", rows[i].text, line, why);
		assert_int_equal(tokens.count, 77);
	}
}

static void test_limit(void **state)
{
	struct text t;
	char why[160];
	unsigned line;

	(void)state;
	text_init(&t);
	for (int i = 0; i < TOKENS_MAX; i++)
		text_fmt(&t, "n%d ro token-of-somebody-no-%d\n", i, i);
	assert_int_equal(tokens_parse(t.chars, t.len, &tokens, &line, why, sizeof(why)), 0);
	assert_int_equal(tokens.count, TOKENS_MAX);
	text_str(&t, "x ro " A);
	assert_int_equal(tokens_parse(t.chars, t.len, &tokens, &line, why, sizeof(why)), ERR_INVALID);
	assert_int_equal(line, TOKENS_MAX + 1);
	text_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad), cmocka_unit_test(test_limit)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
