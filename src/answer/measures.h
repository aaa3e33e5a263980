/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/engine.h"
#include "board/board.h"
#include "config/config.h"

#include <stddef.h>
#include <stdint.h>

/* What a worker writes down of each question for metrics: see measures.c. On the path of every query: a few additions to words that only this worker writes. */
struct measures {
	struct board_measures *board;
	struct board_sources *today;
	uint64_t key[3];         /* of the sketches; the same for all workers */
	uint64_t day_ends_s;     /* since 1970 */
	uint8_t type_of[256];    /* place in board->types of a type below 256 */
	struct measures_place {  /* whose service address it is */
		struct ip_addr address;
		unsigned network; /* in the node's list */
	} *places;
	size_t place_count;
};

/* board: this worker's. key: the board's. */
void measures_init(struct measures *m, struct board_measures *board, const uint64_t key[3], uint32_t now_s);
void measures_done(struct measures *m);
/* The service addresses of a configuration, in place of those before. Where networks have other places than in `old` (NULL: none), the figures of all begin anew. */
void measures_networks(struct measures *m, const struct config *old, const struct config *now, const char *node);
/* A new day begins with new sketches; every few milliseconds. */
void measures_day(struct measures *m, uint32_t now_s);
/* The place of a service address in measures_network(): its network's, BOARD_NETWORKS_MAX: it is none. */
unsigned measures_network_of(const struct measures *m, const struct ip_addr *address);
/* Likewise of the octets of an address as they stand in a packet. */
unsigned measures_network_at(const struct measures *m, bool v6, const uint8_t *octets);
/* Which register of a sketch an address is for, and what it says there at least. Pure. */
struct measures_mark {
	uint16_t place;
	uint8_t rank; /* from 1 */
};
struct measures_mark measures_mark(const uint64_t key[3], uint64_t high, uint64_t low);

/* A question, answered or not. type: of it, 0: it has none. */
void measures_query(struct measures *m, const struct engine_request *request, uint16_t type);
/* Its answer, of len octets. */
void measures_answer(struct measures *m, const struct engine_request *request, size_t len);
/* So many questions came to an address of this network. */
static inline void measures_network(struct measures *m, unsigned network, bool v6, uint64_t n)
{
	board_add(&m->board->networks[network][v6], n);
}
/* So many answers have gone that were asked for at began_ns; the time now. Where there are none the clock is not looked at: began_ns. */
uint64_t measures_latency(struct measures *m, enum engine_transport transport, size_t answers, uint64_t began_ns);
