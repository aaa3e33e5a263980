/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions of connections that backends have to answer. Each has a row, whose place and use are its ticket (forward_client.stream): an answer that comes late finds the connection it is for, or
 * that it is gone, but never another. Answers leave in the order in which they come (RFC 7766 6.2.1.1). */
#include "answer/stream_priv.h"

#include "answer/forward.h"
#include "answer/pass.h"
#include "answer/worker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum {
	STREAM_LATER_MAX = 16384, /* of all connections: as many as a worker asks (FORWARD_UNDER_WAY_MAX) */
};

void stream_later_release(struct stream *s, struct stream_later *l)
{
	l->conn->open_count--;
	l->conn->client->open--;
	l->conn = NULL;
	l->uses++;
	list_remove(&l->link);
	list_add_tail(s->later_free.next, &l->link); /* first: those in use stay few and close together */
}

/* A row for a question of this connection. False: there are too many. */
static bool later_take(struct stream *s, struct stream_conn *c, uint64_t *ticket)
{
	struct stream_later *l;

	if (!s->later) {
		s->later = calloc(STREAM_LATER_MAX, sizeof(*s->later));
		for (size_t i = 0; s->later && i < STREAM_LATER_MAX; i++)
			list_add_tail(&s->later_free, &s->later[i].link);
	}
	if (list_empty(&s->later_free) || c->client->open >= STREAM_OPEN_CLIENT)
		return false;
	l = LIST_ENTRY(s->later_free.next, struct stream_later, link);
	list_remove(&l->link);
	list_add_tail(&c->opened, &l->link);
	l->conn = c;
	c->open_count++;
	c->client->open++;
	*ticket = (uint64_t)l->uses << 32 | (uint64_t)(l - s->later);
	return true;
}

static struct stream_later *later_find(const struct stream *s, uint64_t ticket)
{
	uint32_t place = (uint32_t)ticket;
	struct stream_later *l = s->later && place < STREAM_LATER_MAX ? &s->later[place] : NULL;

	return l && l->conn && l->uses == ticket >> 32 ? l : NULL;
}

bool stream_conn_ask(struct stream *s, struct stream_conn *c, const struct engine_request *request, const struct engine_result *result)
{
	struct forward_client who = {.transport = request->transport, .addr = c->address, .port = c->port, .fd = -1};
	bool taken;

	if (!later_take(s, c, &who.stream)) {
		board_add(&s->worker->board->edge.full, 1);
		return false;
	}
	stream_conn_local(c, &who.local);
	taken = result->pass ? passes_take(s->worker->passes, &who, result, request->msg, request->len)
	                     : forward_ask(s->worker, &who, request->msg, request->len, result);
	if (!taken)
		stream_forget(s, who.stream);
	return taken;
}

void stream_forget(struct stream *s, uint64_t ticket)
{
	struct stream_later *l = later_find(s, ticket);
	struct stream_conn *c = l ? l->conn : NULL;

	if (!c)
		return;
	stream_later_release(s, l);
	if (!c->open_count)
		c->holds = false;
	if (c->out)
		return; /* goes on when the client has taken it */
	if (c->ended && !c->open_count && c != s->serving) {
		stream_conn_close(s, c);
	} else if (c->events == (uint32_t)EPOLLET && !stream_conn_full(c)) {
		if (!stream_conn_watch(s, c, EPOLLIN))
			c->doomed = true;
		c->more = true; /* of what was kept, or TLS holds */
		if (list_empty(&c->ready))
			list_add_tail(&s->ready, &c->ready);
	}
}

bool stream_answer_later(struct stream *s, uint64_t ticket, const uint8_t *msg, size_t len)
{
	struct stream_later *l = later_find(s, ticket);
	struct stream_conn *c = l ? l->conn : NULL;

	if (!c || c->doomed)
		return false;
	put_u16(s->frame, (uint16_t)len);
	memcpy(s->frame + 2, msg, len);
	if (!stream_conn_put(s, c, s->frame, 2 + len)) {
		if (c == s->serving)
			c->doomed = true;
		else
			stream_conn_close(s, c);
		return false;
	}
	stream_conn_wait(s, c, WAIT_NEXT);
	stream_forget(s, ticket);
	return true;
}
