/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames that come by an AF_XDP socket: read, and turned round into what the program in the kernel would have made of them (frame_kit.c knows). */
#include "base/err.h"
#include "frame_kit.h"
#include "xdp/echo.h"
#include "xdp/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t key[8] = "secret!!";

/* The same octets as the kernel's, whatever the family, the tag, the length. */
static void test_turned_as_the_kernel_does(void **state)
{
	static const char *const names[] = {".", "www.example.com", "odd.example.com", "WWW.eXample.COM"};
	uint8_t frame[KIT_FRAME_MAX], want[KIT_FRAME_MAX], lower[32];
	static struct kit_twin twin;

	(void)state;
	for (unsigned form = 0; form < 8; form++)
		for (size_t n = 0; n < ARRAY_LEN(names); n++)
			for (size_t tail = 11; tail < 1100; tail += tail < 40 ? 1 : 97) {
				struct kit_query q = {.name = names[n], .qtype = 1, .v6 = form & 1, .vlan = form & 2, .flags = {1, 0x10}, .bufsize = 1232};
				size_t len, want_len, got;
				struct xdp_question asked;
				struct kit_known *k = &twin.known[0];

				for (size_t i = 0; i <= strlen(names[n]); i++)
					lower[i] = (uint8_t)(names[n][i] >= 'A' && names[n][i] <= 'Z' ? names[n][i] + 32 : names[n][i]);
				*k = (struct kit_known){.edns = true};
				k->len = kit_answer((const char *)lower, 1, true, false, 0, tail, k->message);
				twin.count = 1;
				twin.leased = true;
				q.padding = form & 4 ? 3 : 0;
				len = kit_frame(&q, frame);
				assert_int_equal(kit_twin_run(&twin, frame, len, want, &want_len), KIT_TX);
				assert_int_equal(xdp_frame_open(frame, len, key, &asked), 0);
				assert_false(asked.probe);
				assert_int_equal(asked.port, 40000);
				assert_int_equal(asked.client.family, q.v6 ? 6 : 4);
				assert_memory_equal(asked.client.bytes, frame + (q.vlan ? 18 : 14) + (q.v6 ? 8 : 12), q.v6 ? 16 : 4);
				assert_int_equal(asked.len, len - asked.headers - q.padding);
				/* the engine repeats the id, the name as it was asked, RD and CD */
				memcpy(k->message, asked.message, 2);
				k->message[2] |= 1;
				k->message[3] |= 0x10;
				memcpy(k->message + 12, asked.message + 12, asked.len - 12 - 4 - 11);
				got = xdp_frame_turn(frame, &asked, k->message, k->len);
				assert_int_equal(got, asked.headers + k->len);
				assert_memory_equal(frame, want, got);
				assert_true(kit_checksums_right(frame, got));
			}
}

static void test_refused(void **state)
{
	static const struct {
		const char *name;
		bool v6, vlan;
		int at;
		uint8_t to;
	} cases[] = {
		{"other type", false, false, 12, 9}, {"two tags", false, true, 16, 0x81}, {"options", false, false, 14, 0x46},
		{"version", false, false, 14, 0x65}, {"more fragments", false, false, 20, 0x20}, {"offset", false, false, 21, 1},
		{"TCP", false, false, 23, 6}, {"longer than it is", false, false, 16, 9}, {"shorter than its header", false, false, 17, 19},
		{"UDP longer", false, false, 38, 9}, {"UDP shorter", false, false, 39, 12}, {"from port 0", false, false, -1, 0},
		{"version of IPv6", true, false, 14, 0x40}, {"hop-by-hop", true, false, 20, 0}, {"IPv6 longer", true, false, 18, 9},
		{"UDP longer, IPv6", true, false, 58, 9}, {"ICMP that is none of ours", false, false, 23, 1},
	};
	uint8_t frame[KIT_FRAME_MAX];
	struct xdp_question q;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct kit_query query = {.name = "www.example.com", .qtype = 1, .v6 = cases[i].v6, .vlan = cases[i].vlan};
		size_t len = kit_frame(&query, frame);

		assert_int_equal(xdp_frame_open(frame, len, key, &q), 0);
		if (cases[i].at < 0)
			memset(frame + 34, 0, 2);
		else
			frame[cases[i].at] = cases[i].to;
		if (xdp_frame_open(frame, len, key, &q) != ERR_MALFORMED)
			fail_msg("%s: taken", cases[i].name);
	}
}

