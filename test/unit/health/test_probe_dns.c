/* SPDX-License-Identifier: BSD-2-Clause */
/* The judge of probe answers: each row is a good answer with one thing about it changed, and what the judge says. */
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

enum { ID = 0x1234 };

/* What differs from the good answer. Zero values: as it should be. */
struct change {
	uint16_t id_xor, set, clear; /* flags */
	uint16_t qtype;
	const char *qname, *owner;
	int questions, answers;      /* -1: none, else how many more */
	uint16_t type, rclass;
	const char *soa;
	size_t cut;                  /* octets taken off the end */
	size_t extra;                /* octets of rubbish after it */
	bool compressed;
	bool opt, broken_opt;
};

static const uint8_t root[1] = {0};
static const char good_soa[] = "ns1.example. Host.example. 42 3600 600 86400 60";

static struct name name_of(const char *text)
{
	struct name n;

	assert_int_equal(name_from_text(text, strlen(text), root, &n), 0);
	return n;
}

static size_t soa_of(const char *text, uint8_t *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);
	struct rdata_problem problem;

	assert_int_equal(rdata_from_string(RR_SOA, text, root, &w, &problem), 0);
	return w.pos;
}

static void expect(struct probe_soa *s, const char *text)
{
	uint8_t buf[PROBE_SOA_MAX];

	if (text) {
		size_t len = soa_of(text, buf, sizeof(buf));

		probe_soa_set(s, buf, len);
		assert_true(s->known);
	} else {
		memset(s, 0, sizeof(*s));
	}
}

static void put_record(struct writer *w, const struct change *c)
{
	struct name owner = name_of(c->owner ? c->owner : "example.");
	uint8_t soa[PROBE_SOA_MAX];
	size_t len = soa_of(c->soa ? c->soa : good_soa, soa, sizeof(soa));

	if (c->compressed)
		writer_u16(w, 0xc00c);
	else
		writer_bytes(w, owner.wire, owner.len);
	writer_u16(w, c->type ? c->type : RR_SOA);
	writer_u16(w, c->rclass ? c->rclass : CLASS_IN);
	writer_u32(w, 300);
	if (c->compressed) { /* ns1 -> question, host -> question, then the five numbers */
		writer_u16(w, 6 + 7 + 20);
		writer_bytes(w, "\x03ns1\xc0\x0c", 6);
		writer_bytes(w, "\x04host\xc0\x0c", 7);
		writer_bytes(w, soa + len - 20, 20);
	} else {
		writer_u16(w, (uint16_t)len);
		writer_bytes(w, soa, len);
	}
}

static size_t build(const struct change *c, uint8_t *buf, size_t cap)
{
	struct name qname = name_of(c->qname ? c->qname : "example.");
	struct writer w = writer_of(buf, cap);
	int questions = 1 + c->questions, answers = 1 + c->answers;

	writer_u16(&w, ID ^ c->id_xor);
	writer_u16(&w, (uint16_t)(((DNS_QR | DNS_AA) | c->set) & ~c->clear));
	writer_u16(&w, (uint16_t)questions);
	writer_u16(&w, (uint16_t)answers);
	writer_u16(&w, 0);
	writer_u16(&w, c->opt || c->broken_opt);
	for (int i = 0; i < questions; i++) {
		writer_bytes(&w, qname.wire, qname.len);
		writer_u16(&w, c->qtype ? c->qtype : RR_SOA);
		writer_u16(&w, CLASS_IN);
	}
	for (int i = 0; i < answers; i++)
		put_record(&w, c);
	if (c->opt || c->broken_opt) {
		writer_u8(&w, 0);
		writer_u16(&w, RR_OPT);
		writer_u16(&w, 1232);
		writer_u32(&w, 0);
		writer_u16(&w, c->broken_opt ? 7 : 0);
	}
	for (size_t i = 0; i < c->extra; i++)
		writer_u8(&w, 0xff);
	assert_true(writer_ok(&w));
	return w.pos - c->cut;
}

