/* SPDX-License-Identifier: BSD-2-Clause */
/* Mappings and lists through the rows of the schema. A mapping is read in the order of its rows, not of the file. */
#include "config/read.h"

#include "base/suggest.h"

#include <stdio.h>
#include <string.h>

enum { READ_ROWS_MAX = 32, READ_LIST_TEXT_MAX = 400 };

static const char *const words_family[] = {"ipv4", "ipv6", NULL};

size_t config_item_size(const struct schema_row *row)
{
	switch (row->type) {
	case SCHEMA_ADDR:
		return sizeof(struct ip_addr);
	case SCHEMA_PREFIX:
		return sizeof(struct ip_prefix);
	case SCHEMA_ENDPOINT:
	case SCHEMA_SERVER:
		return sizeof(struct endpoint);
	case SCHEMA_NETWORK:
	case SCHEMA_NODE:
	case SCHEMA_COMMUNITY:
		return sizeof(uint32_t);
	case SCHEMA_LARGE_COMMUNITY:
		return sizeof(struct config_large_community);
	case SCHEMA_RRTYPE:
	case SCHEMA_COUNTRY:
	case SCHEMA_CONTINENT:
		return sizeof(uint16_t);
	case SCHEMA_FILE:
	case SCHEMA_TEXT:
	case SCHEMA_IDENT:
	case SCHEMA_DOMAIN:
		return sizeof(const char *);
	case SCHEMA_WORD:
	case SCHEMA_UINT:
		return row->width;
	case SCHEMA_MAP:
		return row->map->size;
	default:
		return 0; /* the schema has no other lists */
	}
}

static void unknown_key(const struct config_read *r, const struct schema_map *map, const struct tree *key)
{
	const char *names[READ_ROWS_MAX];
	char all[READ_LIST_TEXT_MAX] = "";
	size_t used = 0;
	const char *near;

	for (size_t i = 0; i < map->count; i++) {
		names[i] = map->rows[i].key;
		if (used < sizeof(all))
			used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", names[i]);
	}
	near = suggest_closest(key->text, names, map->count);
	if (near)
		tree_error(r->src, key, "unknown key \"%.80s\" in %s: did you mean \"%s\"?", key->text, map->what,
		           near);
	else
		tree_error(r->src, key, "unknown key \"%.80s\" in %s: its keys are %s", key->text, map->what, all);
}

/* "name: fra, ..." for messages about a mapping that lacks something: which one is meant */
static const char *name_of(const struct tree *t)
{
	const struct tree *name = tree_get(t, "name");

	if (!name)
		name = tree_get(t, "address");
	return name && name->kind == TREE_SCALAR && name->len ? name->text : NULL;
}

static void missing_key(const struct config_read *r, const struct schema_map *map, const struct schema_row *row,
                        const struct tree *t)
{
	const char *name = name_of(t);

	if (name && strcmp(row->key, "name") != 0)
		tree_error(r->src, t, "%s \"%.80s\" has no \"%s\" (%s)", map->what, name, row->key, row->help);
	else
		tree_error(r->src, t, "%s has no \"%s\" (%s)", map->what, row->key, row->help);
}

static bool want_list(const struct config_read *r, const struct schema_row *row, const struct tree *t)
{
	if (t->kind == TREE_LIST) {
		if (t->count <= row->limit)
			return true;
		tree_error(r->src, t, "\"%s\" has %u items: at most %u are allowed", row->key, t->count, row->limit);
		return false;
	}
	if (t->kind == TREE_SCALAR && t->len && row->type != SCHEMA_MAP)
		tree_error(r->src, t, "\"%s\" is a list: write [%.80s]", row->key, t->text);
	else if (t->kind == TREE_SCALAR && !t->len)
		tree_error(r->src, t, "\"%s\" is empty: write [] for an empty list, or remove the key", row->key);
	else
		tree_error(r->src, t, "\"%s\" is a list: begin each item with a dash", row->key);
	return false;
}

static void read_server(const struct config_read *r, const struct schema_row *row, const struct tree *t,
                        struct endpoint *out)
{
	struct schema_server s = {.tls = UINT32_MAX};

	config_read_map(r, row->map, t, &s);
	*out = (struct endpoint){.addr = s.address,
	                         .port = s.port,
	                         .tls = (uint16_t)(s.tls == UINT32_MAX ? 0 : s.tls + 1)};
}

static void read_list(const struct config_read *r, const struct schema_row *row, const struct tree *t, char *base)
{
	size_t size = config_item_size(row), count = t->count, i = 0;
	char *items = arena_zalloc(r->arena, size * (count ? count : 1));

	if (!items)
		return;
	if (row->required && count == 0)
		tree_error(r->src, t, "\"%s\" is empty (%s)", row->key, row->help);
	/* Set before the items are read, so that these may refer to each other's container. */
	memcpy(base + row->at, &items, sizeof(items));
	memcpy(base + row->count_at, &count, sizeof(count));
	for (const struct tree *item = t->first; item && !diag_full(r->src->diag); item = item->next, i++) {
		if (row->type == SCHEMA_MAP)
			config_read_map(r, row->map, item, items + i * size);
		else if (row->type == SCHEMA_SERVER && item->kind == TREE_MAP)
			read_server(r, row, item, (struct endpoint *)(void *)(items + i * size));
		else
			(void)config_read_value(r, row, item, items + i * size);
	}
}

