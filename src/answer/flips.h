/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "board/board.h"

#include <stdint.h>

/* A client came with a good cookie of the node with this mark. Pure but for the board's memory; at most BOARD_FLIPS rows are looked at. */
void flips_note(struct board_flips *f, const struct ip_addr *client, uint8_t site, uint64_t now_ns);
