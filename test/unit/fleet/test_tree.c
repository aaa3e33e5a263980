/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree of zones: its sums are those of the zones in it, whatever was put in and taken out in whichever order; places as messages; questions for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "dns/name.h"
#include "fleet/message.h"

enum { ZONES = 3000 };

static const uint8_t root[1] = {0};

static struct name name_of(const char *text)
{
	struct name n;

	assert_int_equal(name_from_text(text, strlen(text), root, &n), 0);
	return n;
}

static struct name zone_name(unsigned i)
{
	char text[40];

	snprintf(text, sizeof(text), "%s%u.example.", i % 2 ? "Zone" : "z", i);
	return name_of(text);
}

static struct tree_zone *put(struct zone_tree *t, unsigned i, uint32_t serial, uint64_t content)
{
	struct name n = zone_name(i);
	struct tree_zone *z;

	assert_int_equal(tree_put(t, n.wire, serial, &z), 0);
	tree_content(t, z, content != 0, content);
	return z;
}

/* By looking at all zones of the place. */
static void assert_sum(const struct zone_tree *t, struct tree_place p)
{
	static const struct tree_zone *all[ZONES];
	struct tree_sum want = {0}, got;
	size_t n = tree_list(t, p, all, ZONES);

	assert_true(n <= ZONES);
	for (size_t i = 0; i < n; i++) {
		assert_true(tree_has(p, all[i]->hash));
		want.serials += all[i]->serial_part;
		want.contents += all[i]->content_part;
		want.zones++;
		want.unknown += !all[i]->known;
	}
	tree_sum_of(t, p, &got);
	assert_memory_equal(&got, &want, sizeof(want));
}

static void assert_sums(const struct zone_tree *t, struct tree_place p, unsigned depth)
{
	assert_sum(t, p);
	for (unsigned i = 0; i < TREE_FAN && depth; i++)
		assert_sums(t, tree_child(p, i), depth - 1);
}

static void test_sums(void **state)
{
	struct zone_tree *a, *b;

	(void)state;
	assert_int_equal(tree_new(&a), 0);
	assert_int_equal(tree_new(&b), 0);
	assert_true(tree_root(a) == tree_root(b));
	/* In different order, by way of other serials and contents, and with zones that go again. */
	for (unsigned i = 0; i < ZONES; i++)
		put(a, i, i + 1, i % 7 ? i : 0);
	for (unsigned i = ZONES + 500; i-- > 0;)
		put(b, i, i / 2, i);
	for (unsigned i = 0; i < ZONES; i++)
		put(b, i, i + 1, i % 7 ? i : 0);
	assert_true(tree_root(a) != tree_root(b));
	for (unsigned i = ZONES; i < ZONES + 500; i++) {
		struct name n = zone_name(i);

		tree_remove(b, tree_find(b, tree_hash(n.wire)));
		assert_null(tree_find(b, tree_hash(n.wire)));
	}
	assert_true(tree_root(a) == tree_root(b));
	assert_sums(a, (struct tree_place){0}, 2);
	assert_sums(b, (struct tree_place){0}, 2);
	/* Far below what is kept. */
	for (unsigned i = 0; i < 50; i++) {
		struct name n = zone_name(i);
		uint64_t hash = tree_hash(n.wire);

		for (unsigned depth = 3; depth <= TREE_DEPTH_MAX; depth++)
			assert_sum(a, (struct tree_place){hash & tree_mask(depth), depth});
	}
	/* One serial, one content. */
	put(b, 17, 99, 17);
	assert_true(tree_root(a) != tree_root(b));
	put(b, 17, 18, 17);
	assert_true(tree_root(a) == tree_root(b));
	put(b, 17, 18, 18);
	assert_true(tree_root(a) != tree_root(b));
	tree_free(a);
	tree_free(b);
	tree_free(NULL);
}

static void test_past(void **state)
{
	struct zone_tree *t;
	struct tree_zone *z;

	(void)state;
	assert_int_equal(tree_new(&t), 0);
	z = put(t, 1, 100, 1);
	assert_int_equal(tree_versions_since(z, 100), 0);
	for (uint32_t serial = 101; serial <= 140; serial++)
		assert_ptr_equal(put(t, 1, serial, serial), z);
	assert_int_equal(tree_versions_since(z, 139), 1);
	assert_int_equal(tree_versions_since(z, 140 - TREE_PAST), TREE_PAST);
	assert_int_equal(tree_versions_since(z, 140 - TREE_PAST - 1), 0);
	assert_int_equal(tree_versions_since(z, 7), 0);
	tree_free(t);
}

