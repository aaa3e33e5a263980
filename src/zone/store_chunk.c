/* SPDX-License-Identifier: BSD-2-Clause */
/* The extents of a zone version while it is built. A whole build begins with none and trims the last one; a change goes on where the version before
 * it ended, in what that one left unused ("spare"), and leaves some of its own last extent to the next change, so that their number grows slowly.
 * Cells a committed version reaches are never written to: it does not reach its spare. */
#include "base/err.h"
#include "zone/store_writer_priv.h"

#include <stdlib.h>
#include <string.h>

enum {
	CHUNK_CELLS_MAX = 8 << 20, /* 64 MiB */
	CHUNK_CELLS_SOME = 32768,  /* 256 KiB: up to here each extent is twice the one before */
	CHUNK_SHARE = 8,           /* from there on a part of what is taken already: that much at most is taken in vain while a large zone is built */
};

int store_chunks_init(struct chunks *c, struct store_writer *w, const struct store_zone *from, uint32_t first)
{
	*c = (struct chunks){.w = w, .next = first};
	c->list = malloc(STORE_REGIONS_MAX * sizeof(*c->list));
	if (!c->list)
		return ERR_NO_MEMORY;
	if (from && from->regions) {
		struct store_region *last;

		c->count = c->shared = from->regions;
		memcpy(c->list, store_zone_regions(from), c->count * sizeof(*c->list));
		last = &c->list[c->count - 1];
		c->used = last->cells - from->spare;
		c->spare_from = last->start + c->used;
		c->sum = from->content_checksum;
		c->waste = from->waste;
	}
	return 0;
}

void store_chunks_done(struct chunks *c)
{
	free(c->list);
	c->list = NULL;
}

static uint32_t cells_of(const struct chunks *c)
{
	uint32_t cells = 0;

	for (uint32_t i = 0; i < c->count; i++)
		cells += c->list[i].cells;
	return cells;
}

int store_chunks_more(struct chunks *c, uint32_t cells)
{
	uint32_t size = MAX(c->next, cells);
	store_ref start;

	if (c->count == STORE_REGIONS_MAX || store_take(c->w, size, &start) < 0)
		return ERR_NO_SPACE;
	/* What the last one did not need is cleared: it is part of the checksum. */
	if (c->count) {
		struct store_region *last = &c->list[c->count - 1];

		memset(store_cell(c->w, last->start + c->used), 0, (size_t)(last->cells - c->used) * STORE_CELL);
		c->waste += last->cells - c->used;
	}
	c->list[c->count++] = (struct store_region){start, size};
	c->used = 0;
	c->next = MIN(c->next * 2, MAX(cells_of(c) / CHUNK_SHARE, (uint32_t)CHUNK_CELLS_SOME));
	c->next = MIN(c->next, (uint32_t)CHUNK_CELLS_MAX);
	return 0;
}

store_ref store_chunks_take(struct chunks *c, uint32_t cells, void **p)
{
	store_ref ref = store_chunks_take_bare(c, cells, p);

	if (ref)
		memset(*p, 0, (size_t)cells * STORE_CELL);
	return ref;
}

bool store_chunks_own(const struct chunks *c, store_ref ref)
{
	const struct store_region *r;

	for (uint32_t i = c->count; i > c->shared; i--)
		if (ref - c->list[i - 1].start < c->list[i - 1].cells)
			return true;
	if (!c->shared)
		return false;
	r = &c->list[c->shared - 1];
	return ref >= c->spare_from && ref - r->start < r->cells;
}

int store_chunks_trim(struct chunks *c)
{
	struct store_region *r;
	struct range *t;

	if (c->count == c->shared)
		return 0;
	r = &c->list[c->count - 1];
	t = &c->w->taken.list[c->w->taken.count - 1];
	if (r->cells == c->used || t->start != r->start)
		return 0;
	t->cells = c->used;
	/* At the end of what was ever used the rest is unused again, rather than a hole that fits nothing. */
	if (r->start + r->cells == c->w->end)
		c->w->end -= r->cells - c->used;
	else if (extents_give(c->w->extents, r->start + c->used, r->cells - c->used) < 0)
		return ERR_NO_MEMORY;
	r->cells = c->used;
	return 0;
}

void store_chunks_facts(const struct chunks *c, struct store_zone *z)
{
	uint64_t sum = c->sum;

	z->regions = c->count;
	z->spare = c->count ? c->list[c->count - 1].cells - c->used : 0;
	z->waste = c->waste;
	z->bytes = 0;
	for (uint32_t i = 0; i < c->count; i++) {
		const struct store_region *r = &c->list[i];
		store_ref from = i + 1 == c->shared ? c->spare_from : r->start;
		uint32_t skip = from - r->start;
		uint32_t used = i + 1 == c->count ? c->used : r->cells;

		z->bytes += (uint64_t)r->cells * STORE_CELL;
		if (i + 1 >= c->shared)
			sum += store_cells_sum(c->w->base, from, used - skip);
	}
	z->content_checksum = sum;
}
