/* SPDX-License-Identifier: BSD-2-Clause */
/* Metrics of the cache of backends' answers; how questions fared is among those of the backends. */
#include "admin/backend_cache.h"
#include "admin/metrics_text.h"
#include "edge/cache.h"

void metrics_backend_cache(struct metrics *m)
{
	const struct backend_cache *c = m->view->cache;
	struct edge_cache_figures f;

	edge_cache_look(c ? c->memory : NULL, c ? c->octets : 0, &f);
	metric_one(m, METRIC_BACKEND_CACHE_SIZE_BYTES, f.octets);
	metric_one(m, METRIC_BACKEND_CACHE_USED_BYTES, f.used);
	metric_one(m, METRIC_BACKEND_CACHE_ENTRIES, f.entries);
	metric_one(m, METRIC_BACKEND_CACHE_INSERTED_TOTAL, f.inserted);
	metric_begin(m, METRIC_BACKEND_CACHE_REMOVED_TOTAL);
	labels_clear(&m->labels);
	metric_put_as(m, "reason", "room", f.evicted - MIN(f.expired, f.evicted));
	metric_put_as(m, "reason", "expired", f.expired);
	metric_put_as(m, "reason", "purge", f.purged);
	metric_begin(m, METRIC_BACKEND_CACHE_CONTENDED_TOTAL);
	labels_clear(&m->labels);
	metric_put_as(m, "what", "torn", f.torn);
	metric_put_as(m, "what", "busy", f.busy);
	metric_put_as(m, "what", "cleared", f.cleared);
}
