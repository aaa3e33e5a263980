/* SPDX-License-Identifier: BSD-2-Clause */
/* EDNS of the answer engine: cookies, client subnet, keepalive, padding, zone version, report channel, extended errors, ANY. */
#include "engine_kit.h"

#include "base/text.h"
#include "dns/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct kit_zone zones[] = {
	{"t", "$TTL 300\n@ SOA ns host 77 2 3 4 60\n@ NS ns\nns A 192.0.2.1\nmany A 192.0.2.2\nmany AAAA 2001:db8::2\nmany TXT x\nmany MX 1 ns\n*.w A 192.0.2.3\n*.w TXT w\n", false, 1},
	{"empty.test", NULL, false, 1},
};
static struct cookie_secrets secrets = {.count = 1, .secret = {{1, 2, 3}}};

/* A query with octets of options, in hexadecimal, blanks between. */
static size_t with_options(const char *name, const char *type, const char *options, uint8_t *buf)
{
	size_t len = kit_query(name, type, KIT_EDNS, 1232, buf, 512), at = len - 2, n = 0;

	for (const char *p = options; *p; p += 2) {
		unsigned v;

		while (*p == ' ')
			p++;
		if (!*p)
			break;
		assert_int_equal(sscanf(p, "%2x", &v), 1);
		buf[len + n++] = (uint8_t)v;
	}
	put_u16(buf + at, (uint16_t)n);
	return len + n;
}

/* The option's octets in the answer, NULL if it is not there; it is there once at most. */
static const uint8_t *option_of(const struct engine_result *r, uint16_t code, size_t *len)
{
	const uint8_t *found = NULL;
	struct message_rr rr;
	struct message m;
	struct name name;
	uint16_t type, class;

	*len = 0;
	assert_int_equal(message_open(kit_out, r->len, &m), 0);
	for (unsigned i = m.header.qdcount; i; i--)
		assert_int_equal(message_question(&m, &name, &type, &class), 0);
	while (message_next(&m, &rr) == 1) {
		struct reader o = reader_of(rr.rdata, rr.rdlen);

		while (rr.type == RR_OPT && reader_left(&o)) {
			uint16_t c = reader_u16(&o), l = reader_u16(&o);
			const uint8_t *data = reader_bytes(&o, l);

			assert_non_null(data);
			if (c != code)
				continue;
			assert_null(found);
			found = data;
			*len = l;
		}
	}
	return found;
}

static unsigned ede_of(const struct engine_result *r)
{
	size_t len;
	const uint8_t *p = option_of(r, EDNS_EDE, &len);

	return p ? get_u16(p) : 0xffff;
}

static void ask(const char *name, const char *type, const char *options, enum engine_transport transport, struct engine_result *r)
{
	static uint8_t query[1024]; /* kit_slip() looks at it again */
	size_t len = with_options(name, type, options, query);

	kit_ask(query, len, transport, DNS_MESSAGE_MAX, r);
}

#define CLIENT "000a 0008 0102030405060708"

