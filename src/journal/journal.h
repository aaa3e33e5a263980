/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "base/text.h"
#include "dns/rr.h"
#include "zone/content.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The journal: what must survive a restart or a reboot of the zones a node got from elsewhere or changed itself, in one LMDB file
 * under the state folder. Per zone: one whole version, the differences after it up to the newest, who made each and when, and the timers
 * of its refresh. Layout and theory: doc/design/journal.md.
 *
 * Used by sync only. One process opens it (a second gets -EBUSY). Within it any number of threads may read at a time; writes queue up.
 * Everything happens inside journal_read() or journal_write(); each journal_write() that returns 0 is on the disk. */
enum {
	JOURNAL_WHO_MAX = 255,         /* octets of text that say who made a version: path, address, key */
	JOURNAL_DIGEST_MAX = 64,       /* octets of a zone digest (SHA-512) */
	JOURNAL_ERROR_MAX = 255,       /* octets of the text of the last error */
	JOURNAL_PRIMARY_MAX = 63,      /* octets of the text of a primary's address */
	JOURNAL_NOTE_MAX = 512,        /* octets of a note */
	JOURNAL_READERS_MAX = 126,     /* reads at a time */
	JOURNAL_THIN_PER_COMMIT = 8,   /* pairs of differences merged at most on the way of one change */
	JOURNAL_SMALL_CHANGE = 1000,   /* records; a new version that differs by fewer is kept as a difference, however small the zone */
	JOURNAL_RECORD_OCTETS = 32,    /* of a record in a difference, about: tells how many records a difference may have that is to be kept */
};
#define JOURNAL_MAP_STEP ((size_t)64 << 20)  /* the map grows by multiples of this */
#define JOURNAL_MAP_MAX ((size_t)64 << 30)   /* default limit of the file */
#define JOURNAL_THIN_OCTETS ((uint64_t)16 << 20) /* differences larger than this are not merged by age */
#define JOURNAL_RECORDS_MAX UINT32_MAX       /* in a version, or one side of a difference */

struct journal;
struct journal_txn;

struct journal_options {
	size_t map_max;  /* octets the file may grow to, rounded up to whole steps; 0: JOURNAL_MAP_MAX */
	size_t map_step; /* 0: JOURNAL_MAP_STEP */
	/* A folder that cannot be reached by a path: it is given as ".", is the working directory of the caller of journal_open(), and journal_write() goes
	 * there by this descriptor should the file have to be opened anew; other threads must then not depend on the working directory. */
	bool by_descriptor;
	int folder_fd;   /* the journal's now, closed with it, also when it cannot be opened */
};

/* Open or create the journal in folder (made when it is not there). o may be NULL. why gets one line on failure:
 * -EBUSY     another process has it open
 * ERR_STALE  written by a version of this program with another format
 * ERR_MALFORMED  damaged; see journal_set_aside()
 * -errno, ERR_NO_MEMORY */
int journal_open(const char *folder, const struct journal_options *o, struct text *why, struct journal **out) MUST_CHECK;
/* No reads or writes may be going on. */
void journal_close(struct journal *j);
/* Rename a damaged or foreign journal to journal.damaged (one older one is overwritten), so that journal_open() makes a new one. */
int journal_set_aside(const char *folder) MUST_CHECK;

/* Run fn inside a transaction; a negative result of fn undoes a write and is returned. fn of a write may be called more than once: when
 * the file has to grow, all is undone and done again, so fn must give the same result then. Neither may be called from within
 * itself or the other. why (may be NULL) gets one line on failure; what a failed write wanted has not happened
 * (after -EIO from the disk it may have: ask for the newest version):
 * -ENOSPC    the disk is full
 * ERR_LIMIT  the file has reached map_max, or a named limit
 * ERR_MALFORMED  a row is damaged, or differences do not apply to what is there
 * -errno, ERR_NO_MEMORY, and what fn returns. */
typedef int journal_fn(struct journal_txn *t, void *ctx);
int journal_read(struct journal *j, journal_fn *fn, void *ctx, struct text *why) MUST_CHECK;
int journal_write(struct journal *j, journal_fn *fn, void *ctx, struct text *why) MUST_CHECK;

/* ---- versions ---- */

enum journal_origin {
	JOURNAL_FROM_FILE,     /* who: the path */
	JOURNAL_FROM_TRANSFER, /* who: the primary's address */
	JOURNAL_FROM_UPDATE,   /* who: the key, or the address */
	JOURNAL_FROM_ROLLBACK, /* who: the version gone back to */
	JOURNAL_FROM_SIGNER,   /* who: what was due */
	JOURNAL_ORIGINS,
};
const char *journal_origin_text(enum journal_origin o);

