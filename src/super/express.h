/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "proc/role.h"
#include "super/plan.h"

#include <stdint.h>

/* Answers without sockets, as the supervisor keeps them: the program in the kernel, loaded and attached while there is the privilege for it, and gone
 * with this process; the workers' AF_XDP sockets; the ways by which watch sees that answers arrive. */
struct express;
struct children;

/* Choose a rung and go up to it; the roles' descriptors go into `children`. Never fails: what cannot be is said on the board and in
 * the log, and sockets answer everything. */
void express_start(const struct plan *p, struct board *board, struct children *children, struct express **out);
/* Another plan is in force. x may be NULL, here and below. */
void express_reload(struct express *x, const struct plan *p, struct board *board);
/* Every few milliseconds: counters to the board, and what watch has found of the devices. */
void express_tick(struct express *x, struct board *board, uint64_t now_ms);
/* Fresh AF_XDP sockets for the receive queues of a worker that is about to start, in the program's map; the caller closes them once the
 * worker has them. How many; an earlier worker's must be closed by then. */
uint32_t express_rings(struct express *x, unsigned worker, struct role_ring out[ROLE_RINGS_MAX]);
/* What watch is given. */
uint32_t express_paths(const struct express *x, struct role_path out[ROLE_PATHS_MAX], uint8_t probe_key[8]);
void express_free(struct express *x);
