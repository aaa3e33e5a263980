/* SPDX-License-Identifier: BSD-2-Clause */
/* The query log sample.
 *
 * Writing every query down costs more than answering it, and what is wanted after an incident is who asks what, not every packet. So one
 * query in so many is kept, whole as it came, with what became of it, in a ring of fixed size in memory that the supervisor made: it outlives
 * the worker, and reading it needs nothing from the worker.
 *
 * A ring has one writer and any number of readers, without locks. An entry carries a sequence number: 2n + 1 while entry n is being
 * written, 2n + 2 when it is whole. Readers copy and look at the number before and after; an entry that was overwritten meanwhile is a gap,
 * which the reader counts since entries are numbered. All words are atomic, so a torn read is seen and never undefined. A writer that dies within
 * an entry leaves an odd number; its successor writes that entry anew.
 *
 * The memory is mapped read-only by readers. Not kept: answers, which can be had by asking again. */
#include "sample/ring.h"

#include "base/err.h"

#include <stdatomic.h>
#include <string.h>

enum { RING_MAGIC = 0x7a637172 /* "zcqr" */, WORDS = sizeof(struct sample) / sizeof(uint64_t) };

_Static_assert(sizeof(struct sample) % sizeof(uint64_t) == 0, "an entry is copied in words");
_Static_assert((SAMPLE_RING & (SAMPLE_RING - 1)) == 0, "positions are masked");

struct slot {
	_Atomic uint64_t sequence;
	_Atomic uint64_t word[WORDS];
};
struct ring {
	_Alignas(64) _Atomic uint64_t count;
	struct slot slot[SAMPLE_RING];
};
struct sample_rings {
	_Alignas(64) uint32_t magic;
	uint32_t workers;
	struct ring ring[];
};

size_t sample_rings_size(unsigned workers)
{
	return sizeof(struct sample_rings) + workers * sizeof(struct ring);
}

void sample_rings_init(void *memory, unsigned workers)
{
	struct sample_rings *r = memory;

	memset(memory, 0, sample_rings_size(workers));
	r->magic = RING_MAGIC;
	r->workers = workers;
}

int sample_rings_open(void *memory, size_t len, struct sample_rings **out)
{
	struct sample_rings *r = memory;

	if (len < sizeof(*r) || r->magic != RING_MAGIC || sample_rings_size(r->workers) != len)
		return ERR_STALE;
	*out = r;
	return 0;
}

unsigned sample_rings_workers(const struct sample_rings *r)
{
	return r->workers;
}

void sample_put(struct sample_rings *r, unsigned worker, const struct sample *s)
{
	struct ring *ring = &r->ring[worker];
	uint64_t n = atomic_load_explicit(&ring->count, memory_order_relaxed), words[WORDS];
	struct slot *slot = &ring->slot[n & (SAMPLE_RING - 1)];

	memcpy(words, s, sizeof(words));
	atomic_store_explicit(&slot->sequence, 2 * n + 1, memory_order_relaxed);
	/* Each word is released, so whoever sees one of them sees that number too. */
	for (unsigned i = 0; i < WORDS; i++)
		atomic_store_explicit(&slot->word[i], words[i], memory_order_release);
	atomic_store_explicit(&slot->sequence, 2 * n + 2, memory_order_release);
	atomic_store_explicit(&ring->count, n + 1, memory_order_release);
}

uint64_t sample_count(const struct sample_rings *r, unsigned worker)
{
	return atomic_load_explicit(&r->ring[worker].count, memory_order_acquire);
}

bool sample_get(const struct sample_rings *r, unsigned worker, uint64_t n, struct sample *out)
{
	const struct slot *slot = &r->ring[worker].slot[n & (SAMPLE_RING - 1)];
	uint64_t words[WORDS];

	if (atomic_load_explicit(&slot->sequence, memory_order_acquire) != 2 * n + 2)
		return false;
	for (unsigned i = 0; i < WORDS; i++)
		words[i] = atomic_load_explicit(&slot->word[i], memory_order_acquire);
	if (atomic_load_explicit(&slot->sequence, memory_order_relaxed) != 2 * n + 2)
		return false;
	memcpy(out, words, sizeof(words));
	return true;
}

void sample_pace_set(struct sample_pace *p, uint32_t every, uint64_t seed)
{
	*p = (struct sample_pace){.state = seed | 1, .every = every};
	if (every)
		p->left = sample_pace_next(p);
}

/* xorshift64* (Marsaglia 2003): not for secrets. */
uint32_t sample_pace_next(struct sample_pace *p)
{
	uint64_t range = 2 * (uint64_t)p->every - 1;

	p->state ^= p->state >> 12;
	p->state ^= p->state << 25;
	p->state ^= p->state >> 27;
	return (uint32_t)(1 + (p->state * UINT64_C(2685821657736338717) >> 32) * range / (UINT64_C(1) << 32));
}
