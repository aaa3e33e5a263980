/* SPDX-License-Identifier: BSD-2-Clause */
/* Who owns which member, as a table of names over all catalogs of a node.
 *
 *     name ──► listing of catalog 2 (owner) ──► listing of catalog 0 ──► ...
 *
 * A listing says that a catalog names this zone, under which id, in which group, and who may take it over. One of a name's listings is its owner, or none where the zone
 * is configured. A new version of a catalog changes listings; each name whose listing changed is then judged, by RFC 9432:
 *
 * 5.2    another catalog has it: the new listing is ignored as long as the owner's is there
 * 4.3.2  the owner's listing names (coo) a catalog that lists the zone: that one owns it from now on; with the same id it goes on as it was, else it is reset. So often as
 *        catalogs hand it on
 * 5.3    the owner's listing is gone: the zone goes, with all that is known of it. Where another catalog lists it that is a reset
 * 5.4    another id: reset
 *
 * Where nobody owned the name yet, the first catalog in the order of their indices gets it, then coo is followed. Of two ids for a zone in one catalog the one it had stays, else the
 * first in canonical order counts.
 *
 * A version that would take or reset more than its share of the members is refused as a whole (struct membership_rules): an empty catalog is seldom what was meant. What
 * a catalog hands to another by coo is no loss.
 *
 * Costs: a version costs a look at each of its members, some 100 ns; changes cost what they are. Some 150 octets a member. */
#include "catalog/membership.h"

#include "base/err.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

enum { TABLE_MIN = 64 };

struct member;

struct listing {
	struct member *member;
	struct listing *next;            /* of the member */
	struct listing *after, **before; /* of the catalog */
	uint8_t *text;                   /* id, coo, group, one after the other */
	uint8_t coo_at, group_at;        /* in text; 0: none */
	uint16_t catalog;
	const struct catalog_entry *entry; /* while a version is taken: its entry there; NULL: none */
};

struct member {
	struct listing *listings;
	struct listing *owner; /* NULL: none */
	bool touched;
	bool was_owned, reset, moved; /* of the change being made */
	uint8_t apex[];
};

struct slot_of_catalog {
	struct name apex;
	struct listing *first;
	size_t listed, owned;
};

struct membership {
	uint8_t key[16];
	struct slot_of_catalog catalogs[MEMBERSHIP_CATALOGS_MAX];
	unsigned catalog_count;
	struct member **table; /* open addressing by name */
	size_t size, count;
	struct member **touched;
	size_t touched_count, touched_cap;
};

void membership_changes_init(struct membership_changes *c)
{
	*c = (struct membership_changes){0};
	arena_init(&c->arena, 0);
}

void membership_changes_done(struct membership_changes *c)
{
	arena_done(&c->arena);
	free(c->items);
	*c = (struct membership_changes){0};
}

static int tell(struct membership_changes *c, enum membership_kind kind, const uint8_t *apex)
{
	const uint8_t *name = arena_dup(&c->arena, apex, name_len(apex));

	if (c->count == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 16;
		struct membership_change *more = realloc(c->items, cap * sizeof(*more));

		if (!more)
			return ERR_NO_MEMORY;
		c->items = more;
		c->cap = cap;
	}
	if (!name)
		return ERR_NO_MEMORY;
	c->items[c->count++] = (struct membership_change){kind, name};
	return 0;
}

/* ---- the table ---- */

struct membership *membership_new(void)
{
	struct membership *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	random_bytes(m->key, sizeof(m->key));
	m->size = TABLE_MIN;
	m->table = calloc(m->size, sizeof(struct member *));
	if (!m->table) {
		free(m);
		return NULL;
	}
	return m;
}

static void listing_free(struct listing *l)
{
	free(l->text);
	free(l);
}

void membership_free(struct membership *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->size; i++) {
		struct member *one = m->table[i];

		for (struct listing *l = one ? one->listings : NULL, *next; l; l = next) {
			next = l->next;
			listing_free(l);
		}
		free(one);
	}
	free(m->table);
	free(m->touched);
	free(m);
}

static size_t home(const struct membership *m, const uint8_t *apex)
{
	return hash_keyed(m->key, apex, name_len(apex)) & (m->size - 1);
}

static size_t slot(const struct membership *m, const uint8_t *apex)
{
	size_t at = home(m, apex);

	while (m->table[at] && !name_equal(m->table[at]->apex, apex))
		at = (at + 1) & (m->size - 1);
	return at;
}

