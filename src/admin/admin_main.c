/* SPDX-License-Identifier: BSD-2-Clause */
/* The admin process: the control socket (control.h). One libuv loop; each client is one request and one reply, so its life is short:
 * read a line, parse, act, write, close. What changes something is sent to the supervisor and answered when it answers. A zone, and the
 * list of zones, and the sampled queries, are streamed in pieces, the next one only when the client has taken the last: the store is pinned while a piece is
 * made, never while a client reads it, and the memory a client costs is one piece.
 *
 * Bounds: CONTROL_CLIENTS_MAX at a time (more are closed at once), CONTROL_REQUEST_MAX octets a request, CONTROL_IDLE_MS without progress,
 * CONTROL_WAIT_MS for the supervisor. What a client sends after its first line is not read. */
#include "admin/admin_main.h"

#include "admin/backend_cache.h"
#include "admin/control.h"
#include "admin/control_peer.h"
#include "admin/events.h"
#include "admin/http.h"
#include "admin/http_stream.h"
#include "admin/rates.h"
#include "admin/request.h"
#include "admin/rssac.h"
#include "admin/status.h"
#include "admin/zones.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proc/role.h"
#include "sample/queries.h"
#include "xdp/cache.h"
#include "zone/follow.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { SWEEP_MS = 500, TELL_AWAY_MS = 10000, LOOK_MS = 100, SECOND_MS = 1000 };

enum client_stream { STREAM_NONE, STREAM_ZONE, STREAM_LIST, STREAM_QUERIES, STREAM_EVENTS };
enum client_state { CLIENT_FREE, CLIENT_READING, CLIENT_WAITING, CLIENT_WRITING,
                    CLIENT_FOLLOWING /* nothing to send until a query is sampled, something happens */ };

struct client {
	struct admin *admin;
	uv_pipe_t pipe;
	uv_write_t write;
	enum client_state state;
	uint64_t active_ms;
	uint32_t waits_for; /* id of the request sent to the supervisor */
	enum client_stream streaming;
	bool closing;
	struct control_peer peer;
	struct zone_stream zone;
	struct zones_stream list;
	struct queries_stream queries;
	struct board_events_cursor events;
	bool follows;
	struct text in, out;
};

struct admin {
	struct role *role;
	uv_loop_t loop;
	uv_pipe_t server;
	uv_timer_t sweep, look, second;
	struct store_follow store;
	struct sample_rings *samples; /* NULL: none */
	struct backend_cache cache;
	struct http *http;
	struct rates rates;
	struct client clients[CONTROL_CLIENTS_MAX];
	uint32_t next_id;
	uint32_t turned_away; /* connections of who may not use the socket */
	uint64_t turned_away_told_ms;
};

static void on_closed(uv_handle_t *h)
{
	struct client *c = h->data;

	text_done(&c->in);
	text_done(&c->out);
	c->state = CLIENT_FREE;
}

static void client_close(struct client *c)
{
	if (c->closing)
		return;
	c->closing = true;
	uv_close((uv_handle_t *)&c->pipe, on_closed);
}

static void flush(struct client *c);

/* The next piece into out. False when there is nothing to send: the client sees a stream that ends early. */
static bool next_piece(struct client *c)
{
	struct store_reader *reader = c->admin->store.reader;
	struct store_snapshot s;
	int more;

	if (!reader)
		return false;
	store_pin(reader, &s);
	if (c->streaming == STREAM_ZONE)
		more = zone_stream_piece(&c->zone, &s, &c->out);
	else
		more = zones_stream_piece(&c->list, &s, c->admin->role->config, &c->out);
	store_unpin(reader);
	if (more == 0 && c->streaming == STREAM_LIST)
		text_str(&c->out, "]}\n");
	if (more != 1)
		c->streaming = STREAM_NONE;
	return more >= 0 || more == ERR_STALE;
}

/* What was sampled, or has happened, since. A client that follows waits for more when there is nothing. */
static void next_lines(struct client *c)
{
	bool more = c->streaming == STREAM_EVENTS ? events_stream_piece(c->admin->role->board, &c->events, &c->out)
	                                          : queries_stream_piece(&c->queries, c->admin->samples, &c->out);

	if (!more && !c->follows)
		c->streaming = STREAM_NONE;
	if (c->out.len)
		flush(c);
	else if (c->follows)
		c->state = CLIENT_FOLLOWING;
	else
		client_close(c);
}

