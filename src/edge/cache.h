/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "dns/name.h"
#include "edge/answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Answers of backends, in one piece of memory that all workers of a node share and that outlives them. Fixed in size;
 * nobody waits for anybody: a reader that a writer disturbs looks again a few times and then has missed; a writer that
 * died inside is found out. Why and how: cache.c. */
enum {
	EDGE_CACHE_MIN = 1 << 20,   /* octets */
	EDGE_CACHE_WORKERS_MAX = 256,
	EDGE_STALE_TTL_S = 30,      /* of records given although theirs is over (RFC 8767 4), where it was not less */
	EDGE_CLAIM_S = 4,           /* EDGE_HOT is said once in one to two of these */
};
struct edge_cache; /* one worker's view; owned by it */

struct edge_key {
	uint64_t hash;         /* edge_key_make() fills in all of it */
	uint64_t epoch;        /* of purges when the question was asked: an answer to it is not kept if its name was purged since */
	uint32_t pool;         /* edge_pool_key() */
	uint16_t qtype, qclass;
	bool dnssec_ok, checking_disabled;
	uint8_t name_len;
	uint8_t name[NAME_LEN_MAX + 1]; /* lower case */
};

enum edge_found {
	EDGE_MISS,
	EDGE_FRESH,
	EDGE_HOT,   /* fresh, and to be fetched anew by who gets this: nobody else is told so for a while */
	EDGE_STALE, /* its TTL is over: for who cannot do better */
};

/* Octets of shared memory for a cache of so many: never more, but for EDGE_CACHE_MIN. And to begin it (once, by who
 * made it; all its octets are zero then, as of a new memfd). key: random, against chosen collisions. */
size_t edge_cache_octets(size_t octets);
void edge_cache_format(void *memory, size_t octets, const uint64_t key[2]);
/* A worker's view; what a predecessor with the same index left half done is made good: it must be dead. ERR_STALE:
 * another version's, or not of so many octets. ERR_LIMIT, ERR_NO_MEMORY. */
int edge_cache_attach(void *memory, size_t octets, unsigned worker, struct edge_cache **out) MUST_CHECK;
void edge_cache_detach(struct edge_cache *c);

/* A pool by its name: not by its place, which moves with the configuration. */
uint32_t edge_pool_key(const char *name);
/* When the question comes in: what is asked of a backend on behalf of this key is put by this very key, since it knows
 * what was purged meanwhile (epoch). */
void edge_key_make(const struct edge_cache *c, const struct query *q, uint32_t pool, struct edge_key *out);
/* Copies the body to `body` (cap octets), TTLs counted down; out->body is that, out->ttl what is left of its time, 0 if
 * stale. One that is larger counts as missing. now_s: seconds, any clock that is the same for all workers and does not
 * go back. client: NULL or family 0 where backends are not told of clients. */
enum edge_found edge_cache_find(struct edge_cache *c, const struct edge_key *k, const struct edge_subnet *client, uint32_t now_s, uint8_t *body, size_t cap, struct edge_answer *out);
/* Keep an answer with a ttl. asked: the subnet that the backend was told; with its scope the answer is for that
 * network, without for all. One whose option does not name that subnet is not kept. Not kept either where another
 * worker is just writing. prefetch: percent of the TTL left when EDGE_HOT is said of an entry in use; 0: never. */
struct edge_limits { uint32_t ttl_max_s, negative_max_s, stale_s; uint8_t prefetch; };
void edge_cache_put(struct edge_cache *c, const struct edge_key *k, const struct edge_subnet *asked, const struct edge_answer *a, const struct edge_limits *limits, uint32_t now_s);

/* Forget a name (any case), or it and all below it; of all pools, types and subnets. How many. Any process that maps
 * the memory may. What was asked before and is put later stays out, too. */
uint64_t edge_cache_purge(void *memory, size_t octets, const uint8_t *name, bool subtree);

/* An entry, for people. */
struct edge_cache_entry {
	const uint8_t *name;
	uint32_t pool;
	uint16_t qtype, rcode, octets;  /* of the body */
	uint16_t counts[3];
	bool dnssec_ok, checking_disabled;
	bool used;                      /* found since it was put, or since it was last spared */
	struct edge_subnet subnet;      /* that it is for; family 0: for all */
	uint32_t age_s, ttl_s, stale_s; /* since it was put; how long it is fresh, and stale after that: both from the start */
};
/* False: enough. */
typedef bool edge_cache_seen(void *user, const struct edge_cache_entry *e);
/* Those of a name, or of all below it as well. Nothing is changed. */
void edge_cache_each(const void *memory, size_t octets, const uint8_t *name, bool subtree, uint32_t now_s, edge_cache_seen *seen, void *user);

struct edge_cache_figures {
	uint64_t octets, used;          /* of all the memory; of it taken by entries that can be found */
	uint64_t entries, entries_max;  /* there; that the table has room for, whatever their size */
	uint64_t inserted, evicted, expired, purged; /* expired: of those evicted, were of no use to anybody */
	uint64_t torn, busy;            /* looks given up because of a writer; answers not kept because another worker was writing */
	uint64_t cleared;               /* parts emptied because a worker died, or hung, writing there */
};
/* All zero where the memory is no cache of this version. */
void edge_cache_look(const void *memory, size_t octets, struct edge_cache_figures *out);
