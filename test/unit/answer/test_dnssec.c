/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers to questions with DO: the examples of RFC 4035 appendix B and RFC 5155 appendix B over their zones, then what these leave out. Answers
 * here are minimal: no NS in the authority section of positive ones, where the examples have it. */
#include "engine_kit.h"

#include "answer/nsec3_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS "@ DNSKEY 256 3 13 aGVsbG8=\n@ DNSKEY 257 3 13 aGVsbG8=\n"

/* RFC 4035 appendix A */
static const char nsec_zone[] =
	"$TTL 3600\n@ SOA ns1 bugs.x.w 1081539377 3600 300 3600000 3600\n@ NS ns1\n@ NS ns2\n@ MX 1 xx\n" KEYS
	"@ NSEC a NS SOA MX RRSIG NSEC DNSKEY\n"
	"a NS ns1.a\na NS ns2.a\na DS 57855 5 1 B6DCD485719ADCA18E5F3D48A2331627FDD3636B\na NSEC ai NS DS RRSIG NSEC\n"
	"ns1.a A 192.0.2.5\nns2.a A 192.0.2.6\n"
	"ai A 192.0.2.9\nai HINFO KLH-10 ITS\nai AAAA 2001:db8::f00:baa9\nai NSEC b A HINFO AAAA RRSIG NSEC\n"
	"b NS ns1.b\nb NS ns2.b\nb NSEC ns1 NS RRSIG NSEC\nns1.b A 192.0.2.7\nns2.b A 192.0.2.8\n"
	"ns1 A 192.0.2.1\nns1 NSEC ns2 A RRSIG NSEC\nns2 A 192.0.2.2\nns2 NSEC *.w A RRSIG NSEC\n"
	"*.w MX 1 ai\n*.w NSEC x.w MX RRSIG NSEC\nx.w MX 1 xx\nx.w NSEC x.y.w MX RRSIG NSEC\n"
	"x.y.w MX 1 xx\nx.y.w NSEC xx MX RRSIG NSEC\n"
	"xx A 192.0.2.10\nxx HINFO KLH-10 TOPS-20\nxx AAAA 2001:db8::f00:baaa\nxx NSEC @ A HINFO AAAA RRSIG NSEC\n";

/* RFC 5155 appendix A: opt-out, 12 iterations, salt aabbccdd. One hashed owner name has an address of its own. */
static const char nsec3_zone[] =
	"$TTL 3600\n@ SOA ns1 bugs.x.w 1 3600 300 3600000 3600\n@ NS ns1\n@ NS ns2\n@ MX 1 xx\n" KEYS "@ NSEC3PARAM 1 0 12 aabbccdd\n"
	"a NS ns1.a\na NS ns2.a\na DS 58470 5 1 3079F1593EBAD6DC121E202A8B766A6A4837206C\nns1.a A 192.0.2.5\nns2.a A 192.0.2.6\n"
	"ai A 192.0.2.9\nai HINFO KLH-10 ITS\nai AAAA 2001:db8::f00:baa9\nc NS ns1.c\nc NS ns2.c\nns1.c A 192.0.2.7\nns2.c A 192.0.2.8\n"
	"ns1 A 192.0.2.1\nns2 A 192.0.2.2\n*.w MX 1 ai\nx.w MX 1 xx\nx.y.w MX 1 xx\nxx A 192.0.2.10\nxx HINFO KLH-10 TOPS-20\n"
	"xx AAAA 2001:db8::f00:baaa\n2t7b4g4vsa5smi47k61mv5bv1a22bojr A 192.0.2.127\n"
