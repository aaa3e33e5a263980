/* SPDX-License-Identifier: BSD-2-Clause */
/* The way to a collector: connect, READY, wait for ACCEPT, START, data; at the end STOP, without a wait for FINISH, which would tell us nothing that we could act on.
 *
 * What a collector has not taken stays in one buffer and behind that in the rings. When the connection breaks, a frame of which a part has left is given up and counted; those
 * behind it go to the next connection. What lies in the kernel's buffers of a connection that breaks may be lost without being counted: Frame Streams acknowledges nothing.
 *
 * A collector that takes nothing for TCP_UNACKED_MS is given up (TCP_USER_TIMEOUT); one on a unix socket that merely does not read keeps its connection, and gets what comes until the
 * backlog is full. */
#include "tap/stream_out.h"

#include "base/err.h"
#include "base/log.h"
#include "base/wire.h"
#include "dnstap/frames.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TCP_UNACKED_MS = 20000 };

int stream_out_open(struct stream_out *s, uv_loop_t *loop, const struct sockaddr_storage *to, socklen_t to_len)
{
	s->loop = loop;
	s->to = *to;
	s->to_len = to_len;
	s->fd = -1;
	s->out = malloc(STREAM_OUT_BUFFER);
	return s->out ? 0 : ERR_NO_MEMORY;
}

static void free_poll(uv_handle_t *h)
{
	free(h);
}

/* Frames of which nothing has left move to the front. */
static void keep_whole_frames(struct stream_out *s)
{
	size_t at = s->frames_from;

	while (at < s->pos) {
		at += FRAMES_HEAD + get_u32(s->out + at);
		s->lost += at > s->pos;
	}
	at = MIN(at, s->len);
	memmove(s->out, s->out + at, s->len - at);
	s->len -= at;
	s->pos = s->frames_from = 0;
}

static void hang_up(struct stream_out *s, const char *why, int err)
{
	bool was_open = s->state == STREAM_OUT_OPEN;

	if (s->poll) {
		uv_poll_stop(s->poll);
		uv_close((uv_handle_t *)s->poll, free_poll);
	}
	if (s->fd >= 0)
		close(s->fd);
	s->poll = NULL;
	s->fd = -1;
	s->state = STREAM_OUT_APART;
	s->until_ms = uv_now(s->loop) + STREAM_OUT_RETRY_MS;
	s->heard_len = 0;
	if (was_open)
		keep_whole_frames(s);
	snprintf(s->why, sizeof(s->why), "%s%s%s", why, err ? ": " : "", err ? err_text(err) : "");
	s->on_change(s->ctx);
}

static void send_some(struct stream_out *s);
static void on_poll(uv_poll_t *poll, int status, int events);

static void want(struct stream_out *s, int events)
{
	if (s->events == events)
		return;
	s->events = events;
	uv_poll_start(s->poll, events, on_poll);
}

