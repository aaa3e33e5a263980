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
#define UDP6(s) .address = {.family = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x53}}, .tcp = false, .state = s
#define TCP6(s) .address = {.family = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x53}}, .tcp = true, .state = s

#define SOFT(causes) (VERDICT_SOFT | (unsigned)(causes) << 8)

static const struct {
	const char *name;
	struct verdict_check checks[4];
	size_t n;
	struct verdict_facts facts;
	unsigned verdict; /* with causes */
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
#define SIGNED(left, leaves) {.loaded = true, .rise = 10, .has_signatures = true, .signatures_left_s = (left), .signatures_zone = "a.test", \
	                    .signatures_alert_s = 3600, .expired_leaves = (leaves)}
	{"signatures that last", PASSING, SIGNED(3600, true), VERDICT_PASS, "all 2 checks pass: 1 address over UDP and TCP"},
	{"signatures near their end", PASSING, SIGNED(3599, true), VERDICT_SOFT, "DNSSEC signatures of a.test expire in 59m59s"},
	{"signatures at their end", PASSING, SIGNED(0, true), SOFT(CAUSE_SIGNATURES),
	 "DNSSEC signatures of a.test expired just now: validating resolvers refuse its answers"},
	{"signatures past their end", PASSING, SIGNED(-7200, true), SOFT(CAUSE_SIGNATURES),
	 "DNSSEC signatures of a.test expired 2h00m ago: validating resolvers refuse its answers"},
	{"signatures past their end, an alert only", PASSING, SIGNED(-7200, false), VERDICT_SOFT,
	 "DNSSEC signatures of a.test expired 2h00m ago: validating resolvers refuse its answers"},
	{"signatures past their end, while the checks rise",
	 {{UDP(53, HEALTH_PASS), .why = ""}, {TCP(53, HEALTH_UNKNOWN), .why = "", .run = 3, .run_passes = true}}, 2, SIGNED(-1, true), VERDICT_UNKNOWN,
	 "192.0.2.53 TCP has passed 3 of the 10 checks in a row that are needed"},
	{"signatures near their end, while a check fails",
	 {{UDP(53, HEALTH_PASS), .why = ""}, {TCP(53, HEALTH_FAIL), .why = "b", .fails = 2}}, 2, SIGNED(5, true), VERDICT_HARD,
	 "192.0.2.53 TCP: b, 2 checks in a row"},
