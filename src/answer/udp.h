/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;
struct udp;

/* Buffers for batches, shared by all UDP sockets of a worker. NULL: out of memory. */
struct udp *udp_new(void);
void udp_free(struct udp *u);
enum { UDP_TURNS = 8 /* batches of one socket before others get their turn */ };

/* A socket of it. */
struct udp_source {
	int fd;
	bool v6, wildcard;
	bool manages;       /* requests that workers do not answer are handed over */
	bool urgent;        /* served between batches of others, see worker_serve_urgent() */
	unsigned network;   /* whose address it is, for measures_network() */
	struct endpoint at;
};
/* Answer up to so many batches that wait; the caller comes back while it is readable. */
void udp_serve(struct udp *u, struct worker *w, const struct udp_source *from, int turns);
