/* SPDX-License-Identifier: BSD-2-Clause */
/* One cache is believed at a time, wholly: caches are snapshots of the world at different moments, and a ROA that moved would be
 * seen twice or not at all in a mixture of two. A cache that is lost is replaced by the next that has data, and only when there is
 * none its own last data count until they expire. The end of them makes nothing invalid: it makes it unknown. */
#include "rpki/origin.h"

#include <stdio.h>
#include <string.h>

int origin_pick(const struct origin_cache *caches, size_t count, uint64_t now_ms)
{
	int best = -1;
	bool best_up = false;

	for (size_t i = 0; i < count; i++) {
		bool up = caches[i].rtr->state >= RTR_ASKING;

		if (!rtr_usable(caches[i].rtr, now_ms))
			continue;
		if (best < 0 || (up && !best_up) || (up == best_up && caches[i].preference < caches[best].preference)) {
			best = (int)i;
			best_up = up;
		}
	}
	return best;
}

bool origin_judge(struct origin *o, const struct rtr *rtr, uint64_t now_ms)
{
	enum vrp_state was = o->state;
	char why[VRP_WHY_MAX];

	if (rtr) {
		o->state = vrp_validate(&rtr->have, &o->prefix, o->as, why);
		o->expires_ms = rtr->expires_ms;
	} else if (o->expires_ms > now_ms) {
		return false;
	} else {
		char text[PREFIX_TEXT_MAX];

		snprintf(why, sizeof(why), "%s from AS%u is not validated: no cache has %s",
		         prefix_text(&o->prefix, text), o->as,
		         was == VRP_UNKNOWN && !o->expires_ms
		                 ? "answered yet"
		                 : "answered for so long that its last data no longer count");
		if (was == VRP_UNKNOWN && o->why[0]) /* the reason stays the first one */
			return false;
		o->state = VRP_UNKNOWN;
	}
	if (o->state == was && strcmp(why, o->why) == 0)
		return false;
	if (o->state != was || !o->why[0])
		o->since_ms = now_ms;
	memcpy(o->why, why, sizeof(o->why));
	return true;
}
