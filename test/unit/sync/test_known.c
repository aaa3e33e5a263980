/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/known.h"

#include "dns/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct name name_of(const char *text)
{
	static const uint8_t root[1];
	struct name n;

	assert_int_equal(name_from_text(text, strlen(text), root, &n), 0);
	return n;
}

static struct zone_prints *prints(size_t count)
{
	struct zone_prints *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->list = calloc(count + 1, sizeof(*p->list));
	p->first = calloc(count + 1, sizeof(*p->first));
	p->count = count;
	return p;
}

static struct store_zone *version(uint64_t checksum, uint64_t records)
{
	static struct store_zone z;

	memset(&z, 0, sizeof(z));
	z.content_checksum = checksum;
	z.record_count = records;
	return &z;
}

/* Only the version that they were made of. */
static void test_exactly_this_version(void **state)
{
	struct known *k = known_new();
	struct name a = name_of("a.test."), upper = name_of("A.Test."), b = name_of("b.test.");
	const struct zone_prints *found;

	(void)state;
	assert_null(known_find(k, a.wire, version(1, 10)));
	known_keep(k, a.wire, version(1, 10), prints(10));
	found = known_find(k, upper.wire, version(1, 10));
	assert_non_null(found);
	assert_int_equal(found->count, 10);
	assert_null(found->first);
	assert_null(known_find(k, b.wire, version(1, 10)));
	known_keep(k, a.wire, version(2, 11), prints(11));
	assert_int_equal(known_find(k, a.wire, version(2, 11))->count, 11);
	/* Changed by another way: forgotten, also when it comes back. */
	assert_null(known_find(k, a.wire, version(3, 11)));
	assert_null(known_find(k, a.wire, version(2, 11)));
	known_keep(k, a.wire, version(2, 11), prints(11));
	assert_null(known_find(k, a.wire, version(2, 12)));
	known_free(k);
}

/* The ones used longest ago go. */
static void test_few_zones(void **state)
{
	struct known *k = known_new();

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		char text[20];

		snprintf(text, sizeof(text), "z%u.test.", i);
		known_keep(k, name_of(text).wire, version(i, i), prints(i));
	}
	for (unsigned i = 0; i < 40; i++) {
		const struct zone_prints *found;
		char text[20];

		snprintf(text, sizeof(text), "z%u.test.", i);
		found = known_find(k, name_of(text).wire, version(i, i));
		assert_int_equal(found != NULL, i >= 24);
		assert_true(!found || found->count == i);
	}
	known_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_exactly_this_version), cmocka_unit_test(test_few_zones)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
