/* SPDX-License-Identifier: BSD-2-Clause */
/* The round through the zones of one network in a real store. */
#include "../zone/store_kit.h"

#include "dns/rr.h"
#include "watch/zones.h"
#include "zone/follow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { OURS = 3, THEIRS = 1 };

struct bed {
	char *folder, path[4200];
	_Atomic uint64_t pin;
	struct store_writer *w;
	struct store_follow f;
	struct store_snapshot s;
};

static void put(struct bed *b, const char *text, uint32_t network, uint32_t serial)
{
	struct name apex = kit_name(text);
	struct content *c = serial ? kit_version(apex.wire, serial, 3, 8) : NULL;
	struct store_zone_meta meta = {.state = c ? STORE_ZONE_SERVING : STORE_ZONE_NO_DATA, .network = network, .source = ""};

	assert_int_equal(store_put_zone(b->w, apex.wire, c, &meta), 0);
	content_free(c);
}

/* Publish what was put and read it. */
static void publish(struct bed *b)
{
	uint64_t generation;

	assert_int_equal(store_commit(b->w, &generation), 0);
	if (b->s.base)
		store_unpin(b->f.reader);
	assert_true(store_follow_look(&b->f, 0));
	store_pin(b->f.reader, &b->s);
}

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	_Atomic uint64_t *pins[1];
	struct store_open_info info;

	b->folder = kit_folder();
	snprintf(b->path, sizeof(b->path), "%s/s", b->folder);
	store_follow_init(&b->f, b->path, &b->pin);
	if (atomic_load(&b->pin) != STORE_UNPINNED || store_follow_look(&b->f, 0))
		return -1;
	pins[0] = &b->pin;
	if (store_writer_open(b->path, pins, 1, &b->w, &info) != 0)
		return -1;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	if (b->s.base)
		store_unpin(b->f.reader);
	store_follow_done(&b->f);
	store_writer_close(b->w);
	kit_folder_free(b->folder);
	free(b);
	return 0;
}

static void expect_next(struct bed *b, struct zones_cursor *c, const char *text)
{
	struct name got, want = kit_name(text);

	assert_int_equal(zones_next(c, &b->s, OURS, &got), ZONES_FOUND);
	if (!name_equal(got.wire, want.wire)) {
		char shown[NAME_TEXT_MAX];

		name_to_text(got.wire, shown);
		fail_msg("%s, expected %s", shown, text);
	}
}

static void test_round(void **state)
{
	struct bed *b = *state;
	struct zones_cursor c = {0};

	put(b, "a.", OURS, 1);
	put(b, "b.", THEIRS, 1);
	put(b, "c.", OURS, 1);
	put(b, "d.", OURS, 0); /* never loaded: not asked */
	put(b, "e.", UINT32_MAX, 1);
	put(b, "sub.a.", OURS, 1);
	publish(b);
	for (int i = 0; i < 3; i++) {
		expect_next(b, &c, "a.");
		expect_next(b, &c, "sub.a.");
		expect_next(b, &c, "c.");
	}
	/* The next in turn goes away, another comes, one gets data. */
	expect_next(b, &c, "a.");
	assert_int_equal(store_remove_zone(b->w, kit_name("sub.a.").wire), 0);
	put(b, "bb.", OURS, 1);
	put(b, "d.", OURS, 1);
	publish(b);
	expect_next(b, &c, "bb.");
	expect_next(b, &c, "c.");
	expect_next(b, &c, "d.");
	expect_next(b, &c, "a.");
	/* The one asked last goes away. */
	assert_int_equal(store_remove_zone(b->w, kit_name("a.").wire), 0);
	publish(b);
	expect_next(b, &c, "bb.");
}

static void test_none(void **state)
{
	struct bed *b = *state;
	struct zones_cursor c = {0};
	struct name got;

	publish(b); /* an empty store */
	assert_int_equal(zones_next(&c, &b->s, OURS, &got), ZONES_NONE);
	put(b, "b.", THEIRS, 1);
	put(b, "c.", OURS, 0);
	publish(b);
	assert_int_equal(zones_next(&c, &b->s, OURS, &got), ZONES_NONE);
	assert_int_equal(zones_next(&c, &b->s, OURS, &got), ZONES_NONE);
	put(b, "a.", OURS, 1);
	publish(b);
	expect_next(b, &c, "a.");
	expect_next(b, &c, "a.");
	assert_int_equal(store_remove_zone(b->w, kit_name("a.").wire), 0);
	publish(b);
	assert_int_equal(zones_next(&c, &b->s, OURS, &got), ZONES_NONE);
}

