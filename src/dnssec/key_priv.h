/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dnssec/key.h"

#include <openssl/types.h>

/* Between key.c, key_file.c and sign.c. */
struct dnssec_algorithm {
	uint8_t number;
	const char *text;
	const char *curve; /* ECDSA */
	uint8_t octets;    /* of a coordinate or of a key; 0: RSA */
};
const struct dnssec_algorithm *dnssec_algorithm(uint8_t number); /* NULL: not known */

struct dnssec_number {
	const uint8_t *octets; /* high first */
	size_t len;            /* 0: not given */
};
/* Modulus, public and private exponent, two primes, two exponents, coefficient; the private ones may be left out from the end. */
enum { RSA_PARTS = 8 };
/* NULL: these numbers make no key. */
EVP_PKEY *dnssec_rsa(const struct dnssec_number part[RSA_PARTS]) MUST_CHECK;
EVP_PKEY *dnssec_ec(const struct dnssec_algorithm *a, const uint8_t *scalar, size_t len) MUST_CHECK;
/* *out borrows pkey until it succeeds; then it owns it. ERR_UNSUPPORTED. */
int dnssec_key_of(EVP_PKEY *pkey, struct dnssec_key *out) MUST_CHECK;
