/* SPDX-License-Identifier: BSD-2-Clause */
#include "bfd/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* As BIRD 2.0.12 sent it: Up, Poll, x 5, 50 ms, rx 10 ms. */
static const uint8_t good[BFD_PACKET_LEN] = {0x20, 0xe0, 5,    24,   0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
                                             0,    0,    0xc3, 0x50, 0,    0,    0x27, 0x10, 0,    0,    0,    0};

static void test_read(void **state)
{
	struct bfd_packet p;

	(void)state;
	assert_int_equal(bfd_packet_read(good, sizeof(good), &p), BFD_FINE);
	assert_int_equal(p.state, BFD_UP);
	assert_true(p.poll && !p.final && !p.control_independent && !p.auth && !p.demand && !p.multipoint);
	assert_int_equal(p.diag, BFD_DIAG_NONE);
	assert_int_equal(p.multiplier, 5);
	assert_int_equal(p.my_discriminator, 0x11223344);
	assert_int_equal(p.your_discriminator, 0x55667788);
	assert_int_equal(p.desired_tx_us, 50000);
	assert_int_equal(p.required_rx_us, 10000);
	assert_int_equal(p.required_echo_us, 0);
}

static void test_write_is_what_was_read(void **state)
{
	uint8_t out[BFD_PACKET_LEN];
	struct bfd_packet p;

	(void)state;
	assert_int_equal(bfd_packet_read(good, sizeof(good), &p), BFD_FINE);
	bfd_packet_write(&p, out);
	assert_memory_equal(out, good, sizeof(good));
	p = (struct bfd_packet){.diag = BFD_DIAG_PATH_DOWN,
	                        .state = BFD_DOWN,
	                        .final = true,
	                        .control_independent = true,
	                        .demand = true,
	                        .multiplier = 255,
	                        .my_discriminator = UINT32_MAX,
	                        .desired_tx_us = UINT32_MAX,
	                        .required_rx_us = 1,
	                        .required_echo_us = 50000};
	bfd_packet_write(&p, out);
	assert_int_equal(out[0], 0x25);
	assert_int_equal(out[1], 0x5a);
	assert_int_equal(bfd_packet_read(out, sizeof(out), &p), BFD_FINE);
	assert_true(p.final && p.control_independent && p.demand && !p.poll);
	assert_int_equal(p.diag, BFD_DIAG_PATH_DOWN);
	assert_int_equal(p.desired_tx_us, UINT32_MAX);
	assert_int_equal(p.required_echo_us, 50000);
}

static const struct {
	const char *name;
	size_t at; /* octet changed */
	uint8_t to;
	size_t len; /* of the datagram */
	enum bfd_verdict verdict;
} cases[] = {
	{"as it is", 0, 0x20, 24, BFD_FINE},
	{"octets behind it are ignored", 0, 0x20, 60, BFD_FINE},
	{"nothing", 0, 0x20, 0, BFD_BAD_LENGTH},
	{"an octet short", 0, 0x20, 23, BFD_BAD_LENGTH},
	{"says it is shorter than it can be", 3, 23, 24, BFD_BAD_LENGTH},
	{"says nothing", 3, 0, 24, BFD_BAD_LENGTH},
	{"says more than came", 3, 25, 24, BFD_BAD_LENGTH},
	{"says as much as came", 3, 60, 60, BFD_FINE},
	{"version 0", 0, 0x00, 24, BFD_BAD_VERSION},
	{"version 2", 0, 0x40, 24, BFD_BAD_VERSION},
	{"version 7", 0, 0xe0, 24, BFD_BAD_VERSION},
	{"any diagnostic", 0, 0x3f, 24, BFD_FINE},
	{"multiplier 0", 2, 0, 24, BFD_BAD_MULTIPLIER},
	{"multiplier 255", 2, 255, 24, BFD_FINE},
	{"multipoint", 1, 0xc1, 24, BFD_BAD_MULTIPOINT},
	{"demand", 1, 0xc2, 24, BFD_FINE},
	{"authenticated", 1, 0xc4, 60, BFD_BAD_LENGTH}, /* its own length is too short for that */
	{"poll and final", 1, 0xf0, 24, BFD_FINE},
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t octets[64] = {0};
		struct bfd_packet p = {.multiplier = 77}, untouched = p;
		enum bfd_verdict v;

		memcpy(octets, good, sizeof(good));
		octets[cases[i].at] = cases[i].to;
		v = bfd_packet_read(octets, cases[i].len, &p);
		if (v != cases[i].verdict)
			fail_msg("%s: %d", cases[i].name, v);
		if (v != BFD_FINE)
			assert_memory_equal(&p, &untouched, sizeof(p));
	}
}

static void test_authenticated(void **state)
{
	uint8_t octets[28] = {0};
	struct bfd_packet p;

	(void)state;
	memcpy(octets, good, sizeof(good));
	octets[1] |= 0x04;
	octets[3] = 28;
	assert_int_equal(bfd_packet_read(octets, sizeof(octets), &p), BFD_BAD_AUTH);
	octets[3] = 25;
	assert_int_equal(bfd_packet_read(octets, sizeof(octets), &p), BFD_BAD_LENGTH);
}

/* RFC 5880 6.8.6: no session, no Your Discriminator, and then only Down or AdminDown. */
static void test_discriminators(void **state)
{
	static const struct {
		uint32_t mine, yours;
		enum bfd_state state;
		enum bfd_verdict verdict;
	} rows[] = {
		{0, 5, BFD_UP, BFD_BAD_DISCRIMINATOR},
		{0, 0, BFD_DOWN, BFD_BAD_DISCRIMINATOR},
		{1, 0, BFD_DOWN, BFD_FINE},
		{1, 0, BFD_ADMIN_DOWN, BFD_FINE},
		{1, 0, BFD_INIT, BFD_BAD_DISCRIMINATOR},
		{1, 0, BFD_UP, BFD_BAD_DISCRIMINATOR},
		{1, 5, BFD_INIT, BFD_FINE},
		{1, 5, BFD_UP, BFD_FINE},
		{1, 1, BFD_DOWN, BFD_FINE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bfd_packet p = {.state = (uint8_t)rows[i].state,
		                       .multiplier = 3,
		                       .my_discriminator = rows[i].mine,
		                       .your_discriminator = rows[i].yours};
		uint8_t octets[BFD_PACKET_LEN];

		bfd_packet_write(&p, octets);
		assert_int_equal(bfd_packet_read(octets, sizeof(octets), &p), rows[i].verdict);
	}
}

static void test_texts(void **state)
{
	(void)state;
	assert_string_equal(bfd_state_text(BFD_UP), "up");
	assert_string_equal(bfd_diag_text(BFD_DIAG_TIMEOUT), "detection time expired");
	assert_string_equal(bfd_diag_text(BFD_DIAG_ADMIN_DOWN), "administratively down");
	assert_string_equal(bfd_diag_text(31), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_write_is_what_was_read),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_authenticated),
		cmocka_unit_test(test_discriminators),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
