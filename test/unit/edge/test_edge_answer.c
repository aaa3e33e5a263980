/* SPDX-License-Identifier: BSD-2-Clause */
/* Backends' answers taken apart: what is kept of good ones, for how long, and that bad ones are none. */
#include "edge/answer.h"

#include "base/err.h"
#include "base/wire.h"
#include "dns/rr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unhex.h"

/* The question of all cases: www.example. A IN; 13 octets of name, so the body begins at 29. */
#define NAME                 "03777777 076578616d706c65 00"
#define QUESTION             NAME " 0001 0001 "
#define WWW                  "c00c "
#define APEX                 "c010 "
#define A_OF(ttl)            WWW "0001 0001 " ttl " 0004 c0000201 "
#define SOA_OF(ttl, minimum) APEX "0006 0001 " ttl " 0018 c00c c010 00000001 00000e10 00000258 00015180 " minimum " "
#define NS_OF(ttl)           APEX "0002 0001 " ttl " 0002 c00c "
#define CNAME_OF(ttl)        WWW "0005 0001 " ttl " 0002 c010 "
#define OPT_OF(ext, len)     "00 0029 04d0 " ext "000000 " len " "
#define OPT                  OPT_OF("00", "0000")

static void ask(struct query *q, uint16_t qtype)
{
	*q = (struct query){.has_question = true, .qtype = qtype, .qclass = CLASS_IN};
	assert_int_equal(name_from_text("wWw.example.", 12, NULL, &q->qname), 0);
}

