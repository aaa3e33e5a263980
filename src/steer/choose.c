/* SPDX-License-Identifier: BSD-2-Clause */
/* Steering: which endpoints of which pool a client is given.
 *
 *   client's network --rules--> pool --health, fallback--> pool --priority--> candidates --choose--> endpoints
 *
 * A policy's rules are tried in order (rules.c); what they ask of a client is its network, and where that is by a map that sync makes of MaxMind's databases
 * (geo.c). From the pool found the chain of fallbacks is followed to the first that has as many endpoints up as it keeps, or one; of these the ones of the lowest priority
 * are candidates, and of those the ones with a weight, if any is up. If the chain ends, it fails open: the first pool that has anything up, else the first that
 * keeps anything, gives what is up and then what is down, up to `keep`, in the order of priority and weight. Endpoints that are disabled are never given.
 *
 * Of candidates, when there are more than wanted: by weight, drawn without putting back from 32 bits of chance; sticky, by weighted rendezvous hashing (Thaler, Ravishankar;
 * each endpoint's hash with the client's network as an exponential deviate, divided by its weight: the least win), which is done in whole numbers, with a
 * table of logarithms, so that each node has the same outcome; nearest, by the angle between places on a sphere; all, by weight.
 *
 * The scope told with each choice is the number of leading bits of the client's address that it depends on (RFC 7871 7.2.1): of the rules that were tried, of the entry in the map where that
 * mattered, 24 or 56 where a hash of the network decided. Every address that shares them would be given the same; tests try that.
 *
 * Everything is computed from facts and chance handed in. No clock, lock, allocation; 50 to 600 ns, most of it where a map of millions of networks is looked into. Two nodes that know the same of endpoints and have the
 * same configuration and databases choose alike, but for chance.
 *
 * Known omissions: load of endpoints; prefix lengths of `sticky` other than 24 and 56; the ellipsoid. */
#include "steer/table_priv.h"

#include "base/err.h"
#include "config/config.h"

#include <stdatomic.h>
#include <string.h>

enum { STICKY_V4 = 24, STICKY_V6 = 56, DRAW_BITS = 32 };

struct choice {
	const struct steer_table *table;
	const struct steer_policy *policy;
	struct steer_client client;
	uint64_t random;
	bool by_chance;
	uint8_t scope;
};

static void widen(struct choice *c, uint8_t bits)
{
	if (bits > c->scope)
		c->scope = bits;
}

/* splitmix64 */
static uint32_t draw(struct choice *c)
{
	uint64_t z = c->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (uint32_t)((z ^ z >> 31) >> 32);
}

static uint64_t by_weight(struct choice *c, const struct steer_pool *p, uint64_t set, unsigned want)
{
	uint64_t total = 0, out = 0;

	for (uint64_t rest = set; rest; rest &= rest - 1)
		total += p->sides[__builtin_ctzll(rest)].weight;
	for (; want; want--) {
		uint64_t at = (draw(c) * total) >> DRAW_BITS;

		for (uint64_t rest = set; rest; rest &= rest - 1) {
			uint32_t weight = p->sides[__builtin_ctzll(rest)].weight;

			if (at >= weight) {
				at -= weight;
				continue;
			}
			out |= steer_lowest(rest);
			set &= ~steer_lowest(rest);
			total -= weight;
			break;
		}
	}
	c->by_chance = true;
	return out;
}

/* The `want` of set with the least keys; of equal ones those whose names come first. */
static uint64_t least(const struct steer_pool *p, uint64_t set, unsigned want, const int64_t *keys)
{
	uint64_t out = 0;

	for (; want; want--) {
		int best = __builtin_ctzll(set & ~out);

		for (uint64_t rest = set & ~out; rest; rest &= rest - 1) {
			int i = __builtin_ctzll(rest);

			if (keys[i] < keys[best] || (keys[i] == keys[best] && strcmp(p->sides[i].name, p->sides[best].name) < 0))
				best = i;
		}
		out |= best < 0 ? 0 : 1ULL << best;
	}
	return out;
}

static uint64_t by_hash(struct choice *c, const struct steer_pool *p, uint64_t set, unsigned want)
{
	const struct ip_addr *a = &c->client.addr;
	uint64_t network = (uint64_t)a->family << 56, seed;
	int64_t keys[STEER_ENDPOINTS_MAX];

	for (unsigned i = 0; i < (a->family == 4 ? STICKY_V4 : STICKY_V6) / 8; i++)
		network |= (uint64_t)a->bytes[i] << (48 - 8 * i);
	seed = steer_mix(network ^ c->policy->hash);
	for (uint64_t rest = set; rest; rest &= rest - 1) {
		int i = __builtin_ctzll(rest);
		uint64_t share = steer_neg_log(c->table, steer_mix(seed + p->sides[i].hash));

		keys[i] = (int64_t)((share << 20) / p->sides[i].weight);
	}
	widen(c, a->family == 4 ? STICKY_V4 : STICKY_V6);
	return least(p, set, want, keys);
}

