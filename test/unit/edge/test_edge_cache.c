/* SPDX-License-Identifier: BSD-2-Clause */
/* The cache of backends' answers, by one worker at a time: keys, times, networks, purges, fixed memory, what a dead
 * worker leaves; and by many at once. */
#include "edge/cache.h"

#include "base/err.h"
#include "base/wire.h"
#include "dns/rr.h"
#include "edge/cache_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static const uint64_t random_key[2] = {0x1234567, 0x89abcdef};
static const struct edge_limits limits = {.ttl_max_s = 86400, .negative_max_s = 3600, .stale_s = 600, .prefetch = 10};

struct memory {
	void *at;
	size_t octets;
};

static struct memory make(size_t octets)
{
	struct memory m = {.octets = edge_cache_octets(octets)};

	m.at = mmap(NULL, m.octets, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(m.at, MAP_FAILED);
	edge_cache_format(m.at, m.octets, random_key);
	return m;
}

static struct edge_cache *attach(const struct memory *m, unsigned worker)
{
	struct edge_cache *c;

	assert_int_equal(edge_cache_attach(m->at, m->octets, worker, &c), 0);
	return c;
}

static void drop(struct memory *m, struct edge_cache *c)
{
	edge_cache_detach(c);
	munmap(m->at, m->octets);
}

static struct query question(const char *name, uint16_t type)
{
	struct query q = {.has_question = true, .qtype = type, .qclass = CLASS_IN};

	assert_int_equal(name_from_text(name, strlen(name), NULL, &q.qname), 0);
	return q;
}

static struct edge_key key(const struct edge_cache *c, const char *name)
{
	struct query q = question(name, RR_A);
	struct edge_key k;