/* Control frames are sent while nothing else waits, and are short: the socket's buffer takes them at once, or it is not a collector to have. */
static bool say(struct stream_out *s, enum frames_control kind)
{
	uint8_t frame[FRAMES_CONTROL_MAX];
	size_t len = frames_control(kind, frame);

	return send(s->fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

/* What is wrong with the connection: 0, -errno. */
static int trouble(const struct stream_out *s)
{
	int err = 0;
	socklen_t len = sizeof(err);

	return getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ? -errno : -err;
}

static void greet(struct stream_out *s)
{
	int err = trouble(s);

	if (err < 0) {
		hang_up(s, "cannot connect", err);
		return;
	}
	s->state = STREAM_OUT_GREETING;
	if (!say(s, FRAMES_READY))
		hang_up(s, "it does not take our greeting", 0);
	else
		want(s, UV_READABLE);
}

static void hear(struct stream_out *s)
{
	ssize_t n = recv(s->fd, s->heard + s->heard_len, sizeof(s->heard) - s->heard_len, MSG_DONTWAIT);
	enum frames_control kind;
	size_t used;
	int err;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(s,
		        s->state == STREAM_OUT_OPEN ? "the collector has closed the connection"
		                                    : "the collector has not accepted us",
		        n < 0 ? -errno : 0);
		return;
	}
	s->heard_len += (size_t)n;
	err = frames_read(s->heard, s->heard_len, &used, &kind);
	if (err == -EAGAIN)
		return;
	if (err < 0) {
		hang_up(s,
		        err == ERR_UNSUPPORTED ? "the collector does not take dnstap"
		                               : "what the collector says is not Frame Streams",
		        0);
		return;
	}
	s->heard_len -= used;
	memmove(s->heard, s->heard + used, s->heard_len);
	if (kind == FRAMES_ACCEPT && s->state == STREAM_OUT_GREETING) {
		if (!say(s, FRAMES_START)) {
			hang_up(s, "it does not take our greeting", 0);
			return;
		}
		s->state = STREAM_OUT_OPEN;
		s->connects++;
		s->why[0] = '\0';
		s->on_change(s->ctx);
		if (s->state == STREAM_OUT_OPEN)
			send_some(s);
	} else {
		hang_up(s, "the collector has ended the stream", 0);
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct stream_out *s = poll->data;

	if (status < 0) /* libuv says EBADF for every error of a socket */
		hang_up(s, s->state == STREAM_OUT_CONNECTING ? "cannot connect" : "connection lost", trouble(s));
	else if (s->state == STREAM_OUT_CONNECTING)
		greet(s);
	else if (events & UV_READABLE)
		hear(s);
	if (s->state == STREAM_OUT_OPEN && (events & UV_WRITABLE))
		send_some(s);
}

static void set_options(int fd, int family)
{
	int unacked = TCP_UNACKED_MS, on = 1;

	if (family == AF_UNIX)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked, sizeof(unacked)); /* without them it is noticed later */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static void dial(struct stream_out *s)
{
	int err = 0;

	s->fd = socket(s->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0) {
		hang_up(s, "cannot make a socket", -errno);
		return;
	}
	set_options(s->fd, s->to.ss_family);
	if (connect(s->fd, (const struct sockaddr *)&s->to, s->to_len) < 0 && errno != EINPROGRESS)
		err = -errno;
	if (!err) {
		s->poll = calloc(1, sizeof(*s->poll));
		err = s->poll ? uv_poll_init(s->loop, s->poll, s->fd) : ERR_NO_MEMORY;
		if (err < 0) {
			free(s->poll);
			s->poll = NULL;
		}
	}
	if (err < 0) {
		hang_up(s, "cannot connect", err);
		return;
	}
	s->poll->data = s;
	s->events = 0;
	s->state = STREAM_OUT_CONNECTING;
	s->until_ms = uv_now(s->loop) + STREAM_OUT_GREETING_MS;
	want(s, UV_WRITABLE);
}

/* What was sent makes room at the front; moving the rest is less than sending it was. */
static void send_some(struct stream_out *s)
{
	while (s->pos < s->len) {
		ssize_t n = send(s->fd, s->out + s->pos, s->len - s->pos, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			hang_up(s, "connection lost", -errno);
			return;
		}
		if (n < 0)
			break;
		s->pos += (size_t)n;
		s->total += (uint64_t)n;
	}
	while (s->frames_from < s->pos && s->frames_from + FRAMES_HEAD + get_u32(s->out + s->frames_from) <= s->pos)
		s->frames_from += FRAMES_HEAD + get_u32(s->out + s->frames_from);
	if (s->pos == s->len) {
		s->pos = s->len = s->frames_from = 0;
	} else if (s->frames_from > STREAM_OUT_BUFFER / 2) {
		memmove(s->out, s->out + s->frames_from, s->len - s->frames_from);
		s->pos -= s->frames_from;
		s->len -= s->frames_from;
		s->frames_from = 0;
	}
	want(s, UV_READABLE | (s->pos < s->len ? UV_WRITABLE : 0));
}

size_t stream_out_room(const struct stream_out *s)
{
	return s->state == STREAM_OUT_OPEN ? STREAM_OUT_BUFFER - s->len : 0;
}

void stream_out_put(struct stream_out *s, const void *octets, size_t len)
{
	memcpy(s->out + s->len, octets, len);
	s->len += len;
}

void stream_out_tick(struct stream_out *s, uint64_t now_ms)
{
	if (s->state == STREAM_OUT_APART && now_ms >= s->until_ms)
		dial(s);
	else if (s->state == STREAM_OUT_OPEN && s->pos < s->len)
		send_some(s);
	else if ((s->state == STREAM_OUT_CONNECTING || s->state == STREAM_OUT_GREETING) && now_ms >= s->until_ms)
		hang_up(s, s->state == STREAM_OUT_CONNECTING ? "nobody answers" : "the collector has not accepted us",
		        0);
}

void stream_out_close(struct stream_out *s)
{
	if (s->state == STREAM_OUT_OPEN)
		send_some(s);
	if (s->state == STREAM_OUT_OPEN && s->pos == s->len && !say(s, FRAMES_STOP))
		log_debug("tap note=\"the collector got no STOP\"");
	if (s->state != STREAM_OUT_APART)
		hang_up(s, "closed", 0);
	free(s->out);
	s->out = NULL;
}
