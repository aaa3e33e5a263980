/* SPDX-License-Identifier: BSD-2-Clause */
/* The status, from a board that the test has filled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/status.h"
#include "base/attr.h"
#include "base/diag.h"

static const char yaml[] =
        "fleet: test\n"
        "networks:\n"
        "  - {name: other, prefixes: [198.51.100.0/24], addresses: [198.51.100.53], as: 64500}\n"
        "  - {name: global, prefixes: [203.0.113.0/24, \"2001:db8:53::/48\"], addresses: [203.0.113.53, \"2001:db8:53::53\"], as: 64500}\n"
        "  - {name: eu, prefixes: [192.0.2.0/24], addresses: [192.0.2.53], as: 64500}\n"
        "nodes:\n"
        "  - name: fra\n"
        "    role: pop\n"
        "    networks: [global, eu]\n"
        "    management: [10.0.0.1]\n"
        "    bgp: {router-id: 10.0.0.1, neighbors: [{address: 10.0.0.2, as: 64496}]}\n";

#define SECOND 1000000000ULL
static const uint64_t now_ns = 1000 * SECOND;

struct bed {
	struct board *board;
	struct config *config;
	struct status_facts facts;
	json_t *status;
};

static int setup(void **state)
{
	static struct bed bed;
	struct bed *b = &bed;
	struct diag diag;
	char line[400];
	int fd;

	*b = (struct bed){0};
	diag_init(&diag);
	if (board_create(&fd, &b->board) < 0)
		return -1;
	close(fd);
	if (config_parse("/test.yaml", yaml, sizeof(yaml) - 1, &diag, &b->config) < 0) {
		for (const struct diag_entry *e = diag.first; e; e = e->next)
			print_message("%s\n", diag_entry_text(e, line, sizeof(line)));
		return -1;
	}
	diag_done(&diag);
	b->facts = (struct status_facts){.board = b->board, .config = b->config, .node = config_node_find(b->config, "fra"),
	                                 .node_name = "fra", .now_ns = now_ns};
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	json_decref(b->status);
	config_free(b->config);
	munmap(b->board, sizeof(*b->board));
	return 0;
}

/* The value at a path of keys and numbers, "networks.0.checks.why". */
static const json_t *at(const json_t *o, const char *path)
{
	char key[64];

	while (*path && o) {
		size_t n = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		o = json_is_array(o) ? json_array_get(o, (size_t)strtoul(key, NULL, 10)) : json_object_get(o, key);
		path += n + (path[n] == '.');
	}
	return o;
}

static void expect_str(const struct bed *b, const char *path, const char *want)
{
	const char *got = json_string_value(at(b->status, path));

	if (!got || strcmp(got, want) != 0)
		fail_msg("%s is \"%s\", expected \"%s\"", path, got ? got : "(no string)", want);
}

static void expect_int(const struct bed *b, const char *path, json_int_t want)
{
	const json_t *got = at(b->status, path);

	if (!json_is_integer(got) || json_integer_value(got) != want)
		fail_msg("%s is %" JSON_INTEGER_FORMAT ", expected %" JSON_INTEGER_FORMAT, path, json_integer_value(got), want);
}

static void expect_bool(const struct bed *b, const char *path, bool want)
{
	const json_t *got = at(b->status, path);

	if (!json_is_boolean(got) || json_is_true(got) != want)
		fail_msg("%s is not %s", path, want ? "true" : "false");
}

static void build(struct bed *b)
{
	json_decref(b->status);
	b->status = status_json(&b->facts);
	assert_non_null(b->status);
}

static void start(struct board *b, size_t slot, int pid, uint32_t starts, uint64_t ago_s)
{
	atomic_store(&b->supervisor.procs[slot].pid, pid);
	atomic_store(&b->supervisor.procs[slot].starts, starts);
	atomic_store(&b->supervisor.procs[slot].started_ns, now_ns - ago_s * SECOND);
}

