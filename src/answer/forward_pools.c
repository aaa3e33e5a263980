/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools and servers of the configuration. A server keeps its row, and with it its sockets, latency and circuit, as long as the configuration names it; rows move nowhere, so questions that are under
 * way may name them. Its place on the board is that in the configuration: where places change the figures of all begin anew. */
#include "answer/forward_priv.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

static int row_of_key(const struct forward *fw, uint64_t key)
{
	for (unsigned i = 0; i < BOARD_BACKENDS_MAX; i++)
		if (fw->facts[i].key == key)
			return (int)i;
	return -1;
}

/* Of a node, divided among its workers. */
static uint32_t share(uint32_t outstanding, unsigned workers)
{
	return MAX((outstanding + workers - 1) / MAX(workers, 1U), 1U);
}

static void forget_row(struct forward *fw, uint16_t row)
{
	forward_forget_row(fw, row);
	forward_udp_close(fw, row);
	fw->facts[row] = (struct edge_server){0};
}

static void zero_figures(struct board_edge_server *s)
{
	_Atomic uint64_t *const figures[] = {&s->sent, &s->answered, &s->timeouts, &s->errors, &s->servfails, &s->retried};

	for (size_t i = 0; i < ARRAY_LEN(figures); i++)
		atomic_store_explicit(figures[i], 0, memory_order_relaxed);
	atomic_store_explicit(&s->outstanding, 0, memory_order_relaxed);
	atomic_store_explicit(&s->latency_us, 0, memory_order_relaxed);
	atomic_store_explicit(&s->open, 0, memory_order_relaxed);
}

/* Servers that are not there any more go first: there may be BOARD_BACKENDS_MAX before and after. */
static void drop_rows(struct forward *fw, const struct config *config)
{
	bool wanted[BOARD_BACKENDS_MAX] = {false};

	for (size_t i = 0; i < config->backend_count; i++) {
		const struct config_backends *b = &config->backends[i];

		for (size_t k = 0; k < b->server_count; k++) {
			int row = row_of_key(fw, board_backend_key(b->name, &b->servers[k].at));

			if (row >= 0)
				wanted[row] = true;
		}
	}
	for (uint16_t i = 0; i < BOARD_BACKENDS_MAX; i++)
		if (fw->facts[i].key && !wanted[i])
			forget_row(fw, i);
}

static void take_server(struct forward *fw, struct forward_pool *pool, const struct config_backend_server *from, uint32_t place, unsigned workers)
{
	uint64_t key = board_backend_key(pool->name, &from->at);
	int row = row_of_key(fw, key);
	struct forward_server *s;

	if (row < 0) {
		row = row_of_key(fw, 0);
		if (row < 0 || place >= BOARD_BACKENDS_MAX)
			return; /* more than the configuration may have */
		fw->facts[row] = (struct edge_server){.key = key};
		fw->servers[row] = (struct forward_server){.at = from->at, .place = UINT32_MAX};
		memset(fw->servers[row].fd, 0xff, sizeof(fw->servers[row].fd));
	}
	s = &fw->servers[row];
	if (s->place != place)
		zero_figures(&fw->worker->board->edge.server[place]);
	s->place = place;
	fw->facts[row].weight = from->weight;
	fw->facts[row].limit = share(from->outstanding, workers);
	pool->of.rows[pool->of.count++] = (uint16_t)row;
}

static void take_pool(struct forward *fw, const struct config *config, const struct config_backends *b, uint32_t *place, unsigned workers, struct forward_pool *out)
{
	size_t len = strnlen(b->name, sizeof(out->name) - 1);

	*out = (struct forward_pool){.key = edge_pool_key(b->name), .patience_ns = b->patience_ms * UINT64_C(1000000), .over = b->over, .tls = b->tls, .proxy = b->proxy_protocol,
	                             .client_subnet = b->client_subnet, .cached = settings_pool_cached(b), .of.policy = (enum edge_policy)b->policy};
	memcpy(out->name, b->name, len);
	out->limits = (struct edge_limits){.ttl_max_s = config->answer.backend_cache.ttl_max_ms / 1000, .negative_max_s = config->answer.backend_cache.negative_ttl_max_ms / 1000,
	                                   .stale_s = b->stale_for_ms / 1000, .prefetch = config->answer.backend_cache.prefetch};
	for (size_t i = 0; i < b->server_count && i < EDGE_POOL_SERVERS_MAX; i++)
		take_server(fw, out, &b->servers[i], (*place)++, workers);
}

int forward_pools_take(struct forward *fw, const struct config *config, unsigned workers)
{
	struct forward_pool *pools = calloc(config->backend_count + 1, sizeof(*pools));
	bool *down = calloc(config->backend_count + 1, sizeof(*down));
	const struct config_node *n = &config->nodes[0];
	uint32_t place = 0;

	if (!pools || !down) {
		free(pools);
		free(down);
		return ERR_NO_MEMORY;
	}
	drop_rows(fw, config);
	for (size_t i = 0; i < config->backend_count; i++)
		take_pool(fw, config, &config->backends[i], &place, workers, &pools[i]);
	free(fw->pools);
	free(fw->down);
	fw->pools = pools;
	fw->down = down;
	fw->pool_count = config->backend_count;
	fw->worker->scratch->pools_down = down;
	/* Never from a service address: routing might carry the answer to another node. */
	memset(fw->own, 0, sizeof(fw->own));
	for (size_t i = n->management_count; i--;)
		fw->own[n->management[i].family == 6] = n->management[i];
	forward_pools_look(fw);
	return 0;
}

/* What watch says of a server. Its row on the board is ours only if the key is: configurations reach processes one after the other. */
static void look_at(struct forward *fw, unsigned row)
{
	const struct board_backend *b = &fw->worker->whole->watch.backends.row[fw->servers[row].place];
	struct board_edge_server *told = &fw->worker->board->edge.server[fw->servers[row].place];
	struct edge_server *s = &fw->facts[row];

	if (atomic_load_explicit(&b->key, memory_order_relaxed) == s->key) {
		s->down = atomic_load_explicit(&b->up, memory_order_relaxed) == UP_NO;
		s->loops = s->down && *(const volatile uint32_t *)&b->loops;
	}
	atomic_store_explicit(&told->outstanding, s->outstanding, memory_order_relaxed);
	atomic_store_explicit(&told->latency_us, s->latency_us, memory_order_relaxed);
	atomic_store_explicit(&told->open, s->open, memory_order_relaxed);
}

void forward_pools_look(struct forward *fw)
{
	struct board_edge *b = &fw->worker->board->edge;

	for (unsigned i = 0; i < BOARD_BACKENDS_MAX; i++)
		if (fw->facts[i].key)
			look_at(fw, i);
	for (size_t i = 0; i < fw->pool_count; i++)
		fw->down[i] = edge_pool_down(fw->facts, &fw->pools[i].of);
	atomic_store_explicit(&b->under_way, flights_count(fw->flights), memory_order_relaxed);
	atomic_store_explicit(&b->waiting, flights_clients(fw->flights), memory_order_relaxed);
}
