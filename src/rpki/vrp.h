/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Validated ROA payloads and what they say of a route (RFC 6811). Pure. */
enum {
	VRP_SET_MAX = 4096, /* payloads that cover our prefixes, of one cache */
	VRP_WHY_MAX = 240,  /* octets of a sentence, NUL included */
};

/* "AS `as` may originate `prefix` and what is more specific up to max_len." AS 0: nobody may (RFC 7607). */
struct vrp {
	struct ip_prefix prefix;
	uint8_t max_len;
	uint32_t as;
};

/* In order, each once. Zeroed: empty. */
struct vrp_set {
	struct vrp *list;
	size_t count, cap;
};

/* ERR_EXISTS, ERR_LIMIT, ERR_NO_MEMORY. */
int vrp_set_add(struct vrp_set *s, const struct vrp *v) MUST_CHECK;
/* ERR_NOT_FOUND. */
int vrp_set_remove(struct vrp_set *s, const struct vrp *v) MUST_CHECK;
int vrp_set_copy(struct vrp_set *to, const struct vrp_set *from) MUST_CHECK;
void vrp_set_clear(struct vrp_set *s);
void vrp_set_done(struct vrp_set *s);

/* The prefixes that payloads are kept for: a table of the world has half a million that say nothing of us. */
struct vrp_interest {
	struct ip_prefix *list; /* in order */
	size_t count;
};

/* Takes a copy, without duplicates. ERR_NO_MEMORY leaves it as it was. */
int vrp_interest_set(struct vrp_interest *in, const struct ip_prefix *list, size_t count) MUST_CHECK;
void vrp_interest_done(struct vrp_interest *in);
bool vrp_interest_equal(const struct vrp_interest *a, const struct vrp_interest *b);
/* Is one of them equal to p, or more specific? */
bool vrp_interest_covered_by(const struct vrp_interest *in, const struct ip_prefix *p);

enum vrp_state { VRP_UNKNOWN, VRP_VALID, VRP_INVALID, VRP_NOT_FOUND };
const char *vrp_state_text(enum vrp_state s);

/* RFC 6811 2: the state of a route for p from AS `as`; never VRP_UNKNOWN. why[VRP_WHY_MAX] gets one sentence with the payloads that say so. */
enum vrp_state vrp_validate(const struct vrp_set *s, const struct ip_prefix *p, uint32_t as, char *why);
