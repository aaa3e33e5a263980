/* SPDX-License-Identifier: BSD-2-Clause */
/* Zones with backends found by names: the deepest, in any case, above an apex for DS; and against a walk through a list over many zones. */
#include "edge/zones.h"

#include "base/err.h"
#include "base/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t *name(const char *text)
{
	static struct name ring[16];
	static unsigned next;
	struct name *n = &ring[next++ % 16];

	assert_int_equal(name_from_text(text, strlen(text), (const uint8_t *)"", n), 0);
	return n->wire;
}

static void test_deepest(void **state)
{
	static const struct { const char *name; bool above; int pool; unsigned labels; } rows[] = {
		{"example.", false, 1, 1},       {"www.example.", false, 1, 1},     {"WWW.EXAMPLE.", false, 1, 1},  {"a.sub.example.", false, 2, 2},
		{"sub.example.", false, 2, 2},   {"sub.example.", true, 1, 1},      {"a.sub.example.", true, 2, 2}, {"xsub.example.", false, 1, 1},
		{"example.org.", false, -1, 0},  {".", false, -1, 0},               {".", true, -1, 0},             {"example.", true, -1, 0},
		{"b.SUB.c.example.", false, 1, 1}, {"e.x.a.m.p.l.e.", false, 3, 5}, {"m.p.l.e.", false, -1, 0},
	};
	const struct edge_zone zones[] = {{name("Example."), 1}, {name("sub.EXAMPLE."), 2}, {name("a.m.P.l.e."), 3}};
	struct edge_zones *z;

	(void)state;
	assert_int_equal(edge_zones_make(zones, ARRAY_LEN(zones), &z), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t pool = 99;
		unsigned labels = 99;
		bool found = edge_zones_find(z, name(rows[i].name), rows[i].above, &pool, &labels);

		if (found != (rows[i].pool >= 0) || (found && (pool != (uint32_t)rows[i].pool || labels != rows[i].labels)))
			fail_msg("%s above=%d: found=%d pool=%u labels=%u", rows[i].name, rows[i].above, found, pool, labels);
		if (!found)
			assert_true(pool == 99 && labels == 99);
	}
	edge_zones_free(z);
}

static void test_root_and_none(void **state)
{
	const struct edge_zone root = {(const uint8_t *)"", 7};
	struct edge_zones *z;
	uint32_t pool;
	unsigned labels;

	(void)state;
	assert_int_equal(edge_zones_make(NULL, 0, &z), 0);
	assert_null(z);
	assert_false(edge_zones_find(z, name("example."), false, &pool, &labels));
	assert_int_equal(edge_zones_make(&root, 1, &z), 0);
	assert_true(edge_zones_find(z, name("a.b.c."), false, &pool, &labels));
	assert_true(pool == 7 && labels == 0);
	assert_true(edge_zones_find(z, name("."), false, &pool, &labels));
	assert_true(edge_zones_find(z, name("example."), true, &pool, &labels));
	assert_false(edge_zones_find(z, name("."), true, &pool, &labels));
	edge_zones_free(z);
}

enum { MANY = 3000, ASKED = 20000 };

static void random_name(struct name *out, unsigned most)
{
	char text[256] = "";
	unsigned labels = 1 + (unsigned)rand() % most;

	for (unsigned i = 0; i < labels; i++) {
		char label[8];

		snprintf(label, sizeof(label), "%c%d.", rand() % 2 ? 'a' : 'A', rand() % (i ? 9 : 40));
		strcat(text, label);
	}
	assert_int_equal(name_from_text(text, strlen(text), (const uint8_t *)"", out), 0);
}

static void test_against_list(void **state)
{
	static struct name apex[MANY];
	static struct edge_zone zones[MANY];
	struct edge_zones *z;
	unsigned hits = 0;

	(void)state;
	srand(8);
	for (unsigned i = 0; i < MANY; i++) {
		random_name(&apex[i], 4);
		zones[i] = (struct edge_zone){apex[i].wire, i};
	}
	assert_int_equal(edge_zones_make(zones, MANY, &z), 0);
	for (unsigned k = 0; k < ASKED; k++) {
		bool above = k % 3 == 0, found, expected = false;
		unsigned labels = 0, best = 0;
		uint32_t pool = 0;
		struct name n;

		random_name(&n, 6);
		for (unsigned i = 0; i < MANY; i++) {
			if (!name_is_under(n.wire, apex[i].wire) || (above && name_equal(n.wire, apex[i].wire)))
				continue;
			expected = true;
			best = MAX(best, name_labels(apex[i].wire));
		}
		found = edge_zones_find(z, n.wire, above, &pool, &labels);
		assert_int_equal(found, expected);
		if (!found)
			continue;
		hits++;
		assert_int_equal(labels, best);
		assert_true(name_equal(apex[pool].wire, name_suffix(n.wire, best)));
	}
	assert_in_range(hits, 100, ASKED - 100);
	edge_zones_free(z);
}

static void test_long_names(void **state)
{
	uint8_t wire[NAME_LEN_MAX];
	struct edge_zone zone = {wire, 5};
	struct edge_zones *z;
	uint32_t pool;
	unsigned labels;

	(void)state;
	for (unsigned i = 0; i < NAME_LEN_MAX - 1; i += 2)
		memcpy(wire + i, "\1x", 2);
	wire[NAME_LEN_MAX - 1] = 0;
	assert_int_equal(name_labels(wire), NAME_LABELS_MAX);
	assert_int_equal(edge_zones_make(&zone, 1, &z), 0);
	assert_true(edge_zones_find(z, wire, false, &pool, &labels));
	assert_int_equal(labels, NAME_LABELS_MAX);
	assert_false(edge_zones_find(z, wire, true, &pool, &labels));
	assert_false(edge_zones_find(z, wire + 2, false, &pool, &labels));
	edge_zones_free(z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deepest),
		cmocka_unit_test(test_root_and_none),
		cmocka_unit_test(test_against_list),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
