/* SPDX-License-Identifier: BSD-2-Clause */
/* Free extents sit in lists by size class (four per power of two) and in two hash tables, by first cell and by the cell after the last, through
 * which a returned extent finds its free neighbours. */
#include "zone/store_extent.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

enum {
	CLASSES = 128,
	TABLE_MIN = 256,
	SCAN_MAX = 32, /* extents of the size's own class that are looked at: all of them may be too small */
};

struct extent {
	store_ref start;
	uint32_t cells;
	struct extent *next, *prev;             /* of its class */
	struct extent *next_start, *next_end;   /* hash chains */
};

struct extents {
	struct extent *classes[CLASSES];
	struct extent **by_start, **by_end;
	size_t buckets, count;
	struct extent *spare;
	uint64_t cells;
};

static unsigned class_of(uint32_t cells)
{
	unsigned log = 31U - (unsigned)__builtin_clz(cells);

	return log < 2 ? cells : log * 4 + (cells >> (log - 2) & 3);
}

struct extents *extents_new(void)
{
	struct extents *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->buckets = TABLE_MIN;
	x->by_start = calloc(x->buckets, sizeof(*x->by_start));
	x->by_end = calloc(x->buckets, sizeof(*x->by_end));
	if (!x->by_start || !x->by_end) {
		extents_free(x);
		return NULL;
	}
	return x;
}

void extents_free(struct extents *x)
{
	if (!x)
		return;
	for (unsigned i = 0; i < CLASSES; i++)
		while (x->classes[i]) {
			struct extent *e = x->classes[i];

			x->classes[i] = e->next;
			free(e);
		}
	while (x->spare) {
		struct extent *e = x->spare;

		x->spare = e->next;
		free(e);
	}
	free(x->by_start);
	free(x->by_end);
	free(x);
}

static size_t bucket(const struct extents *x, uint32_t key)
{
	return (key * 0x9e3779b1U >> 7) & (x->buckets - 1);
}

static void hash_in(struct extents *x, struct extent *e)
{
	size_t s = bucket(x, e->start), n = bucket(x, e->start + e->cells);

	e->next_start = x->by_start[s];
	x->by_start[s] = e;
	e->next_end = x->by_end[n];
	x->by_end[n] = e;
}

static void hash_out(struct extents *x, struct extent *e)
{
	struct extent **p = &x->by_start[bucket(x, e->start)];

	while (*p != e)
		p = &(*p)->next_start;
	*p = e->next_start;
	p = &x->by_end[bucket(x, e->start + e->cells)];
	while (*p != e)
		p = &(*p)->next_end;
	*p = e->next_end;
}

static void link_in(struct extents *x, struct extent *e)
{
	struct extent **head = &x->classes[class_of(e->cells)];

	e->prev = NULL;
	e->next = *head;
	if (*head)
		(*head)->prev = e;
	*head = e;
	hash_in(x, e);
	x->count++;
	x->cells += e->cells;
}

static void link_out(struct extents *x, struct extent *e)
{
	if (e->prev)
		e->prev->next = e->next;
	else
		x->classes[class_of(e->cells)] = e->next;
	if (e->next)
		e->next->prev = e->prev;
	hash_out(x, e);
	x->count--;
	x->cells -= e->cells;
}

static void widen(struct extents *x)
{
	size_t old = x->buckets;
	struct extent **s = calloc(old * 4, sizeof(*s)), **n = calloc(old * 4, sizeof(*n));

	if (!s || !n) { /* slower chains, nothing worse */
		free(s);
		free(n);
		return;
	}
	free(x->by_start);
	free(x->by_end);
	x->by_start = s;
	x->by_end = n;
	x->buckets = old * 4;
	for (unsigned i = 0; i < CLASSES; i++)
		for (struct extent *e = x->classes[i]; e; e = e->next)
			hash_in(x, e);
}

static void put_spare(struct extents *x, struct extent *e)
{
	e->next = x->spare;
	x->spare = e;
}

int extents_give(struct extents *x, store_ref start, uint32_t cells)
{
	struct extent *left, *right, *e;

	if (!cells)
		return 0;
	for (left = x->by_end[bucket(x, start)]; left && left->start + left->cells != start; left = left->next_end)
		;
	for (right = x->by_start[bucket(x, start + cells)]; right && right->start != start + cells; right = right->next_start)
		;
	if (left) {
		link_out(x, left);
		start = left->start;
		cells += left->cells;
	}
	if (right) {
		link_out(x, right);
		cells += right->cells;
	}
	e = left ? left : right;
	if (left && right)
		put_spare(x, right);
	if (!e && x->spare) {
		e = x->spare;
		x->spare = e->next;
	} else if (!e) {
		e = malloc(sizeof(*e));
	}
	if (!e)
		return ERR_NO_MEMORY;
	e->start = start;
	e->cells = cells;
	if (x->count > x->buckets)
		widen(x);
	link_in(x, e);
	return 0;
}

int extents_take(struct extents *x, uint32_t cells, store_ref *start)
{
	unsigned own = class_of(cells);

	/* The class of the size itself may hold smaller ones; those above never do. */
	for (unsigned i = own; i < CLASSES; i++) {
		unsigned left = i == own ? SCAN_MAX : 1;

		for (struct extent *e = x->classes[i]; e && left; e = e->next, left--) {
			if (e->cells < cells)
				continue;
			link_out(x, e);
			*start = e->start;
			if (e->cells == cells) {
				put_spare(x, e);
				return 0;
			}
			e->start += cells;
			e->cells -= cells;
			link_in(x, e);
			return 0;
		}
	}
	return ERR_NOT_FOUND;
}

uint64_t extents_free_cells(const struct extents *x)
{
	return x->cells;
}
