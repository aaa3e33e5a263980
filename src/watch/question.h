/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "dns/name.h"
#include "health/probe_dns.h"
#include "watch/zones.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a check asks, and what it expects: the SOA of a zone, another set of its records, the node's own name where there are no zones, or which worker it is that answers. */
enum question_kind { QUESTION_ID, QUESTION_WORKER, QUESTION_SOA, QUESTION_SET };

enum {
	QUESTION_TRIES = 4,       /* nodes looked at for a set that can be asked for; then it is the SOA */
	QUESTION_SUBJECT_MAX = 140, /* bytes of text, NUL included */
};

struct question {
	enum question_kind kind;
	struct name apex;         /* SOA, SET */
	struct probe_question wire;
	uint64_t generation;      /* of the zone, when it was asked for */
	struct probe_soa soa;
	struct probe_set set;
};

void question_ask_id(struct question *q, uint16_t id);
void question_ask_worker(struct question *q, uint16_t id);
/* Of a zone that is served. With content: some other set of it, chosen by the number; where none is found for it, its SOA. */
void question_ask_zone(struct question *q, const struct store_snapshot *s, const uint8_t *apex, bool content, uint64_t number, uint16_t id);
/* The same question once more, as the store is now. False: there is nothing to ask for any more. */
bool question_renew(struct question *q, const struct store_snapshot *s, uint32_t network, uint16_t id);
bool question_is_same(const struct question *a, const struct question *b);

/* s: the store now, NULL: there is none. workers: how many there are; *worker is set where one has told its number. A set of a zone that has changed since it was asked
 * for passes when it is not as expected: which version the answer is of cannot be told. */
enum probe_verdict question_judge(const struct question *q, const struct store_snapshot *s, const char *node, unsigned workers, const uint8_t *msg,
                                  size_t len, char *why, unsigned *worker);
/* What it was about, for a sentence: "its own name", "example.org", "MX of example.org". */
char *question_subject(const struct question *q, char *buf);
