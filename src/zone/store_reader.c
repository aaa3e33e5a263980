/* SPDX-License-Identifier: BSD-2-Clause */
/* The readers' side of the store: mapping, pinning, looking up.
 *
 * Pinning: publish the current generation in the pin, then see whether it still is the current one. Both the writer's switch followed by
 * its look at the pins and the reader's pin followed by its look at the generation are sequentially consistent, so one of the two sees
 * the other: either the writer finds the pin before it frees anything that generation needs, or the reader finds the switch and pins again. */
#include "base/err.h"
#include "zone/store_format.h"
#include "zone/store_trie.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Nodes looked at for one denial. A well-signed zone needs at most one for each label of a name (empty non-terminals), or the few of another
 * NSEC3 chain; in a zone with holes in its chain nothing is proved rather than much work done for strangers. */
enum { DENIAL_STEPS_MAX = 512 };

struct store_reader {
	const uint8_t *base;
	size_t map_len;
	_Atomic uint64_t *pin;
};

static const struct store_header *header_of(const uint8_t *base)
{
	return (const struct store_header *)base;
}

/* Is the last commit's record what it should be? A writer may be at work meanwhile, in which case it is. */
static int check_commit(const struct store_header *h, uint64_t len)
{
	uint64_t g = atomic_load(&h->current);
	struct store_commit_record c = store_commit_read(h, g);

	if (atomic_load(&h->current) != g)
		return 0;
	return store_commit_check(&c, g, len);
}

/* What is mapped, beside the size of the file: a writer may make it larger between the two looks, and then says more than the size that was seen. */
static int check_file(const struct store_header *h, int fd)
{
	off_t seen = -1;
	struct stat st;
	int err = 0;

	while (fstat(fd, &st) == 0 && st.st_size != seen) {
		seen = st.st_size;
		err = store_header_check(h, (uint64_t)st.st_size);
		if (!err)
			err = check_commit(h, (uint64_t)st.st_size);
		if (!err)
			return 0;
	}
	return err ? err : ERR_STALE;
}

int store_reader_open(const char *path, _Atomic uint64_t *pin, struct store_reader **out)
{
	struct store_reader *r = calloc(1, sizeof(*r));
	struct stat st;
	void *map;
	int fd, err = 0;

	if (!r)
		return ERR_NO_MEMORY;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		err = -errno;
	if (!err && st.st_size < STORE_HEADER_BYTES)
		err = ERR_STALE;
	if (!err) {
		map = store_map(fd, PROT_READ);
		if (!map)
			err = -errno;
	}
	if (!err) {
		r->base = map;
		r->map_len = STORE_MAP_BYTES;
		err = check_file(header_of(r->base), fd);
		if (err)
			munmap(map, r->map_len);
	}
	if (fd >= 0)
		close(fd);
	if (err) {
		free(r);
		return err;
	}
	r->pin = pin;
	atomic_store(pin, STORE_UNPINNED);
	*out = r;
	return 0;
}

void store_reader_close(struct store_reader *r)
{
	if (!r)
		return;
	store_unpin(r);
	munmap((void *)(uintptr_t)r->base, r->map_len);
	free(r);
}

void store_pin(struct store_reader *r, struct store_snapshot *out)
{
	const struct store_header *h = header_of(r->base);

	for (;;) {
		uint64_t g = atomic_load_explicit(&h->current, memory_order_acquire);
		struct store_commit_record c;

		atomic_store(r->pin, g);
		if (atomic_load(&h->current) != g)
			continue;
		c = store_commit_read(h, g);
		/* The record's place is written again by the commit of g + STORE_COMMITS, when the one before is already current. */
		if (atomic_load_explicit(&h->current, memory_order_relaxed) - g >= STORE_COMMITS - 1)
			continue;
		*out = (struct store_snapshot){.base = r->base, .zones = c.zones, .generation = g, .zone_count = c.zone_count};
		return;
	}
}

void store_unpin(struct store_reader *r)
{
	atomic_store_explicit(r->pin, STORE_UNPINNED, memory_order_release);
}

uint64_t store_generation(const struct store_reader *r)
{
	return atomic_load_explicit(&header_of(r->base)->current, memory_order_relaxed);
}

/* ---- zones ---- */

static struct trie zones_trie(const struct store_snapshot *s)
{
	return (struct trie){.base = s->base, .root = s->zones, .kind = TRIE_ZONES};
}

static bool is_boundary(const struct trie_key *k, unsigned offset)
{
	return !offset || (offset <= k->len && !k->sym[offset - 1]);
}