struct journal_version {
	uint32_t serial;
	enum journal_origin origin;
	uint64_t when_s;         /* Unix time */
	uint8_t digest_kind;     /* hash algorithm of ZONEMD (RFC 8976 2.2.3), 0: none */
	uint8_t digest_len;
	uint8_t digest[JOURNAL_DIGEST_MAX];
	char who[JOURNAL_WHO_MAX + 1];
};

/* How much history is kept after each change; a NULL pointer: all. What is too much is taken from the oldest: its differences become part of the whole
 * version. The limits are passed by up to an eighth, so that this is not done for each change. */
struct journal_keep {
	uint32_t differences_max; /* 0: none are kept */
	uint64_t octets_max;      /* as stored */
	/* Of versions older than all_s only the last one in each period of step_s stays: their differences are merged. step_s 0: not done. */
	uint32_t all_s, step_s;
};

/* One difference in the order of IXFR (RFC 1995 4). Each side has exactly one SOA, the deleted one with serial from, the added one with to.
 * The records are borrowed; order does not matter on the way in, it is canonical with the SOA first on the way out. A deleted record
 * is found by owner, type and RDATA, whatever its TTL. */
struct journal_change {
	uint32_t from, to;
	const struct rr *deleted, *added;
	size_t deleted_count, added_count;
};

enum journal_outcome {
	JOURNAL_UNCHANGED,         /* the newest version is just this */
	JOURNAL_STORED_DIFFERENCE,
	JOURNAL_STORED_WHOLE,      /* earlier versions are gone */
};

/* The zone's content (finished, one SOA) is now the whole version; earlier versions are forgotten. ERR_INVALID: no SOA, or its serial
 * is not v->serial. */
int journal_put_whole(struct journal_txn *t, const struct content *c, const struct journal_version *v) MUST_CHECK;
/* The same, but kept as a difference to the newest version where that can be: the serial goes forward (RFC 1982), and the difference is none that keep would
 * not let stay. So also a version that lost most of the zone can be gone back from. For files and for primaries that only send whole zones. */
int journal_put_version(struct journal_txn *t, const struct content *c, const struct journal_version *v, const struct journal_keep *keep,
                        enum journal_outcome *out) MUST_CHECK;
/* A difference that has been applied to the newest version. ERR_STALE: the newest is not change->from. ERR_INVALID: broken rules above,
 * the same record twice, serial that does not go forward. ERR_NOT_FOUND: there is no whole version. */
int journal_put_difference(struct journal_txn *t, const uint8_t *apex, const struct journal_change *change, const struct journal_version *v,
                           const struct journal_keep *keep) MUST_CHECK;

/* The same from what is removed and what is added as finished contents; the serials are those of their SOA. */
int journal_put_contents(struct journal_txn *t, const struct content *removed, const struct content *added, const struct journal_version *v,
                         const struct journal_keep *keep) MUST_CHECK;

struct journal_changes {
	struct arena arena; /* owns all of it */
	struct journal_change *items;
	size_t count;
	uint64_t octets; /* as records of a message without compression */
};

/* The differences that lead from one kept version to another, oldest first; condensed: as one (RFC 1995 5: nothing that comes and goes). None
 * when from is to. A way back is always condensed. ERR_NOT_FOUND: there is no such zone or version (any more); ERR_LIMIT: more than octets_max. */
int journal_get_changes(struct journal_txn *t, const uint8_t *apex, uint32_t from, uint32_t to, bool condensed, uint64_t octets_max,
                        struct journal_changes *out) MUST_CHECK;
void journal_changes_done(struct journal_changes *c);

/* Each record of the zone as of a kept version, in canonical order (RFC 4034 6.1; SOA first), borrowed for the call. A non-zero result of
 * fn ends it and is returned. ERR_NOT_FOUND. All of it is checked against the count and the sum noted when the version was stored:
 * a failure at the end, ERR_MALFORMED, takes back all that was given. */
typedef int journal_record_fn(void *ctx, const struct rr *rr);
int journal_get_records(struct journal_txn *t, const uint8_t *apex, uint32_t serial, journal_record_fn *fn, void *ctx) MUST_CHECK;
/* The same as finished content, the caller's. */
int journal_get_content(struct journal_txn *t, const uint8_t *apex, uint32_t serial, struct content **out) MUST_CHECK;

/* ---- zones ---- */

