/* SPDX-License-Identifier: BSD-2-Clause */
/* Which nodes are asked, what becomes of the board's rows when the fleet file changes, and of what nodes say. */
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
#include "watch/peers.h"

#include <sys/mman.h>
#include <unistd.h>

static const char head[] = "fleet: f\nnetworks:\n"
			   "  - {name: global, prefixes: [192.0.2.0/24], addresses: [192.0.2.53], as: 64500}\n"
			   "  - {name: eu, prefixes: [198.51.100.0/24], addresses: [198.51.100.53], as: 64500}\n"
			   "  - {name: far, prefixes: [203.0.113.0/24], addresses: [203.0.113.53], as: 64500}\n"
			   "nodes:\n";
#define HID "  - {name: hid, role: primary, management: [10.0.0.1]}\n"
#define FRA                                                                                                            \
	"  - {name: fra, role: pop, networks: [global, eu], management: [10.0.0.2, \"2001:db8::2\"], bgp: "            \
	"{router-id: 10.0.0.2}}\n"
#define AMS                                                                                                            \
	"  - {name: ams, role: pop, networks: [eu, global], management: [10.0.0.3, \"2001:db8::3\"], bgp: "            \
	"{router-id: 10.0.0.3}}\n"
#define SIN                                                                                                            \
	"  - {name: sin, role: pop, networks: [global, far], management: [10.0.0.4, 10.0.1.4], bgp: {router-id: "      \
	"10.0.0.4}}\n"
#define SYD "  - {name: syd, role: pop, networks: [far], management: [10.0.0.5], bgp: {router-id: 10.0.0.5}}\n"

static const bool both[BOARD_FAMILIES] = {true, true};

struct bed {
	struct board *board;
	struct config *config;
	struct peer list[BOARD_NODES_MAX];
	uint32_t count;
};

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	int fd;

	if (!b || board_create(&fd, &b->board) < 0)
		return -1;
	close(fd);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	config_free(b->config);
	munmap(b->board, sizeof(*b->board));
	free(b);
	return 0;
}

static void lay_out(struct bed *b, const char *nodes, const char *self, const bool reachable[BOARD_FAMILIES])
{
	char yaml[4096];
	struct diag d;

	snprintf(yaml, sizeof(yaml), "%s%s", head, nodes);
	diag_init(&d);
	config_free(b->config);
	assert_int_equal(config_parse("f.yaml", yaml, strlen(yaml), &d, &b->config), 0);
	diag_done(&d);
	assert_int_equal(peers_lay_out(&b->board->watch, b->config, config_node_find(b->config, self), reachable,
	                               b->list, &b->count),
	                 0);
	assert_int_equal(b->count, atomic_load(&b->board->watch.nodes.count));
}

/* Names of the rows, with their networks, as one text. */
static const char *rows(const struct bed *b)
{
	static char text[2048];
	size_t at = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < b->count; i++) {
		const struct board_node *n = &b->board->watch.nodes.node[i];

		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "", n->name);
		for (uint32_t k = 0; k < n->network_count; k++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%c%s", k ? ',' : ':', n->network[k].name);
	}
	return text;
}

/* Names of the PoPs of a network of this node. */
static const char *pops(const struct bed *b, uint32_t own)
{
	static char text[512];
	size_t at = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < atomic_load(&b->board->watch.peers[own].count); i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "",
		                       b->config->nodes[b->board->watch.peers[own].peer[i].node].name);
	return text;
}

static void test_who(void **state)
{
	struct bed *b = *state;

	lay_out(b, HID FRA AMS SIN SYD, "fra", both);
	assert_string_equal(rows(b), "hid ams:eu,global sin:global");
	assert_string_equal(pops(b, 0), "ams sin");
	assert_string_equal(pops(b, 1), "ams");
	assert_string_equal(pops(b, 2), "");
	lay_out(b, HID FRA AMS SIN SYD, "hid", both);
	assert_string_equal(rows(b), "fra:global,eu ams:eu,global sin:global,far syd:far");
	assert_string_equal(pops(b, 0), "");
	lay_out(b, HID FRA AMS SIN SYD, "syd", both);
	assert_string_equal(rows(b), "hid sin:far");
	assert_string_equal(pops(b, 0), "sin");
	lay_out(b, FRA, "fra", both);
	assert_int_equal(b->count, 0);
	assert_string_equal(b->board->watch.nodes.node[0].name,
	                    ""); /* what is not there any more has no name left behind */
}

static struct fleet_report say(const char *node, const char *network, unsigned announce)
{
	struct fleet_report r = {.version = "1", .uptime_s = 7, .zones = 2, .serving = 1};

	snprintf(r.node, sizeof(r.node), "%s", node);
	if (network) {
		r.count = 1;
		snprintf(r.network[0].name, BOARD_NAME_MAX, "%s", network);
		r.network[0].family[0] =
			(struct board_peer_family){(uint8_t)announce, VERDICT_SOFT, CAUSE_STALE, CAUSE_ZONES, true};
		r.network[0].data_age_ms = 77;
		r.network[0].load = 1;
		r.network[0].qps = 2;
		r.network[0].headroom = 3;
	}
	return r;
}

