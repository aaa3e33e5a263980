/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Versions of the store that transfers read, each pinned by a word on the board that the loader respects. Transfers that begin while a version is current share its pin, so
 * that few pins do for many transfers; the oldest version that is kept is bounded by who uses them (serve.c). One thread. */
struct snapshot {
	struct store_snapshot store;
	struct store_reader *reader; /* NULL: not opened yet */
	uint64_t ino;                /* of the file it reads: sync may have to make another */
	unsigned users;              /* 0: not pinned */
	uint64_t since_ms;           /* pinned */
};

struct snapshots {
	const char *path;            /* of the store; borrowed */
	struct board_sync *board;
	struct snapshot at[BOARD_TRANSFER_PINS];
};

/* What a predecessor had pinned is not being read any more: to be called before the store is opened for writing. */
void snapshots_init(struct snapshots *s, const char *path, struct board_sync *board);
void snapshots_done(struct snapshots *s);
/* The version that is current. ERR_LIMIT: all pins are in use for older ones; ERR_NOT_FOUND: there is no store yet; -errno, ERR_STALE. */
int snapshots_take(struct snapshots *s, uint64_t now_ms, struct snapshot **out) MUST_CHECK;
void snapshots_give(struct snapshot *p);
/* The one that has been pinned longest, NULL: none is. */
struct snapshot *snapshots_oldest(struct snapshots *s);
