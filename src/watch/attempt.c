/* SPDX-License-Identifier: BSD-2-Clause */
/* What all checks share that speak to something over a socket.
 *
 * - Connected UDP hears ICMP: a closed port is a failure at once and not after the timeout.
 * - TCP is closed by RST (SO_LINGER 0), so that ten checks a second leave no connections in TIME_WAIT behind.
 * - All of it has one time limit. When it is over, what lies in the socket still counts; when this process was not running (stopped, starved) meanwhile, what should have been sent was not:
 *   the attempt then gets its time once more. Our own slowness is never held against the service.
 * - What we cannot do for want of descriptors, memory or ports is no fault of the service either (PROBE_OUTCOME_NONE).
 *
 * An attempt lies in memory of its owner, which the loop's handles point to: it is freed when both have been closed. Single thread. */
#include "watch/attempt.h"

#include "base/clock.h"
#include "base/err.h"
#include "tls/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NS_MS = 1000000 };

/* ---- the end ---- */

static void on_closed(uv_handle_t *h)
{
	struct attempt *a = h->data;

	if (--a->handles == 0)
		free(a->job.owner);
}

void attempt_release(struct attempt *a, bool polite)
{
	a->over = true;
	if (a->tls)
		tls_end(a->tls, polite);
	a->tls = NULL;
	if (a->handles) {
		uv_close((uv_handle_t *)&a->poll, on_closed);
		uv_close((uv_handle_t *)&a->timer, on_closed);
	}
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	if (!a->handles)
		free(a->job.owner);
}

void attempt_end(struct attempt *a, enum probe_outcome outcome, const char *why)
{
	uint64_t took_us = (clock_ns() - a->begun_ns) / 1000;

	a->job.ended(a->job.owner, outcome, why, (uint32_t)MIN(took_us, (uint64_t)UINT32_MAX));
}

enum probe_outcome attempt_outcome(int err, bool heard, const char *no_route, char why[PROBE_WHY_MAX])
{
	switch (err) {
	case EACCES:
		/* RFC 4443 3.1: a router or firewall on the way prohibits it (codes 1, 5, 6). Over IPv4 the kernel makes the same of RFC 1812 5.2.7.1 as of a host that cannot be reached. */
		if (heard) {
			snprintf(why, PROBE_WHY_MAX, "prohibited by a router or firewall on the way");
			break;
		}
		__attribute__((fallthrough));
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EAGAIN: /* connect: no source port left */
	case EADDRINUSE:
	case EPERM:
		snprintf(why, PROBE_WHY_MAX, "%s", strerror(err));
		return PROBE_OUTCOME_NONE;
	case ECONNREFUSED:
		snprintf(why, PROBE_WHY_MAX, "refused, nothing listens there");
		break;
	case ECONNRESET:
	case EPIPE:
		snprintf(why, PROBE_WHY_MAX, "connection reset");
		break;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EADDRNOTAVAIL:
		snprintf(why, PROBE_WHY_MAX, "%s", no_route);
		break;
	default:
		snprintf(why, PROBE_WHY_MAX, "socket error: %s", strerror(err));
	}
	return PROBE_OUTCOME_FAIL;
}

/* Does a route lead to it, and have we an address to come from? True where that cannot be found out. No packet leaves. */
static bool has_route(const struct endpoint *to)
{
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(to, &ss);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has = fd < 0 || connect(fd, (struct sockaddr *)&ss, len) == 0 || errno == EAGAIN;

	if (fd >= 0)
		close(fd);
	return has;
}

/* heard: as for attempt_outcome(). */
static void fail_errno(struct attempt *a, int err, bool heard)
{
	char why[PROBE_WHY_MAX];
	enum probe_outcome outcome = attempt_outcome(err, heard, a->job.no_route, why);

	/* connect() says so, too, where the connection of before is still there, or each of our ports has one to this endpoint. */
	if (err == EADDRNOTAVAIL && a->job.stream && has_route(&a->job.to)) {
		outcome = PROBE_OUTCOME_NONE;
		snprintf(why, sizeof(why), "no port is free to ask from");
	}
	attempt_end(a, outcome, why);
}

/* ---- the loop ---- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct attempt *a = poll->data;
	socklen_t len = sizeof(int);
	int err = 0;

	(void)events;
	if (a->over)
		return;
	/* libuv reports EPOLLERR as a status or as both events; what it was is the socket's to say. */
	if (status < 0 || a->connecting) {
		if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
			err = errno;
		if (!err && status < 0)
			err = -status;
		if (err) {
			fail_errno(a, err, true);
			return;
		}
		a->connecting = false;
	}
	a->job.ready(a->job.owner);
}

void attempt_wait(struct attempt *a, int events)
{
	if (a->events == events)
		return;
	a->events = events;
	uv_poll_start(&a->poll, events, on_poll);
}

