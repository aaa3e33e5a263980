/* SPDX-License-Identifier: BSD-2-Clause */
/* What is found for a question, without DNSSEC: wildcards as in RFC 4592, aliases, delegations and their glue. */
#include "engine_kit.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct row {
	const char *name, *type, *want;
};

static void expect_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		kit_expect(rows[i].name, rows[i].type, 0, rows[i].want);
		kit_expect(rows[i].name, rows[i].type, KIT_EDNS, rows[i].want);
		kit_expect(rows[i].name, rows[i].type, KIT_DO, rows[i].want); /* nothing is signed here */
	}
}

static void test_rfc4592(void **state)
{
	/* RFC 4592 2.2.1 */
	const struct kit_zone zone = {"example",
	                              "$TTL 3600\n@ SOA ns host 1 2 3 4 600\n@ NS ns.example.com.\n@ NS ns.example.net.\n"
	                              "* TXT \"this is a wildcard\"\n* MX 10 host1\nsub.* TXT \"this is not a wildcard\"\nhost1 A 192.0.2.1\n"
	                              "_ssh._tcp.host1 SRV 0 0 22 host1\n_ssh._tcp.host2 SRV 0 0 22 host2\nsubdel NS ns.example.com.\n"
	                              "subdel NS ns.example.net.\n",
	                              false, 0};
	const struct row rows[] = {
		/* 2.2.1: synthesized */
		{"host3.example.", "MX", "NOERROR AA | host3.example. MX |  | host1.example. A"},
		{"host3.example.", "A", "NOERROR AA |  | example. SOA | "},
		{"foo.bar.example.", "TXT", "NOERROR AA | foo.bar.example. TXT |  | "},
		/* 2.2.1: not synthesized */
		{"host1.example.", "MX", "NOERROR AA |  | example. SOA | "},
		{"sub.*.example.", "MX", "NOERROR AA |  | example. SOA | "},
		{"_telnet._tcp.host1.example.", "SRV", "NXDOMAIN AA |  | example. SOA | "},
		{"host.subdel.example.", "A", "NOERROR |  | subdel.example. NS*2 | "},
		{"ghost.*.example.", "MX", "NXDOMAIN AA |  | example. SOA | "},
		/* 2.2.2 and 2.2.3: empty non-terminals exist */
		{"_tcp.host1.example.", "SRV", "NOERROR AA |  | example. SOA | "},
		{"host2.example.", "MX", "NOERROR AA |  | example. SOA | "},
		{"_tcp.host2.example.", "MX", "NOERROR AA |  | example. SOA | "},
		/* 3.3.1: closest enclosers and sources of synthesis */
		{"_dns._udp.host2.example.", "TXT", "NXDOMAIN AA |  | example. SOA | "},
		{"_telnet._tcp.host3.example.", "MX", "NOERROR AA | _telnet._tcp.host3.example. MX |  | host1.example. A"},
		{"_chat._udp.host3.example.", "TXT", "NOERROR AA | _chat._udp.host3.example. TXT |  | "},
		{"foobar.*.example.", "TXT", "NXDOMAIN AA |  | example. SOA | "},
		/* 2.3: asked for by name it is a name like others */
		{"*.example.", "TXT", "NOERROR AA | *.example. TXT |  | "},
		{"*.example.", "A", "NOERROR AA |  | example. SOA | "},
		{"*.nowhere.example.", "TXT", "NOERROR AA | *.nowhere.example. TXT |  | "},
		{"*.*.example.", "TXT", "NXDOMAIN AA |  | example. SOA | "},
		{"host3.example.", "ANY", "NOERROR AA | host3.example. MX |  | host1.example. A"},
	};

	(void)state;
	kit_open(&zone, 1);
	expect_rows(rows, ARRAY_LEN(rows));
	kit_close();
}

