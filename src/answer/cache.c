/* SPDX-License-Identifier: BSD-2-Clause */
/* Which answers are kept, for how long, and where.
 *
 * The key is the question in lower case with its type and DO: of the kind that is kept (engine_result.keepable) nothing else decides what stands
 * behind the question. Names in an answer that point into the question show the case it was asked in; all other octets are the same for
 * everybody. OPT, with cookies and whatever else was asked for, is made anew each time. Only answers from which nothing was left out for want
 * of room are kept, so one entry serves every size that holds it.
 *
 * A steered answer (steering.c) depends on the client and on what is up, too: under the question stands only that it is steered and by which policy; under the question and the endpoints
 * chosen, the answer. What else a choice says (scope) is in OPT.
 *
 * No old answer: an entry has the reference of the zone's version and its generation. The version of the store in which that was looked
 * up last is noted; while no commit follows, it is known to hold. After a commit, of whichever zone, the deepest zone of the name is looked up again
 * and must be the same version. References are used again only by later generations, so the pair names one version for ever; a zone that comes
 * in between, or the parent's of one that went, is another.
 *
 * Memory is a ring: new answers overwrite the oldest. What was overwritten is told from its position, so nothing is swept. Popular answers
 * come back with their next question, which costs less than it would to keep track of who is used; positions never wrap: before they would,
 * everything is forgotten (once in 32 GiB of new answers).
 *
 * Signatures for choices end at some time, and then another answer is right (steering.c). The first such moment of all that was kept is noted, and when it is there everything is forgotten: where signatures are
 * renewed in time, it does not come.
 *
 * A flood of names that nobody asks for twice must not push out what everybody asks: a question is let in the second time. Each bucket of the
 * table, one cache line, has six places for answers and two for the tags of questions that were seen once; tags wear out each other only.
 *
 * The hash is seeded, not cryptographic. Who could collide names on purpose would make one bucket useless, and the names in it cost
 * what they cost without a cache. */
#include "answer/cache.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/pages.h"

#include <stdlib.h>
#include <string.h>

enum {
	PLACES = 6,
	SIGHTS = 2,
	CELL = 8,
	OCTETS_PER_BUCKET = 512,
	FLAVOR_DO = 1,
	FLAVOR_CHOICE = 2, /* the choice is a part of the key */
};

struct place {
	uint32_t tag, at; /* cell in the ring, counted from the beginning of time; 0: none */
};

struct bucket {
	_Alignas(64) struct place place[PLACES];
	uint32_t seen[SIGHTS];
	uint32_t turn, reserved;
};

struct entry {
	uint64_t checked;         /* generation of the store in which zone was found to be the one */
	uint64_t zone_generation;
	store_ref zone;
	uint16_t counts[3];
	uint16_t len;             /* of the body */
	uint16_t qtype;
	uint16_t key_len;
	uint8_t rcode, flavor, marks;
	uint8_t reserved[3];
	/* the key, up to a multiple of 8; the body */
};

struct answer_cache {
	uint8_t *ring;
	struct bucket *buckets;
	uint32_t bucket_mask;
	uint32_t head;            /* the cell that is written next, counted from the beginning of time */
	uint32_t cells;           /* of the ring, a power of two */
	uint64_t seed[2];
	bool timed;               /* of some answer it is known when it ceases to hold: */
	uint32_t from, until;
};

static size_t mapped_octets(const struct answer_cache *c)
{
	return (size_t)c->cells * CELL + ((size_t)c->bucket_mask + 1) * sizeof(struct bucket);
}

int cache_new(size_t octets, struct answer_cache **out)
{
	struct answer_cache *c = calloc(1, sizeof(*c));
	size_t size = CACHE_OCTETS_MIN;
	void *m;

	if (!c)
		return ERR_NO_MEMORY;
	while (size * 2 <= octets && size < CACHE_OCTETS_MAX)
		size *= 2;
	c->cells = (uint32_t)(size / CELL);
	c->bucket_mask = (uint32_t)(size / OCTETS_PER_BUCKET - 1);
	m = pages_realloc(NULL, 0, mapped_octets(c));
	if (!m) {
		free(c);
		return ERR_NO_MEMORY;
	}
	c->buckets = m;
	c->ring = (uint8_t *)m + ((size_t)c->bucket_mask + 1) * sizeof(struct bucket);
	random_bytes(c->seed, sizeof(c->seed));
	cache_clear(c);
	*out = c;
	return 0;
}