#define CHAIN(owner, next, types) owner " NSEC3 1 1 12 aabbccdd " next " " types "\n"
	CHAIN("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", "2t7b4g4vsa5smi47k61mv5bv1a22bojr", "MX DNSKEY NS SOA NSEC3PARAM RRSIG")
	CHAIN("2t7b4g4vsa5smi47k61mv5bv1a22bojr", "2vptu5timamqttgl4luu9kg21e0aor3s", "A RRSIG")
	CHAIN("2vptu5timamqttgl4luu9kg21e0aor3s", "35mthgpgcu1qg68fab165klnsnk3dpvl", "MX RRSIG")
	CHAIN("35mthgpgcu1qg68fab165klnsnk3dpvl", "b4um86eghhds6nea196smvmlo4ors995", "NS DS RRSIG")
	CHAIN("b4um86eghhds6nea196smvmlo4ors995", "gjeqe526plbf1g8mklp59enfd789njgi", "MX RRSIG")
	CHAIN("gjeqe526plbf1g8mklp59enfd789njgi", "ji6neoaepv8b5o6k4ev33abha8ht9fgc", "HINFO A AAAA RRSIG")
	CHAIN("ji6neoaepv8b5o6k4ev33abha8ht9fgc", "k8udemvp1j2f7eg6jebps17vp3n8i58h", "")
	CHAIN("k8udemvp1j2f7eg6jebps17vp3n8i58h", "kohar7mbb8dc2ce8a9qvl8hon4k53uhi", "")
	CHAIN("kohar7mbb8dc2ce8a9qvl8hon4k53uhi", "q04jkcevqvmu85r014c7dkba38o0ji5r", "A RRSIG")
	CHAIN("q04jkcevqvmu85r014c7dkba38o0ji5r", "r53bq7cc2uvmubfu5ocmm6pers9tk9en", "A RRSIG")
	CHAIN("r53bq7cc2uvmubfu5ocmm6pers9tk9en", "t644ebqk9bibcna874givr6joj62mlhv", "MX RRSIG")
	CHAIN("t644ebqk9bibcna874givr6joj62mlhv", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", "HINFO A AAAA RRSIG");

static const struct row {
	const char *name, *type, *want;
} nsec_rows[] = {
	/* B.1 to B.8 */
	{"x.w.example.", "MX", "NOERROR AA | x.w.example. MX+ |  | xx.example. A+, xx.example. AAAA+"},
	{"ml.example.", "A", "NXDOMAIN AA |  | b.example. NSEC+, example. NSEC+, example. SOA+ | "},
	{"ns1.example.", "MX", "NOERROR AA |  | example. SOA+, ns1.example. NSEC+ | "},
	{"mc.a.example.", "MX", "NOERROR |  | a.example. DS+, a.example. NS*2 | ns1.a.example. A, ns2.a.example. A"},
	{"mc.b.example.", "MX", "NOERROR |  | b.example. NS*2, b.example. NSEC+ | ns1.b.example. A, ns2.b.example. A"},
	{"a.z.w.example.", "MX", "NOERROR AA | a.z.w.example. MX+ | x.y.w.example. NSEC+ | ai.example. A+, ai.example. AAAA+"},
	{"a.z.w.example.", "AAAA", "NOERROR AA |  | *.w.example. NSEC+, example. SOA+, x.y.w.example. NSEC+ | "},
	{"example.", "DS", "NOERROR AA |  | example. NSEC+, example. SOA+ | "},
	/* an empty non-terminal: the NSEC before it spans it (RFC 4035 3.1.3.1, RFC 4592 2.2.2) */
	{"y.w.example.", "A", "NOERROR AA |  | example. SOA+, x.w.example. NSEC+ | "},
	{"w.example.", "A", "NOERROR AA |  | example. SOA+, ns2.example. NSEC+ | "},
	/* the NSEC of the last name spans what comes after it and, here, the wildcard too */
	{"zz.example.", "A", "NXDOMAIN AA |  | example. NSEC+, example. SOA+, xx.example. NSEC+ | "},
	/* one NSEC denies the name and the wildcard: it is there once */
	{"0.example.", "A", "NXDOMAIN AA |  | example. NSEC+, example. SOA+ | "},
	{"a.example.", "DS", "NOERROR AA | a.example. DS+ |  | "},
	{"b.example.", "DS", "NOERROR AA |  | b.example. NSEC+, example. SOA+ | "},
	{"a.example.", "NSEC", "NOERROR |  | a.example. DS+, a.example. NS*2 | ns1.a.example. A, ns2.a.example. A"},
	{"ns1.a.example.", "A", "NOERROR |  | a.example. DS+, a.example. NS*2 | ns1.a.example. A, ns2.a.example. A"},
	{"ai.example.", "NSEC", "NOERROR AA | ai.example. NSEC+ |  | "},
	{"q.w.example.", "NSEC", "NOERROR AA | q.w.example. NSEC+ | *.w.example. NSEC+ | "},
	{"*.w.example.", "A", "NOERROR AA |  | *.w.example. NSEC+, example. SOA+ | "},
	{"xx.example.", "RRSIG", "NOERROR AA | xx.example. A+*0, xx.example. AAAA+*0, xx.example. HINFO+*0, xx.example. NSEC+*0 |  | "},
	{"a.z.w.example.", "RRSIG", "NOERROR AA | a.z.w.example. MX+*0, a.z.w.example. NSEC+*0 | x.y.w.example. NSEC+ | "},
	{"xx.example.", "ANY", "NOERROR AA | xx.example. A+ |  | "},
	{"example.", "DNSKEY", "NOERROR AA | example. DNSKEY+*2 |  | "},
}, nsec3_rows[] = {
#define H(x) x ".example. NSEC3+"
#define SOA "example. SOA+"
#define APEX H("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom")
	/* B.1, B.2, B.2.1, B.3 to B.6 */
	{"a.c.x.w.example.", "A",
	 "NXDOMAIN AA |  | " APEX ", " H("35mthgpgcu1qg68fab165klnsnk3dpvl") ", " H("b4um86eghhds6nea196smvmlo4ors995") ", " SOA " | "},
	{"ns1.example.", "MX", "NOERROR AA |  | " H("2t7b4g4vsa5smi47k61mv5bv1a22bojr") ", " SOA " | "},
	{"y.w.example.", "A", "NOERROR AA |  | " SOA ", " H("ji6neoaepv8b5o6k4ev33abha8ht9fgc") " | "},
	{"mc.c.example.", "MX",
	 "NOERROR |  | " APEX ", " H("35mthgpgcu1qg68fab165klnsnk3dpvl") ", c.example. NS*2 | ns1.c.example. A, ns2.c.example. A"},
	{"a.z.w.example.", "MX",
	 "NOERROR AA | a.z.w.example. MX+ | " H("q04jkcevqvmu85r014c7dkba38o0ji5r") " | ai.example. A+, ai.example. AAAA+"},
	{"a.z.w.example.", "AAAA",
	 "NOERROR AA |  | " SOA ", " H("k8udemvp1j2f7eg6jebps17vp3n8i58h") ", " H("q04jkcevqvmu85r014c7dkba38o0ji5r") ", "
	 H("r53bq7cc2uvmubfu5ocmm6pers9tk9en") " | "},
	{"example.", "DS", "NOERROR AA |  | " APEX ", " SOA " | "},
	/* a signed delegation, and no DS at one that opt-out left out of the chain */
	{"mc.a.example.", "MX", "NOERROR |  | a.example. DS+, a.example. NS*2 | ns1.a.example. A, ns2.a.example. A"},
	{"c.example.", "DS", "NOERROR AA |  | " APEX ", " H("35mthgpgcu1qg68fab165klnsnk3dpvl") ", " SOA " | "},
	{"a.example.", "DS", "NOERROR AA | a.example. DS+ |  | "},
	/* 7.2.8: the owner names of NSEC3 do not exist; the one with an address does, without its NSEC3 */
	{"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example.", "NSEC3",
	 "NXDOMAIN AA |  | " APEX ", " SOA ", " H("gjeqe526plbf1g8mklp59enfd789njgi") ", " H("q04jkcevqvmu85r014c7dkba38o0ji5r") " | "},
	{"2t7b4g4vsa5smi47k61mv5bv1a22bojr.example.", "A", "NOERROR AA | 2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. A+ |  | "},
	{"2t7b4g4vsa5smi47k61mv5bv1a22bojr.example.", "NSEC3",
	 "NOERROR AA |  | " SOA ", " H("kohar7mbb8dc2ce8a9qvl8hon4k53uhi") " | "},
};

static void expect_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		kit_expect(rows[i].name, rows[i].type, KIT_DO, rows[i].want);
}

