/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

/* What the supervisor does and sees, as events in its ring of the board: see board/events.h. */

/* A process of ours has ended, as `status` of waitpid(2) says. hung_ms: its heartbeat was so old when it was killed for that; 0: it was not. */
void super_event_ended(struct board *b, enum board_role role, unsigned index, int status, uint32_t hung_ms, uint32_t restart_ms);
/* It runs again. */
void super_event_restarted(struct board *b, enum board_role role, unsigned index);
/* The route process is gone, and with its sessions all that it announced. Its section is then as a new one leaves it: nobody writes there until that runs. */
void super_event_route_gone(struct board *b, const struct config *config, const struct config_node *node);
/* The node itself: "started", "stopping". */
void super_event_node(struct board *b, const char *old, const char *now, const char *why);
void super_event_config(struct board *b, bool taken, uint32_t generation, const char *why);
/* network or neighbor: one is "". uid UINT32_MAX: the file of orders has it so. */
void super_event_order(struct board *b, const char *network, const char *neighbor, const char *old, const char *now, uint32_t uid);
void super_event_xdp(struct board *b, enum board_xdp_rung old, enum board_xdp_rung now, const char *why);
