/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/text.h"
#include "config/config.h"
#include "zone/store.h"

#include <jansson.h>

/* All zones of a pinned version. NULL: out of memory. */
json_t *zones_json(const struct store_snapshot *s, const struct config *config);

/* A zone on its way to a client in pieces. No piece holds a pin for longer than it takes to write it: the place is kept as a name, and a
 * zone that changes meanwhile ends the stream with a line that says so. */
enum { ZONES_PIECE = 64 << 10 };
struct zone_stream {
	struct name apex, last;
	bool started, last_is_nsec3;
	uint64_t generation; /* of the version begun with */
};
/* 1 more to come, 0 the end was written ("; end"), ERR_NOT_FOUND, ERR_STALE (a line saying so was written). */
int zone_stream_piece(struct zone_stream *z, const struct store_snapshot *s, struct text *out) MUST_CHECK;
