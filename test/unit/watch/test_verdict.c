/* SPDX-License-Identifier: BSD-2-Clause */
/* From states of checks to the verdict of a network and its sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "watch/verdict.h"

#define UDP(a, s) .address = {.family = 4, .bytes = {192, 0, 2, a}}, .tcp = false, .state = s
#define TCP(a, s) .address = {.family = 4, .bytes = {192, 0, 2, a}}, .tcp = true, .state = s

static const struct {
	const char *name;
	struct verdict_check checks[4];
	size_t n;
	struct verdict_facts facts;
	enum board_verdict verdict;
	const char *why;
} rows[] = {
	{"all pass",
	 {{UDP(53, HEALTH_PASS), .why = ""}, {TCP(53, HEALTH_PASS), .why = ""}}, 2, {.loaded = true, .rise = 10},
	 VERDICT_PASS, "all 2 checks pass: 1 address over UDP and TCP"},
	{"all pass, no zones",
	 {{UDP(53, HEALTH_PASS), .why = ""}, {TCP(53, HEALTH_PASS), .why = ""}, {UDP(54, HEALTH_PASS), .why = ""}, {TCP(54, HEALTH_PASS), .why = ""}},
	 4, {.loaded = true, .no_zones = true, .rise = 10},
	 VERDICT_PASS, "all 4 checks pass: 2 addresses over UDP and TCP, no zones to ask for"},
#define PASSING {{UDP(53, HEALTH_PASS), .why = ""}, {TCP(53, HEALTH_PASS), .why = ""}}, 2
#define SIGNED(left, hard) {.loaded = true, .rise = 10, .has_signatures = true, .signatures_left_s = (left), .signatures_zone = "a.test", \
	                    .signatures_alert_s = 3600, .expired_is_hard = (hard)}
	{"signatures that last", PASSING, SIGNED(3600, true), VERDICT_PASS, "all 2 checks pass: 1 address over UDP and TCP"},
	{"signatures near their end", PASSING, SIGNED(3599, true), VERDICT_SOFT, "DNSSEC signatures of a.test expire in 59m59s"},
	{"signatures at their end", PASSING, SIGNED(0, true), VERDICT_HARD,
	 "DNSSEC signatures of a.test expired just now: validating resolvers refuse its answers"},
	{"signatures past their end", PASSING, SIGNED(-7200, true), VERDICT_HARD,
	 "DNSSEC signatures of a.test expired 2h00m ago: validating resolvers refuse its answers"},
	{"signatures past their end, an alert only", PASSING, SIGNED(-7200, false), VERDICT_SOFT,
	 "DNSSEC signatures of a.test expired 2h00m ago: validating resolvers refuse its answers"},
	{"signatures past their end, while the checks rise",
	 {{UDP(53, HEALTH_PASS), .why = ""}, {TCP(53, HEALTH_UNKNOWN), .why = "", .run = 3, .run_passes = true}}, 2, SIGNED(-1, true), VERDICT_HARD,
	 "DNSSEC signatures of a.test expired 1s ago: validating resolvers refuse its answers"},
	{"signatures near their end, while a check fails",
	 {{UDP(53, HEALTH_PASS), .why = ""}, {TCP(53, HEALTH_FAIL), .why = "b", .fails = 2}}, 2, SIGNED(5, true), VERDICT_HARD,
	 "192.0.2.53 TCP: b, 2 checks in a row"},
	{"an old failure does not matter",
	 {{UDP(53, HEALTH_PASS), .why = "answered SERVFAIL for example", .run = 1}, {TCP(53, HEALTH_PASS), .why = ""}}, 2,
	 {.loaded = true, .rise = 10}, VERDICT_PASS, "all 2 checks pass: 1 address over UDP and TCP"},
	{"one fails",
	 {{UDP(53, HEALTH_FAIL), .why = "answered SERVFAIL for example", .fails = 2}, {TCP(53, HEALTH_PASS), .why = ""}}, 2,
	 {.loaded = true, .rise = 10}, VERDICT_HARD, "192.0.2.53 UDP: answered SERVFAIL for example, 2 checks in a row"},
	{"one failure is enough where fall is 1",
	 {{UDP(53, HEALTH_PASS), .why = ""}, {TCP(53, HEALTH_FAIL), .why = "no answer within 200 ms for example", .fails = 1}}, 2,
	 {.loaded = true, .rise = 10}, VERDICT_HARD, "192.0.2.53 TCP: no answer within 200 ms for example, 1 check in a row"},
	{"the longest failing of several",
	 {{UDP(53, HEALTH_FAIL), .why = "a", .fails = 2}, {TCP(53, HEALTH_FAIL), .why = "b", .fails = 9}, {UDP(54, HEALTH_UNKNOWN), .why = ""},
	  {TCP(54, HEALTH_PASS), .why = ""}}, 4,
	 {.loaded = true, .rise = 10}, VERDICT_HARD, "192.0.2.53 TCP: b, 9 checks in a row; 2 of 4 checks fail"},
	{"failing, but on the way back",
	 {{UDP(53, HEALTH_FAIL), .why = "a", .fails = 3, .run = 4, .run_passes = true}, {TCP(53, HEALTH_PASS), .why = ""}}, 2,
	 {.loaded = true, .rise = 10}, VERDICT_HARD, "192.0.2.53 UDP: a, 3 checks in a row; since then 4 of 10 passes"},
	{"rising",
	 {{UDP(53, HEALTH_PASS), .why = ""}, {TCP(53, HEALTH_UNKNOWN), .why = "", .run = 3, .run_passes = true}}, 2,
	 {.loaded = true, .rise = 10}, VERDICT_UNKNOWN, "192.0.2.53 TCP has passed 3 of the 10 checks in a row that are needed"},
	{"unknown, with a failure",
	 {{UDP(53, HEALTH_UNKNOWN), .why = "AA missing for example", .run = 1, .run_passes = false}, {TCP(53, HEALTH_PASS), .why = ""}}, 2,
	 {.loaded = true, .rise = 10}, VERDICT_UNKNOWN, "192.0.2.53 UDP: AA missing for example, 1 of the failures in a row that count"},
	{"could not ask",
	 {{UDP(53, HEALTH_UNKNOWN), .why = ""}, {TCP(53, HEALTH_UNKNOWN), .why = "", .idle = true}}, 2,
	 {.loaded = true, .rise = 10}, VERDICT_UNKNOWN, "192.0.2.53 TCP: no result for seconds, this node could not ask"},
	{"before the first load even a failure says nothing",
	 {{UDP(53, HEALTH_FAIL), .why = "a", .fails = 2}, {TCP(53, HEALTH_PASS), .why = ""}}, 2, {.loaded = false, .rise = 10},
	 VERDICT_UNKNOWN, "the zones are being loaded for the first time, checks begin after that"},
	{"no addresses", {{.why = ""}}, 0, {.loaded = true, .rise = 10}, VERDICT_UNKNOWN, "the network has no service addresses to check"},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char why[BOARD_WHY_MAX];
		enum board_verdict v = verdict_judge(rows[i].checks, rows[i].n, &rows[i].facts, why);

		if (v != rows[i].verdict || strcmp(why, rows[i].why) != 0)
			fail_msg("%s: %d \"%s\", expected %d \"%s\"", rows[i].name, v, why, rows[i].verdict, rows[i].why);
	}
}

/* The longest of everything still ends inside its field. */
static void test_long(void **state)
{
	char reason[BOARD_WHY_MAX], why[BOARD_WHY_MAX + 1];
	struct verdict_check c[4];
	const struct verdict_facts facts = {.loaded = true, .rise = UINT16_MAX};

	(void)state;
	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		c[i] = (struct verdict_check){.tcp = i & 1, .state = HEALTH_FAIL, .run = UINT16_MAX, .run_passes = true,
		                              .fails = UINT64_MAX, .why = reason};
		c[i].address.family = 6;
		memset(c[i].address.bytes, 0xfe, sizeof(c[i].address.bytes));
	}
	why[BOARD_WHY_MAX] = '#';
	assert_int_equal(verdict_judge(c, ARRAY_LEN(c), &facts, why), VERDICT_HARD);
	assert_int_equal(strlen(why), BOARD_WHY_MAX - 1);
	assert_int_equal(why[BOARD_WHY_MAX], '#');
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_long)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
