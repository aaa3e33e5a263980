/* SPDX-License-Identifier: BSD-2-Clause */
/* Endpoints as the board has them, pool by pool, with what the configuration says of them. Rows of a pool that is no longer in the configuration, or of an endpoint that is not, are left out: watch is
 * about to write others. */
#include "admin/status_endpoints.h"

#include "admin/json.h"
#include "dns/name.h"

#include <string.h>

bool endpoints_row(const struct board *b, uint32_t i, struct board_endpoint *out)
{
	const struct board_endpoint *row = &b->watch.endpoints.row[i];

	if (!board_copy(&row->seq, row, out, sizeof(*out)) || !*out->pool)
		return false;
	out->pool[sizeof(out->pool) - 1] = out->name[sizeof(out->name) - 1] = out->why[sizeof(out->why) - 1] = '\0';
	return true;
}

void endpoints_add(struct endpoints_sum *sum, const struct board_endpoint *row, bool disabled)
{
	bool one_up = row->own == UP_YES || row->others_up, one_down = row->own == UP_NO || row->others_down;

	sum->total++;
	sum->up += row->up != UP_NO && !disabled;
	sum->disabled += disabled;
	sum->differ += one_up && one_down;
}

const char *endpoints_state(const struct endpoints_sum *sum, uint32_t keep)
{
	uint32_t wanted = keep ? keep : 1;

	/* More than there are cannot be wanted. */
	if (wanted > sum->total - sum->disabled)
		wanted = sum->total - sum->disabled;
	if (!sum->up && sum->total > sum->disabled)
		return "down";
	return sum->up < wanted ? "below-keep" : "good";
}

static const char *check_text(uint8_t type)
{
	static const char *const words[] = {[CONFIG_CHECK_NONE] = "none",   [CONFIG_CHECK_TCP] = "tcp", [CONFIG_CHECK_HTTP] = "http",
	                                    [CONFIG_CHECK_HTTPS] = "https", [CONFIG_CHECK_DNS] = "dns", [CONFIG_CHECK_EXEC] = "exec"};

	return type < ARRAY_LEN(words) ? words[type] : "?";
}

static json_t *endpoint_json(const struct config_pool_endpoint *e, const struct board_endpoint *row, uint64_t now_ns)
{
	char text[NAME_TEXT_MAX];

	if (e->address.family)
		addr_text(&e->address, text);
	else
		name_to_text(e->target, text);
	return json_pack("{s:o, s:s, s:s, s:s, s:b, s:i, s:i, s:i, s:i, s:o, s:o, s:o, s:o}", "name", str(row->name), e->address.family ? "address" : "target", text,
	                 "up", board_up_text((enum board_up)row->up), "own", board_up_text((enum board_up)row->own), "disabled", e->disabled, "weight",
	                 (int)e->weight, "priority", (int)e->priority, "others_up", (int)row->others_up, "others_down", (int)row->others_down, "since_ms",
	                 age_ms(row->since_ns, now_ns), "checked_ms", age_ms(row->checked_ns, now_ns), "latency_us",
	                 row->latency_us ? num(row->latency_us) : json_null(), "why", str(row->why));
}

static json_t *words(const char **list, size_t count)
{
	json_t *o = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(o, str(list[i]));
	return o;
}

/* *row goes on to the first that is not of this pool. */
static json_t *pool_json(const struct status_facts *f, const struct config_pool *p, uint32_t *row, uint32_t rows)
{
	struct endpoints_sum sum = {0};
	json_t *list = json_array();
	struct board_endpoint e;

	for (; *row < rows; ++*row) {
		if (!endpoints_row(f->board, *row, &e))
			continue;
		if (strcmp(e.pool, p->name) != 0)
			break;
		if (e.place >= p->endpoint_count || strcmp(p->endpoints[e.place].name, e.name) != 0)
			continue;
		endpoints_add(&sum, &e, p->endpoints[e.place].disabled);
		json_array_append_new(list, endpoint_json(&p->endpoints[e.place], &e, f->now_ns));
	}
	return json_pack("{s:o, s:s, s:s, s:i, s:i, s:i, s:i, s:o, s:o}", "name", str(p->name), "state", endpoints_state(&sum, p->keep), "check",
	                 check_text(p->check.type), "total", (int)sum.total, "up", (int)sum.up, "differ", (int)sum.differ, "keep", (int)p->keep, "checked_from",
	                 words(p->checked_from, p->checked_from_count), "endpoints", list);
}

json_t *status_endpoints(const struct status_facts *f)
{
	const struct board_watch_endpoints *b = &f->board->watch.endpoints;
	uint32_t rows = MIN(atomic_load(&b->rows), (uint32_t)BOARD_ENDPOINTS_MAX), at = 0;
	json_t *pools = json_array();
	struct board_endpoint e;

	while (f->config && at < rows) {
		const struct config_pool *p = NULL;

		for (size_t i = 0; endpoints_row(f->board, at, &e) && i < f->config->pool_count && !p; i++)
			if (strcmp(f->config->pools[i].name, e.pool) == 0)
				p = &f->config->pools[i];
		if (p)
			json_array_append_new(pools, pool_json(f, p, &at, rows));
		else
			at++;
	}
	return json_pack("{s:o, s:o}", "pools", pools, "hidden", num(atomic_load(&b->hidden)));
}
