/* SPDX-License-Identifier: BSD-2-Clause */
/* The supervisor: does what needs privilege and nothing else. It reads the fleet file and key files, opens every listening socket, holds
 * service addresses on lo, starts the roles and starts them again, carries orders out, and never reads a byte from the network.
 *
 * Life: plan (read and judge everything) -> folders and lock -> addresses -> sockets -> drop capabilities -> roles -> loop.
 * Nothing is changed on the machine before the whole plan is known to be good; a reload makes a second plan the same way and swaps. Of a fleet file
 * that was found good before, octet by octet, the zones are read when the workers answer (fleet_known.h).
 *
 * Stopping: the first SIGTERM or SIGINT lets route drain and withdraw while answers go on, then the other roles end, then the addresses
 * leave lo. The second one skips the drain. If the supervisor itself is killed the kernel kills every role (PR_SET_PDEATHSIG) and
 * closes the BGP sessions, which withdraws the routes: the safe outcome without a line of ours.
 *
 * Here are the start, the loop and the end. reload.c takes plans up and down, requests.c carries out what admin asks for. */
#include "super/supervisor_priv.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "net/listen.h"
#include "net/loaddr.h"
#include "proc/handover.h"
#include "super/accepted.h"
#include "super/addresses.h"
#include "super/children.h"
#include "super/doors.h"
#include "super/events.h"
#include "super/express.h"
#include "super/fleet_known.h"
#include "super/folders.h"
#include "super/hooks.h"
#include "super/plan.h"
#include "super/privileges.h"
#include "super/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum {
	TICK_MS = 20,
	STOP_ROLES_MS = 1000,   /* for roles to end by themselves */
	STOP_DRAIN_SLACK_MS = 5000,
	STOP_HOOKS_MS = 2000,   /* for hooks, when all else has ended */
	FIRST_ANSWER_MS = 250,  /* for workers to map the store, before zones are read */
	FIRST_ANSWER_SOON_MS = 50, /* before other roles are started */
};

static void log_diag(const struct diag *d)
{
	char line[1400];

	for (const struct diag_entry *e = d->first; e; e = e->next)
		log_line(e->severity == DIAG_ERROR ? LOG_ERR : LOG_WARN, "%s", diag_entry_text(e, line, sizeof(line)));
	if (d->dropped)
		log_warn("%u more problems are not shown", d->dropped);
}

/* ---- stopping ---- */

static void stop_roles(struct supervisor *s)
{
	s->phase = PHASE_STOP;
	s->phase_until_ms = clock_ms() + STOP_ROLES_MS;
	for (size_t i = 0; i < s->children.count; i++)
		child_stop(&s->children.child[i]);
}

static void begin_stop(struct supervisor *s)
{
	struct child *route = children_find(&s->children, ROLE_ROUTE, 0);
	uint32_t drain_ms = 0;

	if (s->phase == PHASE_DRAIN) {
		log_notice("stop again: at once");
		stop_roles(s);
		return;
	}
	if (s->phase != PHASE_RUN)
		return;
	atomic_store(&s->board->supervisor.stopping, 1);
	super_event_node(s->board, "running", "stopping", "told by a signal");
	if (!route || !route->pid || !s->plan.node->neighbor_count) {
		stop_roles(s);
		return;
	}
	for (size_t i = 0; i < s->plan.node->network_count; i++)
		drain_ms = MAX(drain_ms, s->plan.config->networks[s->plan.node->networks[i]].drain_ms);
	log_notice("stop draining=true at_most_ms=%u", drain_ms + STOP_DRAIN_SLACK_MS);
	s->phase = PHASE_DRAIN;
	s->phase_until_ms = clock_ms() + drain_ms + STOP_DRAIN_SLACK_MS;
	child_stop(route);
}

static void on_stop_signal(uv_signal_t *h, int signum)
{
	(void)signum;
	begin_stop(h->data);
}

static void on_end(void *ctx, struct child *c, int status)
{
	struct supervisor *s = ctx;

	(void)status;
	supervisor_forget_asked(s, c->kind);
	if (c->kind == ROLE_ROUTE && s->plan.node)
		super_event_route_gone(s->board, s->plan.config, s->plan.node);
	if (s->phase == PHASE_DRAIN && c->kind == ROLE_ROUTE)
		stop_roles(s);
}

