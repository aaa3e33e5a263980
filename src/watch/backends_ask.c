/* SPDX-License-Identifier: BSD-2-Clause */
/* A check of a backend, from a fresh port and through the kernel, so that neither the port nor the id (which the caller chooses at random) can be guessed. Like probe.c, which asks this node's
 * own addresses and knows no TLS; what is said there of ICMP, of answers that are not ours, of RST and of our own slowness holds here as well.
 *
 *	UDP               [header of PROXY] question -> answer
 *	TCP   CONNECT  ->  [header of PROXY] length, question -> length, answer
 *	TLS   CONNECT  ->  [header of PROXY], then the handshake; a session is resumed where the server lets us; then as TCP */
#include "watch/backends_ask.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/wire.h"
#include "dns/message.h"
#include "edge/proxy_header.h"
#include "tls/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DATAGRAM_MAX = 4096 };

enum phase { PHASE_CONNECT, PHASE_HEADER, PHASE_SHAKE, PHASE_TALK };

struct backend_ask {
	struct backend_ask_job job;
	struct backend_ask **slot;
	int fd;
	enum phase phase;
	bool graced, over;
	uint64_t sent_ns, due_ns;
	uint8_t handles; /* open in the loop */
	uv_poll_t poll;
	uv_timer_t timer;
	struct ssl_st *tls;
	size_t header_len, header_pos; /* of PROXY, in front of a stream */
	size_t out_len, out_pos, in_len, in_cap;
	uint8_t header[PROXY_HEADER_MAX];
	uint8_t out[PROXY_HEADER_MAX + 2 + PROBE_QUERY_MAX];
	uint8_t in[];
};

static void on_closed(uv_handle_t *h)
{
	struct backend_ask *a = h->data;

	if (--a->handles == 0)
		free(a);
}

static void release(struct backend_ask *a)
{
	a->over = true;
	if (a->tls)
		tls_end(a->tls, false);
	a->tls = NULL;
	if (a->handles) {
		uv_close((uv_handle_t *)&a->poll, on_closed);
		uv_close((uv_handle_t *)&a->timer, on_closed);
	}
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	if (!a->handles)
		free(a);
}

static void finish(struct backend_ask *a, enum probe_outcome outcome, const char *why)
{
	uint64_t took_us = (clock_ns() - a->sent_ns) / 1000;
	const struct backend_ask_job job = a->job;

	*a->slot = NULL;
	if (a->tls && outcome == PROBE_OUTCOME_PASS) {
		struct ssl_session_st *s = tls_client_session(a->tls);

		if (s) {
			tls_session_free(*job.session);
			*job.session = s;
		}
	}
	release(a);
	job.done(job.ctx, outcome, why, took_us > UINT32_MAX ? UINT32_MAX : (uint32_t)took_us);
}

static void fail(struct backend_ask *a, const char *why)
{
	finish(a, PROBE_OUTCOME_FAIL, why);
}

static void fail_errno(struct backend_ask *a, int err)
{
	char why[PROBE_WHY_MAX];

	switch (err) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EAGAIN: /* connect: no source port left */
	case EADDRINUSE:
	case EPERM:
	case EACCES:
		finish(a, PROBE_OUTCOME_NONE, strerror(err));
		return;
	case ECONNREFUSED:
		fail(a, "refused, nothing listens there");
		return;
	case ECONNRESET:
	case EPIPE:
		fail(a, "connection reset");
		return;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EADDRNOTAVAIL:
		fail(a, "no route to the server");
		return;
	default:
		snprintf(why, sizeof(why), "socket error: %s", strerror(err));
		fail(a, why);
	}
}

/* ---- answers ---- */

/* False when it goes on. */
static bool take_answer(struct backend_ask *a, const uint8_t *msg, size_t len)
{
	char why[PROBE_WHY_MAX] = "";
	enum probe_verdict v = a->job.judge(a->job.ctx, msg, len, why);

	if (v == PROBE_NOT_OURS && a->job.over == BACKEND_ASK_UDP)
		return false;
	finish(a, v == PROBE_PASS ? PROBE_OUTCOME_PASS : PROBE_OUTCOME_FAIL, why);
	return true;
}

