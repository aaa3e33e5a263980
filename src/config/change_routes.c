/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/change.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const struct config_network *network_find(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->network_count; i++)
		if (strcmp(c->networks[i].name, name) == 0)
			return &c->networks[i];
	return NULL;
}

static bool is_member(const struct config *c, const struct config_node *node, const struct config_network *net)
{
	for (size_t i = 0; i < node->network_count; i++)
		if (&c->networks[node->networks[i]] == net)
			return true;
	return false;
}

bool config_node_announces(const struct config_node *node, uint8_t family)
{
	for (size_t i = 0; i < node->neighbor_count; i++)
		if (family == 4 ? node->neighbors[i].ipv4 : node->neighbors[i].ipv6)
			return true;
	return false;
}

/* Pops of the network that announce prefixes of the family. */
static size_t announcers(const struct config *c, const struct config_network *net, uint8_t family)
{
	size_t n = 0;

	for (size_t i = 0; i < c->node_count; i++)
		n += c->nodes[i].role == CONFIG_POP && is_member(c, &c->nodes[i], net) &&
		     config_node_announces(&c->nodes[i], family);
	return n;
}

static bool has_prefix(const struct config_network *net, uint8_t family)
{
	for (size_t i = 0; i < net->prefix_count; i++)
		if (net->prefixes[i].addr.family == family)
			return true;
	return false;
}

/* Does anybody announce and answer this address? */
static bool is_served(const struct config *c, const struct ip_addr *a)
{
	for (size_t i = 0; i < c->network_count; i++)
		for (size_t k = 0; k < c->networks[i].address_count; k++)
			if (addr_equal(&c->networks[i].addresses[k], a))
				return has_prefix(&c->networks[i], a->family) &&
				       announcers(c, &c->networks[i], a->family) > 0;
	return false;
}

static const char *loss_of_family(const struct config *next, const struct config_network *was,
                                  const struct config_network *is, uint8_t family)
{
	for (size_t i = 0; i < was->address_count; i++)
		if (was->addresses[i].family == family && is_served(next, &was->addresses[i]))
			return NULL;
	if (!is)
		return "the file has no such network any more";
	if (!has_prefix(is, family))
		return "it has no prefix of that family any more";
	if (!announcers(next, is, 4) && !announcers(next, is, 6)) {
		for (size_t i = 0; i < next->node_count; i++)
			if (is_member(next, &next->nodes[i], is))
				return "none of its pops has a neighbor to announce it to any more";
		return "no pop is in it any more";
	}
	if (!announcers(next, is, family))
		return "none of its pops has a neighbor that would hear of that family any more";
	return "none of the service addresses it had is answered any more";
}

static bool had_family(const struct config *old, const struct config_network *was, uint8_t family)
{
	bool address = false;

	for (size_t i = 0; i < was->address_count; i++)
		address |= was->addresses[i].family == family;
	return address && has_prefix(was, family) && announcers(old, was, family) > 0;
}

static size_t zones_of(const struct config *c, const struct config_network *net)
{
	size_t n = 0;

	for (size_t i = 0; net && i < c->zone_count; i++)
		n += c->zones[i].network != UINT32_MAX && &c->networks[c->zones[i].network] == net;
	return n;
}

/* Catalogs may bring zones of any network. */
static bool no_zone_left(const struct config *old, const struct config *next, const struct config_network *was,
                         const struct config_network *is)
{
	return is && !next->catalog_count && zones_of(old, was) && !zones_of(next, is);
}

static void add_loss(struct changes *out, const struct config_network *was, bool allowed, const char *text)
{
	char subject[CONFIG_NAME_MAX + 16];
	struct change *c;

	snprintf(subject, sizeof(subject), "network %s", was->name);
	c = changes_add(out, '!', CHANGE_LOSS, subject, "%s", text);
	if (!allowed)
		out->losses++;
	else if (c)
		c->allowed = true;
}

void config_losses(const struct config *old, const struct config *next, const char *const *withdraw,
                   size_t withdraw_count, struct changes *out)
{
	for (size_t i = 0; i < old->network_count; i++) {
		const struct config_network *was = &old->networks[i], *is = network_find(next, was->name);
		bool allowed = false;
		char text[200];

		for (size_t k = 0; k < withdraw_count; k++)
			allowed |= strcmp(withdraw[k], was->name) == 0;
		for (uint8_t family = 4; family <= 6; family += 2) {
			const char *why = had_family(old, was, family) ? loss_of_family(next, was, is, family) : NULL;

			if (!why)
				continue;
			snprintf(text, sizeof(text), "IPv%u would be withdrawn everywhere: %s", family, why);
			add_loss(out, was, allowed, text);
		}
		if (no_zone_left(old, next, was, is))
			add_loss(out, was, allowed, "none of its zones is left: everything would be refused");
	}
}

