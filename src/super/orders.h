/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "config/config.h"

/* Operators' orders (drain), kept on the board for route and in STATE_DIR/orders, so that a node drained for maintenance comes back
 * from its reboot drained. One line each: "drain NETWORK". */

/* Put what the file says on the board, for the node's networks in their order. */
void orders_load(struct board *board, const struct config *config, const struct config_node *node, const char *state_dir);
/* Set the order of one network (index in the node's list), or of all (UINT32_MAX), and save. */
int orders_set(struct board *board, const struct config *config, const struct config_node *node, const char *state_dir,
               uint32_t network, enum board_order order) MUST_CHECK;