	edge_key_make(c, &q, 7, &k);
	return k;
}

/* One address record at the question's name; `what` is its last octet. */
static void answer(struct edge_answer *a, uint8_t body[16], uint32_t ttl, uint8_t what)
{
	memcpy(body, "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\xc0\0\2", 15);
	put_u32(body + 6, ttl);
	body[15] = what;
	*a = (struct edge_answer){.body = body,
	                          .len = 16,
	                          .counts = {1},
	                          .flags = DNS_AA,
	                          .ede = UINT16_MAX,
	                          .ttl = ttl,
	                          .ttl_count = 1,
	                          .ttl_at = {6}};
}

static void put(struct edge_cache *c, const struct edge_key *k, uint32_t ttl, uint8_t what, uint32_t now)
{
	static struct edge_answer a;
	uint8_t body[16];

	answer(&a, body, ttl, what);
	edge_cache_put(c, k, NULL, &a, &limits, now);
}

/* The last octet of what is found, and its TTL; -1: nothing. */
static int get(struct edge_cache *c, const struct edge_key *k, uint32_t now, enum edge_found *found, uint32_t *ttl)
{
	static struct edge_answer a;
	static uint8_t body[EDGE_BODY_MAX];
	enum edge_found f = edge_cache_find(c, k, NULL, now, body, sizeof(body), &a);

	if (found)
		*found = f;
	if (f == EDGE_MISS)
		return -1;
	if (a.len != 16 || memcmp(body, "\xc0\x0c\0\1\0\1", 6) != 0 || memcmp(body + 10, "\0\4\xc0\0\2", 5) != 0)
		return -2;
	if (ttl)
		*ttl = get_u32(body + 6);
	return body[15];
}

static void test_times(void **state)
{
	static const struct {
		const char *what;
		uint32_t ttl, after;
		enum edge_found found;
		uint32_t left;
	} cases[] = {
		{"at once", 100, 0, EDGE_FRESH, 100},
		{"counted down", 100, 40, EDGE_FRESH, 60},
		{"the last second", 20, 19, EDGE_FRESH, 1},
		{"over", 20, 20, EDGE_STALE, 20},
		{"over: 30 seconds are given", 100, 100, EDGE_STALE, 30},
		{"the last stale second", 100, 699, EDGE_STALE, 30},
		{"stale for too long", 100, 700, EDGE_MISS, 0},
		{"cut by the limit", 100000, 86399, EDGE_FRESH, 100000 - 86399},
		{"over by the limit", 100000, 86400, EDGE_STALE, 100000 - 86400},
		{"another worker's clock is behind", 100, UINT32_MAX, EDGE_FRESH, 100},
	};
	struct memory m = make(0);
	struct edge_cache *c = attach(&m, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char name[32];
		struct edge_key k;
		enum edge_found found;
		uint32_t ttl = 0;

		snprintf(name, sizeof(name), "t%zu.example.", i);
		k = key(c, name);
		put(c, &k, cases[i].ttl, (uint8_t)i, 1000);
		assert_int_equal(get(c, &k, 1000 + cases[i].after, &found, &ttl),
		                 cases[i].found == EDGE_MISS ? -1 : (int)i);
		if (found != cases[i].found || ttl != cases[i].left)
			fail_msg("%s: %d, %u", cases[i].what, (int)found, ttl);
	}
	drop(&m, c);
}

/* What differs in one part of the key is another entry; what differs in case is none. */
static void test_keys(void **state)
{
	struct memory m = make(0);
	struct edge_cache *c = attach(&m, 3);
	struct query q = question("www.example.", RR_A), other;
	struct edge_key k[7], upper;

	(void)state;
	edge_key_make(c, &q, 7, &k[0]);
	edge_key_make(c, &q, 8, &k[1]);
	other = question("www.example.", RR_AAAA);
	edge_key_make(c, &other, 7, &k[2]);
	other = q;
	other.dnssec_ok = true;
	edge_key_make(c, &other, 7, &k[3]);
	other = q;
	other.header.flags = DNS_CD;
	edge_key_make(c, &other, 7, &k[4]);
	other = question("example.", RR_A);
	edge_key_make(c, &other, 7, &k[5]);
	other = question(".", RR_A);
	edge_key_make(c, &other, 7, &k[6]);
	for (unsigned i = 0; i < 7; i++) {
		assert_int_equal(get(c, &k[i], 10, NULL, NULL), -1);
		put(c, &k[i], 100, (uint8_t)(i + 1), 10);
	}
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(get(c, &k[i], 10, NULL, NULL), i + 1);
	other = question("WWW.eXample.", RR_A);
	edge_key_make(c, &other, 7, &upper);
	assert_int_equal(get(c, &upper, 10, NULL, NULL), 1);
	/* Another class is never found, nor kept. */
	other = q;
	other.qclass = CLASS_CH;
	edge_key_make(c, &other, 7, &upper);
	put(c, &upper, 100, 99, 10);
	assert_int_equal(get(c, &upper, 10, NULL, NULL), -1);
	assert_int_equal(get(c, &k[0], 10, NULL, NULL), 1);
	/* The same key again: the newer. */
	put(c, &k[0], 100, 77, 11);
	assert_int_equal(get(c, &k[0], 11, NULL, NULL), 77);
	/* A hash that is the same by chance: the key is compared in full. */
	upper = key(c, "another.example.");
	upper.hash = k[0].hash;
	assert_int_equal(get(c, &upper, 11, NULL, NULL), -1);
	drop(&m, c);
}

static void test_all_of_an_answer(void **state)
{
	static struct edge_answer a, b;
	static uint8_t body[EDGE_BODY_MAX], got[EDGE_BODY_MAX];
	struct memory m = make(0);
	struct edge_cache *c = attach(&m, 0);
	struct edge_key k = key(c, "big.example.");
	struct edge_cache_figures f;

	(void)state;
	for (unsigned i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 7 >> 3);
	a = (struct edge_answer){.body = body,
	                         .len = EDGE_BODY_MAX,
	                         .counts = {1, 2000, 47},
	                         .flags = DNS_AA | DNS_RA,
	                         .rcode = RCODE_NXDOMAIN,
	                         .ede = 18,
	                         .negative = true,
	                         .ttl = 4000,
	                         .ttl_count = EDGE_TTLS_MAX};
	for (unsigned i = 0; i < EDGE_TTLS_MAX; i++) {
		a.ttl_at[i] = (uint16_t)(i * 31);
		put_u32(body + a.ttl_at[i], 5000 + i);
	}
	edge_cache_put(c, &k, NULL, &a, &limits, 5);
	assert_int_equal(edge_cache_find(c, &k, NULL, 5, got, sizeof(got) - 1, &b), EDGE_MISS);
	assert_int_equal(edge_cache_find(c, &k, NULL, 15, got, sizeof(got), &b), EDGE_FRESH);
	assert_int_equal(b.len, a.len);
	assert_int_equal(b.ttl, 3590); /* by the limit of negative ones */
	assert_int_equal(b.rcode, RCODE_NXDOMAIN);
	assert_int_equal(b.flags, DNS_AA | DNS_RA);
	assert_int_equal(b.ede, 18);
	assert_true(b.negative);
	assert_memory_equal(b.counts, a.counts, sizeof(a.counts));
	assert_int_equal(b.ttl_count, EDGE_TTLS_MAX);
	assert_memory_equal(b.ttl_at, a.ttl_at, sizeof(a.ttl_at));
	edge_answer_age(body, a.ttl_at, a.ttl_count, 10, 0);
	assert_memory_equal(got, body, EDGE_BODY_MAX);
	edge_cache_look(m.at, m.octets, &f);
	assert_int_equal(f.entries, 1);
	assert_int_equal(f.octets, m.octets);
	assert_true(f.used > EDGE_BODY_MAX && f.used < EDGE_BODY_MAX + 2 * EDGE_TTLS_MAX + 200);
	/* Not at all: ttl 0, and limits that allow none. */
	k = key(c, "none.example.");
	a.ttl = 0;
	edge_cache_put(c, &k, NULL, &a, &limits, 5);
	a.ttl = 10;
	edge_cache_put(c, &k, NULL, &a, &(struct edge_limits){.ttl_max_s = 100}, 5);
	assert_int_equal(edge_cache_find(c, &k, NULL, 5, got, sizeof(got), &b), EDGE_MISS);
	drop(&m, c);
}

static void test_hot_once(void **state)
{
	struct memory m = make(0);
	struct edge_cache *c = attach(&m, 0), *d = attach(&m, 1);
	struct edge_key k = key(c, "hot.example.");
	enum edge_found found;
	unsigned hot = 0;

	(void)state;
	put(c, &k, 1000, 1, 5000);
	get(c, &k, 5899, &found, NULL);
	assert_int_equal(found, EDGE_FRESH);
	for (unsigned i = 0; i < 100; i++) {
		get(i % 2 ? c : d, &k, 5900 + i / 50, &found, NULL);
		hot += found == EDGE_HOT;
	}
	assert_int_equal(hot, 1);
	/* Whoever was told so has died: another is told, once more. */
	for (unsigned i = 0; i < 100; i++) {
		get(i % 2 ? c : d, &k, 5910 + i / 50, &found, NULL);
		hot += found == EDGE_HOT;
	}
	assert_int_equal(hot, 2);
	/* Fetched anew, and still known to be in use. */
	put(c, &k, 1000, 2, 5912);
	get(c, &k, 5913, &found, NULL);
	assert_int_equal(found, EDGE_FRESH);
	get(c, &k, 6900, &found, NULL);
	assert_int_equal(found, EDGE_HOT);
	/* Asked for the first time in its last seconds: not in use. */
	k = key(c, "once.example.");
	put(c, &k, 1000, 1, 5000);
	get(c, &k, 5999, &found, NULL);
	assert_int_equal(found, EDGE_FRESH);
	edge_cache_detach(d);
	drop(&m, c);
}

static void test_subnets(void **state)
{
	static struct edge_answer a, b;
	static const struct {
		const char *client;
		uint8_t prefix;
		uint8_t scope, what;
	} puts[] = {{"192.0.2.0", 24, 24, 1},    {"198.51.100.0", 24, 16, 2}, {"2001:db8:1::", 56, 56, 3},
	            {"2001:db8:2::", 56, 32, 4}, {"203.0.113.0", 24, 0, 5},   {"10.0.0.0", 8, 24, 6},
	            {"0.0.0.0", 0, 24, 7},       {"192.0.3.0", 24, 23, 8}},
	  gets[] = {{"192.0.2.0", 24, 24, 1},
	            {"192.0.2.99", 32, 24, 1},
	            {"192.0.3.0", 24, 23, 8},
	            {"192.0.2.0", 23, 23, 8},
	            {"192.0.4.0", 24, 0, 5},
	            {"198.51.7.0", 24, 16, 2},
	            {"198.51.7.0", 16, 16, 2},
	            {"198.51.0.0", 15, 0, 5},
	            {"2001:db8:1:0:8000::", 65, 56, 3},
	            {"2001:db8:1:100::", 56, 32, 4},
	            {"2001:db8::", 32, 32, 4},
	            {"2001:db9::", 56, 0, 5},
	            {"10.0.0.0", 8, 24, 6},
	            {"10.0.0.0", 24, 0, 5},
	            {"0.0.0.0", 0, 24, 7},
	            {"::", 0, 0, 5}};
	struct memory m = make(0);
	struct edge_cache *c = attach(&m, 0);
	struct edge_key k = key(c, "geo.example."), other = key(c, "other.example.");
	uint8_t body[16], got[64];
	struct edge_subnet s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(puts); i++) {
		assert_int_equal(addr_parse(puts[i].client, &s.addr), 0);
		s.prefix = puts[i].prefix;
		answer(&a, body, 100, puts[i].what);
		a.has_scope = true;
		a.scope = puts[i].scope;
		a.told = s;
		edge_cache_put(c, &k, &s, &a, &limits, 50);
	}
	for (size_t i = 0; i < ARRAY_LEN(gets); i++) {
		assert_int_equal(addr_parse(gets[i].client, &s.addr), 0);
		s.prefix = gets[i].prefix;
		if (edge_cache_find(c, &k, &s, 60, got, sizeof(got), &b) != EDGE_FRESH || got[15] != gets[i].what ||
		    !b.has_scope || b.scope != gets[i].scope)
			fail_msg("%s/%u: %u, scope %u", gets[i].client, gets[i].prefix, got[15], b.scope);
		assert_int_equal(edge_cache_find(c, &other, &s, 60, got, sizeof(got), &b), EDGE_MISS);
	}
	/* Nothing is known of the client: what is for all. */
	assert_int_equal(edge_cache_find(c, &k, NULL, 60, got, sizeof(got), &b), EDGE_FRESH);
	assert_int_equal(got[15], 5);
	/* An option that names another network than was told: nothing is kept (RFC 7871 7.3). */
	assert_int_equal(addr_parse("192.0.2.0", &s.addr), 0);
	s.prefix = 24;
	answer(&a, body, 100, 66);
	a.has_scope = true;
	a.scope = 24;
	a.told = s;
	a.told.addr.bytes[0] = 10;
	edge_cache_put(c, &k, &s, &a, &limits, 60);
	assert_int_equal(edge_cache_find(c, &k, &s, 60, got, sizeof(got), &b), EDGE_FRESH);
	assert_int_equal(got[15], 1);
	/* Stale for the network: what is fresh for all is better; else the stale one of the longest scope. */
	assert_int_equal(edge_cache_find(c, &k, &s, 155, got, sizeof(got), &b), EDGE_STALE);
	assert_int_equal(got[15], 1);
	put(c, &k, 100, 9, 155);
	assert_int_equal(edge_cache_find(c, &k, &s, 155, got, sizeof(got), &b), EDGE_FRESH);
	assert_int_equal(got[15], 9);
	assert_false(b.has_scope);
	/* All of a name's networks are purged with it. */
	assert_int_equal(edge_cache_purge(m.at, m.octets, k.name, false), 8);
	assert_int_equal(edge_cache_find(c, &k, &s, 155, got, sizeof(got), &b), EDGE_MISS);
	drop(&m, c);
}

