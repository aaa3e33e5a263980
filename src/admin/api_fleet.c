/* SPDX-License-Identifier: BSD-2-Clause */
/* All nodes in one list, this one first: what they say of themselves (status_peers.c), where the fleet file has them stand, how their addresses answer, which zones
 * drift there. */
#include "admin/api.h"

#include "admin/api_write.h"
#include "admin/json.h"
#include "admin/status_peers.h"
#include "admin/status_views.h"
#include "base/clock.h"

#include <string.h>

static json_t *site(const struct config_node *n)
{
	bool given = n && (n->city || n->latitude != 0 || n->longitude != 0);

	return given ? json_pack("{s:o, s:f, s:f}", "city", n->city ? str(n->city) : json_null(), "latitude", n->latitude, "longitude", n->longitude) : json_null();
}

/* ---- views ---- */

static json_t *view_family(const struct board_view_family *v, uint64_t now_ns)
{
	char node[BOARD_NAME_MAX], why[BOARD_WHY_MAX];

	memcpy(node, v->node, sizeof(node));
	memcpy(why, v->why, sizeof(why));
	node[sizeof(node) - 1] = why[sizeof(why) - 1] = '\0';
	return json_pack("{s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "own", v->own, "seen", board_outside_text((enum board_outside)v->seen), "seen_since_ms",
	                 age_ms(v->seen_since_ns, now_ns), "node", str(v->seen == OUTSIDE_SILENT ? "" : node), "last", str(node), "since_ms", age_ms(v->since_ns, now_ns), "asked_ms",
	                 age_ms(v->asked_ns, now_ns), "heard_ms", age_ms(v->heard_ns, now_ns), "latency_us", num(v->latency_us), "failures", num(v->failures),
	                 "flips", num(v->flips), "outside", board_outside_text((enum board_outside)v->outside), "outside_since_ms",
	                 age_ms(v->outside_since_ns, now_ns), "why", str(why));
}

/* What this node sees at the anycast addresses. */
static json_t *own_views(const struct admin_view *v)
{
	const struct board_watch_views *b = &v->board->watch.views;
	json_t *list = json_array();
	struct board_view_network n;

	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		if (!board_copy(&b->network[i].seq, &b->network[i], &n, sizeof(n)) || !n.network[0])
			continue;
		n.network[sizeof(n.network) - 1] = '\0';
		json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "network", str(n.network), "ipv4", view_family(&n.family[0], v->now_ns), "ipv6",
		                                      view_family(&n.family[1], v->now_ns)));
	}
	return list;
}

/* ---- nodes ---- */

static json_t *way(const struct board_view_path *p, uint64_t now_ns)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "latency_us", num(atomic_load(&p->latency_us)), "failures", num(atomic_load(&p->failures)), "asked",
	                 num(board_get(&p->asked)), "answered", num(board_get(&p->answered)), "answered_ms", age_ms(board_get(&p->last_ns), now_ns));
}

static json_t *drift_counts(const struct admin_view *v, size_t node)
{
	const struct board_drift_node *d = &v->board->watch.drift.node[node];
	json_t *o = json_object();

	for (unsigned k = DRIFT_NONE + 1; k < DRIFT_KINDS; k++)
		json_object_set_new(o, board_drift_text((enum board_drift_kind)k), num(atomic_load(&d->kinds[k])));
	return o;
}

/* Its place on the board. Rows of both lists are in the same order; the list may lack one that was just being written. */
static size_t place_of(const struct board *b, const char *name, size_t from)
{
	uint32_t count = MIN(atomic_load(&b->watch.nodes.count), (uint32_t)BOARD_NODES_MAX);

	while (from < count && strncmp(b->watch.nodes.node[from].name, name, BOARD_NAME_MAX) != 0)
		from++;
	return from < count ? from : BOARD_NODES_MAX;
}

static void add_to(const struct admin_view *v, json_t *node, size_t place)
{
	json_t *addresses = json_object_get(node, "addresses"), *address;
	const char *name = json_string_value(json_object_get(node, "name"));
	size_t k;

	json_object_set_new(node, "self", json_false());
	json_object_set_new(node, "drift", drift_counts(v, place));
	json_object_set_new(node, "compared_ms", age_ms(board_get(&v->board->watch.drift.node[place].compared_ns), v->now_ns));
	json_object_set_new(node, "views", status_views_by(v->board, name ? name : "", v->now_ns));
	json_array_foreach(addresses, k, address) {
		if (k >= BOARD_MANAGEMENT_MAX)
			break;
		json_object_set_new(address, "udp", way(&v->board->watch.views.path[place][k][0], v->now_ns));
		json_object_set_new(address, "tcp", way(&v->board->watch.views.path[place][k][1], v->now_ns));
	}
}

static void add_self(const struct admin_view *v, json_t *self)
{
	json_t *none = json_object();

	for (unsigned k = DRIFT_NONE + 1; k < DRIFT_KINDS; k++)
		json_object_set_new(none, board_drift_text((enum board_drift_kind)k), json_integer(0));
	json_object_update_new(self, json_pack("{s:b, s:o, s:o, s:o, s:s, s:b, s:[], s:o, s:o}", "self", 1, "asked_ms", json_null(), "heard_ms", json_integer(0),
	                                       "round_us", json_null(), "why", "", "same_config", 1, "addresses", "drift", none, "views", own_views(v)));
}

json_t *fleet_json(const struct admin_view *v)
{
	struct status_facts f = api_facts(v);
	json_t *peers = status_peers(&f), *nodes = json_array(), *self = json_object_get(peers, "self"), *node;
	size_t i, place = 0;

	if (json_is_object(self)) {
		add_self(v, self);
		json_array_append(nodes, self);
	}
	json_array_foreach(json_object_get(peers, "nodes"), i, node) {
		place = place_of(v->board, json_string_value(json_object_get(node, "name")), place);
		if (place == BOARD_NODES_MAX)
			break;
		add_to(v, node, place);
		json_array_append(nodes, node);
	}
	json_array_foreach(nodes, i, node)
		json_object_set_new(node, "site", site(config_node_find(v->config, json_string_value(json_object_get(node, "name")))));
	json_decref(peers);
	return json_pack("{s:o, s:s, s:o, s:o, s:o}", "fleet", str(v->config ? v->config->fleet : ""), "node", v->node_name, "time_ms", num(clock_wall_us() / 1000),
	                 "nodes", nodes, "views", own_views(v));
}

unsigned api_fleet(struct http_request *r, struct text *out)
{
	return api_put(out, fleet_json(r->view));
}
