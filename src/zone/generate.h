/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "dns/rr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The text side of $GENERATE, as BIND's manual describes it: ranges, and $ or ${offset,width,base} in a template. */
struct generate_range {
	uint64_t start, stop, step; /* stop at or above start, all at most INT32_MAX, step at least 1 */
};

/* "START-STOP" or "START-STOP/STEP". False: it is none; *out is unchanged. */
bool generate_range(const struct rdata_token *t, struct generate_range *out);
/* The token's text with every $ replaced by i, into out. \\$ and $$ stand for a dollar sign; other escapes stay. False when it does not fit
 * into cap or a modifier is wrong. */
bool generate_text(const struct rdata_token *t, uint64_t i, char *out, size_t cap, size_t *len);
