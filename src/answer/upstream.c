/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections of a worker to backends, over TCP (RFC 7766) and TLS (RFC 7858).
 *
 *	upstream_ask -> [out] -> connecting -> (PROXY header) -> (TLS handshake) -> open -> answers -> heard()
 *
 * To each server there are a few connections, made when they are wanted. A question goes to the one with the fewest under way; another is begun when all have
 * UPSTREAM_SHARE. Questions are gathered in the connection's `out` and leave by one write in a turn of the worker's loop; those that come while the connection is still being made wait
 * there too. Answers come in any order and are told apart by ID, which is ours on each connection: eight bits of place in the table of questions, eight that count its uses, so
 * that an answer that comes when nobody waits any more does not meet another question. What becomes of an answer, and whether it fits its question, is the caller's business.
 *
 * A server may close a connection at any time, and does so with idle ones. Questions under way then are given back as UPSTREAM_CLOSED where the connection has answered before: that is no
 * failure of the server's. A server to which no connection can be made is left alone for a while that doubles (BACKOFF_MIN_MS to BACKOFF_MAX_MS), during which upstream_ask() says no at once.
 *
 * Hostile servers: a message is 65,535 octets at most, and kept only while it is not whole; one that is shorter than a header ends the connection, and so do STRANGE_MAX answers to nothing. Who
 * sends octet by octet, or half an answer, is closed after UPSTREAM_SILENT_MS: only whole answers count as life. Memory: a connection is some 40 KiB, of which pages are touched as they are
 * used, and 64 KiB while an answer of it is not whole; UPSTREAM_CONNS_MAX of them, and what OpenSSL holds, which counts with that of clients' connections.
 *
 * PROXY (the header of edge/proxy_header.h) stands at the beginning of a connection and speaks for all of it, so where it is used each question has a connection of its own.
 *
 * TLS sessions are resumed by server, the newest only. What the server must prove is in its tls-auth (tls/client.h); one that cannot is as one that is not there.
 *
 * Not here: TCP Fast Open, edns-tcp-keepalive towards servers (RFC 7828: a server that closes sooner than we is what was said above), DNS over HTTPS and QUIC. */
#include "answer/upstream.h"

#include "answer/worker.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "dns/message.h"
#include "tls/client.h"
#include "tls/tls.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	UPSTREAM_SHARE = 16, /* questions under way on each connection before another is begun */
	UPSTREAM_OUT = 2 * (2 + UPSTREAM_MESSAGE_MAX),
	UPSTREAM_FRAME_MAX = 2 + DNS_MESSAGE_MAX,
	UPSTREAM_READS = 4, /* of a connection in a turn, each UPSTREAM_FRAME_MAX at most */
	UPSTREAM_EVENTS = 64,
	STRANGE_MAX = 16,
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 5000,
	EXPIRE_MS = 100,
	MS = 1000000,
};

enum link_state { LINK_CONNECTING, LINK_SHAKING, LINK_OPEN, LINK_DEAD };

struct question {
	upstream_heard *heard; /* NULL: the place is free */
	uint64_t ticket, asked_ns;
	uint16_t id; /* the caller's */
	uint8_t uses;
};

struct link {
	struct list of_server; /* or in upstream.dead */
	struct list dirty;     /* in upstream.dirty, or alone */
	struct row *row;
	struct ssl_st *tls;
	uint8_t *in; /* the beginning of an answer; NULL: none */
	uint64_t begun_ns, heard_ns, idle_ns; /* last answer, or when it was made; since when nothing is under way */
	uint32_t in_len, out_len, events;
	int fd;
	enum link_state state;
	unsigned under_way, strange;
	uint8_t proxy_len;
	bool single;      /* for one question */
	bool good;        /* has answered */
	bool has_session; /* it was taken */
	bool wants_write; /* TLS wants to, before it reads on */
	uint8_t unused[UPSTREAM_PIPELINE]; /* places that are free: the first UPSTREAM_PIPELINE - under_way */
	uint8_t proxy[UPSTREAM_PROXY_MAX];
	struct question questions[UPSTREAM_PIPELINE];
	uint8_t out[UPSTREAM_OUT];
};

struct row {
	struct upstream_server server;
	struct list links;
	struct ssl_session_st *session;
	uint64_t not_before_ns;
	unsigned kept, failures;
};

struct upstream {
	struct worker *worker;
	int epoll;
	unsigned count, links, under_way;
	uint64_t expired_ns;
	struct list dirty, dead;
	struct row *row[UPSTREAM_SERVERS_MAX];
	uint8_t buffer[UPSTREAM_FRAME_MAX];
};

