/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE = 2 << 20 };

static size_t whole(size_t bytes)
{
	return (bytes + HUGE - 1) & ~(size_t)(HUGE - 1);
}

static void *map(size_t bytes)
{
	size_t size = whole(bytes);
	uintptr_t at, from;
	void *p;

	if (bytes > SIZE_MAX / 4)
		return NULL;
	p = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	/* What lies before and behind the aligned part goes back. */
	from = (uintptr_t)p;
	at = (from + HUGE - 1) & ~(uintptr_t)(HUGE - 1);
	if (at > from)
		munmap(p, at - from);
	if (from + HUGE > at)
		munmap((void *)(at + size), from + HUGE - at);
	madvise((void *)at, size, MADV_HUGEPAGE);
	return (void *)at;
}

void *pages_realloc(void *p, size_t old_bytes, size_t bytes)
{
	void *q;

	if (bytes < PAGES_MIN && old_bytes < PAGES_MIN)
		return realloc(p, bytes);
	if (p && old_bytes >= PAGES_MIN && whole(bytes) == whole(old_bytes))
		return p;
	q = bytes < PAGES_MIN ? malloc(bytes) : map(bytes);
	if (!q || !p)
		return q;
	/* Page tables are moved rather than contents, where both are mappings. */
	if (old_bytes >= PAGES_MIN && bytes > old_bytes &&
	    mremap(p, whole(old_bytes), whole(old_bytes), MREMAP_MAYMOVE | MREMAP_FIXED, q) != MAP_FAILED)
		return q;
	memcpy(q, p, old_bytes < bytes ? old_bytes : bytes);
	pages_free(p, old_bytes);
	return q;
}

void pages_free(void *p, size_t bytes)
{
	if (p && bytes >= PAGES_MIN)
		munmap(p, whole(bytes));
	else
		free(p);
}
