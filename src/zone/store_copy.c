/* SPDX-License-Identifier: BSD-2-Clause */
#include "zone/store_copy.h"

#include "base/err.h"

#include <string.h>

/* The layout is that of store_build.c: an array of twigs, then what hangs on each; a node, then for each set its signatures and the set. After the
 * first failure references are 0. */
struct copy {
	struct chunks *chunks;
	bool failed;
};

static void *copy_bytes(struct copy *c, store_ref from, size_t bytes, store_ref *to)
{
	void *p = NULL;

	*to = c->failed ? 0 : store_chunks_take(c->chunks, (uint32_t)((bytes + STORE_CELL - 1) / STORE_CELL), &p);
	if (!*to) {
		c->failed = true;
		return NULL;
	}
	return memcpy(p, store_cell(c->chunks->w, from), bytes);
}

static store_ref copy_set(struct copy *c, store_ref from)
{
	const struct store_rrset *set = store_cell(c->chunks->w, from);
	store_ref sigs = set->sigs ? copy_set(c, set->sigs) : 0, to;
	struct store_rrset *put = copy_bytes(c, from, sizeof(*set) + set->size, &to);

	if (put)
		put->sigs = sigs;
	return to;
}

static store_ref copy_node(struct copy *c, store_ref from)
{
	const struct store_node *n = store_cell(c->chunks->w, from);
	store_ref to;
	struct store_node *put = copy_bytes(c, from, sizeof(*n) + n->rrsets * sizeof(store_ref) + n->name_len, &to);

	for (unsigned i = 0; put && i < put->rrsets; i++)
		put->sets[i] = copy_set(c, n->sets[i]);
	return to;
}

/* What the slot, itself a copy, refers to. The depth is bounded by the length of a key. */
static void copy_below(struct copy *c, struct trie_slot *slot)
{
	unsigned n = (unsigned)__builtin_popcountll(slot_map(slot));
	struct trie_slot *twigs;

	if (!slot_is_branch(slot)) {
		slot->ref = copy_node(c, slot->ref);
		return;
	}
	twigs = copy_bytes(c, slot->ref, n * sizeof(*twigs), &slot->ref);
	for (unsigned i = 0; twigs && i < n; i++)
		copy_below(c, &twigs[i]);
}

static store_ref copy_trie(struct copy *c, store_ref root)
{
	struct trie_slot *slot;
	store_ref to = 0;

	slot = root ? copy_bytes(c, root, sizeof(*slot), &to) : NULL;
	if (slot)
		copy_below(c, slot);
	return to;
}

int store_copy_zone(struct chunks *chunks, struct store_zone *z, const uint8_t *apex)
{
	struct copy c = {.chunks = chunks};
	struct trie names = {.base = chunks->w->base, .kind = TRIE_NAMES, .skip = name_labels(apex)};
	store_ref nsec3, params = 0;
	struct trie_key k;

	names.root = copy_trie(&c, z->names);
	nsec3 = copy_trie(&c, z->nsec3);
	if (z->nsec3_params)
		copy_bytes(&c, z->nsec3_params, sizeof(struct store_nsec3_params), &params);
	if (c.failed)
		return ERR_NO_SPACE;
	trie_key_name(&k, apex, names.skip);
	z->apex = trie_get(&names, &k);
	z->names = names.root;
	z->nsec3 = nsec3;
	z->nsec3_params = params;
	return 0;
}