_Static_assert(UPSTREAM_PIPELINE == 256, "a place is an octet of the ID");

/* ---- life of a connection ---- */

static int connect_from(const struct upstream_server *s, int type, const struct ip_addr *own, int *out)
{
	const struct endpoint from = {.addr = *own};
	struct sockaddr_storage at;
	socklen_t len = endpoint_to_sockaddr(&s->at, &at);
	int fd = socket(at.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, err = 0;

	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* what is gathered is gathered here */
	if (own->family) {
		struct sockaddr_storage local;
		socklen_t local_len = endpoint_to_sockaddr(&from, &local);

		if (type == SOCK_STREAM)
			(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		if (bind(fd, (const struct sockaddr *)&local, local_len) < 0)
			err = -errno;
	}
	if (!err && connect(fd, (const struct sockaddr *)&at, len) < 0 && errno != EINPROGRESS)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

int upstream_connect(const struct upstream_server *s, int type, int *out)
{
	static const struct ip_addr any;

	/* From an address of loopback nothing beyond it is reached, for one: then as the kernel chooses. */
	if (s->from.family == s->at.addr.family && connect_from(s, type, &s->from, out) == 0)
		return 0;
	return connect_from(s, type, &any, out);
}

static void fail_row(struct upstream *u, struct row *r)
{
	uint64_t pause_ms = MIN((uint64_t)BACKOFF_MIN_MS << MIN(r->failures, 10U), (uint64_t)BACKOFF_MAX_MS);

	r->failures++;
	r->not_before_ns = u->worker->now_ns + pause_ms * MS;
}

static bool watch(struct upstream *u, struct link *l, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = l};

	if (l->events == events)
		return true;
	if (epoll_ctl(u->epoll, l->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, l->fd, &e) < 0)
		return false;
	l->events = events;
	return true;
}

/* Out of use from now on; its memory goes at the end of the turn, since events may still point at it. */
static void bury(struct upstream *u, struct link *l, bool polite)
{
	if (l->tls)
		tls_end(l->tls, polite && l->state == LINK_OPEN);
	l->tls = NULL;
	close(l->fd);
	l->fd = -1;
	l->state = LINK_DEAD;
	free(l->in);
	l->in = NULL;
	if (!l->single)
		l->row->kept--;
	list_remove(&l->dirty);
	list_remove(&l->of_server);
	list_add_tail(&u->dead, &l->of_server);
	u->links--;
}

static void end_questions(struct upstream *u, struct link *l, enum upstream_end end)
{
	for (unsigned i = 0; i < UPSTREAM_PIPELINE && l->under_way; i++) {
		struct question q = l->questions[i];

		if (!q.heard)
			continue;
		l->questions[i].heard = NULL;
		l->under_way--;
		u->under_way--;
		q.heard(u->worker, q.ticket, end, NULL, 0);
	}
}

/* orderly: the server has closed it as it may. */
static void lose(struct upstream *u, struct link *l, bool orderly)
{
	bool was_good = l->good;
	enum upstream_end end = l->state != LINK_OPEN ? UPSTREAM_UNSENT : was_good && orderly ? UPSTREAM_CLOSED : UPSTREAM_FAILED;

	if (!was_good && (l->under_way || l->state != LINK_OPEN))
		fail_row(u, l->row);
	bury(u, l, false);
	end_questions(u, l, end);
}

static void clean(struct upstream *u)
{
	LIST_FOREACH_SAFE(it, next, &u->dead) {
		list_remove(it);
		free(LIST_ENTRY(it, struct link, of_server));
	}
}

static struct link *begin(struct upstream *u, struct row *r, const uint8_t *proxy, size_t proxy_len)
{
	struct link *l;
	int fd;

	if ((r->server.over_tls && !r->server.tls) || u->worker->now_ns < r->not_before_ns || u->links >= UPSTREAM_CONNS_MAX || proxy_len > UPSTREAM_PROXY_MAX)
		return NULL;
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	if (upstream_connect(&r->server, SOCK_STREAM, &fd) < 0) {
		fail_row(u, r);
		free(l);
		return NULL;
	}
	l->fd = fd;
	l->row = r;
	l->single = proxy != NULL;
	l->begun_ns = l->heard_ns = l->idle_ns = u->worker->now_ns;
	if (proxy) {
		memcpy(l->proxy, proxy, proxy_len);
		l->proxy_len = (uint8_t)proxy_len;
	}
	for (unsigned i = 0; i < UPSTREAM_PIPELINE; i++)
		l->unused[i] = (uint8_t)i;
	random_bytes(&l->questions[0].uses, 1);
	for (unsigned i = 1; i < UPSTREAM_PIPELINE; i++)
		l->questions[i].uses = l->questions[0].uses;
	list_init(&l->dirty);
	if (!watch(u, l, EPOLLOUT)) {
		close(fd);
		free(l);
		return NULL;
	}
	list_add_tail(&r->links, &l->of_server);
	r->kept += !l->single;
	u->links++;
	return l;
}

/* ---- questions ---- */

static struct link *choose(struct upstream *u, struct row *r, size_t len)
{
	struct link *best = NULL, *more;

	LIST_FOREACH(it, &r->links) {
		struct link *l = LIST_ENTRY(it, struct link, of_server);

		if (!l->single && l->under_way < UPSTREAM_PIPELINE && l->out_len + 2 + len <= UPSTREAM_OUT &&
		    (!best || l->under_way < best->under_way))
			best = l;
	}
	if (best && (best->under_way < UPSTREAM_SHARE || r->kept >= UPSTREAM_PER_SERVER))
		return best;
	more = r->kept < UPSTREAM_PER_SERVER ? begin(u, r, NULL, 0) : NULL;
	return more ? more : best;
}

bool upstream_ask(struct upstream *u, unsigned server, upstream_heard *heard, uint64_t ticket, const uint8_t *msg,
                  size_t len, const uint8_t *proxy, size_t proxy_len)
{
	struct question *q;
	struct link *l;
	uint8_t place;

	if (server >= u->count || len < DNS_HEADER_LEN || len > UPSTREAM_MESSAGE_MAX)
		return false;
	l = proxy ? begin(u, u->row[server], proxy, proxy_len) : choose(u, u->row[server], len);
	if (!l)
		return false;
	place = l->unused[UPSTREAM_PIPELINE - 1 - l->under_way];
	q = &l->questions[place];
	*q = (struct question){.heard = heard, .ticket = ticket, .asked_ns = u->worker->now_ns, .id = get_u16(msg), .uses = (uint8_t)(q->uses + 1)};
	l->under_way++;
	u->under_way++;
	put_u16(l->out + l->out_len, (uint16_t)len);
	memcpy(l->out + l->out_len + 2, msg, len);
	put_u16(l->out + l->out_len + 2, (uint16_t)(q->uses << 8 | place));
	l->out_len += (uint32_t)(2 + len);
	if (list_empty(&l->dirty))
		list_add_tail(&u->dirty, &l->dirty);
	return true;
}

/* The question that an answer's ID names; NULL: none. Its place is free from now on. */
static struct question *settle(struct upstream *u, struct link *l, uint16_t id)
{
	struct question *q = &l->questions[id & 0xff];

	if (!q->heard || q->uses != id >> 8)
		return NULL;
	l->under_way--;
	l->unused[UPSTREAM_PIPELINE - 1 - l->under_way] = (uint8_t)id;
	u->under_way--;
	l->idle_ns = u->worker->now_ns;
	return q;
}

/* ---- octets ---- */

/* What of `out` goes now. False: broken. */
static bool flush(struct upstream *u, struct link *l)
{
	enum tls_step step = TLS_DONE;
	ssize_t n;

	if (l->state != LINK_OPEN)
		return true;
	if (l->out_len) {
		n = l->tls ? tls_write(l->tls, l->out, l->out_len, &step) : send(l->fd, l->out, l->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && !(l->tls ? n == -EAGAIN : errno == EAGAIN || errno == EINTR))
			return false;
		if (n > 0) {
			l->out_len -= (uint32_t)n;
			memmove(l->out, l->out + n, l->out_len);
		}
	}
	return watch(u, l, (uint32_t)EPOLLIN | (l->out_len || l->wants_write ? (uint32_t)EPOLLOUT : 0U));
}

/* A whole message. False: the connection is of no more use. */
static bool hear(struct upstream *u, struct link *l, uint8_t *msg, size_t len)
{
	struct question *q = NULL, asked;

	if (len < DNS_HEADER_LEN)
		return false;
	if (get_u16(msg + 2) & DNS_QR)
		q = settle(u, l, get_u16(msg));
	if (!q) {
		board_add(&u->worker->board->edge.strange, 1);
		return ++l->strange < STRANGE_MAX;
	}
	asked = *q;
	q->heard = NULL;
	l->good = true;
	l->heard_ns = u->worker->now_ns;
	l->row->failures = 0;
	if (l->tls && !l->has_session) {
		struct ssl_session_st *session = tls_client_session(l->tls);

		if (session) {
			tls_session_free(l->row->session);
			l->row->session = session;
			l->has_session = true;
		}
	}
	put_u16(msg, asked.id);
	asked.heard(u->worker, asked.ticket, UPSTREAM_ANSWER, msg, len);
	return l->state == LINK_OPEN && !l->single;
}

/* Whole messages of p; *used octets are done with. False: as above. */
static bool hear_all(struct upstream *u, struct link *l, uint8_t *p, size_t len, size_t *used)
{
	size_t pos = 0;

	while (len - pos >= 2 && len - pos >= 2U + get_u16(p + pos)) {
		size_t frame = 2U + get_u16(p + pos);

		if (!hear(u, l, p + pos + 2, frame - 2))
			return false;
		pos += frame;
	}
	*used = pos;
	return true;
}

static bool keep(struct link *l, const uint8_t *rest, size_t len)
{
	if (!len) {
		free(l->in);
		l->in = NULL;
	} else if (l->in) {
		memmove(l->in, rest, len);
	} else {
		l->in = malloc(UPSTREAM_FRAME_MAX);
		if (!l->in)
			return false;
		memcpy(l->in, rest, len);
	}
	l->in_len = (uint32_t)len;
	return true;
}

static void serve(struct upstream *u, struct link *l)
{
	for (int i = 0; i < UPSTREAM_READS; i++) {
		uint8_t *p = l->in ? l->in : u->buffer;
		size_t have = l->in ? l->in_len : 0, used;
		enum tls_step step = TLS_DONE;
		ssize_t n;

		if (l->tls) {
			n = tls_read(l->tls, p + have, UPSTREAM_FRAME_MAX - have, &step);
		} else {
			n = recv(l->fd, p + have, UPSTREAM_FRAME_MAX - have, MSG_DONTWAIT);
			if (n < 0)
				n = errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
		}
		l->wants_write = n == -EAGAIN && step == TLS_WANTS_WRITE;
		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			lose(u, l, n == 0 || n == -ECONNRESET);
			return;
		}
		if (!hear_all(u, l, p, have + (size_t)n, &used) || !keep(l, p + used, have + (size_t)n - used)) {
			if (l->state == LINK_OPEN)
				lose(u, l, false);
			return;
		}
	}
	if (!flush(u, l))
		lose(u, l, false);
}

/* ---- the beginning ---- */

static void open_link(struct upstream *u, struct link *l)
{
	l->state = LINK_OPEN;
	l->heard_ns = u->worker->now_ns;
	if (!flush(u, l))
		lose(u, l, false);
}

static void shake(struct upstream *u, struct link *l)
{
	char why[TLS_WHY_MAX];
	bool good = false;

	switch (tls_shake(l->tls)) {
	case TLS_WANTS_READ:
		good = watch(u, l, EPOLLIN);
		break;
	case TLS_WANTS_WRITE:
		good = watch(u, l, EPOLLOUT);
		break;
	case TLS_DONE:
		if (tls_client_judge(l->row->server.tls, l->tls, why) == 0) {
			open_link(u, l);
			return;
		}
		break;
	case TLS_FAILED:
		/* A session that the server will not have any more is no reason to fail again. */
		tls_session_free(l->row->session);
		l->row->session = NULL;
		break;
	}
	if (!good)
		lose(u, l, false);
}

/* The connection is there, or has failed. */
static void connected(struct upstream *u, struct link *l)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err) {
		lose(u, l, false);
		return;
	}
	/* The buffer of a new socket takes it whole. */
	if (l->proxy_len && send(l->fd, l->proxy, l->proxy_len, MSG_DONTWAIT | MSG_NOSIGNAL) != l->proxy_len) {
		lose(u, l, false);
		return;
	}
	if (!l->row->server.over_tls) {
		open_link(u, l);
		return;
	}
	l->tls = tls_client_begin(l->row->server.tls, l->fd, &l->row->server.at.addr, l->row->session);
	l->state = LINK_SHAKING;
	if (l->tls)
		shake(u, l);
	else
		lose(u, l, false);
}

