/* SPDX-License-Identifier: BSD-2-Clause */
/* The cache's memory from the writers' side: no privilege needed, the maps are plain shared memory. */
#include "base/clock.h"
#include "base/err.h"
#include "frame_kit.h"
#include "xdp/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SMALL_SETS = 2, LARGE_SETS = 1, GENERATIONS_LEN = XDP_TAGS * 8 + (SMALL_SETS + LARGE_SETS) * 8 };

struct world {
	struct xdp_maps maps;
	struct xdp_cache *cache;
	struct xdp_control *control;
	uint32_t *generations;
	struct xdp_small *small;
	struct xdp_large *large;
};

static void *make(int32_t *fd, size_t len)
{
	void *p;

	*fd = memfd_create("xdp-test", MFD_CLOEXEC);
	assert_true(*fd >= 0);
	assert_int_equal(ftruncate(*fd, (off_t)len), 0);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static int setup(void **state)
{
	static struct world w;
	const uint64_t key[2] = {1, 2};

	w.control = make(&w.maps.control, sizeof(struct xdp_control));
	w.generations = make(&w.maps.generations, GENERATIONS_LEN);
	w.small = make(&w.maps.small, SMALL_SETS * XDP_WAYS * sizeof(struct xdp_small));
	w.large = make(&w.maps.large, LARGE_SETS * XDP_WAYS * sizeof(struct xdp_large));
	xdp_control_init(w.control, 2, SMALL_SETS, LARGE_SETS, key);
	assert_int_equal(xdp_cache_open(&w.maps, &w.cache), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	xdp_cache_close(w->cache);
	munmap(w->control, sizeof(struct xdp_control));
	munmap(w->generations, GENERATIONS_LEN);
	munmap(w->small, SMALL_SETS * XDP_WAYS * sizeof(struct xdp_small));
	munmap(w->large, LARGE_SETS * XDP_WAYS * sizeof(struct xdp_large));
	close(w->maps.control);
	close(w->maps.generations);
	close(w->maps.small);
	close(w->maps.large);
	return 0;
}

static unsigned used(const struct world *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SMALL_SETS * XDP_WAYS; i++)
		n += w->small[i].head.hash != 0;
	for (unsigned i = 0; i < LARGE_SETS * XDP_WAYS; i++)
		n += w->large[i].head.hash != 0;
	return n;
}

static int fill(struct world *w, const struct xdp_ticket *t, const char *name, size_t tail)
{
	uint8_t message[1400];
	struct xdp_answer a = {.message = message, .kind = 0};

	a.len = kit_answer(name, 1, false, false, 0, tail, message);
	return xdp_cache_fill(w->cache, 0, t, &a);
}

static const uint8_t apex[] = "\x07" "Example\x03" "com", lower_apex[] = "\x07" "example\x03" "com", other[] = "\x05other";

static void test_slots(void **state)
{
	(void)state;
	assert_int_equal(xdp_cache_slot(apex), xdp_cache_slot(lower_apex));
	assert_int_not_equal(xdp_cache_slot(apex), xdp_cache_slot(other));
	assert_true(xdp_cache_slot((const uint8_t *)"") < XDP_GENERATIONS);
}

static void test_a_late_filling_is_dead(void **state)
{
	struct world *w = *state;
	const uint8_t *zones[] = {apex};
	struct xdp_ticket before, during, after;
	uint32_t slot = xdp_cache_slot(apex);

	assert_true(xdp_cache_ticket(w->cache, slot, &before));
	xdp_cache_shut(w->cache, zones, 1);
	assert_false(xdp_cache_ticket(w->cache, slot, &during));
	assert_int_equal(w->generations[slot] & 1, 1);
	xdp_cache_reopen(w->cache, zones, 1);
	assert_true(xdp_cache_ticket(w->cache, slot, &after));
	assert_int_not_equal(before.generation, after.generation);
	assert_int_equal(fill(w, &before, "www.example.com", 40), 0);
	for (unsigned i = 0; i < SMALL_SETS * XDP_WAYS; i++)
		if (w->small[i].head.hash)
			assert_int_not_equal(w->small[i].head.generation, w->generations[slot]);
	/* Another zone's generation is its own. */
	assert_true(xdp_cache_ticket(w->cache, xdp_cache_slot(other), &during));
	assert_int_equal(during.generation, 0);
}

static void test_everything_at_once(void **state)
{
	struct world *w = *state;
	struct xdp_ticket t, u;

	assert_true(xdp_cache_ticket(w->cache, 7, &t));
	xdp_cache_shut(w->cache, NULL, 0);
	assert_false(xdp_cache_ticket(w->cache, 7, &u));
	xdp_cache_renew(w->cache); /* a worker's reload meanwhile does not open it */
	assert_false(xdp_cache_ticket(w->cache, 7, &u));
	xdp_cache_recover(w->cache);
	assert_true(xdp_cache_ticket(w->cache, 7, &u));
	assert_int_not_equal(t.epoch, u.epoch);
}

static void test_two_zones_in_one_slot(void **state)
{
	struct world *w = *state;
	const uint8_t *zones[] = {apex, lower_apex};
	struct xdp_ticket t;

	xdp_cache_shut(w->cache, zones, 2);
	assert_false(xdp_cache_ticket(w->cache, xdp_cache_slot(apex), &t));
	xdp_cache_reopen(w->cache, zones, 2);
	assert_true(xdp_cache_ticket(w->cache, xdp_cache_slot(apex), &t));
	assert_int_equal(t.generation, 2);
}

static void test_a_question_has_one_place(void **state)
{
	struct world *w = *state;
	struct xdp_ticket t;

	assert_true(xdp_cache_ticket(w->cache, 1, &t));
	assert_int_equal(fill(w, &t, "a.example", 40), 0);
	assert_int_equal(fill(w, &t, "a.example", 60), 0);
	assert_int_equal(used(w), 1);
	/* It has grown, and shrinks again. */
	assert_int_equal(fill(w, &t, "a.example", 600), 0);
	assert_int_equal(used(w), 1);
	assert_int_not_equal(w->large[0].head.hash, 0);
	assert_int_equal(fill(w, &t, "a.example", 60), 0);
	assert_int_equal(used(w), 1);
	assert_int_equal(w->large[0].head.hash, 0);
}

static void test_memory_is_fixed(void **state)
{
	struct world *w = *state;
	char name[32];
	struct xdp_ticket t;

	assert_true(xdp_cache_ticket(w->cache, 1, &t));
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		assert_int_equal(fill(w, &t, name, 40), 0);
		assert_int_equal(fill(w, &t, name, i % 2 ? 400 : 40), 0);
	}
	assert_true(used(w) <= (SMALL_SETS + LARGE_SETS) * XDP_WAYS);
	assert_true(used(w) > SMALL_SETS * XDP_WAYS / 2);
}

