/* SPDX-License-Identifier: BSD-2-Clause */
/* Digests of zones: the zones of RFC 8976 appendix A and one with NSEC3, as content and in the store; verification; the digest that follows changes. */
#include "base/diag.h"
#include "base/err.h"
#include "store_kit.h"
#include "zone/difference.h"
#include "zone/digest.h"
#include "zone/zonemd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct both {
	struct content *content;
	char *folder;
	struct store_writer *w;
	struct store_snapshot s;
	const struct store_zone *zone;
};

/* The content, and the same in a store. */
static void open_both(struct both *b, const uint8_t *apex, struct content *c)
{
	struct store_open_info info;
	char path[512];
	uint64_t generation;

	b->content = c;
	b->folder = kit_folder();
	snprintf(path, sizeof(path), "%s/store", b->folder);
	assert_int_equal(store_writer_open(path, NULL, 0, &b->w, &info), 0);
	assert_int_equal(kit_put(b->w, apex, c), 0);
	assert_int_equal(store_commit(b->w, &generation), 0);
	store_writer_snapshot(b->w, &b->s);
	b->zone = store_zone_get(&b->s, apex);
	assert_non_null(b->zone);
}

static void close_both(struct both *b)
{
	store_writer_close(b->w);
	kit_folder_free(b->folder);
	content_free(b->content);
}

static int add(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	(void)place;
	/* As zone_load_file() does. */
	return name_is_under(rr->owner, content_apex(ctx)) ? content_add(ctx, rr, NULL) : 0;
}

/* Not judged by zone_check(): any content has a digest. */
static struct content *parse(const uint8_t *apex, const char *text)
{
	struct content *c = content_new(apex);
	struct zonefile_options o = {.origin = apex, .rclass = CLASS_IN, .on_record = add, .ctx = c};
	char line[1400];
	struct diag diag;

	diag_init(&diag);
	if (zonefile_parse_bytes("text", text, strlen(text), false, &o, &diag) != 0)
		fail_msg("%s", diag_entry_text(diag.first, line, sizeof(line)));
	diag_done(&diag);
	assert_int_equal(content_finish(c), 0);
	return c;
}

static struct content *parse_file(const uint8_t *apex, const char *name)
{
	char path[512], *text = calloc(1, 1 << 20);
	struct content *c;
	FILE *f;

	snprintf(path, sizeof(path), SOURCE_ROOT "/test/unit/zone/zonemd/%s", name);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	c = parse(apex, text);
	free(text);
	return c;
}

static const struct {
	const char *file, *apex;
	enum zonemd_verdict verdict;
} zones[] = {
        {"a1.zone", "example.", ZONEMD_VERIFIED},  {"a2.zone", "example.", ZONEMD_VERIFIED},          {"a3.zone", "example.", ZONEMD_VERIFIED},
       {"a4.zone", "uri.arpa.", ZONEMD_VERIFIED}, {"a5.zone", "root-servers.net.", ZONEMD_VERIFIED}, {"arpa.zone", "arpa.", ZONEMD_VERIFIED},
};

static void zones_of_the_rfc(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		struct name apex = kit_name(zones[i].apex);
		char text[ZONEMD_TEXT_MAX];
		struct both b;

		open_both(&b, apex.wire, parse_file(apex.wire, zones[i].file));
		if (zonemd_verify_content(b.content, text) != zones[i].verdict)
			fail_msg("%s as content: %s", zones[i].file, text);
		if (zonemd_verify_store(&b.s, b.zone, text) != zones[i].verdict)
			fail_msg("%s in the store: %s", zones[i].file, text);
		close_both(&b);
	}
}

