/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON strings made of whatever octets there are. */
#include "base/text.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_json(void **state)
{
	static const struct {
		const char *chars, *want;
	} cases[] = {
	        {"", "\"\""},
	        {"plain /path", "\"plain /path\""},
	        {"a\"b\\c", "\"a\\\"b\\\\c\""},
	        {"tab\tline\n\x1f\x7f", "\"tab\\u0009line\\u000a\\u001f\\u007f\""},
	        {"m\xc3\xbcller \xe2\x82\xac \xf0\x9f\x8c\x8d", "\"m\xc3\xbcller \xe2\x82\xac \xf0\x9f\x8c\x8d\""},
	        {"latin \xfc", "\"latin \\u00fc\""},
	        {"cut \xe2\x82", "\"cut \\u00e2\\u0082\""},
	        {"overlong \xc0\xaf", "\"overlong \\u00c0\\u00af\""},
	        {"lone \x80", "\"lone \\u0080\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct text t;

		text_init(&t);
		text_json_string(&t, cases[i].chars);
		assert_string_equal(t.chars, cases[i].want);
		text_done(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_json)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
