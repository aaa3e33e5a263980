/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/wire.h"
#include "dns/name.h"

#include <openssl/types.h>

#include <stddef.h>
#include <stdint.h>

/* Algorithms and keys of TSIG (RFC 8945 6). HMAC-MD5 is not offered. */
enum {
	TSIG_MAC_MAX = 64,        /* octets: HMAC-SHA-512 */
	TSIG_MAC_MIN = 10,        /* RFC 8945 5.2.2.1 */
	TSIG_SECRET_MAX = 1024,   /* octets; longer ones are hashed first anyway (RFC 2104 3) */
};

struct tsig_algorithm {
	const char *text;    /* as the fleet file names it */
	const uint8_t *name; /* as a domain name, lower case */
	const char *digest;  /* as OpenSSL names it */
	uint8_t size;        /* octets of the whole MAC */
	uint8_t sent;        /* octets of it that travel: less in the truncated forms */
};

/* "hmac-sha256", "hmac-sha256-128" ..., or NULL. */
const struct tsig_algorithm *tsig_algorithm_text(const char *text);
const struct tsig_algorithm *tsig_algorithm_name(const uint8_t *name);

/* Read-only once made, but for its use by one thread at a time. */
struct tsig_key {
	struct name name; /* lower case */
	const struct tsig_algorithm *algorithm;
	uint8_t mac_len;   /* octets of a MAC sent, and the fewest accepted */
	EVP_MAC_CTX *mac;  /* holds the secret; copied for each digest */
};

/* truncate: octets of a MAC to send and at least to accept; 0: what the algorithm says. ERR_INVALID: an empty secret, or a length that RFC 8945
 * 5.2.2.1 forbids; ERR_LIMIT; ERR_UNSUPPORTED: OpenSSL does not offer it; ERR_NO_MEMORY. */
int tsig_key_new(const uint8_t *name, const struct tsig_algorithm *algorithm, const uint8_t *secret, size_t len, unsigned truncate,
                 struct tsig_key **out) MUST_CHECK;
/* Wipes the secret. NULL is fine. */
void tsig_key_free(struct tsig_key *k);

/* A secret file: base64, blanks anywhere. ERR_MALFORMED (also when empty), ERR_NO_SPACE. */
int tsig_secret_parse(const char *text, size_t len, struct writer *w) MUST_CHECK;

/* The keys that are accepted; a view. */
struct tsig_keys {
	struct tsig_key *const *list;
	size_t count;
};
const struct tsig_key *tsig_keys_find(const struct tsig_keys *keys, const uint8_t *name);
