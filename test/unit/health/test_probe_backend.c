/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers of servers whose zones are not known here, good ones and others. */
#include "dns/message.h"
#include "health/probe_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t www[] = "\3www\4test", other[] = "\3ftp\4test", upper[] = "\3WWW\4tESt";

enum { ID = 0x1234 };

struct answer {
	uint16_t id, flags;
	const uint8_t *qname; /* NULL: no question */
	uint16_t qtype;
	unsigned a, cname, soa; /* records in the answer section */
	unsigned extended;      /* high octet of the code, in an OPT; 0: no OPT */
	bool in_authority;      /* the A is there instead */
	int cut;                /* octets taken off the end */
};

static size_t make(const struct answer *x, uint8_t *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);
	unsigned an = (x->in_authority ? 0 : x->a) + x->cname + x->soa;

	writer_u16(&w, x->id);
	writer_u16(&w, x->flags);
	writer_u16(&w, x->qname != NULL);
	writer_u16(&w, (uint16_t)an);
	writer_u16(&w, (uint16_t)(x->in_authority ? x->a : 0));
	writer_u16(&w, x->extended != 0);
	if (x->qname) {
		writer_bytes(&w, x->qname, name_len(x->qname));
		writer_u16(&w, x->qtype);
		writer_u16(&w, 1);
	}
	for (unsigned i = 0; i < x->cname; i++) {
		writer_bytes(&w, "\xc0\x0c\0\5\0\1\0\0\0\0\0\2\xc0\x0c", 14);
	}
	for (unsigned i = 0; i < x->a; i++) {
		writer_bytes(&w, "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\xc0\0\2", 15);
		writer_u8(&w, (uint8_t)(i + 1));
	}
	for (unsigned i = 0; i < x->soa; i++) {
		writer_bytes(&w, "\xc0\x0c\0\6\0\1\0\0\0\0\0\x18\xc0\x0c\xc0\x0c", 16);
		for (unsigned k = 0; k < 5; k++)
			writer_u32(&w, k + 1);
	}
	if (x->extended) {
		writer_bytes(&w, "\0\0\x29\4\xd0", 5);
		writer_u8(&w, (uint8_t)x->extended);
		writer_bytes(&w, "\0\0\0\0\0", 5);
	}
	assert_true(writer_ok(&w));
	return w.pos - (size_t)x->cut;
}

#define WITH(i, f) .id = (i), .flags = (f), .qname = www, .qtype = 1
#define GOOD       WITH(ID, DNS_QR)

