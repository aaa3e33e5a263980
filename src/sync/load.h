/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "sync/zone_list.h"
#include "zone/store.h"

struct xdp_cache;

/* Bring the store in line with a list of zones. Runs on a thread of its own; the only user of the store's writer. */
struct loader {
	const char *store_path;
	struct board *board;
	struct store_writer *writer; /* NULL until the store is open */
	_Atomic uint64_t *pins[BOARD_WORKERS_MAX + 2];
	size_t pin_count;
	struct xdp_cache *kernel; /* answers kept there die with each change; NULL: there are none; borrowed */
};

void loader_init(struct loader *l, const char *store_path, struct board *board, unsigned workers);
void loader_done(struct loader *l);
/* Zones that left the list go, new ones answer SERVFAIL until they are read, changed files are read; `only` (may be NULL) is read
 * though its file has not changed. A zone that does not load keeps its last good version. Problems are logged, counts are on the
 * board. Fails only when the store cannot be written. */
int loader_run(struct loader *l, const struct zone_list *zones, const uint8_t *only) MUST_CHECK;