static const struct {
	const char *name;
	struct change change;
	enum probe_verdict verdict;
	const char *why;
} rows[] = {
	{"right", {0}, PROBE_PASS, ""},
	{"right, with OPT", {.opt = true}, PROBE_PASS, ""},
	{"right, compressed", {.compressed = true}, PROBE_PASS, ""},
	{"names in other case", {.qname = "eXample.", .owner = "EXAMPLE.", .soa = "NS1.EXAMPLE. host.example. 42 3600 600 86400 60"},
	 PROBE_PASS, ""},
	{"SERVFAIL", {.set = RCODE_SERVFAIL, .answers = -1}, PROBE_FAIL, "answered SERVFAIL"},
	{"SERVFAIL, no question", {.set = RCODE_SERVFAIL, .answers = -1, .questions = -1}, PROBE_FAIL, "answered SERVFAIL"},
	{"REFUSED", {.set = RCODE_REFUSED, .answers = -1}, PROBE_FAIL, "answered REFUSED"},
	{"NXDOMAIN", {.set = RCODE_NXDOMAIN, .answers = -1}, PROBE_FAIL, "answered NXDOMAIN"},
	{"rcode 12", {.set = 12}, PROBE_FAIL, "answered RCODE12"},
	{"another id", {.id_xor = 1}, PROBE_NOT_OURS, NULL},
	{"a question", {.clear = DNS_QR}, PROBE_NOT_OURS, NULL},
	{"no AA", {.clear = DNS_AA}, PROBE_FAIL, "AA missing"},
	{"truncated flag", {.set = DNS_TC}, PROBE_FAIL, "answer truncated"},
	{"opcode NOTIFY", {.set = OPCODE_NOTIFY << 11}, PROBE_FAIL, "answered with opcode 4"},
	{"no question", {.questions = -1}, PROBE_FAIL, "question not repeated in the answer"},
	{"two questions", {.questions = 1}, PROBE_FAIL, "question not repeated in the answer"},
	{"another name asked", {.qname = "example.org."}, PROBE_FAIL, "question not repeated in the answer"},
	{"another type asked", {.qtype = RR_NS}, PROBE_FAIL, "question not repeated in the answer"},
	{"no answer", {.answers = -1}, PROBE_FAIL, "answer without SOA record"},
	{"two answers", {.answers = 1}, PROBE_FAIL, "2 records in the answer, expected 1"},
	{"another owner", {.owner = "www.example."}, PROBE_FAIL, "answered with a record that was not asked for"},
	{"another type", {.type = RR_NS}, PROBE_FAIL, "answered with a record that was not asked for"},
	{"another class", {.rclass = CLASS_CH}, PROBE_FAIL, "answered with a record that was not asked for"},
	{"older", {.soa = "ns1.example. host.example. 41 3600 600 86400 60"}, PROBE_FAIL, "serial 41, expected 42"},
	{"newer", {.soa = "ns1.example. host.example. 43 3600 600 86400 60"}, PROBE_FAIL, "serial 43, expected 42"},
	{"same serial, other content", {.soa = "ns2.example. host.example. 42 3600 600 86400 60"}, PROBE_FAIL,
	 "SOA of serial 42 differs from the zone's"},
	{"cut in the record", {.cut = 3}, PROBE_FAIL, "answer malformed"},
	{"OPT longer than the message", {.broken_opt = true}, PROBE_FAIL, "answer malformed"},
};

static void test_judge(void **state)
{
	struct probe_question q;
	struct name apex = name_of("example.");
	struct probe_soa soa;
	uint8_t buf[2048];

	(void)state;
	probe_ask_soa(&q, apex.wire, ID);
	expect(&soa, good_soa);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char why[PROBE_WHY_MAX] = "";
		size_t len = build(&rows[i].change, buf, sizeof(buf));
		enum probe_verdict v = probe_judge_soa(&q, &soa, &soa, buf, len, why);

		if (v != rows[i].verdict || (rows[i].why && strcmp(why, rows[i].why) != 0))
			fail_msg("%s: verdict %d \"%s\", expected %d \"%s\"", rows[i].name, v, why, rows[i].verdict,
			         rows[i].why ? rows[i].why : "(any)");
	}
}

