/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "base/diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A YAML document as nodes that know their place. Only the plain part of YAML: mappings with scalar keys, sequences, scalars. */
enum {
	TREE_DEPTH_MAX = 16,         /* the deepest option is at 7 */
	TREE_NODES_MAX = 10000000,   /* of 32 octets; a full file of CONFIG_FILE_MAX with nothing but zones has about 8 million */
	TREE_SCALAR_MAX = 4096,      /* octets of one value */
};

enum tree_kind { TREE_SCALAR, TREE_LIST, TREE_MAP };

struct tree {
	uint8_t kind; /* enum tree_kind */
	bool quoted;  /* scalars: in quotes, or a block */
	union {
		uint32_t len;   /* scalars: octets of text */
		uint32_t count; /* children; a map's keys and values both count */
	};
	uint32_t line, column; /* 1-based; columns count characters, as YAML does: messages convert them to bytes */
	union {
		const char *text;   /* scalars: NUL-terminated, no NUL inside */
		struct tree *first; /* list: items; map: key, value, key, value ... */
	};
	struct tree *next; /* sibling */
};

/* Where the bytes came from: messages need file and, for byte columns, the bytes. */
struct tree_source {
	const char *path;
	const char *bytes;
	size_t len;
	bool ascii; /* every character is one byte: columns need no conversion */
	bool plain; /* leave all of it to libyaml: for tests, which compare */
	/* The lines of the list of zones, where that was read without libyaml; else 0. Set by tree_parse() and tree_parse_head(). */
	size_t zones_from, zones_to;
	struct diag *diag;
};

/* Parse src->bytes (sets src->ascii). Nodes live in arena. ERR_INVALID when the diag says why, ERR_NO_MEMORY. *out is NULL for an empty
 * document. */
int tree_parse(struct tree_source *src, struct arena *arena, struct tree **out) MUST_CHECK;
/* Likewise, but the list of zones is not looked at and comes out empty. ERR_NOT_FOUND where its lines do not stand by themselves. Places behind the list are
 * told as if it had no lines. */
int tree_parse_head(struct tree_source *src, struct arena *arena, struct tree **out) MUST_CHECK;
/* A message at the place of t (NULL: of the whole file). */
void tree_error(const struct tree_source *src, const struct tree *t, const char *fmt, ...) PRINTF_LIKE(3, 4);
void tree_warning(const struct tree_source *src, const struct tree *t, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The value of key in a map, or NULL; t may be NULL. */
const struct tree *tree_get(const struct tree *t, const char *key);
/* The i-th item of a list, or t itself, so that a message always has a place. */
const struct tree *tree_item(const struct tree *t, size_t i);
/* For messages, in the map `parent`: the value of key, and the i-th item of the list of that name, or the map itself where the file leaves it out and the default is meant. */
const struct tree *tree_value_of(const struct tree *parent, const char *key);
const struct tree *tree_item_of(const struct tree *parent, const char *list, size_t i);
