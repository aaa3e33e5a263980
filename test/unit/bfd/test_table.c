/* SPDX-License-Identifier: BSD-2-Clause */
#include "bfd/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct ip_addr address(const char *text)
{
	struct ip_addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

/* Slots of the table below. */
enum { V4, V6, MULTI, LINK_A, LINK_B, BOUND, SLOTS };

static void fill(struct bfd_table *t)
{
	memset(t, 0, sizeof(*t));
	t->entry[V4] = (struct bfd_entry){.used = true, .path = {.remote = address("192.0.2.1")}};
	t->entry[V6] = (struct bfd_entry){.used = true, .path = {.remote = address("2001:db8::1")}};
	t->entry[MULTI] = (struct bfd_entry){.used = true, .path = {.remote = address("192.0.2.1"), .multihop = true}};
	t->entry[LINK_A] = (struct bfd_entry){.used = true, .path = {.remote = address("fe80::1")}};
	t->entry[LINK_A].path.remote.zone = 4;
	t->entry[LINK_B] = t->entry[LINK_A];
	t->entry[LINK_B].path.remote.zone = 5;
	t->entry[BOUND] = (struct bfd_entry){.used = true,
	                                     .path = {.remote = address("192.0.2.9"), .local = address("192.0.2.2")}};
	for (uint32_t i = 0; i < SLOTS; i++)
		t->entry[i].fsm.my_discriminator = 100 + i;
}

static const struct {
	const char *name;
	uint32_t yours;
	const char *from, *to;
	uint32_t ifindex;
	bool multihop;
	int slot;
} cases[] = {
	{"first packet, v4", 0, "192.0.2.1", "192.0.2.2", 2, false, V4},
	{"first packet, v6", 0, "2001:db8::1", "2001:db8::2", 2, false, V6},
	{"first packet, multihop", 0, "192.0.2.1", "192.0.2.2", 2, true, MULTI},
	{"multihop where it is single", 0, "2001:db8::1", "2001:db8::2", 2, true, -1},
	{"link-local, by interface", 0, "fe80::1", "fe80::2", 4, false, LINK_A},
	{"link-local, by the other", 0, "fe80::1", "fe80::2", 5, false, LINK_B},
	{"link-local, by a third", 0, "fe80::1", "fe80::2", 6, false, -1},
	{"for our address", 0, "192.0.2.9", "192.0.2.2", 2, false, BOUND},
	{"for another of our addresses", 0, "192.0.2.9", "192.0.2.3", 2, false, -1},
	{"nobody's", 0, "192.0.2.77", "192.0.2.2", 2, false, -1},
	{"by discriminator", 100, "192.0.2.1", "192.0.2.2", 2, false, V4},
	{"by discriminator, any interface", 100, "192.0.2.1", "192.0.2.2", 9, false, V4},
	{"somebody else with our discriminator", 100, "192.0.2.7", "192.0.2.2", 2, false, -1},
	{"the neighbor with another session's", 101, "192.0.2.1", "192.0.2.2", 2, false, -1},
	{"by discriminator over the other kind of path", 100, "192.0.2.1", "192.0.2.2", 2, true, -1},
	{"by discriminator, multihop", 102, "192.0.2.1", "192.0.2.2", 2, true, MULTI},
	{"a discriminator that nobody has", 99, "192.0.2.1", "192.0.2.2", 2, false, -1},
	{"link-local with the other interface's", 103, "fe80::1", "fe80::2", 5, false, -1},
};

static void test_find(void **state)
{
	static struct bfd_table t;

	(void)state;
	fill(&t);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bfd_origin o = {.from = address(cases[i].from),
		                       .to = address(cases[i].to),
		                       .ifindex = cases[i].ifindex,
		                       .ttl = 255,
		                       .multihop = cases[i].multihop};
		struct bfd_packet p = {.your_discriminator = cases[i].yours};

		if (bfd_table_find(&t, &p, &o) != cases[i].slot)
			fail_msg("%s: %d", cases[i].name, bfd_table_find(&t, &p, &o));
	}
}

static void test_unused_is_not_found(void **state)
{
	static struct bfd_table t;
	struct bfd_origin o = {.from = address("192.0.2.1"), .to = address("192.0.2.2")};

	(void)state;
	fill(&t);
	t.entry[V4].used = false;
	assert_int_equal(bfd_table_by_address(&t, &o), -1);
	assert_int_equal(bfd_table_find(&t, &(struct bfd_packet){.your_discriminator = 100}, &o), -1);
}

static void test_near(void **state)
{
	static const struct {
		int ttl;
		bool multihop, near;
	} rows[] = {{255, false, true}, {254, false, false}, {1, false, false}, {-1, false, false},
	            {0, false, false},  {1, true, true},     {-1, true, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(bfd_origin_near(
					 &(struct bfd_origin){.ttl = rows[i].ttl, .multihop = rows[i].multihop}),
		                 rows[i].near);
}

static void test_path_equal(void **state)
{
	struct bfd_path a = {.remote = address("192.0.2.1")}, b = a;

	(void)state;
	assert_true(bfd_path_equal(&a, &b));
	b.multihop = true;
	assert_false(bfd_path_equal(&a, &b));
	b = a;
	b.local = address("192.0.2.2");
	assert_false(bfd_path_equal(&a, &b));
	b = a;
	b.remote = address("192.0.2.3");
	assert_false(bfd_path_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_unused_is_not_found),
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_path_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
