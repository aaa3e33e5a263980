/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "edge/cache.h"

#include <stdatomic.h>

/* The shared memory: top, then shards. All that more than one process may touch at a time is atomic. */
enum {
	CACHE_MAGIC = 0x7a636563, /* "zcec" */
	CACHE_VERSION = 1,
	WAYS = 8,                 /* slots of a bucket, which is a cache line */
	BUCKET_FOR = 768,         /* octets of a shard to each bucket: 96 an entry */
	SHARD_OCTETS = 512 << 10, /* at least, but in the smallest caches */
	SHARDS_MAX = 4096,
	SHARD_OCTETS_MAX = 1 << 27, /* what an offset in a slot reaches */
	SCOPE_ROWS = 1024,
	RULES = 64, /* purges remembered for answers under way */
	RULE_WORDS = (NAME_LEN_MAX + 1) / 8,
	TRIES = 50,          /* of a reader that a writer disturbs: some microseconds */
	SCAN_TRIES = 100000, /* of a purge: milliseconds */
	HUNG_S =
		60, /* a lock held for so long without progress is taken: its worker would have been replaced long ago */
	SPARED_MAX = 8, /* entries given another round for one new; more if that is large */
};

/* A slot: where an entry is, and what its readers say of it. 0: free. */
#define SLOT_OFFSET      UINT64_C(0xffffff) /* of the entry in its shard's ring, in words */
#define SLOT_USED        (UINT64_C(1) << 24)
#define SLOT_CLAIM_SHIFT 25 /* 8 bits: when EDGE_HOT was last said; 0: never */
#define SLOT_CLAIM       (UINT64_C(0xff) << SLOT_CLAIM_SHIFT)
#define SLOT_TAG_SHIFT   33 /* the rest: of the hash; never 0 */

enum {
	BIT_DNSSEC_OK = 1,
	BIT_CHECKING_DISABLED = 2,
	BIT_SUBNET = 4,
	BIT_EXACT = 8,
	BIT_V6 = 16,
	BIT_NEGATIVE = 32,
	BIT_SCOPE = 64
};

/* An entry: this, the network with BIT_SUBNET, the name, places of TTLs, the body; zeros up to a whole word. */
struct entry {
	uint64_t hash;  /* of the key, network included */
	uint32_t words; /* of all of it */
	uint32_t stored_s, ttl_s, stale_s;
	uint32_t pool;
	uint16_t qtype, body_len;
	uint16_t counts[3], flags;
	uint8_t rcode, name_len, bits, prefetch;
	uint16_t ede, ttl_count;
};
struct entry_net {
	uint8_t bytes[16];
	uint8_t prefix; /* BIT_EXACT: only clients of whom exactly so much is known; else those of whom at least so much is */
	uint8_t scope; /* as the backend said it */
	uint8_t zero[6];
};
enum {
	HEAD_WORDS = sizeof(struct entry) / 8,
	ENTRY_OCTETS_MAX =
		sizeof(struct entry) + sizeof(struct entry_net) + NAME_LEN_MAX + 2 * EDGE_TTLS_MAX + EDGE_BODY_MAX + 8,
	ENTRY_WORDS_MAX = ENTRY_OCTETS_MAX / 8,
};
_Static_assert(sizeof(struct entry) == 48 && sizeof(struct entry_net) == 24, "copied in words");

struct shard {
	/* Odd while words of the ring are being written. */
	_Alignas(64) _Atomic uint64_t seq;
	_Atomic uint32_t lock;       /* worker + 1; 0: free */
	_Atomic uint32_t hung_since; /* when hung_seq was first met under a lock */
	_Atomic uint64_t hung_seq;
	_Atomic uint32_t wipe; /* a purge could not look in here: the holder empties it when it is done */
	/* The lock's holder's, in words. Entries lie from tail to head; if head is not above tail, from tail to wrap
	 * and from 0 to head. */
	_Alignas(64) uint32_t head, tail, wrap, taken;
	/* Written by the holder, but for entries and live, which a purge changes too. */
	_Atomic int64_t entries, live; /* that slots lead to; their words */
	_Atomic uint64_t inserted, evicted, expired;
};

struct rule {
	_Atomic uint64_t epoch; /* that began with this purge; another: it is not known any more, or not yet */
	_Atomic uint64_t subtree, len;
	_Atomic uint64_t name[RULE_WORDS];
};