static void test_judge(void **state)
{
	static const struct {
		const char *name;
		unsigned rcode;
		const char *contains;
		struct answer answer;
		enum probe_verdict want;
		const char *why;
	} rows[] = {
		{"a record", 0, NULL, {GOOD, .a = 1}, PROBE_PASS, "answered NOERROR"},
		{"name in another case",
	         0,
	         NULL,
	         {.id = ID, .flags = DNS_QR, .qname = upper, .qtype = 1, .a = 1},
	         PROBE_PASS,
	         "answered NOERROR"},
		{"behind an alias", 0, NULL, {GOOD, .cname = 1, .a = 2}, PROBE_PASS, "answered NOERROR"},
		{"an alias alone",
	         0,
	         NULL,
	         {GOOD, .cname = 1},
	         PROBE_FAIL,
	         "answered NOERROR without a record of the type"},
		{"nothing", 0, NULL, {GOOD}, PROBE_FAIL, "answered NOERROR without a record of the type"},
		{"a referral",
	         0,
	         NULL,
	         {GOOD, .a = 1, .in_authority = true},
	         PROBE_FAIL,
	         "answered NOERROR without a record of the type"},
		{"another type",
	         0,
	         NULL,
	         {GOOD, .soa = 1},
	         PROBE_FAIL,
	         "answered NOERROR without a record of the type"},
		{"truncated", 0, NULL, {WITH(ID, DNS_QR | DNS_TC)}, PROBE_PASS, "answered NOERROR, truncated"},
		{"SERVFAIL", 0, NULL, {WITH(ID, DNS_QR | 2)}, PROBE_FAIL, "answered SERVFAIL"},
		{"REFUSED, as wanted", 5, NULL, {WITH(ID, DNS_QR | 5)}, PROBE_PASS, "answered REFUSED"},
		{"NOERROR, not wanted", 3, NULL, {GOOD, .a = 1}, PROBE_FAIL, "answered NOERROR"},
		{"FORMERR without a question",
	         0,
	         NULL,
	         {.id = ID, .flags = DNS_QR | 1},
	         PROBE_FAIL,
	         "answered FORMERR"},
		{"NOERROR without a question",
	         0,
	         NULL,
	         {.id = ID, .flags = DNS_QR},
	         PROBE_NOT_OURS,
	         "answered another question"},
		{"extended code", 0, NULL, {GOOD, .a = 1, .extended = 1}, PROBE_FAIL, "answered BADVERS"},
		{"another id",
	         0,
	         NULL,
	         {WITH(ID + 1, DNS_QR), .a = 1},
	         PROBE_NOT_OURS,
	         "answered something else than this question"},
		{"a question", 0, NULL, {WITH(ID, 0)}, PROBE_NOT_OURS, "answered something else than this question"},
		{"another name",
	         0,
	         NULL,
	         {.id = ID, .flags = DNS_QR, .qname = other, .qtype = 1, .a = 1},
	         PROBE_NOT_OURS,
	         "answered another question"},
		{"another type asked",
	         0,
	         NULL,
	         {.id = ID, .flags = DNS_QR, .qname = www, .qtype = 28, .a = 1},
	         PROBE_NOT_OURS,
	         "answered another question"},
		{"the record", 0, "192.0.2.2", {GOOD, .a = 2}, PROBE_PASS, "answered NOERROR"},
		{"not the record",
	         0,
	         "192.0.2.3",
	         {GOOD, .a = 2},
	         PROBE_FAIL,
	         "answered without the record \"192.0.2.3\""},
		{"a part of it", 0, "192.0.2.", {GOOD, .a = 2}, PROBE_FAIL, "answered without the record \"192.0.2.\""},
		{"the record, truncated", 0, "192.0.2.1", {WITH(ID, DNS_QR | DNS_TC)}, PROBE_FAIL, "answer truncated"},
		{"cut off", 0, NULL, {GOOD, .a = 1, .cut = 2}, PROBE_FAIL, "answer malformed"},
	};
	uint8_t buf[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct probe_backend p = {.question = {.qtype = 1, .qclass = 1, .id = ID},
		                          .rcode = rows[i].rcode,
		                          .contains = rows[i].contains};
		char why[PROBE_WHY_MAX] = "";
		enum probe_verdict got;
		size_t len = make(&rows[i].answer, buf, sizeof(buf));
		/* Exactly as long, so that a sanitizer sees one octet too far. */
		uint8_t *copy = malloc(len);

		name_copy(&p.question.qname, www);
		memcpy(copy, buf, len);
		got = probe_backend_judge(&p, copy, len, why);
		free(copy);
		if (got != rows[i].want || strcmp(why, rows[i].why) != 0)
			fail_msg("%s: %d, %s", rows[i].name, got, why);
	}
}

/* Data is written as in a zone file; names may end with a dot or without, in any case. */
static void test_names(void **state)
{
	static const struct {
		const char *contains;
		bool want;
	} rows[] = {{"www.test. www.test. 1 2 3 4 5", true},
	            {"WWW.test. www.TEST. 1 2 3 4 5", true},
	            {"www.test. www.test. 1 2 3 4", false},
	            {"", false}};
	const struct answer x = {.id = ID, .flags = DNS_QR, .qname = www, .qtype = 6, .soa = 1};
	uint8_t buf[512];
	size_t len = make(&x, buf, sizeof(buf));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct probe_backend p = {.question = {.qtype = 6, .qclass = 1, .id = ID},
		                          .contains = rows[i].contains};
		char why[PROBE_WHY_MAX];

		name_copy(&p.question.qname, www);
		assert_int_equal(probe_backend_judge(&p, buf, len, why), rows[i].want ? PROBE_PASS : PROBE_FAIL);
	}
}

static void test_build(void **state)
{
	struct probe_backend p = {.question = {.qtype = 1, .qclass = 1, .id = ID}};
	uint8_t plain[PROBE_QUERY_MAX], buf[PROBE_QUERY_MAX], mark[16];
	struct query q;
	int n, m;

	(void)state;
	memset(mark, 0xab, sizeof(mark));
	name_copy(&p.question.qname, www);
	n = probe_backend_build(&p, 65001, mark, 0, plain, sizeof(plain));
	m = probe_backend_build(&p, 65001, mark, sizeof(mark), buf, sizeof(buf));
	assert_int_equal(m, n + 20);
	assert_int_equal(query_parse(buf, (size_t)m, &q), QUERY_OK);
	assert_true(q.has_edns && q.header.id == ID && !(q.header.flags & DNS_RD));
	assert_int_equal(get_u16(buf + n), 65001);
	assert_int_equal(get_u16(buf + n + 2), 16);
	assert_memory_equal(buf + n + 4, mark, sizeof(mark));
	assert_true(probe_backend_build(&p, 65001, mark, sizeof(mark), buf, (size_t)n + 19) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_judge), cmocka_unit_test(test_names),
	                                   cmocka_unit_test(test_build)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
