/* SPDX-License-Identifier: BSD-2-Clause */
/* From what workers count to load, headroom and overload, on simulated time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "watch/load.h"

enum { LOOK_MS = 500 };

struct bed {
	struct load l;
	struct load_worker w[4];
	uint64_t kernel, now_ns;
	uint32_t n, capacity;
};

static void begin(struct bed *b, uint32_t n)
{
	memset(b, 0, sizeof(*b));
	b->n = n;
	b->now_ns = 1000000000;
	load_step(&b->l, b->w, b->n, b->kernel, b->capacity, b->now_ns);
}

/* For ms: each worker at so many permille and answers a second; the first loses some. */
static void run(struct bed *b, uint32_t ms, const uint32_t permille[4], uint32_t qps_each, uint32_t lost)
{
	for (uint32_t t = 0; t < ms; t += LOOK_MS) {
		for (uint32_t i = 0; i < b->n; i++) {
			b->w[i].cpu_ns += (uint64_t)permille[i] * LOOK_MS * 1000;
			b->w[i].answers += (uint64_t)qps_each * LOOK_MS / 1000;
		}
		b->w[0].overflows += (uint64_t)lost * LOOK_MS / 1000;
		b->now_ns += LOOK_MS * 1000000ULL;
		load_step(&b->l, b->w, b->n, b->kernel, b->capacity, b->now_ns);
	}
}

static void test_idle(void **state)
{
	struct bed b;

	(void)state;
	begin(&b, 2);
	assert_int_equal(b.l.headroom, UINT32_MAX);
	run(&b, 10000, (uint32_t[4]){5, 3}, 10, 0);
	assert_in_range(b.l.permille, 4, 6);
	assert_in_range(b.l.qps, 19, 21);
	assert_int_equal(b.l.headroom, UINT32_MAX); /* too little to tell from */
	assert_false(b.l.overload);
	assert_string_equal(b.l.why, "");
}

/* The busiest counts, and what the node can do is remembered. */
static void test_estimate(void **state)
{
	struct bed b;

	(void)state;
	begin(&b, 4);
	run(&b, 20000, (uint32_t[4]){100, 500, 100, 100}, 10000, 0);
	assert_in_range(b.l.permille, 495, 501);
	assert_int_equal(b.l.busiest, 1);
	assert_in_range(b.l.qps, 39900, 40100);
	assert_in_range(b.l.headroom, 38000, 42000);
	run(&b, 20000, (uint32_t[4]){10, 10, 10, 10}, 1000, 0);
	assert_in_range(b.l.qps, 3900, 4100);
	assert_in_range(b.l.headroom, 60000, 90000);
	assert_false(b.l.overload);
}

static void test_overload_and_back(void **state)
{
	const uint32_t full[4] = {1000, 100}, half[4] = {500, 100}, near[4] = {900, 100};
	struct bed b;

	(void)state;
	begin(&b, 2);
	run(&b, 4000, full, 50000, 0); /* not yet at its limit for long enough, by what is smoothed */
	assert_false(b.l.overload);
	run(&b, 6000, full, 50000, 0);
	assert_true(b.l.overload);
	assert_string_equal(b.l.why, "overloaded: answer worker 0 is at 99% of its time");
	run(&b, 60000, near, 50000, 0); /* still too near */
	assert_true(b.l.overload);
	run(&b, 8000, half, 50000, 0);
	assert_true(b.l.overload);
	run(&b, 6000, half, 50000, 0);
	assert_false(b.l.overload);
	assert_string_equal(b.l.why, "");
	run(&b, 60000, near, 50000, 0); /* from below it takes more */
	assert_false(b.l.overload);
}

/* A short peak, and single losses, are nothing. */
static void test_hiccups(void **state)
{
	struct bed b;

	(void)state;
	begin(&b, 1);
	for (int i = 0; i < 20; i++) {
		run(&b, 1000, (uint32_t[4]){1000}, 1000, 0);
		run(&b, 3000, (uint32_t[4]){100}, 1000, 0);
		assert_false(b.l.overload);
	}
	run(&b, 30000, (uint32_t[4]){100}, 10000, 30);
	assert_false(b.l.overload);
}

/* Queries that are lost count, whatever the CPU time says: the worker may be kept from running. */
static void test_lost(void **state)
{
	struct bed b;

	(void)state;
	begin(&b, 2);
	run(&b, 6000, (uint32_t[4]){300, 300}, 1000, 500);
	assert_true(b.l.overload);
	assert_non_null(strstr(b.l.why, "queries a second are lost"));
}

static void test_capacity(void **state)
{
	struct bed b;

	(void)state;
	begin(&b, 2);
	b.capacity = 5000;
	run(&b, 20000, (uint32_t[4]){100, 100}, 1000, 0);
	assert_in_range(b.l.headroom, 2900, 3100);
	assert_false(b.l.overload);
	run(&b, 20000, (uint32_t[4]){100, 100}, 4000, 0);
	assert_true(b.l.overload);
	assert_int_equal(b.l.headroom, 0);
	assert_non_null(strstr(b.l.why, "its capacity is 5000"));
}

/* Counters that begin anew, workers that come, a process that slept, a clock that stands still: nothing absurd. */
static void test_odd(void **state)
{
	struct bed b;

	(void)state;
	begin(&b, 1);
	run(&b, 5000, (uint32_t[4]){500}, 1000, 0);
	memset(b.w, 0, sizeof(b.w));
	b.n = 4;
	run(&b, 500, (uint32_t[4]){100, 100, 100, 100}, 1000, 0);
	assert_in_range(b.l.permille, 0, 500);
	assert_in_range(b.l.qps, 0, 5000);
	b.now_ns += 3600 * 1000000000ULL;
	b.w[1].cpu_ns += 3600 * 1000000000ULL;
	load_step(&b.l, b.w, b.n, 0, 0, b.now_ns);
	assert_in_range(b.l.permille, 0, 500);
	load_step(&b.l, b.w, b.n, 0, 0, b.now_ns);
	assert_false(b.l.overload);
	load_step(&b.l, b.w, b.n, 0, 0, b.now_ns + 1);
	assert_false(b.l.overload);
}

/* Answers of XDP are answers, too. */
static void test_kernel(void **state)
{
	struct bed b;

	(void)state;
	begin(&b, 1);
	for (int i = 0; i < 20; i++) {
		b.kernel += 50000;
		run(&b, LOOK_MS, (uint32_t[4]){0}, 0, 0);
	}
	assert_in_range(b.l.qps, 98000, 100001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_idle), cmocka_unit_test(test_estimate), cmocka_unit_test(test_overload_and_back),
	                                   cmocka_unit_test(test_hiccups), cmocka_unit_test(test_lost), cmocka_unit_test(test_capacity),
	                                   cmocka_unit_test(test_odd), cmocka_unit_test(test_kernel)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
