/* SPDX-License-Identifier: BSD-2-Clause */
/* What is passed on to backends as it is.
 *
 * A question with TSIG, a NOTIFY, an UPDATE: a proxy that takes such a message apart breaks it. So it goes to a backend octet for octet, and its answer comes back so; over a connection
 * (upstream.c) with another ID, which TSIG allows for (RFC 8945 4.2, Original ID) and which is put back. Neither is kept, nor joined with another. EDNS options in it are the client's, its cookie too: where the
 * message is signed they could not be taken out.
 *
 *	SIGNED   goes to one server of the pool; to another as well after PASS_TRY_MS, or at once where the network says no
 *	UPDATE   goes to the first server in the order of the configuration that is up, which should be the primary; to another only if that one could not be reached at all: who has
 *	         taken an update but not answered yet must not get it twice by us. Clients repeat it themselves (RFC 2136 2.5)
 *	NOTIFY   goes to all servers that are up, for any of them may be a secondary that waits for it; the first answer is the client's
 *
 * A client over UDP is served over UDP where the pool is (its answer then is as long as the backend thinks right for this very message); all others over the pool's connections. What comes back over
 * a connection and is too long for a UDP client becomes an empty, truncated answer, unsigned, as a signature of ours there can be none. Each message over UDP has a socket, and so a port, of its own; these
 * messages are rare.
 *
 * Limits: PASS_MAX under way, PASS_CLIENT_MAX of one client, each of STREAM_QUERY_MAX octets. When no server answers in time the client gets SERVFAIL.
 *
 * A message that goes round in a loop of proxies takes a row here with each round and ends with SERVFAIL when the first is out of patience: the check of backends (watch) finds such servers, and they
 * are not asked. Transfers: splice.c. */
#include "answer/pass.h"

#include "answer/upstream.h"
#include "answer/stream.h"
#include "answer/worker.h"
#include "base/hash.h"
#include "base/list.h"
#include "config/config.h"
#include "edge/proxy_header.h"
#include "proc/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PASS_EVENTS = 32, MS = 1000000 };

struct try {
	int fd;      /* of UDP; -1: a question of upstream's, or none any more */
	bool waits;
	uint16_t server; /* its place among all */
};

struct pass {
	struct list link; /* in under_way, oldest first, or in unused */
	struct forward_client who; /* its `peer` is: */
	struct sockaddr_storage peer;
	enum engine_pass kind;
	uint32_t pool, uses;
	uint8_t *msg; /* NULL: free */
	size_t len;
	uint64_t until_ns, next_ns; /* given up; sent to another */
	uint64_t tried[4];
	unsigned first, tries, waits;
	bool answered; /* the client has its answer */
	bool last;     /* the configuration it was begun with has gone */
	struct try try[PASS_TRIES_MAX];
};

struct passes {
	struct worker *worker;
	const struct config *config;
	struct upstream *upstream;
	int epoll;
	struct list under_way, unused;
	struct pass pass[PASS_MAX];
	uint8_t buffer[PROXY_HEADER_MAX + DNS_MESSAGE_MAX];
	uint8_t answer[DNS_MESSAGE_MAX];
};

/* ---- servers ---- */

int pass_next_server(const struct config *c, const struct board_watch_backends *b, uint32_t pool, unsigned first, uint64_t tried[4])
{
	const struct config_backends *p = &c->backends[pool];
	unsigned base = 0;

	for (uint32_t i = 0; i < pool; i++)
		base += (unsigned)c->backends[i].server_count;
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < p->server_count; i++) {
			unsigned place = (unsigned)((first + i) % p->server_count), row = base + place;
			const struct board_backend *r;
			bool known;

			if (row >= BOARD_BACKENDS_MAX || tried[place / 64] >> place % 64 & 1)
				continue;
			r = &b->row[row];
			known = board_get(&r->key) == board_backend_key(p->name, &p->servers[place].at);
			if (known && r->loops)
				continue;
			if (!round && known && atomic_load_explicit(&r->up, memory_order_relaxed) == UP_NO)
				continue;
			tried[place / 64] |= UINT64_C(1) << place % 64;
			return (int)row;
		}
	}
	return -1;
}

/* ---- answers ---- */

