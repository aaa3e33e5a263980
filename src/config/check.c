/* SPDX-License-Identifier: BSD-2-Clause */
/* What the rows of the schema cannot say: whether the parts of a configuration fit each other. Runs only on a file whose every value was
 * read, so that structs and tree have the same shape: the i-th network of one is the i-th of the other. */
#include "config/read.h"

#include "base/hash.h"
#include "base/wire.h"
#include "dns/base64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	AS_TRANS = 23456,         /* RFC 6793 9: stands for any 4-octet AS, is nobody's */
	CHECK_PREFIX_MAX_V4 = 24, /* what the Internet's routers commonly let pass */
	CHECK_PREFIX_MAX_V6 = 48,
	PIN_LEN = 32,                 /* SHA-256 */
	BFD_DETECTION_LEAST_MS = 150, /* what other operators came to, by false alarms */
};

struct check {
	const struct tree_source *src;
	const struct tree *root;
	const struct config *c;
};

static const struct tree *network_at(const struct check *k, size_t i)
{
	return tree_item_of(k->root, "networks", i);
}

static void check_as(const struct check *k, const struct tree *at, uint32_t as)
{
	if (as == 0)
		tree_error(k->src, at,
		           "AS 0 is nobody's (RFC 7607): write your own number, or a private one such as 64512");
	else if (as == AS_TRANS)
		tree_error(k->src, at,
		           "AS 23456 (AS_TRANS, RFC 6793) only stands for others: write the real 4-octet number");
	else if (as == 65535 || as == UINT32_MAX)
		tree_error(k->src, at, "AS %u is reserved (RFC 7300): write the real number", as);
}

/* Equal names in a list of mappings, reported at the second. */
static void check_names(const struct check *k, const char *list, const char *what)
{
	const struct tree *t = tree_get(k->root, list);

	for (const struct tree *a = t ? t->first : NULL; a; a = a->next) {
		const struct tree *name = tree_get(a, "name");

		for (const struct tree *b = t->first; b != a; b = b->next) {
			const struct tree *other = tree_get(b, "name");

			if (strcasecmp(name->text, other->text) != 0)
				continue;
			tree_error(k->src, name, "%s \"%s\" is defined twice; the first is in line %u", what,
			           name->text, other->line);
			break;
		}
	}
}

static void check_prefix(const struct check *k, const struct tree *at, const struct ip_prefix *p)
{
	unsigned most = p->addr.family == 4 ? CHECK_PREFIX_MAX_V4 : CHECK_PREFIX_MAX_V6;

	if (p->len == 0)
		tree_error(k->src, at, "the default route is not a prefix to announce: write the network's own");
	else if (p->len > most)
		tree_warning(k->src, at, "longer than /%u: most networks on the Internet do not accept it", most);
}

static void check_overlaps(const struct check *k, size_t n, size_t i)
{
	const struct ip_prefix *p = &k->c->networks[n].prefixes[i];
	char a[PREFIX_TEXT_MAX], b[PREFIX_TEXT_MAX];

	for (size_t m = 0; m <= n; m++) {
		const struct config_network *other = &k->c->networks[m];

		for (size_t j = 0; j < (m == n ? i : other->prefix_count); j++) {
			if (!prefix_overlaps(p, &other->prefixes[j]))
				continue;
			tree_error(k->src, tree_item_of(network_at(k, n), "prefixes", i),
			           "%s overlaps %s of %s \"%s\" (line %u): a prefix belongs to one network, once",
			           prefix_text(p, a), prefix_text(&other->prefixes[j], b),
			           m == n ? "the same network" : "network", other->name,
			           tree_item_of(network_at(k, m), "prefixes", j)->line);
			return;
		}
	}
}

static void check_addresses(const struct check *k, size_t n)
{
	const struct config_network *net = &k->c->networks[n];
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < net->address_count; i++) {
		const struct tree *at = tree_item_of(network_at(k, n), "addresses", i);
		bool inside = false;

		for (size_t j = 0; j < net->prefix_count; j++)
			inside = inside || prefix_contains(&net->prefixes[j], &net->addresses[i]);
		if (!inside)
			tree_error(k->src, at, "%s is in none of the network's prefixes: nobody would be routed to it",
			           addr_text(&net->addresses[i], text));
		for (size_t j = 0; j < i; j++)
			if (addr_equal(&net->addresses[i], &net->addresses[j]))
				tree_error(k->src, at, "%s is here twice", addr_text(&net->addresses[i], text));
	}
}

