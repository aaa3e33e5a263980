/* SPDX-License-Identifier: BSD-2-Clause */
/* A generator of queries that costs less a query than the servers it measures.
 *
 *     blast [-t SECONDS] [-c CLIENTS] [-w WINDOW] [-r RATE [-n]] [-o SKIP] [-D] [-x] [-T | -S] ADDRESS PORT QUESTIONS
 *
 * Without -r it keeps WINDOW queries in flight on each of CLIENTS sockets: the server is always asked as much as it can answer and never
 * much more, for what a server drops costs it time that no answer is there to carry. With -r it sends so many a second, evenly; latency
 * then runs from when the query was due, so a server (or a generator) that stalls does not hide the queries that waited behind it.
 *
 * With -n it sleeps between, and has to be woken: for few questions, and at a priority that nobody else has; else it measures its sleep.
 *
 * -T TCP, -S TLS, on connections that stay open; -D EDNS with DO; -x each query gets a first label of its own; -o the questions to skip.
 * Over UDP a query that has no answer after LOST_MS is lost. Prints one line of JSON.
 *
 * An answer counts when its id is that of a query in flight; what it says is not looked at but for the RCODE. */
#include "load.h"

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, ANSWER_MAX = 4096, LOST_MS = 500, BUFFER_SIZE = 4 << 20, IDLE_NS = 5000 };

struct client {
	int fd;
	uint32_t free_count;
	uint16_t free_slots[WINDOW_MAX];
	uint64_t since_ns[WINDOW_MAX]; /* 0: the slot is free */
};

static struct client clients[CLIENTS_MAX];

