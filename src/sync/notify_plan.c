/* SPDX-License-Identifier: BSD-2-Clause */
/* Each task (a zone, a server) is in one of NOTIFY_TRIES + 1 queues: that of the never sent, or that of those sent so many times. A queue has one waiting time, so
 * the task at its head is always the first that is due, and nothing is ever searched, whatever the number of zones: a change of 100,000 zones is 100,000 tasks that
 * leave at NOTIFY_RATE. A table finds a task by zone and server: for answers, and so that changes which follow each other are told once.
 *
 * New changes go before repetitions; within that, first come, first served. */
#include "sync/notify_plan.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MIN = 1024 };

struct cell {
	struct notify_task task;
	struct list link;        /* in queues[tries] */
	struct cell *next;       /* in its bucket */
	uint64_t due_ms;
	uint8_t apex[];
};

struct notify_plan {
	struct list queues[NOTIFY_TRIES + 1];
	struct cell **buckets;
	size_t bucket_count, count, unsent;
	uint8_t key[16];
	uint64_t given_up;
	uint64_t filled_ms;      /* the bucket of the rate was filled up to then */
	uint32_t tokens;
};

struct notify_plan *notify_plan_new(void)
{
	struct notify_plan *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	for (size_t i = 0; i <= NOTIFY_TRIES; i++)
		list_init(&p->queues[i]);
	p->bucket_count = BUCKETS_MIN;
	p->buckets = calloc(p->bucket_count, sizeof(struct cell *));
	p->tokens = NOTIFY_BURST;
	random_bytes(p->key, sizeof(p->key));
	if (!p->buckets) {
		free(p);
		return NULL;
	}
	return p;
}

void notify_plan_free(struct notify_plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i <= NOTIFY_TRIES; i++)
		LIST_FOREACH_SAFE(it, next, &p->queues[i])
			free(LIST_ENTRY(it, struct cell, link));
	free(p->buckets);
	free(p);
}

static uint64_t hash_of(const struct notify_plan *p, const uint8_t *apex, const struct endpoint *to)
{
	uint8_t bytes[NAME_LEN_MAX + 19];
	size_t n = to->addr.family == 4 ? 4 : 16, len = name_len(apex);

	memcpy(bytes, apex, len);
	memcpy(bytes + len, to->addr.bytes, n);
	bytes[len + n] = (uint8_t)(to->port >> 8);
	bytes[len + n + 1] = (uint8_t)to->port;
	return hash_keyed(p->key, bytes, len + n + 2);
}

static struct cell **place_of(const struct notify_plan *p, const uint8_t *apex, const struct endpoint *to)
{
	struct cell **at = &p->buckets[hash_of(p, apex, to) % p->bucket_count];

	while (*at && ((*at)->task.to.port != to->port || !addr_equal(&(*at)->task.to.addr, &to->addr) || !name_equal((*at)->apex, apex)))
		at = &(*at)->next;
	return at;
}

/* More buckets when there are many tasks; without memory for them it works on, slower. */
static void grow(struct notify_plan *p)
{
	size_t count = p->bucket_count * 4, old_count = p->bucket_count;
	struct cell **buckets = calloc(count, sizeof(*buckets)), **old = p->buckets;

	if (!buckets)
		return;
	p->buckets = buckets;
	p->bucket_count = count;
	for (size_t i = 0; i < old_count; i++)
		for (struct cell *c = old[i], *next; c; c = next) {
			struct cell **at = &p->buckets[hash_of(p, c->apex, &c->task.to) % count];

			next = c->next;
			c->next = *at;
			*at = c;
		}
	free(old);
}

bool notify_plan_has(const struct notify_plan *p, const uint8_t *apex, const struct endpoint *to)
{
	struct name lower;

	name_lower(&lower, apex);
	return *place_of(p, lower.wire, to) != NULL;
}

