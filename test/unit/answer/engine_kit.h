/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the tests of the answer engine share: a store of small zones written in the test, questions in text, answers in text. */

struct kit_zone {
	const char *name;
	const char *text; /* NULL: a zone without data */
	bool sign;        /* add an RRSIG that nobody could validate to every set that would have one */
	uint32_t network;
};

/* Make the store of these zones; one at a time. Aborts the test on failure. */
void kit_open(const struct kit_zone *zones, size_t count);
void kit_close(void);
/* Put these zones, new or in place of what they were, in one commit; or take one away. */
void kit_change(const struct kit_zone *zones, size_t count);
void kit_remove(const char *zone);
void kit_pin(struct store_snapshot *s);
void kit_unpin(void);

enum { KIT_DO = 1, KIT_EDNS = 2, KIT_TCP = 4, KIT_NSID = 8 };
/* Octets of a query; size is the UDP size of the OPT, which KIT_EDNS, KIT_DO and KIT_NSID bring. */
size_t kit_query(const char *name, const char *type, unsigned flags, uint16_t size, uint8_t *buf, size_t cap);

extern struct engine_config kit_conf; /* what the questions are asked with; kit_open() resets it */
extern struct engine_request kit_request; /* client, clock and keepalive of the next questions; likewise */
extern uint8_t kit_out[DNS_MESSAGE_MAX];

/* Ask; the answer is in kit_out. It must parse to its last octet, and be within cap. The same answer must come through a cache, whether
 * it is there already or not. */
void kit_ask(const uint8_t *query, size_t len, enum engine_transport transport, size_t cap, struct engine_result *r);
/* engine_slip() for the query asked last. */
void kit_slip(struct engine_result *r);
/* The answer as text: "RCODE[ AA][ TC] | answer | authority | additional", OPT left out. A section is the sets in it sorted, as "OWNER TYPE", with
 * "+" when it is signed, "*N" when there are N records, separated by ", ". The text lasts until the next call. */
const char *kit_text(const struct engine_result *r);
/* Ask over TCP (cap DNS_MESSAGE_MAX) and compare. */
void kit_expect(const char *name, const char *type, unsigned flags, const char *want);
/* Records of a section with all they are: "OWNER TTL TYPE RDATA", one a line, in the order of the message. */
const char *kit_records(const struct engine_result *r, int section);
