/* SPDX-License-Identifier: BSD-2-Clause */
/* Where forward meets connections: questions that go to servers by TCP or TLS (upstream.c), and answers to clients that came so (stream_later.c). A question there is a try as any, on a line of its own
 * (FORWARD_LINE_STREAM), with an ID of ours that upstream replaces and puts back; its ticket is row and ID. */
#include "answer/forward_priv.h"

#include "answer/stream.h"
#include "answer/upstream.h"
#include "base/clock.h"

#include <string.h>

static void heard(struct worker *w, uint64_t ticket, enum upstream_end end, uint8_t *msg, size_t len)
{
	uint16_t row = (uint16_t)(ticket >> 16), id = (uint16_t)ticket;

	switch (end) {
	case UPSTREAM_ANSWER:
		forward_take_reply(w->forward, row, FORWARD_LINE_STREAM, msg, len, clock_ns());
		break;
	case UPSTREAM_CLOSED:
		forward_try_closed(w->forward, row, FORWARD_LINE_STREAM, id);
		break;
	case UPSTREAM_UNSENT:
	case UPSTREAM_FAILED:
		forward_try_failed(w->forward, row, FORWARD_LINE_STREAM, id);
		break;
	}
}

bool forward_stream_put(struct forward *fw, uint16_t row, uint16_t id, const uint8_t *proxy, size_t proxy_len, const uint8_t *msg, size_t len)
{
	return upstream_ask(fw->worker->upstream, fw->servers[row].place, heard, (uint64_t)row << 16 | id, msg, len, proxy_len ? proxy : NULL, proxy_len);
}

void forward_stream_answer(struct forward *fw, const struct forward_waiting *c, struct engine_late *late)
{
	struct worker *w = fw->worker;
	const struct engine_request request = {.transport = (enum engine_transport)c->transport, .client = c->addr, .port = c->port, .msg = c->msg, .len = c->len, .now_s = w->now_s,
	                                       .keepalive = stream_keepalive_now(w->streams)};
	struct engine_result result;

	worker_answer_late(w, late, &request, fw->stream_out, sizeof(fw->stream_out), &result);
	if (!result.len)
		stream_forget(w->streams, c->stream);
	else if (stream_answer_later(w->streams, c->stream, fw->stream_out, result.len))
		(void)measures_latency(&w->measures, (enum engine_transport)c->transport, 1, c->began_ns);
}