/* Among very many zones of others the search goes on where it stopped: found within the calls it may take, and "none" is only said
 * after a whole round. */
static void test_bounded(void **state)
{
	enum { OTHERS = 3 * ZONES_STEPS_MAX + 17 };
	struct bed *b = *state;
	struct zones_cursor c = {0};
	struct name got;
	unsigned calls = 0;

	for (unsigned i = 0; i < OTHERS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "m%05u.", i);
		put(b, name, THEIRS, i % 64 ? 0 : 1);
	}
	publish(b);
	while (zones_next(&c, &b->s, OURS, &got) == ZONES_SEARCHING)
		calls++;
	assert_int_equal(calls, 3);
	put(b, "z.", OURS, 1);
	publish(b);
	for (int round = 0; round < 3; round++) {
		for (calls = 0; zones_next(&c, &b->s, OURS, &got) != ZONES_FOUND; calls++)
			assert_true(calls <= 4);
		assert_true(name_equal(got.wire, kit_name("z.").wire));
	}
}

static void test_soa(void **state)
{
	struct bed *b = *state;
	struct probe_soa soa;

	put(b, "a.", OURS, 7);
	put(b, "b.", OURS, 0);
	publish(b);
	zones_soa(&b->s, kit_name("a.").wire, &soa);
	assert_true(soa.known);
	assert_int_equal(soa.serial, 7);
	zones_soa(&b->s, kit_name("b.").wire, &soa);
	assert_false(soa.known);
	zones_soa(&b->s, kit_name("below.a.").wire, &soa);
	assert_false(soa.known);
	assert_true(zones_has(&b->s, OURS, kit_name("a.").wire));
	assert_false(zones_has(&b->s, THEIRS, kit_name("a.").wire));
	assert_false(zones_has(&b->s, OURS, kit_name("b.").wire));
	assert_false(zones_has(&b->s, OURS, kit_name("c.").wire));
	put(b, "a.", OURS, 8);
	publish(b);
	zones_soa(&b->s, kit_name("a.").wire, &soa);
	assert_int_equal(soa.serial, 8);
}

/* The writer had to make its file anew: the reader changes over when it is told, and not to a file that is not the one in use. */
static void test_follow(void **state)
{
	struct bed *b = *state;
	_Atomic uint64_t *pins[1] = {&b->pin};
	struct store_open_info info;
	uint64_t first, generation;
	struct stat st;

	put(b, "a.", OURS, 1);
	publish(b);
	store_unpin(b->f.reader);
	b->s.base = NULL;
	first = b->f.ino;
	store_writer_close(b->w);
	/* Another file in the place of the old one, while that still lives: its inode differs for sure. */
	assert_int_equal(rename(b->path, strcat(strcpy((char[4300]){0}, b->path), ".old")), 0);
	assert_int_equal(store_writer_open(b->path, pins, 1, &b->w, &info), 0);
	assert_true(info.fresh);
	put(b, "b.", OURS, 1);
	assert_int_equal(store_commit(b->w, &generation), 0);
	assert_int_equal(stat(b->path, &st), 0);
	assert_int_not_equal(st.st_ino, first);

	assert_true(store_follow_look(&b->f, 0));
	assert_int_equal(b->f.ino, first);
	assert_true(store_follow_look(&b->f, first));
	assert_int_equal(b->f.ino, first);
	assert_true(store_follow_look(&b->f, st.st_ino + 1)); /* told of one that is not there: what is open stays */
	assert_int_equal(b->f.ino, first);
	assert_true(store_follow_look(&b->f, st.st_ino));
	assert_int_equal(b->f.ino, st.st_ino);
	store_pin(b->f.reader, &b->s);
	assert_non_null(store_zone_get(&b->s, kit_name("b.").wire));
	assert_null(store_zone_get(&b->s, kit_name("a.").wire));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round, setup, teardown),
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_soa, setup, teardown),
		cmocka_unit_test_setup_teardown(test_follow, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