static uint64_t by_distance(struct choice *c, const struct steer_pool *p, uint64_t set, unsigned want)
{
	int64_t keys[STEER_ENDPOINTS_MAX];

	steer_locate(&c->client);
	widen(c, c->client.place_scope);
	if (!c->client.located)
		return by_hash(c, p, set, want);
	for (uint64_t rest = set; rest; rest &= rest - 1) {
		int i = __builtin_ctzll(rest);
		const double *at = p->sides[i].at, *to = c->client.at;

		/* The cosine of the angle, in steps that hide how a machine rounds: some ten meters. */
		keys[i] = -(int64_t)((at[0] * to[0] + at[1] * to[1] + at[2] * to[2]) * 1099511627776.0);
	}
	return least(p, set, want, keys);
}

static uint64_t pick(struct choice *c, const struct steer_pool *p, uint64_t set, unsigned want)
{
	if (!want)
		return 0;
	if ((unsigned)__builtin_popcountll(set) <= want)
		return set;
	switch ((enum config_choose)c->policy->choose) {
	case CONFIG_CHOOSE_WEIGHT:
		return by_weight(c, p, set, want);
	case CONFIG_CHOOSE_STICKY:
		return by_hash(c, p, set, want);
	case CONFIG_CHOOSE_NEAREST:
		return by_distance(c, p, set, want);
	case CONFIG_CHOOSE_ALL:
		break;
	}
	return steer_first(p, set, want);
}

static unsigned wanted(const struct steer_policy *p)
{
	return p->answers ? p->answers : STEER_ENDPOINTS_MAX;
}

/* Enough are up: of the lowest priority that has one. */
static uint64_t pick_up(struct choice *c, const struct steer_pool *p, uint64_t up)
{
	size_t level = 0;
	uint64_t set;

	while (!(p->levels[level] & up))
		level++;
	set = p->levels[level] & up;
	return pick(c, p, set & p->weighted ? set & p->weighted : set, wanted(c->policy));
}

/* From the best tier down: by priority, and within one those that have a weight. */
static uint64_t pick_tiers(struct choice *c, const struct steer_pool *p, uint64_t set, unsigned want)
{
	uint64_t out = 0;

	for (size_t level = 0; level < p->level_count; level++) {
		uint64_t here = p->levels[level] & set;

		out |= pick(c, p, here & p->weighted, want - (unsigned)__builtin_popcountll(out));
		out |= pick(c, p, here & ~p->weighted, want - (unsigned)__builtin_popcountll(out));
	}
	return out;
}

static uint64_t pick_kept(struct choice *c, const struct steer_pool *p, uint64_t set, uint64_t up)
{
	unsigned ups = (unsigned)__builtin_popcountll(up), want = wanted(c->policy);
	uint64_t down = steer_first(p, set & ~up, p->keep - ups), out;

	out = pick_tiers(c, p, up, want);
	return out | pick_tiers(c, p, down, want - (unsigned)__builtin_popcountll(out));
}

static uint64_t pick_from(struct choice *c, uint8_t family, const struct steer_facts *facts, struct steer_choice *out)
{
	const struct steer_table *t = c->table;
	uint32_t best = UINT32_MAX, open = UINT32_MAX, at = out->pool;
	unsigned f = steer_family(family);
	uint64_t ups = 0; /* of best */

	out->foreign = true;
	for (unsigned i = 0; i < STEER_FALLBACKS_MAX && at != UINT32_MAX; i++, at = t->pools[at].fallback) {
		const struct steer_pool *p = &t->pools[at];
		uint64_t set = p->family[f] & p->enabled, up = set;

		if (facts->up)
			up &= atomic_load_explicit(&facts->up[at], memory_order_relaxed);
		out->foreign = out->foreign && !p->family[f];
		if (up && __builtin_popcountll(up) >= p->keep) {
			out->pool = at;
			return pick_up(c, p, up);
		}
		if (up && best == UINT32_MAX) {
			best = at;
			ups = up;
		} else if (set && p->keep && open == UINT32_MAX) {
			open = at;
		}
	}
	if (best == UINT32_MAX)
		best = open;
	if (best == UINT32_MAX)
		return 0;
	out->pool = best;
	out->kept = true;
	return pick_kept(c, &t->pools[best], t->pools[best].family[f] & t->pools[best].enabled, ups);
}

void steer_choose(const struct steer_table *t, uint32_t policy, uint8_t family, const struct steer_facts *facts,
                  struct steer_choice *out)
{
	const struct steer_policy *p = &t->policies[policy];
	struct choice c = {.table = t,
	                   .policy = p,
	                   .random = facts->random,
	                   .client = {.addr = facts->addr, .places = facts->places}};
	unsigned bits = facts->prefix;

	c.client.addr.zone = 0;
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = bits >= 8 * i + 8 ? 8 : bits > 8 * i ? bits - 8 * i : 0;

		if (facts->addr.family == 4 && i >= 4)
			keep = 0;
		c.client.addr.bytes[i] &= (uint8_t)(0xff00 >> keep);
	}
	*out = (struct steer_choice){.ttl_s = p->ttl_s};
	out->pool = steer_match(p, &c.client, &out->rule, &c.scope);
	out->chosen = pick_from(&c, family, facts, out);
	out->scope = c.scope;
	out->cacheable_by_choice = !c.by_chance;
}
