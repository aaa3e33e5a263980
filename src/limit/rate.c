/* SPDX-License-Identifier: BSD-2-Clause */
/* Response rate limiting.
 *
 * What is counted is the pair of a client prefix and a kind of answer: names do not count, since whoever wants to misuse the server
 * chooses them freely. All workers of a node share one table in shared memory, so a prefix has one rate wherever the kernel steers its
 * packets; it is the supervisor's, so it outlives a worker. There is no lock: an entry is one 64-bit word, changed by compare and swap.
 *
 * An entry is the generic cell rate algorithm in 44 bits: the time at which the prefix will have paid for all that it was given, in
 * 1/64 microseconds, beside 20 bits of the keyed hash that tell entries of a bucket apart. An answer is due when that time is not further
 * ahead than the burst, and moves it by 1/rate. What is not given costs nothing, so the rate is met exactly, however heavy the flood. Time
 * wraps after three days; an entry that seems further ahead than any burst is an old one.
 *
 * A bucket is a cache line of eight entries. A new prefix takes the place of the one that owes least: entries that are paid up, as those of a flood
 * from ever new addresses are at once, before any that is being limited. Memory is fixed; nothing has to be swept.
 *
 * Answers beyond the limit: every slip-th is replaced by one that is small and gets a real client on, the rest is
 * dropped. The count is the worker's, not the prefix's: what matters is the share.
 *
 * The burst is a fifth of a second, at least ten answers where the rate allows. Limits are judged after the answer is known, since the kind is; what
 * that costs is measured in the benchmark. Not done: one limit over several prefix lengths at once; limits by name. */
#include "limit/rate.h"

#include "base/err.h"
#include "base/hash.h"

#include <stdatomic.h>
#include <string.h>

enum {
	WAYS = 8,
	TIME_BITS = 44,
	RATE_MAGIC = 0x7a637274, /* "zcrt" */
	BURST_PART = 5,
	BURST_LEAST = 10,
};
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
#define BURST_MOST ((uint64_t)RATE_UNITS_PER_S) /* no burst is longer than a second */

struct bucket {
	_Alignas(64) _Atomic uint64_t word[WAYS];
};

struct rate_table {
	uint32_t magic;
	uint32_t buckets; /* a power of two */
	uint8_t key[16];
	_Alignas(64) struct bucket bucket[];
};

static uint32_t buckets_for(uint32_t entries)
{
	uint32_t n = RATE_ENTRIES_MIN / WAYS;

	while (n < entries / WAYS && n < 1U << 28)
		n *= 2;
	return n;
}

size_t rate_table_size(uint32_t entries)
{
	return sizeof(struct rate_table) + (size_t)buckets_for(entries) * sizeof(struct bucket);
}

void rate_table_init(void *memory, uint32_t entries, const uint8_t key[16])
{
	struct rate_table *t = memory;

	memset(t, 0, rate_table_size(entries));
	t->magic = RATE_MAGIC;
	t->buckets = buckets_for(entries);
	memcpy(t->key, key, 16);
}

int rate_table_open(void *memory, size_t len, struct rate_table **out)
{
	struct rate_table *t = memory;

	if (len < sizeof(*t) || t->magic != RATE_MAGIC || !t->buckets || (t->buckets & (t->buckets - 1)) ||
	    len != sizeof(*t) + (size_t)t->buckets * sizeof(struct bucket))
		return ERR_STALE;
	*out = t;
	return 0;
}

static uint64_t hash_of(const struct rate_table *t, const struct rate_limits *l, const struct ip_addr *client, unsigned kind)
{
	bool v6 = client->family == 6;
	unsigned bits = l->prefix_bits[v6], octets = bits / 8;
	uint8_t bytes[18] = {(uint8_t)(v6 << 7 | kind)};

	memcpy(bytes + 1, client->bytes, octets);
	if (bits % 8)
		bytes[1 + octets] = client->bytes[octets] & (uint8_t)(0xff00 >> bits % 8);
	return hash_keyed(t->key, bytes, 1 + (bits + 7) / 8);
}

/* How far the entry's time is ahead of now; 0 when it is paid up. */
static uint64_t ahead(uint64_t word, uint64_t now)
{
	uint64_t d = (word - now) & TIME_MASK;

	return d <= BURST_MOST ? d : 0;
}

/* The word of this tag, or the one to be replaced by it. */
static _Atomic uint64_t *find(struct bucket *b, uint64_t tag, uint64_t now, uint64_t *word)
{
	_Atomic uint64_t *least = NULL;
	uint64_t least_word = 0, least_ahead = UINT64_MAX;

	for (unsigned i = 0; i < WAYS; i++) {
		uint64_t w = atomic_load_explicit(&b->word[i], memory_order_relaxed), d;

		if (w >> TIME_BITS == tag) {
			*word = w;
			return &b->word[i];
		}
		d = ahead(w, now);
		if (d < least_ahead) {
			least = &b->word[i];
			least_word = w;
			least_ahead = d;
		}
	}
	*word = least_word;
	return least;
}

enum rate_verdict rate_judge(struct rate_table *t, const struct rate_limits *l, const struct ip_addr *client, unsigned kind,
                             uint64_t now_ns, uint32_t *turn)
{
	uint64_t rate = l->per_second[kind], now = now_ns * 8 / 125, cost, burst, hash, tag;
	struct bucket *b;

	if (!rate)
		return RATE_PASS;
	cost = (RATE_UNITS_PER_S + rate / 2) / rate;
	burst = RATE_UNITS_PER_S / BURST_PART;
	if (burst < BURST_LEAST * cost)
		burst = rate < BURST_LEAST ? RATE_UNITS_PER_S : BURST_LEAST * cost;
	hash = hash_of(t, l, client, kind);
	b = &t->bucket[hash & (t->buckets - 1)];
	tag = hash >> TIME_BITS;
	tag += !tag; /* 0 is an empty entry */
	for (;;) {
		uint64_t word, next, owed;
		_Atomic uint64_t *at = find(b, tag, now, &word);

		owed = word >> TIME_BITS == tag ? ahead(word, now) : 0;
		if (owed + cost > burst)
			break;
		next = tag << TIME_BITS | ((now + owed + cost) & TIME_MASK);
		if (atomic_compare_exchange_weak_explicit(at, &word, next, memory_order_relaxed, memory_order_relaxed))
			return RATE_PASS;
	}
	return l->slip && ++*turn % l->slip == 0 ? RATE_SLIP : RATE_DROP;
}
