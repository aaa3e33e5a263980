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
 * Not here: TCP_DEFER_ACCEPT, which would keep silent connections in the kernel, where our limits do not see them; queries longer than
 * STREAM_QUERY_MAX; UPDATE. */
#include "answer/stream.h"

#include "answer/forward.h"
#include "answer/pass.h"
#include "answer/relay.h"
#include "answer/splice.h"
#include "answer/stream_clients.h"
#include "answer/worker.h"
#include "base/clock.h"
#include "base/list.h"
#include "proc/handover.h"
#include "tls/tls.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	STREAM_OPEN_MAX = 64,     /* questions of one connection that backends have to answer */
	STREAM_OPEN_CLIENT = 512, /* of one client */
	STREAM_LATER_MAX = 16384, /* of all: as many as a worker asks (FORWARD_UNDER_WAY_MAX) */
	STREAM_LATER_OUT = 2 * (2 + DNS_MESSAGE_MAX), /* octets of such answers that wait for a client to take them */
	STREAM_QUERY_MAX = 16384, /* octets of a query; a longer one closes the connection */
	STREAM_READ = 16384,      /* octets taken from a connection at a time */
	STREAM_FRAME_MAX = 2 + DNS_MESSAGE_MAX,
	STREAM_OUT = 2 * STREAM_FRAME_MAX, /* gathered answers: at least one more always fits below the half */
	STREAM_EVENTS = 64,
	STREAM_ACCEPTS = 64,     /* in one turn, of one listener */
	STREAM_ROOM = 8,         /* connections that go for a new one at most */
	STREAM_BUFFER_MIN = 64,
	STREAM_BUFFER_LARGE = 1024, /* a larger buffer is given back when what is in it has become small */
	STREAM_DESCRIPTORS =
		600 + 2 * RELAYS_MAX, /* of the worker, beside connections: listeners, UDP, channel, store, relays */
	STREAM_CLOCK_EVERY = 16,      /* answers between two looks at the clock */
	TURN_NS = 4000000,
	CLOSE_NS = 2000000,      /* closing those that are idle too long, in one tick of stream_expire(): a crowd goes as it came, not at once */
	SHAKE_NS = 2000000,      /* of a turn, for TLS handshakes; one is always begun */
	ACCEPT_NS = 1000000,
	NEWCOMER_NS = 500000000,
	SHAKE_OCTETS = 48 << 10, /* kept free for each TLS handshake under way */
	TRIM_OCTETS = 1 << 20,   /* memory that has become free is told to the C library when it is more than this */
};

enum waiting { WAIT_SHAKE, WAIT_FIRST, WAIT_NEXT, WAIT_KINDS };

struct conn {
	struct list link;      /* in waiting[] */
	struct list of_client; /* in the client's conns */
	struct list ready;     /* in stream.ready, or alone */
	struct stream_client *client;
	struct ssl_st *tls;    /* NULL: plain TCP */
	uint8_t *in, *out;     /* kept octets; NULL: none */
	uint64_t active_ns;    /* last whole query, or the start */
	uint32_t in_len, in_cap, out_len, out_pos;
	uint32_t events;       /* asked of epoll */
	int fd;                /* -1: closed */
	uint8_t waits;         /* enum waiting: where link is */
	bool shaking;          /* TLS handshake under way */
	bool broken;           /* TLS has failed: nothing more can be said */
	bool manages;          /* may ask sync */
	uint8_t network;       /* for measures_network() */
	bool more;             /* `in` may hold whole queries: the turn was over */
	bool ended;            /* the client has; it waits for answers */
	bool holds;            /* the next message is not for this worker, and waits until all before it are answered */
	bool doomed;           /* conn_serve() is to close it */
	uint16_t open_count;   /* questions in `opened` */
	struct list opened;    /* rows of `later` */
	struct ip_addr address;
	uint16_t port;
};

/* A question that a backend has to answer. */
struct later {
	struct list link;  /* in conn.opened, or in stream.later_free */
	struct conn *conn; /* NULL: free */
	uint32_t uses;
};

