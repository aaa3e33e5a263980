/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "xfr/difference.h"
#include "zone/difference.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The last differences of each zone, in memory, for IXFR to others: what the loader applied or found between two versions. Bounded as a whole and for each zone; the oldest
 * go first. What is asked for and is not there any more is answered with the whole zone. Safe for several threads: the loader adds, the loop reads. */
enum {
	HISTORY_ZONE_DIFFERENCES = 100, /* of one zone */
	HISTORY_CHAIN_MAX = HISTORY_ZONE_DIFFERENCES,
	HISTORY_TWICE_MAX = 1024,
};
#define HISTORY_OCTETS_MAX ((uint64_t)128 << 20) /* of all zones, about */

struct history;
struct history_item;

/* octets: NULL or a counter that follows what is held. NULL: out of memory. */
struct history *history_new(uint64_t octets_max, _Atomic uint64_t *octets);
void history_free(struct history *h);
/* The loader has put this change into the version it builds; taken over, also on failure, which forgets the zone's differences. */
void history_add(struct history *h, const uint8_t *apex, struct zone_change *change);
/* The zone's next version does not come by a change that is known. */
void history_forget(struct history *h, const uint8_t *apex);

/* Two versions of the zone have had this serial, since somebody wanted it so: who has it may have either, and is told no differences from there but the whole zone. One serial of
 * each zone is remembered, the last; HISTORY_TWICE_MAX in all. */
void history_twice(struct history *h, const uint8_t *apex, uint32_t serial);
bool history_is_twice(struct history *h, const uint8_t *apex, uint32_t serial);

/* Differences that lead from one serial to another, oldest first. */
struct history_chain {
	struct history_item *items[HISTORY_CHAIN_MAX];
	struct xfr_difference list[HISTORY_CHAIN_MAX];
	size_t count;
	size_t records;
};
/* ERR_NOT_FOUND: it is not known how to get there. On success the chain holds what it refers to until history_release(). */
int history_chain(struct history *h, const uint8_t *apex, uint32_t from, uint32_t to, struct history_chain *out) MUST_CHECK;
void history_release(struct history_chain *c);
