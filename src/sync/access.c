/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules in one place:
 *
 * A zone with a key is transferred to who signs with that key, and only where `allow-transfer`, if the zone has it, has the address, too. A zone without a key is
 * transferred to the management addresses of the fleet's nodes and to `allow-transfer`. Loopback is an address like any other. In the stand-alone form
 * all zones are transferred to the prefixes of --allow-transfer. What `transfer-over` demands comes before all of this.
 *
 * A NOTIFY (RFC 1996) is believed from a primary of the zone, signed with the zone's key where it has one. The primaries of a zone are those named, or, on a pop with a zone that
 * others have as a file, the nodes of the role primary.
 *
 * A member of a catalog goes by the rule of its template, as if that were its line in the file.
 *
 * Told of a change are the servers in `notify`, and, by a primary, the management addresses of the pops that serve the zone's network. */
#include "sync/access.h"

#include "base/arena.h"
#include "base/err.h"
#include "config/config.h"
#include "dns/name.h"
#include "proc/role.h"
#include "sync/keyring.h"

#include <stdlib.h>
#include <string.h>

enum { DNS_PORT = 53 };

struct rule {
	const uint8_t *apex; /* lower case; NULL: of a template */
	uint64_t id;         /* of the template */
	uint32_t key;        /* index in the ring; UINT32_MAX: none */
	const struct ip_prefix *allow;
	size_t allow_count;
	const struct endpoint *notify;
	size_t notify_count;
	const struct ip_addr *primaries;
	size_t primary_count;
	uint8_t over;     /* enum access_over: at least */
	uint32_t network; /* whose pops are told; UINT32_MAX: none */
};

struct pops {
	struct endpoint *at;
	size_t count;
};

struct access {
	struct arena arena;
	unsigned users;
	bool alone;
	struct rule *rules;           /* by apex; of the stand-alone form one for all */
	size_t rule_count;
	struct rule *templates;
	size_t template_count;
	access_origin_fn *origin; /* NULL: no members are known */
	void *origin_ctx;
	struct keyring *ring; /* by index in the configuration */
	struct tsig_keys usable;
	struct tsig_key **usable_list;
	struct ip_addr *nodes;        /* management addresses of the fleet */
	size_t node_count;
	struct pops *pops;            /* of each network; NULL: this node is no primary */
};

const char *access_verdict_text(enum access_verdict v)
{
	switch (v) {
	case ACCESS_GRANTED:
		return "granted";
	case ACCESS_NO_ZONE:
		return "this node has no such zone";
	case ACCESS_UNSIGNED:
		return "the zone has a key, and this is not signed";
	case ACCESS_WRONG_KEY:
		return "signed with another key than the zone's";
	case ACCESS_ADDRESS:
		return "the address is not allowed to";
	case ACCESS_CLEAR:
		return "the zone is transferred over TLS only (TLS 1.3, ALPN \"dot\")";
	case ACCESS_CERTIFICATE:
		return "the zone is transferred to clients with a good certificate only";
	case ACCESS_SOURCE:
		return "not from a primary of the zone";
	case ACCESS_NO_SECONDARY:
		return "the zone has no primaries";
	}
	return "unknown";
}

/* ---- making ---- */

/* Those that can be used, in one row. */
static void make_keys(struct access *a)
{
	a->usable_list = arena_zalloc(&a->arena, (a->ring->count + 1) * sizeof(struct tsig_key *));
	for (size_t i = 0; a->usable_list && i < a->ring->count; i++)
		if (a->ring->list[i])
			a->usable_list[a->usable.count++] = a->ring->list[i];
	a->usable.list = a->usable_list;
}

static bool serves(const struct config_node *n, size_t network)
{
	for (size_t i = 0; i < n->network_count; i++)
		if (n->networks[i] == network)
			return true;
	return false;
}

static void make_pops(struct access *a, const struct config *c)
{
	a->pops = arena_zalloc(&a->arena, (c->network_count + 1) * sizeof(*a->pops));
	for (size_t net = 0; a->pops && net < c->network_count; net++) {
		struct pops *p = &a->pops[net];

		p->at = arena_zalloc(&a->arena, (a->node_count + 1) * sizeof(*p->at));
		for (size_t i = 0; p->at && i < c->node_count; i++)
			for (size_t k = 0; c->nodes[i].role == CONFIG_POP && serves(&c->nodes[i], net) &&
			                   k < c->nodes[i].management_count;
			     k++)
				p->at[p->count++] =
					(struct endpoint){.addr = c->nodes[i].management[k], .port = DNS_PORT};
	}
}

