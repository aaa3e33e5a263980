/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/arena.h"
#include "steer/steer.h"

/* Private to steer: what a table holds. */
enum { STEER_FAMILIES = 3, STEER_LETTERS = 26 * 26, STEER_LOG_STEPS = 256 };

struct steer_side {
	const char *name;
	uint64_t hash;           /* of its name */
	uint32_t weight;         /* for shares: 1 where it has none */
	double at[3];            /* on the unit sphere */
};

struct steer_pool {
	const char *name;
	uint32_t fallback;       /* UINT32_MAX: none */
	uint16_t keep;
	uint8_t count;
	uint64_t enabled, weighted;
	uint64_t family[STEER_FAMILIES]; /* names, IPv4, IPv6: steer_family() */
	uint64_t *levels;        /* endpoints by priority, lowest first */
	size_t level_count;
	uint8_t *order;          /* by priority, weight (most first), place */
	struct steer_endpoint *endpoints;
	struct steer_side *sides;
};

/* Networks that do not overlap, in order of their addresses. */
struct steer_networks {
	struct ip_prefix *at;
	size_t count;
};

struct steer_rule {
	uint64_t *countries, *continents; /* sets of two letters; NULL: any */
	uint32_t *as;            /* in order */
	size_t as_count;
	bool by_subnet;
	struct steer_networks v4, v6;
	bool elsewhere;          /* of other nodes alone */
	uint32_t pool;
};

struct steer_policy {
	const char *name;        /* lower case */
	uint64_t hash;
	struct steer_rule *rules;
	size_t rule_count;
	uint32_t pool;
	uint32_t ttl_s;
	uint16_t answers;
	uint8_t choose;          /* enum config_choose */
};

struct steer_slot {
	const uint8_t *key;      /* NULL: free */
	uint32_t policy;
};

struct steer_table {
	struct arena arena;
	uint8_t key[16];
	struct steer_pool *pools;
	struct steer_policy *policies;
	uint32_t pool_count, policy_count;
	bool of_all_nodes;
	struct steer_slot *names, *owners;
	size_t name_slots, owner_slots; /* powers of two */
	uint64_t log[STEER_LOG_STEPS + 1]; /* of 1 + i / 256, base 2, in 2^-32 */
};

static inline unsigned steer_family(uint8_t family)
{
	return family == 4 ? 1 : family == 6 ? 2 : 0;
}

static inline uint64_t steer_lowest(uint64_t set)
{
	return set & (~set + 1);
}

/* A finalizer: each bit of the outcome depends on all. */
static inline uint64_t steer_mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdULL;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

/* The scope of what rests on the family alone. 0 is for everybody, and resolvers give such an answer to clients of the other family as well (RFC 7871 7.3). */
enum { STEER_SCOPE_FAMILY = 1 };

/* A client, as far as rules and choices have asked for it. */
struct steer_client {
	struct ip_addr addr;     /* without what is not known of it */
	const struct geo_map *places;
	bool looked_up;
	uint8_t place_scope;
	double at[3];
	bool located;
	uint32_t as;
	uint16_t country, continent;
};
void steer_locate(struct steer_client *c);
/* rules.c: the pool of the first rule that matches, else the policy's own. *scope: bits of the address that this depends on. */
uint32_t steer_match(const struct steer_policy *p, struct steer_client *c, uint32_t *rule, uint8_t *scope);
/* -log2(h / 2^64) in 2^-32: table.c */
uint64_t steer_neg_log(const struct steer_table *t, uint64_t h);
/* The first n of set by priority, weight and place. */
uint64_t steer_first(const struct steer_pool *p, uint64_t set, unsigned n);
