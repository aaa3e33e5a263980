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
#include "zone/lexer.h"

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
	OWNER_TEXT_MAX = RDATA_TOKEN_PAD - 8,
	GENERATE_LINE_MAX = 4096,
	TTL_OTHERWISE = 3600, /* seconds; as Knot takes it */
};

/* What all files of one parse share. */
struct parse {
	const struct zonefile_options *o;
	struct lexer lexer;
	struct arena names; /* file names: valid for the whole parse */
	struct name origin, owner;
	bool has_owner, bad_owner, has_default_ttl, has_last_ttl, warned_ttl;
	uint32_t default_ttl, last_ttl;
	bool include;
	unsigned depth;
	int stop; /* the callback's wish */
	uint64_t generated;
	uint8_t *rdata;      /* RDATA_MAX octets, and as many more as may be read */
	uint8_t scratch[NAME_LEN_MAX + RDATA_TOKEN_PAD];
	bool same_owner; /* owner is that of the record before */
	char owner_text[OWNER_TEXT_MAX + 8]; /* of which owner was made, if owner_text_len is not 0 */
	size_t owner_text_len;
	uint64_t told, all; /* progress in the file at the top */
};

/* What stands before the data of a record. */
struct head {
	const struct rdata_token *type_token;
	uint32_t ttl;
	uint16_t type;
	bool has_ttl, has_class;
};

#define problem(ps, ...) lexer_problem(&(ps)->lexer, __VA_ARGS__)
#define SHOW(t) (int)MIN((t)->len, (size_t)40), (t)->text

static unsigned behind(const struct source *s, const struct rdata_token *t)
{
	return s->generated_column ? s->generated_column : t->column + (unsigned)t->len + (t->quoted ? 2 : 0);
}

/* ---- records ---- */

static uint64_t load_word(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(v) : v;
}

/* Of both, 8 octets behind the n may be read; n is not 0. */
static bool same_octets(const char *a, const char *b, size_t n)
{
	for (; n > 8; a += 8, b += 8, n -= 8)
		if (load_word(a) != load_word(b))
			return false;
	return (load_word(a) ^ load_word(b)) << (64 - 8 * n) == 0;
}

/* The owner of the next record: another than the last one's, for all that is known. */
static void owner_changed(struct parse *ps)
{
	ps->owner_text_len = 0;
	ps->same_owner = false;
}

static bool owner_from(struct parse *ps, const struct source *s, const struct rdata_token *t)
{
	int err;

	ps->bad_owner = false;
	/* Records of one owner follow each other, with it written out: it is read once. */
	if (t->plain && ps->owner_text_len && t->len == ps->owner_text_len && same_octets(t->text, ps->owner_text, t->len))
		return true;
	owner_changed(ps);
	if (t->len == 1 && t->text[0] == '@' && !t->quoted) {
		ps->owner = ps->origin;
		ps->has_owner = true;
		return true;
	}
	if (t->plain) {
		err = name_from_plain(t->text, t->len, ps->origin.wire, ps->scratch);
		if (err > 0) {
			ps->owner.len = (uint8_t)err;
			memcpy(ps->owner.wire, ps->scratch, ps->owner.len);
			ps->has_owner = true;
			if (t->len <= OWNER_TEXT_MAX) {
				memcpy(ps->owner_text, t->text, OWNER_TEXT_MAX);
				ps->owner_text_len = t->len;
			}
			return true;
		}
	} else {
		err = name_from_text(t->text, t->len, ps->origin.wire, &ps->owner);
	}
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
		struct rdata_token *t = &ps->lexer.tokens[i], rest = *t;
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
		if (*n == LEXER_TOKENS_MAX) {
			problem(ps, s, t->line, t->column, "more than %d fields in one record", LEXER_TOKENS_MAX);
			return false;
		}
		if (lexer_reserve(&ps->lexer, *n + 1) < 0) {
			ps->stop = ERR_NO_MEMORY;
			return false;
		}
		t = &ps->lexer.tokens[i];
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
			diag_add(ps->lexer.diag, DIAG_WARNING, s->file, type_token->line, type_token->column,
			         "no TTL is given: the SOA's MINIMUM of %u is used; write $TTL %u at the top", soa.minimum, soa.minimum);
		ps->warned_ttl = true;
		return;
	}
	*ttl = TTL_OTHERWISE;
	if (!ps->warned_ttl)
		diag_add(ps->lexer.diag, DIAG_WARNING, s->file, type_token->line, type_token->column,
		         "no TTL is given and there is none to inherit: %d is used; write $TTL %d at the top", TTL_OTHERWISE, TTL_OTHERWISE);
	ps->warned_ttl = true;
}

