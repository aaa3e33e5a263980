/* SPDX-License-Identifier: BSD-2-Clause */
/* The writer's side of the store: opening, zones, versions. Theory, layout and limits: doc/design/store.md.
 *
 * One thread of the sync process. A zone version is built in extents of its own, listed in its record, so that it is freed without a walk; then the
 * zones' trie is switched to it (store_switch.c). Commit writes a record into the header's ring and stores its generation, which is the one
 * moment at which readers see anything. What the new version no longer needs waits in a queue with the generation that dropped it, until no pin
 * is older (store_space.c). After a crash nothing of this matters: the successor walks from the last commit record (store_adopt.c), and
 * whatever that does not reach is free.
 *
 * A small change of a zone shares the extents of the version before (store_change.c).
 *
 * Known limits: space of the file is reused, but the file shrinks at its end only. */
#include "base/clock.h"
#include "base/err.h"
#include "zone/content.h"
#include "zone/store_build.h"
#include "zone/store_switch.h"
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
	CHUNK_CELLS = 32768,       /* first extent of a zone at most: 256 KiB */
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
	w->base = store_map(fd, PROT_READ | PROT_WRITE);
	if (!w->base)
		return -errno;
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
		w->base = store_map(w->fd, PROT_READ | PROT_WRITE);
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

/* Note the version of a zone that is replaced as dropped; without room to note it its cells are lost until the next start. */
static void drop_zone(struct store_writer *w, store_ref ref, bool regions)
{
	const struct store_zone *z = store_cell(w, ref);
	const struct store_region *r = store_zone_regions(z);

	if (store_ranges_reserve(&w->dropped, 1U + (regions ? z->regions : 0)) < 0)
		return;
	w->dropped.list[w->dropped.count++] = (struct range){ref, record_cells(z)};
	for (uint32_t i = 0; regions && i < z->regions; i++)
		w->dropped.list[w->dropped.count++] = (struct range){r[i].start, r[i].cells};
}

static store_ref build_take(void *ctx, uint32_t cells, void **p)
{
	return store_chunks_take_bare(ctx, cells, p);
}

/* A guess that is nearly right for small zones, which then fill one small extent. */
static uint32_t first_chunk(const struct content *c)
{
	uint64_t guess = c ? 8 + content_record_count(c) * 12 : 0;

	return guess < CHUNK_CELLS ? (uint32_t)guess : CHUNK_CELLS;
}

/* The zone's record, complete, behind *ref. */
static int write_record(struct store_writer *w, const struct store_zone *z, const uint8_t *apex, const char *source, const struct store_region *regions,
                        store_ref *ref)
{
	size_t bytes = store_zone_bytes(z->apex_len, z->source_len, z->regions);
	struct store_zone *put;
	int err = store_take(w, record_cells(z), ref);

	if (err)
		return err;
	put = store_cell(w, *ref);
	memset(put, 0, (bytes + STORE_CELL - 1) & ~(size_t)(STORE_CELL - 1));
	memcpy(put, z, offsetof(struct store_zone, tail));
	memcpy(put->tail, apex, z->apex_len);
	memcpy(put->tail + z->apex_len, source, z->source_len);
	if (z->regions)
		memcpy((uint8_t *)put + store_zone_bytes(z->apex_len, z->source_len, 0), regions, z->regions * sizeof(*regions));
	put->checksum = store_zone_checksum(put);
	return 0;
}

/* The zones' trie, as store_switch.c sees it. */
static int zones_take(void *ctx, unsigned n, store_ref *ref)
{
	struct store_writer *w = ctx;
	int err = store_ranges_reserve(&w->dropped, 1);

	return err ? err : store_array_take(w, n, ref);
}

static int zones_room(void *ctx)
{
	struct store_writer *w = ctx;

	return store_ranges_reserve(&w->dropped, 1);
}

static void zones_drop(void *ctx, store_ref ref, unsigned n)
{
	store_array_drop(ctx, ref, n);
}

static bool zones_fresh(const void *ctx, store_ref ref)
{
	return store_array_is_fresh(ctx, ref);
}

static int zones_put(struct store_writer *w, const struct trie_key *k, store_ref leaf)
{
	const struct switch_space space = {zones_take, zones_room, zones_drop, zones_fresh, w};
	struct trie t = store_zones_trie(w);
	int err = store_switch_put(&space, &t, k, leaf);

	w->zones = t.root;
	return err;
}

static int zones_remove(struct store_writer *w, const struct trie_key *k)
{
	const struct switch_space space = {zones_take, zones_room, zones_drop, zones_fresh, w};
	struct trie t = store_zones_trie(w);
	int err = store_switch_remove(&space, &t, k);

	w->zones = t.root;
	return err;
}

int store_install_zone(struct store_writer *w, struct store_zone *z, const uint8_t *apex, const char *source, const struct chunks *chunks,
                       size_t first, bool drop_regions)
{
	struct trie t = store_zones_trie(w);
	store_ref ref = 0, old = 0;
	struct trie_key k;
	size_t end;
	int err;

	z->magic = STORE_ZONE_MAGIC;
	z->generation = w->generation + 1;
	if (!z->digest_from)
		z->digest_from = z->generation;
	z->loaded_wall_s = clock_wall_s();
	z->apex_len = (uint8_t)name_len(apex);
	z->source_len = (uint32_t)strlen(source);
	if (chunks)
		store_chunks_facts(chunks, z);
	err = write_record(w, z, apex, source, chunks ? chunks->list : NULL, &ref);
	end = w->taken.count;
	if (!err) {
		trie_key_name(&k, apex, 0);
		old = trie_get(&t, &k);
		err = zones_put(w, &k, ref);
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
	else
		drop_zone(w, old, drop_regions);
	return 0;
}

int store_put_zone(struct store_writer *w, const uint8_t *apex, const struct content *c, const struct store_zone_meta *meta)
{
	struct store_zone z = {.state = (uint8_t)meta->state, .network = meta->network};
	bool serving = meta->state == STORE_ZONE_SERVING;
	size_t first = w->taken.count;
	struct chunks chunks;
	struct build_space space = {.alloc = build_take, .ctx = &chunks, .base = w->base};
	int err;

	if (strlen(meta->source) > STORE_ZONE_SOURCE_MAX || (serving && !c))
		return ERR_INVALID;
	if (!serving)
		return store_install_zone(w, &z, apex, meta->source, NULL, first, true);
	err = store_chunks_init(&chunks, w, NULL, first_chunk(c));
	if (!err)
		err = store_build_zone(c, &space, &z);
	if (!err)
		err = store_chunks_trim(&chunks);
	if (err)
		store_give_back(w, first, w->taken.count);
	else
		err = store_install_zone(w, &z, apex, meta->source, &chunks, first, true);
	store_chunks_done(&chunks);
	return err;
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
	err = zones_remove(w, &k);
	if (err)
		return err;
	drop_zone(w, old, true);
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

void store_writer_draft(const struct store_writer *w, struct store_snapshot *out)
{
	*out = (struct store_snapshot){.base = w->base, .zones = w->zones, .generation = w->generation + 1, .zone_count = w->zone_count};
}

void store_stats(const struct store_writer *w, struct store_stats *out)
{
	uint64_t free_cells = extents_free_cells(w->extents);

	*out = (struct store_stats){.generation = w->generation, .zones = w->zone_count, .file_bytes = w->file_len,
	                            .waiting_bytes = w->waiting_cells * STORE_CELL,
	                            .live_bytes = ((uint64_t)w->end - free_cells - w->waiting_cells) * STORE_CELL};
}
