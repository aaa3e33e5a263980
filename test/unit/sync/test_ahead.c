/* SPDX-License-Identifier: BSD-2-Clause */
/* Zones are taken in the order they were asked for, whatever the threads did; a broken one spoils nothing; what is not taken is freed. */
#include "base/err.h"
#include "dns/name.h"
#include "sync/ahead.h"
#include "sync/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ZONES = 300 };

static const uint8_t apex[] = "\x07" "example";

static void on_progress(void *ctx, const struct zone_row *row, uint64_t done, uint64_t all)
{
	(void)ctx;
	(void)row;
	assert_true(done <= all);
}

static void test_order(void **state)
{
	static struct zone_row rows[ZONES];
	char dir[] = "/tmp/zonecast-ahead-XXXXXX", path[ZONES][64];
	struct ahead *a = ahead_new(on_progress, NULL);
	size_t next = 0;

	(void)state;
	assert_non_null(a);
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < ZONES; i++) {
		FILE *f;

		snprintf(path[i], sizeof(path[i]), "%s/%zu", dir, i);
		f = fopen(path[i], "w");
		assert_non_null(f);
		fprintf(f, "$TTL 60\n@ SOA a a 1 1 1 1 1\n@ NS n.test.\n");
		for (size_t k = 0; k < i; k++)
			fprintf(f, "h%zu A 192.0.2.1\n", k);
		if (i % 7 == 3)
			fprintf(f, "x BOGUS y\n");
		fclose(f);
		rows[i] = (struct zone_row){.apex = apex, .path = path[i]};
	}
	/* The last ten are left to ahead_free(). */
	for (size_t i = 0; i < ZONES - 10; i++) {
		struct ahead_zone *z;

		while (next < ZONES && ahead_has_room(a))
			ahead_add(a, &rows[next++]);
		assert_ptr_equal(ahead_first(a), &rows[i]);
		z = ahead_take(a);
		assert_ptr_equal(z->row, &rows[i]);
		assert_int_equal(z->err, i % 7 == 3 ? ERR_INVALID : 0);
		assert_int_equal(z->diag.errors, i % 7 == 3);
		if (!z->err) {
			assert_int_equal(content_record_count(z->content), 2 + i);
			assert_true(source_unchanged(z->source, strlen(z->source), path[i]));
		}
		ahead_release(a, z);
	}
	ahead_free(a);
	for (size_t i = 0; i < ZONES; i++)
		unlink(path[i]);
	rmdir(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