/* Up to nine digits, as nearly all TTLs are. */
static bool ttl_of_digits(const struct rdata_token *t, uint32_t *out)
{
	uint32_t v = 0;

	if (!t->len || t->len > 9)
		return false;
	for (size_t i = 0; i < t->len; i++) {
		unsigned digit = (unsigned)(uint8_t)t->text[i] - '0';

		if (digit > 9)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

/* What stands between owner and data, in any order but for the type, which comes last; *at is where to begin and then behind the type. False: reported. */
static bool read_head(struct parse *ps, const struct source *s, const struct entry *e, size_t *at, struct head *h)
{
	uint16_t rclass;

	for (size_t i = *at; i < e->n; i++) {
		const struct rdata_token *t = &ps->lexer.tokens[i];
		bool known;

		if (!h->has_ttl && !t->quoted && t->text[0] >= '0' && t->text[0] <= '9') {
			int err = ttl_of_digits(t, &h->ttl) ? 0 : ttl_from_text(t->text, t->len, TTL_MAX, &h->ttl);

			if (err == ERR_LIMIT) {
				problem(ps, s, t->line, t->column, "a TTL is at most %u seconds", (unsigned)TTL_MAX);
				return false;
			}
			if (!err) {
				h->has_ttl = true;
				continue;
			}
		}
		/* ANY is a class and a type. */
		known = rrtype_from_text(t->text, t->len, &h->type) == 0;
		if ((!known || h->type == RR_ANY) && !h->has_class && rrclass_from_text(t->text, t->len, &rclass) == 0) {
			h->has_class = true;
			if (rclass != ps->o->rclass) {
				problem(ps, s, t->line, t->column, "class %.*s: this zone is of class IN", SHOW(t));
				return false;
			}
			continue;
		}
		h->type_token = known ? t : NULL;
		*at = i + 1;
		if (known || !ps->has_owner)
			return true;
		problem(ps, s, t->line, t->column, "\"%.*s\" is no record type, class or TTL", SHOW(t));
		return false;
	}
	problem(ps, s, ps->lexer.tokens[e->n - 1].line, behind(s, &ps->lexer.tokens[e->n - 1]), "the record ends where its type is expected");
	return false;
}

static void record(struct parse *ps, struct source *s, const struct entry *e)
{
	struct zonefile_place place = {.file = s->file, .line = ps->lexer.tokens[0].line, .column = ps->lexer.tokens[0].column};
	struct writer w = writer_of(ps->rdata, RDATA_MAX);
	struct rdata_problem why;
	struct head h = {0};
	size_t i = 0, n = e->n;
	struct rr rr;
	int err;

	if (!e->blank_start && !owner_from(ps, s, &ps->lexer.tokens[i++]))
		return;
	if (!read_head(ps, s, e, &i, &h))
		return;
	if (!ps->has_owner) {
		if (ps->bad_owner)
			return; /* told where it stands */
		problem(ps, s, e->line, 1, "the first record has no owner: begin the line with a name, or @");
		return;
	}
	if (rrtype_is_meta(h.type) || !h.type) {
		problem(ps, s, h.type_token->line, h.type_token->column, "type %.*s cannot stand in a zone", SHOW(h.type_token));
		return;
	}
	if (ps->lexer.inner_quotes && h.type != RR_SVCB && h.type != RR_HTTPS && !part_quotes(ps, s, i, &n))
		return;
	err = rdata_from_text(h.type, ps->lexer.tokens + i, n - i, ps->origin.wire, &w, &why);
	if (err) {
		const struct rdata_token *at = why.token ? why.token : &ps->lexer.tokens[n - 1];

		problem(ps, s, at->line, why.token ? at->column : behind(s, at), "%s", why.text);
		return;
	}
	if (!h.has_ttl)
		ttl_missing(ps, s, &ps->lexer.tokens[i - 1], h.type, &w, &h.ttl);
	ps->last_ttl = h.ttl;
	ps->has_last_ttl = true;
	rr = (struct rr){.owner = ps->owner.wire, .type = h.type, .rclass = ps->o->rclass, .ttl = h.ttl, .rdlen = (uint16_t)w.pos,
	                 .rdata = ps->rdata};
	place.same_owner = ps->same_owner;
	ps->same_owner = true;
	ps->stop = ps->o->on_record(ps->o->ctx, &rr, &place);
}

/* ---- directives ---- */

static void parse_source(struct parse *ps, struct source *s);
static int parse_file(struct parse *ps, const char *path, const struct source *from, const struct rdata_token *at);

static void directive_include(struct parse *ps, struct source *s, const struct entry *e)
{
	const struct rdata_token *t = &ps->lexer.tokens[1];
	struct name origin = ps->origin, owner = ps->owner;
	bool had_owner = ps->has_owner, was_bad = ps->bad_owner;
	char path[4096];
	const char *slash = strrchr(s->file, '/');
	int n;

	if (e->n < 2 || e->n > 3) {
		problem(ps, s, ps->lexer.tokens[0].line, ps->lexer.tokens[0].column, "write $INCLUDE FILE, or $INCLUDE FILE ORIGIN");
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
	if (e->n == 3 && name_from_text(ps->lexer.tokens[2].text, ps->lexer.tokens[2].len, origin.wire, &ps->origin) < 0) {
		problem(ps, s, ps->lexer.tokens[2].line, ps->lexer.tokens[2].column, "\"%.*s\" is no domain name", SHOW(&ps->lexer.tokens[2]));
		return;
	}
	owner_changed(ps);
	parse_file(ps, path, s, t); /* what is wrong in it is in the diag */
	owner_changed(ps);
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
	struct source text;
	size_t data_fields;
	char line[GENERATE_LINE_MAX];

	if (e->n < 4 || !generate_range(&ps->lexer.tokens[1], &range)) {
		problem(ps, s, ps->lexer.tokens[0].line, ps->lexer.tokens[0].column,
		        "write $GENERATE START-STOP[/STEP] NAME [TTL] [CLASS] TYPE DATA, for instance $GENERATE 1-9 host$ A 192.0.2.$");
		return;
	}
	if ((range.stop - range.start) / range.step + 1 > ZONEFILE_GENERATE_MAX - ps->generated) {
		problem(ps, s, ps->lexer.tokens[1].line, ps->lexer.tokens[1].column, "$GENERATE makes more than %d records", ZONEFILE_GENERATE_MAX);
		return;
	}
	own = malloc(e->n * sizeof(*own));
	if (!own)
		return;
	memcpy(own, ps->lexer.tokens, e->n * sizeof(*own));
	data_fields = generate_data_fields(own, e->n);
	if (source_init(&text, s->file, sizeof(line)) < 0) {
		free(own);
		return;
	}
	text.generated_column = own[0].column;
	for (uint64_t i = range.start; i <= range.stop && !ps->stop && !diag_full(ps->lexer.diag); i += range.step) {
		unsigned before = ps->lexer.diag->errors;
		size_t at = 0;

		for (size_t k = 2; k < e->n; k++) {
			/* BIND reads all data as one field: quotes only hold it together, and are not part of it. */
			bool quotes = own[k].quoted && !(k == e->n - 1 && data_fields == 1);
			size_t n = 0;

			if (at + 4 >= sizeof(line) || !generate_text(&own[k], i, line + at + quotes, sizeof(line) - at - 4, &n)) {
				problem(ps, s, own[k].line, own[k].column, "\"%.*s\": a wrong ${offset,width,base}, or too long", SHOW(&own[k]));
				goto out;
			}
			if (quotes) {
				line[at] = '"';
				line[at + n + 1] = '"';
				n += 2;
			}
			at += n;
			line[at++] = ' ';
		}
		source_read_text(&text, line, at);
		text.line = own[0].line;
		ps->generated++;
		parse_source(ps, &text);
		if (ps->lexer.diag->errors != before)
			break; /* one bad template, one report */
	}
out:
	source_done(&text);
	free(own);
}

static void directive(struct parse *ps, struct source *s, const struct entry *e)
{
	const struct rdata_token *d = &ps->lexer.tokens[0];
	int err;

	if (d->len == 7 && strncasecmp(d->text, "$ORIGIN", 7) == 0) {
		struct name origin;

		if (e->n != 2) {
			problem(ps, s, d->line, d->column, "write $ORIGIN NAME");
			return;
		}
		err = name_from_text(ps->lexer.tokens[1].text, ps->lexer.tokens[1].len, ps->origin.wire, &origin);
		if (err)
			problem(ps, s, ps->lexer.tokens[1].line, ps->lexer.tokens[1].column, "\"%.*s\" is no domain name", SHOW(&ps->lexer.tokens[1]));
		else
			ps->origin = origin;
		ps->owner_text_len = 0;
	} else if (d->len == 4 && strncasecmp(d->text, "$TTL", 4) == 0) {
		if (e->n != 2 || ttl_from_text(ps->lexer.tokens[1].text, ps->lexer.tokens[1].len, TTL_MAX, &ps->default_ttl) < 0)
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

/* A small file fits. */
static size_t window_for(const struct parse *ps, uint64_t size)
{
	return ps->o->window ? ps->o->window : (size_t)MIN(size + 1, (uint64_t)LEXER_WINDOW);
}

static void parse_source(struct parse *ps, struct source *s)
{
	struct entry e;

	while (!ps->stop && !diag_full(ps->lexer.diag) && lexer_next(&ps->lexer, s, &e)) {
		if (!e.blank_start && !s->generated_column && ps->lexer.tokens[0].len && ps->lexer.tokens[0].text[0] == '$' &&
		    !ps->lexer.tokens[0].quoted)
			directive(ps, s, &e);
		else
			record(ps, s, &e);
		if (ps->o->on_progress && ps->depth <= 1 && !s->generated_column) {
			uint64_t done = s->base + (uint64_t)(s->p - s->buf);

			if (done - ps->told >= PROGRESS_STEP) {
				ps->told = done;
				ps->o->on_progress(ps->o->ctx, done, ps->all);
			}
		}
	}
	if (s->err == ERR_NO_MEMORY && !ps->stop)
		ps->stop = s->err;
}

/* A problem with the file itself stands at the place that named it. */
static int cannot_read(struct parse *ps, const char *path, const struct source *from, const struct rdata_token *at, int err)
{
	diag_add(ps->lexer.diag, DIAG_ERROR, from ? from->file : path, at ? at->line : 0, at ? at->column : 0, "cannot read %s: %s", path,
	         err_text(err));
	return err;
}

/* Read, not mapped: a file that an editor cuts short meanwhile must not end in SIGBUS. What is appended meanwhile is not read. */
static int parse_file(struct parse *ps, const char *path, const struct source *from, const struct rdata_token *at)
{
	const struct rdata_token place = at ? *at : (struct rdata_token){0}; /* at moves */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *file = arena_strdup(&ps->names, path);
	int err = fd < 0 ? -errno : file ? 0 : ERR_NO_MEMORY;
	struct source s = {0};
	struct stat st = {0};

	if (!err && fstat(fd, &st) < 0)
		err = -errno;
	if (!err && !S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (!err)
		err = source_init(&s, file, window_for(ps, (uint64_t)st.st_size));
	if (!err) {
		source_read_file(&s, fd, 0, (uint64_t)st.st_size);
		if (!from)
			ps->all = (uint64_t)st.st_size;
		ps->depth++;
		lexer_skip_mark(&ps->lexer, &s);
		parse_source(ps, &s);
		ps->depth--;
		err = s.err;
	}
	if (err)
		cannot_read(ps, path, from, at ? &place : NULL, err);
	source_done(&s);
	if (fd >= 0)
		close(fd);
	return err;
}

static int begin(struct parse *ps, const struct zonefile_options *o, struct diag *diag, bool include)
{
	memset(ps, 0, sizeof(*ps));
	ps->o = o;
	ps->lexer = (struct lexer){.diag = diag, .scan = scan_best(), .slow = o->slow};
	ps->include = include;
	arena_init(&ps->names, 0);
	name_copy(&ps->origin, o->origin);
	ps->rdata = malloc(RDATA_MAX + RDATA_TOKEN_PAD);
	return ps->rdata ? 0 : ERR_NO_MEMORY;
}

static int finish(struct parse *ps, unsigned errors_before, int err)
{
	free(ps->rdata);
	lexer_done(&ps->lexer);
	arena_done(&ps->names);
	if (err)
		return err;
	return ps->stop ? ps->stop : ps->lexer.diag->errors > errors_before ? ERR_INVALID : 0;
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
	struct parse *ps = malloc(sizeof(*ps));
	unsigned before = diag->errors;
	int err = ps ? begin(ps, o, diag, include) : ERR_NO_MEMORY;
	struct source s = {0};

	if (!err)
		err = source_init(&s, name, window_for(ps, len));
	if (!err) {
		source_read_text(&s, bytes, len);
		ps->all = len;
		lexer_skip_mark(&ps->lexer, &s);
		parse_source(ps, &s);
	}
	source_done(&s);
	if (ps)
		err = finish(ps, before, err);
	free(ps);
	return err;
}
