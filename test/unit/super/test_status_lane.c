/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's sorting of datagrams among the sockets of a management address: by a group of real sockets on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "dns/message.h"
#include "fleet/message.h"
#include "super/status_lane.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WORKERS = 3, GROUP = WORKERS + 1 };

struct bed {
	int group[GROUP], client;
};

static const uint8_t root[1] = {0};

static int setup(void **state)
{
	static struct bed b;
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	socklen_t len = sizeof(at);
	int one = 1;

	for (int i = 0; i < GROUP; i++) {
		b.group[i] = socket(AF_INET6, SOCK_DGRAM, 0);
		if (setsockopt(b.group[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0 ||
		    bind(b.group[i], (struct sockaddr *)&at, sizeof(at)) < 0 ||
		    getsockname(b.group[i], (struct sockaddr *)&at, &len) < 0)
			return -1;
	}
	b.client = socket(AF_INET6, SOCK_DGRAM, 0);
	*state = &b;
	return lane_attach(b.group[0], WORKERS) < 0 || connect(b.client, (struct sockaddr *)&at, sizeof(at)) < 0 ? -1
	                                                                                                         : 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	for (int i = 0; i < GROUP; i++)
		close(b->group[i]);
	close(b->client);
	return 0;
}

/* The socket that gets it. */
static int meets(const struct bed *b, const uint8_t *octets, size_t len)
{
	struct pollfd fds[GROUP];
	uint8_t buf[2048];

	for (int i = 0; i < GROUP; i++)
		fds[i] = (struct pollfd){.fd = b->group[i], .events = POLLIN};
	assert_int_equal(send(b->client, octets, len, 0), len);
	assert_int_equal(poll(fds, GROUP, 10000), 1);
	for (int i = 0; i < GROUP; i++)
		if (fds[i].revents) {
			assert_int_equal(recv(b->group[i], buf, sizeof(buf), 0), len);
			return i;
		}
	return -1;
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		uint16_t type, rclass;
		bool status;
	} rows[] = {
		{"fra.status.zonecast.", RR_TXT, CLASS_CH, true},
		{"f.status.zonecast.", RR_TXT, CLASS_CH, true},
		{"global.fra.status.zonecast.", RR_TXT, CLASS_CH, true},
		{"g.f.status.zonecast.", RR_TXT, CLASS_CH, true},
		{"aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb123."
	         "aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb123.status.zonecast.",
	         RR_TXT, CLASS_CH, true},
		{"status.zonecast.", RR_TXT, CLASS_CH, false},
		{"tree-3a7.global.fra.status.zonecast.", RR_TXT, CLASS_CH, true},
		{"t.g.f.status.zonecast.", RR_TXT, CLASS_CH, true},
		{"t.g.f.status.zonecast.", RR_TXT, CLASS_IN, false},
		{"a.b.c.d.status.zonecast.", RR_TXT, CLASS_CH, false},
		{"fra.Status.zonecast.", RR_TXT, CLASS_CH, false},
		{"fra.status.zonecast.", RR_TXT, CLASS_IN, false},
		{"fra.status.zonecast.", RR_SOA, CLASS_CH, false},
		{"fra.status.zonecasu.", RR_TXT, CLASS_CH, false},
		{"fra.status.zonecast.example.", RR_TXT, CLASS_CH, false},
		{"id.server.", RR_TXT, CLASS_CH, false},
		{"www.example.", RR_A, CLASS_IN, false},
		{"a.very.long.name.with.many.labels.below.status.zonecast.example.", RR_A, CLASS_IN, false},
		{".", RR_SOA, CLASS_IN, false},
		{"a.", RR_SOA, CLASS_IN, false},
		{"aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb123.", RR_SOA, CLASS_IN, false},
	};
	const struct bed *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t buf[512];
		struct name name;

		print_message("%s\n", rows[i].name);
		assert_int_equal(name_from_text(rows[i].name, strlen(rows[i].name), root, &name), 0);
		for (int edns = 0; edns < 2; edns++) {
			int len = message_build_query(buf, sizeof(buf), 7, name.wire, rows[i].type, rows[i].rclass,
			                              edns ? 1232 : 0, false, false);

			assert_true(len > 0);
			assert_int_equal(meets(b, buf, (size_t)len) == 0, rows[i].status);
			buf[2] |= 0x80; /* an answer is none */
			assert_int_not_equal(meets(b, buf, (size_t)len), 0);
			buf[2] &= 0x7f;
			buf[5] = 2; /* two questions are none */
			assert_int_not_equal(meets(b, buf, (size_t)len), 0);
		}
	}
}

/* Whatever is cut off, and where any octet is another: it is a worker's, or still such a question. */
static void test_any_octets(void **state)
{
	const struct bed *b = *state;
	const struct fleet_question q = {.node = "fra", .network = "global"};
	uint8_t buf[512], bad[512];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t question;

	fleet_question_write(&q, 7, NULL, 0, 0, 0, &w);
	question = w.pos - 11;
	assert_int_equal(meets(b, buf, w.pos), 0);
	for (size_t len = 0; len < question; len++)
		assert_int_not_equal(meets(b, buf, len), 0);
	for (size_t i = 0; i < question; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct query parsed;

			memcpy(bad, buf, w.pos);
			bad[i] ^= (uint8_t)(1U << bit);
			if (meets(b, bad, w.pos) == 0)
				assert_true(query_parse(bad, w.pos, &parsed) != QUERY_OK || fleet_question_is(&parsed));
		}
	/* Lengths of labels that lead nowhere. */
	for (unsigned l = 0; l < 256; l++) {
		memset(bad, (int)l, sizeof(bad));
		memcpy(bad, buf, 12);
		for (size_t len = 12; len < 300; len += 7)
			assert_int_not_equal(meets(b, bad, len), 0);
	}
}

/* All workers get their share of the rest. */
static void test_share(void **state)
{
	const struct bed *b = *state;
	const struct name name = {.len = 5, .wire = "\3www"};
	unsigned got[GROUP] = {0};
	uint8_t buf[64];
	int len = message_build_query(buf, sizeof(buf), 7, name.wire, RR_A, CLASS_IN, 0, false, false);

	for (int i = 0; i < 3000; i++)
		got[meets(b, buf, (size_t)len)]++;
	assert_int_equal(got[0], 0);
	for (int i = 1; i < GROUP; i++)
		assert_true(got[i] > 800 && got[i] < 1200);
}

int main(void)
{
	struct sock_filter program[LANE_PROGRAM_MAX];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_octets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_share, setup, teardown),
	};

	if (lane_program(256, program) > LANE_PROGRAM_MAX)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
