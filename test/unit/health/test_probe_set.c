/* SPDX-License-Identifier: BSD-2-Clause */
/* The judges of answers with any set of a zone, and of those that name a worker: a good answer with one thing about it changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/wire.h"
#include "dns/message.h"
#include "dns/rr.h"
#include "health/probe_dns.h"

enum { ID = 0x1234, RECORDS_MAX = PROBE_SET_RECORDS + 1 };

static const uint8_t root[1] = {0};

/* An answer as the server would give it. */
struct given {
	const char *owner, *records[4];
	uint16_t type, rclass, flags, set_flags, clear_flags;
	uint32_t ttl;
	unsigned ancount_more;
	size_t cut;
};

static struct name name_of(const char *text)
{
	struct name n;

	assert_int_equal(name_from_text(text, strlen(text), root, &n), 0);
	return n;
}

static size_t rdata_of(uint16_t type, const char *text, uint8_t *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);
	struct rdata_problem problem;

	assert_int_equal(rdata_from_string(type, text, root, &w, &problem), 0);
	return w.pos;
}

static void expect(struct probe_set *s, uint16_t type, uint32_t ttl, const char *const records[4])
{
	uint8_t data[PROBE_SET_MAX];
	size_t size = 0;
	uint16_t n = 0;

	for (; n < 4 && records[n]; n++) {
		size_t len = rdata_of(type, records[n], data + size + 2, sizeof(data) - size - 2);

		put_u16(data + size, (uint16_t)len);
		size += 2 + len;
	}
	probe_set_take(s, type, ttl, n, data, size);
}

static size_t build(const struct given *g, uint8_t *out, size_t cap)
{
	struct writer w = writer_of(out, cap);
	struct name qname = name_of("www.example."), owner = name_of(g->owner ? g->owner : "www.example.");
	uint16_t n = 0;

	while (n < 4 && g->records[n])
		n++;
	writer_u16(&w, ID);
	writer_u16(&w, (uint16_t)(((DNS_QR | DNS_AA) | g->set_flags) & ~g->clear_flags));
	writer_u16(&w, 1);
	writer_u16(&w, (uint16_t)(n + g->ancount_more));
	writer_u32(&w, 0);
	writer_bytes(&w, qname.wire, qname.len);
	writer_u16(&w, RR_MX);
	writer_u16(&w, CLASS_IN);
	for (unsigned i = 0; i < n; i++) {
		uint16_t type = g->type ? g->type : RR_MX;
		uint8_t rdata[300];
		size_t len = rdata_of(type, g->records[i], rdata, sizeof(rdata));

		writer_bytes(&w, owner.wire, owner.len);
		writer_u16(&w, type);
		writer_u16(&w, g->rclass ? g->rclass : CLASS_IN);
		writer_u32(&w, g->ttl ? g->ttl : 300);
		writer_u16(&w, (uint16_t)len);
		writer_bytes(&w, rdata, len);
	}
	assert_true(writer_ok(&w));
	return w.pos - g->cut;
}

#define WRONG "wrong content, MX not as in the zone"
static const struct {
	const char *name;
	struct given given;
	enum probe_verdict verdict;
	const char *why;
} rows[] = {
	{"as in the zone", {.records = {"10 a.example.", "20 b.example."}}, PROBE_PASS, ""},
	{"in another order", {.records = {"20 b.example.", "10 a.example."}}, PROBE_PASS, ""},
	{"in other letters", {.owner = "WWW.example.", .records = {"10 A.EXAMPLE.", "20 b.example."}}, PROBE_PASS, ""},
	{"the later version", {.records = {"30 c.example."}}, PROBE_PASS, ""},
	{"one is missing", {.records = {"10 a.example."}}, PROBE_FAIL, WRONG},
	{"one is twice", {.records = {"10 a.example.", "10 a.example."}}, PROBE_FAIL, WRONG},
	{"one too many", {.records = {"10 a.example.", "20 b.example.", "30 c.example."}}, PROBE_FAIL, WRONG},
	{"another one", {.records = {"10 a.example.", "21 b.example."}}, PROBE_FAIL, WRONG},
	{"of both versions one", {.records = {"10 a.example.", "30 c.example."}}, PROBE_FAIL, WRONG},
	{"none", {.records = {NULL}}, PROBE_FAIL, WRONG},
	{"another TTL", {.records = {"10 a.example.", "20 b.example."}, .ttl = 299}, PROBE_FAIL, WRONG},
	{"another owner", {.owner = "example.", .records = {"10 a.example.", "20 b.example."}}, PROBE_FAIL, WRONG},
	{"another class", {.records = {"10 a.example.", "20 b.example."}, .rclass = CLASS_CH}, PROBE_FAIL, WRONG},
	{"another type", {.records = {"\"x\"", "\"y\""}, .type = RR_TXT}, PROBE_FAIL, WRONG},
	{"without authority", {.records = {"10 a.example.", "20 b.example."}, .clear_flags = DNS_AA}, PROBE_FAIL, "AA missing"},
	{"truncated", {.records = {"10 a.example.", "20 b.example."}, .set_flags = DNS_TC}, PROBE_FAIL, "answer truncated"},
	{"refused", {.set_flags = RCODE_REFUSED}, PROBE_FAIL, "answered REFUSED"},
	{"cut off", {.records = {"10 a.example.", "20 b.example."}, .cut = 3}, PROBE_FAIL, "answer malformed"},
	{"fewer than it says", {.records = {"10 a.example."}, .ancount_more = 1}, PROBE_FAIL, "answer malformed"},
};

