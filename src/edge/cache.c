/* SPDX-License-Identifier: BSD-2-Clause */
/* The cache of backends' answers.
 *
 * All workers of a node share it, so an answer is fetched once for all of them, and it outlives each of them. Its
 * memory is fixed when it is made:
 *
 *   top | shard | shard | ...          shard: control | buckets of 8 slots | ring of entries
 *
 * A key's keyed hash (SipHash) says its shard and two buckets in it. A slot is one word: where the entry lies in the
 * ring, a tag of the hash, and what readers say of the entry. An entry is its key, what the header said, the places of
 * its TTLs and the body, without gaps: 48 octets beside those, and 8 for the slot. Keys are always compared in full.
 *
 * Readers take no lock. A shard has a sequence number, odd while words of its ring are being written; a reader copies
 * the entry out, then looks whether the number is still the same, and tries again a few times if it is not. All words
 * are atomic and written with release, so a torn copy is seen and never undefined. Only the copy is looked into, and
 * its lengths are checked even so: a broken worker breaks no other. Writers have a lock for each shard, a word with the
 * worker's number. Who finds it taken goes without: the answer is not kept this time. A worker that dies inside leaves
 * its number there, and its successor empties that shard; one that never comes back is found out by others after
 * HUNG_S.
 *
 * The ring is a clock: new entries at its head, at its tail the oldest goes when room is needed. One that was found
 * since it was written or last spared is copied to the head instead (second chance): names asked once pass through
 * while names in use stay, which is better than strict LRU under a flood of unique names, and readers only set a bit
 * for it, once. A replaced entry's room comes back when the tail gets there.
 *
 * Client subnet (RFC 7871 7.3): entries for a network hash over it as well. Which lengths of scopes there have been is
 * remembered in a small table by hash, and only these are looked for, longest first; where backends are not told of
 * clients this costs nothing. An answer whose scope is longer than what the backend was told is only for clients of
 * whom just as much is known (7.3.1).
 *
 * Time: an entry is fresh for its TTL (cut as the limits say), then stale for stale_s (RFC 8767), then worth nothing.
 * EDGE_HOT is said once in EDGE_CLAIM_S, by a claim in the slot, of entries that were found before: those asked once
 * are not fetched again.
 *
 * A purge looks at every slot, without locks, and empties those it means. Answers that are under way then must not
 * bring the old data back: a purge begins a new epoch and leaves its rule; a key carries the epoch of its question, and
 * a put whose epoch is not the present one looks through the rules since, before it writes and again after. Of more
 * than RULES purges ago, every answer under way is left out.
 *
 * Not done: huge pages are up to who maps the memory; entries do not survive a change of the cache's size. */
#include "edge/cache_priv.h"

#include "base/err.h"
#include "base/hash.h"
#include "dns/rr.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(offsetof(struct edge_key, name) - offsetof(struct edge_key, pool) == 11,
               "hashed in one piece, without gaps");
_Static_assert(sizeof(struct top) + sizeof(struct shard) + 2 * 8 * ENTRY_WORDS_MAX < EDGE_CACHE_MIN / 2,
               "the smallest cache holds the largest answer");

/* A network that an entry is for. */
struct net {
	struct edge_subnet subnet; /* host bits are zero; family 0: for all */
	bool exact;
};

size_t edge_cache_octets(size_t octets)
{
	return MAX(octets, (size_t)EDGE_CACHE_MIN) & ~(size_t)63;
}

void edge_cache_format(void *memory, size_t octets, const uint64_t key[2])
{
	struct top *t = memory;
	size_t left = octets - sizeof(*t);

	t->shards = 1;
	while (t->shards < SHARDS_MAX && left / (2 * t->shards) >= SHARD_OCTETS)
		t->shards *= 2;
	t->octets = octets;
	t->shard_octets = MIN(left / t->shards, (size_t)SHARD_OCTETS_MAX) & ~(size_t)63;
	t->buckets = (uint32_t)(t->shard_octets / BUCKET_FOR);
	t->ring_words = (uint32_t)((t->shard_octets - sizeof(struct shard)) / 8 - (size_t)t->buckets * WAYS);
	t->key[0] = key[0];
	t->key[1] = key[1];
	for (unsigned i = 0; i < t->shards; i++)
		cache_part(t, i).shard->wrap = t->ring_words;
	t->version = CACHE_VERSION;
	t->magic = CACHE_MAGIC;
}

struct top *cache_open(const void *memory, size_t octets)
{
	struct top *t = (struct top *)(uintptr_t)memory;
	uint64_t most;

