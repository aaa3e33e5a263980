/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "dns/rr.h"

#include <stdbool.h>

/* The RDATA of the types that fill zones, written as it nearly always is. False: not so, nothing was written, and rdata_in.c has the word:
 * it alone judges what is wrong. What this takes, that takes with the same result. */
bool rdata_quick(uint16_t type, const struct rdata_token *tokens, size_t n, const uint8_t *origin, struct writer *w);