void cache_free(struct answer_cache *c)
{
	if (!c)
		return;
	pages_free(c->buckets, mapped_octets(c));
	free(c);
}

void cache_clear(struct answer_cache *c)
{
	if (!c)
		return;
	memset(c->buckets, 0, ((size_t)c->bucket_mask + 1) * sizeof(struct bucket));
	c->head = 1;
	c->timed = false;
}

static bool is_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

void cache_hold(struct answer_cache *c, uint32_t from, uint32_t until)
{
	if (!c)
		return;
	c->from = c->timed && is_before(from, c->from) ? c->from : from;
	c->until = c->timed && is_before(c->until, until) ? c->until : until;
	c->timed = true;
}

void cache_tick(struct answer_cache *c, uint32_t now_s)
{
	if (c && c->timed && (is_before(now_s, c->from) || !is_before(now_s, c->until)))
		cache_clear(c);
}

/* ---- keys ---- */

/* ASCII letters of eight octets in lower case; the lengths of labels, below 64, are none. */
static inline uint64_t lower8(uint64_t x)
{
	uint64_t low = x & 0x7f7f7f7f7f7f7f7fULL;
	uint64_t above_z = low + 0x2525252525252525ULL, from_a = low + 0x3f3f3f3f3f3f3f3fULL;
	uint64_t upper = ~x & (from_a ^ above_z) & 0x8080808080808080ULL;

	return x | upper >> 2;
}