/* However a frame is cut or damaged, what is taken lies within it. The copy is as long as the frame, so that a sanitizer sees more. */
static void test_within_the_frame(void **state)
{
	uint8_t icmp[XDP_ECHO_LEN], frame[KIT_FRAME_MAX];
	unsigned taken = 0;

	(void)state;
	srand(1);
	xdp_echo_build(&(struct xdp_echo){.state = XDP_PROBE_ASKED, .message = key, .len = 8}, key, false, icmp);
	for (unsigned round = 0; round < 40000; round++) {
		struct kit_query query = {.name = "www.example.com", .qtype = 1, .v6 = round & 1, .vlan = round & 2, .bufsize = 1232};
		size_t len = round & 4 ? kit_echo_reply(round & 1, round & 2, icmp, sizeof(icmp), frame) : kit_frame(&query, frame), cut = len;
		struct xdp_question q;
		uint8_t *copy;

		if (round & 8)
			cut = (size_t)rand() % (len + 1);
		copy = malloc(cut + !cut);
		assert_non_null(copy);
		memcpy(copy, frame, cut);
		for (unsigned k = 0; k < (round >> 4) % 4 && cut; k++)
			copy[(size_t)rand() % MIN(cut, (size_t)80)] = (uint8_t)rand();
		if (xdp_frame_open(copy, cut, key, &q) == 0) {
			taken++;
			assert_true(q.message >= copy && q.message + q.len <= copy + cut);
			assert_int_equal(q.headers, q.message - copy);
			assert_true(q.headers <= XDP_FRAME_HEADERS_MAX);
			if (q.probe)
				assert_true(q.headers + XDP_PROBE_ROOM <= cut);
		}
		free(copy);
	}
	assert_true(taken > 5000);
}

static void test_probe(void **state)
{
	static const uint8_t question[] = "question", answer[] = "an answer, longer than that", other[8] = "Secret!!";
	uint8_t icmp[XDP_ECHO_LEN], frame[KIT_FRAME_MAX];

	(void)state;
	for (unsigned form = 0; form < 4; form++) {
		const struct xdp_echo e = {.id = 300, .seq = 65535, .state = XDP_PROBE_ASKED, .kind = XDP_PROBE_OF_WORKER, .message = question,
		                           .len = sizeof(question)};
		size_t len, headers = (form & 2 ? 18U : 14U) + (form & 1 ? 40U : 20U);
		struct xdp_question q;
		struct xdp_echo got;

		xdp_echo_build(&e, key, form & 1, icmp);
		len = kit_echo_reply(form & 1, form & 2, icmp, sizeof(icmp), frame);
		assert_int_equal(xdp_frame_open(frame, len, other, &q), ERR_MALFORMED);
		assert_int_equal(xdp_frame_open(frame, len, key, &q), 0);
		assert_true(q.probe);
		assert_int_equal(q.len, sizeof(question));
		assert_memory_equal(q.message, question, sizeof(question));
		assert_int_equal(q.room, XDP_PROBE_ROOM);
		assert_int_equal(xdp_frame_turn(frame, &q, answer, sizeof(answer)), len);
		assert_true(kit_echo_right(frame, len));
		/* it is not taken a second time */
		frame[headers] = form & 1 ? 129 : 0;
		assert_int_equal(xdp_frame_open(frame, len, key, &q), ERR_MALFORMED);
		assert_int_equal(xdp_echo_read(frame + headers, len - headers, other, form & 1, &got), ERR_NOT_FOUND);
		assert_int_equal(xdp_echo_read(frame + headers, len - headers - 1, key, form & 1, &got), ERR_NOT_FOUND);
		assert_int_equal(xdp_echo_read(frame + headers, len - headers, key, !(form & 1), &got), ERR_NOT_FOUND);
		assert_int_equal(xdp_echo_read(frame + headers, len - headers, key, form & 1, &got), 0);
		assert_int_equal(got.state, XDP_PROBE_FROM_WORKER);
		assert_int_equal(got.kind, XDP_PROBE_OF_WORKER);
		assert_int_equal(got.id, 300);
		assert_int_equal(got.seq, 65535);
		assert_int_equal(got.len, sizeof(answer));
		assert_memory_equal(got.message, answer, sizeof(answer));
	}
}

/* RFC 1071 3. */
static void test_checksum(void **state)
{
	static const uint8_t octets[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	uint8_t long_one[4099];

	(void)state;
	assert_int_equal(xdp_checksum(xdp_sum(0, octets, sizeof(octets))), 0xffff & ~0xddf2);
	assert_int_equal(xdp_checksum(xdp_sum(xdp_sum(0, octets, 4), octets + 4, 4)), 0xffff & ~0xddf2);
	assert_int_equal(xdp_checksum(xdp_sum(0, octets, 3)), 0xffff & ~0xf201);
	memset(long_one, 0xff, sizeof(long_one));
	assert_int_equal(xdp_checksum(xdp_sum(0, long_one, 4096)), 0);
	assert_int_equal(xdp_checksum(xdp_sum(0, long_one, 4099)), 0xff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turned_as_the_kernel_does), cmocka_unit_test(test_refused), cmocka_unit_test(test_within_the_frame),
		cmocka_unit_test(test_probe), cmocka_unit_test(test_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
