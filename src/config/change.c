/* SPDX-License-Identifier: BSD-2-Clause */
/* Two fleet files compared, for people: row by row of the schema, so that an option has nothing to be added here. Items of lists of mappings are the
 * same item when their names are the same, of neighbors address and port, of zones the name; all others are the same when they stand for the same text.
 * What a change means for those outside (a route, a session, a restart) follows from the row and a short table below. Where prefixes are announced
 * or withdrawn, and what would be lost, is in change_routes.c. Zones are compared by a hash table, since there may be millions.
 *
 * Limits: CHANGES_MAX entries; zones beyond CHANGE_ZONES_SHOWN of a kind are counted, not listed. Not seen: what stands in other files (keys,
 * passwords, zone files), which a reload reads anew whatever their names. */
#include "config/change.h"

#include "base/hash.h"
#include "base/text.h"
#include "config/read.h"
#include "config/schema.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUBJECT_MAX = 256, KEY_MAX = 128, VALUE_SHOWN = 120, LINE_MAX_TEXT = 600 };

const char *change_effect_text(enum change_effect e)
{
	static const char *const names[] = {"none", "routes", "session", "restart", "loss", "warning"};

	return e < ARRAY_LEN(names) ? names[e] : "?";
}

void changes_init(struct changes *list)
{
	*list = (struct changes){0};
	arena_init(&list->arena, 0);
	list->last = &list->first;
}

void changes_done(struct changes *list)
{
	arena_done(&list->arena);
	list->first = NULL;
}

