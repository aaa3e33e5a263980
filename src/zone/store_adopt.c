/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking over a file that an earlier writer left: which cells are in use, and is everything what it should be?
 *
 * The zones' trie is checked completely: every array within the file, every branch at the very symbol in which its keys differ first, twigs in
 * order. A zone's record and content are checked by their checksums, which are not meant to withstand a forger: who may write into the folder owns
 * the answers anyway. No more cells are visited than the file has, so a damaged reference cannot lead in circles. */
#include "base/err.h"
#include "zone/store_writer_priv.h"

#include <stdlib.h>

struct walk {
	struct store_writer *w;
	struct ranges used;
	uint64_t zones, cells;
	store_ref end;
	struct trie_key last; /* of the zone visited last */
	unsigned expect;      /* symbol in which the next zone's key must be the first to differ from it */
};

static int walk_use(struct walk *k, store_ref start, uint64_t cells)
{
	k->cells += cells;
	if (start < STORE_HEADER_BYTES / STORE_CELL || !cells || start + cells > k->end || k->cells > k->end)
		return ERR_STALE;
	return store_ranges_add(&k->used, start, (uint32_t)cells);
}

static int walk_order(struct walk *k, const struct store_zone *z)
{
	struct trie_key key;
	unsigned at = k->expect;

	trie_key_name(&key, store_zone_apex(z), 0);
	if (k->zones && (trie_key_differ(&k->last, &key) != at || key_symbol(&k->last, at) >= key_symbol(&key, at)))
		return ERR_STALE;
	k->last = key;
	k->zones++;
	return 0;
}

static int walk_zone(struct walk *k, store_ref ref)
{
	const struct store_zone *z = store_cell(k->w, ref);
	uint64_t sum = 0, room = ref < k->end ? (uint64_t)(k->end - ref) * STORE_CELL : 0;
	const struct store_region *r;
	size_t zone_bytes;
	int err;

	if (ref < STORE_HEADER_BYTES / STORE_CELL || room < sizeof(*z) || z->magic != STORE_ZONE_MAGIC ||
	    z->source_len > STORE_ZONE_SOURCE_MAX || z->regions > STORE_REGIONS_MAX)
		return ERR_STALE;
	zone_bytes = store_zone_bytes(z->apex_len, z->source_len, z->regions);
	if (room < zone_bytes || z->checksum != store_zone_checksum(z) ||
	    name_check(store_zone_apex(z), z->apex_len) != z->apex_len)
		return ERR_STALE;
	err = walk_use(k, ref, (zone_bytes + STORE_CELL - 1) / STORE_CELL);
	r = store_zone_regions(z);
	for (uint32_t i = 0; !err && i < z->regions; i++) {
		err = walk_use(k, r[i].start, r[i].cells);
		if (!err && i + 1 == z->regions && z->spare >= r[i].cells)
			err = ERR_STALE;
		if (!err)
			sum += store_cells_sum(k->w->base, r[i].start, r[i].cells - (i + 1 == z->regions ? z->spare : 0));
	}
	if (!err && sum != z->content_checksum)
		err = ERR_STALE;
	return err ? err : walk_order(k, z);
}

/* Offsets grow downwards, so the depth is bounded by the length of a key. */
static int walk_slot(struct walk *k, const struct trie_slot *s, int above)
{
	int offset = (int)slot_offset(s);
	uint64_t map = slot_map(s);
	unsigned i = 0;
	int err;

	if (!slot_is_branch(s))
		return slot_word(s) ? ERR_STALE : walk_zone(k, s->ref);
	if (__builtin_popcountll(map) < 2 || offset <= above || offset >= TRIE_KEY_MAX)
		return ERR_STALE;
	err = walk_use(k, s->ref, store_array_cells((unsigned)__builtin_popcountll(map)));
	for (; !err && map; map &= map - 1, i++) {
		if (i)
			k->expect = (unsigned)offset;
		err = walk_slot(k, (const struct trie_slot *)store_cell(k->w, s->ref) + i, offset);
		if (!err && key_symbol(&k->last, (unsigned)offset) != (unsigned)__builtin_ctzll(map))
			err = ERR_STALE;
	}
	return err;
}

static int order_range(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Everything between the extents in use is free, once no reader is on an older version: an earlier writer's list of what waits for them
 * died with it. Two extents that overlap mean damage. */
static int free_the_rest(struct walk *k, uint64_t generation)
{
	store_ref at = STORE_HEADER_BYTES / STORE_CELL;
	int err = store_queue_room(k->w, k->used.count + 1);

	if (k->used.count)
		qsort(k->used.list, k->used.count, sizeof(*k->used.list), order_range);
	for (size_t i = 0; !err && i <= k->used.count; i++) {
		struct range r = i < k->used.count ? k->used.list[i] : (struct range){k->end, 0};

		if (r.start < at)
			return ERR_STALE;
		if (r.start > at)
			store_queue_add(k->w, generation, (struct range){at, r.start - at});
		at = r.start + r.cells;
	}
	return err;
}

int store_adopt(struct store_writer *w, struct store_open_info *info)
{
	uint64_t g = atomic_load(&w->header->current);
	struct store_commit_record c = store_commit_read(w->header, g);
	struct walk k = {.w = w, .end = c.end};
	int err;

	if (store_commit_check(&c, g, w->file_len) < 0)
		return ERR_STALE;
	err = c.zones ? walk_use(&k, c.zones, store_array_cells(1)) : 0;
	if (!err && c.zones)
		err = walk_slot(&k, store_cell(w, c.zones), -1);
	if (!err && k.zones != c.zone_count)
		err = ERR_STALE;
	if (!err)
		err = free_the_rest(&k, g);
	free(k.used.list);
	if (err) {
		w->queue_count = w->queue_first = 0;
		w->waiting_cells = 0;
		return err;
	}
	w->end = c.end;
	w->zones = c.zones;
	w->zone_count = c.zone_count;
	w->generation = g;
	store_collect(w);
	*info = (struct store_open_info){.zones = c.zone_count, .live_bytes = k.cells * STORE_CELL};
	return 0;
}
