/* SPDX-License-Identifier: BSD-2-Clause */
/* Asks without pause for the A record of a name whose last octet is the version of its zone, and looks that nobody gets an old version after
 * anybody had a new one:
 *
 *     freshness ADDRESS PORT NAME ANSWERS SECONDS
 *
 * A question remembers the newest version that had been seen when it was sent; its answer must not be older. Every other question carries a
 * cookie option, so that it goes another way than through an answer cache. Ends after so many answers, or seconds. Prints JSON. */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SOCKETS = 8, WINDOW = 24, SLOTS = SOCKETS * WINDOW, BATCH = 32, LOST_NS = 300000000, MESSAGE_MAX = 512 };

struct slot {
	uint64_t sent_ns; /* 0: free */
	uint8_t newest;   /* when it was sent */
};

static struct slot slots[SLOTS];
static int fds[SOCKETS];
static uint8_t query[2][MESSAGE_MAX];
static size_t query_len[2], question_end;
static uint8_t newest;
static uint64_t answers, lost, late, stale, other, versions;
static uint64_t by_way[2];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void build(const char *name)
{
	static const uint8_t tail[] = {0, 0, 1, 0, 1}, opt[] = {0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8};
	size_t n = 12;

	while (*name && strcmp(name, ".") != 0) {
		size_t len = strcspn(name, ".");

		query[0][n++] = (uint8_t)len;
		memcpy(query[0] + n, name, len);
		n += len;
		name += len + (name[len] == '.');
	}
	memcpy(query[0] + n, tail, sizeof(tail));
	query[0][5] = 1;
	question_end = query_len[0] = n + sizeof(tail);
	memcpy(query[1], query[0], question_end);
	query[1][11] = 1;
	memcpy(query[1] + question_end, opt, sizeof(opt));
	query_len[1] = question_end + sizeof(opt);
}

static int open_socket(const char *address, int port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	int is4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1, fd;

	if (!is4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
		errx(2, "%s: no address", address);
	fd = socket(is4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
	if (fd < 0 || connect(fd, is4 ? (void *)&v4 : (void *)&v6, is4 ? sizeof(v4) : sizeof(v6)) < 0)
		err(1, "%s", address);
	return fd;
}

static unsigned send_some(unsigned s, uint64_t now)
{
	static uint8_t octets[BATCH][MESSAGE_MAX];
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	unsigned place[BATCH], n = 0;
	int sent;

	memset(m, 0, sizeof(m));
	for (unsigned i = s * WINDOW; i < (s + 1) * WINDOW && n < BATCH; i++) {
		unsigned way = i & 1;

		if (slots[i].sent_ns)
			continue;
		memcpy(octets[n], query[way], query_len[way]);
		octets[n][0] = (uint8_t)(i >> 8);
		octets[n][1] = (uint8_t)i;
		iov[n] = (struct iovec){octets[n], query_len[way]};
		m[n].msg_hdr.msg_iov = &iov[n];
		m[n].msg_hdr.msg_iovlen = 1;
		place[n++] = i;
	}
	/* Remembered before they are sent. */
	for (unsigned i = 0; i < n; i++)
		slots[place[i]] = (struct slot){now, newest};
	sent = n ? sendmmsg(fds[s], m, n, MSG_DONTWAIT) : 0;
	for (unsigned i = sent > 0 ? (unsigned)sent : 0; i < n; i++)
		slots[place[i]].sent_ns = 0;
	return sent > 0 ? (unsigned)sent : 0;
}

static void take(const uint8_t *m, size_t len)
{
	unsigned i = (unsigned)(m[0] << 8 | m[1]);
	uint8_t version;

	if (i >= SLOTS || !slots[i].sent_ns) {
		late++;
		return;
	}
	if (len < question_end + 16 || (m[3] & 15) || m[6] || m[7] != 1) {
		other++;
	} else {
		version = m[question_end + 15];
		stale += version < slots[i].newest;
		if (version > newest) {
			newest = version;
			versions++;
		}
		answers++;
		by_way[i & 1]++;
	}
	slots[i].sent_ns = 0;
}

static unsigned receive(unsigned s)
{
	static uint8_t octets[BATCH][MESSAGE_MAX];
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	int n;

	memset(m, 0, sizeof(m));
	for (unsigned i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){octets[i], MESSAGE_MAX};
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(fds[s], m, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		if (m[i].msg_len >= 12)
			take(octets[i], m[i].msg_len);
	return n > 0 ? (unsigned)n : 0;
}

int main(int argc, char **argv)
{
	uint64_t goal, start, now, stop, swept;

	if (argc != 6)
		errx(2, "usage: freshness ADDRESS PORT NAME ANSWERS SECONDS");
	build(argv[3]);
	goal = strtoull(argv[4], NULL, 10);
	for (unsigned s = 0; s < SOCKETS; s++)
		fds[s] = open_socket(argv[1], atoi(argv[2]));
	start = now = swept = now_ns();
	stop = start + strtoull(argv[5], NULL, 10) * 1000000000U;
	while (answers < goal && now < stop) {
		unsigned moved = 0;

		for (unsigned s = 0; s < SOCKETS; s++) {
			moved += receive(s);
			moved += send_some(s, now);
		}
		if (!moved)
			nanosleep(&(struct timespec){.tv_nsec = 5000}, NULL);
		now = now_ns();
		if (now - swept < LOST_NS / 4)
			continue;
		swept = now;
		for (unsigned i = 0; i < SLOTS; i++)
			if (slots[i].sent_ns && now - slots[i].sent_ns > LOST_NS) {
				slots[i].sent_ns = 0;
				lost++;
			}
	}
	printf("{\"answers\": %llu, \"plain\": %llu, \"cookie\": %llu, \"stale\": %llu, \"other\": %llu, \"lost\": %llu, \"late\": %llu, "
	       "\"versions\": %llu, \"seconds\": %.2f}\n", (unsigned long long)answers, (unsigned long long)by_way[0], (unsigned long long)by_way[1],
	       (unsigned long long)stale, (unsigned long long)other, (unsigned long long)lost, (unsigned long long)late,
	       (unsigned long long)versions, (double)(now - start) / 1e9);
	return 0;
}
