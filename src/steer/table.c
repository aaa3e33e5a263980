/* SPDX-License-Identifier: BSD-2-Clause */
/* From the configuration's pools and policies to what a choice needs: sets of endpoints as words of 64 bits, networks of rules in order, owners and names of
 * policies in hash tables. */
#include "steer/table_priv.h"

#include "base/err.h"
#include "base/hash.h"
#include "config/config.h"
#include "dns/name.h"
#include "steer/geo.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)STEER_ENDPOINTS_MAX == (int)CONFIG_POOL_ENDPOINTS_MAX, "endpoints are bits of a word");
_Static_assert((int)STEER_FALLBACKS_MAX == (int)CONFIG_FALLBACKS_MAX, "chains that the configuration allows");

/* The same on every node and in every version: who is given which endpoint follows from it. */
static const uint8_t sticky_key[16] = "zonecast.sticky1";

static uint64_t name_hash(const char *name)
{
	return hash_keyed_24(sticky_key, name, strlen(name));
}

/* By squaring: whole numbers alone, so that every machine has the same table. */
static void fill_log(struct steer_table *t)
{
	for (uint64_t i = 0; i <= STEER_LOG_STEPS; i++) {
		uint64_t x = (STEER_LOG_STEPS + i) << 55, sum = 0; /* 2^63 is 1 */

		for (int bit = 31; bit >= 0 && i < STEER_LOG_STEPS; bit--) {
			unsigned __int128 square = (unsigned __int128)x * x >> 63;
			bool over = square >> 64;

			x = (uint64_t)(over ? square >> 1 : square);
			sum |= (uint64_t)over << bit;
		}
		t->log[i] = i < STEER_LOG_STEPS ? sum : 1ULL << 32;
	}
}

uint64_t steer_neg_log(const struct steer_table *t, uint64_t h)
{
	unsigned zeros = (unsigned)__builtin_clzll(h | 1);
	uint64_t m = (h | 1) << zeros, step = m >> 55 & 255, rest = m >> 23 & UINT32_MAX;

	return ((uint64_t)(zeros + 1) << 32) - t->log[step] - ((t->log[step + 1] - t->log[step]) * rest >> 32);
}

static void on_sphere(double latitude, double longitude, double at[3])
{
	double a = latitude * (M_PI / 180), o = longitude * (M_PI / 180);

	at[0] = cos(a) * cos(o);
	at[1] = cos(a) * sin(o);
	at[2] = sin(a);
}

void steer_locate(struct steer_client *c)
{
	struct geo_place place = {0};

	if (c->looked_up)
		return;
	c->looked_up = true;
	if (c->places) {
		geo_find(c->places, &c->addr, &place, &c->place_scope);
		c->place_scope = c->place_scope ? c->place_scope : STEER_SCOPE_FAMILY;
	}
	c->as = place.as;
	c->country = place.country;
	c->continent = place.continent;
	c->located = place.located;
	if (place.located)
		on_sphere((double)place.latitude, (double)place.longitude, c->at);
}

uint64_t steer_first(const struct steer_pool *p, uint64_t set, unsigned n)
{
	uint64_t out = 0;

	for (unsigned i = 0; i < p->count && n; i++) {
		uint64_t bit = 1ULL << p->order[i];

		if (set & bit) {
			out |= bit;
			n--;
		}
	}
	return out;
}

static bool comes_before(const struct config_pool *p, unsigned a, unsigned b)
{
	const struct config_pool_endpoint *x = &p->endpoints[a], *y = &p->endpoints[b];

	if (x->priority != y->priority)
		return x->priority < y->priority;
	return x->weight != y->weight ? x->weight > y->weight : a < b;
}

static void fill_order(struct steer_pool *p, const struct config_pool *from)
{
	for (unsigned i = 0; i < p->count; i++) {
		unsigned n = i;

		for (; n && comes_before(from, i, p->order[n - 1]); n--)
			p->order[n] = p->order[n - 1];
		p->order[n] = (uint8_t)i;
	}
	for (unsigned i = 0; i < p->count; i++) {
		bool same = i && from->endpoints[p->order[i]].priority == from->endpoints[p->order[i - 1]].priority;

		p->level_count += !same;
		p->levels[p->level_count - 1] |= 1ULL << p->order[i];
	}
}

