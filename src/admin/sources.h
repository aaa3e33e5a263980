/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "board/board.h"

#include <stdint.h>

/* About how many different sources have asked this node's workers on that day (days since 1970, UTC): the sketches of all of them together. */
uint64_t sources_count(const struct board *b, uint64_t day, enum board_source kind);
