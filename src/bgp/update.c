/* SPDX-License-Identifier: BSD-2-Clause */
/* UPDATE messages, one prefix in each: a node announces a handful, so packing several into one would save nothing and would tie
 * their fates. RFC 4271 4.3 and 5, RFC 4760, RFC 1997 communities, RFC 8092 large communities, RFC 4724 2 End-of-RIB, RFC 8950 IPv6 next hops of
 * IPv4 prefixes, RFC 9234 5 OTC. AS numbers
 * are always four octets wide: the state machine refuses a peer that cannot read them. */
#include "bgp/update.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	ATTR_OPTIONAL = 0x80,
	ATTR_TRANSITIVE = 0x40,
	ATTR_ORIGIN = 1,
	ATTR_AS_PATH = 2,
	ATTR_NEXT_HOP = 3,
	ATTR_MED = 4,
	ATTR_LOCAL_PREF = 5,
	ATTR_COMMUNITIES = 8,
	ATTR_MP_REACH = 14,
	ATTR_MP_UNREACH = 15,
	ATTR_LARGE_COMMUNITIES = 32,
	ATTR_ONLY_TO_CUSTOMER = 35,
	ORIGIN_IGP = 0,
	AS_SEQUENCE = 2,
	SAFI_UNICAST = 1,
};

/* One length octet is enough for each attribute, and the longest message fits what callers keep free. */
_Static_assert(2 + 4 * (1 + BGP_PREPEND_MAX) <= 255, "AS_PATH");
_Static_assert(4 * BGP_COMMUNITIES_MAX <= 255 && 12 * BGP_LARGE_COMMUNITIES_MAX <= 255, "communities");
_Static_assert(BGP_UPDATE_MIN + (3 + 5 + 32 + 17) + 4 + (3 + 2 + 4 * (1 + BGP_PREPEND_MAX)) + 7 + 7 +
                       (3 + 4 * BGP_COMMUNITIES_MAX) + (3 + 12 * BGP_LARGE_COMMUNITIES_MAX) + 7 <=
                   BGP_UPDATE_LEN_MAX,
               "BGP_UPDATE_LEN_MAX");

uint8_t bgp_route_family(const struct bgp_route *r)
{
	return r->prefix.addr.family == 4 ? BGP_IPV4 : BGP_IPV6;
}

static bool prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len == b->len && addr_equal(&a->addr, &b->addr);
}

bool bgp_route_equal(const struct bgp_route *a, const struct bgp_route *b)
{
	if (!prefix_equal(&a->prefix, &b->prefix) || !addr_equal(&a->next_hop, &b->next_hop) ||
	    a->prepend != b->prepend || a->has_med != b->has_med || (a->has_med && a->med != b->med) ||
	    a->has_local_pref != b->has_local_pref || (a->has_local_pref && a->local_pref != b->local_pref) || a->community_count != b->community_count || a->large_count != b->large_count)
		return false;
	return memcmp(a->communities, b->communities, a->community_count * sizeof(a->communities[0])) == 0 &&
	       memcmp(a->large, b->large, a->large_count * sizeof(a->large[0])) == 0;
}

bool bgp_route_valid(const struct bgp_route *r)
{
	uint8_t family = r->prefix.addr.family;

	return (family == 4 || family == 6) && r->prefix.len <= (family == 4 ? 32 : 128) &&
	       (r->next_hop.family == 0 || r->next_hop.family == family) && r->prepend <= BGP_PREPEND_MAX &&
	       r->community_count <= BGP_COMMUNITIES_MAX && r->large_count <= BGP_LARGE_COMMUNITIES_MAX;
}

bool bgp_route_add_community(struct bgp_route *r, uint32_t community)
{
	for (unsigned i = 0; i < r->community_count; i++)
		if (r->communities[i] == community)
			return true;
	if (r->community_count >= BGP_COMMUNITIES_MAX)
		return false;
	r->communities[r->community_count++] = community;
	return true;
}

bool bgp_route_add_large(struct bgp_route *r, const struct bgp_large_community *large)
{
	for (unsigned i = 0; i < r->large_count; i++)
		if (memcmp(&r->large[i], large, sizeof(*large)) == 0)
			return true;
	if (r->large_count >= BGP_LARGE_COMMUNITIES_MAX)
		return false;
	r->large[r->large_count++] = *large;
	return true;
}

