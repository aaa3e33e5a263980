/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "rpki/rtr.h"
#include "rpki/vrp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is known of one of our prefixes, from several caches, over time. Pure. */
struct origin {
	struct ip_prefix prefix;
	uint32_t as;
	enum vrp_state state;
	uint64_t since_ms;   /* of the state */
	uint64_t expires_ms; /* of what it rests on; then it is VRP_UNKNOWN. 0: it is */
	char why[VRP_WHY_MAX];
};

struct origin_cache {
	const struct rtr *rtr;
	uint32_t preference;
};

/* The cache to believe: of those that are connected and have data that with the lowest preference, then the first; else likewise of those that have data still.
 * -1: none has. */
int origin_pick(const struct origin_cache *caches, size_t count, uint64_t now_ms);
/* Judge anew by this cache; NULL: there is none to believe, and what is known is held until it expires. True when state or sentence changed. */
bool origin_judge(struct origin *o, const struct rtr *rtr, uint64_t now_ms);
