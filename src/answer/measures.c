/* SPDX-License-Identifier: BSD-2-Clause */
/* Measurements of a worker, written to its part of the board and added up over workers by who reads them (admin/metrics.c):
 *
 *	each question   type, transport, family, octets, source      worker_answer()
 *	each answer     octets, transport, family                    worker_answer()
 *	each batch      network asked, latency                       udp.c, stream_queries.c, rings.c
 *
 * Latency is from the call that reads a question to the end of the one that sends its answer. UDP is read and sent in batches, so one look at the clock is good for
 * all of a batch: of few questions a second each costs one look, of many a sixty-fourth.
 *
 * Sources are counted by HyperLogLog (Flajolet et al. 2007): of the hash of each address 12 bits choose a register, which keeps the longest run of zeros seen in the
 * rest. The hash is two multiplications by random odd numbers that this node keeps to itself: whoever forges addresses cannot choose where they fall. One sketch a day
 * and kind (IPv4, IPv6, IPv6 by /64), the day before is kept for the report of it (RSSAC002).
 *
 * What the kernel answers by XDP never comes here: it is counted there, without types, networks, sizes, sources and latency. */
#include "answer/measures.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { DAY_S = 86400, SKETCH_BITS = 12 };
_Static_assert(1 << SKETCH_BITS == BOARD_SKETCH, "the registers");

static struct board_sources *open_day(struct board_measures *b, uint64_t day)
{
	struct board_sources *s = &b->sources[day & 1];

	if (atomic_load_explicit(&s->day, memory_order_relaxed) == day)
		return s;
	/* A reader that looks now sees the wrong day rather than a mixture. */
	atomic_store_explicit(&s->day, 0, memory_order_release);
	for (size_t k = 0; k < SOURCES_KINDS; k++)
		for (size_t i = 0; i < BOARD_SKETCH; i++)
			atomic_store_explicit(&s->kind[k].rank[i], 0, memory_order_relaxed);
	atomic_store_explicit(&s->day, day, memory_order_release);
	return s;
}

void measures_day(struct measures *m, uint32_t now_s)
{
	uint64_t day = now_s / DAY_S;

	/* A clock that was set back starts the day it says. */
	if (m->today && now_s < m->day_ends_s && now_s + (uint64_t)DAY_S >= m->day_ends_s)
		return;
	m->today = open_day(m->board, day);
	m->day_ends_s = (day + 1) * DAY_S;
}

void measures_init(struct measures *m, struct board_measures *board, const uint64_t key[3], uint32_t now_s)
{
	*m = (struct measures){.board = board};
	memcpy(m->key, key, sizeof(m->key));
	memset(m->type_of, BOARD_TYPES - 1, sizeof(m->type_of));
	for (unsigned i = 0; i < BOARD_TYPES - 1; i++)
		if (board_query_type(i) < ARRAY_LEN(m->type_of))
			m->type_of[board_query_type(i)] = (uint8_t)i;
	measures_day(m, now_s);
}

void measures_done(struct measures *m)
{
	free(m->places);
	m->places = NULL;
	m->place_count = 0;
}

/* ---- networks ---- */

static const struct config_network *network_at(const struct config *c, const char *node, size_t i)
{
	const struct config_node *n = c ? config_node_find(c, node) : NULL;

	return n && i < n->network_count ? &c->networks[n->networks[i]] : NULL;
}

static void begin_networks_anew(struct measures *m)
{
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++)
		for (size_t f = 0; f < BOARD_FAMILIES; f++)
			atomic_store_explicit(&m->board->networks[i][f], 0, memory_order_relaxed);
}

void measures_networks(struct measures *m, const struct config *old, const struct config *now, const char *node)
{
	const struct config_network *n, *was;
	size_t count = 0;
	bool same = true;

	measures_done(m);
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		n = network_at(now, node, i);
		was = network_at(old, node, i);
		same = same && !n == !was && (!n || strcmp(n->name, was->name) == 0);
		count += n ? n->address_count : 0;
	}
	if (old && !same)
		begin_networks_anew(m);
	m->places = count ? calloc(count, sizeof(*m->places)) : NULL;
	for (size_t i = 0; m->places && i < BOARD_NETWORKS_MAX && (n = network_at(now, node, i)) != NULL; i++)
		for (size_t k = 0; k < n->address_count; k++)
			m->places[m->place_count++] = (struct measures_place){n->addresses[k], (unsigned)i};
}

