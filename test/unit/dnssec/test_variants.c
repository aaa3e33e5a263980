/* SPDX-License-Identifier: BSD-2-Clause */
/* The sets that steered names can be answered with: which names, of which types, which sets; what cannot be signed; signatures made, found and judged. */
#include "base/err.h"
#include "base/text.h"
#include "dns/rr.h"
#include "dnssec/variants.h"
#include "zone/zonefile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t apex[] = "\7example\3com";

static const char head[] = "fleet: test\nnodes:\n  - {name: a, role: primary, management: [192.0.2.53]}\n";
#define POOLS                                                                                                                                                        \
	"pools:\n"                                                                                                                                                   \
	"  - {name: three, endpoints: [{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2}, {name: c, address: 192.0.2.3}, {name: x, address: \"2001:db8::1\"}]}\n" \
	"  - {name: other, endpoints: [{name: a, address: 192.0.2.3}, {name: b, address: 192.0.2.4}]}\n"                                                         \
	"  - {name: names, endpoints: [{name: a, target: One.example.net}, {name: b, target: two.example.net}]}\n"

#define ZONE "@ 300 SOA ns host 1 3600 600 86400 60\n@ 300 NS ns\nns 300 A 192.0.2.53\n"

static struct config *config_of(const char *text)
{
	struct config *c = NULL;
	struct diag diag;
	struct text t;

	text_init(&t);
	text_fmt(&t, "%s%s", head, text);
	diag_init(&diag);
	if (config_parse("/fleet.yaml", t.chars, t.len, &diag, &c) < 0)
		fail_msg("%s", diag.first ? diag.first->text : "?");
	diag_done(&diag);
	text_done(&t);
	return c;
}

static int add(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	return content_add(ctx, rr, place);
}

static struct content *zone_of(const char *text)
{
	struct content *c = content_new(apex);
	struct zonefile_options o = {.origin = apex, .rclass = CLASS_IN, .on_record = add, .ctx = c};
	struct diag diag;

	diag_init(&diag);
	if (zonefile_parse_bytes("zone", text, strlen(text), false, &o, &diag) < 0)
		fail_msg("%s", diag.first ? diag.first->text : "?");
	diag_done(&diag);
	assert_int_equal(content_finish(c), 0);
	return c;
}

static int order_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct lines {
	char *list[64];
	size_t count;
};

/* "www A 30 at www: 192.0.2.1 192.0.2.2", names without the zone's. */
static int note(void *ctx, const struct variants_set *s)
{
	struct lines *l = ctx;
	char owner[NAME_TEXT_MAX], at[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];
	struct text t;

	if (l->count == ARRAY_LEN(l->list))
		return 1;
	name_to_text(s->set.owner, owner);
	name_to_text(s->at, at);
	strstr(owner, ".example.com.")[0] = '\0';
	strstr(at, ".example.com.")[0] = '\0';
	text_init(&t);
	text_fmt(&t, "%s %s %u at %s %u:", owner, rrtype_text(s->set.type, type), s->set.ttl, at, s->at_ttl);
	for (size_t i = 0; i < s->set.count; i++) {
		text_char(&t, ' ');
		rdata_to_text(s->set.type, s->set.records[i].octets, s->set.records[i].len, &t);
	}
	l->list[l->count++] = text_take(&t);
	return 0;
}

