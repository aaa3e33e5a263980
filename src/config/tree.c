/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes to tree, over libyaml's events. What YAML can do beyond what a configuration needs is refused, with its place: aliases and
 * anchors (their expansion is how small files become huge ones), tags, several documents, keys that are not scalars. Text is checked
 * before libyaml sees it: UTF-8 only, no control characters, lines end in LF or CR LF, so that lines and columns in messages are
 * those of every editor. */
#include "config/tree.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum { TREE_MESSAGE_MAX = 900 };

/* YAML's columns count characters, diag's count bytes. Only called for messages, so a walk through the bytes is cheap enough. */
static unsigned byte_column(const struct tree_source *src, unsigned line, unsigned column)
{
	const char *p = src->bytes, *end = src->bytes + src->len;

	if (src->ascii)
		return column;
	for (unsigned at = 1; at < line && p < end; at++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		p = nl ? nl + 1 : end;
	}
	const char *start = p;

	for (unsigned c = 1; c < column && p < end && *p != '\n'; c++) {
		p++;
		while (p < end && ((unsigned char)*p & 0xc0) == 0x80)
			p++;
	}
	return (unsigned)(p - start) + 1;
}

static PRINTF_LIKE(4, 0) void message(const struct tree_source *src, enum diag_severity severity, const struct tree *t,
                                      const char *fmt, va_list ap)
{
	char text[TREE_MESSAGE_MAX];

	vsnprintf(text, sizeof(text), fmt, ap);
	diag_add(src->diag, severity, src->path, t ? t->line : 0, t ? byte_column(src, t->line, t->column) : 0, "%s",
	         text);
}

void tree_error(const struct tree_source *src, const struct tree *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(src, DIAG_ERROR, t, fmt, ap);
	va_end(ap);
}

void tree_warning(const struct tree_source *src, const struct tree *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(src, DIAG_WARNING, t, fmt, ap);
	va_end(ap);
}

/* Octets of the UTF-8 character at p (RFC 3629: shortest form, no surrogates), 0 when it is none. */
static size_t utf8_len(const unsigned char *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static int check_text(struct tree_source *src)
{
	const unsigned char *p = (const unsigned char *)src->bytes;
	size_t i = 0, line_start = 0;
	unsigned line = 1;

	src->ascii = true;
	while (i < src->len) {
		unsigned char c = p[i];
		size_t n = 1;
		const char *what = NULL;

		if (c >= 0x20 && c < 0x7f) {
			i++;
			continue;
		}
		if (c == '\n') {
			line++;
			line_start = ++i;
			continue;
		}
		if (c >= 0x80) {
			src->ascii = false;
			n = utf8_len(p + i, src->len - i);
			if (n == 0)
				what = "this is not UTF-8 text: save the file in UTF-8";
			else if ((c == 0xc2 && p[i + 1] < 0xa0) ||
			         (c == 0xe2 && p[i + 1] == 0x80 && (p[i + 2] & 0xfe) == 0xa8))
				what = "a control or line separator character: remove it";
		} else if (c == '\0') {
			what = "a NUL byte: is this a text file?";
		} else if (c == '\r' ? i + 1 == src->len || p[i + 1] != '\n' : c != '\t') {
			what = c == '\r' ? "a carriage return without a line feed: end lines with a line feed"
			                 : "a control character: remove it";
		}
		if (what) {
			diag_add(src->diag, DIAG_ERROR, src->path, line, (unsigned)(i - line_start) + 1, "%s", what);
			return ERR_INVALID;
		}
		i += n;
	}
	return 0;
}

struct builder {
	struct tree_source *src;
	struct arena *arena;
	struct tree *open[TREE_DEPTH_MAX];
	struct tree *last[TREE_DEPTH_MAX]; /* of open[i]'s children */
	int depth;
	size_t nodes;
	struct tree *root;
};

static struct tree place_of(yaml_mark_t mark)
{
	return (struct tree){.line = (uint32_t)mark.line + 1, .column = (uint32_t)mark.column + 1};
}

/* A new node as the next child of the innermost open list or map. */
static int add(struct builder *b, enum tree_kind kind, const yaml_event_t *e, struct tree **out)
{
	struct tree place = place_of(e->start_mark);
	struct tree *parent = b->depth ? b->open[b->depth - 1] : NULL;
	struct tree *t;

	if (b->nodes++ >= TREE_NODES_MAX) {
		tree_error(b->src, &place, "more than %d values: this cannot be a configuration", TREE_NODES_MAX);
		return ERR_INVALID;
	}
	if (parent && parent->kind == TREE_MAP && parent->count % 2 == 0 && kind != TREE_SCALAR) {
		tree_error(b->src, &place, "a key must be a word; quote it if it begins with [ or {");
		return ERR_INVALID;
	}
	t = arena_alloc_aligned(b->arena, sizeof(*t), _Alignof(struct tree));
	if (!t)
		return ERR_NO_MEMORY;
	*t = place;
	t->kind = (uint8_t)kind;
	if (!parent)
		b->root = t;
	else if (b->last[b->depth - 1])
		b->last[b->depth - 1]->next = t;
	else
		parent->first = t;
	if (parent) {
		b->last[b->depth - 1] = t;
		parent->count++;
	}
	*out = t;
	return 0;
}

static int add_scalar(struct builder *b, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	struct tree place = place_of(e->start_mark);
	struct tree *t;
	int rc;

	if (len > TREE_SCALAR_MAX) {
		tree_error(b->src, &place, "a value of %zu octets; at most %d are allowed", len, TREE_SCALAR_MAX);
		return ERR_INVALID;
	}
	/* "\0" in double quotes */
	if (memchr(text, '\0', len)) {
		tree_error(b->src, &place, "a value with a NUL character inside");
		return ERR_INVALID;
	}
	rc = add(b, TREE_SCALAR, e, &t);
	if (rc < 0)
		return rc;
	t->text = arena_strndup(b->arena, text, len);
	t->len = (uint32_t)len;
	t->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	return t->text ? 0 : ERR_NO_MEMORY;
}

static int add_open(struct builder *b, enum tree_kind kind, const yaml_event_t *e)
{
	struct tree place = place_of(e->start_mark);
	struct tree *t;
	int rc;

	if (b->depth == TREE_DEPTH_MAX) {
		tree_error(b->src, &place, "nested more than %d deep: no option is", TREE_DEPTH_MAX);
		return ERR_INVALID;
	}
	rc = add(b, kind, e, &t);
	if (rc < 0)
		return rc;
	b->open[b->depth] = t;
	b->last[b->depth++] = NULL;
	return 0;
}

static int refuse(struct builder *b, const yaml_event_t *e, const char *what)
{
	struct tree place = place_of(e->start_mark);

	tree_error(b->src, &place, "%s", what);
	return ERR_INVALID;
}

#define NO_ANCHOR "anchors (&name) are not supported: write the value out where it is used"
#define NO_TAG    "tags (!name) are not supported: remove it"

static int take(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_ALIAS_EVENT:
		return refuse(
			b, e,
			"aliases (*name) are not supported: write the value out; an asterisk itself needs quotes");
	case YAML_SCALAR_EVENT:
		if (e->data.scalar.anchor)
			return refuse(b, e, NO_ANCHOR);
		if (e->data.scalar.tag)
			return refuse(b, e, NO_TAG);
		return add_scalar(b, e);
	case YAML_SEQUENCE_START_EVENT:
		if (e->data.sequence_start.anchor)
			return refuse(b, e, NO_ANCHOR);
		if (e->data.sequence_start.tag)
			return refuse(b, e, NO_TAG);
		return add_open(b, TREE_LIST, e);
	case YAML_MAPPING_START_EVENT:
		if (e->data.mapping_start.anchor)
			return refuse(b, e, NO_ANCHOR);
		if (e->data.mapping_start.tag)
			return refuse(b, e, NO_TAG);
		return add_open(b, TREE_MAP, e);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return 0;
	case YAML_DOCUMENT_START_EVENT:
		if (b->root)
			return refuse(b, e, "a second document (---): the configuration is one document");
		return 0;
	default:
		return 0;
	}
}