static void on_written(uv_write_t *w, int status)
{
	struct client *c = w->data;

	text_clear(&c->out);
	if (status >= 0 && !c->closing && (c->streaming == STREAM_QUERIES || c->streaming == STREAM_EVENTS)) {
		next_lines(c);
		return;
	}
	if (status < 0 || c->closing || !c->streaming || !next_piece(c)) {
		client_close(c);
		return;
	}
	flush(c);
}

static void flush(struct client *c)
{
	uv_buf_t buf = uv_buf_init(c->out.chars, (unsigned)c->out.len);

	c->state = CLIENT_WRITING;
	c->active_ms = clock_ms();
	c->write.data = c;
	if (c->out.failed || uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, on_written) < 0)
		client_close(c);
}

static void reply(struct client *c, json_t *o)
{
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (!text) {
		client_close(c);
		return;
	}
	text_str(&c->out, text);
	text_char(&c->out, '\n');
	free(text);
	flush(c);
}

static void refuse(struct client *c, const char *why)
{
	board_add(&c->admin->role->board->admin.refused, 1);
	reply(c, json_pack("{s:b, s:s}", "ok", 0, "error", why));
}

/* ---- commands ---- */

static void do_status(struct client *c)
{
	struct role *role = c->admin->role;
	struct status_facts f = {.board = role->board, .config = role->config, .node = role->node, .node_name = role->brief.node,
	                         .now_ns = clock_ns(), .cache = &c->admin->cache};

	reply(c, json_pack("{s:b, s:o}", "ok", 1, "status", status_json(&f)));
}

static void do_cache(struct client *c, const struct request *r)
{
	static const uint8_t root[1] = {0};
	struct admin *a = c->admin;
	struct name name = {.len = 1};
	json_t *o;

	if (r->command != COMMAND_CACHE_STATUS && name_from_text(r->name, strlen(r->name), root, &name) < 0) {
		refuse(c, "that is no domain name");
		return;
	}
	if (r->command == COMMAND_CACHE_STATUS) {
		o = json_pack("{s:o}", "cache", backend_cache_status(&a->cache, a->role->board));
	} else if (!a->cache.memory) {
		refuse(c, "this node has no backends, so no answers of theirs");
		return;
	} else if (r->command == COMMAND_CACHE_SHOW) {
		o = backend_cache_show(&a->cache, a->role->config, name.wire, r->subtree, clock_ns() / 1000000000U);
	} else {
		o = backend_cache_purge(&a->cache, name.wire, r->subtree);
		log_notice("control request=cache-purge name=%s subtree=%d uid=%u pid=%d", r->name, r->subtree, c->peer.uid, c->peer.pid);
	}
	if (o)
		json_object_set_new(o, "ok", json_true());
	reply(c, o);
}

static void do_zone_list(struct client *c)
{
	memset(&c->list, 0, sizeof(c->list));
	c->list.now_wall_s = clock_wall_s();
	c->list.node = c->admin->role->node;
	c->streaming = STREAM_LIST;
	text_str(&c->out, "{\"ok\":true,\"zones\":[");
	if (!next_piece(c)) {
		text_clear(&c->out);
		c->streaming = STREAM_NONE;
		refuse(c, "no zone is loaded yet");
		return;
	}
	flush(c);
}

static void do_zone_show(struct client *c, const struct request *r)
{
	static const uint8_t root[1] = {0};

	memset(&c->zone, 0, sizeof(c->zone));
	c->zone.digest = r->digest;
	if (name_from_text(r->zone, strlen(r->zone), root, &c->zone.apex) < 0) {
		refuse(c, "that is no domain name");
		return;
	}
	text_str(&c->out, "{\"ok\":true,\"stream\":true}\n");
	c->streaming = STREAM_ZONE;
	if (!next_piece(c)) {
		text_clear(&c->out);
		c->streaming = STREAM_NONE;
		refuse(c, "no such zone, or it has no data");
		return;
	}
	flush(c);
}

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf);
static void on_read_follower(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

/* Whoever follows stays: room must be left for those who look at the node. */
static bool may_follow(struct client *c, const struct request *r)
{
	const struct admin *a = c->admin;
	unsigned followers = 0;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		followers += a->clients[i].state != CLIENT_FREE && a->clients[i].follows;
	if (r->follow && followers >= CONTROL_FOLLOWERS_MAX) {
		refuse(c, "too many follow the queries or events already");
		return false;
	}
	c->follows = r->follow;
	return true;
}

static void flush_follower(struct client *c)
{
	/* So that its going is noticed. */
	if (c->follows && uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read_follower) < 0)
		client_close(c);
	else
		flush(c);
}

