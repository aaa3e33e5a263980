/* SPDX-License-Identifier: BSD-2-Clause */
/* All sets of endpoints that a policy can give, whoever asks and whatever is up: what has to be signed. Follows choose.c step by step, with every state of health in place of one.
 * Not for the answer path: it allocates, and its time goes with the number of sets, which a limit bounds. */
#include "base/err.h"
#include "config/config.h"
#include "steer/table_priv.h"

#include <stdlib.h>

enum { SETS_TRIES_MAX = 1 << 21 };

struct set {
	uint32_t pool; /* + 1; 0: free */
	uint64_t chosen;
};

struct sets {
	const struct steer_table *table;
	const struct steer_policy *policy;
	unsigned family;
	struct set *slots;
	size_t size, count, most, tries;
	int (*each)(void *ctx, uint32_t pool, uint64_t chosen);
	void *ctx;
	uint32_t pool; /* that is looked at */
};

static int add(struct sets *s, uint64_t chosen)
{
	size_t at = steer_mix(chosen ^ (uint64_t)s->pool << 54) & (s->size - 1);

	if (++s->tries > SETS_TRIES_MAX)
		return ERR_LIMIT;
	for (; s->slots[at].pool; at = (at + 1) & (s->size - 1))
		if (s->slots[at].pool == s->pool + 1 && s->slots[at].chosen == chosen)
			return 0;
	if (s->count == s->most)
		return ERR_LIMIT;
	s->count++;
	s->slots[at] = (struct set){s->pool + 1, chosen};
	return s->each(s->ctx, s->pool, chosen);
}

static unsigned size_of(uint64_t set)
{
	return (unsigned)__builtin_popcountll(set);
}

/* Calls with each subset of `of` that has n members, and what is in `with` besides. */
static int each_of_size(struct sets *s, uint64_t of, unsigned n, uint64_t with,
                        int (*then)(struct sets *s, uint64_t set))
{
	int rc = 0;

	if (++s->tries > SETS_TRIES_MAX)
		return ERR_LIMIT;
	if (n == 0)
		return then(s, with);
	/* With the lowest member or without it. */
	for (; size_of(of) >= n && rc == 0; of &= of - 1)
		rc = each_of_size(s, of & (of - 1), n - 1, with | steer_lowest(of), then);
	return rc;
}

/* What pick() can give of a tier: set, or `want` of it. */
static int each_pick(struct sets *s, uint64_t set, unsigned want, uint64_t with,
                     int (*then)(struct sets *s, uint64_t set))
{
	if (want >= size_of(set))
		return then(s, with | set);
	if (s->policy->choose == CONFIG_CHOOSE_ALL)
		return then(s, with | steer_first(&s->table->pools[s->pool], set, want));
	return each_of_size(s, set, want, with, then);
}

/* Candidates of one level, of which any number is up; others: how many more can be up at the same time without being preferred to them. */
static int each_of_level(struct sets *s, uint64_t set, unsigned others)
{
	const struct steer_pool *p = &s->table->pools[s->pool];
	unsigned want = s->policy->answers ? s->policy->answers : STEER_ENDPOINTS_MAX, n = size_of(set);
	int rc = 0;

	for (unsigned k = 1; k <= n && k <= want && rc == 0; k++)
		if ((k == want ? n : k) + others >= p->keep)
			rc = each_of_size(s, set, k, 0, add);
	return rc;
}

static int each_up(struct sets *s, uint64_t set)
{
	const struct steer_pool *p = &s->table->pools[s->pool];
	int rc = 0;

	for (size_t level = 0; level < p->level_count && rc == 0; level++) {
		uint64_t here = p->levels[level] & set;
		unsigned above = 0;

		for (size_t next = level + 1; next < p->level_count; next++)
			above += size_of(p->levels[next] & set);
		rc = each_of_level(s, here & p->weighted, size_of(here & ~p->weighted) + above);
		if (rc == 0)
			rc = each_of_level(s, here & ~p->weighted, above);
	}
	return rc;
}

/* Fewer are up than are kept: those, and the first of the rest. Both parts by tiers, which are taken whole but for one. */
static int each_kept(struct sets *s, uint64_t up)
{
	const struct steer_pool *p = &s->table->pools[s->pool];
	uint64_t set = p->family[s->family] & p->enabled, out = 0;
	uint64_t parts[2] = {up, steer_first(p, set & ~up, p->keep - size_of(up))};
	unsigned want = s->policy->answers ? s->policy->answers : STEER_ENDPOINTS_MAX;

	for (size_t i = 0; i < 2 * p->level_count * 2; i++) {
		uint64_t here = p->levels[i / 2 % p->level_count] & parts[i / 2 / p->level_count];
		uint64_t tier = i % 2 ? here & ~p->weighted : here & p->weighted;

		if (size_of(tier) > want - size_of(out))
			return each_pick(s, tier, want - size_of(out), out, add);
		out |= tier;
	}
	return add(s, out);
}

static int each_of_pool(struct sets *s, uint32_t pool, bool first)
{
	const struct steer_pool *p = &s->table->pools[pool];
	uint64_t set = p->family[s->family] & p->enabled;
	int rc;

	if (!set)
		return 0;
	s->pool = pool;
	rc = each_up(s, set);
	for (unsigned up = first ? 0 : 1; up < p->keep && up <= size_of(set) && rc == 0; up++)
		rc = each_of_size(s, set, up, 0, each_kept);
	return rc;
}

static int each_of_chain(struct sets *s, uint32_t pool)
{
	bool first = true;
	int rc = 0;

	for (unsigned i = 0; i < STEER_FALLBACKS_MAX && pool != UINT32_MAX && rc == 0; i++) {
		const struct steer_pool *p = &s->table->pools[pool];

		rc = each_of_pool(s, pool, first);
		if (p->family[s->family] & p->enabled && p->keep)
			first = false;
		pool = p->fallback;
	}
	return rc;
}

int steer_each_set(const struct steer_table *t, uint32_t policy, uint8_t family, size_t most,
                   int (*each)(void *ctx, uint32_t pool, uint64_t chosen), void *ctx)
{
	const struct steer_policy *p = &t->policies[policy];
	struct sets s = {.table = t,
	                 .policy = p,
	                 .family = steer_family(family),
	                 .most = most,
	                 .each = each,
	                 .ctx = ctx,
	                 .size = 16};
	int rc;

	while (s.size < most * 2)
		s.size *= 2;
	s.slots = calloc(s.size, sizeof(*s.slots));
	if (!s.slots)
		return ERR_NO_MEMORY;
	rc = each_of_chain(&s, p->pool);
	for (size_t i = 0; i < p->rule_count && rc == 0; i++)
		if (t->of_all_nodes || !p->rules[i].elsewhere)
			rc = each_of_chain(&s, p->rules[i].pool);
	free(s.slots);
	return rc;
}
