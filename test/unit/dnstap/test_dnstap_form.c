/* SPDX-License-Identifier: BSD-2-Clause */
/* dnstap messages octet by octet, and what collectors say, whole, in pieces and wrong. */
#include "dnstap/encode.h"
#include "dnstap/frames.h"

#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t query[] = {0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0}, response[] = {0x12, 0x34, 0x81};

static const struct tap_event event4 = {
	.query_ns = 1700000000000000005,
	.response_ns = 1700000001000000255,
	.query_len = sizeof(query),
	.response_len = sizeof(response),
	.client_port = 300,
	.server_port = 53,
	.transport = TAP_UDP,
	.family = 4,
	.server_family = 4,
	.client = {192, 0, 2, 1},
	.server = {192, 0, 2, 53},
	.query = query,
	.response = response,
};

static void assert_octets(const uint8_t *got, size_t len, const char *hex)
{
	for (size_t i = 0; i < len; i++) {
		char two[3];

		snprintf(two, sizeof(two), "%02x", got[i]);
		if (strncmp(two, hex + 2 * i, 2) != 0)
			fail_msg("octet %zu is %s, not %.2s", i, two, hex + 2 * i);
	}
	assert_int_equal(len, strlen(hex) / 2);
}

static void test_query(void **state)
{
	const struct dnstap_origin origin = {"fra", "z 1"};
	uint8_t out[DNSTAP_MAX];

	(void)state;
	assert_octets(out, dnstap_encode(&origin, DNSTAP_AUTH_QUERY, &event4, out),
	              "0a03667261" "12037a2031" "7801" "7230"
	              "0801" "1001" "1801" "2204c0000201" "2a04c0000235" "30ac02" "3835" "4080e2cfaa06" "4d05000000"
	              "520c123401000001000000000000");
}

static void test_response(void **state)
{
	const struct dnstap_origin nobody = {NULL, NULL};
	struct tap_event e = event4;
	uint8_t out[DNSTAP_MAX];

	(void)state;
	e.transport = TAP_TLS;
	e.server_family = 0; /* not known */
	e.server_port = 0;
	assert_octets(out, dnstap_encode(&nobody, DNSTAP_AUTH_RESPONSE, &e, out),
	              "7801" "722a"
	              "0802" "1001" "1803" "2204c0000201" "30ac02" "4080e2cfaa06" "4d05000000" "6081e2cfaa06" "6dff000000"
	              "7203123481");
}

static void test_ipv6(void **state)
{
	const struct dnstap_origin nobody = {NULL, NULL};
	struct tap_event e = event4;
	uint8_t out[DNSTAP_MAX];

	(void)state;
	e.family = e.server_family = 6;
	e.transport = TAP_TCP;
	e.query_len = 0;
	memcpy(e.client, (uint8_t[16]){0x20, 1, [15] = 1}, 16);
	memcpy(e.server, (uint8_t[16]){0x20, 1, [15] = 2}, 16);
	assert_octets(out, dnstap_encode(&nobody, DNSTAP_AUTH_QUERY, &e, out),
	              "7801" "723c"
	              "0801" "1002" "1802" "221020010000000000000000000000000001" "2a1020010000000000000000000000000002" "30ac02" "3835"
	              "4080e2cfaa06" "4d05000000" "5200");
}

/* The largest there is fits. */
static void test_largest(void **state)
{
	char text[2 * DNSTAP_TEXT_MAX];
	const struct dnstap_origin origin = {text, text};
	uint8_t *out = malloc(DNSTAP_MAX), *message = calloc(1, TAP_MESSAGE_MAX);
	struct tap_event e = event4;
	size_t len;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	e.family = e.server_family = 6;
	e.client_port = e.server_port = UINT16_MAX;
	e.query_ns = e.response_ns = UINT64_MAX;
	e.response_len = TAP_MESSAGE_MAX;
	e.response = message;
	len = dnstap_encode(&origin, DNSTAP_AUTH_RESPONSE, &e, out);
	assert_true(len > TAP_MESSAGE_MAX + 2 * DNSTAP_TEXT_MAX && len <= DNSTAP_MAX);
	free(out);
	free(message);
}

#define TYPE_HEX "00000001" "00000016" "70726f746f6275663a646e737461702e446e73746170"

static void test_control(void **state)
{
	uint8_t out[FRAMES_CONTROL_MAX];

	(void)state;
	assert_octets(out, frames_control(FRAMES_READY, out), "00000000" "00000022" "00000004" TYPE_HEX);
	assert_octets(out, frames_control(FRAMES_START, out), "00000000" "00000022" "00000002" TYPE_HEX);
	assert_octets(out, frames_control(FRAMES_STOP, out), "00000000" "00000004" "00000003");
	frames_data(0x01020304, out);
	assert_octets(out, FRAMES_HEAD, "01020304");
}

static size_t octets_of(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; *hex; hex += 2)
		out[n++] = (uint8_t)strtoul((char[]){hex[0], hex[1], 0}, NULL, 16);
	return n;
}

static void test_heard(void **state)
{
	static const struct {
		const char *name, *hex;
		int err;
		enum frames_control kind;
	} cases[] = {
		{"accept", "00000000" "00000022" "00000001" TYPE_HEX, 0, FRAMES_ACCEPT},
		{"accept of anything", "00000000" "00000004" "00000001", 0, FRAMES_ACCEPT},
		{"accept of two", "00000000" "0000002d" "00000001" "0000000100000003616263" TYPE_HEX, 0, FRAMES_ACCEPT},
		{"finish", "00000000" "00000004" "00000005", 0, FRAMES_FINISH},
		{"accept of another", "00000000" "0000000f" "00000001" "0000000100000003616263", ERR_UNSUPPORTED, 0},
		{"data", "00000004" "00000004" "00000001", ERR_MALFORMED, 0},
		{"ready", "00000000" "00000004" "00000004", ERR_MALFORMED, 0},
		{"no kind", "00000000" "00000003" "000000", ERR_MALFORMED, 0},
		{"nothing", "00000000" "00000000", ERR_MALFORMED, 0},
		{"too long", "00000000" "000001f9" "00000001", ERR_MALFORMED, 0},
		{"far too long", "00000000" "ffffffff" "00000001", ERR_MALFORMED, 0},
		{"another field", "00000000" "0000000c" "00000001" "0000000200000000", ERR_MALFORMED, 0},
		{"half a field", "00000000" "00000008" "00000001" "00000001", ERR_MALFORMED, 0},
		{"a field beyond the frame", "00000000" "0000000d" "00000001" "000000010000000261", ERR_MALFORMED, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t octets[FRAMES_CONTROL_MAX];
		size_t len = octets_of(cases[i].hex, octets), used = 99;
		enum frames_control kind = FRAMES_STOP;
		int err = frames_read(octets, len, &used, &kind);

		if (err != cases[i].err)
			fail_msg("%s: %d, not %d", cases[i].name, err, cases[i].err);
		assert_int_equal(kind, err ? FRAMES_STOP : cases[i].kind);
		assert_int_equal(used, err ? 99 : len);
		for (size_t part = 0; !err && part < len; part++)
			assert_int_equal(frames_read(octets, part, &used, &kind), -EAGAIN);
		octets[len] = 7;
		if (!err) {
			assert_int_equal(frames_read(octets, len + 1, &used, &kind), 0);
			assert_int_equal(used, len);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query),   cmocka_unit_test(test_response), cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_largest), cmocka_unit_test(test_control),  cmocka_unit_test(test_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
