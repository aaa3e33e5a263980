/* SPDX-License-Identifier: BSD-2-Clause */
/* The caller states what it wants announced, whenever it likes; the session pulls one message at a time while it has room to send.
 * So nothing is queued per change: however often the wish changes while a peer does not read, the difference to what it was told
 * stays bounded by this table, and the newest wish is what goes out. */
#include "bgp/announce.h"

#include "base/err.h"

#include <string.h>

void bgp_rib_init(struct bgp_rib *rib)
{
	memset(rib, 0, sizeof(*rib));
}

static struct bgp_rib_entry *find(struct bgp_rib *rib, const struct ip_prefix *p)
{
	for (size_t i = 0; i < rib->count; i++) {
		struct bgp_rib_entry *e = &rib->entries[i];
		const struct ip_prefix *q = e->wanted ? &e->want.prefix : &e->have.prefix;

		if (q->len == p->len && addr_equal(&q->addr, &p->addr))
			return e;
	}
	return NULL;
}

/* Entries nobody wants and nobody was told of go. */
static void sweep(struct bgp_rib *rib)
{
	size_t kept = 0;

	for (size_t i = 0; i < rib->count; i++) {
		if (!rib->entries[i].wanted && !rib->entries[i].told)
			continue;
		if (kept != i)
			rib->entries[kept] = rib->entries[i];
		kept++;
	}
	rib->count = kept;
}

int bgp_rib_want(struct bgp_rib *rib, const struct bgp_route *routes, size_t count)
{
	if (count > BGP_ROUTES_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < count; i++) {
		if (!bgp_route_valid(&routes[i]))
			return ERR_INVALID;
		for (size_t j = 0; j < i; j++)
			if (routes[i].prefix.len == routes[j].prefix.len &&
			    addr_equal(&routes[i].prefix.addr, &routes[j].prefix.addr))
				return ERR_INVALID;
	}
	for (size_t i = 0; i < rib->count; i++) {
		struct bgp_rib_entry *e = &rib->entries[i];

		if (e->wanted && !e->told)
			e->have.prefix = e->want.prefix; /* find() may still need it */
		e->wanted = false;
	}
	for (size_t i = 0; i < count; i++) {
		struct bgp_rib_entry *e = find(rib, &routes[i].prefix);

		if (!e) {
			sweep(rib);
			e = &rib->entries[rib->count++];
			*e = (struct bgp_rib_entry){0};
		}
		e->wanted = true;
		e->want = routes[i];
	}
	sweep(rib);
	rib->wanted = count;
	return 0;
}

void bgp_rib_up(struct bgp_rib *rib, uint8_t families, const struct bgp_peering *p)
{
	bgp_rib_down(rib);
	rib->up = true;
	rib->families = families;
	rib->end_of_rib = families;
	rib->peering = *p;
}

void bgp_rib_down(struct bgp_rib *rib)
{
	for (size_t i = 0; i < rib->count; i++)
		rib->entries[i].told = rib->entries[i].resend = false;
	rib->up = false;
	rib->families = 0;
	rib->end_of_rib = 0;
	rib->told = 0;
	sweep(rib);
}

void bgp_rib_refresh(struct bgp_rib *rib, uint8_t family)
{
	for (size_t i = 0; i < rib->count; i++) {
		struct bgp_rib_entry *e = &rib->entries[i];

		if (e->told && bgp_route_family(&e->have) & family)
			e->resend = true;
	}
}

/* Wanted, of a negotiated family, and with a next hop. */
static bool sendable(const struct bgp_rib *rib, const struct bgp_rib_entry *e)
{
	struct ip_addr nh;

	return e->wanted && bgp_route_family(&e->want) & rib->families && bgp_route_next_hop(&e->want, &rib->peering, &nh);
}

static bool withdraw_next(struct bgp_rib *rib, struct writer *w)
{
	for (size_t i = 0; i < rib->count; i++) {
		struct bgp_rib_entry *e = &rib->entries[i];

		if (!e->told || sendable(rib, e))
			continue;
		bgp_update_withdraw(w, &e->have.prefix);
		e->told = e->resend = false;
		rib->told--;
		rib->withdrawn++;
		sweep(rib);
		return true;
	}
	return false;
}

static bool announce_next(struct bgp_rib *rib, struct writer *w)
{
	for (size_t i = 0; i < rib->count; i++) {
		struct bgp_rib_entry *e = &rib->entries[i];

		if (!sendable(rib, e) || (e->told && !e->resend && bgp_route_equal(&e->want, &e->have)))
			continue;
		bgp_update_announce(w, &e->want, &rib->peering);
		rib->told += !e->told;
		rib->announced++;
		e->have = e->want;
		e->told = true;
		e->resend = false;
		return true;
	}
	return false;
}

bool bgp_rib_next(struct bgp_rib *rib, struct writer *w)
{
	if (!rib->up)
		return false;
	if (withdraw_next(rib, w) || announce_next(rib, w))
		return true;
	for (uint8_t f = BGP_IPV4; f <= BGP_IPV6; f = (uint8_t)(f << 1)) {
		if (rib->end_of_rib & f) {
			bgp_update_end_of_rib(w, (enum bgp_family)f);
			rib->end_of_rib &= (uint8_t)~f;
			return true;
		}
	}
	return false;
}

uint8_t bgp_rib_unsendable(const struct bgp_rib *rib)
{
	uint8_t mask = 0;

	for (size_t i = 0; i < rib->count; i++) {
		const struct bgp_rib_entry *e = &rib->entries[i];

		if (rib->up && e->wanted && bgp_route_family(&e->want) & rib->families && !sendable(rib, e))
			mask |= bgp_route_family(&e->want);
	}
	return mask;
}
