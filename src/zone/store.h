/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dns/name.h"
#include "dns/rr.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The store: every zone as answers read it, in one memory-mapped file of position-independent references. One writer (sync),
 * any number of reader processes. Theory, limits and invariants: doc/design/store.md.
 *
 * - A reference is a 32-bit count of 8-octet cells from the start of the file: 32 GiB at most; 0 is null.
 * - The root of a version is a copy-on-write trie of zones by apex. A zone version lives in extents of the zone's own, shared only with its
 *   predecessors: a trie of its names, one of its NSEC3 owners, and the records beside them. Both tries are ordered canonically (RFC 4034 6.1). Committing is one atomic store.
 * - A reader pins the version it reads by publishing its generation in a word that it alone writes (on the board); the writer
 *   frees an extent only when no pin is old enough to see it. Readers never write to the store, wait or retry without bound.
 * - A restarted writer walks the zones' trie once to learn which extents are in use, checking each zone's checksum; a restarted reader
 *   maps and reads.
 * - The file is ignored (ERR_STALE) when magic, format version, structure layout, boot id or the checksum of its
 *   header and commit record does not match. */
enum {
	STORE_CELL = 8,
	STORE_HUGE_PAGE = 2 << 20,
	STORE_ZONE_SOURCE_MAX = 512, /* bytes of text that identify where a zone came from */
};
#define STORE_MAP_BYTES ((size_t)32 << 30) /* address space reserved by writer and readers */
#define STORE_UNPINNED UINT64_MAX

typedef uint32_t store_ref;

/* A set of records of one owner and type, ready to send. Immutable once published. */
struct store_rrset {
	uint16_t type;
	uint16_t covers;   /* RRSIG sets: type covered; else 0 */
	uint16_t count;    /* records, at least 1 */
	uint16_t flags;    /* reserved, 0 */
	uint32_t ttl;      /* seconds */
	uint32_t size;     /* octets in data[] */
	store_ref sigs;    /* RRSIG set covering this one, or 0 */
	uint8_t data[];    /* count times: rdlen (2 octets, network order), RDATA uncompressed; canonical RDATA order */
};

enum store_node_flag {
	NODE_APEX = 1,
	NODE_CUT = 2,       /* delegation: NS, not the apex */
	NODE_DNAME = 4,
	NODE_CNAME = 8,
	NODE_BELOW_CUT = 16, /* glue or occluded by a delegation or DNAME: never authoritative data */
	NODE_ENT = 32,      /* empty non-terminal: exists, owns nothing */
	NODE_WILD_CHILD = 64, /* the node "*" exists directly below this one */
	NODE_NSEC3 = 128,   /* lives in the NSEC3 trie */
};

/* One owner name. Immutable once published. */
struct store_node {
	uint16_t flags;
	uint8_t labels;
	uint8_t name_len;
	uint16_t rrsets;        /* RRsets in sets[], RRSIG sets reachable through them not counted */
	uint16_t reserved;
	store_ref sets[];       /* by ascending type; then follow name_len octets of owner name, case as in the zone */
};
static inline const uint8_t *store_node_name(const struct store_node *n)
{
	return (const uint8_t *)&n->sets[n->rrsets];
}

enum store_zone_state {
	STORE_ZONE_SERVING,
	STORE_ZONE_NO_DATA, /* configured but never loaded, or expired: SERVFAIL */
};

enum store_signatures {
	STORE_SIGNATURES_ANY = 1,
	STORE_SIGNATURES_BOUND = 2, /* none ends before signatures_end, but perhaps none at that moment either */
};

/* Parameters of the NSEC3 chain in use (RFC 5155 4.1.2: NSEC3PARAM with flags 0, or what the records themselves say). */
struct store_nsec3_params {
	uint8_t in_use;
	uint8_t algorithm;
	uint16_t iterations;
	uint8_t salt_len;
	uint8_t salt[255];
};

struct store_zone {
	uint32_t magic;
	uint32_t regions;     /* extents of the file that hold this version; they follow the text, aligned to 8 */
	uint64_t checksum;    /* of this structure and what follows it, this field taken as 0 */
	uint64_t content_checksum; /* of the regions, but for this structure and the spare cells */
	store_ref names;      /* trie of nodes; private to store.c */
	store_ref nsec3;      /* trie of NSEC3 owners; private to store.c */
	store_ref apex;       /* node, 0 when NO_DATA */
	store_ref nsec3_params; /* struct store_nsec3_params, or 0 */
	uint8_t state;        /* enum store_zone_state */
	uint8_t is_signed;    /* apex has DNSKEY and RRSIG */
	uint8_t has_nsec;
	uint8_t apex_len;
	uint32_t serial;
	uint64_t generation;  /* of the store when this version was committed: caches compare it */
	uint64_t node_count, rrset_count, record_count;
	uint64_t bytes;       /* of all regions, spare and waste included */
	/* The content's digest (zone/digest.h) is that of the version digest_from, the first that was made as a whole, plus digest_moved, which changes since have added. */
	uint64_t digest_from; /* generation */
	uint64_t digest_moved[4];
	int64_t loaded_wall_s;
	uint32_t source_len;
	uint32_t spare;       /* cells at the end of the last region that no version has used */
	uint32_t waste;       /* cells of the regions that only older versions referred to */
	uint32_t network;     /* index in the configuration of the network that serves it; UINT32_MAX when none */
	uint32_t signatures;  /* enum store_signatures: what is known of them, see zone/signatures.h */
	uint32_t signatures_end; /* when the first set loses its last signature, as RRSIG has it */
	uint8_t tail[];       /* apex_len octets of apex name, then source_len of text */
};
static inline const uint8_t *store_zone_apex(const struct store_zone *z)
{
	return z->tail;
}