	if (!memory || octets < EDGE_CACHE_MIN || t->magic != CACHE_MAGIC || t->version != CACHE_VERSION ||
	    t->octets != octets)
		return NULL;
	most = octets - sizeof(*t);
	if (!t->shards || t->shards > SHARDS_MAX || (t->shards & (t->shards - 1)) || t->shard_octets % 64 ||
	    t->shard_octets > most / t->shards || t->buckets < 1 ||
	    sizeof(struct shard) + (uint64_t)t->buckets * WAYS * 8 + (uint64_t)t->ring_words * 8 > t->shard_octets)
		return NULL;
	return t;
}

int edge_cache_attach(void *memory, size_t octets, unsigned worker, struct edge_cache **out)
{
	struct top *t = cache_open(memory, octets);
	struct edge_cache *c;

	if (!t)
		return ERR_STALE;
	if (worker >= EDGE_CACHE_WORKERS_MAX)
		return ERR_LIMIT;
	c = malloc(sizeof(*c));
	if (!c)
		return ERR_NO_MEMORY;
	c->top = t;
	c->worker = worker;
	for (unsigned i = 0; i < t->shards; i++) {
		struct cache_write w = {.c = c, .part = cache_part(t, i)};

		if (atomic_load_explicit(&w.part.shard->lock, memory_order_acquire) != worker + 1)
			continue;
		cache_clear_part(t, &w.part);
		atomic_fetch_add_explicit(&t->cleared, 1, memory_order_relaxed);
		cache_unlock(&w);
	}
	*out = c;
	return 0;
}

void edge_cache_detach(struct edge_cache *c)
{
	free(c);
}

uint32_t edge_pool_key(const char *name)
{
	uint64_t h = hash_checksum(name, strlen(name), 0x706f6f6c);

	return (uint32_t)(h ^ h >> 32);
}

void edge_key_make(const struct edge_cache *c, const struct query *q, uint32_t pool, struct edge_key *out)
{
	struct name lower;

	name_lower(&lower, q->qname.wire);
	out->epoch = atomic_load(&c->top->epoch);
	out->pool = pool;
	out->qtype = q->qtype;
	out->qclass = q->qclass;
	out->dnssec_ok = q->dnssec_ok;
	out->checking_disabled = (q->header.flags & DNS_CD) != 0;
	out->name_len = lower.len;
	memcpy(out->name, lower.wire, lower.len);
	out->hash = hash_keyed((const uint8_t *)c->top->key, &out->pool,
	                       offsetof(struct edge_key, name) - offsetof(struct edge_key, pool) + lower.len);
}

int cache_copy(const struct top *t, const struct part *p, uint64_t w, uint64_t seq, const uint64_t *hash, uint64_t *to)
{
	uint64_t at = w & SLOT_OFFSET;
	const struct entry *e = (const struct entry *)to;
	size_t octets;

	if (at + HEAD_WORDS > t->ring_words)
		return 0;
	to[0] = atomic_load_explicit(&p->ring[at], memory_order_acquire);
	if (hash && to[0] != *hash)
		return 0;
	for (unsigned i = 1; i < HEAD_WORDS; i++)
		to[i] = atomic_load_explicit(&p->ring[at + i], memory_order_acquire);
	octets = sizeof(*e) + (e->bits & BIT_SUBNET ? sizeof(struct entry_net) : 0) + e->name_len + 2U * e->ttl_count +
	         e->body_len;
	if (e->ttl_count > EDGE_TTLS_MAX || e->words != (octets + 7) / 8 || e->words > ENTRY_WORDS_MAX ||
	    e->words > t->ring_words - at)
		return -1;
	for (unsigned i = HEAD_WORDS; i < e->words; i++)
		to[i] = atomic_load_explicit(&p->ring[at + i], memory_order_acquire);
	return atomic_load_explicit(&p->shard->seq, memory_order_relaxed) == seq ? 1 : -1;
}

static void mask(struct edge_subnet *s, const struct edge_subnet *of, unsigned prefix)
{
	*s = (struct edge_subnet){.addr = {.family = of->addr.family}, .prefix = (uint8_t)prefix};
	memcpy(s->addr.bytes, of->addr.bytes, prefix / 8);
	if (prefix % 8)
		s->addr.bytes[prefix / 8] = of->addr.bytes[prefix / 8] & (uint8_t)(0xff00 >> prefix % 8);
}

