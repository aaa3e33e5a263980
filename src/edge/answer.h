/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "dns/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A backend's answer as it is kept and relayed: what stands behind the question, without OPT. Compression in it points
 * into the question, whose name has the same length whoever asks, and into itself: it fits behind any question for the
 * same name, whatever its case. */
enum {
	EDGE_BODY_MAX = DNS_MESSAGE_MAX - DNS_HEADER_LEN - 5,
	EDGE_TTLS_MAX = 2048, /* records of an answer that is cached; one with more is relayed */
};

/* A client's network, as backends are told of it (RFC 7871). */
struct edge_subnet {
	struct ip_addr addr;   /* family 0: none */
	uint8_t prefix;        /* of it that is known */
};

struct edge_answer {
	const uint8_t *body;
	uint16_t len;
	uint16_t counts[3];   /* of records by section, without OPT */
	uint16_t flags;       /* of the header: AA, TC, RA, AD as the backend set them; the rest 0 */
	uint16_t rcode;       /* extended */
	uint16_t ede;         /* info code of the first extended error (RFC 8914); EDE none: 0xffff */
	bool negative;        /* NXDOMAIN, or nothing of the type asked for */
	bool has_scope;       /* RFC 7871; only believable if `told` is what was asked: edge_subnet_equal() */
	uint8_t scope;
	struct edge_subnet told; /* with has_scope: the network that the option names */
	uint32_t ttl;         /* seconds that it may be kept: the least of its records, of a negative one as in RFC 2308 5; 0: not at all */
	uint16_t ttl_count;   /* places of TTLs in `body`, ascending; complete where ttl is not 0 */
	uint16_t ttl_at[EDGE_TTLS_MAX];
};

/* Take a message apart. ERR_MALFORMED: it is no answer to this question (ID is the caller's business), or no DNS. OPT
 * must be the last record but for TSIG, which is refused here: messages with TSIG are passed on as they are. A bare
 * header with an error in it (FORMERR, NOTIMP) is an answer to any question. On failure *out is undefined. */
int edge_answer_parse(const uint8_t *msg, size_t len, const struct query *asked, struct edge_answer *out) MUST_CHECK;
/* Count TTLs down by age_s in a copy of the body; none goes below `floor` seconds, but for those that were below it
 * from the start: they stay. */
void edge_answer_age(uint8_t *body, const uint16_t *ttl_at, unsigned ttl_count, uint32_t age_s, uint32_t floor);
/* The same network: family and all bits that are known. */
bool edge_subnet_equal(const struct edge_subnet *a, const struct edge_subnet *b);
