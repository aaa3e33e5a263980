/* SPDX-License-Identifier: BSD-2-Clause */
/* Steered answers as clients get them. That each comes from the cache just the same is compared with every question (engine_kit.h); for choices by chance, and while endpoints come and go, here. */
#include "answer/steering.h"

#include "answer/cache.h"
#include "answer/edns.h"
#include "base/text.h"
#include "config/config.h"
#include "engine_kit.h"
#include "steer/set_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- a configuration ---- */

enum { EU, US, NAMES, SHUT, SIX, POOLS };
enum { WEB, DEAF, CHANCE, ALIAS, CLOSED, ONLY_SIX, ONE_FAMILY, POLICIES };

#define V4(d)                                                                                                          \
	{                                                                                                              \
		.family = 4, .bytes = { 192, 0, 2, d }                                                                 \
	}
#define V6(d)                                                                                                          \
	{                                                                                                              \
		.family = 6, .bytes = { 0x20, 1, 0xd, 0xb8, [15] = d }                                                 \
	}
#define AT(n, a)                                                                                                       \
	{                                                                                                              \
		.name = n, .address = a, .weight = 100, .priority = 1                                                  \
	}

static struct config_pool_endpoint eu[] = {AT("a", V4(11)), AT("b", V4(12)), AT("c", V6(0x11))};
static struct config_pool_endpoint us[] = {AT("a", V4(21)), AT("c", V6(0x21))};
static struct config_pool_endpoint names[] = {
	{.name = "t", .target = (const uint8_t *)"\004edge\007example", .weight = 100, .priority = 1}};
static struct config_pool_endpoint shut[] = {AT("a", V4(31)), AT("c", V6(0x31))};
static struct config_pool_endpoint six[] = {AT("c", V6(0x41))};
static struct config_pool pools[POOLS] = {
	[EU] = {.name = "eu", .endpoints = eu, .endpoint_count = 3, .keep = 1, .fallback = UINT32_MAX},
	[US] = {.name = "us", .endpoints = us, .endpoint_count = 2, .keep = 1, .fallback = UINT32_MAX},
	[NAMES] = {.name = "names", .endpoints = names, .endpoint_count = 1, .keep = 1, .fallback = UINT32_MAX},
	[SHUT] = {.name = "shut", .endpoints = shut, .endpoint_count = 2, .keep = 0, .fallback = UINT32_MAX},
	[SIX] = {.name = "six", .endpoints = six, .endpoint_count = 1, .keep = 1, .fallback = UINT32_MAX},
};
static struct ip_prefix american[] = {{.addr = {.family = 4, .bytes = {198, 51, 100}}, .len = 24},
                                      {.addr = {.family = 6, .bytes = {0x20, 1, 0xd, 0xb8, 0x5}}, .len = 40}};
static struct config_steering_rule rules[] = {{.subnets = american, .subnet_count = 2, .pool = US}};
static struct config_steering_rule v4_rules[] = {{.subnets = american, .subnet_count = 1, .pool = US}};
static const uint8_t *web_owners[] = {(const uint8_t *)"\003www\007example",
                                      (const uint8_t *)"\001*\004wild\007example"};