static void check_backstop_at(const struct check *k, size_t n, size_t i)
{
	const char *name = k->c->networks[n].backstop_at[i];
	const struct config_node *node = config_node_find(k->c, name);
	const struct tree *at = tree_item_of(network_at(k, n), "backstop-at", i);
	bool member = false;

	for (size_t j = 0; node && j < node->network_count; j++)
		member = member || node->networks[j] == n;
	if (!node)
		tree_error(k->src, at, "no node is called \"%s\"", name);
	else if (!member)
		tree_error(k->src, at, "node \"%s\" is not in network \"%s\": only its pops can announce its backstop",
		           name, k->c->networks[n].name);
}

static void check_backstops(const struct check *k, size_t n)
{
	const struct config_network *net = &k->c->networks[n];
	const struct tree *list = tree_get(network_at(k, n), "backstop");
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < net->backstop_count; i++) {
		const struct ip_prefix *b = &net->backstops[i];
		bool covers = false;

		for (size_t j = 0; j < net->prefix_count; j++)
			covers = covers || (b->len < net->prefixes[j].len && prefix_overlaps(b, &net->prefixes[j]));
		if (!covers)
			tree_error(k->src, tree_item(list, i),
			           "%s covers none of the network's prefixes: a backstop is shorter than one and "
			           "contains it",
			           prefix_text(b, text));
	}
	if (net->backstop_at_count && !net->backstop_count)
		tree_warning(k->src, tree_get(network_at(k, n), "backstop-at"),
		             "\"backstop-at\" without a \"backstop\" announces nothing: add the covering prefixes");
	for (size_t i = 0; i < net->backstop_at_count; i++)
		check_backstop_at(k, n, i);
}

static size_t pops_of(const struct config *c, size_t network)
{
	size_t pops = 0;

	for (size_t i = 0; i < c->node_count; i++) {
		bool here = false;

		for (size_t j = 0; j < c->nodes[i].network_count; j++)
			here = here || c->nodes[i].networks[j] == network;
		pops += here && c->nodes[i].role == CONFIG_POP;
	}
	return pops;
}

static void check_network(const struct check *k, size_t n)
{
	const struct config_network *net = &k->c->networks[n];
	const struct tree *t = network_at(k, n);
	size_t pops = pops_of(k->c, n);

	check_as(k, tree_value_of(t, "as"), net->as);
	for (size_t i = 0; i < net->prefix_count; i++) {
		check_prefix(k, tree_item_of(t, "prefixes", i), &net->prefixes[i]);
		check_overlaps(k, n, i);
	}
	check_addresses(k, n);
	check_backstops(k, n);
	if (pops == 0)
		tree_warning(k->src, tree_value_of(t, "name"),
		             "no pop announces network \"%s\": add it to \"networks\" of a node", net->name);
	else if (net->keep_at_least > pops)
		tree_error(k->src, tree_value_of(t, "keep-at-least"),
		           "\"keep-at-least\" is %u, but only %zu pop%s network \"%s\": the guard would never let go; "
		           "write "
		           "at most %zu",
		           net->keep_at_least, pops, pops == 1 ? " announces" : "s announce", net->name, pops);
	if (net->check.timeout_ms > 10 * net->check.interval_ms)
		tree_warning(k->src, tree_value_of(t, "check"),
		             "\"timeout\" is more than ten times \"interval\": failures are seen late");
	if (net->rise_hold_max_ms < net->rise_hold_ms)
		tree_error(k->src, tree_value_of(t, "rise-hold-max"), "\"rise-hold-max\" is less than \"rise-hold\"");
}

/* addr within a prefix of any network: which one, or NULL. */
static const struct config_network *network_around(const struct config *c, const struct ip_addr *addr,
                                                   const struct ip_prefix **which)
{
	for (size_t i = 0; i < c->network_count; i++) {
		for (size_t j = 0; j < c->networks[i].prefix_count; j++) {
			if (prefix_contains(&c->networks[i].prefixes[j], addr)) {
				*which = &c->networks[i].prefixes[j];
				return &c->networks[i];
			}
		}
	}
	return NULL;
}

