/* SPDX-License-Identifier: BSD-2-Clause */
/* A check of an endpoint, as a client of it would: a fresh connection from a fresh port each time, nonblocking, over IPv4 or IPv6.
 *
 *	tcp     the connection is accepted; nothing is sent
 *	http    GET, and what comes is judged as it comes (health/http.c)
 *	https   the same over TLS 1.2 or 1.3; the certificate must be of an authority that is believed, be in its time and have the host's name, or the address where the rule
 *	        names no host. `insecure` demands none of it
 *
 * All of it has one time limit. As soon as the verdict is there the connection is given up by RST (SO_LINGER 0), so that checks leave nothing in TIME_WAIT; over TLS a close_notify goes first.
 * What we cannot do for want of descriptors, memory or ports is no fault of the endpoint (PROBE_OUTCOME_NONE), and when this process was not running as the time ran out, an answer
 * may lie unread: the check then gets its time once more. */
#include "watch/endpoint_check.h"

#include "base/clock.h"
#include "base/err.h"
#include "health/http.h"
#include "tls/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_MAX = 16384, READS_MAX = 8 /* in one turn of the loop */ };

_Static_assert((int)CONFIG_CHECK_TEXT_MAX == HTTP_WANTED_MAX && CONFIG_CHECK_PATH_MAX + 2 * CONFIG_CHECK_HOST_MAX < HTTP_REQUEST_MAX &&
                       CONFIG_CHECK_HOST_MAX + 8 < ENDPOINT_HOST_MAX,
               "what stands in the fleet file fits into a request");

enum phase { PHASE_CONNECT, PHASE_SHAKE, PHASE_SEND, PHASE_RECEIVE };

struct endpoint_check {
	struct endpoint_check_job job;
	struct endpoint_check **slot; /* where the owner holds us; cleared when done */
	int fd;
	enum phase phase;
	bool graced, over;
	uint64_t begun_ns, due_ns;
	uint8_t handles; /* open in the loop */
	uv_poll_t poll;
	uv_timer_t timer;
	struct ssl_st *tls;
	size_t out_len, out_pos;
	char out[HTTP_REQUEST_MAX];
	struct http_reading reading;
};

static void on_closed(uv_handle_t *h)
{
	struct endpoint_check *c = h->data;

	if (--c->handles == 0)
		free(c);
}

static void release(struct endpoint_check *c)
{
	c->over = true;
	if (c->tls)
		tls_end(c->tls, c->phase > PHASE_SHAKE);
	c->tls = NULL;
	if (c->handles) {
		uv_close((uv_handle_t *)&c->poll, on_closed);
		uv_close((uv_handle_t *)&c->timer, on_closed);
	}
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	if (!c->handles)
		free(c);
}

static void finish(struct endpoint_check *c, enum probe_outcome outcome, const char *why)
{
	uint64_t took_us = (clock_ns() - c->begun_ns) / 1000;
	const struct endpoint_check_job job = c->job;

	*c->slot = NULL;
	release(c);
	job.done(job.ctx, outcome, why, took_us > UINT32_MAX ? UINT32_MAX : (uint32_t)took_us);
}

static void fail_errno(struct endpoint_check *c, int err)
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
		finish(c, PROBE_OUTCOME_NONE, strerror(err));
		return;
	case ECONNREFUSED:
		finish(c, PROBE_OUTCOME_FAIL, "refused, nothing listens there");
		return;
	case ECONNRESET:
	case EPIPE:
		finish(c, PROBE_OUTCOME_FAIL, "connection reset");
		return;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EADDRNOTAVAIL:
		finish(c, PROBE_OUTCOME_FAIL, "no route to the address");
		return;
	default:
		snprintf(why, sizeof(why), "socket error: %s", strerror(err));
		finish(c, PROBE_OUTCOME_FAIL, why);
	}
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void wait_for(struct endpoint_check *c, enum tls_step step)
{
	uv_poll_start(&c->poll, step == TLS_WANTS_WRITE ? UV_WRITABLE : UV_READABLE, on_poll);
}

static void fail_tls(struct endpoint_check *c)
{
	char why[TLS_WHY_MAX], cut[PROBE_WHY_MAX];

	tls_client_explain(c->tls, why);
	snprintf(cut, sizeof(cut), "%.*s", (int)sizeof(cut) - 1, why);
	finish(c, PROBE_OUTCOME_FAIL, cut);
}

/* ---- steps: true when the next phase has come ---- */