static void test_purge(void **state)
{
	static const char *const names[] = {"example.",      "www.example.",     "a.b.www.example.",
	                                    "xwww.example.", "www.example.org.", "."};
	static const struct {
		const char *name;
		bool subtree;
		unsigned gone; /* bits */
	} cases[] = {{"WWW.example.", false, 2},   {"www.example.", true, 6}, {"example.", true, 15},
	             {"example.", false, 1},       {".", true, 63},           {".", false, 32},
	             {"nothing.example.", true, 0}};
	struct memory m = make(4 << 20);
	struct edge_cache *c = attach(&m, 0);
	struct edge_cache_figures f;
	uint64_t purged = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct query q = question(cases[i].name, RR_A);
		struct edge_key before[ARRAY_LEN(names)], k;

		for (unsigned j = 0; j < ARRAY_LEN(names); j++) {
			before[j] = key(c, names[j]);
			put(c, &before[j], 100, (uint8_t)j, 1);
		}
		assert_int_equal(edge_cache_purge(m.at, m.octets, q.qname.wire, cases[i].subtree),
		                 __builtin_popcount(cases[i].gone));
		purged += (unsigned)__builtin_popcount(cases[i].gone);
		for (unsigned j = 0; j < ARRAY_LEN(names); j++) {
			bool gone = cases[i].gone >> j & 1;

			k = key(c, names[j]);
			assert_int_equal(get(c, &k, 1, NULL, NULL), gone ? -1 : (int)j);
			/* An answer to a question from before does not bring it back; of another name it is welcome. */
			put(c, &before[j], 100, 50, 1);
			assert_int_equal(get(c, &k, 1, NULL, NULL), gone ? -1 : 50);
			put(c, &k, 100, 51, 1);
			assert_int_equal(get(c, &k, 1, NULL, NULL), 51);
		}
	}
	edge_cache_look(m.at, m.octets, &f);
	assert_int_equal(f.purged, purged);
	assert_int_equal(f.entries, ARRAY_LEN(names));
	/* More purges than are remembered: what was asked before all of them is not kept, whatever its name. */
	{
		struct edge_key old = key(c, "unrelated.test."), k;
		struct query q = question("purged.test.", RR_A);

		for (unsigned i = 0; i < RULES; i++)
			edge_cache_purge(m.at, m.octets, q.qname.wire, false);
		put(c, &old, 100, 1, 1);
		k = key(c, "unrelated.test.");
		assert_int_equal(get(c, &k, 1, NULL, NULL), 1);
		edge_cache_purge(m.at, m.octets, q.qname.wire, false);
		put(c, &old, 100, 2, 1);
		assert_int_equal(get(c, &k, 1, NULL, NULL), 1);
	}
	drop(&m, c);
}