/* A.3 has a digest by each algorithm: each must be right, not only the one that verification meets first. */
static void both_algorithms(void **state)
{
	static const uint8_t sha384[] = {0x62, 0xe6, 0xcf, 0x51}, sha512[] = {0x08, 0xcf, 0xa1, 0x11};
	struct name apex = kit_name("example.");
	uint8_t digest[ZONEMD_DIGEST_OCTETS_MAX];
	struct both b;

	(void)state;
	open_both(&b, apex.wire, parse_file(apex.wire, "a3.zone"));
	assert_int_equal(zonemd_of_content(b.content, ZONEMD_SHA384, digest), 0);
	assert_memory_equal(digest, sha384, sizeof(sha384));
	assert_int_equal(zonemd_of_store(&b.s, b.zone, ZONEMD_SHA384, digest), 0);
	assert_memory_equal(digest, sha384, sizeof(sha384));
	assert_int_equal(zonemd_of_content(b.content, ZONEMD_SHA512, digest), 0);
	assert_memory_equal(digest, sha512, sizeof(sha512));
	assert_int_equal(zonemd_of_store(&b.s, b.zone, ZONEMD_SHA512, digest), 0);
	assert_memory_equal(digest, sha512, sizeof(sha512));
	assert_int_equal(zonemd_of_content(b.content, 0, digest), ERR_UNSUPPORTED);
	assert_int_equal(zonemd_of_content(b.content, 3, digest), ERR_UNSUPPORTED);
	assert_int_equal(zonemd_of_store(&b.s, b.zone, 240, digest), ERR_UNSUPPORTED);
	close_both(&b);
}

#define HEAD "$TTL 86400\n@ SOA ns1 admin 2018031900 1800 900 604800 86400\n@ NS ns1\n@ NS ns2\n"
#define TAIL "ns1 3600 A 203.0.113.63\nns2 3600 AAAA 2001:db8::63\n"
#define RIGHT "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c"
#define WRONG "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044d"

static const struct {
	const char *name, *text;
	enum zonemd_verdict verdict;
	const char *says;
} verdicts[] = {
        {"right", HEAD "@ ZONEMD 2018031900 1 1 " RIGHT "\n" TAIL, ZONEMD_VERIFIED, "algorithm 1 is right"},
        {"its TTL and signatures do not count",
         HEAD "@ 5 ZONEMD 2018031900 1 1 " RIGHT "\n@ RRSIG ZONEMD 8 1 60 20300101000000 20200101000000 1 @ AAAA\n" TAIL, ZONEMD_VERIFIED, "right"},
        {"none", HEAD TAIL, ZONEMD_ABSENT, "no ZONEMD"},
        {"wrong", HEAD "@ ZONEMD 2018031900 1 1 " WRONG "\n" TAIL, ZONEMD_MISMATCH, "not what the ZONEMD"},
        {"a record more", HEAD "@ ZONEMD 2018031900 1 1 " RIGHT "\n" TAIL "x A 192.0.2.1\n", ZONEMD_MISMATCH, "not what"},
        {"a record less", HEAD "@ ZONEMD 2018031900 1 1 " RIGHT "\nns1 3600 A 203.0.113.63\n", ZONEMD_MISMATCH, "not what"},
        {"another TTL", HEAD "@ ZONEMD 2018031900 1 1 " RIGHT "\nns1 3601 A 203.0.113.63\nns2 3600 AAAA 2001:db8::63\n", ZONEMD_MISMATCH, "not what"},
        {"letters of another case", HEAD "@ ZONEMD 2018031900 1 1 " RIGHT "\nNS1 3600 A 203.0.113.63\nnS2 3600 AAAA 2001:db8::63\n",
         ZONEMD_VERIFIED, "right"},
        {"of another serial", HEAD "@ ZONEMD 2018031901 1 1 " RIGHT "\n" TAIL, ZONEMD_UNKNOWN, "serial 2018031901, the zone has 2018031900"},
        {"unknown scheme", HEAD "@ ZONEMD 2018031900 2 1 " RIGHT "\n" TAIL, ZONEMD_UNKNOWN, "scheme 2"},
        {"unknown algorithm", HEAD "@ ZONEMD 2018031900 1 3 " RIGHT "\n" TAIL, ZONEMD_UNKNOWN, "algorithm 3"},
        {"two of a kind", HEAD "@ ZONEMD 2018031900 1 1 " RIGHT "\n@ ZONEMD 2018031900 1 1 " WRONG "\n" TAIL, ZONEMD_UNKNOWN, "two ZONEMD"},
        {"a wrong one beside it",
         HEAD "@ ZONEMD 2018031900 1 1 " RIGHT "\n@ ZONEMD 2018031900 1 2 " "00000000000000000000000000000000000000000000000000000000000000"
              "000000000000000000000000000000000000000000000000000000000000000000\n" TAIL, ZONEMD_VERIFIED, "algorithm 1 is right"},
        {"below the apex only", HEAD "x ZONEMD 2018031900 1 1 " RIGHT "\n" TAIL, ZONEMD_ABSENT, "no ZONEMD"},
};