struct top {
	_Alignas(64) uint32_t magic;
	uint32_t version;
	uint64_t octets;
	uint32_t shards, buckets, ring_words, zero; /* of each shard */
	uint64_t shard_octets;
	uint64_t key[2];
	_Alignas(64) _Atomic uint64_t epoch;
	_Atomic uint64_t purged, cleared;
	struct rule rule[RULES];
	/* Which scopes there have been, for keys whose hashes end alike: of IPv4 0 to 32, of IPv6 0 to 128. */
	_Alignas(64) _Atomic uint64_t scopes[SCOPE_ROWS][4];
	struct {
		_Alignas(64) _Atomic uint64_t torn, busy;
	} worker[EDGE_CACHE_WORKERS_MAX];
};

/* A shard's parts, by this process's addresses. */
struct part {
	struct shard *shard;
	_Atomic uint64_t *slots; /* buckets * WAYS */
	_Atomic uint64_t *ring;
};

struct edge_cache {
	struct top *top;
	unsigned worker;
	_Alignas(8) uint64_t scratch[ENTRY_WORDS_MAX];
	_Alignas(8) uint64_t moved[ENTRY_WORDS_MAX];
};

static inline struct part cache_part(const struct top *t, unsigned n)
{
	uint8_t *at = (uint8_t *)t + sizeof(*t) + n * t->shard_octets;

	return (struct part){.shard = (struct shard *)at,
	                     .slots = (_Atomic uint64_t *)(at + sizeof(struct shard)),
	                     .ring = (_Atomic uint64_t *)(at + sizeof(struct shard)) + (size_t)t->buckets * WAYS};
}

static inline unsigned cache_shard_of(const struct top *t, uint64_t hash)
{
	return (unsigned)(hash >> 32) & (t->shards - 1);
}

/* The two buckets where a hash may be. */
static inline void cache_buckets_of(const struct top *t, uint64_t hash, size_t at[2])
{
	uint32_t other = (uint32_t)((hash * UINT64_C(0x9e3779b97f4a7c15)) >> 32);

	at[0] = (size_t)((uint64_t)(uint32_t)hash * t->buckets >> 32) * WAYS;
	at[1] = (size_t)((uint64_t)other * t->buckets >> 32) * WAYS;
}

static inline uint64_t cache_tag_of(uint64_t hash)
{
	return (hash >> 32 | 1) << SLOT_TAG_SHIFT;
}

/* The map, or NULL. */
struct top *cache_open(const void *memory, size_t octets);
/* Copy the entry that slot w leads to, if it is of this hash (any_hash: of whatever). 0: it is not, 1: copied; -1:
 * somebody wrote meanwhile. */
int cache_copy(const struct top *t, const struct part *p, uint64_t w, uint64_t seq, const uint64_t *hash, uint64_t *to);
/* Did a purge after this epoch cover the name? True in doubt. */
bool cache_purged_since(struct top *t, uint64_t epoch, const uint8_t *name, uint8_t len);
/* The name of a copied entry, and its network or NULL. */
static inline const uint8_t *cache_entry_name(const struct entry *e)
{
	return (const uint8_t *)(e + 1) + (e->bits & BIT_SUBNET ? sizeof(struct entry_net) : 0);
}
static inline const struct entry_net *cache_entry_net(const struct entry *e)
{
	return e->bits & BIT_SUBNET ? (const struct entry_net *)(e + 1) : NULL;
}
/* The writer's half (cache_write.c). */
struct cache_write {
	struct edge_cache *c;
	struct part part;
	uint32_t now_s;
};
bool cache_lock(struct cache_write *w);
void cache_unlock(struct cache_write *w);
/* Empty the shard, whatever state it is in. With its lock. */
void cache_clear_part(const struct top *t, const struct part *p);
/* Put the entry in c->scratch in, in place of the one in `old` (or NULL). Its slot. */
_Atomic uint64_t *cache_insert(struct cache_write *w, _Atomic uint64_t *old);
/* Empty a slot, which led to the entry of so many words. False: somebody else did. */
bool cache_drop(const struct part *p, _Atomic uint64_t *slot, uint32_t words);
static inline void cache_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}
