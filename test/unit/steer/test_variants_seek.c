/* SPDX-License-Identifier: BSD-2-Clause */
/* Where VARIANT records of a hash begin: as a look at each of them says, whatever their lengths. */
#include "base/wire.h"
#include "steer/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RECORDS_MAX = 300, LEN_MAX = 120 };

static uint32_t state_of = 7;

static unsigned below(unsigned n)
{
	state_of = state_of * 1664525U + 1013904223U;
	return (state_of >> 8) % n;
}

static int order(const void *a, const void *b)
{
	return memcmp((const uint8_t *)a + 2, (const uint8_t *)b + 2, LEN_MAX);
}

static void test_as_one_by_one(void **state)
{
	static uint8_t records[RECORDS_MAX][2 + LEN_MAX], data[sizeof(records)];

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		unsigned count = below(round % 10 ? 12 : RECORDS_MAX), same = below(3), len = 8 + below(LEN_MAX - 8), before, first = 0, at = 0;
		uint8_t hash[STEER_SET_HASH_LEN] = {0};
		size_t size = 0, found, offset = 0;

		for (unsigned i = 0; i < count; i++) {
			memset(records[i], 0, sizeof(records[i]));
			put_u16(records[i], (uint16_t)(same ? len : below(LEN_MAX)));
			records[i][2] = (uint8_t)below(8); /* often the same */
			records[i][9] = (uint8_t)below(4);
			records[i][10] = (uint8_t)below(256);
		}
		qsort(records, count, sizeof(records[0]), order);
		for (unsigned i = 0; i < count; i++) {
			size_t n = 2U + get_u16(records[i]);

			memcpy(data + size, records[i], n);
			size += n;
		}
		hash[0] = (uint8_t)below(9);
		hash[7] = (uint8_t)below(5);
		for (; first < count && memcmp(records[first] + 2, hash, sizeof(hash)) < 0; first++)
			offset += 2U + get_u16(records[first]);
		found = steer_variants_seek(data, size, count, hash, &before);
		if (same) {
			assert_int_equal(before, first);
			assert_int_equal(found, offset);
		}
		/* Never behind, and at a record's beginning. */
		assert_true(before <= first && found <= offset);
		for (size_t up = 0; up < found; at++)
			up += 2U + get_u16(data + up);
		assert_int_equal(at, before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_one_by_one)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
