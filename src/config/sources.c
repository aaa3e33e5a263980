/* SPDX-License-Identifier: BSD-2-Clause */
/* Which zones a node has, and where from. */
#include "config/config.h"

enum { DNS_PORT = 53, TLS_PORT = 853 };

static bool in_networks(const struct config_node *node, uint32_t network)
{
	for (size_t i = 0; i < node->network_count; i++)
		if (node->networks[i] == network)
			return true;
	return false;
}

bool config_tls_of_backends(const struct config *c, size_t tls_auth)
{
	for (size_t i = 0; i < c->backend_count; i++)
		if (c->backends[i].tls == tls_auth)
			return true;
	return false;
}

bool config_zone_is_edge(const struct config_zone *z)
{
	return z->backends != UINT32_MAX;
}

bool config_node_serves(const struct config_node *node, const struct config_zone *z)
{
	if (!node || node->role == CONFIG_PRIMARY || in_networks(node, z->network))
		return true;
	/* A catalog that nobody is to ask for is held by those whom its members are for. */
	if (!z->catalog || z->network != UINT32_MAX || z->catalog->produce)
		return false;
	for (size_t i = 0; i < z->catalog->group_count; i++)
		if (in_networks(node, z->catalog->groups[i].zone.network))
			return true;
	return in_networks(node, z->catalog->members.zone.network);
}

size_t config_zone_sources(const struct config *c, const struct config_node *node, const struct config_zone *z,
                           struct endpoint *out, size_t cap)
{
	uint16_t tls = z->tls == UINT32_MAX ? 0 : (uint16_t)(z->tls + 1);
	size_t count = 0;

	for (size_t i = 0; i < z->primary_count && count < cap; i++) {
		struct endpoint *e = &out[count++];

		*e = z->primaries[i];
		if (!e->tls)
			e->tls = tls;
		if (!e->port)
			e->port = e->tls ? TLS_PORT : DNS_PORT;
	}
	if (z->primary_count || config_zone_is_edge(z) || !node || node->role != CONFIG_POP)
		return count;
	for (size_t i = 0; i < c->node_count; i++) {
		const struct config_node *n = &c->nodes[i];

		for (size_t k = 0; n->role == CONFIG_PRIMARY && k < n->management_count && count < cap; k++)
			out[count++] = (struct endpoint){.addr = n->management[k],
			                                 .port = tls ? c->answer.tls.port : DNS_PORT,
			                                 .tls = tls};
	}
	return count;
}
