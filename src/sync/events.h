/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What happens to zones, primaries and the journal, as events on the board. From any thread of sync; before sync_events_start(), and in tests, nothing is written. */
void sync_events_start(struct board *board);
/* A zone, by its name on the wire. Of many at once the first few are told, then how many more. */
void sync_event_zone(const uint8_t *apex, enum board_event_level level, const char *old, const char *now, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The first load is over. */
void sync_event_loaded(uint64_t zones, uint64_t serving);
void sync_event_primaries(const char *network, bool answer, const char *why);
/* A write to the journal failed, or one was good: told when that changes. */
void sync_event_journal(bool good, const char *why);
/* The databases of where addresses are: taken, or not. */
void sync_event_geoip(bool good, const char *why);
/* What was held back for its number. */
void sync_events_tick(uint64_t now_ms);
