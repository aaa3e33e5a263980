/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading zone files (RFC 1035 5, RFC 2308 4, RFC 3597 5, $GENERATE as BIND's manual describes it).
 *
 * One pass: an entry, which may span lines inside parentheses, is cut into tokens that point into the file's octets; then it is a directive
 * or a record. Nothing is allocated for a record. After an error the next entry is read, until the diag is full.
 *
 * Without a TTL a record takes $TTL's; without one, the TTL of the record before (RFC 1035 5.1). The SOA at the very start takes its own
 * MINIMUM, which from there on stands for $TTL, as BIND has it; anything else takes an hour, as with Knot. Both give a warning. $INCLUDE takes
 * paths relative to the folder of the including file; origin and last owner are restored behind it.
 *
 * Stricter than others on purpose: a TTL above 2^31-1 is an error (BIND makes it 0), so is a character-string above 255 octets (Knot splits
 * it), and a string ends on the line where it began. BIND's $DATE is not read. */
#include "zone/zonefile.h"

#include "base/arena.h"
#include "base/err.h"
#include "dns/name.h"
#include "zone/generate.h"

#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PROGRESS_STEP = 64 << 10,
	PAREN_MAX = 64,
	GENERATE_LINE_MAX = 4096,
	TTL_OTHERWISE = 3600, /* seconds; as Knot takes it */
};

/* What all files of one parse share. */
struct parse {
	const struct zonefile_options *o;
	struct diag *diag;
	struct arena names; /* file names: valid for the whole parse */
	struct name origin, owner;
	bool has_owner, bad_owner, has_default_ttl, has_last_ttl, warned_ttl;
	uint32_t default_ttl, last_ttl;
	bool include;
	bool inner_quotes; /* seen in a token of this entry */
	unsigned depth;
	int stop; /* the callback's wish */
	uint64_t generated;
	struct rdata_token *tokens; /* ZONEFILE_TOKENS_MAX of them */
	uint8_t *rdata;             /* RDATA_MAX octets */
};

/* One file or piece of text. */
struct source {
	const char *file;
	const char *p, *end, *line_start;
	unsigned line;
	unsigned generated_column; /* not 0: what $GENERATE made; its records, never directives, are told at this column */
	uint64_t told, all; /* progress */
	bool top;
};

struct entry {
	size_t n;          /* tokens */
	bool blank_start;  /* the owner is left out */
	unsigned line, column;
};

static void PRINTF_LIKE(5, 6) problem(struct parse *ps, const struct source *s, unsigned line, unsigned column, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_add(ps->diag, DIAG_ERROR, s->file, line, column, "%s", text);
}

#define SHOW(t) (int)MIN((t)->len, (size_t)40), (t)->text

/* ---- tokens ---- */

static unsigned column(const struct source *s, const char *p)
{
	return s->generated_column ? s->generated_column : (unsigned)(p - s->line_start) + 1;
}

static unsigned behind(const struct source *s, const struct rdata_token *t)
{
	return s->generated_column ? s->generated_column : t->column + (unsigned)t->len + (t->quoted ? 2 : 0);
}

static void newline(struct source *s)
{
	s->line++;
	s->line_start = s->p;
}

static void skip_comment(struct source *s)
{
	const char *eol = memchr(s->p, '\n', (size_t)(s->end - s->p));

	s->p = eol ? eol : s->end;
}

static const uint8_t word_end[256] = {[' '] = 1, ['\t'] = 1, ['\r'] = 1, ['\n'] = 1, [';'] = 1, ['('] = 1, [')'] = 1, ['"'] = 2, ['\\'] = 3, [0] = 4};

/* An unquoted token; false: a problem was reported. */
static bool take_word(struct parse *ps, struct source *s, struct rdata_token *t)
{
	const char *start = s->p;
	bool quote = false;

	*t = (struct rdata_token){.text = start, .line = s->line, .column = column(s, start)};
	while (s->p < s->end) {
		uint8_t kind = word_end[(uint8_t)*s->p];

		if (!kind) {
			s->p++;
			continue;
		}
		if (kind == 4) {
			problem(ps, s, s->line, column(s, s->p), "a NUL octet: this is no text file");
			return false;
		}
		if (kind == 3) { /* an escape takes the next character with it */
			if (s->end - s->p < 2 || s->p[1] == '\n' || (s->p[1] == '\r' && s->end - s->p > 2 && s->p[2] == '\n')) {
				problem(ps, s, s->line, column(s, s->p), "a backslash at the end of a line; write \\\\ for a backslash");
				return false;
			}
			s->p += s->p[1] ? 2 : 1; /* a NUL is met again */
			continue;
		}
		if (kind == 2) { /* key="a value"; record() parts it where the type has no such fields */
			ps->inner_quotes = true;
			quote = !quote;
			s->p++;
			continue;
		}
		if (!quote || *s->p == '\n')
			break;
		s->p++;
	}
	if (quote) {
		problem(ps, s, t->line, t->column, "a quote is opened and not closed on this line");
		return false;
	}
	t->len = (size_t)(s->p - start);
	return true;
}

