/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dns/rr.h"
#include "zone/content.h"
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
/* Records come or go: the new digest costs what they cost. TTLs count: a deleted record has that of the set it was in. ERR_NO_MEMORY: *d is
 * unchanged. */
int zone_digest_add(struct zone_digest *d, const struct rr *records, size_t count) MUST_CHECK;
int zone_digest_remove(struct zone_digest *d, const struct rr *records, size_t count) MUST_CHECK;
bool zone_digest_equal(const struct zone_digest *a, const struct zone_digest *b);
/* Hexadecimal, highest octet first. */
char *zone_digest_text(const struct zone_digest *d, char buf[ZONE_DIGEST_TEXT_MAX]);
