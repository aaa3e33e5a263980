/* SPDX-License-Identifier: BSD-2-Clause */
/* How a network looks from outside: what is made of what others tell, and of queries that stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "watch/outside.h"

#define SECOND 1000000000ULL

struct row {
	const char *name;
	bool not_announced, just_now, fell;
	struct outside_viewer viewer[5]; /* since_ns in seconds */
	enum board_outside want;
	uint64_t since; /* seconds */
	const char *say[3];
};

static const struct row rows[] = {
	{"nobody tells anything", .want = OUTSIDE_UNKNOWN, .say = {"no node outside"}},
	{"not announced", .not_announced = true, .viewer = {{"hid", OUTSIDE_SILENT, "fra", 50}},
         .want = OUTSIDE_UNKNOWN, .say = {"does not announce"}},
	{"announced just now", .just_now = true, .viewer = {{"hid", OUTSIDE_SILENT, "fra", 50}},
         .want = OUTSIDE_UNKNOWN, .say = {"just now"}},
	{"answered by this node", .viewer = {{"hid", OUTSIDE_GOOD, "fra", 50}}, .want = OUTSIDE_GOOD, .since = 50,
         .say = {"answered at hid"}},
	{"answered by another", .viewer = {{"hid", OUTSIDE_GOOD, "ams", 50}}, .want = OUTSIDE_GOOD, .since = 50,
         .say = {"answered at hid"}},
	{"a client of this node is lost", .viewer = {{"hid", OUTSIDE_SILENT, "fra", 50}}, .want = OUTSIDE_FILTERED,
         .since = 50, .say = {"hid, answered by this node before", "IPv6"}},
	{"it is lost, others are well elsewhere",
         .viewer = {{"syd", OUTSIDE_GOOD, "ams", 10}, {"hid", OUTSIDE_SILENT, "fra", 50}}, .want = OUTSIDE_FILTERED,
         .since = 50, .say = {"hid, answered by this node before"}},
	{"a client of another is lost, and that is all there are", .viewer = {{"hid", OUTSIDE_SILENT, "ams", 50}},
         .want = OUTSIDE_SILENT, .since = 50, .say = {"nobody outside gets an answer", "hid"}},
	{"one that never was answered", .viewer = {{"hid", OUTSIDE_SILENT, "", 50}}, .want = OUTSIDE_SILENT,
         .since = 50, .say = {"nobody outside"}},
	{"healthy here, failing there",
         .viewer = {{"hid", OUTSIDE_GOOD, "fra", 50}, {"hkg", OUTSIDE_SILENT, "ams", 60}}, .want = OUTSIDE_GOOD,
         .since = 50, .say = {"answered at hid", "not at hkg"}},
	{"two lost, the first counts",
         .viewer = {{"hid", OUTSIDE_SILENT, "fra", 70}, {"syd", OUTSIDE_SILENT, "fra", 60}}, .want = OUTSIDE_FILTERED,
         .since = 60, .say = {"hid, syd"}},
	{"more than can be named",
         .viewer = {{"a1", OUTSIDE_SILENT, "fra", 70},
                    {"a2", OUTSIDE_SILENT, "fra", 71},
                    {"a3", OUTSIDE_SILENT, "fra", 72},
                    {"a4", OUTSIDE_SILENT, "fra", 73},
                    {"a5", OUTSIDE_SILENT, "fra", 74}},
         .want = OUTSIDE_FILTERED, .since = 70, .say = {"a1, a2, a3 and 2 more"}},
	{"queries have stopped", .fell = true, .want = OUTSIDE_FILTERED, .since = 80,
         .say = {"only 3 of 2000 queries a second", "filtered"}},
	{"they have, and a client is lost", .fell = true, .viewer = {{"hid", OUTSIDE_SILENT, "fra", 90}},
         .want = OUTSIDE_FILTERED, .since = 80, .say = {"hid, answered by this node", "3 of 2000 queries"}},
};

static void test_judge(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct outside_traffic traffic = {.fell = r->fell, .usual = 2000, .rate = 3, .low_ns = 80 * SECOND};
		struct outside_input in = {.self = "fra",
		                           .family = 6,
		                           .announced = !r->not_announced,
		                           .now_ns = 100 * SECOND,
		                           .traffic = &traffic};
		char why[BOARD_WHY_MAX];
		uint64_t since_ns = 7;

		print_message("%s\n", r->name);
		in.announced_ns = r->just_now ? 98 * SECOND : SECOND;
		while (in.viewers < ARRAY_LEN(r->viewer) && r->viewer[in.viewers].name) {
			in.viewer[in.viewers] = r->viewer[in.viewers];
			in.viewer[in.viewers++].since_ns *= SECOND;
		}
		assert_int_equal(outside_judge(&in, &since_ns, why), r->want);
		assert_int_equal(since_ns, r->since * SECOND);
		for (size_t k = 0; k < ARRAY_LEN(r->say) && r->say[k]; k++)
			if (!strstr(why, r->say[k]))
				fail_msg("\"%s\" does not say \"%s\"", why, r->say[k]);
	}
}