struct stream {
	struct worker *worker;
	struct stream_limits limits;
	struct stream_memory memory;
	struct stream_clients clients;
	struct slab conns;
	struct list waiting[WAIT_KINDS], ready;
	uint32_t waiting_count[WAIT_KINDS];
	uint32_t open, open_tls;
	int epoll;
	struct ssl_ctx_st *context; /* of TLS; NULL: none */
	struct relays *relays;
	uint64_t tls_base; /* OpenSSL's memory that belongs to no connection */
	uint64_t until_ns; /* the turn's end */
	uint64_t shake_until_ns;
	uint64_t peak;     /* of memory, since it was last trimmed */
	uint16_t keepalive; /* told to clients that ask, RFC 7828 */
	struct later *later; /* STREAM_LATER_MAX of them; NULL: none were wanted yet */
	struct list later_free;
	struct conn *serving; /* in conn_serve(): not to be closed by others; NULL: none */
	uint8_t in[STREAM_READ], out[STREAM_OUT], frame[STREAM_FRAME_MAX];
};

static void conn_serve(struct stream *s, struct conn *c);

/* ---- memory ---- */

static uint64_t memory_used(const struct stream *s)
{
	uint64_t tls = tls_memory();

	return s->memory.used + (tls > s->tls_base ? tls - s->tls_base : 0);
}

static bool memory_has(struct stream *s, size_t len)
{
	if (memory_used(s) + len <= s->limits.memory)
		return true;
	board_add(&s->worker->board->tcp_closed_memory, 1);
	return false;
}

/* ---- questions that wait ---- */

static void later_release(struct stream *s, struct later *l)
{
	l->conn->open_count--;
	l->conn->client->open--;
	l->conn = NULL;
	l->uses++;
	list_remove(&l->link);
	list_add_tail(s->later_free.next, &l->link); /* first: those in use stay few and close together */
}

/* A row for a question of this connection. False: there are too many. */
static bool later_take(struct stream *s, struct conn *c, uint64_t *ticket)
{
	struct later *l;

	if (!s->later) {
		s->later = calloc(STREAM_LATER_MAX, sizeof(*s->later));
		for (size_t i = 0; s->later && i < STREAM_LATER_MAX; i++)
			list_add_tail(&s->later_free, &s->later[i].link);
	}
	if (list_empty(&s->later_free) || c->client->open >= STREAM_OPEN_CLIENT)
		return false;
	l = LIST_ENTRY(s->later_free.next, struct later, link);
	list_remove(&l->link);
	list_add_tail(&c->opened, &l->link);
	l->conn = c;
	c->open_count++;
	c->client->open++;
	*ticket = (uint64_t)l->uses << 32 | (uint64_t)(l - s->later);
	return true;
}

static struct later *later_find(const struct stream *s, uint64_t ticket)
{
	uint32_t place = (uint32_t)ticket;
	struct later *l = s->later && place < STREAM_LATER_MAX ? &s->later[place] : NULL;

	return l && l->conn && l->uses == ticket >> 32 ? l : NULL;
}

/* ---- life of a connection ---- */

static void conn_close(struct stream *s, struct conn *c)
{
	struct stream_client *client = c->client;

	while (!list_empty(&c->opened))
		later_release(s, LIST_ENTRY(c->opened.next, struct later, link));
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

static bool watch(struct stream *s, struct conn *c, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = c};

	if (c->events == events)
		return true;
	if (epoll_ctl(s->epoll, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e) < 0)
		return false;
	c->events = events;
	return true;
}

static void conn_wait(struct stream *s, struct conn *c, enum waiting kind)
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

static struct conn *first_waiting(const struct stream *s, enum waiting kind)
{
	const struct list *l = &s->waiting[kind];

	return list_empty(l) ? NULL : LIST_ENTRY(l->next, struct conn, link);
}

static struct conn *older(struct conn *a, struct conn *b)
{
	return !a || (b && b->active_ns < a->active_ns) ? b : a;
}

/* The connection that is missed least. NULL: there is none. A newcomer's first query comes within a round trip or two, so one that lets us wait is
 * the first to go; so is the oldest of them when they are many, for then they are a flood. */
static struct conn *dispensable(const struct stream *s)
{
	struct conn *newcomer = older(first_waiting(s, WAIT_SHAKE), first_waiting(s, WAIT_FIRST));
	uint32_t newcomers = s->waiting_count[WAIT_SHAKE] + s->waiting_count[WAIT_FIRST];

	if (newcomer && (s->worker->now_ns - newcomer->active_ns > NEWCOMER_NS || newcomers > s->limits.connections / 4))
		return newcomer;
	return older(first_waiting(s, WAIT_NEXT), newcomer);
}