#define FACTS(...) {.loaded = true, .rise = 10, .stale_after_ms = 300000, __VA_ARGS__}
	{"data that is young enough", PASSING, FACTS(.has_held = true, .data_age_ms = 299999), VERDICT_PASS, "all 2 checks pass: 1 address over UDP and TCP"},
	{"data that is stale", PASSING, FACTS(.has_held = true, .data_age_ms = 300000), SOFT(CAUSE_STALE),
	 "its data was last known to be current 5m00s ago, the limit is 5m00s"},
	{"nothing is held by transfer", PASSING, FACTS(.data_age_ms = 300000), VERDICT_PASS, "all 2 checks pass: 1 address over UDP and TCP"},
	{"stale, while a check fails",
	 {{UDP(53, HEALTH_FAIL), .why = "b", .fails = 2}, {TCP(53, HEALTH_PASS), .why = ""}}, 2, FACTS(.has_held = true, .data_age_ms = 300000),
	 VERDICT_HARD, "192.0.2.53 UDP: b, 2 checks in a row"},
	{"near its expiry", PASSING, FACTS(.expiry_zone = "a.test", .expiry_left_ms = 3600000), SOFT(CAUSE_EXPIRY),
	 "a.test expires in 1h00m (SOA EXPIRE), and no primary confirms it"},
	{"expired and served", PASSING, FACTS(.expiry_zone = "a.test", .expiry_left_ms = -90000), SOFT(CAUSE_EXPIRY),
	 "a.test expired 1m30s ago (SOA EXPIRE) and is served on"},
	{"zones that are on their way", PASSING, FACTS(.zones_missing = 1, .zones_missing_ms = VERDICT_ZONES_MS - 1), VERDICT_PASS,
	 "all 2 checks pass: 1 address over UDP and TCP"},
	{"a zone is missing", PASSING, FACTS(.zones_missing = 1, .zones_missing_ms = VERDICT_ZONES_MS), SOFT(CAUSE_ZONES),
	 "1 zone configured here has not been served for 10s"},
	{"a tenth of the zones is behind", PASSING, FACTS(.behind_zones = 10, .behind_of = 100, .behind_nodes = 2, .behind_ms = 65000, .behind_zone = "a.test", .behind_node = "fra"),
	 SOFT(CAUSE_BEHIND), "10 of 100 zones are older here than at 2 other pops: a.test than at fra for 1m05s"},
	{"zones are missing", PASSING, FACTS(.zones_missing = 7, .zones_missing_ms = 60000), SOFT(CAUSE_ZONES),
	 "7 zones configured here have not been served for 1m00s"},
	{"overload", PASSING, FACTS(.overload = true, .overload_why = "overloaded: answer worker 1 is at 99% of its time"), SOFT(CAUSE_OVERLOAD),
	 "overloaded: answer worker 1 is at 99% of its time"},
	{"all at once", PASSING,
	 FACTS(.has_held = true, .data_age_ms = 400000, .expiry_zone = "a.test", .expiry_left_ms = 1000, .zones_missing = 2, .zones_missing_ms = 60000,
	       .overload = true, .overload_why = "overloaded"), SOFT(CAUSE_STALE | CAUSE_EXPIRY | CAUSE_ZONES | CAUSE_OVERLOAD),
	 "its data was last known to be current 6m40s ago, the limit is 5m00s; a.test expires in 1s (SOA EXPIRE), and no primary confirms it; "
	 "2 zones configured here have not been served for 1m00s; overloaded"},
	{"an alert beside a cause", PASSING,
	 {.loaded = true, .rise = 10, .has_signatures = true, .signatures_left_s = 60, .signatures_zone = "a.test", .signatures_alert_s = 3600,
	  .overload = true, .overload_why = "overloaded"}, SOFT(CAUSE_OVERLOAD), "DNSSEC signatures of a.test expire in 1m00s; overloaded"},
	{"something is broken that the checks have not met", PASSING, FACTS(.broken = "answer worker 3 is wrong", .overload = true, .overload_why = "x"),
	 VERDICT_HARD, "answer worker 3 is wrong"},
#define DEAD(...) FACTS(.no_zones = true, .edge_zones = true, .backends = &(const struct verdict_backends){.zone = "e.test", .servers = 3, __VA_ARGS__})
	{"all zones are those of backends", PASSING, FACTS(.no_zones = true, .edge_zones = true), VERDICT_PASS,
	 "all 2 checks pass: 1 address over UDP and TCP, its zones are those of backends"},
	{"backends are dead, stale answers are given", PASSING, DEAD(.down_ms = 65000, .stale_left_ms = 3600000), SOFT(CAUSE_BACKENDS),
	 "backends of e.test: none of 3 answers for 1m05s; stale answers are given for 1h00m"},
	{"of several zones", PASSING, DEAD(.more = 2, .down_ms = 65000, .stale_left_ms = 1000), SOFT(CAUSE_BACKENDS),
	 "backends of e.test (and 2 more zones): none of 3 answers for 1m05s; stale answers are given for 1s"},
	{"backends are dead, and nothing stale is given any more", PASSING, DEAD(.down_ms = 7000, .hard = true), VERDICT_HARD,
	 "backends of e.test: none of 3 answers for 7s; no stale answers are given any more"},
	{"backends never answered a node that has begun", PASSING, DEAD(.down_ms = 7000, .never = true, .hard = true), VERDICT_HARD,
	 "backends of e.test: none of 3 has answered yet; there is nothing to answer from"},
	{"backends that came with a reload never answered", PASSING, DEAD(.more = 1, .down_ms = 7000, .never = true), SOFT(CAUSE_BACKENDS),
	 "backends of e.test (and 1 more zone): none of 3 has answered yet; there is nothing to answer from"},
	{"a check fails beside dead backends",
	 {{UDP(53, HEALTH_FAIL), .why = "b", .fails = 2}, {TCP(53, HEALTH_PASS), .why = ""}}, 2, DEAD(.down_ms = 7000, .hard = true), VERDICT_HARD,
	 "192.0.2.53 UDP: b, 2 checks in a row"},
	{"dead backends while the checks rise",
	 {{UDP(53, HEALTH_PASS), .why = ""}, {TCP(53, HEALTH_UNKNOWN), .why = "", .run = 3, .run_passes = true}}, 2, DEAD(.down_ms = 7000, .stale_left_ms = 1000), VERDICT_UNKNOWN,
	 "192.0.2.53 TCP has passed 3 of the 10 checks in a row that are needed"},
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
		struct verdict v;

		verdict_judge(rows[i].checks, rows[i].n, 0, &rows[i].facts, &v);
		if ((v.verdict | v.causes << 8) != rows[i].verdict || strcmp(v.why, rows[i].why) != 0)
			fail_msg("%s: %d %u \"%s\", expected %#x \"%s\"", rows[i].name, v.verdict, v.causes, v.why, rows[i].verdict, rows[i].why);
	}
}