static void test_rfc4035_appendix_b(void **state)
{
	const struct kit_zone zone = {"example", nsec_zone, true, 0};

	(void)state;
	kit_open(&zone, 1);
	expect_rows(nsec_rows, ARRAY_LEN(nsec_rows));
	kit_close();
}

static void test_rfc5155_appendix_b(void **state)
{
	const struct kit_zone zone = {"example", nsec3_zone, true, 0};

	(void)state;
	kit_open(&zone, 1);
	expect_rows(nsec3_rows, ARRAY_LEN(nsec3_rows));
	kit_close();
}

/* Without DO no record of DNSSEC comes unasked (RFC 4035 3.1). */
static void test_without_do(void **state)
{
	const struct kit_zone zones[] = {{"example", nsec_zone, true, 0}};
	const struct row rows[] = {
		{"x.w.example.", "MX", "NOERROR AA | x.w.example. MX |  | xx.example. A, xx.example. AAAA"},
		{"ml.example.", "A", "NXDOMAIN AA |  | example. SOA | "},
		{"mc.a.example.", "MX", "NOERROR |  | a.example. NS*2 | ns1.a.example. A, ns2.a.example. A"},
		{"a.z.w.example.", "MX", "NOERROR AA | a.z.w.example. MX |  | ai.example. A, ai.example. AAAA"},
		{"example.", "DS", "NOERROR AA |  | example. SOA | "},
		{"example.", "NSEC", "NOERROR AA | example. NSEC |  | "},
		{"b.example.", "RRSIG", "NOERROR |  | b.example. NS*2 | ns1.b.example. A, ns2.b.example. A"},
		{"ai.example.", "RRSIG", "NOERROR AA | ai.example. A+*0, ai.example. AAAA+*0, ai.example. HINFO+*0, ai.example. NSEC+*0 |  | "},
	};

	(void)state;
	kit_open(zones, 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		kit_expect(rows[i].name, rows[i].type, 0, rows[i].want);
		kit_expect(rows[i].name, rows[i].type, KIT_EDNS, rows[i].want);
	}
	kit_close();
}

