/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"

#include <stdbool.h>
#include <stdint.h>

/* What the workers count of backends, added up. hits: with those of the kernel's cache. */
struct backends_sum {
	uint64_t hits, stale, misses, joined, prefetched, passed, refused, loops, failed, late, strange, full,
		under_way, waiting;
};
struct backends_server_sum {
	uint64_t sent, answered, timeouts, errors, servfails, retried;
	uint32_t outstanding, open; /* questions; workers whose circuit is open */
	uint32_t latency_us;        /* of the worker that has answers of it and is slowest */
};

void backends_sum(const struct board *b, struct backends_sum *out);
/* place: its row. */
void backends_server_sum(const struct board *b, uint32_t place, struct backends_server_sum *out);
/* A copy of the row of a server, strings ended. False: watch has not written it (yet). */
bool backends_row(const struct board *b, uint32_t place, const char *pool, const struct endpoint *at,
                  struct board_backend *out);