static void expect(const struct verdict_check *checks, size_t n, unsigned family, enum board_verdict verdict, uint32_t total, uint32_t passing, const char *why)
{
	const struct verdict_facts facts = {.loaded = true, .rise = 10};
	struct verdict v;

	verdict_judge(checks, n, family, &facts, &v);
	assert_string_equal(v.why, why);
	assert_int_equal(v.verdict, verdict);
	assert_int_equal(v.checks, total);
	assert_int_equal(v.passing, passing);
}

/* IPv6 fails alone; and a family without addresses has nothing to say. */
static void test_families(void **state)
{
	const struct verdict_check checks[] = {{UDP(53, HEALTH_PASS), .passing = true, .why = ""}, {TCP(53, HEALTH_PASS), .why = "once"},
	                                       {UDP6(HEALTH_FAIL), .why = "no answer", .fails = 4}, {TCP6(HEALTH_UNKNOWN), .passing = true, .why = ""}};

	(void)state;
	expect(checks, 4, 4, VERDICT_PASS, 2, 1, "all 2 checks pass: 1 address over UDP and TCP");
	expect(checks, 4, 6, VERDICT_HARD, 2, 1, "2001:db8::53 UDP: no answer, 4 checks in a row");
	expect(checks, 4, 0, VERDICT_HARD, 4, 2, "2001:db8::53 UDP: no answer, 4 checks in a row");
	expect(checks, 2, 6, VERDICT_UNKNOWN, 0, 0, "the network has no service addresses to check");
	expect(checks + 3, 1, 6, VERDICT_UNKNOWN, 1, 1, "2001:db8::53 TCP has passed 0 of the 10 checks in a row that are needed");
	expect(checks + 3, 1, 4, VERDICT_UNKNOWN, 0, 0, "the network has no service addresses to check");
}

/* The longest of everything still ends inside its field. */
static void test_long(void **state)
{
	struct {
		struct verdict v;
		char guard;
	} out = {.guard = '#'};
	char reason[BOARD_WHY_MAX];
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
	verdict_judge(c, ARRAY_LEN(c), 0, &facts, &out.v);
	assert_int_equal(out.v.verdict, VERDICT_HARD);
	assert_int_equal(strlen(out.v.why), BOARD_WHY_MAX - 1);
	assert_int_equal(out.guard, '#');
	for (size_t i = 0; i < ARRAY_LEN(c); i++)
		c[i].state = HEALTH_PASS;
	verdict_judge(c, ARRAY_LEN(c), 0, &(struct verdict_facts){.loaded = true, .has_held = true, .data_age_ms = UINT64_MAX,
	              .expiry_zone = reason, .expiry_left_ms = INT64_MAX, .has_signatures = true, .signatures_zone = reason,
	              .zones_missing = UINT32_MAX, .zones_missing_ms = UINT64_MAX, .overload = true, .overload_why = reason}, &out.v);
	assert_int_equal(out.v.verdict, VERDICT_SOFT);
	assert_int_equal(out.v.causes, CAUSE_STALE | CAUSE_EXPIRY | CAUSE_ZONES | CAUSE_OVERLOAD);
	assert_int_equal(strlen(out.v.why), BOARD_WHY_MAX - 1);
	assert_int_equal(out.guard, '#');
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_families), cmocka_unit_test(test_long)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
