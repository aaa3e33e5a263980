/* SPDX-License-Identifier: BSD-2-Clause */
/* Octets of a connection, in and out, over TCP or TLS. What a client does not take at once is kept, and then nothing more is read from it. */
#include "answer/stream_priv.h"

#include "answer/worker.h"
#include "tls/tls.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
	STREAM_LATER_OUT = 2 * STREAM_FRAME_MAX, /* octets of answers that came later and wait for a client to take them */
};

static ssize_t result_of(ssize_t n)
{
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n;
}

/* What TLS came to, n or an error, when it wants to be called again for reading or for writing. */
static ssize_t tls_result(struct stream *s, struct stream_conn *c, ssize_t n, enum tls_step step)
{
	if (n == -EAGAIN && !stream_conn_watch(s, c, step == TLS_WANTS_WRITE ? EPOLLOUT : EPOLLIN))
		n = -ENOMEM;
	c->broken |= n < 0 && n != -EAGAIN;
	return n;
}

ssize_t stream_conn_recv(struct stream *s, struct stream_conn *c, uint8_t *buf, size_t cap)
{
	enum tls_step step = TLS_DONE;
	ssize_t n;

	if (!c->tls)
		return result_of(recv(c->fd, buf, cap, MSG_DONTWAIT));
	n = tls_read(c->tls, buf, cap, &step);
	return tls_result(s, c, n, step);
}

/* Octets sent, -errno; -EAGAIN: none now. */
static ssize_t conn_send(struct stream *s, struct stream_conn *c, const uint8_t *bytes, size_t len)
{
	enum tls_step step = TLS_DONE;
	ssize_t n;

	if (!c->tls)
		return result_of(send(c->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL));
	n = tls_write(c->tls, bytes, len, &step);
	return tls_result(s, c, n, step);
}

bool stream_conn_shake(struct stream *s, struct stream_conn *c)
{
	struct board_worker *b = s->worker->board;

	switch (tls_shake(c->tls)) {
	case TLS_WANTS_READ:
		return stream_conn_watch(s, c, EPOLLIN);
	case TLS_WANTS_WRITE:
		return stream_conn_watch(s, c, EPOLLOUT);
	case TLS_DONE:
		c->shaking = false;
		board_add(&b->tls_handshakes, 1);
		if (tls_resumed(c->tls))
			board_add(&b->tls_resumed, 1);
		stream_conn_wait(s, c, WAIT_FIRST);
		return stream_conn_watch(s, c, EPOLLIN);
	case TLS_FAILED:
		break;
	}
	c->broken = true;
	board_add(&b->tls_failed, 1);
	return false;
}

/* Behind what was kept. */
static bool conn_append(struct stream *s, struct stream_conn *c, const uint8_t *bytes, size_t len)
{
	size_t rest = c->out_len - c->out_pos;
	uint8_t *out = rest + len <= STREAM_OUT + STREAM_LATER_OUT && stream_memory_has(s, rest + len) ? memory_take(&s->memory, rest + len) : NULL;

	if (!out)
		return false;
	memcpy(out, c->out + c->out_pos, rest);
	memcpy(out + rest, bytes, len);
	memory_give(&s->memory, c->out);
	c->out = out;
	c->out_len = (uint32_t)(rest + len);
	c->out_pos = 0;
	return true;
}

bool stream_conn_put(struct stream *s, struct stream_conn *c, const uint8_t *bytes, size_t len)
{
	ssize_t n;

	if (c->out)
		return conn_append(s, c, bytes, len);
	n = conn_send(s, c, bytes, len);
	if (n < 0 && n != -EAGAIN)
		return false;
	if (n > 0) {
		bytes += n;
		len -= (size_t)n;
	}
	if (!len)
		return true;
	if (!stream_memory_has(s, len))
		return false;
	c->out = memory_take(&s->memory, len);
	if (!c->out)
		return false;
	memcpy(c->out, bytes, len);
	c->out_len = (uint32_t)len;
	c->out_pos = 0;
	return stream_conn_watch(s, c, EPOLLOUT);
}

bool stream_conn_flush(struct stream *s, struct stream_conn *c)
{
	ssize_t n = conn_send(s, c, c->out + c->out_pos, c->out_len - c->out_pos);

	if (n < 0)
		return n == -EAGAIN;
	c->out_pos += (uint32_t)n;
	if (c->out_pos < c->out_len)
		return true;
	memory_give(&s->memory, c->out);
	c->out = NULL;
	return stream_conn_watch(s, c, EPOLLIN);
}
