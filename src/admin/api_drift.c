/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/api.h"

#include "admin/api_write.h"

#include <string.h>

static json_t *num(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *age_ms(uint64_t at_ns, uint64_t now_ns)
{
	return at_ns ? num((now_ns > at_ns ? now_ns - at_ns : 0) / 1000000U) : json_null();
}

/* Names come from other nodes. */
static json_t *str(const char *text)
{
	json_t *s = json_string(text);

	return s ? s : json_string("(not UTF-8)");
}

static json_t *node_name(const struct board *b, uint32_t node)
{
	char name[BOARD_NAME_MAX];

	if (node >= BOARD_NODES_MAX)
		return json_null();
	memcpy(name, b->watch.nodes.node[node].name, sizeof(name)); /* written once, before it is counted */
	name[sizeof(name) - 1] = '\0';
	return str(name);
}

static json_t *row(const struct board *b, struct board_drift *d, uint64_t now_ns)
{
	char text[ADDR_TEXT_MAX];

	d->network[sizeof(d->network) - 1] = d->zone[sizeof(d->zone) - 1] = d->why[sizeof(d->why) - 1] = '\0';
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "kind", board_drift_text((enum board_drift_kind)d->kind), "zone", str(d->zone),
	                 "node", node_name(b, d->node), "server", d->server.family ? json_string(addr_text(&d->server, text)) : json_null(), "network", str(d->network),
	                 "alert", d->alert != 0, "here", num(d->here), "there", num(d->there), "versions", num(d->versions), "since_ms",
	                 age_ms(d->since_ns, now_ns), "moved_ms", age_ms(d->moved_ns, now_ns), "why", str(d->why));
}

json_t *drift_json(const struct admin_view *v)
{
	const struct board_watch_drift *b = &v->board->watch.drift;
	json_t *rows = json_array();
	struct board_drift d;

	for (size_t i = 0; i < BOARD_DRIFTS_MAX; i++)
		if (board_copy(&b->row[i].seq, &b->row[i], &d, sizeof(d)) && d.kind != DRIFT_NONE && d.kind < DRIFT_KINDS)
			json_array_append_new(rows, row(v->board, &d, v->now_ns));
	return json_pack("{s:o, s:o, s:o}", "rows", rows, "hidden", num(atomic_load(&b->hidden)), "compared_ms", age_ms(board_get(&b->compared_ns), v->now_ns));
}

unsigned api_drift(struct http_request *r, struct text *out)
{
	return api_put(out, drift_json(r->view));
}
