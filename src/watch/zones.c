/* SPDX-License-Identifier: BSD-2-Clause */
#include "watch/zones.h"

#include "base/wire.h"
#include "dns/rr.h"

static bool to_ask(const struct store_zone *z, uint32_t network)
{
	return z->network == network && z->state == STORE_ZONE_SERVING;
}

enum zones_pick zones_next(struct zones_cursor *c, const struct store_snapshot *s, uint32_t network, struct name *apex)
{
	bool wrapped = false;

	for (unsigned step = 0; step < ZONES_STEPS_MAX; step++) {
		const struct store_zone *z = store_zone_next(s, c->inside ? c->last.wire : NULL);

		if (!z) {
			c->none = c->found == 0;
			c->inside = false;
			c->found = 0;
			if (c->none || wrapped)
				break;
			wrapped = true;
			continue;
		}
		name_copy(&c->last, store_zone_apex(z));
		c->inside = true;
		if (to_ask(z, network)) {
			c->found++;
			c->none = false;
			name_copy(apex, store_zone_apex(z));
			return ZONES_FOUND;
		}
	}
	return c->none ? ZONES_NONE : ZONES_SEARCHING;
}

bool zones_has(const struct store_snapshot *s, uint32_t network, const uint8_t *apex)
{
	const struct store_zone *z = store_zone_get(s, apex);

	return z && to_ask(z, network);
}

void zones_soa(const struct store_snapshot *s, const uint8_t *apex, struct probe_soa *out)
{
	const struct store_zone *z = store_zone_get(s, apex);
	const struct store_node *node = z && z->state == STORE_ZONE_SERVING ? store_at(s, z->apex) : NULL;
	const struct store_rrset *set = node ? store_rrset_of(s, node, RR_SOA) : NULL;

	out->known = false;
	if (set && set->size >= 2 && get_u16(set->data) <= set->size - 2)
		probe_soa_set(out, set->data + 2, get_u16(set->data));
}
