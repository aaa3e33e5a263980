/* SPDX-License-Identifier: BSD-2-Clause */
/* Who answered: each row is an answer, written as additional records and flags, and what is read from it. */
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

enum { ID = 0x1234 };

struct row {
	const char *name;
	uint16_t id_xor, clear, set; /* flags */
	uint16_t type;               /* of the question; 0: as asked */
	bool no_opt, no_question;
	const char *options; /* octets of the OPT */
	size_t options_len;
	uint8_t high; /* of the rcode */
	size_t cut;
	enum probe_verdict want;
	const char *nsid;
	unsigned rcode;
};

#define OPT(text) .options = text, .options_len = sizeof(text) - 1

static const struct row rows[] = {
	{"its name", OPT("\0\3\0\3fra"), .nsid = "fra"},
	{"behind another option", OPT("\0\x0a\0\2xy\0\3\0\6pop-eu"), .nsid = "pop-eu"},
	{"without EDNS", .no_opt = true, .nsid = ""},
	{"without NSID", OPT(""), .nsid = ""},
	{"empty", OPT("\0\3\0\0"), .nsid = ""},
	{"not to be shown", OPT("\0\3\0\3\x1b[J"), .nsid = ""},
	{"with a NUL", OPT("\0\3\0\3f\0a"), .nsid = ""},
	{"too long",
         OPT("\0\3\0\x40"
             "0123456789012345678901234567890123456789012345678901234567890123"),
         .nsid = ""},
	{"as long as can be",
         OPT("\0\3\0\x3f"
             "012345678901234567890123456789012345678901234567890123456789012"),
         .nsid = "012345678901234567890123456789012345678901234567890123456789012"},
	{"any rcode was an answer", .set = RCODE_REFUSED, OPT("\0\3\0\3fra"), .nsid = "fra", .rcode = RCODE_REFUSED},
	{"an extended one", .set = RCODE_BADCOOKIE & 15, .high = RCODE_BADCOOKIE >> 4, OPT("\0\3\0\3fra"),
         .nsid = "fra", .rcode = RCODE_BADCOOKIE},
	{"truncated", .set = DNS_TC, OPT("\0\3\0\3fra"), .nsid = "fra"},
	{"another id", .id_xor = 1, OPT("\0\3\0\3fra"), .want = PROBE_NOT_OURS},
	{"a question", .clear = DNS_QR, OPT("\0\3\0\3fra"), .want = PROBE_NOT_OURS},
	{"to another question", .type = RR_NS, OPT("\0\3\0\3fra"), .want = PROBE_NOT_OURS},
	{"to none", .no_question = true, OPT("\0\3\0\3fra"), .want = PROBE_NOT_OURS},
	{"an option that goes beyond", OPT("\0\3\0\4fra"), .want = PROBE_FAIL},
	{"half an option", OPT("\0\3\0"), .want = PROBE_FAIL},
	{"cut off", OPT("\0\3\0\3fra"), .cut = 1, .want = PROBE_FAIL},
};

static size_t build(const struct row *r, const struct probe_question *q, uint8_t buf[512])
{
	struct writer w = writer_of(buf, 512);

	writer_u16(&w, q->id ^ r->id_xor);
	writer_u16(&w, (uint16_t)((DNS_QR | DNS_AA | r->set) & ~r->clear));
	writer_u16(&w, r->no_question ? 0 : 1);
	writer_u16(&w, 0);
	writer_u16(&w, 0);
	writer_u16(&w, r->no_opt ? 0 : 1);
	if (!r->no_question) {
		writer_bytes(&w, q->qname.wire, q->qname.len);
		writer_u16(&w, r->type ? r->type : q->qtype);
		writer_u16(&w, q->qclass);
	}
	if (!r->no_opt) {
		writer_u8(&w, 0);
		writer_u16(&w, RR_OPT);
		writer_u16(&w, 1232);
		writer_u32(&w, (uint32_t)r->high << 24);
		writer_u16(&w, (uint16_t)r->options_len);
		writer_bytes(&w, r->options, r->options_len);
	}
	assert_true(writer_ok(&w));
	return w.pos - r->cut;
}

static void test_rows(void **state)
{
	static const uint8_t example[] = "\x07"
					 "example";
	struct probe_question q;

	(void)state;
	probe_ask_soa(&q, example, ID);
	assert_false(q.nsid);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char nsid[PROBE_NSID_MAX] = "before", why[PROBE_WHY_MAX] = "";
		uint8_t buf[512];
		unsigned rcode = 99;
		size_t len = build(&rows[i], &q, buf);

		print_message("%s\n", rows[i].name);
		assert_int_equal(probe_judge_nsid(&q, buf, len, nsid, &rcode, why), rows[i].want);
		if (rows[i].want != PROBE_PASS) {
			assert_string_equal(nsid, "before");
			assert_int_equal(rcode, 99);
			assert_true(why[0]);
			continue;
		}
		assert_string_equal(nsid, rows[i].nsid);
		assert_int_equal(rcode, rows[i].rcode);
	}
}

/* The question has the option when it is to. */
static void test_asks(void **state)
{
	struct probe_question q;
	uint8_t buf[PROBE_QUERY_MAX];
	struct query parsed;
	int len;

	(void)state;
	probe_ask_id(&q, ID);
	for (int nsid = 0; nsid < 2; nsid++) {
		q.nsid = nsid;
		len = probe_build(&q, buf, sizeof(buf));
		assert_true(len > 0);
		assert_int_equal(query_parse(buf, (size_t)len, &parsed), QUERY_OK);
		assert_int_equal(parsed.want_nsid, nsid);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_asks)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