static void test_plain(void **state)
{
	const struct kit_zone zones[] = {
		{"t",
		 "$TTL 300\n@ SOA ns host 1 2 3 4 60\n@ NS ns\nns A 192.0.2.1\nMixed.Case A 192.0.2.2\n@ MX 5 mx\n@ MX 5 MX2\nmx A 192.0.2.6\n"
		 "mx AAAA 2001:db8::6\nmx2 A 192.0.2.7\n@ MX 9 elsewhere.test.\n_s._tcp SRV 1 2 3 mx\nsvc HTTPS 1 mx alpn=h2\nown HTTPS 1 . alpn=h2\n"
		 "own A 192.0.2.8\nsame MX 1 same\nsame A 192.0.2.9\nbin\\000\\.ary TXT x\nloop NS ns.loop.u.\n",
		 false, 7},
		{"broken", NULL, false, 8},
	};
	const struct row rows[] = {
		{"t.", "SOA", "NOERROR AA | t. SOA |  | "},
		{"t.", "NS", "NOERROR AA | t. NS |  | ns.t. A"},
		{"t.", "MX", "NOERROR AA | t. MX*3 |  | mx.t. A, mx.t. AAAA, mx2.t. A"},
		{"t.", "ANY", "NOERROR AA | t. NS |  | ns.t. A"},
		{"t.", "A", "NOERROR AA |  | t. SOA | "},
		{"_s._tcp.t.", "SRV", "NOERROR AA | _s._tcp.t. SRV |  | mx.t. A, mx.t. AAAA"},
		{"svc.t.", "HTTPS", "NOERROR AA | svc.t. HTTPS |  | mx.t. A, mx.t. AAAA"},
		{"own.t.", "HTTPS", "NOERROR AA | own.t. HTTPS |  | "},
		{"same.t.", "MX", "NOERROR AA | same.t. MX |  | same.t. A"},
		{"mixed.case.t.", "A", "NOERROR AA | mixed.case.t. A |  | "},
		{"MIXED.CASE.T.", "A", "NOERROR AA | MIXED.CASE.T. A |  | "},
		{"bin\\000\\.ary.t.", "TXT", "NOERROR AA | bin\\000\\.ary.t. TXT |  | "},
		{"bin\\000.ary.t.", "TXT", "NXDOMAIN AA |  | t. SOA | "},
		{"case.t.", "A", "NOERROR AA |  | t. SOA | "},
		{"no.t.", "TYPE65280", "NXDOMAIN AA |  | t. SOA | "},
		{"t.", "TYPE65280", "NOERROR AA |  | t. SOA | "},
		{"tt.", "A", "REFUSED |  |  | "},
		{".", "NS", "REFUSED |  |  | "},
		{".", "DS", "REFUSED |  |  | "},
		{"broken.", "SOA", "SERVFAIL |  |  | "},
		{"x.broken.", "A", "SERVFAIL |  |  | "},
		{"t.", "DS", "NOERROR AA |  | t. SOA | "},
	};
	uint8_t query[300];
	struct engine_result r;
	size_t len;

	(void)state;
	kit_open(zones, ARRAY_LEN(zones));
	expect_rows(rows, ARRAY_LEN(rows));

	/* RFC 2308 3: the TTL of the SOA is the least of its own and MINIMUM, in negative answers only. */
	len = kit_query("no.t.", "A", 0, 0, query, sizeof(query));
	kit_ask(query, len, ENGINE_UDP, 4096, &r);
	assert_string_equal(kit_records(&r, 2), "t. 60 SOA ns.t. host.t. 1 2 3 4 60\n");
	assert_int_equal(r.network, 7);
	assert_true(r.zone_generation != 0);
	len = kit_query("t.", "SOA", 0, 0, query, sizeof(query));
	kit_ask(query, len, ENGINE_UDP, 4096, &r);
	assert_string_equal(kit_records(&r, 1), "t. 300 SOA ns.t. host.t. 1 2 3 4 60\n");

	/* Records of a set stand in canonical order, names in them in the case of the zone, whatever the case asked. */
	len = kit_query("T.", "MX", 0, 0, query, sizeof(query));
	kit_ask(query, len, ENGINE_UDP, 4096, &r);
	assert_string_equal(kit_records(&r, 1), "T. 300 MX 5 mx.T.\nT. 300 MX 5 MX2.T.\nT. 300 MX 9 elsewhere.test.\n");
	kit_close();
}

