/* SPDX-License-Identifier: BSD-2-Clause */
/* Plans, taken up and down. At a reload new endpoints are opened before, dropped ones are closed RELOAD_LINGER_MS after the change, when route has withdrawn them
 * and routers have taken that in. Workers take new settings and sockets without a pause; one that cannot be told is restarted. */
#include "super/supervisor_priv.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "super/accepted.h"
#include "super/events.h"
#include "super/fleet_known.h"
#include "super/orders.h"
#include "super/shared.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RELOAD_LINGER_MS = 5000 };

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
int supervisor_take_up(struct supervisor *s, const struct plan *p, char *problem, size_t cap)
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

void supervisor_tell_route(void *ctx, uint32_t kind, const struct role_socket *socket)
{
	struct supervisor *s = ctx;
	struct child *c = children_find(&s->children, ROLE_ROUTE, 0);

	if (c)
		tell_socket(c, kind, socket);
}

void supervisor_tell_admin(void *ctx, uint32_t kind, const struct role_socket *socket)
{
	struct supervisor *s = ctx;
	struct child *c = children_find(&s->children, ROLE_ADMIN, 0);

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

void supervisor_show_plan(struct supervisor *s)
{
	struct board_supervisor *b = &s->board->supervisor;
	const struct plan *p = &s->plan;

	hooks_set(s->hooks, p);
	checks_set(s->checks, p);
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
void supervisor_tell_all(struct supervisor *s, uint32_t kind, bool with_bundle)
{
	static const enum board_role roles[] = {ROLE_SYNC, ROLE_WATCH, ROLE_ROUTE, ROLE_ADMIN, ROLE_TAP};
	struct role_message m = {.kind = kind};

	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		struct child *c = children_find(&s->children, roles[i], 0);

		/* A role that cannot be told is restarted, and starts with the new configuration. */
		if (c && c->pid && c->wanted && child_send(c, &m, with_bundle ? children_bundle(&s->children, roles[i]) : -1) < 0)
			child_kill(c);
	}
}

/* Memory for answers of backends, of the size that is wanted, once there are backends; it stays when there are none any more. Where it cannot be had workers make do with some of
 * their own. */
bool supervisor_cache_backends(struct supervisor *s)
{
	const struct config *config = s->plan.config;
	struct children *all = &s->children;
	int fd = -1, err;

	if (!config || !config->backend_count || (all->backend_cache_fd >= 0 && all->backend_cache_size == config->answer.backend_cache.size))
		return false;
	err = shared_make_backend_cache(config->answer.backend_cache.size, &fd);
	if (err < 0) {
		log_err("backend-cache size=%u error=\"%s\"", (unsigned)config->answer.backend_cache.size, err_text(err));
		return false;
	}
	if (all->backend_cache_fd >= 0)
		close(all->backend_cache_fd);
	all->backend_cache_fd = fd;
	all->backend_cache_size = config->answer.backend_cache.size;
	return true;
}

/* renew: they are not told but begin anew, with the configuration of now. */
static void tell_workers(struct supervisor *s, size_t sockets_before, bool renew)
{
	struct role_message m = {.kind = ROLE_RELOAD};
	struct role_socket status;
	bool more = false;

	for (unsigned i = 0; i < s->plan.workers; i++) {
		struct child *c = children_find(&s->children, ROLE_ANSWER, i);

		if (c && c->pid && (renew || child_send(c, &m, s->children.bundles.answer_fd) < 0))
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
int supervisor_seal(struct bundle **b, int *fd)
{
	int err = *b ? bundle_seal(*b, fd) : 0;

	bundle_free(*b);
	*b = NULL;
	return err;
}

static void close_bundles(struct children_bundles *b)
{
	const int fds[] = {b->config_fd, b->admin_fd, b->watch_fd, b->answer_fd, b->zones_fd, b->tap_fd};

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	*b = (struct children_bundles){-1, -1, -1, -1, -1, -1};
}

void supervisor_stage_accepted(const struct plan *p)
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
	struct child *sync = children_find(&s->children, ROLE_SYNC, 0), *admin = children_find(&s->children, ROLE_ADMIN, 0);
	size_t before = sockets_count(s->children.sockets);
	char problem[300];
	struct diag diag;
	struct children_bundles fds = {-1, -1, -1, -1, -1, -1};
	bool renew;
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
	supervisor_stage_accepted(&next);
	err = supervisor_seal(&next.bundle, &fds.config_fd);
	if (!err)
		err = supervisor_seal(&next.admin, &fds.admin_fd);
	if (!err)
		err = supervisor_seal(&next.watch, &fds.watch_fd);
	if (!err)
		err = supervisor_seal(&next.answer, &fds.answer_fd);
	if (!err)
		err = supervisor_seal(&next.tap, &fds.tap_fd);
	if (!err)
		err = supervisor_seal(&next.zones, &fds.zones_fd);
	if (!err) {
		err = supervisor_take_up(s, &next, problem, sizeof(problem));
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
	if (!s->options->log_format)
		log_set_format((enum log_format)next.config->log.format);
	accepted_commit(next.state_dir, true);
	fleet_known_note(next.run_dir, next.config);
	close_bundles(&s->children.bundles);
	s->children.bundles = fds;
	supervisor_show_plan(s);
	express_reload(s->express, &s->plan, s->board);
	doors_set_neighbors(s->children.doors, s->plan.node);
	doors_set_http(s->children.web, s->plan.config, s->plan.node);
	supervisor_tell_all(s, ROLE_RELOAD, true);
	if (children_want(&s->children, ROLE_TAP, plan_taps(&s->plan)) < 0)
		log_err("process=tap error=\"cannot be started\" action=\"it is tried again\"");
	renew = supervisor_cache_backends(s);
	tell_workers(s, before, renew);
	if (renew && admin)
		child_renew(admin);
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

int supervisor_reload(struct supervisor *s, const struct plan_leave *leave, struct text *why)
{
	int err = reload_fleet(s, leave, why);

	if (s->phase == PHASE_RUN)
		show_refusal(s, err, why);
	/* In the stand-alone form there is no file: only zones are looked at. */
	if (s->phase == PHASE_RUN && s->plan.config)
		super_event_config(s->board, err >= 0, s->plan.config->generation, err < 0 ? s->board->supervisor.refused.why : "a reload was carried out");
	return err;
}

/* By what the operator said with the request. text is cut into lines. */
int supervisor_reload_as_told(struct supervisor *s, const struct role_message *m, struct text *why)
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
	err = supervisor_reload(s, &leave, why);
	free(text);
	return err;
}

void supervisor_on_hup(uv_signal_t *h, int signum)
{
	struct supervisor *s = h->data;
	struct text why;
	int err;

	(void)signum;
	text_init(&why);
	err = supervisor_reload(s, NULL, &why);
	for (char *line = strtok(why.chars, "\n"); line; line = strtok(NULL, "\n"))
		log_line(err < 0 ? LOG_ERR : LOG_WARN, "%s", line);
	if (err < 0)
		log_err("reload error=\"%s\" action=\"the old configuration stays\"", err_text(err));
	text_done(&why);
}
