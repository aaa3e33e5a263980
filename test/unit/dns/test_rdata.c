/* SPDX-License-Identifier: BSD-2-Clause */
/* Every record type: text to wire to text to wire, and what a person gets wrong. */
#include "base/text.h"
#include "dns/rr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t origin[] = "\x07" "example";

#define HEX_16 "00112233445566778899AABBCCDDEEFF"
#define HEX_32 HEX_16 HEX_16
#define HEX_48 HEX_32 HEX_16
#define HEX_64 HEX_32 HEX_32

/* Type, text as people write it, text as we print it (NULL: the same). */
static const struct good {
	const char *type, *text, *printed;
} good[] = {
	{"A", "192.0.2.1", NULL},
	{"NS", "ns1", "ns1.example."},
	{"CNAME", "@", "example."},
	{"SOA", "ns hostmaster 1 2h 15m 2w 1d", "ns.example. hostmaster.example. 1 7200 900 1209600 86400"},
	{"WKS", "192.0.2.1 tcp smtp 25 53", "192.0.2.1 6 25 53"},
	{"PTR", "a.b.c.", NULL},
	{"HINFO", "\"a b\" c", "\"a b\" \"c\""},
	{"MINFO", "a b", "a.example. b.example."},
	{"MX", "10 mail", "10 mail.example."},
	{"TXT", "\"x\" y\\;z \\001\\\"", "\"x\" \"y;z\" \"\\001\\\"\""},
	{"RP", "a. b.", NULL},
	{"AFSDB", "1 a.", NULL},
	{"X25", "\"311061700956\"", NULL},
	{"ISDN", "\"150862028003217\" \"004\"", NULL},
	{"ISDN", "\"150862028003217\"", NULL},
	{"RT", "10 a.", NULL},
	{"NSAP", "0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00", "0x47000580005A0000000001E133FFFFFF00016100"},
	{"PX", "10 a. b.", NULL},
	{"GPOS", "\"-32.6882\" \"116.8652\" \"10.0\"", NULL},
	{"AAAA", "2001:DB8::1", "2001:db8::1"},
	{"LOC", "42 21 54 N 71 06 18 W -24m 30m", "42 21 54.000 N 71 6 18.000 W -24.00m 30m 10000m 10m"},
	{"NXT", "a. A NS", NULL},
	{"EID", "E32C6F78163A9348", NULL},
	{"SRV", "1 2 443 a.", NULL},
	{"ATMA", "+61200000000", NULL},
	{"NAPTR", "100 10 \"u\" \"sip+E2U\" \"!^.*$!sip:i@example.com!\" .", NULL},
	{"KX", "10 a.", NULL},
	{"CERT", "PKIX 12345 8 aGVsbG8=", NULL},
	{"A6", "64 ::1:2:3:4 a.", NULL},
	{"DNAME", "b.", NULL},
	{"APL", "1:192.0.2.0/24 !2:2001:db8::/32", NULL},
	{"APL", "1:192.0.2.1/24 !1:0.0.0.0/0 2:::/0", NULL},
	{"DS", "12345 ECDSAP256SHA256 2 " HEX_32, "12345 13 2 " HEX_32},
	{"DS", "12345 13 1 " HEX_16 "01234567", NULL},
	{"DS", "12345 13 4 " HEX_48, NULL},
	{"DS", "12345 13 200 00", NULL},
	{"DS", "12345 13 3 00", NULL},
	{"CDS", "0 0 0 00", NULL},
	{"SSHFP", "4 2 00FF", NULL},
	{"IPSECKEY", "10 1 2 192.0.2.38 aGVsbG8=", NULL},
	{"IPSECKEY", "10 0 2 . aGVsbG8=", NULL},
	{"IPSECKEY", "10 3 2 a. aGVsbG8=", NULL},
	{"RRSIG", "A 13 2 300 20300101000000 20200101000000 1 x. aGVs bG8=", "A 13 2 300 20300101000000 20200101000000 1 x. aGVsbG8="},
	{"NSEC", "b. A TYPE65280 NS", "b. A NS TYPE65280"},
	{"DNSKEY", "257 3 13 aGVsbG8=", NULL},
	{"DHCID", "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=", NULL},
	{"NSEC3", "1 1 12 AABBCCDD 2t7b4g4vsa5smi47k61mv5bv1a22bojr A", "1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A"},
	{"NSEC3PARAM", "1 0 0 -", NULL},
	{"TLSA", "3 1 1 00FF", NULL},
	{"HIP", "2 200100107B1A74DF365639CC39F1D578 AwEAAbdx rvs1.", NULL},
	{"OPENPGPKEY", "aGVsbG8=", NULL},
	{"CSYNC", "66 3 A NS AAAA", NULL},
	{"ZONEMD", "2018031500 1 1 " HEX_48, NULL},
	{"ZONEMD", "2018031500 1 2 " HEX_64, NULL},
	{"ZONEMD", "2018031500 241 1 " HEX_16 "01234567", NULL}, /* RFC 8976 A.3: a scheme of private use */
	{"ZONEMD", "2018031500 1 240 00112233445566778899AABB", NULL},
	{"DOA", "1 2 3 \"text/plain\" -", NULL},
	{"DSYNC", "CDS NOTIFY 53 a.", NULL},
	{"DSYNC", "CSYNC 7 53 a.", NULL},
	{"SINK", "1 0 0", NULL},
	{"SINK", "8 0 2 l4ik", NULL},
	{"AMTRELAY", "\\# 4 0a040102", "\\# 4 0A040102"},
	{"SVCB", "1 svc port=53 alpn=h2,h3 mandatory=port,alpn", "1 svc.example. mandatory=alpn,port alpn=\"h2,h3\" port=53"},
	{"HTTPS", "0 a.", NULL},
	{"SVCB", "1 . dohpath=/q{?dns}", "1 . key7=\"/q{?dns}\""},
	{"SVCB", "1 . ohttp", "1 . key8"},
	{"SVCB", "1 . key3=\\001\\002", "1 . port=258"}, /* RFC 9460 2.1: keyN takes the wire form */
	{"SVCB", "1 . key65535=x", "1 . key65535=\"x\""},
	{"LOC", "1 N 1 E 0m 0m", "1 0 0.000 N 1 0 0.000 E 0.00m 0.00m 10000m 10m"},
	{"HTTPS", "1 . ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1 key667=\"a b\"",
	 "1 . ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1 key667=\"a b\""},
	{"NID", "10 14:4fff:ff20:ee64", NULL},
	{"L32", "10 192.0.2.1", NULL},
	{"LP", "10 a.", NULL},
	{"EUI48", "00-00-5e-00-53-2a", NULL},
	{"EUI64", "00-00-5e-ef-10-00-00-2a", NULL},
	{"URI", "10 1 \"ftp://a/b\"", NULL},
	{"CAA", "0 issue \"ca.example; a=b\"", NULL},
	{"AMTRELAY", "10 1 3 a.", NULL},
	{"RESINFO", "qnamemin exterr=15-17", "\"qnamemin\" \"exterr=15-17\""},
	{"TYPE65280", "\\# 4 0a000001", "\\# 4 0A000001"},
	{"A", "\\# 4 c0000201", "192.0.2.1"},
	{"STEER", "web", "\\# 4 03776562"},
	{"TYPE65281", "\\# 3 010203", NULL}, /* somebody else's */
};

