/* SPDX-License-Identifier: BSD-2-Clause */
/* A probe asks as a client would: from a fresh port, through the kernel, over a connected nonblocking socket.
 *
 * - Connected UDP hears ICMP: a closed port is a failure at once and not after the timeout.
 * - The source address is the kernel's choice, and for an address of this machine that choice is the address itself. If it is
 *   anything else the service address has gone from this machine, and some other PoP would answer for us: that is a failure.
 * - An answer that is not ours (another id) is ignored over UDP, as resolvers do: it may be forged. It is a failure over TCP.
 * - TCP is closed by RST (SO_LINGER 0), so that ten probes a second leave no connections in TIME_WAIT behind.
 * - When this process was not running (stopped, starved) as the time ran out, an answer may lie unread in the socket: the probe
 *   then gets its time once more. Our own slowness is never held against the service. */
#include "watch/probe.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct probe {
	struct probe_job job;
	struct probe **slot; /* where the owner holds us; cleared when done */
	int fd;
	bool connecting; /* TCP, until writable */
	bool graced;
	bool over;
	uint64_t sent_ns;
	uint64_t due_ns;
	uint8_t handles; /* open in the loop */
	uv_poll_t poll;
	uv_timer_t timer;
	size_t out_len, out_pos;
	size_t in_len;
	uint8_t out[2 + PROBE_QUERY_MAX];
	uint8_t in[2 + PROBE_ANSWER_MAX];
};

static void on_closed(uv_handle_t *h)
{
	struct probe *p = h->data;

	if (--p->handles == 0)
		free(p);
}

static void release(struct probe *p)
{
	p->over = true;
	if (p->handles) {
		uv_close((uv_handle_t *)&p->poll, on_closed);
		uv_close((uv_handle_t *)&p->timer, on_closed);
	}
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	if (!p->handles)
		free(p);
}

static void finish(struct probe *p, enum probe_outcome outcome, const char *why)
{
	uint64_t took_us = (clock_ns() - p->sent_ns) / 1000;
	const struct probe_job job = p->job;

	*p->slot = NULL;
	release(p);
	job.done(job.ctx, outcome, why, took_us > UINT32_MAX ? UINT32_MAX : (uint32_t)took_us);
}

static void fail_errno(struct probe *p, int err)
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
		finish(p, PROBE_OUTCOME_NONE, strerror(err));
		return;
	case ECONNREFUSED:
		finish(p, PROBE_OUTCOME_FAIL, "refused, nothing listens there");
		return;
	case ECONNRESET:
	case EPIPE:
		finish(p, PROBE_OUTCOME_FAIL, "connection reset");
		return;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EADDRNOTAVAIL:
		if (err == EADDRNOTAVAIL && p->job.from_port) { /* the same connection is still there */
			finish(p, PROBE_OUTCOME_NONE, strerror(err));
			return;
		}
		finish(p, PROBE_OUTCOME_FAIL, p->job.remote ? "no route to the address" : "no route to the address, it is not on this machine");
		return;
	default:
		snprintf(why, sizeof(why), "socket error: %s", strerror(err));
		finish(p, PROBE_OUTCOME_FAIL, why);
	}
}

/* Judge len octets. False when the probe goes on. */
static bool take_answer(struct probe *p, const uint8_t *msg, size_t len)
{
	char why[PROBE_WHY_MAX] = "";
	enum probe_verdict v = p->job.judge(p->job.ctx, msg, len, why);

	if (v == PROBE_NOT_OURS && !p->job.tcp)
		return false;
	finish(p, v == PROBE_PASS ? PROBE_OUTCOME_PASS : PROBE_OUTCOME_FAIL, v == PROBE_PASS ? "" : why);
	return true;
}

static void receive_udp(struct probe *p)
{
	for (;;) {
		ssize_t n = recv(p->fd, p->in, sizeof(p->in), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0) {
			fail_errno(p, errno);
			return;
		}
		if (take_answer(p, p->in, (size_t)n))
			return;
	}
}

