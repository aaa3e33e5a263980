/* SPDX-License-Identifier: BSD-2-Clause */
/* Digests of zones: the zones of RFC 8976 appendix A and one with NSEC3, as content and in the store; verification; the digest that follows changes. */
#include "base/diag.h"
#include "base/err.h"
#include "store_kit.h"
#include "zone/canonical.h"
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

struct rrs {
	struct rr list[4096];
	size_t count;
};

/* The records of random names; the same seed gives the same. */
static void random_records(struct rng *r, const uint8_t *apex, struct rrs *out, unsigned count)
{
	static const uint16_t types[] = {RR_A, RR_NS, RR_MX, RR_TXT, RR_NSEC3, RR_RRSIG};
	static const uint8_t mx[] = "\0\5" "\2Mx" "\7Example", txt[] = "\4Text";
	static uint8_t a[4096][4];

	for (unsigned i = 0; i < count; i++) {
		uint16_t type = types[rng_below(r, 4)];
		struct name *n = malloc(sizeof(*n));

		while (!kit_random_name(r, apex, n))
			;
		put_u32(a[i], (uint32_t)rng_next(r));
		out->list[out->count++] = (struct rr){
		        .owner = n->wire, .type = type, .rclass = CLASS_IN, .ttl = 300,
		        .rdlen = type == RR_A ? 4 : type == RR_TXT ? 5 : (uint16_t)(sizeof(mx) - (type == RR_MX ? 0 : 2)),
		        .rdata = type == RR_A ? a[i] : type == RR_TXT ? txt : type == RR_MX ? mx : mx + 2};
	}
}

static void free_records(struct rrs *l)
{
	for (size_t i = 0; i < l->count; i++)
		free((uint8_t *)l->list[i].owner - offsetof(struct name, wire));
	l->count = 0;
}

static struct content *content_of(const uint8_t *apex, const struct rr *list, size_t count)
{
	struct content *c = content_new(apex);

	for (size_t i = 0; i < count; i++)
		assert_int_equal(content_add(c, &list[i], NULL), 0);
	assert_int_equal(content_finish(c), 0);
	return c;
}

/* Its records once each, as the content has them. */
static struct rr *records_of(const struct content *c)
{
	struct rr *list = calloc(content_record_count(c), sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < content_rrset_count(c); i++) {
		const struct content_rrset *set = content_rrset(c, i);

		for (uint32_t k = 0; k < set->count; k++)
			list[n++] = (struct rr){.owner = set->owner, .type = set->type, .rclass = CLASS_IN, .ttl = set->ttl,
			                        .rdlen = set->records[k].rdlen, .rdata = set->records[k].rdata};
	}
	return list;
}

static void digest_follows(void **state)
{
	struct name apex = kit_name("Example.");
	static struct rrs l;
	struct rng r = {.s = 3};

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		struct zone_digest whole, stored, part, empty = {0};
		struct content *c;
		struct rr *list;
		struct both b;
		size_t n;

		random_records(&r, apex.wire, &l, 1 + round * 20);
		c = content_of(apex.wire, l.list, l.count);
		open_both(&b, apex.wire, c);
		list = records_of(c);
		n = content_record_count(c);
		assert_int_equal(zone_digest_content(c, &whole), 0);
		assert_int_equal(zone_digest_store(&b.s, b.zone, &stored), 0);
		assert_true(zone_digest_equal(&whole, &stored));
		/* In any order and in any portions. */
		part = empty;
		for (size_t i = n; i > 0;) {
			size_t step = 1 + rng_below(&r, 5);

			step = step < i ? step : i;
			i -= step;
			assert_false(zone_digest_equal(&whole, &part));
			assert_int_equal(zone_digest_add(&part, list + i, step), 0);
		}
		assert_true(zone_digest_equal(&whole, &part));
		/* One gone, one with another TTL, one octet: each is seen, and back again. */
		for (unsigned i = 0; i < 3; i++) {
			struct rr other = list[rng_below(&r, (unsigned)n)];
			uint8_t rdata[64];

			assert_int_equal(zone_digest_remove(&part, &other, 1), 0);
			assert_false(zone_digest_equal(&whole, &part));
			memcpy(rdata, other.rdata, other.rdlen);
			rdata[other.rdlen - 1] ^= i == 1 && other.type == RR_A ? 1 : 0;
			other.ttl += i != 1 || other.type != RR_A;
			other.rdata = rdata;
			assert_int_equal(zone_digest_add(&part, &other, 1), 0);
			assert_false(zone_digest_equal(&whole, &part));
			assert_int_equal(zone_digest_remove(&part, &other, 1), 0);
			rdata[other.rdlen - 1] ^= i == 1 && other.type == RR_A ? 1 : 0;
			other.ttl -= i != 1 || other.type != RR_A;
			assert_int_equal(zone_digest_add(&part, &other, 1), 0);
			assert_true(zone_digest_equal(&whole, &part));
		}
		assert_int_equal(zone_digest_remove(&part, list, n), 0);
		assert_true(zone_digest_equal(&empty, &part));
		free(list);
		close_both(&b);
		free_records(&l);
	}
}

/* The sum is one of numbers of 256 bits: against SHA-256 of the record, added up by hand. */
static void digest_value(void **state)
{
	static const uint8_t rdata[] = {192, 0, 2, 1};
	struct rr rr = {.owner = (const uint8_t *)"\1A", .type = RR_A, .rclass = CLASS_IN, .ttl = 60, .rdlen = 4, .rdata = rdata};
	struct zone_digest d = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}}, one = {0};
	char text[ZONE_DIGEST_TEXT_MAX];

	(void)state;
	assert_int_equal(zone_digest_add(&one, &rr, 1), 0);
	/* printf '\001a\0\0\001\0\001\0\0\0\074\0\004\300\0\002\001' | sha256sum */
	assert_string_equal(zone_digest_text(&one, text), "28496dbecabb627ffac9729e85627ed7c39124f7138eed9dd87af259a56c7097");
	/* Minus one, carried through all words. */
	assert_int_equal(zone_digest_add(&d, &rr, 1), 0);
	assert_int_equal(d.words[0], one.words[0] - 1);
	assert_int_equal(d.words[3], one.words[3]);
	assert_int_equal(zone_digest_remove(&d, &rr, 1), 0);
	for (unsigned i = 0; i < ZONE_DIGEST_WORDS; i++)
		assert_true(d.words[i] == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(zones_of_the_rfc), cmocka_unit_test(both_algorithms), cmocka_unit_test(verdicts_told),
	        cmocka_unit_test(no_data),          cmocka_unit_test(digest_follows),  cmocka_unit_test(digest_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
