/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of blocks; each new block doubles the last up to ARENA_BLOCK_MAX, larger requests get a block of their own. An arena that has grown
 * to ARENA_LARGE goes on in huge pages, where the kernel has them: faults of 4 KiB each are a third of the time of filling it. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ARENA_BLOCK_MIN = 4096, ARENA_BLOCK_MAX = 1 << 20, ARENA_LARGE = 4 << 20, ARENA_HUGE_PAGE = 2 << 20 };

struct arena_block {
	struct arena_block *next;
	size_t cap;
	size_t used;
	_Alignas(16) unsigned char bytes[];
};

void arena_init(struct arena *a, size_t limit)
{
	*a = (struct arena){.limit = limit};
}

void arena_done(struct arena *a)
{
	struct arena_block *b = a->head;

	while (b) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
	arena_init(a, a->limit);
}

static struct arena_block *block_add(struct arena *a, size_t need)
{
	size_t cap = a->head ? a->head->cap * 2 : ARENA_BLOCK_MIN;
	struct arena_block *b;

	if (cap > ARENA_BLOCK_MAX)
		cap = ARENA_BLOCK_MAX;
	if (cap < need)
		cap = need;
	if (a->used >= ARENA_LARGE && cap <= ARENA_HUGE_PAGE - sizeof(*b)) {
		cap = ARENA_HUGE_PAGE - sizeof(*b);
		b = aligned_alloc(ARENA_HUGE_PAGE, ARENA_HUGE_PAGE);
		if (b)
			madvise(b, ARENA_HUGE_PAGE, MADV_HUGEPAGE); /* or else small ones */
	} else {
		b = malloc(sizeof(*b) + cap);
	}
	if (!b)
		return NULL;
	b->cap = cap;
	b->used = 0;
	b->next = a->head;
	a->head = b;
	return b;
}

void *arena_alloc_aligned(struct arena *a, size_t len, size_t align)
{
	struct arena_block *b = a->head;
	size_t at = b ? (b->used + align - 1) & ~(align - 1) : 0;

	if (len > SIZE_MAX / 4 || (a->limit && len > a->limit - MIN(a->used, a->limit))) {
		a->failed = true;
		return NULL;
	}
	if (!b || at > b->cap || len > b->cap - at) {
		b = block_add(a, len);
		at = 0;
	}
	if (!b) {
		a->failed = true;
		return NULL;
	}
	b->used = at + len;
	a->used += len;
	return b->bytes + at;
}

void *arena_zalloc(struct arena *a, size_t len)
{
	void *p = arena_alloc_aligned(a, len, 16);

	if (p)
		memset(p, 0, len);
	return p;
}

void *arena_dup(struct arena *a, const void *bytes, size_t len)
{
	void *p = arena_alloc_aligned(a, len, 1);

	if (p && len)
		memcpy(p, bytes, len);
	return p;
}

char *arena_strndup(struct arena *a, const char *text, size_t len)
{
	char *p = arena_alloc_aligned(a, len + 1, 1);

	if (p) {
		memcpy(p, text, len);
		p[len] = '\0';
	}
	return p;
}

char *arena_strdup(struct arena *a, const char *text)
{
	return arena_strndup(a, text, strlen(text));
}

bool arena_ok(const struct arena *a)
{
	return !a->failed;
}
