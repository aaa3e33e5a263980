/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* SipHash-1-3 (Aumasson, Bernstein) keyed with 16 bytes: for tables whose keys strangers choose. */
uint64_t hash_keyed(const uint8_t key[16], const void *bytes, size_t len);
/* SipHash-2-4: where a standard wants that one (RFC 9018). */
uint64_t hash_keyed_24(const uint8_t key[16], const void *bytes, size_t len);
/* Checksum of our own data (not against an adversary): 64-bit, order-dependent. */
uint64_t hash_checksum(const void *bytes, size_t len, uint64_t seed);
/* len bytes of the system's randomness; aborts if the kernel has none. */
void random_bytes(void *out, size_t len);
uint32_t random_u32(void);
