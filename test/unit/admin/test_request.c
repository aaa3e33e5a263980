/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of the control socket: what is understood, and what is refused with which sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/request.h"
#include "base/attr.h"
#include "base/err.h"

static const struct {
	const char *line;
	enum command command;
	const char *network, *zone;
	bool fault;
} good[] = {
	{"{\"command\": \"status\"}", COMMAND_STATUS, "", "", false},
	{" {\"command\":\"reload\"} \r", COMMAND_RELOAD, "", "", false},
	{"{\"command\":\"drain\"}", COMMAND_DRAIN, "", "", false},
	{"{\"command\":\"drain\",\"network\":\"global\"}", COMMAND_DRAIN, "global", "", false},
	{"{\"network\":\"eu\",\"command\":\"resume\"}", COMMAND_RESUME, "eu", "", false},
	{"{\"command\":\"freeze\"}", COMMAND_FREEZE, "", "", false},
	{"{\"command\":\"force\",\"network\":\"global\"}", COMMAND_FORCE, "global", "", false},
	{"{\"command\":\"drain\",\"network\":\"global\",\"backstop\":true}", COMMAND_DRAIN, "global", "", false},
	{"{\"command\":\"drain\",\"neighbor\":\"192.0.2.1\"}", COMMAND_DRAIN, "", "", false},
	{"{\"command\":\"reload\",\"withdraw\":[\"a\",\"b\"],\"accept-older\":true}", COMMAND_RELOAD, "", "", false},
	{"{\"command\":\"cache-status\"}", COMMAND_CACHE_STATUS, "", "", false},
	{"{\"command\":\"cache-show\",\"name\":\"a\",\"subtree\":true}", COMMAND_CACHE_SHOW, "", "", false},
	{"{\"command\":\"cache-purge\",\"name\":\".\",\"subtree\":false}", COMMAND_CACHE_PURGE, "", "", false},
	{"{\"command\":\"zone-list\"}", COMMAND_ZONE_LIST, "", "", false},
	{"{\"command\":\"zone-show\",\"zone\":\"example.com\"}", COMMAND_ZONE_SHOW, "", "example.com", false},
	{"{\"command\":\"zone-reload\"}", COMMAND_ZONE_RELOAD, "", "", false},
	{"{\"command\":\"zone-reload\",\"zone\":\".\"}", COMMAND_ZONE_RELOAD, "", ".", false},
	{"{\"command\":\"fault\",\"kind\":\"servfail\"}", COMMAND_FAULT, "", "", true},
	{"{\"command\":\"fault\",\"kind\":\"none\"}", COMMAND_FAULT, "", "", false},
	{"{\"command\":\"fault\",\"kind\":\"servfail\",\"worker\":255}", COMMAND_FAULT, "", "", true},
	{"{\"command\":\"status\",\"later\":[1,{}]}", COMMAND_STATUS, "", "", false},
};