static const struct good {
	const char *what, *hex;
	uint32_t ttl;
	uint16_t qtype /* 0: A */, len, counts[3], ttls, flags, rcode, ede /* 0: none */;
	bool negative;
} good[] = {
	{"an address", "0001 8400 0001 0001 0000 0000 " QUESTION A_OF("00000e10"),
	 .ttl = 3600, .len = 16, .counts = {1, 0, 0}, .ttls = 1, .flags = DNS_AA},
	{"with OPT", "0001 8500 0001 0001 0000 0001 " QUESTION A_OF("00000e10") OPT,
	 .ttl = 3600, .len = 16, .counts = {1, 0, 0}, .ttls = 1, .flags = DNS_AA},
	{"question in another case", "0001 8400 0001 0001 0000 0000 03575757 076578614d504c45 00 0001 0001 " A_OF("0000000a"),
	 .ttl = 10, .len = 16, .counts = {1, 0, 0}, .ttls = 1, .flags = DNS_AA},
	{"RA and AD are kept, RD and CD are not", "0001 81b0 0001 0001 0000 0000 " QUESTION A_OF("0000000a"),
	 .ttl = 10, .len = 16, .counts = {1, 0, 0}, .ttls = 1, .flags = DNS_RA | DNS_AD},
	{"the least TTL counts", "0001 8400 0001 0002 0001 0001 " QUESTION A_OF("00000e10") A_OF("00000e10") NS_OF("00000064") OPT,
	 .ttl = 100, .len = 46, .counts = {2, 1, 0}, .ttls = 3, .flags = DNS_AA},
	{"one in the additional section, too", "0001 8400 0001 0001 0000 0001 " QUESTION A_OF("00000e10") A_OF("00000005"),
	 .ttl = 5, .len = 32, .counts = {1, 0, 1}, .ttls = 2, .flags = DNS_AA},
	{"TTL 0", "0001 8400 0001 0001 0000 0000 " QUESTION A_OF("00000000"),
	 .len = 16, .counts = {1, 0, 0}, .ttls = 1, .flags = DNS_AA},
	{"TTL with the top bit is 0", "0001 8400 0001 0001 0000 0000 " QUESTION A_OF("80000e10"),
	 .len = 16, .counts = {1, 0, 0}, .ttls = 1, .flags = DNS_AA},
	{"the greatest TTL", "0001 8400 0001 0001 0000 0000 " QUESTION A_OF("7fffffff"),
	 .ttl = 0x7fffffff, .len = 16, .counts = {1, 0, 0}, .ttls = 1, .flags = DNS_AA},
	{"NXDOMAIN: MINIMUM below the TTL", "0001 8403 0001 0000 0001 0000 " QUESTION SOA_OF("00000e10", "0000003c"),
	 .ttl = 60, .len = 36, .counts = {0, 1, 0}, .ttls = 1, .flags = DNS_AA, .rcode = 3, .negative = true},
	{"NXDOMAIN: TTL below MINIMUM", "0001 8403 0001 0000 0001 0000 " QUESTION SOA_OF("0000001e", "0000003c"),
	 .ttl = 30, .len = 36, .counts = {0, 1, 0}, .ttls = 1, .flags = DNS_AA, .rcode = 3, .negative = true},
	{"NXDOMAIN: MINIMUM 0", "0001 8403 0001 0000 0001 0000 " QUESTION SOA_OF("0000001e", "00000000"),
	 .len = 36, .counts = {0, 1, 0}, .ttls = 1, .flags = DNS_AA, .rcode = 3, .negative = true},
	{"NXDOMAIN: MINIMUM with the top bit", "0001 8403 0001 0000 0001 0000 " QUESTION SOA_OF("0000001e", "f0000000"),
	 .len = 36, .counts = {0, 1, 0}, .ttls = 1, .flags = DNS_AA, .rcode = 3, .negative = true},
	{"NXDOMAIN without SOA is not kept", "0001 8403 0001 0000 0000 0000 " QUESTION,
	 .flags = DNS_AA, .rcode = 3, .negative = true},
	{"NODATA", "0001 8400 0001 0000 0001 0001 " QUESTION SOA_OF("00000e10", "0000003c") OPT,
	 .ttl = 60, .len = 36, .counts = {0, 1, 0}, .ttls = 1, .flags = DNS_AA, .negative = true},
	{"NODATA behind an alias", "0001 8400 0001 0001 0001 0000 " QUESTION CNAME_OF("00000014") SOA_OF("00000e10", "0000003c"),
	 .ttl = 20, .len = 50, .counts = {1, 1, 0}, .ttls = 2, .flags = DNS_AA, .negative = true},
	{"NXDOMAIN behind an alias", "0001 8403 0001 0001 0001 0000 " QUESTION CNAME_OF("00000e10") SOA_OF("00000e10", "0000003c"),
	 .ttl = 60, .len = 50, .counts = {1, 1, 0}, .ttls = 2, .flags = DNS_AA, .rcode = 3, .negative = true},
	{"an alias that leads away", "0001 8400 0001 0001 0000 0000 " QUESTION CNAME_OF("00000e10"),
	 .ttl = 3600, .len = 14, .counts = {1, 0, 0}, .ttls = 1, .flags = DNS_AA},
	{"an alias that was asked for", "0001 8400 0001 0001 0001 0000 03777777 076578616d706c65 00 0005 0001 " CNAME_OF("00000e10") SOA_OF("00000e10", "0000003c"),
	 .ttl = 3600, .qtype = RR_CNAME, .len = 50, .counts = {1, 1, 0}, .ttls = 2, .flags = DNS_AA},
	{"a referral", "0001 8000 0001 0000 0001 0000 " QUESTION NS_OF("00000e10"),
	 .ttl = 3600, .len = 14, .counts = {0, 1, 0}, .ttls = 1},
	{"nothing but NS, yet AA", "0001 8400 0001 0000 0001 0000 " QUESTION NS_OF("00000e10"),
	 .len = 14, .counts = {0, 1, 0}, .ttls = 1, .flags = DNS_AA},
	{"nothing at all", "0001 8400 0001 0000 0000 0000 " QUESTION,
	 .flags = DNS_AA, .negative = true},
	{"TC is not kept", "0001 8600 0001 0001 0000 0000 " QUESTION A_OF("00000e10"),
	 .len = 16, .counts = {1, 0, 0}, .ttls = 1, .flags = DNS_AA | DNS_TC},
	{"SERVFAIL is not kept", "0001 8002 0001 0001 0000 0000 " QUESTION A_OF("00000e10"),
	 .len = 16, .counts = {1, 0, 0}, .ttls = 1, .rcode = 2},
	{"REFUSED with an extended error", "0001 8005 0001 0000 0000 0001 " QUESTION OPT_OF("00", "0006") "000f 0002 0012",
	 .rcode = 5, .ede = 18},
	{"the first of two extended errors", "0001 8005 0001 0000 0000 0001 " QUESTION OPT_OF("00", "000e") "000f 0004 0012 4141 000f 0002 0003",
	 .rcode = 5, .ede = 18},
	{"an extended RCODE", "0001 8000 0001 0000 0000 0001 " QUESTION OPT_OF("01", "0000"),
	 .rcode = 16},
	{"a bare FORMERR", "0001 8001 0000 0000 0000 0000",
	 .rcode = 1},
	{"a bare NOTIMP", "0001 8004 0000 0000 0000 0000",
	 .rcode = 4},
	{"owner that ends in a pointer", "0001 8400 0001 0001 0000 0000 " QUESTION "0161 c010 0001 0001 00000e10 0004 c0000201",
	 .ttl = 3600, .len = 18, .counts = {1, 0, 0}, .ttls = 1, .flags = DNS_AA},
	{"pointer into the answer", "0001 8400 0001 0002 0000 0000 " QUESTION CNAME_OF("00000e10") "c029 0001 0001 00000e10 0004 c0000201",
	 .ttl = 3600, .len = 30, .counts = {2, 0, 0}, .ttls = 2, .flags = DNS_AA},
	{"unknown type with anything in it", "0001 8400 0001 0001 0000 0000 " QUESTION WWW "ff00 0001 00000e10 0003 c0ffee",
	 .ttl = 3600, .len = 15, .counts = {1, 0, 0}, .ttls = 1, .flags = DNS_AA},
};