static void make_nodes(struct access *a, const struct config *c, const struct config_node *node)
{
	size_t most = 1;

	for (size_t i = 0; i < c->node_count; i++)
		most += c->nodes[i].management_count;
	a->nodes = arena_zalloc(&a->arena, most * sizeof(*a->nodes));
	if (!a->nodes)
		return;
	for (size_t i = 0; i < c->node_count; i++)
		for (size_t k = 0; k < c->nodes[i].management_count; k++)
			a->nodes[a->node_count++] = c->nodes[i].management[k];
	if (node->role == CONFIG_PRIMARY)
		make_pops(a, c);
}

static const void *copy(struct access *a, const void *items, size_t count, size_t size)
{
	void *to = count ? arena_alloc_aligned(&a->arena, count * size, 8) : NULL;

	return to ? memcpy(to, items, count * size) : NULL;
}

static void make_rule(struct access *a, const struct config *c, const struct config_zone *z,
                      const struct config_node *node, struct rule *r)
{
	struct endpoint sources[CONFIG_SOURCES_MAX];
	size_t count = config_zone_sources(c, node, z, sources, ARRAY_LEN(sources));
	struct ip_addr *primaries;
	struct name lower;

	_Static_assert((int)ACCESS_OVER_TLS == (int)CONFIG_OVER_TLS &&
	                       (int)ACCESS_OVER_MUTUAL_TLS == (int)CONFIG_OVER_MUTUAL_TLS,
	               "in the same order");
	if (z->apex)
		name_lower(&lower, z->apex);
	*r = (struct rule){.apex = z->apex ? arena_dup(&a->arena, lower.wire, lower.len) : NULL,
	                   .key = z->key,
	                   .network = z->network,
	                   .over = z->transfer_over,
	                   .allow = copy(a, z->allow_transfer, z->allow_transfer_count, sizeof(*z->allow_transfer)),
	                   .allow_count = z->allow_transfer_count,
	                   .notify = copy(a, z->notify, z->notify_count, sizeof(*z->notify)), .notify_count = z->notify_count};
	primaries = count ? arena_zalloc(&a->arena, count * sizeof(*primaries)) : NULL;
	for (size_t i = 0; primaries && i < count; i++)
		primaries[i] = sources[i].addr;
	r->primaries = primaries;
	r->primary_count = primaries ? count : 0;
}

static int by_apex(const void *a, const void *b)
{
	return name_compare(((const struct rule *)a)->apex, ((const struct rule *)b)->apex);
}

static void make_rules(struct access *a, const struct config *c, const struct config_node *node)
{
	a->rules = arena_zalloc(&a->arena, (c->zone_count + 1) * sizeof(*a->rules));
	for (size_t i = 0; arena_ok(&a->arena) && i < c->zone_count; i++)
		if (!config_zone_is_edge(&c->zones[i]) && config_node_serves(node, &c->zones[i]))
			make_rule(a, c, &c->zones[i], node, &a->rules[a->rule_count++]);
	if (arena_ok(&a->arena) && a->rule_count)
		qsort(a->rules, a->rule_count, sizeof(*a->rules), by_apex);
}

static void make_template(struct access *a, const struct config *c, const struct config_template *t,
                          const struct config_node *node)
{
	struct rule *r = &a->templates[a->template_count++];

	make_rule(a, c, &t->zone, node, r);
	r->id = t->id;
}

static void make_templates(struct access *a, const struct config *c, const struct config_node *node)
{
	size_t count = 1;

	for (size_t i = 0; i < c->catalog_count; i++)
		count += 1 + c->catalogs[i].group_count;
	a->templates = arena_zalloc(&a->arena, count * sizeof(*a->templates));
	for (size_t i = 0; a->templates && i < c->catalog_count; i++) {
		if (c->catalogs[i].produce)
			continue;
		make_template(a, c, &c->catalogs[i].members, node);
		for (size_t g = 0; g < c->catalogs[i].group_count; g++)
			make_template(a, c, &c->catalogs[i].groups[g], node);
	}
}

static void make_alone(struct access *a, const struct ip_prefix *prefixes, size_t count)
{
	a->alone = true;
	a->rules = arena_zalloc(&a->arena, sizeof(*a->rules));
	if (a->rules)
		*a->rules = (struct rule){.key = UINT32_MAX, .network = UINT32_MAX, .allow = copy(a, prefixes, count, sizeof(*prefixes)), .allow_count = count};
}

int access_make(const struct role *role, struct access **out)
{
	struct access *a = calloc(1, sizeof(*a));
	int err = a ? keyring_new(role, &a->ring) : ERR_NO_MEMORY;

	if (err < 0) {
		free(a);
		return err;
	}
	arena_init(&a->arena, 0);
	a->users = 1;
	if (role->config) {
		make_keys(a);
		make_nodes(a, role->config, role->node);
		make_rules(a, role->config, role->node);
		make_templates(a, role->config, role->node);
	} else {
		make_alone(a, role->brief.allow_transfer, role->brief.allow_transfer_count);
	}
	if (!arena_ok(&a->arena)) {
		access_unref(a);
		return ERR_NO_MEMORY;
	}
	*out = a;
	return 0;
}

