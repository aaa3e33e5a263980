/* SPDX-License-Identifier: BSD-2-Clause */
/* The watch process: asks this node's own service addresses as a client would, and tells the board what to think of each network.
 *
 * What runs. Every service address of the node's networks is one check over UDP and one over TCP. Each asks every check.interval
 * (spread over the interval) a question whose answer we know: the SOA of one of the network's zones, taken in turn from the store
 * (check.c, question.c, zones.c), and every second time another set of its records, found anywhere in the zone; or the node's own name (id.server CH TXT) while the network has no zones.
 * Where there are several answer workers each is asked in turn, by the port of ours that the kernel spreads to it. The question goes through the
 * kernel to port 53 of the address on lo (probe.c), so routing table, firewall, socket, worker, store and composition are all in
 * the loop that a client would be in. The answer is judged octet by octet (health/probe_dns.c) against what the store held when
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
 * Other nodes are asked how they are (peers.c), and are told how this one is (tell.c). They, and networks from outside, are asked at port 53 as well, as clients
 * do (views.c, outside.c). Whether they serve the same zones is found out with few questions more (drift.c).
 *
 * Endpoints that names are steered to are checked here as well, and what other nodes see of them is heard (endpoints.c); that has nothing to do with this node's verdicts.
 *
 * Servers that answer for zones in this node's place are asked whether they do (backends.c).
 *
 * What other processes know makes a verdict soft (publish.c, verdict.c): data that sync cannot have confirmed, zones that are missing or near their SOA EXPIRE, DNSSEC signatures,
 * load (load.c). These may be the same at every PoP, so they are causes that are told to others, and the guard decides.
 *
 * Single thread, one libuv loop. Touches client sockets, the store read-only, its section of the board, the sockets of status and what workers hand over for it.
 *
 * In the stand-alone form there are no service addresses: the process only beats its heart. */
#include "watch/watch_main.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "watch/backends.h"
#include "watch/drift.h"
#include "watch/endpoints.h"
#include "watch/peers.h"
#include "watch/rpki.h"
#include "watch/tell.h"
#include "watch/views.h"
#include "watch/watch.h"

#include <stdlib.h>
#include <string.h>

enum {
	SLOW_MS = 20,   /* how often the store and the first load are looked for, until it is over */
	LOOK_MS = 100,  /* from then on */
	VERIFY_CELLS = 16384, /* 128 KiB each LOOK_MS: less than a thousandth of a CPU, a gigabyte in a quarter of an hour */
	LATE_MS = 500,  /* this process was stopped or starved */
	JUDGE_EVERY = 5, /* of LOOK_MS: a verdict may change with nothing but the time */
};

static void look_at_load(struct watch *w, uint64_t now_ns)
{
	const struct board *b = w->board;
	uint32_t n = MIN(atomic_load(&b->supervisor.workers), (uint32_t)BOARD_WORKERS_MAX);
	struct load_worker workers[BOARD_WORKERS_MAX];

	for (uint32_t i = 0; i < n; i++)
		workers[i] = (struct load_worker){.cpu_ns = board_get(&b->workers[i].cpu_ns), .answers = board_get(&b->workers[i].answers),
		                                  .overflows = board_get(&b->workers[i].overflows)};
	load_step(&w->load, workers, n, board_get(&b->supervisor.xdp.answered[0]) + board_get(&b->supervisor.xdp.answered[1]),
	          w->role->node->capacity, now_ns);
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

static void tell_store(struct watch *w, bool damaged, const char *why)
{
	struct board_event e = {.kind = EVENT_DISK, .level = damaged ? EVENT_ALERT : EVENT_INFO};

	snprintf(e.subject, sizeof(e.subject), "store");
	snprintf(e.old, sizeof(e.old), "%s", damaged ? "good" : "damaged");
	snprintf(e.now, sizeof(e.now), "%s", damaged ? "damaged" : "good");
	snprintf(e.why, sizeof(e.why), "%s", why);
	watch_event(w, &e);
}

/* A damaged store is whole as far as anybody knows: only the zone that was met is told, but all of it is made anew. */
static void look_at_store(struct watch *w)
{
	uint64_t ino = board_get(&w->board->sync.store_ino);
	struct store_snapshot s;
	char zone[NAME_TEXT_MAX], why[EVENT_SENTENCE_MAX];
	enum store_verified found;

	if (w->damaged.len && w->damaged_ino != ino) {
		w->damaged.len = 0;
		atomic_store(&w->board->watch.damaged_ino, 0);
		tell_store(w, false, "the store has been made anew");
		log_notice("store state=\"made anew\"");
	}
	if (!w->store.reader || w->damaged.len || w->store.ino != ino)
		return;
	store_pin(w->store.reader, &s);
	found = store_verify(&w->verify, &s, VERIFY_CELLS);
	store_unpin(w->store.reader);
	atomic_store(&w->board->watch.verified, w->verify.rounds);
	if (found != STORE_DAMAGED)
		return;
	name_copy(&w->damaged, w->verify.zone.wire);
	w->damaged_ino = ino;
	atomic_store(&w->board->watch.damaged_ino, ino);
	name_to_text(w->damaged.wire, zone);
	snprintf(why, sizeof(why), "the content of zone %.150s is not as it was written: a new store is made", zone);
	tell_store(w, true, why);
	log_err("store zone=%s error=\"its content is not as it was written\" action=\"a new store is made\"", zone);
	publish_all(w);
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
	watch_events_tick(w, clock_ms());
	if (w->loaded)
		look_at_store(w);
	if (w->loaded && ++w->ticks % JUDGE_EVERY == 0) {
		look_at_load(w, clock_ns());
		publish_all(w);
		return;
	}
	/* Data that is about to be stale is to be so at the limit. */
	for (uint32_t i = 0; i < w->network_count; i++)
		if (w->networks[i].hurried)
			watch_publish(w, &w->networks[i], clock_ns());
}

static int on_reload(struct role *role, struct config *old)
{
	struct watch *w = role->state;

	(void)old;
	if (!role->node || plan_build(w, role->config, role->node) < 0)
		return -1;
	/* Asked to start anew, it finds on the board what it knew. */
	if (teller_replan(w->teller) < 0 || peers_replan(w->peers) < 0 || drift_replan(w->drift) < 0 || views_replan(w->views) < 0 ||
	    endpoints_replan(w->endpoints) < 0)
		return -1;
	paths_replan(w->paths);
	rpki_replan(w->rpki);
	backends_replan(w->backends);
	publish_all(w);
	return 0;
}

static void on_message(struct role *role, const struct role_message *m)
{
	struct watch *w = role->state;

	if (m->kind == ROLE_CHECKED)
		endpoints_ran(w->endpoints, m->id, m->result, m->text);
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
	role->on_message = on_message;
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
				err = teller_new(w, &w->teller);
			if (!err)
				err = peers_new(w, &w->peers);
			if (!err)
				err = drift_new(w, &w->drift);
			if (!err)
				err = views_new(w, &w->views);
			if (!err)
				err = endpoints_new(w, &w->endpoints);
			if (!err)
				err = rpki_start(w, &w->rpki);
			if (!err)
				err = backends_start(w, &w->backends);
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
