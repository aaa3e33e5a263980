/* SPDX-License-Identifier: BSD-2-Clause */
/* Which sets checks leave out, in a real store. */
#include "watch/steered.h"

#include "../zone/store_kit.h"
#include "config/config.h"
#include "dns/rr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t address[] = {192, 0, 2, 1}, policy[] = "\3web", target[] = "\5plain\7example";

static void add(struct content *c, const char *owner, uint16_t type, const void *rdata, size_t len)
{
	kit_add(c, kit_name(owner).wire, type, rdata, len);
}

static void test_questions(void **state)
{
	static const uint8_t *owners[] = {(const uint8_t *)"\3www\7example", (const uint8_t *)"\1*\4wild\7example"};
	static struct config_pool_endpoint end = {.name = "a",
	                                          .address = {.family = 4, .bytes = {192, 0, 2, 9}},
	                                          .weight = 1};
	static struct config_pool pool = {.name = "p", .endpoints = &end, .endpoint_count = 1, .fallback = UINT32_MAX};
	static struct config_steering by = {.name = "web", .owners = owners, .owner_count = 2, .ttl_ms = 1000};
	static const struct config config = {.pools = &pool, .pool_count = 1, .steering = &by, .steering_count = 1};
	static const struct {
		const char *name;
		uint16_t type;
		bool steered;
	} cases[] = {
		{"www.example", RR_A, true},    {"WWW.example", RR_AAAA, true},    {"www.example", RR_TXT, false},
		{"*.wild.example", RR_A, true}, {"rec.example", RR_A, true},       {"rec.example", RR_STEER, false},
		{"plain.example", RR_A, false}, {"alias.example", RR_CNAME, true}, {"other.example", RR_CNAME, false},
		{"example", RR_A, false},       {"gone.example", RR_A, false},
	};
	char *folder = kit_folder(), path[4200];
	struct name apex = kit_name("example");
	struct content *c = content_new(apex.wire);
	struct steer_table *table = NULL;
	_Atomic uint64_t pin;
	_Atomic uint64_t *pins[1] = {&pin};
	struct store_open_info info;
	struct store_reader *reader;
	struct store_snapshot s;
	struct store_writer *w;
	uint64_t generation;

	(void)state;
	kit_add_soa(c, apex.wire, 1);
	add(c, "www.example", RR_A, address, 4);
	add(c, "*.wild.example", RR_A, address, 4);
	add(c, "rec.example", RR_A, address, 4);
	add(c, "rec.example", RR_STEER, policy, 4);
	add(c, "plain.example", RR_A, address, 4);
	add(c, "alias.example", RR_CNAME, target, sizeof(target));
	add(c, "_steer.alias.example", RR_STEER, policy, 4);
	add(c, "other.example", RR_CNAME, target, sizeof(target));
	assert_int_equal(content_finish(c), 0);
	snprintf(path, sizeof(path), "%s/s", folder);
	atomic_store(&pin, STORE_UNPINNED);
	assert_int_equal(store_writer_open(path, pins, 1, &w, &info), 0);
	assert_int_equal(kit_put(w, apex.wire, c), 0);
	assert_int_equal(store_commit(w, &generation), 0);
	assert_int_equal(store_reader_open(path, &pin, &reader), 0);
	assert_int_equal(steer_table_make(&config, NULL, &table), 0);
	store_pin(reader, &s);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct question q = {.kind = QUESTION_SET, .apex = apex};

		q.wire.qname = kit_name(cases[i].name);
		q.wire.qtype = cases[i].type;
		if (steered_question(table, &s, &q) != cases[i].steered)
			fail_msg("%s %u", cases[i].name, cases[i].type);
		assert_false(steered_question(NULL, &s, &q));
		q.kind = QUESTION_SOA;
		assert_false(steered_question(table, &s, &q));
	}
	store_unpin(reader);
	steer_table_free(table);
	store_reader_close(reader);
	store_writer_close(w);
	content_free(c);
	kit_folder_free(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_questions)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
