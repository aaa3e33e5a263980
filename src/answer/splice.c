/* SPDX-License-Identifier: BSD-2-Clause */
/* Transfers through this node (backends[].pass: transfer). With the first AXFR or IXFR for a zone of backends a client's connection is tied to a connection to one of them, and from then on octets are carried both ways as
 * they are, until either side ends:
 *
 *	client ==TCP or TLS== worker ==TCP or TLS== backend
 *
 * So TSIG, compression, and messages without end are none of our business. Whatever else the client asks on this connection goes to that backend as well; and the backend sees our address for all of
 * them (unless it is told the client's by PROXY): who may transfer is to be decided by keys.
 *
 * In each direction there is one buffer, which is read into only while it is empty: who takes nothing stops who sends. Encrypting takes the worker's CPU, in bounded pieces: SPLICE_READS buffers of
 * one connection, SPLICES_NS in a turn of its loop. A server that cannot be reached is no reason to fail while nothing of it has come: the next one of the pool is tried, with the octets that were read so
 * far. When there is none, the client's message is answered SERVFAIL.
 *
 * When one side ends, what it said is delivered, then the other is told: the server by the end of our half (TCP), the client by the end of all. Limits: SPLICES_MAX, SPLICE_CLIENT_MAX of one
 * client, SPLICE_SILENCE_MS without an octet. */
#include "answer/splice.h"

#include "answer/pass.h"
#include "answer/upstream.h"
#include "answer/worker.h"
#include "base/clock.h"
#include "base/list.h"
#include "config/config.h"
#include "edge/proxy_header.h"
#include "tls/client.h"
#include "tls/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SPLICE_EVENTS = 16, SPLICE_READS = 4, SPLICES_NS = 500000, ENDING_MS = 3000, MS = 1000000 };

struct side {
	int fd; /* -1: none yet */
	struct ssl_st *tls;
	uint32_t events;
	bool ended;       /* it says nothing any more */
	bool told;        /* it was told that nothing more comes */
	bool wants_write; /* TLS wants to, before it reads on */
	uint32_t pos, len; /* of what is on its way to it */
	uint8_t out[SPLICE_BUFFER];
};

enum splice_state { SPLICE_CONNECTING, SPLICE_SHAKING, SPLICE_OPEN, SPLICE_DEAD };

struct splice {
	struct list link; /* in all, or in dead */
	struct side client, server;
	enum splice_state state;
	struct endpoint from, to; /* the client, and our end */
	uint32_t pool;
	unsigned row; /* of the server */
	bool last;    /* the configuration it was begun with has gone */
	uint64_t tried[4], begun_ns, moved_ns;
};

struct splices {
	struct worker *worker;
	const struct config *config;
	const struct upstream *upstream;
	int epoll;
	unsigned count;
	struct list all, dead;
};

/* ---- sides ---- */

static bool watch(struct splices *s, struct splice *x, struct side *side, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = x};

	if (side->events == events)
		return true;
	if (epoll_ctl(s->epoll, side->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, side->fd, &e) < 0)
		return false;
	side->events = events;
	return true;
}

static void side_close(struct side *side, bool polite)
{
	if (side->tls)
		tls_end(side->tls, polite);
	if (side->fd >= 0)
		close(side->fd);
	side->tls = NULL;
	side->fd = -1;
	side->events = 0;
}

/* As read(2), but for -EAGAIN. */
static ssize_t side_read(struct side *side, uint8_t *buf, size_t cap)
{
	enum tls_step step = TLS_DONE;
	ssize_t n;

	if (!side->tls) {
		n = recv(side->fd, buf, cap, MSG_DONTWAIT);
		return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
	}
	n = tls_read(side->tls, buf, cap, &step);
	side->wants_write = n == -EAGAIN && step == TLS_WANTS_WRITE;
	return n;
}