static void verdicts_told(void **state)
{
	struct name apex = kit_name("example.");

	(void)state;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		char text[ZONEMD_TEXT_MAX] = "";
		struct both b;

		open_both(&b, apex.wire, parse(apex.wire, verdicts[i].text));
		if (zonemd_verify_content(b.content, text) != verdicts[i].verdict || !strstr(text, verdicts[i].says))
			fail_msg("%s, as content: %s", verdicts[i].name, text);
		memset(text, 0, sizeof(text));
		if (zonemd_verify_store(&b.s, b.zone, text) != verdicts[i].verdict || !strstr(text, verdicts[i].says))
			fail_msg("%s, in the store: %s", verdicts[i].name, text);
		close_both(&b);
	}
}

static void no_data(void **state)
{
	struct name apex = kit_name("example.");
	char text[ZONEMD_TEXT_MAX];
	struct zone_digest d;
	struct both b;

	(void)state;
	open_both(&b, apex.wire, NULL);
	assert_int_equal(zonemd_verify_store(&b.s, b.zone, text), ZONEMD_ABSENT);
	assert_int_equal(zone_digest_store(&b.s, b.zone, &d), 0);
	assert_string_equal(zone_digest_text(&d, text), "0000000000000000000000000000000000000000000000000000000000000000");
	close_both(&b);
}

/* ---- the digest that follows changes ---- */

/* The records of a zone in the making: few names and types, so that sets grow, shrink, change their TTL and go. */
enum { POOL = 60 };

struct pool {
	struct rr all[POOL];
	bool there[POOL];
	struct name owners[POOL];
	uint8_t rdata[POOL][64];
};

static void put_text(struct pool *p, unsigned i, const char *owner, const struct name *apex, uint16_t type, const char *text)
{
	struct writer w = writer_of(p->rdata[i], sizeof(p->rdata[i]));
	struct rdata_problem problem;

	assert_int_equal(name_from_text(owner, strlen(owner), apex->wire, &p->owners[i]), 0);
	if (rdata_from_string(type, text, apex->wire, &w, &problem) != 0)
		fail_msg("%s: %s", text, problem.text);
	p->all[i] = (struct rr){.owner = p->owners[i].wire, .type = type, .rclass = CLASS_IN, .ttl = 300, .rdlen = (uint16_t)w.pos, .rdata = p->rdata[i]};
}

