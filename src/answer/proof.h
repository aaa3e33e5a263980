/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/compose.h"
#include "zone/store.h"

/* Proofs for the authority section of answers to queries with DO (RFC 4035 3.1.3, RFC 5155 7.2). Each puts what the zone's kind of denial
 * (NSEC or NSEC3) needs, nothing in an unsigned zone. */
struct proof {
	struct compose *c;
	const struct store_snapshot *s;
	const struct store_zone *z;
	struct engine_scratch *scratch;
};

/* The name exists (node, maybe an empty non-terminal) without the type. */
void proof_no_data(struct proof *p, const uint8_t *name, const struct store_node *node);
/* Neither the name nor a wildcard for it exists. */
void proof_no_name(struct proof *p, const uint8_t *name, const struct store_node *encloser);
/* The answer came from a wildcard: the name itself does not exist. */
void proof_wildcard(struct proof *p, const uint8_t *name, const struct store_node *encloser);
/* The wildcard exists without the type. */
void proof_wildcard_no_data(struct proof *p, const uint8_t *name, const struct store_node *encloser, const struct store_node *wildcard);
/* A delegation without DS. */
void proof_no_ds(struct proof *p, const struct store_node *cut);
