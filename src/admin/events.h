/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/text.h"
#include "board/board.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Events of all rings on their way to a client, in the order of their times, as JSON objects, one a line. */
enum { EVENTS_PIECE = 64 };

/* From the cursor on, up to EVENTS_PIECE lines. What was overwritten before it could be read is told by a line {"lost": n}. True when there may be more now. */
bool events_stream_piece(const struct board *b, struct board_events_cursor *c, struct text *out);
/* "events" of the status: how many there ever were, how many can be read, and the newest alert. */
json_t *status_events(const struct board *b);