bool bgp_route_next_hop(const struct bgp_route *r, const struct bgp_peering *p, struct ip_addr *out)
{
	bool v4 = bgp_route_family(r) == BGP_IPV4 && (p->next_hop_v4.family || !p->v4_by_v6);
	const struct ip_addr *a = r->next_hop.family ? &r->next_hop : v4 ? &p->next_hop_v4 : &p->next_hop_v6;

	if (!a->family)
		return false;
	*out = *a;
	return true;
}

static void attr(struct writer *w, uint8_t flags, uint8_t type, size_t len)
{
	writer_u8(w, flags);
	writer_u8(w, type);
	writer_u8(w, (uint8_t)len);
}

static void nlri(struct writer *w, const struct ip_prefix *p)
{
	writer_u8(w, p->len);
	writer_bytes(w, p->addr.bytes, (p->len + 7u) / 8);
}

static size_t nlri_len(const struct ip_prefix *p)
{
	return 1 + (p->len + 7u) / 8;
}

/* RFC 2545 3: the link-local address goes along when the peer is on that link. */
static bool with_link(const struct bgp_route *r, const struct bgp_peering *p)
{
	return p->next_hop_v6_link.family == 6 && !r->next_hop.family;
}

static void mp_reach(struct writer *w, const struct bgp_route *r, const struct bgp_peering *p, const struct ip_addr *nh)
{
	bool link = with_link(r, p);
	size_t nh_len = link ? 32 : 16;

	attr(w, ATTR_OPTIONAL, ATTR_MP_REACH, 2 + 1 + 1 + nh_len + 1 + nlri_len(&r->prefix));
	writer_u16(w, bgp_family_afi((enum bgp_family)bgp_route_family(r)));
	writer_u8(w, SAFI_UNICAST);
	writer_u8(w, (uint8_t)nh_len);
	writer_bytes(w, nh->bytes, 16);
	if (link)
		writer_bytes(w, p->next_hop_v6_link.bytes, 16);
	writer_u8(w, 0); /* reserved */
	nlri(w, &r->prefix);
}

static void as_path(struct writer *w, const struct bgp_route *r, const struct bgp_peering *p)
{
	unsigned count = 1u + r->prepend;

	if (p->internal) { /* RFC 4271 5.1.2: empty for a route that begins here */
		attr(w, ATTR_TRANSITIVE, ATTR_AS_PATH, 0);
		return;
	}
	attr(w, ATTR_TRANSITIVE, ATTR_AS_PATH, 2 + 4 * (size_t)count);
	writer_u8(w, AS_SEQUENCE);
	writer_u8(w, (uint8_t)count);
	for (unsigned i = 0; i < count; i++)
		writer_u32(w, p->local_as);
}

static void communities(struct writer *w, const struct bgp_route *r)
{
	if (r->community_count) {
		attr(w, ATTR_OPTIONAL | ATTR_TRANSITIVE, ATTR_COMMUNITIES, 4u * r->community_count);
		for (unsigned i = 0; i < r->community_count; i++)
			writer_u32(w, r->communities[i]);
	}
	if (r->large_count) {
		attr(w, ATTR_OPTIONAL | ATTR_TRANSITIVE, ATTR_LARGE_COMMUNITIES, 12u * r->large_count);
		for (unsigned i = 0; i < r->large_count; i++) {
			writer_u32(w, r->large[i].global);
			writer_u32(w, r->large[i].local1);
			writer_u32(w, r->large[i].local2);
		}
	}
}

static uint32_t local_pref(const struct bgp_route *r)
{
	return r->has_local_pref ? r->local_pref : BGP_LOCAL_PREF_DEFAULT;
}

/* Where the two-octet length of the path attributes goes, to be filled by attributes_end(). */
static size_t attributes_begin(struct writer *w)
{
	writer_u16(w, 0);
	return w->pos;
}

static void attributes_end(struct writer *w, size_t start)
{
	if (writer_ok(w))
		put_u16(w->base + start - 2, (uint16_t)(w->pos - start));
}

