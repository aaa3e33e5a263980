/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes to tree, over libyaml's events. What YAML can do beyond what a configuration needs is refused, with its place: aliases and
 * anchors (their expansion is how small files become huge ones), tags, several documents, keys that are not scalars. Text is checked
 * before libyaml sees it: UTF-8 only, no control characters, lines end in LF or CR LF, so that lines and columns in messages are
 * those of every editor. A long list of zones in plain form is read without libyaml: see quick.c. */
#include "config/tree.h"

#include "base/err.h"
#include "base/text.h"
#include "config/quick.h"

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

/* Eight octets, each from 0x20 to 0x7e? Adding 1 carries 0x7f into the high bit, subtracting 0x20 borrows it from what is less; a borrow that
 * reaches a neighbour begins in an octet that is wrong itself. */
static bool all_printable(const unsigned char *p)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return ((v | (v + ones) | (v - 0x20 * ones)) & 0x80 * ones) == 0;
}

/* The octets from..to, at the beginning of a line. */
static int check_part(struct tree_source *src, size_t from, size_t to)
{
	const unsigned char *p = (const unsigned char *)src->bytes;
	size_t i = from, line_start = from;
	unsigned line = 1;

	while (i < to) {
		unsigned char c;
		size_t n = 1;
		const char *what = NULL;

		while (to - i >= sizeof(uint64_t) && all_printable(p + i))
			i += sizeof(uint64_t);
		if (i == to)
			break;
		c = p[i];
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
			n = text_utf8_len(src->bytes + i, to - i);
			if (n == 0)
				what = "this is not UTF-8 text: save the file in UTF-8";
			else if ((c == 0xc2 && p[i + 1] < 0xa0) ||
			         (c == 0xe2 && p[i + 1] == 0x80 && (p[i + 2] & 0xfe) == 0xa8))
				what = "a control or line separator character: remove it";
		} else if (c == '\0') {
			what = "a NUL byte: is this a text file?";
		} else if (c == '\r' ? i + 1 == to || p[i + 1] != '\n' : c != '\t') {
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

static int check_text(struct tree_source *src)
{
	src->ascii = true;
	return check_part(src, 0, src->len);
}

struct builder {
	struct tree_source *src;
	struct arena *arena;
	struct tree *open[TREE_DEPTH_MAX];
	struct tree *last[TREE_DEPTH_MAX]; /* of open[i]'s children */
	int depth;
	size_t nodes;
	struct tree *root;
	const struct quick *cut; /* lines that libyaml does not see, or NULL */
	size_t fed;              /* octets it has seen */
};

static struct tree place_of(const struct builder *b, yaml_mark_t mark)
{
	uint32_t line = (uint32_t)mark.line + 1;

	if (b->cut && line > b->cut->line)
		line += b->cut->lines;
	return (struct tree){.line = line, .column = (uint32_t)mark.column + 1};
}

/* A new node as the next child of the innermost open list or map. */
static int add(struct builder *b, enum tree_kind kind, const yaml_event_t *e, struct tree **out)
{
	struct tree place = place_of(b, e->start_mark);
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
	struct tree place = place_of(b, e->start_mark);
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
	struct tree place = place_of(b, e->start_mark);
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
	struct tree place = place_of(b, e->start_mark);

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
static void syntax_error(const struct builder *b, const yaml_parser_t *p)
{
	const struct tree_source *src = b->src;
	const char *problem = p->problem ? p->problem : "not YAML";
	struct tree place = place_of(b, p->problem_mark);
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

static int feed(void *ctx, unsigned char *buffer, size_t size, size_t *got)
{
	struct builder *b = ctx;
	size_t end = b->cut && b->fed < b->cut->from ? b->cut->from : b->src->len;

	*got = MIN(size, end - b->fed);
	memcpy(buffer, b->src->bytes + b->fed, *got);
	b->fed += *got;
	if (b->cut && b->fed == b->cut->from)
		b->fed = b->cut->to;
	return 1;
}

static int build(struct builder *b)
{
	yaml_parser_t parser;
	bool done = false;
	int rc = 0;

	if (!yaml_parser_initialize(&parser))
		return ERR_NO_MEMORY;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input(&parser, feed, b);
	while (rc == 0 && !done) {
		yaml_event_t e;

		if (!yaml_parser_parse(&parser, &e)) {
			rc = parser.error == YAML_MEMORY_ERROR ? ERR_NO_MEMORY : ERR_INVALID;
			if (rc == ERR_INVALID)
				syntax_error(b, &parser);
			break;
		}
		done = e.type == YAML_STREAM_END_EVENT;
		rc = take(b, &e);
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&parser);
	return rc;
}

/* The key whose list was cut out, in a block mapping that is the whole document. Anywhere else its lines were no list. */
static struct tree *cut_key(const struct tree *root, const struct quick *q)
{
	const struct tree *first = root && root->kind == TREE_MAP ? root->first : NULL;

	if (!first || root->line != first->line || root->column != first->column || first->column != 1)
		return NULL;
	for (struct tree *k = root->first; k; k = k->next->next)
		if (k->line == q->line && k->column == 1)
			return !k->quoted && strcmp(k->text, QUICK_KEY) == 0 && k->next->kind == TREE_SCALAR &&
			                       !k->next->quoted && k->next->len == 0
			               ? k
			               : NULL;
	return NULL;
}

/* False where libyaml has to see all of it. */
static bool parse_quick(struct tree_source *src, struct arena *arena, struct tree **out)
{
	struct tree_source quiet = *src;
	struct diag diag;
	struct quick q;
	struct builder b = {.src = &quiet, .arena = arena, .cut = &q};
	struct tree *key = NULL;

	if (src->plain || !quick_list(src, arena, &q))
		return false;
	diag_init(&diag);
	quiet.diag = &diag;
	b.nodes = q.nodes;
	if (build(&b) == 0)
		key = cut_key(b.root, &q);
	diag_done(&diag);
	if (!key)
		return false;
	q.list->next = key->next->next;
	key->next = q.list;
	*out = b.root;
	src->zones_from = q.from;
	src->zones_to = q.to;
	return true;
}

int tree_parse_head(struct tree_source *src, struct arena *arena, struct tree **out)
{
	struct builder b = {.src = src, .arena = arena};
	struct tree *key;
	struct quick q;
	int rc;

	if (!quick_find(src, &q))
		return ERR_NOT_FOUND;
	b.cut = &q;
	src->ascii = true;
	rc = check_part(src, 0, q.from);
	if (!rc)
		rc = check_part(src, q.to, src->len);
	if (!rc)
		rc = build(&b);
	key = rc ? NULL : cut_key(b.root, &q);
	if (!key)
		return rc ? rc : ERR_NOT_FOUND;
	key->next->kind = TREE_LIST;
	key->next->first = NULL;
	src->zones_from = q.from;
	src->zones_to = q.to;
	*out = b.root;
	return 0;
}

int tree_parse(struct tree_source *src, struct arena *arena, struct tree **out)
{
	struct builder b = {.src = src, .arena = arena};
	int rc = check_text(src);

	if (rc < 0 || parse_quick(src, arena, out))
		return rc;
	rc = build(&b);
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

const struct tree *tree_value_of(const struct tree *parent, const char *key)
{
	const struct tree *t = tree_get(parent, key);

	return t ? t : parent;
}

const struct tree *tree_item_of(const struct tree *parent, const char *list, size_t i)
{
	const struct tree *t = tree_get(parent, list);

	return t ? tree_item(t, i) : parent;
}
