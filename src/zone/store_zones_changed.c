/* SPDX-License-Identifier: BSD-2-Clause */
/* Two versions of the zones' trie side by side. What a commit did not touch is shared, and passed over by comparing references; where the tries differ in shape, the deeper one is compared
 * with that branch of the other under which all of it lies. Depth is that of the tries: STORE_WALK_DEPTH at most. */
#include "zone/store_trie.h"

struct both {
	struct trie from, to;
	store_changed_fn *fn;
	void *ctx;
};

static const struct store_zone *zone_at(const struct trie *t, const struct trie_slot *s)
{
	return (const struct store_zone *)(t->base + (size_t)s->ref * STORE_CELL);
}

static unsigned offset_of(const struct trie_slot *s)
{
	return slot_is_branch(s) ? slot_offset(s) : UINT32_MAX;
}

static const struct trie_slot *first_leaf(const struct trie *t, const struct trie_slot *s)
{
	while (slot_is_branch(s))
		s = trie_slot_at(t, s->ref);
	return s;
}

/* All below s is in one of the versions only. */
static int all_of(const struct both *b, const struct trie *t, const struct trie_slot *s)
{
	bool gone = t == &b->from;
	int err = 0;

	if (!slot_is_branch(s))
		return b->fn(b->ctx, gone ? zone_at(t, s) : NULL, gone ? NULL : zone_at(t, s));
	for (int i = 0; i < __builtin_popcountll(slot_map(s)) && !err; i++)
		err = all_of(b, t, trie_slot_at(t, s->ref) + i);
	return err;
}

static int compare(const struct both *b, const struct trie_slot *x, const struct trie_slot *y);

static int compare_leaves(const struct both *b, const struct trie_slot *x, const struct trie_slot *y)
{
	const struct store_zone *was = zone_at(&b->from, x), *now = zone_at(&b->to, y);
	struct trie_key k, l;
	int err;

	trie_leaf_key(&b->from, x->ref, &k);
	trie_leaf_key(&b->to, y->ref, &l);
	if (trie_key_differ(&k, &l) == UINT16_MAX)
		return b->fn(b->ctx, was, now);
	err = b->fn(b->ctx, was, NULL);
	return err ? err : b->fn(b->ctx, NULL, now);
}

/* All of `deep`, of one version, lies under one symbol of `wide`, of the other. */
static int compare_within(const struct both *b, const struct trie *wide_of, const struct trie_slot *wide,
                          const struct trie *deep_of, const struct trie_slot *deep)
{
	struct trie_key k;
	unsigned symbol;
	bool met = false;
	int err = 0;

	trie_leaf_key(deep_of, first_leaf(deep_of, deep)->ref, &k);
	symbol = key_symbol(&k, slot_offset(wide));
	for (unsigned i = 0; i < TRIE_SYMBOLS && !err; i++) {
		const struct trie_slot *twig;

		if (!(slot_map(wide) >> i & 1))
			continue;
		twig = trie_twig(wide_of, wide, i);
		if (i != symbol) {
			err = all_of(b, wide_of, twig);
			continue;
		}
		met = true;
		err = wide_of == &b->from ? compare(b, twig, deep) : compare(b, deep, twig);
	}
	return err || met ? err : all_of(b, deep_of, deep);
}

static int compare(const struct both *b, const struct trie_slot *x, const struct trie_slot *y)
{
	unsigned at = offset_of(x), to = offset_of(y);
	int err = 0;

	if (x->ref == y->ref && x->low == y->low && x->high == y->high)
		return 0;
	if (at == UINT32_MAX && to == UINT32_MAX)
		return compare_leaves(b, x, y);
	if (at < to)
		return compare_within(b, &b->from, x, &b->to, y);
	if (at > to)
		return compare_within(b, &b->to, y, &b->from, x);
	for (unsigned i = 0; i < TRIE_SYMBOLS && !err; i++) {
		bool in_x = slot_map(x) >> i & 1, in_y = slot_map(y) >> i & 1;

		if (in_x && in_y)
			err = compare(b, trie_twig(&b->from, x, i), trie_twig(&b->to, y, i));
		else if (in_x)
			err = all_of(b, &b->from, trie_twig(&b->from, x, i));
		else if (in_y)
			err = all_of(b, &b->to, trie_twig(&b->to, y, i));
	}
	return err;
}

int store_zones_changed(const struct store_snapshot *from, const struct store_snapshot *to, store_changed_fn *fn,
                        void *ctx)
{
	const struct both b = {.from = {.base = from->base, .root = from->zones, .kind = TRIE_ZONES},
	                       .to = {.base = to->base, .root = to->zones, .kind = TRIE_ZONES},
	                       .fn = fn,
	                       .ctx = ctx};

	if (from->zones == to->zones && from->base == to->base)
		return 0;
	if (!b.from.root && !b.to.root)
		return 0;
	if (!b.from.root)
		return all_of(&b, &b.to, trie_slot_at(&b.to, b.to.root));
	if (!b.to.root)
		return all_of(&b, &b.from, trie_slot_at(&b.from, b.from.root));
	return compare(&b, trie_slot_at(&b.from, b.from.root), trie_slot_at(&b.to, b.to.root));
}
