/* SPDX-License-Identifier: BSD-2-Clause */
/* A zone version made from the one before: it shares that one's extents and adds what differs (store_edit.c). What no version from now on refers to is
 * counted as waste. A zone of which more than WASTE_PERCENT is waste is copied as a whole (store_copy.c), and so is a small one after each
 * change: that costs next to nothing and keeps its cells together. */
#include "base/err.h"
#include "zone/difference.h"
#include "zone/store_copy.h"
#include "zone/store_edit.h"

#include <stddef.h>
#include <string.h>

enum {
	WASTE_PERCENT = 30,
	SMALL_CELLS = 1024,       /* 8 KiB */
	EXTENT_CELLS_MIN = 64,    /* taken at least, for this change and those to come */
	EXTENT_CELLS_MAX = 32768, /* 256 KiB, or what this change needs */
	EXTENT_SHARE = 64,        /* the zone's size is this many times the extent's */
	REGIONS_MANY = STORE_REGIONS_MAX / 2,
	NO_SPACE_PAUSE = 100,     /* changes until compacting is tried again; it costs a copy until it fails */
};

static uint32_t used_cells(const struct chunks *c)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < c->count; i++)
		all += i + 1 == c->count ? c->used : c->list[i].cells;
	return (uint32_t)all;
}

static bool is_wasteful(const struct chunks *c)
{
	uint64_t used = used_cells(c);

	if (c->w->no_compacting) {
		c->w->no_compacting--;
		return false;
	}
	return used < SMALL_CELLS || c->count > REGIONS_MANY || (uint64_t)c->waste * 100 > used * WASTE_PERCENT;
}

/* Replace what chunks hold by a copy without waste; as they were when that fails. */
static int compact(struct chunks *c, struct store_zone *z, const uint8_t *apex, size_t first)
{
	size_t end = c->w->taken.count;
	struct store_zone copied = *z;
	struct chunks to;
	int err = store_chunks_init(&to, c->w, NULL, MIN(used_cells(c) - c->waste, (uint32_t)EXTENT_CELLS_MAX));

	if (err)
		return err;
	err = store_copy_zone(&to, &copied, apex);
	if (!err)
		err = store_chunks_trim(&to);
	if (err) {
		store_give_back(c->w, end, c->w->taken.count);
		store_chunks_done(&to);
		c->w->no_compacting = NO_SPACE_PAUSE;
		return err;
	}
	store_give_back(c->w, first, end);
	store_chunks_done(c);
	*c = to;
	*z = copied;
	return 0;
}

int store_change_zone(struct store_writer *w, const uint8_t *apex, const struct zone_change *change, const struct store_zone_meta *meta,
                      struct zone_change_problem *problem)
{
	struct trie t = store_zones_trie(w);
	const struct store_zone *old;
	size_t first = w->taken.count;
	struct chunks chunks;
	struct store_zone z;
	struct trie_key k;
	bool compacted = false;
	store_ref ref;
	int err;

	problem->text[0] = '\0';
	problem->renewed = 0;
	if (strlen(meta->source) > STORE_ZONE_SOURCE_MAX || meta->state != STORE_ZONE_SERVING)
		return ERR_INVALID;
	trie_key_name(&k, apex, 0);
	ref = trie_get(&t, &k);
	old = store_cell(w, ref);
	if (!ref || old->state != STORE_ZONE_SERVING)
		return ERR_NOT_FOUND;
	memcpy(&z, old, offsetof(struct store_zone, tail));
	z.network = meta->network;
	err = store_chunks_init(&chunks, w, old, (uint32_t)MAX(MIN(old->bytes / STORE_CELL / EXTENT_SHARE, (uint64_t)EXTENT_CELLS_MAX),
	                                                       (uint64_t)EXTENT_CELLS_MIN));
	if (err)
		return err;
	err = store_edit_zone(&chunks, &z, store_zone_apex(old), change, problem);
	if (!err && is_wasteful(&chunks))
		compacted = compact(&chunks, &z, store_zone_apex(old), first) == 0;
	if (err)
		store_give_back(w, first, w->taken.count);
	else
		err = store_install_zone(w, &z, store_zone_apex(old), meta->source, &chunks, first, compacted);
	store_chunks_done(&chunks);
	return err;
}
