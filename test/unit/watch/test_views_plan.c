/* SPDX-License-Identifier: BSD-2-Clause */
/* What is remembered of ways to other nodes, of who answers at anycast addresses, and of what others tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "board/board.h"
#include "config/config.h"
#include "watch/views.h"

#define SECOND 1000000000ULL

static struct board_watch_views board; /* large */

static void test_pace(void **state)
{
	(void)state;
	assert_int_equal(views_pace_ms(1, false), 1000);
	assert_int_equal(views_pace_ms(16, false), 1000);
	assert_int_equal(views_pace_ms(16, true), 5000);
	assert_int_equal(views_anycast_pace_ms(1), 1000);
	assert_int_equal(views_anycast_pace_ms(128), 16000);
	/* Two addresses a node, asking and asked: 200 octets a question and answer over UDP, 900 over TCP. Bits a second. */
	for (size_t i = 0; i < 3; i++) {
		static const uint32_t addresses[] = {38, 98, 198}, most[] = {50000, 12000, 5000};
		double udp = 200 * 1000.0 / views_pace_ms(addresses[i], false),
		       tcp = 900 * 1000.0 / views_pace_ms(addresses[i], true);

		assert_true(2.0 * addresses[i] * 8 * (udp + tcp) < most[i]);
	}
	for (uint32_t n = 1; n <= 128; n++)
		assert_true(n * 1000 / views_anycast_pace_ms(n) <= 8);
	/* No number of nodes makes it turn round. */
	assert_true(views_pace_ms(BOARD_NODES_MAX * BOARD_MANAGEMENT_MAX, true) > views_pace_ms(198, true));
}

static void test_path(void **state)
{
	struct board_view_path p = {0};

	(void)state;
	assert_false(views_path_answered(&p, 800, SECOND));
	assert_int_equal(p.latency_us, 800);
	assert_false(views_path_answered(&p, 1600, 2 * SECOND));
	assert_int_equal(p.latency_us, 900);
	assert_false(views_path_failed(&p));
	assert_true(views_path_failed(&p));
	assert_false(views_path_failed(&p));
	assert_int_equal(p.failures, 3);
	assert_int_equal(p.last_ns, 2 * SECOND);
	assert_true(views_path_answered(&p, 900, 9 * SECOND));
	assert_int_equal(p.failures, 0);
	assert_int_equal(p.asked, 6);
	assert_int_equal(p.answered, 3);
	/* A single loss is nothing. */
	assert_false(views_path_failed(&p));
	assert_false(views_path_answered(&p, 900, 10 * SECOND));
}

static void test_family(void **state)
{
	/* What happened, in seconds; node NULL: no answer. */
	static const struct {
		const char *node;
		enum views_change want;
		const char *says;
		uint32_t flips, seen;
		unsigned since, seen_since;
	} rows[] = {
		{NULL, VIEWS_SAME, "", 0, OUTSIDE_UNKNOWN, 0, 0},
		{NULL, VIEWS_SILENT, "", 0, OUTSIDE_SILENT, 0, 2},
		{"fra", VIEWS_SEEN, "fra", 0, OUTSIDE_GOOD, 3, 3},
		{"fra", VIEWS_SAME, "fra", 0, OUTSIDE_GOOD, 3, 3},
		{"ams", VIEWS_MOVED, "ams", 1, OUTSIDE_GOOD, 5, 3},
		{NULL, VIEWS_SAME, "ams", 1, OUTSIDE_GOOD, 5, 3},
		{NULL, VIEWS_SILENT, "ams", 1, OUTSIDE_SILENT, 5, 5},
		{NULL, VIEWS_SAME, "ams", 1, OUTSIDE_SILENT, 5, 5},
		{"ams", VIEWS_SEEN, "ams", 1, OUTSIDE_GOOD, 5, 9},
		{NULL, VIEWS_SAME, "ams", 1, OUTSIDE_GOOD, 5, 9},
		{"fra", VIEWS_MOVED, "fra", 2, OUTSIDE_GOOD, 11, 9},
		{NULL, VIEWS_SAME, "fra", 2, OUTSIDE_GOOD, 11, 9},
		{NULL, VIEWS_SILENT, "fra", 2, OUTSIDE_SILENT, 11, 11},
		{"", VIEWS_SEEN, "", 3, OUTSIDE_GOOD, 14, 14},
	};
	struct board_view_network n = {.network = "global"};
	struct board_view_family *f = &n.family[1];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t now = (i + 1) * SECOND;

		print_message("step %u\n", i);
		assert_int_equal(rows[i].node ? views_family_answered(&n, 1, rows[i].node, "", 500, now, now)
		                              : views_family_failed(&n, 1, "no answer", now),
		                 rows[i].want);
		assert_string_equal(f->node, rows[i].says);
		assert_int_equal(f->flips, rows[i].flips);
		assert_int_equal(f->seen, rows[i].seen);
		assert_int_equal(f->since_ns, rows[i].since * SECOND);
		assert_int_equal(f->seen_since_ns, rows[i].seen_since * SECOND);
		assert_string_equal(f->why, rows[i].node ? "" : "no answer");
	}
	assert_int_equal(n.seq % 2, 0);
	assert_int_equal(n.family[0].asked_ns, 0);
}

static struct config *parse(const char *text)
{
	struct config *c;
	struct diag d;

