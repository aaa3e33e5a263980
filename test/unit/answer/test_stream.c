/* SPDX-License-Identifier: BSD-2-Clause */
/* The limits of connections, who has how many, and the memory that is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "answer/stream_clients.h"
#include "answer/stream_limits.h"
#include "answer/stream_memory.h"
#include "base/attr.h"

enum { MIB = 1 << 20 };

static const struct {
	const char *name;
	uint32_t idle_ms, open; /* of 1000 */
	uint64_t memory;        /* of 1 MiB */
	uint32_t idle;
	uint16_t keepalive;
} idle_rows[] = {
	{"empty", 10000, 0, 0, 10000, 100},
	{"less than half", 10000, 499, 0, 10000, 100},
	{"half", 10000, 500, 0, 5000, 50},
	{"half of the memory", 10000, 0, MIB / 2, 5000, 50},
	{"the fuller counts", 10000, 750, MIB / 2, 2500, 25},
	{"four fifths", 10000, 800, 0, 1000, 10},
	{"nine tenths", 10000, 900, 0, 400, 4},
	{"nearly full", 10000, 950, 0, 100, 0},
	{"full", 10000, 1000, 0, 100, 0},
	{"more than full, after a reload", 10000, 5000, 0, 100, 0},
	{"memory full", 10000, 1, MIB, 100, 0},
	{"an hour is more than RFC 7828 can say", 7200000, 0, 0, 7200000, 65535},
	{"never below a tenth of a second", 2000, 900, 0, 100, 1},
	{"nor below the configured time", 100, 990, 0, 100, 0},
};

static void test_idle(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(idle_rows); i++) {
		const struct stream_limits l = {.connections = 1000, .memory = MIB, .per_client = 10, .idle_ms = idle_rows[i].idle_ms};
		uint32_t idle = stream_idle_ms(&l, idle_rows[i].open, idle_rows[i].memory);
		uint16_t keepalive = stream_keepalive(&l, idle_rows[i].open, idle_rows[i].memory);

		if (idle != idle_rows[i].idle || keepalive != idle_rows[i].keepalive)
			fail_msg("%s: idle %u, keepalive %u", idle_rows[i].name, idle, keepalive);
	}
}

static void test_shake(void **state)
{
	(void)state;
	assert_int_equal(stream_shake_ms(3600000), STREAM_SHAKE_MS);
	assert_int_equal(stream_shake_ms(2000), 2000);
	assert_int_equal(stream_shake_ms(100), STREAM_SHAKE_MIN_MS);
}

/* Whatever is divided, some answers of full length always fit. */
static void test_least_memory(void **state)
{
	const struct stream_limits node = {.connections = 10, .per_client = 10, .idle_ms = 10, .memory = MIB};

	(void)state;
	assert_int_equal(stream_limits_share(&node, 2).memory, MIB / 2);
	assert_int_equal(stream_limits_share(&node, 100).memory, STREAM_MEMORY_MIN);
}

static const struct {
	uint32_t connections, per_client, workers, part, client_part;
} share_rows[] = {
	{20000, 1000, 1, 20000, 1000}, {20000, 1000, 2, 10000, 500}, {20001, 1001, 2, 10001, 501}, {10, 3, 4, 3, 2},
	{10, 1, 4, 3, 1},              {1, 1, 256, 1, 1},            {100, 20, 256, 1, 2},
};

static void test_share(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(share_rows); i++) {
		const struct stream_limits node = {.connections = share_rows[i].connections, .per_client = share_rows[i].per_client,
		                                   .idle_ms = 7, .memory = 512 * MIB};
		struct stream_limits l = stream_limits_share(&node, share_rows[i].workers);

		assert_int_equal(l.connections, share_rows[i].part);
		assert_int_equal(l.per_client, share_rows[i].client_part);
		assert_int_equal(l.idle_ms, 7);
		assert_int_equal(l.memory, 512 * MIB / share_rows[i].workers);
	}
}