static void test_good(void **state)
{
	static struct edge_answer a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const struct good *g = &good[i];
		uint8_t msg[512];
		size_t len = unhex(g->hex, msg);
		struct query q;

		ask(&q, g->qtype ? g->qtype : RR_A);
		if (edge_answer_parse(msg, len, &q, &a) != 0)
			fail_msg("%s: refused", g->what);
		if (a.ttl != g->ttl || a.len != g->len || memcmp(a.counts, g->counts, sizeof(a.counts)) != 0 ||
		    a.ttl_count != g->ttls || a.flags != g->flags || a.rcode != g->rcode || a.ede != (g->ede ? g->ede : 0xffff) ||
		    a.negative != g->negative || a.has_scope)
			fail_msg("%s: ttl %u len %u counts %u %u %u ttls %u flags %x rcode %u ede %u negative %d",
			         g->what, a.ttl, a.len, a.counts[0], a.counts[1], a.counts[2], a.ttl_count, a.flags,
			         a.rcode, a.ede, a.negative);
		if (a.len)
			assert_ptr_equal(a.body, msg + 29);
	}
}

static const struct {
	const char *what, *hex;
} bad[] = {
	{"shorter than a header", "0001 8400 0001 0000 0000 00"},
	{"a question", "0001 0400 0001 0001 0000 0000 " QUESTION A_OF("00000e10")},
	{"another opcode", "0001 a400 0001 0001 0000 0000 " QUESTION A_OF("00000e10")},
	{"no question", "0001 8400 0000 0001 0000 0000 " A_OF("00000e10")},
	{"no question, NOERROR", "0001 8400 0000 0000 0000 0000"},
	{"no question, and records that are not there", "0001 8401 0000 0001 0000 0000"},
	{"two questions", "0001 8400 0002 0001 0000 0000 " QUESTION QUESTION A_OF("00000e10")},
	{"another name", "0001 8400 0001 0001 0000 0000 03777778 076578616d706c65 00 0001 0001 " A_OF("00000e10")},
	{"another type", "0001 8400 0001 0001 0000 0000 " NAME " 001c 0001 " A_OF("00000e10")},
	{"another class", "0001 8400 0001 0001 0000 0000 " NAME " 0001 0003 " A_OF("00000e10")},
	{"the question cut off", "0001 8400 0001 0000 0000 0000 " NAME " 0001 00"},
	{"fewer records than counted", "0001 8400 0001 0002 0000 0000 " QUESTION A_OF("00000e10")},
	{"more records than counted", "0001 8400 0001 0001 0000 0000 " QUESTION A_OF("00000e10") A_OF("00000e10")},
	{"one octet behind", "0001 8400 0001 0001 0000 0000 " QUESTION A_OF("00000e10") "00"},
	{"RDATA beyond the end", "0001 8400 0001 0001 0000 0000 " QUESTION WWW "0001 0001 00000e10 0005 c0000201"},
	{"cut within a record", "0001 8400 0001 0001 0000 0000 " QUESTION WWW "0001 0001 0000"},
	{"OPT before another record", "0001 8400 0001 0000 0000 0002 " QUESTION OPT A_OF("00000e10")},
	{"two OPT", "0001 8400 0001 0000 0000 0002 " QUESTION OPT OPT},
	{"OPT in the answer section", "0001 8400 0001 0001 0000 0000 " QUESTION OPT},
	{"OPT with an owner", "0001 8400 0001 0000 0000 0001 " QUESTION "c00c 0029 04d0 00000000 0000"},
	{"OPT of another version", "0001 8400 0001 0000 0000 0001 " QUESTION "00 0029 04d0 00010000 0000"},
	{"an option beyond OPT", "0001 8400 0001 0000 0000 0001 " QUESTION OPT_OF("00", "0004") "0003 0001"},
	{"half an option", "0001 8400 0001 0000 0000 0001 " QUESTION OPT_OF("00", "0003") "0003 00"},
	{"TSIG", "0001 8400 0001 0000 0000 0001 " QUESTION "00 00fa 00ff 00000000 0000"},
	{"SIG(0)", "0001 8400 0001 0000 0000 0001 " QUESTION "00 0018 00ff 00000000 0000"},
	{"owner: pointer into the header",
         "0001 8400 0001 0001 0000 0000 " QUESTION "c004 0001 0001 00000e10 0004 c0000201"},
	{"owner: pointer to itself", "0001 8400 0001 0001 0000 0000 " QUESTION "c01d 0001 0001 00000e10 0004 c0000201"},
	{"owner: pointer ahead", "0001 8400 0001 0001 0000 0000 " QUESTION "c02a 0001 0001 00000e10 0004 c0000201"},
	{"owner: pointer to a TTL",
         "0001 8400 0001 0002 0000 0000 " QUESTION WWW "0001 0001 00000e00 0004 c0000201 c026 0001 0001 00000e10 0004 "
         "c0000201"},
	{"owner: labels around a TTL",
         "0001 8400 0001 0002 0000 0000 " QUESTION A_OF("00000e10") "c022 0001 0001 00000e10 0004 c0000201"},
	{"owner: reserved label", "0001 8400 0001 0001 0000 0000 " QUESTION "4100 0001 0001 00000e10 0004 c0000201"},
	{"CNAME: pointer ahead", "0001 8400 0001 0001 0000 0000 " QUESTION WWW "0005 0001 00000e10 0002 c0ff"},
	{"CNAME: octets behind the name",
         "0001 8400 0001 0001 0000 0000 " QUESTION WWW "0005 0001 00000e10 0003 c00c00"},
	{"CNAME: empty", "0001 8400 0001 0001 0000 0000 " QUESTION WWW "0005 0001 00000e10 0000"},
	{"MX: one octet", "0001 8400 0001 0001 0000 0000 " QUESTION WWW "000f 0001 00000e10 0001 00"},
	{"MX: name beyond RDATA",
         "0001 8400 0001 0002 0000 0000 " QUESTION WWW "000f 0001 00000e10 0003 0001 03" A_OF("00000e10")},
	{"SOA without MINIMUM", "0001 8403 0001 0000 0001 0000 " QUESTION APEX
                                "0006 0001 00000e10 0014 c00c c010 00000001 00000e10 00000258 00015180"},
	{"scope: too short", "0001 8400 0001 0000 0000 0001 " QUESTION OPT_OF("00", "0007") "0008 0003 0001 18"},
	{"scope: of 33 bits",
         "0001 8400 0001 0000 0000 0001 " QUESTION OPT_OF("00", "000b") "0008 0007 0001 18 21 c00002"},
	{"scope: source of 33 bits",
         "0001 8400 0001 0000 0000 0001 " QUESTION OPT_OF("00", "000d") "0008 0009 0001 21 18 c000020000"},
	{"scope: an octet too many",
         "0001 8400 0001 0000 0000 0001 " QUESTION OPT_OF("00", "000c") "0008 0008 0001 18 18 c0000200"},
	{"scope: bits beyond source",
         "0001 8400 0001 0000 0000 0001 " QUESTION OPT_OF("00", "000b") "0008 0007 0001 17 18 c00003"},
	{"scope: unknown family",
         "0001 8400 0001 0000 0000 0001 " QUESTION OPT_OF("00", "000b") "0008 0007 0003 18 18 c00002"},
	{"scope: twice", "0001 8400 0001 0000 0000 0001 " QUESTION OPT_OF(
				 "00", "0016") "0008 0007 0001 18 18 c00002 0008 0007 0001 18 18 c00002"},
};