static const char *const v41 = "ns1.example. host.example. 41 3600 600 86400 60";
static const char *const v42 = good_soa;
static const char *const v43 = "ns1.example. host.example. 43 3600 600 86400 60";

/* The zone changes while the question is under way. */
static void test_zone_changes(void **state)
{
	const struct {
		const char *name, *before, *now, *got;
		enum probe_verdict verdict;
		const char *why;
	} cases[] = {
		{"answered before the change", v41, v42, v41, PROBE_PASS, ""},
		{"answered after it", v41, v42, v42, PROBE_PASS, ""},
		{"two changes, answered between", v41, v43, v42, PROBE_PASS, ""},
		{"older than both", v42, v43, v41, PROBE_FAIL, "serial 41, expected 43"},
		{"newer than both", v41, v42, v43, PROBE_FAIL, "serial 43, expected 42"},
		{"zone came meanwhile", NULL, v42, v42, PROBE_PASS, ""},
		{"zone went meanwhile", v42, NULL, v42, PROBE_PASS, ""},
		{"there is none", NULL, NULL, v42, PROBE_FAIL, "answered serial 42, but the store holds no data"},
		{"serial turned back, old answer", v43, v41, v42, PROBE_FAIL, "serial 42, expected 41"},
	};
	struct probe_question q;
	struct name apex = name_of("example.");
	uint8_t buf[1024];

	(void)state;
	probe_ask_soa(&q, apex.wire, ID);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct change c = {.soa = cases[i].got};
		char why[PROBE_WHY_MAX] = "";
		struct probe_soa before, now;
		enum probe_verdict v;

		expect(&before, cases[i].before);
		expect(&now, cases[i].now);
		v = probe_judge_soa(&q, &before, &now, buf, build(&c, buf, sizeof(buf)), why);
		if (v != cases[i].verdict || strcmp(why, cases[i].why) != 0)
			fail_msg("%s: verdict %d \"%s\"", cases[i].name, v, why);
	}
}

/* No octets of an answer, cut or changed anywhere, make the judge read outside them or pass what differs. */
static void test_hostile(void **state)
{
	const struct change c = {.opt = true};
	struct name apex = name_of("example.");
	struct probe_question q;
	struct probe_soa soa;
	uint8_t good[1024];
	size_t len = build(&c, good, sizeof(good));

	(void)state;
	probe_ask_soa(&q, apex.wire, ID);
	expect(&soa, good_soa);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1);
		char why[PROBE_WHY_MAX] = "";

		assert_non_null(exact);
		memcpy(exact, good, cut);
		assert_int_not_equal(probe_judge_soa(&q, &soa, &soa, exact, cut, why), PROBE_PASS);
		assert_true(strlen(why) > 0);
		free(exact);
	}
	for (size_t at = 0; at < len; at++) {
		for (int v = 0; v < 256; v++) {
			uint8_t *exact = malloc(len);
			char why[PROBE_WHY_MAX] = "";

			assert_non_null(exact);
			memcpy(exact, good, len);
			exact[at] = (uint8_t)v;
			(void)probe_judge_soa(&q, &soa, &soa, exact, len, why);
			free(exact);
		}
	}
}

static void test_build(void **state)
{
	uint8_t buf[PROBE_QUERY_MAX];
	struct name apex = name_of("example.");
	struct name longest = {.len = 0};
	struct probe_question q;
	struct query got;
	int n;

	(void)state;
	probe_ask_soa(&q, apex.wire, ID);
	n = probe_build(&q, buf, sizeof(buf));
	assert_true(n > 0);
	assert_int_equal(query_parse(buf, (size_t)n, &got), QUERY_OK);
	assert_int_equal(got.header.id, ID);
	assert_int_equal(got.qtype, RR_SOA);
	assert_int_equal(got.qclass, CLASS_IN);
	assert_true(name_equal(got.qname.wire, apex.wire));
	assert_true(got.has_edns && got.udp_size == PROBE_UDP_SIZE);

	for (int i = 0; i < 127; i++) {
		longest.wire[longest.len++] = 1;
		longest.wire[longest.len++] = 'a';
	}
	longest.wire[longest.len++] = 0;
	probe_ask_soa(&q, longest.wire, ID);
	n = probe_build(&q, buf, sizeof(buf));
	assert_true(n > 0);
	assert_int_equal(query_parse(buf, (size_t)n, &got), QUERY_OK);
}

