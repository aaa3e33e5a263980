/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dns/rr.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stdint.h>

/* When does the first set of a zone lose its last good signature? See signatures.c. Times are those of RRSIG: seconds modulo 2^32, of which only
 * differences below 2^31 mean anything (RFC 4034 3.1.5). */
struct signatures {
	bool any;    /* there are signatures */
	bool exact;  /* else `end` may be too early: what ended first has been replaced since */
	uint32_t end;
};

static inline bool signatures_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}
/* When the last good signature of a set ends, by the records of an RRSIG set, in any order; or when the first of the sets that VARIANT records stand for loses its last one, by these in
 * canonical order. */
struct signature_set {
	uint16_t type; /* of the records */
	bool any, ended;
	uint32_t last; /* of those for one set */
	uint32_t end;  /* where ended: the first of the sets before */
	uint8_t of[8]; /* which set a VARIANT record is for */
};
static inline bool signature_set_counts(uint16_t type)
{
	return type == RR_RRSIG || type == RR_VARIANT;
}
void signature_set_add(struct signature_set *s, const uint8_t *rdata, uint16_t rdlen);
/* False: it has none. */
bool signature_set_end(const struct signature_set *s, uint32_t *end);
/* One more set, whose signature that lasts longest ends then. */
void signatures_add(struct signatures *s, uint32_t end);
/* A set that ended then is gone or has others now. */
void signatures_remove(struct signatures *s, uint32_t end);

/* What the version knows, at no cost. */
struct signatures signatures_known(const struct store_zone *z);
/* Looked up in the whole zone: exact. */
int signatures_look(const struct store_snapshot *s, const struct store_zone *z, struct signatures *out) MUST_CHECK;
/* Seconds from now on; negative: past. */
int64_t signatures_left_s(const struct signatures *s, int64_t now_wall_s);
