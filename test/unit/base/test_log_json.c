/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of the log as JSON: what becomes of each form there is, and that whatever stands in a line, it is one whole JSON object. */
#include "base/log_json.h"

#include "base/attr.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "{\"time\":\"2026-11-21T18:40:00.000123Z\",\"level\":\"notice\",\"role\":\"route\",\"event\":"

static size_t make(const char *message, char *out, size_t cap)
{
	const struct log_record r = {.wall_us = 1795286400000123ULL, .level = "notice", .role = "route", .message = message};

	return log_json(&r, out, cap);
}

static void forms(void **state)
{
	static const struct {
		const char *message, *want;
	} cases[] = {
	        {"bgp peer=192.0.2.1 state=established", "\"bgp\",\"peer\":\"192.0.2.1\",\"state\":\"established\"}\n"},
	        {"network=global family=ipv4 flaps=2 why=\"checks fail: x\"", "\"network\",\"network\":\"global\",\"family\":\"ipv4\",\"flaps\":2,\"why\":\"checks fail: x\"}\n"},
	        {"bgp listen error=\"no\"", "\"bgp listen\",\"error\":\"no\"}\n"},
	        {"stopped", "\"stopped\"}\n"},
	        {"", "\"message\",\"text\":\"\"}\n"},
	        {"stop again: at once", "\"message\",\"text\":\"stop again: at once\"}\n"},
	        {"f.yaml:3:1: error: unknown key a=b", "\"message\",\"text\":\"f.yaml:3:1: error: unknown key a=b\"}\n"},
	        {"a sentence of many words n=1", "\"message\",\"text\":\"a sentence of many words n=1\"}\n"},
	        {"process=answer index=0 ended signal=9", "\"process\",\"process\":\"answer\",\"index\":0,\"signal\":9,\"text\":\"ended\"}\n"},
	        /* Numbers, and what is none. */
	        {"x a=0 b=-7 c=007 d=1.5 e=- f=999999999999999 g=9999999999999999 h=\"7\"",
	         "\"x\",\"a\":0,\"b\":-7,\"c\":\"007\",\"d\":\"1.5\",\"e\":\"-\",\"f\":999999999999999,\"g\":\"9999999999999999\",\"h\":\"7\"}\n"},
	        {"x network=7 zone=10 held=true old=false said=\"true\"", "\"x\",\"network\":\"7\",\"zone\":\"10\",\"held\":true,\"old\":false,\"said\":\"true\"}\n"},
	        /* Quotes within quotes; values without end; empty ones. */
	        {"x why=\"the zone \"a\" is bad\" file=/f", "\"x\",\"why\":\"the zone \\\"a\\\" is bad\",\"file\":\"/f\"}\n"},
	        {"x why=\"it says \"no\"", "\"x\",\"why\":\"it says \\\"no\"}\n"},
	        {"x why=\"no end", "\"x\",\"why\":\"no end\"}\n"},
	        {"x why=\"one\" two three", "\"x\",\"why\":\"one\",\"text\":\"two three\"}\n"},
	        {"x a= b=\"\" c=\"", "\"x\",\"a\":\"\",\"b\":\"\",\"c\":\"\"}\n"},
	        {"x path=C:\\dir peers=\"fra:announced/pass/320ms ams:unseen\"", "\"x\",\"path\":\"C:\\\\dir\",\"peers\":\"fra:announced/pass/320ms ams:unseen\"}\n"},
	        /* Keys that come twice, and those that are ours. */
	        {"hook=/bin/x event=announce status=0 status=1 role=a", "\"hook\",\"hook\":\"/bin/x\",\"event_2\":\"announce\",\"status\":0,\"status_2\":1,\"role_2\":\"a\"}\n"},
	        {"x  a=1   b=2 ", "\"x\",\"a\":1,\"b\":2}\n"},
	        {"x run-dir=/run =3 9=4", "\"x\",\"run-dir\":\"/run\",\"text\":\"=3 9=4\"}\n"},
	        /* Octets. */
	        {"x a=m\xc3\xbcller b=\xfc c=\"\xe2\x82\xac\" d=\xe2\x82 e=\xed\xa0\x80",
	         "\"x\",\"a\":\"m\xc3\xbcller\",\"b\":\"\xef\xbf\xbd\",\"c\":\"\xe2\x82\xac\",\"d\":\"\xef\xbf\xbd\xef\xbf\xbd\",\"e\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}\n"},
	        {"x a=\x01\x7f", "\"x\",\"a\":\"\\u0001\\u007f\"}\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[LOG_JSON_MAX], want[1000];

		snprintf(want, sizeof(want), "%s%s", HEAD, cases[i].want);
		assert_int_equal(make(cases[i].message, out, sizeof(out)), strlen(want));
		assert_string_equal(out, want);
	}
}

static void is_object(const char *message, size_t cap)
{
	char out[LOG_JSON_MAX];
	size_t len = make(message, out, cap);
	json_error_t why;
	json_t *o;

	assert_true(len < cap && out[len - 1] == '\n' && !memchr(out, '\n', len - 1));
	o = json_loadb(out, len, JSON_REJECT_DUPLICATES, &why);
	if (!o)
		fail_msg("%s: %s", why.text, out);
	assert_true(json_is_string(json_object_get(o, "time")) && json_is_string(json_object_get(o, "event")));
	json_decref(o);
}

/* Made of the pieces that matter, with octets of all kinds between; into room that is too small, too. */
static void whatever_comes(void **state)
{
	static const char *const pieces[] = {" ", "=", "\"", "\\", "a=", "why=\"", "\" b=", "true", "-", "12", "\xc3", "\xbc", "\xed\xa0\x80", "\xf4\x90", "word", "event=", ":", "network=7", "_"};
	unsigned seed = 20261121;

	(void)state;
	for (int round = 0; round < 50000; round++) {
		char message[2048];
		size_t len = 0, most = (size_t)(rand_r(&seed) % 60);

		for (size_t i = 0; i < most; i++) {
			const char *p = pieces[(size_t)rand_r(&seed) % ARRAY_LEN(pieces)];
			char one[2] = {(char)(1 + rand_r(&seed) % 255), '\0'};

			if (rand_r(&seed) % 8 == 0)
				p = one;
			memcpy(message + len, p, strlen(p));
			len += strlen(p);
		}
		message[len] = '\0';
		is_object(message, LOG_JSON_MAX);
		is_object(message, LOG_JSON_MIN);
	}
}

static void long_lines(void **state)
{
	static const char fill[] = {'x', '"', '\xff', '\\', '='};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fill); i++)
		for (size_t from = 0; from < 40; from++) {
			char message[2049] = "x a=1 b=\"c\" word";

			memset(message + from, fill[i], sizeof(message) - 1 - from);
			message[sizeof(message) - 1] = '\0';
			is_object(message, LOG_JSON_MAX);
			is_object(message, LOG_JSON_MIN);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(forms), cmocka_unit_test(whatever_comes), cmocka_unit_test(long_lines)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
