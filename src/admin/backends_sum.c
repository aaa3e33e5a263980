/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/backends_sum.h"

static uint32_t workers_of(const struct board *b)
{
	return MIN(atomic_load(&b->supervisor.workers), (uint32_t)BOARD_WORKERS_MAX);
}

void backends_sum(const struct board *b, struct backends_sum *out)
{
	*out = (struct backends_sum){.hits = board_get(&b->supervisor.xdp.of_backends)};
	for (uint32_t i = 0; i < workers_of(b); i++) {
		const struct board_edge *e = &b->workers[i].edge;

		out->hits += board_get(&e->hits);
		out->stale += board_get(&e->stale);
		out->misses += board_get(&e->misses);
		out->joined += board_get(&e->joined);
		out->prefetched += board_get(&e->prefetched);
		out->passed += board_get(&e->passed);
		out->refused += board_get(&e->refused);
		out->loops += board_get(&e->loops);
		out->failed += board_get(&e->failed);
		out->late += board_get(&e->late);
		out->strange += board_get(&e->strange);
		out->full += board_get(&e->full);
		out->under_way += board_get(&e->under_way);
		out->waiting += board_get(&e->waiting);
	}
}

void backends_server_sum(const struct board *b, uint32_t place, struct backends_server_sum *out)
{
	*out = (struct backends_server_sum){0};
	for (uint32_t i = 0; place < BOARD_BACKENDS_MAX && i < workers_of(b); i++) {
		const struct board_edge_server *s = &b->workers[i].edge.server[place];

		out->sent += board_get(&s->sent);
		out->answered += board_get(&s->answered);
		out->timeouts += board_get(&s->timeouts);
		out->errors += board_get(&s->errors);
		out->servfails += board_get(&s->servfails);
		out->retried += board_get(&s->retried);
		out->outstanding += atomic_load(&s->outstanding);
		out->open += atomic_load(&s->open) != 0;
		out->latency_us = MAX(out->latency_us, atomic_load(&s->latency_us));
	}
}

bool backends_row(const struct board *b, uint32_t place, const char *pool, const struct endpoint *at,
                  struct board_backend *out)
{
	const struct board_backend *row;

	if (place >= BOARD_BACKENDS_MAX)
		return false;
	row = &b->watch.backends.row[place];
	if (atomic_load(&row->key) != board_backend_key(pool, at) || !board_copy(&row->seq, row, out, sizeof(*out)))
		return false;
	out->pool[sizeof(out->pool) - 1] = out->name[sizeof(out->name) - 1] = out->why[sizeof(out->why) - 1] = '\0';
	return true;
}
