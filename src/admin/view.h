/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "board/board.h"
#include "config/config.h"

#include <stdint.h>

struct backend_cache;
struct sample_rings;
struct store_reader;

/* What of a node is to be seen at one moment, for all that shows it: status, metrics, the API. Everything is borrowed and valid for the call it is given to. */
struct admin_view {
	struct board *board;            /* read, but for admin's own section */
	const struct config *config;    /* without its zones; NULL in the stand-alone form */
	const struct config_node *node; /* NULL in the stand-alone form */
	const char *node_name;
	uint64_t now_ns;                /* CLOCK_MONOTONIC */
	const char *store_path;         /* of the store's file; NULL: not told */
	struct store_reader *store;     /* NULL: there is none yet. To be pinned for some milliseconds at most */
	const struct sample_rings *samples; /* NULL: none */
	const struct backend_cache *cache;  /* admin/backend_cache.h */
	const struct rates *rates;      /* admin/rates.h; NULL: none */
};
