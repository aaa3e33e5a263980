/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "bgp/msg.h"

#include <stdbool.h>
#include <stdint.h>

/* A prefix with its attributes, and the UPDATE messages that announce and withdraw it. Pure. */
enum {
	BGP_COMMUNITIES_MAX = 63,       /* one octet of length */
	BGP_LARGE_COMMUNITIES_MAX = 20,
	BGP_PREPEND_MAX = 62,
	BGP_LOCAL_PREF_DEFAULT = 100,
	BGP_UPDATE_LEN_MAX = 960,    /* of any message bgp_update_*() writes; room a caller has to have */
	BGP_ROUTE_TEXT_MAX = 2304,
};

#define BGP_COMMUNITY_GSHUT 0xffff0000u /* 65535:0, RFC 8326 */

struct bgp_large_community {
	uint32_t global, local1, local2;
};

struct bgp_route {
	struct ip_prefix prefix;
	struct ip_addr next_hop; /* family 0: the session's own for the prefix's family; else of that family */
	uint8_t prepend;         /* own AS this many times more; eBGP only */
	bool has_med;
	uint32_t med;
	bool has_local_pref;     /* iBGP only; without it BGP_LOCAL_PREF_DEFAULT */
	uint32_t local_pref;
	uint8_t community_count;
	uint8_t large_count;
	uint32_t communities[BGP_COMMUNITIES_MAX];
	struct bgp_large_community large[BGP_LARGE_COMMUNITIES_MAX];
};

/* What of a session goes into its UPDATEs. */
struct bgp_peering {
	uint32_t local_as;
	bool internal;                  /* iBGP */
	struct ip_addr next_hop_v4, next_hop_v6; /* family 0: none, routes of that family cannot be sent */
	struct ip_addr next_hop_v6_link; /* link-local to go with next_hop_v6 where the session runs over link-local addresses */
	bool v4_by_v6;                  /* RFC 8950 negotiated: IPv4 routes without a next hop of their own go by next_hop_v6 where there is no next_hop_v4 */
	bool only_to_customer;          /* RFC 9234 5: our role says that what we tell may go down only, so it carries OTC */
};

uint8_t bgp_route_family(const struct bgp_route *r);
bool bgp_route_equal(const struct bgp_route *a, const struct bgp_route *b);
/* Limits above kept, prefix lengths and next hop of the right family. */
bool bgp_route_valid(const struct bgp_route *r);
/* Adds once; false when there is no room. */
bool bgp_route_add_community(struct bgp_route *r, uint32_t community);
bool bgp_route_add_large(struct bgp_route *r, const struct bgp_large_community *large);
/* The next hop this route would have; false when there is none. */
bool bgp_route_next_hop(const struct bgp_route *r, const struct bgp_peering *p, struct ip_addr *out);

/* One message each. The route is valid and has a next hop, else the writer fails. IPv4 in the classic form, IPv6, and IPv4 by an IPv6 next
 * hop, in MP_REACH_NLRI (RFC 4760), which comes first, the rest by type (RFC 7606 5.1). Withdrawals are classic for IPv4, whatever the next hop was
 * (RFC 4760 leaves both forms open, and routers take either). */
void bgp_update_announce(struct writer *w, const struct bgp_route *r, const struct bgp_peering *p);
void bgp_update_withdraw(struct writer *w, const struct ip_prefix *prefix);
void bgp_update_end_of_rib(struct writer *w, enum bgp_family family);

/* "192.0.2.0/24 nh 10.0.0.2 path 64500 64500 med 10 communities 65535:0" into buf; returns buf. */
char *bgp_route_text(const struct bgp_route *r, const struct bgp_peering *p, char *buf, size_t cap);