static void fill_pool(struct arena *a, struct steer_pool *p, const struct config_pool *from)
{
	p->count = (uint8_t)from->endpoint_count;
	p->name = arena_strdup(a, from->name);
	p->keep = from->keep;
	p->fallback = from->fallback;
	p->levels = arena_zalloc(a, (p->count + 1U) * sizeof(*p->levels));
	p->order = arena_zalloc(a, p->count + 1U);
	p->endpoints = arena_zalloc(a, (p->count + 1U) * sizeof(*p->endpoints));
	p->sides = arena_zalloc(a, (p->count + 1U) * sizeof(*p->sides));
	if (!arena_ok(a))
		return;
	for (unsigned i = 0; i < p->count; i++) {
		const struct config_pool_endpoint *e = &from->endpoints[i];
		uint64_t bit = 1ULL << i;

		p->family[steer_family(e->address.family)] |= bit;
		p->enabled |= e->disabled ? 0 : bit;
		p->weighted |= e->weight ? bit : 0;
		p->endpoints[i].addr = e->address;
		if (e->target)
			p->endpoints[i].target = arena_dup(a, e->target, name_len(e->target));
		p->sides[i].name = arena_strdup(a, e->name);
		p->sides[i].hash = name_hash(e->name);
		p->sides[i].weight = e->weight ? e->weight : 1;
		on_sphere(e->latitude, e->longitude, p->sides[i].at);
	}
	fill_order(p, from);
}