static void on_stranger(void *ctx, pid_t pid, int status)
{
	struct supervisor *s = ctx;

	if (s->hooks && !hooks_ended(s->hooks, pid, status) && s->checks && !checks_ended(s->checks, pid, status))
		log_debug("process pid=%d note=\"none of ours has ended\"", pid);
}

/* One that has just ended asks anew. */
static void to_watch(void *ctx, const struct role_message *m)
{
	struct supervisor *s = ctx;
	struct child *watch = children_find(&s->children, ROLE_WATCH, 0);

	if (watch && child_send(watch, m, -1) < 0)
		log_debug("watch note=\"a result of a check was lost\"");
}

static void on_chld(uv_signal_t *h, int signum)
{
	struct supervisor *s = h->data;

	(void)signum;
	children_reap(&s->children);
}

/* ---- the loop ---- */

static bool all_workers_serve(const struct supervisor *s)
{
	uint64_t ino = board_get(&s->board->sync.store_ino);

	for (unsigned i = 0; i < s->plan.workers; i++)
		if (!ino || board_get(&s->board->workers[i].store_ino) != ino)
			return false;
	return true;
}

static void on_tick(uv_timer_t *t)
{
	struct supervisor *s = t->data;
	uint64_t now = clock_ms();

	board_stamp_now(&s->board->supervisor.stamp, clock_ns());
	children_reap(&s->children);
	hooks_tick(s->hooks, &s->plan, now);
	checks_tick(s->checks, &s->plan, now);
	if (s->phase == PHASE_STOP) {
		if (now >= s->phase_until_ms)
			for (size_t i = 0; i < s->children.count; i++)
				child_kill(&s->children.child[i]);
		if (!children_any_alive(&s->children) && (hooks_idle(s->hooks) || now >= s->phase_until_ms + STOP_HOOKS_MS))
			uv_stop(&s->loop);
		return;
	}
	children_check(&s->children);
	express_tick(s->express, s->board, now);
	doors_tick(s->children.doors, now);
	doors_tick(s->children.web, now);
	if (s->phase == PHASE_DRAIN && now >= s->phase_until_ms)
		stop_roles(s);
	if (!s->said_ready && s->sync_ready && all_workers_serve(s)) {
		/* For scripts. A log of objects has no lines that are none; there it is the "event" of one. */
		static const char word[] = "ready\n";

		s->said_ready = true;
		log_notice("ready took_ms=%u zones=%u failed=%u", (unsigned)(now - s->started_ms),
		           (unsigned)board_get(&s->board->sync.zones_serving), (unsigned)board_get(&s->board->sync.zones_failed));
		if (log_get_format() == LOG_TEXT && write(STDERR_FILENO, word, sizeof(word) - 1) < 0)
			log_warn("ready error=\"nobody hears it\"");
	}
}