static void receive_udp(struct backend_ask *a)
{
	for (;;) {
		ssize_t n = recv(a->fd, a->in, a->in_cap, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0) {
			fail_errno(a, errno);
			return;
		}
		if (take_answer(a, a->in, (size_t)n))
			return;
	}
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void wait_for(struct backend_ask *a, int events)
{
	uv_poll_start(&a->poll, events, on_poll);
}

/* Octets, 0 at the end; -1 after waiting was arranged, or the ask is over. */
static ssize_t read_some(struct backend_ask *a, void *to, size_t cap)
{
	enum tls_step step = TLS_DONE;
	ssize_t n;

	if (a->tls) {
		n = tls_read(a->tls, to, cap, &step);
		if (n == -EAGAIN)
			wait_for(a, step == TLS_WANTS_WRITE ? UV_WRITABLE : UV_READABLE);
		else if (n < 0)
			fail(a, "TLS: the connection broke");
		return n < 0 ? -1 : n;
	}
	do
		n = recv(a->fd, to, cap, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		wait_for(a, UV_READABLE);
	else if (n < 0)
		fail_errno(a, errno);
	return n < 0 ? -1 : n;
}

static void receive_stream(struct backend_ask *a)
{
	for (;;) {
		size_t want = a->in_len < 2 ? 2 : 2U + get_u16(a->in);
		ssize_t n;

		if (a->in_len >= 2 && a->in_len == want) {
			(void)take_answer(a, a->in + 2, want - 2);
			return;
		}
		n = read_some(a, a->in + a->in_len, want - a->in_len);
		if (n < 0)
			return;
		if (n == 0) {
			fail(a, "connection closed without an answer");
			return;
		}
		a->in_len += (size_t)n;
	}
}

/* ---- questions ---- */

/* True when all len octets have left; else it waits, or is over. */
static bool send_plain(struct backend_ask *a, const uint8_t *bytes, size_t len, size_t *pos)
{
	while (*pos < len) {
		ssize_t n = send(a->fd, bytes + *pos, len - *pos, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && a->job.over != BACKEND_ASK_UDP && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			wait_for(a, UV_WRITABLE);
			return false;
		}
		if (n < 0) {
			fail_errno(a, errno);
			return false;
		}
		*pos += (size_t)n;
	}
	return true;
}

static bool send_question(struct backend_ask *a)
{
	if (!a->tls)
		return send_plain(a, a->out, a->out_len, &a->out_pos);
	while (a->out_pos < a->out_len) {
		enum tls_step step = TLS_DONE;
		ssize_t n = tls_write(a->tls, a->out + a->out_pos, a->out_len - a->out_pos, &step);

		if (n == -EAGAIN) {
			wait_for(a, step == TLS_WANTS_READ ? UV_READABLE : UV_WRITABLE);
			return false;
		}
		if (n < 0) {
			fail(a, "TLS: the connection broke");
			return false;
		}
		a->out_pos += (size_t)n;
	}
	return true;
}

static bool shake(struct backend_ask *a)
{
	char why[TLS_WHY_MAX], cut[PROBE_WHY_MAX];

	if (!a->tls) {
		a->tls = tls_client_begin(a->job.tls, a->fd, &a->job.to.addr, *a->job.session);
		if (!a->tls) {
			finish(a, PROBE_OUTCOME_NONE, err_text(ERR_NO_MEMORY));
			return false;
		}
	}
	switch (tls_shake(a->tls)) {
	case TLS_WANTS_READ:
		wait_for(a, UV_READABLE);
		return false;
	case TLS_WANTS_WRITE:
		wait_for(a, UV_WRITABLE);
		return false;
	case TLS_FAILED:
		tls_client_explain(a->tls, why);
		break;
	case TLS_DONE:
		if (tls_client_judge(a->job.tls, a->tls, why) == 0)
			return true;
		break;
	}
	snprintf(cut, sizeof(cut), "%.*s", PROBE_WHY_MAX - 1, why);
	fail(a, cut);
	return false;
}

/* As far as it goes without waiting. */
static void advance(struct backend_ask *a)
{
	if (a->phase == PHASE_HEADER) {
		if (!send_plain(a, a->header, a->header_len, &a->header_pos))
			return;
		a->phase = a->job.over == BACKEND_ASK_TLS ? PHASE_SHAKE : PHASE_TALK;
	}
	if (a->phase == PHASE_SHAKE) {
		if (!shake(a))
			return;
		a->phase = PHASE_TALK;
	}
	if (!send_question(a))
		return;
	wait_for(a, UV_READABLE);
	if (a->job.over == BACKEND_ASK_UDP)
		receive_udp(a);
	else
		receive_stream(a);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct backend_ask *a = poll->data;
	socklen_t len = sizeof(int);
	int err = 0;

	(void)events;
	if (a->over)
		return;
	/* libuv reports EPOLLERR as a status or as both events; what it was is the socket's to say. */
	if (status < 0 || a->phase == PHASE_CONNECT) {
		if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
			err = errno;
		if (!err && status < 0)
			err = -status;
		if (err) {
			fail_errno(a, err);
			return;
		}
		a->phase = a->phase == PHASE_CONNECT ? PHASE_HEADER : a->phase;
	}
	advance(a);
}

static void on_timeout(uv_timer_t *timer)
{
	static const char *const missing[] = {"connection", "connection", "end of the handshake of TLS", "answer"};
	struct backend_ask *a = timer->data;
	uint64_t now = clock_ns();
	char why[PROBE_WHY_MAX];

	if (a->over)
		return;
	if (now < a->due_ns) { /* the loop's clock runs in whole milliseconds */
		uv_timer_start(timer, on_timeout, (a->due_ns - now) / 1000000 + 1, 0);
		return;
	}
	if (!a->graced && now - a->due_ns > (uint64_t)PROBE_GRACE_MS * 1000000U) {
		a->graced = true;
		a->due_ns = now + (uint64_t)a->job.timeout_ms * 1000000U;
		uv_update_time(a->job.loop);
		uv_timer_start(timer, on_timeout, a->job.timeout_ms, 0);
		return;
	}
	snprintf(why, sizeof(why), "no %s within %u ms", missing[a->phase], a->job.timeout_ms);
	fail(a, why);
}

/* The socket knows its own address by now. */
static size_t own_header(const struct backend_ask *a, uint8_t out[PROXY_HEADER_MAX])
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct endpoint from;

	if (getsockname(a->fd, (struct sockaddr *)&ss, &len) < 0 ||
	    endpoint_from_sockaddr((struct sockaddr *)&ss, &from) < 0)
		return proxy_header_local(out);
	return proxy_header_put(out, &from, &a->job.to, a->job.over != BACKEND_ASK_UDP);
}

static void put_question(struct backend_ask *a)
{
	bool stream = a->job.over != BACKEND_ASK_UDP;

	if (a->job.proxy && stream)
		a->header_len = own_header(a, a->header);
	else if (a->job.proxy)
		a->out_len = own_header(a, a->out);
	if (stream) {
		put_u16(a->out, (uint16_t)a->job.len);
		a->out_len = 2;
	}
	memcpy(a->out + a->out_len, a->job.query, a->job.len);
	a->out_len += a->job.len;
}

static int open_socket(const struct backend_ask *a)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	bool stream = a->job.over != BACKEND_ASK_UDP;
	int fd = socket(a->job.to.addr.family == 6 ? AF_INET6 : AF_INET,
	                (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && stream)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)); /* only tidiness depends on it */
	return fd;
}

