/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "route/decide.h"

#include <stdbool.h>
#include <stdint.h>

/* An order to drain one neighbor (`zonecast drain ADDRESS`): what is announced to it gets graceful shutdown (RFC 8326) for a while, then it is
 * withdrawn from this session alone, which stays up. Pure. */
struct leave {
	uint64_t since_ms; /* of the order; 0: there is none */
	bool done;         /* withdrawn */
};

/* True when what the neighbor is to hear has changed. */
bool leave_step(struct leave *l, bool ordered, uint32_t drain_ms, uint64_t now_ms);
/* What of the network's decision reaches the neighbor. */
enum decide_announce leave_limit(const struct leave *l, enum decide_announce decided);
