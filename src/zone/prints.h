/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "zone/content.h"
#include "zone/difference.h"
#include "zone/store.h"

#include <stddef.h>
#include <stdint.h>

/* Fingerprints of a zone's version, one for each owner: what differs between two versions of a large zone is found by comparing these, instead of every record with the store. */
enum { ZONE_PRINTS_KEY_LEN = 16 };

struct zone_prints {
	uint64_t *list;  /* of each owner in canonical order: name, TTLs and data, to the octet */
	size_t count;
	uint32_t *first; /* of each owner, its first set in the content that it was made of, and one more: the number of sets; NULL after zone_prints_detach() */
};

/* key: secret and the same for all that are compared; with it two owners that differ have one fingerprint once in 2^64 times. By so many threads (1 to 8). ERR_NO_MEMORY. */
int zone_prints_make(const struct content *c, const uint8_t key[ZONE_PRINTS_KEY_LEN], unsigned threads, struct zone_prints **out) MUST_CHECK;
void zone_prints_free(struct zone_prints *p);
/* To be kept longer than the content. */
void zone_prints_detach(struct zone_prints *p);

/* As zone_difference_store(), where `before` are those of the version in the store and `now` those of `to`, not detached. Only in zones without NSEC3: else, and when the versions
 * have little in common, ERR_UNSUPPORTED. */
int zone_difference_prints(const struct zone_prints *before, const struct zone_prints *now, const struct store_snapshot *s, const struct store_zone *z,
                           const struct content *to, size_t limit, struct zone_change *out) MUST_CHECK;
