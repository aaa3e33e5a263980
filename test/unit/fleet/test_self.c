/* SPDX-License-Identifier: BSD-2-Clause */
/* What a node says of itself, off a board that others wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/diag.h"
#include "board/board.h"
#include "config/config.h"
#include "fleet/self.h"

#include <sys/mman.h>
#include <unistd.h>

static const char yaml[] =
	"fleet: f\ngeneration: 42\nnetworks:\n"
	"  - {name: global, prefixes: [192.0.2.0/24], addresses: [192.0.2.53], as: 64500}\n"
	"  - {name: eu, prefixes: [198.51.100.0/24], addresses: [198.51.100.53], as: 64500}\n"
	"nodes: [{name: fra, role: pop, networks: [eu, global], management: [10.0.0.2], bgp: {router-id: 10.0.0.2}}]\n";

enum { ROUTE_SLOT = 2, SECOND = 1000000000 };

struct row {
	const char *name;
	struct board_watch_network watch;
	struct board_route_network route;
	bool route_gone, route_starting;
	struct board_peer_family want[BOARD_FAMILIES];
	uint32_t headroom;
};

static const struct row table[] = {
	{"nothing known", .headroom = UINT32_MAX},
	{"each family by itself",
         .watch = {.verdict = VERDICT_HARD,
                   .since_ns = 1,
                   .headroom = 9,
                   .family = {{.verdict = VERDICT_SOFT, .causes = CAUSE_STALE, .checks = 2, .passing = 1},
                              {.verdict = VERDICT_HARD, .checks = 2}}},
         .route = {.announce = ANNOUNCE_NONE,
                   .family = {{.announce = ANNOUNCE_DEPREF, .intent = CAUSE_STALE, .since_ns = 1},
                              {.announce = ANNOUNCE_NONE, .since_ns = 1}}},
         .want = {{ANNOUNCE_DEPREF, VERDICT_SOFT, CAUSE_STALE, CAUSE_STALE, true},
                  {ANNOUNCE_NONE, VERDICT_HARD, 0, 0, false}},
         .headroom = 9},
	{"both as the network", .watch = {.verdict = VERDICT_PASS}, .route = {.announce = ANNOUNCE_YES},
         .want = {{ANNOUNCE_YES, VERDICT_PASS, 0, 0, true}, {ANNOUNCE_YES, VERDICT_PASS, 0, 0, true}},
         .headroom = UINT32_MAX},
	{"hard without more, nothing to spare", .watch = {.verdict = VERDICT_HARD, .since_ns = 1},
         .route = {.announce = ANNOUNCE_YES},
         .want = {{ANNOUNCE_YES, VERDICT_HARD, 0, 0, false}, {ANNOUNCE_YES, VERDICT_HARD, 0, 0, false}}, .headroom = 0},
	{"route has gone", .watch = {.verdict = VERDICT_PASS}, .route = {.announce = ANNOUNCE_YES}, .route_gone = true,
         .want = {{ANNOUNCE_NONE, VERDICT_PASS, 0, 0, true}, {ANNOUNCE_NONE, VERDICT_PASS, 0, 0, true}},
         .headroom = UINT32_MAX},
	{"route is new and has not stamped", .watch = {.verdict = VERDICT_PASS}, .route = {.announce = ANNOUNCE_YES},
         .route_starting = true,
         .want = {{ANNOUNCE_NONE, VERDICT_PASS, 0, 0, true}, {ANNOUNCE_NONE, VERDICT_PASS, 0, 0, true}},
         .headroom = UINT32_MAX},
};

static void test_families(void **state)
{
	struct config *config;
	struct board *board;
	struct diag d;
	int fd;

	(void)state;
	diag_init(&d);
	assert_int_equal(config_parse("f.yaml", yaml, sizeof(yaml) - 1, &d, &config), 0);
	assert_int_equal(board_create(&fd, &board), 0);
	close(fd);
	atomic_store(&board->supervisor.started_ns, 1);
	atomic_store(&board->sync.zones_configured, 5);
	atomic_store(&board->sync.zones_serving, 4);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		static struct fleet_report r;
		struct board_process *p = &board->supervisor.procs[ROUTE_SLOT];

		print_message("%s\n", table[i].name);
		atomic_store(&p->pid, table[i].route_gone ? 0 : 7);
		atomic_store(&p->started_ns, 10);
		atomic_store(&board->route.stamp, table[i].route_starting ? 9 : 11);
		board->watch.networks[1] = table[i].watch;
		board->route.networks[1] = table[i].route;
		self_report(board, config, &config->nodes[0], "", 5ULL * SECOND, &r);
		assert_string_equal(r.node, "fra");
		assert_int_equal(r.uptime_s, 4);
		assert_int_equal(r.generation, 42);
		assert_int_equal(r.zones, 5);
		assert_int_equal(r.serving, 4);
		assert_memory_equal(r.config, config->hash, FLEET_HASH_LEN);
		assert_int_equal(r.networks, 2);
		assert_int_equal(r.count, 2);
		assert_string_equal(r.network[1].name, "global");
		for (int f = 0; f < BOARD_FAMILIES; f++)
			assert_memory_equal(&r.network[1].family[f], &table[i].want[f], sizeof(table[i].want[f]));
		assert_int_equal(r.network[1].headroom, table[i].headroom);
		self_report(board, config, &config->nodes[0], "global", 5ULL * SECOND, &r);
		assert_int_equal(r.count, 1);
		assert_string_equal(r.network[0].name, "global");
		assert_int_equal(r.networks, 2);
		self_report(board, config, &config->nodes[0], "none", 5ULL * SECOND, &r);
		assert_int_equal(r.count, 0);
	}
	munmap(board, sizeof(*board));
	config_free(config);
	diag_done(&d);
}

/* Networks that it asks from outside: not those that it never asked, or whose answers have no name. */
static void test_sees(void **state)
{
	static struct fleet_report r;
	struct config *config;
	struct board *board;
	struct diag d;
	int fd;

	(void)state;
	diag_init(&d);
	assert_int_equal(config_parse("f.yaml", yaml, sizeof(yaml) - 1, &d, &config), 0);
	assert_int_equal(board_create(&fd, &board), 0);
	close(fd);
	board->watch.views.network[0] = (struct board_view_network){.network = "global", .family = {{.own = true}, {.own = true}}};
	board->watch.views.network[1] = (struct board_view_network){
		.network = "eu",
		.family = {{.node = "ams", .since_ns = 3ULL * SECOND, .seen = OUTSIDE_GOOD, .seen_since_ns = 1},
	                   {.node = "sin", .since_ns = 1, .seen = OUTSIDE_SILENT, .seen_since_ns = 4ULL * SECOND}}};
	board->watch.views.network[2] = (struct board_view_network){.network = "us", .family = {{.seen = OUTSIDE_GOOD}}};
	for (unsigned s = 5; s < 80; s++) {
		bool first = false;

		self_report(board, config, &config->nodes[0], "", (uint64_t)s * SECOND, &r);
		assert_int_equal(r.sees_count, 2);
		first = strcmp(r.sees[0].network, "eu") == 0;
		assert_string_equal(r.sees[!first].network, "eu");
		assert_string_equal(r.sees[!first].family[0].node, "ams");
		assert_int_equal(r.sees[!first].family[0].since_s, s - 3);
		assert_int_equal(r.sees[!first].family[1].state, OUTSIDE_SILENT);
		assert_int_equal(r.sees[!first].family[1].since_s, s - 4);
		assert_int_equal(r.sees[first].family[0].state, OUTSIDE_UNKNOWN);
	}
	self_report(board, config, &config->nodes[0], "eu", 5ULL * SECOND, &r);
	assert_int_equal(r.sees_count, 1);
	self_report(board, config, &config->nodes[0], "global", 5ULL * SECOND, &r);
	assert_int_equal(r.sees_count, 0);
	munmap(board, sizeof(*board));
	config_free(config);
	diag_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_families), cmocka_unit_test(test_sees)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
