/* SPDX-License-Identifier: BSD-2-Clause */
/* What is put into the kernel: which answers may be kept at all, and which questions are worth it. */
#include "answer/hot.c"

#include "config/config.h"
#include "engine_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* Answers that change with anything but their own zone, or with the case of the question, are never kept. */
static void test_keepable(void **state)
{
	static const struct kit_zone zones[] = {
		{"example", "$TTL 60\n@ SOA ns host 1 2 3 4 600\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\nalias CNAME www\nfar CNAME www.other.\n"
			    "out CNAME www.nowhere.\nold DNAME new\nsub NS ns.sub\nsub DS 1 13 2 "
			    "0000000000000000000000000000000000000000000000000000000000000000\nns.sub A 192.0.2.3\n*.wild A 192.0.2.4\nloop CNAME loop\n",
		 false, 0},
		{"other", "$TTL 60\n@ SOA ns host 1 2 3 4 600\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.5\n", false, 0},
		{"silent", NULL, false, 0},
	};
	static const struct {
		const char *name, *type;
		bool keep;
	} rows[] = {
		{"www.example.", "A", true}, {"WWW.example.", "A", true}, {"www.example.", "TXT", true}, {"nx.example.", "A", true},
		{"alias.example.", "A", true}, {"x.wild.example.", "A", true}, {"sub.example.", "A", true}, {"a.sub.example.", "A", true},
		{"far.example.", "A", false}, {"out.example.", "A", false}, {"far.example.", "CNAME", true}, {"a.old.example.", "A", false},
		{"old.example.", "DNAME", true}, {"sub.example.", "DS", false}, {"example.", "DS", false}, {"loop.example.", "A", true},
		{"a.silent.", "A", false}, {"nowhere.", "A", false}, {"www.example.", "AXFR", false},
	};
	struct engine_result r;
	uint8_t query[512];

	(void)state;
	kit_open(zones, ARRAY_LEN(zones));
	for (unsigned flags = 0; flags < 3; flags++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			size_t len = kit_query(rows[i].name, rows[i].type, flags == 2 ? KIT_DO : flags ? KIT_EDNS : 0, 1232, query, sizeof(query));

			kit_ask(query, len, ENGINE_UDP, 4096, &r);
			if (r.keepable != rows[i].keep)
				fail_msg("%s %s: %d", rows[i].name, rows[i].type, r.keepable);
			if (r.keepable)
				assert_non_null(r.zone);
		}
	kit_close();
}

static void test_filters_keep_nothing(void **state)
{
	static const struct kit_zone zone = {"example", "$TTL 60\n@ SOA ns host 1 2 3 4 600\n@ NS ns\nns A 192.0.2.1\n", false, 0};
	static const struct config_filter filter = {.action = CONFIG_FILTER_DROP, .name = (const uint8_t *)"\x05other"};
	struct filter_set *filters;
	struct engine_result r;
	uint8_t query[512];
	size_t len;

	(void)state;
	kit_open(&zone, 1);
	len = kit_query("ns.example.", "A", 0, 0, query, sizeof(query));
	kit_ask(query, len, ENGINE_UDP, 4096, &r);
	assert_true(r.keepable);
	assert_int_equal(filter_set_make(&filter, 1, &filters), 0);
	kit_conf.filters = filters;
	kit_ask(query, len, ENGINE_UDP, 4096, &r);
	assert_false(r.keepable);
	kit_conf.filters = NULL;
	filter_set_free(filters);
	kit_close();
}

static uint64_t next(uint64_t *seed)
{
	*seed += 0x9e3779b97f4a7c15ULL;
	return hash_checksum(seed, sizeof(*seed), 1);
}

/* A hundred names asked often within a flood of names asked once: the former are found, of the latter none. */
static void test_floods_are_not_hot(void **state)
{
	static struct hot h;
	uint64_t seed = 7, names[100], found[100] = {0}, strangers = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		names[i] = next(&seed);
	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < 100; i++)
			found[i] += count(&h, names[i]);
		for (unsigned i = 0; i < 10000; i++)
			strangers += count(&h, next(&seed));
	}
	for (unsigned i = 0; i < 100; i++)
		assert_in_range(found[i], 20, 200);
	assert_int_equal(strangers, 0);
}

/* After a change a name that was hot is wanted at its next question. */
static void test_hot_names_stay_hot(void **state)
{
	static struct hot h;
	unsigned n = 0;

	(void)state;
	while (!count(&h, 42))
		n++;
	assert_int_equal(n, HOT_WORTH - 1);
	for (unsigned i = 0; i < 10; i++)
		assert_true(count(&h, 42));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keepable),
		cmocka_unit_test(test_filters_keep_nothing),
		cmocka_unit_test(test_floods_are_not_hot),
		cmocka_unit_test(test_hot_names_stay_hot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
