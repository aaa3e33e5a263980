/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/status_views.h"

#include "admin/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TOLD_SHOWN_S = 600
}; /* what a node has not said for longer it may not say any more: it is not in the fleet, or asks no longer */

/* ---- ways to other nodes ---- */

static json_t *path(const struct board_view_path *p, uint64_t now_ns)
{
	return json_pack("{s:o, s:o, s:o, s:i, s:i}", "asked", num(board_get(&p->asked)), "answered",
	                 num(board_get(&p->answered)), "last_ms", age_ms(board_get(&p->last_ns), now_ns), "latency_us",
	                 (int)atomic_load(&p->latency_us), "failures", (int)atomic_load(&p->failures));
}

static json_t *nodes(const struct status_facts *f)
{
	const struct board_watch *b = &f->board->watch;
	uint32_t count = MIN(atomic_load(&b->nodes.count), (uint32_t)BOARD_NODES_MAX);
	struct board_node *copy = malloc(sizeof(*copy));
	json_t *list = json_array();

	for (uint32_t i = 0; copy && i < count; i++) {
		json_t *addresses;
		char text[ADDR_TEXT_MAX];

		if (!board_copy(&b->nodes.node[i].seq, &b->nodes.node[i], copy, sizeof(*copy)))
			continue;
		copy->name[sizeof(copy->name) - 1] = '\0';
		addresses = json_array();
		for (size_t k = 0; k < BOARD_MANAGEMENT_MAX && copy->address[k].address.family; k++)
			json_array_append_new(addresses, json_pack("{s:s, s:o, s:o}", "address",
			                                           addr_text(&copy->address[k].address, text), "udp",
			                                           path(&b->views.path[i][k][0], f->now_ns), "tcp",
			                                           path(&b->views.path[i][k][1], f->now_ns)));
		json_array_append_new(list, json_pack("{s:s, s:o}", "name", copy->name, "addresses", addresses));
	}
	free(copy);
	return list;
}

/* ---- networks ---- */

/* A copy that can be shown. */
static bool read_told(const struct board_view_told *row, uint64_t now_ns, struct board_view_told *t)
{
	if (!board_copy(&row->seq, row, t, sizeof(*t)) ||
	    (now_ns > t->heard_ns && now_ns - t->heard_ns > TOLD_SHOWN_S * 1000000000ULL))
		return false;
	t->viewer[sizeof(t->viewer) - 1] = t->network[sizeof(t->network) - 1] = '\0';
	for (int k = 0; k < BOARD_FAMILIES; k++)
		t->family[k].node[BOARD_NAME_MAX - 1] = '\0';
	return true;
}

/* What other nodes say that they see. */
static json_t *told(const struct status_facts *f, const char *network, int family)
{
	const struct board_view_told *rows = f->board->watch.views.told;
	json_t *list = json_array();

	for (size_t i = 0; i < BOARD_TOLD_VIEWS_MAX && *rows[i].viewer; i++) {
		struct board_view_told t;

		if (!read_told(&rows[i], f->now_ns, &t))
			continue;
		if (strcmp(t.network, network) != 0 || t.family[family].state == OUTSIDE_UNKNOWN)
			continue;
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o, s:o}", "viewer", t.viewer, "state",
		                                      board_outside_text((enum board_outside)t.family[family].state),
		                                      "node", t.family[family].node, "since_ms",
		                                      age_ms(t.family[family].since_ns, f->now_ns), "heard_ms",
		                                      age_ms(t.heard_ns, f->now_ns)));
	}
	return list;
}

static json_t *told_family(const struct board_view_told *t, int k, uint64_t now_ns)
{
	const struct board_told_family *v = &t->family[k];

	if (v->state == OUTSIDE_UNKNOWN)
		return json_null();
	return json_pack("{s:b, s:s, s:s, s:s, s:o, s:o}", "own", 0, "seen",
	                 board_outside_text((enum board_outside)v->state), "node",
	                 v->state == OUTSIDE_GOOD ? v->node : "", "last", v->node, "since_ms", age_ms(v->since_ns, now_ns), "heard_ms",
	                 age_ms(t->heard_ns, now_ns));
}

json_t *status_views_by(const struct board *board, const char *viewer, uint64_t now_ns)
{
	const struct board_view_told *rows = board->watch.views.told;
	json_t *list = json_array();

	for (size_t i = 0; i < BOARD_TOLD_VIEWS_MAX && *rows[i].viewer; i++) {
		struct board_view_told t;

		if (!read_told(&rows[i], now_ns, &t))
			continue;
		if (strcmp(t.viewer, viewer) == 0)
			json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "network", t.network, "ipv4",
			                                      told_family(&t, 0, now_ns), "ipv6",
			                                      told_family(&t, 1, now_ns)));
	}
	return list;
}

