/* SPDX-License-Identifier: BSD-2-Clause */
/* Web servers of the nodes: where they listen, and whom they let in. */
#include "config/read.h"

#include <stdio.h>
#include <string.h>

const struct config_http *config_http_of(const struct config *c, const struct config_node *node)
{
	if (node && node->http.enabled)
		return &node->http;
	return c && c->http.enabled ? &c->http : NULL;
}

size_t config_http_addresses(const struct config_http *h, const struct config_node *node, const struct ip_addr **out)
{
	*out = h->listen_count ? h->listen : node->management;
	return h->listen_count ? h->listen_count : node->management_count;
}

static bool is_loopback(const struct ip_addr *a)
{
	static const uint8_t one[16] = {[15] = 1};

	return a->family == 4 ? a->bytes[0] == 127 : memcmp(a->bytes, one, sizeof(one)) == 0;
}

/* What is wrong with an address to listen at, whoever's it is. */
static void check_address(const struct tree_source *src, const struct tree *at, const struct config *c,
                          const struct ip_addr *a)
{
	char text[ADDR_TEXT_MAX];

	for (size_t n = 0; n < c->network_count; n++)
		for (size_t p = 0; p < c->networks[n].prefix_count; p++)
			if (prefix_contains(&c->networks[n].prefixes[p], a))
				tree_error(
					src, at,
					"%s is in network \"%s\": the web server is never reached by anycast, name the "
					"node's own addresses",
					addr_text(a, text), c->networks[n].name);
}

/* t: the mapping; node: whose it is, NULL: of all that have none of their own. */
static void check_http(const struct tree_source *src, const struct tree *t, const struct config *c,
                       const struct config_http *h, const struct config_node *node)
{
	const struct tree *list = tree_get(t, "listen");
	bool local = h->listen_count > 0;

	for (size_t i = 0; i < h->listen_count; i++) {
		check_address(src, tree_item(list, i), c, &h->listen[i]);
		local = local && is_loopback(&h->listen[i]);
		if (!node && c->node_count > 1 && !is_loopback(&h->listen[i]))
			tree_error(src, tree_item(list, i),
			           "an address belongs to one node: write it under \"http\" of that node, and leave it "
			           "away here for the management addresses of each");
	}
	if (!local && !h->open && !h->token_file && !h->tls.client_ca_file)
		tree_error(src, t,
		           "who may read? Write token-file: FILE (NAME ro TOKEN in each line), or tls with "
		           "client-ca-file, or open: true "
		           "where everybody who reaches these addresses may");
	if (h->allow_changes && !h->token_file)
		tree_error(
			src, tree_value_of(t, "allow-changes"),
			"orders are taken from those with a token marked rw: \"allow-changes\" needs \"token-file\"");
	if (h->token_file && !local && !h->tls.enabled)
		tree_warning(src, tree_value_of(t, "token-file"),
		             "without \"tls\" tokens pass the network as they are: add it, or reach these addresses "
		             "only by a network of your own");
	if (h->port == 53 || (c->answer.tls.enabled && h->port == c->answer.tls.port))
		tree_error(src, tree_value_of(t, "port"), "port %u is that of DNS: choose another, such as 8053",
		           h->port);
	for (size_t i = 0; node && !h->listen_count && i < node->management_count; i++)
		check_address(src, t, c, &node->management[i]);
}

void config_check_http(const struct tree_source *src, const struct tree *root, const struct config *c)
{
	const struct tree *nodes = tree_get(root, "nodes");

	if (c->http.enabled)
		check_http(src, tree_get(root, "http"), c, &c->http, NULL);
	for (size_t i = 0; i < c->node_count; i++) {
		const struct config_node *n = &c->nodes[i];
		const struct config_http *h = config_http_of(c, n);
		const struct tree *t = tree_get(tree_item(nodes, i), "http");

		if (n->http.enabled)
			check_http(src, t, c, h, n);
		if (h && !h->listen_count && !n->management_count)
			tree_warning(
				src, tree_value_of(tree_item(nodes, i), "name"),
				"node \"%s\" has no \"management\" address and no \"listen\" in \"http\": it has no "
				"web server",
				n->name);
	}
}
