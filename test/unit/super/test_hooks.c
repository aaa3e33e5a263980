/* SPDX-License-Identifier: BSD-2-Clause */
/* Hooks: which events they are run for, and how their programs are run: in order, one of a hook at a time, in bounds. With real programs of the system. And what the supervisor writes
 * of a route process that is gone. */
#include "base/clock.h"
#include "super/events.h"
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

enum { PATIENCE_MS = 30000 };

static const char fleet[] =
    "fleet: f\n"
    "networks: [{name: a, prefixes: [192.0.2.0/24, \"2001:db8:53::/48\"], addresses: [192.0.2.53], as: 64500},\n"
    "  {name: b, prefixes: [198.51.100.0/24], addresses: [198.51.100.53], as: 64500}]\n"
    "nodes: [{name: n, role: pop, networks: [a, b], management: [10.1.1.1], bgp: {router-id: 10.1.1.1, neighbors: [{address: 10.0.0.1, as: 1}]}}]\n";

struct kit {
	struct board *board;
	struct plan plan;
	char folder[64];
	enum board_announce announced[2];
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

/* As route writes it. */
static void announce(struct kit *k, size_t network, enum board_announce now, const char *why)
{
	static const enum board_event_kind kinds[] = {EVENT_WITHDRAW, EVENT_ANNOUNCE, EVENT_GSHUT, EVENT_DE_PREFER};
	struct board_event e = {.kind = (uint8_t)kinds[now], .level = EVENT_WARN};

	snprintf(e.network, sizeof(e.network), "%s", network ? "b" : "a");
	snprintf(e.old, sizeof(e.old), "%s", board_announce_text(k->announced[network]));
	snprintf(e.now, sizeof(e.now), "%s", board_announce_text(now));
	snprintf(e.why, sizeof(e.why), "%s", why);
	k->announced[network] = now;
	board_event_add(&k->board->route.events, &e);
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
	/* Between two looks: none of them lasted until the next one. */
	for (int i = 0; i < 3; i++)
		announce(&k, 0, i % 2 ? ANNOUNCE_NONE : ANNOUNCE_YES, "");
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
	out_is(&k, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nZONECAST_EVENT=withdraw\nZONECAST_FAMILY=both\nZONECAST_FLEET=f\nZONECAST_LEVEL=warn\nZONECAST_NETWORK=b\n"
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
	turn(h, &k);
	assert_int_equal(board_get(&k.board->supervisor.hooks.run), 0);
	announce(&k, 0, ANNOUNCE_NONE, "");
	until_idle(h, &k);
	out_is(&k, "withdraw\n");
	hooks_free(h);
	kit_close(&k);
}

/* Every kind of event has its word in the fleet file, and what it is about gets to the program. */
static void every_kind(void **state)
{
	(void)state;
	for (enum board_event_kind kind = 0; kind < EVENT_KINDS; kind++) {
		bool neighbor = kind == EVENT_NEIGHBOR_UP || kind == EVENT_NEIGHBOR_DOWN || kind == EVENT_BFD || kind == EVENT_MAX_PREFIXES;
		struct board_event e = {.kind = (uint8_t)kind, .level = EVENT_ALERT, .family = 6, .subject = "10.0.0.1", .why = "x"};
		char want[200];
		struct hooks *h;
		struct kit k;

		kit_open(&k);
		hook(&k, board_event_kind_text(kind), "echo $ZONECAST_EVENT $ZONECAST_SUBJECT $ZONECAST_FAMILY $ZONECAST_LEVEL $ZONECAST_NEIGHBOR_AS >> $1", "20s");
		h = hooks_new(k.board);
		hooks_set(h, &k.plan);
		for (int other = 0; other < EVENT_KINDS; other++) {
			e.kind = (uint8_t)other;
			board_event_add(&k.board->watch.events, &e);
		}
		until_idle(h, &k);
		snprintf(want, sizeof(want), "%s 10.0.0.1 ipv6 alert%s\n", board_event_kind_text(kind), neighbor ? " 1" : "");
		out_is(&k, want);
		hooks_free(h);
		kit_close(&k);
	}
}

/* More than a ring holds, between two looks. */
static void events_that_are_lost(void **state)
{
	struct hooks *h;
	struct kit k;

	(void)state;
	kit_open(&k);
	hook(&k, "verdict", "true", "20s");
	h = hooks_new(k.board);
	hooks_set(h, &k.plan);
	for (int i = 0; i < EVENT_RING + 44; i++)
		announce(&k, 0, ANNOUNCE_YES, "");
	turn(h, &k);
	assert_int_equal(board_get(&k.board->supervisor.hooks.dropped), 45);
	turn(h, &k);
	assert_int_equal(board_get(&k.board->supervisor.hooks.dropped), 45);
	assert_int_equal(board_get(&k.board->supervisor.hooks.run), 0);
	hooks_free(h);
	kit_close(&k);
}

/* The route process was killed, in the middle of a group even: what it announced is withdrawn, once. */
static void route_is_gone(void **state)
{
	static const struct {
		uint8_t kind, family;
		const char *network, *subject, *old;
	} want[] = {
	        {EVENT_WITHDRAW, 4, "a", "", "announced"},        {EVENT_WITHDRAW, 6, "a", "", "de-preferred"},     {EVENT_BACKSTOP, 0, "a", "backstop", "announced"},
	        {EVENT_WITHDRAW, 4, "b", "", "graceful-shutdown"}, {EVENT_NEIGHBOR_DOWN, 4, "", "10.0.0.1", "established"},
	};
	uint64_t last = 0, lost = 0;
	struct board_route *r;
	struct board_event e;
	struct kit k;

	(void)state;
	kit_open(&k);
	kit_config(&k, "");
	r = &k.board->route;
	board_write_begin(&r->networks[0].seq);
	r->networks[0].family[0].announce = ANNOUNCE_YES;
	r->networks[0].family[1].announce = ANNOUNCE_DEPREF;
	r->networks[0].backstop = ANNOUNCE_YES;
	r->networks[1].family[0].announce = ANNOUNCE_GSHUT;
	atomic_store(&r->neighbors, 2);
	assert_int_equal(addr_parse("10.0.0.1", &r->neighbor[0].address), 0);
	assert_int_equal(addr_parse("10.0.0.2", &r->neighbor[1].address), 0);
	snprintf(r->neighbor[0].state_text, sizeof(r->neighbor[0].state_text), "established");
	snprintf(r->neighbor[1].state_text, sizeof(r->neighbor[1].state_text), "connect");
	super_event_route_gone(k.board, k.plan.config, k.plan.node);
	super_event_route_gone(k.board, k.plan.config, k.plan.node); /* its successor has died before it came to anything */
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(board_event_next(&k.board->supervisor.events, &last, &lost, &e));
		assert_int_equal(e.kind, want[i].kind);
		assert_int_equal(e.family, want[i].family);
		assert_string_equal(e.network, want[i].network);
		assert_string_equal(e.subject, want[i].subject);
		assert_string_equal(e.old, want[i].old);
		assert_string_equal(e.why, "the route process is not running: its sessions are closed");
	}
	assert_false(board_event_next(&k.board->supervisor.events, &last, &lost, &e));
	kit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind), cmocka_unit_test(events_that_are_lost), cmocka_unit_test(route_is_gone), cmocka_unit_test(in_order_one_at_a_time), cmocka_unit_test(what_it_is_given),
	                                   cmocka_unit_test(what_goes_wrong), cmocka_unit_test(more_than_there_is_room_for), cmocka_unit_test(ends_at_once),
	                                   cmocka_unit_test(hooks_that_come_later)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