size_t pass_error(const uint8_t *msg, size_t len, uint16_t rcode, bool truncated, uint8_t *out, size_t cap)
{
	struct reader r = reader_of(msg, len);
	uint16_t flags = get_u16(msg + 2);
	size_t end = DNS_HEADER_LEN;

	(void)reader_bytes(&r, DNS_HEADER_LEN);
	if (get_u16(msg + 4) == 1 && message_skip_name(&r) && reader_bytes(&r, 4) && r.pos <= cap)
		end = r.pos;
	memcpy(out, msg, end);
	put_u16(out + 2, (uint16_t)(DNS_QR | (flags & (0x7800 | DNS_RD | DNS_CD)) | (truncated ? DNS_TC : 0) | rcode));
	memset(out + 4, 0, 8);
	out[5] = end > DNS_HEADER_LEN;
	return end;
}

/* Octets that a client over UDP takes. */
static size_t udp_limit(const struct pass *p)
{
	struct message m;
	struct message_rr rr;
	struct name name;
	uint16_t type, class;

	if (message_open(p->msg, p->len, &m) < 0)
		return DNS_UDP_MIN;
	for (unsigned i = 0; i < m.header.qdcount; i++)
		if (message_question(&m, &name, &type, &class) < 0)
			return DNS_UDP_MIN;
	while (message_next(&m, &rr) == 1)
		if (rr.type == RR_OPT)
			return MAX(rr.rclass, (uint16_t)DNS_UDP_MIN);
	return DNS_UDP_MIN;
}

static void say(struct passes *s, struct pass *p, const uint8_t *msg, size_t len)
{
	struct board_worker *b = s->worker->board;
	bool sent;

	p->answered = true;
	if (p->who.transport == ENGINE_UDP) {
		struct handover head = {.peer = p->peer, .local = p->who.local.addr};

		if (!p->who.wildcard)
			head.local.family = 0;
		if (len > udp_limit(p)) {
			len = pass_error(p->msg, p->len, get_u16(msg + 2) & 15, true, s->answer, sizeof(s->answer));
			msg = s->answer;
		}
		sent = handover_answer(&head, p->who.fd, msg, len) == 0;
		board_add(&b->send_failed, !sent);
	} else {
		sent = stream_answer_later(s->worker->streams, p->who.stream, msg, len);
	}
	if (!sent)
		return;
	board_add(&b->answers, 1);
	board_add(&b->bytes_out, len);
	board_add(&b->rcodes[get_u16(msg + 2) & 15], 1);
}

static void close_try(struct pass *p, struct try *t)
{
	if (t->fd >= 0)
		close(t->fd); /* leaves the epoll set with it */
	t->fd = -1;
	p->waits -= t->waits;
	t->waits = false;
}

static void end(struct passes *s, struct pass *p)
{
	if (!p->answered) {
		board_add(&s->worker->board->edge.failed, 1);
		say(s, p, s->answer, pass_error(p->msg, p->len, RCODE_SERVFAIL, false, s->answer, sizeof(s->answer)));
	}
	for (unsigned i = 0; i < p->tries; i++)
		close_try(p, &p->try[i]);
	if (p->who.transport == ENGINE_UDP)
		close(p->who.fd);
	free(p->msg);
	p->msg = NULL;
	p->uses++;
	list_remove(&p->link);
	list_add_tail(&s->unused, &p->link);
}

/* An answer of the backend's. It ends the pass, unless others are to get the message as well. */
static void heard(struct passes *s, struct pass *p, struct try *t, uint8_t *msg, size_t len)
{
	board_add(&s->worker->board->edge.server[t->server].answered, 1);
	close_try(p, t);
	if (!p->answered)
		say(s, p, msg, len);
	if (p->kind != ENGINE_PASS_NOTIFY || !p->waits)
		end(s, p);
}

/* ---- questions ---- */

static bool over_udp(const struct passes *s, const struct pass *p)
{
	return p->who.transport == ENGINE_UDP && s->config->backends[p->pool].over == CONFIG_BACKEND_UDP;
}

static void heard_upstream(struct worker *w, uint64_t ticket, enum upstream_end how, uint8_t *msg, size_t len);

static size_t put_proxy(const struct passes *s, const struct pass *p, uint8_t out[PROXY_HEADER_MAX])
{
	const struct endpoint from = {.addr = p->who.addr, .port = p->who.port}, *to = &p->who.local;

	return s->config->backends[p->pool].proxy_protocol ? proxy_header_put(out, &from, to, p->who.transport != ENGINE_UDP) : 0;
}