/* The longest names there can be, and more viewers than there is room for, stay within the sentence. */
static void test_long(void **state)
{
	char name[BOARD_NAME_MAX], why[BOARD_WHY_MAX];
	struct outside_traffic traffic = {.fell = true, .usual = UINT32_MAX, .rate = UINT32_MAX, .low_ns = SECOND};
	struct outside_input in = {.self = name,
	                           .family = 4,
	                           .announced = true,
	                           .now_ns = 100 * SECOND,
	                           .traffic = &traffic,
	                           .viewers = OUTSIDE_VIEWERS_MAX};
	uint64_t since_ns;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (size_t i = 0; i < OUTSIDE_VIEWERS_MAX; i++)
		in.viewer[i] = (struct outside_viewer){name, OUTSIDE_SILENT, name, 5 * SECOND};
	assert_int_equal(outside_judge(&in, &since_ns, why), OUTSIDE_FILTERED);
	assert_non_null(memchr(why, '\0', sizeof(why)));
	assert_int_equal(since_ns, SECOND);
}

/* A script of queries a second. */
struct span {
	unsigned seconds, rate;
	enum { GOOD, OUT /* not announced */, FELL /* at its end */ } is;
};
static const struct {
	const char *name;
	struct span span[6];
} scripts[] = {
	{"steady", {{600, 500, GOOD}}},
	{"it stops", {{60, 500, GOOD}, {2, 0, GOOD}, {2, 0, FELL}, {100, 0, FELL}}},
	{"it stops and comes back", {{60, 500, GOOD}, {10, 0, FELL}, {1, 500, GOOD}, {60, 500, GOOD}, {10, 0, FELL}}},
	{"a trickle is no coming back", {{60, 500, GOOD}, {10, 10, FELL}, {10, 60, FELL}, {5, 200, GOOD}}},
	{"half of it stops", {{60, 500, GOOD}, {30, 250, GOOD}}},
	{"a pause", {{60, 500, GOOD}, {2, 0, GOOD}, {30, 500, GOOD}}},
	{"too few to tell", {{60, 50, GOOD}, {60, 0, GOOD}}},
	{"it was not there for long enough", {{5, 500, GOOD}, {30, 0, GOOD}}},
	{"a burst that ends", {{60, 30, GOOD}, {8, 9000, GOOD}, {60, 30, GOOD}}},
	{"a long one that ends where it began", {{60, 300, GOOD}, {60, 9000, GOOD}, {60, 300, GOOD}}},
	{"it fades", {{30, 1000, GOOD}, {60, 400, GOOD}, {60, 150, GOOD}, {60, 60, GOOD}, {60, 30, GOOD}}},
	{"it is withdrawn", {{60, 500, GOOD}, {30, 0, OUT}, {3, 0, GOOD}, {30, 500, GOOD}}},
	{"for very long", {{60, 500, GOOD}, {590, 0, FELL}, {20, 0, GOOD}}},
};

static void test_traffic(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		struct outside_traffic t = {0};
		uint64_t now = 1000 * SECOND, count = 77;

		print_message("%s\n", scripts[i].name);
		outside_traffic_step(&t, count, true, now);
		for (size_t k = 0; k < ARRAY_LEN(scripts[i].span) && scripts[i].span[k].seconds; k++) {
			const struct span *s = &scripts[i].span[k];

			for (unsigned n = 0; n < s->seconds; n++) {
				now += SECOND;
				count += s->rate;
				outside_traffic_step(&t, count, s->is != OUT, now);
			}
			if (t.fell != (s->is == FELL))
				fail_msg("after part %zu: usual %u", k, t.usual);
		}
	}
}

/* Counters that begin anew, and a process that was stopped, are nobody's silence. */
static void test_strange_times(void **state)
{
	struct outside_traffic t = {0};
	uint64_t now = 1000 * SECOND, count = 1000000;

	(void)state;
	for (int n = 0; n < 30; n++)
		outside_traffic_step(&t, count += 500, true, now += SECOND);
	assert_int_equal(t.rate, 500);
	outside_traffic_step(&t, count = 3, true, now += SECOND);
	assert_false(t.fell);
	for (int n = 0; n < 5; n++)
		outside_traffic_step(&t, count, true, now += SECOND);
	assert_false(t.fell);
	for (int n = 0; n < 30; n++)
		outside_traffic_step(&t, count += 500, true, now += SECOND);
	outside_traffic_step(&t, count, true, now += 60 * SECOND);
	assert_false(t.fell);
	/* Asked again at once: nothing is concluded from a millisecond. */
	outside_traffic_step(&t, count, true, now += SECOND / 1000);
	assert_false(t.fell);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_judge), cmocka_unit_test(test_long),
	                                   cmocka_unit_test(test_traffic), cmocka_unit_test(test_strange_times)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