struct seen {
	unsigned count, sum;
};

static bool see(void *user, const struct edge_cache_entry *e)
{
	struct seen *s = user;

	s->count++;
	s->sum += e->qtype;
	assert_int_equal(e->age_s, 7);
	assert_int_equal(e->ttl_s, 100);
	assert_int_equal(e->stale_s, 600);
	assert_int_equal(e->octets, 16);
	assert_int_equal(e->pool, 7);
	return s->count < 3;
}

static void test_each(void **state)
{
	struct memory m = make(0);
	struct edge_cache *c = attach(&m, 0);
	struct seen s = {.count = 0};
	struct edge_key k[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct query q = question(i < 2    ? "www.example."
		                          : i == 2 ? "a.www.example."
		                                   : "www.test.",
		                          (uint16_t)(i + 1));

		edge_key_make(c, &q, 7, &k[i]);
		put(c, &k[i], 100, 1, 20);
	}
	edge_cache_each(m.at, m.octets, k[0].name, false, 27, see, &s);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.sum, 3);
	s = (struct seen){.count = 0};
	edge_cache_each(m.at, m.octets, k[0].name, true, 27, see, &s);
	assert_int_equal(s.count, 3);
	s = (struct seen){.count = 0};
	edge_cache_each(m.at, m.octets, (const uint8_t *)"", true, 27, see, &s);
	assert_int_equal(s.count, 3); /* it had enough */
	s = (struct seen){.count = 0};
	edge_cache_each(m.at, m.octets, k[0].name, true, 2000, see, &s);
	assert_int_equal(s.count, 0);
	drop(&m, c);
}

