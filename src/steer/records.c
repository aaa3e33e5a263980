/* SPDX-License-Identifier: BSD-2-Clause */
#include "steer/records.h"

#include "base/wire.h"
#include "dns/rr.h"

#include <string.h>

enum {
	SIGNER_AT = 18,    /* RFC 4034 3.1: octets of RRSIG's RDATA before the signer's name */
	END_AT = 8,        /* of its end; its beginning follows */
	LONG_S = 1 << 30,  /* as far as is looked ahead and back: 34 years */
};

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
	size_t len = count && size >= 2 ? get_u16(data) : 0, step = 2 + len;
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

static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

bool steer_signature_good(const uint8_t *rrsig, size_t len, uint32_t now)
{
	return len >= SIGNER_AT && !before(now, get_u32(rrsig + END_AT + 4)) && !before(get_u32(rrsig + END_AT), now);
}

/* When what is said of a signature changes, this way and that. */
static void narrow(const uint8_t *rrsig, uint32_t now, struct steer_signatures *out)
{
	const uint32_t turns[] = {get_u32(rrsig + END_AT + 4), get_u32(rrsig + END_AT) + 1};

	for (unsigned i = 0; i < 2; i++) {
		if (before(now, turns[i]) && before(turns[i], out->until))
			out->until = turns[i];
		if (!before(now, turns[i]) && before(out->from, turns[i]))
			out->from = turns[i];
	}
}

void steer_variants_find(const uint8_t *data, size_t size, unsigned count, uint16_t type, const uint8_t hash[STEER_SET_HASH_LEN], uint32_t now, struct steer_signatures *out)
{
	struct steer_rdata others[STEER_SIGNATURES_MAX];
	unsigned at, other_count = 0;
	size_t pos = steer_variants_seek(data, size, count, hash, &at);

	out->count = 0;
	out->from = now - LONG_S;
	out->until = now + LONG_S;
	/* Where halving was misled by lengths that only seem to be one, what is read here are no records: their lengths are not believed. */
	for (; at < count && size - pos >= 2; at++) {
		uint16_t len = get_u16(data + pos), rrsig_len;
		const uint8_t *rdata = data + pos + 2, *rrsig;

		if (len > size - pos - 2 || (len >= STEER_SET_HASH_LEN && memcmp(rdata, hash, STEER_SET_HASH_LEN) > 0))
			break;
		pos += 2U + len;
		if (!steer_record_variant(rdata, len, type, hash, &rrsig, &rrsig_len))
			continue;
		narrow(rrsig, now, out);
		if (!steer_signature_good(rrsig, rrsig_len, now)) {
			if (other_count < STEER_SIGNATURES_MAX)
				others[other_count++] = (struct steer_rdata){rrsig, rrsig_len};
		} else if (out->count < STEER_SIGNATURES_MAX) {
			out->rrsig[out->count++] = (struct steer_rdata){rrsig, rrsig_len};
		}
	}
	out->good = out->count > 0;
	if (out->good)
		return;
	memcpy(out->rrsig, others, other_count * sizeof(*others));
	out->count = other_count;
}