static void fill_pool(struct pool *p, const struct name *apex)
{
	static const char *const owners[] = {"a", "B.a", "*.w", "c", "1234567890123456789012345678901V"};
	char text[200];

	memset(p, 0, sizeof(*p));
	for (unsigned i = 0; i < POOL; i++) {
		const char *owner = owners[i % 5];

		switch (i / 5 % 6) {
		case 0:
		case 1:
			snprintf(text, sizeof(text), "192.0.2.%u", i);
			put_text(p, i, owner, apex, RR_A, text);
			break;
		case 2:
			snprintf(text, sizeof(text), "%u Mx.Elsewhere.", i);
			put_text(p, i, owner, apex, RR_MX, text);
			break;
		case 3: /* of A, of MX, and of a type that nobody has */
			snprintf(text, sizeof(text), "%s 8 2 60 20300101000000 20200101000000 %u k. AAAA", i % 3 ? i % 2 ? "A" : "MX" : "LOC", i);
			put_text(p, i, owner, apex, RR_RRSIG, text);
			break;
		case 4:
			snprintf(text, sizeof(text), "\"text %u\"", i);
			put_text(p, i, owner, apex, RR_TXT, text);
			break;
		default:
			put_text(p, i, owners[4], apex, RR_NSEC3, i < 40 ? "1 0 0 - 1234567890123456789012345678902V NS" : "1 0 0 AB 1234567890123456789012345678902V A");
			break;
		}
		for (unsigned k = 0; k < i; k++) /* the same one twice is one */
			if (p->all[k].type == p->all[i].type && p->all[k].rdlen == p->all[i].rdlen && name_equal(p->all[k].owner, p->all[i].owner) &&
			    memcmp(p->rdata[k], p->rdata[i], p->all[i].rdlen) == 0)
				put_text(p, i, "unique", apex, RR_A, (snprintf(text, sizeof(text), "192.0.3.%u", i), text));
	}
}

/* Take some away, bring some, and some back with another TTL. */
static void change_pool(struct pool *p, struct rng *r, const uint8_t *apex, struct zone_change *out)
{
	struct rr removed[2 * POOL], added[2 * POOL];
	size_t n_removed = 0, n_added = 0;

	for (unsigned k = 1 + rng_below(r, 8); k > 0; k--) {
		unsigned i = rng_below(r, POOL);
		bool was = p->there[i], used = false;

		for (size_t j = 0; j < n_removed; j++)
			used |= removed[j].rdata == p->rdata[i];
		for (size_t j = 0; j < n_added; j++)
			used |= added[j].rdata == p->rdata[i];
		if (used)
			continue;
		if (was)
			removed[n_removed++] = p->all[i];
		p->all[i].ttl = 100 * (1 + rng_below(r, 4));
		p->there[i] = !was || rng_below(r, 3) == 0;
		if (p->there[i])
			added[n_added++] = p->all[i];
	}
	assert_int_equal(zone_change_from_records(apex, removed, n_removed, added, n_added, out), 0);
}

/* Hundreds of changes one after the other: the digest that follows is that of the whole, and of the same records as content. */
static void digest_follows(void **state)
{
	struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = UINT32_MAX, .source = "test"};
	struct name apex = kit_name("Example.");
	struct zone_digest d, whole, part;
	static struct pool p;
	struct rng r = {.s = 3};
	struct both b;

	(void)state;
	fill_pool(&p, &apex);
	open_both(&b, apex.wire, parse(apex.wire, "$TTL 60\n@ SOA ns admin 1 1 1 1 1\n@ NS ns.\n@ NSEC3PARAM 1 0 0 -\n"));
	assert_int_equal(zone_digest_store(&b.s, b.zone, &d), 0);
	for (unsigned step = 0; step < 400; step++) {
		struct zone_change_problem problem = {.text = ""};
		struct zone_change change;
		uint64_t generation;

		change_pool(&p, &r, apex.wire, &change);
		assert_int_equal(zone_digest_touched(&b.s, b.zone, &change, &part), 0);
		zone_digest_subtract(&d, &part);
		if (store_change_zone(b.w, apex.wire, &change, &meta, &problem) != 0)
			fail_msg("step %u: %s", step, problem.text);
		assert_int_equal(store_commit(b.w, &generation), 0);
		store_writer_snapshot(b.w, &b.s);
		b.zone = store_zone_get(&b.s, apex.wire);
		assert_int_equal(zone_digest_touched(&b.s, b.zone, &change, &part), 0);
		zone_digest_add(&d, &part);
		assert_int_equal(zone_digest_store(&b.s, b.zone, &whole), 0);
		if (!zone_digest_equal(&whole, &d))
			fail_msg("step %u: another digest", step);
		zone_change_done(&change);
		store_collect(b.w);
	}
	close_both(&b);
}

