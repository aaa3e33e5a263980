/* SPDX-License-Identifier: BSD-2-Clause */
/* What is not the same in two versions of the store, against a look at all zones of both; and digests that follow changes, against digests of the whole. */
#include "store_kit.h"

#include "base/err.h"
#include "dns/rr.h"
#include "zone/difference.h"
#include "zone/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NAMES = 600, ROUNDS = 120 };

struct bed {
	char *folder, path[4200];
	_Atomic uint64_t pins[2];
	_Atomic uint64_t *pin[2];
	struct store_writer *w;
	struct store_reader *r[2];
	struct name names[NAMES];
};

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct store_open_info info;
	struct rng r = {42};
	const uint8_t root[1] = {0};

	b->folder = kit_folder();
	snprintf(b->path, sizeof(b->path), "%s/s", b->folder);
	for (unsigned i = 0; i < 2; i++) {
		b->pin[i] = &b->pins[i];
		atomic_store(b->pin[i], STORE_UNPINNED);
	}
	assert_int_equal(store_writer_open(b->path, b->pin, 2, &b->w, &info), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(store_reader_open(b->path, b->pin[i], &b->r[i]), 0);
	for (unsigned i = 0; i < NAMES; i++)
		while (!kit_random_name(&r, root, &b->names[i]) || b->names[i].len < 2)
			;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	for (unsigned i = 0; i < 2; i++)
		store_reader_close(b->r[i]);
	store_writer_close(b->w);
	kit_folder_free(b->folder);
	free(b);
	return 0;
}

struct told {
	const struct store_snapshot *from, *to;
	unsigned count;
};

static int take(void *ctx, const struct store_zone *was, const struct store_zone *now)
{
	struct told *t = ctx;
	const uint8_t *apex = store_zone_apex(was ? was : now);

	assert_ptr_equal(t->from->zones ? store_zone_get(t->from, apex) : NULL, was);
	assert_ptr_equal(t->to->zones ? store_zone_get(t->to, apex) : NULL, now);
	t->count++;
	return 0;
}

/* Zones whose records are not at the same place of the file. */
static unsigned count_changed(const struct store_snapshot *from, const struct store_snapshot *to)
{
	unsigned count = 0;

	for (const struct store_zone *z = store_zone_next(to, NULL); z; z = store_zone_next(to, store_zone_apex(z))) {
		const struct store_zone *was = store_zone_get(from, store_zone_apex(z));

		count += !was || (const uint8_t *)was - from->base != (const uint8_t *)z - to->base;
	}
	for (const struct store_zone *z = store_zone_next(from, NULL); z; z = store_zone_next(from, store_zone_apex(z)))
		count += !store_zone_get(to, store_zone_apex(z));
	return count;
}

static int stop(void *ctx, const struct store_zone *was, const struct store_zone *now)
{
	(void)was;
	(void)now;
	++*(unsigned *)ctx;
	return ERR_LIMIT;
}

static void test_changed(void **state)
{
	struct bed *b = *state;
	struct store_snapshot at[2];
	struct rng r = {7};
	unsigned current = 0, stopped = 0;
	uint64_t generation;

	store_pin(b->r[0], &at[0]);
	for (unsigned round = 0; round < ROUNDS; round++) {
		/* A few, half of them, nearly all. */
		unsigned n = round % 10 == 9 ? NAMES * 2 : 1 + rng_below(&r, round % 3 ? 8 : NAMES / 2);
		struct told t = {&at[current], &at[1 - current], 0};

		for (unsigned i = 0; i < n; i++) {
			const struct name *name = &b->names[rng_below(&r, NAMES)];
			int err;

			if (rng_below(&r, round % 10 == 9 ? 2 : 3) == 0) {
				err = store_remove_zone(b->w, name->wire);
				assert_true(err == 0 || err == ERR_NOT_FOUND);
			} else {
				struct content *c = kit_version(name->wire, rng_below(&r, 1000), 1, 4);

				assert_int_equal(kit_put(b->w, name->wire, c), 0);
				content_free(c);
			}
		}
		assert_int_equal(store_commit(b->w, &generation), 0);
		store_pin(b->r[1 - current], &at[1 - current]);
		assert_int_equal(store_zones_changed(&at[current], &at[1 - current], take, &t), 0);
		assert_int_equal(t.count, count_changed(&at[current], &at[1 - current]));
		store_unpin(b->r[current]);
		store_collect(b->w);
		current = 1 - current;
	}
	/* From nothing, to nothing, to itself; and what the function says ends it. */
	{
		struct store_snapshot none = {.base = at[current].base};
		struct told t = {&none, &at[current], 0};

		assert_int_equal(store_zones_changed(&none, &at[current], take, &t), 0);
		assert_int_equal(t.count, at[current].zone_count);
		t = (struct told){&at[current], &none, 0};
		assert_int_equal(store_zones_changed(&at[current], &none, take, &t), 0);
		assert_int_equal(t.count, at[current].zone_count);
		t = (struct told){&at[current], &at[current], 0};
		assert_int_equal(store_zones_changed(&at[current], &at[current], take, &t), 0);
		assert_int_equal(t.count, 0);
		assert_int_equal(store_zones_changed(&none, &at[current], stop, &stopped), ERR_LIMIT);
		assert_int_equal(stopped, 1);
	}
}

