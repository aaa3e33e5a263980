/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dns/name.h"
#include "dnssec/key.h"

#include <stddef.h>
#include <stdint.h>

/* Signatures of sets (RFC 4034 3.1.8.1). Pure: the time is given. */
struct dnssec_rdata {
	const uint8_t *octets; /* uncompressed, of any case */
	uint16_t len;
};

/* Borrowed; records in any order. */
struct dnssec_set {
	const uint8_t *owner; /* "*" stands for itself */
	uint16_t type;
	uint32_t ttl; /* the original one: what the zone has */
	const struct dnssec_rdata *records;
	size_t count; /* 1 to DNSSEC_SET_MAX */
};

enum {
	DNSSEC_SET_MAX = 4096, /* records; beyond it a set does not fit in a message */
	DNSSEC_RRSIG_HEAD = 18, /* octets before the signer's name */
	DNSSEC_RRSIG_MAX = DNSSEC_RRSIG_HEAD + NAME_LEN_MAX + DNSSEC_SIGNATURE_MAX,
};

/* RDATA of an RRSIG record of the set by the zone's key, good from inception to expiration (seconds modulo 2^32), into out of DNSSEC_RRSIG_MAX. ERR_INVALID: no private key, or one
 * without a DNSKEY record. ERR_LIMIT: too many records. */
int dnssec_sign(const struct dnssec_key *key, const uint8_t *zone, const struct dnssec_set *set, uint32_t inception, uint32_t expiration, uint8_t *out, size_t *len) MUST_CHECK;
/* Is what the key signs good by its own public half? A file may have halves of two keys. ERR_INVALID. */
int dnssec_try(const struct dnssec_key *key, const uint8_t *zone) MUST_CHECK;
/* Is the RRSIG RDATA a good signature of the set at that time? The owner may be one that a wildcard was expanded to (RFC 4035 5.3.2); the set's TTL does not matter, the signature's
 * own does. ERR_NOT_FOUND: of another key; ERR_STALE: not yet or no longer good; ERR_INVALID: it does not fit the set; ERR_MALFORMED. */
int dnssec_verify(const struct dnssec_key *key, const uint8_t *zone, const struct dnssec_set *set, const uint8_t *rrsig, size_t len, uint32_t now) MUST_CHECK;
