/* SPDX-License-Identifier: BSD-2-Clause */
/* The mark of checks: made and known again with one key, by nobody without. */
#include "edge/mark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_own(void **state)
{
	const uint8_t key[EDGE_MARK_KEY_LEN] = "0123456789abcde";
	uint8_t mark[EDGE_MARK_LEN];

	(void)state;
	for (uint64_t n = 1; n < 1000; n++) {
		uint64_t nonce = n * 0x9e3779b97f4a7c15ULL, got = 0;

		edge_mark_make(key, nonce, mark);
		assert_true(edge_mark_is_ours(key, mark, sizeof(mark), &got));
		assert_true(got == nonce);
		assert_in_range(edge_mark_slot(nonce), 0, EDGE_MARKS_SEEN - 1);
	}
}

static void test_others(void **state)
{
	const uint8_t key[EDGE_MARK_KEY_LEN] = "0123456789abcde", other[EDGE_MARK_KEY_LEN] = "0123456789abcdf";
	uint8_t mark[EDGE_MARK_LEN + 1] = {0};
	uint64_t got = 7;

	(void)state;
	edge_mark_make(key, 42, mark);
	assert_false(edge_mark_is_ours(other, mark, EDGE_MARK_LEN, &got));
	for (size_t bit = 0; bit < EDGE_MARK_LEN * 8; bit++) {
		mark[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(edge_mark_is_ours(key, mark, EDGE_MARK_LEN, &got));
		mark[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	for (size_t len = 0; len <= EDGE_MARK_LEN + 1; len++)
		assert_true(edge_mark_is_ours(key, mark, len, &got) == (len == EDGE_MARK_LEN));
	edge_mark_make(key, 0, mark);
	got = 7;
	assert_false(edge_mark_is_ours(key, mark, EDGE_MARK_LEN, &got));
	assert_true(got == 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_own), cmocka_unit_test(test_others)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
