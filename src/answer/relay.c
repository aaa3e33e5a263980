/* SPDX-License-Identifier: BSD-2-Clause */
/* Transfers over TLS (RFC 9103): a worker has the keys of a TLS connection, sync has the answers. A TCP connection is handed over as it stands; of a TLS connection the
 * state cannot be, so the worker stays between the two and carries octets:
 *
 *	client ==TLS== worker --plain, a socket pair-- sync
 *
 * Sync gets its end of the pair as it gets TCP connections, and is told that it is TLS, of what kind, and whether the client has shown a good certificate. It
 * serves as ever: its limits on slow clients and long transfers hold, since the pair fills up when the client takes nothing. The worker judges nothing.
 *
 * Encrypting takes the worker's CPU, beside its answers, in bounded pieces: RELAY_SLICE octets of one connection, RELAYS_NS in a turn of its loop. Nothing waits: in each
 * direction there is one buffer, filled only while it is empty.
 *
 * When sync ends, the client is told (close_notify, FIN), and what it sends after that is thrown away until it ends too, so that the last answer is not lost
 * by a reset. When the worker ends, the transfers through it end, and clients ask again. */
#include "answer/relay.h"

#include "answer/worker.h"
#include "base/clock.h"
#include "base/list.h"
#include "proc/handover.h"
#include "tls/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	RELAY_SLICE = 64 << 10,
	RELAY_READ = 16 << 10,       /* of the client's octets at a time */
	RELAY_SEND_BUFFER = 1 << 20, /* the kernel's; it takes what net.core.wmem_max allows */
	RELAY_EVENTS = 16,
	RELAYS_NS = 500000,
	SILENCE_MS = 120000, /* without an octet either way; sync's own limits are shorter */
	DRAIN_MS = 3000,     /* for the client to end after we have */
};

/* One of its two ends, as epoll knows it. */
struct relay_end {
	struct relay *relay;
	uint32_t asked; /* events */
};

struct relay {
	struct list link;
	int fd, pair; /* pair: -1 once sync has ended */
	struct relay_end client, sync;
	struct ssl_st *tls;
	uint8_t *in, *out; /* octets on their way to sync, and to the client, that did not go; NULL: none */
	uint32_t in_len, in_pos, out_len, out_pos;
	bool silent;                  /* the client has ended */
	bool drains;                  /* we have */
	bool wants_write;             /* TLS wants to write before it reads on */
	uint64_t moved_ns;
};

struct relays {
	struct worker *worker;
	struct stream_memory *memory;
	int epoll;
	unsigned count;
	struct list all;
	uint8_t buffer[RELAY_SLICE];
};

static void relay_close(struct relays *s, struct relay *r, bool polite)
{
	if (r->tls)
		tls_end(r->tls, polite);
	close(r->fd);
	if (r->pair >= 0)
		close(r->pair);
	memory_give(s->memory, r->in);
	memory_give(s->memory, r->out);
	list_remove(&r->link);
	memory_give(s->memory, r);
	s->count--;
	atomic_store_explicit(&s->worker->board->tls_relays, s->count, memory_order_relaxed);
}

static bool watch(struct relays *s, int fd, struct relay_end *end, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = end};

	if (end->asked == events)
		return true;
	end->asked = events;
	return epoll_ctl(s->epoll, EPOLL_CTL_MOD, fd, &e) == 0;
}

static bool keep(struct relays *s, uint8_t **to, uint32_t *to_len, uint32_t *to_pos, const uint8_t *bytes, size_t len)
{
	*to = memory_take(s->memory, len);
	if (!*to)
		return false;
	memcpy(*to, bytes, len);
	*to_len = (uint32_t)len;
	*to_pos = 0;
	return true;
}

/* ---- to sync ---- */