static const uint8_t *alias_owners[] = {(const uint8_t *)"\005alias\007example"};
static struct config_steering steering[POLICIES] = {
	[WEB] = {.name = "web",
                 .owners = web_owners,
                 .owner_count = 2,
                 .rules = rules,
                 .rule_count = 1,
                 .pool = EU,
                 .choose = CONFIG_CHOOSE_ALL,
                 .ttl_ms = 20000,
                 .client_subnet = true},
	[DEAF] = {.name = "deaf",
                  .rules = rules,
                  .rule_count = 1,
                  .pool = EU,
                  .choose = CONFIG_CHOOSE_ALL,
                  .ttl_ms = 900000},
	[CHANCE] = {.name = "chance",
                    .pool = EU,
                    .choose = CONFIG_CHOOSE_WEIGHT,
                    .answers = 1,
                    .ttl_ms = 20000,
                    .client_subnet = true},
	[ALIAS] = {.name = "alias",
                   .owners = alias_owners,
                   .owner_count = 1,
                   .pool = NAMES,
                   .answers = 1,
                   .choose = CONFIG_CHOOSE_STICKY,
                   .ttl_ms = 20000,
                   .client_subnet = true},
	[CLOSED] =
		{.name = "closed", .pool = SHUT, .choose = CONFIG_CHOOSE_ALL, .ttl_ms = 20000, .client_subnet = true},
	[ONLY_SIX] = {.name = "six", .pool = SIX, .choose = CONFIG_CHOOSE_ALL, .ttl_ms = 20000, .client_subnet = true},
	[ONE_FAMILY] = {.name = "one",
                        .rules = v4_rules,
                        .rule_count = 1,
                        .pool = EU,
                        .choose = CONFIG_CHOOSE_ALL,
                        .ttl_ms = 20000,
                        .client_subnet = true},
};
static struct config config = {.pools = pools, .pool_count = POOLS, .steering = steering, .steering_count = POLICIES};
static struct steering *made;

/* ---- zones ---- */

#define HEAD "$TTL 60\n@ SOA ns host 1 2 3 4 600\n@ NS ns\nns A 192.0.2.1\n"
static const char zone[] =
	HEAD "www A 192.0.2.1\nwww AAAA 2001:db8::1\nwww TXT plain\nwww MX 10 www\n*.wild A 192.0.2.1\n"
	     "rec A 192.0.2.1\nrec AAAA 2001:db8::1\nrec STEER \"web\" note\ndeaf A 192.0.2.1\ndeaf STEER deaf\nnobody "
	     "A 192.0.2.1\nnobody STEER nobody\n"
	     "other A 192.0.2.1\nother TYPE65280 \\# 3 090102\nchance A 192.0.2.1\nchance STEER chance\n"
	     "alias CNAME plain\nplain A 192.0.2.1\nedge A 192.0.2.3\ncarried CNAME plain\n_steer.carried STEER "
	     "alias\nto CNAME www\n"
	     "twice CNAME plain\n_steer.twice STEER alias\nclosed A 192.0.2.1\nclosed STEER closed\nviaclosed CNAME "
	     "closed\nsix A 192.0.2.1\nsix AAAA 2001:db8::1\nsix STEER six\n"
	     "one A 192.0.2.1\none STEER one\n";

static void all_up(void)
{
	for (size_t i = 0; i < POOLS; i++)
		atomic_store(&made->up[i], UINT64_MAX);
}

static int set_up(void **state)
{
	static const struct kit_zone plain = {"example", zone, false, 0};

	(void)state;
	kit_open(&plain, 1);
	assert_int_equal(steering_make(&config, NULL, &made), 0);
	kit_conf.steering = made;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	steering_free(made);
	kit_close();
	return 0;
}

/* ---- questions ---- */

/* With a client subnet option; NULL: without. */
static size_t query_of(const char *name, const char *type, unsigned flags, const char *subnet, uint8_t buf[400])
{
	size_t len = kit_query(name, type, flags | KIT_EDNS, 1232, buf, 300), octets;
	uint8_t *at = buf + len;
	struct ip_prefix p;

	if (!subnet)
		return len;
	assert_int_equal(prefix_parse(subnet, &p), 0);
	octets = (p.len + 7U) / 8;
	put_u16(at - 2, (uint16_t)(8 + octets));
	put_u16(at, EDNS_ECS);
	put_u16(at + 2, (uint16_t)(4 + octets));
	put_u16(at + 4, p.addr.family == 4 ? 1 : 2);
	at[6] = p.len;
	at[7] = 0;
	memcpy(at + 8, p.addr.bytes, octets);
	return len + 8 + octets;
}

/* Of the client subnet option of the answer; -1: there is none. */
static int scope_of(const uint8_t *answer, size_t len)
{
	struct message_rr rr;
	struct message m;
	struct name name;
	uint16_t type, class;

	assert_int_equal(message_open(answer, len, &m), 0);
	for (unsigned i = m.header.qdcount; i; i--)
		assert_int_equal(message_question(&m, &name, &type, &class), 0);
	while (message_next(&m, &rr) == 1)
		for (size_t at = 0; rr.type == RR_OPT && at + 4 <= rr.rdlen; at += 4U + get_u16(rr.rdata + at + 2))
			if (get_u16(rr.rdata + at) == EDNS_ECS)
				return rr.rdata[at + 4 + 3];
	return -1;
}

