/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client may send is a reset query or a serial query, of 8 or 12 octets; anything else ends its connection. It is always told all there is, as
 * there are two prefixes: a serial query about an older serial is answered by Cache Reset. */
#include "lab/rtr_cache.h"

#include "base/addr.h"
#include "base/err.h"
#include "base/wire.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_MAX = 8, SESSION = 77, TURN_MS = 20 };
/* RFC 8210 5. */
enum { NOTIFY = 0, SERIAL_QUERY = 1, RESET_QUERY = 2, RESPONSE = 3, IPV4_PREFIX = 4, IPV6_PREFIX = 6, END_OF_DATA = 7, CACHE_RESET = 8 };

struct client {
	int fd; /* -1: none */
	uint8_t version;
	uint8_t in[12];
	size_t have;
};

struct rtr_cache {
	int listener;
	pthread_t thread;
	_Atomic bool stop;
	_Atomic uint32_t as, serial;
	uint32_t told; /* serial that clients were notified of */
	struct client clients[CLIENTS_MAX];
};

static size_t put_head(uint8_t *p, uint8_t version, uint8_t type, uint16_t field, uint32_t len)
{
	p[0] = version;
	p[1] = type;
	put_u16(p + 2, field);
	put_u32(p + 4, len);
	return len;
}

static size_t put_prefix(uint8_t *p, uint8_t version, const char *text, uint32_t as)
{
	struct ip_prefix prefix = {0};
	size_t octets, len;

	if (prefix_parse(text, &prefix) < 0)
		return 0;
	octets = prefix.addr.family == 4 ? 4 : 16;
	len = put_head(p, version, octets == 4 ? IPV4_PREFIX : IPV6_PREFIX, 0, (uint32_t)(16 + octets));
	p[8] = 1; /* announced */
	p[9] = p[10] = prefix.len;
	p[11] = 0;
	memcpy(p + 12, prefix.addr.bytes, octets);
	put_u32(p + 12 + octets, as);
	return len;
}

static size_t put_all(uint8_t *p, uint8_t version, uint32_t as, uint32_t serial)
{
	size_t n = put_head(p, version, RESPONSE, SESSION, 8), end = version ? 24 : 12;

	n += put_prefix(p + n, version, LAB_PREFIX_V4, as);
	n += put_prefix(p + n, version, LAB_PREFIX_V6, as);
	put_head(p + n, version, END_OF_DATA, SESSION, (uint32_t)end);
	put_u32(p + n + 8, serial);
	if (version) {
		put_u32(p + n + 12, 3600);
		put_u32(p + n + 16, 600);
		put_u32(p + n + 20, 7200);
	}
	return n + end;
}

static void hang_up(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	c->have = 0;
}

/* One query; false when it is none. */
static bool answer(struct rtr_cache *r, struct client *c)
{
	uint32_t serial = atomic_load(&r->serial);
	uint8_t out[256];
	size_t len;

	c->version = c->in[0] > 1 ? 1 : c->in[0];
	if (c->in[1] == RESET_QUERY)
		len = put_all(out, c->version, atomic_load(&r->as), serial);
	else if (c->in[1] != SERIAL_QUERY)
		return false;
	else if (get_u32(c->in + 8) != serial)
		len = put_head(out, c->version, CACHE_RESET, 0, 8);
	else {
		len = put_all(out, c->version, 0, serial);
		/* Nothing new: the end after the beginning. */
		memmove(out + 8, out + len - (c->version ? 24 : 12), c->version ? 24 : 12);
		len = c->version ? 32 : 20;
	}
	return send(c->fd, out, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void take(struct rtr_cache *r, struct client *c)
{
	for (;;) {
		size_t want = c->have < 8 ? 8 : c->in[1] == SERIAL_QUERY ? 12 : 8;
		ssize_t n;

		if (c->have >= 8 && c->have == want) {
			if (!answer(r, c)) {
				hang_up(c);
				return;
			}
			c->have = 0;
			want = 8;
		}
		n = recv(c->fd, c->in + c->have, want - c->have, MSG_DONTWAIT);
		if (n <= 0) {
			if (n == 0)
				hang_up(c);
			return;
		}
		c->have += (size_t)n;
	}
}

static void admit(struct rtr_cache *r)
{
	int fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (size_t i = 0; fd >= 0 && i < CLIENTS_MAX; i++)
		if (r->clients[i].fd < 0) {
			r->clients[i] = (struct client){.fd = fd};
			return;
		}
	if (fd >= 0)
		close(fd);
}

static void notify(struct rtr_cache *r)
{
	uint32_t serial = atomic_load(&r->serial);
	uint8_t out[12];

	if (r->told == serial)
		return;
	r->told = serial;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &r->clients[i];

		if (c->fd < 0)
			continue;
		put_head(out, c->version, NOTIFY, SESSION, 12);
		put_u32(out + 8, serial);
		if (send(c->fd, out, 12, MSG_NOSIGNAL) != 12)
			hang_up(c);
	}
}

static void *run(void *arg)
{
	struct rtr_cache *r = arg;

	while (!atomic_load(&r->stop)) {
		struct pollfd fds[CLIENTS_MAX + 1] = {{.fd = r->listener, .events = POLLIN}};

		for (size_t i = 0; i < CLIENTS_MAX; i++)
			fds[i + 1] = (struct pollfd){.fd = r->clients[i].fd, .events = POLLIN};
		poll(fds, CLIENTS_MAX + 1, TURN_MS);
		if (fds[0].revents)
			admit(r);
		for (size_t i = 0; i < CLIENTS_MAX; i++)
			if (r->clients[i].fd >= 0 && fds[i + 1].fd == r->clients[i].fd && fds[i + 1].revents)
				take(r, &r->clients[i]);
		notify(r);
	}
	return NULL;
}

int rtr_cache_start(const char *netns, uint32_t as, struct rtr_cache **out)
{
	struct rtr_cache *r = calloc(1, sizeof(*r));
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(RTR_CACHE_PORT)};
	int on = 1, off = 0, err;

	if (!r)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		r->clients[i].fd = -1;
	atomic_store(&r->as, as);
	atomic_store(&r->serial, 1);
	r->told = 1;
	err = lab_socket_in(netns, AF_INET6, SOCK_STREAM, &r->listener);
	if (err) {
		free(r);
		return err;
	}
	if (setsockopt(r->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(r->listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
	    bind(r->listener, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(r->listener, CLIENTS_MAX) < 0 ||
	    pthread_create(&r->thread, NULL, run, r) != 0) {
		close(r->listener);
		free(r);
		return ERR_INVALID;
	}
	*out = r;
	return 0;
}

void rtr_cache_set(struct rtr_cache *r, uint32_t as)
{
	atomic_store(&r->as, as);
	atomic_fetch_add(&r->serial, 1);
}

void rtr_cache_stop(struct rtr_cache *r)
{
	if (!r)
		return;
	atomic_store(&r->stop, true);
	pthread_join(r->thread, NULL);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (r->clients[i].fd >= 0)
			close(r->clients[i].fd);
	close(r->listener);
	free(r);
}