/* Make room for one more. A handshake needs its memory later than it begins. */
static void make_room(struct stream *s, bool tls)
{
	struct board_worker *b = s->worker->board;

	/* More than one only after a reload with a lower limit. */
	for (int i = 0; i < STREAM_ROOM && s->open && s->open >= s->limits.connections; i++) {
		board_add(&b->tcp_closed_limit, 1);
		conn_close(s, dispensable(s));
	}
	for (int i = 0; i < STREAM_ROOM && s->open; i++) {
		uint64_t shakes = (s->waiting_count[WAIT_SHAKE] + tls) * (uint64_t)SHAKE_OCTETS;

		if (memory_used(s) + sizeof(struct conn) + shakes <= s->limits.memory)
			break;
		board_add(&b->tcp_closed_memory, 1);
		conn_close(s, dispensable(s));
	}
}

/* False: no memory, or TLS has no certificate. */
static bool begin_tls(struct stream *s, struct conn *c)
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
	struct conn *c;

	make_room(s, tls);
	client = clients_enter(&s->clients, address->bytes, address->family == 6);
	if (client && client->count > s->limits.per_client && !list_empty(&client->conns)) {
		board_add(&s->worker->board->tcp_closed_client, 1);
		conn_close(s, LIST_ENTRY(client->conns.next, struct conn, of_client));
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
	conn_wait(s, c, tls ? WAIT_SHAKE : WAIT_FIRST);
	board_add(&s->worker->board->tcp_accepted, 1);
	atomic_store_explicit(&s->worker->board->tcp_open, s->open, memory_order_relaxed);
	if ((tls && !begin_tls(s, c)) || !watch(s, c, EPOLLIN))
		conn_close(s, c);
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
				conn_close(s, dispensable(s));
			return;
		} else if (errno != ECONNABORTED && errno != EINTR && errno != EPROTO) {
			return;
		}
		if (i % STREAM_CLOCK_EVERY == 0 && clock_ns() > until)
			return;
	}
}

/* ---- octets in and out ---- */

static ssize_t result_of(ssize_t n)
{
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n;
}

/* What TLS came to, n or an error, when it wants to be called again for reading or for writing. */
static ssize_t tls_result(struct stream *s, struct conn *c, ssize_t n, enum tls_step step)
{
	if (n == -EAGAIN && !watch(s, c, step == TLS_WANTS_WRITE ? EPOLLOUT : EPOLLIN))
		n = -ENOMEM;
	c->broken |= n < 0 && n != -EAGAIN;
	return n;
}

/* Octets read, 0 at the end, -errno; -EAGAIN: nothing there. */
static ssize_t conn_recv(struct stream *s, struct conn *c, uint8_t *buf, size_t cap)
{
	enum tls_step step = TLS_DONE;
	ssize_t n;

	if (!c->tls)
		return result_of(recv(c->fd, buf, cap, MSG_DONTWAIT));
	n = tls_read(c->tls, buf, cap, &step);
	return tls_result(s, c, n, step);
}

/* Octets sent, -errno; -EAGAIN: none now. */
static ssize_t conn_send(struct stream *s, struct conn *c, const uint8_t *bytes, size_t len)
{
	enum tls_step step = TLS_DONE;
	ssize_t n;

	if (!c->tls)
		return result_of(send(c->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL));
	n = tls_write(c->tls, bytes, len, &step);
	return tls_result(s, c, n, step);
}

/* Go on with a handshake. False: close. */
static bool conn_shake(struct stream *s, struct conn *c)
{
	struct board_worker *b = s->worker->board;

	switch (tls_shake(c->tls)) {
	case TLS_WANTS_READ:
		return watch(s, c, EPOLLIN);
	case TLS_WANTS_WRITE:
		return watch(s, c, EPOLLOUT);
	case TLS_DONE:
		c->shaking = false;
		board_add(&b->tls_handshakes, 1);
		if (tls_resumed(c->tls))
			board_add(&b->tls_resumed, 1);
		conn_wait(s, c, WAIT_FIRST);
		return watch(s, c, EPOLLIN);
	case TLS_FAILED:
		break;
	}
	c->broken = true;
	board_add(&b->tls_failed, 1);
	return false;
}

/* Behind what was kept. */
static bool conn_append(struct stream *s, struct conn *c, const uint8_t *bytes, size_t len)
{
	size_t rest = c->out_len - c->out_pos;
	uint8_t *out = rest + len <= STREAM_OUT + STREAM_LATER_OUT && memory_has(s, rest + len) ? memory_take(&s->memory, rest + len) : NULL;

	if (!out)
		return false;
	memcpy(out, c->out + c->out_pos, rest);
	memcpy(out + rest, bytes, len);
	memory_give(&s->memory, c->out);
	c->out = out;
	c->out_len = (uint32_t)(rest + len);
	c->out_pos = 0;
	return true;
}

