/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many prefixes a neighbor has announced and not withdrawn: counted, not kept. A set of keyed fingerprints that grows with what comes, up to a limit; what is
 * beyond is only noted. Pure but for its memory. */
enum {
	BGP_RECEIVED_MAX = 1000000, /* highest limit: 16 MiB of fingerprints at most */
	BGP_RECEIVED_FIRST = 64,    /* slots of the smallest table */
};

struct bgp_received {
	uint64_t *slots; /* 0: free; NULL: no prefix yet */
	size_t size;     /* slots, a power of two */
	size_t count;
	size_t limit;
	bool over;       /* more than limit came; until cleared, since it is not known then what goes */
	uint8_t key[16];
};

void bgp_received_init(struct bgp_received *r, size_t limit, const uint8_t key[16]);
/* None, as of a new session; its memory is freed. */
void bgp_received_clear(struct bgp_received *r);
/* Likewise for each prefix of an UPDATE, whether it is there already or not. Without memory it is as with one too many. */
void bgp_received_add(struct bgp_received *r, const struct ip_prefix *p);
void bgp_received_remove(struct bgp_received *r, const struct ip_prefix *p);