static uint64_t *letters_of(struct arena *a, const uint16_t *codes, size_t count)
{
	uint64_t *set = count ? arena_zalloc(a, (STEER_LETTERS + 63) / 64 * sizeof(*set)) : NULL;

	for (size_t i = 0; set && i < count; i++) {
		unsigned bit = ((unsigned)(codes[i] >> 8) - 'A') * 26 + ((unsigned)(codes[i] & 255) - 'A');

		if (bit < STEER_LETTERS)
			set[bit / 64] |= 1ULL << bit % 64;
	}
	return set;
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

/* Containing ones first. */
static int compare_prefix(const void *a, const void *b)
{
	const struct ip_prefix *x = a, *y = b;
	int order = memcmp(x->addr.bytes, y->addr.bytes, sizeof(x->addr.bytes));

	return order ? order : (int)x->len - (int)y->len;
}

static void fill_networks(struct arena *a, struct steer_networks *out, const struct ip_prefix *from, size_t count,
                          uint8_t family)
{
	size_t kept = 0;

	out->at = arena_zalloc(a, (count + 1) * sizeof(*out->at));
	if (!out->at)
		return;
	for (size_t i = 0; i < count; i++) {
		if (from[i].addr.family != family)
			continue;
		out->at[out->count] = from[i];
		if (family == 4)
			memset(out->at[out->count].addr.bytes + 4, 0, 12);
		out->count++;
	}
	qsort(out->at, out->count, sizeof(*out->at), compare_prefix);
	for (size_t i = 0; i < out->count; i++)
		if (!kept || !prefix_contains(&out->at[kept - 1], &out->at[i].addr))
			out->at[kept++] = out->at[i];
	out->count = kept;
}

static void fill_rule(struct arena *a, struct steer_rule *r, const struct config_steering_rule *from,
                      const struct config *c, const struct config_node *node)
{
	r->pool = from->pool;
	r->countries = letters_of(a, from->countries, from->country_count);
	r->continents = letters_of(a, from->continents, from->continent_count);
	r->as_count = from->as_count;
	r->as = arena_zalloc(a, (from->as_count + 1) * sizeof(*r->as));
	if (r->as && from->as_count) {
		memcpy(r->as, from->as, from->as_count * sizeof(*r->as));
		qsort(r->as, r->as_count, sizeof(*r->as), compare_u32);
	}
	r->by_subnet = from->subnet_count > 0;
	fill_networks(a, &r->v4, from->subnets, from->subnet_count, 4);
	fill_networks(a, &r->v6, from->subnets, from->subnet_count, 6);
	r->elsewhere = from->node_count > 0;
	for (size_t i = 0; node && i < from->node_count; i++)
		r->elsewhere = r->elsewhere && strcmp(c->nodes[from->nodes[i]].name, node->name) != 0;
}

static void fill_policy(struct arena *a, struct steer_policy *p, const struct config_steering *from,
                        const struct config *c, const struct config_node *node)
{
	char *name = arena_strdup(a, from->name);

	for (size_t i = 0; name && name[i]; i++)
		name[i] = (char)tolower((unsigned char)name[i]);
	p->name = name;
	p->hash = name ? name_hash(name) : 0;
	p->pool = from->pool;
	p->ttl_s = from->ttl_ms / 1000;
	p->answers = from->answers;
	p->choose = from->choose;
	p->rule_count = from->rule_count;
	p->rules = arena_zalloc(a, (from->rule_count + 1) * sizeof(*p->rules));
	for (size_t i = 0; p->rules && i < from->rule_count; i++)
		fill_rule(a, &p->rules[i], &from->rules[i], c, node);
}

/* ---- tables by name ---- */

static size_t slots_for(size_t count)
{
	size_t size = 16;

	while (size < count * 2)
		size *= 2;
	return size;
}

static void put(const struct steer_table *t, struct steer_slot *slots, size_t size, const uint8_t *key, size_t len,
                uint32_t policy)
{
	size_t at = hash_keyed(t->key, key, len) & (size - 1);

	while (slots[at].key)
		at = (at + 1) & (size - 1);
	slots[at] = (struct steer_slot){key, policy};
}

static void fill_tables(struct steer_table *t, const struct config *c)
{
	size_t owners = 0;

	for (size_t i = 0; i < c->steering_count; i++)
		owners += c->steering[i].owner_count;
	t->name_slots = slots_for(c->steering_count);
	t->owner_slots = slots_for(owners);
	t->names = arena_zalloc(&t->arena, t->name_slots * sizeof(*t->names));
	t->owners = arena_zalloc(&t->arena, t->owner_slots * sizeof(*t->owners));
	for (uint32_t i = 0; arena_ok(&t->arena) && i < c->steering_count; i++) {
		const struct config_steering *s = &c->steering[i];

		put(t, t->names, t->name_slots, (const uint8_t *)t->policies[i].name, strlen(t->policies[i].name), i);
		for (size_t n = 0; n < s->owner_count; n++) {
			size_t len = name_len(s->owners[n]);
			const uint8_t *owner = arena_dup(&t->arena, s->owners[n], len);

			if (owner)
				put(t, t->owners, t->owner_slots, owner, len, i);
		}
	}
}

uint32_t steer_policy_named(const struct steer_table *t, const char *name, size_t len)
{
	char low[CONFIG_NAME_MAX + 1] = "";
	size_t at;

	if (len == 0 || len > CONFIG_NAME_MAX)
		return UINT32_MAX;
	for (size_t i = 0; i < len; i++) {
		low[i] = (char)tolower((unsigned char)name[i]);
		if (!low[i])
			return UINT32_MAX;
	}
	at = hash_keyed(t->key, low, len) & (t->name_slots - 1);
	for (; t->names[at].key; at = (at + 1) & (t->name_slots - 1))
		if (strcmp((const char *)t->names[at].key, low) == 0)
			return t->names[at].policy;
	return UINT32_MAX;
}

uint32_t steer_policy_of(const struct steer_table *t, const uint8_t *owner)
{
	size_t at = hash_keyed(t->key, owner, name_len(owner)) & (t->owner_slots - 1);

	for (; t->owners[at].key; at = (at + 1) & (t->owner_slots - 1))
		if (name_equal(t->owners[at].key, owner))
			return t->owners[at].policy;
	return UINT32_MAX;
}

/* ---- all ---- */

int steer_table_make(const struct config *c, const struct config_node *node, struct steer_table **out)
{
	struct steer_table *t = calloc(1, sizeof(*t));

	if (!t)
		return ERR_NO_MEMORY;
	arena_init(&t->arena, 0);
	memcpy(t->key, c->hash, sizeof(t->key));
	t->pool_count = (uint32_t)c->pool_count;
	t->policy_count = (uint32_t)c->steering_count;
	t->of_all_nodes = !node;
	t->pools = arena_zalloc(&t->arena, (c->pool_count + 1) * sizeof(*t->pools));
	t->policies = arena_zalloc(&t->arena, (c->steering_count + 1) * sizeof(*t->policies));
	fill_log(t);
	for (size_t i = 0; arena_ok(&t->arena) && i < c->pool_count; i++)
		fill_pool(&t->arena, &t->pools[i], &c->pools[i]);
	for (size_t i = 0; arena_ok(&t->arena) && i < c->steering_count; i++)
		fill_policy(&t->arena, &t->policies[i], &c->steering[i], c, node);
	if (arena_ok(&t->arena))
		fill_tables(t, c);
	if (!arena_ok(&t->arena)) {
		steer_table_free(t);
		return ERR_NO_MEMORY;
	}
	*out = t;
	return 0;
}

void steer_table_free(struct steer_table *t)
{
	if (!t)
		return;
	arena_done(&t->arena);
	free(t);
}

const struct steer_endpoint *steer_endpoint(const struct steer_table *t, uint32_t pool, unsigned i)
{
	return &t->pools[pool].endpoints[i];
}

const char *steer_pool_name(const struct steer_table *t, uint32_t pool)
{
	return t->pools[pool].name;
}

uint32_t steer_pool_count(const struct steer_table *t)
{
	return t->pool_count;
}