static void expect(const char *name, const char *type, const char *client, const char *subnet, const char *want,
                   int scope)
{
	struct engine_result r;
	uint8_t query[400];
	size_t len = query_of(name, type, 0, subnet, query);

	assert_int_equal(addr_parse(client, &kit_request.client), 0);
	kit_ask(query, len, ENGINE_TCP, DNS_MESSAGE_MAX, &r);
	if (strcmp(kit_records(&r, 1), want) != 0)
		fail_msg("%s %s from %s (%s)\n  got  %s\n  want %s", name, type, client, subnet ? subnet : "-",
		         kit_records(&r, 1), want);
	if (scope_of(kit_out, r.len) != scope)
		fail_msg("%s %s from %s (%s): scope %d, not %d", name, type, client, subnet ? subnet : "-",
		         scope_of(kit_out, r.len), scope);
}

static void test_answers(void **state)
{
	static const char *const here = "192.0.2.200", *const there = "198.51.100.9", *const here6 = "2001:db8:1::1",
				 *const there6 = "2001:db8:500::1";

	(void)state;
	all_up();
	expect("www.example.", "A", here, NULL, "www.example. 20 A 192.0.2.11\nwww.example. 20 A 192.0.2.12\n", -1);
	expect("WWW.example.", "A", here, NULL, "WWW.example. 20 A 192.0.2.11\nWWW.example. 20 A 192.0.2.12\n", -1);
	expect("www.example.", "AAAA", here, NULL, "www.example. 20 AAAA 2001:db8::11\n", -1);
	expect("www.example.", "A", there, NULL, "www.example. 20 A 192.0.2.21\n", -1);
	expect("www.example.", "AAAA", there6, NULL, "www.example. 20 AAAA 2001:db8::21\n", -1);
	/* The option's network, of either family, not who sends it. */
	expect("www.example.", "A", here, "198.51.100.0/24", "www.example. 20 A 192.0.2.21\n", 24);
	expect("www.example.", "A", here6, "198.51.100.0/24", "www.example. 20 A 192.0.2.21\n", 24);
	expect("www.example.", "A", there, "192.0.2.0/24",
	       "www.example. 20 A 192.0.2.11\nwww.example. 20 A 192.0.2.12\n", 6);
	expect("www.example.", "AAAA", here, "2001:db8:500::/40", "www.example. 20 AAAA 2001:db8::21\n", 40);
	/* RFC 7871 7.1.2: nothing of the client. */
	expect("www.example.", "A", there, "0.0.0.0/0", "www.example. 20 A 192.0.2.21\n", 0);
	/* A policy that does not believe it, with a TTL above the zone's. */
	expect("deaf.example.", "A", here, "198.51.100.0/24",
	       "deaf.example. 60 A 192.0.2.11\ndeaf.example. 60 A 192.0.2.12\n", 0);
	expect("deaf.example.", "A", there, "192.0.2.0/24", "deaf.example. 60 A 192.0.2.21\n", 0);
	/* By a record in the zone; by one that names no policy; by one that is none of ours. */
	expect("rec.example.", "A", there, NULL, "rec.example. 20 A 192.0.2.21\n", -1);
	expect("nobody.example.", "A", there, NULL, "nobody.example. 60 A 192.0.2.1\n", -1);
	expect("other.example.", "A", there, NULL, "other.example. 60 A 192.0.2.1\n", -1);
	/* A wildcard; what is not steered; what is not there. */
	expect("x.wild.example.", "A", there, NULL, "x.wild.example. 20 A 192.0.2.21\n", -1);
	expect("ns.example.", "A", there, "198.51.100.0/24", "ns.example. 60 A 192.0.2.1\n", 0);
	expect("www.example.", "TXT", there, "198.51.100.0/24", "www.example. 60 TXT \"plain\"\n", 0);
	expect("x.wild.example.", "AAAA", there, "198.51.100.0/24", "", 0);
	expect("nx.example.", "A", there, "198.51.100.0/24", "", 0);
	/* A pool without addresses of the family leaves the zone's own set. */
	expect("six.example.", "A", there, NULL, "six.example. 60 A 192.0.2.1\n", -1);
	expect("six.example.", "AAAA", there, NULL, "six.example. 20 AAAA 2001:db8::41\n", -1);
}