const struct store_zone *store_zone_find(const struct store_snapshot *s, const uint8_t *name, bool above)
{
	struct trie t = zones_trie(s);
	store_ref candidates[NAME_LABELS_MAX + 2];
	const struct trie_slot *slot;
	unsigned n = 0;
	struct trie_key k;

	if (!t.root)
		return NULL;
	trie_key_name(&k, name, 0);
	slot = trie_slot_at(&t, t.root);
	while (slot_is_branch(slot)) {
		unsigned offset = slot_offset(slot), symbol = key_symbol(&k, offset);

		/* A key that ends here is an ancestor's, if what was not tested agrees too. */
		if (symbol && (slot_map(slot) & 1) && is_boundary(&k, offset) && !slot_is_branch(trie_slot_at(&t, slot->ref))) {
			candidates[n++] = trie_slot_at(&t, slot->ref)->ref;
			__builtin_prefetch(store_at(s, candidates[n - 1]));
		}
		if (!(slot_map(slot) >> symbol & 1)) {
			slot = NULL;
			break;
		}
		slot = trie_twig(&t, slot, symbol);
	}
	if (slot)
		candidates[n++] = slot->ref;
	while (n) {
		const struct store_zone *z = store_at(s, candidates[--n]);

		if (name_is_under(name, store_zone_apex(z)) && (!above || name_len(name) != z->apex_len))
			return z;
	}
	return NULL;
}

const struct store_zone *store_zone_get(const struct store_snapshot *s, const uint8_t *apex)
{
	struct trie t = zones_trie(s);
	struct trie_key k;

	trie_key_name(&k, apex, 0);
	return store_at(s, trie_get(&t, &k));
}

const struct store_zone *store_zone_next(const struct store_snapshot *s, const uint8_t *name)
{
	struct trie t = zones_trie(s);
	struct trie_key k;

	if (!name)
		return store_at(s, trie_after(&t, NULL));
	trie_key_name(&k, name, 0);
	return store_at(s, trie_after(&t, &k));
}

/* ---- names ---- */

static struct trie names_trie(const struct store_snapshot *s, const struct store_zone *z)
{
	return (struct trie){.base = s->base, .root = z->names, .kind = TRIE_NAMES, .skip = name_labels(store_zone_apex(z))};
}

static struct trie hashes_trie(const struct store_snapshot *s, const struct store_zone *z)
{
	return (struct trie){.base = s->base, .root = z->nsec3, .kind = TRIE_HASHES};
}

void store_lookup(const struct store_snapshot *s, const struct store_zone *z, const uint8_t *name, struct store_lookup *out)
{
	struct trie t = names_trie(s, z);
	store_ref candidates[NAME_LABELS_MAX + 2];
	const struct store_node *end;
	const struct trie_slot *slot = trie_slot_at(&t, t.root);
	unsigned n = 0, labels, common;
	struct trie_key k;

	trie_key_name(&k, name, t.skip);
	while (slot_is_branch(slot)) {
		unsigned offset = slot_offset(slot), symbol = key_symbol(&k, offset);

		if (symbol && (slot_map(slot) & 1) && is_boundary(&k, offset) && !slot_is_branch(trie_slot_at(&t, slot->ref))) {
			candidates[n++] = trie_slot_at(&t, slot->ref)->ref;
			__builtin_prefetch(store_at(s, candidates[n - 1]));
		}
		if (!(slot_map(slot) >> symbol & 1)) /* any leaf here shares what the trie knows of the name */
			slot = trie_slot_at(&t, slot->ref);
		else
			slot = trie_twig(&t, slot, symbol);
	}
	end = store_at(s, slot->ref);
	labels = name_labels(name);
	common = name_common_labels(name, store_node_name(end));
	*out = (struct store_lookup){0};
	/* Shallowest first: the first cut or DNAME met is the topmost. */
	for (unsigned i = 0; i <= n; i++) {
		const struct store_node *node = i < n ? store_at(s, candidates[i]) : end;

		if (node->labels > common)
			break;
		if (i == n && out->encloser == node)
			break;
		out->encloser = node;
		if ((node->flags & NODE_CUT) && !out->cut)
			out->cut = node;
		if ((node->flags & NODE_DNAME) && node->labels < labels && !out->dname && !out->cut)
			out->dname = node;
	}
	if (out->encloser && out->encloser->labels == labels)
		out->node = out->encloser;
	if (!out->encloser)
		out->encloser = store_at(s, z->apex);
}

const struct store_node *store_wildcard(const struct store_snapshot *s, const struct store_zone *z,
                                        const struct store_node *encloser)
{
	struct trie t = names_trie(s, z);
	struct trie_key k;
	struct name name;

	if (!(encloser->flags & NODE_WILD_CHILD) || encloser->name_len > NAME_LEN_MAX - 2)
		return NULL;
	name.wire[0] = 1;
	name.wire[1] = '*';
	memcpy(name.wire + 2, store_node_name(encloser), encloser->name_len);
	trie_key_name(&k, name.wire, t.skip);
	return store_at(s, trie_get(&t, &k));
}

const struct store_rrset *store_rrset_of(const struct store_snapshot *s, const struct store_node *n, uint16_t type)
{
	for (unsigned i = 0; i < n->rrsets; i++) {
		const struct store_rrset *set = store_at(s, n->sets[i]);

		if (set->type == type)
			return set;
		if (set->type > type)
			return NULL;
	}
	return NULL;
}

