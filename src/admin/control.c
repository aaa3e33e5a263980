/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket (control.h). Each client is one request and one reply, so its life is short:
 * read a line, parse, act, write, close. What changes something is sent to the supervisor and answered when it answers. A zone, and the
 * list of zones, and the sampled queries, are streamed in pieces, the next one only when the client has taken the last: the store is pinned while a piece is
 * made, never while a client reads it, and the memory a client costs is one piece.
 *
 * Bounds: CONTROL_CLIENTS_MAX at a time (more are closed at once), CONTROL_REQUEST_MAX octets a request, CONTROL_IDLE_MS without progress,
 * CONTROL_WAIT_MS for the supervisor. What a client sends after its first line is not read. */
#include "admin/admin_priv.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

enum { TELL_AWAY_MS = 10000 };

/* ---- replies ---- */

static void on_closed(uv_handle_t *h)
{
	struct control_client *c = h->data;

	text_done(&c->in);
	text_done(&c->out);
	c->state = CLIENT_FREE;
}

void control_close(struct control_client *c)
{
	if (c->closing)
		return;
	c->closing = true;
	uv_close((uv_handle_t *)&c->pipe, on_closed);
}

static void on_written(uv_write_t *w, int status)
{
	struct control_client *c = w->data;

	text_clear(&c->out);
	if (status >= 0 && !c->closing && (c->streaming == STREAM_QUERIES || c->streaming == STREAM_EVENTS)) {
		control_lines(c);
		return;
	}
	if (status < 0 || c->closing || !c->streaming || !control_piece(c)) {
		control_close(c);
		return;
	}
	control_flush(c);
}

void control_flush(struct control_client *c)
{
	uv_buf_t buf = uv_buf_init(c->out.chars, (unsigned)c->out.len);

	c->state = CLIENT_WRITING;
	c->active_ms = clock_ms();
	c->write.data = c;
	if (c->out.failed || uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, on_written) < 0)
		control_close(c);
}

void control_reply(struct control_client *c, json_t *o)
{
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (!text) {
		control_close(c);
		return;
	}
	text_str(&c->out, text);
	text_char(&c->out, '\n');
	free(text);
	control_flush(c);
}

void control_refuse(struct control_client *c, const char *why)
{
	board_add(&c->admin->role->board->admin.refused, 1);
	control_reply(c, json_pack("{s:b, s:s}", "ok", 0, "error", why));
}

/* ---- requests ---- */

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
		control_close(stream->data);
}

void control_flush_follower(struct control_client *c)
{
	/* So that its going is noticed. */
	if (c->follows && uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read_follower) < 0)
		control_close(c);
	else
		control_flush(c);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct control_client *c = stream->data;
	const char *eol;

	if (n <= 0) {
		if (n < 0)
			control_close(c);
		return;
	}
	c->active_ms = clock_ms();
	eol = memchr(buf->base, '\n', (size_t)n);
	text_add(&c->in, buf->base, eol ? (size_t)(eol - buf->base) : (size_t)n);
	if (c->in.failed || c->in.len > CONTROL_REQUEST_MAX) {
		uv_read_stop(stream);
		control_refuse(c, "the request is too long");
	} else if (eol) {
		control_act(c);
	}
}

/* ---- who is there ---- */

static void free_handle(uv_handle_t *h)
{
	free(h);
}

static bool is_welcome(struct control_client *c)
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
	struct control_client *c = NULL;
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
		control_close(c);
	else if (!is_welcome(c))
		control_refuse(c, "the control socket is for root, the node's account, and the members of control-group");
	else if (uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) < 0)
		control_close(c);
}

int control_listen(struct admin *a)
{
	int err = uv_pipe_init(&a->loop, &a->server, 0);

	a->server.data = a;
	if (!err)
		err = uv_pipe_open(&a->server, a->role->brief.sockets[0].fd);
	if (!err)
		err = uv_listen((uv_stream_t *)&a->server, CONTROL_CLIENTS_MAX, on_connection);
	return err;
}

void control_sweep(struct admin *a)
{
	uint64_t now = clock_ms();

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct control_client *c = &a->clients[i];

		if (c->state == CLIENT_FREE || c->closing)
			continue;
		if (c->state == CLIENT_WAITING && now - c->active_ms > CONTROL_WAIT_MS)
			control_refuse(c, "the supervisor has not answered; zonecast status and the log tell whether it was done");
		else if (c->state != CLIENT_WAITING && c->state != CLIENT_FOLLOWING && now - c->active_ms > CONTROL_IDLE_MS)
			control_close(c);
	}
}

void control_follow(struct admin *a)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (a->clients[i].state == CLIENT_FOLLOWING && !a->clients[i].closing)
			control_lines(&a->clients[i]);
}
