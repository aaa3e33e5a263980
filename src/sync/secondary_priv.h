/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/arena.h"
#include "sync/secondary.h"

/* What the files of secondary.h share: secondary.c. */
enum { SECONDARY_SOURCE_BUCKETS = 1024 };

struct secondary_queue {
	struct secondary *first, **last;
};

/* Primaries as one or many zones have them. */
struct secondary_endpoints {
	struct secondary_endpoints *next;
	size_t count;
	struct endpoint list[];
};

struct secondary_source {
	struct endpoint at;
	struct secondary_endpoints *lists; /* that begin with it */
	unsigned busy;
	struct secondary_queue queue[2];              /* [1]: urgent */
	struct secondary_source *chain;     /* of its bucket */
};

struct secondary_set {
	struct arena arena;
	uint64_t seed;
	uint8_t key[16];                      /* of the table */
	struct secondary **zones;             /* those of the set in canonical order, then those added since */
	size_t count, admitted, removed, cap; /* removed: those that are gone and still in the list */
	struct secondary **table;             /* open addressing by name */
	size_t table_size;                    /* a power of two */
	struct secondary **heap;
	size_t heap_count, heap_cap;
	struct secondary_source **sources;
	size_t source_count, source_cap, cursor;
	struct secondary_source *buckets[SECONDARY_SOURCE_BUCKETS];
	size_t queued[2];
	unsigned busy;
	int64_t tokens_ms;                  /* routine starts are paid up to here */
	size_t serving, expired, failing, held; /* of those in the heap, as their `counted` says */
	struct secondary_currency networks[SECONDARY_NETWORKS_MAX];
};

/* secondary.c: 0 .. n-1: the same for the same seed, zone and turn. */
int64_t secondary_chance(const struct secondary_set *set, struct secondary *z, int64_t n);
/* It is busy no more, if it was. */
void secondary_leave(struct secondary_set *set, struct secondary *z);

/* ---- secondary_zones.c ---- */

void secondary_zone_free(struct secondary *z);

/* ---- secondary_survey.c ---- */

/* What it counts as may have changed; in: it counts at all. */
void secondary_tally(struct secondary_set *set, struct secondary *z, bool in);

/* ---- secondary_order.c ---- */

/* When something is to be done about z that does not queue, INT64_MAX: never. */
int64_t secondary_wants_at(const struct secondary *z);
/* After anything that secondary_wants_at() or a count depends on. */
void secondary_changed(struct secondary_set *set, struct secondary *z);
/* Room in the heap is the caller's to make. */
void secondary_heap_in(struct secondary_set *set, struct secondary *z);
void secondary_heap_out(struct secondary_set *set, struct secondary *z);
/* To the end of its source's queue, as urgent as it is. */
void secondary_enqueue(struct secondary_set *set, struct secondary *z);
/* The first of a queue that is not empty. */
struct secondary *secondary_dequeue(struct secondary_set *set, struct secondary_queue *q, bool urgent);
/* It queues as urgent, unless it is busy. */
void secondary_hurry(struct secondary_set *set, struct secondary *z);