/* Workers that answer from the store of a predecessor. They have the CPU to themselves until then, or until it shows that the store is of no use to them. */
static void wait_for_workers(const struct supervisor *s)
{
	uint64_t until = clock_ms() + (s->plan.without_zones ? FIRST_ANSWER_MS : FIRST_ANSWER_SOON_MS);
	unsigned ready = 0;
	char path[ROLE_PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/zones.store", s->children.store_dir);
	if (access(path, F_OK) < 0)
		return;
	while (ready < s->plan.workers && clock_ms() < until) {
		poll(NULL, 0, 1);
		for (ready = 0; ready < s->plan.workers && board_get(&s->board->workers[ready].store_ino);)
			ready++;
	}
}

/* The zones of a fleet file that was known to be good. */
static int complete_plan(struct supervisor *s)
{
	struct diag diag;
	int err;

	if (!s->plan.config)
		return 0;
	if (s->plan.without_zones)
		log_info("fleet file=%s note=\"found good before: workers begin before its zones are read\"", s->plan.config->path);
	diag_init(&diag);
	err = plan_complete(&s->plan, &diag);
	log_diag(&diag);
	diag_done(&diag);
	if (!err)
		fleet_known_note(s->plan.run_dir, s->plan.config);
	return err;
}

static int start_roles(struct supervisor *s)
{
	struct children *all = &s->children;
	int err = 0;

	for (unsigned i = 0; !err && i < s->plan.workers; i++)
		err = children_add(all, ROLE_ANSWER, i);
	if (!err) {
		wait_for_workers(s);
		err = complete_plan(s);
	}
	if (!err)
		supervisor_stage_accepted(&s->plan);
	accepted_commit(s->plan.state_dir, !err);
	if (!err)
		err = supervisor_seal(&s->plan.zones, &all->bundles.zones_fd);
	malloc_trim(0);
	if (!err)
		err = children_add(all, ROLE_SYNC, 0);
	if (!err && s->plan.routed)
		err = children_add(all, ROLE_WATCH, 0);
	if (!err && s->plan.routed)
		err = children_add(all, ROLE_ROUTE, 0);
	if (!err)
		err = children_add(all, ROLE_ADMIN, 0);
	if (!err)
		err = children_want(all, ROLE_TAP, plan_taps(&s->plan));
	if (err < 0)
		log_err("start error=\"%s\"", err_text(err));
	return err;
}

static int set_up(struct supervisor *s)
{
	struct children *all = &s->children;
	char path[ROLE_PATH_MAX + 32], problem[300];
	int err;

	all->journal_fd = -1;
	err = folders_make(&s->plan, &all->journal_fd);
	if (err < 0)
		return err;
	err = board_create(&all->board_fd, &s->board);
	if (err < 0) {
		log_err("board error=\"%s\"", err_text(err));
		return err;
	}
	random_bytes(s->board->supervisor.edge_key, sizeof(s->board->supervisor.edge_key));
	fcntl(all->board_fd, F_SETFD, FD_CLOEXEC);
	all->board = s->board;
	all->loop = &s->loop;
	all->plan = &s->plan;
	all->bundles = (struct children_bundles){-1, -1, -1, -1, -1, -1};
	all->backend_cache_fd = all->rate_fd = all->sample_fd = all->tap_fd = all->control_fd = -1;
	for (size_t i = 0; i < ARRAY_LEN(all->xdp_fd); i++)
		all->xdp_fd[i] = -1;
	all->log_level = s->options->log_level;
	all->log_fixed = s->options->log_format != NULL;
	memset(all->handover, 0xff, sizeof(all->handover));
	memset(all->status, 0xff, sizeof(all->status));
	all->allow_transfer = s->options->allow_transfer;
	all->allow_transfer_count = s->options->allow_transfer_count;
	all->zones_dir = s->options->zones_dir;
	all->on_message = supervisor_on_message;
	all->on_end = on_end;
	all->on_stranger = on_stranger;
	s->hooks = hooks_new(s->board);
	s->checks = checks_new(to_watch, s);
	if (!s->hooks || !s->checks)
		return ERR_NO_MEMORY;
	all->ctx = s;
	all->sockets = sockets_new(s->plan.workers);
	all->doors = doors_new(ROLE_SOCKET_BGP, supervisor_tell_route, s);
	all->web = doors_new(ROLE_SOCKET_HTTP, supervisor_tell_admin, s);
	if (!all->sockets || !all->doors || !all->web)
		return ERR_NO_MEMORY;
	snprintf(all->store_dir, sizeof(all->store_dir), "%.490s/store", s->plan.run_dir);
	snprintf(all->pids_path, sizeof(all->pids_path), "%.490s/pids", s->plan.run_dir);
	addresses_init(&s->addresses, s->plan.run_dir);
	if (s->plan.service_count) {
		err = loaddr_up();
		if (err < 0)
			log_warn("lo error=\"cannot bring it up: %s\"", err_text(err));
	}
	err = supervisor_take_up(s, &s->plan, problem, sizeof(problem));
	if (err < 0) {
		log_err("%s", problem);
		return err;
	}
	s->up = true;
	addresses_keep_only(&s->addresses, s->plan.service, s->plan.service_count);
	err = supervisor_seal(&s->plan.bundle, &all->bundles.config_fd);
	if (!err)
		err = supervisor_seal(&s->plan.admin, &all->bundles.admin_fd);
	if (!err)
		err = supervisor_seal(&s->plan.watch, &all->bundles.watch_fd);
	if (!err)
		err = supervisor_seal(&s->plan.answer, &all->bundles.answer_fd);
	if (!err)
		err = supervisor_seal(&s->plan.tap, &all->bundles.tap_fd);
	if (!err)
		doors_set_neighbors(all->doors, s->plan.node);
	if (!err)
		doors_set_http(all->web, s->plan.config, s->plan.node);
	if (!err)
		express_start(&s->plan, s->board, all, &s->express);
	if (!err && s->plan.config && all->rate_fd < 0)
		err = shared_make_rate_table(s->plan.config->answer.rate_limit.table, &all->rate_fd);
	if (!err)
		err = shared_make_sample_rings(s->plan.workers, &all->sample_fd);
	if (!err && s->plan.config)
		err = shared_make_tap_rings(s->plan.workers, s->plan.config->dnstap.max_backlog, &all->tap_fd);
	if (!err)
		(void)supervisor_cache_backends(s);
	for (unsigned i = 0; !err && i < s->plan.workers; i++)
		err = handover_pair(all->handover[i]);
	if (!err && s->plan.routed)
		err = handover_pair(all->status);
	snprintf(path, sizeof(path), "%s/control.sock", s->plan.run_dir);
	if (!err)
		err = listen_unix(path, s->plan.uid, s->plan.gid, s->plan.control_gid, &all->control_fd);
	if (err < 0)
		log_err("control socket=%s error=\"%s\"", path, err_text(err));
	return err;
}

static void tear_down(struct supervisor *s)
{
	char path[ROLE_PATH_MAX + 32];

	/* Last of all: until here the addresses were answered. */
	addresses_keep_only(&s->addresses, NULL, 0);
	sockets_free(s->children.sockets);
	doors_free(s->children.doors);
	doors_free(s->children.web);
	snprintf(path, sizeof(path), "%s/control.sock", s->plan.run_dir);
	unlink(path);
	unlink(s->children.pids_path);
	folders_forget(&s->plan);
	plan_done(&s->plan);
}

static int run_loop(struct supervisor *s)
{
	static const struct {
		int signum;
		size_t offset;
		uv_signal_cb cb;
	} signals[] = {
		{SIGTERM, offsetof(struct supervisor, on_term), on_stop_signal},
		{SIGINT, offsetof(struct supervisor, on_int), on_stop_signal},
		{SIGHUP, offsetof(struct supervisor, on_hup), supervisor_on_hup},
		{SIGUSR1, offsetof(struct supervisor, on_usr1), supervisor_on_usr1},
		{SIGCHLD, offsetof(struct supervisor, on_chld), on_chld},
	};
	int err;

	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		uv_signal_t *h = (uv_signal_t *)((char *)s + signals[i].offset);

		uv_signal_init(&s->loop, h);
		h->data = s;
		uv_signal_start(h, signals[i].cb, signals[i].signum);
	}
	uv_timer_init(&s->loop, &s->tick);
	uv_timer_init(&s->loop, &s->linger);
	s->tick.data = s->linger.data = s;
	err = start_roles(s);
	if (err < 0)
		stop_roles(s);
	uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	return err;
}

