/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/present.h"

#include <string.h>

struct present {
	const struct zone_change *change;
	const struct store_snapshot *store;
	const struct store_zone *zone;
};

static bool has_record(const struct store_rrset *set, const struct rr *rr)
{
	const uint8_t *p = set->data;

	if (set->ttl != rr->ttl)
		return false;
	for (unsigned i = 0; i < set->count; i++, p += 2 + get_u16(p))
		if (get_u16(p) == rr->rdlen && memcmp(p + 2, rr->rdata, rr->rdlen) == 0)
			return true;
	return false;
}

/* Signatures hang on the set they cover. */
static bool node_has(const struct store_snapshot *s, const struct store_node *n, const struct rr *rr)
{
	for (unsigned i = 0; n && i < n->rrsets; i++) {
		const struct store_rrset *set = store_at(s, n->sets[i]);

		if (rr->type == RR_RRSIG && set->sigs && has_record(store_at(s, set->sigs), rr))
			return true;
		if (set->type == rr->type && has_record(set, rr))
			return true;
	}
	return false;
}

/* What is deleted first and then added is replaced. */
static bool is_removed(const struct content *c, const struct rr *rr)
{
	for (size_t i = content_find(c, rr->owner); i < content_rrset_count(c) && name_equal(content_rrset(c, i)->owner, rr->owner); i++) {
		const struct content_rrset *set = content_rrset(c, i);

		for (uint32_t k = 0; set->type == rr->type && k < set->count; k++)
			if (set->records[k].rdlen == rr->rdlen && memcmp(set->records[k].rdata, rr->rdata, rr->rdlen) == 0)
				return true;
	}
	return false;
}

static bool is_present(void *ctx, const struct rr *rr)
{
	const struct present *p = ctx;
	struct store_lookup look;

	store_lookup(p->store, p->zone, rr->owner, &look);
	if (!node_has(p->store, look.node, rr) && !node_has(p->store, store_nsec3_node(p->store, p->zone, rr->owner), rr))
		return false;
	return !is_removed(p->change->removed, rr);
}

size_t present_drop(struct xfr_in *in, size_t i, const struct zone_change *change, const struct store_snapshot *s, const struct store_zone *z)
{
	struct present p = {change, s, z};

	return xfr_in_drop_added(in, i, is_present, &p);
}
