/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/diag.h"
#include "base/text.h"
#include "cli/zone_out.h"
#include "zone/content.h"

#include <stddef.h>
#include <stdint.h>

/* A zone with VARIANT records on its way into a file for a signer. Types of private use are written as any tool reads them (RFC 3597). */
struct variants_out {
	struct zone_out to;
	struct text text;
};

/* path NULL: standard output. First the zone's own records, unless content is NULL, without what was made of them: VARIANT, RRSIG, NSEC, NSEC3; diag says so where there were some. */
int variants_out_open(struct variants_out *o, const char *path, const struct content *content, struct diag *diag) MUST_CHECK;
void variants_out_heading(struct variants_out *o, uint32_t until);
int variants_out_record(struct variants_out *o, const uint8_t *owner, uint32_t ttl, uint16_t type, const uint8_t *rdata, size_t rdlen) MUST_CHECK;
/* err: of what came before; the file is there if it is 0. Returns it, or what went wrong now. */
int variants_out_close(struct variants_out *o, int err) MUST_CHECK;

struct variants_time {
	char text[24];
};
/* "2026-11-21T22:25:00Z", of a time as RRSIG has it. */
struct variants_time variants_time(uint32_t at);
