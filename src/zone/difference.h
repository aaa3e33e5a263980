/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dns/rr.h"
#include "zone/content.h"
#include "zone/store.h"

#include <stddef.h>
#include <stdint.h>

/* What makes one version of a zone of another: records that go and records that come, as incremental transfers carry them (RFC 1995 2) and as a
 * changed file compared with its predecessor gives them. First `removed` goes, then `added` comes; a record in both is replaced (other TTL, other
 * case). Each of `removed` must be there, whatever its TTL; none of `added` may be, once `removed` is gone. The SOA is a record like any
 * other: its old one is removed, its new one added. A set's TTL is the smallest of what is added and, where some of its records stay, of what it
 * was, as in content.h. Both contents are finished and of the same apex; they are in general no zones. */
struct zone_change {
	struct content *removed, *added;
};

/* Both empty and not finished. ERR_NO_MEMORY. */
int zone_change_init(struct zone_change *c, const uint8_t *apex) MUST_CHECK;
void zone_change_done(struct zone_change *c);
/* The change of two lists of records in any order, as a difference of IXFR or of a journal has them. Copies them; of a record that is twice in a list
 * one counts. ERR_NO_MEMORY. On success *out is the caller's, finished. */
int zone_change_from_records(const uint8_t *apex, const struct rr *removed, size_t removed_count, const struct rr *added, size_t added_count,
                             struct zone_change *out) MUST_CHECK;
size_t zone_change_size(const struct zone_change *c); /* records */

/* Why a change does not apply. */
enum { ZONE_CHANGE_TEXT_MAX = 400 };
struct zone_change_problem {
	char text[ZONE_CHANGE_TEXT_MAX]; /* names the record; "" when nothing is wrong with the change itself */
	uint64_t renewed;                /* also without a problem: names looked at because one above them began or ceased to hide them */
};
/* A change that makes so many names of a zone of so many be looked at costs more than the zone: names below a delegation or a DNAME, time and again. */
static inline uint64_t zone_change_renewed_max(uint64_t nodes)
{
	return 2 * nodes + 10000;
}

/* The change from one finished content to another of the same apex, exact to the case of letters; at most `limit` records, else ERR_LIMIT.
 * ERR_NO_MEMORY. On success *out is the caller's, finished. Pure. */
int zone_difference(const struct content *from, const struct content *to, size_t limit, struct zone_change *out) MUST_CHECK;
/* The same from a zone in the store, which must be serving. */
int zone_difference_store(const struct store_snapshot *s, const struct store_zone *z, const struct content *to, size_t limit,
                          struct zone_change *out) MUST_CHECK;
