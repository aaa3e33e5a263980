/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/doors.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "net/listen.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BGP_PORT = 179 };

struct door {
	uint16_t port;
	struct ip_addr local;        /* as configured: family 0 where the interface's link-local address is meant */
	char interface[IF_NAMESIZE]; /* of a link-local session; else "" */
	struct endpoint at;          /* while open */
	int fd;                      /* -1: not open */
	int said;                    /* the error that was logged last */
};

struct doors {
	enum role_socket_kind kind;
	doors_tell_fn *tell;
	void *ctx;
	uint64_t tried_ms;
	size_t count;
	struct door door[DOORS_MAX];
};

struct doors *doors_new(enum role_socket_kind kind, doors_tell_fn *tell, void *ctx)
{
	struct doors *d = calloc(1, sizeof(*d));

	if (d) {
		d->kind = kind;
		d->tell = tell;
		d->ctx = ctx;
	}
	return d;
}

static void shut(struct doors *d, struct door *door)
{
	if (door->fd < 0)
		return;
	d->tell(d->ctx, ROLE_SOCKET_CLOSE, &(struct role_socket){.fd = -1, .kind = (uint8_t)d->kind, .at = door->at});
	close(door->fd);
	door->fd = -1;
}

void doors_free(struct doors *d)
{
	for (size_t i = 0; d && i < d->count; i++)
		if (d->door[i].fd >= 0)
			close(d->door[i].fd);
	free(d);
}

/* The interface's own link-local address. */
static int link_local_of(const char *interface, struct ip_addr *out)
{
	struct ifaddrs *all;
	int err = -EADDRNOTAVAIL;

	if (getifaddrs(&all) != 0)
		return -errno;
	for (const struct ifaddrs *i = all; i && err; i = i->ifa_next) {
		struct endpoint e;

		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET6 && strcmp(i->ifa_name, interface) == 0 &&
		    endpoint_from_sockaddr(i->ifa_addr, &e) == 0 && addr_is_link_local(&e.addr)) {
			*out = e.addr;
			err = 0;
		}
	}
	freeifaddrs(all);
	return err;
}

static int place_of(const struct door *door, struct endpoint *out)
{
	struct endpoint e = {.addr = door->local, .port = door->port};
	int err = 0;

	if (!door->local.family)
		err = link_local_of(door->interface, &e.addr);
	if (!err && addr_is_link_local(&e.addr)) {
		e.addr.zone = if_nametoindex(door->interface);
		err = e.addr.zone ? 0 : -ENODEV;
	}
	if (!err)
		*out = e;
	return err;
}

static void try(struct doors *d, struct door *door)
{
	const char *word = d->kind == ROLE_SOCKET_BGP ? "bgp" : "http";
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint at = {0};
	int err = place_of(door, &at);

	/* An interface that went and came again is another one, on which the old socket hears nothing. */
	if (door->fd >= 0 && (err || addr_equal(&at.addr, &door->at.addr)))
		return;
	shut(d, door);
	if (!err)
		err = d->kind == ROLE_SOCKET_BGP ? listen_peers(&at, &door->fd) : listen_management(&at, &door->fd);
	if (!err) {
		door->at = at;
		log_info("%s listen=%s", word, endpoint_text(&at, text));
		d->tell(d->ctx, ROLE_SOCKET_OPEN,
		        &(struct role_socket){.fd = door->fd, .kind = (uint8_t)d->kind, .at = at});
	} else if (err != door->said) {
		log_warn("%s listen=%s%s%s error=\"%s\" action=\"tried again each second\"", word,
		         door->local.family ? addr_text(&door->local, text) : "link-local",
		         door->interface[0] ? "%" : "", door->interface, err_text(err));
	}
	door->said = err;
}

static bool same(const struct door *a, const struct door *b)
{
	return addr_equal(&a->local, &b->local) && a->port == b->port && strcmp(a->interface, b->interface) == 0;
}

static bool has(const struct door *list, size_t count, const struct door *door)
{
	for (size_t i = 0; i < count; i++)
		if (same(&list[i], door))
			return true;
	return false;
}

static void replace(struct doors *d, struct door *next, size_t count)
{
	/* What goes is closed first: its port may be needed under another name. */
	for (size_t i = 0; i < d->count; i++)
		if (!has(next, count, &d->door[i]))
			shut(d, &d->door[i]);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < d->count; k++)
			if (same(&next[i], &d->door[k]))
				next[i] = d->door[k];
	memcpy(d->door, next, count * sizeof(*next));
	d->count = count;
	d->tried_ms = 0;
	doors_tick(d, clock_ms());
}

void doors_set_neighbors(struct doors *d, const struct config_node *node)
{
	struct door next[DOORS_MAX];
	size_t count = 0;

	for (size_t i = 0; node && i < node->neighbor_count && count < DOORS_MAX; i++) {
		const struct config_neighbor *n = &node->neighbors[i];
		struct door door = {.port = BGP_PORT, .local = n->local, .fd = -1};

		if (n->dial == CONFIG_DIAL_ACTIVE)
			continue;
		if (n->interface)
			snprintf(door.interface, sizeof(door.interface), "%s", n->interface);
		door.local.zone = 0;
		if (!has(next, count, &door))
			next[count++] = door;
	}
	replace(d, next, count);
}

void doors_set_http(struct doors *d, const struct config *c, const struct config_node *node)
{
	const struct config_http *h = config_http_of(c, node);
	struct door next[DOORS_MAX];
	const struct ip_addr *at = NULL;
	size_t n = h ? config_http_addresses(h, node, &at) : 0, count = 0;

	for (size_t i = 0; i < n && count < DOORS_MAX; i++) {
		struct door door = {.port = h->port, .local = at[i], .fd = -1};

		if (!has(next, count, &door))
			next[count++] = door;
	}
	replace(d, next, count);
}

void doors_tick(struct doors *d, uint64_t now_ms)
{
	if (now_ms - d->tried_ms < DOORS_RETRY_MS)
		return;
	d->tried_ms = now_ms;
	for (size_t i = 0; i < d->count; i++)
		if (d->door[i].fd < 0 || d->door[i].interface[0])
			try(d, &d->door[i]);
}

uint32_t doors_sockets(const struct doors *d, struct role_socket *out)
{
	uint32_t n = 0;

	for (size_t i = 0; d && i < d->count; i++)
		if (d->door[i].fd >= 0)
			out[n++] =
				(struct role_socket){.fd = d->door[i].fd, .kind = (uint8_t)d->kind, .at = d->door[i].at};
	return n;
}
