/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "steer/set_hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The two record types by which steering travels in a zone, of private use (RFC 6895 3.1), so that any server carries and signs them as it does unknown types (RFC 3597):
 *
 *	www  STEER    "web"                                     answers for www are chosen by the policy "web" of the fleet file
 *	www  VARIANT  00112233445566FF A 13 3 30 ... (RRSIG)    a signature for one set that www may be answered with
 *
 * STEER, type 65280: character-strings; the first is the policy's name, others are notes. VARIANT, type 65281: the hash of a set (set_hash.h) and RDATA of an RRSIG
 * (RFC 4034 3.1) that covers it, its signer's name in the case it has. The owner has a set of the type that is steered as well, signed as usual: what servers without steering
 * give, and whoever asks whether the type exists. Numbers of private use may mean something else to others, so neither is checked where zones are read, but here. */

/* The policy that a STEER record names; borrowed from rdata. False: it is none. */
bool steer_record_policy(const uint8_t *rdata, size_t len, const char **name, size_t *name_len);
/* The RDATA of the RRSIG of a VARIANT record for `type`; borrowed. False: it is none, or of another set or type. */
bool steer_record_variant(const uint8_t *rdata, size_t len, uint16_t type, const uint8_t hash[STEER_SET_HASH_LEN],
                          const uint8_t **rrsig, uint16_t *rrsig_len);
/* Where in a set of VARIANT records, in canonical order, each with its length in two octets before it, those with this hash would begin: octets, and records before. Where all are of one length, which
 * signatures of one key are, it is found by halving; else it is the beginning, or any place before. */
size_t steer_variants_seek(const uint8_t *data, size_t size, unsigned count, const uint8_t hash[STEER_SET_HASH_LEN], unsigned *before);

/* The signatures of one set at a time. */
enum { STEER_SIGNATURES_MAX = 8 /* one a key */ };
struct steer_signatures {
	struct steer_rdata rrsig[STEER_SIGNATURES_MAX]; /* RDATA of RRSIG, borrowed: those that are good, else those that are not */
	unsigned count;
	bool good;            /* RFC 4035 5.3.1: they have begun and not ended */
	uint32_t from, until; /* all of this holds from then until before then (seconds modulo 2^32, RFC 4034 3.1.5) */
};
/* Those with this type and hash, of a set of VARIANT records as steer_variants_seek() has it; whatever the records are, nothing is read beyond `size`. now: seconds of the wall clock modulo 2^32. */
void steer_variants_find(const uint8_t *data, size_t size, unsigned count, uint16_t type, const uint8_t hash[STEER_SET_HASH_LEN], uint32_t now, struct steer_signatures *out);
/* Is this RDATA of an RRSIG good at that time? */
bool steer_signature_good(const uint8_t *rrsig, size_t len, uint32_t now);
