/* SPDX-License-Identifier: BSD-2-Clause */
/* The writer's side of the store: opening, zones, versions. Theory, layout and limits: doc/design/store.md.
 *
 * One thread of the sync process. A zone version is built in extents of its own, listed in its record, so that it is freed without a walk; then the
 * zones' trie is switched to it (store_switch.c). Commit writes a record into the header's ring and stores its generation, which is the one
 * moment at which readers see anything. What the new version no longer needs waits in a queue with the generation that dropped it, until no pin
 * is older (store_space.c). After a crash nothing of this matters: the successor walks from the last commit record (store_adopt.c), and
 * whatever that does not reach is free.
 *
 * Known limits: a zone replaces its predecessor whole, so a change of one record costs a build of its zone; space of the file is reused, but the file
 * shrinks at its end only. */
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "zone/content.h"
#include "zone/store_build.h"
#include "zone/store_writer_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	GROW_FIRST = 1 << 20,      /* octets of a new file */
	CHUNK_CELLS = 32768,       /* first extent of a zone at most: 256 KiB; each further doubles */
	CHUNK_CELLS_MAX = 8 << 20, /* 64 MiB */
};

/* ---- opening ---- */

/* A new file takes the old one's place by rename: readers of the old one go on undisturbed until they look for the new. */
static int start_anew(struct store_writer *w, const char *path)
{
	struct store_commit_record c = {.generation = 1};
	char tmp[4096];
	struct store_header *h;
	int fd, err;

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.new", path) >= sizeof(tmp))
		return -ENAMETOOLONG;
	unlink(tmp);
	fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	if (w->base)
		munmap(w->base, STORE_MAP_BYTES);
	if (w->fd >= 0)
		close(w->fd);
	w->fd = fd;
	w->base = NULL;
	w->file_len = 0;
	w->end = STORE_HEADER_BYTES / STORE_CELL;
	w->zones = 0;
	w->zone_count = 0;
	w->generation = 1;
	extents_free(w->extents);
	w->extents = extents_new();
	err = w->extents ? store_grow(w, GROW_FIRST) : ERR_NO_MEMORY;
	if (err)
		return err;
	w->base = mmap(NULL, STORE_MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (w->base == MAP_FAILED) {
		w->base = NULL;
		return -errno;
	}
	h = w->header = (struct store_header *)w->base;
	h->magic = STORE_MAGIC;
	h->format = STORE_FORMAT;
	h->layout = store_layout();
	store_boot_id(h->boot);
	h->checksum = store_header_checksum(h);
	c.end = w->end;
	c.checksum = store_commit_checksum(&c);
	store_commit_write(h, &c);
	atomic_store(&h->current, 1);
	return rename(tmp, path) < 0 ? -errno : 0;
}

/* The lock is a file of its own, beside the store and never removed: the store itself is replaced by rename, and a lock on it would then be on
 * a file that nobody finds. */
static int lock(struct store_writer *w, const char *path)
{
	char name[4096];

	if ((size_t)snprintf(name, sizeof(name), "%s.lock", path) >= sizeof(name))
		return -ENAMETOOLONG;
	w->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (w->lock_fd < 0 || flock(w->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	return 0;
}

int store_writer_open(const char *path, _Atomic uint64_t *const *pins, size_t pin_count, struct store_writer **out,
                      struct store_open_info *info)
{
	struct store_writer *w = calloc(1, sizeof(*w));
	struct stat st;
	int err = 0;

	if (!w)
		return ERR_NO_MEMORY;
	w->fd = w->lock_fd = -1;
	w->extents = extents_new();
	w->pins = calloc(pin_count ? pin_count : 1, sizeof(*w->pins));
	if (!w->extents || !w->pins) {
		store_writer_close(w);
		return ERR_NO_MEMORY;
	}
	if (pin_count)
		memcpy(w->pins, pins, pin_count * sizeof(*w->pins));
	w->pin_count = pin_count;
	err = lock(w, path);
	if (!err) {
		w->fd = open(path, O_RDWR | O_CLOEXEC);
		if (w->fd < 0 && errno != ENOENT)
			err = -errno;
	}
	if (err) {
		store_writer_close(w);
		return err;
	}
	err = ERR_STALE;
	if (w->fd >= 0 && fstat(w->fd, &st) == 0 && st.st_size >= STORE_HEADER_BYTES) {
		w->file_len = (uint64_t)st.st_size;
		w->base = mmap(NULL, STORE_MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, w->fd, 0);
		if (w->base == MAP_FAILED)
			w->base = NULL;
		w->header = (struct store_header *)w->base;
		if (w->base && w->file_len <= STORE_MAP_BYTES)
			err = store_header_check(w->header, w->file_len);
		if (!err)
			err = store_adopt(w, info);
	}
	if (err) {
		err = start_anew(w, path);
		*info = (struct store_open_info){.fresh = true};
	}
	if (err) {
		store_writer_close(w);
		return err;
	}
	*out = w;
	return 0;
}

void store_writer_close(struct store_writer *w)
{
	if (!w)
		return;
	if (w->base)
		munmap(w->base, STORE_MAP_BYTES);
	if (w->fd >= 0)
		close(w->fd);
	if (w->lock_fd >= 0)
		close(w->lock_fd);
	extents_free(w->extents);
	free(w->fresh.table);
	free(w->pins);
	free(w->taken.list);
	free(w->dropped.list);
	free(w->queue);
	free(w);
}

/* ---- who watches ---- */

void store_writer_watch(struct store_writer *w, const struct store_watcher *watcher)
{
	w->watcher = *watcher;
}

static void note_change(struct store_writer *w, const uint8_t *apex)
{
	for (size_t i = 0; i < w->changed_count; i++)
		if (name_equal(w->changed[i].wire, apex))
			return;
	if (w->changed_count == STORE_CHANGED_MAX)
		w->changed_many = true;
	else
		name_copy(&w->changed[w->changed_count++], apex);
}

static void forget_changes(struct store_writer *w)
{
	w->changed_count = 0;
	w->changed_many = false;
}

static void tell(const struct store_writer *w, void (*whom)(void *ctx, const uint8_t *const *apexes, size_t count))
{
	const uint8_t *apexes[STORE_CHANGED_MAX];

	if (!whom || (!w->changed_count && !w->changed_many))
		return;
	for (size_t i = 0; i < w->changed_count; i++)
		apexes[i] = w->changed[i].wire;
	whom(w->watcher.ctx, w->changed_many ? NULL : apexes, w->changed_count);
}

/* ---- zones ---- */

static uint32_t record_cells(const struct store_zone *z)
{
	return (uint32_t)((store_zone_bytes(z->apex_len, z->source_len, z->regions) + STORE_CELL - 1) / STORE_CELL);
}

/* There is room for 1 + regions in w->dropped. */
static void drop_zone(struct store_writer *w, store_ref ref)
{
	const struct store_zone *z = store_cell(w, ref);
	const struct store_region *r = store_zone_regions(z);
	struct range *to = w->dropped.list + w->dropped.count;

	*to++ = (struct range){ref, record_cells(z)};
	for (uint32_t i = 0; i < z->regions; i++)
		*to++ = (struct range){r[i].start, r[i].cells};
	w->dropped.count += 1 + z->regions;
}

/* Hands out cells of growing extents. */
struct chunks {
	struct store_writer *w;
	struct store_region *list; /* STORE_REGIONS_MAX of them */
	uint32_t count, used;      /* used: cells of the last one */
	uint32_t next;
};

static store_ref chunk_alloc(void *ctx, uint32_t cells, void **p)
{
	struct chunks *c = ctx;
	store_ref ref;

	if (!c->count || c->list[c->count - 1].cells - c->used < cells) {
		uint32_t size = MAX(c->next, cells);
		store_ref start;

		if (c->count == STORE_REGIONS_MAX || store_take(c->w, size, &start) < 0)
			return 0;
		/* What the last one did not need is cleared: it is part of the checksum. */
		if (c->count)
			memset((uint8_t *)store_cell(c->w, c->list[c->count - 1].start) + (size_t)c->used * STORE_CELL, 0,
			       (size_t)(c->list[c->count - 1].cells - c->used) * STORE_CELL);
		c->list[c->count++] = (struct store_region){start, size};
		c->used = 0;
		c->next = MIN(c->next * 2, (uint32_t)CHUNK_CELLS_MAX);
	}
	ref = c->list[c->count - 1].start + c->used;
	c->used += cells;
	*p = store_cell(c->w, ref);
	memset(*p, 0, (size_t)cells * STORE_CELL);
	return ref;
}

/* The last extent gives back what it did not need. */
static int trim(struct chunks *c)
{
	struct store_region *r;
	struct range *t;

	if (!c->count)
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

static int build(struct store_writer *w, const struct content *c, struct store_zone *z, struct chunks *chunks)
{
	struct build_space space = {.alloc = chunk_alloc, .ctx = chunks, .base = w->base};
	/* A guess that is nearly right for small zones, which then fill one small extent. */
	uint64_t guess = 8 + content_record_count(c) * 12;
	int err;

	chunks->next = guess < CHUNK_CELLS ? (uint32_t)guess : CHUNK_CELLS;
	err = store_build_zone(c, &space, z);
	if (!err)
		err = trim(chunks);
	for (uint32_t i = 0; !err && i < chunks->count; i++)
		z->bytes += (uint64_t)chunks->list[i].cells * STORE_CELL;
	return err;
}

/* The zone's record, complete, behind *ref. */
static int write_record(struct store_writer *w, struct store_zone *z, const uint8_t *apex, const char *source, const struct store_region *regions,
                        store_ref *ref)
{
	size_t bytes = store_zone_bytes(z->apex_len, z->source_len, z->regions);
	struct store_zone *put;
	int err = store_take(w, record_cells(z), ref);

	if (err)
		return err;
	put = store_cell(w, *ref);
	memset(put, 0, (bytes + STORE_CELL - 1) & ~(size_t)(STORE_CELL - 1));
	for (uint32_t i = 0; i < z->regions; i++)
		z->content_checksum = hash_checksum(store_cell(w, regions[i].start), (size_t)regions[i].cells * STORE_CELL, z->content_checksum);
	memcpy(put, z, offsetof(struct store_zone, tail));
	memcpy(put->tail, apex, z->apex_len);
	memcpy(put->tail + z->apex_len, source, z->source_len);
	memcpy((uint8_t *)put + store_zone_bytes(z->apex_len, z->source_len, 0), regions, z->regions * sizeof(*regions));
	put->checksum = store_zone_checksum(put);
	return 0;
}

/* Room to note the old version of a zone, if there is one, as dropped. */
static int room_to_drop(struct store_writer *w, store_ref old)
{
	const struct store_zone *z = store_cell(w, old);

	return old ? store_ranges_reserve(&w->dropped, 1U + z->regions) : 0;
}

int store_put_zone(struct store_writer *w, const uint8_t *apex, const struct content *c, const struct store_zone_meta *meta)
{
	struct store_region *regions = malloc(STORE_REGIONS_MAX * sizeof(*regions));
	struct chunks chunks = {.w = w, .list = regions};
	struct store_zone z = {.magic = STORE_ZONE_MAGIC, .state = (uint8_t)meta->state, .network = meta->network,
	                       .loaded_wall_s = clock_wall_s(), .generation = w->generation + 1};
	size_t source_len = strlen(meta->source), first = w->taken.count, end;
	struct trie t = store_zones_trie(w);
	store_ref ref = 0, old = 0;
	struct trie_key k;
	int err = regions ? 0 : ERR_NO_MEMORY;

	if (!err && (source_len > STORE_ZONE_SOURCE_MAX || (meta->state == STORE_ZONE_SERVING && !c)))
		err = ERR_INVALID;
	z.source_len = (uint32_t)source_len;
	z.apex_len = (uint8_t)name_len(apex);
	if (!err && meta->state == STORE_ZONE_SERVING)
		err = build(w, c, &z, &chunks);
	z.regions = chunks.count;
	if (!err)
		err = write_record(w, &z, apex, meta->source, regions, &ref);
	free(regions);
	end = w->taken.count;
	trie_key_name(&k, apex, 0);
	if (!err) {
		old = trie_get(&t, &k);
		err = store_switch_put(w, &k, ref);
	}
	if (err) {
		/* Arrays of the trie that were taken in between stay: they may be part of it already. */
		store_give_back(w, first, end);
		return err;
	}
	note_change(w, apex);
	w->changed_many |= !old;
	if (!old)
		w->zone_count++;
	/* Without room to note it the old version's cells are lost until the next start. */
	else if (room_to_drop(w, old) == 0)
		drop_zone(w, old);
	return 0;
}

int store_remove_zone(struct store_writer *w, const uint8_t *apex)
{
	struct trie t = store_zones_trie(w);
	struct trie_key k;
	store_ref old;
	int err;

	trie_key_name(&k, apex, 0);
	old = trie_get(&t, &k);
	if (!old)
		return ERR_NOT_FOUND;
	err = store_switch_remove(w, &k);
	if (err)
		return err;
	if (room_to_drop(w, old) == 0)
		drop_zone(w, old);
	w->zone_count--;
	w->changed_many = true;
	return 0;
}

/* ---- versions ---- */

int store_commit(struct store_writer *w, uint64_t *generation)
{
	uint64_t g = w->generation + 1;
	struct store_commit_record c = {.generation = g, .zone_count = w->zone_count, .zones = w->zones, .end = w->end};
	int err = store_queue_room(w, w->dropped.count);

	if (err)
		return err;
	c.checksum = store_commit_checksum(&c);
	tell(w, w->watcher.before);
	store_commit_write(w->header, &c);
	atomic_store(&w->header->current, g);
	tell(w, w->watcher.after);
	forget_changes(w);
	for (size_t i = 0; i < w->dropped.count; i++)
		store_queue_add(w, g, w->dropped.list[i]);
	w->dropped.count = w->taken.count = 0;
	store_fresh_reset(w, true);
	w->generation = g;
	store_collect(w);
	*generation = g;
	return 0;
}

void store_abort(struct store_writer *w)
{
	struct store_commit_record c = store_commit_read(w->header, w->generation);

	forget_changes(w);
	store_fresh_reset(w, false);
	store_give_back(w, 0, w->taken.count);
	w->dropped.count = 0;
	w->zones = c.zones;
	w->zone_count = c.zone_count;
}

void store_writer_snapshot(struct store_writer *w, struct store_snapshot *out)
{
	struct store_commit_record c = store_commit_read(w->header, w->generation);

	*out = (struct store_snapshot){.base = w->base, .zones = c.zones, .generation = c.generation, .zone_count = c.zone_count};
}

void store_stats(const struct store_writer *w, struct store_stats *out)
{
	uint64_t free_cells = extents_free_cells(w->extents);

	*out = (struct store_stats){.generation = w->generation, .zones = w->zone_count, .file_bytes = w->file_len,
	                            .waiting_bytes = w->waiting_cells * STORE_CELL,
	                            .live_bytes = ((uint64_t)w->end - free_cells - w->waiting_cells) * STORE_CELL};
}