static ssize_t side_write(struct side *side, const uint8_t *bytes, size_t len)
{
	enum tls_step step = TLS_DONE;
	ssize_t n;

	if (side->tls)
		return tls_write(side->tls, bytes, len, &step);
	n = send(side->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
}

/* ---- carrying ---- */

/* From one side to the other. *more: there may be more at once. False: broken. */
static bool carry(struct splices *s, struct splice *x, struct side *from, struct side *to, bool *more)
{
	ssize_t n;

	*more = false;
	if (!to->len && !from->ended) {
		n = side_read(from, to->out, sizeof(to->out));
		if (n < 0 && n != -EAGAIN)
			return false;
		from->ended = n == 0;
		if (n > 0) {
			to->pos = 0;
			to->len = (uint32_t)n;
			x->moved_ns = s->worker->now_ns;
			*more = true;
		}
	}
	if (!to->len)
		return true;
	n = side_write(to, to->out + to->pos, to->len);
	if (n < 0) {
		*more = false;
		return n == -EAGAIN;
	}
	x->moved_ns = s->worker->now_ns;
	to->pos += (uint32_t)n;
	to->len -= (uint32_t)n;
	*more &= !to->len;
	return true;
}

static uint32_t wishes(const struct side *side, const struct side *other)
{
	uint32_t events = (side->ended || other->len ? 0U : (uint32_t)EPOLLIN) | (side->len || side->wants_write ? (uint32_t)EPOLLOUT : 0U);

	return events ? events : (uint32_t)EPOLLET; /* that it is gone epoll tells whatever is asked, but only once */
}

/* False: it is over. */
static bool go_on(struct splices *s, struct splice *x)
{
	bool up = true, down = true;

	for (int i = 0; i < SPLICE_READS && (up || down); i++)
		if (!carry(s, x, &x->client, &x->server, &up) || !carry(s, x, &x->server, &x->client, &down))
			return false;
	if (x->server.ended && !x->client.len)
		return false;
	if (x->client.ended && !x->server.len && !x->server.told) {
		x->server.told = true;
		if (!x->server.tls)
			shutdown(x->server.fd, SHUT_WR);
	}
	return watch(s, x, &x->client, wishes(&x->client, &x->server)) && watch(s, x, &x->server, wishes(&x->server, &x->client));
}

/* ---- life of one ---- */

static void bury(struct splices *s, struct splice *x)
{
	bool polite = x->state == SPLICE_OPEN && x->server.ended && !x->client.len;

	side_close(&x->server, false);
	if (polite && !x->client.tls)
		shutdown(x->client.fd, SHUT_WR);
	side_close(&x->client, polite);
	x->state = SPLICE_DEAD;
	list_remove(&x->link);
	list_add_tail(&s->dead, &x->link);
	s->count--;
}

static void clean(struct splices *s)
{
	LIST_FOREACH_SAFE(it, next, &s->dead) {
		list_remove(it);
		free(LIST_ENTRY(it, struct splice, link));
	}
}

/* To the next server. False: there is none. */
static bool try_next(struct splices *s, struct splice *x)
{
	side_close(&x->server, false);
	while (!x->last) {
		int row = pass_next_server(s->config, &s->worker->whole->watch.backends, x->pool, 0, x->tried);
		const struct upstream_server *at = row < 0 ? NULL : upstream_server(s->upstream, (unsigned)row);

		if (row < 0)
			return false;
		if (!at || (at->over_tls && !at->tls) || upstream_connect(at, SOCK_STREAM, &x->server.fd) < 0)
			continue;
		x->row = (unsigned)row;
		x->state = SPLICE_CONNECTING;
		x->begun_ns = s->worker->now_ns;
		if (watch(s, x, &x->server, EPOLLOUT))
			return true;
		side_close(&x->server, false);
	}
	return false;
}

/* There is no server. The first message of the client's is still where it was put. */
static void give_up(struct splices *s, struct splice *x)
{
	uint8_t answer[2 + DNS_HEADER_LEN + NAME_LEN_MAX + 4];
	size_t len = pass_error(x->server.out + x->server.pos + 2, get_u16(x->server.out + x->server.pos), RCODE_SERVFAIL, false, answer + 2, sizeof(answer) - 2);

	put_u16(answer, (uint16_t)len);
	(void)side_write(&x->client, answer, 2 + len); /* whoever does not take it sees the end of the connection */
	board_add(&s->worker->board->edge.failed, 1);
	x->state = SPLICE_OPEN;
	x->server.ended = true;
	bury(s, x);
}

static void fail(struct splices *s, struct splice *x)
{
	if (x->state != SPLICE_OPEN && !x->client.ended && try_next(s, x))
		return;
	if (x->state != SPLICE_OPEN)
		give_up(s, x);
	else
		bury(s, x);
}

static void shake(struct splices *s, struct splice *x)
{
	const struct upstream_server *at = upstream_server(s->upstream, x->row);
	char why[TLS_WHY_MAX];
	bool good = false;

	switch (tls_shake(x->server.tls)) {
	case TLS_WANTS_READ:
		good = watch(s, x, &x->server, EPOLLIN);
		break;
	case TLS_WANTS_WRITE:
		good = watch(s, x, &x->server, EPOLLOUT);
		break;
	case TLS_DONE:
		good = !x->last && at && at->tls && tls_client_judge(at->tls, x->server.tls, why) == 0;
		if (!good)
			break;
		x->state = SPLICE_OPEN;
		good = go_on(s, x);
		break;
	case TLS_FAILED:
		break;
	}
	if (!good)
		fail(s, x);
}

static void connected(struct splices *s, struct splice *x)
{
	const struct upstream_server *at = upstream_server(s->upstream, x->row);
	uint8_t proxy[PROXY_HEADER_MAX];
	socklen_t len = sizeof(int);
	size_t head = 0;
	int err = 0;

	if (x->last || !at || getsockopt(x->server.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err) {
		fail(s, x);
		return;
	}
	if (s->config->backends[x->pool].proxy_protocol)
		head = proxy_header_put(proxy, &x->from, &x->to, true);
	if (head && send(x->server.fd, proxy, head, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)head) {
		fail(s, x);
		return;
	}
	if (at->over_tls) {
		x->server.tls = tls_client_begin(at->tls, x->server.fd, &at->at.addr, NULL);
		x->state = SPLICE_SHAKING;
		if (x->server.tls)
			shake(s, x);
		else
			fail(s, x);
		return;
	}
	x->state = SPLICE_OPEN;
	if (!go_on(s, x))
		bury(s, x);
}

bool splices_take(struct splices *s, int fd, struct ssl_st *tls, const struct endpoint *client, const struct endpoint *local, uint32_t pool, const uint8_t *octets, size_t len)
{
	unsigned of_client = 0;
	struct splice *x;

	if (!s->config || pool >= s->config->backend_count || s->count >= SPLICES_MAX || len > SPLICE_BUFFER || len < 2U + DNS_HEADER_LEN)
		return false;
	LIST_FOREACH(it, &s->all)
		of_client += addr_equal(&LIST_ENTRY(it, struct splice, link)->from.addr, &client->addr);
	x = of_client < SPLICE_CLIENT_MAX ? calloc(1, sizeof(*x)) : NULL;
	if (!x)
		return false;
	x->client.fd = fd;
	x->server.fd = -1;
	x->from = *client;
	x->to = *local;
	x->pool = pool;
	x->moved_ns = s->worker->now_ns;
	memcpy(x->server.out, octets, len);
	x->server.len = (uint32_t)len;
	list_init(&x->link);
	/* Nothing of the client's is read before the server is there; that it has gone is seen then. */
	if (!watch(s, x, &x->client, EPOLLET)) {
		free(x);
		return false;
	}
	x->client.tls = tls;
	list_add_tail(&s->all, &x->link);
	s->count++;
	board_add(&s->worker->board->edge.passed, 1);
	if (!try_next(s, x))
		give_up(s, x);
	return true;
}

/* ---- turns ---- */

void splices_turn(struct splices *s)
{
	struct epoll_event events[SPLICE_EVENTS];
	uint64_t until = clock_ns() + SPLICES_NS;
	int n = epoll_wait(s->epoll, events, SPLICE_EVENTS, 0);

	for (int i = 0; i < n && clock_ns() < until; i++) {
		struct splice *x = events[i].data.ptr;

		switch (x->state) {
		case SPLICE_CONNECTING:
			connected(s, x);
			break;
		case SPLICE_SHAKING:
			shake(s, x);
			break;
		case SPLICE_OPEN:
			if (!go_on(s, x))
				bury(s, x);
			break;
		case SPLICE_DEAD:
			break;
		}
	}
	clean(s);
}

void splices_expire(struct splices *s)
{
	uint64_t now = s->worker->now_ns;

	LIST_FOREACH_SAFE(it, next, &s->all) {
		struct splice *x = LIST_ENTRY(it, struct splice, link);
		uint64_t quiet = now - x->moved_ns;

		if (x->state != SPLICE_OPEN) {
			if (now - x->begun_ns > (uint64_t)UPSTREAM_CONNECT_MS * MS)
				fail(s, x);
		} else if (quiet > (uint64_t)(x->client.ended ? ENDING_MS : SPLICE_SILENCE_MS) * MS) {
			bury(s, x);
		}
	}
	clean(s);
}

/* ---- life ---- */

void splices_set(struct splices *s, const struct config *config, const struct upstream *upstream)
{
	LIST_FOREACH(it, &s->all)
		LIST_ENTRY(it, struct splice, link)->last = true;
	s->config = config;
	s->upstream = upstream;
}

struct splices *splices_new(struct worker *w)
{
	struct splices *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->worker = w;
	list_init(&s->all);
	list_init(&s->dead);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0) {
		free(s);
		return NULL;
	}
	return s;
}

void splices_free(struct splices *s)
{
	if (!s)
		return;
	while (!list_empty(&s->all))
		bury(s, LIST_ENTRY(s->all.next, struct splice, link));
	clean(s);
	close(s->epoll);
	free(s);
}

int splices_fd(const struct splices *s)
{
	return s->epoll;
}
