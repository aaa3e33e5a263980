/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections of one answer worker: TCP as RFC 7766 and RFC 9210 want it.
 *
 *	accept -> [whole queries] -> answers, gathered into one write -> idle ... -> closed
 *
 * Queries are framed by two octets of length and answered as they come, in their order: an answer from our zones is made at once, so there is nothing
 * that a later one could overtake. Answers of backends come when they come (forward.h), in any order (RFC 7766 6.2.1.1): each question that is left open has a row in `later`, whose place and
 * use are its ticket, so that an answer never reaches another connection. While a connection has STREAM_OPEN_MAX of them nothing more is read from it; it is not idle while it has any, and a client
 * that has ended its side gets its answers first. All whole queries of one read are answered into one buffer and leave by one write, each length beside
 * its message, so that a segment holds as much as there is.
 *
 * Memory: a connection that waits is a cell of some 180 octets, and its share of the client's. Reading goes into a buffer all connections share; only
 * what cannot be dealt with at once (half a query, an answer the client does not take) is kept, in buffers of that size. Cells, buffers
 * and OpenSSL's memory count, and the count is held below the configured figure. While a connection has an answer not taken, nothing is read from it.
 *
 * Time: a connection is closed when its last whole query (or its beginning) is too long ago. A client that sends or takes octet by octet is
 * idle in this sense. Three lists ordered by that time (handshake under way, no query yet, answered before) have the next to go at
 * their heads. The time allowed shrinks as slots or memory fill up (stream_limits.c) and is told to clients that ask (RFC 7828). When all slots
 * are taken the longest idle makes room, and one that never asked anything sooner than one that did: a flood of silent connections pushes
 * out itself. A client with too many connections loses one of its own.
 *
 * Fairness: connections have an epoll set of their own, which is one descriptor in the worker's. Each turn of the worker's loop serves
 * them for TURN_NS at most, then UDP has its turn; TLS handshakes, which cost most, have a part of that. What was not served is reported again by
 * epoll, which rotates; a connection with whole queries still in its buffer waits in the list `ready`.
 *
 * A transfer, a NOTIFY, and what is signed are sync's to answer: with the first such message the connection is handed over as it stands, with all that was
 * read and not used, and is none of ours any more. Answers to what came before are sent first. Of a TLS connection this worker has the keys: relay.c carries what sync
 * and the client say.
 *
 * Files: stream_conns.c (who is connected, who has to go), stream_octets.c (in and out, TCP and TLS), stream_queries.c (whole queries and their answers), stream_later.c (answers
 * that come later), stream_leave.c (connections that others carry on), stream_clients.c (who has how many), stream_limits.c, stream_memory.c. Here: turns, idleness, the whole.
 *
 * Not here: TCP_DEFER_ACCEPT, which would keep silent connections in the kernel, where our limits do not see them; queries longer than
 * STREAM_QUERY_MAX; UPDATE. */
#include "answer/stream_priv.h"

#include "answer/relay.h"
#include "answer/worker.h"
#include "base/clock.h"
#include "tls/tls.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	STREAM_EVENTS = 64,
	STREAM_DESCRIPTORS =
		600 + 2 * RELAYS_MAX, /* of the worker, beside connections: listeners, UDP, channel, store, relays */
	TURN_NS = 4000000,
	CLOSE_NS = 2000000,      /* closing those that are idle too long, in one tick of stream_expire(): a crowd goes as it came, not at once */
	SHAKE_NS = 2000000,      /* of a turn, for TLS handshakes; one is always begun */
	TRIM_OCTETS = 1 << 20,   /* memory that has become free is told to the C library when it is more than this */
};

/* ---- turns ---- */

bool stream_busy(const struct stream *s)
{
	return !list_empty(&s->ready);
}

bool stream_turn(struct stream *s)
{
	struct epoll_event events[STREAM_EVENTS];
	uint64_t began = clock_ns();
	int n;

	s->keepalive = stream_keepalive(&s->limits, s->open, stream_memory_used(s));
	/* Half the time for those that have waited, so that others get theirs. */
	s->until_ns = began + TURN_NS / 2;
	s->shake_until_ns = began + SHAKE_NS;
	while (!list_empty(&s->ready) && clock_ns() < s->until_ns)
		stream_conn_serve(s, LIST_ENTRY(s->ready.next, struct stream_conn, ready));
	s->until_ns = began + TURN_NS;
	n = epoll_wait(s->epoll, events, STREAM_EVENTS, 0);
	for (int i = 0; i < n && clock_ns() < s->until_ns; i++) {
		struct stream_conn *c = events[i].data.ptr;

		if (!c)
			relays_turn(s->relays, s->until_ns);
		else if (c->fd >= 0 && list_empty(&c->ready))
			stream_conn_serve(s, c);
	}
	return !list_empty(&s->ready);
}

