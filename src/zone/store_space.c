/* SPDX-License-Identifier: BSD-2-Clause */
/* The writer's cells: taking them from free extents or from the end of the file, and giving them back once no reader can see them. */
#include "base/err.h"
#include "zone/store_writer_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; the C library of Debian 12 has no name for it */
#endif

enum {
	CELLS_MAX_LOG = 32,
	GROW_MIN = 1 << 20,        /* octets the file grows by at least */
	GROW_MAX = 64 << 20,
	GROW_SHARE = 32,           /* of its length, between these */
	SHRINK_MIN = 1 << 20,      /* octets; less is not worth the call */
	SHRINK_LEAVES = 1 << 20,   /* for small changes to come */
	FRESH_KEPT = 4096,         /* a table larger than this is not kept from one transaction to the next */
};

int store_ranges_reserve(struct ranges *r, size_t more)
{
	size_t cap = r->cap ? r->cap : 64;
	struct range *list;

	if (r->count + more <= r->cap)
		return 0;
	while (cap < r->count + more)
		cap *= 2;
	list = realloc(r->list, cap * sizeof(*list));
	if (!list)
		return ERR_NO_MEMORY;
	r->list = list;
	r->cap = cap;
	return 0;
}

int store_ranges_add(struct ranges *r, store_ref start, uint32_t cells)
{
	int err = store_ranges_reserve(r, 1);

	if (!err)
		r->list[r->count++] = (struct range){start, cells};
	return err;
}

/* posix_fallocate: a full disk is an error here and not a SIGBUS later. */
int store_grow(struct store_writer *w, uint64_t need)
{
	uint64_t step = MAX(w->file_len / GROW_SHARE, (uint64_t)GROW_MIN), len;
	int err;

	step = MIN(step, (uint64_t)GROW_MAX);
	len = MAX(w->file_len + step, need);
	len = (len + 4095) & ~4095ULL;
	if (len > STORE_MAP_BYTES)
		return ERR_NO_SPACE;
	do
		err = posix_fallocate(w->fd, (off_t)w->file_len, (off_t)(len - w->file_len));
	while (err == EINTR);
	if (err)
		return err == ENOSPC || err == EFBIG ? ERR_NO_SPACE : -err;
	/* All of it will be written soon: one call instead of a page fault each 4 KiB. Where the kernel has none of it, faults do. */
	if (w->base)
		madvise(w->base + w->file_len, len - w->file_len, MADV_POPULATE_WRITE);
	w->file_len = len;
	return 0;
}

/* The file grows ahead of need, by more the larger it is. Nobody reads beyond the end that the last commit tells, and successors want the file to
 * reach as far as that. */
void store_shrink(struct store_writer *w)
{
	uint64_t end = store_commit_read(w->header, w->generation).end, len;

	len = (MAX((uint64_t)w->end, end) * STORE_CELL + SHRINK_LEAVES + 4095) & ~4095ULL;
	if (w->file_len > len + SHRINK_MIN && ftruncate(w->fd, (off_t)len) == 0)
		w->file_len = len;
	if (w->gathered < UINT64_MAX)
		w->gathered = MIN(w->gathered, w->file_len & ~(uint64_t)(STORE_HUGE_PAGE - 1));
}

int store_take(struct store_writer *w, uint32_t cells, store_ref *start)
{
	int err = store_ranges_reserve(&w->taken, 1);

	if (err)
		return err;
	if (extents_take(w->extents, cells, start) < 0) {
		uint64_t end = (uint64_t)w->end + cells;

		if (end >= 1ULL << CELLS_MAX_LOG)
			return ERR_NO_SPACE;
		err = end * STORE_CELL > w->file_len ? store_grow(w, end * STORE_CELL) : 0;
		if (err)
			return err;
		*start = w->end;
		w->end = (store_ref)end;
	}
	return store_ranges_add(&w->taken, *start, cells);
}

void store_give_back(struct store_writer *w, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		if (extents_give(w->extents, w->taken.list[i].start, w->taken.list[i].cells) < 0)
			continue;
	if (w->taken.count > end)
		memmove(w->taken.list + first, w->taken.list + end, (w->taken.count - end) * sizeof(*w->taken.list));
	w->taken.count -= end - first;
}

/* ---- what waits for readers ---- */

static uint64_t oldest_pin(const struct store_writer *w)
{
	uint64_t oldest = w->generation;

	/* Sequentially consistent, as the commit before it and a reader's pin are: see store_reader.c. */
	for (size_t i = 0; i < w->pin_count; i++) {
		uint64_t pin = atomic_load(w->pins[i]);

		if (pin < oldest)
			oldest = pin;
	}
	return oldest;
}