static int parse(const char *type_text, const char *text, uint8_t *out, size_t cap, size_t *len, struct rdata_problem *why)
{
	struct writer w = writer_of(out, cap);
	uint16_t type;
	int err;

	assert_int_equal(rrtype_from_text(type_text, strlen(type_text), &type), 0);
	err = rdata_from_string(type, text, origin, &w, why);
	*len = w.pos;
	return err;
}

static void test_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const struct good *g = &good[i];
		uint8_t one[4096], two[4096];
		struct rdata_problem why;
		size_t n, m;
		struct text t;
		uint16_t type;

		assert_int_equal(rrtype_from_text(g->type, strlen(g->type), &type), 0);
		if (parse(g->type, g->text, one, sizeof(one), &n, &why) != 0)
			fail_msg("%s %s: %s", g->type, g->text, why.text);
		assert_int_equal(rdata_check(type, one, n), 0);
		text_init(&t);
		rdata_to_text(type, one, n, &t);
		if (strcmp(t.chars, g->printed ? g->printed : g->text) != 0)
			fail_msg("%s %s prints as %s", g->type, g->text, t.chars);
		assert_int_equal(parse(g->type, t.chars, two, sizeof(two), &m, &why), 0);
		assert_int_equal(n, m);
		assert_memory_equal(one, two, n);
		text_done(&t);
		/* Every truncation is malformed or another valid record, never read beyond. */
		for (size_t cut = 0; cut < n; cut++)
			(void)!rdata_check(type, one, cut);
	}
}

