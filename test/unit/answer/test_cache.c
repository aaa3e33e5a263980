/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer cache alone: what is let in, what is found, and that nothing outlives its zone's version. That its answers are those of the
 * engine is compared in every test that asks through engine_kit.h. */
#include "answer/cache.c"

#include "engine_kit.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char soa[] = "$TTL 60\n@ SOA ns host 1 2 3 4 600\n@ NS ns\nns A 192.0.2.1\n";
static const struct kit_zone example = {"example", soa, false, 0}, other = {"other", soa, false, 0}, below = {"sub.example", soa, false, 0};
static struct answer_cache *cache;

static struct cache_key key_of(const char *name, uint16_t type, bool dnssec_ok)
{
	struct query q = {.qtype = type, .dnssec_ok = dnssec_ok};
	struct cache_key k;

	assert_int_equal(name_from_text(name, strlen(name), (const uint8_t *)"", &q.qname), 0);
	memset(&k, 0xa5, sizeof(k));
	cache_key_make(cache, &q, &k);
	return k;
}

/* A body that only this name has. */
static struct cache_answer answer_of(const struct store_snapshot *s, const char *name, size_t len)
{
	static uint8_t body[CACHE_BODY_MAX + 1];
	struct name n;

	assert_int_equal(name_from_text(name, strlen(name), (const uint8_t *)"", &n), 0);
	for (size_t i = 0; i < len; i++)
		body[i] = (uint8_t)(tolower(name[i % strlen(name)]) + (int)i);
	return (struct cache_answer){.zone = store_zone_find(s, n.wire, false), .body = body, .len = (uint16_t)len, .counts = {1, 2, 3},
	                             .rcode = RCODE_NXDOMAIN, .marks = CACHE_AUTHORITATIVE};
}

static void put(const struct store_snapshot *s, const char *name, size_t len)
{
	const struct cache_key k = key_of(name, RR_A, false);
	const struct cache_answer a = answer_of(s, name, len);

	cache_put(cache, s, &k, &a);
}

static bool found(const struct store_snapshot *s, const char *name)
{
	const struct cache_key k = key_of(name, RR_A, false);
	struct cache_answer a, want;

	if (!cache_find(cache, s, &k, CACHE_BODY_MAX, &a))
		return false;
	want = answer_of(s, name, a.len);
	assert_memory_equal(a.body, want.body, a.len);
	assert_ptr_equal(a.zone, want.zone);
	assert_int_equal(a.rcode, want.rcode);
	assert_int_equal(a.marks, CACHE_AUTHORITATIVE);
	assert_memory_equal(a.counts, want.counts, sizeof(a.counts));
	return true;
}

static int set_up(void **state)
{
	(void)state;
	kit_open(&example, 1);
	kit_change(&other, 1);
	assert_int_equal(cache_new(CACHE_OCTETS_MIN, &cache), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cache_free(cache);
	kit_close();
	return 0;
}

static void test_the_second_time(void **state)
{
	struct store_snapshot s;
	struct cache_answer a;
	struct cache_key k;

	(void)state;
	kit_pin(&s);
	put(&s, "www.example.", 100);
	assert_false(found(&s, "www.example."));
	put(&s, "www.example.", 100);
	assert_true(found(&s, "www.example."));
	assert_true(found(&s, "WWW.eXample."));
	assert_false(found(&s, "ww.example."));
	k = key_of("www.example.", RR_AAAA, false);
	assert_false(cache_find(cache, &s, &k, 500, &a));
	k = key_of("www.example.", RR_A, true);
	assert_false(cache_find(cache, &s, &k, 500, &a));
	k = key_of("www.example.", RR_A, false);
	assert_false(cache_find(cache, &s, &k, 99, &a));
	assert_true(cache_find(cache, &s, &k, 100, &a));
	cache_clear(cache);
	assert_false(found(&s, "www.example."));
	for (int i = 0; i < 3; i++) {
		put(&s, "empty.example.", 0);
		put(&s, "long.example.", CACHE_BODY_MAX);
		put(&s, "longer.example.", CACHE_BODY_MAX + 1);
	}
	assert_true(found(&s, "empty.example."));
	assert_true(found(&s, "long.example."));
	assert_false(found(&s, "longer.example."));
	kit_unpin();
}

/* What a commit does to answers of zones that it changed, and of others. */
static void test_versions(void **state)
{
	static const char *const names[] = {"www.example.", "x.sub.example.", "www.other."};
	static const struct {
		const struct kit_zone *put;
		const char *remove;
		bool left[3];
	} steps[] = {
		{.put = &other, .left = {true, true, false}},
		{.put = &example, .left = {false, false, true}},
		{.put = &below, .left = {true, false, true}},
		{.remove = "sub.example", .left = {true, false, true}},
		{.remove = "other", .left = {true, true, false}},
		{.put = &other, .left = {true, true, false}},
	};
	struct store_snapshot s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct cache_answer kept[3];
		bool was[3];

		kit_pin(&s);
		for (size_t n = 0; n < ARRAY_LEN(names); n++) {
			struct cache_key k = key_of(names[n], RR_A, false);

			if (answer_of(&s, names[n], 1).zone) {
				put(&s, names[n], 50);
				put(&s, names[n], 50);
			}
			was[n] = cache_find(cache, &s, &k, 500, &kept[n]);
		}
		kit_unpin();
		if (steps[i].put)
			kit_change(steps[i].put, 1);
		else
			kit_remove(steps[i].remove);
		kit_pin(&s);
		for (size_t n = 0; n < ARRAY_LEN(names); n++)
			if (found(&s, names[n]) != (was[n] && steps[i].left[n]))
				fail_msg("step %zu, %s", i, names[n]);
		kit_unpin();
	}
}