/* Each place of a tree as a message that fits into a datagram comes back as it is there. */
static void check_place(const struct zone_tree *t, struct tree_place p, unsigned depth, unsigned *listed)
{
	struct tree_answer a;
	uint8_t octets[1100];
	struct writer w = writer_of(octets, sizeof(octets));
	struct tree_sum s;

	tree_answer_write(t, p, 11, &w);
	assert_true(writer_ok(&w) && w.pos + 11 <= sizeof(octets));
	assert_int_equal(tree_answer_read(octets, w.pos, p, &a), 0);
	tree_sum_of(t, p, &s);
	assert_memory_equal(&a.sum, &s, sizeof(s));
	for (uint32_t i = 0; a.listed && i < a.count; i++) {
		const struct tree_zone *z = tree_find(t, a.zone[i].hash);

		assert_non_null(z);
		assert_int_equal(z->serial, a.zone[i].serial);
		assert_int_equal(z->known, a.zone[i].known);
		assert_true(z->content == a.zone[i].content);
	}
	*listed += a.count;
	for (unsigned i = 0; i < TREE_FAN && !a.listed; i++) {
		tree_sum_of(t, tree_child(p, i), &s);
		assert_memory_equal(&a.child[i], &s, sizeof(s));
		assert_true(depth < TREE_DEPTH_MAX);
		check_place(t, tree_child(p, i), depth + 1, listed);
	}
	/* Cut anywhere it is not taken for the whole. */
	for (size_t cut = 0; cut < w.pos; cut += 1 + w.pos / 16)
		assert_true(tree_answer_read(octets, cut, p, &a) < 0);
}

static void test_places(void **state)
{
	unsigned listed = 0;
	struct zone_tree *t;
	char text[300];

	(void)state;
	assert_int_equal(tree_new(&t), 0);
	check_place(t, (struct tree_place){0}, 0, &listed);
	for (unsigned i = 0; i < ZONES; i++)
		put(t, i, UINT32_MAX - i, i % 5 ? UINT64_MAX - i : 0);
	/* Names that are very long, and letters that become four. */
	for (unsigned i = 0; i < 200; i++) {
		struct tree_zone *z;
		struct name n;

		snprintf(text, sizeof(text),
		         "%063u.%063u.\\001\\002\\003\\004\\005\\006\\007\\008\\009\\010\\011\\012\\013\\014.example.",
		         i, i);
		n = name_of(text);
		assert_int_equal(tree_put(t, n.wire, i, &z), 0);
	}
	check_place(t, (struct tree_place){0}, 0, &listed);
	assert_int_equal(listed, ZONES + 200);
	tree_free(t);
}

#define HEAD "zonecast-tree=1 zones=1 unknown=0 serials=0123456789abcdef contents=0123456789abcdef"

