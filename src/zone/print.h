/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/text.h"
#include "zone/content.h"

#include <stdio.h>

/* Records as zone file lines: "OWNER TTL IN TYPE RDATA", names absolute. */

/* Append one line with its newline. */
void zone_print_record(struct text *out, const uint8_t *owner, uint32_t ttl, uint16_t type, const uint8_t *rdata, size_t rdlen);
/* Likewise for people: types of private use that are ours in words (steer/records.h), which other programs do not read. */
void zone_print_own_record(struct text *out, const uint8_t *owner, uint32_t ttl, uint16_t type, const uint8_t *rdata, size_t rdlen);
/* The whole zone in canonical order, SOA first. -EIO when f cannot be written, ERR_NO_MEMORY. */
int zone_print(const struct content *c, FILE *f) MUST_CHECK;