static bool connected(struct endpoint_check *c)
{
	const struct config_pool_check *rule = c->job.rule;

	if (rule->type == CONFIG_CHECK_TCP) {
		finish(c, PROBE_OUTCOME_PASS, "");
		return false;
	}
	if (rule->type == CONFIG_CHECK_HTTP) {
		c->phase = PHASE_SEND;
		return true;
	}
	c->tls = tls_client_begin_named(c->job.tls, c->fd, &c->job.address, rule->host);
	if (!c->tls) {
		finish(c, PROBE_OUTCOME_NONE, err_text(ERR_NO_MEMORY));
		return false;
	}
	c->phase = PHASE_SHAKE;
	return true;
}

static bool shake(struct endpoint_check *c)
{
	enum tls_step step = tls_shake(c->tls);
	char why[TLS_WHY_MAX], cut[PROBE_WHY_MAX];

	if (step == TLS_FAILED) {
		fail_tls(c);
		return false;
	}
	if (step != TLS_DONE) {
		wait_for(c, step);
		return false;
	}
	if (tls_client_judge(c->job.tls, c->tls, why) < 0) {
		snprintf(cut, sizeof(cut), "%.*s", (int)sizeof(cut) - 1, why);
		finish(c, PROBE_OUTCOME_FAIL, cut);
		return false;
	}
	c->phase = PHASE_SEND;
	return true;
}

static bool send_rest(struct endpoint_check *c)
{
	while (c->out_pos < c->out_len) {
		enum tls_step step = TLS_WANTS_WRITE;
		ssize_t n = c->tls ? tls_write(c->tls, c->out + c->out_pos, c->out_len - c->out_pos, &step)
		                   : send(c->fd, c->out + c->out_pos, c->out_len - c->out_pos, MSG_DONTWAIT | MSG_NOSIGNAL);
		int err = c->tls ? (int)-n : errno;

		if (n < 0 && !c->tls && err == EINTR)
			continue;
		if (n < 0 && (err == EAGAIN || err == EWOULDBLOCK)) {
			wait_for(c, step);
			return false;
		}
		if (n < 0) {
			if (c->tls)
				fail_tls(c);
			else
				fail_errno(c, err);
			return false;
		}
		c->out_pos += (size_t)n;
	}
	c->phase = PHASE_RECEIVE;
	return true;
}

static void judged(struct endpoint_check *c, enum http_step step, const char *why)
{
	finish(c, step == HTTP_GOOD ? PROBE_OUTCOME_PASS : PROBE_OUTCOME_FAIL, step == HTTP_GOOD ? "" : why);
}

static void receive(struct endpoint_check *c)
{
	static uint8_t in[READ_MAX]; /* one thread */
	char why[PROBE_WHY_MAX] = "";

	for (int i = 0; i < READS_MAX; i++) {
		enum tls_step wants = TLS_WANTS_READ;
		ssize_t n = c->tls ? tls_read(c->tls, in, sizeof(in), &wants) : recv(c->fd, in, sizeof(in), MSG_DONTWAIT);
		int err = c->tls ? (int)-n : errno;
		enum http_step step;

		if (n < 0 && !c->tls && err == EINTR)
			continue;
		if (n < 0 && (err == EAGAIN || err == EWOULDBLOCK)) {
			wait_for(c, wants);
			return;
		}
		if (n < 0 && c->tls) {
			fail_tls(c);
			return;
		}
		if (n < 0) {
			fail_errno(c, err);
			return;
		}
		step = n ? http_take(&c->reading, in, (size_t)n, why) : http_end(&c->reading, why);
		if (step != HTTP_MORE) {
			judged(c, step, why);
			return;
		}
	}
	/* More may lie in TLS than the socket knows of. */
	wait_for(c, c->tls ? TLS_WANTS_WRITE : TLS_WANTS_READ);
}

static void go_on(struct endpoint_check *c)
{
	if (c->phase == PHASE_SHAKE && !shake(c))
		return;
	if (c->phase == PHASE_SEND && !send_rest(c))
		return;
	if (c->phase == PHASE_RECEIVE)
		receive(c);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct endpoint_check *c = poll->data;
	socklen_t len = sizeof(int);
	int err = 0;

	(void)events;
	if (c->over)
		return;
	/* libuv reports EPOLLERR as a status or as both events; what it was is the socket's to say. */
	if (status < 0 || c->phase == PHASE_CONNECT) {
		if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
			err = errno;
		if (!err && status < 0)
			err = -status;
		if (err) {
			fail_errno(c, err);
			return;
		}
	}
	if (c->phase == PHASE_CONNECT && !connected(c))
		return;
	go_on(c);
}