static void check_management(const struct check *k, size_t n, const struct tree *t)
{
	const struct config_node *node = &k->c->nodes[n];
	char a[ADDR_TEXT_MAX], p[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < node->management_count; i++) {
		const struct ip_addr *addr = &node->management[i];
		const struct tree *at = tree_item_of(t, "management", i);
		const struct ip_prefix *prefix;
		const struct config_network *net = network_around(k->c, addr, &prefix);

		if (net)
			tree_error(k->src, at,
			           "management address %s is inside %s of network \"%s\": it must be the machine's "
			           "own, not "
			           "anycast",
			           addr_text(addr, a), prefix_text(prefix, p), net->name);
		for (size_t m = 0; m <= n; m++) {
			const struct config_node *other = &k->c->nodes[m];

			for (size_t j = 0; j < (m == n ? i : other->management_count); j++)
				if (addr_equal(addr, &other->management[j]))
					tree_error(k->src, at, "management address %s is that of node \"%s\" already",
					           addr_text(addr, a), other->name);
		}
	}
	if (node->management_count == 0)
		tree_warning(k->src, tree_value_of(t, "name"),
		             "node \"%s\" has no \"management\" address: other nodes cannot see it", node->name);
}

static bool family_announced(const struct config *c, const struct config_node *node, uint8_t family)
{
	for (size_t i = 0; i < node->network_count; i++) {
		const struct config_network *net = &c->networks[node->networks[i]];

		for (size_t j = 0; j < net->prefix_count; j++)
			if (net->prefixes[j].addr.family == family)
				return true;
	}
	return false;
}

/* A session over one family that carries the other needs a next hop of the other. */
static void check_next_hop(const struct check *k, const struct config_node *node, const struct config_neighbor *nb,
                           const struct tree *t, uint8_t family)
{
	bool on = family == 4 ? nb->ipv4 : nb->ipv6;
	const struct ip_addr *hop = family == 4 ? &nb->next_hop_v4 : &nb->next_hop_v6;
	char text[ADDR_TEXT_MAX];

	if (!on || hop->family || nb->address.family == family || !family_announced(k->c, node, family))
		return;
	for (size_t i = 0; i < node->management_count; i++) {
		if (node->management[i].family != family)
			continue;
		tree_warning(k->src, tree_value_of(t, "address"),
		             "IPv%u prefixes go over this IPv%u session without a \"next-hop\", so the interface's "
		             "IPv%u address is "
		             "used: to be sure write next-hop: [\"%s\"], or families: [ipv%u]",
		             family, nb->address.family, family, addr_text(&node->management[i], text),
		             nb->address.family);
		return;
	}
	tree_warning(k->src, tree_value_of(t, "address"),
	             "IPv%u prefixes go over this IPv%u session without a \"next-hop\", so the interface's IPv%u "
	             "address is used: to be "
	             "sure write next-hop: [...], or families: [ipv%u]",
	             family, nb->address.family, family, nb->address.family);
}

static bool same_interface(const struct config_neighbor *a, const struct config_neighbor *b)
{
	return a->interface && b->interface ? strcmp(a->interface, b->interface) == 0 : a->interface == b->interface;
}

/* Attributes that have no meaning on this kind of session, and lists that together do not fit. */
static void check_state(const struct check *k, const struct config_neighbor *nb, const struct config_state *s,
                        bool internal, const struct tree *t)
{
	if (internal && s->has_prepend)
		tree_warning(k->src, tree_value_of(t, "prepend"),
		             "an iBGP session has no AS path to prepend to: use \"local-pref\"");
	if (!internal && s->has_local_pref)
		tree_warning(k->src, tree_value_of(t, "local-pref"),
		             "LOCAL_PREF is not told to another AS: use \"prepend\" or communities");
	if (nb->community_count + s->community_count + 1 > CONFIG_COMMUNITIES_SUM_MAX)
		tree_error(k->src, tree_value_of(t, "communities"),
		           "with the neighbor's own and graceful-shutdown these are %zu communities: at most %d fit",
		           nb->community_count + s->community_count + 1, CONFIG_COMMUNITIES_SUM_MAX);
	if (nb->large_count + s->large_count > CONFIG_LARGE_COMMUNITIES_SUM_MAX)
		tree_error(k->src, tree_value_of(t, "large-communities"),
		           "with the neighbor's own these are %zu large communities: at most %d fit",
		           nb->large_count + s->large_count, CONFIG_LARGE_COMMUNITIES_SUM_MAX);
}

