/* SPDX-License-Identifier: BSD-2-Clause */
/* When a set loses its last good signature, and when the first of those that VARIANT records are for does. */
#include "zone/signatures.h"

#include "base/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct row {
	uint8_t set;     /* first octet of the hash */
	uint16_t covers;
	uint32_t end;
	uint8_t cut;     /* octets that are missing */
};

static const struct {
	const char *what;
	uint16_t type;
	struct row rows[5];
	size_t count;
	bool any;
	uint32_t end;
} cases[] = {
	{"none", RR_RRSIG, {{0}}, 0, false, 0},
	{"one", RR_RRSIG, {{.covers = RR_A, .end = 7}}, 1, true, 7},
	{"the last counts, in any order", RR_RRSIG, {{.covers = RR_A, .end = 9}, {.covers = RR_A, .end = 11}, {.covers = RR_A, .end = 10}}, 3, true, 11},
	{"time goes round", RR_RRSIG, {{.covers = RR_A, .end = 5}, {.covers = RR_A, .end = 0xfffffff0}}, 2, true, 5},
	{"cut short", RR_RRSIG, {{.covers = RR_A, .end = 5, .cut = 12}}, 1, false, 0},
	{"variants: the first set", RR_VARIANT, {{1, RR_A, 20, 0}, {2, RR_A, 10, 0}, {3, RR_AAAA, 30, 0}}, 3, true, 10},
	{"variants: the last set", RR_VARIANT, {{1, RR_A, 20, 0}, {2, RR_A, 15, 0}, {3, RR_CNAME, 12, 0}}, 3, true, 12},
	{"variants: two keys", RR_VARIANT, {{1, RR_A, 20, 0}, {1, RR_A, 25, 0}, {2, RR_A, 10, 0}, {2, RR_A, 30, 0}}, 4, true, 25},
	{"variants: time goes round", RR_VARIANT, {{1, RR_A, 3, 0}, {2, RR_A, 0xfffffff8, 0}}, 2, true, 0xfffffff8},
	{"variants: what is something else", RR_VARIANT, {{1, RR_TXT, 1, 0}, {2, RR_A, 9, 0}, {3, 0, 2, 0}}, 3, true, 9},
	{"variants: cut short", RR_VARIANT, {{1, RR_A, 5, 1}, {2, RR_A, 6, 3}, {3, RR_A, 7, 28}}, 3, false, 0},
};

static void test_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct signature_set s = {.type = cases[i].type};
		uint32_t end = 0;

		print_message("%s\n", cases[i].what);
		for (size_t k = 0; k < cases[i].count; k++) {
			const struct row *row = &cases[i].rows[k];
			uint8_t rdata[8 + 18 + 1 + 1] = {row->set}; /* signed by the root, with one octet */
			size_t head = cases[i].type == RR_VARIANT ? 8 : 0;

			put_u16(rdata + head, row->covers);
			rdata[head + 2] = 13;
			put_u32(rdata + head + 8, row->end);
			signature_set_add(&s, rdata, (uint16_t)(head + 20 - row->cut));
		}
		assert_int_equal(signature_set_end(&s, &end), cases[i].any);
		assert_int_equal(end, cases[i].end);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_ends)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
