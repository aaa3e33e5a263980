/* SPDX-License-Identifier: BSD-2-Clause */
/* Changing the zones' trie. Arrays of a committed version stay as they are: the path to the place of the change is copied first (own_root,
 * own_step), which changes nothing of what the trie says; arrays made since the last commit are used as they are. Everything that can fail comes
 * before the one assignment that makes the change. */
#include "zone/store_writer_priv.h"

#include <string.h>

static unsigned twig_count(const struct trie_slot *s)
{
	return (unsigned)__builtin_popcountll(slot_map(s));
}

static unsigned twig_index(const struct trie_slot *s, unsigned symbol)
{
	return (unsigned)__builtin_popcountll(slot_map(s) & ((1ULL << symbol) - 1));
}

/* A root slot that may be changed. */
static int own_root(struct store_writer *w, struct trie_slot **slot)
{
	store_ref ref;
	int err = 0;

	if (!store_array_is_fresh(w, w->zones)) {
		err = store_ranges_reserve(&w->dropped, 1);
		if (!err)
			err = store_array_take(w, 1, &ref);
		if (err)
			return err;
		memcpy(store_cell(w, ref), store_cell(w, w->zones), sizeof(struct trie_slot));
		store_array_drop(w, w->zones, 1);
		w->zones = ref;
	}
	*slot = store_cell(w, w->zones);
	return 0;
}

/* Step to the twig of a symbol, in an array that may be changed. */
static int own_step(struct store_writer *w, struct trie_slot **slot, unsigned symbol)
{
	struct trie_slot *s = *slot;
	unsigned n = twig_count(s);
	store_ref ref;
	int err = 0;

	if (!store_array_is_fresh(w, s->ref)) {
		err = store_ranges_reserve(&w->dropped, 1);
		if (!err)
			err = store_array_take(w, n, &ref);
		if (err)
			return err;
		memcpy(store_cell(w, ref), store_cell(w, s->ref), n * sizeof(*s));
		store_array_drop(w, s->ref, n);
		s->ref = ref;
	}
	*slot = (struct trie_slot *)store_cell(w, s->ref) + twig_index(s, symbol);
	return 0;
}

static int put_first(struct store_writer *w, store_ref leaf)
{
	store_ref ref;
	int err = store_array_take(w, 1, &ref);

	if (err)
		return err;
	slot_leaf(store_cell(w, ref), leaf);
	w->zones = ref;
	return 0;
}

/* One twig more in the branch at slot. */
static int put_twig(struct store_writer *w, struct trie_slot *slot, unsigned symbol, store_ref leaf)
{
	unsigned n = twig_count(slot), at = twig_index(slot, symbol);
	const struct trie_slot *from = store_cell(w, slot->ref);
	struct trie_slot *to;
	store_ref ref;
	int err = store_ranges_reserve(&w->dropped, 1);

	if (!err)
		err = store_array_take(w, n + 1, &ref);
	if (err)
		return err;
	to = store_cell(w, ref);
	memcpy(to, from, at * sizeof(*to));
	slot_leaf(&to[at], leaf);
	memcpy(to + at + 1, from + at, (n - at) * sizeof(*to));
	store_array_drop(w, slot->ref, n);
	slot_branch(slot, slot_offset(slot), slot_map(slot) | 1ULL << symbol, ref);
	return 0;
}

/* A new branch between what stands at slot, which has symbol `other` there, and the leaf. */
static int put_branch(struct store_writer *w, struct trie_slot *slot, unsigned offset, unsigned symbol, unsigned other, store_ref leaf)
{
	struct trie_slot *to;
	store_ref ref;
	int err = store_array_take(w, 2, &ref);

	if (err)
		return err;
	to = store_cell(w, ref);
	to[other < symbol ? 0 : 1] = *slot;
	slot_leaf(&to[other < symbol ? 1 : 0], leaf);
	slot_branch(slot, offset, 1ULL << symbol | 1ULL << other, ref);
	return 0;
}

int store_switch_put(struct store_writer *w, const struct trie_key *k, store_ref leaf)
{
	struct trie t = store_zones_trie(w);
	struct trie_slot *slot;
	struct trie_key found;
	unsigned differ, symbol;
	int err;

	if (!w->zones)
		return put_first(w, leaf);
	trie_leaf_key(&t, trie_nearest(&t, k), &found);
	differ = trie_key_differ(&found, k);
	err = own_root(w, &slot);
	while (!err && slot_is_branch(slot) && slot_offset(slot) < differ)
		err = own_step(w, &slot, key_symbol(k, slot_offset(slot)));
	if (err)
		return err;
	if (differ == UINT16_MAX) {
		slot_leaf(slot, leaf);
		return 0;
	}
	symbol = key_symbol(k, differ);
	if (slot_is_branch(slot) && slot_offset(slot) == differ)
		return put_twig(w, slot, symbol, leaf);
	return put_branch(w, slot, differ, symbol, key_symbol(&found, differ), leaf);
}

int store_switch_remove(struct store_writer *w, const struct trie_key *k)
{
	struct trie t = store_zones_trie(w);
	const struct trie_slot *s = trie_slot_at(&t, w->zones);
	const struct trie_slot *from;
	struct trie_slot *slot, *to;
	unsigned depth = 0, n, at, symbol;
	store_ref was, ref;
	int err = store_ranges_reserve(&w->dropped, 1);

	if (err)
		return err;
	for (; slot_is_branch(s); depth++)
		s = trie_twig(&t, s, key_symbol(k, slot_offset(s)));
	if (!depth) {
		store_array_drop(w, w->zones, 1);
		w->zones = 0;
		return 0;
	}
	err = own_root(w, &slot);
	for (unsigned level = 1; !err && level < depth; level++)
		err = own_step(w, &slot, key_symbol(k, slot_offset(slot)));
	if (!err)
		err = store_ranges_reserve(&w->dropped, 1);
	if (err)
		return err;
	n = twig_count(slot);
	symbol = key_symbol(k, slot_offset(slot));
	at = twig_index(slot, symbol);
	was = slot->ref;
	from = store_cell(w, was);
	if (n == 2) { /* a branch has two twigs at least */
		*slot = from[1 - at];
	} else {
		err = store_array_take(w, n - 1, &ref);
		if (err)
			return err;
		to = store_cell(w, ref);
		memcpy(to, from, at * sizeof(*to));
		memcpy(to + at, from + at + 1, (n - at - 1) * sizeof(*to));
		slot_branch(slot, slot_offset(slot), slot_map(slot) & ~(1ULL << symbol), ref);
	}
	store_array_drop(w, was, n);
	return 0;
}
