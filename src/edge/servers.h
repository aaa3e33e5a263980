/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which backend is asked. What one worker knows of each server, and the choice among those of a pool. Pure: time and randomness are given. */
enum {
	EDGE_POOL_SERVERS_MAX = 256,
	EDGE_OPEN_AFTER = 5,            /* failures in a row after which a circuit opens; */
	EDGE_OPEN_SILENT_MS = 300,      /* where it is silence, not before it has lasted so long: of many questions five are lost in a moment */
	EDGE_HOPE_MS = 2000,            /* a silent server is asked for so long yet where there is nobody else */
	EDGE_TRIAL_MIN_MS = 500,        /* pause before the first trial; doubles up to */
	EDGE_TRIAL_MAX_MS = 16000,
	EDGE_TRY_MIN_MS = 50,           /* a try is given up after some multiple of the server's latency, between these */
	EDGE_TRY_MAX_MS = 300,
	EDGE_LATENCY_FIRST_US = 20000,  /* of who has not answered yet, for the timeout */
};

enum edge_policy { EDGE_POLICY_LATENCY, EDGE_POLICY_WEIGHT, EDGE_POLICY_HASH, EDGE_POLICY_ORDERED }; /* as enum config_backend_policy */

struct edge_server {
	uint64_t key;            /* of who it is; 0: the row is free */
	uint32_t weight, limit;  /* of questions at a time, this worker's share */
	uint32_t outstanding;
	uint32_t latency_us;     /* smoothed; 0: it has not answered yet */
	bool down;               /* by watch's checks */
	bool loops;              /* likewise: it leads back here; never asked */
	/* The circuit of this worker: open after failures in a row. One that answers, if with errors, is still better than nobody. */
	bool open, answers;
	uint16_t failures;       /* in a row, */
	uint64_t failing_ns;     /* since then */
	uint32_t pause_ms;
	uint64_t trial_ns;       /* when it may be tried next */
	uint64_t latency_ns;     /* when latency_us was last measured */
};

struct edge_pool {
	enum edge_policy policy;
	uint16_t count;
	uint16_t rows[EDGE_POOL_SERVERS_MAX]; /* places in the table of servers, in the order of the configuration */
};

/* Servers of a pool that a question has been sent to: bits by their place in the pool. */
struct edge_tried { uint64_t bits[EDGE_POOL_SERVERS_MAX / 64]; };
static inline bool edge_tried_has(const struct edge_tried *t, unsigned i)
{
	return t->bits[i / 64] >> i % 64 & 1;
}
static inline void edge_tried_set(struct edge_tried *t, unsigned i)
{
	t->bits[i / 64] |= UINT64_C(1) << i % 64;
}

/* The place in the pool of the server to be asked, but for those tried; -1: nobody may be. hash: of the question. Last resorts, in this order: whose circuit is open for errors it answers; who is
 * down by watch's checks but has not failed us; one that is silent, if not for long yet or a trial is due. *full: somebody would do but for his limit. */
int edge_pool_choose(const struct edge_server *servers, const struct edge_pool *p, const struct edge_tried *tried, uint64_t hash, uint64_t random, uint64_t now_ns, bool *full);
/* Somebody of the pool with an open circuit whose trial is due and who is not down: he gets a copy of a question that goes to another. -1: nobody. */
int edge_pool_trial(const struct edge_server *servers, const struct edge_pool *p, const struct edge_tried *tried, uint64_t now_ns);
/* Nobody of the pool is to be expected to answer: the clients' patience need not be tried. */
bool edge_pool_down(const struct edge_server *servers, const struct edge_pool *p);

/* It is being asked, has answered (with an error that says that it cannot: !good), has not answered in time. An answer that came late counts as one. */
void edge_server_sent(struct edge_server *s, uint64_t now_ns);
void edge_server_answered(struct edge_server *s, bool good, uint64_t took_ns, uint64_t now_ns);
/* It has answered a trial whose question somebody else had answered before: its circuit closes. */
void edge_server_back(struct edge_server *s);
/* Not in time, or the network said no. */
void edge_server_failed(struct edge_server *s, uint64_t now_ns);
/* It says that nobody is there (ICMP): its circuit opens at once. */
void edge_server_refused(struct edge_server *s, uint64_t now_ns);
/* Milliseconds after which another is asked. */
uint32_t edge_server_timeout_ms(const struct edge_server *s);
