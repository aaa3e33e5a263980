/* SPDX-License-Identifier: BSD-2-Clause */
/* A check of an endpoint, as a client of it would: a fresh connection from a fresh port each time, nonblocking, over IPv4 or IPv6.
 *
 *	tcp     the connection is accepted; nothing is sent
 *	http    GET, and what comes is judged as it comes (health/http.c)
 *	https   the same over TLS 1.2 or 1.3; the certificate must be of an authority that is believed, be in its time and have the host's name, or the address where the rule
 *	        names no host. `insecure` demands none of it
 *
 * As soon as the verdict is there the connection is given up (watch/attempt.c, which has what is said of time and of our own faults); over TLS a close_notify goes first. */
#include "watch/endpoint_check.h"

#include "base/err.h"
#include "health/http.h"
#include "tls/client.h"
#include "watch/attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_MAX = 16384, READS_MAX = 8 /* in one turn of the loop */ };

_Static_assert((int)CONFIG_CHECK_TEXT_MAX == HTTP_WANTED_MAX && CONFIG_CHECK_PATH_MAX + 2 * CONFIG_CHECK_HOST_MAX < HTTP_REQUEST_MAX &&
                       CONFIG_CHECK_HOST_MAX + 8 < ENDPOINT_HOST_MAX,
               "what stands in the fleet file fits into a request");

enum phase { PHASE_CONNECT, PHASE_SHAKE, PHASE_SEND, PHASE_RECEIVE };

struct endpoint_check {
	struct attempt attempt;
	struct endpoint_check_job job;
	struct endpoint_check **slot; /* where the owner holds us; cleared when done */
	enum phase phase;
	size_t out_len, out_pos;
	char out[HTTP_REQUEST_MAX];
	struct http_reading reading;
};

static void release(struct endpoint_check *c)
{
	*c->slot = NULL;
	attempt_release(&c->attempt, c->phase > PHASE_SHAKE);
}

static void on_ended(void *owner, enum probe_outcome outcome, const char *why, uint32_t took_us)
{
	struct endpoint_check *c = owner;
	const struct endpoint_check_job job = c->job;

	release(c);
	job.done(job.ctx, outcome, why, took_us);
}

/* ---- steps: true when the next phase has come ---- */

static bool connected(struct endpoint_check *c)
{
	const struct config_pool_check *rule = c->job.rule;

	if (rule->type == CONFIG_CHECK_TCP) {
		attempt_end(&c->attempt, PROBE_OUTCOME_PASS, "");
		return false;
	}
	if (rule->type == CONFIG_CHECK_HTTP) {
		c->phase = PHASE_SEND;
		return true;
	}
	c->attempt.tls = tls_client_begin_named(c->job.tls, c->attempt.fd, &c->job.address, rule->host);
	if (!c->attempt.tls) {
		attempt_end(&c->attempt, PROBE_OUTCOME_NONE, err_text(ERR_NO_MEMORY));
		return false;
	}
	c->attempt.awaited = "TLS handshake";
	c->phase = PHASE_SHAKE;
	return true;
}

static bool send_request(struct endpoint_check *c)
{
	c->attempt.awaited = "answer";
	return attempt_send(&c->attempt, c->out, c->out_len, &c->out_pos);
}

static void receive(struct endpoint_check *c)
{
	static uint8_t in[READ_MAX]; /* one thread */
	char why[PROBE_WHY_MAX] = "";

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = attempt_receive(&c->attempt, in, sizeof(in));
		enum http_step step;

		if (n < 0)
			return;
		step = n ? http_take(&c->reading, in, (size_t)n, why) : http_end(&c->reading, why);
		if (step != HTTP_MORE) {
			attempt_end(&c->attempt, step == HTTP_GOOD ? PROBE_OUTCOME_PASS : PROBE_OUTCOME_FAIL, step == HTTP_GOOD ? "" : why);
			return;
		}
	}
	/* More may lie in TLS than the socket knows of. */
	attempt_wait(&c->attempt, c->attempt.tls ? UV_WRITABLE : UV_READABLE);
}

static void on_ready(void *owner)
{
	struct endpoint_check *c = owner;

	if (c->phase == PHASE_CONNECT && !connected(c))
		return;
	if (c->phase == PHASE_SHAKE) {
		if (!attempt_shake(&c->attempt, c->job.tls))
			return;
		c->phase = PHASE_SEND;
	}
	if (c->phase == PHASE_SEND) {
		if (!send_request(c))
			return;
		c->phase = PHASE_RECEIVE;
	}
	receive(c);
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
	struct endpoint_check *c = malloc(sizeof(*c));
	const struct attempt_job attempt = {.loop = job->loop,
	                                    .to = {.addr = job->address, .port = port_of(job->rule)},
	                                    .stream = true,
	                                    .timeout_ms = job->rule->timeout_ms,
	                                    .no_route = "no route to the address",
	                                    .ready = on_ready,
	                                    .ended = on_ended,
	                                    .owner = c};

	*out = c;
	if (!c) {
		job->done(job->ctx, PROBE_OUTCOME_NONE, err_text(ERR_NO_MEMORY), 0);
		return;
	}
	memset(c, 0, offsetof(struct endpoint_check, out));
	c->job = *job;
	c->slot = out;
	attempt_init(&c->attempt, &attempt);
	if (write_request(c) < 0)
		attempt_end(&c->attempt, PROBE_OUTCOME_FAIL, "its path or host cannot stand in a request");
	else if (attempt_open(&c->attempt, NULL) && attempt_connect(&c->attempt) == ATTEMPT_CONNECTED)
		on_ready(c);
}

void endpoint_check_cancel(struct endpoint_check *c)
{
	if (c)
		release(c);
}
