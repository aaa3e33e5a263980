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
 * Reload: new endpoints are opened before, dropped ones are closed RELOAD_LINGER_MS after the change, when route has withdrawn them
 * and routers have taken that in. Workers take new settings and sockets without a pause; one that cannot be told is restarted. */
#include "super/supervisor.h"

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
#include "super/express.h"
#include "super/fleet_known.h"
#include "super/folders.h"
#include "super/hooks.h"
#include "super/orders.h"
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
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

enum {
	TICK_MS = 20,
	RELOAD_LINGER_MS = 5000,
	STOP_ROLES_MS = 1000,   /* for roles to end by themselves */
	STOP_DRAIN_SLACK_MS = 5000,
	STOP_HOOKS_MS = 2000,   /* for hooks, when all else has ended */
	FIRST_ANSWER_MS = 250,  /* for workers to map the store, before zones are read */
	FIRST_ANSWER_SOON_MS = 50, /* before other roles are started */
};

enum phase { PHASE_RUN, PHASE_DRAIN, PHASE_STOP };

struct supervisor {
	const struct supervisor_options *options;
	uv_loop_t loop;
	uv_timer_t tick, linger;
	uv_signal_t on_term, on_int, on_hup, on_chld, on_usr1;
	struct plan plan;
	struct board *board;
	struct children children;
	struct addresses addresses;
	struct express *express; /* NULL: sockets answer everything */
	struct hooks *hooks;
	enum phase phase;
	uint64_t phase_until_ms;
	uint8_t seed[COOKIE_SECRET_LEN];
	bool up; /* the plan in force has been taken up */
	bool sync_ready, said_ready;
	uint64_t started_ms;
};

static void log_diag(const struct diag *d)
{
	char line[1400];

	for (const struct diag_entry *e = d->first; e; e = e->next)
		log_line(e->severity == DIAG_ERROR ? LOG_ERR : LOG_WARN, "%s", diag_entry_text(e, line, sizeof(line)));
	if (d->dropped)
		log_warn("%u more problems are not shown", d->dropped);
}

/* ---- sockets and addresses of a plan ---- */

static const char *bind_hint(int err)
{
	switch (err) {
	case -EADDRINUSE:
		return "another program has this port; stop it, or listen elsewhere";
	case -EACCES:
	case -EPERM:
		return "not permitted; run as root or with CAP_NET_BIND_SERVICE and CAP_NET_ADMIN";
	case -EADDRNOTAVAIL:
		return "this machine has no such address";
	default:
		return err_text(err);
	}
}

/* Where other nodes ask how this one is. */
static bool tells_status(const struct plan *p, const struct endpoint *at)
{
	for (size_t i = 0; i < p->service_count; i++)
		if (addr_equal(&p->service[i], &at->addr))
			return false;
	return p->node != NULL;
}

/* Put up what `p` needs beyond what is there. On failure everything added is taken back; *problem says what. */
static int take_up(struct supervisor *s, const struct plan *p, char *problem, size_t cap)
{
	struct socket_set *set = s->children.sockets;
	char text[ENDPOINT_TEXT_MAX];
	size_t opened = 0, added = 0;
	bool was_open[PLAN_ENDPOINTS_MAX];
	int err = 0;

	for (; added < p->service_count; added++) {
		err = addresses_add(&s->addresses, &p->service[added]);
		if (err < 0) {
			snprintf(problem, cap, "cannot add service address %s to lo: %s", addr_text(&p->service[added], text),
			         bind_hint(err));
			break;
		}
	}
	for (; !err && opened < p->endpoint_count; opened++) {
		was_open[opened] = sockets_has(set, &p->endpoints[opened]);
		err = sockets_open(set, &p->endpoints[opened], p->tls_port && p->endpoints[opened].port == p->tls_port,
		                   tells_status(p, &p->endpoints[opened]));
		if (err < 0) {
			snprintf(problem, cap, "cannot listen on %s: %s", endpoint_text(&p->endpoints[opened], text), bind_hint(err));
			break;
		}
	}
	if (!err)
		return 0;
	for (size_t i = 0; i < opened; i++)
		if (!was_open[i])
			sockets_close(set, &p->endpoints[i]);
	addresses_keep_only(&s->addresses, s->plan.service, s->up ? s->plan.service_count : 0);
	return err;
}

