/* SPDX-License-Identifier: BSD-2-Clause */
/* Changing a trie, the zones' or one inside a zone version. Arrays that somebody may be reading stay as they are: the path to the place of the change is
 * copied first (own_root, own_step), which changes nothing of what the trie says; arrays that nobody can see yet are used as they are. Everything that
 * can fail comes before the one assignment that makes the change. */
#include "zone/store_switch.h"

#include <string.h>

static unsigned twig_count(const struct trie_slot *s)
{
	return (unsigned)__builtin_popcountll(slot_map(s));
}

static unsigned twig_index(const struct trie_slot *s, unsigned symbol)
{
	return (unsigned)__builtin_popcountll(slot_map(s) & ((1ULL << symbol) - 1));
}

static void *at(const struct trie *t, store_ref ref)
{
	return (uint8_t *)(uintptr_t)t->base + (size_t)ref * STORE_CELL;
}

/* A root slot that may be changed. */
static int own_root(const struct switch_space *sp, struct trie *t, struct trie_slot **slot)
{
	store_ref ref;
	int err = 0;

	if (!sp->is_fresh(sp->ctx, t->root)) {
		err = sp->take(sp->ctx, 1, &ref);
		if (err)
			return err;
		memcpy(at(t, ref), at(t, t->root), sizeof(struct trie_slot));
		sp->drop(sp->ctx, t->root, 1);
		t->root = ref;
	}
	*slot = at(t, t->root);
	return 0;
}

/* Step to the twig of a symbol, in an array that may be changed. */
static int own_step(const struct switch_space *sp, const struct trie *t, struct trie_slot **slot, unsigned symbol)
{
	struct trie_slot *s = *slot;
	unsigned n = twig_count(s);
	store_ref ref;
	int err = 0;

	if (!sp->is_fresh(sp->ctx, s->ref)) {
		err = sp->take(sp->ctx, n, &ref);
		if (err)
			return err;
		memcpy(at(t, ref), at(t, s->ref), n * sizeof(*s));
		sp->drop(sp->ctx, s->ref, n);
		s->ref = ref;
	}
	*slot = (struct trie_slot *)at(t, s->ref) + twig_index(s, symbol);
	return 0;
}

static int put_first(const struct switch_space *sp, struct trie *t, store_ref leaf)
{
	store_ref ref;
	int err = sp->take(sp->ctx, 1, &ref);

	if (err)
		return err;
	slot_leaf(at(t, ref), leaf);
	t->root = ref;
	return 0;
}

/* One twig more in the branch at slot. */
static int put_twig(const struct switch_space *sp, const struct trie *t, struct trie_slot *slot, unsigned symbol, store_ref leaf)
{
	unsigned n = twig_count(slot), i = twig_index(slot, symbol);
	const struct trie_slot *from;
	struct trie_slot *to;
	store_ref ref;
	int err = sp->take(sp->ctx, n + 1, &ref);

	if (err)
		return err;
	from = at(t, slot->ref);
	to = at(t, ref);
	memcpy(to, from, i * sizeof(*to));
	slot_leaf(&to[i], leaf);
	memcpy(to + i + 1, from + i, (n - i) * sizeof(*to));
	sp->drop(sp->ctx, slot->ref, n);
	slot_branch(slot, slot_offset(slot), slot_map(slot) | 1ULL << symbol, ref);
	return 0;
}

/* A new branch between what stands at slot, which has symbol `other` there, and the leaf. */
static int put_branch(const struct switch_space *sp, const struct trie *t, struct trie_slot *slot, unsigned offset, unsigned symbol,
                      unsigned other, store_ref leaf)
{
	struct trie_slot *to;
	store_ref ref;
	int err = sp->take(sp->ctx, 2, &ref);

	if (err)
		return err;
	to = at(t, ref);
	to[other < symbol ? 0 : 1] = *slot;
	slot_leaf(&to[other < symbol ? 1 : 0], leaf);
	slot_branch(slot, offset, 1ULL << symbol | 1ULL << other, ref);
	return 0;
}

int store_switch_put(const struct switch_space *sp, struct trie *t, const struct trie_key *k, store_ref leaf)
{
	struct trie_slot *slot;
	struct trie_key found;
	unsigned differ, symbol;
	int err;

	if (!t->root)
		return put_first(sp, t, leaf);
	trie_leaf_key(t, trie_nearest(t, k), &found);
	differ = trie_key_differ(&found, k);
	err = own_root(sp, t, &slot);
	while (!err && slot_is_branch(slot) && slot_offset(slot) < differ)
		err = own_step(sp, t, &slot, key_symbol(k, slot_offset(slot)));
	if (err)
		return err;
	if (differ == UINT16_MAX) {
		slot_leaf(slot, leaf);
		return 0;
	}
	symbol = key_symbol(k, differ);
	if (slot_is_branch(slot) && slot_offset(slot) == differ)
		return put_twig(sp, t, slot, symbol, leaf);
	return put_branch(sp, t, slot, differ, symbol, key_symbol(&found, differ), leaf);
}

int store_switch_remove(const struct switch_space *sp, struct trie *t, const struct trie_key *k)
{
	const struct trie_slot *s = trie_slot_at(t, t->root);
	const struct trie_slot *from;
	struct trie_slot *slot, *to;
	unsigned depth = 0, n, i, symbol;
	store_ref was, ref;
	int err = sp->room(sp->ctx);

	if (err)
		return err;
	for (; slot_is_branch(s); depth++)
		s = trie_twig(t, s, key_symbol(k, slot_offset(s)));
	if (!depth) {
		sp->drop(sp->ctx, t->root, 1);
		t->root = 0;
		return 0;
	}
	err = own_root(sp, t, &slot);
	for (unsigned level = 1; !err && level < depth; level++)
		err = own_step(sp, t, &slot, key_symbol(k, slot_offset(slot)));
	if (!err)
		err = sp->room(sp->ctx);
	if (err)
		return err;
	n = twig_count(slot);
	symbol = key_symbol(k, slot_offset(slot));
	i = twig_index(slot, symbol);
	was = slot->ref;
	if (n == 2) { /* a branch has two twigs at least */
		from = at(t, was);
		*slot = from[1 - i];
	} else {
		err = sp->take(sp->ctx, n - 1, &ref);
		if (err)
			return err;
		from = at(t, was);
		to = at(t, ref);
		memcpy(to, from, i * sizeof(*to));
		memcpy(to + i, from + i + 1, (n - i - 1) * sizeof(*to));
		slot_branch(slot, slot_offset(slot), slot_map(slot) & ~(1ULL << symbol), ref);
	}
	sp->drop(sp->ctx, was, n);
	return 0;
}
