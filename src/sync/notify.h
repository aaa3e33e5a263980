/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "config/config.h"
#include "sync/access.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* NOTIFY to others (RFC 1996), from management addresses of this node. On the loop of sync. */
struct notifier;

/* Opens the sockets: before the sandbox. node may be NULL. NULL: out of memory. */
struct notifier *notifier_new(uv_loop_t *loop, const struct config_node *node, struct board_transfers_out *board);
void notifier_free(struct notifier *n);
/* Who is told from now on, and with which keys. */
void notifier_access(struct notifier *n, struct access *a);
/* The zone has a new serial; first: it is served since now, perhaps with the serial that a predecessor had told, and may wait for those that have changed. On any thread; a
 * loader's on_serial with the notifier as ctx. */
void notifier_changed(void *notifier, const uint8_t *apex, uint32_t serial, bool first);