/* ---- turns ---- */

void upstream_flush(struct upstream *u)
{
	while (!list_empty(&u->dirty)) {
		struct link *l = LIST_ENTRY(u->dirty.next, struct link, dirty);

		list_remove(&l->dirty);
		if (!flush(u, l))
			lose(u, l, false);
	}
	clean(u);
}

void upstream_turn(struct upstream *u)
{
	struct epoll_event events[UPSTREAM_EVENTS];
	int n = epoll_wait(u->epoll, events, UPSTREAM_EVENTS, 0);

	for (int i = 0; i < n; i++) {
		struct link *l = events[i].data.ptr;

		switch (l->state) {
		case LINK_CONNECTING:
			connected(u, l);
			break;
		case LINK_SHAKING:
			shake(u, l);
			break;
		case LINK_OPEN:
			serve(u, l);
			break;
		case LINK_DEAD:
			break;
		}
	}
	upstream_flush(u);
}

/* Questions that the server has passed over, as answers to later ones show, are given up alone; where nothing comes at all the connection goes. False: it does. */
static bool drop_old(struct upstream *u, struct link *l, uint64_t now)
{
	for (unsigned i = 0; i < UPSTREAM_PIPELINE && l->under_way; i++) {
		struct question q = l->questions[i];

		if (!q.heard || now - q.asked_ns < (uint64_t)UPSTREAM_SILENT_MS * MS)
			continue;
		if (l->single || !l->good || l->heard_ns <= q.asked_ns)
			return false;
		(void)settle(u, l, (uint16_t)((unsigned)q.uses << 8 | i));
		l->questions[i].heard = NULL;
		q.heard(u->worker, q.ticket, UPSTREAM_FAILED, NULL, 0);
	}
	return true;
}