static json_t *family(const struct status_facts *f, struct board_view_network *n, int k)
{
	struct board_view_family *v = &n->family[k];
	json_t *o;

	v->node[sizeof(v->node) - 1] = v->why[sizeof(v->why) - 1] = '\0';
	o = json_pack("{s:b, s:s, s:s, s:o, s:o, s:o, s:i, s:i, s:i}", "own", v->own, "seen",
	              board_outside_text((enum board_outside)v->seen), "node", v->node, "since_ms",
	              age_ms(v->since_ns, f->now_ns), "seen_since_ms", age_ms(v->seen_since_ns, f->now_ns), "heard_ms",
	              age_ms(v->heard_ns, f->now_ns), "latency_us", (int)v->latency_us, "failures", (int)v->failures,
	              "flips", (int)v->flips);
	if (o)
		json_object_update_new(o, json_pack("{s:s, s:o, s:s, s:o}", "outside",
		                                    board_outside_text((enum board_outside)v->outside),
		                                    "outside_since_ms", age_ms(v->outside_since_ns, f->now_ns), "why",
		                                    v->why, "told", told(f, n->network, k)));
	return o;
}

static json_t *networks(const struct status_facts *f)
{
	const struct board_view_network *rows = f->board->watch.views.network;
	json_t *list = json_array();

	for (size_t i = 0; i < BOARD_NETWORKS_MAX && *rows[i].network; i++) {
		struct board_view_network n;

		if (!board_copy(&rows[i].seq, &rows[i], &n, sizeof(n)))
			continue;
		n.network[sizeof(n.network) - 1] = '\0';
		json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "name", n.network, "ipv4", family(f, &n, 0),
		                                      "ipv6", family(f, &n, 1)));
	}
	return list;
}

/* ---- clients that come with another node's cookie ---- */

struct flip {
	struct board_flip row;
	char prefix[PREFIX_TEXT_MAX];
};

static int by_count(const void *a, const void *b)
{
	const struct flip *x = a, *y = b;

	return x->row.count < y->row.count ? 1 : -(x->row.count > y->row.count);
}

/* The rows of all workers, one for each client network; `all` has room for them. */
static size_t collect_flips(const struct board *b, unsigned workers, struct flip *all)
{
	size_t count = 0;

	for (unsigned w = 0; w < workers; w++)
		for (size_t i = 0; i < BOARD_FLIPS; i++) {
			const struct board_flip *from = &b->workers[w].flips.row[i];
			struct board_flip r;
			size_t k = 0;

			if (!board_copy(&from->seq, from, &r, sizeof(r)) || !r.family)
				continue;
			while (k < count && (all[k].row.family != r.family ||
			                     memcmp(all[k].row.prefix, r.prefix, sizeof(r.prefix)) != 0))
				k++;
			if (k == count) {
				all[count++].row = r;
				continue;
			}
			all[k].row.count += r.count;
			all[k].row.error += r.error;
			if (r.last_ns > all[k].row.last_ns) {
				all[k].row.last_ns = r.last_ns;
				all[k].row.site = r.site;
			}
		}
	qsort(all, count, sizeof(*all), by_count);
	return count;
}

static const char *node_of_mark(const struct config *c, uint8_t mark)
{
	uint8_t marks[CONFIG_NODES_MAX];

	if (!c || c->node_count > CONFIG_NODES_MAX)
		return "";
	config_site_marks(c, marks);
	for (size_t i = 0; i < c->node_count; i++)
		if (marks[i] == mark)
			return c->nodes[i].name;
	return "";
}

static json_t *flips(const struct status_facts *f)
{
	unsigned workers = MIN(atomic_load(&f->board->supervisor.workers), (unsigned)BOARD_WORKERS_MAX);
	struct flip *all = calloc((size_t)workers * BOARD_FLIPS + 1, sizeof(*all));
	size_t count = all ? collect_flips(f->board, workers, all) : 0;
	uint64_t total[BOARD_FAMILIES] = {0};
	json_t *list = json_array();

	for (unsigned w = 0; w < workers; w++)
		for (int k = 0; k < BOARD_FAMILIES; k++)
			total[k] += board_get(&f->board->workers[w].flips.total[k]);
	for (size_t i = 0; i < count && i < BOARD_FLIPS; i++) {
		const struct board_flip *r = &all[i].row;
		struct ip_prefix p = {.addr = {.family = r->family}, .len = r->family == 4 ? 24 : 48};

		memcpy(p.addr.bytes, r->prefix, r->family == 4 ? 3 : 6);
		json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:s, s:o}", "prefix",
		                                      prefix_text(&p, all[i].prefix), "count", num(r->count), "error",
		                                      num(r->error), "from", node_of_mark(f->config, r->site),
		                                      "last_ms", age_ms(r->last_ns, f->now_ns)));
	}
	free(all);
	return json_pack("{s:o, s:o, s:o}", "ipv4", num(total[0]), "ipv6", num(total[1]), "clients", list);
}

json_t *status_views(const struct status_facts *f)
{
	return json_pack("{s:o, s:o, s:o}", "nodes", nodes(f), "networks", networks(f), "flips", flips(f));
}