static void do_queries(struct client *c, const struct request *r)
{
	struct admin *a = c->admin;

	if (!a->samples) {
		refuse(c, "this node keeps no sample of its queries");
		return;
	}
	if (!may_follow(c, r))
		return;
	c->streaming = STREAM_QUERIES;
	queries_stream_start(&c->queries, a->samples, r->follow);
	text_fmt(&c->out, "{\"ok\":true,\"stream\":true,\"sample\":%u}\n", a->role->config ? a->role->config->answer.query_log_sample : 0U);
	flush_follower(c);
}

static void do_events(struct client *c, const struct request *r)
{
	char now[24];

	if (!may_follow(c, r))
		return;
	c->streaming = STREAM_EVENTS;
	text_fmt(&c->out, "{\"ok\":true,\"stream\":true,\"now\":\"%s\"}\n", clock_wall_text(clock_wall_s(), now));
	flush_follower(c);
}

/* What a reload may do that it would be refused otherwise. */
static void put_leave(const struct request *r, struct role_message *m)
{
	struct text text;

	text_init(&text);
	for (const char *at = r->withdraw; *at; at = strchr(at, '\n') + 1)
		text_fmt(&text, ROLE_RELOAD_WITHDRAW "%.*s\n", (int)strcspn(at, "\n"), at);
	if (r->accept_older)
		text_str(&text, ROLE_RELOAD_OLDER "\n");
	m->text_len = (uint32_t)MIN(text.len, (size_t)ROLE_TEXT_MAX);
	memcpy(m->text, text.chars, m->text_len);
	text_done(&text);
}

static void put_order(const struct request *r, struct role_message *m)
{
	const char *text = r->neighbor[0] ? r->neighbor : r->backstop ? ROLE_WITH_BACKSTOP : "";

	m->text_len = (uint32_t)strlen(text);
	memcpy(m->text, text, m->text_len);
}

static void put_text(const struct request *r, uint32_t uid, struct role_message *m)
{
	const struct role_fault fault = {r->fault, r->fault_worker};
	struct role_ask ask = {.uid = uid, .force = r->force, .serials = r->serials, .serial = {r->serial[0], r->serial[1]}};

	_Static_assert(sizeof(ask) <= ROLE_TEXT_MAX && sizeof(ask.zone) >= REQUEST_NAME_MAX, "it fits");
	if (r->command == COMMAND_RELOAD) {
		put_leave(r, m);
		return;
	}
	if (r->command == COMMAND_DRAIN || r->command == COMMAND_RESUME) {
		put_order(r, m);
		return;
	}
	if (role_request_is_ask(m->request)) {
		memcpy(ask.zone, r->zone, strlen(r->zone) + 1);
		m->text_len = sizeof(ask);
		memcpy(m->text, &ask, sizeof(ask));
		return;
	}
	if (m->request == REQUEST_FAULT) {
		m->text_len = sizeof(fault);
		memcpy(m->text, &fault, sizeof(fault));
		return;
	}
	m->text_len = (uint32_t)strlen(r->zone);
	memcpy(m->text, r->zone, m->text_len);
}

/* What the supervisor has to do. False: this node has no such network. */
static bool put_message(struct admin *a, const struct request *r, uint32_t uid, struct role_message *m)
{
	const struct role *role = a->role;

	*m = (struct role_message){.kind = ROLE_REQUEST, .id = ++a->next_id, .network = UINT32_MAX, .uid = uid};
	switch (r->command) {
	case COMMAND_RELOAD:
		m->request = REQUEST_RELOAD;
		break;
	case COMMAND_DRAIN:
		m->request = r->neighbor[0] ? REQUEST_DRAIN_NEIGHBOR : REQUEST_DRAIN;
		break;
	case COMMAND_RESUME:
		m->request = r->neighbor[0] ? REQUEST_RESUME_NEIGHBOR : REQUEST_RESUME;
		break;
	case COMMAND_FREEZE:
		m->request = REQUEST_FREEZE;
		break;
	case COMMAND_FORCE:
		m->request = REQUEST_FORCE;
		break;
	case COMMAND_ZONE_RELOAD:
		m->request = r->force ? REQUEST_ZONE_RELOAD_FORCE : REQUEST_ZONE_RELOAD;
		break;
	case COMMAND_ZONE_STATUS:
		m->request = r->one ? REQUEST_ZONE_STATUS : REQUEST_ZONES_AFTER;
		break;
	case COMMAND_ZONE_RETRANSFER:
		m->request = r->force ? REQUEST_RETRANSFER_FORCE : REQUEST_RETRANSFER;
		break;
	case COMMAND_ZONE_HISTORY:
		m->request = REQUEST_ZONE_HISTORY;
		break;
	case COMMAND_ZONE_DIFF:
		m->request = REQUEST_ZONE_DIFF;
		break;
	case COMMAND_ZONE_EXPORT:
		m->request = REQUEST_ZONE_EXPORT;
		break;
	case COMMAND_ZONE_ROLLBACK:
		m->request = REQUEST_ZONE_ROLLBACK;
		break;
	case COMMAND_ZONE_PUBLISH:
		m->request = REQUEST_ZONE_PUBLISH;
		break;
	case COMMAND_CATALOG_STATUS:
		m->request = REQUEST_CATALOGS;
		break;
	case COMMAND_CATALOG_ACCEPT:
		m->request = REQUEST_CATALOG_ACCEPT;
		break;
	default:
		m->request = REQUEST_FAULT;
		break;
	}
	if (r->network[0]) {
		for (size_t i = 0; role->node && i < role->node->network_count; i++)
			if (strcmp(role->config->networks[role->node->networks[i]].name, r->network) == 0)
				m->network = (uint32_t)i;
		if (m->network == UINT32_MAX)
			return false;
	}
	put_text(r, uid, m);
	return true;
}

