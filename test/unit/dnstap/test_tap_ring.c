/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings of dnstap: order, the end of the memory, what does not fit, positions and lengths that nobody should have written, a reader beside a writer. */
#include "dnstap/ring.h"

#include "base/err.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>


struct box {
	void *memory;
	size_t size;
	struct tap_rings rings;
	uint8_t buffer[TAP_EVENT_MAX];
};

static struct box *make(unsigned workers)
{
	struct box *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->size = tap_rings_size(workers, TAP_RING_MIN);
	b->memory = aligned_alloc(64, (b->size + 63) / 64 * 64);
	assert_non_null(b->memory);
	memset(b->memory, 0, b->size);
	assert_int_equal(tap_rings_open(b->memory, b->size, &b->rings), ERR_STALE);
	tap_rings_init(b->memory, workers, TAP_RING_MIN);
	assert_int_equal(tap_rings_open(b->memory, b->size - 64, &b->rings), ERR_STALE);
	assert_int_equal(tap_rings_open(b->memory, b->size, &b->rings), 0);
	assert_int_equal(b->rings.workers, workers);
	return b;
}

static void destroy(struct box *b)
{
	free(b->memory);
	free(b);
}

/* All of event n follows from n. */
static void event(uint64_t n, uint8_t *octets, struct tap_event *e)
{
	*e = (struct tap_event){.query_ns = n,
	                        .response_ns = n + 1,
	                        .query_len = (uint32_t)(12 + n % 301),
	                        .response_len = n % 7 ? (uint32_t)(n * 37 % 4000) : 0,
	                        .client_port = (uint16_t)n,
	                        .server_port = 53,
	                        .transport = (uint8_t)(n % 3),
	                        .family = n % 2 ? 4 : 6,
	                        .server_family = n % 2 ? 4 : 6,
	                        .query = octets,
	                        .response = octets + 400};
	memset(octets, (int)(n & 0xff), 400);
	memset(octets + 400, (int)(~n & 0xff), 4000);
	memset(e->client, (int)(n + 1), sizeof(e->client));
	memset(e->server, (int)(n + 2), sizeof(e->server));
}

static void assert_event(const struct tap_event *got, uint64_t n)
{
	static uint8_t octets[4400];
	struct tap_event want;

	event(n, octets, &want);
	assert_int_equal(got->query_ns, want.query_ns);
	assert_int_equal(got->response_ns, want.response_ns);
	assert_int_equal(got->query_len, want.query_len);
	assert_int_equal(got->response_len, want.response_len);
	assert_int_equal(got->client_port, want.client_port);
	assert_int_equal(got->server_port, 53);
	assert_int_equal(got->transport, want.transport);
	assert_int_equal(got->family, want.family);
	assert_int_equal(got->server_family, want.server_family);
	assert_memory_equal(got->client, want.client, 16);
	assert_memory_equal(got->server, want.server, 16);
	assert_memory_equal(got->query, want.query, want.query_len);
	assert_memory_equal(got->response, want.response, want.response_len);
}

static void test_sizes(void **state)
{
	(void)state;
	assert_int_equal(tap_ring_octets(64 << 20, 1), 64 << 20);
	assert_int_equal(tap_ring_octets(64 << 20, 2), 32 << 20);
	assert_int_equal(tap_ring_octets(64 << 20, 3), 16 << 20);
	assert_int_equal(tap_ring_octets(64 << 20, 0), 64 << 20);
	assert_int_equal(tap_ring_octets(1, 256), TAP_RING_MIN);
	assert_int_equal(tap_ring_octets(SIZE_MAX, 1), TAP_RING_MAX);
}

/* Thousands of events of all lengths, round the end many times; of two workers, who know nothing of each other. */
static void test_order(void **state)
{
	struct box *b = make(2);
	static uint8_t octets[4400];
	uint64_t put = 0, got = 0, broken = 0;
	struct tap_event e;

	(void)state;
	while (got < 20000) {
		for (unsigned i = 0; i < 1 + put % 23; i++, put++) {
			event(put, octets, &e);
			assert_true(tap_put(&b->rings, 1, &e));
		}
		assert_false(tap_peek(&b->rings, 0, b->buffer, &e, &broken));
		while (tap_peek(&b->rings, 1, b->buffer, &e, &broken)) {
			assert_event(&e, got++);
			tap_next(&b->rings, 1, &e);
		}
		assert_int_equal(got, put);
		assert_int_equal(tap_waiting(&b->rings, 1), 0);
	}
	assert_int_equal(broken, 0);
	destroy(b);
}

