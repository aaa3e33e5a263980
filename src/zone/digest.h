/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "zone/content.h"
#include "zone/difference.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stdint.h>

/* A digest of a zone's content that follows its changes: see digest.c. Nothing is left out, ZONEMD and its signatures included. */
enum { ZONE_DIGEST_WORDS = 4, ZONE_DIGEST_OCTETS = 32, ZONE_DIGEST_TEXT_MAX = 2 * ZONE_DIGEST_OCTETS + 1 };

struct zone_digest {
	uint64_t words[ZONE_DIGEST_WORDS]; /* lowest first; all 0: no records */
};

/* ERR_NO_MEMORY. */
int zone_digest_content(const struct content *c, struct zone_digest *out) MUST_CHECK;
int zone_digest_store(const struct store_snapshot *s, const struct store_zone *z, struct zone_digest *out) MUST_CHECK;
/* In pieces, for who must not be away for long: the nodes after *at (NULL: from the first) until so many records are done, added to *sum, which begins with
 * all 0; *at is then the last node done, NULL: that was all. ERR_NO_MEMORY. */
int zone_digest_nodes(const struct store_snapshot *s, const struct store_zone *z, const struct store_node **at, size_t records, struct zone_digest *sum)
        MUST_CHECK;
/* The part that all sets have that a change names, in the version at hand. To follow a change: subtract what it touches in the version before, add
 * what it touches in the version after. */
int zone_digest_touched(const struct store_snapshot *s, const struct store_zone *z, const struct zone_change *change, struct zone_digest *out)
        MUST_CHECK;
void zone_digest_add(struct zone_digest *d, const struct zone_digest *part);
void zone_digest_subtract(struct zone_digest *d, const struct zone_digest *part);
bool zone_digest_equal(const struct zone_digest *a, const struct zone_digest *b);
/* Hexadecimal, highest octet first. */
char *zone_digest_text(const struct zone_digest *d, char buf[ZONE_DIGEST_TEXT_MAX]);
