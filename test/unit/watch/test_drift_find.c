/* SPDX-License-Identifier: BSD-2-Clause */
/* From looks at a zone here and there to findings: what is shown when, what is an alert, and what is neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "watch/drift_find.h"

#define SECOND 1000000000ULL

static struct findings f;
static unsigned begun, changed, ended;

static void told(void *ctx, const struct finding *x, enum board_drift_kind was, enum board_drift_kind now)
{
	(void)ctx;
	assert_true(x->used && (was != now || x->alert));
	begun += was == DRIFT_NONE;
	ended += now == DRIFT_NONE;
	changed += was != DRIFT_NONE && now != DRIFT_NONE;
}

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	f.told = told;
	f.alert_after_ns = 60 * SECOND;
	begun = changed = ended = 0;
	return 0;
}

/* A zone here and there; serial 0: it is not there. content 0: not known. */
struct side {
	uint32_t serial;
	uint64_t content;
};

static void look_at(uint32_t who, uint64_t hash, struct side here, struct side there, unsigned at_s)
{
	static struct zone_tree *t;
	const uint8_t name[] = "\x07"
			       "example";
	struct tree_listed listed = {.hash = hash,
	                             .serial = there.serial,
	                             .content = there.content,
	                             .known = there.content != 0,
	                             .name = "example."};
	struct finding_look l = {.who = who, .hash = hash};
	struct tree_zone *z;

	if (!t)
		assert_int_equal(tree_new(&t), 0);
	if (here.serial) {
		assert_int_equal(tree_put(t, name, here.serial, &z), 0);
		tree_content(t, z, here.content != 0, here.content);
		l.here = z;
	}
	l.there = there.serial ? &listed : NULL;
	findings_see(&f, &l, at_s * SECOND);
	findings_step(&f, 15 * SECOND, at_s * SECOND);
}

static void test_one_look(void **state)
{
	static const struct {
		const char *name;
		struct side here, there;
		enum board_drift_kind kind;  /* once shown */
		bool alert;                  /* at once */
		enum board_drift_kind after; /* the limit */
	} rows[] = {
		{"the same", {5, 1}, {5, 1}, DRIFT_NONE, false, DRIFT_NONE},
		{"content not known here", {5, 0}, {5, 1}, DRIFT_NONE, false, DRIFT_NONE},
		{"content not known there", {5, 1}, {5, 0}, DRIFT_NONE, false, DRIFT_NONE},
		{"other content", {5, 1}, {5, 2}, DRIFT_CONTENT, true, DRIFT_CONTENT},
		{"behind", {5, 1}, {4, 2}, DRIFT_BEHIND, false, DRIFT_STUCK},
		{"behind over the end of the numbers", {3, 1}, {UINT32_MAX, 2}, DRIFT_BEHIND, false, DRIFT_STUCK},
		{"ahead", {5, 1}, {6, 0}, DRIFT_AHEAD, false, DRIFT_AHEAD},
		{"not there", {5, 1}, {0, 0}, DRIFT_MISSING, false, DRIFT_MISSING},
		{"not here", {0, 0}, {6, 1}, DRIFT_AHEAD, false, DRIFT_AHEAD},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct finding *x = &f.list[0];

		print_message("%s\n", rows[i].name);
		setup(state);
		look_at(1, 7, rows[i].here, rows[i].there, 10);
		assert_int_equal(f.used, rows[i].kind != DRIFT_NONE);
		assert_int_equal(begun, 0); /* one look says nothing */
		assert_int_equal(findings_open(&f, 1, 0), rows[i].kind != DRIFT_NONE);
		look_at(1, 7, rows[i].here, rows[i].there, 12);
		if (rows[i].kind == DRIFT_NONE) {
			assert_int_equal(begun, 0);
			continue;
		}
		assert_false(findings_open(&f, 1, 0));
		assert_true(x->shown && x->kind == rows[i].kind && x->alert == rows[i].alert && begun == 1);
		assert_string_equal(x->zone, "example.");
		assert_true(x->first_ns == 10 * SECOND);
		look_at(1, 7, rows[i].here, rows[i].there, 65);
		assert_int_equal(x->alert, rows[i].alert);
		look_at(1, 7, rows[i].here, rows[i].there, 71);
		assert_true(x->alert && x->kind == rows[i].after && begun == 1);
		assert_int_equal(ended, 0);
		findings_clear(&f, 1, 0, (struct tree_place){0});
		assert_true(ended == 1 && f.used == 0 && f.top == 0);
	}
}

