/* SPDX-License-Identifier: BSD-2-Clause */
/* Trees that follow the store: two stores with the same zones, loaded differently, have the same root once all contents are known; changes are followed without a look at the whole zone. */
#include "../zone/store_kit.h"

#include "base/clock.h"
#include "config/config.h"
#include "watch/drift_table.h"
#include "zone/difference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { ZONES = 500 };

struct bed {
	char *folder, path[4200];
	_Atomic uint64_t pins[BOARD_DRIFT_PINS];
	_Atomic uint64_t *pin[BOARD_DRIFT_PINS];
	struct store_writer *w;
	struct drift_table t;
	uint64_t ino;
};

static struct config_network networks[] = {{.name = "global"}, {.name = "eu"}};
static uint32_t both[] = {0, 1};
static struct config config = {.networks = networks, .network_count = 2};
static const struct config_node pop = {.name = "fra", .role = CONFIG_POP, .networks = both, .network_count = 1};
static const struct config_node primary = {.name = "hid", .role = CONFIG_PRIMARY};

static void open_store(struct bed *b)
{
	struct store_open_info info;
	struct stat st;

	assert_int_equal(store_writer_open(b->path, b->pin, BOARD_DRIFT_PINS, &b->w, &info), 0);
	assert_int_equal(stat(b->path, &st), 0);
	b->ino = st.st_ino;
}

static struct bed *bed_new(const struct config_node *node)
{
	struct bed *b = calloc(1, sizeof(*b));

	b->folder = kit_folder();
	snprintf(b->path, sizeof(b->path), "%s/s", b->folder);
	for (unsigned i = 0; i < BOARD_DRIFT_PINS; i++)
		b->pin[i] = &b->pins[i];
	open_store(b);
	drift_table_init(&b->t, b->path, b->pins);
	assert_int_equal(drift_table_replan(&b->t, &config, node), 0);
	return b;
}

static void bed_free(struct bed *b)
{
	drift_table_done(&b->t);
	for (unsigned i = 0; i < BOARD_DRIFT_PINS; i++)
		assert_true(atomic_load(&b->pins[i]) == STORE_UNPINNED);
	store_writer_close(b->w);
	kit_folder_free(b->folder);
	free(b);
}

static struct name zone_name(unsigned i)
{
	char text[40];

	snprintf(text, sizeof(text), "z%u.example.", i);
	return kit_name(text);
}

static void put(struct bed *b, unsigned i, uint32_t version, uint32_t network)
{
	const struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = network, .source = ""};
	struct name name = zone_name(i);
	struct content *c = kit_version(name.wire, version, 3, 8);

	assert_int_equal(store_put_zone(b->w, name.wire, c, &meta), 0);
	content_free(c);
}

static void commit(struct bed *b)
{
	uint64_t generation;

	assert_int_equal(store_commit(b->w, &generation), 0);
	store_collect(b->w);
}

/* In pieces, as the loop does it. Returns digests made meanwhile. */
static uint64_t settle(struct bed *b)
{
	uint64_t before = b->t.digests;

	for (unsigned turns = 0; drift_table_step(&b->t, b->ino, clock_ns(), 200000) || turns < 2; turns++)
		assert_true(turns < 1000000);
	return b->t.digests - before;
}

static struct tree_sum sum_of(struct bed *b, unsigned slot)
{
	struct tree_sum s;

	tree_sum_of(b->t.network[slot].tree, (struct tree_place){0}, &s);
	return s;
}

