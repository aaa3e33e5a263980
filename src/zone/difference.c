/* SPDX-License-Identifier: BSD-2-Clause */
/* Two versions of a zone side by side, each a row of owners in canonical order with sets and records in order: one pass finds what differs. A version
 * in the store is two rows, names and NSEC3 owners, merged on the way. Sets of other TTL, and names in other case, are replaced whole, so that what
 * comes out of applying the difference is the new version to the octet. */
#include "zone/difference.h"

#include "base/err.h"
#include "zone/prints.h"

#include <stdlib.h>
#include <string.h>

int zone_change_init(struct zone_change *c, const uint8_t *apex)
{
	c->removed = content_new(apex);
	c->added = content_new(apex);
	if (c->removed && c->added)
		return 0;
	zone_change_done(c);
	return ERR_NO_MEMORY;
}

void zone_change_done(struct zone_change *c)
{
	content_free(c->removed);
	content_free(c->added);
	c->removed = c->added = NULL;
}

static int add_records(struct content *c, const struct rr *records, size_t count)
{
	int err = 0;

	for (size_t i = 0; !err && i < count; i++)
		err = content_add(c, &records[i], NULL);
	return err ? err : content_finish(c);
}

int zone_change_from_records(const uint8_t *apex, const struct rr *removed, size_t removed_count, const struct rr *added, size_t added_count,
                             struct zone_change *out)
{
	struct zone_change change;
	int err = zone_change_init(&change, apex);

	if (err)
		return err;
	err = add_records(change.removed, removed, removed_count);
	if (!err)
		err = add_records(change.added, added, added_count);
	if (err)
		zone_change_done(&change);
	else
		*out = change;
	return err;
}

size_t zone_change_size(const struct zone_change *c)
{
	return content_record_count(c->removed) + content_record_count(c->added);
}

/* ---- one version ---- */

/* A set, in a content or in the store. */
struct view {
	uint16_t type, covers;
	uint32_t ttl, count;
	const struct content_record *records; /* or NULL, */
	const uint8_t *data;                  /* and this */
};

struct side {
	const uint8_t *owner; /* at hand; NULL: no more */
	struct view *views;   /* its sets, as content.h orders them */
	size_t count, cap;
	/* Sets of a content from next up to end, */
	const struct content *content;
	size_t next, end;
	/* or the store; */
	const uint8_t *base;
	struct store_walk names, hashes;
	const struct store_node *name, *hash; /* not yet at hand */
	/* of it, where zone is set, the names before `until` only (NULL: all), by one descent each. */
	const struct store_snapshot *snapshot;
	const struct store_zone *zone;
	const uint8_t *until;
};

static int add_view(struct side *s, const struct view *v)
{
	if (s->count == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 16;
		struct view *views = realloc(s->views, cap * sizeof(*views));

		if (!views)
			return ERR_NO_MEMORY;
		s->views = views;
		s->cap = cap;
	}
	s->views[s->count++] = *v;
	return 0;
}

static int order_views(const void *a, const void *b)
{
	const struct view *x = a, *y = b;
	int s = x->type == RR_SOA ? 0 : x->type, t = y->type == RR_SOA ? 0 : y->type;

	return s != t ? s - t : (int)x->covers - (int)y->covers;
}

static int add_stored(struct side *s, store_ref ref)
{
	const struct store_rrset *set = (const struct store_rrset *)(s->base + (size_t)ref * STORE_CELL);
	struct view v = {.type = set->type, .covers = set->covers, .ttl = set->ttl, .count = set->count, .data = set->data};
	int err = add_view(s, &v);

	return !err && set->sigs ? add_stored(s, set->sigs) : err;
}

static int add_node(struct side *s, const struct store_node *n)
{
	int err = 0;

	s->owner = store_node_name(n);
	for (unsigned i = 0; !err && i < n->rrsets; i++)
		err = add_stored(s, n->sets[i]);
	return err;
}

static const struct store_node *next_with_sets(struct store_walk *w)
{
	const struct store_node *n;

	do
		n = store_walk_next(w);
	while (n && !n->rrsets);
	return n;
}

