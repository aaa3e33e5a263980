/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From the databases (either may be NULL) into the file at path, by way of new ones beside it: PATH.source, PATH.new. `why` (cap octets) says what is wrong with them. -EAGAIN: they changed meanwhile. */
int geo_map_build(const char *location_or_null, const char *as_or_null, const char *path, char *why, size_t cap) MUST_CHECK;

/* Which files these are and in what state: another number when one is replaced or written to. -errno where one is not there. */
int geo_sources(const char *location_or_null, const char *as_or_null, uint64_t *out) MUST_CHECK;
/* Is there a map at path, made from these? */
bool geo_map_is_of(const char *path, uint64_t sources);
