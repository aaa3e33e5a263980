/* SPDX-License-Identifier: BSD-2-Clause */
/* The admin process: the control socket (control.c) and the web server (http.c) on one libuv loop. Here: its start, what both need, and what the supervisor says. */
#include "admin/admin_main.h"

#include "admin/admin_priv.h"
#include "admin/http.h"
#include "admin/http_stream.h"
#include "admin/order_message.h"
#include "admin/rssac.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proc/role.h"
#include "sample/queries.h"
#include "xdp/cache.h"
#include "zone/follow.h"

#include <stdlib.h>
#include <string.h>

enum { SWEEP_MS = 500, LOOK_MS = 100, SECOND_MS = 1000 };

static void on_socket(struct admin *a, const struct role_message *m)
{
	struct role_socket s;

	if (m->text_len != sizeof(s))
		return;
	memcpy(&s, m->text, sizeof(s));
	if (m->kind == ROLE_SOCKET_CLOSE) {
		http_socket_close(a->http, &s);
	} else if (a->role->attached >= 0) {
		s.fd = a->role->attached;
		a->role->attached = -1;
		http_socket_open(a->http, &s);
	}
}

static void on_order_done(struct admin *a, const struct role_message *m)
{
	char *text = strndup(m->text, MIN(m->text_len, (uint32_t)ROLE_TEXT_MAX));

	if (text)
		text[strcspn(text, "\n")] = '\0';
	http_order_done(a->http, m->id, m->result, text ? text : "");
	free(text);
}

static void on_message(struct role *role, const struct role_message *m)
{
	struct admin *a = role->state;

	if (m->kind == ROLE_SOCKET_OPEN || m->kind == ROLE_SOCKET_CLOSE)
		on_socket(a, m);
	if (m->kind != ROLE_REPLY)
		return;
	on_order_done(a, m);
	control_answered(a, m);
}

static void on_sweep(uv_timer_t *t)
{
	control_sweep(t->data);
}

static void on_look(uv_timer_t *t)
{
	struct admin *a = t->data;

	store_follow_look(&a->store, board_get(&a->role->board->sync.store_ino));
	rssac_tick(a->role->board, clock_wall_s());
	control_follow(a);
}

static void map_samples(struct admin *a)
{
	void *memory;
	size_t len;
	int err = role_map(a->role->brief.sample_fd, false, &memory, &len);

	if (!err)
		err = sample_rings_open(memory, len, &a->samples);
	if (err < 0 && err != ERR_NOT_FOUND)
		log_err("control what=query-log error=\"%s\"", err_text(err));
}

static void map_cache(struct admin *a)
{
	int err = role_map(a->role->brief.backend_cache_fd, true, &a->cache.memory, &a->cache.octets);

	if (err < 0 && err != ERR_NOT_FOUND)
		log_err("control what=backend-cache error=\"%s\"", err_text(err));
}

static void open_kernel_cache(struct admin *a)
{
	int err = xdp_cache_take(a->role->brief.xdp_fd, &a->cache.kernel);

	if (err < 0)
		log_err("control what=xdp error=\"%s\"", err_text(err));
}

static int on_reload(struct role *role, struct config *old)
{
	struct admin *a = role->state;

	(void)old;
	http_reload(a->http);
	return 0; /* all else is read from the role's configuration at each request */
}

static void view(void *ctx, struct admin_view *out)
{
	struct admin *a = ctx;
	struct role *role = a->role;

	store_follow_look(&a->store, board_get(&role->board->sync.store_ino));
	*out = (struct admin_view){
		.board = role->board,
		.config = role->config,
		.node = role->node,
		.node_name = role->brief.node,
		.now_ns = clock_ns(),
		.store_path = role->brief.store_path,
		.store = a->store.reader,
		.samples = a->samples,
		.cache = &a->cache,
		.rates = &a->rates,
	};
}

/* For http.h. Who it is by is no account of this machine. */
static int order(void *ctx, const struct request *r, uint32_t *id, const char **why)
{
	struct admin *a = ctx;
	struct role_message m;

	if (!order_message(a->role, r, ++a->next_id, UINT32_MAX, &m)) {
		*why = "this node has no such network";
		return ERR_NOT_FOUND;
	}
	*why = "the supervisor does not take requests now";
	*id = m.id;
	return role_send(a->role->brief.supervisor_fd, &m, -1);
}

static void on_second(uv_timer_t *t)
{
	struct admin *a = t->data;
	struct admin_view v;

	rates_sample(&a->rates, a->role->board, clock_ns(), clock_wall_us() / 1000);
	view(a, &v);
	http_stream_tick(a->http, &v);
}

int admin_main(struct role *role)
{
	struct admin *a = calloc(1, sizeof(*a));
	int err;

	if (!a || !role->brief.socket_count)
		return 1;
	a->role = role;
	role->state = a;
	role->on_reload = on_reload;
	role->on_message = on_message;
	uv_loop_init(&a->loop);
	map_samples(a);
	map_cache(a);
	open_kernel_cache(a);
	store_follow_init(&a->store, role->brief.store_path, &role->board->admin.pin);
	err = role_loop_start(role, &a->loop);
	if (!err)
		err = control_listen(a);
	if (err < 0) {
		log_err("control error=\"%s\"", uv_strerror(err));
		return 1;
	}
	if (http_new(&(struct http_host){.role = role, .loop = &a->loop, .view = view, .order = order, .ctx = a}, &a->http) < 0)
		return 1;
	if (role_sandbox(role) < 0)
		return 1;
	uv_timer_init(&a->loop, &a->sweep);
	uv_timer_init(&a->loop, &a->look);
	uv_timer_init(&a->loop, &a->second);
	a->sweep.data = a->look.data = a->second.data = a;
	uv_timer_start(&a->second, on_second, 0, SECOND_MS);
	uv_timer_start(&a->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	uv_timer_start(&a->look, on_look, 0, LOOK_MS);
	uv_run(&a->loop, UV_RUN_DEFAULT);
	http_free(a->http);
	store_follow_done(&a->store);
	return 0;
}