static void forward(struct client *c, const struct request *r)
{
	const char *change = request_change_text(r->command);
	struct role *role = c->admin->role;
	struct role_message m;
	uv_os_fd_t fd = -1;

	if (!put_message(c->admin, r, c->peer.uid, &m)) {
		refuse(c, "this node has no such network");
		return;
	}
	if (change)
		log_notice("control request=%s%s%s%s%s uid=%u pid=%d", change, *r->network ? " network=" : "", r->network, r->neighbor[0] ? " peer=" : "", r->neighbor,
		           c->peer.uid, c->peer.pid);
	if (role_request_is_ask(m.request) && uv_fileno((uv_handle_t *)&c->pipe, &fd) < 0)
		fd = -1;
	if (role_send(role->brief.supervisor_fd, &m, fd) < 0) {
		refuse(c, "the supervisor does not take requests now");
		return;
	}
	c->waits_for = m.id;
	c->state = CLIENT_WAITING;
	c->active_ms = clock_ms();
}

/* Sync tells each zone in a line of JSON. */
static void reply_about_zones(struct client *c, const struct role_message *m)
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
		reply(c, json_pack("{s:b, s:o}", "ok", 1, "zones", zones));
	else
		reply(c, json_pack("{s:b, s:s, s:b, s:o}", "ok", 0, "error",
		                   m->result != ERR_NOT_FOUND             ? err_text(m->result)
		                   : m->request == REQUEST_CATALOG_ACCEPT ? "this node takes no zones from such a catalog"
		                   : m->request == REQUEST_ZONE_STATUS    ? "this node has no such zone"
		                                                          : "this node holds no such zone by transfer",
		                   "again", m->result == ERR_CLOSED, "zones", zones));
}

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
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *c = &a->clients[i];
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
			client_close(c);
			return;
		}
		problems = json_array();
		text = strndup(m->text, m->text_len);
		for (line = text ? strtok_r(text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
			json_array_append_new(problems, json_string(line));
		free(text);
		if (m->result == 0)
			reply(c, json_pack("{s:b, s:o}", "ok", 1, "problems", problems));
		else
			reply(c, json_pack("{s:b, s:s, s:b, s:o}", "ok", 0, "error", err_text(m->result), "again", m->result == ERR_CLOSED,
			                   "problems", problems));
		return;
	}
}

/* Orders and questions about a zone that is not held here because others answer for it. True: refused, with the reason. */
static bool is_of_backends(struct client *c, const struct request *r)
{
	const char *pool = *r->zone && (r->command != COMMAND_ZONE_STATUS || r->one) ? zones_backends(c->admin->role->config, r->zone) : NULL;
	char why[200];

	if (!pool)
		return false;
	snprintf(why, sizeof(why), "backends \"%s\" answer for this zone, it is not held here: zonecast status shows them", pool);
	refuse(c, why);
	return true;
}

