/* SPDX-License-Identifier: BSD-2-Clause */
/* A TCP forwarder from the host into namespaces. A cable between the two would do as well, but would give the host addresses, routes and a device that were not there; this gives
 * it a port of 127.0.0.1. One thread, one poll(); each way of a connection has one buffer, and is read only when that is empty, so a slow reader holds up nobody but its own
 * connection. What is beyond FORWARD_CONNECTIONS_MAX waits in the backlog. */
#include "lab/forward.h"

#include "base/addr.h"
#include "base/attr.h"
#include "lab/lab.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 16384, RULE_WORDS = 3, POLLS_MAX = FORWARD_RULES_MAX + 2 * FORWARD_CONNECTIONS_MAX };

struct rule {
	int fd;
	uint16_t port; /* that it has got */
	const char *netns;
	struct endpoint to;
};

struct way {
	int from, to;
	bool ended; /* nothing more comes; passed on when all has been written */
	bool shut;
	size_t at, len;
	char bytes[BUFFER];
};

struct connection {
	bool used, connecting;
	struct way way[2]; /* client to node, node to client */
};

static struct connection connections[FORWARD_CONNECTIONS_MAX];
static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static int listen_at(uint16_t port, uint16_t *got)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
	                         .sin_port = htons(port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0) {
		close(fd);
		return -1;
	}
	*got = ntohs(sa.sin_port);
	return fd;
}

/* The port wanted, or any. */
static bool open_rule(struct rule *r, uint16_t port)
{
	r->fd = listen_at(port, &r->port);
	if (r->fd < 0)
		r->fd = listen_at(0, &r->port);
	return r->fd >= 0;
}

static void end(struct connection *c)
{
	close(c->way[0].from);
	close(c->way[0].to);
	c->used = false;
}

static void take(const struct rule *r)
{
	struct connection *c = NULL;
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(&r->to, &sa);
	int client, node = -1;

	for (size_t i = 0; i < ARRAY_LEN(connections) && !c; i++)
		c = connections[i].used ? NULL : &connections[i];
	if (!c)
		return;
	client = accept4(r->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (client < 0)
		return;
	if (lab_socket_in(r->netns, sa.ss_family, SOCK_STREAM, &node) < 0 ||
	    (connect(node, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS)) {
		if (node >= 0)
			close(node);
		close(client);
		return;
	}
	c->used = c->connecting = true;
	for (int i = 0; i < 2; i++) {
		struct way *w = &c->way[i];

		w->from = i ? node : client;
		w->to = i ? client : node;
		w->ended = w->shut = false;
		w->at = w->len = 0;
	}
}

/* False: the connection is broken. */
static bool move(struct way *w)
{
	ssize_t n;

	if (!w->len && !w->ended) {
		n = recv(w->from, w->bytes, sizeof(w->bytes), MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		w->ended = n == 0;
		w->at = 0;
		w->len = (size_t)n;
	}
	while (w->len) {
		n = send(w->to, w->bytes + w->at, w->len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		w->at += (size_t)n;
		w->len -= (size_t)n;
	}
	if (w->ended && !w->shut) {
		w->shut = true;
		shutdown(w->to, SHUT_WR);
	}
	return true;
}

static short events_of(const struct connection *c, int fd)
{
	short events = 0;

	if (c->connecting)
		return fd == c->way[0].to ? POLLOUT : 0;
	for (int i = 0; i < 2; i++) {
		if (c->way[i].from == fd && !c->way[i].len && !c->way[i].ended)
			events |= POLLIN;
		if (c->way[i].to == fd && c->way[i].len)
			events |= POLLOUT;
	}
	return events;
}

static void serve(struct connection *c)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (c->connecting) {
		c->connecting = false;
		if (getsockopt(c->way[0].to, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err) {
			end(c);
			return;
		}
	}
	if (!move(&c->way[0]) || !move(&c->way[1]) || (c->way[0].shut && c->way[1].shut))
		end(c);
}

static void turn(const struct rule *rules, size_t count)
{
	struct pollfd p[POLLS_MAX];
	struct connection *who[POLLS_MAX];
	size_t n = 0, used = 0;

	for (size_t i = 0; i < ARRAY_LEN(connections); i++)
		used += connections[i].used;
	for (size_t i = 0; i < count; i++, n++) {
		p[n] = (struct pollfd){.fd = used < ARRAY_LEN(connections) ? rules[i].fd : -1, .events = POLLIN};
		who[n] = NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(connections); i++) {
		struct connection *c = &connections[i];

		for (int k = 0; c->used && k < 2; k++, n++) {
			short events = events_of(c, c->way[k].from);

			/* A side of which nothing is wanted would wake us by its end all the time. */
			p[n] = (struct pollfd){.fd = events ? c->way[k].from : -1, .events = events};
			who[n] = c;
		}
	}
	if (poll(p, n, -1) <= 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (p[i].revents && !who[i])
			take(&rules[i]);
		else if (p[i].revents && who[i]->used)
			serve(who[i]);
	}
}

/* Whole or not at all: somebody waits for it. */
static bool tell(const char *path, const struct rule *rules, size_t count)
{
	char made[LAB_PATH_MAX + 64];
	FILE *f;

	snprintf(made, sizeof(made), "%.*s.new", LAB_PATH_MAX + 50, path);
	f = fopen(made, "we");
	if (!f)
		return false;
	for (size_t i = 0; i < count; i++)
		fprintf(f, "127.0.0.1:%u\n", rules[i].port);
	return fclose(f) == 0 && rename(made, path) == 0;
}

int lab_forward_main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct rule rules[FORWARD_RULES_MAX] = {0};
	size_t count = argc > 1 ? (size_t)(argc - 1) / RULE_WORDS : 0;

	if (!count || count > ARRAY_LEN(rules) || (argc - 1) % RULE_WORDS)
		return 2;
	for (size_t i = 0; i < count; i++) {
		char **words = argv + 1 + i * RULE_WORDS;

		rules[i].netns = words[1];
		if (endpoint_parse(words[2], 0, &rules[i].to) < 0 ||
		    !open_rule(&rules[i], (uint16_t)strtoul(words[0], NULL, 10))) {
			fprintf(stderr, "lab-forward: %s to %s: %s\n", words[0], words[2], strerror(errno));
			return 1;
		}
	}
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	if (!tell(argv[0], rules, count))
		return 1;
	while (!stop)
		turn(rules, count);
	return 0;
}