static void test_processes(void **state)
{
	struct bed *b = *state;
	struct board *o = b->board;

	atomic_store(&o->supervisor.workers, 2);
	atomic_store(&o->supervisor.started_ns, now_ns - 90 * SECOND);
	start(o, 0, 101, 1, 90);
	start(o, 1, 102, 3, 5);
	atomic_store(&o->supervisor.procs[1].last_status, 9); /* killed by signal 9 */
	start(o, 3, 103, 2, 5);
	atomic_store(&o->supervisor.procs[3].last_status, 1 << 8); /* exit 1 */
	start(o, 4, 104, 1, 90);
	start(o, 5, 0, 1, 90); /* dead, and not back */
	atomic_store(&o->supervisor.procs[5].last_status, 11);
	board_stamp_now(&o->sync.stamp, now_ns - SECOND / 50);
	build(b);
	assert_int_equal(json_array_size(at(b->status, "processes")), 5); /* route never started: not shown */
	expect_int(b, "uptime_ms", 90000);
	expect_str(b, "processes.0.role", "sync");
	expect_int(b, "processes.0.pid", 101);
	expect_int(b, "processes.0.heartbeat_ms", 20);
	expect_int(b, "processes.0.up_ms", 90000);
	expect_str(b, "processes.0.why", "running since the node started");
	expect_str(b, "processes.1.role", "watch");
	assert_true(json_is_null(at(b->status, "processes.1.heartbeat_ms")));
	expect_str(b, "processes.1.why", "running, started 3 times, the last one before ended by signal 9");
	expect_str(b, "processes.2.role", "admin");
	expect_str(b, "processes.2.why", "running, started 2 times, the last one before ended with exit status 1");
	expect_str(b, "processes.3.role", "answer");
	expect_int(b, "processes.4.index", 1);
	expect_str(b, "processes.4.why", "not running, started 1 time, the last one before ended by signal 11");
}

static void test_counters(void **state)
{
	struct bed *b = *state;
	struct board *o = b->board;

	atomic_store(&o->supervisor.workers, 2);
	for (unsigned i = 0; i < 3; i++) { /* the third is no worker of ours: not counted */
		board_add(&o->workers[i].queries[0][0], 10 + i);
		board_add(&o->workers[i].measures.types[BOARD_TYPES - 1], 4);
		board_add(&o->workers[i].cpu_ns, 7000000);
		board_add(&o->workers[i].queries[1][1], 3);
		board_add(&o->workers[i].answers, 12);
		board_add(&o->workers[i].dropped, 1);
		board_add(&o->workers[i].rcodes[2], 5);
	}
	board_stamp_now(&o->workers[1].stamp, now_ns - SECOND);
	build(b);
	expect_int(b, "queries.udp_ipv4", 21);
	expect_int(b, "queries.types.other", 8);
	expect_int(b, "queries.udp_ipv6", 0);
	expect_int(b, "queries.tcp_ipv6", 6);
	expect_int(b, "queries.answers", 24);
	expect_int(b, "queries.dropped", 2);
	expect_int(b, "queries.rcodes.2", 10);
	assert_null(at(b->status, "queries.rcodes.0"));
	assert_int_equal(json_array_size(at(b->status, "workers")), 2);
	expect_int(b, "workers.1.queries", 14);
	expect_int(b, "workers.1.heartbeat_ms", 1000);
}

