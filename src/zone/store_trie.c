/* SPDX-License-Identifier: BSD-2-Clause */
#include "zone/store_trie.h"

#include "base/octets.h"

#include <string.h>

/* Symbols by octet: one, or one that opens a range and a second one that counts within it. Ranges lie between the single symbols so
 * that order is kept; no range has more than 47 octets, since the second symbol is never 0. */
uint16_t trie_symbols[256];

static bool is_single(unsigned c)
{
	return c == '-' || c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

static __attribute__((constructor)) void make_symbols(void)
{
	unsigned symbol = 0, within = 0;
	bool in_range = false;

	for (unsigned c = 0; c < 256; c++) {
		if (c >= 'A' && c <= 'Z')
			continue;
		if (is_single(c)) {
			trie_symbols[c] = (uint16_t)++symbol;
			in_range = false;
			continue;
		}
		if (!in_range || within == TRIE_SYMBOLS - 1) {
			symbol++;
			within = 0;
			in_range = true;
		}
		trie_symbols[c] = (uint16_t)(symbol | ++within << 8);
	}
	for (unsigned c = 'A'; c <= 'Z'; c++)
		trie_symbols[c] = trie_symbols[c | 0x20];
}

void trie_key_name(struct trie_key *k, const uint8_t *name, unsigned skip)
{
	uint8_t starts[NAME_LABELS_MAX + 1];
	unsigned n = 0, at = 0;

	for (unsigned pos = 0; name[pos]; pos += name[pos] + 1U)
		starts[n++] = (uint8_t)pos;
	for (unsigned i = n > skip ? n - skip : 0; i-- > 0;) {
		const uint8_t *p = name + starts[i];

		for (unsigned len = *p++; len; len--, p++) {
			unsigned s = trie_symbols[*p];

			k->sym[at++] = (uint8_t)s;
			if (s > UINT8_MAX)
				k->sym[at++] = (uint8_t)(s >> 8);
		}
		k->sym[at++] = 0;
	}
	k->len = (uint16_t)at;
}

void trie_key_hash(struct trie_key *k, const uint8_t hash[20])
{
	for (unsigned i = 0; i < 20; i++) {
		k->sym[2 * i] = hash[i] >> 4;
		k->sym[2 * i + 1] = hash[i] & 15;
	}
	k->len = 40;
}

bool trie_hash_of_owner(const uint8_t *owner, uint8_t hash[20])
{
	uint64_t bits = 0;
	unsigned count = 0, out = 0;

	if (owner[0] != 32)
		return false;
	for (unsigned i = 1; i <= 32; i++) {
		uint8_t c = owner[i], v;

		if (c >= '0' && c <= '9')
			v = (uint8_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'v')
			v = (uint8_t)((c | 0x20) - 'a' + 10);
		else
			return false;
		bits = bits << 5 | v;
		count += 5;
		if (count >= 8) {
			count -= 8;
			hash[out++] = (uint8_t)(bits >> count);
		}
	}
	return true;
}

void trie_leaf_key(const struct trie *t, store_ref leaf, struct trie_key *out)
{
	const void *p = t->base + (size_t)leaf * STORE_CELL;
	uint8_t hash[20];

	switch (t->kind) {
	case TRIE_ZONES:
		trie_key_name(out, store_zone_apex(p), 0);
		break;
	case TRIE_NAMES:
		trie_key_name(out, store_node_name(p), t->skip);
		break;
	case TRIE_HASHES:
		memset(hash, 0, sizeof(hash));
		trie_hash_of_owner(store_node_name(p), hash);
		trie_key_hash(out, hash);
		break;
	}
}

unsigned trie_key_differ(const struct trie_key *a, const struct trie_key *b)
{
	unsigned n = a->len < b->len ? a->len : b->len, i = 0;

	/* Eight at a time: what differs behind the end of the shorter one is cut off below. */
	for (; i < n; i += 8) {
		uint64_t x = octets_low_first(a->sym + i) ^ octets_low_first(b->sym + i);

		if (x) {
			i += (unsigned)__builtin_ctzll(x) / 8;
			break;
		}
	}
	i = i < n ? i : n;
	if (i < n)
		return i;
	/* A longer key goes on with a symbol above 0 right there, or they are equal: labels are never empty. */
	return a->len == b->len ? UINT16_MAX : n;
}

static store_ref edge_leaf(const struct trie *t, const struct trie_slot *s, bool last)
{
	while (slot_is_branch(s))
		s = trie_slot_at(t, s->ref) + (last ? __builtin_popcountll(slot_map(s)) - 1 : 0);
	return s->ref;
}

store_ref trie_nearest(const struct trie *t, const struct trie_key *k)
{
	const struct trie_slot *s = trie_slot_at(t, t->root);

	while (slot_is_branch(s)) {
		unsigned symbol = key_symbol(k, slot_offset(s));

		if (slot_map(s) >> symbol & 1)
			s = trie_twig(t, s, symbol);
		else
			s = trie_slot_at(t, s->ref);
	}
	return s->ref;
}

store_ref trie_get(const struct trie *t, const struct trie_key *k)
{
	const struct trie_slot *s;
	struct trie_key found;

	if (!t->root)
		return 0;
	s = trie_slot_at(t, t->root);
	while (slot_is_branch(s)) {
		unsigned symbol = key_symbol(k, slot_offset(s));

		if (!(slot_map(s) >> symbol & 1))
			return 0;
		s = trie_twig(t, s, symbol);
	}
	trie_leaf_key(t, s->ref, &found);
	return trie_key_differ(&found, k) == UINT16_MAX ? s->ref : 0;
}

/* The neighbour of k: descend as far as the trie agrees with k, remembering the last place where a sibling on the wanted side was left
 * aside; what k would branch off from decides whether that subtree itself lies on the wanted side. */
static store_ref neighbour(const struct trie *t, const struct trie_key *k, bool before, bool take_equal, bool *equal)
{
	const struct trie_slot *s, *aside = NULL;
	struct trie_key found;
	unsigned differ;
	store_ref leaf;

	*equal = false;
	if (!t->root)
		return 0;
	s = trie_slot_at(t, t->root);
	leaf = trie_nearest(t, k);
	trie_leaf_key(t, leaf, &found);
	differ = trie_key_differ(&found, k);
	if (differ == UINT16_MAX && take_equal) {
		*equal = true;
		return leaf;
	}
	while (slot_is_branch(s) && slot_offset(s) < differ) {
		unsigned symbol = key_symbol(k, slot_offset(s));
		uint64_t map = slot_map(s);
		uint64_t side = before ? map & ((1ULL << symbol) - 1) : map >> symbol >> 1;

		if (side)
			aside = before ? trie_twig(t, s, symbol) - 1 : trie_twig(t, s, symbol) + 1;
		s = trie_twig(t, s, symbol);
	}
	if (differ != UINT16_MAX) {
		unsigned mine = key_symbol(k, differ);

		if (slot_is_branch(s) && slot_offset(s) == differ) {
			uint64_t map = slot_map(s);
			uint64_t side = before ? map & ((1ULL << mine) - 1) : map >> mine >> 1;

			if (side)
				return edge_leaf(t, before ? trie_twig(t, s, mine) - 1 : trie_twig(t, s, mine), before);
		} else if (before ? key_symbol(&found, differ) < mine : key_symbol(&found, differ) > mine) {
			return edge_leaf(t, s, before);
		}
	}
	return aside ? edge_leaf(t, aside, before) : 0;
}

store_ref trie_at_or_before(const struct trie *t, const struct trie_key *k, bool *equal)
{
	return neighbour(t, k, true, true, equal);
}

store_ref trie_before(const struct trie *t, const struct trie_key *k)
{
	bool equal;

	return neighbour(t, k, true, false, &equal);
}

store_ref trie_after(const struct trie *t, const struct trie_key *k)
{
	bool equal;

	if (!k)
		return t->root ? edge_leaf(t, trie_slot_at(t, t->root), false) : 0;
	return neighbour(t, k, false, false, &equal);
}

store_ref trie_last(const struct trie *t)
{
	return t->root ? edge_leaf(t, trie_slot_at(t, t->root), true) : 0;
}
