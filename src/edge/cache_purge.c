/* SPDX-License-Identifier: BSD-2-Clause */
/* What is done to the cache as a whole, or looked up in it, for people: purging, listing, figures; see cache.c. No lock
 * is taken. */
#include "edge/cache_priv.h"

#include "base/wire.h"

#include <string.h>

/* In doubt, when the rule is being written or overwritten, it covers. */
static bool rule_covers(struct rule *r, uint64_t epoch, const uint8_t *name, uint8_t len)
{
	uint64_t words[RULE_WORDS], subtree, rule_len;

	if (atomic_load(&r->epoch) != epoch)
		return true;
	subtree = atomic_load_explicit(&r->subtree, memory_order_acquire);
	rule_len = atomic_load_explicit(&r->len, memory_order_acquire);
	for (unsigned i = 0; i < RULE_WORDS; i++)
		words[i] = atomic_load_explicit(&r->name[i], memory_order_acquire);
	if (atomic_load_explicit(&r->epoch, memory_order_relaxed) != epoch ||
	    name_check((const uint8_t *)words, sizeof(words)) != (int)rule_len)
		return true;
	return subtree ? name_is_under(name, (const uint8_t *)words) : rule_len == len && memcmp(name, words, len) == 0;
}

bool cache_purged_since(struct top *t, uint64_t epoch, const uint8_t *name, uint8_t len)
{
	uint64_t now = atomic_load(&t->epoch);

	if (now == epoch)
		return false;
	if (now - epoch > RULES)
		return true;
	for (uint64_t e = epoch + 1; e <= now; e++)
		if (rule_covers(&t->rule[e % RULES], e, name, len))
			return true;
	return false;
}

static void make_rule(struct top *t, const struct name *name, bool subtree)
{
	/* From here on answers to what was asked before are held back, first in doubt, then by the rule. */
	uint64_t epoch = atomic_fetch_add(&t->epoch, 1) + 1, words[RULE_WORDS] = {0};
	struct rule *r = &t->rule[epoch % RULES];

	memcpy(words, name->wire, name->len);
	atomic_store(&r->epoch, 0);
	atomic_store_explicit(&r->subtree, subtree, memory_order_release);
	atomic_store_explicit(&r->len, name->len, memory_order_release);
	for (unsigned i = 0; i < RULE_WORDS; i++)
		atomic_store_explicit(&r->name[i], words[i], memory_order_release);
	atomic_store(&r->epoch, epoch);
}

struct scan {
	const struct name *name;
	bool subtree;
	bool (*found)(struct scan *s, const struct part *p, _Atomic uint64_t *slot, uint64_t word,
	              const struct entry *e);
	void *user;
	bool enough, moved; /* moved: the entry was found to lie elsewhere by now */
};

static bool wanted(const struct scan *s, const struct entry *e)
{
	const uint8_t *name = cache_entry_name(e);

	/* A broken worker may have written this. */
	if (name_check(name, e->name_len) != e->name_len)
		return false;
	return s->subtree ? name_is_under(name, s->name->wire)
	                  : e->name_len == s->name->len && memcmp(name, s->name->wire, s->name->len) == 0;
}

/* False: a writer did not let us look. */
static bool scan_slot(const struct top *t, const struct part *p, _Atomic uint64_t *slot, struct scan *s, uint64_t *copy)
{
	for (unsigned tries = 0; tries < SCAN_TRIES; tries++) {
		uint64_t seq = atomic_load_explicit(&p->shard->seq, memory_order_acquire), word = atomic_load(slot);
		int got;

		if (!word)
			return true;
		got = seq & 1 ? -1 : cache_copy(t, p, word, seq, NULL, copy);
		if (got > 0) {
			s->moved = false;
			if (wanted(s, (const struct entry *)copy))
				s->enough = !s->found(s, p, slot, word, (const struct entry *)copy);
			if (!s->moved)
				return true;
		}
		cache_pause();
	}
	return false;
}

/* False: some of the shard was not seen. */
static bool scan_shard(const struct top *t, const struct part *p, struct scan *s)
{
	uint64_t copy[ENTRY_WORDS_MAX];

	for (size_t i = 0; i < (size_t)t->buckets * WAYS && !s->enough; i++) {
		if (i % WAYS == 0) /* entries lie anywhere: fetch those of this bucket at a time */
			for (unsigned j = 0; j < WAYS; j++)
				__builtin_prefetch(
					&p->ring[(atomic_load_explicit(&p->slots[i + j], memory_order_relaxed) &
				                  SLOT_OFFSET) %
				                 t->ring_words]);
		if (!scan_slot(t, p, &p->slots[i], s, copy))
			return false;
	}
	return true;
}

