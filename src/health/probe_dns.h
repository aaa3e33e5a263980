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
	bool nsid; /* ask who answers (RFC 5001) */
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

/* Another set of a zone's records, as the store holds it; RDATA in canonical form. */
enum {
	PROBE_SET_MAX = 900,    /* octets with lengths: such an answer fits over UDP */
	PROBE_SET_RECORDS = 32,
};
struct probe_set {
	bool known;
	uint16_t type, count, size;
	uint32_t ttl;
	uint8_t data[PROBE_SET_MAX]; /* count times: length (2 octets), RDATA */
};

/* Question for the SOA of a zone, and for the name of the node that answers (id.server CH TXT, RFC 4892). */
void probe_ask_soa(struct probe_question *q, const uint8_t *apex, uint16_t id);
void probe_ask_id(struct probe_question *q, uint16_t id);
/* Which of this node's answer workers it is that answers (worker.zonecast CH TXT): told to the node's own addresses only. */
void probe_ask_worker(struct probe_question *q, uint16_t id);
void probe_ask_set(struct probe_question *q, const uint8_t *owner, uint16_t type, uint16_t id);
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
/* For the worker: one below `workers`. *worker only where it passes. */
enum probe_verdict probe_judge_worker(const struct probe_question *q, unsigned workers, const uint8_t *msg, size_t len, char *why,
                                      unsigned *worker);

/* Who answered a question that asks for it: its NSID, or "" where it tells none that can be shown (letters, digits, - _ .). Any answer to the question passes, whatever
 * its rcode, of which *rcode tells: it was reached. */
enum { PROBE_NSID_MAX = 64 }; /* bytes, NUL included */
enum probe_verdict probe_judge_nsid(const struct probe_question *q, const uint8_t *msg, size_t len, char nsid[PROBE_NSID_MAX], unsigned *rcode, char *why);

/* Take a set (data: as in struct probe_set, names uncompressed) as an expectation. Not known when it is too large to be asked for. */
void probe_set_take(struct probe_set *s, uint16_t type, uint32_t ttl, uint16_t count, const uint8_t *data, size_t size);
/* Judge an answer to a question for it, record by record: it must be one of both; see probe_judge_soa(). */
enum probe_verdict probe_judge_set(const struct probe_question *q, const struct probe_set *before, const struct probe_set *now, const uint8_t *msg,
                                   size_t len, char *why);

/* Any server's answer to any question: NOERROR with a record of the type that was asked for (behind CNAMEs, too), one of which has `contains` (NULL: nothing) in its text. */
enum probe_verdict probe_judge_contains(const struct probe_question *q, const char *contains, const uint8_t *msg, size_t len, char *why);