static void check_attributes(const struct check *k, const struct config_node *node, const struct config_neighbor *nb,
                             const struct tree *t)
{
	bool internal = node->network_count && k->c->networks[node->networks[0]].as == nb->as;

	if (internal && nb->prepend)
		tree_warning(k->src, tree_value_of(t, "prepend"),
		             "an iBGP session has no AS path to prepend to: use \"local-pref\"");
	if (!internal && tree_get(t, "local-pref"))
		tree_warning(k->src, tree_value_of(t, "local-pref"),
		             "LOCAL_PREF is not told to another AS: use \"prepend\" or communities");
	check_state(k, nb, &nb->de_prefer, internal, tree_get(t, "de-prefer"));
	check_state(k, nb, &nb->drain, internal, tree_get(t, "drain"));
	if (internal && nb->role)
		tree_error(k->src, tree_value_of(t, "role"),
		           "a role is for a neighbor of another AS (RFC 9234): remove it");
	if (nb->role_strict && !nb->role)
		tree_error(k->src, tree_value_of(t, "role-strict"),
		           "\"role-strict\" needs \"role\": write role: customer at a transit");
}

static void check_session(const struct check *k, const struct config_neighbor *nb, const struct tree *t)
{
	if (addr_is_link_local(&nb->address) && !nb->interface)
		tree_error(k->src, tree_value_of(t, "address"),
		           "a link-local address needs its interface: write \"%s%%eth0\"",
		           tree_value_of(t, "address")->text);
	if (addr_is_link_local(&nb->address) && nb->multihop)
		tree_error(k->src, tree_value_of(t, "multihop"),
		           "a link-local address is on the link: remove \"multihop\"");
	if (nb->extended_next_hop && nb->address.family == 4)
		tree_warning(k->src, tree_value_of(t, "extended-next-hop"),
		             "\"extended-next-hop\" is for sessions over IPv6: this one has IPv4 next hops anyway");
	if (nb->extended_next_hop && nb->next_hop_v4.family)
		tree_warning(k->src, tree_value_of(t, "extended-next-hop"),
		             "\"next-hop\" has an IPv4 address, so \"extended-next-hop\" changes nothing");
	if (nb->dial != CONFIG_DIAL_ACTIVE && !nb->local.family && !nb->interface)
		tree_error(k->src, tree_value_of(t, "connect"),
		           "\"connect: %s\" needs \"local\": the own address that port 179 is opened on",
		           nb->dial == CONFIG_DIAL_PASSIVE ? "passive" : "both");
	if (nb->dial == CONFIG_DIAL_PASSIVE && nb->port != 179)
		tree_warning(k->src, tree_value_of(t, "port"),
		             "\"port\" is for connections that we open; with connect: passive there are none");
}

static void check_neighbor(const struct check *k, const struct config_node *node, size_t i, const struct tree *t)
{
	const struct config_neighbor *nb = &node->neighbors[i];
	const struct tree *at = tree_value_of(t, "address");
	const struct ip_prefix *prefix;
	char a[ADDR_TEXT_MAX], p[PREFIX_TEXT_MAX];

	check_as(k, tree_value_of(t, "as"), nb->as);
	for (size_t n = 0; n < node->network_count; n++) {
		const struct config_network *net = &k->c->networks[node->networks[n]];

		for (size_t j = 0; j < net->prefix_count; j++) {
			prefix = &net->prefixes[j];
			if (prefix_contains(prefix, &nb->address))
				tree_error(k->src, at,
				           "neighbor %s is inside our own %s of network \"%s\": write the router's own "
				           "address",
				           addr_text(&nb->address, a), prefix_text(prefix, p), net->name);
		}
	}
	for (size_t j = 0; j < node->management_count; j++)
		if (addr_equal(&nb->address, &node->management[j]))
			tree_error(k->src, at, "neighbor %s is this node's own management address",
			           addr_text(&nb->address, a));
	for (size_t j = 0; j < i; j++)
		if (addr_equal(&nb->address, &node->neighbors[j].address) && nb->port == node->neighbors[j].port &&
		    same_interface(nb, &node->neighbors[j]))
			tree_error(k->src, at, "neighbor %s is here twice", addr_text(&nb->address, a));
	if (nb->local.family && nb->local.family != nb->address.family)
		tree_error(k->src, tree_value_of(t, "local"), "\"local\" and \"address\" must be of the same family");
	if (nb->ttl_security && nb->multihop)
		tree_error(k->src, tree_value_of(t, "ttl-security"),
		           "\"ttl-security\" is for neighbors on the link: remove it or \"multihop\"");
	if (nb->ttl_security && nb->bfd.enabled && !nb->bfd.multihop)
		tree_warning(k->src, tree_value_of(t, "ttl-security"),
		             "\"ttl-security\" together with single-hop \"bfd\": FRR does multihop BFD then; with FRR "
		             "write bfd: {multihop: true}");
	if (nb->bfd.enabled && nb->bfd.interval_ms * nb->bfd.multiplier < BFD_DETECTION_LEAST_MS)
		tree_warning(k->src, tree_value_of(t, "bfd"),
		             "BFD takes a path for dead after %u ms: below %d ms a busy machine does so too; write "
		             "interval: %dms, or more",
		             nb->bfd.interval_ms * nb->bfd.multiplier, BFD_DETECTION_LEAST_MS,
		             (BFD_DETECTION_LEAST_MS + nb->bfd.multiplier - 1) / nb->bfd.multiplier);
	if (nb->bfd.enabled && nb->bfd.multihop && !nb->multihop && !nb->ttl_security)
		tree_warning(k->src, tree_value_of(t, "bfd"),
		             "\"bfd\" is multihop, the session is not: set \"multihop\" of the neighbor");
	check_session(k, nb, t);
	check_attributes(k, node, nb, t);
	if (!nb->extended_next_hop)
		check_next_hop(k, node, nb, t, 4);
	check_next_hop(k, node, nb, t, 6);
}