unsigned measures_network_of(const struct measures *m, const struct ip_addr *address)
{
	return measures_network_at(m, address->family == 6, address->bytes);
}

/* A node has a handful of addresses. */
unsigned measures_network_at(const struct measures *m, bool v6, const uint8_t *octets)
{
	for (size_t i = 0; i < m->place_count; i++)
		if ((m->places[i].address.family == 6) == v6 &&
		    memcmp(m->places[i].address.bytes, octets, v6 ? 16 : 4) == 0)
			return m->places[i].network;
	return BOARD_NETWORKS_MAX;
}

/* ---- questions and answers ---- */

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

struct measures_mark measures_mark(const uint64_t key[3], uint64_t high, uint64_t low)
{
	uint64_t h = fold(fold(high ^ key[1], key[0]) ^ low, key[2]);

	h = fold(h ^ key[1],
	         0x9e3779b97f4a7c15ULL); /* addresses that follow each other must not fill registers in turn */
	return (struct measures_mark){.place = (uint16_t)(h & (BOARD_SKETCH - 1)),
	                              .rank = (uint8_t)(__builtin_ctzll(h >> SKETCH_BITS | 1ULL << (64 - SKETCH_BITS)) +
	                                                1)};
}

static void mark(struct board_sketch *s, const uint64_t key[3], uint64_t high, uint64_t low)
{
	struct measures_mark at = measures_mark(key, high, low);

	if (atomic_load_explicit(&s->rank[at.place], memory_order_relaxed) < at.rank)
		atomic_store_explicit(&s->rank[at.place], at.rank, memory_order_relaxed);
}

static void mark_source(struct measures *m, const struct ip_addr *client)
{
	uint64_t high, low;
	uint32_t v4;

	if (client->family == 6) {
		memcpy(&high, client->bytes, 8);
		memcpy(&low, client->bytes + 8, 8);
		mark(&m->today->kind[SOURCES_IPV6], m->key, high, low);
		mark(&m->today->kind[SOURCES_IPV6_64], m->key, high, 0);
	} else {
		memcpy(&v4, client->bytes, 4);
		mark(&m->today->kind[SOURCES_IPV4], m->key, v4, 0);
	}
}

static size_t size_bin(size_t len)
{
	return MIN(len / BOARD_SIZE_BIN, (size_t)BOARD_SIZES - 1);
}

void measures_query(struct measures *m, const struct engine_request *request, uint16_t type)
{
	struct board_measures *b = m->board;
	unsigned at = type < ARRAY_LEN(m->type_of) ? m->type_of[type] : BOARD_TYPES - 1;

	if (type == 257) /* CAA, the only one beyond that is asked for often */
		at = BOARD_TYPES - 2;
	board_add(&b->types[at], 1);
	board_add(&b->query_sizes[request->transport != ENGINE_UDP][size_bin(request->len)], 1);
	board_add(&b->query_octets[request->transport != ENGINE_UDP], request->len);
	mark_source(m, &request->client);
}

void measures_answer(struct measures *m, const struct engine_request *request, size_t len)
{
	struct board_measures *b = m->board;

	board_add(&b->responses[request->transport][request->client.family == 6], 1);
	board_add(&b->answer_sizes[request->transport != ENGINE_UDP][size_bin(len)], 1);
	board_add(&b->answer_octets[request->transport != ENGINE_UDP], len);
}

/* The bucket of a time: ns < 2^(BOARD_LATENCY_FIRST + i). */
static unsigned bucket(uint64_t ns)
{
	unsigned bits = ns ? 64U - (unsigned)__builtin_clzll(ns) : 0;

	return bits <= BOARD_LATENCY_FIRST ? 0 : MIN(bits - BOARD_LATENCY_FIRST, (unsigned)BOARD_LATENCIES - 1);
}

uint64_t measures_latency(struct measures *m, enum engine_transport transport, size_t answers, uint64_t began_ns)
{
	uint64_t now, took;

	if (!answers)
		return began_ns;
	now = clock_ns();
	took = now > began_ns ? now - began_ns : 0;
	board_add(&m->board->latency[transport][bucket(took)], answers);
	board_add(&m->board->latency_ns[transport], took * answers);
	return now;
}