static const struct bad {
	const char *type, *text, *says;
} bad[] = {
	{"A", "192.0.2", "is no IPv4 address"},
	{"A", "192.0.2.1 x", "is too much"},
	{"A", "", "the record ends where"},
	{"A", "\"192.0.2.1\\000\"", "is no"},
	{"DS", "1 13 2 " HEX_16, "has 32 octets, not 16"},
	{"DS", "1 13 1 " HEX_32, "has 20 octets, not 32"},
	{"CDS", "1 13 4 " HEX_32, "has 48 octets, not 32"},
	{"ZONEMD", "1 1 1 " HEX_32, "has 48 octets, not 32"},
	{"ZONEMD", "1 1 240 0011", "12 octets at least"},
	{"ZONEMD", "1 241 1 0011", "12 octets at least"},
	{"ZONEMD", "1 1 2 " HEX_48, "has 64 octets, not 48"},
	{"CAA", "0 is-sue \"ca\"", "is no tag"},
	{"CAA", "0 \"\" \"ca\"", "the tag is empty"},
	{"RRSIG", "A 13 2 300 20300231000000 20200101000000 1 x. aGVsbG8=", "is no time"},
	{"RRSIG", "A 13 2 300 20290229000000 20200101000000 1 x. aGVsbG8=", "is no time"},
	{"NSEC3", "1 0 0 \"\" 2t7b4g4vsa5smi47k61mv5bv1a22bojr A", "is no salt"},
	{"APL", "1:192.0.2.0/33", "is no item"},
	{"APL", "2:192.0.2.0/24", "is no item"},
	{"APL", "1:192.0.2.0", "is no item"},
	{"SVCB", "1 . mandatory=port", "is not in the record"},
	{"SVCB", "1 . key3=x", "port"},
	{"DOA", "1 2 3 \"text/plain\"", "write - for no data"},
	{"AAAA", "192.0.2.1", "is no IPv6 address"},
	{"MX", "65536 a", "too large"},
	{"MX", "x a", "is not a number"},
	{"NS", "a..b", "is no domain name"},
	{"TXT", "\"\\300\"", "bad escape"},
	{"DS", "1 2 3 abc", "odd number"},
	{"DNSKEY", "257 3 13 aGVsbG8", "incomplete base64"},
	{"RRSIG", "A 13 2 300 20301301000000 20200101000000 1 x. aGVsbG8=", "is no time"},
	{"NSEC", "b. FOO", "is no record type"},
	{"SVCB", "1 . port=1 port=2", "stands twice"},
	{"SVCB", "1 . port=x", "port needs a number"},
	{"SVCB", "1 . foo=1", "is no service parameter"},
	{"LOC", "91 N 0 E 0m", "degrees up to 90"},
	{"EUI48", "00-00", "is no EUI-48"},
	{"TYPE65282", "abc", "has no text form"},
	{"STEER", "", "a character-string is expected"},
	{"VARIANT", "0011223344556677", "a record type"},
	{"VARIANT", "00112233445566 A 13 2 300 20300101000000 20200101000000 1 x. aGVsbG8=", "is no hash of a set"},
	{"VARIANT", "001122334455667x A 13 2 300 20300101000000 20200101000000 1 x. aGVsbG8=", "is no hash of a set"},
	{"A", "\\# 5 c0000201", "the length says 5"},
	{"A", "\\# 3 c00002", "do not make a valid"},
};

static void test_mistakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct rdata_problem why;
		uint8_t out[4096];
		size_t n;

		if (parse(bad[i].type, bad[i].text, out, sizeof(out), &n, &why) == 0)
			fail_msg("%s %s is accepted", bad[i].type, bad[i].text);
		assert_int_equal(n, 0);
		if (!strstr(why.text, bad[i].says))
			fail_msg("%s %s: says \"%s\", not \"%s\"", bad[i].type, bad[i].text, why.text, bad[i].says);
	}
}

static void test_long_string_is_refused(void **state)
{
	struct rdata_problem why;
	uint8_t out[4096];
	char text[400];
	size_t n;

	(void)state;
	memset(text, 'x', 256);
	text[256] = '\0';
	assert_int_not_equal(parse("TXT", text, out, sizeof(out), &n, &why), 0);
	assert_non_null(strstr(why.text, "at most 255"));
	text[255] = '\0';
	assert_int_equal(parse("TXT", text, out, sizeof(out), &n, &why), 0);
	assert_int_equal(n, 256);
}

/* The bit of a type map that has three windows. */
static void test_typemap(void **state)
{
	struct rdata_problem why;
	uint8_t out[4096];
	size_t n;

	(void)state;
	assert_int_equal(parse("NSEC", "b. A CAA TYPE65280", out, sizeof(out), &n, &why), 0);
	assert_true(typemap_has(out, n, 3, RR_A));
	assert_true(typemap_has(out, n, 3, RR_CAA));
	assert_true(typemap_has(out, n, 3, 65280));
	assert_false(typemap_has(out, n, 3, RR_NS));
	assert_false(typemap_has(out, n, 3, 65281));
}

