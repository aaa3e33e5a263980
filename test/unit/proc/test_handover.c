/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests from one process to another: what is given arrives whole with its descriptor, what is none is thrown away, and a full pair keeps nobody waiting. */
#include "proc/handover.h"

#include "base/err.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct handover_packet packet;

static struct handover head_of(enum handover_kind kind, uint32_t len)
{
	struct handover h = {.kind = kind, .len = len};

	h.peer.ss_family = AF_INET6;
	return h;
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino;
}

static void test_whole(void **state)
{
	static const uint32_t lengths[] = {0, 1, 12, 512, 4096, 16386, HANDOVER_OCTETS_MAX};
	static uint8_t octets[HANDOVER_OCTETS_MAX + 1];
	int pair[2], given[2], fd = -1;

	(void)state;
	assert_int_equal(handover_pair(pair), 0);
	assert_int_equal(pipe(given), 0);
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 7);
	assert_int_equal(handover_receive(pair[1], &packet, &fd), 0);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct handover h = head_of(i & 1 ? HANDOVER_TCP : HANDOVER_UDP, lengths[i]);

		h.local = (struct ip_addr){.family = 4, .bytes = {1, 2, 3, 4}};
		assert_int_equal(handover_send(pair[0], &h, octets, given[0]), 0);
		assert_int_equal(handover_receive(pair[1], &packet, &fd), 1);
		assert_int_equal(packet.head.kind, h.kind);
		assert_int_equal(packet.head.len, lengths[i]);
		assert_true(packet.head.at_ns > 0);
		assert_memory_equal(packet.octets, octets, lengths[i]);
		assert_true(addr_equal(&packet.head.local, &h.local));
		assert_true(fd != given[0] && same_file(fd, given[0]));
		close(fd);
	}
	{
		struct handover h = head_of(HANDOVER_TCP, HANDOVER_OCTETS_MAX + 1);

		assert_int_equal(handover_send(pair[0], &h, octets, given[0]), ERR_LIMIT);
	}
	assert_int_equal(handover_receive(pair[1], &packet, &fd), 0);
	close(pair[0]);
	assert_int_equal(handover_receive(pair[1], &packet, &fd), ERR_CLOSED);
	close(pair[1]);
	close(given[0]);
	close(given[1]);
}

/* Until the receiver takes something, and never longer than a call. */
static void test_full(void **state)
{
	uint8_t octets[64] = {0};
	int pair[2], given[2], fd;
	unsigned sent = 0, got = 0;
	int err = 0;

	(void)state;
	assert_int_equal(handover_pair(pair), 0);
	assert_int_equal(pipe(given), 0);
	while (sent < 100000 && !err) {
		struct handover h = head_of(HANDOVER_UDP, sizeof(octets));

		err = handover_send(pair[0], &h, octets, given[0]);
		sent += !err;
	}
	assert_true(err == -EAGAIN || err == -ETOOMANYREFS);
	assert_in_range(sent, 20, 2000);
	while (handover_receive(pair[1], &packet, &fd) == 1) {
		close(fd);
		got++;
	}
	assert_int_equal(got, sent);
	{
		struct handover h = head_of(HANDOVER_UDP, sizeof(octets));

		assert_int_equal(handover_send(pair[0], &h, octets, given[0]), 0);
	}
	close(pair[0]);
	close(pair[1]);
	close(given[0]);
	close(given[1]);
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fd < 256 && lseek(fd, 0, SEEK_CUR) != -1 ? 1 : errno != EBADF;
	return n;
}

/* Packets that this program does not send: refused, and their descriptors closed. */
static void test_malformed(void **state)
{
	int pair[2], given[2], fd = -2;
	struct handover good = head_of(HANDOVER_TCP, 4);
	uint8_t bytes[sizeof(good) + 8] = {0};
	unsigned before;

	(void)state;
	assert_int_equal(handover_pair(pair), 0);
	assert_int_equal(pipe(given), 0);
	assert_int_equal(handover_send(pair[0], &good, bytes, given[0]), 0);
	assert_int_equal(handover_receive(pair[1], &packet, &fd), 1);
	close(fd);
	good = packet.head;
	before = open_descriptors();
	for (unsigned i = 0; i < 7; i++) {
		struct handover h = good;
		size_t len = sizeof(h) + 4;
		_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
		struct iovec iov = {bytes, 0};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

		h.magic ^= i == 0;
		h.kind = i == 1 ? 9 : h.kind;
		h.len = i == 2 ? 3 : i == 3 ? UINT32_MAX : h.len;
		h.peer.ss_family = i == 4 ? AF_UNIX : h.peer.ss_family;
		len = i == 5 ? sizeof(h) - 1 : len;
		memcpy(bytes, &h, sizeof(h));
		iov.iov_len = len;
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &given[0], sizeof(int));
		if (i == 6)
			msg.msg_control = NULL, msg.msg_controllen = 0; /* no descriptor */
		assert_true(sendmsg(pair[0], &msg, 0) > 0);
		fd = -2;
		assert_int_equal(handover_receive(pair[1], &packet, &fd), ERR_MALFORMED);
		assert_int_equal(fd, -2);
		assert_int_equal(open_descriptors(), before);
	}
	close(pair[0]);
	close(pair[1]);
	close(given[0]);
	close(given[1]);
}

/* An answer leaves from where the question came to, also on a wildcard address. */
static void test_answer(void **state)
{
	static const struct {
		const char *server, *any;
	} rows[] = {{"127.0.0.7", "0.0.0.0"}, {"::1", "::"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct endpoint client_at = {.port = 0}, server_at = {.port = 0}, from;
		struct sockaddr_storage sa;
		struct handover h = {.kind = HANDOVER_UDP};
		socklen_t len;
		char got[8];
		int family = i ? AF_INET6 : AF_INET;
		int client = socket(family, SOCK_DGRAM, 0), server = socket(family, SOCK_DGRAM, 0);

		assert_int_equal(addr_parse(i ? "::1" : "127.0.0.1", &client_at.addr), 0);
		assert_int_equal(addr_parse(rows[i].any, &server_at.addr), 0);
		assert_int_equal(addr_parse(rows[i].server, &h.local), 0);
		assert_int_equal(bind(client, (struct sockaddr *)&sa, endpoint_to_sockaddr(&client_at, &sa)), 0);
		assert_int_equal(bind(server, (struct sockaddr *)&sa, endpoint_to_sockaddr(&server_at, &sa)), 0);
		len = sizeof(h.peer);
		assert_int_equal(getsockname(client, (struct sockaddr *)&h.peer, &len), 0);
		assert_int_equal(handover_answer(&h, server, (const uint8_t *)"answer", 6), 0);
		len = sizeof(sa);
		assert_int_equal(recvfrom(client, got, sizeof(got), 0, (struct sockaddr *)&sa, &len), 6);
		assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&sa, &from), 0);
		assert_true(addr_equal(&from.addr, &h.local));
		close(client);
		close(server);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