static bool send_datagram(struct passes *s, struct pass *p, unsigned server, unsigned place)
{
	const struct upstream_server *at = upstream_server(s->upstream, server);
	struct epoll_event e = {.events = EPOLLIN};
	size_t head = put_proxy(s, p, s->buffer);
	int fd;

	if (!at || upstream_connect(at, SOCK_DGRAM, &fd) < 0)
		return false;
	memcpy(s->buffer + head, p->msg, p->len);
	e.data.u64 = (uint64_t)p->uses << 32 | (uint64_t)place << 16 | (uint64_t)(p - s->pass);
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e) < 0 || send(fd, s->buffer, head + p->len, MSG_DONTWAIT) < 0) {
		close(fd);
		return false;
	}
	p->try[place].fd = fd;
	return true;
}

static bool send_to(struct passes *s, struct pass *p, unsigned server)
{
	unsigned place = p->tries;
	uint64_t ticket = (uint64_t)p->uses << 32 | (uint64_t)place << 16 | (uint64_t)(p - s->pass);
	uint8_t proxy[PROXY_HEADER_MAX];
	size_t head;
	bool good;

	p->try[place] = (struct try){.fd = -1};
	if (over_udp(s, p)) {
		good = send_datagram(s, p, server, place);
	} else {
		head = put_proxy(s, p, proxy);
		good = upstream_ask(s->upstream, server, heard_upstream, ticket, p->msg, p->len, head ? proxy : NULL, head);
	}
	if (!good)
		return false;
	board_add(&s->worker->board->edge.server[server].sent, 1);
	p->tries++;
	p->waits++;
	p->try[place].waits = true;
	p->try[place].server = (uint16_t)server;
	p->next_ns = s->worker->now_ns + (uint64_t)PASS_TRY_MS * MS;
	return true;
}

/* To the next server that takes it. False: there is none. */
static bool send_on(struct passes *s, struct pass *p)
{
	while (!p->last && p->tries < PASS_TRIES_MAX) {
		int server = pass_next_server(s->config, &s->worker->whole->watch.backends, p->pool, p->first, p->tried);

		if (server < 0)
			return false;
		if (send_to(s, p, (unsigned)server))
			return true;
	}
	return false;
}

/* The network says no to a try. unsent: the server has not had the message. */
static void failed(struct passes *s, struct pass *p, struct try *t, bool unsent)
{
	board_add(&s->worker->board->edge.server[t->server].errors, 1);
	close_try(p, t);
	if (!p->answered && (p->kind == ENGINE_PASS_SIGNED || (p->kind == ENGINE_PASS_UPDATE && unsent)))
		(void)send_on(s, p);
	if (!p->waits)
		end(s, p);
}

static struct pass *pass_of(struct passes *s, uint64_t ticket, struct try **t)
{
	struct pass *p = &s->pass[(ticket & 0xffff) % PASS_MAX];
	unsigned place = (unsigned)(ticket >> 16) & 0xffff;

	if (!p->msg || p->uses != ticket >> 32 || place >= p->tries || !p->try[place].waits)
		return NULL;
	*t = &p->try[place];
	return p;
}

static void heard_upstream(struct worker *w, uint64_t ticket, enum upstream_end how, uint8_t *msg, size_t len)
{
	struct try *t;
	struct pass *p = pass_of(w->passes, ticket, &t);

	if (!p)
		board_add(&w->board->edge.late, how == UPSTREAM_ANSWER);
	else if (how == UPSTREAM_ANSWER)
		heard(w->passes, p, t, msg, len);
	else
		failed(w->passes, p, t, how == UPSTREAM_UNSENT);
}

