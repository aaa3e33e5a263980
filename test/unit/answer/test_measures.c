/* SPDX-License-Identifier: BSD-2-Clause */
/* What workers measure: types, networks, sizes, latency buckets, and how many sources there were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "answer/measures.h"
#include "base/clock.h"
#include "base/diag.h"

enum { DAY = 86400, DAY_NUMBER = 20000 };
static const uint64_t key[3] = {0x243f6a8885a308d3ULL, 0x13198a2e03707345ULL, 0xa4093822299f31d1ULL};
static const uint32_t noon = (uint32_t)DAY_NUMBER * DAY + DAY / 2;
static struct board_measures board;
static struct measures m;

static int setup(void **state)
{
	(void)state;
	memset(&board, 0, sizeof(board));
	measures_init(&m, &board, key, noon);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	measures_done(&m);
	return 0;
}

static struct engine_request from_v4(uint32_t address, enum engine_transport transport, size_t len)
{
	struct engine_request r = {.transport = transport, .client.family = 4, .len = len};

	for (int i = 0; i < 4; i++)
		r.client.bytes[i] = (uint8_t)(address >> (24 - 8 * i));
	return r;
}

static struct engine_request from_v6(uint64_t high, uint64_t low)
{
	struct engine_request r = {.transport = ENGINE_UDP, .client.family = 6, .len = 40};

	for (int i = 0; i < 8; i++) {
		r.client.bytes[i] = (uint8_t)(high >> (56 - 8 * i));
		r.client.bytes[8 + i] = (uint8_t)(low >> (56 - 8 * i));
	}
	return r;
}

static uint64_t of_type(const char *text)
{
	for (unsigned i = 0; i < BOARD_TYPES; i++)
		if (strcmp(board_query_type_text(i), text) == 0)
			return board_get(&board.types[i]);
	fail_msg("no type %s", text);
	return 0;
}

static void test_types(void **state)
{
	static const struct {
		uint16_t type;
		const char *counted;
	} rows[] = {{1, "A"},     {28, "AAAA"},   {6, "SOA"},     {65, "HTTPS"}, {255, "ANY"},     {257, "CAA"},
	            {0, "other"}, {256, "other"}, {252, "other"}, {99, "other"}, {65535, "other"}, {1 + 256, "CAA"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct engine_request r = from_v4(1, ENGINE_UDP, 30);
		uint64_t before = of_type(rows[i].counted);

		measures_query(&m, &r, rows[i].type);
		if (of_type(rows[i].counted) != before + 1)
			fail_msg("type %u is not counted as %s", rows[i].type, rows[i].counted);
	}
}

static void test_sizes(void **state)
{
	static const struct {
		size_t len;
		unsigned bin;
	} rows[] = {{12, 0}, {15, 0}, {16, 1}, {512, 32}, {4095, 255}, {4096, 256}, {65535, 256}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int tcp = 0; tcp < 2; tcp++) {
			struct engine_request r = from_v4(1, tcp ? ENGINE_TLS : ENGINE_UDP, rows[i].len);
			uint64_t asked = board_get(&board.query_sizes[tcp][rows[i].bin]),
				 told = board_get(&board.answer_sizes[tcp][rows[i].bin]);

			measures_query(&m, &r, 1);
			measures_answer(&m, &r, rows[i].len);
			assert_int_equal(board_get(&board.query_sizes[tcp][rows[i].bin]), asked + 1);
			assert_int_equal(board_get(&board.answer_sizes[tcp][rows[i].bin]), told + 1);
		}
	assert_int_equal(board_get(&board.responses[ENGINE_UDP][0]), ARRAY_LEN(rows));
	assert_int_equal(board_get(&board.responses[ENGINE_TLS][0]), ARRAY_LEN(rows));
	assert_int_equal(board_get(&board.responses[ENGINE_TCP][0]), 0);
}

static void test_latency(void **state)
{
	static const struct {
		uint64_t ns;
		unsigned least, most; /* the clock goes on while the test runs: up to a second later */
	} rows[] = {{1ULL << 30, 21, 21}, {3ULL << 30, 21, 21}, {1ULL << 20, 11, 20}, {0, 0, 20}};
	uint64_t now = clock_ns(), sum = 0, before;

	(void)state;
	assert_int_equal(measures_latency(&m, ENGINE_TCP, 0, now), now); /* nothing was answered */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t in = 0;

		memset(&board, 0, sizeof(board));
		now = clock_ns();
		before = now > rows[i].ns ? now - rows[i].ns : 0;
		assert_true(measures_latency(&m, ENGINE_TCP, 7, before) >= now);
		for (unsigned k = rows[i].least; k <= rows[i].most; k++)
			in += board_get(&board.latency[ENGINE_TCP][k]);
		sum = board_get(&board.latency_ns[ENGINE_TCP]);
		assert_int_equal(in, 7);
		assert_true(sum >= 7 * (now - before));
	}
	/* A clock that says less than before, as it never should. */
	measures_latency(&m, ENGINE_UDP, 1, UINT64_MAX);
	assert_int_equal(board_get(&board.latency[ENGINE_UDP][0]), 1);
	assert_int_equal(board_get(&board.latency_ns[ENGINE_UDP]), 0);
}

/* HyperLogLog's estimate with its correction for few, as admin makes it; here without a bias table. */
static double estimate(const struct board_sketch *s)
{
	double sum = 0;
	unsigned zeros = 0;

	for (size_t i = 0; i < BOARD_SKETCH; i++) {
		uint8_t rank = atomic_load(&s->rank[i]);

		zeros += rank == 0;
		sum += 1.0 / (double)(1ULL << rank);
	}
	(void)zeros;
	return 0.7213 / (1 + 1.079 / BOARD_SKETCH) * BOARD_SKETCH * BOARD_SKETCH / sum;
}

