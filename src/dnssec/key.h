/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keys of DNSSEC: RSASHA256 (8), RSASHA512 (10), ECDSA P-256 and P-384 (13, 14), Ed25519 and Ed448 (15, 16). */
enum {
	DNSSEC_PUBLIC_MAX = 1024,    /* octets of a public key as DNSKEY has it: RSA of 4096 bits has 516 */
	DNSSEC_SIGNATURE_MAX = 512,  /* octets, likewise */
	DNSSEC_KEY_FILE_MAX = 16384, /* octets of a private key's file */
	DNSSEC_FLAG_ZONE = 0x0100,   /* RFC 4034 2.1.1 */
	DNSSEC_FLAG_REVOKED = 0x0080, /* RFC 5011 2.1 */
	DNSSEC_DNSKEY_HEAD = 4,      /* octets of DNSKEY RDATA before the public key */
	DNSSEC_WHY_MAX = 256,
};

struct evp_pkey_st;

struct dnssec_key {
	struct evp_pkey_st *pkey;
	bool private;        /* it can sign */
	uint8_t algorithm;   /* 0: of RSA, not known which of the two until it is found in a DNSKEY record */
	uint16_t flags, tag; /* of its DNSKEY record; 0 before dnssec_key_adopt() */
	uint16_t public_len;
	uint8_t public[DNSSEC_PUBLIC_MAX];
};

/* The key of a DNSKEY record, for verifying. ERR_UNSUPPORTED: an algorithm or size that is not known here; ERR_MALFORMED. */
int dnssec_key_public(const uint8_t *rdata, size_t len, struct dnssec_key *out) MUST_CHECK;
/* The private key in a file of BIND's form ("Private-key-format: v1.3") or PKCS#8 in PEM without a password, of len octets. On failure why (of DNSSEC_WHY_MAX) says what is wrong. */
int dnssec_key_private(const char *text, size_t len, struct dnssec_key *out, char *why) MUST_CHECK;
/* Is the DNSKEY record (RDATA) of this key? Then the key has its algorithm, flags and tag. */
bool dnssec_key_adopt(struct dnssec_key *key, const uint8_t *rdata, size_t len);
void dnssec_key_done(struct dnssec_key *key);

/* RFC 4034 appendix B, of DNSKEY RDATA. */
uint16_t dnssec_key_tag(const uint8_t *rdata, size_t len);
bool dnssec_algorithm_known(uint8_t algorithm);
/* "ECDSAP256SHA256"; "?" of those that are not known. */
const char *dnssec_algorithm_text(uint8_t algorithm);