static uint64_t hash_with(const struct edge_cache *c, const struct edge_key *k, const struct edge_subnet *s)
{
	uint8_t bytes[26];

	if (!s->addr.family)
		return k->hash;
	memcpy(bytes, &k->hash, 8);
	bytes[8] = s->addr.family;
	bytes[9] = s->prefix;
	memcpy(bytes + 10, s->addr.bytes, 16);
	return hash_keyed((const uint8_t *)c->top->key, bytes, sizeof(bytes));
}

/* Is the entry this key's, for this network? */
static bool is_of(const struct entry *e, const struct edge_key *k, const struct edge_subnet *s)
{
	const struct entry_net *net = cache_entry_net(e);
	unsigned bits = (k->dnssec_ok ? BIT_DNSSEC_OK : 0U) | (k->checking_disabled ? BIT_CHECKING_DISABLED : 0U);

	if (e->pool != k->pool || e->qtype != k->qtype || (e->bits & (BIT_DNSSEC_OK | BIT_CHECKING_DISABLED)) != bits ||
	    e->name_len != k->name_len || memcmp(cache_entry_name(e), k->name, k->name_len) != 0)
		return false;
	if (!net || !s->addr.family)
		return !net && !s->addr.family;
	return ((e->bits & BIT_V6) != 0) == (s->addr.family == 6) && net->prefix == s->prefix &&
	       memcmp(net->bytes, s->addr.bytes, 16) == 0;
}

/* The slot of the key for this network, its entry copied to scratch. NULL: there is none, or torn. *word: the slot's as
 * it was read. */
static _Atomic uint64_t *look_up(struct edge_cache *c, const struct part *p, const struct edge_key *k,
                                 const struct edge_subnet *s, uint64_t hash, uint64_t *word, bool *torn)
{
	const struct top *t = c->top;
	uint64_t tag = cache_tag_of(hash);
	size_t bucket[2];

	cache_buckets_of(t, hash, bucket);
	__builtin_prefetch(&p->slots[bucket[1]]);
	*torn = false;
	for (unsigned tries = 0; tries < TRIES; tries++) {
		uint64_t seq = atomic_load_explicit(&p->shard->seq, memory_order_acquire);
		bool again = false;

		for (unsigned i = 0; i < 2 * WAYS && !again; i++) {
			_Atomic uint64_t *slot = &p->slots[bucket[i / WAYS] + i % WAYS];
			int got;

			*word = atomic_load_explicit(slot, memory_order_acquire);
			if ((*word ^ tag) >> SLOT_TAG_SHIFT)
				continue;
			got = seq & 1 ? -1 : cache_copy(t, p, *word, seq, &hash, c->scratch);
			if (got > 0 && is_of((const struct entry *)c->scratch, k, s))
				return slot;
			again = got < 0;
		}
		if (!again)
			return NULL;
		cache_pause();
	}
	*torn = true;
	return NULL;
}

/* Say what a reader has to say in the slot. True: and it is for him to fetch the entry anew. */
static bool mark(_Atomic uint64_t *slot, uint64_t word, bool nearly_over, uint32_t now_s)
{
	uint64_t claim = 1 + now_s / EDGE_CLAIM_S % 255, before = 1 + (now_s / EDGE_CLAIM_S + 254) % 255,
		 is = (word & SLOT_CLAIM) >> SLOT_CLAIM_SHIFT;
	bool hot = nearly_over && (word & SLOT_USED) && is != claim && is != before;

	if (hot)
		return atomic_compare_exchange_strong_explicit(slot, &word,
		                                               (word & ~SLOT_CLAIM) | claim << SLOT_CLAIM_SHIFT,
		                                               memory_order_relaxed, memory_order_relaxed);
	if (!(word & SLOT_USED))
		atomic_compare_exchange_strong_explicit(slot, &word, word | SLOT_USED, memory_order_relaxed,
		                                        memory_order_relaxed);
	return false;
}

/* Take the answer out of the copied entry. False: it does not fit, or is not sound. */
static bool take(const struct entry *e, uint32_t age, uint32_t floor, uint8_t *body, size_t cap,
                 struct edge_answer *out)
{
	const struct entry_net *net = cache_entry_net(e);
	const uint8_t *ttls = cache_entry_name(e) + e->name_len;