	diag_init(&d);
	assert_int_equal(config_parse("f.yaml", text, strlen(text), &d, &c), 0);
	diag_done(&d);
	return c;
}

#define NETWORK(n, i) "  - {name: " n ", prefixes: [192.0." i ".0/24], addresses: [192.0." i ".53], as: 64500}\n"
#define NODES                                                                                                          \
	"nodes:\n  - {name: hid, role: primary, management: [10.0.0.1]}\n"                                             \
	"  - {name: fra, role: pop, networks: [one], management: [10.0.0.2], bgp: {router-id: 10.0.0.2}}\n"

static void test_lay_out(void **state)
{
	struct config *c = parse("fleet: f\nnetworks:\n" NETWORK("one", "2") NETWORK("two", "3") NODES);

	(void)state;
	memset(&board, 0, sizeof(board));
	views_lay_out(&board, c, config_node_find(c, "fra"));
	assert_string_equal(board.network[0].network, "one");
	assert_true(board.network[0].family[0].own && board.network[0].family[1].own);
	assert_string_equal(board.network[1].network, "two");
	assert_false(board.network[1].family[0].own);
	assert_string_equal(board.network[2].network, "");
	(void)views_family_answered(&board.network[1], 0, "syd", "", 5, 1, 2);
	config_free(c);
	/* In another order, with one more: what is known goes along. */
	c = parse("fleet: f\nnetworks:\n" NETWORK("three", "4") NETWORK("two", "3") NETWORK("one", "2") NODES);
	views_lay_out(&board, c, config_node_find(c, "fra"));
	assert_string_equal(board.network[1].network, "two");
	assert_string_equal(board.network[1].family[0].node, "syd");
	assert_string_equal(board.network[0].family[0].node, "");
	assert_true(board.network[2].family[0].own);
	/* As the primary it holds none, and asks all. */
	views_lay_out(&board, c, config_node_find(c, "hid"));
	for (int i = 0; i < 3; i++)
		assert_false(board.network[i].family[0].own);
	config_free(c);
	c = parse("fleet: f\nnetworks:\n" NETWORK("one", "2") NODES);
	/* A predecessor died while it wrote. */
	board_write_begin(&board.network[0].seq);
	views_lay_out(&board, c, config_node_find(c, "hid"));
	assert_int_equal(board.network[0].seq % 2, 0);
	assert_string_equal(board.network[1].network, "");
	config_free(c);
}

/* The first failure comes early from what is near; from then on, and where it is not known, all get the same time. */
static void test_timeout(void **state)
{
	(void)state;
	assert_int_equal(views_timeout_ms(0, 500), 400);
	assert_int_equal(views_timeout_ms(0, 220000), 640);
	assert_int_equal(views_timeout_ms(0, 600000), 800);
	assert_int_equal(views_timeout_ms(0, UINT32_MAX), 800);
	assert_int_equal(views_timeout_ms(1, 500), 800);
	assert_int_equal(views_timeout_ms(0, 0), 800);
}

static void test_told(void **state)
{
	struct fleet_sees s = {"global", {{"fra", OUTSIDE_GOOD, 4}, {"ams", OUTSIDE_SILENT, 100}}};
	char viewer[20];

	(void)state;
	memset(&board, 0, sizeof(board));
	assert_true(views_told_take(&board, "hid", &s, 10 * SECOND));
	assert_string_equal(board.told[0].viewer, "hid");
	assert_string_equal(board.told[0].network, "global");
	assert_int_equal(board.told[0].heard_ns, 10 * SECOND);
	assert_int_equal(board.told[0].family[0].since_ns, 6 * SECOND);
	assert_int_equal(board.told[0].family[0].state, OUTSIDE_GOOD);
	assert_int_equal(board.told[0].family[1].since_ns, 1); /* before this machine was started */
	assert_string_equal(board.told[0].family[1].node, "ams");
	/* Overtaken. */
	s.family[0].state = OUTSIDE_SILENT;
	assert_false(views_told_take(&board, "hid", &s, 9 * SECOND));
	assert_int_equal(board.told[0].family[0].state, OUTSIDE_GOOD);
	assert_true(views_told_take(&board, "hid", &s, 11 * SECOND));
	assert_int_equal(board.told[0].family[0].state, OUTSIDE_SILENT);
	assert_false(views_told_take(&board, "hid", &s, 12 * SECOND));
	assert_string_equal(board.told[1].viewer, "");
	/* All rows taken: the oldest goes. */
	for (int i = 1; i < BOARD_TOLD_VIEWS_MAX; i++) {
		snprintf(viewer, sizeof(viewer), "n%d", i);
		views_told_take(&board, viewer, &s, (20 + (uint64_t)i) * SECOND);
	}
	views_told_take(&board, "late", &s, 5 * SECOND);
	assert_string_equal(board.told[0].viewer, "hid");
	views_told_take(&board, "new", &s, 50 * SECOND);
	assert_string_equal(board.told[0].viewer, "new");
	assert_string_equal(board.told[1].viewer, "n1");
	assert_true(views_told_fresh_ms(99) > 3 * 9690);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_pace), cmocka_unit_test(test_path),
	                                   cmocka_unit_test(test_family), cmocka_unit_test(test_lay_out),
	                                   cmocka_unit_test(test_timeout), cmocka_unit_test(test_told)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
