/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/stream_memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SLAB_CHUNK = 16 << 10, CHUNK_HEAD = 16, MALLOC_HEAD = 16 };

/* Cells begin CHUNK_HEAD octets into the chunk. */
struct slab_chunk {
	struct slab_chunk *next;
};

void *memory_take(struct stream_memory *m, size_t len)
{
	void *p = malloc(len);

	if (p)
		m->used += malloc_usable_size(p) + MALLOC_HEAD;
	return p;
}

void memory_give(struct stream_memory *m, void *p)
{
	if (!p)
		return;
	m->used -= malloc_usable_size(p) + MALLOC_HEAD;
	free(p);
}

void slab_init(struct slab *s, struct stream_memory *m, size_t cell)
{
	*s = (struct slab){.memory = m, .cell = cell};
}

static void cells_of(struct slab *s, struct slab_chunk *chunk)
{
	size_t n = (SLAB_CHUNK - CHUNK_HEAD) / s->cell;

	/* Backwards, so that cells are used from the front and untouched pages stay untouched as long as may be. */
	while (n-- > 0) {
		void **cell = (void **)(void *)((char *)chunk + CHUNK_HEAD + n * s->cell);

		*cell = s->unused;
		s->unused = cell;
	}
}

void *slab_take(struct slab *s)
{
	void **cell;

	if (!s->unused) {
		struct slab_chunk *chunk = mmap(NULL, SLAB_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (chunk == MAP_FAILED)
			return NULL;
		chunk->next = s->chunks;
		s->chunks = chunk;
		s->memory->used += SLAB_CHUNK;
		cells_of(s, chunk);
	}
	cell = s->unused;
	s->unused = *cell;
	s->live++;
	return memset(cell, 0, s->cell);
}

void slab_give(struct slab *s, void *cell)
{
	*(void **)cell = s->unused;
	s->unused = cell;
	s->live--;
}

/* Only when all cells are unused: connections come in waves, and a search for empty chunks would cost more than it frees. */
void slab_trim(struct slab *s)
{
	if (s->live || !s->chunks || !s->chunks->next)
		return;
	slab_done(s);
}

void slab_done(struct slab *s)
{
	while (s->chunks) {
		struct slab_chunk *next = s->chunks->next;

		munmap(s->chunks, SLAB_CHUNK);
		s->memory->used -= SLAB_CHUNK;
		s->chunks = next;
	}
	s->unused = NULL;
	s->live = 0;
}
