/* SPDX-License-Identifier: BSD-2-Clause */
/* The way of a question that the kernel's cache has no answer for, without a socket: the program hands the frame to the AF_XDP socket of its queue,
 * here it is read (xdp/frame.h), answered by the same engine as ever, under the same limits, counted and sampled alike, and turned round in
 * place. Only plain questions come (the program passes everything else to the stack): no fragments, options of IP, extension headers, TCP.
 *
 * Answers leave by the device and to the neighbor that the question came from, like the program's own.
 *
 * A socket belongs to one life of a worker. The queue's former socket may be in the kernel's hands for a moment after its worker has died; until
 * it can be bound, and whenever the worker's lease has run out, the program passes packets to the stack. What lies in the ring of a
 * worker that dies is lost, as it is not with sockets: at most what came in a lease's time. */
#include "answer/rings.h"

#include "answer/hot.h"
#include "answer/worker.h"
#include "base/err.h"
#include "base/log.h"
#include "base/wire.h"
#include "xdp/bpf/layout.h"
#include "xdp/cache.h"
#include "xdp/frame.h"
#include "xdp/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	RINGS_BATCH = 64,
	RINGS_TURNS = 8, /* batches before other sockets get their turn */
	ANSWER_MAX = XDP_RING_FRAME_SIZE,
	UDP_HEADER = 8,
	BIND_TRIES = 500, /* one a tick, some 10 ms */
};

struct rings {
	uint8_t key[8];
	unsigned count;
	struct one {
		struct xdp_ring *ring;
		struct role_ring is;
		bool bound, unsent;
		unsigned tries;
	} one[ROLE_RINGS_MAX];
	uint8_t out[ANSWER_MAX];
};

static void complain(const struct role_ring *is, int err)
{
	log_warn("xdp ifindex=%u queue=%u error=\"AF_XDP: %s\" action=\"sockets answer\"", is->ifindex, is->queue, err_text(err));
}

struct rings *rings_new(const struct role_brief *b)
{
	struct rings *r = b->ring_count ? calloc(1, sizeof(*r)) : NULL;

	for (uint32_t i = 0; i < MIN(b->ring_count, (uint32_t)ROLE_RINGS_MAX); i++) {
		struct one *o = r ? &r->one[r->count] : NULL;
		int err;

		if (!o) {
			close(b->rings[i].fd);
			continue;
		}
		o->is = b->rings[i];
		err = xdp_ring_new(o->is.fd, &o->ring);
		if (err < 0)
			complain(&o->is, err);
		else
			r->count++;
	}
	if (r)
		memcpy(r->key, b->probe_key, sizeof(r->key));
	return r;
}

int rings_fd(const struct rings *r, unsigned i)
{
	return r && i < r->count ? xdp_ring_fd(r->one[i].ring) : -1;
}

static void try_to_bind(struct one *o, struct worker *w)
{
	int err = xdp_ring_bind(o->ring, o->is.ifindex, o->is.queue);

	if (err == -EBUSY && ++o->tries < BIND_TRIES)
		return;
	if (err < 0) {
		complain(&o->is, err);
		o->tries = BIND_TRIES;
		return;
	}
	o->bound = true;
	log_info("xdp ifindex=%u queue=%u af-xdp=%s", o->is.ifindex, o->is.queue, xdp_ring_zero_copy(o->ring) ? "zero-copy" : "copy");
	hot_serving(w->hot, o->is.place, true);
}

void rings_tick(struct rings *r, struct worker *w)
{
	for (unsigned i = 0; r && i < r->count; i++) {
		struct one *o = &r->one[i];

		if (!o->bound && o->tries < BIND_TRIES)
			try_to_bind(o, w);
		else if (o->unsent)
			o->unsent = xdp_ring_flush(o->ring);
	}
}