/* ---- where prefixes come and go ---- */

static bool in_list(const struct ip_prefix *list, size_t count, const struct ip_prefix *p)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].len == p->len && addr_equal(&list[i].addr, &p->addr))
			return true;
	return false;
}

static bool backstop_here(const struct config_network *net, const struct config_node *node)
{
	for (size_t i = 0; i < net->backstop_at_count; i++)
		if (strcmp(net->backstop_at[i], node->name) == 0)
			return true;
	return net->backstop_at_count == 0;
}

/* Does the node of that name announce this prefix, as a backstop or as what a network is? */
static bool announces(const struct config *c, const char *name, const struct ip_prefix *p, bool backstop)
{
	const struct config_node *node = config_node_find(c, name);

	if (!node || node->role != CONFIG_POP || !config_node_announces(node, p->addr.family))
		return false;
	for (size_t i = 0; i < node->network_count; i++) {
		const struct config_network *net = &c->networks[node->networks[i]];

		if (backstop ? backstop_here(net, node) && in_list(net->backstops, net->backstop_count, p)
		             : in_list(net->prefixes, net->prefix_count, p))
			return true;
	}
	return false;
}

enum { NODES_SHOWN = 12 };

/* Nodes that announce it in `in` but not in `not_in`. How many. */
static size_t where(const struct config *in, const struct config *not_in, const struct ip_prefix *p, bool backstop,
                    struct text *out)
{
	size_t n = 0;

	text_clear(out);
	for (size_t i = 0; i < in->node_count; i++) {
		const char *name = in->nodes[i].name;

		if (!announces(in, name, p, backstop) || announces(not_in, name, p, backstop))
			continue;
		if (n < NODES_SHOWN)
			text_fmt(out, "%s%s", n ? ", " : "", name);
		n++;
	}
	if (n > NODES_SHOWN)
		text_fmt(out, " and %zu more", n - NODES_SHOWN);
	return n;
}

static bool anybody(const struct config *c, const struct ip_prefix *p, bool backstop)
{
	for (size_t i = 0; i < c->node_count; i++)
		if (announces(c, c->nodes[i].name, p, backstop))
			return true;
	return false;
}

/* Of one prefix that is in `of`: seen from there, what differs in `other`. */
static void prefix_change(const struct config *of, const struct config *other, const struct config_network *net,
                          const struct ip_prefix *p, bool backstop, bool gone, struct text *names, struct changes *out)
{
	char subject[CONFIG_NAME_MAX + 16], text[PREFIX_TEXT_MAX];

	if (!where(of, other, p, backstop, names))
		return;
	snprintf(subject, sizeof(subject), "network %s", net->name);
	changes_add(out, gone ? '-' : '+', CHANGE_ROUTES, subject, "%s%s %s at %s%s", backstop ? "backstop " : "",
	            prefix_text(p, text), gone ? "withdrawn" : "announced", names->chars,
	            gone && !anybody(other, p, backstop) ? ": everywhere" : "");
}

static void prefixes_of(const struct config *of, const struct config *other, bool gone, struct text *names,
                        struct changes *out)
{
	for (size_t i = 0; i < of->network_count; i++) {
		const struct config_network *net = &of->networks[i];

		for (size_t k = 0; k < net->prefix_count; k++)
			prefix_change(of, other, net, &net->prefixes[k], false, gone, names, out);
		for (size_t k = 0; k < net->backstop_count; k++)
			prefix_change(of, other, net, &net->backstops[k], true, gone, names, out);
	}
}

/* Fewer pops than the guard is to keep: it could never let one go. */
static void check_minimum(const struct config *next, struct changes *out)
{
	for (size_t i = 0; i < next->network_count; i++) {
		const struct config_network *net = &next->networks[i];
		char subject[CONFIG_NAME_MAX + 16];

		snprintf(subject, sizeof(subject), "network %s", net->name);
		for (uint8_t family = 4; family <= 6; family += 2)
			if (has_prefix(net, family) && announcers(next, net, family) < net->keep_at_least)
				changes_add(out, '!', CHANGE_WARNING, subject,
				            "IPv%u is announced by %zu pops, fewer than \"keep-at-least: %u\"", family,
				            announcers(next, net, family), net->keep_at_least);
	}
}

void config_changes_of_routes(const struct config *old, const struct config *next, struct changes *out)
{
	struct text names;

	text_init(&names);
	prefixes_of(old, next, true, &names, out);
	prefixes_of(next, old, false, &names, out);
	text_done(&names);
	check_minimum(next, out);
}