static void test_aliases(void **state)
{
	struct kit_zone zones[] = {
		{"t", NULL, false, 1},
		{"u",
		 "$TTL 300\n@ SOA ns.test. host 1 2 3 4 60\n@ NS ns.test.\nweb A 192.0.2.2\nback CNAME web.t.\nsub NS ns.sub\nns.sub A 192.0.2.3\n"
		 "d DNAME d.t.\nx A 192.0.2.77\n",
		 false, 2},
		{"off", NULL, false, 3},
	};
	const struct row rows[] = {
		{"www.t.", "A", "NOERROR AA | web.t. A, www.t. CNAME |  | "},
		{"www.t.", "CNAME", "NOERROR AA | www.t. CNAME |  | "},
		{"www.t.", "ANY", "NOERROR AA | www.t. CNAME |  | "},
		{"www.t.", "AAAA", "NOERROR AA | www.t. CNAME | t. SOA | "},
		{"gone.t.", "A", "NXDOMAIN AA | gone.t. CNAME | t. SOA | "},
		{"ext.t.", "A", "NOERROR AA | ext.t. CNAME |  | "},
		{"ent.t.", "A", "NOERROR AA | ent.t. CNAME | t. SOA | "},
		/* loops: each link once */
		{"self.t.", "A", "NOERROR AA | self.t. CNAME |  | "},
		{"one.t.", "A", "NOERROR AA | one.t. CNAME, two.t. CNAME |  | "},
		{"in.t.", "A", "NOERROR AA | in.t. CNAME, one.t. CNAME, two.t. CNAME |  | "},
		/* wildcards */
		{"a.wild.t.", "A", "NOERROR AA | a.wild.t. CNAME, web.t. A |  | "},
		{"a.selfish.t.", "A", "NOERROR AA | a.selfish.t. CNAME, b.selfish.t. CNAME |  | "},
		/* into other zones of ours, and back */
		{"over.t.", "A", "NOERROR AA | over.t. CNAME, web.u. A |  | "},
		{"round.t.", "A", "NOERROR AA | back.u. CNAME, round.t. CNAME, web.t. A |  | "},
		{"nou.t.", "A", "NXDOMAIN AA | nou.t. CNAME | u. SOA | "},
		{"del.t.", "A", "NOERROR AA | del.t. CNAME | sub.u. NS | ns.sub.u. A"},
		{"down.t.", "A", "NOERROR AA | down.t. CNAME |  | "},
		/* DNAME */
		{"web.du.t.", "A", "NOERROR AA | du.t. DNAME, web.du.t. CNAME, web.u. A |  | "},
		{"WEB.du.t.", "CNAME", "NOERROR AA | WEB.du.t. CNAME, du.t. DNAME |  | "},
		{"no.du.t.", "A", "NXDOMAIN AA | du.t. DNAME, no.du.t. CNAME | u. SOA | "},
		{"du.t.", "A", "NOERROR AA |  | t. SOA | "},
		{"du.t.", "DNAME", "NOERROR AA | du.t. DNAME |  | "},
		{"hidden.du.t.", "TXT", "NXDOMAIN AA | du.t. DNAME, hidden.du.t. CNAME | u. SOA | "},
		{"x.cut.du.t.", "A", "NXDOMAIN AA | du.t. DNAME, x.cut.du.t. CNAME | u. SOA | "},
		{"cut.du.t.", "DS", "NXDOMAIN AA | cut.du.t. CNAME, du.t. DNAME | u. SOA | "},
		{"x.ds.t.", "A", "NOERROR AA | ds.t. DNAME, x.ds.t. CNAME |  | "},
		{"x.da.t.", "A", "NOERROR AA | da.t. DNAME, db.t. DNAME, x.da.t. CNAME, x.db.t. CNAME |  | "},
		{"x.d.t.", "A", "NOERROR AA | d.t. DNAME, d.u. DNAME, x.d.t. CNAME, x.d.u. CNAME |  | "},
		{"toda.t.", "A", "NOERROR AA | da.t. DNAME, db.t. DNAME, toda.t. CNAME, x.da.t. CNAME, x.db.t. CNAME |  | "},
		{"wd.t.", "MX", "NOERROR AA | wd.t. MX |  | "},
	};
	struct text text;

	(void)state;
	text_init(&text);
	text_str(&text,
	         "$TTL 300\n@ SOA ns.test. host 1 2 3 4 60\n@ NS ns.test.\nwww CNAME web\nweb A 192.0.2.2\ngone CNAME nothing\next CNAME a.test.\n"
	         "ent CNAME b.c\na.b.c A 192.0.2.9\nself CNAME self\none CNAME two\ntwo CNAME one\nin CNAME one\n*.wild CNAME web\n"
	         "*.selfish CNAME b.selfish\nover CNAME web.u.\nround CNAME back.u.\nnou CNAME nothing.u.\ndel CNAME x.sub.u.\ndown CNAME x.off.\n"
	         "du DNAME u.\nhidden.du TXT never\ncut.du NS ns.test.\nx.cut.du A 192.0.2.66\nds DNAME ds\nda DNAME db\ndb DNAME da\n"
	         "d DNAME d.u.\ntoda CNAME x.da\nwd MX 1 hidden.du\n");
	for (unsigned i = 1; i < 20; i++)
		text_fmt(&text, "c%u CNAME c%u\n", i, i + 1);
	text_str(&text, "c20 A 192.0.2.20\n");
	zones[0].text = text.chars;
	kit_open(zones, ARRAY_LEN(zones));
	expect_rows(rows, ARRAY_LEN(rows));
	/* Sixteen aliases are followed: from c4 the address is reached; from c1 the chain ends unfinished and the resolver goes on. */
	kit_expect("c4.t.", "A", 0,
	           "NOERROR AA | c10.t. CNAME, c11.t. CNAME, c12.t. CNAME, c13.t. CNAME, c14.t. CNAME, c15.t. CNAME, c16.t. CNAME, c17.t. CNAME, "
	           "c18.t. CNAME, c19.t. CNAME, c4.t. CNAME, c5.t. CNAME, c6.t. CNAME, c7.t. CNAME, c8.t. CNAME, c9.t. CNAME |  | ");
	kit_expect("c5.t.", "A", 0,
	           "NOERROR AA | c10.t. CNAME, c11.t. CNAME, c12.t. CNAME, c13.t. CNAME, c14.t. CNAME, c15.t. CNAME, c16.t. CNAME, c17.t. CNAME, "
	           "c18.t. CNAME, c19.t. CNAME, c20.t. A, c5.t. CNAME, c6.t. CNAME, c7.t. CNAME, c8.t. CNAME, c9.t. CNAME |  | ");
	kit_close();
	text_done(&text);
}

