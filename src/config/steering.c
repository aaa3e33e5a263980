/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools, steering policies and the databases of where addresses are: what follows from other parts of the file, and whether all of it fits together. What is
 * refused here need not be thought of where answers are chosen (src/steer): pools that fall back to each other in a ring, a policy that gives addresses to
 * some clients and names to others, a rule about countries without a database that knows them. */
#include "config/read.h"

#include "base/hash.h"
#include "dns/rr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct steering_check {
	const struct tree_source *src;
	const struct tree *root;
	const struct config *c;
};

static uint16_t usual_port(uint8_t type)
{
	return type == CONFIG_CHECK_HTTP ? 80 : type == CONFIG_CHECK_HTTPS ? 443 : type == CONFIG_CHECK_DNS ? 53 : 0;
}

void config_link_steering(const struct tree *root, struct config *c)
{
	const struct tree *list = tree_get(root, "pools"), *t = list ? list->first : NULL;

	for (size_t i = 0; i < c->pool_count && t; i++, t = t->next) {
		struct config_pool_check *check = &c->pools[i].check;

		c->pools[i].line = t->line;
		if (!check->port)
			check->port = usual_port(check->type);
		if (!tree_get(tree_get(t, "check"), "timeout"))
			check->timeout_ms = MIN(check->timeout_ms, check->interval_ms);
	}
	list = tree_get(root, "steering");
	t = list ? list->first : NULL;
	for (size_t i = 0; i < c->steering_count && t; i++, t = t->next) {
		c->steering[i].line = t->line;
		if (c->steering[i].choose == CONFIG_CHOOSE_ALL && !tree_get(t, "answers"))
			c->steering[i].answers = 0;
	}
}

static bool is_web(uint8_t type)
{
	return type == CONFIG_CHECK_HTTP || type == CONFIG_CHECK_HTTPS;
}

/* A key that this type of check has no use for. used: it has, or what is said is what would be without it. */
static void check_idle_key(const struct steering_check *k, const struct tree *t, const char *key, bool used,
                           const char *with)
{
	if (!used && tree_get(t, key))
		tree_error(k->src, tree_get(t, key), "\"%s\" is for checks of type %s: remove it", key, with);
}

static void check_pool_check(const struct steering_check *k, const struct tree *t, const struct config_pool *p)
{
	const struct config_pool_check *c = &p->check;
	bool web = is_web(c->type), dns = c->type == CONFIG_CHECK_DNS, https = c->type == CONFIG_CHECK_HTTPS;

	check_idle_key(k, t, "path", web || strcmp(c->path, "/") == 0, "http and https");
	check_idle_key(k, t, "host", web, "http and https");
	check_idle_key(k, t, "status", web || !c->status, "http and https");
	check_idle_key(k, t, "contains", web || dns, "http, https and dns");
	check_idle_key(k, t, "ca-file", https, "https");
	check_idle_key(k, t, "insecure", https || !c->insecure, "https");
	check_idle_key(k, t, "name", dns, "dns");
	check_idle_key(k, t, "rrtype", dns || c->rrtype == RR_A, "dns");
	check_idle_key(k, t, "exec", c->type == CONFIG_CHECK_EXEC, "exec");
	check_idle_key(k, t, "port", web || dns || c->type == CONFIG_CHECK_TCP || !c->port, "tcp, http, https and dns");
	if (c->type == CONFIG_CHECK_TCP && !c->port)
		tree_error(k->src, t, "a check of type tcp needs its \"port\"");
	if (dns && !c->name)
		tree_error(k->src, t, "a check of type dns needs a \"name\" to ask for");
	if (c->type == CONFIG_CHECK_EXEC && !c->exec_count)
		tree_error(k->src, t, "a check of type exec needs \"exec\": path of the program, and its arguments");
	else if (c->exec_count && c->exec[0][0] != '/')
		tree_error(k->src, tree_item_of(t, "exec", 0),
		           "write the absolute path of the program: there is no PATH to look for \"%.80s\" in",
		           c->exec[0]);
	/* As much as health/http.c has room for. */
	if (c->contains && (!*c->contains || strlen(c->contains) > CONFIG_CHECK_TEXT_MAX))
		tree_error(k->src, tree_value_of(t, "contains"), "\"contains\" has 1 to %d octets",
		           CONFIG_CHECK_TEXT_MAX);
	if (web && strlen(c->path) > CONFIG_CHECK_PATH_MAX)
		tree_error(k->src, tree_value_of(t, "path"), "a path has at most %d octets", CONFIG_CHECK_PATH_MAX);
	if (web && c->host && strlen(c->host) > CONFIG_CHECK_HOST_MAX)
		tree_error(k->src, tree_value_of(t, "host"), "a host's name has at most %d octets",
		           CONFIG_CHECK_HOST_MAX);
	if (web && c->path[0] != '/')
		tree_error(k->src, tree_value_of(t, "path"), "a path begins with a slash: write /%.80s", c->path);
	for (const char *s = web ? c->path : ""; *s; s++) {
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f) {
			tree_error(k->src, tree_value_of(t, "path"),
			           "a path has neither blanks nor letters beyond ASCII: write them as %%20");
			break;
		}
	}
	if (web && c->host && (!*c->host || strpbrk(c->host, " \t\r\n/@")))
		tree_error(k->src, tree_value_of(t, "host"), "\"%.80s\" is no name of a host", c->host);
	if (https && c->insecure && c->ca_file)
		tree_error(k->src, tree_get(t, "insecure"),
		           "with \"insecure\" the \"ca-file\" is not looked at: remove one");
	if (c->timeout_ms > c->interval_ms)
		tree_error(k->src, tree_value_of(t, "timeout"),
		           "\"timeout\" is longer than \"interval\": the next check would begin before this one has "
		           "ended");
	if (p->endpoints[0].target && c->type != CONFIG_CHECK_NONE && c->type != CONFIG_CHECK_EXEC)
		tree_error(k->src, tree_value_of(t, "type"),
		           "the pool has names: they are checked by programs (type: exec), which are given the name, "
		           "or not at all (none)");
}

