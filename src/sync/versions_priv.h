/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "dns/name.h"
#include "journal/journal.h"
#include "sync/versions.h"
#include "zone/digest.h"
#include "zone/store.h"
#include "zone/zonemd.h"

/* What the files of versions.h share: versions.c. On the loader's thread. */
struct applied;
struct rr;

enum { VERSIONS_HOLD_OCTETS = 1 + ZONE_DIGEST_OCTETS + 4 /* format, mark of the file, its serial */ };

/* A zone that was gone back in. */
struct versions_hold {
	struct name apex;
	struct zone_digest mark; /* of what its file says: versions_mark() */
	uint32_t file_serial;
	bool ended; /* the file says something else; to be taken from the journal */
};

struct versions {
	struct journal *journal;
	struct store_snapshot before; /* valid while pinned */
	bool pinned, failing;
	const struct zone_row **pending;
	size_t pending_count, pending_cap;
	struct versions_hold *holds;
	size_t hold_count, hold_cap;
};

struct versions_wanted {
	const uint8_t *apex;
	uint32_t serial; /* of it */
	bool newest;     /* instead: the newest */
	struct content *content;
};

struct versions_remaking {
	struct content *content;
	uint32_t serial;
	bool is_signed;
	unsigned algorithms; /* bits: of ZONEMD records that were there and can be made anew */
	const uint8_t (*digests)[ZONEMD_DIGEST_OCTETS_MAX]; /* of these, by algorithm; NULL: not known yet, ZONEMD is left out */
	bool placed;         /* they are in the content */
};

/* ---- versions.c ---- */

/* The row's version is to be noted. ERR_NO_MEMORY. */
int versions_pending_add(struct versions *v, const struct zone_row *row) MUST_CHECK;
/* c into the store and committed, as what the file that is there is to count for. */
int versions_store_content(struct loader *l, struct zone_row *row, const struct content *c, struct applied *applied) MUST_CHECK;

/* ---- versions_held.c ---- */

/* NULL: none. Valid until one is added or removed. */
struct versions_hold *versions_hold_find(const struct versions *v, const uint8_t *apex);
/* In place of the zone's, if it has one. ERR_NO_MEMORY. */
int versions_hold_add(struct versions *v, const struct versions_hold *h) MUST_CHECK;
void versions_hold_remove(struct versions *v, struct versions_hold *h);
/* As a note in the journal (JOURNAL_NOTE_HELD). */
void versions_hold_put(const struct versions_hold *h, uint8_t octets[VERSIONS_HOLD_OCTETS]);
/* One of these notes; ctx: the versions, to which it is added. ERR_MALFORMED, ERR_NO_MEMORY. */
int versions_hold_read(void *ctx, const uint8_t *apex, const uint8_t *octets, size_t len);
/* The newest version in the journal: out->content is the caller's. An error was logged. */
int versions_read_newest(struct versions *v, const uint8_t *apex, struct versions_wanted *out) MUST_CHECK;

/* ---- versions_remake.c ---- */

/* Each record of a version (ctx: the remaking) into m->content but the SOA, whose serial is the new one, and the digests over it. ERR_UNSUPPORTED: it is signed. */
int versions_remake_record(void *ctx, const struct rr *rr);
/* What a file says, whatever its serial, which a policy may have changed on its way into the store, and the digest over it. */
int versions_mark(const struct content *c, struct zone_digest *out) MUST_CHECK;
