/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "zone/store_trie.h"

#include <stdbool.h>

/* Change a trie by copying the arrays on the path to the place of the change. */

/* Where the trie that is being changed gets its arrays of twigs from. */
struct switch_space {
	int (*take)(void *ctx, unsigned n, store_ref *ref); /* an array of n twigs, of undefined contents, and room for one drop */
	int (*room)(void *ctx);                             /* for one drop, which cannot fail then */
	void (*drop)(void *ctx, store_ref ref, unsigned n); /* the trie being built does without this array */
	bool (*is_fresh)(const void *ctx, store_ref ref);   /* nobody else can see this array: it may be changed in place */
	void *ctx;
};

/* Put the leaf at its key, in place of what is there. On failure the trie says what it said before, though some of it, t->root too, may have moved. */
int store_switch_put(const struct switch_space *sp, struct trie *t, const struct trie_key *k, store_ref leaf) MUST_CHECK;
/* The key must be there. On failure as above. */
int store_switch_remove(const struct switch_space *sp, struct trie *t, const struct trie_key *k) MUST_CHECK;
