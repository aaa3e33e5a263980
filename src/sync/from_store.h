/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dns/rr.h"
#include "zone/content.h"
#include "zone/store.h"

#include <stdbool.h>

/* A zone of the store, which must be serving, as finished content, the caller's. ERR_NO_MEMORY. */
int content_of_store(const struct store_snapshot *s, const struct store_zone *z, struct content **out) MUST_CHECK;
/* Its SOA. */
bool soa_of_store(const struct store_snapshot *s, const struct store_zone *z, struct soa *out);
