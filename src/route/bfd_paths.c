/* SPDX-License-Identifier: BSD-2-Clause */
/* BFD beside the BGP sessions: a path is watched as long as a neighbor with `bfd` wants it; two sessions with one router share it. The thread of
 * bfd/thread.h does the work; here is what follows from it: a fall after Up resets the BGP sessions over that path at once, so that the
 * routers' way of seeing it and ours agree. Not being Up is no obstacle to BGP (RFC 5882 4.1), AdminDown of the router is its operator's
 * wish and no failure (4.2). While the node is held, for a worker that does not live or a loop that hangs (this one), routers drop the sessions
 * by themselves: the loop would have withdrawn by UPDATE before, had it been able to. */
#include "route/route.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

enum {
	/* Later than the withdrawal (WORKER_DEAD_MS), which is the gentle way; this one is for a loop that cannot send it. */
	BFD_WORKER_MS = WORKER_DEAD_MS + 200,
	BFD_LOOP_MS = 1000 + ROLE_STAMP_MS, /* the loop stamps its heartbeat once in ROLE_STAMP_MS */
	BFD_RETRY_MS = 1000,                /* for a session that could not be opened: its address may come yet */
};

/* False also for a link-local neighbor whose interface is not there: asked again when a BGP session comes up. */
static bool wants(const struct neighbor *n, struct bfd_path *path, struct bfd_timers *timers)
{
	*path = (struct bfd_path){.remote = n->conf.remote.addr, .local = n->conf.local, .multihop = n->bfd.multihop};
	*timers = (struct bfd_timers){.interval_us = n->bfd.interval_ms * 1000U, .multiplier = n->bfd.multiplier};
	if (n->conf.interface[0]) {
		path->remote.zone = if_nametoindex(n->conf.interface);
		if (path->local.family && !path->local.zone)
			path->local.zone = path->remote.zone;
	}
	return n->bfd.enabled && n->session && (!n->conf.interface[0] || path->remote.zone);
}

static struct watched_path *find(struct route *r, const struct bfd_path *path)
{
	for (size_t i = 0; i < ARRAY_LEN(r->paths); i++)
		if (r->paths[i].used && bfd_path_equal(&r->paths[i].path, path))
			return &r->paths[i];
	return NULL;
}

static void touch(struct route *r, const struct watched_path *w, bool reset)
{
	for (size_t i = 0; i < r->neighbor_count; i++) {
		struct neighbor *n = &r->neighbors[i];

		if (n->path != w)
			continue;
		n->dirty = true;
		if (reset)
			bgp_session_reset(n->session, BGP_CEASE_BFD_DOWN, "zonecast: BFD down");
	}
}

static void see(struct route *r, struct watched_path *w)
{
	struct bfd_view v;
	char peer[ADDR_TEXT_MAX];
	bool fell;

	if (!w->open || !bfd_session_view(r->bfd, w->slot, &v))
		return;
	fell = v.falls != w->falls;
	if (v.transitions == w->transitions && !fell)
		return;
	addr_text(&w->path.remote, peer);
	if (fell)
		log_warn("bfd peer=%s state=%s falls=%u why=\"%s\" remote_diag=\"%s\" action=\"BGP session reset\"",
		         peer, bfd_state_text(v.state), (unsigned)v.falls, bfd_why_text(v.why),
		         bfd_diag_text(v.remote_diag));
	else if (v.state == BFD_UP)
		log_notice("bfd peer=%s state=up tx_ms=%u detect_ms=%u", peer, (unsigned)(v.tx_us / 1000),
		           (unsigned)(v.detect_us / 1000));
	else
		log_notice("bfd peer=%s state=%s why=\"%s\"", peer, bfd_state_text(v.state), bfd_why_text(v.why));
	if (w->up != (v.state == BFD_UP) || fell) {
		w->up = v.state == BFD_UP;
		event_bfd(r, &w->path.remote, w->up, fell ? EVENT_ALERT : EVENT_INFO, bfd_state_text(v.state),
		          fell ? bfd_why_text(v.why) : w->up ? "the path answers" : bfd_why_text(v.why));
	}
	w->transitions = v.transitions;
	w->falls = v.falls;
	touch(r, w, fell);
}