static const struct {
	const char *what, *config[2], *zone;
	const char *sets;    /* sorted, a line each */
	const char *problem; /* part of the first; NULL: none */
	int result;
} cases[] = {
	{"one answer",
         {POOLS "steering:\n  - {name: p, owners: [www.example.com], pool: three}\n"},
         ZONE "www 300 A 192.0.2.200\nwww 300 TXT x\n",
         "www A 30 at www 300: 192.0.2.1\nwww A 30 at www 300: 192.0.2.2\nwww A 30 at www 300: 192.0.2.3\n", NULL, 0},
	{"two answers, and fewer when fewer are up",
         {POOLS "steering:\n  - {name: p, owners: [WWW.example.com], pool: three, answers: 2, ttl: 20s}\n"},
         ZONE "www 300 A 192.0.2.200\nwww 15 AAAA 2001:db8::f\n",
         "www A 20 at www 15: 192.0.2.1\nwww A 20 at www 15: 192.0.2.1 192.0.2.2\nwww A 20 at www 15: 192.0.2.1 192.0.2.3\nwww A 20 at www 15: 192.0.2.2\n"
         "www A 20 at www 15: 192.0.2.2 192.0.2.3\nwww A 20 at www 15: 192.0.2.3\nwww AAAA 15 at www 15: 2001:db8::1\n", NULL, 0},
	{"by a STEER record, of all rules, each set once",
         {POOLS "steering:\n  - {name: p, pool: other, rules: [{subnets: [10.0.0.0/8], pool: three}]}\n"},
         ZONE "www 300 A 192.0.2.200\nwww 300 STEER p \"a note\"\n",
         "www A 30 at www 300: 192.0.2.1\nwww A 30 at www 300: 192.0.2.2\nwww A 30 at www 300: 192.0.2.3\nwww A 30 at www 300: 192.0.2.4\n", NULL, 0},
	{"rules by node", /* whichever node answers */
         {POOLS "steering:\n  - {name: p, owners: [www.example.com], pool: other, rules: [{nodes: [a], pool: three}]}\n"},
         ZONE "www 300 A 192.0.2.200\n",
         "www A 30 at www 300: 192.0.2.1\nwww A 30 at www 300: 192.0.2.2\nwww A 30 at www 300: 192.0.2.3\nwww A 30 at www 300: 192.0.2.4\n", NULL, 0},
	{"owners come before STEER",
         {POOLS "steering:\n  - {name: p, pool: three}\n  - {name: q, owners: [www.example.com], pool: other}\n"},
         ZONE "www 300 A 192.0.2.200\nwww 300 STEER p\n",
         "www A 30 at www 300: 192.0.2.3\nwww A 30 at www 300: 192.0.2.4\n", NULL, 0},
	{"an alias, with all it has one label below",
         {POOLS "steering:\n  - {name: p, pool: names}\n"},
         ZONE "www 300 CNAME else.example.net.\n_steer.www 300 STEER p\n",
         "www CNAME 30 at _steer.www 300: one.example.net.\nwww CNAME 30 at _steer.www 300: two.example.net.\n", NULL, 0},
	{"a wildcard, and names that it stands for",
         {POOLS "steering:\n  - {name: p, owners: [x.y.w.example.com, b.example.com], pool: other}\n  - {name: q, owners: [\"*.w.example.com\"], pool: three, ttl: 40s}\n"},
         ZONE "*.w 300 A 192.0.2.200\nb 300 A 192.0.2.201\n",
         "*.w A 40 at *.w 300: 192.0.2.1\n*.w A 40 at *.w 300: 192.0.2.2\n*.w A 40 at *.w 300: 192.0.2.3\n*.w A 40 at *.w 300: 192.0.2.4\n"
         "b A 30 at b 300: 192.0.2.3\nb A 30 at b 300: 192.0.2.4\n", NULL, 0},
	{"two fleet files",
         {POOLS "steering:\n  - {name: p, owners: [www.example.com], pool: three}\n", POOLS "steering:\n  - {name: p, owners: [www.example.com], pool: other, ttl: 1m}\n"},
         ZONE "www 300 A 192.0.2.200\n",
         "www A 60 at www 300: 192.0.2.1\nwww A 60 at www 300: 192.0.2.2\nwww A 60 at www 300: 192.0.2.3\nwww A 60 at www 300: 192.0.2.4\n", NULL, 0},
	{"nothing is steered", {POOLS "steering:\n  - {name: p, pool: three}\n"}, ZONE "www 300 A 192.0.2.200\n", "", NULL, 0},
	{"other zones", {POOLS "steering:\n  - {name: p, owners: [www.example.org], pool: three}\n"}, ZONE "www 300 A 192.0.2.200\n", "", NULL, 0},
	{"a name that is not there", {POOLS "steering:\n  - {name: p, owners: [nowhere.example.com], pool: three}\n"}, ZONE, "", "has no name nowhere.example.com.", 0},
	{"a name without addresses", {POOLS "steering:\n  - {name: p, owners: [www.example.com], pool: three}\n"}, ZONE "www 300 TXT x\n", "", "answers that there are none", 0},
	{"a policy that is not there", {POOLS "steering:\n  - {name: p, pool: three}\n"}, ZONE "www 300 A 192.0.2.200\nwww 300 STEER q\n", "", "a policy that /fleet.yaml has not", ERR_INVALID},
};

