/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dns/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The DNS probe, pure: what to ask, and what an answer's octets are worth. */
enum {
	PROBE_QUERY_MAX = 512,  /* octets of a question with EDNS: 12 + 255 + 4 + 11 at most */
	PROBE_SOA_MAX = 2 * NAME_LEN_MAX + 20, /* octets of SOA RDATA (RFC 1035 3.3.13) */
	PROBE_WHY_MAX = 120,    /* bytes of a reason, NUL included */
	PROBE_UDP_SIZE = 1232,
};

struct probe_question {
	struct name qname;
	uint16_t qtype;
	uint16_t qclass;
	uint16_t id;
};

/* A zone's SOA RDATA in canonical form (RFC 4034 6.2). */
struct probe_soa {
	bool known; /* false: there is no such zone, or it has no data */
	uint16_t len;
	uint32_t serial;
	uint8_t rdata[PROBE_SOA_MAX];
};

enum probe_verdict {
	PROBE_PASS,
	PROBE_FAIL,
	PROBE_NOT_OURS, /* no answer to this question at all (another id, not a response): over UDP a client keeps waiting */
};

/* Question for the SOA of a zone, and for the name of the node that answers (id.server CH TXT, RFC 4892). */
void probe_ask_soa(struct probe_question *q, const uint8_t *apex, uint16_t id);
void probe_ask_id(struct probe_question *q, uint16_t id);
/* Octets to send, at most PROBE_QUERY_MAX; returns how many or an error. */
int probe_build(const struct probe_question *q, uint8_t *buf, size_t cap) MUST_CHECK;

/* Take SOA RDATA (names uncompressed) as an expectation. Not known when it is no valid SOA. */
void probe_soa_set(struct probe_soa *s, const uint8_t *rdata, size_t len);

/* Judge len octets that answer q, a question for an SOA. `before` is what the zone held when the question was sent, `now`
 * what it holds now: the answer must be one of both, or a version between them. Reason of a failure, without subject and final
 * stop ("answered SERVFAIL", "serial 41, expected 42"), in why of PROBE_WHY_MAX. */
enum probe_verdict probe_judge_soa(const struct probe_question *q, const struct probe_soa *before,
                                   const struct probe_soa *now, const uint8_t *msg, size_t len, char *why);
/* The same for a question for the node's name: it must be `node`. */
enum probe_verdict probe_judge_id(const struct probe_question *q, const char *node, const uint8_t *msg, size_t len,
                                  char *why);