/* Tell a worker of one socket opened (with the descriptor) or closed. */
static void tell_socket(struct child *c, uint32_t kind, const struct role_socket *socket)
{
	struct role_message m = {.kind = kind, .text_len = sizeof(*socket)};

	memcpy(m.text, socket, sizeof(*socket));
	if (c->pid && child_send(c, &m, kind == ROLE_SOCKET_OPEN ? socket->fd : -1) < 0)
		child_renew(c);
}

static void tell_endpoint(struct supervisor *s, uint32_t kind, size_t endpoint)
{
	struct role_socket sockets[ROLE_SOCKETS_MAX];

	for (unsigned i = 0; i < s->plan.workers; i++) {
		struct child *c = children_find(&s->children, ROLE_ANSWER, i);
		uint32_t n = sockets_of_endpoint(s->children.sockets, endpoint, i, sockets);

		for (uint32_t k = 0; c && k < n; k++)
			tell_socket(c, kind, &sockets[k]);
	}
}

/* Watch takes the sockets of status with it into its next life. */
static void renew_watch(struct supervisor *s)
{
	struct child *c = children_find(&s->children, ROLE_WATCH, 0);

	if (c)
		child_renew(c);
}

/* Close what the plan in force does not have. */
static void take_down(struct supervisor *s)
{
	struct socket_set *set = s->children.sockets;
	struct role_socket status;
	bool changed = false;

	for (size_t i = sockets_count(set); i-- > 0;) {
		struct endpoint at = *sockets_endpoint(set, i);
		bool keep = false;

		for (size_t k = 0; k < s->plan.endpoint_count; k++)
			keep |= addr_equal(&s->plan.endpoints[k].addr, &at.addr) && s->plan.endpoints[k].port == at.port;
		if (!keep) {
			changed = changed || sockets_status_of(set, i, &status);
			tell_endpoint(s, ROLE_SOCKET_CLOSE, i);
			sockets_close(set, &at);
		}
	}
	if (changed)
		renew_watch(s);
}

static void tell_route(void *ctx, uint32_t kind, const struct role_socket *socket)
{
	struct supervisor *s = ctx;
	struct child *c = children_find(&s->children, ROLE_ROUTE, 0);

	if (c)
		tell_socket(c, kind, socket);
}

static void on_linger(uv_timer_t *t)
{
	struct supervisor *s = t->data;

	if (s->phase != PHASE_RUN)
		return;
	take_down(s);
	addresses_keep_only(&s->addresses, s->plan.service, s->plan.service_count);
}

/* ---- reload ---- */

static void show_plan(struct supervisor *s)
{
	struct board_supervisor *b = &s->board->supervisor;
	const struct plan *p = &s->plan;

	hooks_set(s->hooks, p);
	if (p->fastopen_count)
		sockets_fastopen(s->children.sockets, p->fastopen[0], p->fastopen_count > 1 ? p->fastopen[1] : NULL);

	atomic_store(&b->workers, s->plan.workers);
	atomic_store(&b->networks, s->plan.node ? (uint32_t)s->plan.node->network_count : 0);
	atomic_fetch_add(&b->config_generation, 1);
	if (p->config) {
		atomic_store(&b->fleet_generation, p->config->generation);
		atomic_store(&b->fleet_highest, MAX(p->config->generation, p->highest));
		atomic_store(&b->fleet_file_older, p->file_older);
	}
	if (s->plan.node)
		orders_load(s->board, s->plan.config, s->plan.node, s->plan.state_dir, s->plan.run_dir);
}

/* with_bundle: the message brings each role its new one. */
static void tell_all(struct supervisor *s, uint32_t kind, bool with_bundle)
{
	static const enum board_role roles[] = {ROLE_SYNC, ROLE_WATCH, ROLE_ROUTE, ROLE_ADMIN};
	struct role_message m = {.kind = kind};

	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		struct child *c = children_find(&s->children, roles[i], 0);

		/* A role that cannot be told is restarted, and starts with the new configuration. */
		if (c && c->pid && child_send(c, &m, with_bundle ? children_bundle(&s->children, roles[i]) : -1) < 0)
			child_kill(c);
	}
}

