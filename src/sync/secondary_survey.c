/* SPDX-License-Identifier: BSD-2-Clause */
/* All zones at a glance: counts, how current the data of each network is, and what follows from that. */
#include "sync/secondary_priv.h"

#include "dns/name.h"

#include <string.h>

/* ---- counts, kept as zones change ---- */

enum { TALLY_HELD = 1, TALLY_SERVING = 2, TALLY_EXPIRED = 4, TALLY_FAILING = 8 };

static uint8_t counts_as(const struct secondary *z)
{
	return (uint8_t)((z->has_version ? TALLY_HELD : 0) | (z->has_version && (!z->expired || z->serve_expired) ? TALLY_SERVING : 0) |
	                 (z->expired ? TALLY_EXPIRED : 0) | (z->failures ? TALLY_FAILING : 0));
}

static void count(size_t *total, uint8_t was, uint8_t is, uint8_t what)
{
	*total += (is & what) == what;
	*total -= (was & what) == what;
}

void secondary_tally(struct secondary_set *set, struct secondary *z, bool in)
{
	struct secondary_currency *n = z->network < SECONDARY_NETWORKS_MAX ? &set->networks[z->network] : NULL;
	uint8_t was = z->counted, is = in ? counts_as(z) : 0;

	z->counted = is;
	count(&set->held, was, is, TALLY_HELD);
	count(&set->serving, was, is, TALLY_SERVING);
	count(&set->expired, was, is, TALLY_EXPIRED);
	count(&set->failing, was, is, TALLY_FAILING);
	if (!n)
		return;
	count(&n->held, was, is, TALLY_HELD);
	count(&n->failing, was, is, TALLY_HELD | TALLY_FAILING);
	if (is & TALLY_HELD && z->has_refreshed && (!n->has_refreshed || z->refreshed_ms > n->refreshed_ms)) {
		n->has_refreshed = true;
		n->refreshed_ms = z->refreshed_ms;
	}
}

void secondary_counts(const struct secondary_set *set, struct secondary_counts *out)
{
	*out = (struct secondary_counts){.zones = set->count - set->removed,
	                                 .serving = set->serving,
	                                 .expired = set->expired,
	                                 .failing = set->failing,
	                                 .empty = set->count - set->removed - set->held,
	                                 .queued = set->queued[0] + set->queued[1],
	                                 .busy = set->busy};
}

void secondary_currency(const struct secondary_set *set, uint32_t network, struct secondary_currency *out)
{
	*out = set->networks[network];
}

/* ---- passes over all ---- */

void secondary_near(const struct secondary_set *set, const uint8_t *near_percent, struct secondary_near *out, size_t count, int64_t now_ms)
{
	memset(out, 0, count * sizeof(*out));
	for (size_t i = 0; i < set->count; i++) {
		const struct secondary *z = set->zones[i];
		struct secondary_near *n;

		if (z->gone || z->network >= count || !z->has_version ||
		    z->expire_at_ms - now_ms > secondary_life_ms(z->refresh_s, z->retry_s, z->expire_s) / 100 * near_percent[z->network])
			continue;
		n = &out[z->network];
		if (!n->count++ || z->expire_at_ms < n->at_ms) {
			n->at_ms = z->expire_at_ms;
			n->apex = z->apex;
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