/* Ring positions, counters and slots agree. */
static void check(const struct memory *m)
{
	struct top *t = cache_open(m->at, m->octets);
	struct edge_cache_figures f;
	uint64_t slots = 0, live = 0;

	assert_non_null(t);
	for (unsigned i = 0; i < t->shards; i++) {
		struct part p = cache_part(t, i);
		uint64_t copy[ENTRY_WORDS_MAX];
		const struct entry *e = (const struct entry *)copy;
		size_t bucket[2];

		assert_int_equal(p.shard->lock, 0);
		assert_int_equal(p.shard->seq & 1, 0);
		assert_true(p.shard->head < t->ring_words && p.shard->tail < t->ring_words &&
		            p.shard->wrap <= t->ring_words);
		for (size_t j = 0; j < (size_t)t->buckets * WAYS; j++) {
			if (!p.slots[j])
				continue;
			slots++;
			assert_int_equal(cache_copy(t, &p, p.slots[j], p.shard->seq, NULL, copy), 1);
			live += e->words;
			cache_buckets_of(t, e->hash, bucket);
			assert_true(j / WAYS == bucket[0] / WAYS || j / WAYS == bucket[1] / WAYS);
			assert_int_equal(cache_shard_of(t, e->hash), i);
			assert_int_equal(cache_tag_of(e->hash) >> SLOT_TAG_SHIFT, p.slots[j] >> SLOT_TAG_SHIFT);
		}
	}
	edge_cache_look(m->at, m->octets, &f);
	assert_int_equal(f.entries, slots);
	assert_int_equal(f.used, 8 * (slots + live));
}

