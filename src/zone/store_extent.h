/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "zone/store.h"

#include <stddef.h>
#include <stdint.h>

/* Which cells of the file are free: the writer's private knowledge, on its heap. Free extents are merged with free neighbours and found by
 * size class. */
struct extents;

/* All cells from `first` to `end` are free. NULL: out of memory. */
struct extents *extents_new(void);
void extents_free(struct extents *x);
/* Give cells back. ERR_NO_MEMORY loses them until the next start; nothing else breaks. */
int extents_give(struct extents *x, store_ref start, uint32_t cells) MUST_CHECK;
/* Take exactly `cells` from some free extent. ERR_NOT_FOUND when none is large enough. */
int extents_take(struct extents *x, uint32_t cells, store_ref *start) MUST_CHECK;
uint64_t extents_free_cells(const struct extents *x);
