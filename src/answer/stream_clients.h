/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/stream_memory.h"
#include "base/attr.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

/* Who has connections to this worker, and which: a client is an IPv4 address or an IPv6 /64 (one household or host has a whole /64 at its
 * disposal). A client is there while it has a connection. */
struct stream_client {
	struct stream_client *next; /* of the same bucket */
	struct list conns;          /* the longest idle first; kept so by the owner */
	uint64_t key;
	uint32_t count;
	uint32_t open; /* questions of theirs that backends have to answer; the owner's */
	bool v6;
};

enum { CLIENT_BUCKETS = 1 << 14 };

struct stream_clients {
	struct slab slab;
	uint8_t secret[16]; /* strangers choose the keys */
	struct stream_client **buckets;
};

/* ERR_NO_MEMORY. */
int clients_init(struct stream_clients *c, struct stream_memory *m) MUST_CHECK;
void clients_done(struct stream_clients *c);
/* The client of an address in network order (4 or 16 octets), with one connection more. NULL: out of memory. */
struct stream_client *clients_enter(struct stream_clients *c, const uint8_t *address, bool v6) MUST_CHECK;
/* One connection less. */
void clients_leave(struct stream_clients *c, struct stream_client *client);
