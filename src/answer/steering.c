/* SPDX-License-Identifier: BSD-2-Clause */
/* Steered answers, the worker's side. A positive answer of type A, AAAA or CNAME whose owner has a policy is not the zone's set, but records of the endpoints that the policy
 * chooses for this client, now:
 *
 *	question -> resolve.c finds the set -> policy of the owner? -> steering_choose() -> records of the endpoints, TTL at most the policy's
 *
 * The policy is the one of which `owners` in the fleet file has the name (as it was asked, or of the wildcard that stands for it), else the one that a STEER record at the owner
 * names. A CNAME suffers nothing beside it (RFC 2181 10.1): STEER and VARIANT records of such an owner stand one label below it, at "_steer".
 *
 * The zone's own set must be there for the type: it is the answer of every server without steering, of QTYPE ANY, and of addresses in the additional section; whether a type exists is
 * the zone's to say, so denial stays true. It is the answer, too, where no pool of the policy has endpoints of that kind, and where a signature is missing (below). An owner whose pools
 * may not give anything (`keep: 0`, all down) is answered SERVFAIL.
 *
 * In a signed zone a client that sets DO gets the choice with the signature that a VARIANT record of the owner has for it (steer/records.h), made by whoever holds the keys; no key is
 * here. Without one for this choice the zone's own set goes out with its signatures, and is counted. Signatures that have ended, or not begun, are left out; where only such are left, it is as if there were none, as long
 * as the zone's own set has a good one: else the choice goes out with what it has, since what all signatures have in common is the clock here.
 *
 * The client is the network of its client subnet option (RFC 7871) where the policy believes that, else the address that asks. The answer's scope is what the choice rested on; 0 where the
 * option did not count, or said nothing (source prefix 0, 7.1.2: nothing of the client is to be used).
 *
 * Caches: a worker's answer cache (cache.h) keeps under the question that it is steered, and by which policy; under question, policy, pool and endpoints the answer. So a choice is made for
 * every question, which costs some hundred nanoseconds, and composing is not. The kernel's cache (XDP) has no part in it. Answers steered twice (an alias to a name that is steered
 * itself) are composed each time.
 *
 * Health comes from the board (board_watch_endpoints), places of addresses from the map that sync makes (steer/geo.h); live_steering.c brings both here. */
#include "answer/steering.h"

#include "base/err.h"
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

enum { ECS_FAMILY_4 = 1, ECS_HEAD = 4 };

int steering_make(const struct config *c, const struct config_node *node, struct steering **out)
{
	struct steering *s;
	int err;

	*out = NULL;
	if (!c->steering_count)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return ERR_NO_MEMORY;
	s->config = c;
	s->policies = (uint32_t)c->steering_count;
	s->pools = (uint32_t)c->pool_count;
	s->believes = calloc(s->policies, sizeof(*s->believes));
	s->up = calloc(s->pools + 1U, sizeof(*s->up));
	err = s->believes && s->up ? steer_table_make(c, node, &s->table) : ERR_NO_MEMORY;
	if (err < 0) {
		steering_free(s);
		return err;
	}
	for (uint32_t i = 0; i < s->policies; i++)
		s->believes[i] = c->steering[i].client_subnet;
	for (uint32_t i = 0; i < s->pools; i++)
		atomic_init(&s->up[i], UINT64_MAX);
	*out = s;
	return 0;
}

void steering_free(struct steering *s)
{
	if (!s)
		return;
	steer_table_free(s->table);
	free(s->believes);
	free((void *)s->up);
	free(s);
}

/* The option was checked when the question was parsed. */
static bool read_subnet(const struct query *q, struct steer_facts *out)
{
	if (!q->ecs || !q->ecs[2])
		return false;
	out->addr = (struct ip_addr){.family = get_u16(q->ecs) == ECS_FAMILY_4 ? 4 : 6};
	memcpy(out->addr.bytes, q->ecs + ECS_HEAD, q->ecs_len - (size_t)ECS_HEAD);
	out->prefix = q->ecs[2];
	return true;
}

void steering_choose(const struct steering *s, uint32_t policy, uint8_t family, const struct engine_request *request,
                     const struct query *q, uint32_t random, struct steering_choice *out)
{
	struct steer_facts facts = {.places = s->places, .up = s->up, .random = random};
	bool by_subnet = s->believes[policy] && read_subnet(q, &facts);

	if (!by_subnet) {
		facts.addr = request->client;
		facts.addr.zone = 0;
		facts.prefix = request->client.family == 4 ? 32 : 128;
	}
	out->policy = policy;
	steer_choose(s->table, policy, family, &facts, &out->c);
	out->scope = by_subnet ? out->c.scope : 0;
}
