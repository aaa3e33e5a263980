/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/compose.h"
#include "base/attr.h"
#include "dns/message.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The answer cache of one worker: what stands behind the question of answers already given, OPT left out. Owned and used by that worker alone;
 * fixed memory; never allocates after it was made. An answer found is the one that resolve() would compose now: entries die with the version
 * of the zone that they were made from. Why and how: cache.c. */
enum {
	CACHE_BODY_MAX = 1220, /* octets behind the question of an answer that is kept: what one UDP answer holds */
	CACHE_OCTETS_MIN = 64 << 10,
	CACHE_OCTETS_MAX = 1 << 30,
	CACHE_CHOICE_LEN = 16,
	/* What is to be known of an answer beside its records. */
	CACHE_AUTHORITATIVE = 1,
	CACHE_STEERED = 2,  /* there is none: the question is steered, see cache_steered() */
	CACHE_UNSIGNED = 4, /* as in struct engine_result */
};

struct cache_key {
	_Alignas(8) uint8_t name[NAME_LEN_MAX + 1 + CACHE_CHOICE_LEN]; /* lower case, zeros up to a multiple of 8; then the choice of a steered answer */
	uint32_t tag;  /* never 0 */
	uint32_t bucket;
	uint16_t qtype;
	uint16_t len;  /* octets of name that are the key: of the name alone, or with the choice */
	uint8_t flavor; /* DO, and which of the entries of one question */
};

/* All of an answer but the question, the OPT record and the client's own bits of the header. */
struct cache_answer {
	const struct store_zone *zone; /* valid while the snapshot is pinned */
	const uint8_t *body;           /* in the cache; valid until the next cache_put() */
	uint16_t len;
	uint16_t counts[3];            /* of records by section */
	uint8_t rcode;
	uint8_t marks;                 /* CACHE_AUTHORITATIVE ... */
};

struct answer_cache;
/* octets: for answers; the table that finds them takes an eighth more. ERR_NO_MEMORY. */
int cache_new(size_t octets, struct answer_cache **out) MUST_CHECK;
void cache_free(struct answer_cache *c);
/* Forget all: answers depend on settings that have changed. */
void cache_clear(struct answer_cache *c);
/* An answer that may be kept holds only from then until before then (seconds of the wall clock modulo 2^32). c may be NULL, here and below. */
void cache_hold(struct answer_cache *c, uint32_t from, uint32_t until);
/* Now and then: forgets all when what it has does not hold any more, or the clock went back. */
void cache_tick(struct answer_cache *c, uint32_t now_s);

void cache_key_make(const struct answer_cache *c, const struct query *q, struct cache_key *out);
/* From the key of a question that of one of its steered answers. */
void cache_key_choice(const struct answer_cache *c, uint32_t policy, uint32_t pool, uint64_t chosen, struct cache_key *k);
/* False: not there, or from another version of the zone, or larger than room. */
bool cache_find(struct answer_cache *c, const struct store_snapshot *s, const struct cache_key *k, size_t room, struct cache_answer *out);
/* Keep an answer, complete and of this one zone's version: the second time it is offered. */
void cache_put(struct answer_cache *c, const struct store_snapshot *s, const struct cache_key *k, const struct cache_answer *a);
/* Likewise that a question of a zone is steered, by which policy, for addresses of which family. */
void cache_put_steered(struct answer_cache *c, const struct store_snapshot *s, const struct cache_key *k, const struct store_zone *zone, uint32_t policy, uint8_t family);
/* Read back from what was found with CACHE_STEERED. */
static inline uint32_t cache_steered(const struct cache_answer *a, uint8_t *family)
{
	*family = (uint8_t)a->counts[0];
	return (uint32_t)a->counts[2] << 16 | a->counts[1];
}