static void test_cookies(void **state)
{
	struct engine_result r;
	uint8_t cookie[COOKIE_LEN];
	const uint8_t *p;
	char text[128];
	size_t len;

	(void)state;
	kit_open(zones, ARRAY_LEN(zones));
	kit_request.now_s = 1700000000;
	ask("t.", "SOA", CLIENT, ENGINE_UDP, &r); /* no secret: the option is not known */
	assert_null(option_of(&r, EDNS_COOKIE, &len));
	assert_int_equal(r.cookie, COOKIE_NONE);
	kit_conf.cookies = &secrets;
	ask("t.", "SOA", "", ENGINE_UDP, &r);
	assert_null(option_of(&r, EDNS_COOKIE, &len));
	ask("t.", "SOA", CLIENT, ENGINE_UDP, &r);
	assert_int_equal(r.rcode, RCODE_NOERROR);
	assert_int_equal(r.cookie, COOKIE_CLIENT_ONLY);
	p = option_of(&r, EDNS_COOKIE, &len);
	assert_int_equal(len, COOKIE_LEN);
	memcpy(cookie, p, COOKIE_LEN);
	strcpy(text, "000a 0018 ");
	for (size_t i = 0; i < COOKIE_LEN; i++)
		snprintf(text + 10 + 2 * i, 3, "%02x", cookie[i]);
	ask("t.", "SOA", text, ENGINE_UDP, &r);
	assert_int_equal(r.cookie, COOKIE_GOOD);
	p = option_of(&r, EDNS_COOKIE, &len);
	assert_memory_equal(p, cookie, COOKIE_LEN);
	kit_request.client.bytes[3] = 2; /* stolen */
	ask("t.", "SOA", text, ENGINE_UDP, &r);
	assert_int_equal(r.cookie, COOKIE_BAD);
	assert_int_equal(r.rcode, RCODE_NOERROR);

	/* Only the first counts. */
	ask("t.", "SOA", CLIENT "000a 0003 010203", ENGINE_UDP, &r);
	assert_int_equal(r.cookie, COOKIE_CLIENT_ONLY);
	ask("t.", "SOA", "000a 0003 010203", ENGINE_UDP, &r);
	assert_int_equal(r.rcode, RCODE_FORMERR);
	assert_null(option_of(&r, EDNS_COOKIE, &len));

	kit_conf.cookies_required = true;
	ask("t.", "SOA", text, ENGINE_UDP, &r);
	assert_int_equal(r.rcode, RCODE_BADCOOKIE);
	assert_int_equal(r.kind, ENGINE_ERROR);
	assert_string_equal(kit_text(&r), "BADCOOKIE |  |  | ");
	assert_non_null(option_of(&r, EDNS_COOKIE, &len));
	ask("t.", "SOA", CLIENT, ENGINE_UDP, &r);
	assert_int_equal(r.rcode, RCODE_BADCOOKIE);
	ask("t.", "SOA", CLIENT, ENGINE_TCP, &r);
	assert_int_equal(r.rcode, RCODE_NOERROR);
	ask("t.", "SOA", "", ENGINE_UDP, &r);
	assert_int_equal(r.rcode, RCODE_NOERROR);
	kit_request.client.bytes[3] = 1;
	ask("t.", "SOA", text, ENGINE_UDP, &r);
	assert_int_equal(r.rcode, RCODE_NOERROR);
	kit_close();
}