/* Octets sent, 0: none now, -1: sync has ended. */
static ssize_t to_pair(struct relay *r, const uint8_t *bytes, size_t len)
{
	ssize_t n = send(r->pair, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n >= 0 ? n : errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

/* False: broken. */
static bool flush_in(struct relays *s, struct relay *r)
{
	ssize_t n;

	if (!r->in)
		return true;
	n = to_pair(r, r->in + r->in_pos, r->in_len - r->in_pos);
	if (n < 0)
		return false;
	r->in_pos += (uint32_t)n;
	if (r->in_pos < r->in_len)
		return true;
	memory_give(s->memory, r->in);
	r->in = NULL;
	return true;
}

static bool from_client(struct relays *s, struct relay *r)
{
	while (!r->in && !r->silent) {
		enum tls_step step = TLS_DONE;
		ssize_t n = tls_read(r->tls, s->buffer, RELAY_READ, &step), sent;

		r->wants_write = n == -EAGAIN && step == TLS_WANTS_WRITE;
		if (n == -EAGAIN)
			return true;
		if (n < 0)
			return false;
		r->moved_ns = s->worker->now_ns;
		if (n == 0) {
			r->silent = true;
			shutdown(r->pair, SHUT_WR);
			return true;
		}
		sent = to_pair(r, s->buffer, (size_t)n);
		if (sent < 0 ||
		    (sent < n && !keep(s, &r->in, &r->in_len, &r->in_pos, s->buffer + sent, (size_t)(n - sent))))
			return false;
		if (!tls_holds(r->tls))
			return true; /* what the kernel has epoll tells */
	}
	return true;
}

/* ---- to the client ---- */

/* Sync has ended, and all it said is sent. */
static bool begin_drain(struct relays *s, struct relay *r)
{
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, r->pair, NULL);
	close(r->pair);
	r->pair = -1;
	tls_end(r->tls, true);
	r->tls = NULL;
	shutdown(r->fd, SHUT_WR);
	r->drains = true;
	r->moved_ns = s->worker->now_ns;
	return !r->silent && watch(s, r->fd, &r->client, EPOLLIN);
}

/* False: broken, or all is done. */
static bool to_client(struct relays *s, struct relay *r)
{
	enum tls_step step = TLS_DONE;
	size_t done = 0;
	ssize_t n, got;

	if (r->out) {
		n = tls_write(r->tls, r->out + r->out_pos, r->out_len - r->out_pos, &step);
		if (n < 0)
			return n == -EAGAIN;
		r->moved_ns = s->worker->now_ns;
		r->out_pos += (uint32_t)n;
		if (r->out_pos < r->out_len)
			return true;
		memory_give(s->memory, r->out);
		r->out = NULL;
	}
	while (done < RELAY_SLICE) {
		got = recv(r->pair, s->buffer, RELAY_SLICE, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
			return true;
		if (got < 0)
			return false;
		if (got == 0)
			return begin_drain(s, r);
		n = tls_write(r->tls, s->buffer, (size_t)got, &step);
		if (n < 0 && n != -EAGAIN)
			return false;
		n = MAX(n, 0);
		if (n < got)
			return keep(s, &r->out, &r->out_len, &r->out_pos, s->buffer + n, (size_t)(got - n));
		r->moved_ns = s->worker->now_ns;
		done += (size_t)got;
		if (got < RELAY_SLICE)
			return true;
	}
	return true;
}

/* ---- turns ---- */

/* What the client says when all is said. False: it has ended. */
static bool drain(struct relays *s, struct relay *r)
{
	ssize_t n = recv(r->fd, s->buffer, RELAY_SLICE, MSG_DONTWAIT);

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

/* What epoll says of either end. False: it is to be closed. */
static bool relay_turn(struct relays *s, struct relay *r, uint32_t of_client, uint32_t of_sync)
{
	const uint32_t readable = EPOLLIN | EPOLLHUP | EPOLLERR;
	uint32_t client, sync;

	if (r->drains)
		return drain(s, r);
	/* What stood in the way of a direction has to do with both ends. */
	if ((of_client & readable || of_sync & EPOLLOUT || r->wants_write) && (!flush_in(s, r) || !from_client(s, r)))
		return false;
	if ((of_sync & readable || of_client & EPOLLOUT) && !to_client(s, r))
		return false;
	if (r->drains)
		return true;
	client = (r->in || r->silent ? 0U : (uint32_t)EPOLLIN) | (r->out || r->wants_write ? (uint32_t)EPOLLOUT : 0U);
	sync = (r->out ? 0U : (uint32_t)EPOLLIN) | (r->in ? (uint32_t)EPOLLOUT : 0U);
	/* That the other side is gone epoll tells whatever is asked: of whom nothing is wanted now, only once. */
	return watch(s, r->fd, &r->client, client ? client : (uint32_t)EPOLLET) && watch(s, r->pair, &r->sync, sync ? sync : (uint32_t)EPOLLET);
}

void relays_turn(struct relays *s, uint64_t until_ns)
{
	struct epoll_event events[RELAY_EVENTS];
	uint64_t until = MIN(until_ns, clock_ns() + RELAYS_NS);
	int n = epoll_wait(s->epoll, events, RELAY_EVENTS, 0);

	for (int i = 0; i < n; i++) {
		const struct relay_end *end = events[i].data.ptr;
		struct relay *r = end ? end->relay : NULL;
		uint32_t said[2];

		if (!r)
			continue;
		said[end == &r->sync] = events[i].events;
		said[end != &r->sync] = 0;
		/* Its other end may be among the events, too. */
		for (int k = i + 1; k < n; k++)
			if (events[k].data.ptr == &r->client || events[k].data.ptr == &r->sync) {
				said[events[k].data.ptr == &r->sync] = events[k].events;
				events[k].data.ptr = NULL;
			}
		if (!relay_turn(s, r, said[0], said[1]))
			relay_close(s, r, false);
		if (clock_ns() > until)
			break;
	}
}

void relays_expire(struct relays *s)
{
	uint64_t now = s->worker->now_ns;

	LIST_FOREACH_SAFE(it, next, &s->all) {
		struct relay *r = LIST_ENTRY(it, struct relay, link);

		if (now - r->moved_ns > (uint64_t)(r->drains ? DRAIN_MS : SILENCE_MS) * 1000000U)
			relay_close(s, r, false);
	}
}

/* ---- life ---- */

bool relays_take(struct relays *s, int fd, struct ssl_st *tls, const struct endpoint *client, const uint8_t *octets,
                 size_t len)
{
	struct handover head = {.kind = HANDOVER_TCP, .over_tls = true, .len = (uint32_t)len};
	struct epoll_event e = {.events = EPOLLIN}, of_sync = {.events = EPOLLIN};
	struct relay *r = s->count < RELAYS_MAX ? memory_take(s->memory, sizeof(*r)) : NULL;
	int pair[2], size = RELAY_SEND_BUFFER;
	struct tls_facts facts;

	if (!r || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
		memory_give(s->memory, r);
		return false;
	}
	tls_facts(tls, &facts);
	head.tls_fit = facts.new_enough && facts.dot;
	head.tls_verified = facts.verified;
	endpoint_to_sockaddr(client, &head.peer);
	*r = (struct relay){.fd = fd,
	                    .pair = pair[0],
	                    .tls = tls,
	                    .client = {.relay = r, .asked = EPOLLIN},
	                    .sync = {.relay = r, .asked = EPOLLIN},
	                    .moved_ns = s->worker->now_ns};
	e.data.ptr = &r->client;
	of_sync.data.ptr = &r->sync;
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e) < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, pair[0], &of_sync) < 0 ||
	    !worker_hand_over(s->worker, &head, octets, pair[1])) {
		epoll_ctl(s->epoll, EPOLL_CTL_DEL, fd, NULL);
		close(pair[0]);
		close(pair[1]);
		memory_give(s->memory, r);
		return false;
	}
	close(pair[1]);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	list_add_tail(&s->all, &r->link);
	s->count++;
	atomic_store_explicit(&s->worker->board->tls_relays, s->count, memory_order_relaxed);
	board_add(&s->worker->board->tls_relayed, 1);
	/* TLS may hold octets that epoll does not tell of. */
	if (!relay_turn(s, r, EPOLLIN, 0))
		relay_close(s, r, false);
	return true;
}

struct relays *relays_new(struct worker *w, struct stream_memory *memory)
{
	struct relays *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->worker = w;
	s->memory = memory;
	list_init(&s->all);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0) {
		free(s);
		return NULL;
	}
	return s;
}

void relays_free(struct relays *s)
{
	if (!s)
		return;
	LIST_FOREACH_SAFE(it, next, &s->all)
		relay_close(s, LIST_ENTRY(it, struct relay, link), false);
	close(s->epoll);
	free(s);
}

int relays_fd(const struct relays *s)
{
	return s->epoll;
}

unsigned relays_count(const struct relays *s)
{
	return s->count;
}
