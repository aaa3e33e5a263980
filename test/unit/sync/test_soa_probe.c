/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers to the question for a SOA, good and bad ones. */
#include "base/err.h"
#include "dns/message.h"
#include "sync/soa_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t apex[] = "\7example";
static const uint8_t other[] = "\5other";

struct made {
	const char *name;
	uint16_t flags;          /* beside QR */
	bool no_qr, no_question, wrong_name, wrong_id, no_soa, soa_elsewhere, no_opt, wrong_type;
	unsigned extended;       /* of the RCODE */
	bool expire;
	enum soa_probe_verdict want;
};

static const struct made cases[] = {
	{.name = "good", .flags = DNS_AA, .want = SOA_PROBE_SERIAL},
	{.name = "with the option", .flags = DNS_AA, .expire = true, .want = SOA_PROBE_SERIAL},
	{.name = "without EDNS", .flags = DNS_AA, .no_opt = true, .want = SOA_PROBE_SERIAL},
	{.name = "not authoritative", .want = SOA_PROBE_LAME},
	{.name = "no SOA", .flags = DNS_AA, .no_soa = true, .want = SOA_PROBE_LAME},
	{.name = "SOA of another name", .flags = DNS_AA, .soa_elsewhere = true, .want = SOA_PROBE_LAME},
	{.name = "truncated", .flags = DNS_AA | DNS_TC, .no_soa = true, .want = SOA_PROBE_TCP},
	{.name = "refused", .flags = RCODE_REFUSED, .no_soa = true, .want = SOA_PROBE_RCODE},
	{.name = "not authoritative for it", .flags = RCODE_NOTAUTH, .no_soa = true, .want = SOA_PROBE_RCODE},
	{.name = "bad version", .no_soa = true, .extended = 1, .want = SOA_PROBE_NO_EDNS},
	{.name = "format error without EDNS", .flags = RCODE_FORMERR, .no_soa = true, .no_opt = true, .want = SOA_PROBE_NO_EDNS},
	{.name = "format error, header alone", .flags = RCODE_FORMERR, .no_soa = true, .no_opt = true, .no_question = true, .want = SOA_PROBE_NO_EDNS},
	{.name = "format error with EDNS", .flags = RCODE_FORMERR, .no_soa = true, .want = SOA_PROBE_RCODE},
	{.name = "a question", .flags = DNS_AA, .no_qr = true, .want = SOA_PROBE_STRANGE},
	{.name = "another id", .flags = DNS_AA, .wrong_id = true, .want = SOA_PROBE_STRANGE},
	{.name = "another name", .flags = DNS_AA, .wrong_name = true, .want = SOA_PROBE_STRANGE},
	{.name = "another type", .flags = DNS_AA, .wrong_type = true, .want = SOA_PROBE_STRANGE},
	{.name = "no question", .flags = DNS_AA, .no_question = true, .want = SOA_PROBE_STRANGE},
	{.name = "another opcode", .flags = DNS_AA | OPCODE_NOTIFY << 11, .want = SOA_PROBE_STRANGE},
};

static size_t make(const struct made *c, uint8_t *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);

	writer_u16(&w, c->wrong_id ? 8 : 7);
	writer_u16(&w, (uint16_t)((c->no_qr ? 0 : DNS_QR) | c->flags));
	writer_u16(&w, !c->no_question);
	writer_u16(&w, !c->no_soa);
	writer_u16(&w, 0);
	writer_u16(&w, !c->no_opt);
	if (!c->no_question) {
		writer_bytes(&w, c->wrong_name ? other : apex, c->wrong_name ? sizeof(other) : sizeof(apex));
		writer_u16(&w, c->wrong_type ? RR_NS : RR_SOA);
		writer_u16(&w, CLASS_IN);
	}
	if (!c->no_soa) {
		writer_bytes(&w, c->soa_elsewhere ? other : apex, c->soa_elsewhere ? sizeof(other) : sizeof(apex));
		writer_u16(&w, RR_SOA);
		writer_u16(&w, CLASS_IN);
		writer_u32(&w, 300);
		writer_u16(&w, 22);
		writer_u16(&w, 0); /* two root names */
		for (uint32_t i = 0; i < 5; i++)
			writer_u32(&w, 4000000000u + i);
	}
	if (!c->no_opt) {
		writer_u8(&w, 0);
		writer_u16(&w, RR_OPT);
		writer_u16(&w, 1232);
		writer_u32(&w, c->extended << 24);
		writer_u16(&w, c->expire ? 8 : 0);
		if (c->expire) {
			writer_u16(&w, EDNS_EXPIRE);
			writer_u16(&w, 4);
			writer_u32(&w, 12345);
		}
	}
	assert_true(writer_ok(&w));
	return w.pos;
}

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct soa_probe_answer a = {0};
		uint8_t buf[512];
		size_t len = make(&cases[i], buf, sizeof(buf));
		enum soa_probe_verdict v = soa_probe_judge(buf, len, apex, 7, &a);

		if (v != cases[i].want)
			fail_msg("%s: %d", cases[i].name, (int)v);
		if (v == SOA_PROBE_SERIAL && (a.serial != 4000000000u || a.has_expire != cases[i].expire || (a.has_expire && a.expire_s != 12345)))
			fail_msg("%s: serial %u, option %u", cases[i].name, a.serial, a.expire_s);
		/* Cut anywhere, it is no good answer. */
		for (size_t n = 0; n < len; n++)
			if (soa_probe_judge(buf, n, apex, 7, &a) == SOA_PROBE_SERIAL)
				fail_msg("%s: %zu of %zu octets are enough", cases[i].name, n, len);
	}
}

static void test_question(void **state)
{
	uint8_t buf[64];

	(void)state;
	for (int edns = 0; edns < 2; edns++) {
		struct writer w = writer_of(buf, sizeof(buf));
		struct query q;

		assert_int_equal(soa_probe_build(apex, 77, edns, &w), 0);
		assert_int_equal(query_parse(buf, w.pos, &q), QUERY_OK);
		assert_int_equal(q.header.id, 77);
		assert_int_equal(q.header.flags, 0);
		assert_int_equal(q.qtype, RR_SOA);
		assert_true(name_equal(q.qname.wire, apex));
		assert_int_equal(q.has_edns, edns);
		w = writer_of(buf, w.pos - 1);
		assert_int_equal(soa_probe_build(apex, 77, edns, &w), ERR_NO_SPACE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_question)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
