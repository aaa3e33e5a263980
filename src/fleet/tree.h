/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a node serves of a network, as a tree of sums by which two nodes find the zones that they do not have alike: see tree.c. Pure. */
enum {
	TREE_FAN = 16,       /* children of a place; one hexadecimal digit of the zones' hashes */
	TREE_DEPTH_MAX = 16, /* digits of a hash */
	TREE_KEPT_MAX = 5,   /* levels whose sums are kept; those below are added up when they are asked for */
	TREE_PAST = 16,
	TREE_CROWD = 8, /* zones of a place of the lowest level that is kept, on average, until there is one more */
};

/* A part of the zones: those whose hashes begin with the first `depth` digits of `prefix`, the other digits being 0. */
struct tree_place {
	uint64_t prefix;
	unsigned depth;
};
static inline uint64_t tree_mask(unsigned depth)
{
	return depth ? UINT64_MAX << (64 - 4 * depth) : 0;
}
static inline struct tree_place tree_child(struct tree_place p, unsigned digit)
{
	return (struct tree_place){p.prefix | (uint64_t)digit << (60 - 4 * p.depth), p.depth + 1};
}
static inline bool tree_has(struct tree_place p, uint64_t hash)
{
	return (hash & tree_mask(p.depth)) == p.prefix;
}

/* Of a place. Equal `serials`: the same zones with the same serials; equal `contents` as well: with the same content, as far as that is known. */
struct tree_sum {
	uint64_t serials, contents;
	uint32_t zones, unknown; /* unknown: of those the ones whose content nobody has looked at yet */
};

struct tree_zone {
	struct tree_zone *next; /* in its bucket */
	struct list todo;       /* the owner's */
	uint64_t hash;
	uint64_t from, moved, base_from, base; /* the owner's: how it knows the content */
	uint64_t serial_part, content_part;    /* of the sums */
	uint64_t content;                      /* low 64 bits of the digest */
	uint32_t serial, moves;                /* moves: how often the serial has changed since the zone came */
	uint32_t past[TREE_PAST]; /* serials before: the one that the k-th move ended is at k modulo TREE_PAST */
	bool known;               /* the content is */
	uint8_t name[];           /* apex, lower case */
};

struct zone_tree;
int tree_new(struct zone_tree **out) MUST_CHECK;
void tree_free(struct zone_tree *t);
uint64_t tree_hash(const uint8_t *apex);
/* How many versions ago the zone had that serial; 0: not known. */
uint32_t tree_versions_since(const struct tree_zone *z, uint32_t serial);
struct tree_zone *tree_find(const struct zone_tree *t, uint64_t hash);
/* The zone of that name, made if it was not there, with this serial; a new serial leaves the content unknown. ERR_NO_MEMORY. */
int tree_put(struct zone_tree *t, const uint8_t *apex, uint32_t serial, struct tree_zone **out) MUST_CHECK;
void tree_content(struct zone_tree *t, struct tree_zone *z, bool known, uint64_t content);
/* Frees z, which must be on no list any more. */
void tree_remove(struct zone_tree *t, struct tree_zone *z);
void tree_sum_of(const struct zone_tree *t, struct tree_place p, struct tree_sum *out);
/* The zones of a place, at most `max` of them; returns how many there are, but no more than max + 1. */
size_t tree_list(const struct zone_tree *t, struct tree_place p, const struct tree_zone **out, size_t max);
/* One number for all of it. */
uint64_t tree_root(const struct zone_tree *t);
uint64_t tree_root_of(const struct tree_sum *s);
