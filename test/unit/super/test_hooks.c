/* SPDX-License-Identifier: BSD-2-Clause */
/* Hooks: which changes on the board are events, and how their programs are run: in order, one of a hook at a time, in bounds. With real programs of the system. */
#include "base/clock.h"
#include "super/hooks.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { SEEN_MAX = 40, PATIENCE_MS = 30000 };

static const char fleet[] =
    "fleet: f\n"
    "networks: [{name: a, prefixes: [192.0.2.0/24, \"2001:db8:53::/48\"], addresses: [192.0.2.53], as: 64500},\n"
    "  {name: b, prefixes: [198.51.100.0/24], addresses: [198.51.100.53], as: 64500}]\n"
    "nodes: [{name: n, role: pop, networks: [a, b], management: [10.1.1.1], bgp: {router-id: 10.1.1.1, neighbors: [{address: 10.0.0.1, as: 1}]}}]\n";

struct kit {
	struct board *board;
	struct plan plan;
	char folder[64];
};

static void kit_config(struct kit *k, const char *more)
{
	char yaml[4000];
	struct diag d;
	char line[1000];

	snprintf(yaml, sizeof(yaml), "%s%s", fleet, more);
	diag_init(&d);
	if (config_parse("/etc/f.yaml", yaml, strlen(yaml), &d, &k->plan.config) < 0)
		fail_msg("%s", d.first ? diag_entry_text(d.first, line, sizeof(line)) : "?");
	diag_done(&d);
	k->plan.node = config_node_find(k->plan.config, "n");
	k->plan.uid = k->plan.gid = UINT32_MAX;
	snprintf(k->plan.node_name, sizeof(k->plan.node_name), "n");
}

static void kit_open(struct kit *k)
{
	int fd;

	memset(k, 0, sizeof(*k));
	assert_int_equal(board_create(&fd, &k->board), 0);
	close(fd);
	snprintf(k->folder, sizeof(k->folder), "/tmp/zonecast-hooks-XXXXXX");
	assert_non_null(mkdtemp(k->folder));
}

static void kit_close(struct kit *k)
{
	char path[100];

	config_free(k->plan.config);
	munmap(k->board, sizeof(*k->board));
	snprintf(path, sizeof(path), "%s/out", k->folder);
	unlink(path);
	rmdir(k->folder);
}

static void announce(struct kit *k, size_t network, uint32_t announce, const char *why)
{
	struct board_route_network *n = &k->board->route.networks[network];

	board_write_begin(&n->seq);
	n->announce = announce;
	snprintf(n->why, sizeof(n->why), "%s", why);
	board_write_end(&n->seq);
}

static void announce_family(struct kit *k, size_t network, unsigned f, uint32_t announce)
{
	struct board_route_network *n = &k->board->route.networks[network];

	board_write_begin(&n->seq);
	n->family[f].announce = announce;
	n->family[f].since_ns = 1;
	board_write_end(&n->seq);
}

static void neighbor(struct kit *k, uint32_t i, const char *address, const char *state)
{
	struct board_route_neighbor *n = &k->board->route.neighbor[i];

	board_write_begin(&n->seq);
	assert_int_equal(addr_parse(address, &n->address), 0);
	n->as = 1;
	snprintf(n->state_text, sizeof(n->state_text), "%s", state);
	snprintf(n->last_error, sizeof(n->last_error), "as it was");
	board_write_end(&n->seq);
	atomic_store(&k->board->route.neighbors, i + 1);
}

/* ---- events ---- */

struct seen {
	char line[SEEN_MAX][500];
	size_t count;
};

static void note(void *ctx, const struct event *e)
{
	struct seen *s = ctx;

	assert_true(s->count < SEEN_MAX);
	snprintf(s->line[s->count++], sizeof(s->line[0]), "%d %s%s %s %s->%s %s", e->what, e->network, e->neighbor, e->family, e->old, e->now, e->why);
}

static void expect(struct kit *k, struct events *ev, bool gone, const char *const want[])
{
	struct seen s = {.count = 0};
	size_t n = 0;

	events_look(ev, k->board, k->plan.config, k->plan.node, gone, note, &s);
	for (; want[n]; n++) {
		if (n >= s.count)
			fail_msg("not seen: %s", want[n]);
		assert_string_equal(s.line[n], want[n]);
	}
	if (s.count > n)
		fail_msg("too much: %s", s.line[n]);
}