/* RFC 7871 7.3: an answer of scope 0 is for clients of both families, and here only one of them is asked about. */
static void test_scope_of_a_family(void **state)
{
	static const char *const here = "192.0.2.200", eu_text[] = "one.example. 20 A 192.0.2.11\none.example. 20 A 192.0.2.12\n";

	(void)state;
	all_up();
	expect("one.example.", "A", here, "198.51.100.0/24", "one.example. 20 A 192.0.2.21\n", 24);
	expect("one.example.", "A", here, "10.0.0.0/8", eu_text, 1);
	expect("one.example.", "A", here, "2001:db8::/32", eu_text, 1);
	expect("one.example.", "A", here, "::/0", eu_text, 0); /* it says nothing: who asks counts, and no scope */
}

static void test_aliases(void **state)
{
	(void)state;
	all_up();
	expect("alias.example.", "A", "192.0.2.200", NULL,
	       "alias.example. 20 CNAME edge.example.\nedge.example. 60 A 192.0.2.3\n", -1);
	expect("alias.example.", "CNAME", "192.0.2.200", NULL, "alias.example. 20 CNAME edge.example.\n", -1);
	expect("carried.example.", "A", "192.0.2.200", NULL,
	       "carried.example. 20 CNAME edge.example.\nedge.example. 60 A 192.0.2.3\n", -1);
	/* To a name that is steered. */
	expect("to.example.", "A", "198.51.100.9", NULL,
	       "to.example. 60 CNAME www.example.\nwww.example. 20 A 192.0.2.21\n", -1);
	/* QTYPE ANY, and addresses beside another answer, are the zone's own. */
	kit_expect("www.example.", "MX", 0, "NOERROR AA | www.example. MX |  | www.example. A, www.example. AAAA");
	expect("www.example.", "ANY", "198.51.100.9", NULL, "www.example. 60 A 192.0.2.1\n", -1);
}

static void test_closed(void **state)
{
	struct engine_result r;
	uint8_t query[400];

	(void)state;
	all_up();
	expect("closed.example.", "A", "192.0.2.200", NULL, "closed.example. 20 A 192.0.2.31\n", -1);
	atomic_store(&made->up[SHUT], 0);
	kit_ask(query, query_of("closed.example.", "A", 0, NULL, query), ENGINE_UDP, 1232, &r);
	assert_string_equal(kit_text(&r), "SERVFAIL |  |  | ");
	assert_int_equal(r.ede, EDE_OTHER);
	assert_true(r.steered);
	assert_int_equal(r.policy, CLOSED);
	kit_ask(query, query_of("viaclosed.example.", "AAAA", 0, NULL, query), ENGINE_UDP, 1232, &r);
	assert_string_equal(kit_text(&r), "NOERROR AA | viaclosed.example. CNAME | example. SOA | ");
	kit_ask(query, query_of("viaclosed.example.", "A", 0, NULL, query), ENGINE_UDP, 1232, &r);
	assert_string_equal(kit_text(&r), "SERVFAIL |  |  | ");
	/* One is up again: at once, whatever was kept. */
	atomic_store(&made->up[SHUT], 1);
	expect("closed.example.", "A", "192.0.2.200", NULL, "closed.example. 20 A 192.0.2.31\n", -1);
}

/* ---- signed ---- */

