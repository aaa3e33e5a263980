/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/sockets.h"

#include "base/err.h"
#include "net/listen.h"
#include "super/status_lane.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENDPOINTS_MAX = ROLE_SOCKETS_MAX / 2 };

struct open_endpoint {
	struct endpoint at;
	int *udp, *tcp; /* one per worker; no udp: for TLS */
	int status;     /* the first of the group of `udp`; -1: there is none */
};

struct socket_set {
	unsigned workers;
	size_t count;
	bool keyed, has_older;
	uint8_t key[LISTEN_FASTOPEN_KEY], older[LISTEN_FASTOPEN_KEY]; /* of TCP Fast Open */
	struct open_endpoint open[ENDPOINTS_MAX];
};

struct socket_set *sockets_new(unsigned workers)
{
	struct socket_set *s = calloc(1, sizeof(*s));

	if (s)
		s->workers = workers;
	return s;
}

static struct open_endpoint *find(const struct socket_set *s, const struct endpoint *at)
{
	for (size_t i = 0; i < s->count; i++)
		if (addr_equal(&s->open[i].at.addr, &at->addr) && s->open[i].at.port == at->port)
			return (struct open_endpoint *)&s->open[i];
	return NULL;
}

static void close_all(struct open_endpoint *o, unsigned workers)
{
	for (unsigned i = 0; i < workers; i++) {
		if (o->udp && o->udp[i] >= 0)
			close(o->udp[i]);
		if (o->tcp && o->tcp[i] >= 0)
			close(o->tcp[i]);
	}
	if (o->status >= 0)
		close(o->status);
	free(o->udp);
	free(o->tcp);
}

void sockets_free(struct socket_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++)
		close_all(&s->open[i], s->workers);
	free(s);
}

int sockets_open(struct socket_set *s, const struct endpoint *at, bool tls, bool status)
{
	struct open_endpoint o = {.at = *at, .status = -1};
	int err = 0;

	if (find(s, at))
		return 0;
	if (s->count == ENDPOINTS_MAX)
		return ERR_LIMIT;
	err = listen_probe(at, !tls);
	if (err < 0)
		return err;
	o.udp = tls ? NULL : malloc(s->workers * sizeof(int));
	o.tcp = malloc(s->workers * sizeof(int));
	if ((!o.udp && !tls) || !o.tcp) {
		free(o.udp);
		free(o.tcp);
		return ERR_NO_MEMORY;
	}
	for (unsigned i = 0; i < s->workers; i++) {
		o.tcp[i] = -1;
		if (o.udp)
			o.udp[i] = -1;
	}
	/* Its place in the group is that of its birth. */
	if (status && !tls)
		err = listen_udp(at, &o.status);
	for (unsigned i = 0; !err && i < s->workers; i++) {
		err = tls ? 0 : listen_udp(at, &o.udp[i]);
		if (!err)
			err = listen_tcp(at, &o.tcp[i]);
		if (!err && s->keyed)
			listen_fastopen(o.tcp[i], s->key, s->has_older ? s->older : NULL);
	}
	if (!err && o.status >= 0)
		err = lane_attach(o.status, s->workers);
	if (err) {
		close_all(&o, s->workers);
		return err;
	}
	s->open[s->count++] = o;
	return 0;
}

void sockets_close(struct socket_set *s, const struct endpoint *at)
{
	struct open_endpoint *o = find(s, at);

	if (!o)
		return;
	close_all(o, s->workers);
	*o = s->open[--s->count];
}

bool sockets_has(const struct socket_set *s, const struct endpoint *at)
{
	return find(s, at) != NULL;
}

size_t sockets_count(const struct socket_set *s)
{
	return s->count;
}

const struct endpoint *sockets_endpoint(const struct socket_set *s, size_t i)
{
	return &s->open[i].at;
}

void sockets_fastopen(struct socket_set *s, const uint8_t *key, const uint8_t *older)
{
	s->keyed = true;
	s->has_older = older != NULL;
	memcpy(s->key, key, sizeof(s->key));
	if (older)
		memcpy(s->older, older, sizeof(s->older));
	for (size_t i = 0; i < s->count; i++)
		for (unsigned k = 0; k < s->workers; k++)
			listen_fastopen(s->open[i].tcp[k], key, older);
}

uint32_t sockets_of_endpoint(const struct socket_set *s, size_t i, unsigned worker, struct role_socket *out)
{
	const struct open_endpoint *o = &s->open[i];

	uint32_t n = 0;

	if (o->udp)
		out[n++] = (struct role_socket){.fd = o->udp[worker], .kind = ROLE_SOCKET_UDP, .at = o->at};
	out[n++] = (struct role_socket){.fd = o->tcp[worker], .kind = o->udp ? ROLE_SOCKET_TCP : ROLE_SOCKET_TLS, .at = o->at};
	return n;
}

bool sockets_status_of(const struct socket_set *s, size_t i, struct role_socket *out)
{
	const struct open_endpoint *o = &s->open[i];

	if (o->status < 0)
		return false;
	*out = (struct role_socket){.fd = o->status, .kind = ROLE_SOCKET_UDP, .at = o->at};
	return true;
}

uint32_t sockets_of_status(const struct socket_set *s, struct role_socket *out)
{
	uint32_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		n += sockets_status_of(s, i, &out[n]);
	return n;
}

uint32_t sockets_of_worker(const struct socket_set *s, unsigned worker, struct role_socket *out)
{
	uint32_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		n += sockets_of_endpoint(s, i, worker, out + n);
	return n;
}
