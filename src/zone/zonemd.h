/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "zone/content.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stdint.h>

/* ZONEMD (RFC 8976), scheme SIMPLE: a digest over a whole zone, in the zone. */
enum {
	ZONEMD_SHA384 = 1, /* 5.3 */
	ZONEMD_SHA512 = 2,
	ZONEMD_DIGEST_OCTETS_MAX = 64,
	ZONEMD_TEXT_MAX = 300,
};

/* Octets of an algorithm's digest; 0: not supported. */
unsigned zonemd_digest_len(uint8_t algorithm);
/* The digest of everything but the apex's ZONEMD set and its signatures. ERR_UNSUPPORTED, ERR_NO_MEMORY. */
int zonemd_of_content(const struct content *c, uint8_t algorithm, uint8_t out[ZONEMD_DIGEST_OCTETS_MAX]) MUST_CHECK;
int zonemd_of_store(const struct store_snapshot *s, const struct store_zone *z, uint8_t algorithm, uint8_t out[ZONEMD_DIGEST_OCTETS_MAX])
        MUST_CHECK;

enum zonemd_verdict {
	ZONEMD_VERIFIED,
	ZONEMD_ABSENT,
	ZONEMD_UNKNOWN,  /* there are some, none that can be verified: another serial, scheme or algorithm, or two of a kind */
	ZONEMD_MISMATCH, /* the content is not what was signed off */
	ZONEMD_FAILED,   /* out of memory */
};
/* RFC 8976 4, without DNSSEC: is one of the zone's ZONEMD records right? text, of ZONEMD_TEXT_MAX, says what was found. */
enum zonemd_verdict zonemd_verify_content(const struct content *c, char *text);
enum zonemd_verdict zonemd_verify_store(const struct store_snapshot *s, const struct store_zone *z, char *text);
