/* SPDX-License-Identifier: BSD-2-Clause */
/* A set may have several signatures, of keys that come and go; a resolver needs one that is good. So a set ends with the signature that lasts longest, and a zone with
 * the set that ends first.
 *
 * Each version in the store carries that moment. A build sees every set and knows it exactly. A change adds the sets it touches; when one goes that ended first,
 * what comes after it is known only by looking at all others, which would cost the zone and not the change: the version then keeps the earlier moment as
 * a bound and says so. Whoever is near that moment looks (signatures_look()); with a signer that renews its signatures days before they end, that is once in days.
 *
 * Steered names have VARIANT records beside: each is the signature of one of the sets that they may be answered with (steer/records.h). When such a set has no good one any more, its answers are
 * refused by resolvers as any are, so it counts as a set does. The type is of private use: records of it that are nothing of the kind do not count.
 *
 * Signatures of which the key is gone count too: that is DNSSEC's validation, which is not done here. */
#include "zone/signatures.h"

#include "base/err.h"
#include "base/wire.h"
#include "dns/rr.h"

#include <stdlib.h>
#include <string.h>

enum { VARIANT_HASH = 8 /* octets before the RRSIG */, RRSIG_HEAD = 18 };

void signature_set_add(struct signature_set *s, const uint8_t *rdata, uint16_t rdlen)
{
	uint32_t end;

	if (s->type == RR_VARIANT) {
		uint16_t covers;

		if (rdlen < VARIANT_HASH + RRSIG_HEAD)
			return;
		covers = get_u16(rdata + VARIANT_HASH);
		if ((covers != RR_A && covers != RR_AAAA && covers != RR_CNAME) || rdata_check(RR_RRSIG, rdata + VARIANT_HASH, rdlen - (size_t)VARIANT_HASH) < 0)
			return;
		if (s->any && memcmp(s->of, rdata, VARIANT_HASH) != 0) {
			s->end = s->ended && signatures_before(s->end, s->last) ? s->end : s->last;
			s->ended = true;
			s->any = false;
		}
		memcpy(s->of, rdata, VARIANT_HASH);
		rdata += VARIANT_HASH;
	} else if (rdlen < RRSIG_HEAD) {
		return;
	}
	end = get_u32(rdata + 8);
	if (!s->any || signatures_before(s->last, end))
		s->last = end;
	s->any = true;
}

bool signature_set_end(const struct signature_set *s, uint32_t *end)
{
	if (!s->any)
		return false;
	*end = s->ended && signatures_before(s->end, s->last) ? s->end : s->last;
	return true;
}

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
	struct signature_set sigs = {.type = set->type};
	const uint8_t *p = set->data;
	uint32_t end;

	for (unsigned i = 0; i < set->count; i++) {
		signature_set_add(&sigs, p + 2, get_u16(p));
		p += 2 + get_u16(p);
	}
	if (signature_set_end(&sigs, &end))
		signatures_add(out, end);
}

static void look_through(struct store_walk *walk, const struct store_snapshot *s, struct signatures *out)
{
	const struct store_node *n;

	while ((n = store_walk_next(walk)) != NULL)
		for (unsigned i = 0; i < n->rrsets; i++) {
			const struct store_rrset *set = store_at(s, n->sets[i]);

			if (signature_set_counts(set->type))
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
