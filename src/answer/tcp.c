/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP (RFC 7766, RFC 9210). One connection is a fixed slot with a small input buffer; queries are framed by two octets of length. Each
 * complete query is answered at once; what the client does not take yet is kept, and no more is read from it until it has.
 *
 * Time: a connection is closed TCP_IDLE_MS after its last complete query; above three quarters of the slots the limit shrinks to
 * TCP_IDLE_BUSY_MS. A client that sends octet by octet is idle in this sense: only whole queries count. The idle list is ordered by that
 * time, so its head is always the one to go. */
#include "answer/tcp.h"

#include "answer/worker.h"
#include "base/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	TCP_QUERY_MAX = 4096,      /* octets of a query; a longer one closes the connection */
	TCP_IDLE_MS = 10000,
	TCP_IDLE_BUSY_MS = 1000,
	TCP_ACCEPTS = 64,          /* new connections in one turn */
	TCP_QUERIES_TURN = 64,     /* queries of one connection in one turn */
	TCP_FRAME_MAX = 2 + DNS_MESSAGE_MAX,
};

struct tcp_conn {
	struct list link; /* in idle or free */
	struct tcp *tcp;
	int fd;
	bool v6;
	struct ip_addr client;
	uint64_t active_ns; /* last complete query, or the start */
	uint16_t in_len;
	uint32_t out_len, out_pos;
	uint8_t *out; /* malloc'ed: what is still to be sent; NULL: nothing */
	uint8_t in[2 + TCP_QUERY_MAX];
};

struct tcp {
	struct worker *worker;
	struct list idle, free_slots;
	uint32_t slots, open;
	struct tcp_conn *conns;
	uint8_t frame[TCP_FRAME_MAX];
};

struct tcp *tcp_new(struct worker *w, uint32_t connections)
{
	struct tcp *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->conns = calloc(connections, sizeof(*t->conns));
	if (!t->conns) {
		free(t);
		return NULL;
	}
	t->worker = w;
	t->slots = connections;
	list_init(&t->idle);
	list_init(&t->free_slots);
	for (uint32_t i = 0; i < connections; i++) {
		t->conns[i].tcp = t;
		t->conns[i].fd = -1;
		list_add_tail(&t->free_slots, &t->conns[i].link);
	}
	return t;
}

static void conn_close(struct tcp *t, struct tcp_conn *c)
{
	close(c->fd); /* leaves the epoll set with it */
	c->fd = -1;
	free(c->out);
	c->out = NULL;
	list_remove(&c->link);
	list_add_tail(&t->free_slots, &c->link);
	t->open--;
	atomic_store_explicit(&t->worker->board->tcp_open, t->open, memory_order_relaxed);
}

void tcp_free(struct tcp *t)
{
	if (!t)
		return;
	LIST_FOREACH_SAFE(it, next, &t->idle)
		conn_close(t, LIST_ENTRY(it, struct tcp_conn, link));
	free(t->conns);
	free(t);
}

static void watch(struct tcp *t, struct tcp_conn *c, int op, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = c};

	if (epoll_ctl(t->worker->epoll, op, c->fd, &e) < 0)
		board_add(&t->worker->board->dropped, 1);
}

