/* SPDX-License-Identifier: BSD-2-Clause */
/* All zones at a glance: counts, how current the data of each network is, and what follows from that. */
#include "sync/secondary_priv.h"

#include "dns/name.h"

#include <string.h>

void secondary_counts(const struct secondary_set *set, struct secondary_counts *out)
{
	*out = (struct secondary_counts){.zones = set->count - set->removed,
	                                 .queued = set->queued[0] + set->queued[1],
	                                 .busy = set->busy};
	for (size_t i = 0; i < set->count; i++) {
		const struct secondary *z = set->zones[i];

		if (z->gone)
			continue;
		out->serving += z->has_version && (!z->expired || z->serve_expired);
		out->expired += z->expired;
		out->failing += z->failures > 0;
		out->empty += !z->has_version;
	}
}

void secondary_currencies(const struct secondary_set *set, const uint8_t *near_percent, struct secondary_currency *out, size_t count, int64_t now_ms)
{
	memset(out, 0, count * sizeof(*out));
	for (size_t i = 0; i < set->count; i++) {
		const struct secondary *z = set->zones[i];
		struct secondary_currency *c;

		if (z->gone || z->network >= count || !z->has_version)
			continue;
		c = &out[z->network];
		c->held++;
		c->failing += z->failures > 0;
		if (z->has_refreshed && (!c->has_refreshed || z->refreshed_ms > c->refreshed_ms)) {
			c->has_refreshed = true;
			c->refreshed_ms = z->refreshed_ms;
		}
		if (z->expire_at_ms - now_ms > secondary_life_ms(z->refresh_s, z->retry_s, z->expire_s) / 100 * near_percent[z->network])
			continue;
		if (!c->near++ || z->expire_at_ms < c->near_at_ms) {
			c->near_at_ms = z->expire_at_ms;
			c->near_apex = z->apex;
		}
	}
}

static bool may_be_asked(const struct secondary *z, uint32_t network)
{
	return !z->gone && z->network == network && z->has_version && z->phase != SECONDARY_BUSY;
}

struct secondary *secondary_turn(const struct secondary_set *set, const uint8_t *after, uint32_t network)
{
	size_t low = 0, high = set->admitted;

	while (after && low < high) {
		size_t mid = low + (high - low) / 2;

		if (name_compare(set->zones[mid]->apex, after) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t i = low; i < set->admitted; i++)
		if (may_be_asked(set->zones[i], network))
			return set->zones[i];
	for (size_t i = 0; i < low; i++)
		if (may_be_asked(set->zones[i], network))
			return set->zones[i];
	return NULL;
}

void secondary_retry(struct secondary_set *set, const struct secondary *z, int64_t now_ms)
{
	int64_t spread = MIN((int64_t)set->count * 5, (int64_t)SECONDARY_START_SPREAD_MS);

	for (size_t i = 0; i < set->admitted; i++) {
		struct secondary *one = set->zones[i];

		if (one->gone || one->source != z->source || one->phase != SECONDARY_WAITING || !one->failures || one->due_ms <= now_ms + spread)
			continue;
		one->due_ms = now_ms + secondary_chance(set, one, spread);
		secondary_changed(set, one);
	}
}
