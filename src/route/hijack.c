/* SPDX-License-Identifier: BSD-2-Clause */
/* A route for one of our prefixes, or a more specific one, whose path does not end in our AS is a possible hijack. Which of our prefixes a route falls into is found
 * in a sorted array: the last one not behind the route, or one of those around it (`parent`). Routes of nobody's interest cost that search and leave nothing;
 * of the others at most HIJACKS_MAX are remembered, and more are counted.
 *
 * A path that ends in a set of AS has no origin (RFC 6811 2), so it is not ours either. Left out: routes that forge our AS as their origin, which
 * only their path could tell, and less specific ones, which take nothing from us. */
#include "route/hijack.h"

#include <stdlib.h>
#include <string.h>

static int compare(const struct ip_prefix *a, const struct ip_prefix *b)
{
	int d = a->addr.family - b->addr.family;

	if (!d)
		d = memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes));
	return d ? d : a->len - b->len;
}

static int by_prefix(const void *a, const void *b)
{
	return compare(&((const struct hijack_ours *)a)->prefix, &((const struct hijack_ours *)b)->prefix);
}

static bool covers(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len <= b->len && prefix_contains(a, &b->addr);
}

/* The longest of ours that covers p; NULL: none does. */
static const struct hijack_ours *around(const struct hijack_table *t, size_t count, const struct ip_prefix *p)
{
	size_t from = 0, to = count;
	uint32_t at;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (compare(&t->ours[mid].prefix, p) <= 0)
			from = mid + 1;
		else
			to = mid;
	}
	for (at = (uint32_t)from - 1; at != UINT32_MAX; at = t->ours[at].parent)
		if (covers(&t->ours[at].prefix, p))
			return &t->ours[at];
	return NULL;
}

void hijack_set_ours(struct hijack_table *t, const struct hijack_ours *list, size_t count)
{
	size_t kept = 0;

	t->ours_count = MIN(count, (size_t)HIJACK_OURS_MAX);
	if (t->ours_count)
		memcpy(t->ours, list, t->ours_count * sizeof(*list));
	qsort(t->ours, t->ours_count, sizeof(*t->ours), by_prefix);
	for (size_t i = 0; i < t->ours_count; i++) {
		const struct hijack_ours *outer = around(t, i, &t->ours[i].prefix);

		t->ours[i].parent = outer ? (uint32_t)(outer - t->ours) : UINT32_MAX;
	}
	for (size_t i = 0; i < t->count; i++) {
		const struct hijack_ours *o = around(t, t->ours_count, &t->list[i].prefix);

		if (!o || o->as == t->list[i].origin)
			continue;
		t->list[kept] = t->list[i];
		t->list[kept].ours = o->prefix;
		t->list[kept++].as = o->as;
	}
	t->count = kept;
}

static bool same_end(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && addr_equal(&a->addr, &b->addr);
}

static size_t find(const struct hijack_table *t, const struct endpoint *from, const struct ip_prefix *p)
{
	size_t i = 0;

	while (i < t->count && (!same_end(&t->list[i].from, from) || compare(&t->list[i].prefix, p) != 0))
		i++;
	return i;
}

static void take_out(struct hijack_table *t, size_t i, struct hijack *out)
{
	*out = t->list[i];
	t->list[i] = t->list[--t->count];
}

enum hijack_event hijack_route(struct hijack_table *t, const struct endpoint *from, const struct ip_prefix *prefix, const struct bgp_path *path,
                               uint64_t now_ms, struct hijack *out)
{
	const struct hijack_ours *o = around(t, t->ours_count, prefix);
	enum hijack_event event;
	struct hijack h;
	size_t i;

	if (!o)
		return HIJACK_NOTHING;
	i = find(t, from, prefix);
	/* A path without an AS is of our own AS: the neighbor is inside it. */
	if (!path || path->local || (path->has_origin && path->origin == o->as)) {
		if (i == t->count)
			return HIJACK_NOTHING;
		take_out(t, i, out);
		return HIJACK_OVER;
	}
	h = (struct hijack){.from = *from, .prefix = *prefix, .ours = o->prefix, .as = o->as, .origin = path->origin, .since_ms = now_ms};
	bgp_path_text(path, h.path, sizeof(h.path));
	*out = h;
	if (i == t->count) {
		if (t->count == HIJACKS_MAX) {
			t->left_out++;
			return HIJACK_NO_ROOM;
		}
		t->count++;
		t->seen++;
		event = HIJACK_BEGUN;
	} else {
		if (strcmp(t->list[i].path, h.path) == 0)
			return HIJACK_NOTHING;
		h.since_ms = t->list[i].since_ms;
		event = HIJACK_OTHER_PATH;
	}
	t->list[i] = *out = h;
	return event;
}

bool hijack_forget(struct hijack_table *t, const struct endpoint *from, struct hijack *out)
{
	for (size_t i = 0; i < t->count; i++)
		if (same_end(&t->list[i].from, from)) {
			take_out(t, i, out);
			return true;
		}
	return false;
}
