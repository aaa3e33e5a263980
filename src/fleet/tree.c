/* SPDX-License-Identifier: BSD-2-Clause */
/* Two nodes with 100,000 zones each want to know whether they serve the same, every second, for a few octets. Each zone is hashed by its name; what is said of it, its
 * serial and the digest of its content, is hashed again, and the sum of those hashes over all zones is one number: equal numbers, equal zones. Where they are not equal the sums of the zones whose
 * hashes begin with 0, 1, ... f are compared, and so on below those that differ, down to places with so few zones that they are named. For one zone of 100,000 that is five
 * questions, whichever it is.
 *
 *	level 0            all: serials, contents
 *	level 1     0  1  2  3 ... f
 *	level 2        30 31 ... 3f
 *	...              zones  31c0..: example.com, 31c7..: example.org
 *
 * Sums are modulo 2^64, so a change costs a subtraction and an addition for each level. There are two of them: one over serials and one over contents, since a content may not be known yet, because
 * digests of zones that have just been loaded are made in the background (watch/drift_table.c). A zone whose content is not known is not part of the second one, and counted.
 *
 * Levels are kept as arrays, as many as there are zones for; below the last one zones hang in buckets, and sums are added up when asked for. The hash is SipHash under a key that
 * everybody knows: the same on each node, and no defence against somebody who may choose names of zones; to such a person it is worth a few more questions, in bounds that the asking side has. The sums
 * are no signature either: they find what differs by accident. */
#include "fleet/tree.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/wire.h"
#include "dns/name.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t hash_key[16] = "zonecast-tree-1";

struct zone_tree {
	unsigned depth;                            /* of the lowest level that is kept */
	struct tree_sum *level[TREE_KEPT_MAX + 1]; /* of 16^i places */
	struct tree_zone **bucket;                 /* of the lowest */
};

uint64_t tree_hash(const uint8_t *apex)
{
	struct name lower;

	name_lower(&lower, apex);
	return hash_keyed(hash_key, lower.wire, lower.len);
}

static size_t index_of(uint64_t hash, unsigned depth)
{
	return depth ? (size_t)(hash >> (64 - 4 * depth)) : 0;
}

static size_t places(unsigned depth)
{
	return (size_t)1 << (4 * depth);
}

static uint64_t mix(uint64_t hash, uint32_t serial, uint64_t content, size_t len)
{
	uint8_t octets[20];

	put_u32(octets, (uint32_t)(hash >> 32));
	put_u32(octets + 4, (uint32_t)hash);
	put_u32(octets + 8, serial);
	put_u32(octets + 12, (uint32_t)(content >> 32));
	put_u32(octets + 16, (uint32_t)content);
	return hash_keyed(hash_key, octets, len);
}

uint64_t tree_root_of(const struct tree_sum *s)
{
	return mix(s->serials, s->zones, s->contents, 20);
}

uint64_t tree_root(const struct zone_tree *t)
{
	return tree_root_of(&t->level[0][0]);
}

/* ---- sums ---- */

static void add(struct tree_sum *to, const struct tree_sum *part)
{
	to->serials += part->serials;
	to->contents += part->contents;
	to->zones += part->zones;
	to->unknown += part->unknown;
}

static struct tree_sum sum_of_zone(const struct tree_zone *z)
{
	return (struct tree_sum){z->serial_part, z->content_part, 1, !z->known};
}

/* By what the zone's part is now more than `was`; modular, so that it serves for less as well. */
static void move(struct zone_tree *t, uint64_t hash, const struct tree_sum *was, const struct tree_sum *now)
{
	struct tree_sum by = {now->serials - was->serials, now->contents - was->contents, now->zones - was->zones,
	                      now->unknown - was->unknown};

	for (unsigned d = 0; d <= t->depth; d++)
		add(&t->level[d][index_of(hash, d)], &by);
}

static void update(struct zone_tree *t, struct tree_zone *z, bool known, uint64_t content)
{
	struct tree_sum was = sum_of_zone(z), now;

	z->known = known;
	z->content = known ? content : 0;
	z->serial_part = mix(z->hash, z->serial, 0, 12);
	z->content_part = known ? mix(z->hash, z->serial, content, 20) : 0;
	now = sum_of_zone(z);
	move(t, z->hash, &was, &now);
}

void tree_content(struct zone_tree *t, struct tree_zone *z, bool known, uint64_t content)
{
	if (z->known != known || (known && z->content != content))
		update(t, z, known, content);
}

void tree_sum_of(const struct zone_tree *t, struct tree_place p, struct tree_sum *out)
{
	if (p.depth <= t->depth) {
		*out = t->level[p.depth][index_of(p.prefix, p.depth)];
		return;
	}
	*out = (struct tree_sum){0};
	for (const struct tree_zone *z = t->bucket[index_of(p.prefix, t->depth)]; z; z = z->next) {
		struct tree_sum part = sum_of_zone(z);

		if (tree_has(p, z->hash))
			add(out, &part);
	}
}

