/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "board/board.h"
#include "config/config.h"

#include <jansson.h>
#include <stdint.h>

/* What `status` shows, read off the board. */
struct backend_cache;
struct status_facts {
	const struct board *board;
	const struct config *config;    /* NULL in the stand-alone form */
	const struct config_node *node;
	const char *node_name;
	uint64_t now_ns;
	const struct backend_cache *cache; /* NULL: none */
};

/* A new object, NULL when out of memory. */
json_t *status_json(const struct status_facts *f);
/* Of that: "networks". */
json_t *status_networks(const struct status_facts *f);
