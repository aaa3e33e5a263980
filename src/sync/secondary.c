/* SPDX-License-Identifier: BSD-2-Clause */
/* The timers of zones held by transfer (RFC 1034 4.3.5, RFC 1035 3.3.13, RFC 1996, RFC 7314), as a pure state machine for 100,000 of them.
 *
 *     WAITING ── due, NOTIFY, order ──► QUEUED ── a place is free ──► BUSY ── confirmed, arrived, failed ──► WAITING
 *
 * Waiting zones are in a heap by the moment of their next refresh or expiry, whichever is first. What is due queues at its first primary: a source has a
 * queue for what is urgent (NOTIFY, orders, zones without data) and one for routine; at most SECONDARY_ACTIVE_PER_SOURCE of a source and
 * SECONDARY_ACTIVE_MAX of all are busy at a time, so that a primary that hangs does not hold up the others. Routine starts are limited to a rate as
 * well, and those overdue at start are spread over time: there is no storm after a restart or when a network comes back.
 *
 * Intervals are those of the SOA within bounds, shortened by up to a tenth so that zones loaded together part. Failures double the retry interval up to
 * the refresh interval; a zone without data is tried again after 1 s, then 2 s, up to a minute.
 *
 * Expiry is counted from the last time a primary confirmed or sent the version, by the SOA's EXPIRE; the EXPIRE option replaces it where a primary is
 * itself a secondary, so that a chain ages together: it may not prolong what the SOA says. An expired zone is told once (SECONDARY_EXPIRE); what
 * is done then is the caller's, and whether it is served on is told by serve_expired. It is asked for as before.
 *
 * A NOTIFY that names a newer serial saves the question for it. A NOTIFY counts when it comes from a primary's address (any port) and, where the zone has a key, was signed with it. One that comes while the zone is
 * busy makes another turn, unless the serial it names has come by then.
 *
 * Zones come and go one by one, too (members of catalogs): what is gone stays where it is until lists and queues are gone through anyway.
 *
 * Not here: choosing among primaries (fetch.c asks all and takes the newest), the network, the disk. */
#include "sync/secondary.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "dns/name.h"
#include "dns/rr.h"

#include <stdlib.h>
#include <string.h>

enum { SOURCE_BUCKETS = 1024, FIND_MIN = 64 };

struct queue {
	struct secondary *first, **last;
};

/* Primaries as one or many zones have them. */
struct endpoints {
	struct endpoints *next;
	size_t count;
	struct endpoint list[];
};

struct secondary_source {
	struct endpoint at;
	struct endpoints *lists; /* that begin with it */
	unsigned busy;
	struct queue queue[2];              /* [1]: urgent */
	struct secondary_source *chain;     /* of its bucket */
};

struct secondary_set {
	struct arena arena;
	uint64_t seed;
	uint8_t key[16];                      /* of the table */
	struct secondary **zones;             /* those of the set in canonical order, then those added since */
	size_t count, admitted, removed, cap; /* removed: those that are gone and still in the list */
	struct secondary **table;             /* open addressing by name */
	size_t table_size;                    /* a power of two */
	struct secondary **heap;
	size_t heap_count, heap_cap;
	struct secondary_source **sources;
	size_t source_count, source_cap, cursor;
	struct secondary_source *buckets[SOURCE_BUCKETS];
	size_t queued[2];
	unsigned busy;
	int64_t tokens_ms;                  /* routine starts are paid up to here */
};

struct secondary_set *secondary_set_new(uint64_t seed)
{
	struct secondary_set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	arena_init(&set->arena, 0);
	set->seed = seed;
	memcpy(set->key, &seed, sizeof(seed));
	set->tokens_ms = INT64_MIN;
	return set;
}

static void zone_free(struct secondary *z)
{
	free(z->error);
	free(z);
}

/* Those that only the queue still has. */
static void free_gone(struct queue *q)
{
	for (struct secondary *z = q->first, *next; z; z = next) {
		next = z->next;
		if (z->gone)
			zone_free(z);
	}
}