static const struct {
	const char *line, *problem; /* the sentence begins so */
} bad[] = {
	{"", "not JSON: "},
	{"status", "not JSON: "},
	{"{\"command\":\"status\"", "not JSON: "},
	{"{\"command\":\"status\"} {\"command\":\"drain\"}", "not JSON: "},
	{"{\"command\":\"status\",\"command\":\"drain\"}", "not JSON: "},
	{"{\"command\":\"st\\u0000atus\"}", "not JSON: "},
	{"{\"command\":\"\xff\xfe\"}", "not JSON: "},
	{"[\"status\"]", "a request is an object with a \"command\""},
	{"[]", "a request is an object with a \"command\""},
	{"{}", "a request is an object with a \"command\""},
	{"{\"command\":1}", "a request is an object with a \"command\""},
	{"{\"command\":null}", "a request is an object with a \"command\""},
	{"{\"command\":\"halt\"}", "no command \"halt\""},
	{"{\"command\":\"STATUS\"}", "no command \"STATUS\""},
	{"{\"command\":\"drain\",\"network\":1}", "\"network\" must be a string of at most 63 octets"},
	{"{\"command\":\"drain\",\"network\":null}", "\"network\" must be a string of at most 63 octets"},
	{"{\"command\":\"drain\",\"network\":\"\"}", "a \"network\" or \"neighbor\" has a name"},
	{"{\"command\":\"drain\",\"neighbor\":\"\"}", "a \"network\" or \"neighbor\" has a name"},
	{"{\"command\":\"force\"}", "force is for one network: it needs a \"network\""},
	{"{\"command\":\"freeze\",\"neighbor\":\"192.0.2.1\"}", "a \"neighbor\" is drained or resumed, by itself"},
	{"{\"command\":\"drain\",\"neighbor\":\"192.0.2.1\",\"network\":\"a\"}", "a \"neighbor\" is drained or resumed, by itself"},
	{"{\"command\":\"drain\",\"backstop\":1}", "\"backstop\" must be true or false"},
	{"{\"command\":\"reload\",\"withdraw\":\"a\"}", "\"withdraw\" must be a list of networks"},
	{"{\"command\":\"reload\",\"withdraw\":[\"\"]}", "\"withdraw\" must be a list of networks of at most"},
	{"{\"command\":\"reload\",\"withdraw\":[\"a\\nb\"]}", "\"withdraw\" must be a list of networks of at most"},
	{"{\"command\":\"reload\",\"withdraw\":[1]}", "\"withdraw\" must be a list of networks of at most"},
	{"{\"command\":\"cache-purge\"}", "cache-purge needs a \"name\""},
	{"{\"command\":\"cache-show\",\"name\":\"\"}", "cache-show needs a \"name\""},
	{"{\"command\":\"cache-purge\",\"name\":\"a\",\"subtree\":1}", "\"subtree\" must be true or false"},
	{"{\"command\":\"zone-history\"}", "zone-history needs a \"zone\""},
	{"{\"command\":\"zone-export\",\"serials\":[1]}", "zone-export needs a \"zone\""},
	{"{\"command\":\"zone-diff\",\"zone\":\"a\"}", "zone-diff needs a \"zone\" and \"serials\""},
	{"{\"command\":\"zone-rollback\",\"zone\":\"a\",\"serials\":[]}", "zone-rollback needs a \"zone\" and \"serials\""},
	{"{\"command\":\"zone-rollback\",\"zone\":\"a\",\"serials\":7}", "\"serials\" must be a list of at most 2 numbers"},
	{"{\"command\":\"zone-diff\",\"zone\":\"a\",\"serials\":[1,2,3]}", "\"serials\" must be a list of at most 2 numbers"},
	{"{\"command\":\"zone-diff\",\"zone\":\"a\",\"serials\":[\"1\"]}", "a serial is a number of 32 bits"},
	{"{\"command\":\"zone-diff\",\"zone\":\"a\",\"serials\":[4294967296]}", "a serial is a number of 32 bits"},
	{"{\"command\":\"zone-diff\",\"zone\":\"a\",\"serials\":[-1]}", "a serial is a number of 32 bits"},
	{"{\"command\":\"zone-show\"}", "zone-show needs a \"zone\""},
	{"{\"command\":\"zone-show\",\"zone\":\"\"}", "zone-show needs a \"zone\""},
	{"{\"command\":\"zone-show\",\"zone\":[]}", "\"zone\" must be a string of at most 1023 octets"},
	{"{\"command\":\"fault\"}", "the \"kind\" of a fault is servfail, wrong or none"},
	{"{\"command\":\"fault\",\"kind\":\"fire\"}", "the \"kind\" of a fault is servfail, wrong or none"},
	{"{\"command\":\"fault\",\"kind\":\"wrong\",\"worker\":\"2\"}", "the \"worker\" of a fault is its number"},
	{"{\"command\":\"fault\",\"kind\":\"wrong\",\"worker\":-1}", "the \"worker\" of a fault is its number"},
	{"{\"command\":\"fault\",\"kind\":\"wrong\",\"worker\":256}", "the \"worker\" of a fault is its number"},
};

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		char problem[200] = "";
		struct request r;

		if (request_parse(good[i].line, strlen(good[i].line), &r, problem, sizeof(problem)) != 0)
			fail_msg("%s: %s", good[i].line, problem);
		assert_int_equal(r.command, good[i].command);
		assert_string_equal(r.network, good[i].network);
		assert_string_equal(r.zone, good[i].zone);
		assert_int_equal(r.fault, good[i].fault);
	}
}

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char problem[200] = "";
		struct request r, before;

		memset(&r, 0x5a, sizeof(r));
		before = r;
		assert_int_equal(request_parse(bad[i].line, strlen(bad[i].line), &r, problem, sizeof(problem)), ERR_INVALID);
		if (strncmp(problem, bad[i].problem, strlen(bad[i].problem)) != 0)
			fail_msg("%s: \"%s\", expected \"%s\"", bad[i].line, problem, bad[i].problem);
		assert_memory_equal(&r, &before, sizeof(r));
	}
}

static void test_serials(void **state)
{
	static const struct {
		const char *line;
		enum command command;
		uint32_t count, serial[2];
	} cases[] = {
	        {"{\"command\":\"zone-export\",\"zone\":\"a\"}", COMMAND_ZONE_EXPORT, 0, {0}},
	        {"{\"command\":\"zone-rollback\",\"zone\":\"a\",\"serials\":[0]}", COMMAND_ZONE_ROLLBACK, 1, {0}},
	        {"{\"command\":\"zone-diff\",\"zone\":\"a\",\"serials\":[7,4294967295]}", COMMAND_ZONE_DIFF, 2, {7, UINT32_MAX}},
	        {"{\"command\":\"zone-publish\",\"zone\":\"a\"}", COMMAND_ZONE_PUBLISH, 0, {0}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct request r;
		char problem[200];

		assert_int_equal(request_parse(cases[i].line, strlen(cases[i].line), &r, problem, sizeof(problem)), 0);
		assert_int_equal(r.command, cases[i].command);
		assert_int_equal(r.serials, cases[i].count);
		assert_memory_equal(r.serial, cases[i].serial, sizeof(r.serial));
	}
}

/* Limits of names: the longest that fits, and one octet more. */
static void test_lengths(void **state)
{
	static const struct {
		const char *key;
		size_t max;
	} keys[] = {{"network", 63}, {"zone", REQUEST_NAME_MAX - 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		for (size_t len = keys[i].max; len <= keys[i].max + 1; len++) {
			char name[REQUEST_NAME_MAX + 1], line[REQUEST_NAME_MAX + 100], problem[200];
			struct request r;
			int n;

			memset(name, 'a', len);
			name[len] = '\0';
			n = snprintf(line, sizeof(line), "{\"command\":\"zone-reload\",\"%s\":\"%s\"}", keys[i].key, name);
			assert_int_equal(request_parse(line, (size_t)n, &r, problem, sizeof(problem)), len == keys[i].max ? 0 : ERR_INVALID);
		}
	}
}

/* Nesting as deep as a request can be is refused, not followed to the end of the stack. */
static void test_deep(void **state)
{
	size_t n = 65000;
	char *line = malloc(n), problem[200];
	struct request r;

	(void)state;
	assert_non_null(line);
	memset(line, '[', n);
	assert_int_equal(request_parse(line, n, &r, problem, sizeof(problem)), ERR_INVALID);
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad), cmocka_unit_test(test_lengths),
	                                   cmocka_unit_test(test_deep), cmocka_unit_test(test_serials)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
