/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* By what a VARIANT record (steer/records.h) tells the set of records that its signature is for: the first octets of SHA-256 over the type and, of each RDATA in canonical order (RFC 4034 6.3) and
 * once, its length and itself; type and length in two octets, network order. Owner and TTL have no part in it: the record stands at the owner, and its signature says the TTL. Pure; allocates nothing. */
enum { STEER_SET_HASH_LEN = 8 };

struct steer_rdata {
	const uint8_t *octets; /* canonical: names in lower case */
	uint16_t len;
};
/* The order of `set` does not matter; it is put into the canonical one. */
void steer_set_hash(uint16_t type, struct steer_rdata *set, size_t count, uint8_t out[STEER_SET_HASH_LEN]);
