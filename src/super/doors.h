/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "config/config.h"
#include "proc/role.h"

#include <stdint.h>

/* Listening sockets of one kind that are opened here, since that takes a privilege, and served by a role: for BGP neighbors that open the connection themselves
 * (nodes[].bgp.neighbors[].connect), port 179 of the own address of each such session, by the route process; for HTTP by admin. One that cannot be opened (its interface is not there yet, another speaker
 * has the port) is said in the log and tried again each DOORS_RETRY_MS; it keeps nothing else from running. */
enum { DOORS_RETRY_MS = 1000, DOORS_MAX = 32 };
_Static_assert(DOORS_MAX >= (int)CONFIG_NEIGHBORS_MAX && DOORS_MAX >= (int)CONFIG_HTTP_LISTEN_MAX && DOORS_MAX >= (int)CONFIG_MANAGEMENT_MAX, "all fit");

struct doors;
/* The role is to be told of a socket that was opened (ROLE_SOCKET_OPEN, with its descriptor) or closed (ROLE_SOCKET_CLOSE). */
typedef void doors_tell_fn(void *ctx, uint32_t kind, const struct role_socket *socket);

/* NULL: no memory. */
struct doors *doors_new(enum role_socket_kind kind, doors_tell_fn *tell, void *ctx);
void doors_free(struct doors *d);
/* What the node's neighbors ask for, from now on; NULL: nothing. */
void doors_set_neighbors(struct doors *d, const struct config_node *node);
/* Where the node's web server listens. c and node may be NULL. */
void doors_set_http(struct doors *d, const struct config *c, const struct config_node *node);
/* Often: opens what could not be opened before. */
void doors_tick(struct doors *d, uint64_t now_ms);
/* All that are open, into out of DOORS_MAX; how many. d may be NULL. */
uint32_t doors_sockets(const struct doors *d, struct role_socket *out);