static int grow(struct membership *m)
{
	struct member **old = m->table;
	size_t was = m->size;

	if (m->count * 2 < m->size)
		return 0;
	m->table = calloc(was * 2, sizeof(struct member *));
	if (!m->table) {
		m->table = old;
		return ERR_NO_MEMORY;
	}
	m->size = was * 2;
	for (size_t i = 0; i < was; i++)
		if (old[i])
			m->table[slot(m, old[i]->apex)] = old[i];
	free(old);
	return 0;
}

static int member_get(struct membership *m, const uint8_t *apex, struct member **out)
{
	int err = grow(m);
	size_t at, len = name_len(apex);

	if (err)
		return err;
	at = slot(m, apex);
	if (!m->table[at]) {
		m->table[at] = calloc(1, sizeof(struct member) + len);
		if (!m->table[at])
			return ERR_NO_MEMORY;
		memcpy(m->table[at]->apex, apex, len);
		m->count++;
	}
	*out = m->table[at];
	return 0;
}

/* Those behind it move up, so that no search ends too early. */
static void member_free(struct membership *m, struct member *one)
{
	size_t at = slot(m, one->apex), next = at;

	for (;;) {
		size_t wants;

		next = (next + 1) & (m->size - 1);
		if (!m->table[next])
			break;
		wants = home(m, m->table[next]->apex);
		if (((next - wants) & (m->size - 1)) < ((next - at) & (m->size - 1)))
			continue;
		m->table[at] = m->table[next];
		at = next;
	}
	m->table[at] = NULL;
	m->count--;
	free(one);
}

static int touch(struct membership *m, struct member *one)
{
	if (one->touched)
		return 0;
	if (m->touched_count == m->touched_cap) {
		size_t cap = m->touched_cap ? m->touched_cap * 2 : 64;
		struct member **more = realloc(m->touched, cap * sizeof(*more));

		if (!more)
			return ERR_NO_MEMORY;
		m->touched = more;
		m->touched_cap = cap;
	}
	one->touched = true;
	one->was_owned = one->owner != NULL;
	one->reset = one->moved = false;
	m->touched[m->touched_count++] = one;
	return 0;
}

int membership_catalog(struct membership *m, const uint8_t *apex, unsigned *index)
{
	unsigned i = 0;

	while (i < m->catalog_count && !name_equal(m->catalogs[i].apex.wire, apex))
		i++;
	if (i == MEMBERSHIP_CATALOGS_MAX)
		return ERR_LIMIT;
	if (i == m->catalog_count) {
		m->catalogs[i] = (struct slot_of_catalog){.first = NULL};
		name_lower(&m->catalogs[i].apex, apex);
		m->catalog_count++;
	}
	*index = i;
	return 0;
}

/* ---- listings ---- */

static const uint8_t *coo_of(const struct listing *l)
{
	return l->coo_at ? l->text + l->coo_at : NULL;
}

static const uint8_t *group_of(const struct listing *l)
{
	return l->group_at ? l->text + l->text[0] + 1 + (l->coo_at ? name_len(coo_of(l)) : 0) : NULL;
}

static bool same_label(const uint8_t *a, const uint8_t *b)
{
	return a == b || (a && b && a[0] == b[0] && memcmp(a, b, (size_t)a[0] + 1) == 0);
}

static bool same_name(const uint8_t *a, const uint8_t *b)
{
	return a == b || (a && b && name_equal(a, b));
}

static struct listing *listing_in(const struct member *one, unsigned catalog)
{
	struct listing *l = one->listings;

	while (l && l->catalog != catalog)
		l = l->next;
	return l;
}

static int set_text(struct listing *l, const struct catalog_entry *e)
{
	size_t id = (size_t)e->id[0] + 1, coo = e->coo ? name_len(e->coo) : 0,
	       group = e->group ? (size_t)e->group[0] + 1 : 0;
	uint8_t *text = malloc(id + coo + group);

	if (!text)
		return ERR_NO_MEMORY;
	memcpy(text, e->id, id);
	if (coo)
		memcpy(text + id, e->coo, coo);
	if (group)
		memcpy(text + id + coo, e->group, group);
	free(l->text);
	l->text = text;
	l->coo_at = coo ? (uint8_t)id : 0;
	l->group_at = group != 0;
	return 0;
}