static void add_variant_of(struct text *t, const char *owner, const char *type_text, const char *const *rdatas,
                           size_t count, uint32_t ttl, const char *signature, const char *end, const char *begin)
{
	struct steer_rdata set[4];
	uint8_t octets[4][64], hash[STEER_SET_HASH_LEN];
	struct rdata_problem why;
	uint16_t type;

	assert_int_equal(rrtype_from_text(type_text, strlen(type_text), &type), 0);
	for (size_t i = 0; i < count; i++) {
		struct writer w = writer_of(octets[i], sizeof(octets[i]));

		assert_int_equal(rdata_from_string(type, rdatas[i], (const uint8_t *)"", &w, &why), 0);
		rdata_canonical(type, octets[i], w.pos);
		set[i] = (struct steer_rdata){octets[i], (uint16_t)w.pos};
	}
	steer_set_hash(type, set, count, hash);
	text_fmt(t, "%s VARIANT ", owner);
	for (size_t i = 0; i < sizeof(hash); i++)
		text_fmt(t, "%02x", hash[i]);
	text_fmt(t, " %s 13 2 %u %s %s 1 example. %s\n", type_text, ttl, end, begin, signature);
}

static void add_variant(struct text *t, const char *owner, const char *type_text, const char *const *rdatas,
                        size_t count, uint32_t ttl, const char *signature)
{
	add_variant_of(t, owner, type_text, rdatas, count, ttl, signature, "20300101000000", "20200101000000");
}

static void ask_signed(const char *name, const char *type, const char *client, const char *want, bool without)
{
	struct engine_result r;
	uint8_t query[400];

	assert_int_equal(addr_parse(client, &kit_request.client), 0);
	kit_ask(query, query_of(name, type, KIT_DO, NULL, query), ENGINE_TCP, DNS_MESSAGE_MAX, &r);
	if (strcmp(kit_records(&r, 1), want) != 0)
		fail_msg("%s %s from %s\n  got  %s\n  want %s", name, type, client, kit_records(&r, 1), want);
	assert_int_equal(r.unsigned_choice, without);
}

static void test_signed(void **state)
{
	static const char *const both[] = {"192.0.2.12", "192.0.2.11"}, *const two[] = {"192.0.2.12"},
				 *const edge[] = {"EDGE.example."};
	struct kit_zone changed = {"example", NULL, true, 0};
	struct engine_result r;
	uint8_t query[400];
	struct text t;

	(void)state;
	all_up();
	text_init(&t);
	text_str(&t, zone);
	text_str(&t, "@ DNSKEY 257 3 13 aGVsbG8=\n@ NSEC ns A\n");
	add_variant(&t, "www", "A", both, 2, 20, "Ym90aA==");
	add_variant(&t, "www", "A", both, 2, 20, "b3RoZXI=");
	add_variant(&t, "www", "A", two, 1, 15, "dHdv");
	add_variant(&t, "*.wild", "A", both, 2, 20, "d2lsZA==");
	add_variant(&t, "_steer.alias", "CNAME", edge, 1, 20, "ZWRnZQ==");
	changed.text = t.chars;
	kit_change(&changed, 1);
	/* Without DO the choice goes out as it is. */
	expect("www.example.", "A", "198.51.100.9", NULL, "www.example. 20 A 192.0.2.21\n", -1);
	/* All signatures of the set, of two keys. */
	kit_ask(query, query_of("www.example.", "A", KIT_DO, NULL, query), ENGINE_TCP, DNS_MESSAGE_MAX, &r);
	ask_signed("www.example.", "A", "192.0.2.200",
	           "www.example. 20 A 192.0.2.11\nwww.example. 20 A 192.0.2.12\n"
	           "www.example. 20 RRSIG A 13 2 20 20300101000000 20200101000000 1 example. Ym90aA==\n"
	           "www.example. 20 RRSIG A 13 2 20 20300101000000 20200101000000 1 example. b3RoZXI=\n",
	           false);
	/* Never above the TTL that was signed. */
	atomic_store(&made->up[EU], 2);
	ask_signed("www.example.", "A", "192.0.2.200",
	           "www.example. 15 A 192.0.2.12\nwww.example. 15 RRSIG A 13 2 15 20300101000000 20200101000000 1 "
	           "example. dHdv\n",
	           false);
	/* A choice without a signature: the zone's own set with its own. */
	atomic_store(&made->up[EU], 1);
	kit_ask(query, query_of("www.example.", "A", KIT_DO, NULL, query), ENGINE_TCP, DNS_MESSAGE_MAX, &r);
	assert_true(r.steered && r.unsigned_choice);
	kit_expect("www.example.", "A", KIT_DO, "NOERROR AA | www.example. A+ |  | ");
	assert_non_null(strstr(kit_records(&r, 1), "www.example. 60 A 192.0.2.1\n"));
	all_up();
	kit_expect("x.wild.example.", "A", KIT_DO, "NOERROR AA | x.wild.example. A+*2 | example. NSEC+ | ");
	kit_expect("alias.example.", "A", KIT_DO, "NOERROR AA | alias.example. CNAME+, edge.example. A+ |  | ");
	/* Denial is as ever. */
	kit_expect("x.wild.example.", "AAAA", KIT_DO, "NOERROR AA |  | example. NSEC+, example. SOA+ | ");
	text_done(&t);
	changed = (struct kit_zone){"example", zone, false, 0};
	kit_change(&changed, 1);
}