/* One name's TXT goes from one version's to the next one's, and the SOA with it. */
static struct zone_change make_change(const struct content *from, const struct content *to)
{
	struct zone_change c;

	assert_int_equal(zone_difference(from, to, SIZE_MAX, &c), 0);
	return c;
}

static void digest_now(struct bed *b, const struct name *apex, struct zone_digest *sum, struct zone_digest *moved,
                       uint64_t *from)
{
	struct store_snapshot s;
	const struct store_zone *z;

	store_pin(b->r[0], &s);
	z = store_zone_get(&s, apex->wire);
	assert_non_null(z);
	assert_int_equal(zone_digest_store(&s, z, sum), 0);
	memcpy(moved->words, z->digest_moved, sizeof(moved->words));
	*from = z->digest_from;
	store_unpin(b->r[0]);
}

static void test_digest_follows(void **state)
{
	static const struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = 0, .source = "test"};
	struct bed *b = *state;
	struct name apex = kit_name("example.");
	struct zone_digest sum, moved, base;
	struct content *at = kit_version(apex.wire, 1, 300, 20);
	uint64_t from, first, generation;

	assert_int_equal(kit_put(b->w, apex.wire, at), 0);
	assert_int_equal(store_commit(b->w, &generation), 0);
	digest_now(b, &apex, &base, &moved, &first);
	assert_true(first == generation);
	for (unsigned i = 0; i < ZONE_DIGEST_WORDS; i++)
		assert_true(moved.words[i] == 0);
	for (uint32_t version = 2; version < 60; version++) {
		/* Names come and go, all records change, and sometimes all of it is copied to be rid of waste. */
		struct content *next = kit_version(apex.wire, version, 250 + version % 7 * 13, 20);
		struct zone_change change = make_change(at, next);
		struct zone_change_problem problem;
		struct zone_digest want = base;

		assert_int_equal(store_change_zone(b->w, apex.wire, &change, &meta, &problem), 0);
		assert_int_equal(store_commit(b->w, &generation), 0);
		store_collect(b->w);
		zone_change_done(&change);
		content_free(at);
		at = next;
		digest_now(b, &apex, &sum, &moved, &from);
		assert_true(from == first);
		zone_digest_add(&want, &moved);
		assert_true(zone_digest_equal(&want, &sum));
	}
	/* As a whole: counted anew. */
	assert_int_equal(kit_put(b->w, apex.wire, at), 0);
	assert_int_equal(store_commit(b->w, &generation), 0);
	digest_now(b, &apex, &sum, &moved, &from);
	assert_true(from == generation && !moved.words[0]);
	content_free(at);
	/* A change that is very large: anew as well. */
	at = kit_version(apex.wire, 100, 40000, 4);
	assert_int_equal(kit_put(b->w, apex.wire, at), 0);
	assert_int_equal(store_commit(b->w, &generation), 0);
	{
		struct content *next = kit_version(apex.wire, 101, 40000, 4);
		struct zone_change change = make_change(at, next);
		struct zone_change_problem problem;

		assert_true(zone_change_size(&change) > 20000);
		assert_int_equal(store_change_zone(b->w, apex.wire, &change, &meta, &problem), 0);
		assert_int_equal(store_commit(b->w, &generation), 0);
		digest_now(b, &apex, &sum, &moved, &from);
		assert_true(from == generation && !moved.words[0]);
		zone_change_done(&change);
		content_free(next);
	}
	content_free(at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_digest_follows, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