static void owner_of_hash(const uint8_t hash[20], char text[33])
{
	for (unsigned i = 0; i < 32; i++) {
		unsigned bit = i * 5, v = (unsigned)hash[bit / 8] << 8 | (bit / 8 + 1 < 20 ? hash[bit / 8 + 1] : 0U);

		text[i] = "0123456789abcdefghijklmnopqrstuv"[v >> (11 - bit % 8) & 31];
	}
	text[32] = '\0';
}

static void test_hashes(void **state)
{
	/* RFC 5155 appendix A */
	static const struct {
		const char *name, *hash;
	} rows[] = {
		{"example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"}, {"a.example.", "35mthgpgcu1qg68fab165klnsnk3dpvl"},
		{"AI.Example.", "gjeqe526plbf1g8mklp59enfd789njgi"}, {"ns1.example.", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"},
		{"*.w.example.", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"}, {"x.y.w.example.", "2vptu5timamqttgl4luu9kg21e0aor3s"},
		{"2t7b4g4vsa5smi47k61mv5bv1a22bojr.example.", "kohar7mbb8dc2ce8a9qvl8hon4k53uhi"},
	};
	struct store_nsec3_params p = {.in_use = 1, .algorithm = 1, .iterations = 12, .salt_len = 4, .salt = {0xaa, 0xbb, 0xcc, 0xdd}};
	uint8_t hash[20];
	struct name name;
	char text[33];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(name_from_text(rows[i].name, strlen(rows[i].name), NULL, &name), 0);
		assert_int_equal(nsec3_hash(&p, name.wire, hash), 0);
		owner_of_hash(hash, text);
		assert_string_equal(text, rows[i].hash);
	}
	p.iterations = NSEC3_ITERATIONS_MAX;
	assert_int_equal(nsec3_hash(&p, name.wire, hash), 0);
	p.iterations++;
	assert_true(nsec3_hash(&p, name.wire, hash) < 0);
	p = (struct store_nsec3_params){.in_use = 1, .algorithm = 2};
	assert_true(nsec3_hash(&p, name.wire, hash) < 0);
}

/* Parameters that are not ours to compute: answers as from an unsigned zone, with the signatures there are. */
static void test_too_many_iterations(void **state)
{
	const struct kit_zone zone = {"example",
	                              "$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns.test.\n" KEYS "@ NSEC3PARAM 1 0 501 -\n"
	                              "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0 501 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NS SOA\n",
	                              true, 0};

	(void)state;
	kit_open(&zone, 1);
	kit_expect("no.example.", "A", KIT_DO, "NXDOMAIN AA |  | example. SOA+ | ");
	kit_expect("example.", "A", KIT_DO, "NOERROR AA |  | example. SOA+ | ");
	kit_close();
}

/* A chain for the names given, every one with its types; the hashes are computed here. salt -, no extra iterations. */
struct link {
	const char *name, *types;
	char hash[33];
};

static int order_links(const void *a, const void *b)
{
	return strcmp(((const struct link *)a)->hash, ((const struct link *)b)->hash);
}

static void chain_text(struct link *links, size_t n, unsigned flags, struct text *out)
{
	const struct store_nsec3_params p = {.in_use = 1, .algorithm = 1};
	struct name name;
	uint8_t hash[20];

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(name_from_text(links[i].name, strlen(links[i].name), NULL, &name), 0);
		assert_int_equal(nsec3_hash(&p, name.wire, hash), 0);
		owner_of_hash(hash, links[i].hash);
	}
	qsort(links, n, sizeof(*links), order_links);
	for (size_t i = 0; i < n; i++)
		text_fmt(out, "%s NSEC3 1 %u 0 - %s %s\n", links[i].hash, flags, links[(i + 1) % n].hash, links[i].types);
}