/* RFC 7873 5.4, RFC 9619: no question is an error but with a cookie. */
static void test_no_question(void **state)
{
	static const uint8_t bare[] = {0, 77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t cookie[] = {0, 77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8};
	struct engine_result r;
	size_t len;

	(void)state;
	kit_open(zones, ARRAY_LEN(zones));
	kit_conf.cookies = &secrets;
	kit_ask(bare, sizeof(bare), ENGINE_UDP, 512, &r);
	assert_int_equal(r.rcode, RCODE_FORMERR);
	kit_ask(cookie, sizeof(cookie), ENGINE_UDP, 512, &r);
	assert_int_equal(r.rcode, RCODE_NOERROR);
	assert_non_null(option_of(&r, EDNS_COOKIE, &len));
	assert_int_equal(get_u16(kit_out + 4), 0);
	kit_conf.cookies = NULL;
	kit_ask(cookie, sizeof(cookie), ENGINE_UDP, 512, &r);
	assert_int_equal(r.rcode, RCODE_FORMERR);
	kit_close();
}

/* What a limit puts in the place of an answer. */
static void test_slip(void **state)
{
	struct engine_result r;
	size_t len;

	(void)state;
	kit_open(zones, ARRAY_LEN(zones));
	kit_conf.cookies = &secrets;
	ask("many.t.", "A", "", ENGINE_UDP, &r);
	kit_slip(&r);
	assert_string_equal(kit_text(&r), "NOERROR TC |  |  | ");
	ask("many.t.", "A", CLIENT, ENGINE_UDP, &r);
	kit_slip(&r);
	assert_string_equal(kit_text(&r), "BADCOOKIE |  |  | ");
	assert_non_null(option_of(&r, EDNS_COOKIE, &len));
	kit_close();
}

/* RFC 7871 7.2.1: the option comes back with scope 0; a malformed one is FORMERR. */
static void test_subnet(void **state)
{
	static const struct {
		const char *option;
		unsigned rcode;
	} cases[] = {
		{"0008 0007 0001 18 00 c00002", RCODE_NOERROR},  {"0008 000b 0002 38 00 20010db8000000", RCODE_NOERROR},
		{"0008 0004 0001 00 00", RCODE_NOERROR},         {"0008 0004 0000 00 00", RCODE_NOERROR},
		{"0008 0008 0001 20 00 c0000201", RCODE_NOERROR},
		{"0008 0007 0001 18 18 c00002", RCODE_FORMERR},  {"0008 0006 0001 18 00 c000", RCODE_FORMERR},
		{"0008 0008 0001 18 00 c0000200", RCODE_FORMERR}, {"0008 0007 0001 17 00 c00001", RCODE_FORMERR},
		{"0008 0009 0001 21 00 c000020100", RCODE_FORMERR}, {"0008 0004 0003 00 00", RCODE_FORMERR},
		{"0008 0003 0001 00", RCODE_FORMERR},            {"0008 0005 0000 08 00 0a", RCODE_FORMERR},
	};
	struct engine_result r;
	size_t len;

	(void)state;
	kit_open(zones, ARRAY_LEN(zones));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t query[512];
		size_t qlen = with_options("t.", "SOA", cases[i].option, query);
		const uint8_t *p;

		kit_ask(query, qlen, ENGINE_UDP, 1232, &r);
		assert_int_equal(r.rcode, cases[i].rcode);
		p = option_of(&r, EDNS_ECS, &len);
		assert_int_equal(p != NULL, cases[i].rcode == RCODE_NOERROR);
		if (p) {
			assert_int_equal(len, get_u16(query + qlen - len - 2));
			assert_memory_equal(p, query + qlen - len, len);
		}
	}
	kit_close();
}

/* RFC 7828: told over TCP and TLS when asked, never over UDP; RFC 7830: padded over TLS when asked. */
static void test_transport_options(void **state)
{
	struct engine_result r;
	const uint8_t *p;
	size_t len;

	(void)state;
	kit_open(zones, ARRAY_LEN(zones));
	kit_request.keepalive = 123;
	for (int t = ENGINE_UDP; t <= ENGINE_TLS; t++) {
		ask("t.", "SOA", "", (enum engine_transport)t, &r);
		assert_null(option_of(&r, EDNS_KEEPALIVE, &len));
		assert_null(option_of(&r, EDNS_PADDING, &len));
		ask("t.", "SOA", "000b 0000 000c 0000", (enum engine_transport)t, &r);
		p = option_of(&r, EDNS_KEEPALIVE, &len);
		assert_int_equal(p != NULL, t != ENGINE_UDP);
		if (p) {
			assert_int_equal(len, 2);
			assert_int_equal(get_u16(p), 123);
		}
		p = option_of(&r, EDNS_PADDING, &len);
		assert_int_equal(p != NULL, t == ENGINE_TLS);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(p[i], 0);
		if (t == ENGINE_TLS)
			assert_int_equal(r.len % 468, 0);
	}
	kit_close();
}