	if (e->body_len > cap)
		return false;
	memcpy(out->ttl_at, ttls, 2U * e->ttl_count);
	for (unsigned i = 0; i < e->ttl_count; i++)
		if (out->ttl_at[i] + 4 > e->body_len)
			return false;
	memcpy(body, ttls + 2U * e->ttl_count, e->body_len);
	edge_answer_age(body, out->ttl_at, e->ttl_count, age, floor);
	out->body = body;
	out->len = e->body_len;
	memcpy(out->counts, e->counts, sizeof(out->counts));
	out->flags = e->flags;
	out->rcode = e->rcode;
	out->ede = e->ede;
	out->negative = (e->bits & BIT_NEGATIVE) != 0;
	out->has_scope = (e->bits & BIT_SCOPE) != 0;
	out->scope = net ? net->scope : 0;
	out->told = (struct edge_subnet){.prefix = 0};
	if (net) {
		out->told = (struct edge_subnet){.addr = {.family = e->bits & BIT_V6 ? 6 : 4}, .prefix = net->prefix};
		memcpy(out->told.addr.bytes, net->bytes, 16);
	}
	out->ttl = e->ttl_s > age ? e->ttl_s - age : 0;
	out->ttl_count = e->ttl_count;
	return true;
}

/* For one network, or all (family 0). stale_too: an answer whose TTL is over will do. */
static enum edge_found find_for(struct edge_cache *c, const struct edge_key *k, const struct edge_subnet *s,
                                unsigned known, bool stale_too, uint32_t now_s, uint8_t *body, size_t cap,
                                struct edge_answer *out)
{
	uint64_t hash = hash_with(c, k, s), word = 0;
	struct part p = cache_part(c->top, cache_shard_of(c->top, hash));
	const struct entry *e = (const struct entry *)c->scratch;
	_Atomic uint64_t *slot;
	uint32_t age;
	bool torn, fresh;

	slot = look_up(c, &p, k, s, hash, &word, &torn);
	if (!slot) {
		_Atomic uint64_t *count = &c->top->worker[c->worker].torn;

		if (torn)
			atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
			                      memory_order_relaxed);
		return EDGE_MISS;
	}
	if ((e->bits & BIT_EXACT) && known != s->prefix)
		return EDGE_MISS;
	age = now_s > e->stored_s ? now_s - e->stored_s : 0;
	fresh = age < e->ttl_s;
	if (!fresh && age - e->ttl_s >= e->stale_s)
		return EDGE_MISS;
	if (!fresh && !stale_too)
		return EDGE_STALE;
	if (!take(e, age, fresh ? 0 : EDGE_STALE_TTL_S, body, cap, out))
		return EDGE_MISS;
	if (mark(slot, word,
	         fresh && e->prefetch && (uint64_t)(e->ttl_s - age) * 100 <= (uint64_t)e->ttl_s * e->prefetch, now_s))
		return EDGE_HOT;
	return fresh ? EDGE_FRESH : EDGE_STALE;
}

/* Scopes met for such keys, of a family, as bits; `most`: the longest wanted. */
static unsigned next_scope(const struct edge_cache *c, const struct edge_key *k, uint8_t family, int most)
{
	_Atomic uint64_t *row = c->top->scopes[k->hash % SCOPE_ROWS] + (family == 6);

	for (int i = most / 64; i >= 0; i--) {
		uint64_t bits = atomic_load_explicit(&row[i], memory_order_relaxed);

		if (i == most / 64)
			bits &= ~UINT64_C(0) >> (63 - most % 64);
		if (bits)
			return (unsigned)(i * 64 + 63 - __builtin_clzll(bits)) + 1;
	}
	return 0;
}

enum edge_found edge_cache_find(struct edge_cache *c, const struct edge_key *k, const struct edge_subnet *client,
                                uint32_t now_s, uint8_t *body, size_t cap, struct edge_answer *out)
{
	static const struct edge_subnet all;
	struct edge_subnet stale = all, s;
	bool has_stale = false;
	unsigned known = 0;
	enum edge_found found;

	if (k->qclass != CLASS_IN)
		return EDGE_MISS;
	if (client && client->addr.family) {
		known = MIN(client->prefix, client->addr.family == 6 ? 128U : 32U);
		/* next: a scope and one, 0 when there is no more */
		for (unsigned next = next_scope(c, k, client->addr.family, (int)known); next;
		     next = next > 1 ? next_scope(c, k, client->addr.family, (int)next - 2) : 0) {
			mask(&s, client, next - 1);
			found = find_for(c, k, &s, known, false, now_s, body, cap, out);
			if (found == EDGE_FRESH || found == EDGE_HOT)
				return found;
			if (found == EDGE_STALE && !has_stale) {
				has_stale = true;
				stale = s;
			}
		}
	}
	found = find_for(c, k, &all, known, !has_stale, now_s, body, cap, out);
	if (!has_stale || found == EDGE_FRESH || found == EDGE_HOT)
		return found;
	return find_for(c, k, &stale, known, true, now_s, body, cap, out);
}