static int udp_connect(const struct load *l)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(l->port))};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(l->port))};
	bool is4 = inet_pton(AF_INET, l->address, &v4.sin_addr) == 1;
	int size = BUFFER_SIZE, fd;

	if (!is4 && inet_pton(AF_INET6, l->address, &v6.sin6_addr) != 1)
		errx(2, "%s: no address", l->address);
	fd = socket(is4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
	if (fd < 0 || connect(fd, is4 ? (void *)&v4 : (void *)&v6, is4 ? sizeof(v4) : sizeof(v6)) < 0)
		err(1, "%s", l->address);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

static uint32_t udp_send(struct load *l, struct client *c, uint32_t budget, uint64_t start, uint64_t now)
{
	static uint8_t data[BATCH][QUESTION_MAX];
	struct mmsghdr messages[BATCH];
	struct iovec iov[BATCH];
	uint32_t count = c->free_count < budget ? c->free_count : budget;
	int n;

	if (count > BATCH)
		count = BATCH;
	if (!count)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		iov[i] = (struct iovec){data[i], load_next(l, c->free_slots[c->free_count - 1 - i], data[i])};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	n = sendmmsg(c->fd, messages, count, MSG_DONTWAIT);
	for (int i = 0; i < n; i++)
		c->since_ns[c->free_slots[--c->free_count]] = l->rate ? load_due_ns(l, start, l->sent + (uint64_t)i) : now;
	l->sent += n > 0 ? (uint64_t)n : 0;
	return n > 0 ? (uint32_t)n : 0;
}

static uint32_t udp_receive(struct load *l, struct client *c)
{
	static uint8_t data[BATCH][ANSWER_MAX];
	static struct iovec iov[BATCH];
	static struct mmsghdr messages[BATCH];
	uint64_t now;
	int n;

	if (!iov[0].iov_base)
		for (int i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){data[i], ANSWER_MAX};
			messages[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
		}
	n = recvmmsg(c->fd, messages, BATCH, MSG_DONTWAIT, NULL);
	now = n > 0 ? load_now_ns() : 0;
	for (int i = 0; i < n; i++) {
		uint16_t slot = (uint16_t)(data[i][0] << 8 | data[i][1]);

		if (messages[i].msg_len < 12 || slot >= WINDOW_MAX || !c->since_ns[slot] || !(data[i][2] & 0x80))
			continue;
		load_count(l, data[i], messages[i].msg_len, now - c->since_ns[slot]);
		c->since_ns[slot] = 0;
		c->free_slots[c->free_count++] = slot;
	}
	return n > 0 ? (uint32_t)n : 0;
}

static void udp_expire(struct load *l, struct client *c, uint64_t before_ns)
{
	for (uint16_t slot = 0; slot < l->window; slot++)
		if (c->since_ns[slot] && c->since_ns[slot] < before_ns) {
			c->since_ns[slot] = 0;
			c->free_slots[c->free_count++] = slot;
			l->lost++;
		}
}

static void sleep_until_due(const struct load *l, uint64_t start)
{
	struct pollfd ready[CLIENTS_MAX];
	uint64_t due = load_due_ns(l, start, l->sent + 1), now = load_now_ns();
	struct timespec wait = {.tv_nsec = due > now ? (long)(due - now < 999999999 ? due - now : 999999999) : 0};

	for (uint32_t i = 0; i < l->clients; i++)
		ready[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
	(void)ppoll(ready, l->clients, &wait, NULL);
}

double blast_udp(struct load *l)
{
	uint64_t start, now, stop, swept;

	for (uint32_t i = 0; i < l->clients; i++) {
		clients[i].fd = udp_connect(l);
		for (uint16_t slot = 0; slot < l->window; slot++)
			clients[i].free_slots[clients[i].free_count++] = slot;
	}
	start = now = swept = load_now_ns();
	stop = start + (uint64_t)(l->seconds * 1e9);
	while (now < stop) {
		uint64_t allowed = load_allowed(l, start, now);
		uint32_t moved = 0;

		for (uint32_t i = 0; i < l->clients; i++) {
			uint64_t budget;

			moved += udp_receive(l, &clients[i]);
			budget = allowed > l->sent ? allowed - l->sent : 0;
			moved += udp_send(l, &clients[i], budget < BATCH ? (uint32_t)budget : BATCH, start, now);
		}
		/* The CPU is also the receive thread's, where there is one. A paced generator that slept would measure its sleep. */
		if (!moved && l->sleeps)
			sleep_until_due(l, start);
		else if (!moved && l->rate)
			sched_yield();
		else if (!moved)
			nanosleep(&(struct timespec){.tv_nsec = IDLE_NS}, NULL);
		now = load_now_ns();
		if (now - swept > 20000000) {
			swept = now;
			for (uint32_t i = 0; i < l->clients; i++)
				udp_expire(l, &clients[i], now - LOST_MS * 1000000ULL);
		}
	}
	now = load_now_ns();
	usleep(50000);
	for (uint32_t i = 0; i < l->clients; i++) {
		while (udp_receive(l, &clients[i]))
			;
		udp_expire(l, &clients[i], UINT64_MAX);
		close(clients[i].fd);
	}
	return (double)(now - start) / 1e9;
}

int main(int argc, char **argv)
{
	static struct load l = {.seconds = 4, .clients = 8, .window = 30};
	bool dnssec = false, tcp = false;
	size_t skip = 0;
	double took;
	int opt;

	while ((opt = getopt(argc, argv, "t:c:w:r:no:DxTS")) != -1) {
		switch (opt) {
		case 't': l.seconds = atof(optarg); break;
		case 'c': l.clients = (uint32_t)atoi(optarg); break;
		case 'w': l.window = (uint32_t)atoi(optarg); break;
		case 'r': l.rate = strtoull(optarg, NULL, 10); break;
		case 'n': l.sleeps = true; break;
		case 'o': skip = strtoull(optarg, NULL, 10); break;
		case 'D': dnssec = true; break;
		case 'x': l.fresh = true; break;
		case 'S': l.tls = true; __attribute__((fallthrough));
		case 'T': tcp = true; break;
		default: return 2;
		}
	}
	if (argc - optind != 3 || l.clients < 1 || l.clients > CLIENTS_MAX || l.window < 1 || l.window > WINDOW_MAX)
		errx(2, "usage: blast [-t SECONDS] [-c CLIENTS] [-w WINDOW] [-r RATE [-n]] [-o SKIP] [-D] [-x] [-T | -S] ADDRESS PORT QUESTIONS");
	l.address = argv[optind];
	l.port = argv[optind + 1];
	load_questions(&l, argv[optind + 2], dnssec);
	l.next = skip % l.count;
	took = tcp ? blast_stream(&l) : blast_udp(&l);
	load_print(&l, took);
	return 0;
}