/* RFC 9660, RFC 9567, RFC 8914, NSID; all of them together with the longest question stay below 512 octets but for the report channel. */
static void test_the_rest(void **state)
{
	static const uint8_t agent[] = "\x05" "agent\x07" "example";
	static const uint8_t version[] = {1, 0, 0, 0, 0, 77};
	static const char label[] = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff";
	uint8_t query[1024];
	struct engine_result r;
	const uint8_t *p;
	char name[300];
	size_t len;

	(void)state;
	kit_open(zones, ARRAY_LEN(zones));
	ask("nothing.t.", "A", "0013 0000", ENGINE_UDP, &r);
	p = option_of(&r, EDNS_ZONEVERSION, &len);
	assert_int_equal(len, sizeof(version));
	assert_memory_equal(p, version, sizeof(version));
	ask("other.", "A", "0013 0000", ENGINE_UDP, &r);
	assert_null(option_of(&r, EDNS_ZONEVERSION, &len));
	assert_int_equal(r.rcode, RCODE_REFUSED);
	assert_int_equal(ede_of(&r), 20);
	assert_int_equal(r.kind, ENGINE_ERROR);
	ask("x.empty.test.", "A", "0013 0000", ENGINE_UDP, &r);
	assert_null(option_of(&r, EDNS_ZONEVERSION, &len));
	assert_int_equal(r.rcode, RCODE_SERVFAIL);
	assert_int_equal(ede_of(&r), 14);
	ask("t.", "A", "0013 0001 00", ENGINE_UDP, &r);
	assert_int_equal(r.rcode, RCODE_FORMERR);
	ask("t.", "AXFR", "", ENGINE_TCP, &r);
	assert_int_equal(r.rcode, RCODE_REFUSED);
	assert_int_equal(ede_of(&r), 18);
	ask("t.", "AXFR", "", ENGINE_TLS, &r);
	assert_int_equal(ede_of(&r), 21);
	ask("t.", "SOA", "fde9 0003 010203 fde9 0000", ENGINE_UDP, &r); /* unknown */
	assert_int_equal(r.rcode, RCODE_NOERROR);
	assert_int_equal(ede_of(&r), 0xffff);

	kit_conf.report_agent = agent;
	ask("t.", "SOA", "", ENGINE_UDP, &r);
	p = option_of(&r, EDNS_REPORT_CHANNEL, &len);
	assert_int_equal(len, sizeof(agent));
	assert_memory_equal(p, agent, sizeof(agent));

	kit_conf.cookies = &secrets;
	kit_conf.identity.nsid = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";
	snprintf(name, sizeof(name), "%s.%s.%s.%s.other.", label, label, label, label);
	len = with_options(name, "A", CLIENT "0003 0000 0008 0014 0002 80 00 20010db8000000000000000000000001 0013 0000", query);
	put_u16(query + len - 12 - 4 - 24 - 4 - 8, 512); /* the UDP size offered */
	kit_ask(query, len, ENGINE_UDP, 512, &r);
	assert_int_equal(r.rcode, RCODE_REFUSED);
	assert_int_equal(ede_of(&r), 20);
	assert_non_null(option_of(&r, EDNS_COOKIE, &len));
	assert_non_null(option_of(&r, EDNS_NSID, &len));
	assert_non_null(option_of(&r, EDNS_ECS, &len));
	kit_close();
}

/* An answer as large as the client can take is whole, one octet less and it is truncated. */
static void test_exact_size(void **state)
{
	static const char *const options[] = {"", "0003 0000", CLIENT, "0008 0007 0001 18 00 c00002"};
	static const struct {
		const char *name, *type;
	} cases[] = {{"big.t.", "TXT"}, {"x.w.t.", "TXT"}, {"no.t.", "A"}, {"sub.t.", "A"}};
	static const struct kit_zone more[] = {
		{"t", "$TTL 300\n@ SOA ns.a.very.long.name.of.a.server host 77 2 3 4 60\n@ NS ns\nns A 192.0.2.1\n*.w TXT w\n"
		      "sub NS ns.sub\nsub NS ns2.sub\nns.sub A 192.0.2.9\nns2.sub AAAA 2001:db8::9\n"
		      "big TXT 0123456789012345678901234567890123456789012345678901234567890123456789\n"
		      "big TXT 1123456789012345678901234567890123456789012345678901234567890123456789\n", true, 1},
	};
	struct engine_result whole, r;
	uint8_t query[512];

	(void)state;
	kit_open(more, ARRAY_LEN(more));
	kit_conf.cookies = &secrets;
	kit_conf.identity.nsid = "n1";
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t k = 0; k < ARRAY_LEN(options); k++) {
			size_t len = with_options(cases[i].name, cases[i].type, options[k], query);

			kit_ask(query, len, ENGINE_UDP, DNS_MESSAGE_MAX, &whole);
			assert_false(whole.truncated);
			kit_ask(query, len, ENGINE_UDP, whole.len, &r);
			assert_int_equal(r.len, whole.len);
			assert_false(r.truncated);
			kit_ask(query, len, ENGINE_UDP, whole.len - 1, &r);
			assert_true(r.truncated);
		}
	kit_close();
}