/* Send what has been gathered; keep what does not go. False: the connection is of no more use. */
static bool conn_put(struct stream *s, struct conn *c, const uint8_t *bytes, size_t len)
{
	ssize_t n;

	if (c->out)
		return conn_append(s, c, bytes, len);
	n = conn_send(s, c, bytes, len);
	if (n < 0 && n != -EAGAIN)
		return false;
	if (n > 0) {
		bytes += n;
		len -= (size_t)n;
	}
	if (!len)
		return true;
	if (!memory_has(s, len))
		return false;
	c->out = memory_take(&s->memory, len);
	if (!c->out)
		return false;
	memcpy(c->out, bytes, len);
	c->out_len = (uint32_t)len;
	c->out_pos = 0;
	return watch(s, c, EPOLLOUT);
}

/* Go on with what was kept. */
static bool conn_flush(struct stream *s, struct conn *c)
{
	ssize_t n = conn_send(s, c, c->out + c->out_pos, c->out_len - c->out_pos);

	if (n < 0)
		return n == -EAGAIN;
	c->out_pos += (uint32_t)n;
	if (c->out_pos < c->out_len)
		return true;
	memory_give(&s->memory, c->out);
	c->out = NULL;
	return watch(s, c, EPOLLIN);
}

/* ---- queries ---- */

/* Octets of the frame that begins at p as far as they are known: 2 while the length is not there. 0: no query can be so long. */
static size_t frame_len(const uint8_t *p, size_t len)
{
	size_t n;

	if (len < 2)
		return 2;
	n = (size_t)(p[0] << 8 | p[1]);
	return n < DNS_HEADER_LEN || n > STREAM_QUERY_MAX ? 0 : 2 + n;
}

/* What is left of it is closed by the caller. */
static bool conn_relay(struct stream *s, struct conn *c, const struct endpoint *client, const uint8_t *p, size_t len)
{
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	if (!relays_take(s->relays, c->fd, c->tls, client, p, len)) {
		c->events = 0;
		return false;
	}
	c->fd = -1;
	c->tls = NULL;
	s->open_tls--;
	atomic_store_explicit(&s->worker->board->tls_open, s->open_tls, memory_order_relaxed);
	return true;
}

/* Give the connection to sync, or to watch, with len octets of it from a message for sync on. False: sync does not take it. The caller closes it all the same: this
 * copy of the descriptor, which leaves the epoll set here, since closing does not do it while sync has another. */
static bool conn_hand_over(struct stream *s, struct conn *c, const uint8_t *p, size_t len, bool status)
{
	struct handover head = {.kind = HANDOVER_TCP, .status = status, .len = (uint32_t)len};
	const struct endpoint client = {.addr = c->address, .port = c->port};

	if (c->tls)
		return conn_relay(s, c, &client, p, len);
	endpoint_to_sockaddr(&client, &head.peer);
	if (!worker_hand_over(s->worker, &head, p, c->fd))
		return false;
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	return true;
}

/* Our own end of it. */
static void conn_local(const struct conn *c, struct endpoint *out)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);

	*out = (struct endpoint){.port = 0};
	if (getsockname(c->fd, (struct sockaddr *)&at, &len) < 0)
		return;
	client_of_peer(&at, &out->addr);
	out->port = port_of_peer(&at);
}

/* Nothing more is read for the moment. */
static bool conn_full(const struct conn *c)
{
	return c->ended || c->holds || c->open_count >= STREAM_OPEN_MAX;
}

/* A question for backends: it is left open. False: it cannot be now. */
static bool conn_ask(struct stream *s, struct conn *c, const struct engine_request *request, const struct engine_result *result)
{
	struct forward_client who = {.transport = request->transport, .addr = c->address, .port = c->port, .fd = -1};
	bool taken;

	if (!later_take(s, c, &who.stream)) {
		board_add(&s->worker->board->edge.full, 1);
		return false;
	}
	conn_local(c, &who.local);
	taken = result->pass ? passes_take(s->worker->passes, &who, result, request->msg, request->len)
	                     : forward_ask(s->worker, &who, request->msg, request->len, result);
	if (!taken)
		stream_forget(s, who.stream);
	return taken;
}

