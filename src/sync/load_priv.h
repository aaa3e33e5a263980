/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "sync/load.h"

/* What the files of load.h share: load.c (runs), load_file.c (one zone's file), load_counts.c, load_signatures.c. On the loading thread. */
struct ahead_zone;

/* A run. */
struct load_run {
	struct loader *loader;
	struct zone_list *zones;
	struct ahead *ahead;
	size_t at, judged;        /* rows brought up; rows of which it is known whether they are read */
	size_t settled;           /* rows before it say what is committed */
	bool first;               /* this turn is for rows that are to come first, or for the others */
	uint64_t done;
	uint64_t committed_ms;
	_Atomic uint64_t said_ms; /* set by whichever thread reads */
	bool dirty;
};

/* ---- load_counts.c: kept with every commit, so that one zone's change costs that zone ---- */

/* What the row says is served, in or out of the counts. */
void loader_count(struct loader *l, const struct zone_row *row, bool in);
/* The same, and the row itself. */
void loader_count_one(struct loader *l, const struct zone_row *row, bool in);
/* Anew, of the whole list. */
void loader_count_all(struct loader *l);
/* To the board. */
void loader_publish_counts(struct loader *l);

/* ---- load_signatures.c: the zone of each network of which they end first ---- */

/* The row serves another version. */
void loader_note_signatures(struct loader *l, const struct zone_row *row);
/* To the board. */
void loader_publish_signatures(struct loader *l);

/* ---- load_file.c ---- */

/* What was read becomes the zone's next version in the store, unless something is wrong with it. Zone problems are logged and are no error of the run; a store that cannot take the zone is. */
int loader_store_file(struct load_run *r, struct zone_row *row, struct ahead_zone *read);
