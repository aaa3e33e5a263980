/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/wire.h"
#include "dns/message.h"
#include "xfr/incoming.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Requests for transfers, both sides (RFC 5936 2.1, RFC 1995 3). */
struct xfr_request {
	uint16_t id;
	bool recursion_desired; /* server: repeated in the answer */
	enum xfr_kind kind;
	struct name apex;       /* case as asked */
	uint32_t serial;        /* IXFR: of the version the client has */
	uint16_t udp_size;      /* EDNS: what fits, at least 512; 512 without */
	bool has_edns;
	bool want_expire;  /* RFC 7314 */
	bool want_padding; /* server: RFC 7830 */
};

/* Server: judge the octets of a request, whoever sent it. Its TSIG record is judged by the caller (xfr/tsig.h).
 * QUERY_OK and *out, or what to answer: QUERY_FORMERR, QUERY_DROP, QUERY_NOTIMP, QUERY_BADVERS; QUERY_NO_QUESTION: it asks for no transfer. */
enum query_verdict xfr_request_parse(const uint8_t *msg, size_t len, struct xfr_request *out);

/* Client: write the request that r says from w's start; has_edns adds an OPT record, want_expire its option. soa: RDATA of the SOA we have, for IXFR; NULL:
 * one that holds but the serial, which is all that servers look at. ERR_NO_SPACE. */
int xfr_request_build(const struct xfr_request *r, const uint8_t *soa, size_t soa_len, struct writer *w) MUST_CHECK;

/* Server: an answer that is only an error: header, question, OPT. rcode is extended where there is EDNS. ERR_NO_SPACE. */
int xfr_request_refuse(const struct xfr_request *r, unsigned rcode, struct writer *w) MUST_CHECK;
