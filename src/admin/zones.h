/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/text.h"
#include "config/config.h"
#include "zone/digest.h"
#include "zone/store.h"

#include <jansson.h>

/* A zone, or the list of all, on its way to a client in pieces: there may be millions of zones or records, and no piece holds a pin for
 * longer than it takes to write it into memory. The place is kept as a name. */
enum { ZONES_PIECE = 64 << 10, ZONES_PIECE_RECORDS = 10000 /* of a digest: some milliseconds */ };

/* The list is not of one moment: a zone that comes or goes meanwhile may be in it or not. */
struct zones_stream {
	struct name last;
	bool started;
	bool begun;  /* something is in the list */
	size_t edge; /* zones of the configuration, which may be another for each piece, that were looked at: behind those held here come those that backends answer for */
	int64_t now_wall_s; /* ages are reckoned from it */
};
/* The name of the pool of backends that answers for a zone, by its text; NULL: it is none of such zones. */
const char *zones_backends(const struct config *config, const char *zone);
/* For who asks for a page at a time: at most `limit` zones behind `after` whose names contain `match` (lower case). The store is pinned for ZONES_PIECE_ZONES at a time, and
 * no more than ZONES_LOOKED_AT are looked at. */
enum { ZONES_PIECE_ZONES = 4096, ZONES_LOOKED_AT = 100000 };
struct zones_page {
	struct name after;  /* in: with `begun`; out: the last one looked at */
	bool begun, more;   /* more: there are zones behind it */
	const char *match;  /* "": all */
	uint64_t limit;
	int64_t now_wall_s;
};
int zones_page(struct zones_page *p, struct store_reader *reader, const struct config *config, struct text *out) MUST_CHECK;
/* One JSON object a zone, with commas between. node: of that configuration; of zones that backends answer for, its own; NULL: all. 1 more to come, 0 that was the last, ERR_NO_MEMORY. */
int zones_stream_piece(struct zones_stream *z, const struct store_snapshot *s, const struct config *config, const struct config_node *node, struct text *out) MUST_CHECK;

/* A zone that changes meanwhile ends its stream with a line that says so: half of one version and half of another is no zone. */
struct zone_stream {
	struct name apex, last;
	bool started, last_is_nsec3;
	uint64_t generation; /* of the version begun with */
	bool digest;         /* not the records, but a digest of all (zone/digest.h): a line "; more" for each piece, then one of JSON */
	struct zone_digest sum;
};
/* 1 more to come, 0 the end was written ("; end"), ERR_NOT_FOUND, ERR_STALE (a line saying so was written). */
int zone_stream_piece(struct zone_stream *z, const struct store_snapshot *s, struct text *out) MUST_CHECK;