static const char *hash_of(const struct link *links, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(links[i].name, name))
			return links[i].hash;
	fail_msg("%s has no hash", name);
	return NULL;
}

/* Does the NSEC3 at owner cover name's hash? */
static bool covers(const struct link *links, size_t n, const char *owner, const char *name)
{
	const struct store_nsec3_params p = {.in_use = 1, .algorithm = 1};
	struct name wire;
	uint8_t hash[20];
	char text[33];
	size_t i = 0;

	assert_int_equal(name_from_text(name, strlen(name), NULL, &wire), 0);
	assert_int_equal(nsec3_hash(&p, wire.wire, hash), 0);
	owner_of_hash(hash, text);
	while (strcmp(links[i].hash, owner) != 0)
		assert_true(++i < n);
	if (i == n - 1)
		return strcmp(text, links[i].hash) > 0 || strcmp(text, links[0].hash) < 0;
	return strcmp(text, links[i].hash) > 0 && strcmp(text, links[i + 1].hash) < 0;
}

/* The authority section must have an NSEC3 that matches or covers each of these, and no other but SOA and NS. */
static void expect_proof(const char *name, const char *type, const struct link *links, size_t n, const char *match, const char *cover1,
                         const char *cover2)
{
	const char *covered[2] = {cover1, cover2};
	struct engine_result r;
	char owners[8][64];
	uint8_t query[300];
	size_t len = kit_query(name, type, KIT_DO, 1232, query, sizeof(query)), count = 0;
	unsigned used = 0, need = 0;

	kit_ask(query, len, ENGINE_TCP, DNS_MESSAGE_MAX, &r);
	for (const char *line = kit_records(&r, 2); *line; line = strchr(line, '\n') + 1) {
		char shown_type[RRTYPE_TEXT_MAX];

		assert_int_equal(sscanf(line, "%*s %*u %15s", shown_type), 1);
		if (strcmp(shown_type, "NSEC3") != 0)
			continue;
		assert_true(count < ARRAY_LEN(owners));
		snprintf(owners[count++], sizeof(owners[0]), "%.32s", line);
	}
	for (size_t i = 0; i < count; i++) {
		bool good = match && !strcmp(owners[i], hash_of(links, n, match));

		if (good)
			need |= 1;
		for (unsigned k = 0; k < 2; k++)
			if (covered[k] && covers(links, n, owners[i], covered[k])) {
				need |= 2U << k;
				good = true;
			}
		used += good;
	}
	if (need != ((match ? 1U : 0U) | (cover1 ? 2U : 0U) | (cover2 ? 4U : 0U)) || used != count)
		fail_msg("%s %s: %zu NSEC3, of use %u, proved %x\n%s", name, type, count, used, need, kit_records(&r, 2));
}

/* Opt-out leaves insecure delegations and the empty non-terminals that only lead to them out of the chain (RFC 5155 7.1): then the encloser proved
 * is above the one that exists. */
