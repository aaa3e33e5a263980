/* SPDX-License-Identifier: BSD-2-Clause */
/* What clients of the control socket ask for, and its reply in one object. What this process does not know is asked of the supervisor. */
#include "admin/admin_priv.h"

#include "admin/order_message.h"
#include "admin/status.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

static void do_status(struct control_client *c)
{
	struct role *role = c->admin->role;
	struct status_facts f = {.board = role->board, .config = role->config, .node = role->node, .node_name = role->brief.node,
	                         .now_ns = clock_ns(), .cache = &c->admin->cache};

	control_reply(c, json_pack("{s:b, s:o}", "ok", 1, "status", status_json(&f)));
}

static void do_cache(struct control_client *c, const struct request *r)
{
	static const uint8_t root[1] = {0};
	struct admin *a = c->admin;
	struct name name = {.len = 1};
	json_t *o;

	if (r->command != COMMAND_CACHE_STATUS && name_from_text(r->name, strlen(r->name), root, &name) < 0) {
		control_refuse(c, "that is no domain name");
		return;
	}
	if (r->command == COMMAND_CACHE_STATUS) {
		o = json_pack("{s:o}", "cache", backend_cache_status(&a->cache, a->role->board));
	} else if (!a->cache.memory) {
		control_refuse(c, "this node has no backends, so no answers of theirs");
		return;
	} else if (r->command == COMMAND_CACHE_SHOW) {
		o = backend_cache_show(&a->cache, a->role->config, name.wire, r->subtree, clock_ns() / 1000000000U);
	} else {
		o = backend_cache_purge(&a->cache, name.wire, r->subtree);
		log_notice("control request=cache-purge name=%s subtree=%d uid=%u pid=%d", r->name, r->subtree, c->peer.uid, c->peer.pid);
	}
	if (o)
		json_object_set_new(o, "ok", json_true());
	control_reply(c, o);
}

/* ---- what others do ---- */

static void forward(struct control_client *c, const struct request *r)
{
	const char *change = request_change_text(r->command);
	struct role *role = c->admin->role;
	struct role_message m;
	uv_os_fd_t fd = -1;

	if (!order_message(role, r, ++c->admin->next_id, c->peer.uid, &m)) {
		control_refuse(c, "this node has no such network");
		return;
	}
	if (change)
		log_notice("control request=%s%s%s%s%s uid=%u pid=%d", change, *r->network ? " network=" : "", r->network, r->neighbor[0] ? " peer=" : "", r->neighbor,
		           c->peer.uid, c->peer.pid);
	if (role_request_is_ask(m.request) && uv_fileno((uv_handle_t *)&c->pipe, &fd) < 0)
		fd = -1;
	if (role_send(role->brief.supervisor_fd, &m, fd) < 0) {
		control_refuse(c, "the supervisor does not take requests now");
		return;
	}
	c->waits_for = m.id;
	c->state = CLIENT_WAITING;
	c->active_ms = clock_ms();
}

/* Sync tells each zone in a line of JSON. */
static void reply_about_zones(struct control_client *c, const struct role_message *m)
{
	json_t *zones = json_array();
	char *text = strndup(m->text, MIN(m->text_len, (uint32_t)ROLE_TEXT_MAX)), *rest, *line;

	for (line = text ? strtok_r(text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
		json_t *zone = json_loads(line, 0, NULL);

		if (zone)
			json_array_append_new(zones, zone);
	}
	free(text);
	if (m->result == 0)
		control_reply(c, json_pack("{s:b, s:o}", "ok", 1, "zones", zones));
	else
		control_reply(c, json_pack("{s:b, s:s, s:b, s:o}", "ok", 0, "error",
		                   m->result != ERR_NOT_FOUND             ? err_text(m->result)
		                   : m->request == REQUEST_CATALOG_ACCEPT ? "this node takes no zones from such a catalog"
		                   : m->request == REQUEST_ZONE_STATUS    ? "this node has no such zone"
		                                                          : "this node holds no such zone by transfer",
		                   "again", m->result == ERR_CLOSED, "zones", zones));
}

void control_answered(struct admin *a, const struct role_message *m)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct control_client *c = &a->clients[i];
		json_t *problems;
		char *line, *rest, *text;

		if (c->state != CLIENT_WAITING || c->waits_for != m->id || c->closing)
			continue;
		if (m->request == REQUEST_ZONE_STATUS || m->request == REQUEST_ZONES_AFTER || m->request == REQUEST_RETRANSFER ||
		    m->request == REQUEST_RETRANSFER_FORCE || m->request == REQUEST_CATALOGS || m->request == REQUEST_CATALOG_ACCEPT) {
			reply_about_zones(c, m);
			return;
		}
		/* From here on it is sync's connection; only our hold on it goes. */
		if (role_request_is_ask(m->request) && m->result == 0) {
			control_close(c);
			return;
		}
		problems = json_array();
		text = strndup(m->text, m->text_len);
		for (line = text ? strtok_r(text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
			json_array_append_new(problems, json_string(line));
		free(text);
		if (m->result == 0)
			control_reply(c, json_pack("{s:b, s:o}", "ok", 1, "problems", problems));
		else
			control_reply(c, json_pack("{s:b, s:s, s:b, s:o}", "ok", 0, "error", err_text(m->result), "again", m->result == ERR_CLOSED,
			                   "problems", problems));
		return;
	}
}

/* ---- requests ---- */

/* Orders and questions about a zone that is not held here because others answer for it. True: refused, with the reason. */
static bool is_of_backends(struct control_client *c, const struct request *r)
{
	const char *pool = *r->zone && (r->command != COMMAND_ZONE_STATUS || r->one) ? zones_backends(c->admin->role->config, r->zone) : NULL;
	char why[200];

	if (!pool)
		return false;
	snprintf(why, sizeof(why), "backends \"%s\" answer for this zone, it is not held here: zonecast status shows them", pool);
	control_refuse(c, why);
	return true;
}

void control_act(struct control_client *c)
{
	char problem[200];
	struct request r;

	board_add(&c->admin->role->board->admin.requests, 1);
	store_follow_look(&c->admin->store, board_get(&c->admin->role->board->sync.store_ino));
	uv_read_stop((uv_stream_t *)&c->pipe);
	if (request_parse(c->in.chars, c->in.len, &r, problem, sizeof(problem)) < 0) {
		control_refuse(c, problem);
		return;
	}
	if (is_of_backends(c, &r))
		return;
	switch (r.command) {
	case COMMAND_STATUS:
		do_status(c);
		break;
	case COMMAND_ZONE_LIST:
		control_zone_list(c);
		break;
	case COMMAND_ZONE_SHOW:
		control_zone_show(c, &r);
		break;
	case COMMAND_QUERIES:
		control_queries(c, &r);
		break;
	case COMMAND_EVENTS:
		control_events(c, &r);
		break;
	case COMMAND_CACHE_STATUS:
	case COMMAND_CACHE_SHOW:
	case COMMAND_CACHE_PURGE:
		do_cache(c, &r);
		break;
	default:
		forward(c, &r);
		break;
	}
}
