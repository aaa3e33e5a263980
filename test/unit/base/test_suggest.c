/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/suggest.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const words[] = {"prefixes", "addresses", "as", NULL, "keep-at-least", "hold-time", "status", "bgp"};

static const struct {
	const char *typed, *meant;
} cases[] = {
        {"prefixs", "prefixes"},  {"prefix", "prefixes"},       {"PREFIXES", "prefixes"},
        {"adresses", "addresses"}, {"keep-at-lest", "keep-at-least"}, {"keep_at_least", "keep-at-least"},
        {"holdtime", "hold-time"}, {"hlod-time", "hold-time"},  {"stauts", "status"},
        {"sa", "as"},             {"bpg", "bgp"},               {"bgp-neighbors", NULL},
        {"x", NULL},              {"", NULL},                   {"quux", NULL},
        {"zone", NULL},
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = suggest_closest(cases[i].typed, words, ARRAY_LEN(words));

		if (!got != !cases[i].meant || (got && strcmp(got, cases[i].meant) != 0))
			fail_msg("%s: got %s, want %s", cases[i].typed, got ? got : "nothing",
			         cases[i].meant ? cases[i].meant : "nothing");
	}
}

static void test_long(void **state)
{
	char word[SUGGEST_WORD_MAX + 2];
	const char *one = word;

	(void)state;
	memset(word, 'a', sizeof(word));
	word[SUGGEST_WORD_MAX] = '\0';
	assert_ptr_equal(suggest_closest(word, &one, 1), one);
	word[SUGGEST_WORD_MAX] = 'a';
	word[SUGGEST_WORD_MAX + 1] = '\0';
	assert_null(suggest_closest(word, &one, 1));
	assert_null(suggest_closest("a", NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_long)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
