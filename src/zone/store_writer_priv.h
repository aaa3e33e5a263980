/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "zone/store_extent.h"
#include "zone/store_format.h"
#include "zone/store_trie.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The writer's state, shared by the files of the writer's side: store_writer.c (opening, zones, versions), store_space.c (cells),
 * store_chunk.c (the extents of a zone version), store_change.c (small changes), store_adopt.c (the walk over a file that is there). All of it
 * is on the heap of one thread. */

struct range {
	store_ref start;
	uint32_t cells;
};

struct ranges {
	struct range *list;
	size_t count, cap;
};

struct waiting {
	uint64_t generation; /* first that does not need it */
	struct range range;
};

enum { ARRAY_CELLS_MAX = (TRIE_SYMBOLS * (int)sizeof(struct trie_slot) + STORE_CELL - 1) / STORE_CELL };

/* Arrays of twigs made since the last commit: no reader can see them, so they are changed in place, and those that fell out of the trie
 * again are used for others. Cells of all of them are in `taken` too. */
struct fresh {
	store_ref *table; /* open addressing, 0: empty */
	size_t cap, count;
	store_ref scrap[ARRAY_CELLS_MAX + 1]; /* lists by size, linked through the first cell */
};

struct store_writer {
	int fd, lock_fd;
	uint8_t *base;
	struct store_header *header;
	uint64_t file_len;
	store_ref end;             /* first cell never used */
	struct extents *extents;
	_Atomic uint64_t **pins;
	size_t pin_count;
	/* The version being built. */
	store_ref zones;
	uint64_t zone_count, generation; /* generation: committed last */
	struct ranges taken, dropped;    /* since the last commit */
	struct fresh fresh;
	struct waiting *queue;           /* ascending by generation */
	size_t queue_first, queue_count, queue_cap;
	uint64_t waiting_cells;
	uint64_t gathered;               /* octets of the file from its beginning in huge pages, or tried; UINT64_MAX: not to be had */
	unsigned no_compacting; /* so many changes more: there was no space for it */
	/* Zones of the version being built that differ from the one committed. */
	struct store_watcher watcher;
	struct name changed[STORE_CHANGED_MAX];
	size_t changed_count;
	bool changed_many; /* more, or zones came or went */
};

static inline void *store_cell(const struct store_writer *w, store_ref ref)
{
	return w->base + (size_t)ref * STORE_CELL;
}

/* ---- store_space.c ---- */
int store_ranges_reserve(struct ranges *r, size_t more) MUST_CHECK;
int store_ranges_add(struct ranges *r, store_ref start, uint32_t cells) MUST_CHECK;
/* Make the file longer so that octets up to `need` are there. */
int store_grow(struct store_writer *w, uint64_t need) MUST_CHECK;
/* Cells for the version being built; noted in w->taken. */
int store_take(struct store_writer *w, uint32_t cells, store_ref *start) MUST_CHECK;
/* Entries first up to end of w->taken are free again. */
void store_give_back(struct store_writer *w, size_t first, size_t end);
/* Room for more entries in the queue of what waits for readers. */
int store_queue_room(struct store_writer *w, size_t more) MUST_CHECK;
/* There must be room. */
void store_queue_add(struct store_writer *w, uint64_t generation, struct range r);
/* An array of n twigs, of undefined contents. */
int store_array_take(struct store_writer *w, unsigned n, store_ref *ref) MUST_CHECK;
/* The version being built does without this array. w->dropped must have room for one entry. */
void store_array_drop(struct store_writer *w, store_ref ref, unsigned n);
bool store_array_is_fresh(const struct store_writer *w, store_ref ref);
/* After a commit (arrays left over are free) or an abort (all of them are, through w->taken). */
void store_fresh_reset(struct store_writer *w, bool committed);

static inline uint32_t store_array_cells(unsigned n)
{
	return (uint32_t)((n * sizeof(struct trie_slot) + STORE_CELL - 1) / STORE_CELL);
}

/* ---- store_chunk.c ---- */
/* Cells of one zone version being built. */
struct chunks {
	struct store_writer *w;
	struct store_region *list; /* room for STORE_REGIONS_MAX */
	uint32_t count, used;      /* used: cells of the last one */
	uint32_t shared;           /* so many of them are the version's before, which ends at spare_from */
	store_ref spare_from;
	uint32_t next;             /* cells of the extent to be taken next; doubles */
	uint32_t waste;            /* cells that nothing refers to */
	uint64_t sum;              /* content checksum of the version before */
};
/* from: the version to go on from, or NULL. ERR_NO_MEMORY. */
int store_chunks_init(struct chunks *c, struct store_writer *w, const struct store_zone *from, uint32_t first) MUST_CHECK;
void store_chunks_done(struct chunks *c);
/* One extent more, that has room for so many cells. */
int store_chunks_more(struct chunks *c, uint32_t cells) MUST_CHECK;
/* The reference of so many cleared cells and, in *p, where they are; 0 when there is no space. */
store_ref store_chunks_take(struct chunks *c, uint32_t cells, void **p);
/* Likewise, only the last cell is cleared: for who fills all of it. */
static inline store_ref store_chunks_take_bare(struct chunks *c, uint32_t cells, void **p)
{
	store_ref ref;

	if ((!c->count || c->list[c->count - 1].cells - c->used < cells) && store_chunks_more(c, cells) < 0)
		return 0;
	ref = c->list[c->count - 1].start + c->used;
	c->used += cells;
	*p = store_cell(c->w, ref);
	memset((uint8_t *)*p + (size_t)(cells - 1) * STORE_CELL, 0, STORE_CELL);
	return ref;
}
/* Was this taken here, rather than by the version before? */
bool store_chunks_own(const struct chunks *c, store_ref ref);
/* The last extent gives back what it did not need; only while nothing else was taken since. */
int store_chunks_trim(struct chunks *c) MUST_CHECK;
/* Regions, spare, waste, octets and the content checksum into the zone's record. */
void store_chunks_facts(const struct chunks *c, struct store_zone *z);

/* ---- store_writer.c ---- */
/* Write the record of a zone version, whose regions are those of chunks (NULL: none), and make it the zone's, in the version being built. What was
 * taken since `first` is given back on failure. drop_regions: the version it replaces shares none with it. */
int store_install_zone(struct store_writer *w, struct store_zone *z, const uint8_t *apex, const char *source, const struct chunks *chunks,
                       size_t first, bool drop_regions) MUST_CHECK;

/* ---- store_adopt.c ---- */
/* Walk the file mapped at w->base from its last commit: 0 and everything in *w set, or ERR_STALE when something is damaged. */
int store_adopt(struct store_writer *w, struct store_open_info *info) MUST_CHECK;

static inline struct trie store_zones_trie(const struct store_writer *w)
{
	return (struct trie){.base = w->base, .root = w->zones, .kind = TRIE_ZONES};
}