static void receive_tcp(struct probe *p)
{
	for (;;) {
		size_t want = p->in_len < 2 ? 2 : 2U + get_u16(p->in);
		ssize_t n;

		if (want > sizeof(p->in)) {
			finish(p, PROBE_OUTCOME_FAIL, "answer of absurd length");
			return;
		}
		if (p->in_len >= 2 && p->in_len == want) {
			take_answer(p, p->in + 2, want - 2);
			return;
		}
		n = recv(p->fd, p->in + p->in_len, want - p->in_len, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0) {
			fail_errno(p, errno);
			return;
		}
		if (n == 0) {
			finish(p, PROBE_OUTCOME_FAIL, "connection closed without an answer");
			return;
		}
		p->in_len += (size_t)n;
	}
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* False when the probe is over. */
static bool send_rest(struct probe *p)
{
	while (p->out_pos < p->out_len) {
		ssize_t n = send(p->fd, p->out + p->out_pos, p->out_len - p->out_pos, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && p->job.tcp && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true; /* asked again when writable */
		if (n < 0) {
			fail_errno(p, errno);
			return false;
		}
		p->out_pos += (size_t)n;
	}
	return true;
}

/* The kernel must have chosen the service address itself as source: see the top. */
static bool is_local(const struct probe *p)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct endpoint from;

	if (getsockname(p->fd, (struct sockaddr *)&ss, &len) < 0 || endpoint_from_sockaddr((struct sockaddr *)&ss, &from) < 0)
		return true;
	if (p->job.used)
		*p->job.used = from.port;
	return addr_equal(&from.addr, &p->job.address);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct probe *p = poll->data;
	int err = 0;
	socklen_t len = sizeof(err);

	(void)events;
	if (p->over)
		return;
	/* libuv reports EPOLLERR as a status or as both events; what it was is the socket's to say. */
	if (status < 0 || p->connecting) {
		if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
			err = errno;
		if (!err && status < 0)
			err = -status;
		if (err) {
			fail_errno(p, err);
			return;
		}
		p->connecting = false;
	}
	if (p->out_pos < p->out_len) {
		if (!send_rest(p))
			return;
		if (p->out_pos == p->out_len)
			uv_poll_start(&p->poll, UV_READABLE, on_poll);
	}
	if (p->job.tcp)
		receive_tcp(p);
	else
		receive_udp(p);
}

static void on_timeout(uv_timer_t *timer)
{
	struct probe *p = timer->data;
	uint64_t now = clock_ns();
	char why[PROBE_WHY_MAX];

	if (p->over)
		return;
	if (now < p->due_ns) { /* the loop's clock runs in whole milliseconds */
		uv_timer_start(timer, on_timeout, (p->due_ns - now) / 1000000 + 1, 0);
		return;
	}
	if (!p->graced && now - p->due_ns > (uint64_t)PROBE_GRACE_MS * 1000000U) {
		p->graced = true;
		p->due_ns = now + (uint64_t)p->job.timeout_ms * 1000000U;
		uv_update_time(p->job.loop);
		uv_timer_start(timer, on_timeout, p->job.timeout_ms, 0);
		return;
	}
	snprintf(why, sizeof(why), "no %s within %u ms", p->connecting ? "connection" : "answer", p->job.timeout_ms);
	finish(p, PROBE_OUTCOME_FAIL, why);
}

static int bind_port(const struct probe *p, int fd)
{
	struct endpoint from = {.addr = p->job.from, .port = p->job.from_port};
	struct sockaddr_storage ss;
	socklen_t len;
	int one = 1;

	if (!from.addr.family)
		from.addr.family = p->job.address.family;
	len = endpoint_to_sockaddr(&from, &ss);
	/* A connection of a moment ago from there is gone, but for its state in the kernel. */
	if (p->job.tcp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return -errno;
	return bind(fd, (struct sockaddr *)&ss, len) < 0 ? -errno : 0;
}

static int open_socket(const struct probe *p)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int fd = socket(p->job.address.family == 6 ? AF_INET6 : AF_INET,
	                (p->job.tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && p->job.tcp)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)); /* only tidiness depends on it */
	if (fd >= 0 && (p->job.from_port || p->job.from.family) && bind_port(p, fd) < 0) {
		close(fd);
		errno = EAGAIN; /* somebody has the port, or the address is not there yet */
		return -1;
	}
	return fd;
}

void probe_start(const struct probe_job *job, struct probe **out)
{
	struct endpoint to = {.addr = job->address, .port = job->port};
	struct probe *p = calloc(1, sizeof(*p));
	struct sockaddr_storage ss;
	socklen_t ss_len = endpoint_to_sockaddr(&to, &ss);
	int n;

	*out = p;
	if (!p) {
		job->done(job->ctx, PROBE_OUTCOME_NONE, err_text(ERR_NO_MEMORY), 0);
		return;
	}
	p->job = *job;
	p->slot = out;
	p->fd = -1;
	p->sent_ns = clock_ns();
	p->due_ns = p->sent_ns + (uint64_t)job->timeout_ms * 1000000U;
	n = probe_build(&job->question, p->out + 2, PROBE_QUERY_MAX);
	if (n < 0) {
		finish(p, PROBE_OUTCOME_NONE, err_text(n));
		return;
	}
	put_u16(p->out, (uint16_t)n);
	p->out_len = (size_t)n + 2;
	p->out_pos = job->tcp ? 0 : 2;
	p->fd = open_socket(p);
	if (p->fd < 0) {
		fail_errno(p, errno);
		return;
	}
	if (uv_poll_init(job->loop, &p->poll, p->fd) < 0) {
		finish(p, PROBE_OUTCOME_NONE, err_text(ERR_NO_MEMORY));
		return;
	}
	(void)uv_timer_init(job->loop, &p->timer); /* cannot fail */
	p->handles = 2;
	p->poll.data = p->timer.data = p;
	if (connect(p->fd, (struct sockaddr *)&ss, ss_len) < 0) {
		if (errno != EINPROGRESS) {
			fail_errno(p, errno);
			return;
		}
		p->connecting = true;
	}
	if (!p->job.remote && !is_local(p)) {
		finish(p, PROBE_OUTCOME_FAIL, "the address is not on this machine");
		return;
	}
	if (!p->connecting && !send_rest(p))
		return;
	uv_update_time(job->loop);
	uv_timer_start(&p->timer, on_timeout, job->timeout_ms, 0);
	uv_poll_start(&p->poll, p->out_pos < p->out_len ? UV_WRITABLE : UV_READABLE, on_poll);
}

void probe_cancel(struct probe *p)
{
	*p->slot = NULL;
	release(p);
}
