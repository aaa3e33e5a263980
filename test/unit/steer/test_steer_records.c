/* SPDX-License-Identifier: BSD-2-Clause */
/* The hash of a set against figures made with Python's hashlib, and records of hostile contents. */
#include "base/attr.h"
#include "dns/rr.h"
#include "steer/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define OCTETS(s)                                                                                                      \
	{                                                                                                              \
		(const uint8_t *)(s), sizeof(s) - 1                                                                    \
	}

static void test_hash(void **state)
{
	static const struct {
		const char *what;
		uint16_t type;
		size_t count;
		struct steer_rdata set[3];
		const char *hash;
	} cases[] = {
		{"one", RR_A, 1, {OCTETS("\300\0\2\1")}, "\xcf\xa1\x15\xd1\x90\xf0\x96\x74"},
		{"two", RR_A, 2, {OCTETS("\300\0\2\1"), OCTETS("\300\0\2\11")}, "\x2a\x24\x35\x41\x84\x8c\x7e\x15"},
		{"in another order",
	         RR_A,
	         2,
	         {OCTETS("\300\0\2\11"), OCTETS("\300\0\2\1")},
	         "\x2a\x24\x35\x41\x84\x8c\x7e\x15"},
		{"one twice",
	         RR_A,
	         3,
	         {OCTETS("\300\0\2\11"), OCTETS("\300\0\2\1"), OCTETS("\300\0\2\11")},
	         "\x2a\x24\x35\x41\x84\x8c\x7e\x15"},
		{"AAAA",
	         RR_AAAA,
	         1,
	         {OCTETS("\040\001\015\270\0\0\0\0\0\0\0\0\0\0\0\001")},
	         "\x18\x20\xe1\xd9\x8b\xc7\x0d\xeb"},
		{"CNAME", RR_CNAME, 1, {OCTETS("\001a\007example\0")}, "\x0d\xeb\x47\xbf\xd6\x12\x71\x58"},
		{"empty", RR_A, 0, {{0}}, "\xb4\x13\xf4\x7d\x13\xee\x2f\xe6"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct steer_rdata set[3];
		uint8_t hash[STEER_SET_HASH_LEN];

		memcpy(set, cases[i].set, sizeof(set));
		steer_set_hash(cases[i].type, set, cases[i].count, hash);
		if (memcmp(hash, cases[i].hash, sizeof(hash)) != 0)
			fail_msg("%s: another hash", cases[i].what);
	}
}

static void test_policy(void **state)
{
	static const struct {
		const char *what, *rdata;
		size_t len;
		const char *policy; /* NULL: none */
	} cases[] = {
		{"empty", "", 0, NULL},
		{"empty name", "\0", 1, NULL},
		{"cut short", "\4web", 4, NULL},
		{"alone", "\3web", 4, "web"},
		{"with a note", "\3web\4note", 9, "web"},
		{"with a note that is cut short", "\3web\11note", 9, "web"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *name = NULL;
		size_t len = 0;
		bool found = steer_record_policy((const uint8_t *)cases[i].rdata, cases[i].len, &name, &len);

		if (found != (cases[i].policy != NULL) ||
		    (found && (len != strlen(cases[i].policy) || memcmp(name, cases[i].policy, len) != 0)))
			fail_msg("%s", cases[i].what);
	}
}

static void test_variant(void **state)
{
	static const char *const text = "0011223344556677 A 13 2 300 20300101000000 20200101000000 1 example. aGVsbG8=";
	static const uint8_t hash[] = {0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77}, other[8] = {1};
	struct rdata_problem why;
	uint8_t octets[256];
	struct writer w = writer_of(octets, sizeof(octets));
	const uint8_t *sig = NULL;
	uint16_t len = 0;

	(void)state;
	assert_int_equal(rdata_from_string(RR_VARIANT, text, (const uint8_t *)"", &w, &why), 0);
	assert_true(steer_record_variant(octets, w.pos, RR_A, hash, &sig, &len));
	assert_ptr_equal(sig, octets + 8);
	assert_int_equal(len, w.pos - 8);
	assert_false(steer_record_variant(octets, w.pos, RR_AAAA, hash, &sig, &len));
	assert_false(steer_record_variant(octets, w.pos, RR_A, other, &sig, &len));
	/* Up to the first octet of the signature. */
	for (size_t n = 0; n + 5 < w.pos; n++)
		assert_false(steer_record_variant(octets, n, RR_A, hash, &sig, &len));
	octets[8 + 18] = 64; /* no label */
	assert_false(steer_record_variant(octets, w.pos, RR_A, hash, &sig, &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_hash), cmocka_unit_test(test_policy),
	                                   cmocka_unit_test(test_variant)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
