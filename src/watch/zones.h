/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "dns/name.h"
#include "health/probe_dns.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stdint.h>

/* Which zone to ask for next, and what its SOA is. Zones without data (STORE_ZONE_NO_DATA) are passed over: they answer SERVFAIL by
 * right, either for the moment between being configured and being loaded, or because their file has never loaded. One bad file that
 * was added everywhere must not withdraw every node; that a node does not begin to announce before all its zones are loaded is
 * route's rule. */
enum {
	ZONES_STEPS_MAX = 256, /* zones of other networks passed over in one call; the rest next time */
};

enum zones_pick {
	ZONES_FOUND,
	ZONES_NONE,      /* a whole round through the store met no zone of the network */
	ZONES_SEARCHING, /* none within ZONES_STEPS_MAX, ask again */
};

/* A place in the endless round through the zones of one network. Zeroed at start. A name and not a reference: zones come and go. */
struct zones_cursor {
	bool inside;      /* `last` is valid */
	bool none;        /* the last whole round met none */
	uint64_t found;   /* in this round */
	struct name last;
};

/* The next zone of the network (index in the configuration) after the cursor. */
enum zones_pick zones_next(struct zones_cursor *c, const struct store_snapshot *s, uint32_t network, struct name *apex);
/* Is it a zone of the network now, with data? */
bool zones_has(const struct store_snapshot *s, uint32_t network, const uint8_t *apex);
/* Its SOA now; not known when there is no such zone or it has no data. */
void zones_soa(const struct store_snapshot *s, const uint8_t *apex, struct probe_soa *out);