static void check_node(const struct check *k, size_t n)
{
	const struct config_node *node = &k->c->nodes[n];
	const struct tree *t = tree_item_of(k->root, "nodes", n);
	const struct tree *bgp = tree_value_of(t, "bgp");
	const struct config_network *first = node->network_count ? &k->c->networks[node->networks[0]] : NULL;

	check_management(k, n, t);
	for (size_t i = 0; i < node->network_count; i++) {
		const struct config_network *net = &k->c->networks[node->networks[i]];
		const struct tree *at = tree_item_of(t, "networks", i);

		for (size_t j = 0; j < i; j++)
			if (node->networks[i] == node->networks[j])
				tree_error(k->src, at, "network \"%s\" is here twice", net->name);
		if (net->as != first->as)
			tree_error(k->src, at,
			           "networks of one node share one \"as\": \"%s\" has %u, but \"%s\" has %u; use two "
			           "nodes or one AS",
			           net->name, net->as, first->name, first->as);
	}
	if (node->role == CONFIG_PRIMARY) {
		if (node->network_count)
			tree_error(k->src, tree_value_of(t, "networks"),
			           "a primary is hidden and announces nothing: remove \"networks\", or "
			           "write role: pop");
		if (node->neighbor_count)
			tree_error(k->src, bgp,
			           "a primary is hidden and announces nothing: remove \"bgp\", or write role: pop");
		return;
	}
	if (!node->network_count)
		tree_warning(k->src, tree_value_of(t, "name"), "pop \"%s\" is in no network: add \"networks\"",
		             node->name);
	if (!node->neighbor_count)
		tree_warning(k->src, tree_value_of(t, "name"),
		             "pop \"%s\" has no BGP neighbors: nothing is announced there", node->name);
	for (size_t i = 0; i < node->neighbor_count; i++)
		check_neighbor(k, node, i, tree_item_of(bgp, "neighbors", i));
	/* RFC 6286 2.1: unique within the AS */
	for (size_t m = 0; node->has_router_id && m < n; m++) {
		const struct config_node *other = &k->c->nodes[m];

		if (other->has_router_id && other->router_id == node->router_id)
			tree_error(k->src, tree_value_of(bgp, "router-id"),
			           "this router-id is that of node \"%s\" already", other->name);
	}
	if (node->neighbor_count && !node->has_router_id) {
		bool have = false;

		for (size_t i = 0; i < node->management_count; i++)
			have = have || node->management[i].family == 4;
		if (!have)
			tree_error(
				k->src, bgp,
				"node \"%s\" needs a \"router-id\": it has no IPv4 management address to take it from",
				node->name);
	}
}

/* Open addressing over indices + 1, beside which the rest of the hash saves a look at most names; keyed by the file's own hash, which needs no
 * randomness and is unknown to who writes a zone. */
