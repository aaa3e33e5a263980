/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/diag.h"
#include "config/config.h"
#include "dnssec/key.h"
#include "dnssec/sign.h"
#include "steer/set_hash.h"
#include "zone/content.h"

#include <stddef.h>
#include <stdint.h>

/* The sets that steered names of a zone can be answered with, and their signatures: VARIANT records (steer/records.h). Pure but for what it allocates. */
enum {
	VARIANTS_OWNER_MAX = 4096,  /* sets of one owner and type: as many VARIANT records stand at one name */
	VARIANTS_CONFIGS_MAX = 4,   /* fleet files whose sets are all signed, for the time when nodes go from one to the next */
	VARIANTS_KEYS_MAX = 8,
	VARIANT_RDATA_MAX = STEER_SET_HASH_LEN + DNSSEC_RRSIG_MAX,
};

/* One that may be given; borrowed for the call. */
struct variants_set {
	struct dnssec_set set;  /* with the TTL that its signature is to have: the smaller of the zone's own set's and the policy's */
	const uint8_t *at;      /* where its VARIANT records stand: the owner; of a CNAME, which nothing may stand beside, `_steer` below it */
	uint32_t at_ttl;        /* of all VARIANT records there */
	uint8_t hash[STEER_SET_HASH_LEN];
	const char *policy;
};
typedef int variants_fn(void *ctx, const struct variants_set *set);

struct variants_count {
	size_t owners; /* names and types steered */
	size_t sets;
};

/* Each set once, by the policies of all fleet files; a name is steered by `owners` of a policy, or by its STEER record, as in the answer process; a wildcard by the policies of names that it
 * stands for, too. What is wrong is in diag: a policy that is not
 * known, a steered name that is not in the zone or without a set of its own, too many sets. ERR_INVALID then; ERR_NO_MEMORY; what fn returned if that is not 0. */
int variants_each(const struct content *c, const struct config *const *configs, size_t config_count, struct diag *diag, variants_fn *fn, void *ctx, struct variants_count *count) MUST_CHECK;

/* RDATA of the VARIANT record of a set by a key, into out of VARIANT_RDATA_MAX. */
int variants_sign(const struct variants_set *s, const uint8_t *zone, const struct dnssec_key *key, uint32_t inception, uint32_t expiration, uint8_t *out, size_t *len) MUST_CHECK;

/* Is there, in the zone, a good VARIANT record of the set by a key of the zone? 0, or why not in why (of DNSSEC_WHY_MAX): ERR_NOT_FOUND; ERR_STALE: only such as are not good at that time;
 * ERR_INVALID. *end: when the last good one ends. keys: of the zone's DNSKEY set. */
int variants_verify(const struct content *c, const struct variants_set *s, const struct dnssec_key *keys, size_t key_count, uint32_t now, uint32_t *end, char *why) MUST_CHECK;