/* More than fits, of all sizes; those in use stay. */
static void test_full(void **state)
{
	static struct edge_answer a;
	static uint8_t body[EDGE_BODY_MAX];
	struct memory m = make(3 << 20);
	struct edge_cache *c = attach(&m, 0);
	struct edge_cache_figures f;
	unsigned seed = 1, in_use = 0;
	char name[64];
	struct edge_key k;

	(void)state;
	for (unsigned i = 0; i < 60000; i++) {
		snprintf(name, sizeof(name), "n%u.example.", i);
		k = key(c, name);
		seed = seed * 1103515245 + 12345;
		a = (struct edge_answer){.body = body,
		                         .len = (uint16_t)(i % 500 == 0 ? EDGE_BODY_MAX - (seed >> 16) % 1000
		                                                        : (seed >> 16) % 400),
		                         .ede = UINT16_MAX,
		                         .ttl = 100};
		edge_cache_put(c, &k, NULL, &a, &limits, 10);
		snprintf(name, sizeof(name), "used%u.example.", i % 200);
		k = key(c, name);
		if (get(c, &k, 10, NULL, NULL) >= 0)
			in_use++;
		else
			put(c, &k, 1000, 1, 10);
		if (i % 10000 == 0)
			check(&m);
	}
	check(&m);
	edge_cache_look(m.at, m.octets, &f);
	assert_true(f.evicted > 30000);
	assert_int_equal(f.inserted, f.evicted + f.entries);
	assert_int_equal(f.expired, 0);
	assert_int_equal(f.busy, 0);
	assert_true(f.used <= f.octets && f.used > f.octets / 2);
	/* 200 first times; hardly any of them again, though thousands of others came and went. */
	assert_in_range(in_use, 60000 - 260, 60000 - 200);
	/* Most is over: those go without being counted as still good. */
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "m%u.example.", i);
		k = key(c, name);
		a = (struct edge_answer){.body = body, .len = 400, .ttl = 100, .ede = UINT16_MAX};
		edge_cache_put(c, &k, NULL, &a, &limits, 100000);
	}
	edge_cache_look(m.at, m.octets, &f);
	assert_true(f.expired > 1000);
	check(&m);
	drop(&m, c);
}

