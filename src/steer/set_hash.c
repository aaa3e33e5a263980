/* SPDX-License-Identifier: BSD-2-Clause */
#include "steer/set_hash.h"

#include "base/wire.h"
#include "dns/rr.h"

/* The one-shot EVP interface allocates on each call, which nothing on the answer path may. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdbool.h>
#include <string.h>

/* Few, and mostly in order: endpoints of one pool. */
static void sort(struct steer_rdata *set, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct steer_rdata one = set[i];
		size_t at = i;

		for (; at && rdata_compare(set[at - 1].octets, set[at - 1].len, one.octets, one.len) > 0; at--)
			set[at] = set[at - 1];
		set[at] = one;
	}
}

void steer_set_hash(uint16_t type, struct steer_rdata *set, size_t count, uint8_t out[STEER_SET_HASH_LEN])
{
	uint8_t digest[SHA256_DIGEST_LENGTH], number[2];
	SHA256_CTX ctx;

	sort(set, count);
	SHA256_Init(&ctx);
	put_u16(number, type);
	SHA256_Update(&ctx, number, sizeof(number));
	for (size_t i = 0; i < count; i++) {
		if (i && rdata_compare(set[i - 1].octets, set[i - 1].len, set[i].octets, set[i].len) == 0)
			continue; /* RFC 4034 6.3: no record twice */
		put_u16(number, set[i].len);
		SHA256_Update(&ctx, number, sizeof(number));
		SHA256_Update(&ctx, set[i].octets, set[i].len);
	}
	SHA256_Final(digest, &ctx);
	memcpy(out, digest, STEER_SET_HASH_LEN);
}
