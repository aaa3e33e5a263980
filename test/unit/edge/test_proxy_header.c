/* SPDX-License-Identifier: BSD-2-Clause */
/* The header of the PROXY protocol, version 2, octet by octet as its document has it. */
#include "edge/proxy_header.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SIGNATURE "0d0a0d0a000d0a515549540a"

static void check(const char *from, const char *to, bool stream, const char *expected)
{
	uint8_t out[PROXY_HEADER_MAX];
	char hex[2 * sizeof(out) + 1] = "";
	struct endpoint a = {0}, b = {0};
	size_t len;

	if (from)
		assert_int_equal(endpoint_parse(from, 0, &a), 0);
	if (to)
		assert_int_equal(endpoint_parse(to, 0, &b), 0);
	len = proxy_header_put(out, &a, &b, stream);
	assert_in_range(len, 16, sizeof(out));
	for (size_t i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", out[i]);
	assert_string_equal(hex, expected);
}

static void test_headers(void **state)
{
	(void)state;
	check("192.0.2.1:4660", "198.51.100.2:53", false, SIGNATURE "2112000c" "c0000201" "c6336402" "1234" "0035");
	check("192.0.2.1:4660", "198.51.100.2:53", true, SIGNATURE "2111000c" "c0000201" "c6336402" "1234" "0035");
	check("[2001:db8::1]:1", "[2001:db8::2]:853", false, SIGNATURE "21220024" "20010db8000000000000000000000001" "20010db8000000000000000000000002" "0001" "0355");
	check("[2001:db8::1]:1", "[2001:db8::2]:853", true, SIGNATURE "21210024" "20010db8000000000000000000000001" "20010db8000000000000000000000002" "0001" "0355");
	check("192.0.2.1:4660", NULL, false, SIGNATURE "2112000c" "c0000201" "00000000" "1234" "0000");
	/* What cannot be said in one family is not said. */
	check("192.0.2.1:4660", "[2001:db8::2]:53", false, SIGNATURE "20000000");
	check(NULL, "192.0.2.1:53", false, SIGNATURE "20000000");
}

static void test_local(void **state)
{
	uint8_t out[PROXY_HEADER_MAX];

	(void)state;
	assert_int_equal(proxy_header_local(out), 16);
	assert_memory_equal(out, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_headers), cmocka_unit_test(test_local)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
