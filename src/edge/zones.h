/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dns/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The zones whose answers come from backends, found by any name in them. Immutable once made. Pure. */
struct edge_zones;

struct edge_zone {
	const uint8_t *apex; /* any case */
	uint32_t pool;       /* the caller's number */
};

/* Copies what it needs. *out is NULL where count is 0. ERR_NO_MEMORY. */
int edge_zones_make(const struct edge_zone *zones, size_t count, struct edge_zones **out) MUST_CHECK;
void edge_zones_free(struct edge_zones *z);
/* The deepest zone that the name is in; with `above`, the deepest whose apex is a proper ancestor of it (DS questions, RFC 4035 3.1.4.1). False: there is none. z may be NULL. */
bool edge_zones_find(const struct edge_zones *z, const uint8_t *name, bool above, uint32_t *pool, unsigned *labels);
