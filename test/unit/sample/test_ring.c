/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings of sampled queries: order, overwriting, torn entries, readers beside a writer; the pace of sampling. */
#include "sample/ring.h"

#include "base/err.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sample_rings *make(unsigned workers, void **memory)
{
	size_t size = sample_rings_size(workers);
	struct sample_rings *r;

	*memory = aligned_alloc(64, (size + 63) / 64 * 64);
	assert_non_null(*memory);
	sample_rings_init(*memory, workers);
	assert_int_equal(sample_rings_open(*memory, size - 8, &r), ERR_STALE);
	assert_int_equal(sample_rings_open(*memory, size, &r), 0);
	assert_int_equal(sample_rings_workers(r), workers);
	return r;
}

/* Every octet follows from n, so that a mix of two entries is seen. */
static struct sample entry(uint64_t n)
{
	struct sample s;

	memset(&s, (int)(n * 31 % 251), sizeof(s));
	s.wall_us = n;
	return s;
}

static bool whole(const struct sample *s)
{
	struct sample want = entry(s->wall_us);

	return memcmp(s, &want, sizeof(want)) == 0;
}

static void test_order(void **state)
{
	void *memory;
	struct sample_rings *r = make(2, &memory);
	struct sample s;

	(void)state;
	assert_false(sample_get(r, 0, 0, &s));
	for (uint64_t n = 0; n < 3 * SAMPLE_RING + 5; n++) {
		struct sample one = entry(n);

		sample_put(r, 1, &one);
		assert_int_equal(sample_count(r, 1), n + 1);
		assert_true(sample_get(r, 1, n, &s));
		assert_true(whole(&s) && s.wall_us == n);
		assert_false(sample_get(r, 1, n + 1, &s));
		if (n >= SAMPLE_RING) {
			assert_false(sample_get(r, 1, n - SAMPLE_RING, &s));
			assert_true(sample_get(r, 1, n - SAMPLE_RING + 1, &s));
		}
	}
	assert_int_equal(sample_count(r, 0), 0);
	free(memory);
}

struct beside {
	struct sample_rings *r;
	atomic_bool over;
	unsigned seen, torn;
};

static void *read_all(void *arg)
{
	struct beside *b = arg;
	uint64_t next = 0;

	while (!atomic_load(&b->over) || next < sample_count(b->r, 0)) {
		struct sample s;

		if (next >= sample_count(b->r, 0))
			continue;
		if (sample_get(b->r, 0, next, &s)) {
			b->seen++;
			b->torn += !whole(&s) || s.wall_us != next;
		}
		next++;
	}
	return NULL;
}

static void test_readers_beside_a_writer(void **state)
{
	enum { READERS = 2, PUTS = 200000 };
	struct beside b[READERS] = {0};
	pthread_t thread[READERS];
	void *memory;
	struct sample_rings *r = make(1, &memory);

	(void)state;
	for (int i = 0; i < READERS; i++) {
		b[i].r = r;
		assert_int_equal(pthread_create(&thread[i], NULL, read_all, &b[i]), 0);
	}
	for (uint64_t n = 0; n < PUTS; n++) {
		struct sample one = entry(n);

		sample_put(r, 0, &one);
	}
	for (int i = 0; i < READERS; i++)
		atomic_store(&b[i].over, true);
	for (int i = 0; i < READERS; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(b[i].torn, 0);
		assert_true(b[i].seen >= SAMPLE_RING); /* the last ones at least */
	}
	free(memory);
}

/* One in `every`, within four standard deviations; 1 is all, 0 is none. */
static void test_pace(void **state)
{
	static const struct {
		uint32_t every, queries, least, most;
	} cases[] = {{0, 1000, 0, 0}, {1, 1000, 1000, 1000}, {2, 100000, 49500, 50500}, {10, 200000, 19650, 20350}, {1000, 2000000, 1890, 2110}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sample_pace p;
		uint32_t taken = 0;

		sample_pace_set(&p, cases[i].every, 12345);
		for (uint32_t n = 0; n < cases[i].queries; n++)
			taken += sample_due(&p);
		assert_in_range(taken, cases[i].least, cases[i].most);
	}
}

/* Distances take all values up to twice the mean: traffic that repeats every tenth query has no place to hide. */
static void test_no_beat(void **state)
{
	unsigned at[10] = {0};
	struct sample_pace p;

	(void)state;
	sample_pace_set(&p, 10, 99);
	for (unsigned n = 0; n < 100000; n++)
		if (sample_due(&p))
			at[n % 10]++;
	for (unsigned i = 0; i < 10; i++)
		assert_in_range(at[i], 800, 1200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order), cmocka_unit_test(test_readers_beside_a_writer), cmocka_unit_test(test_pace), cmocka_unit_test(test_no_beat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
