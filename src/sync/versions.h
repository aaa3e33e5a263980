/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dns/name.h"
#include "journal/journal.h"
#include "zone/content.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Versions of zones that come from files, on their way into the journal, and versions gone back to: see versions.c. On the loader's thread. */
enum { VERSIONS_WHY_MAX = 200 };

struct loader;
struct versions;
struct zone_row;

extern const struct journal_keep versions_keep_default;

/* j stays the caller's. NULL: out of memory. */
struct versions *versions_new(struct journal *j);
void versions_free(struct versions *v);

/* The first run has its list of zones, and the store is in line with it: what a predecessor had stored and not noted, or noted and not stored, is mended. */
void versions_recall(struct versions *v, struct loader *l);
/* What the row's file says has been read, and is fit. *instead: the caller's content that is to be served for it, as why (VERSIONS_WHY_MAX) says; NULL: the file's.
 * ERR_NO_MEMORY. */
int versions_judge(struct versions *v, const struct zone_row *row, const struct content *file, struct content **instead, char *why) MUST_CHECK;
/* A new version is about to be put into the store; of_file: what the file says. */
void versions_will_store(struct versions *v, struct loader *l, const struct zone_row *row, bool of_file);
/* It was the one before. */
void versions_unchanged(struct versions *v, const struct zone_row *row);
/* What was announced so, and is committed, goes to the journal: `whole` says that nothing more follows soon. */
void versions_note(struct versions *v, struct loader *l, bool whole);

/* A version into the journal, as journal_put_version() does. Where the zone's history begins anew under a serial that there may have been before, others may have what is forgotten now: that is noted,
 * in the journal and in l->history (history_twice()). */
int versions_put(struct journal_txn *t, const struct loader *l, const struct content *c, const struct journal_version *v) MUST_CHECK;

/* An operator goes back to an earlier version. */
struct rollback {
	struct name apex;
	uint32_t to; /* serial of the version gone back to */
	char who[JOURNAL_WHO_MAX + 1];
	/* Results. */
	bool done;
	uint32_t from, serial; /* before; now */
	size_t removed, added; /* records; both 0 where the zone was built anew */
	char error[400];       /* why not */
};
/* Its content is served under a new serial, and holds until the zone's file says something else. Returns what the store says; all else is in r. */
int versions_roll_back(struct versions *v, struct loader *l, struct rollback *r) MUST_CHECK;

/* The serial that the file has of a zone that holds against it, by its note (JOURNAL_NOTE_HELD). Pure. */
bool versions_held_serial(const uint8_t *note, size_t len, uint32_t *serial);
/* Zones whose files are not served because they were gone back from. */
size_t versions_held(const struct versions *v);
