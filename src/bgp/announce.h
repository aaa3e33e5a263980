/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "bgp/update.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Adj-RIB-Out: what is wanted, what the peer was told, and the messages between the two. Pure, single thread, fixed size. */
enum {
	BGP_ROUTES_MAX = 256, /* wanted on one session */
	/* All withdrawals go before any announcement, so no more than BGP_ROUTES_MAX are ever told; wanted ones come on top. */
	BGP_RIB_ENTRIES = 2 * BGP_ROUTES_MAX,
};

struct bgp_rib_entry {
	bool wanted, told;
	bool resend;           /* told, but asked for once more */
	struct bgp_route want; /* while wanted */
	struct bgp_route have; /* while told: as it was told */
};

struct bgp_rib {
	size_t count;
	size_t wanted, told;
	bool up;               /* the session is established */
	uint8_t families;      /* negotiated */
	uint8_t end_of_rib;    /* families whose End-of-RIB is still to be sent */
	struct bgp_peering peering;
	uint64_t announced, withdrawn; /* messages ever made */
	struct bgp_rib_entry entries[BGP_RIB_ENTRIES];
};

void bgp_rib_init(struct bgp_rib *rib);

/* Replaces what is wanted, at any time. ERR_LIMIT for too many; ERR_INVALID for an invalid or a repeated route: nothing is changed. */
int bgp_rib_want(struct bgp_rib *rib, const struct bgp_route *routes, size_t count) MUST_CHECK;

/* A session has come up, the peer knows nothing; or it has gone, and the peer has forgotten. */
void bgp_rib_up(struct bgp_rib *rib, uint8_t families, const struct bgp_peering *p);
void bgp_rib_down(struct bgp_rib *rib);

/* ROUTE-REFRESH: tell everything of the family again; nothing when nothing is announced. */
void bgp_rib_refresh(struct bgp_rib *rib, uint8_t family);

/* Writes the next message due, withdrawals first; false when the peer knows all. w has room for BGP_UPDATE_LEN_MAX. */
bool bgp_rib_next(struct bgp_rib *rib, struct writer *w) MUST_CHECK;

/* Mask of negotiated families that have wanted routes but no next hop, so they are not announced. */
uint8_t bgp_rib_unsendable(const struct bgp_rib *rib);