/* One version, as pinned. Valid until unpin. */
struct store_snapshot {
	const uint8_t *base;
	store_ref zones;
	uint64_t generation;
	uint64_t zone_count;
};
static inline const void *store_at(const struct store_snapshot *s, store_ref ref)
{
	return ref ? s->base + (size_t)ref * STORE_CELL : NULL;
}

/* ---- readers ---- */
struct store_reader;
/* Map the store at path read-only. pin is the reader's word on the board (it may be shared memory; only this reader writes it);
 * set to STORE_UNPINNED here. -errno, ERR_STALE. */
int store_reader_open(const char *path, _Atomic uint64_t *pin, struct store_reader **out) MUST_CHECK;
void store_reader_close(struct store_reader *r);
/* Pin the current version. Wait-free but for a writer committing in the same nanoseconds. Pins do not nest. */
void store_pin(struct store_reader *r, struct store_snapshot *out);
void store_unpin(struct store_reader *r);
/* The generation committed last; relaxed, for caches. */
uint64_t store_generation(const struct store_reader *r);

/* The deepest zone whose apex is name or an ancestor of it, or NULL. With `above`, the apex must be a proper ancestor (DS
 * questions, RFC 4035 3.1.4.1). */
const struct store_zone *store_zone_find(const struct store_snapshot *s, const uint8_t *name, bool above);
/* The zone with exactly this apex, or NULL. */
const struct store_zone *store_zone_get(const struct store_snapshot *s, const uint8_t *apex);
/* The zones that are not the same record in two versions of one file, of which at least the older is pinned: `was` NULL: it is new; `now` NULL: it is gone. The cost goes with the
 * number of those. No order. fn returns 0 to go on; anything else ends it and is returned. */
typedef int store_changed_fn(void *ctx, const struct store_zone *was, const struct store_zone *now);
int store_zones_changed(const struct store_snapshot *from, const struct store_snapshot *to, store_changed_fn *fn, void *ctx) MUST_CHECK;
/* Zones in canonical order of apex: the first whose apex is after name (NULL: the very first), or NULL. */
const struct store_zone *store_zone_next(const struct store_snapshot *s, const uint8_t *name);

/* Everything one descent finds out about a name (which must be the apex or below it). */
struct store_lookup {
	const struct store_node *node;     /* the name itself (may be an ENT), or NULL */
	const struct store_node *encloser; /* deepest existing ancestor or the name itself: closest encloser; never NULL */
	const struct store_node *cut;      /* topmost delegation at or above the name, or NULL */
	const struct store_node *dname;    /* topmost node with DNAME strictly above the name and not below a cut, or NULL */
};
void store_lookup(const struct store_snapshot *s, const struct store_zone *z, const uint8_t *name,
                  struct store_lookup *out);
/* The node "*.ENCLOSER", or NULL. */
const struct store_node *store_wildcard(const struct store_snapshot *s, const struct store_zone *z,
                                        const struct store_node *encloser);
/* The set of a type at a node, or NULL. Never an RRSIG set: those hang on the set they cover. */
const struct store_rrset *store_rrset_of(const struct store_snapshot *s, const struct store_node *n, uint16_t type);
/* The node owning the NSEC record that matches or covers name: the last with an NSEC at or before it in canonical order,
 * wrapping to the last of the zone. NULL in a zone without NSEC, or with a chain full of holes. */
const struct store_node *store_nsec_cover(const struct store_snapshot *s, const struct store_zone *z, const uint8_t *name);
/* The NSEC3 node that matches (*exact) or covers a hash of 20 octets. NULL in a zone without NSEC3. */
const struct store_node *store_nsec3_cover(const struct store_snapshot *s, const struct store_zone *z,
                                           const uint8_t hash[20], bool *exact);
/* The NSEC3 node with this owner name, or NULL. */
const struct store_node *store_nsec3_node(const struct store_snapshot *s, const struct store_zone *z, const uint8_t *owner);
/* Nodes in canonical order (ENTs included, NSEC3 owners after all others): pass NULL first, NULL ends. */
const struct store_node *store_node_next(const struct store_snapshot *s, const struct store_zone *z,
                                         const struct store_node *prev);

