/* SPDX-License-Identifier: BSD-2-Clause */
/* In-order passage through one of a zone's tries, with the slots yet to be visited of each level on a stack. A zone that was built whole lies in this
 * order in memory. */
#include "zone/store_trie.h"

void store_walk_init(struct store_walk *w, const struct store_snapshot *s, const struct store_zone *z, bool nsec3)
{
	store_ref root = nsec3 ? z->nsec3 : z->names;
	const struct trie_slot *slot = store_at(s, root);

	w->base = s->base;
	w->depth = 0;
	if (!root)
		return;
	w->level[0].at = slot;
	w->level[0].end = slot + 1;
	w->depth = 1;
}

const struct store_node *store_walk_next(struct store_walk *w)
{
	while (w->depth) {
		const struct trie_slot *slot = w->level[w->depth - 1].at, *twigs;

		if (slot == w->level[w->depth - 1].end) {
			w->depth--;
			continue;
		}
		w->level[w->depth - 1].at = slot + 1;
		twigs = (const struct trie_slot *)(w->base + (size_t)slot->ref * STORE_CELL);
		if (!slot_is_branch(slot))
			return (const struct store_node *)twigs;
		/* Offsets grow downwards and are below the length of a key, so there is a level left. */
		w->level[w->depth].at = twigs;
		w->level[w->depth].end = twigs + __builtin_popcountll(slot_map(slot));
		w->depth++;
	}
	return NULL;
}
