/* SPDX-License-Identifier: BSD-2-Clause */
/* A hash table of zones, each with a list of differences in order, oldest first; and one list of all differences in the order they came, whose head goes when there is too much.
 * A difference is counted: the history and each transfer that sends it hold it. A chain is looked for from the end: what joins the version that is served backwards until the serial
 * that was asked for. So differences that were added and never committed, or of a version that was replaced, are in nobody's way.
 *
 * The journal on disk (journal/journal.h) outlives this process and knows more; this is what is at hand without reading, and without a difference having been
 * written yet. */
#include "sync/history.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "dns/name.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096, RECORD_OVERHEAD = 64 /* octets of a record beside its RDATA, about */ };

struct history_item {
	struct list of_zone, of_all;
	struct history_zone *zone;     /* NULL: out of the history */
	atomic_uint users;
	struct zone_change change;     /* owns what difference refers to */
	struct xfr_difference difference;
	uint64_t octets;
};

struct history_zone {
	struct list link;              /* in its bucket */
	struct list items;
	unsigned count;
	struct name apex;              /* lower case */
};

struct serial_twice {
	struct list link;
	struct name apex; /* lower case */
	uint32_t serial;
};

struct history {
	pthread_mutex_t lock;
	struct list buckets[BUCKETS], all;
	struct list twice; /* struct serial_twice, the newest last */
	size_t twice_count;
	uint8_t key[16];
	uint64_t octets, octets_max;
	_Atomic uint64_t *shown;
};

struct history *history_new(uint64_t octets_max, _Atomic uint64_t *octets)
{
	struct history *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	pthread_mutex_init(&h->lock, NULL);
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&h->buckets[i]);
	list_init(&h->all);
	list_init(&h->twice);
	random_bytes(h->key, sizeof(h->key));
	h->octets_max = octets_max;
	h->shown = octets;
	return h;
}

static void unref(struct history_item *i)
{
	if (atomic_fetch_sub(&i->users, 1) != 1)
		return;
	zone_change_done(&i->change);
	free((void *)(uintptr_t)i->difference.deleted);
	free((void *)(uintptr_t)i->difference.added);
	free(i);
}

static void forget_item(struct history *h, struct history_item *i)
{
	list_remove(&i->of_zone);
	list_remove(&i->of_all);
	i->zone->count--;
	i->zone = NULL;
	h->octets -= i->octets;
	unref(i);
}

static void forget_zone(struct history *h, struct history_zone *z)
{
	LIST_FOREACH_SAFE(it, next, &z->items)
		forget_item(h, LIST_ENTRY(it, struct history_item, of_zone));
	list_remove(&z->link);
	free(z);
}

static void forget_twice(struct history *h, struct serial_twice *t)
{
	list_remove(&t->link);
	h->twice_count--;
	free(t);
}

