/* SPDX-License-Identifier: BSD-2-Clause */
/* The store compared with its checksums while it changes and when it is damaged; and nodes of a zone by chance. */
#include "store_kit.h"

#include "base/attr.h"
#include "dns/rr.h"
#include "zone/store_verify.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct bed {
	char *folder, path[4200];
	struct store_writer *writer;
	struct store_reader *reader;
	_Atomic uint64_t pin;
};

static void put(struct bed *b, const char *text, uint32_t version, unsigned names)
{
	struct name apex = kit_name(text);
	struct content *c = kit_version(apex.wire, version, names, 32);
	struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = 0, .source = ""};
	uint64_t generation;

	assert_int_equal(store_put_zone(b->writer, apex.wire, c, &meta), 0);
	assert_int_equal(store_commit(b->writer, &generation), 0);
	store_collect(b->writer);
	content_free(c);
}

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct store_open_info info;
	_Atomic uint64_t *pins[1];

	assert_non_null(b);
	pins[0] = &b->pin;
	b->pin = STORE_UNPINNED;
	b->folder = kit_folder();
	snprintf(b->path, sizeof(b->path), "%s/s", b->folder);
	assert_int_equal(store_writer_open(b->path, pins, 1, &b->writer, &info), 0);
	put(b, "a.", 1, 300);
	put(b, "b.", 1, 3);
	put(b, "c.", 1, 50);
	assert_int_equal(store_reader_open(b->path, &b->pin, &b->reader), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	store_reader_close(b->reader);
	store_writer_close(b->writer);
	kit_folder_free(b->folder);
	free(b);
	return 0;
}

static enum store_verified step(struct bed *b, struct store_verify *v, uint32_t cells)
{
	struct store_snapshot s;
	enum store_verified found;

	store_pin(b->reader, &s);
	found = store_verify(v, &s, cells);
	store_unpin(b->reader);
	return found;
}

/* In pieces of any size, zones that change or go in between included. */
static void test_whole(void **state)
{
	static const uint32_t pieces[] = {1, 7, 64, 100000};
	struct bed *b = *state;
	uint64_t generation;

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct store_verify v = {.rounds = 0};
		unsigned steps = 0;

		for (; v.rounds < 3; steps++) {
			assert_true(steps < 1000000);
			assert_int_equal(step(b, &v, pieces[i]), STORE_VERIFIED);
			if (steps % 50 == 3)
				put(b, "b.", steps + 2, 3);
			if (steps % 170 == 4)
				put(b, "a.", steps + 2, 300);
			if (steps % 90 == 5) {
				assert_int_equal(store_remove_zone(b->writer, kit_name("c.").wire), 0);
				assert_int_equal(store_commit(b->writer, &generation), 0);
			} else if (steps % 90 == 6) {
				put(b, "c.", steps, 50);
			}
		}
		assert_true(pieces[i] > 1000 || steps > 10);
	}
}

/* One bit of a zone's content. */
static void test_damage(void **state)
{
	struct bed *b = *state;
	struct store_verify v = {.rounds = 0};
	const struct store_rrset *set;
	struct store_lookup at;
	struct store_snapshot s;
	unsigned steps = 0;
	uint8_t octet;
	off_t place;
	int fd = open(b->path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	store_pin(b->reader, &s);
	store_lookup(&s, store_zone_get(&s, kit_name("c.").wire), kit_name("c.").wire, &at);
	set = store_rrset_of(&s, at.node, RR_NS);
	place = (off_t)(set->data - s.base);
	store_unpin(b->reader);
	assert_int_equal(pread(fd, &octet, 1, place + 2), 1);
	octet ^= 4;
	assert_int_equal(pwrite(fd, &octet, 1, place + 2), 1);
	while (step(b, &v, 50) != STORE_DAMAGED)
		assert_true(++steps < 10000 && v.rounds < 2);
	assert_true(name_equal(v.zone.wire, kit_name("c.").wire));
	octet ^= 4;
	assert_int_equal(pwrite(fd, &octet, 1, place + 2), 1);
	close(fd);
	v.rounds = 0;
	while (v.rounds < 2)
		assert_int_equal(step(b, &v, 50), STORE_VERIFIED);
}

/* Every node comes up, and nothing else. */
static void test_some_node(void **state)
{
	struct bed *b = *state;
	const struct store_node *met[2000];
	const struct store_zone *z;
	struct rng r = {.s = 7};
	struct store_snapshot s;
	size_t count = 0, nodes = 0;

	store_pin(b->reader, &s);
	z = store_zone_get(&s, kit_name("c.").wire);
	for (const struct store_node *n = NULL; (n = store_node_next(&s, z, n)) != NULL;)
		nodes++;
	assert_true(nodes > 20 && nodes < ARRAY_LEN(met));
	for (unsigned i = 0; i < 200000 && count < nodes; i++) {
		const struct store_node *n = store_node_some(&s, z, rng_next(&r));
		size_t k = 0;

		assert_non_null(n);
		assert_true(name_is_under(store_node_name(n), store_zone_apex(z)));
		while (k < count && met[k] != n)
			k++;
		if (k == count)
			met[count++] = n;
	}
	assert_int_equal(count, nodes);
	store_unpin(b->reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
	                                   cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
	                                   cmocka_unit_test_setup_teardown(test_some_node, setup, teardown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