/* For an hour, a change each second: the node is behind at each look, and each time by another version. */
static void test_moving(void **state)
{
	(void)state;
	for (unsigned s = 10; s < 3610; s++)
		look_at(1, 7, (struct side){s + 1, 1}, (struct side){s, 2}, s);
	assert_int_equal(begun, 0);
	/* From now on it does not move. */
	for (unsigned s = 3610; s < 3680; s++)
		look_at(1, 7, (struct side){s + 1, 1}, (struct side){3610, 2}, s);
	assert_true(begun == 1 && changed == 1 && f.list[0].kind == DRIFT_STUCK && f.list[0].alert);
	assert_true(f.list[0].moved_ns == 3610 * SECOND && f.list[0].first_ns == 3610 * SECOND);
	assert_int_equal(f.list[0].versions, 1);
	/* It moves again: that is the end of what was said, though it is still behind. */
	look_at(1, 7, (struct side){4000, 1}, (struct side){3990, 2}, 3680);
	assert_true(ended == 1 && f.used == 1 && !f.list[0].shown);
}

/* Behind says how far: by the versions seen here since. */
static void test_versions(void **state)
{
	struct tree_zone *z;
	struct zone_tree *t;
	const uint8_t name[] = "\x05"
			       "zones";
	struct tree_listed there = {.hash = 1, .serial = 10, .name = "zones."};
	struct finding_look l = {.who = 1, .hash = 1, .there = &there};

	(void)state;
	assert_int_equal(tree_new(&t), 0);
	for (uint32_t serial = 9; serial <= 13; serial++)
		assert_int_equal(tree_put(t, name, serial, &z), 0);
	l.here = z;
	findings_see(&f, &l, SECOND);
	assert_int_equal(finding_versions(&f.list[0], z->moves), 3);
	assert_int_equal(tree_put(t, name, 14, &z), 0);
	assert_int_equal(tree_put(t, name, 15, &z), 0);
	findings_see(&f, &l, 3 * SECOND);
	assert_int_equal(finding_versions(&f.list[0], z->moves), 5);
	/* One that was never here: by how much is not known. */
	setup(NULL);
	there.serial = 2;
	findings_see(&f, &l, SECOND);
	assert_int_equal(finding_versions(&f.list[0], z->moves), 0);
	tree_free(t);
}

/* What a silent node said last is no alert when the limit comes. */
static void test_not_fresh(void **state)
{
	(void)state;
	look_at(1, 7, (struct side){5, 1}, (struct side){4, 1}, 10);
	look_at(1, 7, (struct side){5, 1}, (struct side){4, 1}, 12);
	findings_step(&f, 15 * SECOND, 100 * SECOND);
	assert_true(f.list[0].shown && !f.list[0].alert);
	findings_touch(&f, 1, 0, 101 * SECOND);
	findings_step(&f, 15 * SECOND, 102 * SECOND);
	assert_true(f.list[0].alert && f.list[0].kind == DRIFT_STUCK);
}

/* A change under way: other content at one look only. */
static void test_under_way(void **state)
{
	(void)state;
	look_at(1, 7, (struct side){5, 1}, (struct side){5, 2}, 10);
	look_at(1, 7, (struct side){6, 2}, (struct side){6, 2}, 12);
	assert_true(begun == 0 && f.used == 0);
	/* Other content under one serial, then under another one: again not twice the same. */
	look_at(1, 7, (struct side){6, 1}, (struct side){6, 2}, 14);
	look_at(1, 7, (struct side){7, 1}, (struct side){7, 2}, 16);
	assert_int_equal(begun, 0);
	look_at(1, 7, (struct side){7, 1}, (struct side){7, 2}, 18);
	assert_int_equal(begun, 1);
}