static void take(struct bed *b, uint32_t i, const struct fleet_report *r, const char *about, uint64_t sent_ns)
{
	static const uint8_t hash[FLEET_HASH_LEN];

	peers_take(&b->board->watch, &b->list[i], i, r, about, sent_ns, sent_ns + 5000, hash);
}

static void test_take(void **state)
{
	struct bed *b = *state;
	const struct board_peer *global, *eu;
	const struct board_node *node;
	struct fleet_report r;

	lay_out(b, HID FRA AMS SIN, "fra", both);
	node = &b->board->watch.nodes.node[1];
	global = &b->board->watch.peers[0].peer[0];
	eu = &b->board->watch.peers[1].peer[0];
	assert_int_equal(global->heard_ns, 0);
	assert_int_equal(global->headroom, UINT32_MAX);
	peers_asked(&b->board->watch, &b->list[1], 1, 0, "eu", 800);
	assert_int_equal(eu->asked_ns, 800);
	assert_int_equal(global->asked_ns, 0);
	peers_asked(&b->board->watch, &b->list[1], 1, 1, "", 900);
	assert_int_equal(eu->asked_ns, 900);
	assert_int_equal(node->asked_ns, 900);
	assert_int_equal(node->address[1].asked_ns, 900);
	assert_int_equal(global->asked_ns, 900);

	/* About one network: nothing is learned of the other. */
	r = say("ams", "global", ANNOUNCE_YES);
	take(b, 1, &r, "global", 1000);
	assert_int_equal(global->heard_ns, 1000);
	assert_int_equal(global->round_us, 5);
	assert_int_equal(global->family[0].announce, ANNOUNCE_YES);
	assert_int_equal(global->family[0].verdict, VERDICT_SOFT);
	assert_int_equal(global->family[0].causes, CAUSE_STALE);
	assert_int_equal(global->family[0].intent, CAUSE_ZONES);
	assert_true(global->family[0].answers);
	assert_int_equal(global->family[1].announce, ANNOUNCE_NONE);
	assert_int_equal(global->data_age_ms, 77);
	assert_int_equal(global->headroom, 3);
	assert_int_equal(eu->heard_ns, 0);
	assert_int_equal(node->heard_ns, 1000);
	assert_true(node->same_config);

	/* About all: what it does not name it does not have. */
	r = say("ams", "eu", ANNOUNCE_DEPREF);
	take(b, 1, &r, "", 2000);
	assert_int_equal(eu->family[0].announce, ANNOUNCE_DEPREF);
	assert_int_equal(global->heard_ns, 2000);
	assert_int_equal(global->family[0].announce, ANNOUNCE_NONE);
	assert_int_equal(global->family[0].verdict, VERDICT_UNKNOWN);

	/* Overtaken by a later one: not taken. */
	r = say("ams", "global", ANNOUNCE_YES);
	take(b, 1, &r, "global", 1999);
	assert_int_equal(global->heard_ns, 2000);
	assert_int_equal(global->family[0].announce, ANNOUNCE_NONE);
	assert_int_equal(node->heard_ns, 2000);
	/* The sequence numbers are even: nothing is torn. */
	assert_int_equal(atomic_load(&global->seq) % 2, 0);
	assert_int_equal(atomic_load(&node->seq) % 2, 0);
}

/* A reload keeps what is known of nodes, networks and addresses that stay, wherever their rows are then. */
static void test_reload(void **state)
{
	struct bed *b = *state;
	struct fleet_report r = say("sin", "global", ANNOUNCE_GSHUT);
	const struct board_node *sin;

	lay_out(b, HID FRA AMS SIN, "fra", both);
	take(b, 2, &r, "", 5000);
	b->board->watch.nodes.node[2].address[1].heard_ns = 4000;
	lay_out(b, FRA SIN HID, "fra", both);
	assert_string_equal(rows(b), "sin:global hid");
	sin = &b->board->watch.nodes.node[0];
	assert_int_equal(sin->heard_ns, 5000);
	assert_int_equal(sin->address[1].heard_ns, 4000);
	assert_string_equal(pops(b, 0), "sin");
	assert_int_equal(b->board->watch.peers[0].peer[0].heard_ns, 5000);
	assert_int_equal(b->board->watch.peers[0].peer[0].family[0].announce, ANNOUNCE_GSHUT);
	/* Gone and back: nothing is known of it. */
	lay_out(b, FRA HID, "fra", both);
	assert_string_equal(pops(b, 0), "");
	lay_out(b, FRA SIN, "fra", both);
	assert_int_equal(b->board->watch.nodes.node[0].heard_ns, 0);
	assert_int_equal(b->board->watch.peers[0].peer[0].heard_ns, 0);
	assert_int_equal(b->board->watch.peers[0].peer[0].family[0].announce, ANNOUNCE_NONE);
}

