/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/view.h"
#include "base/attr.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* What RSSAC002 wants to know of a day: see rssac.c. */

/* Note the counters where a day (UTC) begins; some times a second. */
void rssac_tick(struct board *b, int64_t now_wall_s);
/* Append the report of the day of now_wall_s, or of the one before, for a service of that name. ERR_NOT_FOUND: nothing is known of that day. */
int rssac_write(const struct admin_view *v, const char *service, bool yesterday, int64_t now_wall_s, struct text *out) MUST_CHECK;