void backend_ask_start(const struct backend_ask_job *job, struct backend_ask **slot)
{
	size_t cap = job->over == BACKEND_ASK_UDP ? DATAGRAM_MAX : 2 + DNS_MESSAGE_MAX;
	struct backend_ask *a = job->len <= PROBE_QUERY_MAX ? calloc(1, sizeof(*a) + cap) : NULL;
	struct sockaddr_storage ss;
	socklen_t ss_len = endpoint_to_sockaddr(&job->to, &ss);

	*slot = a;
	if (!a) {
		job->done(job->ctx, PROBE_OUTCOME_NONE, err_text(ERR_NO_MEMORY), 0);
		return;
	}
	a->job = *job;
	a->slot = slot;
	a->in_cap = cap;
	a->sent_ns = clock_ns();
	a->due_ns = a->sent_ns + (uint64_t)job->timeout_ms * 1000000U;
	a->fd = open_socket(a);
	if (a->fd < 0) {
		fail_errno(a, errno);
		return;
	}
	if (uv_poll_init(job->loop, &a->poll, a->fd) < 0) {
		finish(a, PROBE_OUTCOME_NONE, err_text(ERR_NO_MEMORY));
		return;
	}
	(void)uv_timer_init(job->loop, &a->timer); /* cannot fail */
	a->handles = 2;
	a->poll.data = a->timer.data = a;
	uv_update_time(job->loop);
	uv_timer_start(&a->timer, on_timeout, job->timeout_ms, 0);
	a->phase = PHASE_CONNECT;
	if (connect(a->fd, (struct sockaddr *)&ss, ss_len) == 0) {
		a->phase = job->over == BACKEND_ASK_UDP ? PHASE_TALK : PHASE_HEADER;
	} else if (errno != EINPROGRESS) {
		fail_errno(a, errno);
		return;
	}
	put_question(a);
	a->job.query = NULL;
	if (a->phase == PHASE_CONNECT)
		wait_for(a, UV_WRITABLE);
	else
		advance(a);
}

void backend_ask_cancel(struct backend_ask *a)
{
	*a->slot = NULL;
	release(a);
}
