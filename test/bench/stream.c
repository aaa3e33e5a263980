/* SPDX-License-Identifier: BSD-2-Clause */
/* The generator over TCP and TLS: connections that are opened before the clock starts and stay open, several queries in flight on each.
 * All queries that a connection may send are one write. A connection that ends is an error of the whole run. */
#include "load.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 64, IN_MAX = 1 << 17, STREAM_WINDOW_MAX = 64, OUT_MAX = STREAM_WINDOW_MAX * (QUESTION_MAX + 2) };

struct connection {
	int fd;
	SSL *ssl;
	uint8_t *in;
	size_t in_len;
	uint8_t out[OUT_MAX];
	size_t out_len;
	uint32_t free_count;
	uint16_t free_slots[STREAM_WINDOW_MAX];
	uint64_t since_ns[STREAM_WINDOW_MAX];
};

static struct connection *connections;
static int poller;

static void connection_open(struct load *l, SSL_CTX *tls, struct connection *c)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(l->port))};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(l->port))};
	bool is4 = inet_pton(AF_INET, l->address, &v4.sin_addr) == 1;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
	int one = 1;

	if (!is4 && inet_pton(AF_INET6, l->address, &v6.sin6_addr) != 1)
		errx(2, "%s: no address", l->address);
	c->fd = socket(is4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, is4 ? (void *)&v4 : (void *)&v6, is4 ? sizeof(v4) : sizeof(v6)) < 0)
		err(1, "%s", l->address);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->in = malloc(IN_MAX);
	if (!c->in)
		errx(1, "no memory");
	if (tls) {
		c->ssl = SSL_new(tls);
		if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1) {
			ERR_print_errors_fp(stderr);
			errx(1, "%s: no TLS", l->address);
		}
	}
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) < 0)
		err(1, "epoll");
	for (uint16_t slot = 0; slot < l->window; slot++)
		c->free_slots[c->free_count++] = slot;
}

/* > 0 moved, 0 would block; ends the program when the connection has ended. */
static size_t moved(const struct connection *c, ssize_t n)
{
	if (n > 0)
		return (size_t)n;
	if (c->ssl) {
		int why = SSL_get_error(c->ssl, (int)n);

		if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
			return 0;
		ERR_print_errors_fp(stderr);
	} else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return 0;
	}
	errx(1, "the server ended a connection");
}

static void connection_flush(struct connection *c)
{
	while (c->out_len) {
		size_t n = moved(c, c->ssl ? SSL_write(c->ssl, c->out, (int)c->out_len) : send(c->fd, c->out, c->out_len, MSG_NOSIGNAL));

		if (!n)
			return;
		memmove(c->out, c->out + n, c->out_len - n);
		c->out_len -= n;
	}
}

static uint64_t connection_ask(struct load *l, struct connection *c, uint64_t budget, uint64_t start, uint64_t now)
{
	uint64_t asked = 0;

	/* What OpenSSL could not send must be offered again unchanged: nothing is added before that is gone. */
	if (c->out_len)
		connection_flush(c);
	if (c->out_len)
		return 0;
	for (; c->free_count && asked < budget; asked++) {
		uint16_t slot = c->free_slots[--c->free_count];
		size_t len = load_next(l, slot, c->out + c->out_len + 2);

		c->out[c->out_len] = (uint8_t)(len >> 8);
		c->out[c->out_len + 1] = (uint8_t)len;
		c->out_len += len + 2;
		c->since_ns[slot] = l->rate ? load_due_ns(l, start, l->sent) : now;
		l->sent++;
	}
	connection_flush(c);
	return asked;
}

static void connection_take(struct load *l, struct connection *c)
{
	uint64_t now = load_now_ns();
	size_t at = 0;

	while (c->in_len - at >= 2) {
		size_t len = (size_t)c->in[at] << 8 | c->in[at + 1];
		const uint8_t *message = c->in + at + 2;
		uint16_t slot;

		if (c->in_len - at < len + 2)
			break;
		at += len + 2;
		slot = len < 12 ? UINT16_MAX : (uint16_t)(message[0] << 8 | message[1]);
		if (slot >= l->window || !c->since_ns[slot])
			continue;
		load_count(l, message, len, now - c->since_ns[slot]);
		c->since_ns[slot] = 0;
		c->free_slots[c->free_count++] = slot;
	}
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
}

static void connection_read(struct load *l, struct connection *c)
{
	for (;;) {
		size_t room = IN_MAX - c->in_len;
		size_t n = moved(c, c->ssl ? SSL_read(c->ssl, c->in + c->in_len, (int)room) : recv(c->fd, c->in + c->in_len, room, 0));

		if (!n)
			return;
		c->in_len += n;
		connection_take(l, c);
	}
}

static SSL_CTX *tls_new(void)
{
	static const uint8_t alpn[] = "\3dot";
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	/* The certificate is one the bench made: it is not judged. */
	if (!tls || SSL_CTX_set_alpn_protos(tls, alpn, sizeof(alpn) - 1) != 0)
		errx(1, "no TLS context");
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return tls;
}

double blast_stream(struct load *l)
{
	SSL_CTX *tls = l->tls ? tls_new() : NULL;
	struct epoll_event events[EVENTS];
	uint64_t start, now, stop;
	uint32_t turn = 0;

	if (l->window > STREAM_WINDOW_MAX)
		errx(2, "at most %d in flight on a connection", STREAM_WINDOW_MAX);
	poller = epoll_create1(0);
	connections = calloc(l->clients, sizeof(*connections));
	if (poller < 0 || !connections)
		err(1, "connections");
	for (uint32_t i = 0; i < l->clients; i++)
		connection_open(l, tls, &connections[i]);
	start = now = load_now_ns();
	stop = start + (uint64_t)(l->seconds * 1e9);
	while (now < stop) {
		uint64_t allowed = load_allowed(l, start, now);
		int ready;

		for (uint32_t i = 0; i < l->clients && l->sent < allowed; i++, turn++) {
			struct connection *c = &connections[turn % l->clients];

			/* Paced queries go round the connections one by one. */
			connection_ask(l, c, l->rate ? 1 : UINT64_MAX, start, now);
		}
		ready = epoll_wait(poller, events, EVENTS, l->rate ? 0 : 10);
		for (int i = 0; i < ready; i++)
			connection_read(l, events[i].data.ptr);
		if (!ready && l->rate)
			sched_yield();
		now = load_now_ns();
	}
	for (uint32_t i = 0; i < l->clients; i++) {
		SSL_free(connections[i].ssl);
		close(connections[i].fd);
		free(connections[i].in);
	}
	free(connections);
	SSL_CTX_free(tls);
	close(poller);
	return (double)(now - start) / 1e9;
}
