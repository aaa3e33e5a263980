/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/engine.h"
#include "base/attr.h"
#include "dns/message.h"
#include "steer/steer.h"

#include <stdbool.h>
#include <stdint.h>

/* Policies as one worker uses them: made by a reload and immutable, but for what changes under them (health, places), which the worker puts here between two questions. Why and how: steering.c. */
struct config;
struct config_node;
struct geo_map;

struct steering {
	const struct config *config;  /* borrowed */
	struct steer_table *table;    /* owned */
	const struct geo_map *places; /* borrowed; NULL: there are none */
	uint32_t policies, pools;
	uint8_t *believes;    /* by policy: 1: the client subnet option counts */
	_Atomic uint64_t *up; /* by pool, as struct steer_facts has it */
};
/* c must outlive it. ERR_NO_MEMORY, or what steer_table_make() says. c without policies: *out is NULL. */
int steering_make(const struct config *c, const struct config_node *node, struct steering **out) MUST_CHECK;
void steering_free(struct steering *s);

/* 4, 6 or 0 of a record type that can be steered, as steer_choose() has it; -1: another. */
static inline int steering_family(uint16_t type)
{
	return type == RR_A ? 4 : type == RR_AAAA ? 6 : type == RR_CNAME ? 0 : -1;
}

/* A choice for one question. */
struct steering_choice {
	struct steer_choice c;
	uint32_t policy;
	uint8_t scope; /* for the client subnet option of the answer */
};
void steering_choose(const struct steering *s, uint32_t policy, uint8_t family, const struct engine_request *request,
                     const struct query *q, uint32_t random, struct steering_choice *out);
