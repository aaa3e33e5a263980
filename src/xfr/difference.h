/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "dns/rr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The difference between two versions of a zone as IXFR sends it (RFC 1995 4): a view. */
struct xfr_difference {
	uint32_t from, to;        /* serials */
	const struct rr *deleted; /* [0]: the SOA of `from` */
	const struct rr *added;   /* [0]: the SOA of `to` */
	size_t deleted_count, added_count;
};

/* A list of them that is built, with all they refer to. One owner, one thread. */
struct xfr_differences {
	struct arena arena; /* owners and RDATA */
	struct xfr_difference *list;
	size_t count, cap;
	const uint8_t *last_owner; /* kept: records of one owner follow each other */
};

typedef bool xfr_record_fn(void *ctx, const struct rr *rr);

void xfr_differences_init(struct xfr_differences *d);
void xfr_differences_done(struct xfr_differences *d);
/* All of these copy the record; SOA RDATA must be valid. ERR_NO_MEMORY; ERR_MALFORMED: no SOA. */
/* Begin a difference with the SOA of the version before. */
int xfr_differences_from(struct xfr_differences *d, const struct rr *soa) MUST_CHECK;
/* The SOA of the version after: what is deleted is complete. */
int xfr_differences_to(struct xfr_differences *d, const struct rr *soa) MUST_CHECK;
int xfr_differences_delete(struct xfr_differences *d, const struct rr *rr) MUST_CHECK;
int xfr_differences_add(struct xfr_differences *d, const struct rr *rr) MUST_CHECK;
/* Drop those that difference i adds, but for the SOA, and that is_there() knows; returns how many. */
size_t xfr_differences_drop_added(struct xfr_differences *d, size_t i, xfr_record_fn *is_there, void *ctx);