#define EXPECT(gone, ...) expect(&k, &ev, gone, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void what_is_an_event(void **state)
{
	static struct events ev;
	struct kit k;

	(void)state;
	kit_open(&k);
	kit_config(&k, "");
	events_set(&ev, k.plan.config, k.plan.node);
	EXPECT(false);
	announce(&k, 0, ANNOUNCE_YES, "good");
	EXPECT(false, "0 a both withdrawn->announced good");
	EXPECT(false);
	announce(&k, 0, ANNOUNCE_GSHUT, "bye");
	announce(&k, 1, ANNOUNCE_YES, "x");
	EXPECT(false, "3 a both announced->graceful-shutdown bye", "0 b both withdrawn->announced x");
	announce(&k, 0, ANNOUNCE_DEPREF, "meh");
	EXPECT(false, "2 a both graceful-shutdown->de-preferred meh");
	announce(&k, 0, ANNOUNCE_NONE, "");
	EXPECT(false, "1 a both de-preferred->withdrawn ");
	k.board->watch.networks[1].verdict = VERDICT_HARD;
	EXPECT(false, "6 b both unknown->hard-fail ");
	/* Neighbors: by address, wherever they stand. */
	neighbor(&k, 0, "10.0.0.1", "established");
	neighbor(&k, 1, "2001:db8::1", "connect");
	EXPECT(false, "4 10.0.0.1 ipv4 down->established ");
	neighbor(&k, 0, "2001:db8::1", "established");
	neighbor(&k, 1, "10.0.0.1", "established");
	EXPECT(false, "4 2001:db8::1 ipv6 down->established ");
	neighbor(&k, 1, "10.0.0.1", "idle");
	EXPECT(false, "5 10.0.0.1 ipv4 established->idle as it was");
	atomic_store(&k.board->route.neighbors, 0);
	EXPECT(false, "5 2001:db8::1 ipv6 established->removed removed or changed by a reload");
	/* The route process is gone. */
	EXPECT(true, "1 b both announced->withdrawn the route process is not running: its sessions are closed");
	EXPECT(false, "0 b both withdrawn->announced x");
	/* Families, once they are told apart: those that the network has. */
	announce_family(&k, 0, 1, ANNOUNCE_YES);
	EXPECT(false, "0 a ipv6 withdrawn->announced ");
	announce_family(&k, 0, 0, ANNOUNCE_YES);
	EXPECT(false, "0 a ipv4 withdrawn->announced ");
	announce_family(&k, 1, 0, ANNOUNCE_YES);
	announce_family(&k, 1, 1, ANNOUNCE_YES);
	EXPECT(false);
	/* A group that is being written is looked at later. */
	board_write_begin(&k.board->route.networks[0].seq);
	k.board->route.networks[0].family[0].announce = ANNOUNCE_NONE;
	EXPECT(false);
	board_write_end(&k.board->route.networks[0].seq);
	EXPECT(false, "1 a ipv4 announced->withdrawn ");
	kit_close(&k);
}

/* ---- programs ---- */

static void turn(struct hooks *h, struct kit *k)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		hooks_ended(h, pid, status);
	hooks_tick(h, &k->plan, clock_ms());
}

static void until_idle(struct hooks *h, struct kit *k)
{
	uint64_t end = clock_ms() + PATIENCE_MS;

	do {
		turn(h, k);
		poll(NULL, 0, 1);
		assert_true(clock_ms() < end);
	} while (!hooks_idle(h));
}

static void all_ended(void)
{
	uint64_t end = clock_ms() + PATIENCE_MS;

	while (waitpid(-1, NULL, WNOHANG) >= 0) {
		assert_true(clock_ms() < end);
		poll(NULL, 0, 1);
	}
}

