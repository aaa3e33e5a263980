/* SPDX-License-Identifier: BSD-2-Clause */
/* The orders file: what its lines say, and what changes leave in it. */
#include "super/orders_file.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct orders parse(const char *text)
{
	struct orders o;

	orders_parse(text, strlen(text), &o);
	return o;
}

static void what_lines_say(void **state)
{
	static const struct {
		const char *text, *network;
		enum order_word want;
	} rows[] = {
	    {"", "a", WORD_NONE},
	    {"drain a\n", "a", WORD_DRAIN},
	    {"drain a\n", "b", WORD_NONE},
	    {"freeze a", "a", WORD_FREEZE}, /* without its newline */
	    {"force a\n", "a", WORD_FORCE},
	    {"drain *\n", "a", WORD_DRAIN},
	    {"drain *\nfreeze a\n", "a", WORD_FREEZE},
	    {"freeze a\ndrain *\n", "a", WORD_FREEZE}, /* the same in whatever order */
	    {"drain *\nnone a\n", "a", WORD_NONE},
	    {"drain *\nnone a\n", "b", WORD_DRAIN},
	    {"drain a\nfreeze a\n", "a", WORD_FREEZE}, /* appended by hand */
	    {"  drain \t a \r\n", "a", WORD_DRAIN},
	    {"drain\n", "a", WORD_NONE},
	    {"drain a b\n", "a", WORD_NONE},
	    {"levitate a\ndrain a\n", "a", WORD_DRAIN},
	    {"drain-neighbor a\ndrain-backstop a\n", "a", WORD_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct orders o = parse(rows[i].text);

		if (orders_of_network(&o, rows[i].network) != rows[i].want)
			fail_msg("row %zu: \"%s\": %d", i, rows[i].text, orders_of_network(&o, rows[i].network));
	}
}

static void longer_than_anything_useful(void **state)
{
	char *text = malloc(200000);
	struct orders o;
	size_t at = 0;

	(void)state;
	for (int i = 0; i < 2 * ORDERS_MAX; i++)
		at += (size_t)sprintf(text + at, "drain n%d\n", i);
	orders_parse(text, at, &o);
	assert_int_equal(o.count, ORDERS_MAX);
	assert_int_equal(orders_of_network(&o, "n0"), WORD_DRAIN);
	assert_int_equal(orders_put_network(&o, WORD_DRAIN, "one-more"), ERR_LIMIT);
	assert_int_equal(orders_put_network(&o, WORD_FREEZE, "n0"), 0);
	memset(text, 'x', 5000);
	memcpy(text + 5000, "\ndrain a\n", 9);
	orders_parse(text, 5009, &o);
	assert_int_equal(o.count, 1);
	free(text);
}

static void changes(void **state)
{
	struct orders o = parse("drain a\nfreeze b\ndrain-neighbor 192.0.2.1:179\ndrain-backstop a\n");

	(void)state;
	assert_int_equal(orders_put_network(&o, WORD_FORCE, "a"), 0);
	assert_int_equal(orders_of_network(&o, "a"), WORD_FORCE);
	assert_true(orders_has(&o, WORD_DRAIN_BACKSTOP, "a"));
	assert_int_equal(orders_put_network(&o, WORD_NONE, "a"), 0);
	assert_int_equal(orders_of_network(&o, "a"), WORD_NONE);
	assert_false(orders_has(&o, WORD_DRAIN_BACKSTOP, "a"));
	assert_true(orders_has(&o, WORD_DRAIN_NEIGHBOR, "192.0.2.1:179"));
	assert_int_equal(orders_put_network(&o, WORD_DRAIN, ORDERS_ALL), 0);
	assert_int_equal(orders_of_network(&o, "b"), WORD_DRAIN);
	assert_int_equal(orders_put_network(&o, WORD_NONE, "b"), 0);
	assert_int_equal(orders_of_network(&o, "b"), WORD_NONE);
	assert_int_equal(orders_of_network(&o, "c"), WORD_DRAIN);
	assert_int_equal(orders_put_network(&o, WORD_NONE, ORDERS_ALL), 0);
	assert_int_equal(orders_of_network(&o, "c"), WORD_NONE);
	assert_int_equal(o.count, 1);
	assert_int_equal(orders_put(&o, WORD_DRAIN_NEIGHBOR, "192.0.2.1:179", true), 0);
	assert_int_equal(o.count, 1);
	assert_int_equal(orders_put(&o, WORD_DRAIN_NEIGHBOR, "192.0.2.1:179", false), 0);
	assert_int_equal(o.count, 0);
	assert_int_equal(orders_put_network(&o, WORD_DRAIN, "two words"), ERR_INVALID);
	assert_int_equal(orders_put_network(&o, WORD_DRAIN, ""), ERR_INVALID);
	assert_int_equal(o.count, 0);
}

static void on_the_disk(void **state)
{
	char folder[] = "/tmp/zonecast-orders-XXXXXX", path[100];
	struct orders o;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(orders_read(folder, &o), 0);
	assert_int_equal(o.count, 0);
	assert_int_equal(orders_put_network(&o, WORD_FREEZE, "global"), 0);
	assert_int_equal(orders_put(&o, WORD_DRAIN_NEIGHBOR, "[2001:db8::1]:179", true), 0);
	assert_int_equal(orders_write(folder, &o), 0);
	memset(&o, 0xff, sizeof(o));
	assert_int_equal(orders_read(folder, &o), 0);
	assert_int_equal(o.count, 2);
	assert_int_equal(orders_of_network(&o, "global"), WORD_FREEZE);
	assert_true(orders_has(&o, WORD_DRAIN_NEIGHBOR, "[2001:db8::1]:179"));
	snprintf(path, sizeof(path), "%s/orders", folder);
	unlink(path);
	rmdir(folder);
	assert_true(orders_write("/nonexistent", &o) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_lines_say), cmocka_unit_test(longer_than_anything_useful),
	                                   cmocka_unit_test(changes), cmocka_unit_test(on_the_disk)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