static void test_the_dead_go_first(void **state)
{
	struct world *w = *state;
	const uint8_t *zones[] = {apex};
	struct xdp_ticket live, dying;
	char name[32];

	assert_true(xdp_cache_ticket(w->cache, xdp_cache_slot(other), &live));
	assert_true(xdp_cache_ticket(w->cache, xdp_cache_slot(apex), &dying));
	/* One set of large answers: one alive, three dead. */
	assert_int_equal(fill(w, &live, "alive.other", 500), 0);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "n%d.example.com", i);
		assert_int_equal(fill(w, &dying, name, 500), 0);
	}
	xdp_cache_shut(w->cache, zones, 1);
	xdp_cache_reopen(w->cache, zones, 1);
	assert_true(xdp_cache_ticket(w->cache, xdp_cache_slot(apex), &live));
	for (int i = 3; i < 6; i++) {
		snprintf(name, sizeof(name), "n%d.example.com", i);
		assert_int_equal(fill(w, &live, name, 500), 0);
	}
	assert_int_equal(w->large[0].head.slot, xdp_cache_slot(other));
}

static void test_refused(void **state)
{
	struct world *w = *state;
	uint8_t message[1400];
	struct xdp_answer a = {.message = message};
	struct xdp_ticket t;

	assert_true(xdp_cache_ticket(w->cache, 1, &t));
	a.len = kit_answer("a.example", 1, false, false, 0, 1300, message);
	assert_int_equal(xdp_cache_fill(w->cache, 0, &t, &a), ERR_LIMIT);
	a.len = kit_answer("a.example", 1, false, false, 0, 40, message);
	message[2] |= 2;
	assert_int_equal(xdp_cache_fill(w->cache, 0, &t, &a), ERR_MALFORMED);
	message[2] &= 0x7d;
	assert_int_equal(xdp_cache_fill(w->cache, 0, &t, &a), ERR_MALFORMED);
	message[2] = 0x84;
	message[5] = 2;
	assert_int_equal(xdp_cache_fill(w->cache, 0, &t, &a), ERR_MALFORMED);
	message[5] = 1;
	message[12] = 0xc0;
	assert_int_equal(xdp_cache_fill(w->cache, 0, &t, &a), ERR_MALFORMED);
	for (size_t len = 0; len < 26; len++) {
		kit_answer("a.example", 1, false, false, 0, 40, message);
		a.len = len;
		assert_int_equal(xdp_cache_fill(w->cache, 0, &t, &a), ERR_MALFORMED);
	}
	assert_int_equal(used(w), 0);
}