static size_t build_id(uint8_t *buf, size_t cap, const char *text, uint16_t type, uint16_t flags, unsigned records)
{
	struct writer w = writer_of(buf, cap);

	writer_u16(&w, ID);
	writer_u16(&w, DNS_QR | flags);
	writer_u16(&w, 1);
	writer_u16(&w, (uint16_t)records);
	writer_u32(&w, 0);
	writer_bytes(&w, "\x02id\x06server", 11);
	writer_u16(&w, RR_TXT);
	writer_u16(&w, CLASS_CH);
	for (unsigned i = 0; i < records; i++) {
		writer_u16(&w, 0xc00c);
		writer_u16(&w, type);
		writer_u16(&w, CLASS_CH);
		writer_u32(&w, 0);
		writer_u16(&w, (uint16_t)(strlen(text) + 1));
		writer_u8(&w, (uint8_t)strlen(text));
		writer_bytes(&w, text, strlen(text));
	}
	assert_true(writer_ok(&w));
	return w.pos;
}

static void test_id(void **state)
{
	const struct {
		const char *name, *text;
		uint16_t type, flags;
		unsigned records;
		enum probe_verdict verdict;
	} cases[] = {
		{"its name", "fra", RR_TXT, DNS_AA, 1, PROBE_PASS},
		{"its name, no AA", "fra", RR_TXT, 0, 1, PROBE_PASS},
		{"another node", "ams", RR_TXT, DNS_AA, 1, PROBE_FAIL},
		{"a longer name", "fra1", RR_TXT, DNS_AA, 1, PROBE_FAIL},
		{"empty", "", RR_TXT, DNS_AA, 1, PROBE_FAIL},
		{"REFUSED", "", RR_TXT, RCODE_REFUSED, 0, PROBE_FAIL},
		{"nothing", "", RR_TXT, DNS_AA, 0, PROBE_FAIL},
		{"another type", "fra", RR_NULL, DNS_AA, 1, PROBE_FAIL},
	};
	struct probe_question q;
	uint8_t buf[512];

	(void)state;
	probe_ask_id(&q, ID);
	assert_int_equal(q.qclass, CLASS_CH);
	assert_int_equal(q.qtype, RR_TXT);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char why[PROBE_WHY_MAX] = "";
		size_t len = build_id(buf, sizeof(buf), cases[i].text, cases[i].type, cases[i].flags, cases[i].records);
		enum probe_verdict v = probe_judge_id(&q, "fra", buf, len, why);

		if (v != cases[i].verdict)
			fail_msg("%s: verdict %d \"%s\"", cases[i].name, v, why);
		assert_int_equal(v == PROBE_PASS, why[0] == '\0');
	}
}

static void test_soa_set(void **state)
{
	struct probe_soa s;
	uint8_t buf[PROBE_SOA_MAX + 1] = {0};
	size_t len = soa_of(good_soa, buf, sizeof(buf));

	(void)state;
	probe_soa_set(&s, buf, len);
	assert_true(s.known && s.serial == 42 && s.len == len);
	probe_soa_set(&s, buf, len - 1);
	assert_false(s.known);
	probe_soa_set(&s, buf, sizeof(buf));
	assert_false(s.known);
	probe_soa_set(&s, buf, 0);
	assert_false(s.known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),  cmocka_unit_test(test_zone_changes), cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_build),  cmocka_unit_test(test_id),           cmocka_unit_test(test_soa_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