static int listing_new(struct membership *m, unsigned catalog, const struct catalog_entry *e, struct listing **out)
{
	struct slot_of_catalog *c = &m->catalogs[catalog];
	struct listing *l = calloc(1, sizeof(*l));
	struct member *one;
	int err = l ? set_text(l, e) : ERR_NO_MEMORY;

	if (!err)
		err = member_get(m, e->apex, &one);
	if (err) {
		if (l)
			listing_free(l);
		return err;
	}
	l->member = one;
	l->catalog = (uint16_t)catalog;
	l->entry = e;
	l->next = one->listings;
	one->listings = l;
	l->after = c->first;
	l->before = &c->first;
	if (c->first)
		c->first->before = &l->after;
	c->first = l;
	c->listed++;
	*out = l;
	return touch(m, one);
}

static void own(struct membership *m, struct member *one, struct listing *l)
{
	if (one->owner)
		m->catalogs[one->owner->catalog].owned--;
	one->owner = l;
	if (l)
		m->catalogs[l->catalog].owned++;
}

static void listing_remove(struct membership *m, struct listing *l)
{
	struct listing **at = &l->member->listings;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	*l->before = l->after;
	if (l->after)
		l->after->before = l->before;
	m->catalogs[l->catalog].listed--;
	if (l->member->owner == l)
		own(m, l->member, NULL);
	listing_free(l);
}

/* ---- judging ---- */

static int index_of(const struct membership *m, const uint8_t *apex)
{
	for (unsigned i = 0; apex && i < m->catalog_count; i++)
		if (name_equal(m->catalogs[i].apex.wire, apex))
			return (int)i;
	return -1;
}

/* The listing that this one is handed to by coo; NULL: none. */
static struct listing *heir(const struct membership *m, const struct listing *l, const uint8_t *coo)
{
	int to = index_of(m, coo);

	return to >= 0 && (unsigned)to != l->catalog ? listing_in(l->member, (unsigned)to) : NULL;
}

static struct listing *first_listing(const struct member *one)
{
	struct listing *best = NULL;

	for (struct listing *l = one->listings; l; l = l->next)
		if (!best || l->catalog < best->catalog)
			best = l;
	return best;
}

/* Ownership goes on as long as it is handed on; not around in a circle. */
static void follow(struct membership *m, struct member *one)
{
	struct listing *next;

	for (unsigned i = 0; one->owner && i < m->catalog_count; i++) {
		next = heir(m, one->owner, coo_of(one->owner));
		if (!next)
			return;
		if (!same_label(next->text, one->owner->text))
			one->reset = true;
		one->moved = true;
		own(m, one, next);
	}
}

static int judge(struct membership *m, struct member *one, const struct membership_rules *rules,
                 struct membership_changes *changes)
{
	int err = 0;

	if (rules->is_configured && rules->is_configured(rules->ctx, one->apex)) {
		own(m, one, NULL);
	} else {
		if (!one->owner && one->listings) {
			own(m, one, first_listing(one));
			one->reset = true; /* if it was somebody's before */
		}
		follow(m, one);
	}
	for (struct listing *l = one->listings; l; l = l->next)
		changes->clashes += l != one->owner;
	if (one->was_owned && !one->owner)
		err = tell(changes, MEMBER_REMOVED, one->apex);
	else if (!one->was_owned && one->owner)
		err = tell(changes, MEMBER_ADDED, one->apex);
	else if (one->owner && one->reset)
		err = tell(changes, MEMBER_RESET, one->apex);
	else if (one->owner && one->moved)
		err = tell(changes, MEMBER_MOVED, one->apex);
	return err;
}

/* What could not be judged stays touched. */
static int judge_all(struct membership *m, const struct membership_rules *rules, struct membership_changes *changes)
{
	int err = 0;

	while (m->touched_count && !err) {
		struct member *one = m->touched[m->touched_count - 1];

		err = judge(m, one, rules, changes);
		if (err)
			break;
		m->touched_count--;
		one->touched = false;
		if (!one->listings)
			member_free(m, one);
	}
	return err;
}

/* ---- versions ---- */

/* Each listing of the catalog gets its entry in the new version: of several the one with the id it had. */
static void find_entries(struct membership *m, unsigned catalog, const struct catalog *c)
{
	for (struct listing *l = m->catalogs[catalog].first; l; l = l->after)
		l->entry = NULL;
	for (size_t i = 0; i < c->count; i++) {
		const struct member *one = m->table[slot(m, c->entries[i].apex)];
		struct listing *l = one ? listing_in(one, catalog) : NULL;

		if (l && (!l->entry || same_label(c->entries[i].id, l->text)))
			l->entry = &c->entries[i];
	}
}