/* Types that are no question. */
static void test_invalid_types(void **state)
{
	static const char *const types[] = {"NXNAME", "OPT", "TSIG", "TYPE0"};
	struct engine_result r;

	(void)state;
	kit_open(zones, ARRAY_LEN(zones));
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		ask("many.t.", types[i], "", ENGINE_UDP, &r);
		assert_int_equal(r.rcode, RCODE_FORMERR);
		assert_int_equal(ede_of(&r), 30);
	}
	kit_close();
}

/* RFC 8482: one set, all, or REFUSED. */
static void test_any(void **state)
{
	struct engine_result r;

	(void)state;
	kit_open(zones, ARRAY_LEN(zones));
	kit_expect("many.t.", "ANY", 0, "NOERROR AA | many.t. A |  | ");
	kit_conf.any = ENGINE_ANY_ALL;
	kit_expect("many.t.", "ANY", 0, "NOERROR AA | many.t. A, many.t. AAAA, many.t. MX, many.t. TXT |  | ");
	kit_expect("x.w.t.", "ANY", 0, "NOERROR AA | x.w.t. A, x.w.t. TXT |  | ");
	kit_expect("w.t.", "ANY", 0, "NOERROR AA |  | t. SOA | ");
	kit_conf.any = ENGINE_ANY_REFUSE;
	ask("many.t.", "ANY", "", ENGINE_TCP, &r);
	assert_int_equal(r.rcode, RCODE_REFUSED);
	assert_int_equal(ede_of(&r), 18);
	kit_close();
}

static void test_kinds(void **state)
{
	static const struct {
		const char *name, *type;
		enum engine_kind kind;
	} cases[] = {
		{"t.", "SOA", ENGINE_ANSWER}, {"x.w.t.", "A", ENGINE_ANSWER}, {"t.", "A", ENGINE_NO_DATA}, {"w.t.", "A", ENGINE_NO_DATA},
		{"no.t.", "A", ENGINE_NO_NAME}, {"a.sub.r.", "A", ENGINE_REFERRAL}, {"other.", "A", ENGINE_ERROR}, {"t.", "OPT", ENGINE_ERROR},
	};
	static const struct kit_zone more[] = {
		{"t", "$TTL 300\n@ SOA ns host 77 2 3 4 60\n@ NS ns\nns A 192.0.2.1\n*.w A 192.0.2.3\n", false, 1},
		{"r", "$TTL 300\n@ SOA ns host 77 2 3 4 60\n@ NS ns\nns A 192.0.2.1\nsub NS ns.sub\nns.sub A 192.0.2.9\n", false, 1},
	};
	struct engine_result r;

	(void)state;
	kit_open(more, ARRAY_LEN(more));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(cases[i].name, cases[i].type, "", ENGINE_UDP, &r);
		assert_int_equal(r.kind, cases[i].kind);
	}
	kit_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cookies), cmocka_unit_test(test_no_question), cmocka_unit_test(test_slip), cmocka_unit_test(test_subnet),
		cmocka_unit_test(test_transport_options), cmocka_unit_test(test_the_rest), cmocka_unit_test(test_any), cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_exact_size), cmocka_unit_test(test_invalid_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