static bool take_quoted(struct parse *ps, struct source *s, struct rdata_token *t)
{
	const char *start = ++s->p;

	*t = (struct rdata_token){.text = start, .quoted = true, .line = s->line, .column = column(s, start) - 1};
	while (s->p < s->end && *s->p != '"') {
		if (*s->p == '\\' && s->end - s->p > 1 && s->p[1] != '\n')
			s->p++;
		if (*s->p == '\n' || !*s->p) {
			problem(ps, s, t->line, t->column, "a quote is opened and not closed on this line");
			return false;
		}
		s->p++;
	}
	if (s->p == s->end) {
		problem(ps, s, t->line, t->column, "a quote is opened and not closed");
		return false;
	}
	t->len = (size_t)(s->p - start);
	s->p++;
	return true;
}

/* Cut the next entry into tokens. False at the end of the source. An entry with problems has no tokens. */
static bool next_entry(struct parse *ps, struct source *s, struct entry *e)
{
	unsigned open = 0, open_line = 0, open_column = 0;
	bool bad = false;

	e->n = 0;
	ps->inner_quotes = false;
	e->line = s->line;
	e->blank_start = s->p < s->end && (*s->p == ' ' || *s->p == '\t');
	while (s->p < s->end) {
		char c = *s->p;
		bool good = true;

		switch (c) {
		case ' ':
		case '\t':
		case '\r':
			s->p++;
			continue;
		case ';':
			skip_comment(s);
			continue;
		case '\n':
			s->p++;
			newline(s);
			if (open)
				continue;
			if (e->n && !bad)
				return true;
			e->n = 0;
			bad = false;
			e->line = s->line;
			e->blank_start = s->p < s->end && (*s->p == ' ' || *s->p == '\t');
			if (diag_full(ps->diag))
				return false;
			continue;
		case '(':
			if (!open++) {
				open_line = s->line;
				open_column = column(s, s->p);
			}
			if (open > PAREN_MAX) {
				problem(ps, s, s->line, column(s, s->p), "parentheses are nested more than %d deep", PAREN_MAX);
				open = 0;
				bad = true;
				skip_comment(s);
				continue;
			}
			s->p++;
			continue;
		case ')':
			if (!open) {
				problem(ps, s, s->line, column(s, s->p), "a closing parenthesis without an opening one");
				bad = true;
			} else {
				open--;
			}
			s->p++;
			continue;
		default:
			break;
		}
		if (bad) { /* nothing more is read of this entry */
			if (open) {
				s->p++;
				continue;
			}
			skip_comment(s);
			continue;
		}
		if (e->n == ZONEFILE_TOKENS_MAX) {
			if (open)
				problem(ps, s, open_line, open_column, "this parenthesis is not closed within %d fields", ZONEFILE_TOKENS_MAX);
			else
				problem(ps, s, s->line, column(s, s->p), "more than %d fields in one record", ZONEFILE_TOKENS_MAX);
			bad = true;
			continue;
		}
		good = c == '"' ? take_quoted(ps, s, &ps->tokens[e->n]) : take_word(ps, s, &ps->tokens[e->n]);
		if (!good) {
			bad = true;
			open = 0;
			skip_comment(s);
			continue;
		}
		e->n++;
	}
	if (open && !bad)
		problem(ps, s, open_line, open_column, "this parenthesis is never closed");
	if (bad || open)
		e->n = 0;
	return e->n != 0;
}

/* ---- records ---- */

