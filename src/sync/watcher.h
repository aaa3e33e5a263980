/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "sync/zone_list.h"
#include "zone/store.h"

#include <stdbool.h>
#include <uv.h>

/* Saved zone files, as the kernel tells of them (inotify): see watcher.c. Its tables belong to the loop while it listens, and to the loading thread while it
 * does not. */
struct watcher;

/* On the loop: the zone's file was saved; NULL: many were, or it is not known which. */
typedef void watcher_fn(void *ctx, const struct name *zone);

/* zones_dir: of the stand-alone form, whose files come and go; NULL elsewhere. ERR_NO_MEMORY, or -errno where the kernel has no inotify. */
int watcher_new(uv_loop_t *loop, struct board_sync *board, const char *zones_dir_or_null, watcher_fn *on_saved, void *ctx, struct watcher **out) MUST_CHECK;
void watcher_free(struct watcher *w);
/* Between runs it listens. What is saved meanwhile waits in the kernel. */
void watcher_listen(struct watcher *w, bool listen);

/* ---- on the loading thread ---- */

/* Watch the folders of these zones' files: before the files are read, so that no saving is missed. */
void watcher_folders(struct watcher *w, const struct zone_list *zones);
/* Learn which file is which zone's: those of the list, what links among them lead to, and what the versions in the store included. Folders that are no
 * longer needed are let go. */
void watcher_index(struct watcher *w, const struct zone_list *zones, const struct store_snapshot *s);
/* One more file of a zone. */
void watcher_add(struct watcher *w, const uint8_t *apex, const char *path);