static void check_zones_unique(const struct check *k)
{
	size_t size = 16, count = k->c->zone_count;
	const struct tree *list = tree_get(k->root, "zones"), *t = list ? list->first : NULL;
	struct {
		uint32_t zone, tag;
	} * slots;

	while (size < count * 2)
		size *= 2;
	slots = calloc(size, sizeof(*slots));
	if (!slots) {
		tree_error(k->src, list, "out of memory");
		return;
	}
	for (size_t i = 0; i < count; i++, t = t->next) {
		const uint8_t *apex = k->c->zones[i].apex;
		uint64_t hash = hash_keyed(k->c->hash, apex, name_len(apex));
		uint32_t tag = (uint32_t)(hash >> 32);
		size_t at = hash & (size - 1);

		while (slots[at].zone &&
		       (slots[at].tag != tag || !name_equal(k->c->zones[slots[at].zone - 1].apex, apex)))
			at = (at + 1) & (size - 1);
		if (!slots[at].zone) {
			slots[at].zone = (uint32_t)i + 1;
			slots[at].tag = tag;
		} else {
			tree_error(k->src, tree_value_of(t, "name"),
			           "zone \"%s\" is defined twice; the first is in line %u",
			           tree_value_of(t, "name")->text, k->c->zones[slots[at].zone - 1].line);
		}
	}
	free(slots);
}

/* Which of the fleet's pops are given this zone by its primaries? */
static bool pops_transfer(const struct config *c, const struct config_zone *z)
{
	struct endpoint source;

	for (size_t i = 0; i < c->node_count; i++)
		if (z->file && c->nodes[i].role == CONFIG_POP && config_node_serves(&c->nodes[i], z) &&
		    config_zone_sources(c, &c->nodes[i], z, &source, 1))
			return true;
	return false;
}

/* TLS of a zone, both ways. */
static void check_zone_tls(const struct check *k, const struct tree *t, const struct config_zone *z)
{
	const struct config_tls *served = &k->c->answer.tls;
	const char *name = tree_value_of(t, "name")->text;

	if (z->file && z->tls != UINT32_MAX && !served->enabled)
		tree_error(
			k->src, tree_value_of(t, "tls"),
			"zone \"%s\": the fleet's primaries speak no TLS: add \"tls\" with a certificate to \"answer\"",
			name);
	if (z->transfer_over == CONFIG_OVER_ANY)
		return;
	if (!served->enabled)
		tree_error(k->src, tree_value_of(t, "transfer-over"),
		           "nobody could transfer zone \"%s\": add \"tls\" with a certificate to \"answer\"", name);
	else if (z->transfer_over == CONFIG_OVER_MUTUAL_TLS && !served->client_ca_file)
		tree_error(k->src, tree_value_of(t, "transfer-over"),
		           "nobody could transfer zone \"%s\": add \"client-ca-file\" to \"tls\" of \"answer\"", name);
	else if (pops_transfer(k->c, z) && z->tls == UINT32_MAX)
		tree_error(k->src, tree_value_of(t, "transfer-over"),
		           "zone \"%s\": the fleet's pops could not transfer it: give it a \"tls\"", name);
	else if (pops_transfer(k->c, z) && z->transfer_over == CONFIG_OVER_MUTUAL_TLS &&
	         !k->c->tls_auth[z->tls].certificate_file)
		tree_error(k->src, tree_value_of(t, "transfer-over"),
		           "zone \"%s\": the fleet's pops have no certificate to show: add \"certificate-file\" to "
		           "tls-auth \"%s\"",
		           name, k->c->tls_auth[z->tls].name);
}

/* Who is told and who may transfer. t: the zone. */
static void check_transfers(const struct check *k, const struct tree *t, const struct config_zone *z)
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < z->notify_count; i++)
		for (size_t n = 0; n < k->c->network_count; n++)
			for (size_t a = 0; a < k->c->networks[n].address_count; a++)
				if (addr_equal(&z->notify[i].addr, &k->c->networks[n].addresses[a]))
					tree_error(k->src, tree_item_of(t, "notify", i),
					           "%s is a service address: whoever is nearest would be told; name "
					           "the server's own address",
					           endpoint_text(&z->notify[i], text));
	for (size_t i = 0; i < z->allow_transfer_count; i++)
		if (!z->allow_transfer[i].len && z->key == UINT32_MAX)
			tree_warning(k->src, tree_item_of(t, "allow-transfer", i),
			             "without a \"key\" anybody may copy the whole zone");
}