static void test_network(void **state)
{
	struct bed *b = *state;
	struct board_watch_network *w = &b->board->watch.networks[0];
	struct board_route_network *r = &b->board->route.networks[0];

	board_write_begin(&w->seq);
	w->verdict = VERDICT_HARD;
	w->since_ns = now_ns - 3 * SECOND;
	snprintf(w->why, sizeof(w->why), "203.0.113.53 UDP: answered SERVFAIL for example, 2 checks in a row");
	w->checks[0][0] = (struct board_watch_check){.verdict = VERDICT_HARD, .latency_us = 120, .passes = 50, .failures = 2};
	w->checks[1][1] = (struct board_watch_check){.verdict = VERDICT_PASS, .latency_us = 220, .passes = 52};
	board_write_end(&w->seq);
	board_write_begin(&r->seq);
	r->announce = ANNOUNCE_GSHUT;
	r->since_ns = now_ns - 2 * SECOND;
	r->flaps = 4;
	snprintf(r->why, sizeof(r->why), "drained by order: \xff not text");
	board_write_end(&r->seq);
	atomic_store(&b->board->supervisor.orders[0].order, ORDER_DRAIN);
	atomic_store(&b->board->sync.networks[0].zones, 3);
	atomic_store(&b->board->sync.networks[0].ready, 2);
	build(b);
	assert_int_equal(json_array_size(at(b->status, "networks")), 2); /* of this node only */
	expect_str(b, "networks.0.name", "global");
	expect_str(b, "networks.1.name", "eu");
	expect_str(b, "networks.0.prefixes.0", "203.0.113.0/24");
	expect_str(b, "networks.0.prefixes.1", "2001:db8:53::/48");
	expect_str(b, "networks.0.addresses.0.address", "203.0.113.53");
	expect_str(b, "networks.0.addresses.1.address", "2001:db8:53::53");
	expect_str(b, "networks.0.addresses.0.udp.verdict", "hard-fail");
	expect_int(b, "networks.0.addresses.0.udp.latency_us", 120);
	expect_int(b, "networks.0.addresses.0.udp.failures", 2);
	expect_str(b, "networks.0.addresses.0.tcp.verdict", "unknown");
	expect_str(b, "networks.0.addresses.1.tcp.verdict", "pass");
	expect_str(b, "networks.0.checks.verdict", "hard-fail");
	expect_int(b, "networks.0.checks.since_ms", 3000);
	expect_str(b, "networks.0.checks.why", "203.0.113.53 UDP: answered SERVFAIL for example, 2 checks in a row");
	expect_str(b, "networks.0.decision.announce", "graceful-shutdown");
	expect_int(b, "networks.0.decision.since_ms", 2000);
	expect_int(b, "networks.0.decision.flaps", 4);
	expect_str(b, "networks.0.decision.why", "(not UTF-8)");
	expect_str(b, "networks.0.order", "drain");
	expect_int(b, "networks.0.zones", 3);
	expect_int(b, "networks.0.zones_ready", 2);
	expect_bool(b, "networks.0.torn", false);
	expect_str(b, "networks.1.order", "none");
	assert_true(json_is_null(at(b->status, "networks.1.checks.since_ms")));

	/* A writer that died in the middle: said, and nothing waits for it. */
	board_write_begin(&w->seq);
	memset(w->why, 'x', sizeof(w->why));
	build(b);
	expect_bool(b, "networks.0.torn", true);
	expect_bool(b, "networks.1.torn", false);
}

static void test_neighbors(void **state)
{
	struct bed *b = *state;
	struct board_route_neighbor *n = b->board->route.neighbor;

	build(b);
	assert_int_equal(json_array_size(at(b->status, "neighbors")), 0);
	atomic_store(&b->board->route.neighbors, 2);
	n[0].address = (struct ip_addr){.family = 4, .bytes = {10, 0, 0, 2}};
	n[0].as = 4200000000U;
	n[0].since_ns = now_ns - SECOND;
	n[0].announced = 2;
	snprintf(n[0].state_text, sizeof(n[0].state_text), "established");
	n[0].received = 7;
	snprintf(b->board->route.told[0].text, BOARD_TOLD_MAX,
	         "203.0.113.0/24 nh 10.0.0.1 path 64500 64500 med 7 communities 65535:0 64500:1 large 1:2:3 otc 64500\n"
	         "2001:db8::/32 nh 2001:db8::1,fe80::1 local-pref 0\n2001:db8:1::/48 cut off");
	b->board->route.told[0].left_out = 3;
	memset(n[0].last_error, 'e', sizeof(n[0].last_error)); /* no end */
	n[1].address = (struct ip_addr){.family = 6, .zone = 1, .bytes = {0xfe, 0x80}};
	snprintf(n[1].interface, sizeof(n[1].interface), "no-such-if0");
	memset(b->board->route.told[1].text, 'x', BOARD_TOLD_MAX); /* no end */
	memset(n[1].state_text, 's', sizeof(n[1].state_text));
	build(b);
	assert_int_equal(json_array_size(at(b->status, "neighbors")), 2);
	expect_str(b, "neighbors.0.address", "10.0.0.2");
	expect_int(b, "neighbors.0.as", 4200000000);
	expect_str(b, "neighbors.0.state", "established");
	expect_int(b, "neighbors.0.since_ms", 1000);
	expect_int(b, "neighbors.0.prefixes", 2);
	assert_int_equal(json_array_size(at(b->status, "neighbors.0.announced")), 2);
	expect_str(b, "neighbors.0.announced.0.text", "203.0.113.0/24 nh 10.0.0.1 path 64500 64500 med 7 communities 65535:0 64500:1 large 1:2:3 otc 64500");
	expect_str(b, "neighbors.0.announced.0.prefix", "203.0.113.0/24");
	expect_str(b, "neighbors.0.announced.0.next_hop", "10.0.0.1");
	assert_int_equal(json_array_size(at(b->status, "neighbors.0.announced.0.as_path")), 2);
	expect_int(b, "neighbors.0.announced.0.as_path.1", 64500);
	expect_int(b, "neighbors.0.announced.0.med", 7);
	expect_str(b, "neighbors.0.announced.0.communities.1", "64500:1");
	expect_str(b, "neighbors.0.announced.0.large_communities.0", "1:2:3");
	expect_int(b, "neighbors.0.announced.0.otc", 64500);
	expect_str(b, "neighbors.0.announced.1.next_hop", "2001:db8::1");
	expect_str(b, "neighbors.0.announced.1.link_local", "fe80::1");
	expect_int(b, "neighbors.0.announced.1.local_pref", 0);
	expect_int(b, "neighbors.0.announced_left_out", 3);
	expect_int(b, "neighbors.0.received", 7);
	assert_int_equal(json_array_size(at(b->status, "neighbors.1.announced")), 0);
	assert_int_equal(json_string_length(at(b->status, "neighbors.0.last_error")), BOARD_WHY_MAX - 1);
	expect_str(b, "neighbors.1.address", "fe80::%no-such-if0");
	atomic_store(&b->board->route.neighbors, UINT32_MAX); /* a board gone wrong */
	build(b);
	assert_true(json_array_size(at(b->status, "neighbors")) <= BOARD_NEIGHBORS_MAX);
}