void secondary_set_free(struct secondary_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->source_count; i++)
		for (unsigned k = 0; k < 2; k++)
			free_gone(&set->sources[i]->queue[k]);
	for (size_t i = 0; i < set->count; i++)
		if (!set->zones[i]->gone || set->zones[i]->phase != SECONDARY_QUEUED)
			zone_free(set->zones[i]);
	arena_done(&set->arena);
	free(set->zones);
	free(set->table);
	free(set->heap);
	free(set->sources);
	free(set);
}

/* ---- chance ---- */

/* 0 .. n-1: the same for the same seed, zone and turn. */
static int64_t chance(const struct secondary_set *set, struct secondary *z, int64_t n)
{
	uint8_t key[16];

	memcpy(key, &set->seed, 8);
	memset(key + 8, 0, 8);
	memcpy(key + 8, &z->turns, sizeof(z->turns));
	z->turns++;
	return n > 1 ? (int64_t)(hash_keyed(key, z->apex, name_len(z->apex)) % (uint64_t)n) : 0;
}

/* Up to a tenth less. */
static int64_t jitter(const struct secondary_set *set, struct secondary *z, int64_t ms)
{
	return ms - chance(set, z, ms / 10 + 1);
}

static int64_t bounded(uint32_t s, uint32_t most)
{
	return (int64_t)MIN(MAX(s, (uint32_t)SECONDARY_MIN_S), most) * 1000;
}

/* A zone that would expire before it was asked for, and once more, is taken to mean that. */
int64_t secondary_life_ms(uint32_t refresh_s, uint32_t retry_s, uint32_t expire_s)
{
	int64_t least = bounded(refresh_s, SECONDARY_REFRESH_MAX_S) + bounded(retry_s, SECONDARY_RETRY_MAX_S);

	return MIN(MAX(bounded(expire_s, SECONDARY_EXPIRE_MAX_S), least), (int64_t)SECONDARY_EXPIRE_MAX_S * 1000);
}

/* ---- the heap ---- */

static int64_t wants_at(const struct secondary *z)
{
	int64_t due = z->phase == SECONDARY_WAITING ? z->due_ms : INT64_MAX;

	return z->has_version && !z->expired ? MIN(due, z->expire_at_ms) : due;
}

static void put(struct secondary_set *set, size_t at, struct secondary *z)
{
	set->heap[at] = z;
	z->heap_at = at;
}