static void see_held(struct route *r)
{
	uint32_t workers = r->role->brief.workers;
	struct bfd_totals t;

	bfd_totals(r->bfd, &t);
	if (t.held == r->bfd_held && t.held_count == r->bfd_held_count)
		return;
	r->bfd_held = t.held;
	r->bfd_held_count = t.held_count;
	event_bfd_held(r, t.held,
	               !t.held                ? "workers and this process live again: BFD sessions may be up"
	               : t.held_by < workers ? "an answer worker does not live: no BFD session may be up"
	                                      : "the route process hung: no BFD session may be up");
	if (!t.held)
		log_notice("bfd held=false count=%u", (unsigned)t.held_count);
	else if (t.held_by < workers)
		log_warn("bfd held=true worker=%u note=\"it does not live: no BFD session may be up\"", t.held_by);
	else
		log_warn("bfd held=true note=\"this process hung: no BFD session may be up\"");
}

static void on_bfd(uv_poll_t *poll, int status, int events)
{
	struct route *r = poll->data;

	(void)status;
	(void)events;
	bfd_ack(r->bfd);
	see_held(r);
	for (size_t i = 0; i < ARRAY_LEN(r->paths); i++)
		if (r->paths[i].used)
			see(r, &r->paths[i]);
}

int bfd_paths_start(struct route *r)
{
	static struct bfd_liveness live[BOARD_WORKERS_MAX + 1];
	uint32_t workers = MIN(r->role->brief.workers, (uint32_t)BOARD_WORKERS_MAX);
	int err;

	for (uint32_t i = 0; i < workers; i++)
		live[i] =
			(struct bfd_liveness){&r->role->board->workers[i].stamp, BFD_WORKER_MS * 1000000ULL * ROLE_PATIENCE};
	live[workers] = (struct bfd_liveness){r->role->stamp, BFD_LOOP_MS * 1000000ULL * ROLE_PATIENCE};
	err = bfd_new(live, workers + 1, &r->bfd);
	if (err < 0)
		return err;
	uv_poll_init(&r->loop, &r->bfd_poll, bfd_fd(r->bfd));
	r->bfd_poll.data = r;
	uv_poll_start(&r->bfd_poll, UV_READABLE, on_bfd);
	return 0;
}

/* Once a neighbor has BFD, since nobody else cares, and the thread has run, which is not when it has been started. */
static void see_priority(struct route *r)
{
	struct bfd_totals t;

	if (!r->bfd || r->bfd_priority_said || !r->paths[0].used)
		return;
	bfd_totals(r->bfd, &t);
	if (!t.running)
		return;
	r->bfd_priority_said = true;
	if (!t.locked)
		log_warn("bfd note=\"its memory cannot be locked (RLIMIT_MEMLOCK): short of memory, paths may be taken "
		         "for dead\"");
	if (t.realtime)
		log_info("bfd realtime=true priority=%d", BFD_PRIORITY);
	else
		log_warn("bfd realtime=false note=\"%s\"",
		         "real-time scheduling is not allowed here (CAP_SYS_NICE, RestrictRealtime=): "
		         "under load, paths may be taken for dead; use intervals of 300ms and more");
}

static void open_path(struct route *r, struct watched_path *w)
{
	char peer[ADDR_TEXT_MAX];
	int err = r->bfd ? bfd_session_open(r->bfd, &w->path, &w->timers, &w->slot) : ERR_NO_MEMORY;

	w->open = !err;
	w->retry_ms = clock_ms() + BFD_RETRY_MS;
	w->transitions = w->falls = 0;
	if (err != w->error && err)
		log_warn("bfd peer=%s error=\"%s\"%s", addr_text(&w->path.remote, peer), err_text(err),
		         err == -EADDRINUSE ? " note=\"another BFD speaker on this machine has the port\"" : "");
	w->error = err;
}

static void close_path(struct route *r, struct watched_path *w)
{
	if (w->open && bfd_session_close(r->bfd, w->slot) < 0)
		log_err("bfd error=\"its thread does not take orders\"");
	*w = (struct watched_path){0};
}

static struct watched_path *want(struct route *r, const struct bfd_path *path, const struct bfd_timers *timers)
{
	struct watched_path *w = find(r, path);

	if (!w) {
		w = r->paths;
		while (w->used) /* there are as many as neighbors, and each wants one at most */
			w++;
		*w = (struct watched_path){.used = true, .path = *path, .timers = *timers};
		open_path(r, w);
	} else if (!w->wanted &&
	           (w->timers.interval_us != timers->interval_us || w->timers.multiplier != timers->multiplier)) {
		w->timers = *timers;
		if (w->open && bfd_session_set(r->bfd, w->slot, timers) < 0)
			log_err("bfd error=\"its thread does not take orders\"");
	}
	w->wanted = true;
	return w;
}

