/* SPDX-License-Identifier: BSD-2-Clause */
/* Endpoints that names are steered to, and their pools. The first METRICS_ENDPOINTS are named, down or not: an alert that comes and goes with a row would never end well; pools have
 * sums of all. */
#include "admin/metrics.h"
#include "admin/metrics_text.h"
#include "admin/status_endpoints.h"

#include "base/attr.h"

#include <string.h>

struct pool_sum {
	const char *name; /* borrowed from the configuration */
	struct endpoints_sum sum;
	uint32_t keep;
};

static struct board_endpoint named[METRICS_ENDPOINTS]; /* large; one thread */
static struct pool_sum pools[BOARD_POOLS_MAX];

static const struct config_pool *pool_named(const struct config *c, const char *name)
{
	for (size_t i = 0; c && i < c->pool_count; i++)
		if (strcmp(c->pools[i].name, name) == 0)
			return &c->pools[i];
	return NULL;
}

/* Rows of a pool follow each other. How many endpoints are named; pools have their sums. */
static size_t read_rows(const struct metrics *m, size_t *pool_count)
{
	const struct board *b = m->view->board;
	uint32_t rows = MIN(atomic_load(&b->watch.endpoints.rows), (uint32_t)BOARD_ENDPOINTS_MAX);
	const struct config_pool *p = NULL;
	struct board_endpoint row;
	size_t count = 0;

	*pool_count = 0;
	for (uint32_t i = 0; i < rows; i++) {
		if (!endpoints_row(b, i, &row))
			continue;
		if (!p || strcmp(p->name, row.pool) != 0) {
			p = pool_named(m->view->config, row.pool);
			if (!p || *pool_count == BOARD_POOLS_MAX)
				continue;
			pools[(*pool_count)++] = (struct pool_sum){.name = p->name, .keep = p->keep};
		}
		if (row.place >= p->endpoint_count)
			continue;
		endpoints_add(&pools[*pool_count - 1].sum, &row, p->endpoints[row.place].disabled);
		if (count < METRICS_ENDPOINTS)
			named[count++] = row;
	}
	return count;
}

static void put_pools(struct metrics *m, size_t count)
{
	metric_begin(m, METRIC_POOL_ENDPOINTS);
	for (size_t i = 0; i < count; i++) {
		const struct endpoints_sum *s = &pools[i].sum;

		labels_clear(&m->labels);
		labels_add(&m->labels, "pool", pools[i].name);
		metric_put_as(m, "state", "up", s->up);
		metric_put_as(m, "state", "down", s->total - s->up - s->disabled);
		metric_put_as(m, "state", "disabled", s->disabled);
	}
	for (enum metric f = METRIC_POOL_BELOW_KEEP; f <= METRIC_POOL_DIFFER; f++) {
		metric_begin(m, f);
		for (size_t i = 0; i < count; i++) {
			labels_clear(&m->labels);
			labels_add(&m->labels, "pool", pools[i].name);
			metric_put(m, f == METRIC_POOL_DIFFER ? pools[i].sum.differ
			                                      : strcmp(endpoints_state(&pools[i].sum, pools[i].keep), "good") != 0);
		}
	}
}

void metrics_endpoints(struct metrics *m)
{
	const struct board_watch_endpoints *b = &m->view->board->watch.endpoints;
	size_t pool_count, count = read_rows(m, &pool_count);

	for (enum metric f = METRIC_ENDPOINT_UP; f <= METRIC_ENDPOINT_DURATION_SECONDS; f++) {
		metric_begin(m, f);
		for (size_t i = 0; i < count; i++) {
			if (f == METRIC_ENDPOINT_DURATION_SECONDS && !named[i].latency_us)
				continue;
			labels_clear(&m->labels);
			labels_add(&m->labels, "pool", named[i].pool);
			labels_add(&m->labels, "endpoint", named[i].name);
			if (f == METRIC_ENDPOINT_UP)
				metric_put(m, named[i].up != UP_NO);
			else
				metric_put_micro(m, named[i].latency_us);
		}
	}
	metric_begin(m, METRIC_ENDPOINT_CHECKS_TOTAL);
	labels_clear(&m->labels);
	metric_put_as(m, "result", "passed", board_get(&b->passed));
	metric_put_as(m, "result", "failed", board_get(&b->failed));
	metric_put_as(m, "result", "not-made", board_get(&b->not_made));
	metric_one(m, METRIC_ENDPOINTS_HIDDEN, atomic_load(&b->hidden));
	put_pools(m, pool_count);
}