static void tell_workers(struct supervisor *s, size_t sockets_before)
{
	struct role_message m = {.kind = ROLE_RELOAD};
	struct role_socket status;
	bool more = false;

	for (unsigned i = 0; i < s->plan.workers; i++) {
		struct child *c = children_find(&s->children, ROLE_ANSWER, i);

		if (c && c->pid && child_send(c, &m, s->children.bundles.answer_fd) < 0)
			child_renew(c);
	}
	for (size_t i = sockets_before; i < sockets_count(s->children.sockets); i++) {
		tell_endpoint(s, ROLE_SOCKET_OPEN, i);
		more = more || sockets_status_of(s->children.sockets, i, &status);
	}
	if (more)
		renew_watch(s);
}

static void problems_text(const struct diag *d, struct text *out)
{
	char line[1400];

	for (const struct diag_entry *e = d->first; e; e = e->next)
		text_fmt(out, "%s\n", diag_entry_text(e, line, sizeof(line)));
}

static bool same_ground(const struct plan *a, const struct plan *b, struct text *why)
{
	size_t before = why->len; /* warnings of the new one */

	if (strcmp(a->run_dir, b->run_dir) != 0 || strcmp(a->state_dir, b->state_dir) != 0)
		text_str(why, "error: run-dir and state-dir cannot change while running; restart the node for that\n");
	if (a->workers != b->workers)
		text_str(why, "error: workers cannot change while running; restart the node for that\n");
	if (a->uid != b->uid)
		text_str(why, "error: user cannot change while running; restart the node for that\n");
	return why->len == before;
}

/* What is sealed is not needed here any more: that of sync may be large. */
static int seal(struct bundle **b, int *fd)
{
	int err = *b ? bundle_seal(*b, fd) : 0;

	bundle_free(*b);
	*b = NULL;
	return err;
}

static void close_bundles(struct children_bundles *b)
{
	const int fds[] = {b->config_fd, b->watch_fd, b->answer_fd, b->zones_fd};

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	*b = (struct children_bundles){-1, -1, -1, -1};
}

static void stage_accepted(const struct plan *p)
{
	const char *name, *bytes;
	size_t len;
	int err;

	if (!p->config || p->file_older)
		return;
	bytes = bundle_first(p->zones, &name, &len);
	err = accepted_stage(p->state_dir, p->config, bytes, len);
	if (err < 0)
		log_err("fleet folder=%s error=\"%s\" note=\"its copy is not kept: an older file would not be refused\"", p->state_dir, err_text(err));
}

/* All or nothing. Problems, one a line, go to why. */
static int reload_fleet(struct supervisor *s, const struct plan_leave *leave, struct text *why)
{
	struct plan next, old = s->plan;
	struct role_message m = {.kind = ROLE_SYNC_RELOAD};
	struct child *sync = children_find(&s->children, ROLE_SYNC, 0);
	size_t before = sockets_count(s->children.sockets);
	char problem[300];
	struct diag diag;
	struct children_bundles fds = {-1, -1, -1, -1};
	int err;

	if (s->phase != PHASE_RUN) {
		text_str(why, "error: this node is stopping\n");
		return ERR_INVALID;
	}
	if (s->options->zones_dir) /* stand-alone: only the zones can have changed */
		return sync ? child_send(sync, &m, -1) : ERR_CLOSED;
	diag_init(&diag);
	err = plan_make(s->options, s->seed, &old, leave, &diag, &next);
	problems_text(&diag, why);
	diag_done(&diag);
	if (err < 0)
		return err;
	if (!same_ground(&old, &next, why)) {
		plan_done(&next);
		return ERR_INVALID;
	}
	stage_accepted(&next);
	err = seal(&next.bundle, &fds.config_fd);
	if (!err)
		err = seal(&next.watch, &fds.watch_fd);
	if (!err)
		err = seal(&next.answer, &fds.answer_fd);
	if (!err)
		err = seal(&next.zones, &fds.zones_fd);
	if (!err) {
		err = take_up(s, &next, problem, sizeof(problem));
		if (err < 0)
			text_fmt(why, "error: %s\n", problem);
	}
	if (err < 0) {
		close_bundles(&fds);
		accepted_commit(next.state_dir, false);
		plan_done(&next);
		return err;
	}
	s->plan = next;
	accepted_commit(next.state_dir, true);
	fleet_known_note(next.run_dir, next.config);
	close_bundles(&s->children.bundles);
	s->children.bundles = fds;
	show_plan(s);
	express_reload(s->express, &s->plan, s->board);
	doors_set(s->children.doors, s->plan.node);
	tell_all(s, ROLE_RELOAD, true);
	tell_workers(s, before);
	uv_timer_start(&s->linger, on_linger, RELOAD_LINGER_MS, 0);
	plan_done(&old);
	malloc_trim(0); /* what a large fleet file took */
	log_notice("reload config_generation=%u", (unsigned)atomic_load(&s->board->supervisor.config_generation));
	return 0;
}

