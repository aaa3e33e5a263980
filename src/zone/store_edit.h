/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "zone/difference.h"
#include "zone/store_switch.h"
#include "zone/store_writer_priv.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Changing the tries of one zone version in place of building them: store_edit.c (names, flags, facts), store_owner.c (the sets of one owner). Private
 * to the writer. */

/* A set of the owner at hand, on its way from the old version to the new. */
struct owner_set {
	uint16_t type, covers;
	bool changed;                  /* other records or TTL than old has; count 0: gone */
	const struct store_rrset *old; /* NULL: new */
	store_ref ref;                 /* of old; once written, of the set in the new version */
	uint32_t ttl;
	size_t first, count;           /* records, in owner.records, where changed */
	size_t stay;                   /* records of old that stay */
};

struct owner_record {
	const uint8_t *rdata; /* borrowed from the content or from the store */
	uint16_t rdlen;
};

/* Everything one name owns, whichever trie it is in; RRSIG sets beside the sets they cover. Its arrays are used again for the next owner. */
struct owner {
	const uint8_t *name;
	struct owner_set *sets; /* by type, then type covered */
	size_t count, cap;
	struct owner_record *records;
	size_t record_count, record_cap;
};

struct edit {
	struct chunks *chunks;
	struct store_zone *z; /* facts of the version being made */
	const uint8_t *apex;
	unsigned apex_labels;
	struct trie names, hashes;
	struct switch_space space;
	store_ref scrap[ARRAY_CELLS_MAX + 1]; /* arrays taken here and not needed any more: lists by size, linked through the first cell */
	struct owner owner;
	struct zone_change_problem *problem;
	uint64_t renewed_max;
};

static inline void *edit_cell(const struct edit *e, store_ref ref)
{
	return store_cell(e->chunks->w, ref);
}

/* Cells for so many octets, cleared; NULL: no space. */
void *edit_take(struct edit *e, size_t bytes, store_ref *ref);
void edit_waste(struct edit *e, size_t bytes);

/* Sets [first, end) of a content: those of one owner, or none. */
struct owner_range {
	const struct content *c;
	size_t first, end;
};

/* ---- store_owner.c ---- */
void owner_begin(struct owner *o, const uint8_t *name);
void owner_done(struct owner *o);
/* Add what a node has. */
int owner_gather(struct edit *e, const struct store_node *n) MUST_CHECK;
/* Take removed away, then add added. ERR_INVALID with e->problem. */
int owner_apply(struct edit *e, const struct owner_range *removed, const struct owner_range *added) MUST_CHECK;
/* The set that is there after the change, or NULL. */
struct owner_set *owner_find(const struct owner *o, uint16_t type, uint16_t covers);
size_t owner_set_size(const struct owner_set *s); /* records after the change */
/* How many sets a node of these has: all, only those of an NSEC3 chain, or only the others. RRSIG sets that hang on another do not count. */
enum owner_part { OWNER_ALL, OWNER_DENIAL, OWNER_OTHERS };
size_t owner_part_count(const struct owner *o, enum owner_part part);
/* Write what is new of them, and their references in order. ERR_NO_SPACE, ERR_LIMIT. */
int owner_write(struct edit *e, enum owner_part part, store_ref *refs) MUST_CHECK;
/* Its signatures, before and after the change, and when the zone's end. */
void owner_note_signatures(struct edit *e);
/* Is what the name owns fit to serve, as zone_check() would judge it? ERR_INVALID with e->problem. */
int owner_check(struct edit *e) MUST_CHECK;

/* ---- store_edit.c ---- */
/* Apply the change to the version that *z describes, in cells of chunks; *z then describes the version made, but for what store_chunks_facts() and
 * store_install_zone() fill in. ERR_INVALID: it does not apply, see *problem; ERR_NO_SPACE, ERR_NO_MEMORY, ERR_LIMIT. */
int store_edit_zone(struct chunks *chunks, struct store_zone *z, const uint8_t *apex, const struct zone_change *change,
                    struct zone_change_problem *problem) MUST_CHECK;
