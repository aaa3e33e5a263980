/* SPDX-License-Identifier: BSD-2-Clause */
/* A check of a backend, from a fresh port and through the kernel (watch/attempt.c), so that neither the port nor the id (which the caller chooses at random) can be guessed. Like probe.c, which asks
 * this node's own addresses and knows no TLS; what is said there of answers that are not ours holds here as well.
 *
 *	UDP               [header of PROXY] question -> answer
 *	TCP   CONNECT  ->  [header of PROXY] length, question -> length, answer
 *	TLS   CONNECT  ->  [header of PROXY], then the handshake; a session is resumed where the server lets us; then as TCP */
#include "watch/backends_ask.h"

#include "base/err.h"
#include "base/wire.h"
#include "dns/message.h"
#include "edge/proxy_header.h"
#include "tls/client.h"
#include "watch/attempt.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { DATAGRAM_MAX = 4096 };

enum phase { PHASE_HEADER, PHASE_SHAKE, PHASE_TALK };

struct backend_ask {
	struct attempt attempt;
	struct backend_ask_job job;
	struct backend_ask **slot;
	enum phase phase;
	size_t header_len, header_pos; /* of PROXY, in front of a stream */
	size_t out_len, out_pos, in_len, in_cap;
	uint8_t header[PROXY_HEADER_MAX];
	uint8_t out[PROXY_HEADER_MAX + 2 + PROBE_QUERY_MAX];
	uint8_t in[];
};

static void on_ended(void *owner, enum probe_outcome outcome, const char *why, uint32_t took_us)
{
	struct backend_ask *a = owner;
	const struct backend_ask_job job = a->job;
	struct ssl_session_st *s = a->attempt.tls && outcome == PROBE_OUTCOME_PASS ? tls_client_session(a->attempt.tls) : NULL;

	*a->slot = NULL;
	/* It may be the session that the server cannot go on with: the next check does without. */
	if (s || (a->attempt.tls && outcome == PROBE_OUTCOME_FAIL)) {
		tls_session_free(*job.session);
		*job.session = s;
	}
	/* OpenSSL resumes no session of a connection that ended without a goodbye. */
	attempt_release(&a->attempt, outcome == PROBE_OUTCOME_PASS);
	job.done(job.ctx, outcome, why, took_us);
}

/* ---- answers ---- */

/* False when it goes on. */
static bool take_answer(struct backend_ask *a, const uint8_t *msg, size_t len)
{
	char why[PROBE_WHY_MAX] = "";
	enum probe_verdict v = a->job.judge(a->job.ctx, msg, len, why);

	if (v == PROBE_NOT_OURS && a->job.over == BACKEND_ASK_UDP)
		return false;
	attempt_end(&a->attempt, v == PROBE_PASS ? PROBE_OUTCOME_PASS : PROBE_OUTCOME_FAIL, why);
	return true;
}

static void receive_udp(struct backend_ask *a)
{
	for (;;) {
		ssize_t n = attempt_receive(&a->attempt, a->in, a->in_cap);

		if (n < 0 || take_answer(a, a->in, (size_t)n))
			return;
	}
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
		n = attempt_receive(&a->attempt, a->in + a->in_len, want - a->in_len);
		if (n == 0)
			attempt_end(&a->attempt, PROBE_OUTCOME_FAIL, "connection closed without an answer");
		if (n <= 0)
			return;
		a->in_len += (size_t)n;
	}
}

/* ---- questions ---- */

static bool shake(struct backend_ask *a)
{
	a->attempt.awaited = "end of the handshake of TLS";
	if (!a->attempt.tls)
		a->attempt.tls = tls_client_begin(a->job.tls, a->attempt.fd, &a->job.to.addr, *a->job.session);
	if (a->attempt.tls)
		return attempt_shake(&a->attempt, a->job.tls);
	attempt_end(&a->attempt, PROBE_OUTCOME_NONE, err_text(ERR_NO_MEMORY));
	return false;
}

/* As far as it goes without waiting. */
static void on_ready(void *owner)
{
	struct backend_ask *a = owner;

	if (a->phase == PHASE_HEADER) {
		if (!attempt_send(&a->attempt, a->header, a->header_len, &a->header_pos))
			return;
		a->phase = a->job.over == BACKEND_ASK_TLS ? PHASE_SHAKE : PHASE_TALK;
	}
	if (a->phase == PHASE_SHAKE) {
		if (!shake(a))
			return;
		a->phase = PHASE_TALK;
	}
	a->attempt.awaited = "answer";
	if (!attempt_send(&a->attempt, a->out, a->out_len, &a->out_pos))
		return;
	if (a->job.over == BACKEND_ASK_UDP)
		receive_udp(a);
	else
		receive_stream(a);
}

/* The socket knows its own address by now. */
static size_t own_header(const struct backend_ask *a, uint8_t out[PROXY_HEADER_MAX])
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct endpoint from;

	if (getsockname(a->attempt.fd, (struct sockaddr *)&ss, &len) < 0 ||
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

void backend_ask_start(const struct backend_ask_job *job, struct backend_ask **slot)
{
	size_t cap = job->over == BACKEND_ASK_UDP ? DATAGRAM_MAX : 2 + DNS_MESSAGE_MAX;
	struct backend_ask *a = job->len <= PROBE_QUERY_MAX ? calloc(1, sizeof(*a) + cap) : NULL;
	const struct attempt_job attempt = {.loop = job->loop,
	                                    .to = job->to,
	                                    .stream = job->over != BACKEND_ASK_UDP,
	                                    .timeout_ms = job->timeout_ms,
	                                    .no_route = "no route to the server",
	                                    .ready = on_ready,
	                                    .ended = on_ended,
	                                    .owner = a};
	enum attempt_step step;

	*slot = a;
	if (!a) {
		job->done(job->ctx, PROBE_OUTCOME_NONE, err_text(ERR_NO_MEMORY), 0);
		return;
	}
	a->job = *job;
	a->slot = slot;
	a->in_cap = cap;
	attempt_init(&a->attempt, &attempt);
	if (!attempt_open(&a->attempt, NULL))
		return;
	step = attempt_connect(&a->attempt);
	if (step == ATTEMPT_OVER)
		return;
	put_question(a);
	a->job.query = NULL;
	if (step == ATTEMPT_CONNECTED)
		on_ready(a);
}

void backend_ask_cancel(struct backend_ask *a)
{
	*a->slot = NULL;
	attempt_release(&a->attempt, false);
}
