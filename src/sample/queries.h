/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/text.h"
#include "sample/ring.h"

#include <stdbool.h>
#include <stdint.h>

/* Sampled queries of all workers on their way to a client, in the order of their times, as JSON objects, one a line. */
enum { QUERIES_PIECE = 64 /* entries */, QUERIES_WORKERS_MAX = 256 };

struct queries_stream {
	uint64_t next[QUERIES_WORKERS_MAX]; /* entry of each worker */
};

/* From the oldest entry that is there, or only what comes from now on. */
void queries_stream_start(struct queries_stream *q, const struct sample_rings *r, bool from_now);
/* Append up to QUERIES_PIECE lines. What was overwritten before it could be read is told by a line {"lost": n}. True when there may be more
 * now. */
bool queries_stream_piece(struct queries_stream *q, const struct sample_rings *r, struct text *out);
/* Likewise as JSON or as key=value. */
bool queries_stream_lines(struct queries_stream *q, const struct sample_rings *r, bool json, struct text *out, uint64_t *lines, uint64_t *lost);
/* One entry as a line without its newline: JSON; key=value. */
void queries_text(const struct sample *s, unsigned worker, struct text *out);
void queries_line(const struct sample *s, unsigned worker, struct text *out);
