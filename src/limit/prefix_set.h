/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

/* An immutable set of prefixes of both families, asked on the path of every query: is this address in one of them? Kept as sorted, merged
 * ranges, so that asking is a binary search whatever the overlaps. */
struct prefix_set;

/* ERR_NO_MEMORY. An empty set is fine. */
int prefix_set_make(const struct ip_prefix *prefixes, size_t count, struct prefix_set **out) MUST_CHECK;
void prefix_set_free(struct prefix_set *s);
/* NULL is the empty set. */
bool prefix_set_has(const struct prefix_set *s, const struct ip_addr *addr);
