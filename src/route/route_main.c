/* SPDX-License-Identifier: BSD-2-Clause */
/* The route process: BGP sessions and the decision that feeds them. A timer looks at the board ROUTE_TICK_MS apart: the workers' stamps, the
 * checks' verdicts, the operator's orders; decide.c judges each network; what changed goes to every session at once and to the log with its
 * reason. If this process dies its sockets close, and routers withdraw by themselves: there is no graceful restart by design.
 *
 * BFD (bfd_paths.c) runs on a thread of its own, which looks at the same stamps and at this loop's: it stops looking alive when one of them stands still.
 *
 * All networks of a node share one AS; a session announces the prefixes of all of them in the families it is configured for. */
#include "route/route_main.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "route/route.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROUTE_TICK_MS = 10,
	ROUTE_IDLE_MS = 100,       /* without networks: there is nothing to decide */
	ROUTE_SHOW_MS = 100,       /* how often neighbours are copied to the board without an event */
	ROUTE_LINGER_MS = 300,     /* after the withdrawal at a stop: for UPDATEs to leave before the session closes */
	ROUTE_CLOSE_MS = 1500,     /* for sessions to close at a stop */
};

static void finish_stop(struct route *r, uint64_t now)
{
	if (!networks_are_out(r))
		return;
	if (!r->withdrawn_ms)
		r->withdrawn_ms = now;
	if (!r->closing_ms && now - r->withdrawn_ms >= ROUTE_LINGER_MS) {
		r->closing_ms = now;
		for (size_t i = 0; i < r->neighbor_count; i++)
			bgp_session_stop(r->neighbors[i].session, BGP_CEASE_SHUTDOWN, "zonecast stops");
	}
	if (!r->closing_ms)
		return;
	for (size_t i = 0; i < r->neighbor_count; i++)
		if (!bgp_session_closed(r->neighbors[i].session) && now - r->closing_ms < ROUTE_CLOSE_MS)
			return;
	/* Not before: some routers (BIRD 2.0, FRR 8.4) take AdminDown for a failure of the BGP session, and are slow to forgive it. */
	bfd_paths_stop(r);
	uv_stop(&r->loop);
}

static void evaluate(struct route *r)
{
	uint64_t now_ns = clock_ns(), now = now_ns / 1000000U;

	bool changed = networks_judge(r, now_ns);

	changed |= operator_judge(r, now_ns);
	if (changed)
		neighbors_feed(r);
	for (size_t i = 0; i < r->neighbor_count; i++)
		if (r->neighbors[i].dirty) {
			r->neighbors[i].dirty = false;
			show_neighbor(r, i);
		}
	neighbors_free_leaving(r);
	if (r->bfd_due) {
		r->bfd_due = false;
		bfd_paths_set(r);
	}
	bfd_paths_tick(r, now);
	events_tick(r, now);
	if (now - r->shown_ms >= ROUTE_SHOW_MS)
		show_all(r);
	if (r->stopping)
		finish_stop(r, now);
}

static void on_tick(uv_timer_t *t)
{
	evaluate(t->data);
}

static int on_reload(struct role *role, struct config *old)
{
	struct route *r = role->state;

	(void)old;
	networks_set(r);
	operator_set(r);
	neighbors_set(r);
	bfd_paths_set(r);
	uv_timer_set_repeat(&r->tick, r->network_count ? ROUTE_TICK_MS : ROUTE_IDLE_MS);
	neighbors_feed(r);
	show_all(r);
	return 0;
}

static void on_message(struct role *role, const struct role_message *m)
{
	struct route *r = role->state;
	struct role_socket s;

	if (m->text_len != sizeof(s))
		return;
	memcpy(&s, m->text, sizeof(s));
	if (m->kind == ROLE_SOCKET_OPEN && role->attached >= 0) {
		s.fd = role->attached;
		role->attached = -1;
		listen_open(r, &s);
	} else if (m->kind == ROLE_SOCKET_CLOSE) {
		listen_close(r, &s);
	}
}

static void on_orders(struct role *role)
{
	evaluate(role->state);
}

static void on_stop(struct role *role)
{
	struct route *r = role->state;

	r->stopping = true;
	evaluate(r);
}

int route_main(struct role *role)
{
	struct route *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return 1;
	r->role = role;
	role->state = r;
	role->on_reload = on_reload;
	role->on_orders = on_orders;
	role->on_stop = on_stop;
	role->on_message = on_message;
	uv_loop_init(&r->loop);
	err = role_loop_start(role, &r->loop);
	if (err < 0 || role_sandbox(role) < 0)
		return 1;
	err = bfd_paths_start(r);
	if (err < 0)
		log_err("bfd error=\"%s\"", err_text(err));
	/* Inherited by that thread, see role_enter(). */
	(void)sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
	networks_set(r);
	operator_set(r);
	/* Before the sessions: each puts its key on them. */
	for (uint32_t i = 0; i < role->brief.socket_count; i++)
		listen_open(r, &role->brief.sockets[i]);
	neighbors_set(r);
	bfd_paths_set(r);
	uv_timer_init(&r->loop, &r->tick);
	r->tick.data = r;
	uv_timer_start(&r->tick, on_tick, 0, r->network_count ? ROUTE_TICK_MS : ROUTE_IDLE_MS);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	return 0;
}
