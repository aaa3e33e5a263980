/* SPDX-License-Identifier: BSD-2-Clause */
/* Response rate limiting in simulated time: rates, bursts, kinds, prefixes, floods from everywhere, many threads at once. */
#include "limit/rate.h"

#include "base/err.h"
#include "base/wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SECOND = 1000000000, KIND = 1, OTHER = 3 };

static const uint8_t key[16] = {1, 2, 3};

static struct rate_table *table(uint32_t entries)
{
	size_t size = rate_table_size(entries);
	void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
	struct rate_table *t;

	assert_non_null(memory);
	rate_table_init(memory, entries, key);
	assert_int_equal(rate_table_open(memory, size, &t), 0);
	return t;
}

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct rate_limits limits(uint32_t rate, uint8_t slip)
{
	return (struct rate_limits){.per_second = {[KIND] = rate}, .slip = slip, .prefix_bits = {24, 56}};
}

/* Answers given out of `asked` in equal steps over `seconds`, from a start. */
static unsigned given(struct rate_table *t, const struct rate_limits *l, const struct ip_addr *a, unsigned kind, uint64_t from_ns,
                      double seconds, unsigned asked, uint32_t *turn)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < asked; i++)
		passed += rate_judge(t, l, a, kind, from_ns + (uint64_t)(seconds * SECOND * i / asked), turn) == RATE_PASS;
	return passed;
}

static void test_rate_is_held(void **state)
{
	static const struct {
		uint32_t rate;
		unsigned asked; /* in 10 s */
		unsigned burst;
	} cases[] = {
		{1, 1000, 1}, {5, 100000, 5}, {10, 100000, 10}, {200, 100000, 40}, {5000, 400000, 1000}, {100000, 3000000, 20000}, {1000000, 20000000, 200000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int v6 = 0; v6 < 2; v6++) {
			struct rate_table *t = table(RATE_ENTRIES_MIN);
			struct rate_limits l = limits(cases[i].rate, 0);
			struct ip_addr a = addr(v6 ? "2001:db8::1" : "192.0.2.1");
			/* The clock's 44 bits wrap within the test for one of the starts. */
			uint64_t from = v6 ? 7 : (UINT64_C(1) << 44) * 125 / 8 - 3 * (uint64_t)SECOND;
			uint32_t turn = 0;
			unsigned got = given(t, &l, &a, KIND, from, 10, cases[i].asked, &turn);
			unsigned most = cases[i].rate * 10 + cases[i].burst;

			if (got > most + most / 100 + 1 || got < most - most / 50 - 1)
				fail_msg("rate %u: %u of %u", cases[i].rate, got, most);
			free(t);
		}
}

/* What stays below the rate loses nothing, and after silence the burst is there again. */
static void test_below_the_rate(void **state)
{
	struct rate_table *t = table(RATE_ENTRIES_MIN);
	struct rate_limits l = limits(100, 0);
	struct ip_addr a = addr("192.0.2.1");
	uint32_t turn = 0;

	(void)state;
	assert_int_equal(given(t, &l, &a, KIND, 0, 10, 990, &turn), 990);
	assert_int_equal(given(t, &l, &a, KIND, (uint64_t)20 * SECOND, 0, 1000, &turn), 20);
	assert_int_equal(given(t, &l, &a, KIND, (uint64_t)20 * SECOND + SECOND / 100, 0, 1000, &turn), 1);
	assert_int_equal(given(t, &l, &a, KIND, (uint64_t)30 * SECOND, 0, 1000, &turn), 20);
	free(t);
}

static void test_kinds_and_prefixes_are_apart(void **state)
{
	static const char *const same[][2] = {{"192.0.2.1", "192.0.2.254"}, {"2001:db8:0:1::1", "2001:db8:0:ff::2"}};
	static const char *const apart[][2] = {{"192.0.2.1", "192.0.3.1"}, {"2001:db8:0:1::1", "2001:db8:0:100::1"}, {"32.1.13.184", "2001:db8::"}};
	struct rate_limits l = limits(10, 0);
	uint32_t turn = 0;

	(void)state;
	l.per_second[OTHER] = 10;
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		struct rate_table *t = table(RATE_ENTRIES_MIN);
		struct ip_addr a = addr(same[i][0]), b = addr(same[i][1]);

		assert_int_equal(given(t, &l, &a, KIND, 0, 0, 100, &turn), 10);
		assert_int_equal(given(t, &l, &b, KIND, 0, 0, 100, &turn), 0);
		assert_int_equal(given(t, &l, &b, OTHER, 0, 0, 100, &turn), 10);
		assert_int_equal(given(t, &l, &b, 0, 0, 0, 100, &turn), 100); /* no limit for this kind */
		free(t);
	}
	for (size_t i = 0; i < ARRAY_LEN(apart); i++) {
		struct rate_table *t = table(RATE_ENTRIES_MIN);
		struct ip_addr a = addr(apart[i][0]), b = addr(apart[i][1]);

		assert_int_equal(given(t, &l, &a, KIND, 0, 0, 100, &turn), 10);
		assert_int_equal(given(t, &l, &b, KIND, 0, 0, 100, &turn), 10);
		free(t);
	}
	/* A length that is no whole octet. */
	l.prefix_bits[0] = 25;
	{
		struct rate_table *t = table(RATE_ENTRIES_MIN);
		struct ip_addr a = addr("192.0.2.1"), b = addr("192.0.2.127"), c = addr("192.0.2.128");

		assert_int_equal(given(t, &l, &a, KIND, 0, 0, 100, &turn), 10);
		assert_int_equal(given(t, &l, &b, KIND, 0, 0, 100, &turn), 0);
		assert_int_equal(given(t, &l, &c, KIND, 0, 0, 100, &turn), 10);
		free(t);
	}
}