static void test_a_writer_that_died(void **state)
{
	struct world *w = *state;
	struct xdp_ticket t;

	assert_true(xdp_cache_ticket(w->cache, 1, &t));
	assert_int_equal(fill(w, &t, "a.example", 500), 0);
	w->large[0].head.lock = 3ULL << 32 | (5 + 1); /* worker 5, in the middle of it */
	assert_int_equal(fill(w, &t, "a.example", 500), ERR_CLOSED);
	xdp_cache_sweep(w->cache, 4);
	assert_int_equal(fill(w, &t, "a.example", 500), ERR_CLOSED);
	xdp_cache_sweep(w->cache, 5);
	assert_int_equal(w->large[0].head.hash, 0);
	assert_int_equal(fill(w, &t, "a.example", 500), 0);
}

static void test_other_layouts_are_refused(void **state)
{
	struct world *w = *state;
	struct xdp_cache *c = NULL;

	w->control->layout++;
	assert_int_equal(xdp_cache_open(&w->maps, &c), ERR_STALE);
	assert_null(c);
}

static void test_a_role_without_tables(void **state)
{
	struct world *w = *state;
	struct xdp_maps maps = w->maps;
	struct xdp_cache *c, *old = w->cache;
	const uint8_t *zones[] = {apex};
	struct xdp_ticket t;

	maps.small = maps.large = -1;
	assert_int_equal(xdp_cache_open(&maps, &c), 0);
	xdp_cache_shut(c, zones, 1);
	assert_false(xdp_cache_ticket(old, xdp_cache_slot(apex), &t));
	xdp_cache_reopen(c, zones, 1);
	assert_true(xdp_cache_ticket(old, xdp_cache_slot(apex), &t));
	w->cache = c;
	assert_int_equal(fill(w, &t, "a.example", 50), ERR_LIMIT);
	w->cache = old;
	xdp_cache_close(c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots), T(test_a_late_filling_is_dead), T(test_everything_at_once), T(test_two_zones_in_one_slot),
		T(test_a_question_has_one_place), T(test_memory_is_fixed), T(test_the_dead_go_first), T(test_refused), T(test_a_writer_that_died),
		T(test_other_layouts_are_refused), T(test_a_role_without_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
