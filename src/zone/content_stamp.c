/* SPDX-License-Identifier: BSD-2-Clause */
/* The two things that a primary writes into a zone which it read from a file: the serial of the SOA, and the ZONEMD record. Both are done in a finished
 * content, whose order they do not disturb: the serial has a place of its own in the SOA's RDATA, and the ZONEMD set is put between the sets of the apex. */
#include "base/err.h"
#include "zone/content_priv.h"

#include <string.h>

enum { SOA_FIXED = 20 /* octets behind the two names, of which the serial is the first four */ };

int content_set_serial(struct content *c, uint32_t serial)
{
	const struct content_rrset *soa = content_soa(c);

	if (!soa || soa->records[0].rdlen < SOA_FIXED + 2)
		return ERR_NOT_FOUND;
	/* It lies in a block of c, which is ours. */
	put_u32((uint8_t *)(uintptr_t)soa->records[0].rdata + soa->records[0].rdlen - SOA_FIXED, serial);
	return 0;
}

/* Where the set is, or belongs: the SOA is first, then they ascend. */
static size_t place_of(const struct content *c, uint16_t type)
{
	size_t i = content_find(c, c->apex.wire);

	while (i < c->rrset_count && name_equal(c->rrsets[i].owner, c->apex.wire) &&
	       (c->rrsets[i].type == RR_SOA || c->rrsets[i].type < type))
		i++;
	return i;
}

static struct content_record *make_record(struct content *c, const uint8_t *rdata, uint16_t len, uint32_t ttl)
{
	const size_t align = _Alignof(struct content_record);
	uint8_t *room = content_take(c, sizeof(struct content_record) + align - 1), *copy = content_take(c, len);
	struct content_record *r;

	if (!room || !copy)
		return NULL;
	memcpy(copy, rdata, len);
	r = (struct content_record *)(void *)(((uintptr_t)room + align - 1) & ~(uintptr_t)(align - 1));
	*r = (struct content_record){.rdata = copy, .rdlen = len, .ttl = ttl, .type = RR_ZONEMD};
	return r;
}

int content_put_zonemd(struct content *c, const uint8_t *rdata, uint16_t len)
{
	const struct content_rrset *soa = content_soa(c);
	struct content_rrset made, *set;
	struct content_record *r;
	bool there;
	size_t at;
	int err;

	if (!soa)
		return ERR_NOT_FOUND;
	/* A verifier needs both, so one is not to be cached for longer than the other. */
	made = (struct content_rrset){.owner = soa->owner, .ttl = soa->ttl, .count = 1, .type = RR_ZONEMD};
	at = place_of(c, RR_ZONEMD);
	set = at < c->rrset_count ? &c->rrsets[at] : NULL;
	there = set && set->type == RR_ZONEMD && name_equal(set->owner, c->apex.wire);
	if (there && set->count == 1 && set->records[0].rdlen == len && set->ttl == made.ttl) {
		memcpy((uint8_t *)(uintptr_t)set->records[0].rdata, rdata, len);
		return 0;
	}
	r = make_record(c, rdata, len, made.ttl);
	if (!r)
		return ERR_NO_MEMORY;
	made.records = r;
	if (there) {
		c->record_count -= set->count;
	} else {
		err = content_grow(&c->rrsets, &c->rrset_cap, c->rrset_count, sizeof(*c->rrsets));
		if (err)
			return err;
		set = &c->rrsets[at];
		memmove(set + 1, set, (c->rrset_count - at) * sizeof(*set));
		c->rrset_count++;
	}
	*set = made;
	c->record_count++;
	return 0;
}
