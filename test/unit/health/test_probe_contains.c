/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers to a question for www.example A, as rows: their records, and what they are worth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/wire.h"
#include "dns/message.h"
#include "dns/rr.h"
#include "health/probe_dns.h"

enum { ID = 0x4321 };
static const uint8_t www[] = "\x03www\x07"
			     "example";

#define A1 "\xc0\x0c\0\x01\0\x01\0\0\0\x0a\0\x04\xc0\0\2\1"
#define A2 "\xc0\x0c\0\x01\0\x01\0\0\0\x0a\0\x04\xc0\0\2\2"

static const struct {
	const char *name;
	uint16_t flags, count;
	const char *records;
	size_t records_len;
	const char *contains;
	enum probe_verdict want;
	const char *why;
} rows[] = {
	{"a record", 0, 1, A1, sizeof(A1) - 1, NULL, PROBE_PASS, ""},
	{"the one", 0, 2, A1 A2, sizeof(A1 A2) - 1, "192.0.2.2", PROBE_PASS, ""},
	{"not the one", 0, 2, A1 A2, sizeof(A1 A2) - 1, "192.0.2.3", PROBE_FAIL,
         "no A record has the text that is wanted"},
	{"none", 0, 0, "", 0, NULL, PROBE_FAIL, "answer without A record"},
	{"another type", 0, 1, "\xc0\x0c\0\x10\0\x01\0\0\0\x0a\0\2\1x", 14, NULL, PROBE_FAIL,
         "answer without A record"},
	{"refused", RCODE_REFUSED, 0, "", 0, NULL, PROBE_FAIL, "answered REFUSED"},
	{"cut", 0, 2, A1, sizeof(A1) - 1, NULL, PROBE_FAIL, "answer malformed"},
	{"of a wrong length", 0, 1, "\xc0\x0c\0\x01\0\x01\0\0\0\x0a\0\3\xc0\0\2", 15, "192", PROBE_FAIL,
         "answer malformed"},
};

static void test_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct probe_question q = {.qtype = RR_A, .qclass = CLASS_IN, .id = ID};
		char why[PROBE_WHY_MAX] = "";
		enum probe_verdict got;
		uint8_t msg[512];
		struct writer w = writer_of(msg, sizeof(msg));

		name_copy(&q.qname, www);
		writer_u16(&w, ID);
		writer_u16(&w, (uint16_t)(DNS_QR | rows[i].flags));
		writer_u16(&w, 1);
		writer_u16(&w, rows[i].count);
		writer_u32(&w, 0);
		writer_bytes(&w, www, sizeof(www));
		writer_u16(&w, RR_A);
		writer_u16(&w, CLASS_IN);
		writer_bytes(&w, (const uint8_t *)rows[i].records, rows[i].records_len);
		assert_true(writer_ok(&w));
		got = probe_judge_contains(&q, rows[i].contains, msg, w.pos, why);
		if (got != rows[i].want || strcmp(why, rows[i].why) != 0)
			fail_msg("%s: %d \"%s\"", rows[i].name, got, why);
		put_u16(msg, ID + 1);
		assert_int_equal(probe_judge_contains(&q, rows[i].contains, msg, w.pos, why), PROBE_NOT_OURS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