static bool is_there(const struct attempt *a)
{
	struct pollfd p = {.fd = a->fd, .events = a->events == UV_WRITABLE ? POLLOUT : POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void on_timeout(uv_timer_t *timer)
{
	struct attempt *a = timer->data;
	uint64_t now = clock_ns();
	char why[PROBE_WHY_MAX];

	if (a->over)
		return;
	if (now < a->due_ns) { /* the loop's clock runs in whole milliseconds */
		uv_timer_start(timer, on_timeout, (a->due_ns - now) / NS_MS + 1, 0);
		return;
	}
	if (!a->graced && now - a->due_ns > (uint64_t)ATTEMPT_GRACE_MS * NS_MS) {
		a->graced = true;
		a->due_ns = now + (uint64_t)a->job.timeout_ms * NS_MS;
		uv_update_time(a->job.loop);
		uv_timer_start(timer, on_timeout, a->job.timeout_ms, 0);
		return;
	}
	/* Timers come first in the loop's turn: what lies there has come in time, or as late as we are. */
	if (is_there(a)) {
		on_poll(&a->poll, 0, a->events);
		if (a->over)
			return;
	}
	snprintf(why, sizeof(why), "no %s within %u ms", a->awaited, a->job.timeout_ms);
	attempt_end(a, PROBE_OUTCOME_FAIL, why);
}

/* ---- the begin ---- */

void attempt_init(struct attempt *a, const struct attempt_job *job)
{
	memset(a, 0, sizeof(*a));
	a->job = *job;
	a->awaited = "connection";
	a->fd = -1;
	a->begun_ns = clock_ns();
	a->due_ns = a->begun_ns + (uint64_t)job->timeout_ms * NS_MS;
}

static bool bind_to(const struct attempt *a, const struct endpoint *at)
{
	struct endpoint from = *at;
	struct sockaddr_storage ss;
	socklen_t len;
	int one = 1;

	if (!from.addr.family)
		from.addr.family = a->job.to.addr.family;
	len = endpoint_to_sockaddr(&from, &ss);
	/* A connection of a moment ago from there is gone, but for its state in the kernel. */
	if (a->job.stream && setsockopt(a->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return false;
	return bind(a->fd, (struct sockaddr *)&ss, len) == 0;
}

bool attempt_open(struct attempt *a, const struct endpoint *from)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	a->fd = socket(a->job.to.addr.family == 6 ? AF_INET6 : AF_INET,
	               (a->job.stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0) {
		fail_errno(a, errno, false);
		return false;
	}
	if (a->job.stream)
		(void)setsockopt(a->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)); /* only tidiness depends on it */
	if (from && (from->port || from->addr.family) && !bind_to(a, from)) {
		fail_errno(a, EAGAIN, false); /* somebody has the port, or the address is not there yet */
		return false;
	}
	if (uv_poll_init(a->job.loop, &a->poll, a->fd) < 0) {
		attempt_end(a, PROBE_OUTCOME_NONE, err_text(ERR_NO_MEMORY));
		return false;
	}
	(void)uv_timer_init(a->job.loop, &a->timer); /* cannot fail */
	a->handles = 2;
	a->poll.data = a->timer.data = a;
	return true;
}

enum attempt_step attempt_connect(struct attempt *a)
{
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(&a->job.to, &ss);

	uv_update_time(a->job.loop);
	uv_timer_start(&a->timer, on_timeout, a->job.timeout_ms, 0);
	if (connect(a->fd, (struct sockaddr *)&ss, len) == 0)
		return ATTEMPT_CONNECTED;
	if (errno != EINPROGRESS) {
		fail_errno(a, errno, false);
		return ATTEMPT_OVER;
	}
	a->connecting = true;
	attempt_wait(a, UV_WRITABLE);
	return ATTEMPT_WAITS;
}

/* ---- octets ---- */

static void wait_for_tls(struct attempt *a, enum tls_step step)
{
	attempt_wait(a, step == TLS_WANTS_WRITE ? UV_WRITABLE : UV_READABLE);
}

static void fail_tls(struct attempt *a, const char why[TLS_WHY_MAX])
{
	char cut[PROBE_WHY_MAX];

	snprintf(cut, sizeof(cut), "%.*s", (int)sizeof(cut) - 1, why);
	attempt_end(a, PROBE_OUTCOME_FAIL, cut);
}

static void fail_broken(struct attempt *a)
{
	char why[TLS_WHY_MAX];

	tls_client_explain(a->tls, why);
	fail_tls(a, why);
}

bool attempt_shake(struct attempt *a, const struct tls_client *client)
{
	enum tls_step step = tls_shake(a->tls);
	char why[TLS_WHY_MAX];

	switch (step) {
	case TLS_WANTS_READ:
	case TLS_WANTS_WRITE:
		wait_for_tls(a, step);
		return false;
	case TLS_FAILED:
		fail_broken(a);
		return false;
	case TLS_DONE:
		break;
	}
	if (tls_client_judge(client, a->tls, why) == 0)
		return true;
	fail_tls(a, why);
	return false;
}

/* -1: what is to be done about it has been. */
static ssize_t take_error(struct attempt *a, int err, enum tls_step waits)
{
	if (err == EAGAIN || err == EWOULDBLOCK)
		wait_for_tls(a, waits);
	else if (a->tls)
		fail_broken(a);
	else
		fail_errno(a, err, true);
	return -1;
}

bool attempt_send(struct attempt *a, const void *bytes, size_t len, size_t *pos)
{
	while (*pos < len) {
		const uint8_t *at = (const uint8_t *)bytes + *pos;
		enum tls_step step = TLS_WANTS_WRITE;
		ssize_t n = a->tls ? tls_write(a->tls, at, len - *pos, &step) : send(a->fd, at, len - *pos, MSG_DONTWAIT | MSG_NOSIGNAL);
		int err = a->tls ? (int)-n : errno;

		if (n >= 0) {
			*pos += (size_t)n;
		} else if (!a->job.stream && err != EINTR) { /* a datagram that does not leave now is none */
			fail_errno(a, err, false);
			return false;
		} else if (err != EINTR) {
			(void)take_error(a, err, step);
			return false;
		}
	}
	return true;
}

ssize_t attempt_receive(struct attempt *a, void *to, size_t cap)
{
	for (;;) {
		enum tls_step step = TLS_WANTS_READ;
		ssize_t n = a->tls ? tls_read(a->tls, to, cap, &step) : recv(a->fd, to, cap, MSG_DONTWAIT);
		int err = a->tls ? (int)-n : errno;

		if (n >= 0)
			return n;
		if (err != EINTR)
			return take_error(a, err, step);
	}
}