static void test_slip(void **state)
{
	static const uint8_t slips[] = {0, 1, 2, 3, 10};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(slips); i++) {
		struct rate_table *t = table(RATE_ENTRIES_MIN);
		struct rate_limits l = limits(10, slips[i]);
		struct ip_addr a = addr("192.0.2.1");
		unsigned count[3] = {0};
		uint32_t turn = 0;

		for (unsigned k = 0; k < 1010; k++)
			count[rate_judge(t, &l, &a, KIND, 0, &turn)]++;
		assert_int_equal(count[RATE_PASS], 10);
		assert_int_equal(count[RATE_SLIP], slips[i] ? 1000 / slips[i] : 0);
		assert_int_equal(count[RATE_DROP], 1000 - count[RATE_SLIP]);
		free(t);
	}
}

/* A flood from ever new prefixes, a hundred for each entry of the table, does not make it forget whom it limits. */
static void test_flood_from_everywhere(void **state)
{
	enum { ENTRIES = 1024, STEPS = 100000 };
	struct rate_table *t = table(ENTRIES);
	struct rate_limits l = limits(50, 0);
	struct ip_addr bad = addr("192.0.2.1"), from = addr("10.0.0.0");
	unsigned passed = 0;
	uint32_t turn = 0;

	(void)state;
	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t now = (uint64_t)10 * SECOND / STEPS * i;

		put_u32(from.bytes, 0x0a000000 + i * 256);
		assert_int_equal(rate_judge(t, &l, &from, KIND, now, &turn), RATE_PASS);
		passed += rate_judge(t, &l, &bad, KIND, now, &turn) == RATE_PASS;
	}
	assert_in_range(passed, 490, 600);
	free(t);
}

static void test_open(void **state)
{
	size_t size = rate_table_size(5000);
	uint8_t *memory = aligned_alloc(64, (size + 127) / 64 * 64);
	struct rate_table *t;

	(void)state;
	memset(memory, 0, size);
	assert_int_equal(rate_table_open(memory, size, &t), ERR_STALE);
	rate_table_init(memory, 5000, key);
	assert_int_equal(rate_table_open(memory, size, &t), 0);
	assert_int_equal(rate_table_open(memory, size - 1, &t), ERR_STALE);
	assert_int_equal(rate_table_open(memory, 8, &t), ERR_STALE);
	assert_true(size >= 5000 * 8 / 2 && size <= 5000 * 8 * 2 + 128);
	free(memory);
}

/* Workers on one table and one clock, which has gone 0.8 s when all have asked: together they get one rate. However long a thread is kept from
 * running, its clock is less than a burst behind. */
enum { THREADS = 4, PER_THREAD = 200000 };
static struct rate_table *shared;
static _Atomic uint64_t asked;
static unsigned counts[THREADS];

static void *hammer(void *arg)
{
	unsigned *count = arg;
	struct rate_limits l = limits(1000, 0);
	struct ip_addr a = {.family = 4, .bytes = {192, 0, 2, 1}};
	uint32_t turn = 0;

	for (unsigned i = 0; i < PER_THREAD; i++) {
		uint64_t now = SECOND + atomic_fetch_add(&asked, 1) * ((uint64_t)SECOND * 4 / 5 / (THREADS * PER_THREAD));

		*count += rate_judge(shared, &l, &a, KIND, now, &turn) == RATE_PASS;
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t ids[THREADS];
	unsigned sum = 0;

	(void)state;
	shared = table(RATE_ENTRIES_MIN);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&ids[i], NULL, hammer, &counts[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(ids[i], NULL);
		sum += counts[i];
	}
	assert_in_range(sum, 970, 1010);
	free(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate_is_held), cmocka_unit_test(test_below_the_rate), cmocka_unit_test(test_kinds_and_prefixes_are_apart),
		cmocka_unit_test(test_slip),         cmocka_unit_test(test_flood_from_everywhere), cmocka_unit_test(test_open),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
