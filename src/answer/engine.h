/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dns/message.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The answer engine: a query's octets in, the answer's octets out, with a pinned version of the store. Pure: no socket, clock,
 * log, lock or allocation; everything it writes is in the scratch given. One per worker. */
enum engine_transport { ENGINE_UDP, ENGINE_TCP };

struct engine_identity {
	const char *nsid;     /* node name: NSID, id.server, hostname.bind; borrowed */
	const char *version;  /* version.server, version.bind; NULL = REFUSED */
};

struct engine_config {
	struct engine_identity identity;
	uint16_t udp_max;     /* largest UDP answer, DNS_UDP_DEFAULT (RFC 9715) */
	bool servfail;        /* fault drill: every zone question is answered SERVFAIL */
};

/* What happened, for counters. */
struct engine_result {
	size_t len;      /* octets of answer; 0 = no answer at all */
	uint16_t rcode;  /* extended */
	uint16_t qtype;
	uint16_t opcode;
	bool truncated;
	bool has_edns, dnssec_ok;
	uint32_t network; /* of the zone that answered, UINT32_MAX if none */
	uint64_t zone_generation; /* 0 if no zone was asked */
};

enum { ENGINE_CHAIN_MAX = 16 }; /* aliases followed for one question */

/* Scratch of one worker; large, allocated once. */
struct engine_scratch {
	struct compress compress;
	struct query query;
	struct name chain[ENGINE_CHAIN_MAX]; /* names that aliases led to */
	struct name wildcard;
};

/* Answer msg into out (cap octets; at least 512; for TCP DNS_MESSAGE_MAX). */
void engine_answer(const struct engine_config *conf, const struct store_snapshot *s, struct engine_scratch *scratch,
                   enum engine_transport transport, const uint8_t *msg, size_t len, uint8_t *out, size_t cap,
                   struct engine_result *result);
