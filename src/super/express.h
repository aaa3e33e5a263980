/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "super/plan.h"

#include <stdint.h>

/* The answer cache in the kernel, as the supervisor keeps it: loaded and attached while there is the privilege for it, and gone with this
 * process. */
struct express;
struct children;

/* Choose a rung and go up to it; the roles' descriptors go into `children`. Never fails: what cannot be is said on the board and in
 * the log, and sockets answer everything. */
void express_start(const struct plan *p, struct board *board, struct children *children, struct express **out);
/* Another plan is in force. x may be NULL, here and below. */
void express_reload(struct express *x, const struct plan *p, struct board *board);
/* Every few milliseconds: counters to the board. */
void express_tick(struct express *x, struct board *board, uint64_t now_ms);
void express_free(struct express *x);