static void test_malformed(void **state)
{
	static const struct {
		const char *name, *strings[4];
		int err;
	} rows[] = {
		{"a zone", {HEAD, "zone=3000000000000000,1,0123456789abcdef,a."}, 0},
		{"of unknown content", {HEAD, "zone=3000000000000000,1,-,a."}, 0},
		{"without a name", {HEAD, "zone=3000000000000000,1,-,"}, 0},
		{"unknown strings", {HEAD, "zone=3000000000000000,1,-,a.", "more=1", "y"}, 0},
		{"unknown keys", {HEAD " x=1 y", "zone=3000000000000000,1,-,a."}, 0},
		{"a child, with more behind", {HEAD, "3=0123456789abcdef,0123456789abcdef,1,0,7"}, 0},
		{"nothing", {NULL}, ERR_MALFORMED},
		{"another form", {"zonecast-tree=2"}, ERR_UNSUPPORTED},
		{"no form", {"zones=1"}, ERR_MALFORMED},
		{"fewer than it says", {HEAD}, ERR_MALFORMED},
		{"more than it says",
	         {HEAD, "zone=3000000000000000,1,-,a.", "zone=3000000000000001,1,-,a."},
	         ERR_MALFORMED},
		{"of another place", {HEAD, "zone=4000000000000000,1,-,a."}, ERR_MALFORMED},
		{"short hash", {HEAD, "zone=300000000000000,1,-,a."}, ERR_MALFORMED},
		{"no serial", {HEAD, "zone=3000000000000000,,-,a."}, ERR_MALFORMED},
		{"large serial", {HEAD, "zone=3000000000000000,4294967296,-,a."}, ERR_MALFORMED},
		{"bad content", {HEAD, "zone=3000000000000000,1,x,a."}, ERR_MALFORMED},
		{"a name with a blank", {HEAD, "zone=3000000000000000,1,-,a b."}, ERR_MALFORMED},
		{"a name with an escape", {HEAD, "zone=3000000000000000,1,-,a\033b."}, ERR_MALFORMED},
		{"both",
	         {HEAD, "3=0123456789abcdef,0123456789abcdef,1,0", "zone=3000000000000000,1,-,a."},
	         ERR_MALFORMED},
		{"a child twice",
	         {HEAD, "3=0123456789abcdef,0123456789abcdef,1,0", "3=0123456789abcdef,0123456789abcdef,1,0"},
	         ERR_MALFORMED},
		{"a child of none", {HEAD, "3=0123456789abcdef,0123456789abcdef,0,0"}, ERR_MALFORMED},
		{"a child without counts", {HEAD, "3=0123456789abcdef,0123456789abcdef"}, ERR_MALFORMED},
		{"letters as number", {"zonecast-tree=1 zones=x"}, ERR_MALFORMED},
	};
	static struct tree_answer a;
	uint8_t octets[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct writer w = writer_of(octets, sizeof(octets));

		print_message("%s\n", rows[i].name);
		for (size_t k = 0; k < 4 && rows[i].strings[k]; k++) {
			writer_u8(&w, (uint8_t)strlen(rows[i].strings[k]));
			writer_bytes(&w, (const uint8_t *)rows[i].strings[k], strlen(rows[i].strings[k]));
		}
		assert_int_equal(tree_answer_read(octets, w.pos, (struct tree_place){0x3ULL << 60, 1}, &a),
		                 rows[i].err);
	}
}

static void test_questions(void **state)
{
	static const struct {
		const char *name;
		bool good;
		struct tree_place place;
	} rows[] = {
		{"tree.global.fra.status.zonecast.", true, {0, 0}},
		{"TREE-3A.global.fra.status.zonecast.", true, {0x3aULL << 56, 2}},
		{"tree-0123456789abcdef.global.fra.status.zonecast.", true, {0x0123456789abcdefULL, 16}},
		{"tree-0123456789abcdef0.global.fra.status.zonecast.", false, {0, 0}},
		{"tree-.global.fra.status.zonecast.", false, {0, 0}},
		{"tree-g.global.fra.status.zonecast.", false, {0, 0}},
		{"tree-\\016.global.fra.status.zonecast.", false, {0, 0}},
		{"trees.global.fra.status.zonecast.", false, {0, 0}},
		{"tre.global.fra.status.zonecast.", false, {0, 0}},
		{"tree.tree.global.fra.status.zonecast.", false, {0, 0}},
	};
	const struct fleet_root roots[] = {{fleet_network_number("global"), 0x0123456789abcdefULL},
	                                   {fleet_network_number("eu"), 42}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fleet_root told[FLEET_ROOTS_MAX];
		struct fleet_question q = {0};
		struct name n = name_of(rows[i].name);
		uint8_t octets[512];
		struct writer w = writer_of(octets, sizeof(octets));
		struct query parsed;

		print_message("%s\n", rows[i].name);
		assert_int_equal(fleet_question_read(n.wire, &q), rows[i].good);
		if (!rows[i].good)
			continue;
		assert_true(q.tree && q.place.prefix == rows[i].place.prefix && q.place.depth == rows[i].place.depth);
		assert_string_equal(q.network, "global");
		fleet_question_write(&q, 1, roots, 2, 300, 0, &w);
		assert_int_equal(w.pos, 300);
		assert_int_equal(query_parse(octets, w.pos, &parsed), QUERY_OK);
		assert_true(name_equal(parsed.qname.wire, n.wire));
		assert_int_equal(fleet_question_roots(octets, w.pos, told), 2);
		assert_memory_equal(&told[0].root, &roots[0].root, 8);
		assert_int_equal(told[1].network, fleet_network_number("eu"));
		for (size_t cut = 0; cut < w.pos; cut++)
			assert_int_equal(fleet_question_roots(octets, cut, told), 0);
	}
	assert_true(fleet_network_number("global") != fleet_network_number("eu"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),      cmocka_unit_test(test_past),      cmocka_unit_test(test_places),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
