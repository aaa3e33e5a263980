/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/wire.h"
#include "xfr/difference.h"
#include "xfr/request.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The answer to a request for a transfer, one message at a time: see outgoing.c. One owner, one thread. */
struct xfr_out;

/* A good length for messages over TCP. Pointers reach names in the first 16 KiB only, so longer messages compress worse: a zone of a million delegations
 * takes 86.8 million octets in messages of 64 KiB, and 68.5 in these. A record that does not fit is offered more room: ERR_LIMIT. */
enum { XFR_OUT_MESSAGE = 16384 };

struct xfr_out_settings {
	struct xfr_request request;
	bool udp;            /* RFC 1995 2: what does not fit into one message is answered with the SOA alone */
	bool has_expire;     /* the EXPIRE option, where it was asked for (RFC 7314) */
	uint32_t expire_s;
	uint16_t
		pad; /* 0: no; else each message has an OPT record and is padded (RFC 9103 7.9.1) to a multiple of this */
	uint16_t pad_after; /* octets of a signature that come behind */
};

/* The whole zone, for AXFR and for IXFR without differences to send. s and z are borrowed: they stay pinned until x is freed.
 * ERR_INVALID: the zone has no data; ERR_NO_MEMORY. */
int xfr_out_zone(const struct xfr_out_settings *settings, const struct store_snapshot *s, const struct store_zone *z, struct xfr_out **out)
        MUST_CHECK;
/* Differences, borrowed until x is freed: the first begins at request.serial, each begins where the one before ended. soa: the SOA of the newest
 * version; when count is 0 it is all that is sent ("you are up to date"). ERR_INVALID: they do not join; ERR_NO_MEMORY. */
int xfr_out_differences(const struct xfr_out_settings *settings, const struct rr *soa, const struct xfr_difference *list, size_t count,
                        struct xfr_out **out) MUST_CHECK;
void xfr_out_free(struct xfr_out *x);

/* Write the next message from w->base on; w->cap says how long it may become (the caller keeps tsig_space() for a signature, and has room for
 * more than a header and the longest question). 1: *w holds it; 0: all was sent, nothing is written; ERR_LIMIT: the next record alone does not fit: ask
 * again with more room; where there is no more, at 65535 octets, the transfer cannot go on. */
int xfr_out_next(struct xfr_out *x, struct writer *w) MUST_CHECK;

struct xfr_out_facts {
	uint64_t messages, records, octets;
};
void xfr_out_facts(const struct xfr_out *x, struct xfr_out_facts *out);
