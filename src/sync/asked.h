/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/wire.h"
#include "dns/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Requests that sync answers beside transfers: NOTIFY (RFC 1996), and the SOA of a zone, which secondaries ask for with a signature or on the connection
 * of a transfer. Pure. */
struct asked {
	uint16_t id, flags;
	unsigned opcode;
	struct name qname;  /* case as asked */
	uint16_t qtype, qclass;
	bool has_edns, want_expire;
	uint16_t udp_size;  /* at least 512 */
	bool has_serial;    /* NOTIFY: the SOA that came with it */
	uint32_t serial;
};

/* 0; ERR_MALFORMED: a request with a question, but else broken: FORMERR; ERR_INVALID: nothing to answer. On ERR_MALFORMED *out has id, flags, question. */
int asked_parse(const uint8_t *msg, size_t len, struct asked *out) MUST_CHECK;
/* The answer: header, question, the zone's SOA where it is given (RDATA, uncompressed), OPT, with the EXPIRE option where has_expire. From w's start; sticky. */
struct asked_soa {
	uint32_t ttl;
	const uint8_t *rdata;
	uint16_t rdlen;
	bool has_expire;
	uint32_t expire_s;
};
void asked_answer(const struct asked *q, unsigned rcode, const struct asked_soa *soa, struct writer *w);
