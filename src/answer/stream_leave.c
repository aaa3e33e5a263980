/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections that others carry on: sync and watch, to which a TCP connection goes as it stands; relay.c, since of TLS the keys are here; splice.c, for transfers from backends. */
#include "answer/stream_priv.h"

#include "answer/relay.h"
#include "answer/splice.h"
#include "answer/worker.h"
#include "proc/handover.h"

#include <sys/epoll.h>
#include <sys/socket.h>

/* What is left of it is closed by the caller. */
static bool conn_relay(struct stream *s, struct stream_conn *c, const struct endpoint *client, const uint8_t *p, size_t len)
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

bool stream_conn_hand_over(struct stream *s, struct stream_conn *c, const uint8_t *p, size_t len, bool status)
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

void stream_conn_local(const struct stream_conn *c, struct endpoint *out)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);

	*out = (struct endpoint){.port = 0};
	if (getsockname(c->fd, (struct sockaddr *)&at, &len) < 0)
		return;
	client_of_peer(&at, &out->addr);
	out->port = port_of_peer(&at);
}

bool stream_conn_splice(struct stream *s, struct stream_conn *c, uint32_t pool, const uint8_t *p, size_t len)
{
	const struct endpoint client = {.addr = c->address, .port = c->port};
	struct endpoint local;

	stream_conn_local(c, &local);
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
