/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

/* Response rate limiting: how many answers of one kind one client prefix gets in a second. Kinds are the caller's. */
struct rate_table;

enum { RATE_ENTRIES_MIN = 1024, RATE_UNITS_PER_S = 64000000, RATE_KINDS_MAX = 8 };

/* Octets of memory for at least so many entries. */
size_t rate_table_size(uint32_t entries);
/* Put an empty table into memory of rate_table_size(entries) octets, aligned to 64: with the key against guessed collisions. */
void rate_table_init(void *memory, uint32_t entries, const uint8_t key[16]);
/* The table in mapped memory of len octets. ERR_STALE when there is none that fits. */
int rate_table_open(void *memory, size_t len, struct rate_table **out) MUST_CHECK;

/* One worker's view of its limits; `turn` is its own. */
struct rate_limits {
	uint32_t per_second[RATE_KINDS_MAX]; /* 0: no limit */
	uint8_t slip;                      /* 0: drop all */
	uint8_t prefix_bits[2];            /* of IPv4, of IPv6 */
};
enum rate_verdict { RATE_PASS, RATE_SLIP, RATE_DROP };

/* Account for one answer. turn: counts this worker's answers beyond a limit. */
enum rate_verdict rate_judge(struct rate_table *t, const struct rate_limits *l, const struct ip_addr *client, unsigned kind,
                             uint64_t now_ns, uint32_t *turn);
