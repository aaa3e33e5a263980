/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "zone/store.h"

#include <stdint.h>

/* RFC 5155 5. Zones with more extra iterations are answered without proofs: RFC 9276 3.2 lets validators treat them as insecure, and hashing
 * for strangers must stay cheap. */
enum { NSEC3_ITERATIONS_MAX = 500 };

/* Hash name (any case) with the zone's parameters. ERR_UNSUPPORTED for another algorithm or too many iterations. Does not allocate. */
int nsec3_hash(const struct store_nsec3_params *params, const uint8_t *name, uint8_t hash[20]) MUST_CHECK;