void bfd_paths_set(struct route *r)
{
	struct bfd_timers timers;
	struct bfd_path path;

	for (size_t i = 0; i < ARRAY_LEN(r->paths); i++)
		r->paths[i].wanted = false;
	for (size_t i = 0; i < r->neighbor_count; i++) {
		struct neighbor *n = &r->neighbors[i];

		n->path = wants(n, &path, &timers) && find(r, &path) ? want(r, &path, &timers) : NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(r->paths); i++)
		if (r->paths[i].used && !r->paths[i].wanted)
			close_path(r, &r->paths[i]);
	for (size_t i = 0; i < r->neighbor_count; i++) {
		struct neighbor *n = &r->neighbors[i];

		if (!n->path && wants(n, &path, &timers))
			n->path = want(r, &path, &timers);
	}
}

/* Packets do not leave, and would from another address. */
static bool is_stuck(const struct route *r, const struct watched_path *w)
{
	struct bfd_view v;

	return w->open && bfd_session_view(r->bfd, w->slot, &v) && v.state != BFD_UP && v.send_error &&
	       bfd_session_outdated(r->bfd, w->slot, &w->path);
}

void bfd_paths_tick(struct route *r, uint64_t now_ms)
{
	see_priority(r);
	for (size_t i = 0; i < ARRAY_LEN(r->paths); i++) {
		struct watched_path *w = &r->paths[i];

		if (!w->used || now_ms < w->retry_ms)
			continue;
		w->retry_ms = now_ms + BFD_RETRY_MS;
		if (is_stuck(r, w) && bfd_session_close(r->bfd, w->slot) == 0)
			w->open = false;
		if (!w->open)
			open_path(r, w);
	}
}

void bfd_paths_stop(struct route *r)
{
	for (size_t i = 0; i < ARRAY_LEN(r->paths); i++)
		if (r->paths[i].used)
			close_path(r, &r->paths[i]);
	if (r->bfd)
		uv_poll_stop(&r->bfd_poll);
	bfd_free(r->bfd);
	r->bfd = NULL;
}

static void show_view(const struct bfd_view *v, struct board_bfd *b)
{
	b->state = v->state;
	b->since_ns = v->since_ns;
	b->transitions = v->transitions;
	b->falls = v->falls;
	b->tx_us = v->tx_us;
	b->detect_us = v->detect_us;
	b->in = v->in;
	b->out = v->out;
	b->bad = v->bad;
	b->unsent = v->unsent;
	snprintf(b->state_text, sizeof(b->state_text), "%s", bfd_state_text(v->state));
	snprintf(b->remote_text, sizeof(b->remote_text), "%s", bfd_state_text(v->remote_state));
	snprintf(b->diag, sizeof(b->diag), "%s", bfd_diag_text(v->diag));
	snprintf(b->remote_diag, sizeof(b->remote_diag), "%s", bfd_diag_text(v->remote_diag));
	if (v->send_error)
		snprintf(b->why, sizeof(b->why), "%s; packets cannot be sent: %s", bfd_why_text(v->why),
		         err_text(v->send_error));
	else
		snprintf(b->why, sizeof(b->why), "%s", bfd_why_text(v->why));
}

void bfd_paths_show(struct route *r, const struct neighbor *n, struct board_bfd *b)
{
	const struct watched_path *w = n->path;
	struct bfd_view v;

	*b = (struct board_bfd){.on = n->bfd.enabled, .multihop = n->bfd.multihop};
	if (w && w->open && bfd_session_view(r->bfd, w->slot, &v)) {
		show_view(&v, b);
		return;
	}
	snprintf(b->state_text, sizeof(b->state_text), "down");
	snprintf(b->remote_text, sizeof(b->remote_text), "-");
	if (!w)
		snprintf(b->why, sizeof(b->why), "its interface was not there yet");
	else
		snprintf(b->why, sizeof(b->why), "%s%s", w->error ? "cannot begin: " : "just started",
		         w->error ? err_text(w->error) : "");
}

void bfd_paths_show_all(struct route *r)
{
	struct board_route_bfd *b = &r->role->board->route.bfd;
	struct bfd_totals t = {0};

	if (r->bfd)
		bfd_totals(r->bfd, &t);
	atomic_store(&b->running, t.running);
	atomic_store(&b->realtime, t.realtime);
	atomic_store(&b->locked, t.locked);
	atomic_store(&b->held, t.running && t.held);
	atomic_store(&b->held_count, t.held_count);
	atomic_store(&b->strange, t.strange);
	atomic_store(&b->late_max_us, t.late_max_us);
}