static bool same_endpoint(const struct config_pool_endpoint *a, const struct config_pool_endpoint *b)
{
	if (a->target || b->target)
		return a->target && b->target && name_equal(a->target, b->target);
	return addr_equal(&a->address, &b->address);
}

static void check_endpoint(const struct steering_check *k, const struct tree *t, const struct config_pool *p, size_t i)
{
	const struct config_pool_endpoint *e = &p->endpoints[i];

	if (!e->target == !e->address.family) {
		tree_error(k->src, t, "endpoint \"%s\" has %s: it is an address or a name", e->name,
		           e->target ? "both \"address\" and \"target\"" : "neither \"address\" nor \"target\"");
		return;
	}
	if (!e->target != !p->endpoints[0].target)
		tree_error(k->src, tree_value_of(t, e->target ? "target" : "address"),
		           "pool \"%s\" begins with %s: a pool gives addresses or names, not both; make another pool "
		           "of these",
		           p->name, e->target ? "an address" : "a name");
	if (!tree_get(t, "latitude") != !tree_get(t, "longitude"))
		tree_error(k->src, t, "\"latitude\" and \"longitude\" go together");
	for (size_t n = 0; n < i; n++) {
		if (strcasecmp(e->name, p->endpoints[n].name) == 0)
			tree_error(k->src, tree_value_of(t, "name"), "endpoint \"%s\" is in pool \"%s\" twice", e->name,
			           p->name);
		else if (same_endpoint(e, &p->endpoints[n]))
			tree_error(k->src, tree_value_of(t, e->target ? "target" : "address"),
			           "this is endpoint \"%s\" already", p->endpoints[n].name);
	}
}

static void check_checked_from(const struct steering_check *k, const struct tree *t, const struct config_pool *p)
{
	for (size_t i = 0; i < p->checked_from_count; i++) {
		const struct tree *at = tree_item_of(t, "checked-from", i);

		if (!config_node_find(k->c, p->checked_from[i]))
			tree_error(k->src, at, "no node is called \"%s\"", p->checked_from[i]);
		for (size_t n = 0; n < i; n++)
			if (strcmp(p->checked_from[i], p->checked_from[n]) == 0)
				tree_error(k->src, at, "node \"%s\" is here twice", p->checked_from[i]);
	}
	if (p->checked_from_count && p->check.type == CONFIG_CHECK_NONE)
		tree_warning(k->src, tree_get(t, "checked-from"), "without a \"check\" nobody checks this pool");
}