/* What differs in one record, in its TTL or in one octet has another digest; what differs in case or order has not. */
static void digest_tells(void **state)
{
	static const struct {
		const char *text;
		bool same;
	} cases[] = {
	        {"@ SOA ns1 admin 1 1 1 1 1\n@ NS ns1\na A 192.0.2.1\na A 192.0.2.2\n", true},
	        {"A A 192.0.2.2\n@ SOA NS1 admin 1 1 1 1 1\na A 192.0.2.1\n@ NS ns1\n@ NS NS1\n", true},
	        {"@ SOA ns1 admin 1 1 1 1 1\n@ NS ns1\na A 192.0.2.1\n", false},
	        {"@ SOA ns1 admin 1 1 1 1 1\n@ NS ns1\na A 192.0.2.1\na A 192.0.2.3\n", false},
	        {"@ SOA ns1 admin 1 1 1 1 1\n@ NS ns1\na 61 A 192.0.2.1\na 61 A 192.0.2.2\n", false},
	        {"@ SOA ns1 admin 1 1 1 1 1\n@ NS ns1\na A 192.0.2.1\nb A 192.0.2.2\n", false},
	        {"@ SOA ns1 admin 2 1 1 1 1\n@ NS ns1\na A 192.0.2.1\na A 192.0.2.2\n", false},
	        {"@ SOA ns1 admin 1 1 1 1 1\n@ NS ns1\na A 192.0.2.1\na A 192.0.2.2\n@ ZONEMD 1 1 1 " RIGHT "\n", false},
	};
	struct name apex = kit_name("example.");
	struct zone_digest first, content, store;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[600];
		struct both b;

		snprintf(text, sizeof(text), "$TTL 60\n%s", cases[i].text);
		open_both(&b, apex.wire, parse(apex.wire, text));
		assert_int_equal(zone_digest_content(b.content, &content), 0);
		assert_int_equal(zone_digest_store(&b.s, b.zone, &store), 0);
		for (size_t piece = 1; piece < 40; piece += 13) {
			const struct store_node *at = NULL;
			struct zone_digest sum = {{0}};

			do
				assert_int_equal(zone_digest_nodes(&b.s, b.zone, &at, piece, &sum), 0);
			while (at);
			assert_true(zone_digest_equal(&sum, &store));
		}
		assert_true(zone_digest_equal(&content, &store));
		if (!i)
			first = content;
		if (zone_digest_equal(&first, &content) != cases[i].same)
			fail_msg("case %zu", i);
		close_both(&b);
	}
}

/* The sum is one of numbers of 256 bits: against SHA-256 of the record, added up by hand. */
static void digest_value(void **state)
{
	struct zone_digest d = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}}, one;
	struct content *c = parse((const uint8_t *)"", "A 60 A 192.0.2.1\n");
	char text[ZONE_DIGEST_TEXT_MAX];

	(void)state;
	assert_int_equal(zone_digest_content(c, &one), 0);
	/* printf '\001a\0\0\001\0\001\0\0\0\074\0\004\300\0\002\001' | sha256sum */
	assert_string_equal(zone_digest_text(&one, text), "28496dbecabb627ffac9729e85627ed7c39124f7138eed9dd87af259a56c7097");
	/* Minus one, carried through all words, and back. */
	zone_digest_add(&d, &one);
	assert_true(d.words[0] == one.words[0] - 1);
	for (unsigned i = 1; i < ZONE_DIGEST_WORDS; i++)
		assert_true(d.words[i] == one.words[i]);
	zone_digest_subtract(&d, &one);
	for (unsigned i = 0; i < ZONE_DIGEST_WORDS; i++)
		assert_true(d.words[i] == UINT64_MAX);
	content_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(zones_of_the_rfc), cmocka_unit_test(both_algorithms), cmocka_unit_test(verdicts_told),
	        cmocka_unit_test(no_data),          cmocka_unit_test(digest_follows),  cmocka_unit_test(digest_tells),
	        cmocka_unit_test(digest_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