static void test_opt_out(void **state)
{
	struct link links[] = {{"t.", "NS SOA RRSIG DNSKEY NSEC3PARAM", ""}, {"a.t.", "A RRSIG", ""}, {"w.t.", "", ""}, {"*.w.t.", "A RRSIG", ""}};
	const size_t n = ARRAY_LEN(links);
	struct kit_zone zone = {"t", NULL, true, 0};
	struct text text;

	(void)state;
	text_init(&text);
	text_str(&text, "$TTL 60\n@ SOA ns.test. host 1 2 3 4 5\n@ NS ns.test.\n" KEYS "@ NSEC3PARAM 1 0 0 -\na A 192.0.2.1\n*.w A 192.0.2.2\n"
	                "sub.ent NS ns.test.\nsub.one.two NS ns.test.\n");
	chain_text(links, n, 1, &text);
	zone.text = text.chars;
	kit_open(&zone, 1);
	expect_proof("x.sub.ent.t.", "A", links, n, "t.", "ent.t.", NULL);       /* a referral */
	expect_proof("sub.ent.t.", "DS", links, n, "t.", "ent.t.", NULL);        /* no DS, told by the parent */
	expect_proof("ent.t.", "A", links, n, "t.", "ent.t.", NULL);             /* an empty non-terminal */
	expect_proof("no.ent.t.", "A", links, n, "t.", "ent.t.", "*.t.");        /* no name; the wildcard of the encloser proved */
	expect_proof("a.b.one.two.t.", "A", links, n, "t.", "two.t.", "*.t.");
	expect_proof("no.t.", "A", links, n, "t.", "no.t.", "*.t.");
	expect_proof("t.", "AAAA", links, n, "t.", NULL, NULL);
	expect_proof("a.t.", "AAAA", links, n, "a.t.", NULL, NULL);
	expect_proof("q.w.t.", "A", links, n, NULL, "q.w.t.", NULL);             /* a wildcard's answer: the next closer name only (7.2.6) */
	kit_close();
	text_done(&text);
}

/* A zone on its way from one chain to another: only the one that NSEC3PARAM names is used. */
static void test_two_chains(void **state)
{
	struct link links[] = {{"t.", "NS SOA RRSIG DNSKEY NSEC3PARAM", ""}, {"a.t.", "A RRSIG", ""}, {"b.t.", "A RRSIG", ""}};
	const size_t n = ARRAY_LEN(links);
	struct kit_zone zone = {"t", NULL, true, 0};
	struct text text;

	(void)state;
	text_init(&text);
	text_str(&text, "$TTL 60\n@ SOA ns.test. host 1 2 3 4 5\n@ NS ns.test.\n" KEYS "@ NSEC3PARAM 1 0 0 -\na A 192.0.2.1\nb A 192.0.2.2\n");
	chain_text(links, n, 0, &text);
	for (unsigned i = 0; i < 32; i++)
		text_fmt(&text, "%.*s%c NSEC3 1 0 1 ab %.*s%c A\n", 31, "00000000000000000000000000000000", "0123456789abcdefghijklmnopqrstuv"[i], 31,
		         "00000000000000000000000000000000", "0123456789abcdefghijklmnopqrstuv"[(i + 1) % 32]);
	zone.text = text.chars;
	kit_open(&zone, 1);
	expect_proof("a.t.", "MX", links, n, "a.t.", NULL, NULL);
	for (unsigned i = 0; i < 50; i++) {
		char name[16];

		snprintf(name, sizeof(name), "x%u.t.", i);
		expect_proof(name, "A", links, n, "t.", name, "*.t.");
	}
	kit_close();
	text_done(&text);
}

/* Aliases: what is synthesized from a DNAME has no signature (RFC 6672 5.3.1), each part of a chain brings its own proof. */
static void test_aliases(void **state)
{
	const struct kit_zone zones[] = {
		{"t",
		 "$TTL 60\n@ SOA ns.test. host 1 2 3 4 5\n@ NS ns.test.\n" KEYS "@ NSEC *.a NS SOA\n*.a CNAME x.b\n*.a NSEC *.b CNAME\n*.b A 192.0.2.1\n"
		 "*.b NSEC d A\nd DNAME u.\nd NSEC end DNAME\nend CNAME no.u.\nend NSEC wild CNAME\nwild CNAME 1.a\nwild NSEC @ CNAME\n",
		 true, 0},
		{"u", "$TTL 60\n@ SOA ns.test. host 1 2 3 4 5\n@ NS ns.test.\n" KEYS "@ NSEC h NS SOA\nh A 192.0.2.1\nh NSEC @ A\n", true, 0},
	};
	const struct row rows[] = {
		{"1.a.t.", "A", "NOERROR AA | 1.a.t. CNAME+, x.b.t. A+ | *.a.t. NSEC+, *.b.t. NSEC+ | "},
		{"1.a.t.", "AAAA", "NOERROR AA | 1.a.t. CNAME+ | *.a.t. NSEC+, *.b.t. NSEC+, t. SOA+ | "},
		{"wild.t.", "A", "NOERROR AA | 1.a.t. CNAME+, wild.t. CNAME+, x.b.t. A+ | *.a.t. NSEC+, *.b.t. NSEC+ | "},
		{"h.d.t.", "A", "NOERROR AA | d.t. DNAME+, h.d.t. CNAME, h.u. A+ |  | "},
		{"h.d.t.", "CNAME", "NOERROR AA | d.t. DNAME+, h.d.t. CNAME |  | "},
		{"no.d.t.", "A", "NXDOMAIN AA | d.t. DNAME+, no.d.t. CNAME | h.u. NSEC+, u. NSEC+, u. SOA+ | "},
		{"d.t.", "DNAME", "NOERROR AA | d.t. DNAME+ |  | "},
		{"d.t.", "A", "NOERROR AA |  | d.t. NSEC+, t. SOA+ | "},
		{"end.t.", "A", "NXDOMAIN AA | end.t. CNAME+ | h.u. NSEC+, u. NSEC+, u. SOA+ | "},
	};

	(void)state;
	kit_open(zones, ARRAY_LEN(zones));
	expect_rows(rows, ARRAY_LEN(rows));
	kit_close();
}

