/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/status_backends.h"

#include "admin/backends_sum.h"
#include "admin/json.h"

#include <string.h>

enum { ZONES_NAMED = 100 /* of a pool */ };

static json_t *server(const struct status_facts *f, const struct config_backends *pool,
                      const struct config_backend_server *s, uint32_t place, bool *up)
{
	struct backends_server_sum sum;
	struct board_backend row = {0};
	char text[ENDPOINT_TEXT_MAX];
	bool known = backends_row(f->board, place, pool->name, &s->at, &row);
	json_t *o;

	*up = known && row.up == UP_YES;
	backends_server_sum(f->board, place, &sum);
	o = json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", s->name, "address",
	              endpoint_text(&s->at, text), "state", board_up_text(known ? (enum board_up)row.up : UP_UNKNOWN),
	              "loops", row.loops != 0, "since_ms", age_ms(row.since_ns, f->now_ns), "checked_ms",
	              age_ms(row.checked_ns, f->now_ns), "passed_ms", age_ms(row.passed_ns, f->now_ns), "checks",
	              num(row.checks), "failures", num(row.failures), "latency_us", num(row.latency_us), "why",
	              str(row.why));
	if (o)
		json_object_set_new(o, "workers",
		                    json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "sent", num(sum.sent),
		                              "answered", num(sum.answered), "timeouts", num(sum.timeouts), "errors",
		                              num(sum.errors), "servfails", num(sum.servfails), "retried",
		                              num(sum.retried), "outstanding", num(sum.outstanding), "circuits_open",
		                              num(sum.open), "latency_us", num(sum.latency_us)));
	return o;
}

static json_t *zones_of(const struct status_facts *f, uint32_t pool, size_t *count)
{
	json_t *names = json_array();
	char text[NAME_TEXT_MAX];

	*count = 0;
	for (size_t i = 0; i < f->config->zone_count; i++) {
		const struct config_zone *z = &f->config->zones[i];

		if (z->backends != pool || !config_node_serves(f->node, z))
			continue;
		name_to_text(z->apex, text);
		if ((*count)++ < ZONES_NAMED)
			json_array_append_new(names, json_string(text));
	}
	return names;
}

static json_t *pool(const struct status_facts *f, uint32_t i, uint32_t *place)
{
	static const char *const policies[] = {"latency", "weight", "hash", "ordered"}, *const over[] = {"udp", "tcp",
	                                                                                                 "tls"};
	const struct config_backends *b = &f->config->backends[i];
	json_t *servers = json_array(), *zones;
	size_t count, ups = 0;
	bool up;

	zones = zones_of(f, i, &count);
	for (size_t n = 0; n < b->server_count; n++, ++*place) {
		json_array_append_new(servers, server(f, b, &b->servers[n], *place, &up));
		ups += up;
	}
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "name", b->name, "policy",
	                 policies[b->policy % ARRAY_LEN(policies)], "over", over[b->over % ARRAY_LEN(over)],
	                 "patience_ms", num(b->patience_ms), "stale_for_ms", num(b->stale_for_ms), "zones", zones,
	                 "zone_count", num(count), "up", num(ups), "servers", servers);
}

json_t *status_backends(const struct status_facts *f)
{
	json_t *pools = json_array();
	struct backends_sum s;
	uint32_t place = 0;

	for (uint32_t i = 0; f->config && i < f->config->backend_count; i++)
		json_array_append_new(pools, pool(f, i, &place));
	backends_sum(f->board, &s);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "pools", pools,
	                 "hits", num(s.hits), "stale", num(s.stale), "misses", num(s.misses), "joined", num(s.joined),
	                 "prefetched", num(s.prefetched), "passed", num(s.passed), "refused", num(s.refused), "loops",
	                 num(s.loops), "failed", num(s.failed), "late", num(s.late), "strange", num(s.strange), "full",
	                 num(s.full), "under_way", num(s.under_way), "waiting", num(s.waiting));
}