static bool is_guarded(const struct membership *m, unsigned catalog, const struct membership_rules *rules,
                       struct text *why)
{
	const struct slot_of_catalog *s = &m->catalogs[catalog];
	size_t gone = 0, reset = 0;

	for (const struct listing *l = s->first; l; l = l->after) {
		if (l->member->owner != l || heir(m, l, l->entry ? l->entry->coo : coo_of(l)))
			continue;
		gone += !l->entry;
		reset += l->entry && !same_label(l->entry->id, l->text);
	}
	if (rules->accept || s->owned < MEMBERSHIP_GUARDED_MIN ||
	    (gone + reset) * 100 <= s->owned * rules->shrink_limit)
		return false;
	text_fmt(why, "of %zu members %zu would go and %zu would begin anew, which is more than %u %% (shrink-limit)",
	         s->owned, gone, reset, rules->shrink_limit);
	return true;
}

static int change_listing(struct membership *m, struct listing *l)
{
	const struct catalog_entry *e = l->entry;
	bool reset = !same_label(e->id, l->text), moved = !same_label(e->group, group_of(l));
	bool handed = !same_name(e->coo, coo_of(l));
	int err;

	if (!reset && !moved && !handed)
		return 0;
	err = touch(m, l->member);
	if (err)
		return err;
	if (l->member->owner == l) {
		l->member->reset |= reset;
		l->member->moved |= moved;
	}
	return set_text(l, e);
}

int membership_take(struct membership *m, unsigned catalog, const struct catalog *c,
                    const struct membership_rules *rules, struct membership_changes *changes, struct text *why)
{
	struct listing *l, *next;
	int err = 0;

	find_entries(m, catalog, c);
	if (is_guarded(m, catalog, rules, why))
		return ERR_LIMIT;
	for (l = m->catalogs[catalog].first; l && !err; l = next) {
		next = l->after;
		if (l->entry) {
			err = change_listing(m, l);
			continue;
		}
		err = touch(m, l->member);
		if (!err)
			listing_remove(m, l);
	}
	for (size_t i = 0; i < c->count && !err; i++) {
		const struct member *one = m->table[slot(m, c->entries[i].apex)];

		l = one ? listing_in(one, catalog) : NULL;
		if (!l)
			err = listing_new(m, catalog, &c->entries[i], &l);
		else
			changes->clashes += l->entry != &c->entries[i];
	}
	return err ? err : judge_all(m, rules, changes);
}

int membership_judge(struct membership *m, unsigned catalog, const struct catalog *c, const struct membership_rules *rules, struct text *why)
{
	find_entries(m, catalog, c);
	return is_guarded(m, catalog, rules, why) ? ERR_LIMIT : 0;
}

int membership_drop(struct membership *m, unsigned catalog, const struct membership_rules *rules,
                    struct membership_changes *changes)
{
	struct slot_of_catalog *c = &m->catalogs[catalog];
	int err = 0;

	while (c->first && !err) {
		err = touch(m, c->first->member);
		if (!err)
			listing_remove(m, c->first);
	}
	return err ? err : judge_all(m, rules, changes);
}

int membership_review(struct membership *m, const struct membership_rules *rules, struct membership_changes *changes)
{
	int err = 0;

	for (size_t i = 0; i < m->size && !err; i++)
		if (m->table[i])
			err = touch(m, m->table[i]);
	return err ? err : judge_all(m, rules, changes);
}

/* ---- asking ---- */

static void describe(const struct membership *m, const struct member *one, struct membership_owner *out)
{
	const struct listing *l = one->owner;

	*out = (struct membership_owner){l->catalog, m->catalogs[l->catalog].apex.wire, one->apex, l->text,
	                                 group_of(l)};
}

bool membership_owner(const struct membership *m, const uint8_t *apex, struct membership_owner *out)
{
	struct name lower;
	const struct member *one;

	name_lower(&lower, apex);
	one = m->table[slot(m, lower.wire)];
	if (!one || !one->owner)
		return false;
	describe(m, one, out);
	return true;
}

int membership_each(const struct membership *m, membership_fn *fn, void *ctx)
{
	int result = 0;

	for (size_t i = 0; i < m->size && !result; i++) {
		struct membership_owner o;

		if (!m->table[i] || !m->table[i]->owner)
			continue;
		describe(m, m->table[i], &o);
		result = fn(ctx, &o);
	}
	return result;
}

size_t membership_owned(const struct membership *m, unsigned catalog)
{
	return m->catalogs[catalog].owned;
}

size_t membership_listed(const struct membership *m, unsigned catalog)
{
	return m->catalogs[catalog].listed;
}