/* RFC 6672 2.2, 2.3: what would be too long is YXDOMAIN; a DNAME at the apex hides everything below but not the apex. */
static void test_dname(void **state)
{
	static const char label[] = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff";
	const struct kit_zone zones[] = {
		{"t", "$TTL 300\n@ SOA ns.test. host 1 2 3 4 60\n@ NS ns.test.\n@ DNAME u.\n@ MX 1 mx.t.\nmx A 192.0.2.3\n", false, 1},
		{"u", "$TTL 300\n@ SOA ns.test. host 1 2 3 4 60\n@ NS ns.test.\nmx A 192.0.2.2\n", false, 1},
		{"v", "$TTL 300\n@ SOA ns.test. host 1 2 3 4 60\n@ NS ns.test.\nd DNAME a.much.longer.name.somewhere.test.\n", false, 1},
	};
	uint8_t query[300];
	struct engine_result r;
	char name[300];
	size_t len;

	(void)state;
	kit_open(zones, ARRAY_LEN(zones));
	kit_expect("t.", "MX", 0, "NOERROR AA | t. MX |  | ");
	kit_expect("mx.t.", "A", 0, "NOERROR AA | mx.t. CNAME, mx.u. A, t. DNAME |  | ");
	kit_expect("t.", "SOA", 0, "NOERROR AA | t. SOA |  | ");
	snprintf(name, sizeof(name), "%s.%s.%s.%.45s.d.v.", label, label, label, label);
	len = kit_query(name, "A", 0, 0, query, sizeof(query));
	kit_ask(query, len, ENGINE_TCP, DNS_MESSAGE_MAX, &r);
	assert_string_equal(kit_text(&r), "YXDOMAIN AA | d.v. DNAME |  | ");
	snprintf(name, sizeof(name), "%s.%s.%s.%.30s.d.v.", label, label, label, label);
	len = kit_query(name, "A", 0, 0, query, sizeof(query));
	kit_ask(query, len, ENGINE_TCP, DNS_MESSAGE_MAX, &r);
	assert_int_equal(r.rcode, RCODE_NOERROR);
	kit_close();
}

