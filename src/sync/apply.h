/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "zone/content.h"
#include "zone/difference.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stddef.h>

/* How a file's content got into the store. */
struct applied {
	bool unchanged;        /* not at all: the store has it, from the same files */
	bool in_place;         /* as a change of the version before; else as a whole */
	size_t removed, added; /* records, where in place */
	bool has_change;       /* what differs from the version before is known; the caller's then */
	struct zone_change change;
};

/* Make c, which zone_check() has passed, the zone's content: by changing the records that differ where they are few, else by building the zone anew. Errors are
 * those of store_put_zone(). */
int apply_content(struct store_writer *w, const uint8_t *apex, const struct content *c, const struct store_zone_meta *meta, struct applied *out)
        MUST_CHECK;

/* The same, where the fingerprints of the version in the store and of c are known; before may be NULL. */
struct zone_prints;
int apply_content_known(struct store_writer *w, const uint8_t *apex, const struct content *c, const struct store_zone_meta *meta,
                        const struct zone_prints *before, const struct zone_prints *now, struct applied *out) MUST_CHECK;
