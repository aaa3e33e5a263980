/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that are no transfers: what is read of them, and that what is answered reads back. */
#include "sync/asked.h"

#include "base/err.h"
#include "dns/base64.h"
#include "dns/rr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD(flags, qd, an, ns, ar) "1234" flags qd an ns ar
#define QUESTION "0161047465737400" "00060001" /* a.test. SOA IN */
#define SOA "c00c 0006 0001 0000003c 0016 0000 00000007 00000001 00000001 00000001 00000001"
#define OPT(options) "00 0029 04d0 00000000 " options

static size_t unhex(const char *text, uint8_t *out, size_t cap)
{
	struct writer w = writer_of(out, cap);
	char packed[2000];
	size_t n = 0;

	for (; *text; text++)
		if (*text != ' ')
			packed[n++] = *text;
	assert_int_equal(hex_get(packed, n, &w), 0);
	return w.pos;
}

static void test_parse(void **state)
{
	static const struct {
		const char *name, *hex;
		int err;
		bool edns, expire, serial;
		unsigned udp;
	} rows[] = {
		{"plain", HEAD("0000", "0001", "0000", "0000", "0000") QUESTION, 0, false, false, false, 512},
		{"notify", HEAD("2400", "0001", "0000", "0000", "0000") QUESTION, 0, false, false, false, 512},
		{"notify with its SOA", HEAD("2400", "0001", "0001", "0000", "0000") QUESTION SOA, 0, false, false, true, 512},
		{"a query with an SOA", HEAD("0000", "0001", "0001", "0000", "0000") QUESTION SOA, 0, false, false, false, 512},
		{"notify with another's SOA", HEAD("2400", "0001", "0001", "0000", "0000") QUESTION
		 "00 0006 0001 0000003c 0016 0000 00000007 00000001 00000001 00000001 00000001", 0, false, false, false, 512},
		{"notify with half an SOA", HEAD("2400", "0001", "0001", "0000", "0000") QUESTION "c00c 0006 0001 0000003c 0006 0000 00000007", 0,
		 false, false, false, 512},
		{"edns", HEAD("0000", "0001", "0000", "0000", "0001") QUESTION OPT("0000"), 0, true, false, false, 1232},
		{"expire", HEAD("0000", "0001", "0000", "0000", "0001") QUESTION OPT("0004 0009 0000"), 0, true, true, false, 1232},
		{"expire behind another", HEAD("0000", "0001", "0000", "0000", "0001") QUESTION OPT("000a 0003 0002 6162 0009 0000"), 0, true, true, false, 1232},
		{"an option that is longer than all", HEAD("0000", "0001", "0000", "0000", "0001") QUESTION OPT("0004 0009 00ff"), 0, true, false, false, 1232},
		{"a small buffer", HEAD("0000", "0001", "0000", "0000", "0001") QUESTION "00 0029 0001 00000000 0000", 0, true, false, false, 512},
		{"an answer", HEAD("8000", "0001", "0000", "0000", "0000") QUESTION, ERR_INVALID, false, false, false, 0},
		{"no question", HEAD("0000", "0000", "0000", "0000", "0000"), ERR_INVALID, false, false, false, 0},
		{"two questions", HEAD("0000", "0002", "0000", "0000", "0000") QUESTION QUESTION, ERR_INVALID, false, false, false, 0},
		{"half a question", HEAD("0000", "0001", "0000", "0000", "0000") "01610474657374", ERR_INVALID, false, false, false, 0},
		{"half a header", "123400", ERR_INVALID, false, false, false, 0},
		{"nothing", "", ERR_INVALID, false, false, false, 0},
		{"a record too few", HEAD("0000", "0001", "0000", "0000", "0001") QUESTION, ERR_MALFORMED, false, false, false, 512},
		{"half a record", HEAD("2400", "0001", "0001", "0000", "0000") QUESTION "c00c 0006 0001 0000003c 0016 0000", ERR_MALFORMED, false, false, false, 512},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t msg[600];
		size_t len = unhex(rows[i].hex, msg, sizeof(msg));
		struct asked q = {0};
		int err = asked_parse(msg, len, &q);

		if (err != rows[i].err || q.has_edns != rows[i].edns || q.want_expire != rows[i].expire || q.has_serial != rows[i].serial ||
		    q.udp_size != rows[i].udp || (rows[i].serial && q.serial != 7))
			fail_msg("%s: %d edns %d expire %d serial %d udp %u", rows[i].name, err, q.has_edns, q.want_expire, q.has_serial, q.udp_size);
		if (err != ERR_INVALID) {
			assert_int_equal(q.id, 0x1234);
			assert_int_equal(q.qtype, RR_SOA);
		}
	}
}

static void test_answer(void **state)
{
	static const uint8_t rdata[22] = {[5] = 9, [9] = 1};
	const struct asked_soa soa = {.ttl = 60, .rdata = rdata, .rdlen = sizeof(rdata), .has_expire = true, .expire_s = 77};

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		bool edns = i & 1, with_soa = i & 2, notify = i & 4, expire = i & 8;
		struct asked q = {.id = 0x4321, .flags = (uint16_t)((notify ? 0x2400 : 0) | DNS_RD), .opcode = notify ? OPCODE_NOTIFY : OPCODE_QUERY,
		                  .qtype = RR_SOA, .qclass = CLASS_IN, .has_edns = edns, .want_expire = expire, .udp_size = 1232};
		uint8_t out[512];
		struct writer w = writer_of(out, sizeof(out));
		struct message m;
		struct message_rr rr;
		struct name qname;
		uint16_t qtype, qclass;
		unsigned rcode = with_soa ? RCODE_NOERROR : RCODE_NOTAUTH, soas = 0, opts = 0;
		int got;

		name_copy(&q.qname, (const uint8_t *)"\1A\4test");
		asked_answer(&q, rcode, with_soa ? &soa : NULL, &w);
		assert_true(writer_ok(&w));
		assert_int_equal(message_open(out, w.pos, &m), 0);
		assert_int_equal(m.header.id, 0x4321);
		assert_int_equal(m.header.flags, DNS_QR | DNS_RD | (notify ? OPCODE_NOTIFY << 11 : 0) | (notify || with_soa ? DNS_AA : 0) | rcode);
		assert_int_equal(message_question(&m, &qname, &qtype, &qclass), 0);
		assert_memory_equal(qname.wire, "\1A\4test", 8);
		while ((got = message_next(&m, &rr)) == 1) {
			soas += rr.type == RR_SOA && rr.section == 1 && rr.ttl == 60 && rr.rdlen == sizeof(rdata);
			if (rr.type != RR_OPT)
				continue;
			opts++;
			assert_int_equal(rr.rdlen, expire && with_soa ? 8 : 0);
			if (rr.rdlen)
				assert_memory_equal(rr.rdata, "\0\x09\0\4\0\0\0\x4d", 8);
		}
		assert_int_equal(got, 0);
		assert_int_equal(soas, with_soa);
		assert_int_equal(opts, edns);
		/* Too little room is noticed, wherever it ends. */
		for (size_t cap = 0; cap < w.pos; cap++) {
			struct writer small = writer_of(out, cap);

			asked_answer(&q, rcode, with_soa ? &soa : NULL, &small);
			assert_false(writer_ok(&small));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
