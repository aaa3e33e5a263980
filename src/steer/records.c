/* SPDX-License-Identifier: BSD-2-Clause */
#include "steer/records.h"

#include "base/wire.h"
#include "dns/rr.h"

#include <string.h>

enum { SIGNER_AT = 18 }; /* RFC 4034 3.1: octets of RRSIG's RDATA before the signer's name */

bool steer_record_policy(const uint8_t *rdata, size_t len, const char **name, size_t *name_len)
{
	if (!len || !rdata[0] || len < 1U + rdata[0])
		return false;
	*name = (const char *)rdata + 1;
	*name_len = rdata[0];
	return true;
}

bool steer_record_variant(const uint8_t *rdata, size_t len, uint16_t type, const uint8_t hash[STEER_SET_HASH_LEN],
                          const uint8_t **rrsig, uint16_t *rrsig_len)
{
	const uint8_t *sig = rdata + STEER_SET_HASH_LEN;

	if (len < STEER_SET_HASH_LEN + SIGNER_AT || memcmp(rdata, hash, STEER_SET_HASH_LEN) != 0)
		return false;
	len -= STEER_SET_HASH_LEN;
	if (rrsig_covers(sig, len) != type || rdata_check(RR_RRSIG, sig, len) < 0)
		return false;
	*rrsig = sig;
	*rrsig_len = (uint16_t)len;
	return true;
}

size_t steer_variants_seek(const uint8_t *data, size_t size, unsigned count, const uint8_t hash[STEER_SET_HASH_LEN], unsigned *before)
{
	size_t len = count ? get_u16(data) : 0, step = 2 + len;
	unsigned from = 0, to = count;

	*before = 0;
	if (len < STEER_SET_HASH_LEN || size != count * step)
		return 0;
	while (from < to) {
		unsigned mid = from + (to - from) / 2;
		const uint8_t *p = data + mid * step;

		/* Of different lengths after all, whose sum is as if they were not. */
		if (get_u16(p) != len)
			return 0;
		if (memcmp(p + 2, hash, STEER_SET_HASH_LEN) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	*before = from;
	return from * step;
}
