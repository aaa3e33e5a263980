/* SPDX-License-Identifier: BSD-2-Clause */
/* The writer's side of the store: opening, space, versions.
 *
 * Space: extents of the file, free ones known on the heap only (store_extent.h), the rest never used so far. A zone version owns whole
 * extents, listed in its record, so it is freed without a walk. The zones' trie is made of small extents, one per array of twigs.
 *
 * A change copies the path from the zones' root to the zone (copy-on-write), leaving every published slot as it is. What the next version no longer
 * needs waits in a queue with the generation that dropped it, until no pin is older. After a crash nothing of this matters: the successor
 * walks from the last commit record, and whatever that does not reach is free. */
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "zone/content.h"
#include "zone/store_build.h"
#include "zone/store_extent.h"
#include "zone/store_format.h"
#include "zone/store_trie.h"

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
	CELLS_MAX_LOG = 32,
	GROW_MIN = 1 << 20,        /* octets the file grows by at least */
	GROW_MAX = 64 << 20,
	CHUNK_CELLS = 32768,       /* first extent of a zone at most: 256 KiB; each further doubles */
	CHUNK_CELLS_MAX = 8 << 20, /* 64 MiB */
};

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

struct store_writer {
	int fd;
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
	bool dirty;
	struct ranges taken, dropped;    /* since the last commit */
	struct waiting *queue;           /* ascending by generation */
	size_t queue_first, queue_count, queue_cap;
	uint64_t waiting_cells;
};

/* ---- space ---- */

static void *cell(const struct store_writer *w, store_ref ref)
{
	return w->base + (size_t)ref * STORE_CELL;
}

static int ranges_add(struct ranges *r, store_ref start, uint32_t cells)
{
	if (r->count == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;
		struct range *list = realloc(r->list, cap * sizeof(*list));

		if (!list)
			return ERR_NO_MEMORY;
		r->list = list;
		r->cap = cap;
	}
	r->list[r->count++] = (struct range){start, cells};
	return 0;
}

/* posix_fallocate: a full disk is an error here and not a SIGBUS later. */
static int grow(struct store_writer *w, uint64_t need)
{
	uint64_t step = MAX(w->file_len / 8, (uint64_t)GROW_MIN), len;
	int err;

	step = MIN(step, (uint64_t)GROW_MAX);
	len = MAX(w->file_len + step, need);
	len = (len + 4095) & ~4095ULL;
	if (len > STORE_MAP_BYTES)
		return ERR_NO_SPACE;
	err = posix_fallocate(w->fd, (off_t)w->file_len, (off_t)(len - w->file_len));
	if (err)
		return err == ENOSPC || err == EFBIG ? ERR_NO_SPACE : -err;
	w->file_len = len;
	return 0;
}

static int take(struct store_writer *w, uint32_t cells, store_ref *start)
{
	int err = extents_take(w->extents, cells, start);

	if (err) {
		uint64_t end = (uint64_t)w->end + cells;

		if (end >= 1ULL << CELLS_MAX_LOG)
			return ERR_NO_SPACE;
		err = end * STORE_CELL > w->file_len ? grow(w, end * STORE_CELL) : 0;
		if (err)
			return err;
		*start = w->end;
		w->end = (store_ref)end;
	}
	err = ranges_add(&w->taken, *start, cells);
	if (err && extents_give(w->extents, *start, cells) < 0)
		return err; /* lost until the next start */
	return err;
}

static void give_back(struct store_writer *w, size_t from)
{
	while (w->taken.count > from) {
		struct range r = w->taken.list[--w->taken.count];

		if (extents_give(w->extents, r.start, r.cells) < 0)
			continue;
	}
}

