/* SPDX-License-Identifier: BSD-2-Clause */
/* Which zones there are: in canonical order of their names, in a table by name, and with the primaries that they share. Zones come and go one by one, too (members of catalogs): what is gone
 * stays where it is until lists and queues are gone through anyway. */
#include "sync/secondary_priv.h"

#include "base/err.h"
#include "base/hash.h"
#include "dns/name.h"

#include <stdlib.h>
#include <string.h>

enum { FIND_MIN = 64 };

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

void secondary_zone_free(struct secondary *z)
{
	free(z->error);
	free(z);
}

/* Those that only the queue still has. */
static void free_gone(struct secondary_queue *q)
{
	for (struct secondary *z = q->first, *next; z; z = next) {
		next = z->next;
		if (z->gone)
			secondary_zone_free(z);
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
			secondary_zone_free(set->zones[i]);
	arena_done(&set->arena);
	free(set->zones);
	free(set->table);
	free(set->heap);
	free(set->sources);
	free(set);
}

/* ---- making a set ---- */

static struct secondary_source *source_of(struct secondary_set *set, const struct endpoint *at)
{
	uint8_t key[16] = {0};
	uint8_t text[19] = {at->addr.family, (uint8_t)(at->port >> 8), (uint8_t)at->port};
	struct secondary_source **bucket, *s;

	memcpy(text + 3, at->addr.bytes, 16);
	bucket = &set->buckets[hash_keyed(key, text, sizeof(text)) % SECONDARY_SOURCE_BUCKETS];
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
	struct secondary_endpoints *e;

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
	z->again_primary = old->again_primary;
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
			secondary_enqueue(set, z);
	} else if (z->due_ms <= now_ms) {
		z->due_ms = now_ms + secondary_chance(set, z, spread_ms);
	}
	secondary_heap_in(set, z);
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
			secondary_zone_free(z);
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
	secondary_leave(set, z);
	secondary_heap_out(set, z);
	if (set->table && *slot_of(set, z->apex) == z)
		table_out(set, z);
	z->gone = true;
	set->removed++;
}

/* ---- finding ---- */

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