/* A transfer from backends: the connection is theirs from now on, with len octets of it from that message on. False: there are too many. The caller closes what is left of it. */
static bool conn_splice(struct stream *s, struct conn *c, uint32_t pool, const uint8_t *p, size_t len)
{
	const struct endpoint client = {.addr = c->address, .port = c->port};
	struct endpoint local;

	conn_local(c, &local);
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	c->events = 0;
	if (!splices_take(s->worker->splices, c->fd, c->tls, &client, &local, pool, p, len))
		return false;
	c->fd = -1;
	if (c->tls) {
		c->tls = NULL;
		s->open_tls--;
		atomic_store_explicit(&s->worker->board->tls_open, s->open_tls, memory_order_relaxed);
	}
	return true;
}

static void count_query(struct worker *w, const struct conn *c, size_t len)
{
	bool v6 = c->address.family == 6;

	board_add(c->tls ? &w->board->tls_queries[v6] : &w->board->queries[1][v6], 1);
	board_add(&w->board->bytes_in, len);
	measures_network(&w->measures, c->network, v6, 1);
}

/* Answer whole queries of p until they, the turn, or the client's patience with reading end. *used octets are done with. */
static bool answer_all(struct stream *s, struct conn *c, const uint8_t *p, size_t len, size_t *used)
{
	struct worker *w = s->worker;
	struct store_snapshot snapshot;
	size_t pos = 0, out = 0, answered = 0, frame;
	bool good = true, v6 = c->address.family == 6, spliced, waits;
	uint64_t began = len >= 2 ? clock_ns() : 0;

	c->more = false;
	if (w->tap_pace.every)
		conn_local(c, &w->local);
	store_pin(w->store, &snapshot);
	while (len - pos >= 2 && !c->out && !conn_full(c)) {
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
			good = conn_put(s, c, s->out, out);
			out = 0;
			if (!good || c->out)
				break;
		}
		if (result.for_sync) {
			if (conn_hand_over(s, c, p + pos, len - pos, result.for_watch)) {
				board_add(c->fd < 0 ? &w->board->tls_queries[v6] : &w->board->queries[1][v6], 1);
				board_add(&w->board->bytes_in, frame - 2);
				good = false;
				break;
			}
			if (!watch(s, c, EPOLLIN)) {
				good = false;
				break;
			}
			request.sync = ENGINE_SYNC_BUSY;
			worker_answer(w, &snapshot, &request, s->out + 2, DNS_MESSAGE_MAX, &result);
		}
		if (spliced) {
			count_query(w, c, frame - 2);
			if (conn_splice(s, c, result.backends, p + pos, len - pos) || !watch(s, c, EPOLLIN)) {
				good = false;
				break;
			}
		}
		waits = result.for_backends && !spliced && conn_ask(s, c, &request, &result);
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
			good = conn_put(s, c, s->out, out);
			out = 0;
			if (!good)
				break;
		}
	}
	store_unpin(w->store);
	if (out && !conn_put(s, c, s->out, out))
		good = false;
	forward_flush(w);
	if (answered) {
		(void)measures_latency(&w->measures, c->tls ? ENGINE_TLS : ENGINE_TCP, answered, began);
		conn_wait(s, c, WAIT_NEXT);
	}
	*used = pos;
	return good;
}

/* Keep len octets at p, with room for the rest of a query but never for more than what is there doubled: a length of 16,384 alone costs
 * nothing. p may lie in c->in. */
