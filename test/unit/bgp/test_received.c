/* SPDX-License-Identifier: BSD-2-Clause */
/* Prefixes received, counted: held against a plain list. */
#include "bgp/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t key[16] = "a key of a test";

static struct ip_prefix prefix(uint32_t n)
{
	struct ip_prefix p = {.addr = {.family = n & 1 ? 6 : 4}, .len = 24};

	p.addr.bytes[0] = (uint8_t)(n >> 16);
	p.addr.bytes[1] = (uint8_t)(n >> 8);
	p.addr.bytes[2] = (uint8_t)n;
	return p;
}

static void counts_each_once(void **state)
{
	struct ip_prefix a = prefix(2), b = a, c = prefix(3), d = a;
	struct bgp_received r;

	(void)state;
	b.len = 25;
	d.addr.bytes[9] = 1; /* beyond what an IPv4 address has */
	bgp_received_init(&r, 100, key);
	bgp_received_remove(&r, &a);
	bgp_received_add(&r, &a);
	bgp_received_add(&r, &a);
	bgp_received_add(&r, &d);
	assert_int_equal(r.count, 1);
	bgp_received_add(&r, &b);
	bgp_received_add(&r, &c);
	assert_int_equal(r.count, 3);
	bgp_received_remove(&r, &b);
	bgp_received_remove(&r, &b);
	assert_int_equal(r.count, 2);
	assert_false(r.over);
	bgp_received_clear(&r);
	assert_int_equal(r.count, 0);
	bgp_received_add(&r, &a);
	assert_int_equal(r.count, 1);
	bgp_received_clear(&r);
}

static void limit(void **state)
{
	struct ip_prefix p[4] = {prefix(0), prefix(1), prefix(2), prefix(3)};
	struct bgp_received r;

	(void)state;
	bgp_received_init(&r, 3, key);
	for (unsigned i = 0; i < 3; i++)
		bgp_received_add(&r, &p[i]);
	bgp_received_add(&r, &p[0]); /* known ones are none too many */
	assert_false(r.over);
	bgp_received_add(&r, &p[3]);
	assert_true(r.over && r.count == 3);
	bgp_received_remove(&r, &p[3]); /* nobody knows that it was there */
	bgp_received_remove(&r, &p[0]);
	assert_true(r.over && r.count == 2);
	bgp_received_clear(&r);
	assert_false(r.over);
	bgp_received_add(&r, &p[3]);
	assert_true(r.count == 1 && !r.over);
	bgp_received_clear(&r);
}

/* Comings and goings over several sizes of the table, each known by heart. */
static void as_a_list_would(void **state)
{
	enum { RANGE = 5000 };
	static bool there[RANGE];
	struct bgp_received r;
	size_t count = 0;
	uint32_t x = 1;

	(void)state;
	bgp_received_init(&r, RANGE, key);
	for (unsigned round = 0; round < 200000; round++) {
		uint32_t n;
		struct ip_prefix p;

		x = x * 1664525u + 1013904223u;
		n = (x >> 8) % RANGE;
		p = prefix(n);
		/* By turns it fills and empties. */
		if ((x >> 28) < (round / 40000 % 2 ? 4u : 12u)) {
			bgp_received_add(&r, &p);
			count += !there[n];
			there[n] = true;
		} else {
			bgp_received_remove(&r, &p);
			count -= there[n];
			there[n] = false;
		}
		assert_int_equal(r.count, count);
	}
	assert_true(count > 100 && !r.over);
	for (uint32_t n = 0; n < RANGE; n++) {
		struct ip_prefix p = prefix(n);

		bgp_received_remove(&r, &p);
		count -= there[n];
		assert_int_equal(r.count, count);
	}
	assert_int_equal(count, 0);
	bgp_received_clear(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_each_once),
		cmocka_unit_test(limit),
		cmocka_unit_test(as_a_list_would),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