struct change *changes_add(struct changes *list, char sign, enum change_effect effect, const char *subject,
                           const char *fmt, ...)
{
	struct change *c = list->count < CHANGES_MAX ? arena_zalloc(&list->arena, sizeof(*c)) : NULL;
	char text[LINE_MAX_TEXT];
	va_list ap;

	if (!c) {
		list->dropped++;
		return NULL;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->sign = sign;
	c->effect = effect;
	c->subject = arena_strdup(&list->arena, subject);
	c->text = arena_strdup(&list->arena, text);
	if (!c->subject || !c->text) {
		list->dropped++;
		return NULL;
	}
	list->count++;
	*list->last = c;
	list->last = &c->next;
	return c;
}

/* ---- rows ---- */

struct side {
	const struct config *c;
	const char *base;
};

struct compare {
	struct changes *out;
	struct side was, is;
	const struct schema_map *map;
	const char *subject;
	const char *prefix; /* of keys: "check." */
};

static void compare_map(const struct compare *k);

/* Rows of a neighbor that change what is told, not the session it is told on. */
static bool is_attribute(const char *key)
{
	static const char *const keys[] = {"communities", "large-communities", "prepend", "med",
	                                   "local-pref",  "de-prefer",         "drain"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

/* Rows of a neighbor that touch neither. */
static bool is_aside(const char *key)
{
	static const char *const keys[] = {"bfd", "watch-routes", "max-prefixes", "at-max-prefixes"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

/* key: as it stands below the subject, "bfd.interval". */
static enum change_effect effect_of(const char *subject, const struct schema_row *row, const char *key)
{
	char first[KEY_MAX];

	snprintf(first, sizeof(first), "%.*s", (int)strcspn(key, "."), key);
	if (strstr(subject, " neighbor "))
		return is_attribute(first) ? CHANGE_ROUTES : is_aside(first) ? CHANGE_PLAIN : CHANGE_SESSION;
	if (!row->reload)
		return CHANGE_RESTART;
	if (strncmp(subject, "network ", 8) == 0 && strcmp(key, "as") == 0)
		return CHANGE_SESSION;
	if (strncmp(subject, "node ", 5) == 0 && strcmp(key, "bgp.router-id") == 0)
		return CHANGE_SESSION;
	return CHANGE_PLAIN;
}

static const char *cut(struct text *t)
{
	/* A value of many lines is not worth showing. */
	size_t len = strcspn(t->chars, "\n");

	if (len > VALUE_SHOWN || (len < t->len && len + 1 < t->len)) {
		len = MIN(len, (size_t)VALUE_SHOWN);
		snprintf(t->chars + len, t->cap - len > 4 ? 4 : 0, "...");
	} else {
		t->chars[len] = '\0';
	}
	return t->chars;
}

/* As it stands behind its key, without what surrounds it. */
static void trim(struct text *t)
{
	size_t skip = strspn(t->chars, " ");

	while (t->len > skip && t->chars[t->len - 1] == '\n')
		t->chars[--t->len] = '\0';
	if (skip) {
		memmove(t->chars, t->chars + skip, t->len - skip + 1);
		t->len -= skip;
	}
}

/* What the file says. */
static void value_of(const struct side *s, const struct schema_row *row, struct text *out)
{
	text_clear(out);
	config_print_row(s->c, row, s->base, out);
	trim(out);
}

static void compare_value(const struct compare *k, const struct schema_row *row, const char *key)
{
	struct text was, is;
	enum change_effect effect = effect_of(k->subject, row, key);

	text_init(&was);
	text_init(&is);
	value_of(&k->was, row, &was);
	value_of(&k->is, row, &is);
	if (strcmp(was.chars, is.chars) == 0)
		; /* the same */
	else if (!was.len)
		changes_add(k->out, '+', effect, k->subject, "%s: %s", key, cut(&is));
	else if (!is.len)
		changes_add(k->out, '-', effect, k->subject, "%s: %s", key, cut(&was));
	else if (row->type == SCHEMA_MAP)
		changes_add(k->out, '~', effect, k->subject, "%s: changed", key);
	else
		changes_add(k->out, '~', effect, k->subject, "%s: %s -> %s", key, cut(&was), cut(&is));
	text_done(&was);
	text_done(&is);
}

/* A list of values: what is in one and not in the other. */
struct items {
	const char *at;
	size_t count;
};

static struct items items_of(const struct side *s, const struct schema_row *row)
{
	struct items i;

	memcpy(&i.at, s->base + row->at, sizeof(i.at));
	memcpy(&i.count, s->base + row->count_at, sizeof(i.count));
	return i;
}

/* Each item as it stands in the file; NULL without memory. */
static char **texts_of(struct arena *a, const struct side *s, const struct schema_row *row, struct items in)
{
	char **texts = arena_zalloc(a, (in.count + 1) * sizeof(*texts));
	struct text t;

	text_init(&t);
	for (size_t i = 0; texts && i < in.count; i++) {
		text_clear(&t);
		config_print_item(s->c, row, in.at + i * config_item_size(row), &t);
		texts[i] = arena_strdup(a, t.chars);
		if (!texts[i])
			texts = NULL;
	}
	text_done(&t);
	return texts;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* There may be a hundred thousand of each. */
static void missing_items(const struct compare *k, const struct schema_row *row, const char *key,
                          const struct side *from, const struct side *in, char sign)
{
	struct items a = items_of(from, row), b = items_of(in, row);
	struct arena arena;
	char **x, **y;

	arena_init(&arena, 0);
	x = texts_of(&arena, from, row, a);
	y = texts_of(&arena, in, row, b);
	if (x && y)
		qsort(y, b.count, sizeof(*y), compare_texts);
	else
		k->out->dropped++;
	for (size_t i = 0; x && y && i < a.count; i++) {
		struct text shown;

		if (bsearch(&x[i], y, b.count, sizeof(*y), compare_texts))
			continue;
		text_init(&shown);
		text_str(&shown, x[i]);
		changes_add(k->out, sign, effect_of(k->subject, row, key), k->subject, "%s: %s", key, cut(&shown));
		text_done(&shown);
	}
	arena_done(&arena);
}

/* ---- lists of mappings ---- */

static const struct schema_row *row_of(const struct schema_map *map, const char *key)
{
	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->rows[i].key, key) == 0)
			return &map->rows[i];
	return NULL;
}

/* By what two items are the same; empty: by all they say. */
static void identity(const struct config *c, const struct schema_map *map, const char *item, struct text *out)
{
	static const char *const keys[] = {"name", "zone", "address", "port"};
	struct text v;

	text_init(&v);
	text_clear(out);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct schema_row *row = row_of(map, keys[i]);

		if (!row || row->type == SCHEMA_MAP || (i == 3 && (!out->len || !row_of(map, "address"))))
			continue;
		text_clear(&v);
		config_print_row(c, row, item, &v);
		trim(&v);
		if (i == 3 && strcmp(v.chars, "179") == 0)
			continue;
		text_fmt(out, "%s%s", out->len ? " port " : "", v.chars);
		if (i < 2)
			break;
	}
	text_done(&v);
}

/* "a network" -> "network"; quotes of names are left out. */
static void subject_of(const struct compare *k, const struct schema_map *map, const char *name, char out[SUBJECT_MAX])
{
	const char *what = strncmp(map->what, "a ", 2) == 0    ? map->what + 2
	                   : strncmp(map->what, "an ", 3) == 0 ? map->what + 3
	                                                       : map->what;
	size_t n = (size_t)snprintf(out, SUBJECT_MAX, "%s%s%s ", k->subject, *k->subject ? " " : "", what);

	for (; *name && n + 1 < SUBJECT_MAX; name++)
		if (*name != '"')
			out[n++] = *name;
	out[MIN(n, (size_t)SUBJECT_MAX - 1)] = '\0';
}

static enum change_effect effect_of_item(const struct schema_map *map)
{
	return strcmp(map->what, "a neighbor") == 0 ? CHANGE_SESSION : CHANGE_PLAIN;
}

static const char *find_item(const struct schema_row *row, struct items in, char **names, const char *name)
{
	for (size_t i = 0; i < in.count; i++)
		if (strcmp(names[i], name) == 0)
			return in.at + i * row->map->size;
	return NULL;
}

static char **names_of(struct arena *a, const struct side *s, const struct schema_row *row, struct items in)
{
	char **names = arena_zalloc(a, (in.count + 1) * sizeof(*names));
	struct text t;

	text_init(&t);
	for (size_t i = 0; names && i < in.count; i++) {
		identity(s->c, row->map, in.at + i * row->map->size, &t);
		names[i] = arena_strdup(a, t.chars);
		if (!names[i])
			names = NULL;
	}
	text_done(&t);
	return names;
}

static void compare_items(const struct compare *k, const struct schema_row *row)
{
	struct items a = items_of(&k->was, row), b = items_of(&k->is, row);
	char **a_names, **b_names, subject[SUBJECT_MAX];
	struct arena names;

	arena_init(&names, 0);
	a_names = names_of(&names, &k->was, row, a);
	b_names = names_of(&names, &k->is, row, b);
	for (size_t i = 0; a_names && b_names && i < a.count; i++) {
		const char *item = a.at + i * row->map->size, *other = find_item(row, b, b_names, a_names[i]);

		subject_of(k, row->map, a_names[i], subject);
		if (!other) {
			changes_add(k->out, '-', effect_of_item(row->map), subject, "removed");
			continue;
		}
		compare_map(&(struct compare){k->out, {k->was.c, item}, {k->is.c, other}, row->map, subject, ""});
	}
	for (size_t i = 0; a_names && b_names && i < b.count; i++)
		if (!find_item(row, a, a_names, b_names[i])) {
			subject_of(k, row->map, b_names[i], subject);
			changes_add(k->out, '+', effect_of_item(row->map), subject, "added");
		}
	if (!a_names || !b_names)
		k->out->dropped++;
	arena_done(&names);
}

/* ---- zones ---- */

struct zone_table {
	const struct config *c;
	uint32_t *slots; /* index + 1 */
	size_t size;
};

static bool table_fill(struct zone_table *t, const struct config *c)
{
	*t = (struct zone_table){.c = c, .size = 16};
	while (t->size < c->zone_count * 2)
		t->size *= 2;
	t->slots = calloc(t->size, sizeof(*t->slots));
	for (size_t i = 0; t->slots && i < c->zone_count; i++) {
		size_t at = hash_keyed(c->hash, c->zones[i].apex, name_len(c->zones[i].apex)) & (t->size - 1);

		while (t->slots[at])
			at = (at + 1) & (t->size - 1);
		t->slots[at] = (uint32_t)i + 1;
	}
	return t->slots != NULL;
}

static const struct config_zone *table_find(const struct zone_table *t, const uint8_t *apex)
{
	size_t at = hash_keyed(t->c->hash, apex, name_len(apex)) & (t->size - 1);

	while (t->slots[at]) {
		const struct config_zone *z = &t->c->zones[t->slots[at] - 1];

		if (name_equal(z->apex, apex))
			return z;
		at = (at + 1) & (t->size - 1);
	}
	return NULL;
}

static void add_zone(struct changes *out, char sign, const struct config *c, const struct config_zone *z, size_t *shown)
{
	char subject[NAME_TEXT_MAX + 8], name[NAME_TEXT_MAX];

	if ((*shown)++ >= CHANGE_ZONES_SHOWN)
		return;
	name_to_text(z->apex, name);
	snprintf(subject, sizeof(subject), "zone %s", name);
	changes_add(out, sign, CHANGE_PLAIN, subject, "%s%s%s", sign == '+' ? "added" : "removed",
	            z->network != UINT32_MAX ? ", network " : "",
	            z->network != UINT32_MAX ? c->networks[z->network].name : "");
}

static void compare_zones(const struct compare *k, const struct schema_row *row)
{
	struct zone_table old, next;
	size_t gone = 0, fresh = 0, before = k->out->count, changed = 0;
	bool ok = table_fill(&old, k->was.c);

	ok = table_fill(&next, k->is.c) && ok;
	for (size_t i = 0; ok && i < k->was.c->zone_count; i++) {
		const struct config_zone *z = &k->was.c->zones[i], *other = table_find(&next, z->apex);
		char subject[NAME_TEXT_MAX + 8], name[NAME_TEXT_MAX];

		if (!other) {
			add_zone(k->out, '-', k->was.c, z, &gone);
			continue;
		}
		if (changed >= CHANGE_ZONES_SHOWN)
			continue;
		name_to_text(z->apex, name);
		snprintf(subject, sizeof(subject), "zone %s", name);
		before = k->out->count;
		compare_map(&(struct compare){
			k->out, {k->was.c, (const char *)z}, {k->is.c, (const char *)other}, row->map, subject, ""});
		changed += k->out->count > before;
	}
	for (size_t i = 0; ok && i < k->is.c->zone_count; i++)
		if (!table_find(&old, k->is.c->zones[i].apex))
			add_zone(k->out, '+', k->is.c, &k->is.c->zones[i], &fresh);
	if (gone > CHANGE_ZONES_SHOWN)
		changes_add(k->out, '-', CHANGE_PLAIN, "zones", "and %zu more removed", gone - CHANGE_ZONES_SHOWN);
	if (fresh > CHANGE_ZONES_SHOWN)
		changes_add(k->out, '+', CHANGE_PLAIN, "zones", "and %zu more added", fresh - CHANGE_ZONES_SHOWN);
	if (changed >= CHANGE_ZONES_SHOWN)
		changes_add(k->out, '~', CHANGE_PLAIN, "zones", "more may have changed: only the first %d are listed",
		            CHANGE_ZONES_SHOWN);
	if (!ok)
		k->out->dropped++;
	free(old.slots);
	free(next.slots);
}

/* ---- all ---- */

static bool has_identity(const struct schema_map *map)
{
	return row_of(map, "name") || row_of(map, "zone") || row_of(map, "address");
}

static void compare_row(const struct compare *k, const struct schema_row *row)
{
	char key[KEY_MAX];
	bool root = k->map == &schema_root;

	snprintf(key, sizeof(key), "%s%s", k->prefix, row->key);
	if (root && strcmp(row->key, "zones") == 0) {
		compare_zones(k, row);
	} else if (row->type == SCHEMA_MAP && row->list && has_identity(row->map) && strcmp(row->key, "filters") != 0) {
		compare_items(k, row);
	} else if (row->type == SCHEMA_MAP && !row->list &&
	           config_row_unset(row, k->was.base) == config_row_unset(row, k->is.base)) {
		char below[KEY_MAX];

		snprintf(below, sizeof(below), "%.100s.", key);
		compare_map(&(struct compare){k->out,
		                              {k->was.c, k->was.base + row->at},
		                              {k->is.c, k->is.base + row->at},
		                              row->map,
		                              k->subject,
		                              below});
	} else if (row->list && row->type != SCHEMA_MAP && row->type != SCHEMA_FAMILIES &&
	           row->type != SCHEMA_NEXT_HOP) {
		missing_items(k, row, key, &k->was, &k->is, '-');
		missing_items(k, row, key, &k->is, &k->was, '+');
	} else {
		compare_value(k, row, key);
	}
}

static void compare_map(const struct compare *k)
{
	for (size_t i = 0; i < k->map->count; i++)
		compare_row(k, &k->map->rows[i]);
}

void config_changes(const struct config *old, const struct config *next, struct changes *out)
{
	compare_map(&(struct compare){out, {old, (const char *)old}, {next, (const char *)next}, &schema_root, "", ""});
}