static bool owner_from(struct parse *ps, const struct source *s, const struct rdata_token *t)
{
	int err;

	ps->bad_owner = false;
	if (t->len == 1 && t->text[0] == '@' && !t->quoted) {
		ps->owner = ps->origin;
		ps->has_owner = true;
		return true;
	}
	err = name_from_text(t->text, t->len, ps->origin.wire, &ps->owner);
	if (!err) {
		ps->has_owner = true;
		return true;
	}
	ps->has_owner = false;
	ps->bad_owner = true;
	if (err == ERR_LIMIT)
		problem(ps, s, t->line, t->column, "\"%.*s\" is too long: at most 63 octets a label and 255 a name", SHOW(t));
	else
		problem(ps, s, t->line, t->column, "\"%.*s\" is no domain name: an empty label or a bad escape", SHOW(t));
	return false;
}

/* Only SVCB and HTTPS have fields like key="a value" (RFC 9460 2.1). Everywhere else a quote begins a field of its own, as with BIND. False:
 * too many fields, reported. */
static bool part_quotes(struct parse *ps, const struct source *s, size_t from, size_t *n)
{
	for (size_t i = from; i < *n; i++) {
		struct rdata_token *t = &ps->tokens[i], rest = *t;
		size_t at = 0;

		while (!t->quoted && at < t->len && t->text[at] != '"')
			at += t->text[at] == '\\' ? 2 : 1;
		if (t->quoted || at >= t->len)
			continue;
		/* t becomes what is before the quote, or what is in it; rest goes on behind. */
		if (at) {
			t->len = at;
			rest.text += at;
		} else {
			for (at = 1; t->text[at] != '"';)
				at += t->text[at] == '\\' ? 2 : 1;
			*t = (struct rdata_token){.text = t->text + 1, .len = at - 1, .quoted = true, .line = t->line, .column = t->column};
			rest.text += ++at;
		}
		rest.len -= at;
		rest.column += s->generated_column ? 0 : (unsigned)at;
		if (!rest.len)
			continue;
		if (*n == ZONEFILE_TOKENS_MAX) {
			problem(ps, s, t->line, t->column, "more than %d fields in one record", ZONEFILE_TOKENS_MAX);
			return false;
		}
		memmove(t + 2, t + 1, (*n - i - 1) * sizeof(*t));
		t[1] = rest;
		++*n;
	}
	return true;
}

/* The TTL of a record that states none. */
static void ttl_missing(struct parse *ps, const struct source *s, const struct rdata_token *type_token, uint16_t type,
                        const struct writer *w, uint32_t *ttl)
{
	struct soa soa;

	if (ps->has_default_ttl) {
		*ttl = ps->default_ttl;
		return;
	}
	if (ps->has_last_ttl) {
		*ttl = ps->last_ttl;
		return;
	}
	if (type == RR_SOA && soa_parse(w->base, w->pos, &soa) == 0) {
		*ttl = MIN(soa.minimum, (uint32_t)TTL_MAX);
		ps->default_ttl = *ttl;
		ps->has_default_ttl = true;
		if (!ps->warned_ttl)
			diag_add(ps->diag, DIAG_WARNING, s->file, type_token->line, type_token->column,
			         "no TTL is given: the SOA's MINIMUM of %u is used; write $TTL %u at the top", soa.minimum, soa.minimum);
		ps->warned_ttl = true;
		return;
	}
	*ttl = TTL_OTHERWISE;
	if (!ps->warned_ttl)
		diag_add(ps->diag, DIAG_WARNING, s->file, type_token->line, type_token->column,
		         "no TTL is given and there is none to inherit: %d is used; write $TTL %d at the top", TTL_OTHERWISE, TTL_OTHERWISE);
	ps->warned_ttl = true;
}