/* Does every way on from this pool end? */
static void check_fallbacks(const struct steering_check *k, const struct tree *t, size_t pool)
{
	const struct config *c = k->c;
	size_t at = pool, steps = 1;

	while (c->pools[at].fallback != UINT32_MAX && steps <= CONFIG_FALLBACKS_MAX) {
		at = c->pools[at].fallback;
		steps++;
		if (at == pool) {
			tree_error(k->src, tree_value_of(t, "fallback"),
			           "pool \"%s\" falls back to itself%s: end the chain somewhere", c->pools[pool].name,
			           steps > 2 ? " by way of others" : "");
			return;
		}
	}
	if (steps > CONFIG_FALLBACKS_MAX)
		tree_error(k->src, tree_value_of(t, "fallback"), "more than %d pools in a row: shorten the chain",
		           CONFIG_FALLBACKS_MAX);
	else if (c->pools[pool].fallback != UINT32_MAX &&
	         !c->pools[pool].endpoints[0].target != !c->pools[c->pools[pool].fallback].endpoints[0].target)
		tree_error(k->src, tree_value_of(t, "fallback"),
		           "one of these pools has addresses, the other names: clients get the one or the other");
}

static void check_pool(const struct steering_check *k, size_t i)
{
	const struct config_pool *p = &k->c->pools[i];
	const struct tree *t = tree_item_of(k->root, "pools", i);
	size_t enabled = 0;

	for (size_t n = 0; n < p->endpoint_count; n++) {
		check_endpoint(k, tree_item_of(t, "endpoints", n), p, n);
		enabled += !p->endpoints[n].disabled;
	}
	if (p->keep > p->endpoint_count)
		tree_error(k->src, tree_value_of(t, "keep"),
		           "\"keep\" is %u, but pool \"%s\" has %zu endpoint%s: write at most %zu", p->keep, p->name,
		           p->endpoint_count, p->endpoint_count == 1 ? "" : "s", p->endpoint_count);
	if (!enabled)
		tree_warning(k->src, tree_value_of(t, "endpoints"),
		             "all endpoints of pool \"%s\" are disabled: it has nothing to give", p->name);
	if (tree_get(t, "check"))
		check_pool_check(k, tree_get(t, "check"), p);
	check_checked_from(k, t, p);
	check_fallbacks(k, t, i);
}

static bool all_located(const struct config *c, size_t pool)
{
	for (size_t n = 0; n < c->pools[pool].endpoint_count; n++)
		if (!c->pools[pool].endpoints[n].located)
			return false;
	return true;
}

/* A pool that a policy gives answers from, and those behind it. at: where the policy names it. */
static void check_use(const struct steering_check *k, const struct tree *at, const struct config_steering *s,
                      size_t pool)
{
	const struct config *c = k->c;

	if (!c->pools[s->pool].endpoints[0].target != !c->pools[pool].endpoints[0].target)
		tree_error(k->src, at, "policy \"%s\" gives %s, but pool \"%s\" has %s: a name cannot have both",
		           s->name, c->pools[s->pool].endpoints[0].target ? "names" : "addresses", c->pools[pool].name,
		           c->pools[pool].endpoints[0].target ? "names" : "addresses");
	for (size_t steps = 0; s->choose == CONFIG_CHOOSE_NEAREST && pool != UINT32_MAX && steps < CONFIG_FALLBACKS_MAX;
	     steps++) {
		if (!all_located(c, pool)) {
			tree_error(k->src, at,
			           "\"choose: nearest\" needs \"latitude\" and \"longitude\" of each endpoint of pool "
			           "\"%s\"",
			           c->pools[pool].name);
			return;
		}
		pool = c->pools[pool].fallback;
	}
}

static void check_rule(const struct steering_check *k, const struct tree *t, const struct config_steering *s, size_t i)
{
	const struct config_steering_rule *r = &s->rules[i];
	const struct config_geoip *g = &k->c->geoip;

	if (!r->country_count && !r->continent_count && !r->as_count && !r->subnet_count && !r->node_count)
		tree_error(k->src, t, "this rule matches everybody: write its pool as the policy's own \"pool\"");
	if ((r->country_count || r->continent_count) && !g->location_file)
		tree_error(k->src, tree_value_of(t, r->country_count ? "countries" : "continents"),
		           "which country an address is in is said by a database: add geoip: {location: FILE}");
	if (r->as_count && !g->as_file)
		tree_error(k->src, tree_value_of(t, "as"),
		           "which AS an address is in is said by a database: add geoip: {as: FILE}");
	check_use(k, tree_value_of(t, "pool"), s, r->pool);
}