static void read_families(const struct config_read *r, const struct schema_row *row, const struct tree *t, char *base)
{
	const struct schema_row word = {.key = row->key, .type = SCHEMA_WORD, .width = 1, .words = words_family};
	bool on[2] = {false, false};

	for (const struct tree *item = t->first; item; item = item->next) {
		uint8_t which;

		if (config_read_value(r, &word, item, &which))
			on[which] = true;
	}
	if (!t->count)
		tree_error(r->src, t, "\"%s\" is empty: write [ipv4], [ipv6], or remove the key for both", row->key);
	memcpy(base + row->at, &on[0], sizeof(bool));
	memcpy(base + row->flag_at, &on[1], sizeof(bool));
}

static void read_next_hops(const struct config_read *r, const struct schema_row *row, const struct tree *t, char *base)
{
	for (const struct tree *item = t->first; item; item = item->next) {
		struct ip_addr a, *to;

		if (!config_read_value(r, row, item, &a))
			continue;
		to = (struct ip_addr *)(void *)(base + (a.family == 4 ? row->at : row->count_at));
		if (to->family)
			tree_error(r->src, item, "\"%s\" has two IPv%u addresses: at most one a family", row->key,
			           a.family);
		*to = a;
	}
}

static void read_default(const struct config_read *r, const struct schema_row *row, char *base)
{
	struct tree t = {.kind = TREE_SCALAR, .text = row->value};
	uint32_t none = UINT32_MAX;
	bool yes = true;

	if (row->type == SCHEMA_MAP && !row->list) {
		config_read_map(r, row->map, NULL, base + row->at);
	} else if (row->type == SCHEMA_FAMILIES) {
		memcpy(base + row->at, &yes, sizeof(yes));
		memcpy(base + row->flag_at, &yes, sizeof(yes));
	} else if ((row->type == SCHEMA_NETWORK || row->type == SCHEMA_KEY || row->type == SCHEMA_TLS ||
	            row->type == SCHEMA_POOL || row->type == SCHEMA_BACKENDS) &&
	           !row->list) {
		memcpy(base + row->at, &none, sizeof(none));
	} else if (row->value) {
		t.len = (uint32_t)strlen(row->value);
		config_read_value(r, row, &t, base + row->at);
	}
}

static void read_row(const struct config_read *r, const struct schema_row *row, const struct tree *t, char *base)
{
	bool yes = true;

	if (row->list && !want_list(r, row, t))
		return;
	if (row->type == SCHEMA_FAMILIES)
		read_families(r, row, t, base);
	else if (row->type == SCHEMA_NEXT_HOP)
		read_next_hops(r, row, t, base);
	else if (row->list)
		read_list(r, row, t, base);
	else if (row->type == SCHEMA_MAP)
		config_read_map(r, row->map, t, base + row->at);
	else if (row->type == SCHEMA_LINK_ADDR)
		config_read_link_addr(r, row, t, base);
	else
		config_read_value(r, row, t, base + row->at);
	if (row->flag_at && row->type != SCHEMA_FAMILIES)
		memcpy(base + row->flag_at, &yes, sizeof(yes));
}

void config_read_map(const struct config_read *r, const struct schema_map *map, const struct tree *t, void *base)
{
	const struct tree *keys[READ_ROWS_MAX] = {0};

	if (t && t->kind != TREE_MAP) {
		if (t->kind == TREE_SCALAR && t->len == 0)
			tree_error(r->src, t, "%s is empty", map->what);
		else
			tree_error(r->src, t, "%s is a mapping: write its keys, such as \"%s: ...\"", map->what,
			           map->rows[0].key);
		return;
	}
	for (const struct tree *k = t ? t->first : NULL; k; k = k->next->next) {
		size_t i = 0;

		while (i < map->count && strcmp(map->rows[i].key, k->text) != 0)
			i++;
		if (i == map->count)
			unknown_key(r, map, k);
		else if (keys[i])
			tree_error(r->src, k, "\"%s\" is here twice; the first is in line %u", k->text, keys[i]->line);
		else
			keys[i] = k;
	}
	for (size_t i = 0; i < map->count && !diag_full(r->src->diag); i++) {
		const struct schema_row *row = &map->rows[i];

		if (keys[i])
			read_row(r, row, keys[i]->next, base);
		else if (t && row->required)
			missing_key(r, map, row, t);
		else
			read_default(r, row, base);
	}
}
