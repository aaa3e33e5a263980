/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/status_drift.h"

#include "admin/json.h"

#include <string.h>

static json_t *node_name(const struct board *b, uint32_t i)
{
	char name[BOARD_NAME_MAX];

	if (i >= BOARD_NODES_MAX)
		return json_null();
	memcpy(name, b->watch.nodes.node[i].name, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	return str(name);
}

static json_t *drift_row(const struct board *b, struct board_drift *d, uint64_t now_ns)
{
	char text[ADDR_TEXT_MAX];

	d->network[sizeof(d->network) - 1] = d->zone[sizeof(d->zone) - 1] = d->why[sizeof(d->why) - 1] = '\0';
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "kind",
	                 board_drift_text((enum board_drift_kind)d->kind), "zone", str(d->zone), "node",
	                 node_name(b, d->node), "server",
	                 d->server.family ? json_string(addr_text(&d->server, text)) : json_null(), "network",
	                 str(d->network), "alert", d->alert != 0, "here", num(d->here), "there", num(d->there),
	                 "versions", num(d->versions), "since_ms", age_ms(d->since_ns, now_ns), "moved_ms",
	                 age_ms(d->moved_ns, now_ns), "why", str(d->why));
}

static json_t *node_counts(const struct board *b, uint32_t i, uint64_t now_ns)
{
	const struct board_drift_node *n = &b->watch.drift.node[i];
	json_t *o = json_pack("{s:o, s:o}", "name", node_name(b, i), "compared_ms",
	                      age_ms(board_get(&n->compared_ns), now_ns));

	for (unsigned k = DRIFT_NONE + 1; o && k < DRIFT_KINDS; k++)
		json_object_set_new(o, board_drift_text((enum board_drift_kind)k), num(atomic_load(&n->kinds[k])));
	return o;
}

json_t *status_drift(const struct status_facts *f)
{
	const struct board_watch_drift *b = &f->board->watch.drift;
	json_t *rows = json_array(), *nodes = json_array();
	uint32_t count = atomic_load(&b->rows);
	struct board_drift d;

	for (uint32_t i = 0; i < count && i < BOARD_DRIFTS_MAX; i++)
		if (board_copy(&b->row[i].seq, &b->row[i], &d, sizeof(d)) && d.kind != DRIFT_NONE &&
		    d.kind < DRIFT_KINDS)
			json_array_append_new(rows, drift_row(f->board, &d, f->now_ns));
	for (uint32_t i = 0; f->node && i < atomic_load(&f->board->watch.nodes.count) && i < BOARD_NODES_MAX; i++)
		json_array_append_new(nodes, node_counts(f->board, i, f->now_ns));
	return json_pack("{s:o, s:o, s:o, s:o}", "rows", rows, "hidden", num(atomic_load(&b->hidden)), "compared_ms",
	                 age_ms(board_get(&b->compared_ns), f->now_ns), "nodes", nodes);
}
