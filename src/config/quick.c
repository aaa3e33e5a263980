/* SPDX-License-Identifier: BSD-2-Clause */
/* A fleet of 100,000 zones is a file of 100,000 nearly equal lines, and libyaml makes some fifteen tokens and events with a malloc each of every
 * one: a third of a second, at each start and in each role. This file knows one list, the top-level "zones:", in two shapes:
 *
 *	  - {name: example.com, file: "zones/example.com.zone", primaries: [192.0.2.1]}
 *
 *	  - name: example.com
 *	    file: zones/example.com.zone
 *
 * with keys of small letters and hyphens, values of harmless ASCII on one line, plain or in quotes without an escape, comments and empty lines
 * between. Everything else (tabs, carriage returns, escapes, text over several lines, nested lists, other indentation, a key without a value, any
 * mistake) makes it give up, and the whole file goes through libyaml. So there is one judge of what YAML is, all errors are its own, and a
 * unit test and a fuzz target hold the two readings to the same tree, places included.
 *
 * tree.c hands libyaml the rest of the file and looks that the key came out as one of the document's own with no value; that is what tells a
 * list from the inside of some text that looks like one. */
#include "config/quick.h"

#include <string.h>

enum { QUICK_KEYS = 8 /* of them the text is kept once */ };

struct scan {
	const char *at, *end; /* of the file */
	const char *line;     /* where the line begins */
	uint32_t number;      /* of the line */
	struct arena *arena;
	size_t nodes;
	const char *keys[QUICK_KEYS];
	size_t key_count;
};

/* A node that begins at the scan's place. */
static struct tree *node(struct scan *s, enum tree_kind kind)
{
	struct tree *t = arena_alloc_aligned(s->arena, sizeof(*t), _Alignof(struct tree));

	if (t)
		*t = (struct tree){.kind = (uint8_t)kind, .line = s->number, .column = (uint32_t)(s->at - s->line) + 1};
	s->nodes++;
	return t;
}

static void spaces(struct scan *s)
{
	while (s->at < s->end && *s->at == ' ')
		s->at++;
}

static bool next_is(const struct scan *s, char c)
{
	return s->at < s->end && *s->at == c;
}

static bool skip(struct scan *s, char c)
{
	if (!next_is(s, c))
		return false;
	s->at++;
	return true;
}

enum { IN_DOUBLE = 1, IN_SINGLE = 2, QUOTED = IN_DOUBLE | IN_SINGLE, PLAIN = 4, ANYWHERE = PLAIN | QUOTED };

/* What may stand in a plain value wherever that stands, and mean nothing but itself; what may stand between quotes. */
static const uint8_t harmless[256] = {
	[' ' ... '!'] = QUOTED, ['"'] = IN_SINGLE,        ['#' ... '&'] = QUOTED, ['\''] = IN_DOUBLE,
	['(' ... ','] = QUOTED, ['-' ... '9'] = ANYWHERE, [':' ... '@'] = QUOTED, ['A' ... 'Z'] = ANYWHERE,
	['['] = QUOTED,         ['\\'] = IN_SINGLE,       [']' ... '^'] = QUOTED, ['_'] = ANYWHERE,
	['`'] = QUOTED,         ['a' ... 'z'] = ANYWHERE, ['{' ... '~'] = QUOTED,
};

/* The end of the line, before which there may be a comment. */
static bool line_end(struct scan *s)
{
	const char *before = s->at;

	spaces(s);
	if (next_is(s, '#') && (s->at > before || s->at == s->line))
		while (s->at < s->end && *s->at != '\n')
			s->at++;
	if (s->at == s->end)
		return true;
	if (*s->at != '\n')
		return false;
	s->line = ++s->at;
	s->number++;
	return true;
}

/* Lines that say nothing. */
static void empty_lines(struct scan *s)
{
	while (s->at < s->end) {
		struct scan probe = *s;

		spaces(&probe);
		if (probe.at < probe.end && *probe.at != '\n' && *probe.at != '#')
			return;
		probe.at = s->at;
		if (!line_end(&probe))
			return;
		*s = probe;
	}
}

static struct tree *scalar(struct scan *s)
{
	char quote = s->at < s->end && (*s->at == '"' || *s->at == '\'') ? *s->at : '\0';
	uint8_t kind = quote == '"' ? IN_DOUBLE : quote ? IN_SINGLE : PLAIN;
	struct tree *t = node(s, TREE_SCALAR);
	const char *text, *at;

	s->at += quote != '\0';
	text = at = s->at;
	if (kind != PLAIN || !next_is(s, '-'))
		while (at < s->end && harmless[(uint8_t)*at] & kind)
			at++;
	s->at = at;
	if (!t || at - text > TREE_SCALAR_MAX || (!quote && at == text))
		return NULL;
	t->quoted = quote != '\0';
	t->len = (uint32_t)(s->at - text);
	t->text = arena_strndup(s->arena, text, t->len);
	return t->text && (!quote || skip(s, quote)) ? t : NULL;
}

static struct tree *value(struct scan *s)
{
	struct tree *list, **link;

