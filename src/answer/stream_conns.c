/* SPDX-License-Identifier: BSD-2-Clause */
/* Which connections a worker has: they are taken from listeners, wait their turn to be closed for idleness, and make room for others. */
#include "answer/stream_priv.h"

#include "answer/worker.h"
#include "base/clock.h"
#include "tls/tls.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	STREAM_ACCEPTS = 64,     /* in one turn, of one listener */
	STREAM_ROOM = 8,         /* connections that go for a new one at most */
	ACCEPT_NS = 1000000,
	NEWCOMER_NS = 500000000,
	SHAKE_OCTETS = 48 << 10, /* kept free for each TLS handshake under way */
};

/* ---- memory ---- */

uint64_t stream_memory_used(const struct stream *s)
{
	uint64_t tls = tls_memory();

	return s->memory.used + (tls > s->tls_base ? tls - s->tls_base : 0);
}

bool stream_memory_has(struct stream *s, size_t len)
{
	if (stream_memory_used(s) + len <= s->limits.memory)
		return true;
	board_add(&s->worker->board->tcp_closed_memory, 1);
	return false;
}

/* ---- life of a connection ---- */

void stream_conn_close(struct stream *s, struct stream_conn *c)
{
	struct stream_client *client = c->client;

	while (!list_empty(&c->opened))
		stream_later_release(s, LIST_ENTRY(c->opened.next, struct stream_later, link));
	if (c->tls) {
		tls_end(c->tls, !c->shaking && !c->broken && !c->out);
		c->tls = NULL;
		s->open_tls--;
		atomic_store_explicit(&s->worker->board->tls_open, s->open_tls, memory_order_relaxed);
	}
	if (c->fd >= 0)
		close(c->fd); /* leaves the epoll set with it */
	c->fd = -1;
	memory_give(&s->memory, c->in);
	memory_give(&s->memory, c->out);
	c->in = c->out = NULL;
	list_remove(&c->link);
	s->waiting_count[c->waits]--;
	list_remove(&c->ready);
	list_remove(&c->of_client);
	clients_leave(&s->clients, client);
	slab_give(&s->conns, c);
	s->open--;
	atomic_store_explicit(&s->worker->board->tcp_open, s->open, memory_order_relaxed);
}

bool stream_conn_watch(struct stream *s, struct stream_conn *c, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = c};

	if (c->events == events)
		return true;
	if (epoll_ctl(s->epoll, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e) < 0)
		return false;
	c->events = events;
	return true;
}

void stream_conn_wait(struct stream *s, struct stream_conn *c, enum waiting kind)
{
	c->active_ns = s->worker->now_ns;
	if (!list_empty(&c->link))
		s->waiting_count[c->waits]--;
	list_remove(&c->link);
	list_add_tail(&s->waiting[kind], &c->link);
	s->waiting_count[kind]++;
	c->waits = (uint8_t)kind;
	list_remove(&c->of_client);
	list_add_tail(&c->client->conns, &c->of_client);
}

struct stream_conn *stream_first_waiting(const struct stream *s, enum waiting kind)
{
	const struct list *l = &s->waiting[kind];

	return list_empty(l) ? NULL : LIST_ENTRY(l->next, struct stream_conn, link);
}

/* ---- making room ---- */

static struct stream_conn *older(struct stream_conn *a, struct stream_conn *b)
{
	return !a || (b && b->active_ns < a->active_ns) ? b : a;
}

/* The connection that is missed least. NULL: there is none. A newcomer's first query comes within a round trip or two, so one that lets us wait is
 * the first to go; so is the oldest of them when they are many, for then they are a flood. */
static struct stream_conn *dispensable(const struct stream *s)
{
	struct stream_conn *newcomer = older(stream_first_waiting(s, WAIT_SHAKE), stream_first_waiting(s, WAIT_FIRST));
	uint32_t newcomers = s->waiting_count[WAIT_SHAKE] + s->waiting_count[WAIT_FIRST];

