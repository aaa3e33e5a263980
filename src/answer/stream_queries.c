/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole queries of a connection, and their answers, gathered into one write. */
#include "answer/stream_priv.h"

#include "answer/forward.h"
#include "answer/worker.h"
#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

enum {
	STREAM_QUERY_MAX = 16384, /* octets of a query; a longer one closes the connection */
	STREAM_BUFFER_MIN = 64,
	STREAM_BUFFER_LARGE = 1024, /* a larger buffer is given back when what is in it has become small */
};

/* Octets of the frame that begins at p as far as they are known: 2 while the length is not there. 0: no query can be so long. */
static size_t frame_len(const uint8_t *p, size_t len)
{
	size_t n;

	if (len < 2)
		return 2;
	n = (size_t)(p[0] << 8 | p[1]);
	return n < DNS_HEADER_LEN || n > STREAM_QUERY_MAX ? 0 : 2 + n;
}

bool stream_conn_full(const struct stream_conn *c)
{
	return c->ended || c->holds || c->open_count >= STREAM_OPEN_MAX;
}

static void count_query(struct worker *w, const struct stream_conn *c, size_t len)
{
	bool v6 = c->address.family == 6;

	board_add(c->tls ? &w->board->tls_queries[v6] : &w->board->queries[1][v6], 1);
	board_add(&w->board->bytes_in, len);
	measures_network(&w->measures, c->network, v6, 1);
}

/* Answer whole queries of p until they, the turn, or the client's patience with reading end. *used octets are done with. */
static bool answer_all(struct stream *s, struct stream_conn *c, const uint8_t *p, size_t len, size_t *used)
{
	struct worker *w = s->worker;
	struct store_snapshot snapshot;
	size_t pos = 0, out = 0, answered = 0, frame;
	bool good = true, v6 = c->address.family == 6, spliced, waits;
	uint64_t began = len >= 2 ? clock_ns() : 0;

	c->more = false;
	if (w->tap_pace.every)
		stream_conn_local(c, &w->local);
	store_pin(w->store, &snapshot);
	while (len - pos >= 2 && !c->out && !stream_conn_full(c)) {
		struct engine_request request;
		struct engine_result result;

		frame = frame_len(p + pos, len - pos);
		if (!frame) {
			board_add(&w->board->tcp_malformed, 1);
			good = false;
			break;
		}
		if (len - pos < frame)
			break;
		if (answered % STREAM_CLOCK_EVERY == STREAM_CLOCK_EVERY - 1 && clock_ns() > s->until_ns) {
			c->more = true;
			break;
		}
		request = (struct engine_request){.transport = c->tls ? ENGINE_TLS : ENGINE_TCP,
		                                  .client = c->address, .port = c->port, .msg = p + pos + 2,
		                                  .len = frame - 2, .now_s = w->now_s, .keepalive = s->keepalive,
		                                  .sync = c->manages ? ENGINE_SYNC_PASS : ENGINE_SYNC_NEVER,
		                                  .waits = w->forward != NULL};
		worker_answer(w, &snapshot, &request, s->out + out + 2, DNS_MESSAGE_MAX, &result);
		spliced = result.for_backends && result.pass == ENGINE_PASS_TRANSFER;
		if ((result.for_sync || spliced) && c->open_count) {
			c->holds = true;
			break;
		}
		if ((result.for_sync || spliced) && out) {
			/* What was asked before is answered before. */
			good = stream_conn_put(s, c, s->out, out);
			out = 0;
			if (!good || c->out)
				break;
		}
		if (result.for_sync) {
			if (stream_conn_hand_over(s, c, p + pos, len - pos, result.for_watch)) {
				board_add(c->fd < 0 ? &w->board->tls_queries[v6] : &w->board->queries[1][v6], 1);
				board_add(&w->board->bytes_in, frame - 2);
				good = false;
				break;
			}
			if (!stream_conn_watch(s, c, EPOLLIN)) {
				good = false;
				break;
			}
			request.sync = ENGINE_SYNC_BUSY;
			worker_answer(w, &snapshot, &request, s->out + 2, DNS_MESSAGE_MAX, &result);
		}
		if (spliced) {
			count_query(w, c, frame - 2);
			if (stream_conn_splice(s, c, result.backends, p + pos, len - pos) || !stream_conn_watch(s, c, EPOLLIN)) {
				good = false;
				break;
			}
		}
		waits = result.for_backends && !spliced && stream_conn_ask(s, c, &request, &result);
		if (result.for_backends && !waits) {
			request.waits = false;
			worker_answer(w, &snapshot, &request, s->out + out + 2, DNS_MESSAGE_MAX, &result);
		}
		if (result.refresh)
			forward_refresh(w, &request.client, &result);
		if (!spliced)
			count_query(w, c, frame - 2);
		pos += frame;
		answered++;
		if (waits)
			continue;
		if (!result.len) {
			good = false; /* not a query: nothing to wait for */
			break;
		}
		s->out[out] = (uint8_t)(result.len >> 8);
		s->out[out + 1] = (uint8_t)result.len;
		out += 2 + result.len;
		if (out > STREAM_OUT - STREAM_FRAME_MAX) {
			good = stream_conn_put(s, c, s->out, out);
			out = 0;
			if (!good)
				break;
		}
	}
	store_unpin(w->store);
	if (out && !stream_conn_put(s, c, s->out, out))
		good = false;
	forward_flush(w);
	if (answered) {
		(void)measures_latency(&w->measures, c->tls ? ENGINE_TLS : ENGINE_TCP, answered, began);
		stream_conn_wait(s, c, WAIT_NEXT);
	}
	*used = pos;
	return good;
}