static void settle(struct secondary_set *set, size_t at)
{
	struct secondary *z = set->heap[at];
	int64_t when = wants_at(z);

	while (at && wants_at(set->heap[(at - 1) / 2]) > when) {
		put(set, at, set->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		size_t child = at * 2 + 1;

		if (child + 1 < set->heap_count && wants_at(set->heap[child + 1]) < wants_at(set->heap[child]))
			child++;
		if (child >= set->heap_count || wants_at(set->heap[child]) >= when)
			break;
		put(set, at, set->heap[child]);
		at = child;
	}
	put(set, at, z);
}

/* After anything that wants_at() depends on. */
static void changed(struct secondary_set *set, struct secondary *z)
{
	if (z->heap_at != SIZE_MAX)
		settle(set, z->heap_at);
}

/* ---- queues ---- */

static void enqueue(struct secondary_set *set, struct secondary *z)
{
	struct queue *q = &z->source->queue[z->urgent];

	z->next = NULL;
	*q->last = z;
	q->last = &z->next;
	set->queued[z->urgent]++;
	z->phase = SECONDARY_QUEUED;
	changed(set, z);
}

static struct secondary *dequeue(struct secondary_set *set, struct queue *q, bool urgent)
{
	struct secondary *z = q->first;

	q->first = z->next;
	if (!q->first)
		q->last = &q->first;
	z->next = NULL;
	set->queued[urgent]--;
	return z;
}

/* A routine refresh becomes urgent: out of its place, to the end of the other queue. */
static void promote(struct secondary_set *set, struct secondary *z)
{
	struct queue *q = &z->source->queue[0];
	struct secondary **at = &q->first;

	while (*at && *at != z)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = z->next;
	if (!*at)
		q->last = at;
	set->queued[0]--;
	z->urgent = true;
	enqueue(set, z);
}

static void hurry(struct secondary_set *set, struct secondary *z)
{
	if (z->phase == SECONDARY_QUEUED && !z->urgent) {
		promote(set, z);
	} else if (z->phase == SECONDARY_WAITING) {
		z->urgent = true;
		enqueue(set, z);
	}
}

/* ---- making a set ---- */

static struct secondary_source *source_of(struct secondary_set *set, const struct endpoint *at)
{
	uint8_t key[16] = {0};
	uint8_t text[19] = {at->addr.family, (uint8_t)(at->port >> 8), (uint8_t)at->port};
	struct secondary_source **bucket, *s;

	memcpy(text + 3, at->addr.bytes, 16);
	bucket = &set->buckets[hash_keyed(key, text, sizeof(text)) % SOURCE_BUCKETS];
	for (s = *bucket; s; s = s->chain)
		if (addr_equal(&s->at.addr, &at->addr) && s->at.port == at->port)
			return s;
	if (set->source_count == set->source_cap) {
		size_t cap = set->source_cap ? set->source_cap * 2 : 8;
		struct secondary_source **more = realloc(set->sources, cap * sizeof(*more));

		if (!more)
			return NULL;
		set->sources = more;
		set->source_cap = cap;
	}
	s = arena_zalloc(&set->arena, sizeof(*s));
	if (!s)
		return NULL;
	*s = (struct secondary_source){.at = *at, .chain = *bucket};
	s->queue[0].last = &s->queue[0].first;
	s->queue[1].last = &s->queue[1].first;
	*bucket = s;
	set->sources[set->source_count++] = s;
	return s;
}

/* The list of primaries, which zones from the same share. */
static const struct endpoint *share(struct secondary_set *set, struct secondary_source *source,
                                    const struct endpoint *list, size_t count)
{
	struct endpoints *e;

	for (e = source->lists; e; e = e->next) {
		size_t i = 0;

		while (e->count == count && i < count && addr_equal(&e->list[i].addr, &list[i].addr) &&
		       e->list[i].port == list[i].port && e->list[i].tls == list[i].tls)
			i++;
		if (i == count && e->count == count)
			return e->list;
	}
	e = arena_zalloc(&set->arena, sizeof(*e) + count * sizeof(*list));
	if (!e)
		return NULL;
	e->count = count;
	memcpy(e->list, list, count * sizeof(*list));
	e->next = source->lists;
	source->lists = e;
	return e->list;
}

int secondary_add(struct secondary_set *set, const struct secondary_config *c, struct secondary **out)
{
	size_t primaries = MIN(c->primary_count, (size_t)SECONDARY_PRIMARIES_MAX);
	struct secondary_source *source;
	const struct endpoint *list;
	struct secondary *z;
	struct name lower;

	if (set->count == set->cap) {
		size_t cap = set->cap ? set->cap * 2 : 64;
		struct secondary **more = realloc(set->zones, cap * sizeof(*more));

		if (!more)
			return ERR_NO_MEMORY;
		set->zones = more;
		set->cap = cap;
	}
	name_lower(&lower, c->apex);
	source = source_of(set, &c->primaries[0]);
	list = source ? share(set, source, c->primaries, primaries) : NULL;
	z = list ? malloc(sizeof(*z) + lower.len) : NULL;
	if (!z)
		return ERR_NO_MEMORY;
	memcpy(z + 1, lower.wire, lower.len);
	*z = (struct secondary){.apex = (const uint8_t *)(z + 1),
	                        .primaries = list,
	                        .primary_count = (uint16_t)primaries,
	                        .key = c->key,
	                        .key_id = c->key_id,
	                        .serve_expired = c->serve_expired,
	                        .max_records = c->max_records,
	                        .due_ms = INT64_MIN,
	                        .failed_ms = INT64_MIN,
	                        .heap_at = SIZE_MAX,
	                        .source = source,
	                        .origin = c->origin,
	                        .network = c->network};
	set->zones[set->count++] = z;
	*out = z;
	return 0;
}

void secondary_recall(struct secondary_set *set, struct secondary *z, const struct secondary_past *past)
{
	(void)set;
	z->has_version = past->has_version;
	z->serial = past->serial;
	z->refresh_s = past->refresh_s;
	z->retry_s = past->retry_s;
	z->expire_s = past->expire_s;
	z->has_refreshed = past->has_refreshed;
	z->refreshed_ms = past->refreshed_ms;
	z->due_ms = past->due_ms;
	z->expire_at_ms = past->expire_at_ms;
	z->expired = past->expired;
	z->has_primary_serial = past->has_primary_serial;
	z->primary_serial = past->primary_serial;
	z->failures = past->failures;
	z->primary = past->primary < z->primary_count ? past->primary : 0;
	free(z->error);
	z->error = past->error && past->error[0] ? strdup(past->error) : NULL;
}

static bool same_endpoints(const struct secondary *a, const struct secondary *b)
{
	if (a->primary_count != b->primary_count || a->key_id != b->key_id)
		return false;
	for (size_t i = 0; i < a->primary_count; i++)
		if (!addr_equal(&a->primaries[i].addr, &b->primaries[i].addr) || a->primaries[i].port != b->primaries[i].port)
			return false;
	return true;
}

bool secondary_inherit(struct secondary_set *set, struct secondary *z, const struct secondary *old)
{
	bool same = same_endpoints(z, old);
	const struct secondary_past past = {
	        .has_version = old->has_version, .serial = old->serial, .refresh_s = old->refresh_s, .retry_s = old->retry_s,
	        .expire_s = old->expire_s, .expired = old->expired, .expire_at_ms = old->expire_at_ms, .has_refreshed = old->has_refreshed,
	        .refreshed_ms = old->refreshed_ms, .due_ms = same ? old->due_ms : INT64_MIN,
	        .has_primary_serial = same && old->has_primary_serial, .primary_serial = old->primary_serial,
	        .failures = same ? old->failures : 0, .primary = same ? old->primary : 0, .error = same ? old->error : NULL,
	};

	secondary_recall(set, z, &past);
	z->turns = old->turns;
	if (!same)
		return false;
	z->urgent = old->urgent;
	z->again = old->again;
	z->again_has_serial = old->again_has_serial;
	z->again_serial = old->again_serial;
	z->whole = old->whole;
	z->force = old->force;
	z->failed_ms = old->failed_ms;
	z->phase = old->phase;
	return true;
}

static int by_name(const void *a, const void *b)
{
	return name_compare((*(struct secondary *const *)a)->apex, (*(struct secondary *const *)b)->apex);
}

static struct secondary **slot_of(const struct secondary_set *set, const uint8_t *apex)
{
	size_t at = hash_keyed(set->key, apex, name_len(apex)) & (set->table_size - 1);

	while (set->table[at] && !name_equal(set->table[at]->apex, apex))
		at = (at + 1) & (set->table_size - 1);
	return &set->table[at];
}

/* The first turn of a zone in this set. */
static void start(struct secondary_set *set, struct secondary *z, int64_t now_ms, int64_t spread_ms)
{
	enum secondary_phase was = z->phase;

	z->phase = SECONDARY_WAITING;
	if (was == SECONDARY_BUSY) {
		z->phase = SECONDARY_BUSY;
		z->source->busy++;
		set->busy++;
	} else if (!z->has_version || was == SECONDARY_QUEUED) {
		z->urgent = z->urgent || !z->has_version;
		if (z->has_version || z->due_ms <= now_ms)
			enqueue(set, z);
	} else if (z->due_ms <= now_ms) {
		z->due_ms = now_ms + chance(set, z, spread_ms);
	}
	z->heap_at = set->heap_count++;
	set->heap[z->heap_at] = z;
	settle(set, z->heap_at);
}

static int make_table(struct secondary_set *set)
{
	size_t size = MAX(set->table_size, (size_t)FIND_MIN);
	struct secondary **table;

	while (size < set->count * 2)
		size *= 2;
	if (size == set->table_size)
		return 0;
	table = calloc(size, sizeof(struct secondary *));
	if (!table)
		return ERR_NO_MEMORY;
	free(set->table);
	set->table = table;
	set->table_size = size;
	for (size_t i = 0; i < set->admitted; i++)
		if (!set->zones[i]->gone)
			*slot_of(set, set->zones[i]->apex) = set->zones[i];
	return 0;
}

static int make_heap(struct secondary_set *set)
{
	size_t cap = MAX(set->heap_cap, (size_t)1);
	struct secondary **heap;

	while (cap < set->count)
		cap *= 2;
	heap = cap == set->heap_cap ? set->heap : realloc(set->heap, cap * sizeof(struct secondary *));
	if (!heap)
		return ERR_NO_MEMORY;
	set->heap = heap;
	set->heap_cap = cap;
	return 0;
}

/* What is gone leaves the list; what is new is merged into it, from behind. */
static void order_zones(struct secondary_set *set)
{
	size_t fresh = 0, kept = 0, from, to;

	for (size_t i = 0; i < set->count; i++) {
		struct secondary *z = set->zones[i];

		fresh += i >= set->admitted && !z->gone;
		if (!z->gone)
			set->zones[kept++] = z;
		else if (z->phase == SECONDARY_QUEUED)
			z->unlisted = true;
		else
			zone_free(z);
	}
	set->count = kept;
	set->removed = 0;
	from = kept - fresh;
	if (fresh && from) {
		struct secondary **list = malloc(fresh * sizeof(struct secondary *));

		if (!list) { /* slower, but in place */
			qsort(set->zones, kept, sizeof(struct secondary *), by_name);
			return;
		}
		memcpy(list, set->zones + from, fresh * sizeof(struct secondary *));
		qsort(list, fresh, sizeof(struct secondary *), by_name);
		for (to = kept; fresh;)
			set->zones[--to] = from && by_name(&set->zones[from - 1], &list[fresh - 1]) > 0
			                           ? set->zones[--from]
			                           : list[--fresh];
		free(list);
	} else if (fresh) {
		qsort(set->zones, fresh, sizeof(struct secondary *), by_name);
	}
}

int secondary_admit(struct secondary_set *set, int64_t now_ms)
{
	int64_t spread = MIN((int64_t)(set->count - set->admitted) * 5, (int64_t)SECONDARY_START_SPREAD_MS);
	int err = make_table(set);

	if (!err)
		err = make_heap(set);
	if (err)
		return err;
	for (size_t i = set->admitted; i < set->count; i++) {
		if (set->zones[i]->gone)
			continue;
		*slot_of(set, set->zones[i]->apex) = set->zones[i];
		start(set, set->zones[i], now_ms, spread);
	}
	if (set->admitted < set->count || set->removed)
		order_zones(set);
	set->admitted = set->count;
	return 0;
}

int secondary_begin(struct secondary_set *set, int64_t now_ms)
{
	return secondary_admit(set, now_ms);
}

static void leave(struct secondary_set *set, struct secondary *z);

static void heap_out(struct secondary_set *set, struct secondary *z)
{
	size_t at = z->heap_at;
	struct secondary *last;

	if (at == SIZE_MAX)
		return;
	z->heap_at = SIZE_MAX;
	last = set->heap[--set->heap_count];
	if (last == z)
		return;
	put(set, at, last);
	settle(set, at);
}

/* Those behind it move up, so that no search ends too early. */
static void table_out(struct secondary_set *set, const struct secondary *z)
{
	size_t mask = set->table_size - 1, at = (size_t)(slot_of(set, z->apex) - set->table), next = at;

	for (;;) {
		size_t wants;

		next = (next + 1) & mask;
		if (!set->table[next])
			break;
		wants = hash_keyed(set->key, set->table[next]->apex, name_len(set->table[next]->apex)) & mask;
		if (((next - wants) & mask) < ((next - at) & mask))
			continue;
		set->table[at] = set->table[next];
		at = next;
	}
	set->table[at] = NULL;
}

void secondary_remove(struct secondary_set *set, struct secondary *z)
{
	leave(set, z);
	heap_out(set, z);
	if (set->table && *slot_of(set, z->apex) == z)
		table_out(set, z);
	z->gone = true;
	set->removed++;
}

struct secondary *secondary_find(const struct secondary_set *set, const uint8_t *apex)
{
	struct name lower;

	name_lower(&lower, apex);
	return set->table ? *slot_of(set, lower.wire) : NULL;
}

struct secondary *secondary_after(const struct secondary_set *set, const uint8_t *apex)
{
	size_t low = 0, high = set->admitted;

	while (apex && low < high) {
		size_t mid = low + (high - low) / 2;

		if (name_compare(set->zones[mid]->apex, apex) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	while (low < set->admitted && set->zones[low]->gone)
		low++;
	return low < set->admitted ? set->zones[low] : NULL;
}

size_t secondary_count(const struct secondary_set *set)
{
	return set->count - set->removed;
}

/* ---- what is to do ---- */

/* What is due queues; an expiry is told. */
static bool look_at_heap(struct secondary_set *set, int64_t now_ms, struct secondary_action *out)
{
	while (set->heap_count) {
		struct secondary *z = set->heap[0];

		if (wants_at(z) > now_ms)
			return false;
		if (z->has_version && !z->expired && z->expire_at_ms <= now_ms) {
			z->expired = true;
			changed(set, z);
			*out = (struct secondary_action){.what = SECONDARY_EXPIRE, .zone = z};
			return true;
		}
		z->urgent = !z->has_version;
		enqueue(set, z);
	}
	return false;
}

static bool may_start_routine(struct secondary_set *set, int64_t now_ms)
{
	return set->tokens_ms <= now_ms * SECONDARY_ROUTINE_PER_S / 1000;
}

static void drop_gone(struct secondary_set *set, struct queue *q, bool urgent)
{
	while (q->first && q->first->gone) {
		struct secondary *z = dequeue(set, q, urgent);

		z->phase = SECONDARY_WAITING;
		if (z->unlisted)
			zone_free(z);
	}
}

static bool take_from(struct secondary_set *set, bool urgent, struct secondary_action *out)
{
	for (size_t i = 0; set->queued[urgent] && i < set->source_count; i++) {
		struct secondary_source *s = set->sources[(set->cursor + i) % set->source_count];
		struct secondary *z;

		drop_gone(set, &s->queue[urgent], urgent);
		if (!s->queue[urgent].first || s->busy >= SECONDARY_ACTIVE_PER_SOURCE)
			continue;
		set->cursor = (set->cursor + i + 1) % set->source_count;
		z = dequeue(set, &s->queue[urgent], urgent);
		z->phase = SECONDARY_BUSY;
		s->busy++;
		set->busy++;
		*out = (struct secondary_action){.what = SECONDARY_ASK, .zone = z, .whole = z->whole, .force = z->force, .direct = z->direct};
		/* What is wished from now on is for the next turn. */
		z->urgent = z->again = z->whole = z->force = z->direct = false;
		changed(set, z);
		return true;
	}
	return false;
}

bool secondary_next(struct secondary_set *set, int64_t now_ms, struct secondary_action *out)
{
	int64_t unit = now_ms * SECONDARY_ROUTINE_PER_S / 1000;

	if (look_at_heap(set, now_ms, out))
		return true;
	if (set->busy >= SECONDARY_ACTIVE_MAX)
		return false;
	if (take_from(set, true, out))
		return true;
	if (!may_start_routine(set, now_ms) || !take_from(set, false, out))
		return false;
	/* At most a tenth of a second is saved up. */
	set->tokens_ms = MAX(set->tokens_ms, unit - SECONDARY_ROUTINE_PER_S / 10) + 1;
	return true;
}

int64_t secondary_wake_ms(const struct secondary_set *set, int64_t now_ms)
{
	int64_t at = set->heap_count ? wants_at(set->heap[0]) : INT64_MAX;

	/* Whatever else waits in a queue goes on when a busy one ends. */
	if (set->queued[0] && set->busy < SECONDARY_ACTIVE_MAX && set->tokens_ms > now_ms * SECONDARY_ROUTINE_PER_S / 1000)
		at = MIN(at, set->tokens_ms * 1000 / SECONDARY_ROUTINE_PER_S + 1);
	return at;
}

/* ---- what came of it ---- */

static void leave(struct secondary_set *set, struct secondary *z)
{
	if (z->phase != SECONDARY_BUSY)
		return;
	z->phase = SECONDARY_WAITING;
	z->source->busy--;
	set->busy--;
}

static void wait_or_go_on(struct secondary_set *set, struct secondary *z)
{
	if (z->again && (!z->again_has_serial || !z->has_version || serial_after(z->again_serial, z->serial))) {
		z->again = false;
		hurry(set, z);
		return;
	}
	z->again = false;
	changed(set, z);
}

/* Reset by any good word of a primary. */
static void refreshed(struct secondary_set *set, struct secondary *z, const struct secondary_news *n, int64_t now_ms)
{
	leave(set, z);
	free(z->error);
	z->error = NULL;
	z->failures = 0;
	z->failed_ms = INT64_MIN;
	z->has_refreshed = z->has_primary_serial = true;
	z->refreshed_ms = now_ms;
	z->primary = n->primary < z->primary_count ? n->primary : 0;
	z->primary_serial = n->serial;
	z->expired = false;
	z->due_ms = now_ms + jitter(set, z, bounded(z->refresh_s, SECONDARY_REFRESH_MAX_S));
}

void secondary_confirmed(struct secondary_set *set, struct secondary *z, const struct secondary_news *n, int64_t now_ms)
{
	int64_t whole = secondary_life_ms(z->refresh_s, z->retry_s, z->expire_s), until = now_ms + whole;

	/* RFC 7314 4: a confirmation never shortens what was granted before. */
	if (n->has_expire)
		until = MIN(until, MAX(z->expired ? INT64_MIN : z->expire_at_ms, now_ms + (int64_t)n->option_s * 1000));
	z->expire_at_ms = until;
	refreshed(set, z, n, now_ms);
	wait_or_go_on(set, z);
}

void secondary_arrived(struct secondary_set *set, struct secondary *z, const struct secondary_news *n, int64_t now_ms)
{
	int64_t whole;

	z->has_version = true;
	z->serial = n->serial;
	z->refresh_s = n->refresh_s;
	z->retry_s = n->retry_s;
	z->expire_s = n->expire_s;
	whole = secondary_life_ms(z->refresh_s, z->retry_s, z->expire_s);
	z->expire_at_ms = now_ms + (n->has_expire ? MIN(whole, (int64_t)n->option_s * 1000) : whole);
	refreshed(set, z, n, now_ms);
	wait_or_go_on(set, z);
}

/* Until the next attempt. */
static int64_t patience(const struct secondary *z)
{
	unsigned doubled = MIN(z->failures - 1, 16U);
	int64_t ms, most;

	if (!z->has_version)
		return MIN((int64_t)1000 << doubled, (int64_t)SECONDARY_EMPTY_RETRY_MAX_S * 1000);
	ms = bounded(z->retry_s, SECONDARY_RETRY_MAX_S);
	most = MAX(ms, bounded(z->refresh_s, SECONDARY_REFRESH_MAX_S));
	return MIN(ms << doubled, most);
}

void secondary_failed(struct secondary_set *set, struct secondary *z, const char *error, int64_t now_ms)
{
	char *text = strdup(error);

	leave(set, z);
	if (text) {
		free(z->error);
		z->error = text;
	}
	z->failures += z->failures < UINT32_MAX;
	z->failed_ms = now_ms;
	z->due_ms = now_ms + jitter(set, z, patience(z));
	if (z->again) {
		z->again = false;
		z->due_ms = MIN(z->due_ms, now_ms + SECONDARY_SULK_MS);
	}
	changed(set, z);
}

void secondary_redo(struct secondary_set *set, struct secondary *z, bool whole, int64_t now_ms)
{
	leave(set, z);
	z->whole = z->whole || whole;
	z->again = false;
	z->due_ms = now_ms;
	hurry(set, z);
}

void secondary_lost(struct secondary_set *set, struct secondary *z)
{
	z->has_version = false;
	changed(set, z);
}

void secondary_seen(struct secondary *z, uint32_t serial)
{
	z->has_primary_serial = true;
	z->primary_serial = serial;
}

/* ---- from outside ---- */

static bool is_single(const struct secondary *z, uint16_t at)
{
	for (uint16_t i = 0; i < z->primary_count; i++)
		if (i != at && addr_equal(&z->primaries[i].addr, &z->primaries[at].addr))
			return false;
	return true;
}

enum secondary_heard secondary_notified(struct secondary_set *set, struct secondary *z, const struct ip_addr *from, bool good_key, bool has_serial,
                                        uint32_t serial)
{
	uint16_t at = 0;

	while (at < z->primary_count && !addr_equal(&z->primaries[at].addr, from))
		at++;
	if (at == z->primary_count || !good_key)
		return SECONDARY_STRANGER;
	if (has_serial && z->has_version && !z->expired && !serial_after(serial, z->serial))
		return SECONDARY_OLD_NEWS;
	/* Several at one address (other ports) are asked who has it. */
	if (has_serial && z->has_version && !z->expired && (z->primary_count == 1 || is_single(z, at))) {
		z->direct = true;
		z->primary = at;
	}
	if (z->phase == SECONDARY_BUSY) {
		/* The one that asks for most counts. */
		if (!z->again || (has_serial && z->again_has_serial && serial_after(serial, z->again_serial)))
			z->again_serial = serial;
		z->again_has_serial = has_serial && (!z->again || z->again_has_serial);
		z->again = true;
		return SECONDARY_HEARD;
	}
	if (z->phase == SECONDARY_WAITING && z->failed_ms != INT64_MIN && z->due_ms > z->failed_ms + SECONDARY_SULK_MS) {
		z->due_ms = z->failed_ms + SECONDARY_SULK_MS;
		changed(set, z);
		return SECONDARY_HEARD;
	}
	if (z->phase != SECONDARY_WAITING || z->failed_ms == INT64_MIN)
		hurry(set, z);
	return SECONDARY_HEARD;
}

void secondary_demand(struct secondary_set *set, struct secondary *z, bool whole, bool force)
{
	z->whole = z->whole || whole;
	z->force = z->force || force;
	if (z->phase == SECONDARY_BUSY) {
		z->again = true;
		z->again_has_serial = false;
		return;
	}
	hurry(set, z);
}

void secondary_counts(const struct secondary_set *set, struct secondary_counts *out)
{
	*out = (struct secondary_counts){.zones = set->count - set->removed,
	                                 .queued = set->queued[0] + set->queued[1],
	                                 .busy = set->busy};
	for (size_t i = 0; i < set->count; i++) {
		const struct secondary *z = set->zones[i];

		if (z->gone)
			continue;
		out->serving += z->has_version && (!z->expired || z->serve_expired);
		out->expired += z->expired;
		out->failing += z->failures > 0;
		out->empty += !z->has_version;
	}
}

/* ---- how current ---- */

void secondary_currencies(const struct secondary_set *set, const uint8_t *near_percent, struct secondary_currency *out, size_t count, int64_t now_ms)
{
	memset(out, 0, count * sizeof(*out));
	for (size_t i = 0; i < set->count; i++) {
		const struct secondary *z = set->zones[i];
		struct secondary_currency *c;

		if (z->gone || z->network >= count || !z->has_version)
			continue;
		c = &out[z->network];
		c->held++;
		c->failing += z->failures > 0;
		if (z->has_refreshed && (!c->has_refreshed || z->refreshed_ms > c->refreshed_ms)) {
			c->has_refreshed = true;
			c->refreshed_ms = z->refreshed_ms;
		}
		if (z->expire_at_ms - now_ms > secondary_life_ms(z->refresh_s, z->retry_s, z->expire_s) / 100 * near_percent[z->network])
			continue;
		if (!c->near++ || z->expire_at_ms < c->near_at_ms) {
			c->near_at_ms = z->expire_at_ms;
			c->near_apex = z->apex;
		}
	}
}

static bool may_be_asked(const struct secondary *z, uint32_t network)
{
	return !z->gone && z->network == network && z->has_version && z->phase != SECONDARY_BUSY;
}

struct secondary *secondary_turn(const struct secondary_set *set, const uint8_t *after, uint32_t network)
{
	size_t low = 0, high = set->admitted;

	while (after && low < high) {
		size_t mid = low + (high - low) / 2;

		if (name_compare(set->zones[mid]->apex, after) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t i = low; i < set->admitted; i++)
		if (may_be_asked(set->zones[i], network))
			return set->zones[i];
	for (size_t i = 0; i < low; i++)
		if (may_be_asked(set->zones[i], network))
			return set->zones[i];
	return NULL;
}

void secondary_retry(struct secondary_set *set, const struct secondary *z, int64_t now_ms)
{
	int64_t spread = MIN((int64_t)set->count * 5, (int64_t)SECONDARY_START_SPREAD_MS);

	for (size_t i = 0; i < set->admitted; i++) {
		struct secondary *one = set->zones[i];

		if (one->gone || one->source != z->source || one->phase != SECONDARY_WAITING || !one->failures || one->due_ms <= now_ms + spread)
			continue;
		one->due_ms = now_ms + chance(set, one, spread);
		changed(set, one);
	}
}
