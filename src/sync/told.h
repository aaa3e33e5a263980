/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "sync/load.h"

/* What the loop tells about zones that are read from files, while the loading thread may be at work. Rows are changed and the list is replaced under the
 * loader's lock only, as far as is told here. */

/* One line of JSON about the zone. ERR_NOT_FOUND: none of that name, or not from a file. */
int told_describe(struct loader *l, const uint8_t *apex, struct text *out) MUST_CHECK;
/* The apex of the first such zone after a name in canonical order (NULL: of all); false: no more. */
bool told_next(struct loader *l, const uint8_t *after, struct name *out);
/* The row's last reading: NULL, it is served as it is, or why not. */
void told_error(struct loader *l, struct zone_row *row, const char *why_or_null);
/* A JSON string member with a comma before it; what is not ASCII is escaped, what is longer than TOLD_MAX cut off. */
enum { TOLD_MAX = 400 };
void told_string(struct text *out, const char *key, const char *value);