static void change_signed(const struct text *t)
{
	const struct kit_zone changed = {"example", t->chars, true, 0};

	kit_change(&changed, 1);
}

static void change_back(void)
{
	const struct kit_zone changed = {"example", zone, false, 0};

	kit_change(&changed, 1);
}

#define SIGNED_HEAD "@ DNSKEY 257 3 13 aGVsbG8=\n@ NSEC ns A\n"

/* What has ended, or not begun, is left out; where nothing else is left the zone's own set is given, but for a clock by which that has ended as well. */
static void test_signatures_end(void **state)
{
	static const char *const both[] = {"192.0.2.11", "192.0.2.12"}, *const here = "192.0.2.200";
	static const char good[] = "www.example. 18 A 192.0.2.11\nwww.example. 18 A 192.0.2.12\n"
				   "www.example. 18 RRSIG A 13 2 18 20231120000000 20231101000000 1 example. Z29vZA==\n";
	static const char late[] = "www.example. 9 A 192.0.2.11\nwww.example. 9 A 192.0.2.12\n"
				   "www.example. 9 RRSIG A 13 2 9 20240201000000 20231118000000 1 example. bGF0ZQ==\n";
	const uint32_t now = kit_request.now_s;
	static struct engine_scratch scratch;
	static uint8_t out[DNS_MESSAGE_MAX];
	struct store_snapshot snapshot;
	struct engine_result r;
	uint8_t query[400];
	struct text t;

	(void)state;
	all_up();
	text_init(&t);
	text_str(&t, zone);
	text_str(&t, SIGNED_HEAD);
	add_variant_of(&t, "www", "A", both, 2, 15, "b2xkZQ==", "20231114000000", "20231101000000");
	add_variant_of(&t, "www", "A", both, 2, 18, "Z29vZA==", "20231120000000", "20231101000000");
	add_variant_of(&t, "www", "A", both, 2, 9, "bGF0ZQ==", "20240201000000", "20231118000000");
	change_signed(&t);
	ask_signed("www.example.", "A", here, good, false); /* 2023-11-14 22:13 */
	kit_request.now_s = 1700524800;                     /* 2023-11-21: they came and went */
	ask_signed("www.example.", "A", here, late, false);
	kit_request.now_s = 1710000000; /* 2024-03: none is left */
	kit_ask(query, query_of("www.example.", "A", KIT_DO, NULL, query), ENGINE_TCP, DNS_MESSAGE_MAX, &r);
	assert_true(r.unsigned_choice);
	kit_expect("www.example.", "A", KIT_DO, "NOERROR AA | www.example. A+ |  | ");
	kit_request.now_s = 100; /* 1970: nor has the zone's own set one */
	kit_expect("www.example.", "A", KIT_DO, "NOERROR AA | www.example. A+*2 |  | ");

	/* What is kept ends with them. */
	kit_request.len = query_of("www.example.", "A", KIT_DO, NULL, query);
	kit_request.msg = query;
	assert_int_equal(cache_new(CACHE_OCTETS_MIN, &scratch.cache), 0);
	kit_pin(&snapshot);
	for (int round = 0; round < 3; round++) {
		/* Nothing to do; 2023-11-18; back before all that is known. */
		static const uint32_t then[] = {1700006400, 1700265600, 1690000000};

		kit_request.now_s = now;
		for (int i = 0; i < 4; i++)
			engine_answer(&kit_conf, &snapshot, &scratch, &kit_request, out, sizeof(out), &r);
		assert_true(r.cached && !r.unsigned_choice);
		kit_request.now_s = then[round];
		cache_tick(scratch.cache, then[round]);
		engine_answer(&kit_conf, &snapshot, &scratch, &kit_request, out, sizeof(out), &r);
		assert_int_equal(r.cached, round == 0);
		assert_int_equal(r.unsigned_choice, round == 2);
	}
	kit_unpin();
	cache_free(scratch.cache);
	kit_request.now_s = now;
	text_done(&t);
	change_back();
}

