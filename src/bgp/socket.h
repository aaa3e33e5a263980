/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "bgp/session.h"
#include "bgp/update.h"

/* The TCP socket of a session, and the addresses routes get from it. Private to the module. */

/* A nonblocking socket with everything set that has to be there before the SYN, connecting to the neighbor. *what names the step that
 * failed. */
int bgp_socket_connect(const struct bgp_neighbor_conf *c, int *fd, const char **what) MUST_CHECK;

/* Likewise for a connection that the neighbor has opened; its key came with the listening socket. -errno. */
int bgp_socket_accepted(int fd, const struct bgp_neighbor_conf *c) MUST_CHECK;

/* Next hops for routes that name none, from the connection's own address. A family without one stays unset. */
void bgp_next_hops(const struct bgp_neighbor_conf *c, const struct ip_addr *local, struct bgp_peering *out);