static void check_zones(const struct check *k)
{
	const struct tree *list = tree_get(k->root, "zones"), *t = list ? list->first : NULL;
	const struct tree *signed_here = NULL;
	size_t signs = 0;

	for (size_t i = 0; i < k->c->zone_count; i++, t = t->next) {
		const struct config_zone *z = &k->c->zones[i];

		if (config_zone_is_edge(z))
			config_check_edge_zone(k->src, t, z);
		else if (!z->file && !z->primary_count && !(z->catalog && z->catalog->produce))
			tree_error(k->src, t,
			           "zone \"%s\" has none of \"file\", \"primaries\" and \"backends\": where does it "
			           "come from?",
			           tree_value_of(t, "name")->text);
		else if (z->file && z->primary_count)
			tree_error(k->src, tree_value_of(t, "primaries"),
			           "zone \"%s\" has both \"file\" and \"primaries\": remove one",
			           tree_value_of(t, "name")->text);
		if (z->network == UINT32_MAX && k->c->network_count && !z->catalog)
			tree_warning(k->src, tree_value_of(t, "name"),
			             "zone \"%s\" is in no \"network\": no pop serves it",
			             tree_value_of(t, "name")->text);
		if (!config_zone_is_edge(z)) {
			check_transfers(k, t, z);
			check_zone_tls(k, t, z);
		}
		if (z->dnssec_auto && !signs++)
			signed_here = tree_get(t, "dnssec");
	}
	/* Said once, not a hundred thousand times. */
	if (signs)
		tree_warning(k->src, signed_here,
		             "\"dnssec: auto\": this version does not sign zones: the file is served as it is%s",
		             signs > 1 ? " (other zones likewise)" : "");
	check_zones_unique(k);
}

static void check_tls_auth(const struct check *k, size_t i)
{
	const struct config_tls_auth *a = &k->c->tls_auth[i];
	const struct tree *t = tree_item_of(k->root, "tls-auth", i);

	for (size_t n = 0; n < a->pin_count; n++) {
		uint8_t pin[64];
		struct writer w = writer_of(pin, sizeof(pin));

		if (base64_get(a->pins[n], strlen(a->pins[n]), &w) < 0 || !writer_ok(&w) || w.pos != PIN_LEN)
			tree_error(k->src, tree_item_of(t, "pins", n),
			           "a pin is base64 of %d octets: openssl x509 -in CERTIFICATE -noout -pubkey | "
			           "openssl pkey -pubin "
			           "-outform der | openssl dgst -sha256 -binary | openssl base64",
			           PIN_LEN);
	}
	if (!a->certificate_file != !a->key_file)
		tree_error(k->src, tree_value_of(t, a->key_file ? "key-file" : "certificate-file"),
		           "\"certificate-file\" and \"key-file\" go together");
	if (a->mode == CONFIG_TLS_STRICT && !a->ca_file && !a->pin_count)
		tree_error(k->src, tree_value_of(t, "name"),
		           "tls-auth \"%s\" has neither \"ca-file\" nor \"pins\": how is the server known? The "
		           "system's authorities are "
		           "in /etc/ssl/certs/ca-certificates.crt",
		           a->name);
	if (a->mode == CONFIG_TLS_OPPORTUNISTIC && (a->ca_file || a->pin_count))
		tree_warning(k->src, tree_value_of(t, a->ca_file ? "ca-file" : "pins"),
		             "with \"mode: opportunistic\" this is not looked at: whoever answers is believed");
}

static void check_answer(const struct check *k)
{
	const struct tree *answer = tree_get(k->root, "answer"), *tls = answer ? tree_get(answer, "tls") : NULL;

	if (k->c->answer.tls.enabled && k->c->answer.tls.port == 53)
		tree_error(k->src, tls, "port 53 is that of DNS without TLS: choose another, 853 is the usual one");

	for (size_t i = 0; i < k->c->answer.filter_count; i++) {
		const struct config_filter *f = &k->c->answer.filters[i];

		if (!f->name && !f->type_count && !f->client_count)
			tree_error(k->src, tree_item_of(answer, "filters", i),
			           "this filter matches every question: give it a \"name\", \"types\" or \"clients\"");
	}
}