size_t tree_list(const struct zone_tree *t, struct tree_place p, const struct tree_zone **out, size_t max)
{
	size_t first = index_of(p.prefix, t->depth), count = 0;
	size_t last = p.depth < t->depth ? first + places(t->depth - p.depth) - 1 : first;

	for (size_t i = first; i <= last; i++)
		for (const struct tree_zone *z = t->bucket[i]; z; z = z->next) {
			if (!tree_has(p, z->hash))
				continue;
			if (count == max)
				return max + 1;
			out[count++] = z;
		}
	return count;
}

/* ---- zones ---- */

struct tree_zone *tree_find(const struct zone_tree *t, uint64_t hash)
{
	struct tree_zone *z = t->bucket[index_of(hash, t->depth)];

	while (z && z->hash != hash)
		z = z->next;
	return z;
}

uint32_t tree_versions_since(const struct tree_zone *z, uint32_t serial)
{
	for (uint32_t k = 1; k <= z->moves && k <= TREE_PAST; k++)
		if (z->past[(z->moves - k) % TREE_PAST] == serial)
			return k;
	return 0;
}

/* One more level. Without the memory for it, it goes on as it is. */
static void deepen(struct zone_tree *t)
{
	unsigned depth = t->depth + 1;
	struct tree_sum *sums = calloc(places(depth), sizeof(*sums));
	struct tree_zone **bucket = calloc(places(depth), sizeof(*bucket));

	if (!sums || !bucket) {
		free(sums);
		free(bucket);
		return;
	}
	for (size_t i = 0; i < places(t->depth); i++)
		for (struct tree_zone *z = t->bucket[i], *next; z; z = next) {
			size_t at = index_of(z->hash, depth);
			struct tree_sum part = sum_of_zone(z);

			next = z->next;
			z->next = bucket[at];
			bucket[at] = z;
			add(&sums[at], &part);
		}
	free(t->bucket);
	t->bucket = bucket;
	t->level[depth] = sums;
	t->depth = depth;
}

int tree_put(struct zone_tree *t, const uint8_t *apex, uint32_t serial, struct tree_zone **out)
{
	static const struct tree_sum none;
	uint64_t hash = tree_hash(apex);
	struct tree_zone *z = tree_find(t, hash);
	struct tree_sum part;
	struct name lower;

	if (z) {
		if (z->serial != serial) {
			z->past[z->moves++ % TREE_PAST] = z->serial;
			z->serial = serial;
			update(t, z, false, 0);
		}
		*out = z;
		return 0;
	}
	if (t->depth < TREE_KEPT_MAX && t->level[0][0].zones >= TREE_CROWD * places(t->depth))
		deepen(t);
	name_lower(&lower, apex);
	z = calloc(1, sizeof(*z) + lower.len);
	if (!z)
		return ERR_NO_MEMORY;
	memcpy(z->name, lower.wire, lower.len);
	list_init(&z->todo);
	z->hash = hash;
	z->serial = serial;
	z->serial_part = mix(hash, serial, 0, 12);
	z->next = t->bucket[index_of(hash, t->depth)];
	t->bucket[index_of(hash, t->depth)] = z;
	part = sum_of_zone(z);
	move(t, hash, &none, &part);
	*out = z;
	return 0;
}

void tree_remove(struct zone_tree *t, struct tree_zone *z)
{
	static const struct tree_sum none;
	struct tree_zone **link = &t->bucket[index_of(z->hash, t->depth)];
	struct tree_sum part = sum_of_zone(z);

	while (*link != z)
		link = &(*link)->next;
	*link = z->next;
	move(t, z->hash, &part, &none);
	free(z);
}

int tree_new(struct zone_tree **out)
{
	struct zone_tree *t = calloc(1, sizeof(*t));

	if (t) {
		t->level[0] = calloc(1, sizeof(*t->level[0]));
		t->bucket = calloc(1, sizeof(*t->bucket));
	}
	if (!t || !t->level[0] || !t->bucket) {
		tree_free(t);
		return ERR_NO_MEMORY;
	}
	*out = t;
	return 0;
}

void tree_free(struct zone_tree *t)
{
	if (!t)
		return;
	for (size_t i = 0; t->bucket && i < places(t->depth); i++)
		for (struct tree_zone *z = t->bucket[i], *next; z; z = next) {
			next = z->next;
			free(z);
		}
	for (unsigned d = 0; d <= TREE_KEPT_MAX; d++)
		free(t->level[d]);
	free(t->bucket);
	free(t);
}