bool passes_take(struct passes *s, const struct forward_client *who, const struct engine_result *result, const uint8_t *msg, size_t len)
{
	const struct config_backends *pool;
	unsigned of_client = 0;
	struct pass *p;
	int fd = -1;

	if (list_empty(&s->unused) || !s->config || result->backends >= s->config->backend_count || len > UPSTREAM_MESSAGE_MAX)
		return false;
	LIST_FOREACH(it, &s->under_way)
		of_client += addr_equal(&LIST_ENTRY(it, struct pass, link)->who.addr, &who->addr);
	if (of_client >= PASS_CLIENT_MAX)
		return false;
	pool = &s->config->backends[result->backends];
	p = LIST_ENTRY(s->unused.next, struct pass, link);
	/* The socket it came by may be closed by a reload before the answer is there. */
	if (who->transport == ENGINE_UDP && (fd = fcntl(who->fd, F_DUPFD_CLOEXEC, 0)) < 0)
		return false;
	p->msg = malloc(len);
	if (!p->msg) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	memcpy(p->msg, msg, len);
	p->len = len;
	p->who = *who;
	p->who.fd = fd;
	if (who->peer)
		p->peer = *who->peer;
	p->who.peer = NULL;
	p->kind = result->pass;
	p->pool = result->backends;
	p->until_ns = s->worker->now_ns + (uint64_t)(p->kind == ENGINE_PASS_UPDATE ? MAX(pool->patience_ms, (uint32_t)PASS_UPDATE_MS) : pool->patience_ms) * MS;
	memset(p->tried, 0, sizeof(p->tried));
	p->tries = p->waits = p->first = 0;
	p->answered = p->last = false;
	if (p->kind == ENGINE_PASS_SIGNED)
		random_bytes(&p->first, sizeof(p->first));
	p->first %= (unsigned)MAX(pool->server_count, (size_t)1);
	list_remove(&p->link);
	list_add_tail(&s->under_way, &p->link);
	while (send_on(s, p) && p->kind == ENGINE_PASS_NOTIFY)
		;
	if (p->waits) {
		board_add(&s->worker->board->edge.passed, 1);
		return true;
	}
	p->answered = true; /* the caller does */
	end(s, p);
	return false;
}

/* ---- turns ---- */

/* A datagram is an answer when it has the ID and is none of a question. */
static void serve(struct passes *s, struct pass *p, struct try *t)
{
	ssize_t n = recv(t->fd, s->buffer, DNS_MESSAGE_MAX, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		failed(s, p, t, errno == ECONNREFUSED); /* by ICMP: nobody is there */
	else if (n >= DNS_HEADER_LEN && get_u16(s->buffer) == get_u16(p->msg) && (get_u16(s->buffer + 2) & DNS_QR) &&
	         dns_opcode(get_u16(s->buffer + 2)) == dns_opcode(get_u16(p->msg + 2)))
		heard(s, p, t, s->buffer, (size_t)n);
	else
		board_add(&s->worker->board->edge.strange, 1);
}

void passes_turn(struct passes *s)
{
	struct epoll_event events[PASS_EVENTS];
	int n = epoll_wait(s->epoll, events, PASS_EVENTS, 0);

	for (int i = 0; i < n; i++) {
		struct try *t;
		struct pass *p = pass_of(s, events[i].data.u64, &t);

		if (p && t->fd >= 0)
			serve(s, p, t);
	}
}

void passes_expire(struct passes *s)
{
	uint64_t now = s->worker->now_ns;

	LIST_FOREACH_SAFE(it, next, &s->under_way) {
		struct pass *p = LIST_ENTRY(it, struct pass, link);

		if (now >= p->until_ns)
			end(s, p);
		else if (p->kind == ENGINE_PASS_SIGNED && now >= p->next_ns && !send_on(s, p))
			p->next_ns = p->until_ns;
	}
}

/* ---- life ---- */

void passes_set(struct passes *s, const struct config *config, struct upstream *upstream)
{
	LIST_FOREACH(it, &s->under_way)
		LIST_ENTRY(it, struct pass, link)->last = true;
	s->config = config;
	s->upstream = upstream;
}

struct passes *passes_new(struct worker *w)
{
	struct passes *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->worker = w;
	list_init(&s->under_way);
	list_init(&s->unused);
	for (unsigned i = 0; i < PASS_MAX; i++)
		list_add_tail(&s->unused, &s->pass[i].link);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0) {
		free(s);
		return NULL;
	}
	return s;
}

void passes_free(struct passes *s)
{
	if (!s)
		return;
	LIST_FOREACH_SAFE(it, next, &s->under_way) {
		struct pass *p = LIST_ENTRY(it, struct pass, link);

		p->answered = true;
		end(s, p);
	}
	close(s->epoll);
	free(s);
}

int passes_fd(const struct passes *s)
{
	return s->epoll;
}