static void close_handle(uv_handle_t *h, void *arg)
{
	(void)arg;
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

static void close_loop(uv_loop_t *loop)
{
	uv_walk(loop, close_handle, NULL);
	uv_run(loop, UV_RUN_DEFAULT);
	if (uv_loop_close(loop) < 0)
		log_debug("stop note=\"the loop is not empty\"");
}

int supervisor_run(const struct supervisor_options *o)
{
	struct supervisor *s = calloc(1, sizeof(*s));
	struct diag diag;
	int err;

	log_setup("supervisor", o->log_level);
	if (o->log_format)
		log_set_format(*o->log_format);
	if (!s)
		return 1;
	s->options = o;
	s->started_ms = clock_ms();
	signal(SIGPIPE, SIG_IGN);
	diag_init(&diag);
	random_bytes(s->seed, sizeof(s->seed));
	err = plan_make(o, s->seed, NULL, NULL, &diag, &s->plan);
	log_diag(&diag);
	diag_done(&diag);
	if (!err && s->plan.config && !o->log_format)
		log_set_format((enum log_format)s->plan.config->log.format);
	if (err < 0) {
		log_err("not started: %s", err_text(err));
		free(s);
		return 1;
	}
	uv_loop_init(&s->loop);
	privileges_raise_descriptors();
	privileges_raise_locked_memory();
	err = set_up(s);
	if (!err) {
		atomic_store(&s->board->supervisor.started_ns, clock_ns());
		supervisor_show_plan(s);
		privileges_shed(s->express != NULL);
		super_event_node(s->board, "", "started", "version " ZONECAST_VERSION);
		log_notice("start version=%s node=%s workers=%u run-dir=%s", ZONECAST_VERSION, s->plan.node_name, s->plan.workers,
		           s->plan.run_dir);
		err = run_loop(s);
		log_notice("stopped");
	}
	close_loop(&s->loop);
	express_free(s->express);
	hooks_free(s->hooks);
	checks_free(s->checks);
	if (s->up)
		tear_down(s);
	free(s);
	return err < 0 ? 1 : 0;
}
