/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "xfr/incoming.h"
#include "zone/difference.h"
#include "zone/store.h"

#include <stddef.h>

/* Some primaries (NSD 4.6) send in a difference, as added, also what the version before has unchanged: the other sets of the apex. RFC 1995 does not
 * provide for it, but what they mean is not in doubt where the record is there to the octet, TTL included. Drop those from difference i, which leads on from the
 * version z, as the changes before it have made it. Returns how many. */
size_t present_drop(struct xfr_in *in, size_t i, const struct zone_change *change, const struct store_snapshot *s, const struct store_zone *z);