struct journal_zone {
	uint64_t id;
	bool has_version;            /* else there are only timers, and the rest is 0 */
	uint32_t oldest, newest;     /* serials of the versions kept */
	uint64_t records;            /* of the newest version */
	uint64_t whole_octets, difference_octets; /* as stored */
	uint32_t differences;
};
int journal_get_zone(struct journal_txn *t, const uint8_t *apex, struct journal_zone *out) MUST_CHECK; /* ERR_NOT_FOUND */
/* Each zone in the order of its name's octets; a non-zero result of fn ends it and is returned. */
typedef int journal_zone_fn(void *ctx, const uint8_t *apex, const struct journal_zone *z);
int journal_each_zone(struct journal_txn *t, journal_zone_fn *fn, void *ctx) MUST_CHECK;
/* With all its rows. ERR_NOT_FOUND. */
int journal_remove_zone(struct journal_txn *t, const uint8_t *apex) MUST_CHECK;

struct journal_entry {
	struct journal_version version;
	uint64_t records;              /* in this version */
	/* The difference that made it; all 0 for the oldest, which is kept whole. */
	bool is_whole;
	uint32_t from, deleted, added;
	uint32_t merged;               /* versions between from and this one that are no longer told apart */
	uint64_t octets;               /* as stored */
};
/* Oldest first. ERR_NOT_FOUND: no version. */
typedef int journal_entry_fn(void *ctx, const struct journal_entry *e);
int journal_history(struct journal_txn *t, const uint8_t *apex, journal_entry_fn *fn, void *ctx) MUST_CHECK;

/* Of a zone with primaries. Unix times in seconds; 0: never. */
struct journal_timers {
	uint64_t refreshed_s;      /* a primary last confirmed or sent the newest version */
	uint64_t refresh_at_s;     /* the next question is due */
	uint64_t expire_at_s;      /* the zone is no longer answered from here on (RFC 1035 3.3.13) */
	uint32_t expire_option_s;  /* what the EXPIRE option said last (RFC 7314), valid if has_expire_option */
	bool has_expire_option;
	bool has_primary_serial;
	uint32_t primary_serial;   /* seen last */
	uint32_t failures;         /* since refreshed_s */
	uint64_t error_s;
	char error[JOURNAL_ERROR_MAX + 1];
	char primary[JOURNAL_PRIMARY_MAX + 1]; /* the one that confirmed or sent last */
};
/* A zone without a version may have timers. Several zones' timers in one journal_write() cost one write to the disk. */
int journal_set_timers(struct journal_txn *t, const uint8_t *apex, const struct journal_timers *timers) MUST_CHECK;
int journal_get_timers(struct journal_txn *t, const uint8_t *apex, struct journal_timers *out) MUST_CHECK; /* ERR_NOT_FOUND */

/* The serial that a zone file's version got in place of its own, and a mark of the files it was read from. A zone without a version may have one. */
struct journal_serial {
	uint32_t serial;
	uint64_t files[2];
};
int journal_set_serial(struct journal_txn *t, const uint8_t *apex, const struct journal_serial *s) MUST_CHECK;
int journal_get_serial(struct journal_txn *t, const uint8_t *apex, struct journal_serial *out) MUST_CHECK; /* ERR_NOT_FOUND */
/* Small facts about a zone that must survive: one of each kind, up to JOURNAL_NOTE_MAX octets whose form is the user's. A zone without a version may
 * have them; they go with journal_remove_zone(). */
enum journal_note {
	JOURNAL_NOTE_HELD = 1, /* a version gone back to holds against the zone's file: sync/versions.c */
	JOURNAL_NOTE_TWICE,    /* a serial that two versions have had: sync/history.h */
	JOURNAL_NOTES_END,
};
/* len 0: there is none any more. */
int journal_set_note(struct journal_txn *t, const uint8_t *apex, enum journal_note what, const void *octets, size_t len) MUST_CHECK;
/* ERR_NOT_FOUND. buf has JOURNAL_NOTE_MAX octets. */
int journal_get_note(struct journal_txn *t, const uint8_t *apex, enum journal_note what, uint8_t *buf, size_t *len) MUST_CHECK;
/* Of all zones that have one; a non-zero result of fn ends it and is returned. */
typedef int journal_note_fn(void *ctx, const uint8_t *apex, const uint8_t *octets, size_t len);
int journal_each_note(struct journal_txn *t, enum journal_note what, journal_note_fn *fn, void *ctx) MUST_CHECK;

/* How full the file is; only inside journal_read(). */
struct journal_space {
	uint64_t map_octets;  /* it may grow to, now */
	uint64_t used_octets; /* it has */
	uint64_t free_octets; /* of these to be used again */
};
int journal_get_space(struct journal_txn *t, struct journal_space *out) MUST_CHECK;