static void test_bounds(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < FINDINGS_OF_ONE + 10; i++)
		look_at(1, i, (struct side){5, 1}, (struct side){4, 1}, 10);
	assert_true(f.used == FINDINGS_OF_ONE && f.left_out == 10);
	for (uint32_t who = 2; f.used < FINDINGS_MAX; who++)
		for (uint64_t i = 0; i < FINDINGS_OF_ONE; i++)
			look_at(who, i, (struct side){5, 1}, (struct side){4, 1}, 10);
	look_at(99, 1, (struct side){5, 1}, (struct side){4, 1}, 10);
	assert_true(f.used == FINDINGS_MAX && f.left_out == 11);
	/* A place of one node: hashes of small numbers begin with 0. */
	findings_clear(&f, 3, 0, (struct tree_place){1ULL << 60, 1});
	assert_int_equal(f.used, FINDINGS_MAX);
	findings_clear(&f, 3, 0, (struct tree_place){0, 15});
	assert_int_equal(f.used, FINDINGS_MAX - 16);
	findings_clear(&f, 3, 1, (struct tree_place){0});
	assert_int_equal(f.used, FINDINGS_MAX - 16);
	look_at(99, 1, (struct side){5, 1}, (struct side){4, 1}, 10);
	assert_int_equal(f.used, FINDINGS_MAX - 15);
}

/* A whole place: what is in one of the two lists only, what differs, what went away. */
static void test_list(void **state)
{
	static const char *const names[] = {"\x01"
	                                    "a",
	                                    "\x01"
	                                    "b",
	                                    "\x01"
	                                    "c"};
	static struct tree_answer a;
	struct zone_tree *t;
	struct tree_zone *z;

	(void)state;
	assert_int_equal(tree_new(&t), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(tree_put(t, (const uint8_t *)names[i], 5, &z), 0);
	a = (struct tree_answer){.listed = true, .count = 2};
	for (size_t i = 0; i < 2; i++) {
		a.zone[i].hash = tree_hash((const uint8_t *)names[i + 1]);
		a.zone[i].serial = i ? 5 : 4;
		snprintf(a.zone[i].name, sizeof(a.zone[i].name), "%c.", 'b' + (int)i);
	}
	for (unsigned s = 1; s < 4; s += 2)
		findings_list(&f, 1, 0, t, (struct tree_place){0}, &a, s * SECOND);
	assert_true(f.used == 3 && begun == 3);
	for (size_t i = 0; i < 3; i++) {
		char zone = f.list[i].zone[0];

		assert_int_equal(f.list[i].kind, zone == 'a'   ? DRIFT_MISSING
		                                 : zone == 'b' ? DRIFT_BEHIND
		                                               : DRIFT_AHEAD);
		assert_int_equal(f.list[i].absent, zone == 'c');
	}
	/* c is gone there, a is there, b is gone on both sides. */
	tree_remove(t, tree_find(t, tree_hash((const uint8_t *)names[1])));
	a.count = 1;
	a.zone[0].hash = tree_hash((const uint8_t *)names[0]);
	a.zone[0].serial = 5;
	findings_list(&f, 1, 0, t, (struct tree_place){0}, &a, 5 * SECOND);
	assert_true(f.used == 0 && ended == 3);
	tree_free(t);
}

static void test_oldest(void **state)
{
	(void)state;
	assert_null(findings_oldest(&f, 1));
	look_at(1, 7, (struct side){5, 1}, (struct side){4, 1}, 10);
	look_at(1, 8, (struct side){5, 1}, (struct side){4, 1}, 9);
	look_at(2, 9, (struct side){5, 1}, (struct side){4, 1}, 8);
	assert_true(findings_oldest(&f, 1)->hash == 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_one_look, setup),  cmocka_unit_test_setup(test_moving, setup),
		cmocka_unit_test_setup(test_versions, setup),  cmocka_unit_test_setup(test_not_fresh, setup),
		cmocka_unit_test_setup(test_under_way, setup), cmocka_unit_test_setup(test_bounds, setup),
		cmocka_unit_test_setup(test_list, setup),      cmocka_unit_test_setup(test_oldest, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
