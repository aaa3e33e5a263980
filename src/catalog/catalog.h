/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "base/text.h"
#include "dns/name.h"
#include "dns/rr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Catalog zones (RFC 9432): reading one. See catalog.c. Pure. */
enum {
	CATALOG_GROUP_MAX = 255, /* octets of a group's value */
	CATALOG_REFRESH_S = 3600,
	CATALOG_RETRY_S = 600,
	CATALOG_EXPIRE_S = 2147483646, /* of those made here: RFC 9432 4.1 */
};

struct catalog_entry {
	const uint8_t *apex;  /* of the member, lower case */
	const uint8_t *id;    /* its label as in a name (length first), lower case */
	const uint8_t *coo;   /* the catalog that may take it over, lower case; NULL: none */
	const uint8_t *group; /* length, then so many octets; NULL: none. Of several the first in canonical order */
};

/* One version of a catalog. */
struct catalog {
	struct arena arena;
	struct name apex; /* lower case */
	uint32_t serial;
	struct catalog_entry *entries; /* in canonical order of their ids */
	size_t count, cap;
};
void catalog_free(struct catalog *c);

struct store_snapshot;
struct store_zone;
struct content;
/* Read a catalog from a zone that is served, or from finished content. ERR_INVALID: a catalog that MUST NOT be processed (RFC 9432 5.1), and *why is told; ERR_LIMIT:
 * more than members_limit; likewise. ERR_NO_MEMORY. */
int catalog_from_store(const struct store_snapshot *s, const struct store_zone *z, size_t members_limit,
                       struct text *why, struct catalog **out) MUST_CHECK;
int catalog_from_content(const struct content *c, size_t members_limit, struct text *why,
                         struct catalog **out) MUST_CHECK;

/* A catalog made here: finished content of the zone. group NULL: none. ERR_NO_MEMORY, ERR_LIMIT: a name does not fit. */
struct catalog_member {
	const uint8_t *apex;
	const char *group;
};
int catalog_make(const uint8_t *apex, uint32_t serial, const struct catalog_member *members, size_t count,
                 struct content **out) MUST_CHECK;
/* Tells lists of members apart, whatever their order. */
uint64_t catalog_sum(const struct catalog_member *members, size_t count);