static void test_sets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *configs[2] = {config_of(cases[i].config[0]), cases[i].config[1] ? config_of(cases[i].config[1]) : NULL};
		struct content *zone = zone_of(cases[i].zone);
		struct lines lines = {.count = 0};
		struct variants_count count;
		struct diag diag;
		struct text t;

		print_message("%s\n", cases[i].what);
		diag_init(&diag);
		assert_int_equal(variants_each(zone, (const struct config *const *)configs, configs[1] ? 2 : 1, &diag, note, &lines, &count), cases[i].result);
		assert_int_equal(count.sets, lines.count);
		qsort(lines.list, lines.count, sizeof(lines.list[0]), order_lines);
		text_init(&t);
		for (size_t k = 0; k < lines.count; k++) {
			text_fmt(&t, "%s\n", lines.list[k]);
			free(lines.list[k]);
		}
		assert_string_equal(t.chars, cases[i].sets);
		if (!cases[i].problem != !diag.first || (diag.first && !strstr(diag.first->text, cases[i].problem)))
			fail_msg("said: %s", diag.first ? diag.first->text : "nothing");
		text_done(&t);
		diag_done(&diag);
		content_free(zone);
		config_free(configs[0]);
		config_free(configs[1]);
	}
}

static int stop(void *ctx, const struct variants_set *s)
{
	(void)s;
	return ++*(int *)ctx == 2 ? 77 : 0;
}

/* 14 endpoints and up to seven answers: 9,907 sets. */
static void test_limits(void **state)
{
	struct variants_count count;
	struct content *zone = zone_of(ZONE "www 300 A 192.0.2.200\n");
	struct config *c, *few;
	struct diag diag;
	struct text t;
	int calls = 0;

	(void)state;
	text_init(&t);
	text_str(&t, "pools:\n  - name: big\n    endpoints:\n");
	for (int i = 0; i < 14; i++)
		text_fmt(&t, "      - {name: e%d, address: 192.0.2.%d}\n", i, i + 1);
	text_str(&t, "steering:\n  - {name: p, owners: [www.example.com], pool: big, answers: 7}\n");
	c = config_of(t.chars);
	text_done(&t);
	diag_init(&diag);
	assert_int_equal(variants_each(zone, (const struct config *const[]){c}, 1, &diag, stop, &calls, &count), 77);
	assert_int_equal(calls, 2);
	calls = 2;
	assert_int_equal(variants_each(zone, (const struct config *const[]){c}, 1, &diag, stop, &calls, &count), ERR_INVALID);
	assert_non_null(diag.first);
	assert_non_null(strstr(diag.first->text, "fewer answers, or fewer endpoints"));
	diag_done(&diag);
	few = config_of(POOLS "steering:\n  - {name: p, owners: [www.example.com], pool: three}\n");
	diag_init(&diag);
	assert_int_equal(variants_each(zone, (const struct config *const[]){few, few, few, few, few}, 5, &diag, stop, &calls, &count), ERR_LIMIT);
	diag_done(&diag);
	config_free(few);
	config_free(c);
	content_free(zone);
}

/* ---- signatures ---- */

struct signing {
	struct dnssec_key *key;
	struct text *zone;
	uint32_t inception, expiration;
};

static int sign(void *ctx, const struct variants_set *s)
{
	struct signing *g = ctx;
	uint8_t rdata[VARIANT_RDATA_MAX];
	char name[NAME_TEXT_MAX];
	size_t len;

	assert_int_equal(variants_sign(s, apex, g->key, g->inception, g->expiration, rdata, &len), 0);
	name_to_text(s->at, name);
	text_fmt(g->zone, "%s %u VARIANT ", name, s->at_ttl);
	rdata_to_text(RR_VARIANT, rdata, len, g->zone);
	text_char(g->zone, '\n');
	return 0;
}

struct judging {
	const struct content *zone;
	struct dnssec_key *keys;
	size_t key_count;
	uint32_t now;
	unsigned good, missing, stale, wrong;
	uint32_t end;
	char why[DNSSEC_WHY_MAX];
};

static int judge(void *ctx, const struct variants_set *s)
{
	struct judging *j = ctx;
	int err = variants_verify(j->zone, s, j->keys, j->key_count, j->now, &j->end, j->why);

	*(err == 0 ? &j->good : err == ERR_NOT_FOUND ? &j->missing : err == ERR_STALE ? &j->stale : &j->wrong) += 1;
	return 0;
}