const struct store_node *store_nsec_cover(const struct store_snapshot *s, const struct store_zone *z, const uint8_t *name)
{
	struct trie t = names_trie(s, z);
	struct trie_key k;
	store_ref leaf;
	bool equal, wrapped = false;

	if (!z->has_nsec)
		return NULL;
	trie_key_name(&k, name, t.skip);
	leaf = trie_at_or_before(&t, &k, &equal);
	/* Glue and empty non-terminals own no NSEC: go on before them. */
	for (unsigned step = 0; step < DENIAL_STEPS_MAX; step++) {
		const struct store_node *node;

		if (!leaf) {
			if (wrapped)
				return NULL;
			wrapped = true;
			leaf = trie_last(&t);
		}
		node = store_at(s, leaf);
		if (node->flags & NODE_BELOW_CUT) {
			struct store_lookup l;

			/* There may be any number of these: to the delegation or DNAME itself. */
			store_lookup(s, z, store_node_name(node), &l);
			node = l.cut ? l.cut : l.dname ? l.dname : node;
		}
		if (store_rrset_of(s, node, RR_NSEC) && !(node->flags & NODE_BELOW_CUT))
			return node;
		trie_key_name(&k, store_node_name(node), t.skip);
		leaf = trie_before(&t, &k);
	}
	return NULL;
}

/* Was this NSEC3 made with the parameters that the zone uses? */
static bool in_chain(const struct store_snapshot *s, const struct store_zone *z, const struct store_node *node)
{
	const struct store_nsec3_params *p = store_at(s, z->nsec3_params);
	const struct store_rrset *set = store_rrset_of(s, node, RR_NSEC3);
	const uint8_t *rdata;
	uint16_t len;

	if (!p || !set)
		return false;
	len = get_u16(set->data);
	rdata = set->data + 2;
	return len >= 5U + p->salt_len && rdata[0] == p->algorithm && get_u16(rdata + 2) == p->iterations &&
	       rdata[4] == p->salt_len && memcmp(rdata + 5, p->salt, p->salt_len) == 0;
}

const struct store_node *store_nsec3_cover(const struct store_snapshot *s, const struct store_zone *z, const uint8_t hash[20],
                                           bool *exact)
{
	struct trie t = hashes_trie(s, z);
	struct trie_key k;
	store_ref leaf;
	bool wrapped = false;

	*exact = false;
	if (!t.root)
		return NULL;
	trie_key_hash(&k, hash);
	leaf = trie_at_or_before(&t, &k, exact);
	/* A zone that is changing its chain holds two: those of other parameters are passed over. */
	for (unsigned step = 0; step < DENIAL_STEPS_MAX; step++) {
		const struct store_node *node;

		if (!leaf) {
			if (wrapped)
				return NULL;
			wrapped = true;
			leaf = trie_last(&t);
		}
		node = store_at(s, leaf);
		if (in_chain(s, z, node))
			return node;
		*exact = false;
		trie_leaf_key(&t, leaf, &k);
		leaf = trie_before(&t, &k);
	}
	return NULL;
}

const struct store_node *store_nsec3_node(const struct store_snapshot *s, const struct store_zone *z, const uint8_t *owner)
{
	struct trie t = hashes_trie(s, z);
	uint8_t hash[20];
	struct trie_key k;

	if (!trie_hash_of_owner(owner, hash))
		return NULL;
	trie_key_hash(&k, hash);
	return store_at(s, trie_get(&t, &k));
}

const struct store_node *store_node_next(const struct store_snapshot *s, const struct store_zone *z, const struct store_node *prev)
{
	struct trie names = names_trie(s, z), hashes = hashes_trie(s, z);
	struct trie_key k;
	store_ref leaf;

	if (prev && (prev->flags & NODE_NSEC3)) {
		uint8_t hash[20];

		trie_hash_of_owner(store_node_name(prev), hash);
		trie_key_hash(&k, hash);
		return store_at(s, trie_after(&hashes, &k));
	}
	if (prev)
		trie_key_name(&k, store_node_name(prev), names.skip);
	leaf = trie_after(&names, prev ? &k : NULL);
	return store_at(s, leaf ? leaf : trie_after(&hashes, NULL));
}

const struct store_node *store_node_after(const struct store_snapshot *s, const struct store_zone *z, const uint8_t *name)
{
	struct trie names = names_trie(s, z);
	struct trie_key k;

	if (name)
		trie_key_name(&k, name, names.skip);
	return store_at(s, trie_after(&names, name ? &k : NULL));
}

const struct store_node *store_node_some(const struct store_snapshot *s, const struct store_zone *z, uint64_t number)
{
	const struct trie_slot *slot = store_at(s, z->names);

	while (slot && slot_is_branch(slot)) {
		unsigned twigs = (unsigned)__builtin_popcountll(slot_map(slot));

		slot = (const struct trie_slot *)store_at(s, slot->ref) + number % twigs;
		/* One number, many branches: what the last has used is mixed into what is left. */
		number = (number / twigs ^ number << 32) * 0x9e3779b97f4a7c15ULL;
		number ^= number >> 29;
	}
	return slot ? store_at(s, slot->ref) : NULL;
}