/* Addresses in a row, which is how they come from one network, and scattered; an IPv6 client that takes another address of its /64 each time. */
static void test_sources(void **state)
{
	enum { MANY = 200000, HOSTS = 64 };
	struct board_sources *s = &board.sources[DAY_NUMBER & 1];
	double v4, v6, nets;

	(void)state;
	for (uint32_t i = 0; i < MANY; i++) {
		struct engine_request a = from_v4(0x0a000000 + i, ENGINE_UDP, 40);
		struct engine_request b = from_v6(0x20010db800000000ULL + i / HOSTS, 0x1000 + i % HOSTS);

		measures_query(&m, &a, 1);
		measures_query(&m, &a, 1); /* the same again counts once */
		measures_query(&m, &b, 1);
	}
	v4 = estimate(&s->kind[SOURCES_IPV4]);
	v6 = estimate(&s->kind[SOURCES_IPV6]);
	nets = estimate(&s->kind[SOURCES_IPV6_64]);
	/* Five standard errors. */
	if (v4 < 0.92 * MANY || v4 > 1.08 * MANY)
		fail_msg("IPv4: %.0f", v4);
	if (v6 < 0.92 * MANY || v6 > 1.08 * MANY)
		fail_msg("IPv6: %.0f", v6);
	if (nets >
	    1.6 * MANY / HOSTS) /* few: counted by empty registers, see admin/rssac.c; here only that it is far less */
		fail_msg("/64: %.0f", nets);
}

static void test_days(void **state)
{
	struct engine_request r = from_v4(0x01020304, ENGINE_UDP, 40);
	struct board_sources *today = &board.sources[DAY_NUMBER & 1], *other = &board.sources[(DAY_NUMBER + 1) & 1];
	struct measures_mark at = measures_mark(key, 0x04030201, 0);

	(void)state;
	measures_query(&m, &r, 1);
	assert_int_equal(atomic_load(&today->kind[SOURCES_IPV4].rank[at.place]), at.rank);
	measures_day(&m, noon + DAY / 2 - 1);
	assert_ptr_equal(m.today, today);
	measures_day(&m, noon + DAY / 2);
	assert_ptr_equal(m.today, other);
	assert_int_equal(board_get(&other->day), DAY_NUMBER + 1);
	assert_int_equal(atomic_load(&today->kind[SOURCES_IPV4].rank[at.place]), at.rank); /* kept for the report */
	assert_int_equal(atomic_load(&other->kind[SOURCES_IPV4].rank[at.place]), 0);
	/* A worker that is started anew goes on with the day. */
	measures_query(&m, &r, 1);
	measures_init(&m, &board, key, noon + DAY);
	assert_int_equal(atomic_load(&other->kind[SOURCES_IPV4].rank[at.place]), at.rank);
	/* Two days later nothing of this one is left. */
	measures_day(&m, noon + 2 * DAY);
	assert_int_equal(board_get(&today->day), DAY_NUMBER + 2);
	assert_int_equal(atomic_load(&today->kind[SOURCES_IPV4].rank[at.place]), 0);
	/* The clock is set back. */
	measures_day(&m, noon);
	assert_int_equal(board_get(&today->day), DAY_NUMBER);
}

static struct config *read_config(const char *names)
{
	struct config *c = NULL;
	struct diag diag;
	char yaml[1000];

	snprintf(yaml, sizeof(yaml),
	         "fleet: t\nnetworks:\n"
	         "  - {name: a, prefixes: [192.0.2.0/24], addresses: [192.0.2.53, 192.0.2.54], as: 64500}\n"
	         "  - {name: b, prefixes: [\"2001:db8::/48\"], addresses: [\"2001:db8::53\"], as: 64500}\n"
	         "nodes: [{name: n, role: pop, networks: %s, management: [10.0.0.1], bgp: {router-id: 10.0.0.1, "
	         "neighbors: [{address: 10.0.0.2, as: 64496}]}}]\n",
	         names);
	diag_init(&diag);
	if (config_parse("/t.yaml", yaml, strlen(yaml), &diag, &c) < 0)
		fail_msg("configuration");
	diag_done(&diag);
	return c;
}

static unsigned where(const char *text)
{
	struct ip_addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return measures_network_of(&m, &a);
}

static void test_networks(void **state)
{
	struct config *both = read_config("[a, b]"), *turned = read_config("[b, a]");

	(void)state;
	assert_int_equal(where("192.0.2.53"), BOARD_NETWORKS_MAX);
	measures_networks(&m, NULL, both, "n");
	assert_int_equal(where("192.0.2.53"), 0);
	assert_int_equal(where("192.0.2.54"), 0);
	assert_int_equal(where("2001:db8::53"), 1);
	assert_int_equal(where("10.0.0.1"), BOARD_NETWORKS_MAX);
	assert_int_equal(where("2001:db8::54"), BOARD_NETWORKS_MAX);
	measures_network(&m, 0, false, 5);
	measures_networks(&m, both, both, "n");
	assert_int_equal(board_get(&board.networks[0][0]), 5);
	/* The same place is another network's: its figures would be taken for those. */
	measures_networks(&m, both, turned, "n");
	assert_int_equal(board_get(&board.networks[0][0]), 0);
	assert_int_equal(where("192.0.2.53"), 1);
	measures_networks(&m, turned, NULL, "n");
	assert_int_equal(where("192.0.2.53"), BOARD_NETWORKS_MAX);
	config_free(both);
	config_free(turned);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_types, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_latency, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sources, setup, teardown),
		cmocka_unit_test_setup_teardown(test_days, setup, teardown),
		cmocka_unit_test_setup_teardown(test_networks, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