/* One of this node's own questions through the device: no limit holds it back, and no counter sees it. */
static void answer_probe(struct worker *w, const struct store_snapshot *s, const struct engine_request *request, uint8_t *out,
                         struct engine_result *result)
{
	engine_answer(&w->settings->engine, s, w->scratch, request, out, DNS_UDP_MIN, result);
	if (w->hot && result->keepable && w->settings->xdp_cache)
		hot_note(w->hot, &w->scratch->query, result, false);
	if (result->len > XDP_PROBE_ROOM)
		result->len = 0;
}

/* Where it came to, for dnstap. */
static void question_local(const struct xdp_packet *p, const struct xdp_question *q, struct endpoint *out)
{
	*out = (struct endpoint){.addr.family = q->v6 ? 6 : 4, .port = get_u16(p->octets + q->headers - UDP_HEADER + 2)};
	memcpy(out->addr.bytes, p->octets + q->eth_len + (q->v6 ? 24 : 16), q->v6 ? 16 : 4);
}

/* The answer's octets, 0: none. */
static size_t answer(struct rings *r, struct one *o, struct worker *w, const struct store_snapshot *s, const struct xdp_packet *p,
                     const struct xdp_question *q)
{
	struct engine_request request = {.transport = ENGINE_UDP, .client = q->client, .port = q->port, .msg = q->message, .len = q->len,
	                                 .now_s = w->now_s};
	size_t cap = MIN((size_t)ANSWER_MAX, p->room - q->headers), link = o->is.mtu - (size_t)q->ip_len - UDP_HEADER;
	const uint8_t *destination = p->octets + q->eth_len + (q->v6 ? 24 : 16);
	struct engine_result result;

	if (q->probe) {
		answer_probe(w, s, &request, r->out, &result);
		return result.len;
	}
	board_add(&w->board->queries[0][q->v6], 1);
	board_add(&w->board->bytes_in, q->len);
	cap = o->is.mtu > (size_t)q->ip_len + UDP_HEADER ? MIN(cap, link) : 0;
	if (cap < DNS_UDP_MIN) {
		board_add(&w->board->dropped, 1);
		return 0;
	}
	if (w->tap_pace.every)
		question_local(p, q, &w->local);
	worker_answer(w, s, &request, r->out, cap, &result);
	measures_network(&w->measures, measures_network_at(&w->measures, q->v6, destination), q->v6, 1);
	board_add(&w->board->ring_answers, result.len > 0);
	return result.len;
}

void rings_serve(struct rings *r, struct worker *w, unsigned i)
{
	struct one *o = &r->one[i];

	for (int turn = 0; turn < RINGS_TURNS; turn++) {
		struct xdp_packet packets[RINGS_BATCH];
		struct store_snapshot snapshot;
		unsigned n = xdp_ring_receive(o->ring, packets, RINGS_BATCH), sent = 0;

		if (!n && turn)
			return;
		store_pin(w->store, &snapshot);
		for (unsigned k = 0; k < n; k++) {
			struct xdp_packet *p = &packets[k];
			struct xdp_question q;
			size_t len = 0;

			if (xdp_frame_open(p->octets, p->len, r->key, &q) < 0)
				board_add(&w->board->dropped, 1);
			else
				len = answer(r, o, w, &snapshot, p, &q);
			sent += len && !q.probe;
			if (len)
				xdp_ring_send(o->ring, p, xdp_frame_turn(p->octets, &q, r->out, len));
			else
				xdp_ring_drop(o->ring, p);
		}
		store_unpin(w->store);
		o->unsent = xdp_ring_flush(o->ring);
		w->now_ns = measures_latency(&w->measures, ENGINE_UDP, sent, w->now_ns);
		if (n < RINGS_BATCH)
			return;
	}
}

void rings_end(struct rings *r, struct worker *w)
{
	for (unsigned i = 0; r && i < r->count; i++) {
		hot_serving(w->hot, r->one[i].is.place, false);
		if (r->one[i].bound && w->store)
			rings_serve(r, w, i);
	}
}

void rings_free(struct rings *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->count; i++)
		xdp_ring_free(r->one[i].ring);
	free(r);
}