static void test_bad(void **state)
{
	static struct edge_answer a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint8_t msg[512];
		size_t len = unhex(bad[i].hex, msg);
		struct query q;

		ask(&q, RR_A);
		if (edge_answer_parse(msg, len, &q, &a) != ERR_MALFORMED)
			fail_msg("%s: taken", bad[i].what);
	}
}

/* A good answer cut anywhere is none. */
static void test_cut_anywhere(void **state)
{
	static struct edge_answer a;
	uint8_t msg[512];
	size_t len = unhex("0001 8400 0001 0001 0001 0001 " QUESTION A_OF("00000e10") NS_OF("00000e10") OPT, msg);
	struct query q;

	(void)state;
	ask(&q, RR_A);
	assert_int_equal(edge_answer_parse(msg, len, &q, &a), 0);
	for (size_t i = 0; i < len; i++) {
		uint8_t *copy = malloc(i + 1); /* exactly: a sanitizer sees one octet more being read */

		assert_non_null(copy);
		memcpy(copy, msg, i);
		assert_int_equal(edge_answer_parse(copy, i, &q, &a), ERR_MALFORMED);
		free(copy);
	}
}

static void test_scope(void **state)
{
	static struct edge_answer a;
	uint8_t msg[512];
	struct query q;
	size_t len = unhex("0001 8400 0001 0001 0000 0001 " QUESTION A_OF("00000e10")
	                           OPT_OF("00", "000b") "0008 0007 0001 18 10 c00002",
	                   msg);
	struct edge_subnet same = {.addr = {.family = 4, .bytes = {192, 0, 2, 99}}, .prefix = 24}, other = same;

	(void)state;
	ask(&q, RR_A);
	assert_int_equal(edge_answer_parse(msg, len, &q, &a), 0);
	assert_true(a.has_scope);
	assert_int_equal(a.scope, 16);
	assert_true(edge_subnet_equal(&a.told, &same));
	other.addr.bytes[2] = 3;
	assert_false(edge_subnet_equal(&a.told, &other));
	other = same;
	other.prefix = 23;
	assert_false(edge_subnet_equal(&a.told, &other));
	other.prefix = 24;
	other.addr.family = 6;
	assert_false(edge_subnet_equal(&a.told, &other));

	len = unhex("0001 8400 0001 0001 0000 0001 " QUESTION A_OF("00000e10")
	                    OPT_OF("00", "000f") "0008 000b 0002 38 30 20010db8 000100",
	            msg);
	assert_int_equal(edge_answer_parse(msg, len, &q, &a), 0);
	assert_true(a.has_scope);
	assert_int_equal(a.scope, 48);
	assert_int_equal(a.told.addr.family, 6);
	assert_int_equal(a.told.prefix, 56);

	/* Family 0: nothing was told. */
	len = unhex("0001 8400 0001 0001 0000 0001 " QUESTION A_OF("00000e10")
	                    OPT_OF("00", "0008") "0008 0004 0000 00 00",
	            msg);
	assert_int_equal(edge_answer_parse(msg, len, &q, &a), 0);
	assert_false(a.has_scope);
}