static void on_timeout(uv_timer_t *timer)
{
	static const char *const awaited[] = {
		[PHASE_CONNECT] = "connection", [PHASE_SHAKE] = "TLS handshake", [PHASE_SEND] = "answer", [PHASE_RECEIVE] = "answer"};
	struct endpoint_check *c = timer->data;
	uint32_t timeout_ms = c->job.rule->timeout_ms;
	uint64_t now = clock_ns();
	char why[PROBE_WHY_MAX];

	if (c->over)
		return;
	if (now < c->due_ns) { /* the loop's clock runs in whole milliseconds */
		uv_timer_start(timer, on_timeout, (c->due_ns - now) / 1000000 + 1, 0);
		return;
	}
	if (!c->graced && now - c->due_ns > (uint64_t)PROBE_GRACE_MS * 1000000U) {
		c->graced = true;
		c->due_ns = now + (uint64_t)timeout_ms * 1000000U;
		uv_update_time(c->job.loop);
		uv_timer_start(timer, on_timeout, timeout_ms, 0);
		return;
	}
	snprintf(why, sizeof(why), "no %s within %u ms", awaited[c->phase], timeout_ms);
	finish(c, PROBE_OUTCOME_FAIL, why);
}

/* ---- life ---- */

void endpoint_check_host(const struct config_pool_check *rule, const struct ip_addr *address, char out[ENDPOINT_HOST_MAX])
{
	char text[ADDR_TEXT_MAX], port[8] = "";

	if (rule->port && rule->port != (rule->type == CONFIG_CHECK_HTTPS ? 443 : 80))
		snprintf(port, sizeof(port), ":%u", rule->port);
	if (rule->host)
		snprintf(out, ENDPOINT_HOST_MAX, "%.255s%s", rule->host, port);
	else
		snprintf(out, ENDPOINT_HOST_MAX, address->family == 6 ? "[%s]%s" : "%s%s", addr_text(address, text), port);
}

static uint16_t port_of(const struct config_pool_check *rule)
{
	if (rule->port)
		return rule->port;
	return rule->type == CONFIG_CHECK_HTTPS ? 443 : 80;
}

static int write_request(struct endpoint_check *c)
{
	const struct config_pool_check *rule = c->job.rule;
	const struct http_wanted wanted = {.status = rule->status, .contains = rule->contains};
	char host[ENDPOINT_HOST_MAX];

	if (rule->type == CONFIG_CHECK_TCP)
		return 0;
	http_begin(&c->reading, &wanted);
	endpoint_check_host(rule, &c->job.address, host);
	return http_request(rule->path ? rule->path : "/", host, c->out, sizeof(c->out), &c->out_len);
}

void endpoint_check_start(const struct endpoint_check_job *job, struct endpoint_check **out)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	const struct endpoint to = {.addr = job->address, .port = port_of(job->rule)};
	struct endpoint_check *c = malloc(sizeof(*c));
	struct sockaddr_storage ss;
	socklen_t ss_len = endpoint_to_sockaddr(&to, &ss);
	int err;

	*out = c;
	if (!c) {
		job->done(job->ctx, PROBE_OUTCOME_NONE, err_text(ERR_NO_MEMORY), 0);
		return;
	}
	memset(c, 0, offsetof(struct endpoint_check, out));
	c->job = *job;
	c->slot = out;
	c->begun_ns = clock_ns();
	c->due_ns = c->begun_ns + (uint64_t)job->rule->timeout_ms * 1000000U;
	c->fd = -1;
	err = write_request(c);
	if (err < 0) {
		finish(c, PROBE_OUTCOME_FAIL, "its path or host cannot stand in a request");
		return;
	}
	c->fd = socket(job->address.family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		fail_errno(c, errno);
		return;
	}
	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)); /* only tidiness depends on it */
	if (uv_poll_init(job->loop, &c->poll, c->fd) < 0) {
		finish(c, PROBE_OUTCOME_NONE, err_text(ERR_NO_MEMORY));
		return;
	}
	(void)uv_timer_init(job->loop, &c->timer); /* cannot fail */
	c->handles = 2;
	c->poll.data = c->timer.data = c;
	if (connect(c->fd, (struct sockaddr *)&ss, ss_len) < 0 && errno != EINPROGRESS) {
		fail_errno(c, errno);
		return;
	}
	uv_update_time(job->loop);
	uv_timer_start(&c->timer, on_timeout, job->rule->timeout_ms, 0);
	uv_poll_start(&c->poll, UV_WRITABLE, on_poll);
}

void endpoint_check_cancel(struct endpoint_check *c)
{
	if (!c)
		return;
	*c->slot = NULL;
	release(c);
}
