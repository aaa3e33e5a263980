/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/nsec3_hash.h"

#include "base/err.h"
#include "dns/name.h"

/* The one-shot EVP interface allocates on each call; a proof needs up to three hashes on the answer path, where nothing may. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <string.h>

enum { NSEC3_SHA1 = 1 };

int nsec3_hash(const struct store_nsec3_params *params, const uint8_t *name, uint8_t hash[20])
{
	struct name lower;
	SHA_CTX ctx;

	if (params->algorithm != NSEC3_SHA1 || params->iterations > NSEC3_ITERATIONS_MAX)
		return ERR_UNSUPPORTED;
	name_lower(&lower, name);
	SHA1_Init(&ctx);
	SHA1_Update(&ctx, lower.wire, lower.len);
	SHA1_Update(&ctx, params->salt, params->salt_len);
	SHA1_Final(hash, &ctx);
	for (unsigned i = 0; i < params->iterations; i++) {
		SHA1_Init(&ctx);
		SHA1_Update(&ctx, hash, 20);
		SHA1_Update(&ctx, params->salt, params->salt_len);
		SHA1_Final(hash, &ctx);
	}
	return 0;
}