/* The next that is not yet at hand after this name (NULL: the first). */
static const struct store_node *next_name(struct side *s, const uint8_t *after)
{
	const struct store_node *n;

	if (!s->zone)
		return next_with_sets(&s->names);
	for (n = store_node_after(s->snapshot, s->zone, after); n && !n->rrsets; n = store_node_after(s->snapshot, s->zone, store_node_name(n)))
		;
	return n && s->until && name_compare(store_node_name(n), s->until) >= 0 ? NULL : n;
}

static int next_in_store(struct side *s)
{
	int d = !s->name ? 1 : !s->hash ? -1 : name_compare(store_node_name(s->name), store_node_name(s->hash));
	int err = 0;

	/* The hash first: where both are there, the name decides how the owner is written. */
	if (s->hash && d >= 0) {
		err = add_node(s, s->hash);
		s->hash = next_with_sets(&s->hashes);
	}
	if (!err && s->name && d <= 0) {
		err = add_node(s, s->name);
		s->name = next_name(s, store_node_name(s->name));
	}
	for (size_t i = 1; !err && i < s->count; i++)
		if (order_views(&s->views[i - 1], &s->views[i]) > 0) {
			qsort(s->views, s->count, sizeof(*s->views), order_views);
			break;
		}
	return err;
}

static int next_in_content(struct side *s)
{
	size_t n = s->end;
	int err = 0;

	if (s->next == n)
		return 0;
	s->owner = content_rrset(s->content, s->next)->owner;
	for (; !err && s->next < n && content_rrset(s->content, s->next)->owner == s->owner; s->next++) {
		const struct content_rrset *set = content_rrset(s->content, s->next);
		struct view v = {.type = set->type, .covers = set->covers, .ttl = set->ttl, .count = set->count, .records = set->records};

		err = add_view(s, &v);
	}
	return err;
}

static int next_owner(struct side *s)
{
	s->owner = NULL;
	s->count = 0;
	return s->content ? next_in_content(s) : next_in_store(s);
}

/* ---- records of a set ---- */

struct cursor {
	const struct view *view;
	const uint8_t *data;
	uint32_t at;
	struct content_record record; /* the one at hand; valid while at < view->count */
};

static void cursor_load(struct cursor *c)
{
	if (c->at >= c->view->count)
		return;
	if (c->view->records)
		c->record = c->view->records[c->at];
	else
		c->record = (struct content_record){.type = c->view->type, .rdata = c->data + 2, .rdlen = get_u16(c->data)};
}

static void cursor_begin(struct cursor *c, const struct view *v)
{
	*c = (struct cursor){.view = v, .data = v->data};
	cursor_load(c);
}

static void cursor_next(struct cursor *c)
{
	if (c->data)
		c->data += 2 + c->record.rdlen;
	c->at++;
	cursor_load(c);
}

static bool cursor_more(const struct cursor *c)
{
	return c->at < c->view->count;
}

/* ---- the difference ---- */

struct difference {
	struct zone_change *out;
	size_t count, limit;
};

static int emit(struct difference *d, struct content *to, const uint8_t *owner, const struct cursor *c)
{
	struct rr rr = {.owner = owner, .type = c->view->type, .rclass = CLASS_IN, .ttl = c->view->ttl, .rdlen = c->record.rdlen, .rdata = c->record.rdata};

	return d->count++ < d->limit ? content_add(to, &rr, NULL) : ERR_LIMIT;
}

static int emit_set(struct difference *d, struct content *to, const uint8_t *owner, const struct view *v)
{
	struct cursor c;
	int err = 0;

	for (cursor_begin(&c, v); !err && cursor_more(&c); cursor_next(&c))
		err = emit(d, to, owner, &c);
	return err;
}

static bool same_octets(const struct content_record *a, const struct content_record *b)
{
	return a->rdlen == b->rdlen && memcmp(a->rdata, b->rdata, a->rdlen) == 0;
}