static void act(struct client *c)
{
	char problem[200];
	struct request r;

	board_add(&c->admin->role->board->admin.requests, 1);
	store_follow_look(&c->admin->store, board_get(&c->admin->role->board->sync.store_ino));
	uv_read_stop((uv_stream_t *)&c->pipe);
	if (request_parse(c->in.chars, c->in.len, &r, problem, sizeof(problem)) < 0) {
		refuse(c, problem);
		return;
	}
	if (is_of_backends(c, &r))
		return;
	switch (r.command) {
	case COMMAND_STATUS:
		do_status(c);
		break;
	case COMMAND_ZONE_LIST:
		do_zone_list(c);
		break;
	case COMMAND_ZONE_SHOW:
		do_zone_show(c, &r);
		break;
	case COMMAND_QUERIES:
		do_queries(c, &r);
		break;
	case COMMAND_EVENTS:
		do_events(c, &r);
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

/* ---- clients ---- */

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf)
{
	static char chunk[4096];

	(void)h;
	(void)size;
	*buf = uv_buf_init(chunk, sizeof(chunk));
}

static void on_read_follower(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	(void)buf;
	if (n < 0)
		client_close(stream->data);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct client *c = stream->data;
	const char *eol;

	if (n <= 0) {
		if (n < 0)
			client_close(c);
		return;
	}
	c->active_ms = clock_ms();
	eol = memchr(buf->base, '\n', (size_t)n);
	text_add(&c->in, buf->base, eol ? (size_t)(eol - buf->base) : (size_t)n);
	if (c->in.failed || c->in.len > CONTROL_REQUEST_MAX) {
		uv_read_stop(stream);
		refuse(c, "the request is too long");
	} else if (eol) {
		act(c);
	}
}

static void free_handle(uv_handle_t *h)
{
	free(h);
}

static bool is_welcome(struct client *c)
{
	struct admin *a = c->admin;
	uint64_t now = clock_ms();
	uv_os_fd_t fd;

	if (uv_fileno((const uv_handle_t *)&c->pipe, &fd) < 0)
		return false;
	control_peer_of(fd, &c->peer);
	if (control_peer_may(fd, &c->peer, a->role->brief.control_gid))
		return true;
	if (!a->turned_away++ || now - a->turned_away_told_ms > TELL_AWAY_MS) {
		log_warn("control refused uid=%u gid=%u pid=%d refused_so_far=%u", c->peer.uid, c->peer.gid, c->peer.pid, a->turned_away);
		a->turned_away_told_ms = now;
	}
	return false;
}

static void on_connection(uv_stream_t *server, int status)
{
	struct admin *a = server->data;
	struct client *c = NULL;
	uv_pipe_t *surplus;

	if (status < 0)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX && !c; i++)
		if (a->clients[i].state == CLIENT_FREE)
			c = &a->clients[i];
	if (!c) {
		surplus = malloc(sizeof(*surplus));
		if (surplus && uv_pipe_init(&a->loop, surplus, 0) == 0) {
			if (uv_accept(server, (uv_stream_t *)surplus) < 0)
				log_debug("control surplus client gone");
			uv_close((uv_handle_t *)surplus, free_handle);
		}
		board_add(&a->role->board->admin.refused, 1);
		return;
	}
	memset(c, 0, sizeof(*c));
	c->admin = a;
	c->state = CLIENT_READING;
	c->active_ms = clock_ms();
	text_init(&c->in);
	text_init(&c->out);
	uv_pipe_init(&a->loop, &c->pipe, 0);
	c->pipe.data = c;
	if (uv_accept(server, (uv_stream_t *)&c->pipe) < 0)
		client_close(c);
	else if (!is_welcome(c))
		refuse(c, "the control socket is for root, the node's account, and the members of control-group");
	else if (uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) < 0)
		client_close(c);
}

static void on_sweep(uv_timer_t *t)
{
	struct admin *a = t->data;
	uint64_t now = clock_ms();

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *c = &a->clients[i];

		if (c->state == CLIENT_FREE || c->closing)
			continue;
		if (c->state == CLIENT_WAITING && now - c->active_ms > CONTROL_WAIT_MS)
			refuse(c, "the supervisor has not answered; zonecast status and the log tell whether it was done");
		else if (c->state != CLIENT_WAITING && c->state != CLIENT_FOLLOWING && now - c->active_ms > CONTROL_IDLE_MS)
			client_close(c);
	}
}

static void on_look(uv_timer_t *t)
{
	struct admin *a = t->data;

	store_follow_look(&a->store, board_get(&a->role->board->sync.store_ino));
	rssac_tick(a->role->board, clock_wall_s());
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (a->clients[i].state == CLIENT_FOLLOWING && !a->clients[i].closing)
			next_lines(&a->clients[i]);
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

	if (!put_message(a, r, UINT32_MAX, &m)) {
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
		err = uv_pipe_init(&a->loop, &a->server, 0);
	a->server.data = a;
	if (!err)
		err = uv_pipe_open(&a->server, role->brief.sockets[0].fd);
	if (!err)
		err = uv_listen((uv_stream_t *)&a->server, CONTROL_CLIENTS_MAX, on_connection);
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
