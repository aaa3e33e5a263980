/* SPDX-License-Identifier: BSD-2-Clause */
/* The watch process: asks this node's own service addresses as a client would, and tells the board what to think of each network.
 *
 * What runs. Every service address of the node's networks is one check over UDP and one over TCP. Each asks every check.interval
 * (spread over the interval) a question whose answer we know: the SOA of one of the network's zones, taken in turn from the store
 * (check.c, zones.c), or the node's own name (id.server CH TXT) while the network has no zones. The question goes through the
 * kernel to port 53 of the address on lo (probe.c), so routing table, firewall, socket, worker, store and composition are all in
 * the loop that a client would be in. The answer is judged octet by octet (health/probe_dns.c) against the SOA the store held when
 * the question left or holds when the answer comes. A wrong, late or missing answer counts as one failure, a right one as a pass;
 * `fall` failures or `rise` passes in a row turn the check (health/state.c). A network is hard-failed when any of its checks is
 * (verdict.c): a client has no way to choose the address or the transport that works.
 *
 * What it costs. Each check is ten small questions a second by default and at most CHECK_PROBES_MAX under way. A fault is on the board
 * about fall x interval after it began, plus the timeout when it shows as silence: 0.2 to 0.4 s with the defaults.
 *
 * Before sync has ended its first load nothing is asked and the verdict is unknown: half a set of zones would pass. A watch that is
 * restarted goes on with the states its predecessor left on the board (plan.c), each slot marked with the address it is for; so
 * neither a crash here nor a reload makes a verdict unknown that was known, unless an address came newly. When our own process was not running as a probe ran
 * out of time the probe gets its time again, and what we cannot ask for want of descriptors does not count: nothing is held
 * against the service but its answers. A check without a result for seconds becomes unknown. If this process dies or hangs its stamp
 * ages on the board: that is route's to judge.
 *
 * These checks go over lo. Devices with XDP, where packets may be answered before they come to a socket, are asked by way of a neighbor
 * (path.c); what comes of that is the supervisor's to act on.
 *
 * Whether the prefixes may be announced at all is asked of RPKI caches (rpki.c).
 *
 * Single thread, one libuv loop. Touches client sockets, the store read-only, its section of the board.
 *
 * Not here yet: probes of other nodes' management addresses, soft failures (serial behind the primary, a zone near expiry,
 * overload), checks of signatures. In the stand-alone form there are no service addresses: the process only beats its heart. */
#include "watch/watch_main.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "watch/rpki.h"
#include "watch/verdict.h"
#include "watch/watch.h"
#include "zone/signatures.h"

#include <stdlib.h>
#include <string.h>

enum {
	SLOW_MS = 20,   /* how often the store and the first load are looked for, until it is over */
	LOOK_MS = 100,  /* from then on */
	LATE_MS = 500,  /* this process was stopped or starved */
	JUDGE_EVERY = 5, /* of LOOK_MS: a verdict may change with nothing but the time */
};

static void log_verdict(const struct watch_network *n, enum board_verdict from, enum board_verdict to, const char *why)
{
	log_line(to == VERDICT_HARD ? LOG_WARN : LOG_NOTICE, "watch network=%s verdict=%s was=%s why=\"%s\"", n->name,
	         board_verdict_text(to), board_verdict_text(from), why);
}

static enum board_verdict check_verdict(const struct check *c)
{
	return c->health.state == HEALTH_PASS ? VERDICT_PASS : c->health.state == HEALTH_FAIL ? VERDICT_HARD : VERDICT_UNKNOWN;
}

/* Sync knows which zone's end first. Of one that it has only a bound for nothing is said: it looks before that matters. */
static void look_at_signatures(const struct watch *w, const struct watch_network *n, char zone[BOARD_ZONE_MAX], struct verdict_facts *facts)
{
	const struct board_sync_network *b = &w->board->sync.networks[n->index];
	struct board_sync_network copy;
	struct signatures s;

	if (!board_copy(&b->seq, b, &copy, sizeof(copy)) || copy.signatures != 1)
		return;
	s = (struct signatures){.any = true, .exact = true, .end = copy.signatures_end};
	copy.signatures_zone[BOARD_ZONE_MAX - 1] = '\0';
	memcpy(zone, copy.signatures_zone, BOARD_ZONE_MAX);
	facts->has_signatures = true;
	facts->signatures_left_s = signatures_left_s(&s, clock_wall_s());
	facts->signatures_zone = zone;
	facts->signatures_alert_s = n->signatures_alert_s;
	facts->expired_is_hard = n->expired_is_hard;
}