static void test_addresses(void **state)
{
	static const bool v4_only[BOARD_FAMILIES] = {true, false};
	struct bed *b = *state;
	struct board_node *n;
	struct peer *p;
	uint32_t more;

	lay_out(b, FRA AMS, "fra", v4_only);
	assert_int_equal(b->list[0].address_count, 1);
	lay_out(b, FRA AMS, "fra", both);
	p = &b->list[0];
	n = &b->board->watch.nodes.node[0];
	assert_int_equal(p->address_count, 2);
	/* In turn. */
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(peers_address(n, p, &more), i % 2);
		assert_int_equal(more, UINT32_MAX);
	}
	/* One does not answer: it keeps its turn, and the other is asked as well. */
	n->address[0].failures = 3;
	assert_int_equal(peers_address(n, p, &more), 0);
	assert_int_equal(more, 1);
	assert_int_equal(peers_address(n, p, &more), 1);
	assert_int_equal(more, UINT32_MAX);
	/* Neither does: one question at a time. */
	n->address[1].failures = 1;
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(peers_address(n, p, &more), i % 2);
		assert_int_equal(more, UINT32_MAX);
	}
}

#define MS 1000000ULL

/* What has not answered is asked twice more at once, what may be silent with it once; an answer ends that. */
static void test_again(void **state)
{
	struct bed *b = *state;
	struct board_node *n;
	struct peer *p;

	lay_out(b, FRA AMS, "fra", both);
	p = &b->list[0];
	n = &b->board->watch.nodes.node[0];
	assert_int_equal(peers_again(p, 1000 * MS), UINT32_MAX);
	peers_unanswered(n, p, 1, 1000 * MS);
	assert_int_equal(n->address[1].failures, 1);
	assert_int_equal(peers_again(p, 1000 * MS), 0);
	assert_int_equal(peers_again(p, 1000 * MS), 1);
	assert_int_equal(peers_again(p, 1249 * MS), UINT32_MAX);
	assert_int_equal(peers_again(p, 1250 * MS), 1);
	assert_int_equal(peers_again(p, 9000 * MS), UINT32_MAX);
	/* Silent: it is asked in its turn. */
	peers_unanswered(n, p, 1, 1700 * MS);
	peers_unanswered(n, p, 1, 1950 * MS);
	assert_int_equal(n->address[1].failures, BOARD_SILENT);
	assert_int_equal(peers_again(p, 9000 * MS), UINT32_MAX);
	peers_answered(n, p, 1, 10000 * MS);
	assert_int_equal(n->address[1].failures, 0);
	assert_int_equal(n->address[1].heard_ns, 10000 * MS);
	/* One that was overtaken is no later one. */
	peers_answered(n, p, 1, 9000 * MS);
	assert_int_equal(n->address[1].heard_ns, 10000 * MS);
	peers_unanswered(n, p, 0, 11000 * MS);
	assert_int_equal(peers_again(p, 11000 * MS), 0);
	peers_answered(n, p, 0, 11000 * MS);
	assert_int_equal(peers_again(p, 12000 * MS), 1);
	assert_int_equal(peers_again(p, 12000 * MS), UINT32_MAX);
}

/* More PoPs than there is room for on the board are asked, but do not count. */
static void test_many(void **state)
{
	struct bed *b = *state;
	size_t cap = 200000, at;
	char *yaml = malloc(cap);
	struct diag d;

	at = (size_t)snprintf(yaml, cap, "%s%s", head, FRA);
	for (int i = 0; i < BOARD_PEERS_MAX + 5; i++)
		at += (size_t)snprintf(yaml + at, cap - at,
		                       "  - {name: p%d, role: pop, networks: [global], management: [10.1.%d.%d], bgp: "
		                       "{router-id: 10.1.%d.%d}}\n",
		                       i, i / 200, 1 + i % 200, i / 200, 1 + i % 200);
	diag_init(&d);
	assert_int_equal(config_parse("f.yaml", yaml, at, &d, &b->config), 0);
	diag_done(&d);
	free(yaml);
	assert_int_equal(peers_lay_out(&b->board->watch, b->config, &b->config->nodes[0], both, b->list, &b->count), 0);
	assert_int_equal(b->count, BOARD_PEERS_MAX + 5);
	assert_int_equal(atomic_load(&b->board->watch.peers[0].count), BOARD_PEERS_MAX);
	assert_int_equal(b->list[BOARD_PEERS_MAX - 1].network[0].row, BOARD_PEERS_MAX - 1);
	assert_int_equal(b->list[BOARD_PEERS_MAX].network[0].row, PEERS_NO_ROW);
	for (uint32_t i = 0; i < b->count; i++) {
		struct fleet_report r = say(b->board->watch.nodes.node[i].name, "global", ANNOUNCE_YES);

		take(b, i, &r, "", i + 1);
	}
	for (uint32_t i = 0; i < BOARD_PEERS_MAX; i++)
		assert_int_equal(b->board->watch.peers[0].peer[i].heard_ns, i + 1);
	assert_int_equal(b->board->watch.nodes.node[BOARD_PEERS_MAX].heard_ns, BOARD_PEERS_MAX + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_who, setup, teardown),
		cmocka_unit_test_setup_teardown(test_take, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
