/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/status_peers.h"

#include "admin/json.h"
#include "fleet/self.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *causes(uint32_t bits)
{
	json_t *list = json_array();

	for (size_t i = 0; i < 8; i++) /* a later version may have more */
		if (bits & 1U << i)
			json_array_append_new(list, json_string(i < CAUSE_COUNT ? board_cause_text(1U << i) : "other"));
	return list;
}

static json_t *family(const struct board_peer_family *f)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:b}", "announce", board_announce_text((enum board_announce)f->announce),
	                 "verdict", board_verdict_text((enum board_verdict)f->verdict), "causes", causes(f->causes),
	                 "intent", causes(f->intent), "answers", f->answers);
}

static json_t *network(const char *name, const struct board_peer_family families[BOARD_FAMILIES], json_t *heard_ms,
                       uint64_t data_age_ms, uint32_t load, uint32_t qps, uint32_t headroom)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:i, s:i, s:o}", "name", name, "heard_ms", heard_ms, "ipv4",
	                 family(&families[0]), "ipv6", family(&families[1]), "data_age_ms", num(data_age_ms), "load",
	                 (int)load, "qps", (int)qps, "headroom", headroom == UINT32_MAX ? json_null() : num(headroom));
}

static json_t *self(const struct status_facts *f)
{
	struct fleet_report *r = calloc(1, sizeof(*r));
	json_t *networks = json_array(), *o;

	if (!r) {
		json_decref(networks);
		return json_null();
	}
	self_report(f->board, f->config, f->node, "", f->now_ns, r);
	for (uint32_t i = 0; i < r->count; i++) {
		const struct fleet_network *n = &r->network[i];

		json_array_append_new(networks, network(n->name, n->family, json_integer(0), n->data_age_ms, n->load,
		                                        n->qps, n->headroom));
	}
	o = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:o}", "name", r->node, "role",
	              f->node->role == CONFIG_PRIMARY ? "primary" : "pop", "version", r->version, "uptime_s",
	              num(r->uptime_s), "generation", num(r->generation), "zones", num(r->zones), "serving",
	              num(r->serving), "stopping", r->stopping, "networks", networks);
	free(r);
	return o;
}

static json_t *node(const struct board_node *n, uint64_t now_ns)
{
	json_t *addresses = json_array(), *networks = json_array();
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < BOARD_MANAGEMENT_MAX && n->address[i].address.family; i++)
		json_array_append_new(addresses, json_pack("{s:s, s:o, s:o, s:i}", "address",
		                                           addr_text(&n->address[i].address, text), "asked_ms",
		                                           age_ms(n->address[i].asked_ns, now_ns), "heard_ms",
		                                           age_ms(n->address[i].heard_ns, now_ns), "failures",
		                                           (int)n->address[i].failures));
	for (uint32_t i = 0; i < n->network_count && i < BOARD_NETWORKS_MAX; i++) {
		const struct board_node_network *w = &n->network[i];

		json_array_append_new(networks, network(w->name, w->family, age_ms(w->heard_ns, now_ns), w->data_age_ms,
		                                        w->load, w->qps, w->headroom));
	}
	return json_pack("{s:s, s:s, s:o, s:o, s:i, s:s, s:s, s:o, s:o, s:b, s:o, s:o, s:b, s:o, s:o}", "name", n->name,
	                 "role", n->primary ? "primary" : "pop", "asked_ms", age_ms(n->asked_ns, now_ns), "heard_ms",
	                 age_ms(n->heard_ns, now_ns), "round_us", (int)n->round_us, "why", n->why, "version",
	                 n->version, "uptime_s", num(n->uptime_s), "generation", num(n->generation), "same_config",
	                 n->same_config, "zones", num(n->zones), "serving", num(n->serving), "stopping", n->stopping,
	                 "addresses", addresses, "networks", networks);
}

json_t *status_peers(const struct status_facts *f)
{
	const struct board_watch_nodes *b = &f->board->watch.nodes;
	struct board_node *copy = f->node ? malloc(sizeof(*copy)) : NULL;
	json_t *nodes = json_array();

	for (uint32_t i = 0; copy && i < atomic_load(&b->count) && i < BOARD_NODES_MAX; i++) {
		if (!board_copy(&b->node[i].seq, &b->node[i], copy, sizeof(*copy)))
			continue;
		copy->name[sizeof(copy->name) - 1] = copy->version[sizeof(copy->version) - 1] =
			copy->why[sizeof(copy->why) - 1] = '\0';
		for (size_t k = 0; k < BOARD_NETWORKS_MAX; k++)
			copy->network[k].name[BOARD_NAME_MAX - 1] = '\0';
		json_array_append_new(nodes, node(copy, f->now_ns));
	}
	free(copy);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "self", f->node ? self(f) : json_null(), "nodes", nodes,
	                 "asked", num(board_get(&b->asked)), "heard", num(board_get(&b->heard)), "bad",
	                 num(board_get(&b->bad)), "told", num(board_get(&b->told)), "told_refused",
	                 num(board_get(&b->told_refused)));
}