void stream_expire(struct stream *s)
{
	struct board_worker *b = s->worker->board;
	uint64_t used, now = s->worker->now_ns;
	uint64_t until = clock_ns() + CLOSE_NS;
	uint32_t idle_ms;

	relays_expire(s->relays);
	if (!s->open_tls && !relays_count(s->relays))
		s->tls_base = tls_memory();
	used = stream_memory_used(s);
	idle_ms = stream_idle_ms(&s->limits, s->open, used);

	for (int kind = 0; kind < WAIT_KINDS; kind++) {
		uint64_t limit_ns = (kind == WAIT_SHAKE ? stream_shake_ms(idle_ms) : idle_ms) * 1000000ULL;
		struct stream_conn *c;

		while ((c = stream_first_waiting(s, (enum waiting)kind)) && now - c->active_ns >= limit_ns && clock_ns() < until) {
			/* It is we who are waited for; for how long is bounded there (backends[].patience). */
			if (c->open_count && !c->out) {
				stream_conn_wait(s, c, (enum waiting)kind);
				continue;
			}
			board_add(c->shaking ? &b->tls_timeouts : c->in || c->out ? &b->tcp_closed_slow : &b->tcp_closed_idle, 1);
			stream_conn_close(s, c);
		}
	}
	slab_trim(&s->conns);
	slab_trim(&s->clients.slab);
	if (used > s->peak)
		s->peak = used;
	if (s->peak > used + TRIM_OCTETS && used < s->peak / 2) {
		malloc_trim(0);
		s->peak = used;
	}
	atomic_store_explicit(&b->tcp_memory, used, memory_order_relaxed);
	atomic_store_explicit(&b->tcp_idle_ms, idle_ms, memory_order_relaxed);
}

/* ---- life of the whole ---- */

void stream_tls(struct stream *s, struct ssl_ctx_st *context)
{
	tls_context_free(s->context);
	s->context = context;
	if (!s->open_tls && !relays_count(s->relays))
		s->tls_base = tls_memory();
}

void stream_limit(struct stream *s, const struct stream_limits *limits)
{
	struct rlimit files;

	s->limits = *limits;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY) {
		rlim_t room = files.rlim_cur > STREAM_DESCRIPTORS + 1 ? files.rlim_cur - STREAM_DESCRIPTORS : 1;

		if (s->limits.connections > room)
			s->limits.connections = (uint32_t)room;
	}
}

/* Relays are an event of the set like connections, with no pointer. */
static bool make_relays(struct stream *s)
{
	struct epoll_event e = {.events = EPOLLIN};

	s->relays = relays_new(s->worker, &s->memory);
	return s->relays && epoll_ctl(s->epoll, EPOLL_CTL_ADD, relays_fd(s->relays), &e) == 0;
}

struct stream *stream_new(struct worker *w, const struct stream_limits *limits)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->worker = w;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int kind = 0; kind < WAIT_KINDS; kind++)
		list_init(&s->waiting[kind]);
	list_init(&s->ready);
	list_init(&s->later_free);
	slab_init(&s->conns, &s->memory, sizeof(struct stream_conn));
	if (s->epoll < 0 || !make_relays(s) || clients_init(&s->clients, &s->memory) < 0) {
		relays_free(s->relays);
		if (s->epoll >= 0)
			close(s->epoll);
		free(s);
		return NULL;
	}
	stream_limit(s, limits);
	return s;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	for (int kind = 0; kind < WAIT_KINDS; kind++)
		LIST_FOREACH_SAFE(it, next, &s->waiting[kind])
			stream_conn_close(s, LIST_ENTRY(it, struct stream_conn, link));
	relays_free(s->relays);
	tls_context_free(s->context);
	slab_done(&s->conns);
	clients_done(&s->clients);
	free(s->later);
	close(s->epoll);
	free(s);
}

uint16_t stream_keepalive_now(const struct stream *s)
{
	return s->keepalive;
}

int stream_fd(const struct stream *s)
{
	return s->epoll;
}
