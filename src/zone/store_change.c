/* SPDX-License-Identifier: BSD-2-Clause */
/* A zone version made from the one before: it shares that one's extents and adds what differs (store_edit.c). What no version from now on refers to is
 * counted as waste. A zone of which more than WASTE_PERCENT is waste is copied as a whole (store_copy.c), and so is a small one after each
 * change: that costs next to nothing and keeps its cells together. */
#include "base/err.h"
#include "zone/difference.h"
#include "zone/digest.h"
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
	DIGEST_FOLLOW_MAX = 20000, /* records of a change; of a larger one whoever wants the digest begins anew */
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

/* The zone's digest follows the change: what it touches, as it was, goes, and as it is now, comes. `was` is 0 where that is not known. Readers that know the digest of the version
 * it is counted from know that of each later one. */
static void follow_digest(struct store_writer *w, struct store_zone *z, const uint8_t *apex, const struct zone_change *change, const struct zone_digest *was)
{
	union {
		struct store_zone z;
		uint8_t bytes[offsetof(struct store_zone, tail) + NAME_LEN_MAX];
	} edited;
	struct store_snapshot draft = {.base = w->base};
	struct zone_digest moved, now;

	memcpy(edited.bytes, z, offsetof(struct store_zone, tail));
	memcpy(edited.bytes + offsetof(struct store_zone, tail), apex, name_len(apex));
	if (!was || zone_digest_touched(&draft, &edited.z, change, &now) < 0) {
		z->digest_from = 0; /* that is: from this version */
		memset(z->digest_moved, 0, sizeof(z->digest_moved));
		return;
	}
	memcpy(moved.words, z->digest_moved, sizeof(moved.words));
	zone_digest_subtract(&moved, was);
	zone_digest_add(&moved, &now);
	memcpy(z->digest_moved, moved.words, sizeof(z->digest_moved));
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
	bool compacted = false, followed;
	struct store_snapshot draft = {.base = w->base};
	struct zone_digest was;
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
	followed = zone_change_size(change) <= DIGEST_FOLLOW_MAX && zone_digest_touched(&draft, old, change, &was) == 0;
	err = store_edit_zone(&chunks, &z, store_zone_apex(old), change, problem);
	if (!err)
		follow_digest(w, &z, store_zone_apex(old), change, followed ? &was : NULL);
	if (!err && is_wasteful(&chunks))
		compacted = compact(&chunks, &z, store_zone_apex(old), first) == 0;
	if (err)
		store_give_back(w, first, w->taken.count);
	else
		err = store_install_zone(w, &z, store_zone_apex(old), meta->source, &chunks, first, compacted);
	store_chunks_done(&chunks);
	return err;
}