/* The largest message there is; and one with more records than are counted down. */
static void test_large(void **state)
{
	static struct edge_answer a;
	static uint8_t msg[DNS_MESSAGE_MAX + 1];
	size_t head = unhex("0001 8400 0001 0001 0000 0000 " QUESTION WWW "0010 0001 00000e10", msg);
	struct query q;

	(void)state;
	ask(&q, RR_TXT);
	q.qtype = RR_A;
	put_u16(msg + head, (uint16_t)(DNS_MESSAGE_MAX - head - 2));
	assert_int_equal(edge_answer_parse(msg, DNS_MESSAGE_MAX, &q, &a), 0);
	assert_int_equal(a.len, DNS_MESSAGE_MAX - 29);
	assert_int_equal(a.ttl, 3600);
	assert_int_equal(edge_answer_parse(msg, DNS_MESSAGE_MAX + 1, &q, &a), ERR_MALFORMED);
	assert_int_equal(edge_answer_parse(msg, DNS_MESSAGE_MAX - 1, &q, &a), ERR_MALFORMED);

	for (unsigned n = EDGE_TTLS_MAX; n <= EDGE_TTLS_MAX + 1; n++) {
		size_t len = unhex("0001 8400 0001 0000 0000 0000 " QUESTION, msg);

		put_u16(msg + 6, (uint16_t)n);
		for (unsigned i = 0; i < n; i++)
			len += unhex(A_OF("00000e10"), msg + len);
		assert_int_equal(edge_answer_parse(msg, len, &q, &a), 0);
		assert_int_equal(a.counts[0], n);
		assert_int_equal(a.ttl, n == EDGE_TTLS_MAX ? 3600 : 0);
		assert_int_equal(a.ttl_count, EDGE_TTLS_MAX);
		assert_int_equal(a.ttl_at[EDGE_TTLS_MAX - 1], 16 * (EDGE_TTLS_MAX - 1) + 6);
	}
}

