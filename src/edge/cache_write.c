/* SPDX-License-Identifier: BSD-2-Clause */
/* The writer's half of the cache: the lock of a shard, its ring of entries and its slots; see cache.c. All here is done
 * with the shard's lock. */
#include "edge/cache_priv.h"

#include "base/attr.h"

#include <string.h>

static uint64_t load(_Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static void add(_Atomic uint64_t *p)
{
	atomic_store_explicit(p, load(p) + 1, memory_order_relaxed);
}

static uint32_t words_at(const struct part *p, uint64_t offset)
{
	uint64_t word = load(&p->ring[offset + 1]);
	uint32_t words;

	memcpy(&words, &word, sizeof(words));
	return words;
}

bool cache_drop(const struct part *p, _Atomic uint64_t *slot, uint32_t words)
{
	if (!atomic_exchange(slot, 0))
		return false;
	atomic_fetch_sub_explicit(&p->shard->entries, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&p->shard->live, words, memory_order_relaxed);
	return true;
}

void cache_clear_part(const struct top *t, const struct part *p)
{
	struct shard *s = p->shard;
	uint64_t seq = load(&s->seq);

	for (size_t i = 0; i < (size_t)t->buckets * WAYS; i++)
		atomic_store(&p->slots[i], 0);
	/* Whoever reads what a dead writer left finds the number changed. A purge that is just here may leave these a
	 * little off: they are for people. */
	atomic_store_explicit(&s->entries, 0, memory_order_relaxed);
	atomic_store_explicit(&s->live, 0, memory_order_relaxed);
	s->head = s->tail = s->taken = 0;
	s->wrap = t->ring_words;
	atomic_store_explicit(&s->wipe, 0, memory_order_relaxed);
	atomic_store_explicit(&s->seq, (seq | 1) + 1, memory_order_release);
}

/* The lock is another's. True: it has been so, and nothing was written, for longer than any worker lives that hangs; it
 * is ours now. */
static bool take_over(struct cache_write *w, uint32_t holder)
{
	struct shard *s = w->part.shard;
	uint64_t seq = load(&s->seq);

	if (load(&s->hung_seq) != seq) {
		atomic_store_explicit(&s->hung_seq, seq, memory_order_relaxed);
		atomic_store_explicit(&s->hung_since, w->now_s, memory_order_relaxed);
		return false;
	}
	if ((int32_t)(w->now_s - atomic_load_explicit(&s->hung_since, memory_order_relaxed)) < HUNG_S ||
	    !atomic_compare_exchange_strong(&s->lock, &holder, w->c->worker + 1))
		return false;
	cache_clear_part(w->c->top, &w->part);
	atomic_fetch_add_explicit(&w->c->top->cleared, 1, memory_order_relaxed);
	return true;
}

bool cache_lock(struct cache_write *w)
{
	uint32_t free = 0;

	if (atomic_compare_exchange_strong_explicit(&w->part.shard->lock, &free, w->c->worker + 1, memory_order_acquire,
	                                            memory_order_relaxed) ||
	    take_over(w, free))
		return true;
	add(&w->c->top->worker[w->c->worker].busy);
	return false;
}

void cache_unlock(struct cache_write *w)
{
	struct shard *s = w->part.shard;

	if (atomic_load(&s->wipe)) {
		cache_clear_part(w->c->top, &w->part);
		atomic_fetch_add_explicit(&w->c->top->cleared, 1, memory_order_relaxed);
	}
	atomic_store_explicit(&s->lock, 0, memory_order_release);
}

/* ---- the ring ---- */

static bool fits(const struct top *t, struct shard *s, uint32_t words)
{
	if (!s->taken) {
		s->head = s->tail = 0;
		s->wrap = t->ring_words;
	}
	if (s->head > s->tail || !s->taken)
		return t->ring_words - s->head >= words || s->tail >= words;
	return s->tail - s->head >= words;
}

static void write_at(const struct part *p, uint32_t at, const uint64_t *from, uint32_t words)
{
	struct shard *s = p->shard;
	uint64_t seq = load(&s->seq);

	atomic_store_explicit(&s->seq, seq + 1, memory_order_relaxed);
	/* Each word is released, so whoever sees one of them sees that number too. */
	for (uint32_t i = 0; i < words; i++)
		atomic_store_explicit(&p->ring[at + i], from[i], memory_order_release);
	atomic_store_explicit(&s->seq, seq + 2, memory_order_release);
}

/* Write an entry at the head, where it fits. Its offset. */
static uint32_t append(const struct top *t, const struct part *p, const uint64_t *from, uint32_t words)
{
	struct shard *s = p->shard;
	uint32_t at;

	if ((s->head > s->tail || !s->taken) && t->ring_words - s->head < words) {
		s->wrap = s->head;
		s->head = 0;
	}
	at = s->head;
	write_at(p, at, from, words);
	s->head += words;
	s->taken += words;
	if (s->head == t->ring_words) {
		s->wrap = s->head;
		s->head = 0;
	}
	return at;
}

static void leave_tail(const struct top *t, struct shard *s, uint32_t words)
{
	s->taken -= words;
	s->tail += words;
	if (s->tail == s->wrap) {
		s->tail = 0;
		s->wrap = t->ring_words;
	}
}

/* The slot that leads to the entry at offset, or NULL: nobody can find it any more. */
static _Atomic uint64_t *slot_of(const struct top *t, const struct part *p, uint64_t hash, uint64_t offset)
{
	size_t bucket[2];

	cache_buckets_of(t, hash, bucket);
	for (unsigned i = 0; i < 2 * WAYS; i++) {
		_Atomic uint64_t *slot = &p->slots[bucket[i / WAYS] + i % WAYS];
		uint64_t w = load(slot);

		if (w && (w & SLOT_OFFSET) == offset)
			return slot;
	}
	return NULL;
}

/* The oldest entry goes, or if it was found since it came here, to the head. */
static void take_oldest(struct cache_write *w, uint32_t *spare)
{
	const struct top *t = w->c->top;
	const struct part *p = &w->part;
	uint32_t tail = p->shard->tail, words = words_at(p, tail);
	_Atomic uint64_t *slot = slot_of(t, p, load(&p->ring[tail]), tail);
	struct entry *e = (struct entry *)w->c->moved;
	uint64_t slot_word;
	bool over;

	if (!slot) {
		leave_tail(t, p->shard, words);
		return;
	}
	for (uint32_t i = 0; i < words; i++)
		w->c->moved[i] = load(&p->ring[tail + i]);
	leave_tail(t, p->shard, words);
	over = w->now_s > e->stored_s && w->now_s - e->stored_s >= (uint64_t)e->ttl_s + e->stale_s;
	slot_word = load(slot);
	if (!over && (slot_word & SLOT_USED) && *spare) {
		uint64_t at = append(t, p, w->c->moved, words);

		--*spare;
		/* Readers may set bits of the slot, and a purge empty it, meanwhile. */
		while (slot_word &&
		       !atomic_compare_exchange_weak(slot, &slot_word, (slot_word & ~(SLOT_OFFSET | SLOT_USED)) | at))
			;
		return;
	}
	if (cache_drop(p, slot, words)) {
		add(&p->shard->evicted);
		if (over)
			add(&p->shard->expired);
	}
}

/* How long an entry has been in the ring, as room written since. */
static uint32_t age_of(const struct top *t, const struct shard *s, uint64_t slot_word)
{
	uint32_t at = (uint32_t)(slot_word & SLOT_OFFSET);

	return at < s->head ? s->head - at : s->head + t->ring_words - at;
}

/* A slot for a new entry: a free one of the emptier bucket, else that of the oldest entry that was not found lately. */
static _Atomic uint64_t *choose_slot(struct cache_write *w, uint64_t hash)
{
	const struct part *p = &w->part;
	_Atomic uint64_t *free_slot[2] = {NULL, NULL}, *victim[2] = {NULL, NULL}; /* of victims: not found; any */
	unsigned taken[2] = {0, 0};
	uint32_t age[2] = {0, 0};
	size_t bucket[2];
	uint64_t word;

	cache_buckets_of(w->c->top, hash, bucket);
	for (unsigned i = 0; i < 2 * WAYS; i++) {
		_Atomic uint64_t *slot = &p->slots[bucket[i / WAYS] + i % WAYS];

		word = load(slot);
		if (!word)
			free_slot[i / WAYS] = slot;
		else
			taken[i / WAYS]++;
		for (unsigned j = word & SLOT_USED ? 1 : 0; word && j < 2; j++) {
			uint32_t is = age_of(w->c->top, p->shard, word);

			if (!victim[j] || is > age[j]) {
				victim[j] = slot;
				age[j] = is;
			}
		}
	}
	if (free_slot[0] && (taken[0] <= taken[1] || !free_slot[1]))
		return free_slot[0];
	if (free_slot[1])
		return free_slot[1];
	if (!victim[0]) { /* all in use: they have to show it again */
		for (unsigned i = 0; i < 2 * WAYS; i++)
			atomic_fetch_and(&p->slots[bucket[i / WAYS] + i % WAYS], ~SLOT_USED);
		victim[0] = victim[1];
	}
	word = load(victim[0]);
	if (word && cache_drop(p, victim[0], words_at(p, word & SLOT_OFFSET)))
		add(&p->shard->evicted);
	return victim[0];
}

_Atomic uint64_t *cache_insert(struct cache_write *w, _Atomic uint64_t *old)
{
	const struct top *t = w->c->top;
	const struct part *p = &w->part;
	const struct entry *e = (const struct entry *)w->c->scratch;
	uint64_t before = old ? load(old) : 0, used = before & SLOT_USED;
	uint32_t at, old_words = 0, spare = SPARED_MAX + e->words / 32; /* a large one takes the place of many */

	if (before && words_at(p, before & SLOT_OFFSET) == e->words) {
		at = (uint32_t)(before & SLOT_OFFSET); /* the same data again, most likely */
		write_at(p, at, w->c->scratch, e->words);
	} else {
		while (!fits(t, p->shard, e->words))
			take_oldest(w, &spare);
		at = append(t, p, w->c->scratch, e->words);
	}
	if (!old)
		old = choose_slot(w, e->hash);
	before = load(old);
	if (before)
		old_words = words_at(p, before & SLOT_OFFSET);
	/* Sequentially consistent, as is what a purge does: either it sees this slot, or the caller afterwards its epoch. */
	if (atomic_exchange(old, cache_tag_of(e->hash) | used | at)) {
		atomic_fetch_sub_explicit(&p->shard->entries, 1, memory_order_relaxed);
		atomic_fetch_sub_explicit(&p->shard->live, old_words, memory_order_relaxed);
	}
	atomic_fetch_add_explicit(&p->shard->entries, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->shard->live, e->words, memory_order_relaxed);
	add(&p->shard->inserted);
	return old;
}