int notify_plan_add(struct notify_plan *p, const uint8_t *apex, uint32_t serial, const struct endpoint *to)
{
	struct cell **at, *c;
	struct name lower;

	name_lower(&lower, apex);
	at = place_of(p, lower.wire, to);
	c = *at;
	if (!c && p->count >= NOTIFY_TASKS_MAX)
		return ERR_LIMIT;
	if (!c) {
		c = calloc(1, sizeof(*c) + lower.len);
		if (!c)
			return ERR_NO_MEMORY;
		c->task.to = *to;
		memcpy(c->apex, lower.wire, lower.len);
		c->task.apex = c->apex;
		*at = c;
		p->count++;
		list_init(&c->link);
	}
	if (c->task.tries || list_empty(&c->link)) {
		list_remove(&c->link);
		list_add_tail(&p->queues[0], &c->link);
		p->unsent++;
	}
	c->task.serial = serial;
	c->task.tries = 0;
	c->due_ms = 0;
	if (p->count > p->bucket_count * 2)
		grow(p);
	return 0;
}

void notify_plan_done(struct notify_plan *p, struct notify_task *t)
{
	struct cell **at = place_of(p, t->apex, &t->to), *c = *at;

	list_remove(&c->link);
	*at = c->next;
	p->unsent -= c->task.tries == 0;
	free(c);
	p->count--;
}

static struct cell *head(const struct notify_plan *p, size_t tries)
{
	const struct list *q = &p->queues[tries];

	return list_empty(q) ? NULL : LIST_ENTRY(q->next, struct cell, link);
}

/* Those that had all their tries and got no answer. */
static void give_up(struct notify_plan *p, uint64_t now_ms)
{
	struct cell *c;

	while ((c = head(p, NOTIFY_TRIES)) != NULL && c->due_ms <= now_ms) {
		p->given_up++;
		notify_plan_done(p, &c->task);
	}
}

static void fill(struct notify_plan *p, uint64_t now_ms)
{
	uint64_t more = (now_ms - p->filled_ms) * NOTIFY_RATE / 1000;

	if (!more)
		return;
	p->tokens = (uint32_t)MIN((uint64_t)NOTIFY_BURST, p->tokens + more);
	p->filled_ms = now_ms;
}

struct notify_task *notify_plan_next(struct notify_plan *p, uint64_t now_ms)
{
	give_up(p, now_ms);
	fill(p, now_ms);
	if (!p->tokens)
		return NULL;
	for (size_t tries = 0; tries < NOTIFY_TRIES; tries++) {
		struct cell *c = head(p, tries);

		if (!c || c->due_ms > now_ms)
			continue;
		p->tokens--;
		p->unsent -= tries == 0;
		list_remove(&c->link);
		c->due_ms = now_ms + MIN((uint64_t)NOTIFY_FIRST_MS << tries, (uint64_t)NOTIFY_WAIT_MAX_MS);
		c->task.tries++;
		list_add_tail(&p->queues[c->task.tries], &c->link);
		return &c->task;
	}
	return NULL;
}

uint64_t notify_plan_wait(const struct notify_plan *p, uint64_t now_ms)
{
	uint64_t first = UINT64_MAX;

	for (size_t tries = 0; tries <= NOTIFY_TRIES; tries++) {
		const struct cell *c = head(p, tries);

		if (c)
			first = MIN(first, c->due_ms > now_ms ? c->due_ms - now_ms : 0);
	}
	/* Out of tokens: there are some again in a few milliseconds. */
	return first == UINT64_MAX ? first : MAX(first, p->tokens ? (uint64_t)0 : (uint64_t)(1 + 10000 / NOTIFY_RATE));
}

struct notify_task *notify_plan_find(struct notify_plan *p, const uint8_t *apex, const struct endpoint *from, uint16_t id)
{
	struct name lower;
	struct cell *c;

	name_lower(&lower, apex);
	c = *place_of(p, lower.wire, from);
	return c && c->task.tries && c->task.id == id ? &c->task : NULL;
}

size_t notify_plan_count(const struct notify_plan *p)
{
	return p->count;
}

size_t notify_plan_unsent(const struct notify_plan *p)
{
	return p->unsent;
}

uint64_t notify_plan_given_up(const struct notify_plan *p)
{
	return p->given_up;
}