static void test_same(void **state)
{
	struct bed *x = bed_new(&pop), *y = bed_new(&primary);

	(void)state;
	for (unsigned i = 0; i < ZONES; i++)
		put(x, i, i, i % 5 ? 0 : 1);
	commit(x);
	for (unsigned i = ZONES; i-- > 0;) {
		put(y, i, i % 50 ? 7 : i, 0);
		if (i % 50 == 0)
			commit(y);
		if (i % 100 == 0)
			settle(y);
	}
	for (unsigned i = 0; i < ZONES; i++)
		put(y, i, i, i % 5 ? 0 : 1);
	commit(y);
	assert_true(settle(x) > 0);
	settle(y);
	assert_int_equal(x->t.count, 1); /* the pop's */
	assert_int_equal(y->t.count, 2);
	assert_int_equal(sum_of(x, 0).zones, ZONES - ZONES / 5);
	assert_int_equal(sum_of(y, 1).zones, ZONES / 5);
	assert_int_equal(sum_of(x, 0).unknown, 0);
	assert_int_equal(sum_of(y, 0).unknown, 0);
	assert_true(x->t.network[0].root == y->t.network[0].root);
	/* Gone, without data, in another network: it is not there any more. */
	{
		const struct store_zone_meta none = {.state = STORE_ZONE_NO_DATA, .network = 0, .source = ""};
		struct name gone = zone_name(1), empty = zone_name(2);

		assert_int_equal(store_remove_zone(y->w, gone.wire), 0);
		assert_int_equal(store_put_zone(y->w, empty.wire, NULL, &none), 0);
		put(y, 3, 3, 1);
		commit(y);
		settle(y);
		assert_int_equal(sum_of(y, 0).zones, ZONES - ZONES / 5 - 3);
		assert_int_equal(sum_of(y, 1).zones, ZONES / 5 + 1);
		assert_true(x->t.network[0].root != y->t.network[0].root);
		for (unsigned i = 1; i <= 3; i++)
			put(y, i, i, 0);
		commit(y);
		settle(y);
		assert_true(x->t.network[0].root == y->t.network[0].root);
	}
	bed_free(x);
	bed_free(y);
}

/* A difference is followed at once: no digest of the whole is made, and the root is that of a store that was given the zone as a whole. */
static void test_change(void **state)
{
	static const struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = 0, .source = ""};
	struct bed *x = bed_new(&pop), *y = bed_new(&pop);
	struct name name = zone_name(0);
	struct zone_change_problem problem;
	struct content *from = kit_version(name.wire, 1, 3, 8), *to = kit_version(name.wire, 2, 3, 8);
	struct zone_change change;

	(void)state;
	put(x, 0, 1, 0);
	commit(x);
	assert_int_equal(settle(x), 1);
	assert_int_equal(zone_difference(from, to, SIZE_MAX, &change), 0);
	assert_int_equal(store_change_zone(x->w, name.wire, &change, &meta, &problem), 0);
	commit(x);
	assert_int_equal(settle(x), 0);
	assert_int_equal(sum_of(x, 0).unknown, 0);
	put(y, 0, 2, 0);
	commit(y);
	assert_int_equal(settle(y), 1);
	assert_true(x->t.network[0].root == y->t.network[0].root);
	zone_change_done(&change);
	content_free(from);
	content_free(to);
	bed_free(x);
	bed_free(y);
}

/* The writer made the file anew: all of it is followed from the beginning. */
static void test_new_store(void **state)
{
	struct bed *b = bed_new(&pop);
	uint64_t root;

	(void)state;
	put(b, 1, 1, 0);
	commit(b);
	settle(b);
	root = b->t.network[0].root;
	store_writer_close(b->w);
	assert_int_equal(remove(b->path), 0);
	{
		char keep[4300];
		FILE *f;

		/* So that the new file does not get the same number. */
		snprintf(keep, sizeof(keep), "%s-keep", b->path);
		f = fopen(keep, "w");
		assert_non_null(f);
		fclose(f);
		open_store(b);
		remove(keep);
	}
	put(b, 1, 2, 0);
	commit(b);
	settle(b);
	assert_int_equal(sum_of(b, 0).zones, 1);
	assert_true(b->t.network[0].root != root);
	put(b, 1, 1, 0);
	commit(b);
	settle(b);
	assert_true(b->t.network[0].root == root);
	bed_free(b);
}

static void test_replan(void **state)
{
	struct bed *b = bed_new(&primary);
	const struct zone_tree *tree;

	(void)state;
	put(b, 1, 1, 1);
	commit(b);
	assert_false(b->t.ready);
	settle(b);
	assert_true(b->t.ready);
	tree = b->t.network[0].tree;
	assert_int_equal(drift_table_replan(&b->t, &config, &primary), 0);
	assert_ptr_equal(b->t.network[0].tree, tree);
	assert_non_null(drift_table_find(&b->t, "eu"));
	assert_null(drift_table_find(&b->t, "us"));
	assert_int_equal(drift_table_replan(&b->t, &config, &pop), 0);
	settle(b);
	assert_int_equal(b->t.count, 1);
	assert_int_equal(sum_of(b, 0).zones, 0);
	assert_int_equal(drift_table_replan(&b->t, &config, &primary), 0);
	settle(b);
	assert_int_equal(sum_of(b, 1).zones, 1);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_new_store),
		cmocka_unit_test(test_replan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