/* What the answer is for. False: it does not say it of what was asked. */
static bool net_of(const struct edge_subnet *asked, const struct edge_answer *a, struct net *out)
{
	*out = (struct net){.exact = false};
	if (!asked || !asked->addr.family || !a->has_scope)
		return true;
	if (!edge_subnet_equal(asked, &a->told))
		return false;
	if (!a->scope)
		return true;
	mask(&out->subnet, asked, MIN(a->scope, asked->prefix));
	out->exact = a->scope > asked->prefix;
	return true;
}

/* The entry in scratch. */
static void build(struct edge_cache *c, const struct edge_key *k, const struct net *n, const struct edge_answer *a,
                  uint32_t ttl_s, const struct edge_limits *limits, uint32_t now_s, bool scope)
{
	struct entry *e = (struct entry *)c->scratch;
	bool subnet = n->subnet.addr.family != 0;
	size_t octets = sizeof(*e) + (subnet ? sizeof(struct entry_net) : 0) + k->name_len + 2U * a->ttl_count + a->len;
	uint8_t *at = (uint8_t *)(e + 1);

	c->scratch[(octets - 1) / 8] = 0;
	*e = (struct entry){.hash = hash_with(c, k, &n->subnet),
	                    .words = (uint32_t)((octets + 7) / 8),
	                    .stored_s = now_s,
	                    .ttl_s = ttl_s,
	                    .stale_s = limits->stale_s,
	                    .pool = k->pool,
	                    .qtype = k->qtype,
	                    .body_len = a->len,
	                    .counts = {a->counts[0], a->counts[1], a->counts[2]},
	                    .flags = a->flags,
	                    .rcode = (uint8_t)a->rcode,
	                    .name_len = k->name_len,
	                    .bits = (uint8_t)((k->dnssec_ok ? BIT_DNSSEC_OK : 0) |
	                                      (k->checking_disabled ? BIT_CHECKING_DISABLED : 0) |
	                                      (subnet ? BIT_SUBNET : 0) | (n->exact ? BIT_EXACT : 0) |
	                                      (n->subnet.addr.family == 6 ? BIT_V6 : 0) |
	                                      (a->negative ? BIT_NEGATIVE : 0) | (scope ? BIT_SCOPE : 0)),
	                    .prefetch = limits->prefetch,
	                    .ede = a->ede,
	                    .ttl_count = a->ttl_count};
	if (subnet) {
		struct entry_net *net = (struct entry_net *)at;

		*net = (struct entry_net){.prefix = n->subnet.prefix, .scope = a->scope};
		memcpy(net->bytes, n->subnet.addr.bytes, 16);
		at += sizeof(*net);
	}
	memcpy(at, k->name, k->name_len);
	memcpy(at + k->name_len, a->ttl_at, 2U * a->ttl_count);
	memcpy(at + k->name_len + 2U * a->ttl_count, a->body, a->len);
}

void edge_cache_put(struct edge_cache *c, const struct edge_key *k, const struct edge_subnet *asked,
                    const struct edge_answer *a, const struct edge_limits *limits, uint32_t now_s)
{
	struct cache_write w = {.c = c, .now_s = now_s};
	struct top *t = c->top;
	uint32_t ttl_s = MIN(a->ttl, a->negative ? limits->negative_max_s : limits->ttl_max_s);
	struct net n;
	_Atomic uint64_t *slot;
	uint64_t hash, word;
	bool torn;

	if (!ttl_s || k->qclass != CLASS_IN || a->ttl_count > EDGE_TTLS_MAX || a->len > EDGE_BODY_MAX ||
	    !net_of(asked, a, &n))
		return;
	hash = hash_with(c, k, &n.subnet);
	w.part = cache_part(t, cache_shard_of(t, hash));
	if (!cache_lock(&w))
		return;
	if (!cache_purged_since(t, k->epoch, k->name, k->name_len)) {
		const struct entry *e = (const struct entry *)c->scratch;

		if (n.subnet.addr.family)
			atomic_fetch_or_explicit(
				&t->scopes[k->hash % SCOPE_ROWS][(n.subnet.addr.family == 6) + n.subnet.prefix / 64],
				UINT64_C(1) << n.subnet.prefix % 64, memory_order_relaxed);
		slot = look_up(c, &w.part, k, &n.subnet, hash, &word, &torn);
		build(c, k, &n, a, ttl_s, limits, now_s, asked && asked->addr.family && a->has_scope);
		slot = cache_insert(&w, slot);
		if (cache_purged_since(t, k->epoch, k->name, k->name_len))
			cache_drop(&w.part, slot, e->words);
	}
	cache_unlock(&w);
}