static void out_is(struct kit *k, const char *want)
{
	char path[100], text[20000] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/out", k->folder);
	f = fopen(path, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(text, want);
}

static void hook(struct kit *k, const char *on, const char *script, const char *timeout)
{
	char more[1000];

	snprintf(more, sizeof(more), "hooks:\n  - {on: [%s], exec: [/bin/sh, \"-c\", \"%s\", sh, %s/out], timeout: %s}\n", on, script, k->folder, timeout);
	kit_config(k, more);
}

static void in_order_one_at_a_time(void **state)
{
	struct hooks *h;
	struct kit k;

	(void)state;
	kit_open(&k);
	h = hooks_new(k.board);
	hook(&k, "announce, withdraw", "echo begin $ZONECAST_EVENT $ZONECAST_NETWORK $ZONECAST_OLD $ZONECAST_NEW >> $1; sleep 0.05; echo end >> $1", "20s");
	hooks_set(h, &k.plan);
	turn(h, &k);
	for (int i = 0; i < 3; i++) {
		announce(&k, 0, i % 2 ? ANNOUNCE_NONE : ANNOUNCE_YES, "");
		turn(h, &k);
	}
	announce(&k, 0, ANNOUNCE_GSHUT, ""); /* nobody asked for it */
	until_idle(h, &k);
	out_is(&k, "begin announce a withdrawn announced\nend\nbegin withdraw a announced withdrawn\nend\nbegin announce a withdrawn announced\nend\n");
	assert_int_equal(board_get(&k.board->supervisor.hooks.run), 3);
	assert_int_equal(board_get(&k.board->supervisor.hooks.failed), 0);
	hooks_free(h);
	kit_close(&k);
}

static void what_it_is_given(void **state)
{
	struct hooks *h;
	struct kit k;

	(void)state;
	kit_open(&k);
	setenv("ZONECAST_TEST_SECRET", "x", 1);
	h = hooks_new(k.board);
	hook(&k, "withdraw", "env | grep -v -e TIME= -e PWD= -e SHLVL= -e _= | sort > $1; pwd >> $1; ls /proc/self/fd | wc -l >> $1; cat >> $1", "20s");
	hooks_set(h, &k.plan);
	announce(&k, 1, ANNOUNCE_YES, "");
	turn(h, &k);
	announce(&k, 1, ANNOUNCE_NONE, "of a \"neighbor\"\n\x1b[31m $(reboot)");
	until_idle(h, &k);
	out_is(&k, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nZONECAST_EVENT=withdraw\nZONECAST_FAMILY=both\nZONECAST_FLEET=f\nZONECAST_NETWORK=b\n"
	           "ZONECAST_NEW=withdrawn\nZONECAST_NODE=n\nZONECAST_OLD=announced\nZONECAST_WHY=of a \"neighbor\"  [31m $(reboot)\n/\n4\n");
	unsetenv("ZONECAST_TEST_SECRET");
	hooks_free(h);
	kit_close(&k);
}

static void what_goes_wrong(void **state)
{
	struct board_hooks *b;
	struct hooks *h;
	struct kit k;

	(void)state;
	kit_open(&k);
	b = &k.board->supervisor.hooks;
	kit_config(&k, "hooks:\n  - {on: [announce], exec: [/nonexistent/program]}\n  - {on: [announce], exec: [/bin/false]}\n"
	               "  - {on: [announce], exec: [/bin/sh, \"-c\", \"sleep 600 & sleep 600\"], timeout: 200ms}\n"
	               "  - {on: [announce], exec: [/bin/sh, \"-c\", \"head -c 3000000 /dev/zero\"], timeout: 20s}\n  - {on: [withdraw], exec: [/bin/false]}\n");
	h = hooks_new(k.board);
	hooks_set(h, &k.plan);
	announce(&k, 0, ANNOUNCE_YES, "");
	until_idle(h, &k);
	assert_int_equal(board_get(&b->run), 4);
	assert_int_equal(board_get(&b->failed), 3);
	assert_int_equal(board_get(&b->killed), 1);
	assert_int_equal(board_get(&b->dropped), 0);
	hooks_free(h);
	kit_close(&k);
}

static void more_than_there_is_room_for(void **state)
{
	struct board_hooks *b;
	struct hooks *h;
	struct kit k;

	(void)state;
	kit_open(&k);
	b = &k.board->supervisor.hooks;
	hook(&k, "announce, withdraw", "sleep 600", "600s");
	h = hooks_new(k.board);
	hooks_set(h, &k.plan);
	for (int i = 0; i < 400; i++) {
		announce(&k, 0, i % 2 ? ANNOUNCE_NONE : ANNOUNCE_YES, "");
		turn(h, &k);
	}
	assert_int_equal(board_get(&b->run), 1);
	assert_int_equal(atomic_load(&b->running), 1);
	assert_int_equal(atomic_load(&b->queued), 256);
	assert_int_equal(board_get(&b->dropped), 400 - 256 - 1);
	hooks_free(h); /* and kills what runs */
	all_ended();
	kit_close(&k);
}

/* A program that was started a moment ago, and has not come to a session of its own, is killed as well. */
static void ends_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		struct hooks *h;
		struct kit k;

		kit_open(&k);
		hook(&k, "announce", "sleep 600", "600s");
		h = hooks_new(k.board);
		hooks_set(h, &k.plan);
		announce(&k, 0, ANNOUNCE_YES, "");
		turn(h, &k);
		hooks_free(h);
		all_ended();
		kit_close(&k);
	}
}

/* A reload that brings the first hooks: what there is already is no event. */
static void hooks_that_come_later(void **state)
{
	struct config *old;
	struct hooks *h;
	struct kit k;
	uint64_t end;

	(void)state;
	kit_open(&k);
	kit_config(&k, "");
	h = hooks_new(k.board);
	hooks_set(h, &k.plan);
	announce(&k, 0, ANNOUNCE_YES, "");
	turn(h, &k);
	old = k.plan.config;
	hook(&k, "announce, withdraw", "echo $ZONECAST_EVENT >> $1", "20s");
	hooks_set(h, &k.plan);
	config_free(old);
	for (end = clock_ms() + 700; clock_ms() < end; poll(NULL, 0, 5)) /* the board may lag behind a reload for half a second */
		turn(h, &k);
	turn(h, &k); /* at least one look after that, however busy the machine is */
	assert_int_equal(board_get(&k.board->supervisor.hooks.run), 0);
	announce(&k, 0, ANNOUNCE_NONE, "");
	until_idle(h, &k);
	out_is(&k, "withdraw\n");
	hooks_free(h);
	kit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_an_event), cmocka_unit_test(in_order_one_at_a_time), cmocka_unit_test(what_it_is_given),
	                                   cmocka_unit_test(what_goes_wrong), cmocka_unit_test(more_than_there_is_room_for), cmocka_unit_test(ends_at_once),
	                                   cmocka_unit_test(hooks_that_come_later)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