static void test_sets(void **state)
{
	static const char *const before[4] = {"10 a.example.", "20 B.example."}, *const now[4] = {"30 c.example."};
	const struct name owner = name_of("www.example.");
	struct probe_set sets[2];
	struct probe_question q;

	(void)state;
	probe_ask_set(&q, owner.wire, RR_MX, ID);
	expect(&sets[0], RR_MX, 300, before);
	expect(&sets[1], RR_MX, 300, now);
	assert_true(sets[0].known && sets[1].known);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char why[PROBE_WHY_MAX] = "";
		uint8_t built[1500], *msg;
		size_t len = build(&rows[i].given, built, sizeof(built));
		enum probe_verdict v;

		msg = malloc(len); /* of its own size: a sanitizer sees a step beyond */
		assert_non_null(msg);
		memcpy(msg, built, len);
		v = probe_judge_set(&q, &sets[0], &sets[1], msg, len, why);
		free(msg);
		if (v != rows[i].verdict || strcmp(why, rows[i].why) != 0)
			fail_msg("%s: %d \"%s\", expected %d \"%s\"", rows[i].name, v, why, rows[i].verdict, rows[i].why);
	}
}

/* What is too large, or no set at all, is nothing to expect. */
static void test_expectations(void **state)
{
	uint8_t data[PROBE_SET_MAX + 1] = {0};
	struct probe_set s;

	(void)state;
	probe_set_take(&s, RR_A, 1, PROBE_SET_RECORDS, data, 2UL * PROBE_SET_RECORDS);
	assert_true(s.known);
	probe_set_take(&s, RR_A, 1, PROBE_SET_RECORDS + 1, data, 2UL * (PROBE_SET_RECORDS + 1));
	assert_false(s.known);
	probe_set_take(&s, RR_A, 1, 0, data, 0);
	assert_false(s.known);
	probe_set_take(&s, RR_A, 1, 2, data, 3);
	assert_false(s.known);
	put_u16(data, 4);
	probe_set_take(&s, RR_A, 1, 1, data, 5);
	assert_false(s.known);
	put_u16(data, PROBE_SET_MAX - 2);
	probe_set_take(&s, RR_NULL, 1, 1, data, PROBE_SET_MAX);
	assert_true(s.known);
	put_u16(data, PROBE_SET_MAX - 1);
	probe_set_take(&s, RR_NULL, 1, 1, data, PROBE_SET_MAX + 1);
	assert_false(s.known);
}

static void judge_worker(const char *text, size_t len, bool good, unsigned number)
{
	char why[PROBE_WHY_MAX] = "";
	struct probe_question q;
	uint8_t msg[300];
	struct writer w = writer_of(msg, sizeof(msg));
	unsigned worker = 99;

	probe_ask_worker(&q, ID);
	writer_u16(&w, ID);
	writer_u16(&w, DNS_QR | DNS_AA);
	writer_u16(&w, 1);
	writer_u16(&w, 1);
	writer_u32(&w, 0);
	writer_bytes(&w, q.qname.wire, q.qname.len);
	writer_u16(&w, RR_TXT);
	writer_u16(&w, CLASS_CH);
	writer_u16(&w, 0xc00c);
	writer_u16(&w, RR_TXT);
	writer_u16(&w, CLASS_CH);
	writer_u32(&w, 0);
	writer_u16(&w, (uint16_t)len);
	writer_bytes(&w, text, len);
	assert_true(writer_ok(&w));
	assert_int_equal(probe_judge_worker(&q, 12, msg, w.pos, why, &worker), good ? PROBE_PASS : PROBE_FAIL);
	assert_int_equal(worker, good ? number : 99);
	assert_int_equal(why[0] == '\0', good);
}

static void test_workers(void **state)
{
	(void)state;
	judge_worker("\0010", 2, true, 0);
	judge_worker("\00211", 3, true, 11);
	judge_worker("\00212", 3, false, 0); /* there are twelve */
	judge_worker("\003255", 4, false, 0);
	judge_worker("\0040011", 5, false, 0);
	judge_worker("\0003", 2, false, 0);
	judge_worker("\001x", 2, false, 0);
	judge_worker("\003fra", 4, false, 0);
	judge_worker("\002-1", 3, false, 0);
	judge_worker("\0011\0012", 4, false, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sets), cmocka_unit_test(test_expectations), cmocka_unit_test(test_workers)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
