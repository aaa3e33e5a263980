/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections that neighbors open: listening sockets of the supervisor's, which come with the brief or later, and what arrives on them. Who connects is known by
 * address; the kernel has seen to the MD5 key before that. A stranger's connection is closed without a word. */
#include "route/route.h"

#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPTS_MAX = 16 /* per wake-up */ };

struct listener {
	uv_poll_t poll;
	struct route *route;
	struct endpoint at;
	int fd;
};

static bool same_host(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

/* Is it for this neighbor that this listener is there? */
static bool serves(const struct listener *l, const struct neighbor *n)
{
	if (n->conf.connect == BGP_CONNECT_ACTIVE)
		return false;
	if (n->conf.interface[0] && l->at.addr.zone != if_nametoindex(n->conf.interface))
		return false;
	return n->conf.local.family ? same_host(&n->conf.local, &l->at.addr) : n->conf.interface[0] != '\0';
}

static void take(struct listener *l, int fd, const struct endpoint *from)
{
	struct route *r = l->route;
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < r->neighbor_count; i++) {
		struct neighbor *n = &r->neighbors[i];

		if (serves(l, n) && same_host(&n->conf.remote.addr, &from->addr)) {
			bgp_session_accept(n->session, fd);
			return;
		}
	}
	if (r->strangers++ % 1000 == 0)
		log_info("bgp from=%s error=\"no neighbor of this address\" so_far=%u", endpoint_text(from, text),
		         r->strangers);
	close(fd);
}

static void on_listener(uv_poll_t *h, int status, int events)
{
	struct listener *l = h->data;

	(void)events;
	for (unsigned i = 0; i < ACCEPTS_MAX && status == 0; i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		struct endpoint from;
		int fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (endpoint_from_sockaddr((const struct sockaddr *)&ss, &from) < 0)
			close(fd);
		else
			take(l, fd, &from);
	}
}

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void stop(struct listener *l)
{
	uv_close((uv_handle_t *)&l->poll, on_closed);
	close(l->fd);
}

void listen_open(struct route *r, const struct role_socket *s)
{
	struct listener *l = calloc(1, sizeof(*l));
	size_t i = 0;

	while (i < ARRAY_LEN(r->listeners) && r->listeners[i])
		i++;
	if (!l || i == ARRAY_LEN(r->listeners) || uv_poll_init(&r->loop, &l->poll, s->fd) < 0) {
		log_err("bgp listen error=\"%s\"", err_text(ERR_LIMIT));
		close(s->fd);
		free(l);
		return;
	}
	l->poll.data = l;
	l->route = r;
	l->at = s->at;
	l->fd = s->fd;
	r->listeners[i] = l;
	for (size_t k = 0; k < r->neighbor_count; k++)
		listen_key(r, &r->neighbors[k], true);
	uv_poll_start(&l->poll, UV_READABLE, on_listener);
}

void listen_close(struct route *r, const struct role_socket *s)
{
	for (size_t i = 0; i < ARRAY_LEN(r->listeners); i++) {
		struct listener *l = r->listeners[i];

		if (l && addr_equal(&l->at.addr, &s->at.addr)) {
			r->listeners[i] = NULL;
			stop(l);
		}
	}
}

/* What came before there was a key has not been held against it. Whoever was rightly there comes again. */
static void drain(const struct listener *l)
{
	int fd;

	while ((fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		close(fd);
}

void listen_key(struct route *r, const struct neighbor *n, bool on)
{
	struct bgp_neighbor_conf conf = n->conf;
	char text[ENDPOINT_TEXT_MAX];

	conf.md5_key = n->key;
	for (size_t i = 0; i < ARRAY_LEN(r->listeners); i++) {
		const struct listener *l = r->listeners[i];
		int err;

		if (!l || !serves(l, n) || !conf.md5_key_len)
			continue;
		err = bgp_session_listen_key(l->fd, &conf, on);
		if (err < 0 && on)
			log_err("bgp peer=%s error=\"cannot set the TCP MD5 key: %s\"", endpoint_text(&n->at, text),
			        err_text(err));
		if (on)
			drain(l);
	}
}