static void test_standalone(void **state)
{
	struct bed *b = *state;

	build(b);
	expect_bool(b, "standalone", false);
	expect_str(b, "fleet", "test");
	assert_int_equal(json_string_length(at(b->status, "config.sha256")), 64);
	b->facts.config = NULL;
	b->facts.node = NULL;
	atomic_store(&b->board->supervisor.stopping, 1);
	board_add(&b->board->sync.zones_serving, 7);
	build(b);
	expect_bool(b, "standalone", true);
	expect_bool(b, "stopping", true);
	assert_null(at(b->status, "fleet"));
	expect_int(b, "zones.serving", 7);
	assert_int_equal(json_array_size(at(b->status, "networks")), 0);
}

/* As full as it gets, it is still made and still JSON. */
/* What another node says of its network: each cause by the name that it has everywhere. */
static void test_causes_of_peers(void **state)
{
	struct bed *b = *state;
	struct board_node *n = &b->board->watch.nodes.node[0];
	const json_t *said;

	board_write_begin(&n->seq);
	strcpy(n->name, "ams");
	n->network_count = 1;
	strcpy(n->network[0].name, "global");
	n->network[0].family[1].causes = (1U << CAUSE_COUNT | ((1U << CAUSE_COUNT) - 1)) & 0xff;
	board_write_end(&n->seq);
	atomic_store(&b->board->watch.nodes.count, 1);
	build(b);
	said = at(b->status, "peers.nodes.0.networks.0.ipv6.causes");
	assert_int_equal(json_array_size(said), CAUSE_COUNT + 1);
	for (unsigned i = 0; i < CAUSE_COUNT; i++)
		assert_string_equal(json_string_value(json_array_get(said, i)), board_cause_text(1U << i));
	assert_string_equal(json_string_value(json_array_get(said, CAUSE_COUNT)), "other");
}

static void test_full(void **state)
{
	struct bed *b = *state;
	char *text;
	json_t *again;

	atomic_store(&b->board->supervisor.workers, UINT32_MAX);
	for (size_t i = 0; i < BOARD_PROCS_MAX; i++)
		start(b->board, i, (int)i + 1, UINT32_MAX, 1);
	build(b);
	assert_int_equal(json_array_size(at(b->status, "workers")), BOARD_WORKERS_MAX);
	assert_int_equal(json_array_size(at(b->status, "processes")), BOARD_PROCS_MAX);
	text = json_dumps(b->status, JSON_COMPACT);
	assert_non_null(text);
	assert_null(strchr(text, '\n'));
	again = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_true(json_equal(again, b->status));
	json_decref(again);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_processes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_network, setup, teardown),
		cmocka_unit_test_setup_teardown(test_neighbors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_standalone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_causes_of_peers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