static void check_rpki(const struct check *k)
{
	const struct config_rpki *rpki = &k->c->rpki;
	const struct tree *t = tree_get(k->root, "rpki");
	char a[ADDR_TEXT_MAX], p[PREFIX_TEXT_MAX];

	if (rpki->enabled && !rpki->cache_count)
		tree_error(k->src, t, "without \"caches\" nothing is validated: name one, or remove \"rpki\"");
	for (size_t i = 0; i < rpki->cache_count; i++) {
		const struct config_cache *cache = &rpki->caches[i];
		const struct tree *at = tree_item_of(t, "caches", i);
		const struct ip_prefix *prefix;
		const struct config_network *net = network_around(k->c, &cache->address, &prefix);

		if (net)
			tree_error(k->src, at,
			           "cache %s is inside our own %s of network \"%s\": it must not depend on what it "
			           "is asked about",
			           addr_text(&cache->address, a), prefix_text(prefix, p), net->name);
		for (size_t j = 0; j < i; j++)
			if (addr_equal(&cache->address, &rpki->caches[j].address) &&
			    cache->port == rpki->caches[j].port)
				tree_error(k->src, at, "cache %s is here twice", addr_text(&cache->address, a));
	}
}

static void check_references(const struct check *k)
{
	const struct config_drift *drift = &k->c->drift;
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < drift->reference_count; i++) {
		const struct endpoint *server = &drift->references[i].server;
		const struct tree *at = tree_item_of(tree_get(k->root, "drift"), "references", i);
		const struct ip_prefix *prefix;

		if (network_around(k->c, &server->addr, &prefix))
			tree_error(k->src, at,
			           "%s is one of the fleet's own anycast addresses: it says nothing that the nodes do "
			           "not know of themselves",
			           addr_text(&server->addr, text));
		for (size_t j = 0; j < i; j++)
			if (server->port == drift->references[j].server.port &&
			    addr_equal(&server->addr, &drift->references[j].server.addr))
				tree_error(k->src, at, "reference %s is here twice", addr_text(&server->addr, text));
	}
}

static void check_taps(const struct check *k)
{
	const struct config_dnstap *d = &k->c->dnstap;
	const struct tree *t = tree_get(k->root, "dnstap");
	int ways = (d->socket != NULL) + (d->file != NULL) + (d->tcp.family != 0);

	if (d->enabled && ways != 1)
		tree_error(k->src, t, "dnstap needs one of \"socket\", \"tcp\" and \"file\"%s",
		           ways ? ", and has several" : ": where should it go?");
	if (d->enabled && !d->queries && !d->responses)
		tree_error(k->src, t, "without \"queries\" and \"responses\" nothing is left: remove \"dnstap\"");
	if (k->c->query_log.enabled && !k->c->answer.query_log_sample)
		tree_warning(k->src, tree_get(k->root, "query-log"),
		             "nothing comes into the file: \"answer: {query-log-sample: N}\" says how many queries are "
		             "kept");
	if (d->enabled && d->file && k->c->query_log.enabled && strcmp(d->file, k->c->query_log.file) == 0)
		tree_error(k->src, t, "dnstap and query-log cannot write to the same file");
}

void config_check(const struct tree_source *src, const struct tree *root, const struct config *c)
{
	const struct check k = {.src = src, .root = root, .c = c};

	check_names(&k, "networks", "network");
	check_names(&k, "nodes", "node");
	check_names(&k, "keys", "key");
	check_names(&k, "tls-auth", "tls-auth");
	check_names(&k, "pools", "pool");
	check_names(&k, "steering", "steering policy");
	for (size_t i = 0; i < c->network_count; i++)
		check_network(&k, i);
	for (size_t i = 0; i < c->node_count; i++)
		check_node(&k, i);
	for (size_t i = 0; i < c->tls_auth_count; i++)
		check_tls_auth(&k, i);
	check_zones(&k);
	config_check_catalogs(src, root, c);
	config_check_backends(src, root, c);
	check_answer(&k);
	for (size_t i = 0; i < c->hook_count; i++)
		if (c->hooks[i].exec_count && c->hooks[i].exec[0][0] != '/')
			tree_error(src, tree_item_of(tree_item_of(root, "hooks", i), "exec", 0),
			           "write the absolute path of the program: there is no PATH to look for \"%.80s\" in",
			           c->hooks[i].exec[0]);
	check_rpki(&k);
	check_references(&k);
	config_check_http(src, root, c);
	config_check_steering(src, root, c);
	check_taps(&k);
}
