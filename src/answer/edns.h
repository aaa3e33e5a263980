/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/compose.h"
#include "dns/cookie.h"
#include "dns/message.h"

#include <stdbool.h>
#include <stdint.h>

/* The OPT record of an answer (RFC 6891). Room for all of it but the report channel and padding is kept from the start: with the longest
 * question it is still below DNS_UDP_MIN. */
enum {
	EDNS_NSID_MAX = 64,      /* octets of NSID sent, a node's name */
	EDNS_PADDING_BLOCK = 468, /* RFC 8467 4.1 */
};

/* Extended errors (RFC 8914) that are used here. */
enum ede {
	EDE_OTHER = 0, EDE_STALE = 3, EDE_NOT_READY = 14, EDE_PROHIBITED = 18, EDE_NOT_AUTHORITATIVE = 20, EDE_NOT_SUPPORTED = 21, EDE_NO_REACHABLE_AUTHORITY = 22, EDE_NETWORK_ERROR = 23,
	EDE_INVALID_QUERY_TYPE = 30,
	EDE_NONE = 0xffff,
};

struct edns_reply {
	const char *nsid;      /* NULL: not asked for */
	bool has_cookie;
	uint8_t cookie[COOKIE_LEN];
	bool has_keepalive;
	uint16_t keepalive;    /* units of 100 ms, RFC 7828 */
	bool has_zone_version;
	uint8_t zone_labels;   /* RFC 9660 */
	uint32_t zone_serial;
	const uint8_t *report_agent; /* NULL: none */
	bool pad;
	uint16_t ede;          /* enum ede */
	uint8_t scope;         /* of the client subnet option, RFC 7871 */
};

/* Octets to keep free for the record. */
size_t edns_room(const struct edns_reply *e, const struct query *q);
/* Write the record at the end of the message; limit: octets of the whole message. */
void edns_put(struct writer *w, const struct edns_reply *e, const struct query *q, uint16_t rcode, size_t limit);
