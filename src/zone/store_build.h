/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "zone/content.h"
#include "zone/store_format.h"

/* Build the tries and records of one zone version. */

/* Where the builder gets cells from. alloc returns the reference of `cells` (not 0) new cells, the last one cleared, and, in *p, where they are mapped; 0 when
 * there is no space. */
struct build_space {
	store_ref (*alloc)(void *ctx, uint32_t cells, void **p);
	void *ctx;
	const uint8_t *base;
};

/* Fills in everything of *z but magic, regions, checksums, apex and source. ERR_NO_SPACE, ERR_NO_MEMORY. */
int store_build_zone(const struct content *c, const struct build_space *space, struct store_zone *z) MUST_CHECK;