void upstream_expire(struct upstream *u)
{
	uint64_t now = u->worker->now_ns;

	if (now - u->expired_ns < (uint64_t)EXPIRE_MS * MS)
		return;
	u->expired_ns = now;
	for (unsigned i = 0; i < u->count; i++) {
		LIST_FOREACH_SAFE(it, next, &u->row[i]->links) {
			struct link *l = LIST_ENTRY(it, struct link, of_server);

			if (l->state != LINK_OPEN ? now - l->begun_ns > (uint64_t)UPSTREAM_CONNECT_MS * MS : !drop_old(u, l, now))
				lose(u, l, false);
			else if (!l->under_way && now - l->idle_ns > (uint64_t)UPSTREAM_IDLE_MS * MS)
				bury(u, l, true);
		}
	}
	upstream_flush(u);
}

/* ---- servers ---- */

static bool same(const struct upstream_server *a, const struct upstream_server *b)
{
	return a->key == b->key && a->over_tls == b->over_tls && a->tls == b->tls && a->at.port == b->at.port && addr_equal(&a->at.addr, &b->at.addr) &&
	       a->from.family == b->from.family && (!a->from.family || addr_equal(&a->from, &b->from));
}

static void row_free(struct upstream *u, struct row *r)
{
	while (!list_empty(&r->links)) {
		struct link *l = LIST_ENTRY(r->links.next, struct link, of_server);

		bury(u, l, true);
		end_questions(u, l, UPSTREAM_FAILED);
	}
	tls_session_free(r->session);
	free(r);
}

