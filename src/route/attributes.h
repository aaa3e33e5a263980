/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "bgp/update.h"
#include "config/config.h"
#include "route/decide.h"

#include <stdbool.h>

/* What a neighbor hears of a prefix, by what is decided about its network. Pure.
 *
 *	announce            the neighbor's own attributes
 *	de-prefer           the same, and `de-prefer` on top: reachable here, but better elsewhere
 *	graceful shutdown   the same, and `drain` on top, with 65535:0 (RFC 8326) in any case
 *	withdraw            nothing
 *
 * On top means: communities are added, prepends add up, MED and LOCAL_PREF replace. What a state does not say is as a careful operator would have
 * it: de-prefer prepends 3 towards another AS, within ours it halves LOCAL_PREF (50 of the usual 100); drain sets LOCAL_PREF 0 (RFC 8326 4.3). MED alone
 * moves nothing between different providers (they compare it only among paths of one neighboring AS), so it is no default. */
enum { ATTRIBUTES_DEPREF_PREPEND = 3 };

/* Attributes into *out, whose prefix and next hop are not set; false when nothing is to be announced, *out is untouched then. */
bool attributes_of(const struct config_neighbor *n, bool internal, enum decide_announce state, struct bgp_route *out);
