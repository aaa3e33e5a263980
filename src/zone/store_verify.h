/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "dns/name.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stdint.h>

/* Readers' check of the store's content against the checksums that it was written with, a little at a time. */
enum { STORE_VERIFY_ZONES = 64 /* begun in one call, at most: finding one costs as much as adding up some 2 KiB */ };

/* A place in the endless round through all zones. Zeroed at start. */
struct store_verify {
	struct name zone;    /* under way or last */
	bool inside, again;
	uint64_t generation, checksum, sum;
	uint32_t region, at; /* cells */
	uint64_t rounds;     /* whole ones */
};

enum store_verified { STORE_VERIFIED, STORE_DAMAGED /* the zone v->zone, twice in a row */ };
/* Up to so many cells more of the pinned version. */
enum store_verified store_verify(struct store_verify *v, const struct store_snapshot *s, uint32_t cells);