static bool forget(struct scan *s, const struct part *p, _Atomic uint64_t *slot, uint64_t word, const struct entry *e)
{
	uint64_t *count = s->user, at = word & SLOT_OFFSET;

	/* Readers may set bits meanwhile; a writer may have given the entry another round, or put a newer answer in its
	 * place. */
	while ((word & SLOT_OFFSET) == at && word) {
		if (!atomic_compare_exchange_weak(slot, &word, 0))
			continue;
		atomic_fetch_sub_explicit(&p->shard->entries, 1, memory_order_relaxed);
		atomic_fetch_sub_explicit(&p->shard->live, e->words, memory_order_relaxed);
		++*count;
		return true;
	}
	s->moved = word != 0;
	return true;
}

uint64_t edge_cache_purge(void *memory, size_t octets, const uint8_t *name, bool subtree)
{
	struct top *t = cache_open(memory, octets);
	uint64_t count = 0;
	struct name lower;
	struct scan s = {.name = &lower, .subtree = subtree, .found = forget, .user = &count};

	if (!t)
		return 0;
	name_lower(&lower, name);
	make_rule(t, &lower, subtree);
	for (unsigned i = 0; i < t->shards; i++) {
		struct part p = cache_part(t, i);

		if (!scan_shard(t, &p, &s))
			atomic_store(&p.shard->wipe, 1);
	}
	atomic_fetch_add_explicit(&t->purged, count, memory_order_relaxed);
	return count;
}

struct listing {
	edge_cache_seen *seen;
	void *user;
	uint32_t now_s;
};

static bool list(struct scan *s, const struct part *p, _Atomic uint64_t *slot, uint64_t word, const struct entry *e)
{
	const struct listing *l = s->user;
	const struct entry_net *net = cache_entry_net(e);
	struct edge_cache_entry out = {.name = cache_entry_name(e),
	                               .pool = e->pool,
	                               .qtype = e->qtype,
	                               .rcode = e->rcode,
	                               .octets = e->body_len,
	                               .counts = {e->counts[0], e->counts[1], e->counts[2]},
	                               .dnssec_ok = (e->bits & BIT_DNSSEC_OK) != 0,
	                               .checking_disabled = (e->bits & BIT_CHECKING_DISABLED) != 0,
	                               .used = (word & SLOT_USED) != 0,
	                               .age_s = l->now_s > e->stored_s ? l->now_s - e->stored_s : 0,
	                               .ttl_s = e->ttl_s,
	                               .stale_s = e->stale_s};

	(void)p;
	(void)slot;
	if (out.age_s >= (uint64_t)e->ttl_s + e->stale_s)
		return true; /* of no use any more */
	if (net && net->prefix <= (e->bits & BIT_V6 ? 128 : 32)) {
		out.subnet = (struct edge_subnet){.addr = {.family = e->bits & BIT_V6 ? 6 : 4}, .prefix = net->prefix};
		memcpy(out.subnet.addr.bytes, net->bytes, e->bits & BIT_V6 ? 16 : 4);
	}
	return l->seen(l->user, &out);
}

void edge_cache_each(const void *memory, size_t octets, const uint8_t *name, bool subtree, uint32_t now_s,
                     edge_cache_seen *seen, void *user)
{
	const struct top *t = cache_open(memory, octets);
	struct listing l = {.seen = seen, .user = user, .now_s = now_s};
	struct name lower;
	struct scan s = {.name = &lower, .subtree = subtree, .found = list, .user = &l};

	if (!t)
		return;
	name_lower(&lower, name);
	for (unsigned i = 0; i < t->shards && !s.enough; i++) {
		struct part p = cache_part(t, i);

		(void)scan_shard(t, &p, &s);
	}
}

void edge_cache_look(const void *memory, size_t octets, struct edge_cache_figures *out)
{
	struct top *t = cache_open(memory, octets);
	int64_t entries = 0, words = 0;

	*out = (struct edge_cache_figures){.octets = 0};
	if (!t)
		return;
	for (unsigned i = 0; i < t->shards; i++) {
		struct shard *s = cache_part(t, i).shard;

		entries += atomic_load_explicit(&s->entries, memory_order_relaxed);
		words += atomic_load_explicit(&s->live, memory_order_relaxed);
		out->inserted += atomic_load_explicit(&s->inserted, memory_order_relaxed);
		out->evicted += atomic_load_explicit(&s->evicted, memory_order_relaxed);
		out->expired += atomic_load_explicit(&s->expired, memory_order_relaxed);
	}
	for (unsigned i = 0; i < EDGE_CACHE_WORKERS_MAX; i++) {
		out->torn += atomic_load_explicit(&t->worker[i].torn, memory_order_relaxed);
		out->busy += atomic_load_explicit(&t->worker[i].busy, memory_order_relaxed);
	}
	out->octets = octets;
	out->entries = (uint64_t)MAX(entries, 0);
	out->used = out->entries * 8 + 8 * (uint64_t)MAX(words, 0);
	out->entries_max = (uint64_t)t->shards * t->buckets * WAYS;
	out->purged = atomic_load_explicit(&t->purged, memory_order_relaxed);
	out->cleared = atomic_load_explicit(&t->cleared, memory_order_relaxed);
}