/* RFC 4034 6.1's own example, in order. */
static void test_canonical_order(void **state)
{
	static const char *const names[] = {"example.", "a.example.", "yljkjljk.a.example.", "Z.a.example.", "zABC.a.EXAMPLE.",
	                                    "z.example.", "\\001.z.example.", "*.z.example.", "\\200.z.example."};
	struct name a, b;

	(void)state;
	for (size_t i = 0; i + 1 < ARRAY_LEN(names); i++) {
		assert_int_equal(name_from_text(names[i], strlen(names[i]), NULL, &a), 0);
		assert_int_equal(name_from_text(names[i + 1], strlen(names[i + 1]), NULL, &b), 0);
		assert_true(name_compare(a.wire, b.wire) < 0);
		assert_true(name_compare(b.wire, a.wire) > 0);
	}
}

/* Our own types: printed in the form that every program reads, and for people in theirs; others' use of the numbers is let through. */
static void test_own_types(void **state)
{
	static const struct {
		const char *type, *text, *own; /* NULL: as written */
	} cases[] = {
		{"STEER", "\"web\"", NULL},
		{"steer", "web \"a note\"", "\"web\" \"a note\""},
		{"VARIANT", "00112233445566FF A 13 2 300 20300101000000 20200101000000 1 Example. aGVsbG8=", NULL},
		{"TYPE65281", "00112233445566ff AAAA 13 2 300 20300101000000 20200101000000 1 @ aGVs bG8=",
		 "00112233445566FF AAAA 13 2 300 20300101000000 20200101000000 1 example. aGVsbG8="},
		{"STEER", "\\# 4 01020304", "\\# 4 01020304"},
		{"STEER", "\\# 0", "\\# 0"},
		{"VARIANT", "\\# 8 0011223344556677", "\\# 8 0011223344556677"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t one[4096], two[4096];
		char word[RRTYPE_TEXT_MAX];
		struct rdata_problem why;
		struct text t, own;
		size_t n, m;
		uint16_t type;

		assert_int_equal(rrtype_from_text(cases[i].type, strlen(cases[i].type), &type), 0);
		assert_int_equal(parse(cases[i].type, cases[i].text, one, sizeof(one), &n, &why), 0);
		assert_int_equal(rdata_check(type, one, n), 0);
		text_init(&t);
		text_init(&own);
		rdata_to_text(type, one, n, &t);
		rdata_to_own_text(type, one, n, &own);
		assert_string_equal(own.chars, cases[i].own ? cases[i].own : cases[i].text);
		assert_memory_equal(t.chars, "\\# ", 3);
		assert_int_equal(parse(rrtype_text(type, word), t.chars, two, sizeof(two), &m, &why), 0);
		assert_int_equal(n, m);
		assert_memory_equal(one, two, n);
		assert_int_equal(parse(rrtype_own_text(type, word), own.chars, two, sizeof(two), &m, &why), 0);
		assert_int_equal(n, m);
		assert_memory_equal(one, two, n);
		rdata_canonical(type, two, m); /* RFC 3597 7: as it is, since nobody else knows where names are */
		assert_memory_equal(one, two, n);
		text_done(&t);
		text_done(&own);
	}
}

/* The name behind the address of A6 is put in small letters, the address left as it is. */
static void test_canonical_a6(void **state)
{
	uint8_t a6[] = {120, 'A', 1, 'B', 0};
	static const uint8_t lower[] = {120, 'A', 1, 'b', 0};

	(void)state;
	assert_int_equal(rdata_check(38, a6, sizeof(a6)), 0);
	rdata_canonical(38, a6, sizeof(a6));
	assert_memory_equal(a6, lower, sizeof(lower));
}

/* RDATA that is refused leaves the writer as it was, also when it did not fit. */
static void test_refused_leaves_writer(void **state)
{
	static const uint8_t wire[] = {192, 0, 2, 1, 0, 0};
	uint8_t out[8];
	struct writer w = writer_of(out, 6);
	struct reader r = reader_of(wire, sizeof(wire));

	(void)state;
	writer_u32(&w, 7);
	assert_int_not_equal(rdata_from_wire(1, &r, 4, &w), 0);
	assert_false(w.failed);
	assert_int_equal(w.pos, 4);
	assert_int_equal(r.pos, 0);
	assert_int_not_equal(rdata_from_wire(1, &r, 5, &w), 0);
	assert_false(w.failed);
	assert_int_equal(w.pos, 4);
}

static void test_serials(void **state)
{
	(void)state;
	assert_true(serial_after(1, 0));
	assert_true(serial_after(0, UINT32_MAX));
	assert_false(serial_after(5, 5));
	assert_false(serial_after(0, 1));
	assert_false(serial_after(0x80000000U, 0)); /* undefined by RFC 1982: neither is after */
	assert_false(serial_after(0, 0x80000000U));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_mistakes), cmocka_unit_test(test_long_string_is_refused),
		cmocka_unit_test(test_typemap),    cmocka_unit_test(test_canonical_order), cmocka_unit_test(test_canonical_a6),
		cmocka_unit_test(test_own_types),
		cmocka_unit_test(test_refused_leaves_writer),
		cmocka_unit_test(test_serials),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