static bool conn_keep(struct stream *s, struct conn *c, const uint8_t *p, size_t len)
{
	size_t frame = frame_len(p, len), cap = MAX(2 * len, (size_t)STREAM_BUFFER_MIN);
	uint8_t *in;

	cap = MAX(len, MIN(cap, MAX(frame, (size_t)STREAM_BUFFER_MIN)));
	if (!memory_has(s, cap))
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
static bool serve_kept(struct stream *s, struct conn *c)
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
static bool serve_read(struct stream *s, struct conn *c, bool *again)
{
	uint8_t *buf = c->in ? c->in + c->in_len : s->in;
	size_t cap = c->in ? c->in_cap - c->in_len : sizeof(s->in), used;
	ssize_t n = conn_recv(s, c, buf, cap);

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

static void conn_serve(struct stream *s, struct conn *c)
{
	bool good = true, again = true;

	list_remove(&c->ready);
	c->more = false;
	if (c->shaking) {
		if (clock_ns() > s->shake_until_ns)
			return; /* epoll tells of it again */
		if (!conn_shake(s, c)) {
			conn_close(s, c);
			return;
		}
		if (c->shaking)
			return;
	}
	s->serving = c;
	if (c->out)
		good = conn_flush(s, c);
	/* What was kept while the client took no answers, or the turn was over. */
	if (good && !c->out && c->in)
		good = serve_kept(s, c);
	while (good && again && !c->out && !c->more && !conn_full(c)) {
		good = serve_read(s, c, &again);
		if (again && clock_ns() > s->until_ns) {
			c->more = true;
			break;
		}
	}
	s->serving = NULL;
	/* That the other side is gone epoll tells whatever is asked, but only once. */
	if (good && !c->out && conn_full(c))
		good = (!c->ended || c->open_count) && watch(s, c, EPOLLET);
	if (!good || c->doomed)
		conn_close(s, c);
	else if (c->more && !c->out) /* for TLS also: while answers were kept, nothing was read */
		list_add_tail(&s->ready, &c->ready);
}

void stream_forget(struct stream *s, uint64_t ticket)
{
	struct later *l = later_find(s, ticket);
	struct conn *c = l ? l->conn : NULL;

	if (!c)
		return;
	later_release(s, l);
	if (!c->open_count)
		c->holds = false;
	if (c->out)
		return; /* goes on when the client has taken it */
	if (c->ended && !c->open_count && c != s->serving) {
		conn_close(s, c);
	} else if (c->events == (uint32_t)EPOLLET && !conn_full(c)) {
		if (!watch(s, c, EPOLLIN))
			c->doomed = true;
		c->more = true; /* of what was kept, or TLS holds */
		if (list_empty(&c->ready))
			list_add_tail(&s->ready, &c->ready);
	}
}

bool stream_answer_later(struct stream *s, uint64_t ticket, const uint8_t *msg, size_t len)
{
	struct later *l = later_find(s, ticket);
	struct conn *c = l ? l->conn : NULL;

	if (!c || c->doomed)
		return false;
	put_u16(s->frame, (uint16_t)len);
	memcpy(s->frame + 2, msg, len);
	if (!conn_put(s, c, s->frame, 2 + len)) {
		if (c == s->serving)
			c->doomed = true;
		else
			conn_close(s, c);
		return false;
	}
	conn_wait(s, c, WAIT_NEXT);
	stream_forget(s, ticket);
	return true;
}

bool stream_busy(const struct stream *s)
{
	return !list_empty(&s->ready);
}

bool stream_turn(struct stream *s)
{
	struct epoll_event events[STREAM_EVENTS];
	uint64_t began = clock_ns();
	int n;

	s->keepalive = stream_keepalive(&s->limits, s->open, memory_used(s));
	/* Half the time for those that have waited, so that others get theirs. */
	s->until_ns = began + TURN_NS / 2;
	s->shake_until_ns = began + SHAKE_NS;
	while (!list_empty(&s->ready) && clock_ns() < s->until_ns)
		conn_serve(s, LIST_ENTRY(s->ready.next, struct conn, ready));
	s->until_ns = began + TURN_NS;
	n = epoll_wait(s->epoll, events, STREAM_EVENTS, 0);
	for (int i = 0; i < n && clock_ns() < s->until_ns; i++) {
		struct conn *c = events[i].data.ptr;

		if (!c)
			relays_turn(s->relays, s->until_ns);
		else if (c->fd >= 0 && list_empty(&c->ready))
			conn_serve(s, c);
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
	used = memory_used(s);
	idle_ms = stream_idle_ms(&s->limits, s->open, used);

	for (int kind = 0; kind < WAIT_KINDS; kind++) {
		uint64_t limit_ns = (kind == WAIT_SHAKE ? stream_shake_ms(idle_ms) : idle_ms) * 1000000ULL;
		struct conn *c;

		while ((c = first_waiting(s, (enum waiting)kind)) && now - c->active_ns >= limit_ns && clock_ns() < until) {
			/* It is we who are waited for; for how long is bounded there (backends[].patience). */
			if (c->open_count && !c->out) {
				conn_wait(s, c, (enum waiting)kind);
				continue;
			}
			board_add(c->shaking ? &b->tls_timeouts : c->in || c->out ? &b->tcp_closed_slow : &b->tcp_closed_idle, 1);
			conn_close(s, c);
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
	slab_init(&s->conns, &s->memory, sizeof(struct conn));
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
			conn_close(s, LIST_ENTRY(it, struct conn, link));
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