/* What the node said to the last reload stays in the status until one is good. */
static void show_refusal(struct supervisor *s, int err, const struct text *why)
{
	struct board_refusal *r = &s->board->supervisor.refused;
	const char *line = why->chars, *error = strstr(why->chars, "error: ");

	/* Of many lines the first that is an error, from its beginning. */
	if (error)
		for (line = error; line > why->chars && line[-1] != '\n';)
			line--;
	board_write_begin(&r->seq);
	r->at_ns = err < 0 ? clock_ns() : 0;
	snprintf(r->why, sizeof(r->why), "%.*s", (int)MIN(strcspn(line, "\n"), sizeof(r->why) - 1), *line ? line : err_text(err));
	board_write_end(&r->seq);
}

static int reload(struct supervisor *s, const struct plan_leave *leave, struct text *why)
{
	int err = reload_fleet(s, leave, why);

	if (s->phase == PHASE_RUN)
		show_refusal(s, err, why);
	return err;
}

/* By what the operator said with the request. text is cut into lines. */
static int reload_as_told(struct supervisor *s, const struct role_message *m, struct text *why)
{
	const char *withdraw[CONFIG_NETWORKS_MAX];
	struct plan_leave leave = {.withdraw = withdraw};
	char *text = strndup(m->text, MIN(m->text_len, (uint32_t)ROLE_TEXT_MAX)), *rest, *line;
	int err;

	for (line = text ? strtok_r(text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
		if (strcmp(line, ROLE_RELOAD_OLDER) == 0)
			leave.accept_older = true;
		else if (strncmp(line, ROLE_RELOAD_WITHDRAW, strlen(ROLE_RELOAD_WITHDRAW)) == 0 && leave.withdraw_count < ARRAY_LEN(withdraw))
			withdraw[leave.withdraw_count++] = line + strlen(ROLE_RELOAD_WITHDRAW);
	}
	err = reload(s, &leave, why);
	free(text);
	return err;
}

static void on_hup(uv_signal_t *h, int signum)
{
	struct supervisor *s = h->data;
	struct text why;
	int err;

	(void)signum;
	text_init(&why);
	err = reload(s, NULL, &why);
	for (char *line = strtok(why.chars, "\n"); line; line = strtok(NULL, "\n"))
		log_line(err < 0 ? LOG_ERR : LOG_WARN, "%s", line);
	if (err < 0)
		log_err("reload error=\"%s\" action=\"the old configuration stays\"", err_text(err));
	text_done(&why);
}

/* Somebody wrote the orders file because nothing answered on the control socket. */
static void on_usr1(uv_signal_t *h, int signum)
{
	struct supervisor *s = h->data;

	(void)signum;
	if (!s->plan.node || s->phase != PHASE_RUN)
		return;
	orders_load(s->board, s->plan.config, s->plan.node, s->plan.state_dir, s->plan.run_dir);
	tell_all(s, ROLE_ORDERS, false);
}

/* ---- requests from admin ---- */

/* Sync answers under the same id; its reply is passed on. */
enum { PASSED_ON = 1 };
static int ask_sync(struct supervisor *s, const struct role_message *m, int attached)
{
	struct role_message ask = *m;
	struct child *c = children_find(&s->children, ROLE_SYNC, 0);
	int err;

	ask.kind = ROLE_SYNC_REQUEST;
	err = c ? child_send(c, &ask, attached) : ERR_CLOSED;
	return err < 0 ? err : PASSED_ON;
}

static void pass_on(struct supervisor *s, const struct role_message *m)
{
	struct child *admin = children_find(&s->children, ROLE_ADMIN, 0);

	if (!admin || child_send(admin, m, -1) < 0)
		log_warn("request=%u error=\"admin is gone before its reply\"", m->request);
}

static int order_network(struct supervisor *s, const struct role_message *m, enum board_order order, struct text *why)
{
	bool backstop = m->text_len == strlen(ROLE_WITH_BACKSTOP) && memcmp(m->text, ROLE_WITH_BACKSTOP, m->text_len) == 0;
	int err;

	if (!s->plan.node) {
		text_str(why, "a stand-alone server announces nothing: there is nothing to order\n");
		return ERR_UNSUPPORTED;
	}
	err = orders_set(s->board, s->plan.config, s->plan.node, s->plan.state_dir, m->network, order, backstop);
	if (!err) {
		log_notice("order=%s network=%s uid=%u", board_order_text(order),
		           m->network == UINT32_MAX ? ORDERS_ALL : s->plan.config->networks[s->plan.node->networks[m->network]].name, m->uid);
		tell_all(s, ROLE_ORDERS, false);
	}
	return err;
}

static int order_neighbor(struct supervisor *s, const struct role_message *m, bool drain, struct text *why)
{
	char text[ENDPOINT_TEXT_MAX];
	size_t len = MIN((size_t)m->text_len, sizeof(text) - 1);
	struct endpoint at;
	int err;

	memcpy(text, m->text, len);
	text[len] = '\0';
	if (!s->plan.node || endpoint_parse(text, 0, &at) < 0)
		return ERR_INVALID;
	err = orders_set_neighbor(s->board, s->plan.config, s->plan.node, s->plan.state_dir, &at, drain);
	if (err == ERR_NOT_FOUND)
		text_fmt(why, "this node has no neighbor %s\n", text);
	else if (err == ERR_INVALID)
		text_fmt(why, "this node has several neighbors %s: name the port too\n", text);
	if (!err) {
		log_notice("order=%s bgp peer=%s uid=%u", drain ? "drain" : "none", text, m->uid);
		tell_all(s, ROLE_ORDERS, false);
	}
	return err;
}

static int carry_out(struct supervisor *s, const struct role_message *m, int attached, struct text *why)
{
	struct role_message sync = {.kind = ROLE_SYNC_RELOAD, .uid = m->uid};
	struct role_fault fault;
	struct child *c;

	switch ((enum role_request)m->request) {
	case REQUEST_RELOAD:
		return reload_as_told(s, m, why);
	case REQUEST_DRAIN:
	case REQUEST_RESUME:
		return order_network(s, m, m->request == REQUEST_DRAIN ? ORDER_DRAIN : ORDER_NONE, why);
	case REQUEST_FREEZE:
		return order_network(s, m, ORDER_FREEZE, why);
	case REQUEST_FORCE:
		return order_network(s, m, ORDER_FORCE, why);
	case REQUEST_DRAIN_NEIGHBOR:
	case REQUEST_RESUME_NEIGHBOR:
		return order_neighbor(s, m, m->request == REQUEST_DRAIN_NEIGHBOR, why);
	case REQUEST_ZONE_RELOAD:
	case REQUEST_ZONE_RELOAD_FORCE:
		sync.request = m->request;
		c = children_find(&s->children, ROLE_SYNC, 0);
		sync.text_len = MIN(m->text_len, 1023U);
		memcpy(sync.text, m->text, sync.text_len);
		return c ? child_send(c, &sync, -1) : ERR_CLOSED;
	case REQUEST_ZONE_STATUS:
	case REQUEST_ZONES_AFTER:
	case REQUEST_RETRANSFER:
	case REQUEST_RETRANSFER_FORCE:
	case REQUEST_CATALOGS:
	case REQUEST_CATALOG_ACCEPT:
		return ask_sync(s, m, -1);
	case REQUEST_ZONE_HISTORY:
	case REQUEST_ZONE_DIFF:
	case REQUEST_ZONE_EXPORT:
	case REQUEST_ZONE_ROLLBACK:
	case REQUEST_ZONE_PUBLISH:
		return attached >= 0 ? ask_sync(s, m, attached) : ERR_INVALID;
	case REQUEST_FAULT:
		if (!s->options->allow_faults) {
			text_str(why, "faults are for drills: start the node with --allow-faults\n");
			return ERR_INVALID;
		}
		if (m->text_len != sizeof(fault))
			return ERR_MALFORMED;
		memcpy(&fault, m->text, sizeof(fault));
		atomic_store(&s->board->supervisor.fault_worker, fault.worker);
		atomic_store(&s->board->supervisor.fault, fault.kind);
		log_warn("fault kind=%u worker=%d", fault.kind, (int)fault.worker);
		return 0;
	}
	return ERR_UNSUPPORTED;
}

/* Sync found a zone file that its account may not read. */
static void grant_read(struct supervisor *s, struct child *sync, const struct role_message *m)
{
	char path[ROLE_TEXT_MAX + 1];
	size_t len = MIN(m->text_len, (uint32_t)ROLE_TEXT_MAX);

	memcpy(path, m->text, len);
	path[len] = '\0';
	if (s->plan.keep_dac_read || !plan_grants_read(&s->plan, s->options->zones_dir, path))
		return;
	log_notice("sync file=%s note=\"its account cannot read this file: it goes on with the privilege to read all\"", path);
	s->plan.keep_dac_read = true;
	child_renew(sync);
}

static void on_message(void *ctx, struct child *c, const struct role_message *m)
{
	struct supervisor *s = ctx;
	struct role_message reply = {.kind = ROLE_REPLY, .id = m->id, .request = m->request};
	struct text why;

	if (m->kind == ROLE_READY && c->kind == ROLE_SYNC)
		s->sync_ready = true;
	if (m->kind == ROLE_NEEDS_READ && c->kind == ROLE_SYNC)
		grant_read(s, c, m);
	if (m->kind == ROLE_REPLY && c->kind == ROLE_SYNC)
		pass_on(s, m);
	if (m->kind != ROLE_REQUEST || c->kind != ROLE_ADMIN)
		return;
	text_init(&why);
	reply.result = carry_out(s, m, c->attached, &why);
	if (reply.result == PASSED_ON) {
		text_done(&why);
		return;
	}
	reply.text_len = (uint32_t)MIN(why.len, (size_t)ROLE_TEXT_MAX);
	memcpy(reply.text, why.chars, reply.text_len);
	text_done(&why);
	if (child_send(c, &reply, -1) < 0)
		log_warn("request=%u error=\"admin is gone before its reply\"", m->request);
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
	if (s->phase == PHASE_DRAIN && c->kind == ROLE_ROUTE)
		stop_roles(s);
}

static void on_stranger(void *ctx, pid_t pid, int status)
{
	struct supervisor *s = ctx;

	if (s->hooks && !hooks_ended(s->hooks, pid, status))
		log_debug("process pid=%d note=\"none of ours has ended\"", pid);
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
	if (s->phase == PHASE_DRAIN && now >= s->phase_until_ms)
		stop_roles(s);
	if (!s->said_ready && s->sync_ready && all_workers_serve(s)) {
		static const char word[] = "ready\n";

		s->said_ready = true;
		log_notice("ready took_ms=%u zones=%u failed=%u", (unsigned)(now - s->started_ms),
		           (unsigned)board_get(&s->board->sync.zones_serving), (unsigned)board_get(&s->board->sync.zones_failed));
		if (write(STDERR_FILENO, word, sizeof(word) - 1) < 0)
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
		stage_accepted(&s->plan);
	accepted_commit(s->plan.state_dir, !err);
	if (!err)
		err = seal(&s->plan.zones, &all->bundles.zones_fd);
	malloc_trim(0);
	if (!err)
		err = children_add(all, ROLE_SYNC, 0);
	if (!err && s->plan.routed)
		err = children_add(all, ROLE_WATCH, 0);
	if (!err && s->plan.routed)
		err = children_add(all, ROLE_ROUTE, 0);
	if (!err)
		err = children_add(all, ROLE_ADMIN, 0);
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
	fcntl(all->board_fd, F_SETFD, FD_CLOEXEC);
	all->board = s->board;
	all->loop = &s->loop;
	all->plan = &s->plan;
	all->bundles = (struct children_bundles){-1, -1, -1, -1};
	all->rate_fd = all->sample_fd = all->control_fd = -1;
	for (size_t i = 0; i < ARRAY_LEN(all->xdp_fd); i++)
		all->xdp_fd[i] = -1;
	all->log_level = s->options->log_level;
	memset(all->handover, 0xff, sizeof(all->handover));
	memset(all->status, 0xff, sizeof(all->status));
	all->allow_transfer = s->options->allow_transfer;
	all->allow_transfer_count = s->options->allow_transfer_count;
	all->zones_dir = s->options->zones_dir;
	all->on_message = on_message;
	all->on_end = on_end;
	all->on_stranger = on_stranger;
	s->hooks = hooks_new(s->board);
	if (!s->hooks)
		return ERR_NO_MEMORY;
	all->ctx = s;
	all->sockets = sockets_new(s->plan.workers);
	all->doors = doors_new(tell_route, s);
	if (!all->sockets || !all->doors)
		return ERR_NO_MEMORY;
	snprintf(all->store_dir, sizeof(all->store_dir), "%.490s/store", s->plan.run_dir);
	snprintf(all->pids_path, sizeof(all->pids_path), "%.490s/pids", s->plan.run_dir);
	addresses_init(&s->addresses, s->plan.run_dir);
	if (s->plan.service_count) {
		err = loaddr_up();
		if (err < 0)
			log_warn("lo error=\"cannot bring it up: %s\"", err_text(err));
	}
	err = take_up(s, &s->plan, problem, sizeof(problem));
	if (err < 0) {
		log_err("%s", problem);
		return err;
	}
	s->up = true;
	addresses_keep_only(&s->addresses, s->plan.service, s->plan.service_count);
	err = seal(&s->plan.bundle, &all->bundles.config_fd);
	if (!err)
		err = seal(&s->plan.watch, &all->bundles.watch_fd);
	if (!err)
		err = seal(&s->plan.answer, &all->bundles.answer_fd);
	if (!err)
		doors_set(all->doors, s->plan.node);
	if (!err)
		express_start(&s->plan, s->board, all, &s->express);
	if (!err && s->plan.config && all->rate_fd < 0)
		err = shared_make_rate_table(s->plan.config->answer.rate_limit.table, &all->rate_fd);
	if (!err)
		err = shared_make_sample_rings(s->plan.workers, &all->sample_fd);
	for (unsigned i = 0; !err && i < s->plan.workers; i++)
		err = handover_pair(all->handover[i]);
	if (!err && s->plan.routed)
		err = handover_pair(all->status);
	snprintf(path, sizeof(path), "%s/control.sock", s->plan.run_dir);
	if (!err)
		err = listen_unix(path, s->plan.uid, s->plan.gid, &all->control_fd);
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
		{SIGHUP, offsetof(struct supervisor, on_hup), on_hup},
		{SIGUSR1, offsetof(struct supervisor, on_usr1), on_usr1},
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
		show_plan(s);
		privileges_shed(s->express != NULL);
		log_notice("start version=%s node=%s workers=%u run-dir=%s", ZONECAST_VERSION, s->plan.node_name, s->plan.workers,
		           s->plan.run_dir);
		err = run_loop(s);
		log_notice("stopped");
	}
	close_loop(&s->loop);
	express_free(s->express);
	hooks_free(s->hooks);
	if (s->up)
		tear_down(s);
	free(s);
	return err < 0 ? 1 : 0;
}