void tcp_accept(struct tcp *t, int listener, bool v6)
{
	for (int i = 0; i < TCP_ACCEPTS; i++) {
		struct sockaddr_storage peer;
		socklen_t peer_len = sizeof(peer);
		int fd = accept4(listener, (struct sockaddr *)&peer, &peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct tcp_conn *c;

		if (fd < 0)
			return;
		if (list_empty(&t->free_slots)) {
			board_add(&t->worker->board->tcp_closed_limit, 1);
			conn_close(t, LIST_ENTRY(t->idle.next, struct tcp_conn, link));
		}
		c = LIST_ENTRY(t->free_slots.next, struct tcp_conn, link);
		list_remove(&c->link);
		c->fd = fd;
		c->v6 = v6;
		client_of_peer(&peer, &c->client);
		c->in_len = 0;
		c->out_len = c->out_pos = 0;
		c->active_ns = t->worker->now_ns;
		list_add_tail(&t->idle, &c->link);
		t->open++;
		board_add(&t->worker->board->tcp_accepted, 1);
		atomic_store_explicit(&t->worker->board->tcp_open, t->open, memory_order_relaxed);
		watch(t, c, EPOLL_CTL_ADD, EPOLLIN | EPOLLRDHUP);
	}
}

/* Send frame; keep what does not go. False: the connection is of no more use. */
static bool conn_send(struct tcp *t, struct tcp_conn *c, const uint8_t *frame, size_t len)
{
	ssize_t n = send(c->fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (n < 0)
		n = 0;
	if ((size_t)n == len)
		return true;
	c->out = malloc(len - (size_t)n);
	if (!c->out)
		return false;
	c->out_len = (uint32_t)(len - (size_t)n);
	c->out_pos = 0;
	memcpy(c->out, frame + n, c->out_len);
	watch(t, c, EPOLL_CTL_MOD, EPOLLOUT | EPOLLRDHUP);
	return true;
}

/* Answer the complete queries in the buffer. False: close. */
static bool conn_answer(struct tcp *t, struct tcp_conn *c)
{
	struct worker *w = t->worker;
	size_t pos = 0;
	bool good = true;

	while (good && !c->out && c->in_len - pos >= 2) {
		size_t len = (size_t)(c->in[pos] << 8 | c->in[pos + 1]);
		struct store_snapshot snapshot;
		struct engine_request request;
		struct engine_result result;

		if (len > TCP_QUERY_MAX || len < DNS_HEADER_LEN) {
			board_add(&w->board->tcp_malformed, 1);
			good = false;
			break;
		}
		if (c->in_len - pos < 2 + len)
			break;
		store_pin(w->store, &snapshot);
		request = (struct engine_request){.transport = ENGINE_TCP, .client = c->client, .msg = c->in + pos + 2, .len = len,
		                                  .now_s = w->now_s, .keepalive = TCP_IDLE_MS / 100};
		worker_answer(w, &snapshot, &request, t->frame + 2, DNS_MESSAGE_MAX, &result);
		store_unpin(w->store);
		board_add(&w->board->queries[1][c->v6], 1);
		board_add(&w->board->bytes_in, len);
		pos += 2 + len;
		c->active_ns = w->now_ns;
		list_remove(&c->link);
		list_add_tail(&t->idle, &c->link);
		if (!result.len) {
			good = false; /* not a query: nothing to wait for */
			break;
		}
		t->frame[0] = (uint8_t)(result.len >> 8);
		t->frame[1] = (uint8_t)result.len;
		good = conn_send(t, c, t->frame, 2 + result.len);
	}
	memmove(c->in, c->in + pos, c->in_len - pos);
	c->in_len = (uint16_t)(c->in_len - pos);
	return good;
}

static bool conn_flush(struct tcp *t, struct tcp_conn *c)
{
	ssize_t n = send(c->fd, c->out + c->out_pos, c->out_len - c->out_pos, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->out_pos += (uint32_t)n;
	if (c->out_pos < c->out_len)
		return true;
	free(c->out);
	c->out = NULL;
	watch(t, c, EPOLL_CTL_MOD, EPOLLIN | EPOLLRDHUP);
	return conn_answer(t, c);
}

void tcp_serve(struct tcp *t, struct tcp_conn *c, uint32_t events)
{
	bool good = true;

	if (c->fd < 0)
		return; /* closed earlier in this turn */
	if (c->out) {
		if (events & (EPOLLERR | EPOLLHUP))
			good = false;
		else if (events & EPOLLOUT)
			good = conn_flush(t, c);
		if (!good)
			conn_close(t, c);
		return;
	}
	for (int i = 0; good && !c->out && i < TCP_QUERIES_TURN; i++) {
		ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			good = false;
			break;
		}
		c->in_len = (uint16_t)(c->in_len + n);
		good = conn_answer(t, c);
	}
	if (!good)
		conn_close(t, c);
}

void tcp_expire(struct tcp *t)
{
	uint64_t limit_ms = t->open > t->slots / 4 * 3 ? TCP_IDLE_BUSY_MS : TCP_IDLE_MS;

	LIST_FOREACH_SAFE(it, next, &t->idle) {
		struct tcp_conn *c = LIST_ENTRY(it, struct tcp_conn, link);

		if (t->worker->now_ns - c->active_ns < limit_ms * 1000000U)
			return;
		board_add(&t->worker->board->tcp_closed_idle, 1);
		conn_close(t, c);
	}
}
