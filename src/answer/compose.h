/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/engine.h"
#include "base/attr.h"
#include "dns/message.h"
#include "steer/set_hash.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stdint.h>

/* The answer under construction: records go in by whole sets, in the order of the sections; a set that does not fit leaves no trace. */
enum section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };

struct compose {
	struct writer w;
	struct compress *compress;
	const uint8_t *qname;       /* inside the message, as asked */
	uint16_t counts[3];
	bool dnssec_ok;
	bool truncated;
	bool left_out;              /* a set did not fit, needed or not: with more room the answer would be another */
	size_t limit;               /* octets for all but OPT */
	unsigned included_count;
	const struct store_rrset **included; /* ENGINE_INCLUDED_MAX places: sets put with their own owner; borrowed */
};

/* Put a set, and with DO its signatures. owner: the name to show; equal to the node's but for wildcards and the case asked. ttl_max caps the
 * TTL (negative answers). A set that is there already with its own owner is not put again (counts as put). False: it did not fit. */
bool compose_set(struct compose *c, const struct store_snapshot *s, enum section section, const uint8_t *owner,
                 const struct store_rrset *set, uint32_t ttl_max);
/* Only the signatures (questions for RRSIG). */
bool compose_plain(struct compose *c, enum section section, const uint8_t *owner, const struct store_rrset *set);
/* One record made up here (synthesized CNAME, CH TXT). */
bool compose_record(struct compose *c, enum section section, const uint8_t *owner, uint16_t type, uint16_t rclass, uint32_t ttl,
                    const uint8_t *rdata, uint16_t rdlen);
/* A set made up here, in the answer section, with its signatures: all of it or nothing. */
bool compose_made(struct compose *c, const uint8_t *owner, uint16_t type, uint32_t ttl, const struct steer_rdata *set, size_t count, const struct steer_rdata *sigs, size_t sig_count);
/* compose_set() where a missing set means the answer is incomplete: sets truncated. */
void compose_must(struct compose *c, const struct store_snapshot *s, enum section section, const uint8_t *owner,
                  const struct store_rrset *set, uint32_t ttl_max);
/* A wildcard's set under the name asked: it may be put once for each name of a chain. Sets truncated when it does not fit. */
void compose_wildcard(struct compose *c, const struct store_snapshot *s, const uint8_t *owner, const struct store_rrset *set);