static void put_record(struct text *t, const uint8_t *rdata, size_t len)
{
	text_fmt(t, "www TYPE65281 \\# %zu ", len);
	for (size_t i = 0; i < len; i++)
		text_fmt(t, "%02x", rdata[i]);
	text_str(t, "\n");
}

/* VARIANT records whose lengths add up as if they were one length, and which hold, where halving looks, what looks like records: one of them is said to go far beyond the last. */
static void test_crafted_variants(void **state)
{
	enum { RECORDS = 8, LEN = 100, STEP = 2 + LEN, SHORT = RECORDS - 2, BEYOND = 40000, LONG = (RECORDS - 1) * STEP - 2 - SHORT * 3 };
	static const uint8_t address[2][4] = {{192, 0, 2, 11}, {192, 0, 2, 12}};
	static uint8_t first[LEN], crafted[LONG];
	struct steer_rdata set[] = {{address[0], 4}, {address[1], 4}};
	uint8_t hash[STEER_SET_HASH_LEN], query[400], *at;
	struct engine_result r;
	struct text t;

	(void)state;
	all_up();
	steer_set_hash(RR_A, set, 2, hash);
	crafted[0] = 1;
	at = crafted - STEP - 2; /* of the second record: places in the set */
	put_u16(at + (size_t)4 * STEP, LEN);
	put_u16(at + (size_t)5 * STEP, LEN);
	put_u16(at + (size_t)6 * STEP, LEN);
	memcpy(at + (size_t)6 * STEP + 2, hash, sizeof(hash));
	put_u16(at + (size_t)7 * STEP, BEYOND);
	memcpy(at + (size_t)7 * STEP + 2, hash, sizeof(hash));
	at += (size_t)7 * STEP + 2 + sizeof(hash);
	put_u16(at, RR_A);
	at[2] = 13;
	at[3] = 2;
	put_u32(at + 8, 0x70000000);
	put_u32(at + 12, 0x50000000);
	memcpy(at + 18, "\7example", 9);
	text_init(&t);
	text_str(&t, zone);
	text_str(&t, SIGNED_HEAD);
	put_record(&t, first, sizeof(first));
	put_record(&t, crafted, sizeof(crafted));
	for (uint8_t i = 2; i < RECORDS; i++)
		put_record(&t, &i, 1);
	change_signed(&t);
	assert_int_equal(addr_parse("192.0.2.200", &kit_request.client), 0);
	kit_ask(query, query_of("www.example.", "A", KIT_DO, NULL, query), ENGINE_TCP, DNS_MESSAGE_MAX, &r);
	assert_true(r.unsigned_choice);
	kit_expect("www.example.", "A", KIT_DO, "NOERROR AA | www.example. A+ |  | ");
	text_done(&t);
	change_back();
}

/* ---- the twin ---- */