static void test_delegations(void **state)
{
	const struct kit_zone zones[] = {
		{"t",
		 "$TTL 300\n@ SOA ns host 1 2 3 4 60\n@ NS ns\n@ NS ns.del\nns A 192.0.2.1\ndel NS ns.del\ndel NS out.test.\nns.del A 192.0.2.3\n"
		 "ns.del AAAA 2001:db8::3\ndel TXT occluded\nx.del TXT occluded\ndeep.del NS ns.deep.del\nns.deep.del A 192.0.2.9\n"
		 "sib NS ns.del\nsib NS ns\nself NS self\nself A 192.0.2.4\nempty NS ns.empty\n*.del A 192.0.2.5\nmx MX 1 ns.del\nserved NS ns.served\n"
		 "ns.served A 192.0.2.6\nsec NS ns\nsec DS 1 13 200 00\n",
		 false, 1},
		{"served.t", "$TTL 300\n@ SOA ns host 1 2 3 4 60\n@ NS ns\nns A 192.0.2.6\n", false, 1},
	};
	const struct row rows[] = {
		{"x.y.del.t.", "A", "NOERROR |  | del.t. NS*2 | ns.del.t. A, ns.del.t. AAAA"},
		{"del.t.", "NS", "NOERROR |  | del.t. NS*2 | ns.del.t. A, ns.del.t. AAAA"},
		{"del.t.", "TXT", "NOERROR |  | del.t. NS*2 | ns.del.t. A, ns.del.t. AAAA"},
		{"x.del.t.", "TXT", "NOERROR |  | del.t. NS*2 | ns.del.t. A, ns.del.t. AAAA"},
		{"ns.del.t.", "A", "NOERROR |  | del.t. NS*2 | ns.del.t. A, ns.del.t. AAAA"},
		{"del.t.", "ANY", "NOERROR |  | del.t. NS*2 | ns.del.t. A, ns.del.t. AAAA"},
		/* the topmost of two */
		{"x.deep.del.t.", "A", "NOERROR |  | del.t. NS*2 | ns.del.t. A, ns.del.t. AAAA"},
		{"deep.del.t.", "DS", "NOERROR |  | del.t. NS*2 | ns.del.t. A, ns.del.t. AAAA"},
		/* glue of a sibling, and a name server with the delegation's own name */
		{"x.sib.t.", "A", "NOERROR |  | sib.t. NS*2 | ns.del.t. A, ns.del.t. AAAA, ns.t. A"},
		{"self.t.", "A", "NOERROR |  | self.t. NS | self.t. A"},
		{"x.empty.t.", "A", "NOERROR |  | empty.t. NS | "},
		{"del.t.", "DS", "NOERROR AA |  | t. SOA | "},
		{"sec.t.", "DS", "NOERROR AA | sec.t. DS |  | "},
		/* what is below a delegation is glue and nothing else */
		{"mx.t.", "MX", "NOERROR AA | mx.t. MX |  | "},
		{"t.", "NS", "NOERROR AA | t. NS*2 |  | ns.del.t. A, ns.del.t. AAAA, ns.t. A"},
		/* the child is here too */
		{"ns.served.t.", "A", "NOERROR AA | ns.served.t. A |  | "},
		{"served.t.", "NS", "NOERROR AA | served.t. NS |  | ns.served.t. A"},
		{"served.t.", "DS", "NOERROR AA |  | t. SOA | "},
		{"x.served.t.", "A", "NXDOMAIN AA |  | served.t. SOA | "},
	};

	(void)state;
	kit_open(zones, ARRAY_LEN(zones));
	expect_rows(rows, ARRAY_LEN(rows));
	kit_close();
}

/* The root zone: every name is below it, and its own name is one octet. */
static void test_root(void **state)
{
	const struct kit_zone zone = {".",
	                              "$TTL 300\n. SOA a. host. 1 2 3 4 60\n. NS a.\n. NS b.\na. A 192.0.2.1\nb. AAAA 2001:db8::1\ncom. NS x.nic.com.\n"
	                              "x.nic.com. A 192.0.2.9\n. MX 0 .\n",
	                              false, 0};
	uint8_t query[300];
	struct engine_result r;
	size_t len;

	(void)state;
	kit_open(&zone, 1);
	kit_expect(".", "NS", 0, "NOERROR AA | . NS*2 |  | a. A, b. AAAA");
	kit_expect(".", "MX", 0, "NOERROR AA | . MX |  | ");
	kit_expect(".", "DS", 0, "NOERROR AA |  | . SOA | ");
	kit_expect("nic.com.", "A", 0, "NOERROR |  | com. NS | x.nic.com. A");
	kit_expect("none.", "A", 0, "NXDOMAIN AA |  | . SOA | ");
	len = kit_query(".", "NS", 0, 0, query, sizeof(query));
	kit_ask(query, len, ENGINE_UDP, 512, &r);
	/* header, question, NS a, NS b, A of a, AAAA of b: owners of one octet or a pointer */
	assert_int_equal(r.len, 12 + 5 + 2 * (1 + 10 + 3) + (2 + 10 + 4) + (2 + 10 + 16));
	kit_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc4592), cmocka_unit_test(test_plain), cmocka_unit_test(test_aliases), cmocka_unit_test(test_dname),
		cmocka_unit_test(test_delegations), cmocka_unit_test(test_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