static int differ_set(struct difference *d, const uint8_t *owner, const struct view *from, const struct view *to)
{
	struct cursor x, y;
	int err = 0;

	cursor_begin(&x, from);
	cursor_begin(&y, to);
	while (!err && (cursor_more(&x) || cursor_more(&y))) {
		int order = 0;

		if (cursor_more(&x) && cursor_more(&y) && same_octets(&x.record, &y.record)) {
			cursor_next(&x);
			cursor_next(&y);
			continue;
		}
		order = !cursor_more(&x) ? 1 : !cursor_more(&y) ? -1 : content_compare_rdata(&x.record, &y.record);
		if (order <= 0) {
			err = emit(d, d->out->removed, owner, &x);
			cursor_next(&x);
		}
		if (!err && order >= 0) {
			err = emit(d, d->out->added, owner, &y);
			cursor_next(&y);
		}
	}
	return err;
}

/* Two owners of one name: sets of one kind against each other, all others whole. */
static int differ_owner(struct difference *d, const struct side *from, const struct side *to)
{
	bool renamed = memcmp(from->owner, to->owner, name_len(to->owner)) != 0;
	size_t i = 0, k = 0;
	int err = 0;

	while (!err && (i < from->count || k < to->count)) {
		const struct view *x = i < from->count ? &from->views[i] : NULL, *y = k < to->count ? &to->views[k] : NULL;
		int order = !x ? 1 : !y ? -1 : order_views(x, y);

		if (!order && !renamed && x->ttl == y->ttl) {
			err = differ_set(d, to->owner, x, y);
		} else {
			if (order <= 0)
				err = emit_set(d, d->out->removed, from->owner, x);
			if (!err && order >= 0)
				err = emit_set(d, d->out->added, to->owner, y);
		}
		i += order <= 0;
		k += order >= 0;
	}
	return err;
}

static int emit_owner(struct difference *d, struct content *to, const struct side *s)
{
	int err = 0;

	for (size_t i = 0; !err && i < s->count; i++)
		err = emit_set(d, to, s->owner, &s->views[i]);
	return err;
}

/* Nearly always the same, to the letter. */
static int order_owners(const uint8_t *a, const uint8_t *b)
{
	size_t len = name_len(a);

	return name_len(b) == len && memcmp(a, b, len) == 0 ? 0 : name_compare(a, b);
}

/* All that both sides have yet. */
static int differ_rest(struct difference *d, struct side *from, struct side *to)
{
	int err = next_owner(from);

	if (!err)
		err = next_owner(to);
	while (!err && (from->owner || to->owner)) {
		int order = !from->owner ? 1 : !to->owner ? -1 : order_owners(from->owner, to->owner);

		if (order < 0)
			err = emit_owner(d, d->out->removed, from);
		else if (order > 0)
			err = emit_owner(d, d->out->added, to);
		else
			err = differ_owner(d, from, to);
		if (!err && order <= 0)
			err = next_owner(from);
		if (!err && order >= 0)
			err = next_owner(to);
	}
	return err;
}

static int finish(struct zone_change *change, int err, struct zone_change *out)
{
	if (!err)
		err = content_finish(change->removed);
	if (!err)
		err = content_finish(change->added);
	if (err)
		zone_change_done(change);
	else
		*out = *change;
	return err;
}

static int differ(struct side *from, struct side *to, size_t limit, const uint8_t *apex, struct zone_change *out)
{
	struct zone_change change;
	struct difference d = {.out = &change, .limit = limit};
	int err = zone_change_init(&change, apex);

	return err ? err : finish(&change, differ_rest(&d, from, to), out);
}

int zone_difference(const struct content *from, const struct content *to, size_t limit, struct zone_change *out)
{
	struct side x = {.content = from, .end = content_rrset_count(from)}, y = {.content = to, .end = content_rrset_count(to)};
	int err = differ(&x, &y, limit, content_apex(to), out);

	free(x.views);
	free(y.views);
	return err;
}

int zone_difference_store(const struct store_snapshot *s, const struct store_zone *z, const struct content *to, size_t limit,
                          struct zone_change *out)
{
	struct side x = {.base = s->base}, y = {.content = to, .end = content_rrset_count(to)};
	int err;