/* Random clients, subnets and health, choices by chance included: with a cache and without, the same octets. */
static void test_cache_twin(void **state)
{
	static const char *const asked[] = {"www.example.",    "deaf.example.",   "chance.example.",
	                                    "alias.example.",  "closed.example.", "to.example.",
	                                    "x.wild.example.", "six.example.",    "rec.example."};
	static struct engine_scratch plain, cached;
	static uint8_t out[2][DNS_MESSAGE_MAX];
	unsigned hits = 0, steered = 0, by_chance[2] = {0};
	struct store_snapshot s;

	(void)state;
	srandom(20261121);
	assert_int_equal(cache_new(CACHE_OCTETS_MIN, &cached.cache), 0);
	plain.dice = cached.dice = 42;
	kit_pin(&s);
	for (unsigned i = 0; i < 10000; i++) {
		const char *name = asked[(unsigned)random() % ARRAY_LEN(asked)];
		struct engine_request request = kit_request;
		struct engine_result r[2];
		char subnet[64];
		uint8_t query[400];

		if (random() % 10 == 0)
			atomic_store(&made->up[random() % POOLS], (uint64_t)random() & 7);
		if (random() % 2)
			snprintf(subnet, sizeof(subnet), "%s", random() % 2 ? "198.51.100.0/24" : "192.0.2.0/25");
		else
			snprintf(subnet, sizeof(subnet), "2001:db8:%lx00::/40", random() % 8);
		request.client =
			random() % 2
				? (struct ip_addr){.family = 4,
		                                   .bytes = {198, 51, (uint8_t)(random() % 2 ? 100 : 99), 1}}
				: (struct ip_addr){.family = 6, .bytes = {0x20, 1, 0xd, 0xb8, (uint8_t)(random() % 8)}};
		request.msg = query;
		request.len = query_of(name, random() % 2 ? "A" : "AAAA", random() % 2 ? KIT_DO : 0,
		                       random() % 3 ? subnet : NULL, query);
		request.transport = ENGINE_UDP;
		engine_answer(&kit_conf, &s, &plain, &request, out[0], 1232, &r[0]);
		engine_answer(&kit_conf, &s, &cached, &request, out[1], 1232, &r[1]);
		assert_int_equal(r[0].len, r[1].len);
		assert_memory_equal(out[0], out[1], r[0].len);
		assert_int_equal(r[0].rcode, r[1].rcode);
		assert_int_equal(r[0].kind, r[1].kind);
		assert_int_equal(r[0].steered, r[1].steered);
		assert_false(r[1].steered && r[1].keepable);
		if (r[0].steered) {
			assert_int_equal(r[0].policy, r[1].policy);
			assert_int_equal(r[0].pool, r[1].pool);
			assert_int_equal(r[0].unsigned_choice, r[1].unsigned_choice);
			steered++;
			hits += r[1].cached;
		}
		if (r[0].steered && r[0].policy == CHANCE && r[0].rcode == RCODE_NOERROR && out[0][7] == 1 &&
		    r[0].qtype == RR_A)
			by_chance[out[0][DNS_HEADER_LEN + 16 + 4 + 12 + 3] == 12]++;
	}
	kit_unpin();
	cache_free(cached.cache);
	all_up();
	assert_true(steered > 7000);
	assert_true(hits * 2 > steered);
	assert_true(by_chance[0] > 50 && by_chance[1] > 50);
}

/* A policy's answers come from no cache of the kernel's, and go with their zone's version. */
static void test_kept_answers_end(void **state)
{
	static const struct kit_zone moved = {"example", HEAD "www A 192.0.2.1\n", false, 0},
				     back = {"example", zone, false, 0};

	(void)state;
	all_up();
	expect("rec.example.", "A", "198.51.100.9", NULL, "rec.example. 20 A 192.0.2.21\n", -1);
	kit_change(&moved, 1);
	expect("rec.example.", "A", "198.51.100.9", NULL, "", -1);
	kit_change(&back, 1);
	expect("rec.example.", "A", "198.51.100.9", NULL, "rec.example. 20 A 192.0.2.21\n", -1);
	kit_conf.steering = NULL;
	expect("rec.example.", "A", "198.51.100.9", "198.51.100.0/24", "rec.example. 60 A 192.0.2.1\n", 0);
	kit_conf.steering = made;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers), cmocka_unit_test(test_scope_of_a_family),    cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_closed),     cmocka_unit_test(test_signed),
		cmocka_unit_test(test_signatures_end), cmocka_unit_test(test_crafted_variants),
		cmocka_unit_test(test_cache_twin), cmocka_unit_test(test_kept_answers_end),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