/* Strict LRU of so many names, as a yardstick. */
enum { NAMES_MAX = 400000 };
struct lru {
	uint32_t newer[NAMES_MAX + 1], older[NAMES_MAX + 1]; /* 0: itself the ring's head */
	bool in[NAMES_MAX + 1];
	unsigned count, max;
};

static void lru_out(struct lru *l, uint32_t n)
{
	l->newer[l->older[n]] = l->newer[n];
	l->older[l->newer[n]] = l->older[n];
	l->in[n] = false;
	l->count--;
}

/* Was it there? It is now, and the newest. */
static bool lru_ask(struct lru *l, uint32_t n)
{
	bool was = l->in[n];

	if (was)
		lru_out(l, n);
	else if (l->count == l->max)
		lru_out(l, l->newer[0]);
	l->older[n] = l->older[0];
	l->newer[n] = 0;
	l->newer[l->older[0]] = n;
	l->older[0] = n;
	l->in[n] = true;
	l->count++;
	return was;
}

static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * UINT64_C(2685821657736338717);
}

/* Questions by a Zipf law, alone and with a flood of names that are asked once: not worse than strict LRU of as many
 * entries. The flood is what random subdomains are. */
static void test_against_lru(void **state)
{
	static struct lru l;
	static const unsigned floods[] = {0, 1, 4}; /* names asked once for each other question */
	static double weight[20000];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(weight); i++)
		weight[i] = (i ? weight[i - 1] : 0) + 1.0 / (i + 1);
	for (size_t f = 0; f < ARRAY_LEN(floods); f++) {
		struct memory m = make(0);
		struct edge_cache *c = attach(&m, 0);
		struct edge_cache_figures figures;
		unsigned ours = 0, theirs = 0, once = ARRAY_LEN(weight);
		uint64_t seed = 88172645463325252;
		char name[32];

		/* How many fit of this size. */
		for (unsigned i = 0; i < 20000; i++) {
			struct edge_key k;

			snprintf(name, sizeof(name), "%08x.example.", i);
			k = key(c, name);
			put(c, &k, 1000, 1, 10);
		}
		edge_cache_look(m.at, m.octets, &figures);
		memset(&l, 0, sizeof(l));
		l.max = (unsigned)figures.entries;
		for (unsigned i = 0; i < 60000 * (1 + floods[f]); i++) {
			bool flood = i % (1 + floods[f]) != 0;
			double u = (double)(draw(&seed) >> 11) / 9007199254740992.0 * weight[ARRAY_LEN(weight) - 1];
			unsigned low = 0, high = ARRAY_LEN(weight) - 1;
			struct edge_key k;
			bool there;

			while (low < high) {
				unsigned mid = (low + high) / 2;

				if (weight[mid] < u)
					low = mid + 1;
				else
					high = mid;
			}
			if (flood)
				low = once++;
			snprintf(name, sizeof(name), "%08x.example.", 0x10000000 + low);
			k = key(c, name);
			there = get(c, &k, 10, NULL, NULL) >= 0;
			if (!there)
				put(c, &k, 1000, 1, 10);
			ours += there && !flood;
			theirs += lru_ask(&l, low + 1);
		}
		print_message("%u asked once for each other: of %u entries, %.2f %% found; strict LRU %.2f %%\n",
		              floods[f], l.max, ours / 600.0, theirs / 600.0);
		if (floods[f] ? ours < theirs
		              : ours + 180 < theirs) /* without a flood the same, within a third of a percent */
			fail_msg("worse than strict LRU");
		drop(&m, c);
	}
}

