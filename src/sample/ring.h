/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The query log sample: the last SAMPLE_RING queries that were sampled, of each answer worker. */
enum {
	SAMPLE_QUERY_MAX = 432, /* octets of a query that are kept; a name and its options fit */
	SAMPLE_RING = 1024,     /* entries a worker; a power of two */
};

/* One query and what became of it. Codes are those of whoever writes and reads; this module only carries them. */
struct sample {
	uint64_t wall_us;     /* since 1970, when it was taken up */
	uint32_t duration_ns; /* until the answer was made; UINT32_MAX: that or longer */
	uint16_t query_len;   /* as it came; query holds the first SAMPLE_QUERY_MAX octets */
	uint16_t answer_len;  /* 0: not answered */
	uint16_t rcode;
	uint16_t ede;         /* extended error, 0xffff: none (RFC 8914) */
	uint16_t port;        /* of the client */
	uint8_t family;       /* of the client: 4 or 6 */
	uint8_t transport, truncated, filtered, limited, cookie;
	uint8_t client[16];   /* network order */
	uint8_t query[SAMPLE_QUERY_MAX];
};

/* Rings of `workers` workers in shared memory. */
struct sample_rings;

size_t sample_rings_size(unsigned workers);
/* Empty rings in memory of sample_rings_size(workers) octets, aligned to 64. */
void sample_rings_init(void *memory, unsigned workers);
/* The rings in mapped memory of len octets. ERR_STALE when there are none that fit. */
int sample_rings_open(void *memory, size_t len, struct sample_rings **out) MUST_CHECK;
unsigned sample_rings_workers(const struct sample_rings *r);

/* Only by the worker itself. Takes the place of its oldest entry. */
void sample_put(struct sample_rings *r, unsigned worker, const struct sample *s);

/* Entries that the worker has ever put: the numbers of its entries are below that. */
uint64_t sample_count(const struct sample_rings *r, unsigned worker);
/* Entry number n of the worker. False when it is not there any more (overwritten, now or while it was read), or not yet. */
bool sample_get(const struct sample_rings *r, unsigned worker, uint64_t n, struct sample *out) MUST_CHECK;

/* Which queries are taken: one in `every` (0: none), at distances drawn evenly from 1 to 2 * every - 1, so that traffic with a beat is
 * not sampled by its beat. */
struct sample_pace {
	uint64_t state; /* of the generator; seed with anything */
	uint32_t every;
	uint32_t left;
};
void sample_pace_set(struct sample_pace *p, uint32_t every, uint64_t seed);
uint32_t sample_pace_next(struct sample_pace *p);

static inline bool sample_due(struct sample_pace *p)
{
	if (!p->every || --p->left)
		return false;
	p->left = sample_pace_next(p);
	return true;
}
