/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/steering.h"
#include "board/board.h"

#include <stdint.h>

/* What a worker's policies rest on that changes while it answers: which endpoints are up (the board), and where addresses are (the map that sync makes). Looked at between questions. */
struct live_steering;
/* NULL: no memory. */
struct live_steering *live_steering_new(const struct board_watch_endpoints *endpoints);
/* After the settings. */
void live_steering_free(struct live_steering *l);
/* The policies in force from now on; NULL: none. Borrowed until the next call. */
void live_steering_settings(struct live_steering *l, struct steering *s);
/* Each turn of the loop. Costs a load while nothing changes; the map's file is looked at each second. */
void live_steering_tick(struct live_steering *l, uint64_t now_ns);