/* The first node after a name in canonical order, which need not be there; NULL: the very first. Without those of the NSEC3 chain. NULL at the end. */
const struct store_node *store_node_after(const struct store_snapshot *s, const struct store_zone *z, const uint8_t *name);

/* Some node, by the number: over many numbers each comes, if not equally often. Without those of the NSEC3 chain. NULL: there is none. */
const struct store_node *store_node_some(const struct store_snapshot *s, const struct store_zone *z, uint64_t number);

/* The same order for who passes through a whole zone: a step instead of a descent for each node. One of the two tries. */
enum { STORE_WALK_DEPTH = 520 };
struct store_walk {
	const uint8_t *base;
	unsigned depth;
	struct {
		const void *at, *end; /* slots yet to be visited */
	} level[STORE_WALK_DEPTH + 1];
};
void store_walk_init(struct store_walk *w, const struct store_snapshot *s, const struct store_zone *z, bool nsec3);
/* The next node, or NULL. */
const struct store_node *store_walk_next(struct store_walk *w);

/* ---- the writer ---- */
struct store_writer;
struct content;
struct zone_change;
struct zone_change_problem;

struct store_open_info {
	bool fresh;          /* made anew: nothing in it */
	uint64_t zones;      /* found in it */
	uint64_t live_bytes; /* after the walk */
};
/* Open the store for writing, taking an exclusive lock (-EWOULDBLOCK when another writer lives): maps what is there, walks
 * it, verifying structure and bounds, or starts anew when it is stale, damaged or absent. pins are the reader words to respect. */
int store_writer_open(const char *path, _Atomic uint64_t *const *pins, size_t pin_count, struct store_writer **out,
                      struct store_open_info *info) MUST_CHECK;
/* Leaves the file as committed last. */
void store_writer_close(struct store_writer *w);

struct store_zone_meta {
	enum store_zone_state state;
	uint32_t network;
	const char *source; /* text that says whether what the zone was made from is still the same; at most STORE_ZONE_SOURCE_MAX bytes */
};
/* All of these build the next version, unseen until store_commit(). After an error that version is still consistent without the
 * failed call. ERR_NO_SPACE: the file cannot grow; ERR_NO_MEMORY. */
/* Put c (checked; NULL with STORE_ZONE_NO_DATA) as the zone's whole content in place of what was there. */
int store_put_zone(struct store_writer *w, const uint8_t *apex, const struct content *c, const struct store_zone_meta *meta)
        MUST_CHECK;
/* Apply a change (zone/difference.h) to the version being built, at a cost that goes with the change and not with the zone; what it says then is
 * what store_put_zone() with all the records would say. ERR_NOT_FOUND: no such zone, or it serves nothing. ERR_INVALID: the change does not apply or
 * leaves what cannot be served, and *problem says why. ERR_LIMIT: it would cost more than building the zone (problem->renewed). Several in a row are one step for readers; commit before the first, so that store_abort() undoes
 * these only when a later one fails. Now and then a zone is copied as a whole to be rid of what changes left behind. */
int store_change_zone(struct store_writer *w, const uint8_t *apex, const struct zone_change *change, const struct store_zone_meta *meta,
                      struct zone_change_problem *problem) MUST_CHECK;
int store_remove_zone(struct store_writer *w, const uint8_t *apex) MUST_CHECK;
/* Publish: one atomic store. *generation is the new version's. */
int store_commit(struct store_writer *w, uint64_t *generation) MUST_CHECK;
/* Drop what was built since the last commit. */
void store_abort(struct store_writer *w);
/* Free what no pin can see any more; cheap; call after commits and from time to time. */
void store_collect(struct store_writer *w);
/* Give the end of the file that no version uses back to the system; for when much has been built and is committed. */
void store_shrink(struct store_writer *w);
/* Gather the next pieces of the file, `most` at most, into huge pages: lookups in large stores mostly wait for the TLB. Takes some 0.1 ms a piece; readers
 * are not disturbed. False: nothing is left to do, or the kernel does not do it (before Linux 6.1). */
bool store_gather_pages(struct store_writer *w, unsigned most);
/* The writer's own view of the last committed version; valid until the next commit. */
void store_writer_snapshot(struct store_writer *w, struct store_snapshot *out);
/* Likewise of the version being built, for looking at it before it is committed; valid until the next change. */
void store_writer_draft(const struct store_writer *w, struct store_snapshot *out);

/* Told around each commit that changes zones: before it is visible, and after. apexes NULL: more than can be listed, or zones came or went, so
 * that any name may be answered from another zone now. For caches beyond the workers' reach. */
enum { STORE_CHANGED_MAX = 64 };
struct store_watcher {
	void (*before)(void *ctx, const uint8_t *const *apexes, size_t count);
	void (*after)(void *ctx, const uint8_t *const *apexes, size_t count);
	void *ctx;
};
void store_writer_watch(struct store_writer *w, const struct store_watcher *watcher);

struct store_stats {
	uint64_t generation, zones, live_bytes, file_bytes, waiting_bytes /* freed, but maybe still read */;
};
void store_stats(const struct store_writer *w, struct store_stats *out);