static uint64_t oldest_pin(const struct store_writer *w)
{
	uint64_t oldest = w->generation;

	atomic_thread_fence(memory_order_seq_cst);
	for (size_t i = 0; i < w->pin_count; i++) {
		uint64_t pin = atomic_load(w->pins[i]);

		if (pin < oldest)
			oldest = pin;
	}
	return oldest;
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

static int queue_room(struct store_writer *w, size_t more)
{
	size_t need = w->queue_count + more;
	struct waiting *q;

	if (w->queue_first) {
		memmove(w->queue, w->queue + w->queue_first, w->queue_count * sizeof(*q));
		w->queue_first = 0;
	}
	if (need <= w->queue_cap)
		return 0;
	q = realloc(w->queue, need * 2 * sizeof(*q));
	if (!q)
		return ERR_NO_MEMORY;
	w->queue = q;
	w->queue_cap = need * 2;
	return 0;
}

/* ---- opening ---- */

struct walk {
	struct store_writer *w;
	struct ranges used;
	uint64_t zones;
	store_ref end;
};

static int walk_use(struct walk *k, store_ref start, uint64_t cells)
{
	if (start < STORE_HEADER_BYTES / STORE_CELL || !cells || start + cells > k->end)
		return ERR_STALE;
	return ranges_add(&k->used, start, (uint32_t)cells);
}

static int walk_zone(struct walk *k, store_ref ref)
{
	const struct store_zone *z = cell(k->w, ref);
	uint64_t sum = 0, room = (uint64_t)(k->end - ref) * STORE_CELL;
	const struct store_region *r;
	size_t zone_bytes;
	int err;

	if (ref < STORE_HEADER_BYTES / STORE_CELL || ref >= k->end || room < sizeof(*z) || z->magic != STORE_ZONE_MAGIC ||
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
		if (!err)
			sum = hash_checksum(cell(k->w, r[i].start), (size_t)r[i].cells * STORE_CELL, sum);
	}
	if (!err && sum != z->content_checksum)
		err = ERR_STALE;
	k->zones++;
	return err;
}

static int walk_slot(struct walk *k, const struct trie_slot *s, unsigned depth)
{
	unsigned n, i;
	int err;

	if (!slot_is_branch(s))
		return walk_zone(k, s->ref);
	n = (unsigned)__builtin_popcountll(slot_map(s));
	if (n < 2 || depth > TRIE_DEPTH_MAX)
		return ERR_STALE;
	err = walk_use(k, s->ref, (n * sizeof(*s) + STORE_CELL - 1) / STORE_CELL);
	for (i = 0; !err && i < n; i++)
		err = walk_slot(k, (const struct trie_slot *)cell(k->w, s->ref) + i, depth + 1);
	return err;
}

static int order_range(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Everything between the extents in use is free. Two that overlap mean damage. */
static int free_the_rest(struct walk *k)
{
	store_ref at = STORE_HEADER_BYTES / STORE_CELL;
	int err = 0;

	if (k->used.count)
		qsort(k->used.list, k->used.count, sizeof(*k->used.list), order_range);
	for (size_t i = 0; !err && i < k->used.count; i++) {
		struct range r = k->used.list[i];

		if (r.start < at)
			return ERR_STALE;
		err = extents_give(k->w->extents, at, r.start - at);
		at = r.start + r.cells;
	}
	if (!err)
		err = extents_give(k->w->extents, at, k->end - at);
	return err;
}

static int adopt(struct store_writer *w, struct store_open_info *info)
{
	uint64_t g = atomic_load(&w->header->current);
	struct store_commit_record c = w->header->commits[g % STORE_COMMITS];
	struct walk k = {.w = w, .end = c.end};
	uint64_t used = 0;
	int err;

	if (c.generation != g || c.checksum != store_commit_checksum(&c) || (uint64_t)c.end * STORE_CELL > w->file_len)
		return ERR_STALE;
	err = c.zones ? walk_use(&k, c.zones, (sizeof(struct trie_slot) + STORE_CELL - 1) / STORE_CELL) : 0;
	if (!err && c.zones)
		err = walk_slot(&k, cell(w, c.zones), 0);
	if (!err && k.zones != c.zone_count)
		err = ERR_STALE;
	if (!err)
		err = free_the_rest(&k);
	for (size_t i = 0; i < k.used.count; i++)
		used += k.used.list[i].cells;
	free(k.used.list);
	if (err)
		return err;
	w->end = c.end;
	w->zones = c.zones;
	w->zone_count = c.zone_count;
	w->generation = g;
	*info = (struct store_open_info){.zones = c.zone_count, .live_bytes = used * STORE_CELL};
	return 0;
}

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
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
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
	err = w->extents ? grow(w, GROW_MIN) : ERR_NO_MEMORY;
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
	h->commits[1] = c;
	atomic_store(&h->current, 1);
	return rename(tmp, path) < 0 ? -errno : 0;
}

int store_writer_open(const char *path, _Atomic uint64_t *const *pins, size_t pin_count, struct store_writer **out,
                      struct store_open_info *info)
{
	struct store_writer *w = calloc(1, sizeof(*w));
	struct stat st;
	int err = 0;

	if (!w)
		return ERR_NO_MEMORY;
	w->extents = extents_new();
	w->pins = calloc(pin_count ? pin_count : 1, sizeof(*w->pins));
	if (!w->extents || !w->pins) {
		w->fd = -1;
		store_writer_close(w);
		return ERR_NO_MEMORY;
	}
	memcpy(w->pins, pins, pin_count * sizeof(*w->pins));
	w->pin_count = pin_count;
	w->fd = open(path, O_RDWR | O_CLOEXEC);
	if (w->fd >= 0 && flock(w->fd, LOCK_EX | LOCK_NB) < 0)
		err = -errno;
	if (w->fd < 0 && errno != ENOENT)
		err = -errno;
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
			err = adopt(w, info);
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
	extents_free(w->extents);
	free(w->pins);
	free(w->taken.list);
	free(w->dropped.list);
	free(w->queue);
	free(w);
}

/* ---- the zones' trie ---- */

static struct trie zones_trie(const struct store_writer *w)
{
	return (struct trie){.base = w->base, .root = w->zones, .kind = TRIE_ZONES};
}

static uint32_t slots_cells(unsigned n)
{
	return (uint32_t)((n * sizeof(struct trie_slot) + STORE_CELL - 1) / STORE_CELL);
}

/* Copy of the path from the root down to, and without, the slot that holds or will hold the key; every array on it is new. */
struct path {
	store_ref root;
	struct trie_slot *slot; /* to be changed; inside the new path */
};

static int new_root(struct store_writer *w, struct path *p)
{
	int err = take(w, slots_cells(1), &p->root);

	if (err)
		return err;
	p->slot = cell(w, p->root);
	if (w->zones) {
		*p->slot = *(struct trie_slot *)cell(w, w->zones);
		return ranges_add(&w->dropped, w->zones, slots_cells(1));
	}
	return 0;
}

/* Replace the array of twigs behind p->slot by a copy, and step to the twig of symbol in it. */
static int step(struct store_writer *w, struct path *p, unsigned symbol)
{
	unsigned n = (unsigned)__builtin_popcountll(slot_map(p->slot));
	store_ref old = p->slot->ref, ref;
	int err = take(w, slots_cells(n), &ref);

	if (!err)
		err = ranges_add(&w->dropped, old, slots_cells(n));
	if (err)
		return err;
	memcpy(cell(w, ref), cell(w, old), n * sizeof(struct trie_slot));
	p->slot->ref = ref;
	p->slot = (struct trie_slot *)cell(w, ref) + __builtin_popcountll(slot_map(p->slot) & ((1ULL << symbol) - 1));
	return 0;
}

/* Put leaf under the key; *old is what was there, or 0. */
static int trie_put(struct store_writer *w, const struct trie_key *k, store_ref leaf, store_ref *old)
{
	struct trie t = zones_trie(w);
	unsigned differ = UINT16_MAX, symbol, n;
	struct trie_key found;
	struct path p;
	store_ref ref;
	int err = new_root(w, &p);

	*old = 0;
	if (err)
		return err;
	if (!w->zones) {
		slot_leaf(p.slot, leaf);
		w->zones = p.root;
		return 0;
	}
	{
		const struct trie_slot *s = trie_slot_at(&t, t.root);

		while (slot_is_branch(s)) {
			symbol = key_symbol(k, slot_offset(s));
			s = slot_map(s) >> symbol & 1 ? trie_twig(&t, s, symbol) : trie_slot_at(&t, s->ref);
		}
		trie_leaf_key(&t, s->ref, &found);
		differ = trie_key_differ(&found, k);
	}
	while (slot_is_branch(p.slot) && slot_offset(p.slot) < differ) {
		err = step(w, &p, key_symbol(k, slot_offset(p.slot)));
		if (err)
			return err;
	}
	if (differ == UINT16_MAX) {
		*old = p.slot->ref;
		slot_leaf(p.slot, leaf);
		w->zones = p.root;
		return 0;
	}
	symbol = key_symbol(k, differ);
	if (slot_is_branch(p.slot) && slot_offset(p.slot) == differ) { /* one twig more */
		uint64_t map = slot_map(p.slot);
		unsigned at = (unsigned)__builtin_popcountll(map & ((1ULL << symbol) - 1));
		const struct trie_slot *from = cell(w, p.slot->ref);
		struct trie_slot *to;

		n = (unsigned)__builtin_popcountll(map);
		err = take(w, slots_cells(n + 1), &ref);
		if (!err)
			err = ranges_add(&w->dropped, p.slot->ref, slots_cells(n));
		if (err)
			return err;
		to = cell(w, ref);
		memcpy(to, from, at * sizeof(*to));
		slot_leaf(&to[at], leaf);
		memcpy(to + at + 1, from + at, (n - at) * sizeof(*to));
		slot_branch(p.slot, differ, map | 1ULL << symbol, ref);
	} else { /* a new branch above what stands here */
		unsigned other = key_symbol(&found, differ);
		struct trie_slot *to;

		err = take(w, slots_cells(2), &ref);
		if (err)
			return err;
		to = cell(w, ref);
		to[other < symbol ? 0 : 1] = *p.slot;
		slot_leaf(&to[other < symbol ? 1 : 0], leaf);
		slot_branch(p.slot, differ, 1ULL << symbol | 1ULL << other, ref);
	}
	w->zones = p.root;
	return 0;
}

/* Take the key away; it must be there. */
static int trie_remove(struct store_writer *w, const struct trie_key *k, store_ref *old)
{
	struct path p;
	const struct trie_slot *s = cell(w, w->zones);
	unsigned depth = 0, level = 0;
	int err;

	for (struct trie t = zones_trie(w); slot_is_branch(s); depth++)
		s = trie_twig(&t, s, key_symbol(k, slot_offset(s)));
	*old = s->ref;
	if (!depth) {
		err = ranges_add(&w->dropped, w->zones, slots_cells(1));
		if (!err)
			w->zones = 0;
		return err;
	}
	err = new_root(w, &p);
	for (; !err && level + 1 < depth; level++)
		err = step(w, &p, key_symbol(k, slot_offset(p.slot)));
	if (err)
		return err;
	{
		uint64_t map = slot_map(p.slot);
		unsigned n = (unsigned)__builtin_popcountll(map), offset = slot_offset(p.slot), symbol = key_symbol(k, offset);
		unsigned at = (unsigned)__builtin_popcountll(map & ((1ULL << symbol) - 1));
		const struct trie_slot *from = cell(w, p.slot->ref);
		store_ref was = p.slot->ref, ref = 0;

		if (n == 2) {
			*p.slot = from[1 - at];
		} else {
			struct trie_slot *to;

			err = take(w, slots_cells(n - 1), &ref);
			if (err)
				return err;
			to = cell(w, ref);
			memcpy(to, from, at * sizeof(*to));
			memcpy(to + at, from + at + 1, (n - at - 1) * sizeof(*to));
			slot_branch(p.slot, offset, map & ~(1ULL << symbol), ref);
		}
		err = ranges_add(&w->dropped, was, slots_cells(n));
	}
	if (!err)
		w->zones = p.root;
	return err;
}

/* ---- zones ---- */

static int drop_zone(struct store_writer *w, store_ref ref)
{
	const struct store_zone *z = cell(w, ref);
	const struct store_region *r = store_zone_regions(z);
	int err = ranges_add(&w->dropped, ref,
	                     (uint32_t)((store_zone_bytes(z->apex_len, z->source_len, z->regions) + STORE_CELL - 1) / STORE_CELL));

	for (uint32_t i = 0; !err && i < z->regions; i++)
		err = ranges_add(&w->dropped, r[i].start, r[i].cells);
	return err;
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

		if (c->count == STORE_REGIONS_MAX || take(c->w, size, &start) < 0)
			return 0;
		/* What the last one did not need is cleared: it is part of the checksum. */
		if (c->count)
			memset((uint8_t *)cell(c->w, c->list[c->count - 1].start) + (size_t)c->used * STORE_CELL, 0,
			       (size_t)(c->list[c->count - 1].cells - c->used) * STORE_CELL);
		c->list[c->count++] = (struct store_region){start, size};
		c->used = 0;
		c->next = MIN(c->next * 2, (uint32_t)CHUNK_CELLS_MAX);
	}
	ref = c->list[c->count - 1].start + c->used;
	c->used += cells;
	*p = cell(c->w, ref);
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
	if (extents_give(c->w->extents, r->start + c->used, r->cells - c->used) < 0)
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

int store_put_zone(struct store_writer *w, const uint8_t *apex, const struct content *c, const struct store_zone_meta *meta)
{
	size_t taken = w->taken.count, dropped = w->dropped.count;
	struct store_region *regions = malloc(STORE_REGIONS_MAX * sizeof(*regions));
	struct chunks chunks = {.w = w, .list = regions};
	struct store_zone z = {.magic = STORE_ZONE_MAGIC, .state = (uint8_t)meta->state, .network = meta->network,
	                       .loaded_wall_s = clock_wall_s(), .generation = w->generation + 1};
	size_t source_len = strlen(meta->source), apex_len = name_len(apex), bytes;
	store_ref zones = w->zones, ref = 0, old = 0;
	struct store_zone *put;
	struct trie_key k;
	int err = regions ? 0 : ERR_NO_MEMORY;

	if (!err && (source_len > STORE_ZONE_SOURCE_MAX || (meta->state == STORE_ZONE_SERVING && !c)))
		err = ERR_INVALID;
	z.source_len = (uint32_t)source_len;
	z.apex_len = (uint8_t)apex_len;
	if (!err && meta->state == STORE_ZONE_SERVING)
		err = build(w, c, &z, &chunks);
	z.regions = chunks.count;
	bytes = store_zone_bytes(apex_len, source_len, z.regions);
	if (!err)
		err = take(w, (uint32_t)((bytes + STORE_CELL - 1) / STORE_CELL), &ref);
	if (!err) {
		put = cell(w, ref);
		memset(put, 0, (bytes + STORE_CELL - 1) & ~(size_t)(STORE_CELL - 1));
		for (uint32_t i = 0; i < chunks.count; i++)
			z.content_checksum = hash_checksum(cell(w, regions[i].start), (size_t)regions[i].cells * STORE_CELL, z.content_checksum);
		memcpy(put, &z, offsetof(struct store_zone, tail));
		memcpy(put->tail, apex, apex_len);
		memcpy(put->tail + apex_len, meta->source, source_len);
		memcpy((uint8_t *)put + store_zone_bytes(apex_len, source_len, 0), regions, chunks.count * sizeof(*regions));
		put->checksum = store_zone_checksum(put);
		trie_key_name(&k, apex, 0);
		err = trie_put(w, &k, ref, &old);
	}
	if (!err && old)
		err = drop_zone(w, old);
	free(regions);
	if (err) {
		w->zones = zones;
		w->dropped.count = dropped;
		give_back(w, taken);
		return err;
	}
	if (!old)
		w->zone_count++;
	w->dirty = true;
	return 0;
}

int store_remove_zone(struct store_writer *w, const uint8_t *apex)
{
	size_t taken = w->taken.count, dropped = w->dropped.count;
	struct trie t = zones_trie(w);
	store_ref zones = w->zones, old = 0;
	struct trie_key k;
	int err;

	trie_key_name(&k, apex, 0);
	if (!trie_get(&t, &k))
		return ERR_NOT_FOUND;
	err = trie_remove(w, &k, &old);
	if (!err)
		err = drop_zone(w, old);
	if (err) {
		w->zones = zones;
		w->dropped.count = dropped;
		give_back(w, taken);
		return err;
	}
	w->zone_count--;
	w->dirty = true;
	return 0;
}

/* ---- versions ---- */

int store_commit(struct store_writer *w, uint64_t *generation)
{
	uint64_t g = w->generation + 1;
	struct store_commit_record c = {.generation = g, .zone_count = w->zone_count, .zones = w->zones, .end = w->end};
	int err = queue_room(w, w->dropped.count);

	if (err)
		return err;
	c.checksum = store_commit_checksum(&c);
	w->header->commits[g % STORE_COMMITS] = c;
	atomic_thread_fence(memory_order_release);
	atomic_store(&w->header->current, g);
	for (size_t i = 0; i < w->dropped.count; i++) {
		w->queue[w->queue_first + w->queue_count++] = (struct waiting){g, w->dropped.list[i]};
		w->waiting_cells += w->dropped.list[i].cells;
	}
	w->dropped.count = w->taken.count = 0;
	w->generation = g;
	w->dirty = false;
	store_collect(w);
	*generation = g;
	return 0;
}

void store_abort(struct store_writer *w)
{
	struct store_commit_record c = w->header->commits[w->generation % STORE_COMMITS];

	give_back(w, 0);
	w->dropped.count = 0;
	w->zones = c.zones;
	w->zone_count = c.zone_count;
	w->dirty = false;
}

void store_writer_snapshot(struct store_writer *w, struct store_snapshot *out)
{
	struct store_commit_record c = w->header->commits[w->generation % STORE_COMMITS];

	*out = (struct store_snapshot){.base = w->base, .zones = c.zones, .generation = c.generation, .zone_count = c.zone_count};
}

void store_stats(const struct store_writer *w, struct store_stats *out)
{
	uint64_t free_cells = extents_free_cells(w->extents);

	*out = (struct store_stats){.generation = w->generation, .zones = w->zone_count, .file_bytes = w->file_len,
	                            .waiting_bytes = w->waiting_cells * STORE_CELL,
	                            .live_bytes = ((uint64_t)w->end - free_cells - w->waiting_cells) * STORE_CELL};
}
