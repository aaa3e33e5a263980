/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

/* Memory of one lifetime, freed whole. Single thread. A failed allocation returns NULL and sets `failed`, which stays
 * set: a builder may allocate freely and ask arena_ok() once. */
struct arena {
	struct arena_block *head;
	size_t used;  /* bytes handed out */
	size_t limit; /* 0 = none */
	bool failed;
};

void arena_init(struct arena *a, size_t limit);
/* Frees everything; the arena may be used again. */
void arena_done(struct arena *a);
/* Uninitialized bytes aligned to `align` (a power of two up to 16). */
void *arena_alloc_aligned(struct arena *a, size_t len, size_t align) MUST_CHECK;
/* Zeroed bytes aligned to 16. */
void *arena_zalloc(struct arena *a, size_t len) MUST_CHECK;
void *arena_dup(struct arena *a, const void *bytes, size_t len) MUST_CHECK;
char *arena_strdup(struct arena *a, const char *text) MUST_CHECK;
char *arena_strndup(struct arena *a, const char *text, size_t len) MUST_CHECK;
bool arena_ok(const struct arena *a);