/* A zone that came after the answer and went again leaves the parent's version as it was: which is what the answer was made of. */
static void test_the_parent_again(void **state)
{
	struct store_snapshot s;

	(void)state;
	kit_pin(&s);
	put(&s, "x.sub.example.", 50);
	put(&s, "x.sub.example.", 50);
	kit_unpin();
	kit_change(&below, 1);
	kit_pin(&s);
	assert_false(found(&s, "x.sub.example."));
	kit_unpin();
	kit_remove("sub.example");
	kit_pin(&s);
	assert_false(found(&s, "x.sub.example."));
	put(&s, "x.sub.example.", 60);
	assert_true(found(&s, "x.sub.example.")); /* it was known already */
	kit_unpin();
}

static void test_floods(void **state)
{
	struct store_snapshot s;
	char name[40];

	(void)state;
	kit_pin(&s);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%d.example.", i);
		put(&s, name, 100);
		put(&s, name, 100);
	}
	for (int i = 0; i < 500000; i++) {
		snprintf(name, sizeof(name), "flood%d.example.", i);
		put(&s, name, 100);
	}
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%d.example.", i);
		assert_true(found(&s, name));
	}
	kit_unpin();
}

/* The oldest go; what is found is whole, whatever is written around it. */
static void test_the_ring(void **state)
{
	unsigned there = 0;
	struct store_snapshot s;
	char name[40];

	(void)state;
	kit_pin(&s);
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "%d.n.example.", i);
		put(&s, name, (size_t)(i * 7919) % CACHE_BODY_MAX);
		put(&s, name, (size_t)(i * 7919) % CACHE_BODY_MAX);
		snprintf(name, sizeof(name), "%d.n.example.", i);
		assert_true(found(&s, name));
	}
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "%d.n.example.", i);
		there += found(&s, name);
	}
	assert_in_range(there, CACHE_OCTETS_MIN / CACHE_BODY_MAX / 2, CACHE_OCTETS_MIN / 200);
	kit_unpin();
}

static void test_the_end_of_time(void **state)
{
	struct store_snapshot s;
	char name[40];

	(void)state;
	kit_pin(&s);
	cache->head = UINT32_MAX - 4 * cache->cells;
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "%d.n.example.", i);
		for (int k = 0; k < 6; k++) /* within them everything may be forgotten, once */
			put(&s, name, 1000);
		assert_true(found(&s, name));
	}
	assert_true(cache->head < UINT32_MAX / 2);
	kit_unpin();
}

static void test_lower_case(void **state)
{
	for (unsigned c = 0; c < 256; c++)
		for (unsigned shift = 0; shift < 64; shift += 8) {
			uint64_t rest = 0x415a617a405b607bULL & ~(0xffULL << shift), low = 0x617a617a405b607bULL & ~(0xffULL << shift);
			uint64_t want = c >= 'A' && c <= 'Z' ? c + 32 : c;

			assert_true(lower8(rest | (uint64_t)c << shift) == (low | want << shift));
		}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_second_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_versions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_parent_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_floods, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_ring, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_end_of_time, set_up, tear_down),
		cmocka_unit_test(test_lower_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