	store_walk_init(&x.names, s, z, false);
	store_walk_init(&x.hashes, s, z, true);
	x.name = next_with_sets(&x.names);
	x.hash = next_with_sets(&x.hashes);
	err = differ(&x, &y, limit, content_apex(to), out);
	free(x.views);
	free(y.views);
	return err;
}

/* ---- by fingerprints ---- */

enum {
	NEAR = 24,       /* owners in which the versions nearly always meet again */
	FAR = 1 << 16,   /* beyond these they are taken to have little in common */
	EMPTY = UINT32_MAX,
};

static bool meet_near(const struct zone_prints *a, size_t i, const struct zone_prints *b, size_t k, size_t *skip_a, size_t *skip_b)
{
	for (size_t y = 0; y < NEAR && k + y < b->count; y++)
		for (size_t x = 0; x < NEAR && i + x < a->count; x++)
			if (a->list[i + x] == b->list[k + y]) {
				*skip_a = x;
				*skip_b = y;
				return true;
			}
	return false;
}

/* The same by a table of a's. */
static int meet_far(const struct zone_prints *a, size_t i, const struct zone_prints *b, size_t k, size_t *skip_a, size_t *skip_b)
{
	size_t in_a = MIN(a->count - i, (size_t)FAR), in_b = MIN(b->count - k, (size_t)FAR), slots = 64;
	uint32_t *table;
	int err = ERR_UNSUPPORTED;

	while (slots < 2 * in_a)
		slots *= 2;
	table = malloc(slots * sizeof(*table));
	if (!table)
		return ERR_NO_MEMORY;
	memset(table, 0xff, slots * sizeof(*table));
	for (size_t x = in_a; x-- > 0;) {
		size_t at = a->list[i + x] & (slots - 1);

		while (table[at] != EMPTY)
			at = (at + 1) & (slots - 1);
		table[at] = (uint32_t)x;
	}
	for (size_t y = 0; err && y < in_b; y++)
		for (size_t at = b->list[k + y] & (slots - 1); err && table[at] != EMPTY; at = (at + 1) & (slots - 1))
			if (a->list[i + table[at]] == b->list[k + y]) {
				*skip_a = table[at];
				*skip_b = y;
				err = 0;
			}
	free(table);
	/* Nothing in common up to both ends. */
	if (err && in_a == a->count - i && in_b == b->count - k) {
		*skip_a = in_a;
		*skip_b = in_b;
		err = 0;
	}
	return err;
}

/* Owners first up to end of `now`, and what the store has between their neighbours. */
static int differ_part(struct difference *d, struct side *x, struct side *y, const struct zone_prints *now, size_t first, size_t end)
{
	const uint8_t *after = first ? content_rrset(y->content, now->first[first] - 1)->owner : NULL;

	x->until = end < now->count ? content_rrset(y->content, now->first[end])->owner : NULL;
	x->name = next_name(x, after);
	y->next = now->first[first];
	y->end = now->first[end];
	return differ_rest(d, x, y);
}

int zone_difference_prints(const struct zone_prints *before, const struct zone_prints *now, const struct store_snapshot *s, const struct store_zone *z,
                           const struct content *to, size_t limit, struct zone_change *out)
{
	struct side x = {.base = s->base, .snapshot = s, .zone = z}, y = {.content = to};
	struct zone_change change;
	struct difference d = {.out = &change, .limit = limit};
	size_t i = 0, k = 0;
	int err = z->nsec3 || !now->first ? ERR_UNSUPPORTED : zone_change_init(&change, content_apex(to));

	if (err)
		return err;
	while (!err && (i < before->count || k < now->count)) {
		size_t skip_x = 0, skip_y = 0;

		while (i < before->count && k < now->count && before->list[i] == now->list[k]) {
			i++;
			k++;
		}
		if (!meet_near(before, i, now, k, &skip_x, &skip_y))
			err = meet_far(before, i, now, k, &skip_x, &skip_y);
		if (!err && (skip_x || skip_y))
			err = differ_part(&d, &x, &y, now, k, k + skip_y);
		i += skip_x;
		k += skip_y;
	}
	err = finish(&change, err, out);
	free(x.views);
	free(y.views);
	return err;
}