/* An IPv4 address is a client, and so is an IPv6 /64; the two never meet. */
static void test_clients(void **state)
{
	static const uint8_t a[] = {192, 0, 2, 1}, b[] = {192, 0, 2, 2};
	static const uint8_t v6[3][16] = {{0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 1}, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 2}, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 2, 1}};
	static const uint8_t like_a[16] = {192, 0, 2, 1};
	struct stream_memory m = {0};
	struct stream_client *x, *y, *z, *w;
	struct stream_clients c;

	(void)state;
	assert_int_equal(clients_init(&c, &m), 0);
	x = clients_enter(&c, a, false);
	assert_ptr_equal(clients_enter(&c, a, false), x);
	assert_int_equal(x->count, 2);
	y = clients_enter(&c, b, false);
	assert_ptr_not_equal(y, x);
	z = clients_enter(&c, v6[0], true);
	assert_ptr_equal(clients_enter(&c, v6[1], true), z);
	assert_ptr_not_equal(clients_enter(&c, v6[2], true), z);
	w = clients_enter(&c, like_a, true);
	assert_ptr_not_equal(w, x);
	assert_int_equal(c.slab.live, 5);
	clients_leave(&c, x);
	assert_int_equal(c.slab.live, 5);
	clients_leave(&c, x);
	assert_int_equal(c.slab.live, 4);
	x = clients_enter(&c, a, false);
	assert_int_equal(x->count, 1);
	clients_done(&c);
	assert_int_equal(m.used, 0);
}

/* Many clients, so that buckets are shared: all are found again and go again. */
static void test_many_clients(void **state)
{
	enum { MANY = 100000 };
	struct stream_memory m = {0};
	struct stream_clients c;

	(void)state;
	assert_int_equal(clients_init(&c, &m), 0);
	for (uint32_t i = 0; i < MANY; i++)
		assert_non_null(clients_enter(&c, (uint8_t *)&i, false));
	assert_int_equal(c.slab.live, MANY);
	assert_true(m.used <= MANY * 64);
	for (uint32_t i = 0; i < MANY; i++) {
		struct stream_client *x = clients_enter(&c, (uint8_t *)&i, false);

		assert_int_equal(x->count, 2);
		clients_leave(&c, x);
		clients_leave(&c, x);
	}
	assert_int_equal(c.slab.live, 0);
	slab_trim(&c.slab);
	assert_int_equal(m.used, 0);
	clients_done(&c);
}

static void test_memory(void **state)
{
	struct stream_memory m = {0};
	struct slab s;
	void *a = memory_take(&m, 1000), *cell[3000];

	(void)state;
	assert_in_range(m.used, 1000, 1100);
	memory_give(&m, a);
	memory_give(&m, NULL);
	assert_int_equal(m.used, 0);
	slab_init(&s, &m, 64);
	for (size_t i = 0; i < ARRAY_LEN(cell); i++) {
		cell[i] = slab_take(&s);
		for (size_t k = 0; k < 64; k++)
			assert_int_equal(((uint8_t *)cell[i])[k], 0);
		memset(cell[i], 0xff, 64);
	}
	assert_in_range(m.used, ARRAY_LEN(cell) * 64, ARRAY_LEN(cell) * 64 + (64 << 10));
	slab_give(&s, cell[7]);
	assert_ptr_equal(slab_take(&s), cell[7]);
	slab_trim(&s);
	assert_true(m.used > 0); /* not while a cell is in use */
	for (size_t i = 0; i < ARRAY_LEN(cell); i++)
		slab_give(&s, cell[i]);
	slab_trim(&s);
	assert_int_equal(m.used, 0);
	assert_non_null(slab_take(&s));
	slab_done(&s);
	assert_int_equal(m.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle),         cmocka_unit_test(test_shake),  cmocka_unit_test(test_share), cmocka_unit_test(test_clients),
		cmocka_unit_test(test_many_clients), cmocka_unit_test(test_memory),
		cmocka_unit_test(test_least_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