void watch_publish(struct watch *w, struct watch_network *n, uint64_t now_ns)
{
	struct board_watch_network *b = &w->board->watch.networks[n->index];
	struct verdict_check checks[2 * BOARD_ADDRESSES_MAX];
	struct verdict_facts facts = {.loaded = w->loaded, .no_zones = true, .rise = n->rule.rise};
	char why[BOARD_WHY_MAX] = "", zone[BOARD_ZONE_MAX] = "";
	enum board_verdict verdict;
	uint64_t checked_ns = 0;

	for (uint32_t i = 0; i < n->check_count; i++) {
		const struct check *c = n->checks[i];

		checks[i] = (struct verdict_check){.address = c->address, .tcp = c->tcp, .state = c->health.state,
		                                   .run = c->health.run, .run_passes = c->health.run_passes,
		                                   .fails = c->fails, .idle = c->idle, .why = c->why};
		facts.no_zones = facts.no_zones && c->no_zones;
		checked_ns = MAX(checked_ns, c->latest_ns);
	}
	look_at_signatures(w, n, zone, &facts);
	verdict = verdict_judge(checks, n->check_count, &facts, why);
	if (verdict != n->verdict) {
		log_verdict(n, n->verdict, verdict, why);
		n->verdict = verdict;
		n->since_ns = now_ns;
	}
	board_write_begin(&b->seq);
	b->verdict = verdict;
	b->since_ns = n->since_ns;
	b->checked_ns = checked_ns;
	memcpy(b->why, why, sizeof(b->why));
	for (uint32_t i = 0; i < 2 * BOARD_ADDRESSES_MAX; i++) {
		struct board_watch_check *to = &b->checks[i / 2][i % 2];
		const struct check *c = i < n->check_count ? n->checks[i] : NULL;

		if (!c) {
			memset(to, 0, sizeof(*to));
			continue;
		}
		to->verdict = (uint8_t)check_verdict(c);
		check_mark(c, to->mark);
		to->latency_us = c->latency_us;
		to->passes = c->health.passes;
		to->failures = c->health.failures;
	}
	board_write_end(&b->seq);
}

static void publish_all(struct watch *w)
{
	uint64_t now_ns = clock_ns();

	for (uint32_t i = 0; i < w->network_count; i++)
		watch_publish(w, &w->networks[i], now_ns);
}

/* A check that cannot ask (no descriptors, no store) must not go on with its last state for ever. */
static void forget_idle(struct watch *w, uint64_t now_ns)
{
	bool late = w->looked_ns && now_ns - w->looked_ns > LATE_MS * 1000000ULL;

	w->looked_ns = now_ns;
	for (uint32_t i = 0; i < w->network_count; i++) {
		bool changed = false;

		for (uint32_t k = 0; k < w->networks[i].check_count; k++)
			if (late)
				w->networks[i].checks[k]->idle_from_ns = now_ns;
			else
				changed |= check_look(w->networks[i].checks[k], now_ns);
		if (changed)
			watch_publish(w, &w->networks[i], now_ns);
	}
}

static void on_slow(uv_timer_t *timer)
{
	struct watch *w = timer->data;
	bool open = store_follow_look(&w->store, board_get(&w->board->sync.store_ino));

	if (!w->loaded && open && board_get(&w->board->sync.loads_done)) {
		w->loaded = true;
		uv_timer_set_repeat(timer, LOOK_MS);
		publish_all(w);
	}
	forget_idle(w, clock_ns());
	if (w->loaded && ++w->ticks % JUDGE_EVERY == 0)
		publish_all(w);
}

static int on_reload(struct role *role, struct config *old)
{
	struct watch *w = role->state;

	(void)old;
	if (!role->node || plan_build(w, role->config, role->node) < 0)
		return -1;
	paths_replan(w->paths);
	rpki_replan(w->rpki);
	publish_all(w);
	return 0;
}

static void on_stop(struct role *role)
{
	struct watch *w = role->state;

	uv_stop(&w->loop);
}

int watch_main(struct role *role)
{
	struct watch *w = calloc(1, sizeof(*w));
	int err;

	if (!w || uv_loop_init(&w->loop) < 0) {
		log_err("watch error=\"%s\"", err_text(ERR_NO_MEMORY));
		free(w);
		return 1;
	}
	w->role = role;
	w->board = role->board;
	w->node = role->brief.node;
	w->port = SERVICE_PORT;
	list_init(&w->checks);
	store_follow_init(&w->store, role->brief.store_path, &role->board->watch.pin);
	role->state = w;
	role->on_reload = role->node ? on_reload : NULL;
	role->on_stop = on_stop;
	err = role_loop_start(role, &w->loop);
	if (!err && role->node) {
		err = plan_build(w, role->config, role->node);
		if (!err) {
			plan_inherit(w, clock_ns());
			w->loaded = board_get(&w->board->sync.loads_done) > 0;
			uv_timer_init(&w->loop, &w->slow);
			w->slow.data = w;
			err = uv_timer_start(&w->slow, on_slow, 0, w->loaded ? LOOK_MS : SLOW_MS);
			if (!err)
				err = paths_start(w, &w->paths);
			if (!err)
				err = rpki_start(w, &w->rpki);
		}
	}
	if (err || role_sandbox(role) < 0) {
		log_err("watch error=\"cannot start: %s\"", err ? err_text(err) : "no sandbox");
		return 1;
	}
	publish_all(w);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	/* The process ends: the kernel takes sockets and memory. The states stay on the board for a successor. */
	store_follow_done(&w->store);
	return 0;
}