void bgp_update_announce(struct writer *w, const struct bgp_route *r, const struct bgp_peering *p)
{
	struct ip_addr nh;
	size_t start, attributes;
	bool v4; /* in the classic form */

	if (!bgp_route_valid(r) || !bgp_route_next_hop(r, p, &nh)) {
		w->failed = true;
		return;
	}
	v4 = nh.family == 4;
	start = bgp_message_begin(w, BGP_UPDATE);
	writer_u16(w, 0); /* no withdrawn routes */
	attributes = attributes_begin(w);
	if (!v4)
		mp_reach(w, r, p, &nh);
	attr(w, ATTR_TRANSITIVE, ATTR_ORIGIN, 1);
	writer_u8(w, ORIGIN_IGP);
	as_path(w, r, p);
	if (v4) {
		attr(w, ATTR_TRANSITIVE, ATTR_NEXT_HOP, 4);
		writer_bytes(w, nh.bytes, 4);
	}
	if (r->has_med) {
		attr(w, ATTR_OPTIONAL, ATTR_MED, 4);
		writer_u32(w, r->med);
	}
	if (p->internal) {
		attr(w, ATTR_TRANSITIVE, ATTR_LOCAL_PREF, 4);
		writer_u32(w, local_pref(r));
	}
	communities(w, r);
	if (p->only_to_customer) {
		attr(w, ATTR_OPTIONAL | ATTR_TRANSITIVE, ATTR_ONLY_TO_CUSTOMER, 4);
		writer_u32(w, p->local_as);
	}
	attributes_end(w, attributes);
	if (v4)
		nlri(w, &r->prefix);
	bgp_message_end(w, start);
}

void bgp_update_withdraw(struct writer *w, const struct ip_prefix *prefix)
{
	size_t start = bgp_message_begin(w, BGP_UPDATE);

	if (prefix->addr.family == 4) {
		writer_u16(w, (uint16_t)nlri_len(prefix));
		nlri(w, prefix);
		writer_u16(w, 0);
	} else {
		writer_u16(w, 0);
		writer_u16(w, (uint16_t)(3 + 3 + nlri_len(prefix)));
		attr(w, ATTR_OPTIONAL, ATTR_MP_UNREACH, 3 + nlri_len(prefix));
		writer_u16(w, bgp_family_afi(BGP_IPV6));
		writer_u8(w, SAFI_UNICAST);
		nlri(w, prefix);
	}
	bgp_message_end(w, start);
}

void bgp_update_end_of_rib(struct writer *w, enum bgp_family family)
{
	size_t start = bgp_message_begin(w, BGP_UPDATE);

	writer_u16(w, 0);
	if (family == BGP_IPV4) {
		writer_u16(w, 0);
	} else {
		writer_u16(w, 6);
		attr(w, ATTR_OPTIONAL, ATTR_MP_UNREACH, 3);
		writer_u16(w, bgp_family_afi(family));
		writer_u8(w, SAFI_UNICAST);
	}
	bgp_message_end(w, start);
}

/* snprintf that stops at the end of the buffer. */
static void add(char *buf, size_t cap, size_t *pos, const char *fmt, ...) PRINTF_LIKE(4, 5);
static void add(char *buf, size_t cap, size_t *pos, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf + *pos, cap - *pos, fmt, ap);
	va_end(ap);
	*pos = MIN(*pos + (size_t)MAX(n, 0), cap - 1);
}

char *bgp_route_text(const struct bgp_route *r, const struct bgp_peering *p, char *buf, size_t cap)
{
	char addr[PREFIX_TEXT_MAX];
	struct ip_addr nh;
	size_t pos = 0;

	add(buf, cap, &pos, "%s", prefix_text(&r->prefix, addr));
	if (!bgp_route_next_hop(r, p, &nh))
		nh.family = 0;
	else
		add(buf, cap, &pos, " nh %s", addr_text(&nh, addr));
	if (nh.family == 6 && with_link(r, p))
		add(buf, cap, &pos, ",%s", addr_text(&p->next_hop_v6_link, addr));
	if (!p->internal) {
		add(buf, cap, &pos, " path");
		for (unsigned i = 0; i <= r->prepend; i++)
			add(buf, cap, &pos, " %u", p->local_as);
	} else {
		add(buf, cap, &pos, " local-pref %u", local_pref(r));
	}
	if (r->has_med)
		add(buf, cap, &pos, " med %u", r->med);
	for (unsigned i = 0; i < r->community_count; i++)
		add(buf, cap, &pos, "%s%u:%u", i ? " " : " communities ", r->communities[i] >> 16, r->communities[i] & 0xffff);
	for (unsigned i = 0; i < r->large_count; i++)
		add(buf, cap, &pos, "%s%u:%u:%u", i ? " " : " large ", r->large[i].global, r->large[i].local1,
		    r->large[i].local2);
	if (p->only_to_customer)
		add(buf, cap, &pos, " otc %u", p->local_as);
	return buf;
}
