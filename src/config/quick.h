/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "config/tree.h"

/* The list of zones, which may have a hundred thousand items, read without libyaml where it is written in the plainest YAML. Private to
 * config. */
#define QUICK_KEY "zones"

struct quick {
	struct tree *list;    /* as libyaml's events would have made it */
	size_t nodes;         /* in it, itself included */
	size_t from, to;      /* octets of its lines: all between that of the key and the next key, or the end */
	uint32_t line, lines; /* of the key, 1-based; how many those are */
};

/* Where the lines of such a list would be, found without a look at what is in them: q's from, to, line. False: nowhere. */
bool quick_find(const struct tree_source *src, struct quick *q);
/* False: there is no such list, or something in it is not for here, be it right or wrong. Then libyaml reads, and complains. Nodes live in
 * arena. */
bool quick_list(const struct tree_source *src, struct arena *arena, struct quick *out);
