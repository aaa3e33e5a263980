/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint64_t rotl(uint64_t x, unsigned b)
{
	return (x << b) | (x >> (64 - b));
}

static uint64_t load64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v; /* all supported machines are little-endian, as SipHash is */
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* SipHash-c-d; both counts are constants where it is called. */
static inline uint64_t sip(const uint8_t key[16], const void *bytes, size_t len, unsigned c, unsigned d)
{
	const uint8_t *p = bytes;
	uint64_t k0 = load64(key), k1 = load64(key + 8);
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL, k0 ^ 0x6c7967656e657261ULL,
	                 k1 ^ 0x7465646279746573ULL};
	uint64_t last = (uint64_t)len << 56;
	size_t left = len;

	for (; left >= 8; left -= 8, p += 8) {
		uint64_t m = load64(p);

		v[3] ^= m;
		for (unsigned i = 0; i < c; i++)
			sip_round(v);
		v[0] ^= m;
	}
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)p[i] << (8 * i);
	v[3] ^= last;
	for (unsigned i = 0; i < c; i++)
		sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (unsigned i = 0; i < d; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_keyed(const uint8_t key[16], const void *bytes, size_t len)
{
	return sip(key, bytes, len, 1, 3);
}

uint64_t hash_keyed_24(const uint8_t key[16], const void *bytes, size_t len)
{
	return sip(key, bytes, len, 2, 4);
}

uint64_t hash_checksum(const void *bytes, size_t len, uint64_t seed)
{
	const uint8_t *p = bytes;
	uint64_t h = seed ^ ((uint64_t)len * 0x9e3779b97f4a7c15ULL);

	for (; len >= 8; len -= 8, p += 8)
		h = rotl((h ^ load64(p)) * 0x9fb21c651e98df25ULL, 29);
	for (; len; len--, p++)
		h = rotl((h ^ *p) * 0x9fb21c651e98df25ULL, 29);
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ULL;
	return h ^ (h >> 32);
}

void random_bytes(void *out, size_t len)
{
	uint8_t *p = out;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0)
			abort();
		p += n;
		len -= (size_t)n;
	}
}

uint32_t random_u32(void)
{
	uint32_t v;

	random_bytes(&v, sizeof(v));
	return v;
}
