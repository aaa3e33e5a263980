/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "config/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The cache of backends' answers (edge/cache.h) for people: what is in it, and forgetting some of it. */
enum { BACKEND_CACHE_SHOWN = 1000 /* entries in one listing */ };

/* Mapped for the life of the process: with another size of the cache admin begins anew. */
struct xdp_cache;
struct backend_cache {
	void *memory; /* NULL: there is none */
	size_t octets;
	struct xdp_cache *kernel; /* where answers of it are kept besides; NULL: nowhere */
};

/* All as JSON objects, NULL when out of memory. c may be NULL: "size" is 0 then. */
json_t *backend_cache_status(const struct backend_cache *c, const struct board *b);
/* Entries of a name, or of all below it as well: {"entries": [...], "more": false}. now_s: seconds of CLOCK_MONOTONIC.
 * */
json_t *backend_cache_show(const struct backend_cache *c, const struct config *config, const uint8_t *name,
                           bool subtree, uint64_t now_s);
/* When it returns, what was there has been given for the last time. */
json_t *backend_cache_purge(const struct backend_cache *c, const uint8_t *name, bool subtree);