/* libyaml's own complaint, with the context it gives. */
static void syntax_error(const struct tree_source *src, const yaml_parser_t *p)
{
	const char *problem = p->problem ? p->problem : "not YAML";
	struct tree place = place_of(p->problem_mark);
	const char *hint = "";

	if (strstr(problem, "start any token"))
		hint = ": values that begin with @, `, % or a tab need quotes; indent with spaces";
	else if (strstr(problem, "mapping values are not allowed"))
		hint = ": a value with \": \" in it needs quotes, and every \"key: value\" its own line or a comma";
	if (p->context && p->context_mark.line != p->problem_mark.line)
		tree_error(src, &place, "%s (%s that begins in line %zu)%s", problem, p->context,
		           p->context_mark.line + 1, hint);
	else
		tree_error(src, &place, "%s%s", problem, hint);
}

int tree_parse(struct tree_source *src, struct arena *arena, struct tree **out)
{
	struct builder b = {.src = src, .arena = arena};
	yaml_parser_t parser;
	bool done = false;
	int rc = check_text(src);

	if (rc < 0)
		return rc;
	if (!yaml_parser_initialize(&parser))
		return ERR_NO_MEMORY;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)src->bytes, src->len);
	while (rc == 0 && !done) {
		yaml_event_t e;

		if (!yaml_parser_parse(&parser, &e)) {
			rc = parser.error == YAML_MEMORY_ERROR ? ERR_NO_MEMORY : ERR_INVALID;
			if (rc == ERR_INVALID)
				syntax_error(src, &parser);
			break;
		}
		done = e.type == YAML_STREAM_END_EVENT;
		rc = take(&b, &e);
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&parser);
	if (rc < 0)
		return rc;
	*out = b.root;
	return 0;
}

const struct tree *tree_get(const struct tree *t, const char *key)
{
	if (!t || t->kind != TREE_MAP)
		return NULL;
	for (const struct tree *k = t->first; k; k = k->next->next)
		if (strcmp(k->text, key) == 0)
			return k->next;
	return NULL;
}

const struct tree *tree_item(const struct tree *t, size_t i)
{
	const struct tree *item = t && t->kind == TREE_LIST ? t->first : NULL;

	while (item && i--)
		item = item->next;
	return item ? item : t;
}
