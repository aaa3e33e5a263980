/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/status.h"

/* Pools of endpoints that names are steered to, off the board: {pools, hidden}. NULL when out of memory. */
json_t *status_endpoints(const struct status_facts *f);

/* Of one pool, for those who count: how many of its endpoints are up, and of how many this node and others do not say the same. */
struct endpoints_sum {
	uint32_t total, up, disabled, differ;
};
void endpoints_add(struct endpoints_sum *sum, const struct board_endpoint *row, bool disabled);
/* "good"; "below-keep": fewer are up than `keep` (or none), so that some are given that are down, or the pool that stands in; "down": none is. */
const char *endpoints_state(const struct endpoints_sum *sum, uint32_t keep);
/* A row of the board whose texts end. False: there is nothing, or it is torn. */
bool endpoints_row(const struct board *b, uint32_t i, struct board_endpoint *out);
