/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dns/rr.h"
#include "zone/content.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The records of a zone in canonical form and order, as digests want them: owners (RFC 4034 6.1), types by number, RDATA (6.3); names in lower
 * case where 6.2 says so; class IN. Everything the zone holds, glue and what is hidden by delegations included; no record twice. */

/* wire: owner, type, class, TTL, length, RDATA; valid for the call. of_zonemd: the apex's ZONEMD set or its signatures. Non-zero ends the walk. */
typedef int canonical_record_fn(void *ctx, const uint8_t *wire, size_t len, bool of_zonemd);

enum { CANONICAL_RECORD_MAX = NAME_LEN_MAX + 10 + RDATA_MAX };
/* One record in canonical form into wire of CANONICAL_RECORD_MAX; returns its length. */
size_t canonical_record(const struct rr *rr, uint8_t *wire);

/* What fn returned, or ERR_NO_MEMORY. c is finished; z must be of the snapshot. A zone without data has no records. */
int canonical_walk_content(const struct content *c, canonical_record_fn *fn, void *ctx) MUST_CHECK;
int canonical_walk_store(const struct store_snapshot *s, const struct store_zone *z, canonical_record_fn *fn, void *ctx) MUST_CHECK;