static void test_age(void **state)
{
	static const struct {
		uint32_t ttl, age, floor, left;
	} cases[] = {{3600, 0, 0, 3600},       {3600, 1, 0, 3599},   {3600, 3600, 0, 0},
	             {3600, 5000, 0, 0},       {3600, 5000, 30, 30}, {3600, 3580, 30, 30},
	             {10, 5, 30, 10},          {10, 50, 30, 10},     {0x7fffffff, 1, 0, 0x7ffffffe},
	             {100, UINT32_MAX, 30, 30}};
	const uint16_t at[] = {1, 9};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t body[16];

		memset(body, 0xaa, sizeof(body));
		put_u32(body + 1, cases[i].ttl);
		put_u32(body + 9, cases[i].ttl);
		edge_answer_age(body, at, 2, cases[i].age, cases[i].floor);
		assert_int_equal(get_u32(body + 1), cases[i].left);
		assert_int_equal(get_u32(body + 9), cases[i].left);
		for (unsigned j = 0; j < sizeof(body); j++)
			if ((j < 1 || j > 4) && (j < 9 || j > 12))
				assert_int_equal(body[j], 0xaa);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),  cmocka_unit_test(test_bad),   cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_scope), cmocka_unit_test(test_large), cmocka_unit_test(test_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
