/* SPDX-License-Identifier: BSD-2-Clause */
#include "xfr/padding.h"

#include "base/attr.h"
#include "dns/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { OPT_LEN = 11 };

/* A message of `before` octets that ends with an OPT record with `options` octets of options. */
static size_t begin(struct writer *w, size_t before, size_t options)
{
	size_t at;

	for (size_t i = 0; i < before; i++)
		writer_u8(w, 0xaa);
	at = w->pos;
	writer_u8(w, 0);
	writer_u16(w, RR_OPT);
	writer_u16(w, 1232);
	writer_u32(w, 0);
	writer_u16(w, (uint16_t)options);
	for (size_t i = 0; i < options; i++)
		writer_u8(w, 0xbb);
	return at;
}

static void test_lengths(void **state)
{
	static const struct {
		size_t before, options, cap, block, after;
		size_t want; /* of the message */
	} rows[] = {
		{30, 0, 500, 128, 0, 128},
		{30, 4, 500, 128, 0, 128},
		{113, 0, 500, 128, 0, 128},   /* the head alone fits exactly */
		{114, 0, 500, 128, 0, 256},
		{30, 0, 500, 128, 61, 128 - 61},
		{100, 4, 500, 128, 61, 256 - 61},
		{30, 0, 1000, 468, 0, 468},
		{30, 0, 60, 128, 0, 60},      /* as much as there is room for */
		{30, 0, 45, 128, 0, 45},
		{30, 0, 44, 128, 0, 41},      /* no room for an option */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t bytes[1024];
		struct writer w = writer_of(bytes, rows[i].cap);
		size_t at = begin(&w, rows[i].before, rows[i].options), bare = w.pos;

		memset(bytes + w.pos, 0xcc, sizeof(bytes) - w.pos);
		padding_add(&w, at, rows[i].block, rows[i].after);
		assert_true(writer_ok(&w));
		if (w.pos != rows[i].want)
			fail_msg("row %zu: %zu octets", i, w.pos);
		assert_int_equal(get_u16(bytes + at + 9), rows[i].options + w.pos - bare);
		if (w.pos == bare)
			continue;
		assert_int_equal(get_u16(bytes + bare), EDNS_PADDING);
		assert_int_equal(get_u16(bytes + bare + 2), w.pos - bare - 4);
		for (size_t k = bare + 4; k < w.pos; k++)
			assert_int_equal(bytes[k], 0);
		assert_int_equal(bytes[w.pos], 0xcc);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lengths)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
