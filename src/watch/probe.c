/* SPDX-License-Identifier: BSD-2-Clause */
/* A probe asks as a client would: from a fresh port, through the kernel, over a connected socket (watch/attempt.c).
 *
 * - The source address is the kernel's choice, and for an address of this machine that choice is the address itself. If it is
 *   anything else the service address has gone from this machine, and some other PoP would answer for us: that is a failure.
 * - An answer that is not ours (another id) is ignored over UDP, as resolvers do: it may be forged. It is a failure over TCP. */
#include "watch/probe.h"

#include "base/err.h"
#include "base/wire.h"

#include <stdlib.h>
#include <sys/socket.h>

struct probe {
	struct attempt attempt;
	struct probe_job job;
	struct probe **slot; /* where the owner holds us; cleared when done */
	size_t out_len, out_pos;
	size_t in_len;
	uint8_t out[2 + PROBE_QUERY_MAX];
	uint8_t in[2 + PROBE_ANSWER_MAX];
};

static void on_ended(void *owner, enum probe_outcome outcome, const char *why, uint32_t took_us)
{
	struct probe *p = owner;
	const struct probe_job job = p->job;

	*p->slot = NULL;
	attempt_release(&p->attempt, false);
	job.done(job.ctx, outcome, why, took_us);
}

/* Judge len octets. False when the probe goes on. */
static bool take_answer(struct probe *p, const uint8_t *msg, size_t len)
{
	char why[PROBE_WHY_MAX] = "";
	enum probe_verdict v = p->job.judge(p->job.ctx, msg, len, why);

	if (v == PROBE_NOT_OURS && !p->job.tcp)
		return false;
	attempt_end(&p->attempt, v == PROBE_PASS ? PROBE_OUTCOME_PASS : PROBE_OUTCOME_FAIL, v == PROBE_PASS ? "" : why);
	return true;
}

static void receive_udp(struct probe *p)
{
	for (;;) {
		ssize_t n = attempt_receive(&p->attempt, p->in, sizeof(p->in));

		if (n < 0 || take_answer(p, p->in, (size_t)n))
			return;
	}
}

static void receive_tcp(struct probe *p)
{
	for (;;) {
		size_t want = p->in_len < 2 ? 2 : 2U + get_u16(p->in);
		ssize_t n;

		if (want > sizeof(p->in)) {
			attempt_end(&p->attempt, PROBE_OUTCOME_FAIL, "answer of absurd length");
			return;
		}
		if (p->in_len >= 2 && p->in_len == want) {
			take_answer(p, p->in + 2, want - 2);
			return;
		}
		n = attempt_receive(&p->attempt, p->in + p->in_len, want - p->in_len);
		if (n == 0)
			attempt_end(&p->attempt, PROBE_OUTCOME_FAIL, "connection closed without an answer");
		if (n <= 0)
			return;
		p->in_len += (size_t)n;
	}
}

static bool send_question(struct probe *p)
{
	p->attempt.awaited = "answer";
	return attempt_send(&p->attempt, p->out, p->out_len, &p->out_pos);
}

static void on_ready(void *owner)
{
	struct probe *p = owner;

	if (!send_question(p))
		return;
	if (p->job.tcp)
		receive_tcp(p);
	else
		receive_udp(p);
}

/* The kernel must have chosen the service address itself as source: see the top. */
static bool is_local(const struct probe *p)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct endpoint from;

	if (getsockname(p->attempt.fd, (struct sockaddr *)&ss, &len) < 0 || endpoint_from_sockaddr((struct sockaddr *)&ss, &from) < 0)
		return true;
	if (p->job.used)
		*p->job.used = from.port;
	return addr_equal(&from.addr, &p->job.address);
}

void probe_start(const struct probe_job *job, struct probe **out)
{
	const struct endpoint from = {.addr = job->from, .port = job->from_port};
	struct probe *p = calloc(1, sizeof(*p));
	const struct attempt_job attempt = {.loop = job->loop,
	                                    .to = {.addr = job->address, .port = job->port},
	                                    .stream = job->tcp,
	                                    .timeout_ms = job->timeout_ms,
	                                    .no_route = job->remote ? "no route to the address" : "no route to the address, it is not on this machine",
	                                    .ready = on_ready,
	                                    .ended = on_ended,
	                                    .owner = p};
	enum attempt_step step;
	int n;

	*out = p;
	if (!p) {
		job->done(job->ctx, PROBE_OUTCOME_NONE, err_text(ERR_NO_MEMORY), 0);
		return;
	}
	p->job = *job;
	p->slot = out;
	attempt_init(&p->attempt, &attempt);
	n = probe_build(&job->question, p->out + 2, PROBE_QUERY_MAX);
	if (n < 0) {
		attempt_end(&p->attempt, PROBE_OUTCOME_NONE, err_text(n));
		return;
	}
	put_u16(p->out, (uint16_t)n);
	p->out_len = (size_t)n + 2;
	p->out_pos = job->tcp ? 0 : 2;
	if (!attempt_open(&p->attempt, &from))
		return;
	step = attempt_connect(&p->attempt);
	if (step == ATTEMPT_OVER)
		return;
	if (!p->job.remote && !is_local(p))
		attempt_end(&p->attempt, PROBE_OUTCOME_FAIL, "the address is not on this machine");
	else if (step == ATTEMPT_CONNECTED && send_question(p))
		attempt_wait(&p->attempt, UV_READABLE);
}

void probe_cancel(struct probe *p)
{
	*p->slot = NULL;
	attempt_release(&p->attempt, false);
}