static void record(struct parse *ps, struct source *s, const struct entry *e)
{
	struct zonefile_place place = {.file = s->file, .line = e->line};
	bool has_ttl = false, has_class = false;
	struct rdata_problem why;
	struct writer w = writer_of(ps->rdata, RDATA_MAX);
	uint32_t ttl = 0;
	uint16_t type, rclass;
	struct rr rr;
	size_t i = 0, n = e->n;
	int err;

	if (!e->blank_start && !owner_from(ps, s, &ps->tokens[i++]))
		return;
	place.line = ps->tokens[0].line;
	place.column = ps->tokens[0].column;
	for (;; i++) {
		const struct rdata_token *t = &ps->tokens[i];

		if (i == e->n) {
			problem(ps, s, ps->tokens[i - 1].line, behind(s, &ps->tokens[i - 1]),
			        "the record ends where its type is expected");
			return;
		}
		if (!has_ttl && t->text[0] >= '0' && t->text[0] <= '9' && !t->quoted) {
			err = ttl_from_text(t->text, t->len, TTL_MAX, &ttl);
			if (err == ERR_LIMIT) {
				problem(ps, s, t->line, t->column, "a TTL is at most %u seconds", (unsigned)TTL_MAX);
				return;
			}
			if (!err) {
				has_ttl = true;
				continue;
			}
		}
		if (!has_class && rrclass_from_text(t->text, t->len, &rclass) == 0) {
			has_class = true;
			if (rclass != ps->o->rclass) {
				problem(ps, s, t->line, t->column, "class %.*s: this zone is of class IN", SHOW(t));
				return;
			}
			continue;
		}
		break;
	}
	if (!ps->has_owner) {
		if (ps->bad_owner)
			return; /* told where it stands */
		problem(ps, s, e->line, 1, "the first record has no owner: begin the line with a name, or @");
		return;
	}
	if (rrtype_from_text(ps->tokens[i].text, ps->tokens[i].len, &type) < 0) {
		problem(ps, s, ps->tokens[i].line, ps->tokens[i].column, "\"%.*s\" is no record type, class or TTL", SHOW(&ps->tokens[i]));
		return;
	}
	if (rrtype_is_meta(type) || !type) {
		problem(ps, s, ps->tokens[i].line, ps->tokens[i].column, "type %.*s cannot stand in a zone", SHOW(&ps->tokens[i]));
		return;
	}
	if (ps->inner_quotes && type != RR_SVCB && type != RR_HTTPS && !part_quotes(ps, s, i + 1, &n))
		return;
	err = rdata_from_text(type, ps->tokens + i + 1, n - i - 1, ps->origin.wire, &w, &why);
	if (err) {
		const struct rdata_token *at = why.token ? why.token : &ps->tokens[n - 1];

		problem(ps, s, at->line, why.token ? at->column : behind(s, at), "%s", why.text);
		return;
	}
	if (!has_ttl)
		ttl_missing(ps, s, &ps->tokens[i], type, &w, &ttl);
	ps->last_ttl = ttl;
	ps->has_last_ttl = true;
	rr = (struct rr){.owner = ps->owner.wire, .type = type, .rclass = ps->o->rclass, .ttl = ttl, .rdlen = (uint16_t)w.pos,
	                 .rdata = ps->rdata};
	ps->stop = ps->o->on_record(ps->o->ctx, &rr, &place);
}

/* ---- directives ---- */

static void parse_source(struct parse *ps, struct source *s);
static int parse_file(struct parse *ps, const char *path, const struct source *from, const struct rdata_token *at);

static void directive_include(struct parse *ps, struct source *s, const struct entry *e)
{
	const struct rdata_token *t = &ps->tokens[1];
	struct name origin = ps->origin, owner = ps->owner;
	bool had_owner = ps->has_owner, was_bad = ps->bad_owner;
	char path[4096];
	const char *slash = strrchr(s->file, '/');
	int n;

	if (e->n < 2 || e->n > 3) {
		problem(ps, s, ps->tokens[0].line, ps->tokens[0].column, "write $INCLUDE FILE, or $INCLUDE FILE ORIGIN");
		return;
	}
	if (!ps->include) {
		problem(ps, s, t->line, t->column, "$INCLUDE is not allowed here");
		return;
	}
	if (ps->depth >= ZONEFILE_INCLUDE_DEPTH_MAX) {
		problem(ps, s, t->line, t->column, "files include each other more than %d deep", ZONEFILE_INCLUDE_DEPTH_MAX);
		return;
	}
	if (t->len && t->text[0] != '/' && slash)
		n = snprintf(path, sizeof(path), "%.*s/%.*s", (int)(slash - s->file), s->file, (int)t->len, t->text);
	else
		n = snprintf(path, sizeof(path), "%.*s", (int)t->len, t->text);
	if (n < 0 || (size_t)n >= sizeof(path)) {
		problem(ps, s, t->line, t->column, "the path is too long");
		return;
	}
	if (e->n == 3 && name_from_text(ps->tokens[2].text, ps->tokens[2].len, origin.wire, &ps->origin) < 0) {
		problem(ps, s, ps->tokens[2].line, ps->tokens[2].column, "\"%.*s\" is no domain name", SHOW(&ps->tokens[2]));
		return;
	}
	parse_file(ps, path, s, t); /* what is wrong in it is in the diag */
	ps->origin = origin;
	ps->owner = owner;
	ps->has_owner = had_owner;
	ps->bad_owner = was_bad;
}