static void test_attach(void **state)
{
	struct memory m = make(5000000);
	struct edge_cache *c = NULL;
	struct edge_cache_figures f;
	struct top *t = m.at;

	(void)state;
	assert_int_equal(m.octets % 64, 0);
	assert_true(m.octets <= 5000000);
	assert_int_equal(edge_cache_octets(0), EDGE_CACHE_MIN);
	assert_int_equal(edge_cache_attach(m.at, m.octets, EDGE_CACHE_WORKERS_MAX, &c), ERR_LIMIT);
	assert_int_equal(edge_cache_attach(m.at, m.octets - 64, 0, &c), ERR_STALE);
	t->version++;
	assert_int_equal(edge_cache_attach(m.at, m.octets, 0, &c), ERR_STALE);
	edge_cache_look(m.at, m.octets, &f);
	assert_int_equal(f.octets, 0);
	assert_int_equal(edge_cache_purge(m.at, m.octets, (const uint8_t *)"", true), 0);
	t->version--;
	t->ring_words += 64;
	assert_int_equal(edge_cache_attach(m.at, m.octets, 0, &c), ERR_STALE);
	assert_null(c);
	munmap(m.at, m.octets);
}

/* A worker that died with a lock: others go without, its successor empties the shard; one that never comes back is
 * found out. */
static void test_dead_writer(void **state)
{
	struct memory m = make(0);
	struct edge_cache *c = attach(&m, 0), *dead = attach(&m, 1);
	struct part p = cache_part(cache_open(m.at, m.octets), 0);
	struct edge_key k = key(c, "a.example."), l = key(c, "b.example.");
	struct edge_cache_figures f;
	enum edge_found found;

	(void)state;
	put(c, &k, 1000, 1, 10);
	for (unsigned round = 0; round < 2; round++) {
		p.shard->lock = 2;
		p.shard->seq += round; /* odd: within an entry */
		put(c, &l, 1000, 2, 11);
		assert_int_equal(get(c, &l, 11, NULL, NULL), -1);
		assert_int_equal(get(c, &k, 11, &found, NULL), round ? -1 : 1);
		edge_cache_look(m.at, m.octets, &f);
		assert_int_equal(f.busy, round + 1);
		assert_int_equal(f.torn, round);
		edge_cache_detach(dead);
		dead = attach(&m, 1);
		assert_int_equal(get(c, &k, 11, NULL, NULL), -1);
		check(&m);
		put(c, &k, 1000, 3, 12);
		assert_int_equal(get(dead, &k, 12, NULL, NULL), 3);
	}
	edge_cache_look(m.at, m.octets, &f);
	assert_int_equal(f.cleared, 2);
	/* It never comes back. A purge cannot see what is in there, but it will be gone. */
	p.shard->lock = 2;
	p.shard->seq++;
	assert_int_equal(edge_cache_purge(m.at, m.octets, k.name, false), 0);
	put(c, &l, 1000, 4, 100);
	put(c, &l, 1000, 4, 100 + HUNG_S - 1);
	assert_int_equal(get(c, &l, 100 + HUNG_S, NULL, NULL), -1);
	put(c, &l, 1000, 4, 100 + HUNG_S);
	assert_int_equal(get(c, &l, 100 + HUNG_S, NULL, NULL), 4);
	k = key(c, "a.example.");
	assert_int_equal(get(c, &k, 100 + HUNG_S, NULL, NULL), -1);
	check(&m);
	/* A purge that could not look in while a slow writer was there: the writer empties the shard itself. */
	p.shard->wipe = 1;
	put(c, &k, 1000, 5, 200);
	assert_int_equal(get(c, &l, 200, NULL, NULL), -1);
	put(c, &l, 1000, 5, 200);
	assert_int_equal(get(c, &l, 200, NULL, NULL), 5);
	check(&m);
	edge_cache_detach(dead);
	drop(&m, c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_all_of_an_answer),
		cmocka_unit_test(test_hot_once),
		cmocka_unit_test(test_subnets),
		cmocka_unit_test(test_purge),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_against_lru),
		cmocka_unit_test(test_dead_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