	if (!next_is(s, '['))
		return scalar(s);
	list = node(s, TREE_LIST);
	if (!list)
		return NULL;
	link = &list->first;
	do {
		s->at++; /* the bracket or comma */
		spaces(s);
		*link = scalar(s);
		if (!*link)
			return NULL;
		link = &(*link)->next;
		list->count++;
		spaces(s);
	} while (next_is(s, ','));
	return skip(s, ']') ? list : NULL;
}

static struct tree *key(struct scan *s)
{
	struct tree *t = node(s, TREE_SCALAR);
	const char *text = s->at;
	size_t i;

	while (s->at < s->end && ((*s->at >= 'a' && *s->at <= 'z') || (*s->at == '-' && s->at > text)))
		s->at++;
	if (!t || s->at == text || s->at - text > 64)
		return NULL;
	t->len = (uint32_t)(s->at - text);
	for (i = 0; i < s->key_count; i++)
		if (strncmp(s->keys[i], text, t->len) == 0 && !s->keys[i][t->len])
			break;
	t->text = i < s->key_count ? s->keys[i] : arena_strndup(s->arena, text, t->len);
	if (i == s->key_count && i < QUICK_KEYS && t->text)
		s->keys[s->key_count++] = t->text;
	return t->text && skip(s, ':') && next_is(s, ' ') ? t : NULL;
}

/* "key: value", as the map's next two children. */
static struct tree **pair(struct scan *s, struct tree *map, struct tree **link)
{
	*link = key(s);
	if (!*link)
		return NULL;
	link = &(*link)->next;
	spaces(s);
	*link = value(s);
	map->count += 2;
	return *link ? &(*link)->next : NULL;
}

static bool flow_item(struct scan *s, struct tree *map)
{
	struct tree **link = &map->first;

	do {
		s->at++; /* the brace or comma */
		spaces(s);
		link = pair(s, map, link);
		if (!link)
			return false;
		spaces(s);
	} while (next_is(s, ','));
	return skip(s, '}') && line_end(s);
}

static bool block_item(struct scan *s, struct tree *map)
{
	struct tree **link = &map->first;

	for (;;) {
		const char *line;

		link = pair(s, map, link);
		if (!link || !line_end(s))
			return false;
		empty_lines(s);
		line = s->at;
		spaces(s);
		if (s->at - line != (ptrdiff_t)map->column - 1 || s->at == s->end || *s->at == '-') {
			s->at = line;
			return true;
		}
	}
}

static struct tree *item(struct scan *s)
{
	struct tree *map;

	if (!skip(s, '-') || !next_is(s, ' '))
		return NULL;
	spaces(s);
	map = node(s, TREE_MAP);
	if (!map)
		return NULL;
	return (next_is(s, '{') ? flow_item(s, map) : block_item(s, map)) ? map : NULL;
}

static bool items(struct scan *s, struct quick *q)
{
	struct tree **link = NULL;
	ptrdiff_t indent = 0;

	for (;;) {
		const char *line;

		empty_lines(s);
		if (s->at == s->end || (*s->at >= 'a' && *s->at <= 'z'))
			return q->list != NULL;
		line = s->at;
		spaces(s);
		if (!q->list) {
			indent = s->at - line;
			q->list = node(s, TREE_LIST);
			if (!q->list)
				return false;
			link = &q->list->first;
		}
		*link = s->at - line == indent ? item(s) : NULL;
		if (!*link)
			return false;
		link = &(*link)->next;
		q->list->count++;
	}
}

/* To the line behind that of the key. */
static bool find_key(const struct tree_source *src, struct scan *s, struct quick *q)
{
	static const char head[] = QUICK_KEY ":";

	s->at = s->line = src->bytes;
	s->end = src->bytes + src->len;
	s->number = 1;
	while (s->at < s->end) {
		const char *eol = memchr(s->at, '\n', (size_t)(s->end - s->at));

		if ((size_t)(s->end - s->at) >= sizeof(head) && memcmp(s->at, head, sizeof(head) - 1) == 0)
			break;
		if (!eol)
			return false;
		s->at = s->line = eol + 1;
		s->number++;
	}
	if (s->at == s->end)
		return false;
	s->at += sizeof(head) - 1;
	q->line = s->number;
	if (!line_end(s))
		return false;
	q->from = (size_t)(s->at - src->bytes);
	return true;
}

bool quick_find(const struct tree_source *src, struct quick *out)
{
	struct scan s = {0};
	struct quick q = {0};

	if (!find_key(src, &s, &q))
		return false;
	while (s.at < s.end && !(*s.at >= 'a' && *s.at <= 'z')) {
		const char *eol = memchr(s.at, '\n', (size_t)(s.end - s.at));

		s.at = eol ? eol + 1 : s.end;
	}
	q.to = (size_t)(s.at - src->bytes);
	*out = q;
	return true;
}

bool quick_list(const struct tree_source *src, struct arena *arena, struct quick *out)
{
	struct scan s = {.arena = arena};
	struct quick q = {0};

	if (!find_key(src, &s, &q) || !items(&s, &q) || s.nodes > TREE_NODES_MAX)
		return false;
	q.to = (size_t)(s.at - src->bytes);
	q.lines = s.number - q.line - 1;
	q.nodes = s.nodes;
	*out = q;
	return true;
}