static void check(const char *zone, const struct config *c, struct dnssec_key *keys, size_t key_count, uint32_t now, unsigned good, unsigned missing, unsigned stale, unsigned wrong)
{
	struct content *content = zone_of(zone);
	struct judging j = {.zone = content, .keys = keys, .key_count = key_count, .now = now};
	struct variants_count count;
	struct diag diag;

	diag_init(&diag);
	assert_int_equal(variants_each(content, &c, 1, &diag, judge, &j, &count), 0);
	diag_done(&diag);
	content_free(content);
	if (j.good != good || j.missing != missing || j.stale != stale || j.wrong != wrong)
		fail_msg("%u good, %u missing, %u stale, %u wrong, not %u, %u, %u, %u: %s", j.good, j.missing, j.stale, j.wrong, good, missing, stale, wrong, j.why);
	if (good)
		assert_int_equal(j.end, 2000);
}

static void test_signatures(void **state)
{
	static const char private[] = "Private-key-format: v1.3\nAlgorithm: 15 (ED25519)\nPrivateKey: ODIyNjAzODQ2MjgwODAxMjI2NDUxOTAyMDQxNDIyNjI=\n";
	static const char zone[] = ZONE "www 300 A 192.0.2.200\nwww 300 AAAA 2001:db8::f\n*.w 300 A 192.0.2.200\nalias 300 CNAME x.\n";
	uint8_t dnskey[DNSSEC_DNSKEY_HEAD + 32] = {1, 1, 3, 15};
	struct config *c = config_of(POOLS "steering:\n  - {name: p, owners: [www.example.com, \"*.w.example.com\"], pool: three, answers: 2}\n  - {name: q, owners: [alias.example.com], pool: names}\n"),
	              *more = config_of(POOLS "steering:\n  - {name: p, owners: [www.example.com], pool: three, answers: 3}\n");
	struct content *content = zone_of(zone);
	struct dnssec_key key, public[2];
	struct text t;
	struct signing g = {.key = &key, .zone = &t, .inception = 1000, .expiration = 2000};
	struct variants_count count;
	char why[DNSSEC_WHY_MAX];
	struct diag diag;

	(void)state;
	assert_int_equal(dnssec_key_private(private, sizeof(private) - 1, &key, why), 0);
	memcpy(dnskey + DNSSEC_DNSKEY_HEAD, key.public, 32);
	assert_true(dnssec_key_adopt(&key, dnskey, sizeof(dnskey)));
	assert_int_equal(dnssec_key_public(dnskey, sizeof(dnskey), &public[0]), 0);
	dnskey[1] = 0; /* another key, by its tag */
	assert_int_equal(dnssec_key_public(dnskey, sizeof(dnskey), &public[1]), 0);
	text_init(&t);
	text_str(&t, zone);
	diag_init(&diag);
	assert_int_equal(variants_each(content, (const struct config *const[]){c}, 1, &diag, sign, &g, &count), 0);
	assert_int_equal(count.owners, 4);
	assert_int_equal(count.sets, 6 + 1 + 6 + 2);
	diag_done(&diag);

	check(zone, c, public, 1, 1500, 0, 15, 0, 0);
	check(t.chars, c, public, 1, 1500, 15, 0, 0, 0);
	check(t.chars, c, public, 2, 2000, 15, 0, 0, 0);
	check(t.chars, c, public, 1, 2001, 0, 0, 15, 0);
	check(t.chars, c, public, 1, 999, 0, 0, 15, 0);
	check(t.chars, c, public + 1, 1, 1500, 0, 0, 0, 15);
	check(t.chars, c, public, 0, 1500, 0, 0, 0, 15);
	check(t.chars, more, public, 1, 1500, 7, 1, 0, 0); /* the set of three */
	/* Made again before they end: those that last longest count. */
	g.inception = 500;
	g.expiration = 1600;
	diag_init(&diag);
	assert_int_equal(variants_each(content, (const struct config *const[]){c}, 1, &diag, sign, &g, &count), 0);
	diag_done(&diag);
	check(t.chars, c, public, 1, 1550, 15, 0, 0, 0);
	check(t.chars, c, public, 1, 1700, 15, 0, 0, 0);
	check(t.chars, c, public, 1, 2100, 0, 0, 15, 0);
	text_done(&t);
	dnssec_key_done(&key);
	dnssec_key_done(&public[0]);
	dnssec_key_done(&public[1]);
	content_free(content);
	config_free(c);
	config_free(more);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sets), cmocka_unit_test(test_limits), cmocka_unit_test(test_signatures)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
