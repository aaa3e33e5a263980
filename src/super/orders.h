/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "board/board.h"
#include "config/config.h"
#include "super/orders_file.h"

/* Operators' orders (drain, freeze, force), kept on the board for route and in STATE_DIR/orders, so that a node drained for maintenance comes
 * back from its reboot drained. An order that could not be written is refused, not lost at the next start. */

/* Put what the file says on the board, for the node's networks in their order and its neighbors. In RUN_DIR/orders.taken stands of which file that
 * is, for who wrote it without the control socket and waits for its effect. */
void orders_load(struct board *board, const struct config *config, const struct config_node *node, const char *state_dir,
                 const char *run_dir);
/* Set the order of one network (index in the node's list), or of all (UINT32_MAX), and save. backstop: with a drain, its backstop too. uid: whose
 * order it is. */
int orders_set(struct board *board, const struct config *config, const struct config_node *node, const char *state_dir,
               uint32_t network, enum board_order order, bool backstop, uint32_t uid) MUST_CHECK;
/* Drain a neighbor, or end that. The neighbor by its address; port 0: the only one with that address. ERR_NOT_FOUND: the node has none
 * such; ERR_INVALID: it has several. */
int orders_set_neighbor(struct board *board, const struct config *config, const struct config_node *node, const char *state_dir,
                        const struct endpoint *at, bool drain, uint32_t uid) MUST_CHECK;
/* What stands in RUN_DIR/orders.taken when the file STATE_DIR/orders as it is now has been taken. false: there is none. */
bool orders_mark(const char *state_dir, char *out, size_t cap);
