/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "bgp/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an UPDATE of a peer says of routes: for looking at, never for routing. Pure; see routes_in.c. */
enum { BGP_PATH_TEXT_MAX = 160 };

/* AS_PATH with four octets an AS; borrows the message. */
struct bgp_path {
	const uint8_t *segments;
	size_t len;
	bool local;      /* no AS in it but of a confederation: the route is the peer's own */
	bool has_origin; /* it ends in one AS, and not in a set of them (RFC 6811 2) */
	uint32_t origin;
};

enum bgp_update_verdict {
	BGP_UPDATE_FINE,
	BGP_UPDATE_WITHDRAWN, /* an attribute is not right: all its routes count as withdrawn (RFC 7606 2) */
	BGP_UPDATE_BROKEN,    /* which routes it is about cannot be known: nothing was told */
};

/* path NULL: the route is withdrawn. */
typedef void bgp_route_in_fn(void *ctx, const struct ip_prefix *prefix, const struct bgp_path *path);

/* Calls fn for every unicast prefix of the two families that the UPDATE withdraws or announces, in this order. */
enum bgp_update_verdict bgp_routes_in(const struct bgp_frame *f, bgp_route_in_fn *fn, void *ctx);

/* "64601 64602 {64603 64604}" into buf; a path that is too long ends in "...". Returns buf. */
char *bgp_path_text(const struct bgp_path *p, char *buf, size_t cap);
