/* SPDX-License-Identifier: BSD-2-Clause */
/* A set may have several signatures, of keys that come and go; a resolver needs one that is good. So a set ends with the signature that lasts longest, and a zone with
 * the set that ends first.
 *
 * Each version in the store carries that moment. A build sees every set and knows it exactly. A change adds the sets it touches; when one goes that ended first,
 * what comes after it is known only by looking at all others, which would cost the zone and not the change: the version then keeps the earlier moment as
 * a bound and says so. Whoever is near that moment looks (signatures_look()); with a signer that renews its signatures days before they end, that is once in days.
 *
 * Signatures of which the key is gone count too: that is DNSSEC's validation, which is not done here. */
#include "zone/signatures.h"

#include "base/err.h"
#include "base/wire.h"
#include "dns/rr.h"

#include <stdlib.h>

void signatures_add(struct signatures *s, uint32_t end)
{
	if (!s->any || !signatures_before(s->end, end)) {
		s->end = end;
		s->exact = true;
	}
	s->any = true;
}

void signatures_remove(struct signatures *s, uint32_t end)
{
	if (s->any && !signatures_before(s->end, end))
		s->exact = false;
}

struct signatures signatures_known(const struct store_zone *z)
{
	return (struct signatures){.any = z->signatures & STORE_SIGNATURES_ANY,
	                           .exact = !(z->signatures & STORE_SIGNATURES_BOUND),
	                           .end = z->signatures_end};
}

static void look_at(const struct store_rrset *set, struct signatures *out)
{
	const uint8_t *p = set->data;
	uint32_t end, last = 0;
	bool any = false;

	for (unsigned i = 0; i < set->count; i++) {
		if (signature_end(p + 2, get_u16(p), &end) && (!any || signatures_before(last, end))) {
			last = end;
			any = true;
		}
		p += 2 + get_u16(p);
	}
	if (any)
		signatures_add(out, last);
}

static void look_through(struct store_walk *walk, const struct store_snapshot *s, struct signatures *out)
{
	const struct store_node *n;

	while ((n = store_walk_next(walk)) != NULL)
		for (unsigned i = 0; i < n->rrsets; i++) {
			const struct store_rrset *set = store_at(s, n->sets[i]);

			if (set->type == RR_RRSIG)
				look_at(set, out);
			if (set->sigs)
				look_at(store_at(s, set->sigs), out);
		}
}

int signatures_look(const struct store_snapshot *s, const struct store_zone *z, struct signatures *out)
{
	struct store_walk *walk = malloc(sizeof(*walk));
	struct signatures found = {.exact = true};

	if (!walk)
		return ERR_NO_MEMORY;
	for (int nsec3 = 0; nsec3 < 2 && z->state == STORE_ZONE_SERVING; nsec3++) {
		store_walk_init(walk, s, z, nsec3);
		look_through(walk, s, &found);
	}
	free(walk);
	*out = found;
	return 0;
}

int64_t signatures_left_s(const struct signatures *s, int64_t now_wall_s)
{
	return (int32_t)(s->end - (uint32_t)now_wall_s);
}