/* How many fields of a template follow its type. */
static size_t generate_data_fields(const struct rdata_token *t, size_t n)
{
	size_t i = 3; /* behind $GENERATE, range and name */
	uint32_t ttl;
	uint16_t v;

	while (i < n && !t[i].quoted && (ttl_from_text(t[i].text, t[i].len, TTL_MAX, &ttl) == 0 || rrclass_from_text(t[i].text, t[i].len, &v) == 0))
		i++;
	return i < n ? n - i - 1 : 0;
}

static void directive_generate(struct parse *ps, struct source *s, const struct entry *e)
{
	struct rdata_token *own = NULL;
	struct generate_range range;
	size_t data_fields;
	char line[GENERATE_LINE_MAX];

	if (e->n < 4 || !generate_range(&ps->tokens[1], &range)) {
		problem(ps, s, ps->tokens[0].line, ps->tokens[0].column,
		        "write $GENERATE START-STOP[/STEP] NAME [TTL] [CLASS] TYPE DATA, for instance $GENERATE 1-9 host$ A 192.0.2.$");
		return;
	}
	if ((range.stop - range.start) / range.step + 1 > ZONEFILE_GENERATE_MAX - ps->generated) {
		problem(ps, s, ps->tokens[1].line, ps->tokens[1].column, "$GENERATE makes more than %d records", ZONEFILE_GENERATE_MAX);
		return;
	}
	own = malloc(e->n * sizeof(*own));
	if (!own)
		return;
	memcpy(own, ps->tokens, e->n * sizeof(*own));
	data_fields = generate_data_fields(own, e->n);
	for (uint64_t i = range.start; i <= range.stop && !ps->stop && !diag_full(ps->diag); i += range.step) {
		struct source text = {.file = s->file, .line = own[0].line, .generated_column = own[0].column};
		unsigned before = ps->diag->errors;
		size_t at = 0;

		for (size_t k = 2; k < e->n; k++) {
			/* BIND reads all data as one field: quotes only hold it together, and are not part of it. */
			bool quotes = own[k].quoted && !(k == e->n - 1 && data_fields == 1);
			size_t n = 0;

			if (at + 4 >= sizeof(line) || !generate_text(&own[k], i, line + at + quotes, sizeof(line) - at - 4, &n)) {
				problem(ps, s, own[k].line, own[k].column, "\"%.*s\": a wrong ${offset,width,base}, or too long", SHOW(&own[k]));
				free(own);
				return;
			}
			if (quotes) {
				line[at] = '"';
				line[at + n + 1] = '"';
				n += 2;
			}
			at += n;
			line[at++] = ' ';
		}
		text.p = text.line_start = line;
		text.end = line + at;
		ps->generated++;
		parse_source(ps, &text);
		if (ps->diag->errors != before)
			break; /* one bad template, one report */
	}
	free(own);
}

static void directive(struct parse *ps, struct source *s, const struct entry *e)
{
	const struct rdata_token *d = &ps->tokens[0];
	int err;

	if (d->len == 7 && strncasecmp(d->text, "$ORIGIN", 7) == 0) {
		struct name origin;

		if (e->n != 2) {
			problem(ps, s, d->line, d->column, "write $ORIGIN NAME");
			return;
		}
		err = name_from_text(ps->tokens[1].text, ps->tokens[1].len, ps->origin.wire, &origin);
		if (err)
			problem(ps, s, ps->tokens[1].line, ps->tokens[1].column, "\"%.*s\" is no domain name", SHOW(&ps->tokens[1]));
		else
			ps->origin = origin;
	} else if (d->len == 4 && strncasecmp(d->text, "$TTL", 4) == 0) {
		if (e->n != 2 || ttl_from_text(ps->tokens[1].text, ps->tokens[1].len, TTL_MAX, &ps->default_ttl) < 0)
			problem(ps, s, d->line, d->column, "write $TTL SECONDS, or $TTL 1h30m; at most %u seconds", (unsigned)TTL_MAX);
		else
			ps->has_default_ttl = true;
	} else if (d->len == 8 && strncasecmp(d->text, "$INCLUDE", 8) == 0) {
		directive_include(ps, s, e);
	} else if (d->len == 9 && strncasecmp(d->text, "$GENERATE", 9) == 0) {
		directive_generate(ps, s, e);
	} else {
		problem(ps, s, d->line, d->column, "\"%.*s\" is no directive: there are $ORIGIN, $TTL, $INCLUDE and $GENERATE", SHOW(d));
	}
}

/* ---- sources ---- */

