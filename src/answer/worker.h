/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/engine.h"
#include "base/addr.h"
#include "base/attr.h"
#include "board/board.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stdint.h>

/* One answer worker: what UDP and TCP share. Everything is allocated at start; nothing is while queries are answered, but for what
 * a slow TCP client has not taken yet. */
struct role;

struct worker {
	struct board_worker *board;
	const struct board *whole; /* for the fault switch and the store in use */
	struct engine_config engine;
	struct engine_scratch *scratch;
	struct store_reader *store; /* NULL until sync has made one */
	int epoll;
	uint64_t now_ns; /* refreshed once a turn of the loop */
};

/* One answer with the version of the store that is pinned. Counts. */
void worker_answer(struct worker *w, const struct store_snapshot *s, enum engine_transport transport, bool v6,
                   const uint8_t *msg, size_t len, uint8_t *out, size_t cap, struct engine_result *result);