static void check_policy(const struct steering_check *k, size_t i)
{
	const struct config_steering *s = &k->c->steering[i];
	const struct tree *t = tree_item_of(k->root, "steering", i);

	for (size_t n = 0; n < s->rule_count; n++)
		check_rule(k, tree_item_of(t, "rules", n), s, n);
	check_use(k, tree_value_of(t, "pool"), s, s->pool);
	if (k->c->pools[s->pool].endpoints[0].target && s->answers != 1)
		tree_error(k->src, tree_value_of(t, tree_get(t, "answers") ? "answers" : "choose"),
		           "a name has one CNAME: with a pool of names write answers: 1");
	if (s->choose == CONFIG_CHOOSE_NEAREST && !k->c->geoip.location_file)
		tree_error(k->src, tree_value_of(t, "choose"),
		           "where a client is is said by a database: add geoip: {location: FILE} with coordinates "
		           "(GeoLite2-City)");
	if (s->ttl_ms % 1000)
		tree_error(k->src, tree_value_of(t, "ttl"), "a TTL is of whole seconds");
}

struct owner_slot {
	const uint8_t *owner;
	uint32_t policy;
};

static struct owner_slot *find_owner(const struct steering_check *k, struct owner_slot *slots, size_t size,
                                     const uint8_t *owner)
{
	size_t at = hash_keyed(k->c->hash, owner, name_len(owner)) & (size - 1);

	while (slots[at].owner && !name_equal(slots[at].owner, owner))
		at = (at + 1) & (size - 1);
	return &slots[at];
}

/* A name must not be given itself as its CNAME. at: where the policy names the pool. */
static void check_targets(const struct steering_check *k, const struct tree *at, uint32_t policy, size_t pool,
                          struct owner_slot *slots, size_t size)
{
	const struct config *c = k->c;

	for (size_t steps = 0; pool != UINT32_MAX && steps < CONFIG_FALLBACKS_MAX;
	     steps++, pool = c->pools[pool].fallback) {
		const struct config_pool *p = &c->pools[pool];

		for (size_t i = 0; i < p->endpoint_count && p->endpoints[i].target; i++) {
			struct owner_slot *slot;
			struct name lower;

			name_lower(&lower, p->endpoints[i].target);
			slot = find_owner(k, slots, size, lower.wire);
			if (slot->owner && slot->policy == policy)
				tree_error(
					k->src, at,
					"endpoint \"%s\" of pool \"%s\" is a name that policy \"%s\" answers itself: "
					"it would be an alias of itself",
					p->endpoints[i].name, p->name, c->steering[policy].name);
		}
	}
}

/* Each owner once in all policies: open addressing over places in a list of all, keyed by the file's hash, which who names the owners cannot choose. */
static void check_owners(const struct steering_check *k)
{
	size_t size = 16, count = 0;
	struct owner_slot *slots;

	for (size_t i = 0; i < k->c->steering_count; i++)
		count += k->c->steering[i].owner_count;
	while (size < count * 2)
		size *= 2;
	slots = calloc(size, sizeof(*slots));
	if (!slots) {
		tree_error(k->src, tree_get(k->root, "steering"), "out of memory");
		return;
	}
	for (uint32_t i = 0; i < k->c->steering_count; i++) {
		const struct config_steering *s = &k->c->steering[i];
		const struct tree *list = tree_get(tree_item_of(k->root, "steering", i), "owners"),
				  *t = list ? list->first : NULL;

		for (size_t n = 0; n < s->owner_count && t; n++, t = t->next) {
			struct owner_slot *slot = find_owner(k, slots, size, s->owners[n]);

			if (!slot->owner)
				*slot = (struct owner_slot){s->owners[n], i};
			else if (slot->policy == i)
				tree_error(k->src, t, "\"%.80s\" is here twice", t->text);
			else
				tree_error(k->src, t, "\"%.80s\" is steered by policy \"%s\" (line %u) already",
				           t->text, k->c->steering[slot->policy].name,
				           k->c->steering[slot->policy].line);
		}
	}
	for (uint32_t i = 0; i < k->c->steering_count; i++) {
		const struct config_steering *s = &k->c->steering[i];
		const struct tree *t = tree_item_of(k->root, "steering", i);

		check_targets(k, tree_value_of(t, "pool"), i, s->pool, slots, size);
		for (size_t n = 0; n < s->rule_count; n++)
			check_targets(k, tree_value_of(tree_item_of(t, "rules", n), "pool"), i, s->rules[n].pool, slots,
			              size);
	}
	free(slots);
}

void config_check_steering(const struct tree_source *src, const struct tree *root, const struct config *c)
{
	const struct steering_check k = {.src = src, .root = root, .c = c};
	unsigned before = src->diag->errors;

	for (size_t i = 0; i < c->pool_count; i++)
		check_pool(&k, i);
	/* Below it is relied on that chains of pools end. */
	if (src->diag->errors != before)
		return;
	for (size_t i = 0; i < c->steering_count; i++)
		check_policy(&k, i);
	check_owners(&k);
}