/* A signed parent and its child on one server: DS is the parent's business (RFC 4035 3.1.4.1), all else the child's. */
static void test_parent_and_child(void **state)
{
	const struct kit_zone zones[] = {
		{"t", "$TTL 60\n@ SOA ns.test. host 1 2 3 4 5\n@ NS ns.test.\n" KEYS "@ NSEC in NS\nin NS ns.test.\nin NSEC sec NS\n"
		      "sec NS ns.test.\nsec DS 1 13 200 00\nsec NSEC @ NS DS\n", true, 1},
		{"sec.t", "$TTL 60\n@ SOA ns.test. host 1 2 3 4 5\n@ NS ns.test.\n" KEYS "@ NSEC @ NS\n", true, 2},
		{"in.t", "$TTL 60\n@ SOA ns.test. host 1 2 3 4 5\n@ NS ns.test.\n", false, 3},
		{"deep.in.t", NULL, false, 4},
	};
	const struct row rows[] = {
		{"sec.t.", "DS", "NOERROR AA | sec.t. DS+ |  | "},
		{"sec.t.", "SOA", "NOERROR AA | sec.t. SOA+ |  | "},
		{"in.t.", "DS", "NOERROR AA |  | in.t. NSEC+, t. SOA+ | "},
		{"x.in.t.", "DS", "NXDOMAIN AA |  | in.t. SOA | "},
		{"deep.in.t.", "DS", "NXDOMAIN AA |  | in.t. SOA | "},
		{"deep.in.t.", "A", "SERVFAIL |  |  | "},
		{"t.", "DS", "NOERROR AA |  | t. NSEC+, t. SOA+ | "},
	};

	(void)state;
	kit_open(zones, ARRAY_LEN(zones));
	expect_rows(rows, ARRAY_LEN(rows));
	kit_close();
}

/* Chains with holes: whatever the answer says, it must come soon and parse. */
static void test_broken_chains(void **state)
{
	struct text text;
	struct kit_zone zone = {"t", NULL, false, 0};

	(void)state;
	text_init(&text);
	text_str(&text, "$TTL 60\n@ SOA ns.test. host 1 2 3 4 5\n@ NS ns.test.\n@ NSEC a NS\n$GENERATE 1-2000 n$ A 192.0.2.1\n");
	zone.text = text.chars;
	kit_open(&zone, 1);
	kit_expect("n1000x.t.", "A", KIT_DO, "NXDOMAIN AA |  | t. NSEC, t. SOA | "); /* the wildcard's; none for the name within reach */
	kit_expect("n1.t.", "MX", KIT_DO, "NOERROR AA |  | t. NSEC, t. SOA | ");
	kit_expect("n2000.t.", "MX", KIT_DO, "NOERROR AA |  | t. SOA | ");
	kit_close();
	text_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc4035_appendix_b), cmocka_unit_test(test_rfc5155_appendix_b), cmocka_unit_test(test_without_do),
		cmocka_unit_test(test_hashes), cmocka_unit_test(test_too_many_iterations), cmocka_unit_test(test_opt_out),
		cmocka_unit_test(test_two_chains), cmocka_unit_test(test_aliases), cmocka_unit_test(test_parent_and_child),
		cmocka_unit_test(test_broken_chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