	if (newcomer && (s->worker->now_ns - newcomer->active_ns > NEWCOMER_NS || newcomers > s->limits.connections / 4))
		return newcomer;
	return older(stream_first_waiting(s, WAIT_NEXT), newcomer);
}

/* Make room for one more. A handshake needs its memory later than it begins. */
static void make_room(struct stream *s, bool tls)
{
	struct board_worker *b = s->worker->board;

	/* More than one only after a reload with a lower limit. */
	for (int i = 0; i < STREAM_ROOM && s->open && s->open >= s->limits.connections; i++) {
		board_add(&b->tcp_closed_limit, 1);
		stream_conn_close(s, dispensable(s));
	}
	for (int i = 0; i < STREAM_ROOM && s->open; i++) {
		uint64_t shakes = (s->waiting_count[WAIT_SHAKE] + tls) * (uint64_t)SHAKE_OCTETS;

		if (stream_memory_used(s) + sizeof(struct stream_conn) + shakes <= s->limits.memory)
			break;
		board_add(&b->tcp_closed_memory, 1);
		stream_conn_close(s, dispensable(s));
	}
}

/* ---- newcomers ---- */

/* False: no memory, or TLS has no certificate. */
static bool begin_tls(struct stream *s, struct stream_conn *c)
{
	c->tls = s->context ? tls_begin(s->context, c->fd) : NULL;
	if (!c->tls)
		return false;
	if (c->manages)
		tls_ask_certificate(c->tls);
	c->shaking = true;
	s->open_tls++;
	board_add(&s->worker->board->tls_accepted, 1);
	atomic_store_explicit(&s->worker->board->tls_open, s->open_tls, memory_order_relaxed);
	return true;
}

static void adopt(struct stream *s, int fd, const struct ip_addr *address, uint16_t port, bool tls, bool manages, unsigned network)
{
	struct stream_client *client;
	struct stream_conn *c;

	make_room(s, tls);
	client = clients_enter(&s->clients, address->bytes, address->family == 6);
	if (client && client->count > s->limits.per_client && !list_empty(&client->conns)) {
		board_add(&s->worker->board->tcp_closed_client, 1);
		stream_conn_close(s, LIST_ENTRY(client->conns.next, struct stream_conn, of_client));
	}
	c = client ? slab_take(&s->conns) : NULL;
	if (!c) {
		if (client)
			clients_leave(&s->clients, client);
		board_add(&s->worker->board->tcp_closed_memory, 1);
		close(fd);
		return;
	}
	c->fd = fd;
	c->client = client;
	c->address = *address;
	c->port = port;
	c->manages = manages;
	c->network = (uint8_t)network;
	list_init(&c->link);
	list_init(&c->of_client);
	list_init(&c->ready);
	list_init(&c->opened);
	s->open++;
	stream_conn_wait(s, c, tls ? WAIT_SHAKE : WAIT_FIRST);
	board_add(&s->worker->board->tcp_accepted, 1);
	atomic_store_explicit(&s->worker->board->tcp_open, s->open, memory_order_relaxed);
	if ((tls && !begin_tls(s, c)) || !stream_conn_watch(s, c, EPOLLIN))
		stream_conn_close(s, c);
}

void stream_accept(struct stream *s, int listener, bool tls, bool manages, unsigned network)
{
	uint64_t until = clock_ns() + ACCEPT_NS;

	for (int i = 0; i < STREAM_ACCEPTS; i++) {
		struct sockaddr_storage from;
		struct ip_addr address;
		socklen_t len = sizeof(from);
		int fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			client_of_peer(&from, &address);
			adopt(s, fd, &address, port_of_peer(&from), tls, manages, network);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			/* The descriptors are fewer than the limit says: someone must go, or the listener stays readable for ever. */
			board_add(&s->worker->board->tcp_closed_limit, 1);
			if (s->open)
				stream_conn_close(s, dispensable(s));
			return;
		} else if (errno != ECONNABORTED && errno != EINTR && errno != EPROTO) {
			return;
		}
		if (i % STREAM_CLOCK_EVERY == 0 && clock_ns() > until)
			return;
	}
}
