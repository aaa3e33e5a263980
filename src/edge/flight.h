/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "edge/cache.h"
#include "edge/mark.h"
#include "edge/servers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Questions to backends that are under way, and who waits for each. Fixed memory, all of it taken at the start (and touched as it is used). Pure: time and randomness are given.
 *
 * A question is found by what is asked (at most one is under way for the same), by the id and socket of each of its tries, and by its timer. Clients are numbers; what they are is the caller's
 * array. */
enum {
	FLIGHT_TRIES_MAX = 8,
	FLIGHT_TICK_NS = 10000000,
	FLIGHT_WHEEL = 128, /* ticks; a later timer goes round again */
};
#define FLIGHT_NONE UINT32_MAX

/* What makes two questions the same. */
struct flight_key {
	struct edge_key edge;
	struct edge_subnet subnet; /* that backends are told; prefix bits only, the rest of it zero */
	bool recursion_desired;
	bool stream;               /* of clients that can take any length */
};

enum flight_try_state {
	TRY_FREE,
	TRY_WAITING,
	TRY_LATE, /* given up, another was asked; its answer is still welcome */
	TRY_OVER,
};

struct flight_try {
	uint32_t next;     /* in the chain of its id */
	uint16_t id;
	uint16_t row;      /* of the server */
	uint8_t line;      /* which of its sockets or connections */
	uint8_t state;     /* enum flight_try_state */
	uint64_t sent_ns, due_ns;
};

struct flight {
	struct flight_key key;
	uint32_t pool;          /* place in the configuration */
	uint32_t next;          /* in the chain of the key; private, as are these: */
	uint32_t timer_tick;
	uint32_t first_client, last_client;
	uint32_t clients;
	bool alone;             /* not to be found by its key: nobody joins it */
	uint8_t tries, round;   /* begun; how often all servers were gone through */
	uint8_t asked_len;      /* octets of asked[] */
	uint64_t began_ns, expires_ns;
	struct edge_tried tried;
	struct edge_tried unable; /* of those: who said that it cannot */
	bool marked;            /* the question has a mark of somebody else's, to be passed on */
	uint8_t mark[EDGE_MARK_LEN];
	uint16_t error;         /* rcode of the first server that said that it cannot; 0: none */
	uint16_t error_ede;
	struct flight_try try[FLIGHT_TRIES_MAX];
	uint8_t asked[NAME_LEN_MAX + 1]; /* the name in the case of the first client */
};

struct flights;

/* key: random, for hashing. NULL: out of memory. */
struct flights *flights_new(uint32_t under_way, uint32_t clients, uint64_t key);
void flights_free(struct flights *t);
uint32_t flights_count(const struct flights *t);
uint32_t flights_clients(const struct flights *t);

struct flight *flights_find(struct flights *t, const struct flight_key *key);
/* A new one, zeroed but for its key; `alone`: see above. NULL: too many. */
struct flight *flights_begin(struct flights *t, const struct flight_key *key, bool alone);
/* It is over, with its tries and clients. */
void flights_end(struct flights *t, struct flight *f);
/* Each of them; fn may end the one that it is given. */
typedef void flights_fn(void *ctx, struct flight *f);
void flights_each(struct flights *t, flights_fn *fn, void *ctx);

/* One more waits. The number is free again with flights_end(). FLIGHT_NONE: too many. */
uint32_t flights_add_client(struct flights *t, struct flight *f);
uint32_t flights_next_client(const struct flights *t, uint32_t client); /* FLIGHT_NONE: it was the last; the first is f->first_client */

/* Begin a try, with an id that no other on the same line has; random: some bits. NULL: it has had all its tries, or no id is free. */
struct flight_try *flights_try(struct flights *t, struct flight *f, uint16_t row, uint8_t line, uint32_t random);
/* Whose answer has come. False: nobody's. */
bool flights_of_id(struct flights *t, uint16_t row, uint8_t line, uint16_t id, struct flight **f, struct flight_try **try);

/* When it is to be looked at next; replaces what was before. */
void flights_timer(struct flights *t, struct flight *f, uint64_t at_ns);
/* One whose time has come, and its timer is off; NULL: no more. */
struct flight *flights_due(struct flights *t, uint64_t now_ns);