static inline uint64_t mix(uint64_t a, uint64_t b)
{
	__uint128_t m = (__uint128_t)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

void cache_key_make(const struct answer_cache *c, const struct query *q, struct cache_key *out)
{
	uint64_t h = c->seed[0] ^ ((uint64_t)q->qtype << 1 | q->dnssec_ok), word;
	unsigned len = q->qname.len, at = 0;

	for (; at + 8 <= len; at += 8) {
		memcpy(&word, q->qname.wire + at, 8);
		word = lower8(word);
		memcpy(out->name + at, &word, 8);
		h = mix(word ^ c->seed[1], h ^ 0x9e3779b97f4a7c15ULL);
	}
	if (at < len) {
		word = 0;
		memcpy(&word, q->qname.wire + at, len - at);
		word = lower8(word);
		memcpy(out->name + at, &word, 8);
		h = mix(word ^ c->seed[1], h ^ 0x9e3779b97f4a7c15ULL);
	}
	h = mix(h ^ len, c->seed[1] | 1);
	out->tag = (uint32_t)(h >> 32) | 1;
	out->bucket = (uint32_t)h & c->bucket_mask;
	out->qtype = q->qtype;
	out->len = (uint16_t)len;
	out->flavor = q->dnssec_ok ? FLAVOR_DO : 0;
}

static inline unsigned key_room(unsigned len)
{
	return (len + 7U) & ~7U;
}

void cache_key_choice(const struct answer_cache *c, uint32_t policy, uint32_t pool, uint64_t chosen, struct cache_key *k)
{
	uint64_t words[] = {(uint64_t)policy << 32 | pool, chosen};
	uint64_t h = (uint64_t)k->tag << 32 | k->bucket;

	_Static_assert(sizeof(words) == CACHE_CHOICE_LEN, "octets of a choice");
	memcpy(k->name + key_room(k->len), words, sizeof(words));
	k->len = (uint16_t)(key_room(k->len) + sizeof(words));
	h = mix(words[0] ^ c->seed[1], h ^ 0x9e3779b97f4a7c15ULL);
	h = mix(words[1] ^ c->seed[1], h ^ c->seed[0]);
	k->tag = (uint32_t)(h >> 32) | 1;
	k->bucket = (uint32_t)h & c->bucket_mask;
	k->flavor |= FLAVOR_CHOICE;
}

/* ---- entries ---- */

static inline struct entry *entry_at(const struct answer_cache *c, uint32_t at)
{
	return (struct entry *)(void *)(c->ring + (size_t)(at & (c->cells - 1)) * CELL);
}

/* Not overwritten since. */
static inline bool is_whole(const struct answer_cache *c, uint32_t at)
{
	return at && c->head - at <= c->cells;
}

static inline bool is_for(const struct entry *e, const struct cache_key *k)
{
	return e->key_len == k->len && e->qtype == k->qtype && e->flavor == k->flavor && memcmp(e + 1, k->name, k->len) == 0;
}

static bool still_holds(struct entry *e, const struct store_snapshot *s, const struct cache_key *k)
{
	const struct store_zone *z;

	if (e->checked == s->generation)
		return true;
	z = store_zone_find(s, k->name, false);
	if (!z || z != store_at(s, e->zone) || z->generation != e->zone_generation)
		return false;
	e->checked = s->generation;
	return true;
}

static struct place *place_of(const struct answer_cache *c, const struct cache_key *k)
{
	struct bucket *b = &c->buckets[k->bucket];

	for (unsigned i = 0; i < PLACES; i++) {
		struct place *p = &b->place[i];

		if (p->tag == k->tag && is_whole(c, p->at) && is_for(entry_at(c, p->at), k))
			return p;
	}
	return NULL;
}

bool cache_find(struct answer_cache *c, const struct store_snapshot *s, const struct cache_key *k, size_t room, struct cache_answer *out)
{
	struct place *p = place_of(c, k);
	struct entry *e;

	if (!p)
		return false;
	e = entry_at(c, p->at);
	if (!still_holds(e, s, k)) {
		p->at = 0;
		return false;
	}
	if (e->len > room)
		return false;
	out->zone = store_at(s, e->zone);
	out->body = (const uint8_t *)(e + 1) + key_room(e->key_len);
	out->len = e->len;
	memcpy(out->counts, e->counts, sizeof(out->counts));
	out->rcode = e->rcode;
	out->marks = e->marks;
	return true;
}

/* True the second time; the first time it is noted. */
static bool was_seen(struct bucket *b, uint32_t tag)
{
	for (unsigned i = 0; i < SIGHTS; i++)
		if (b->seen[i] == tag) {
			b->seen[i] = 0;
			return true;
		}
	b->seen[b->turn++ % SIGHTS] = tag;
	return false;
}

/* Room for an entry, in one piece; 0: everything was forgotten. */
static uint32_t take_cells(struct answer_cache *c, uint32_t need)
{
	uint32_t at = c->head, left = c->cells - (at & (c->cells - 1));

	if (UINT32_MAX - at < 2 * c->cells) {
		cache_clear(c);
		return 0;
	}
	if (left < need)
		at += left;
	c->head = at + need;
	return at;
}

void cache_put_steered(struct answer_cache *c, const struct store_snapshot *s, const struct cache_key *k, const struct store_zone *zone, uint32_t policy, uint8_t family)
{
	const struct cache_answer marker = {.zone = zone, .marks = CACHE_STEERED, .counts = {family, (uint16_t)policy, (uint16_t)(policy >> 16)}};

	cache_put(c, s, k, &marker);
}

void cache_put(struct answer_cache *c, const struct store_snapshot *s, const struct cache_key *k, const struct cache_answer *a)
{
	unsigned key_len = key_room(k->len);
	struct bucket *b = &c->buckets[k->bucket];
	struct place *to = NULL, *oldest = &b->place[0];
	struct entry *e;
	uint32_t at;

	/* One of an older version, or overwritten, has been seen often enough. */
	for (unsigned i = 0; i < PLACES; i++)
		if (b->place[i].tag == k->tag)
			to = &b->place[i];
	if (a->len > CACHE_BODY_MAX || (!to && !was_seen(b, k->tag)))
		return;
	at = take_cells(c, (uint32_t)((sizeof(*e) + key_len + a->len + CELL - 1) / CELL));
	if (!at)
		return;
	for (unsigned i = 0; !to && i < PLACES; i++) {
		if (!is_whole(c, b->place[i].at))
			to = &b->place[i];
		else if (c->head - b->place[i].at > c->head - oldest->at)
			oldest = &b->place[i];
	}
	if (!to)
		to = oldest;
	e = entry_at(c, at);
	*e = (struct entry){
		.checked = s->generation,
		.zone_generation = a->zone->generation,
		.zone = (store_ref)(((const uint8_t *)a->zone - s->base) / STORE_CELL),
		.len = a->len,
		.qtype = k->qtype,
		.key_len = k->len,
		.rcode = a->rcode,
		.flavor = k->flavor,
		.marks = a->marks,
	};
	memcpy(e->counts, a->counts, sizeof(e->counts));
	memcpy(e + 1, k->name, key_len);
	if (a->len)
		memcpy((uint8_t *)(e + 1) + key_len, a->body, a->len);
	*to = (struct place){k->tag, at};
}
