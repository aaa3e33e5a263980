/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Steering: which endpoints of which pool a client is given. Pure: no clock, socket, log, lock or allocation in steer_choose(); the same facts give the same choice on every node. */
struct config;
struct config_node;
struct geo_map;

enum {
	STEER_ENDPOINTS_MAX = 64, /* CONFIG_POOL_ENDPOINTS_MAX */
	STEER_FALLBACKS_MAX = 8,  /* pools in a row */
};

/* Policies and pools of a configuration, made ready; immutable. It does not need the configuration any more. Without a node rules that go by nodes match nobody. */
struct steer_table;
int steer_table_make(const struct config *c, const struct config_node *node_or_null, struct steer_table **out) MUST_CHECK;
void steer_table_free(struct steer_table *t);
/* The policy by its name (a STEER record), or of an owner that the configuration names (wire form, lower case); UINT32_MAX: none. */
uint32_t steer_policy_named(const struct steer_table *t, const char *name, size_t len);
uint32_t steer_policy_of(const struct steer_table *t, const uint8_t *owner);

struct steer_facts {
	struct ip_addr addr;         /* of the client's network (RFC 7871), or of who asks */
	uint8_t prefix;              /* bits of it that are known */
	const struct geo_map *places; /* NULL: there is none */
	const _Atomic uint64_t *up;  /* by place of the pool in the configuration: bit i is endpoint i. NULL: all are up */
	uint32_t random;             /* for choices by chance */
};

/* What an endpoint is, for who makes records of it. */
struct steer_endpoint {
	struct ip_addr addr;         /* family 0: `target` */
	const uint8_t *target;       /* wire form; borrowed from the table */
};

struct steer_choice {
	uint32_t pool;               /* place in the configuration */
	uint64_t chosen;             /* endpoints; 0: none may be given (closed): SERVFAIL */
	uint32_t ttl_s;              /* at most */
	uint8_t scope;               /* bits of the client's network that the choice rests on: an answer is good for all that share them (RFC 7871 7.2.1) */
	bool cacheable_by_choice;    /* the choice depends on facts alone, not on chance */
	bool kept;                   /* endpoints that are down are among them: fewer are up than the pool keeps */
	bool foreign;                /* no pool on the way has an endpoint of the family: the zone's own set is the answer; chosen is 0 */
	uint32_t rule;               /* place of the rule that matched, among those of the policy; UINT32_MAX: none did */
};
/* family: of the answer wanted, 4 (A), 6 (AAAA), or 0 (CNAME): endpoints of other kinds do not count. */
void steer_choose(const struct steer_table *t, uint32_t policy, uint8_t family, const struct steer_facts *facts, struct steer_choice *out);
const struct steer_endpoint *steer_endpoint(const struct steer_table *t, uint32_t pool, unsigned i);
/* The pool's name; how many pools there are. */
const char *steer_pool_name(const struct steer_table *t, uint32_t pool);
uint32_t steer_pool_count(const struct steer_table *t);
/* All sets that steer_choose() can give for a policy and family, each once: called with pool and endpoints; what it returns but 0 ends it. A table without a node has those of all nodes. ERR_LIMIT beyond `most`. For signing them. */
int steer_each_set(const struct steer_table *t, uint32_t policy, uint8_t family, size_t most, int (*each)(void *ctx, uint32_t pool, uint64_t chosen), void *ctx) MUST_CHECK;
