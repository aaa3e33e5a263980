/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "zone/store.h"

#include <stdbool.h>
#include <stdint.h>

/* The qp-trie of the store (Knuth, Fagerholm, Finch; see doc/design/store.md). A key is a string of symbols 0..47; a name's key is its labels from
 * the root, each octet one symbol (letters, digits, hyphen, underscore) or two (all others), each label closed by symbol 0. Comparing keys
 * symbol by symbol is the canonical order of names. Beyond its end a key reads as 0.
 *
 * A slot is a leaf (a reference to what is stored) or a branch: the key offset it tests, a bit map of the symbols there are, and a reference to
 * the array of their slots ("twigs"), lowest symbol first. */
enum { TRIE_KEY_MAX = 520, TRIE_SYMBOLS = 48 };

struct trie_key {
	uint16_t len;
	uint8_t sym[TRIE_KEY_MAX]; /* only len of them are set; whole words are read */
};

struct trie_slot {
	uint32_t low, high; /* 64-bit word: bit 0 branch; then 48 bits of map; then 15 bits of offset */
	store_ref ref;
};

static inline uint64_t slot_word(const struct trie_slot *s)
{
	return (uint64_t)s->high << 32 | s->low;
}

static inline bool slot_is_branch(const struct trie_slot *s)
{
	return s->low & 1;
}

static inline unsigned slot_offset(const struct trie_slot *s)
{
	return s->high >> 17;
}

static inline uint64_t slot_map(const struct trie_slot *s)
{
	return slot_word(s) >> 1 & ((1ULL << TRIE_SYMBOLS) - 1);
}

static inline void slot_branch(struct trie_slot *s, unsigned offset, uint64_t map, store_ref twigs)
{
	uint64_t word = 1 | map << 1 | (uint64_t)offset << 49;

	s->low = (uint32_t)word;
	s->high = (uint32_t)(word >> 32);
	s->ref = twigs;
}

static inline void slot_leaf(struct trie_slot *s, store_ref leaf)
{
	s->low = s->high = 0;
	s->ref = leaf;
}

static inline unsigned key_symbol(const struct trie_key *k, unsigned offset)
{
	return offset < k->len ? k->sym[offset] : 0;
}

/* The symbols of each octet: the first in the low octet, the second one, or 0, in the high one. Set before main(). */
extern uint16_t trie_symbols[256];
/* The key of a name without its last `skip` labels. */
void trie_key_name(struct trie_key *k, const uint8_t *name, unsigned skip);
void trie_key_hash(struct trie_key *k, const uint8_t hash[20]);
/* The hash in the first label of an NSEC3 owner (base32hex, RFC 5155 3). False when it is none of 20 octets. */
bool trie_hash_of_owner(const uint8_t *owner, uint8_t hash[20]);

enum trie_kind { TRIE_ZONES, TRIE_NAMES, TRIE_HASHES };
struct trie {
	const uint8_t *base;
	store_ref root; /* of its root slot; 0: empty */
	enum trie_kind kind;
	unsigned skip;  /* TRIE_NAMES: labels of the apex */
};

static inline const struct trie_slot *trie_slot_at(const struct trie *t, store_ref ref)
{
	return (const struct trie_slot *)(t->base + (size_t)ref * STORE_CELL);
}

static inline const struct trie_slot *trie_twig(const struct trie *t, const struct trie_slot *s, unsigned symbol)
{
	return trie_slot_at(t, s->ref) + __builtin_popcountll(slot_map(s) & ((1ULL << symbol) - 1));
}

/* The key of what a leaf refers to. */
void trie_leaf_key(const struct trie *t, store_ref leaf, struct trie_key *out);
/* First symbol in which two keys differ; UINT16_MAX when equal. */
unsigned trie_key_differ(const struct trie_key *a, const struct trie_key *b);
/* Some leaf that shares as much of k as any does; the trie must not be empty. */
store_ref trie_nearest(const struct trie *t, const struct trie_key *k);
/* The leaf with the greatest key not above k (`equal` counts as not above), or 0. */
store_ref trie_at_or_before(const struct trie *t, const struct trie_key *k, bool *equal);
/* The leaf with the greatest key below k, or 0. */
store_ref trie_before(const struct trie *t, const struct trie_key *k);
/* The leaf with the smallest key above k, or 0. k NULL: the first leaf. */
store_ref trie_after(const struct trie *t, const struct trie_key *k);
store_ref trie_last(const struct trie *t);
/* The leaf with exactly this key, or 0. */
store_ref trie_get(const struct trie *t, const struct trie_key *k);