static struct row *row_new(const struct upstream_server *s)
{
	struct row *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->server = *s;
	list_init(&r->links);
	return r;
}

void upstream_set(struct upstream *u, const struct upstream_server *servers, unsigned count)
{
	struct row *old[UPSTREAM_SERVERS_MAX];
	unsigned old_count = u->count;

	memcpy(old, u->row, sizeof(old));
	u->count = 0;
	for (unsigned i = 0; i < MIN(count, (unsigned)UPSTREAM_SERVERS_MAX); i++) {
		struct row *r = NULL;

		for (unsigned k = 0; k < old_count && !r; k++) {
			if (!old[k] || !same(&old[k]->server, &servers[i]))
				continue;
			r = old[k];
			old[k] = NULL;
		}
		if (!r)
			r = row_new(&servers[i]);
		if (!r)
			break; /* those beyond cannot be asked */
		u->row[u->count++] = r;
	}
	for (unsigned k = 0; k < old_count; k++)
		if (old[k])
			row_free(u, old[k]);
	clean(u);
}

const struct upstream_server *upstream_server(const struct upstream *u, unsigned server)
{
	return server < u->count ? &u->row[server]->server : NULL;
}

/* ---- life of the whole ---- */

struct upstream *upstream_new(struct worker *w)
{
	struct upstream *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->worker = w;
	list_init(&u->dirty);
	list_init(&u->dead);
	u->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (u->epoll < 0) {
		free(u);
		return NULL;
	}
	return u;
}

void upstream_free(struct upstream *u)
{
	if (!u)
		return;
	for (unsigned i = 0; i < u->count; i++) {
		LIST_FOREACH(it, &u->row[i]->links)
			for (unsigned k = 0; k < UPSTREAM_PIPELINE; k++)
				LIST_ENTRY(it, struct link, of_server)->questions[k].heard = NULL;
		row_free(u, u->row[i]);
	}
	clean(u);
	close(u->epoll);
	free(u);
}

int upstream_fd(const struct upstream *u)
{
	return u->epoll;
}

unsigned upstream_under_way(const struct upstream *u)
{
	return u->under_way;
}