/* Keep len octets at p, with room for the rest of a query but never for more than what is there doubled: a length of 16,384 alone costs
 * nothing. p may lie in c->in. */
static bool conn_keep(struct stream *s, struct stream_conn *c, const uint8_t *p, size_t len)
{
	size_t frame = frame_len(p, len), cap = MAX(2 * len, (size_t)STREAM_BUFFER_MIN);
	uint8_t *in;

	cap = MAX(len, MIN(cap, MAX(frame, (size_t)STREAM_BUFFER_MIN)));
	if (!stream_memory_has(s, cap))
		return false;
	in = memory_take(&s->memory, cap);
	if (!in)
		return false;
	memcpy(in, p, len);
	memory_give(&s->memory, c->in);
	c->in = in;
	c->in_len = (uint32_t)len;
	c->in_cap = (uint32_t)cap;
	return true;
}

/* Answer from the connection's own buffer. */
static bool serve_kept(struct stream *s, struct stream_conn *c)
{
	size_t used, rest;

	if (!answer_all(s, c, c->in, c->in_len, &used))
		return false;
	rest = c->in_len - used;
	if (!rest) {
		memory_give(&s->memory, c->in);
		c->in = NULL;
		return true;
	}
	if (used) {
		memmove(c->in, c->in + used, rest);
		c->in_len = (uint32_t)rest;
	}
	/* Full, or far too large for what is left. */
	if (rest == c->in_cap || (c->in_cap > STREAM_BUFFER_LARGE && rest < c->in_cap / 4))
		return conn_keep(s, c, c->in, rest);
	return true;
}

/* Read once and answer. False: close. *again: there may be more to read. */
static bool serve_read(struct stream *s, struct stream_conn *c, bool *again)
{
	uint8_t *buf = c->in ? c->in + c->in_len : s->in;
	size_t cap = c->in ? c->in_cap - c->in_len : sizeof(s->in), used;
	ssize_t n = stream_conn_recv(s, c, buf, cap);

	*again = n == (ssize_t)cap || (c->tls && n > 0); /* TLS may hold octets that epoll does not tell of */
	if (n == 0 && c->open_count) {
		c->ended = true;
		return true;
	}
	if (n <= 0)
		return n == -EAGAIN;
	if (c->in) {
		c->in_len += (uint32_t)n;
		return serve_kept(s, c);
	}
	if (!answer_all(s, c, s->in, (size_t)n, &used))
		return false;
	return used == (size_t)n || conn_keep(s, c, s->in + used, (size_t)n - used);
}

void stream_conn_serve(struct stream *s, struct stream_conn *c)
{
	bool good = true, again = true;

	list_remove(&c->ready);
	c->more = false;
	if (c->shaking) {
		if (clock_ns() > s->shake_until_ns)
			return; /* epoll tells of it again */
		if (!stream_conn_shake(s, c)) {
			stream_conn_close(s, c);
			return;
		}
		if (c->shaking)
			return;
	}
	s->serving = c;
	if (c->out)
		good = stream_conn_flush(s, c);
	/* What was kept while the client took no answers, or the turn was over. */
	if (good && !c->out && c->in)
		good = serve_kept(s, c);
	while (good && again && !c->out && !c->more && !stream_conn_full(c)) {
		good = serve_read(s, c, &again);
		if (again && clock_ns() > s->until_ns) {
			c->more = true;
			break;
		}
	}
	s->serving = NULL;
	/* That the other side is gone epoll tells whatever is asked, but only once. */
	if (good && !c->out && stream_conn_full(c))
		good = (!c->ended || c->open_count) && stream_conn_watch(s, c, EPOLLET);
	if (!good || c->doomed)
		stream_conn_close(s, c);
	else if (c->more && !c->out) /* for TLS also: while answers were kept, nothing was read */
		list_add_tail(&s->ready, &c->ready);
}
