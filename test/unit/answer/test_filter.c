/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters: what matches, which of several wins, many of them, and what the engine makes of each action. */
#include "answer/filter.h"
#include "engine_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct config *config_of(const char *filters)
{
	static char yaml[1 << 20];
	struct config *c = NULL;
	struct diag d;

	snprintf(yaml, sizeof(yaml), "fleet: f\nnodes: [{name: a, role: primary}]\nanswer:\n  filters:\n%s", filters);
	diag_init(&d);
	assert_int_equal(config_parse("f.yaml", yaml, strlen(yaml), &d, &c), 0);
	diag_done(&d);
	return c;
}

static enum filter_action judge(const struct filter_set *s, const char *name, const char *type, const char *client)
{
	uint8_t query[300];
	struct ip_addr a;
	struct query q;
	size_t len = kit_query(name, type, 0, 0, query, sizeof(query));

	assert_int_equal(query_parse(query, len, &q), QUERY_OK);
	assert_int_equal(addr_parse(client, &a), 0);
	return filter_judge(s, &q, &a);
}

static void test_rows(void **state)
{
	static const char filters[] =
		"    - {name: good.bad.example, action: truncate}\n"
		"    - {name: bad.example, types: [A, AAAA], action: drop}\n"
		"    - {name: Bad.Example, action: refuse}\n"
		"    - {types: [ANY], action: truncate}\n"
		"    - {clients: [198.51.100.0/24, \"2001:db8:bad::/48\"], types: [TXT], action: drop}\n"
		"    - {name: any.example, action: refuse}\n";
	static const struct {
		const char *name, *type, *client;
		enum filter_action want;
	} rows[] = {
		{"bad.example.", "A", "192.0.2.1", FILTER_DROP},       {"x.y.BAD.example.", "AAAA", "2001:db8::1", FILTER_DROP},
		{"bad.example.", "MX", "192.0.2.1", FILTER_REFUSE},    {"notbad.example.", "A", "192.0.2.1", FILTER_PASS},
		{"example.", "A", "192.0.2.1", FILTER_PASS},           {".", "A", "192.0.2.1", FILTER_PASS},
		{"good.bad.example.", "A", "192.0.2.1", FILTER_TRUNCATE}, {"a.good.bad.example.", "MX", "192.0.2.1", FILTER_TRUNCATE},
		{"other.test.", "ANY", "192.0.2.1", FILTER_TRUNCATE},  {"any.example.", "ANY", "192.0.2.1", FILTER_TRUNCATE},
		{"any.example.", "A", "192.0.2.1", FILTER_REFUSE},     {"bad.example.", "ANY", "192.0.2.1", FILTER_REFUSE},
		{"other.test.", "TXT", "198.51.100.7", FILTER_DROP},   {"other.test.", "TXT", "198.51.101.7", FILTER_PASS},
		{"other.test.", "TXT", "2001:db8:bad::7", FILTER_DROP}, {"other.test.", "A", "2001:db8:bad::7", FILTER_PASS},
	};
	struct config *c = config_of(filters);
	struct filter_set *s;

	(void)state;
	assert_int_equal(filter_set_make(c->answer.filters, c->answer.filter_count, &s), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum filter_action got = judge(s, rows[i].name, rows[i].type, rows[i].client);

		if (got != rows[i].want)
			fail_msg("%s %s from %s: %d", rows[i].name, rows[i].type, rows[i].client, got);
		assert_int_equal(judge(NULL, rows[i].name, rows[i].type, rows[i].client), FILTER_PASS);
	}
	filter_set_free(s);
	config_free(c);
	assert_int_equal(filter_set_make(NULL, 0, &s), 0);
	assert_null(s);
}

static void test_many(void **state)
{
	enum { MANY = 10000 };
	static char text[MANY * 60];
	struct config *c;
	struct filter_set *s;
	size_t at = 0;

	(void)state;
	for (int i = 0; i < MANY; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "    - {name: n%d.example, action: %s}\n", i, i % 2 ? "drop" : "refuse");
	c = config_of(text);
	assert_int_equal(filter_set_make(c->answer.filters, c->answer.filter_count, &s), 0);
	for (int i = 0; i < MANY + 10; i++) {
		char name[64];

		snprintf(name, sizeof(name), "a.n%d.example.", i);
		assert_int_equal(judge(s, name, "A", "192.0.2.1"), i >= MANY ? FILTER_PASS : i % 2 ? FILTER_DROP : FILTER_REFUSE);
	}
	filter_set_free(s);
	config_free(c);
}

static void test_engine(void **state)
{
	static const struct kit_zone zones[] = {{"t", "$TTL 300\n@ SOA ns host 1 2 3 4 60\n@ NS ns\nns A 192.0.2.1\n", false, 1}};
	struct config *c = config_of("    - {name: d.t, action: drop}\n    - {name: r.t, action: refuse}\n    - {types: [NS], action: truncate}\n");
	struct filter_set *s;
	struct engine_result r;
	uint8_t query[300];
	size_t len;

	(void)state;
	kit_open(zones, 1);
	assert_int_equal(filter_set_make(c->answer.filters, c->answer.filter_count, &s), 0);
	kit_conf.filters = s;
	len = kit_query("x.d.t.", "A", 0, 0, query, sizeof(query));
	kit_ask(query, len, ENGINE_UDP, 512, &r);
	assert_int_equal(r.len, 0);
	assert_int_equal(r.filtered, FILTER_DROP);
	len = kit_query("r.t.", "A", KIT_EDNS, 1232, query, sizeof(query));
	kit_ask(query, len, ENGINE_TCP, 512, &r);
	assert_string_equal(kit_text(&r), "REFUSED |  |  | ");
	assert_int_equal(get_u16(kit_out + r.len - 2), 18); /* Prohibited */
	len = kit_query("t.", "NS", 0, 0, query, sizeof(query));
	kit_ask(query, len, ENGINE_UDP, 512, &r);
	assert_string_equal(kit_text(&r), "NOERROR TC |  |  | ");
	kit_ask(query, len, ENGINE_TCP, 512, &r);
	assert_string_equal(kit_text(&r), "NOERROR AA | t. NS |  | ns.t. A");
	kit_expect("t.", "SOA", 0, "NOERROR AA | t. SOA |  | ");
	filter_set_free(s);
	config_free(c);
	kit_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_many), cmocka_unit_test(test_engine)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
