/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;
struct udp;

/* Buffers for batches, shared by all UDP sockets of a worker. NULL: out of memory. */
struct udp *udp_new(void);
void udp_free(struct udp *u);
/* Answer up to UDP_TURNS batches waiting on fd; the caller comes back while it is readable. network: whose address it is, for measures_network(). */
void udp_serve(struct udp *u, struct worker *w, int fd, bool v6, bool wildcard, bool manages, unsigned network);