/* What has no room is lost, and nothing that was there before is harmed. */
static void test_full(void **state)
{
	struct box *b = make(1);
	static uint8_t octets[4400];
	uint64_t put = 0, got = 0, broken = 0;
	struct tap_event e;

	(void)state;
	for (event(put, octets, &e); tap_put(&b->rings, 0, &e); event(put, octets, &e))
		put++;
	assert_true(put > 50 && tap_waiting(&b->rings, 0) > TAP_RING_MIN - 4500);
	assert_false(tap_put(&b->rings, 0, &e));
	while (tap_peek(&b->rings, 0, b->buffer, &e, &broken)) {
		assert_event(&e, got++);
		tap_next(&b->rings, 0, &e);
	}
	assert_int_equal(got, put);
	event(7, octets, &e);
	assert_true(tap_put(&b->rings, 0, &e));
	tap_forget(&b->rings, 0);
	assert_false(tap_peek(&b->rings, 0, b->buffer, &e, &broken));
	assert_int_equal(broken, 0);
	destroy(b);
}

static void test_longest(void **state)
{
	struct box *b = make(1);
	uint8_t *octets = calloc(2, TAP_MESSAGE_MAX + 1);
	struct tap_event e = {.query_len = TAP_MESSAGE_MAX, .response_len = TAP_MESSAGE_MAX, .family = 6, .query = octets, .response = octets + TAP_MESSAGE_MAX};
	uint64_t broken = 0;

	(void)state;
	memset(octets, 0x51, TAP_MESSAGE_MAX);
	memset(octets + TAP_MESSAGE_MAX, 0x52, TAP_MESSAGE_MAX);
	for (int i = 0; i < 9; i++) {
		struct tap_event got;

		assert_true(tap_put(&b->rings, 0, &e));
		assert_true(tap_peek(&b->rings, 0, b->buffer, &got, &broken));
		assert_memory_equal(got.query, octets, TAP_MESSAGE_MAX);
		assert_memory_equal(got.response, octets + TAP_MESSAGE_MAX, TAP_MESSAGE_MAX);
		tap_next(&b->rings, 0, &got);
	}
	e.query_len++;
	assert_false(tap_put(&b->rings, 0, &e));
	free(octets);
	destroy(b);
}

/* Whatever stands in the memory, both sides stay within it, and the reader finds its way again. */
static void test_broken(void **state)
{
	static const uint64_t positions[] = {1, 79, 80, 1 << 20, UINT64_MAX, UINT64_MAX - 100, TAP_RING_MIN, TAP_RING_MIN + 1};
	static const struct {
		size_t at;
		uint32_t value;
	} heads[] = {{0, 0}, {0, 8}, {0, UINT32_MAX}, {4, 65536}, {4, UINT32_MAX}, {8, 65536}, {8, 4}, {8, UINT32_MAX}};
	static uint8_t octets[4400];
	struct tap_event e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(positions) * 2; i++) {
		struct box *b = make(1);
		uint64_t broken = 0, *word = (uint64_t *)(void *)b->rings.ring + (i % 2 ? 8 : 0); /* head, tail */

		*word = positions[i / 2];
		event(1, octets, &e);
		(void)tap_put(&b->rings, 0, &e);
		while (tap_peek(&b->rings, 0, b->buffer, &e, &broken))
			tap_next(&b->rings, 0, &e);
		event(2, octets, &e);
		assert_true(tap_put(&b->rings, 0, &e));
		assert_true(tap_peek(&b->rings, 0, b->buffer, &e, &broken));
		assert_event(&e, 2);
		destroy(b);
	}
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct box *b = make(1);
		uint64_t broken = 0;

		event(3, octets, &e);
		assert_true(tap_put(&b->rings, 0, &e));
		memcpy(b->rings.octets + heads[i].at, &heads[i].value, 4);
		assert_false(tap_peek(&b->rings, 0, b->buffer, &e, &broken));
		assert_int_equal(broken, 1);
		event(4, octets, &e);
		assert_true(tap_put(&b->rings, 0, &e));
		assert_true(tap_peek(&b->rings, 0, b->buffer, &e, &broken));
		assert_event(&e, 4);
		destroy(b);
	}
}

enum { BESIDE = 200000 };

static void *write_beside(void *arg)
{
	static uint8_t octets[4400];
	struct box *b = arg;
	struct tap_event e;

	for (uint64_t n = 0; n < BESIDE; n++) {
		event(n, octets, &e);
		while (!tap_put(&b->rings, 0, &e))
			sched_yield();
	}
	return NULL;
}

static void test_beside(void **state)
{
	struct box *b = make(1);
	uint64_t got = 0, broken = 0;
	struct tap_event e;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, write_beside, b), 0);
	while (got < BESIDE) {
		if (!tap_peek(&b->rings, 0, b->buffer, &e, &broken)) {
			sched_yield();
			continue;
		}
		assert_event(&e, got++);
		tap_next(&b->rings, 0, &e);
	}
	pthread_join(thread, NULL);
	assert_int_equal(broken, 0);
	destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),   cmocka_unit_test(test_order),  cmocka_unit_test(test_full),
		cmocka_unit_test(test_longest), cmocka_unit_test(test_broken), cmocka_unit_test(test_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