void history_free(struct history *h)
{
	if (!h)
		return;
	LIST_FOREACH_SAFE(it, next, &h->twice)
		forget_twice(h, LIST_ENTRY(it, struct serial_twice, link));
	for (size_t i = 0; i < BUCKETS; i++)
		LIST_FOREACH_SAFE(it, next, &h->buckets[i])
			forget_zone(h, LIST_ENTRY(it, struct history_zone, link));
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static struct list *bucket_of(struct history *h, const struct name *lower)
{
	return &h->buckets[hash_keyed(h->key, lower->wire, lower->len) % BUCKETS];
}

static struct history_zone *find(struct history *h, const uint8_t *apex)
{
	struct name lower;

	name_lower(&lower, apex);
	LIST_FOREACH(it, bucket_of(h, &lower)) {
		struct history_zone *z = LIST_ENTRY(it, struct history_zone, link);

		if (name_equal(z->apex.wire, lower.wire))
			return z;
	}
	return NULL;
}

static struct history_zone *find_or_make(struct history *h, const uint8_t *apex)
{
	struct history_zone *z = find(h, apex);

	if (z)
		return z;
	z = calloc(1, sizeof(*z));
	if (!z)
		return NULL;
	name_lower(&z->apex, apex);
	list_init(&z->items);
	list_add_tail(bucket_of(h, &z->apex), &z->link);
	return z;
}

/* The records of one side as IXFR sends them; the SOA is the first, since it is the first type of the apex. NULL: it has none, or no memory. */
static struct rr *records(const struct content *c, uint32_t *serial, uint64_t *octets)
{
	struct rr *list = calloc(content_record_count(c) + 1, sizeof(*list));
	const struct content_rrset *first = content_rrset_count(c) ? content_rrset(c, 0) : NULL;
	struct soa soa;
	size_t n = 0;

	if (!list || !first || first->type != RR_SOA || soa_parse(first->records[0].rdata, first->records[0].rdlen, &soa) < 0) {
		free(list);
		return NULL;
	}
	*serial = soa.serial;
	for (size_t i = 0; i < content_rrset_count(c); i++) {
		const struct content_rrset *set = content_rrset(c, i);

		for (uint32_t k = 0; k < set->count; k++) {
			list[n++] = (struct rr){.owner = set->owner, .type = set->type, .rclass = CLASS_IN, .ttl = set->ttl,
			                        .rdlen = set->records[k].rdlen, .rdata = set->records[k].rdata};
			*octets += (uint64_t)RECORD_OVERHEAD + set->records[k].rdlen;
		}
	}
	return list;
}

/* NULL: not a change of serial, or no memory; the change is done with. */
static struct history_item *make_item(struct zone_change *change)
{
	struct history_item *i = calloc(1, sizeof(*i));
	struct xfr_difference *d;

	if (!i) {
		zone_change_done(change);
		return NULL;
	}
	i->change = *change;
	*change = (struct zone_change){0};
	atomic_init(&i->users, 1);
	list_init(&i->of_zone);
	list_init(&i->of_all);
	d = &i->difference;
	i->octets = sizeof(*i);
	d->deleted = records(i->change.removed, &d->from, &i->octets);
	d->added = records(i->change.added, &d->to, &i->octets);
	if (!d->deleted || !d->added || d->from == d->to || !serial_after(d->to, d->from)) {
		unref(i);
		return NULL;
	}
	d->deleted_count = content_record_count(i->change.removed);
	d->added_count = content_record_count(i->change.added);
	return i;
}

static void show(struct history *h)
{
	if (h->shown)
		atomic_store(h->shown, h->octets);
}

void history_add(struct history *h, const uint8_t *apex, struct zone_change *change)
{
	struct history_item *i = make_item(change);
	struct history_zone *z;

	pthread_mutex_lock(&h->lock);
	z = i && i->octets <= h->octets_max / 4 ? find_or_make(h, apex) : NULL;
	if (!z) {
		if (i)
			unref(i);
		z = find(h, apex);
		if (z)
			forget_zone(h, z);
	} else {
		i->zone = z;
		list_add_tail(&z->items, &i->of_zone);
		list_add_tail(&h->all, &i->of_all);
		h->octets += i->octets;
		if (++z->count > HISTORY_ZONE_DIFFERENCES)
			forget_item(h, LIST_ENTRY(z->items.next, struct history_item, of_zone));
		while (h->octets > h->octets_max)
			forget_item(h, LIST_ENTRY(h->all.next, struct history_item, of_all));
	}
	show(h);
	pthread_mutex_unlock(&h->lock);
}

void history_forget(struct history *h, const uint8_t *apex)
{
	struct history_zone *z;

	pthread_mutex_lock(&h->lock);
	z = find(h, apex);
	if (z)
		forget_zone(h, z);
	show(h);
	pthread_mutex_unlock(&h->lock);
}

static struct serial_twice *find_twice(const struct history *h, const uint8_t *apex)
{
	struct name lower;

	name_lower(&lower, apex);
	LIST_FOREACH(it, &h->twice) {
		struct serial_twice *t = LIST_ENTRY(it, struct serial_twice, link);

		if (name_equal(t->apex.wire, lower.wire))
			return t;
	}
	return NULL;
}

void history_twice(struct history *h, const uint8_t *apex, uint32_t serial)
{
	struct serial_twice *t;

	pthread_mutex_lock(&h->lock);
	t = find_twice(h, apex);
	if (t)
		forget_twice(h, t);
	else if (h->twice_count == HISTORY_TWICE_MAX)
		forget_twice(h, LIST_ENTRY(h->twice.next, struct serial_twice, link));
	t = calloc(1, sizeof(*t));
	if (t) {
		name_lower(&t->apex, apex);
		t->serial = serial;
		list_add_tail(&h->twice, &t->link);
		h->twice_count++;
	}
	pthread_mutex_unlock(&h->lock);
}

bool history_is_twice(struct history *h, const uint8_t *apex, uint32_t serial)
{
	const struct serial_twice *t;
	bool twice;

	pthread_mutex_lock(&h->lock);
	t = find_twice(h, apex);
	twice = t && t->serial == serial;
	pthread_mutex_unlock(&h->lock);
	return twice;
}

int history_chain(struct history *h, const uint8_t *apex, uint32_t from, uint32_t to, struct history_chain *out)
{
	struct history_item *found[HISTORY_CHAIN_MAX];
	struct history_zone *z;
	uint32_t want = to;
	size_t n = 0;

	pthread_mutex_lock(&h->lock);
	z = find(h, apex);
	for (struct list *it = z ? z->items.prev : NULL; it && it != &z->items && want != from && n < HISTORY_CHAIN_MAX; it = it->prev) {
		struct history_item *i = LIST_ENTRY(it, struct history_item, of_zone);

		if (i->difference.to != want)
			continue;
		found[n++] = i;
		want = i->difference.from;
	}
	if (n && want == from) {
		out->count = n;
		out->records = 0;
		for (size_t k = 0; k < n; k++) {
			struct history_item *i = found[n - 1 - k];

			atomic_fetch_add(&i->users, 1);
			out->items[k] = i;
			out->list[k] = i->difference;
			out->records += i->difference.deleted_count + i->difference.added_count;
		}
	}
	pthread_mutex_unlock(&h->lock);
	return n && want == from ? 0 : ERR_NOT_FOUND;
}

void history_release(struct history_chain *c)
{
	for (size_t i = 0; i < c->count; i++)
		unref(c->items[i]);
	c->count = 0;
}