void access_members(struct access *a, access_origin_fn *fn, void *ctx)
{
	a->origin = fn;
	a->origin_ctx = ctx;
}

struct access *access_ref(struct access *a)
{
	a->users++;
	return a;
}

void access_unref(struct access *a)
{
	if (!a || --a->users)
		return;
	keyring_unref(a->ring);
	arena_done(&a->arena);
	free(a);
}

const struct tsig_keys *access_keys(const struct access *a)
{
	return &a->usable;
}

/* ---- asking ---- */

static const struct rule *find_member(const struct access *a, const uint8_t *apex)
{
	uint64_t id = a->origin && a->template_count ? a->origin(a->origin_ctx, apex) : 0;

	for (size_t i = 0; id && i < a->template_count; i++)
		if (a->templates[i].id == id)
			return &a->templates[i];
	return NULL;
}

static const struct rule *find(const struct access *a, const uint8_t *apex)
{
	const struct rule *r = NULL;
	struct rule key = {0};
	struct name lower;

	if (a->alone)
		return a->rules;
	name_lower(&lower, apex);
	key.apex = lower.wire;
	if (a->rule_count)
		r = bsearch(&key, a->rules, a->rule_count, sizeof(*a->rules), by_apex);
	return r ? r : find_member(a, lower.wire);
}

static bool allows(const struct rule *r, const struct ip_addr *from)
{
	for (size_t i = 0; i < r->allow_count; i++)
		if (prefix_contains(&r->allow[i], from))
			return true;
	return false;
}

static bool among(const struct ip_addr *list, size_t count, const struct ip_addr *from)
{
	for (size_t i = 0; i < count; i++)
		if (addr_equal(&list[i], from))
			return true;
	return false;
}

/* Is the signature what the zone asks for? */
static enum access_verdict judge_key(const struct access *a, const struct rule *r, const struct tsig_key *key)
{
	if (r->key == UINT32_MAX)
		return ACCESS_GRANTED;
	if (!key)
		return ACCESS_UNSIGNED;
	return key == a->ring->list[r->key] ? ACCESS_GRANTED : ACCESS_WRONG_KEY;
}

enum access_verdict access_transfer(const struct access *a, const uint8_t *apex, const struct ip_addr *from,
                                    enum access_over over, const struct tsig_key *key)
{
	const struct rule *r = find(a, apex);
	enum access_verdict v;

	if (!r)
		return ACCESS_NO_ZONE;
	if (over < r->over)
		return over == ACCESS_OVER_CLEAR ? ACCESS_CLEAR : ACCESS_CERTIFICATE;
	v = judge_key(a, r, key);
	if (v != ACCESS_GRANTED)
		return v;
	if (r->key != UINT32_MAX)
		return !r->allow_count || allows(r, from) ? ACCESS_GRANTED : ACCESS_ADDRESS;
	return allows(r, from) || among(a->nodes, a->node_count, from) ? ACCESS_GRANTED : ACCESS_ADDRESS;
}

enum access_verdict access_notify(const struct access *a, const uint8_t *apex, const struct ip_addr *from, const struct tsig_key *key)
{
	const struct rule *r = find(a, apex);
	enum access_verdict v;

	if (!r)
		return ACCESS_NO_ZONE;
	if (!r->primary_count)
		return ACCESS_NO_SECONDARY;
	v = judge_key(a, r, key);
	if (v != ACCESS_GRANTED)
		return v;
	return among(r->primaries, r->primary_count, from) ? ACCESS_GRANTED : ACCESS_SOURCE;
}

bool access_key(const struct access *a, const uint8_t *apex, const struct tsig_key **key)
{
	const struct rule *r = find(a, apex);

	*key = r && r->key != UINT32_MAX ? a->ring->list[r->key] : NULL;
	return !r || r->key == UINT32_MAX || *key;
}

void access_targets(const struct access *a, const uint8_t *apex, access_target_fn *each, void *ctx)
{
	const struct rule *r = find(a, apex);

	if (!r || a->alone || (r->key != UINT32_MAX && !a->ring->list[r->key]))
		return; /* without its key, who is told could not tell it from a lie */
	for (size_t i = 0; i < r->notify_count; i++)
		each(ctx, &r->notify[i]);
	if (!a->pops || r->network == UINT32_MAX)
		return;
	for (size_t i = 0; i < a->pops[r->network].count; i++)
		each(ctx, &a->pops[r->network].at[i]);
}
