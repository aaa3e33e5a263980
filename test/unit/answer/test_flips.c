/* SPDX-License-Identifier: BSD-2-Clause */
/* Which client networks have been moved most: a bounded table that keeps the largest. */
#include "answer/flips.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct ip_addr parse(const char *text)
{
	struct ip_addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static const struct board_flip *find(const struct board_flips *f, const char *text)
{
	struct ip_addr a = parse(text);

	for (size_t i = 0; i < BOARD_FLIPS; i++)
		if (f->row[i].family == a.family && memcmp(f->row[i].prefix, a.bytes, a.family == 4 ? 3 : 6) == 0)
			return &f->row[i];
	return NULL;
}

static void note(struct board_flips *f, const char *text, uint8_t site, unsigned times)
{
	struct ip_addr a = parse(text);

	for (unsigned i = 0; i < times; i++)
		flips_note(f, &a, site, 100 + i);
}

static void test_counts(void **state)
{
	static struct board_flips f;
	const struct board_flip *r;

	(void)state;
	note(&f, "192.0.2.1", 3, 2);
	note(&f, "192.0.2.200", 4, 1);
	note(&f, "192.0.3.1", 3, 1);
	note(&f, "2001:db8:1:2::1", 5, 1);
	note(&f, "2001:db8:1:ffff::9", 5, 1);
	note(&f, "2001:db8:2::", 5, 1);
	r = find(&f, "192.0.2.0");
	assert_non_null(r);
	assert_int_equal(r->count, 3);
	assert_int_equal(r->error, 0);
	assert_int_equal(r->site, 4);
	assert_int_equal(find(&f, "2001:db8:1::")->count, 2);
	assert_int_equal(find(&f, "2001:db8:2::")->count, 1);
	assert_int_equal(f.total[0], 4);
	assert_int_equal(f.total[1], 3);
	assert_null(find(&f, "198.51.100.0"));
}

/* Many that come once cannot push out those that come again and again; and no count is too low. */
static void test_bounded(void **state)
{
	static struct board_flips f;
	const struct board_flip *r;
	char text[20];

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		note(&f, "203.0.113.7", 3, 40);
		note(&f, "2001:db8:77::1", 3, 40);
		for (unsigned i = 0; i < 100; i++) {
			snprintf(text, sizeof(text), "10.%u.%u.1", round, i);
			note(&f, text, 6, 1);
		}
	}
	r = find(&f, "203.0.113.0");
	assert_non_null(r);
	assert_true(r->count >= 2000 && r->count - r->error <= 2000);
	r = find(&f, "2001:db8:77::");
	assert_non_null(r);
	assert_true(r->count >= 2000 && r->count - r->error <= 2000);
	assert_int_equal(f.total[0], 50 * 140);
	for (size_t i = 0; i < BOARD_FLIPS; i++) {
		assert_int_not_equal(f.row[i].family, 0);
		assert_int_equal(f.row[i].seq % 2, 0);
		assert_true(f.row[i].error < f.row[i].count);
	}
}

/* One that died in the middle of a row is no trouble for its successor. */
static void test_torn(void **state)
{
	static struct board_flips f;
	struct board_flip copy;

	(void)state;
	note(&f, "192.0.2.1", 3, 1);
	board_write_begin(&f.row[0].seq);
	note(&f, "192.0.2.1", 3, 1);
	assert_true(board_copy(&f.row[0].seq, &f.row[0], &copy, sizeof(copy)));
	assert_int_equal(copy.count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts), cmocka_unit_test(test_bounded),
	                                   cmocka_unit_test(test_torn)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
