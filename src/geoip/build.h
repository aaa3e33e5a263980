/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stddef.h>

/* From the databases (either may be NULL) into the file at path, by way of a new one beside it. `why` (cap octets) says what is wrong with them. */
int geo_map_build(const char *location_or_null, const char *as_or_null, const char *path, char *why, size_t cap) MUST_CHECK;