static void parse_source(struct parse *ps, struct source *s)
{
	const char *start = s->p;
	struct entry e;

	while (!ps->stop && !diag_full(ps->diag) && next_entry(ps, s, &e)) {
		if (!e.blank_start && !s->generated_column && ps->tokens[0].len && ps->tokens[0].text[0] == '$' && !ps->tokens[0].quoted)
			directive(ps, s, &e);
		else
			record(ps, s, &e);
		if (s->top && ps->o->on_progress && (uint64_t)(s->p - start) - s->told >= PROGRESS_STEP) {
			s->told = (uint64_t)(s->p - start);
			ps->o->on_progress(ps->o->ctx, s->told, s->all);
		}
	}
}

static const char *skip_bom(const char *p, const char *end)
{
	return end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? p + 3 : p;
}

/* Read, not mapped: a file that an editor cuts short meanwhile must not end in SIGBUS. */
static int read_all(int fd, size_t size, char **out, size_t *len)
{
	char *bytes = malloc(size);
	size_t at = 0;

	if (!bytes)
		return ERR_NO_MEMORY;
	while (at < size) {
		ssize_t n = read(fd, bytes + at, size - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int err = -errno;

			free(bytes);
			return err;
		}
		if (n == 0)
			break;
		at += (size_t)n;
	}
	*out = bytes;
	*len = at;
	return 0;
}

/* A problem with the file itself stands at the place that named it. */
static int parse_file(struct parse *ps, const char *path, const struct source *from, const struct rdata_token *at)
{
	struct source s = {.line = 1, .top = !from};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *bytes = NULL;
	size_t len = 0;
	int err = fd < 0 ? -errno : 0;

	if (!err && fstat(fd, &st) < 0)
		err = -errno;
	if (!err && !S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (!err && st.st_size)
		err = read_all(fd, (size_t)st.st_size, &bytes, &len);
	if (fd >= 0)
		close(fd);
	s.file = arena_strdup(&ps->names, path);
	if (!err && !s.file)
		err = ERR_NO_MEMORY;
	if (err) {
		diag_add(ps->diag, DIAG_ERROR, from ? from->file : path, at ? at->line : 0, at ? at->column : 0, "cannot read %s: %s", path,
		         err_text(err));
		return err;
	}
	s.all = len;
	s.end = bytes ? bytes + len : NULL;
	s.p = s.line_start = bytes ? skip_bom(bytes, s.end) : NULL;
	ps->depth++;
	parse_source(ps, &s);
	ps->depth--;
	free(bytes);
	return 0;
}

static int begin(struct parse *ps, const struct zonefile_options *o, struct diag *diag, bool include)
{
	memset(ps, 0, sizeof(*ps));
	ps->o = o;
	ps->diag = diag;
	ps->include = include;
	arena_init(&ps->names, 0);
	name_copy(&ps->origin, o->origin);
	ps->tokens = malloc(ZONEFILE_TOKENS_MAX * sizeof(*ps->tokens));
	ps->rdata = malloc(RDATA_MAX);
	return ps->tokens && ps->rdata ? 0 : ERR_NO_MEMORY;
}

static int finish(struct parse *ps, unsigned errors_before, int err)
{
	free(ps->tokens);
	free(ps->rdata);
	arena_done(&ps->names);
	if (err)
		return err;
	return ps->stop ? ps->stop : ps->diag->errors > errors_before ? ERR_INVALID : 0;
}

int zonefile_parse(const char *path, const struct zonefile_options *o, struct diag *diag)
{
	struct parse *ps = malloc(sizeof(*ps));
	unsigned before = diag->errors;
	int err = ps ? begin(ps, o, diag, true) : ERR_NO_MEMORY;

	if (!err)
		err = parse_file(ps, path, NULL, NULL);
	if (ps)
		err = finish(ps, before, err);
	free(ps);
	return err;
}

int zonefile_parse_bytes(const char *name, const char *bytes, size_t len, bool include, const struct zonefile_options *o,
                         struct diag *diag)
{
	struct source s = {.file = name, .end = bytes + len, .line = 1, .all = len, .top = true};
	struct parse *ps = malloc(sizeof(*ps));
	unsigned before = diag->errors;
	int err = ps ? begin(ps, o, diag, include) : ERR_NO_MEMORY;

	s.p = s.line_start = skip_bom(bytes, s.end);
	if (!err)
		parse_source(ps, &s);
	if (ps)
		err = finish(ps, before, err);
	free(ps);
	return err;
}
