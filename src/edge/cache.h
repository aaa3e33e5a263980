/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "dns/name.h"
#include "edge/answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Answers of backends, in one piece of memory that all workers of a node share and that outlives them. Fixed in size; nobody waits for anybody: a reader that a writer disturbs looks again a few
 * times and then has missed; a writer that died inside is found out. Why and how: cache.c. */
struct edge_cache; /* one worker's view; owned by it */

struct edge_key {
	uint32_t pool;         /* hash of the pool's name: not its place, which moves with the configuration */
	uint16_t qtype;
	bool dnssec_ok, checking_disabled;
	uint8_t name_len;
	uint8_t name[NAME_LEN_MAX + 1]; /* lower case */
	uint64_t hash;         /* edge_key_make() fills it in */
};

/* The client's network, where backends are told of it. */
struct edge_subnet {
	struct ip_addr addr;   /* family 0: none */
	uint8_t prefix;        /* of it that is known */
};

enum edge_found {
	EDGE_MISS,
	EDGE_FRESH,
	EDGE_HOT,   /* fresh, and to be fetched anew by who gets this: nobody else is told so for a while */
	EDGE_STALE, /* its TTL is over: for who cannot do better */
};

/* Octets of shared memory for a cache of so many; and to begin it (once, by who made it). key: random, against chosen collisions. */
size_t edge_cache_octets(size_t octets);
void edge_cache_format(void *memory, size_t octets, const uint64_t key[2]);
/* A worker's view; what a predecessor with the same index left half done is made good. ERR_STALE: another version's. */
int edge_cache_attach(void *memory, size_t octets, unsigned worker, struct edge_cache **out) MUST_CHECK;
void edge_cache_detach(struct edge_cache *c);

void edge_key_make(const struct edge_cache *c, const struct query *q, uint32_t pool, struct edge_key *out);
/* Copies the body to `body` (cap octets), TTLs counted down; out->body is that. One that is larger counts as missing. now_s: seconds, any clock that is the same for all workers and does not go back. */
enum edge_found edge_cache_find(struct edge_cache *c, const struct edge_key *k, const struct edge_subnet *client, uint32_t now_s, uint8_t *body, size_t cap, struct edge_answer *out);
/* Keep an answer. asked: the subnet that the backend was told; with its scope the answer is for that network, without for all. */
struct edge_limits { uint32_t ttl_max_s, negative_max_s, stale_s; uint8_t prefetch; };
void edge_cache_put(struct edge_cache *c, const struct edge_key *k, const struct edge_subnet *asked, const struct edge_answer *a, const struct edge_limits *limits, uint32_t now_s);
/* Forget a name, or it and all below it; of all pools, types and subnets. How many. Any process that maps the memory may. */
uint64_t edge_cache_purge(void *memory, size_t octets, const uint8_t *name, bool subtree);

struct edge_cache_figures { uint64_t octets, used, entries, entries_max, inserted, evicted, expired, purged, torn; };
void edge_cache_look(const void *memory, size_t octets, struct edge_cache_figures *out);
