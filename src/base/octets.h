/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>
#include <string.h>

/* Eight octets at a time, in a word. */

/* The first octet in the lowest bits, whatever this machine's order. */
static inline uint64_t octets_low_first(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(v) : v;
}

static inline void octets_put_low_first(void *p, uint64_t v)
{
	v = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(v) : v;
	memcpy(p, &v, sizeof(v));
}

/* The first octet in the highest bits: words compare as the octets do. */
static inline uint64_t octets_high_first(const void *p)
{
	return __builtin_bswap64(octets_low_first(p));
}

/* Among the octets of v, those from `from` to `to` (both ASCII), as 0x80 each: such an octet carries into its top bit by the one sum and not by the other. */
static inline uint64_t octets_in_range(uint64_t v, char from, char to)
{
	const uint64_t ones = 0x0101010101010101, tops = ones << 7;
	uint64_t low = v & ~tops, at_least = low + (uint64_t)(0x80 - from) * ones, above = low + (uint64_t)(0x7f - to) * ones;

	return (at_least ^ above) & tops & ~v;
}

static inline uint64_t octets_lower(uint64_t v)
{
	return v | octets_in_range(v, 'A', 'Z') >> 2;
}

static inline uint64_t octets_upper(uint64_t v)
{
	return v & ~(octets_in_range(v, 'a', 'z') >> 2);
}