bool store_gather_pages(struct store_writer *w, unsigned most)
{
	for (; most && w->gathered < UINT64_MAX && w->gathered + STORE_HUGE_PAGE <= w->file_len; most--) {
		if (madvise(w->base + w->gathered, STORE_HUGE_PAGE, MADV_COLLAPSE) < 0 && (errno == EINVAL || errno == EPERM))
			w->gathered = UINT64_MAX;
		else
			w->gathered += STORE_HUGE_PAGE; /* a piece for which there is no memory now stays as it is */
	}
	return w->gathered < UINT64_MAX && w->gathered + STORE_HUGE_PAGE <= w->file_len;
}

void store_collect(struct store_writer *w)
{
	uint64_t oldest = oldest_pin(w);

	while (w->queue_count && w->queue[w->queue_first].generation <= oldest) {
		struct range r = w->queue[w->queue_first].range;

		w->queue_first++;
		w->queue_count--;
		w->waiting_cells -= r.cells;
		if (extents_give(w->extents, r.start, r.cells) < 0)
			continue;
	}
	if (!w->queue_count)
		w->queue_first = 0;
}

int store_queue_room(struct store_writer *w, size_t more)
{
	size_t need = w->queue_count + more;
	struct waiting *q;

	if (w->queue_first + need <= w->queue_cap)
		return 0;
	if (w->queue_count)
		memmove(w->queue, w->queue + w->queue_first, w->queue_count * sizeof(*q));
	w->queue_first = 0;
	/* Half of it stays free, so that moving costs little per entry. */
	if (need <= w->queue_cap / 2)
		return 0;
	q = realloc(w->queue, need * 4 * sizeof(*q));
	if (!q)
		return ERR_NO_MEMORY;
	w->queue = q;
	w->queue_cap = need * 4;
	return 0;
}

void store_queue_add(struct store_writer *w, uint64_t generation, struct range r)
{
	w->queue[w->queue_first + w->queue_count++] = (struct waiting){generation, r};
	w->waiting_cells += r.cells;
}

/* ---- arrays of twigs ---- */

static size_t fresh_place(const struct fresh *f, store_ref ref)
{
	size_t i = (ref * 0x9e3779b1U >> 4) & (f->cap - 1);

	while (f->table[i] && f->table[i] != ref)
		i = (i + 1) & (f->cap - 1);
	return i;
}

static int fresh_room(struct fresh *f)
{
	struct fresh wide = {.cap = f->cap ? f->cap * 2 : 256};

	if (f->count * 2 < f->cap)
		return 0;
	wide.table = calloc(wide.cap, sizeof(*wide.table));
	if (!wide.table)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < f->cap; i++)
		if (f->table[i])
			wide.table[fresh_place(&wide, f->table[i])] = f->table[i];
	free(f->table);
	f->table = wide.table;
	f->cap = wide.cap;
	return 0;
}

bool store_array_is_fresh(const struct store_writer *w, store_ref ref)
{
	return w->fresh.count && w->fresh.table[fresh_place(&w->fresh, ref)] == ref;
}

int store_array_take(struct store_writer *w, unsigned n, store_ref *ref)
{
	uint32_t cells = store_array_cells(n);
	struct fresh *f = &w->fresh;
	int err;

	if (f->scrap[cells]) {
		*ref = f->scrap[cells];
		memcpy(&f->scrap[cells], store_cell(w, *ref), sizeof(store_ref));
		return 0;
	}
	err = fresh_room(f);
	if (!err)
		err = store_take(w, cells, ref);
	if (err)
		return err;
	f->table[fresh_place(f, *ref)] = *ref;
	f->count++;
	return 0;
}

void store_array_drop(struct store_writer *w, store_ref ref, unsigned n)
{
	uint32_t cells = store_array_cells(n);

	if (store_array_is_fresh(w, ref)) {
		memcpy(store_cell(w, ref), &w->fresh.scrap[cells], sizeof(store_ref));
		w->fresh.scrap[cells] = ref;
	} else {
		w->dropped.list[w->dropped.count++] = (struct range){ref, cells};
	}
}

void store_fresh_reset(struct store_writer *w, bool committed)
{
	struct fresh *f = &w->fresh;

	for (uint32_t cells = 0; cells <= ARRAY_CELLS_MAX; cells++) {
		store_ref ref = f->scrap[cells], next;

		for (; committed && ref; ref = next) {
			memcpy(&next, store_cell(w, ref), sizeof(next));
			if (extents_give(w->extents, ref, cells) < 0)
				continue;
		}
		f->scrap[cells] = 0;
	}
	if (f->cap > FRESH_KEPT) {
		free(f->table);
		f->table = NULL;
		f->cap = 0;
	} else if (f->count) {
		memset(f->table, 0, f->cap * sizeof(*f->table));
	}
	f->count = 0;
}
