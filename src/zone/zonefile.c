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

#include "base/err.h"
#include "zone/generate.h"
#include "zone/zonefile_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PROGRESS_STEP = 64 << 10,
	GENERATE_LINE_MAX = 4096,
};

/* ---- directives ---- */

static void parse_source(struct parse *ps, struct source *s);
static int parse_file(struct parse *ps, const char *path, const struct source *from, const struct rdata_token *at);

static void directive_include(struct parse *ps, struct source *s, const struct entry *e)
{
	const struct rdata_token *t = &ps->lexer.tokens[1];
	struct name origin = ps->now.origin, owner = ps->now.owner;
	bool had_owner = ps->now.has_owner, was_bad = ps->now.bad_owner;
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
	if (e->n == 3 && name_from_text(ps->lexer.tokens[2].text, ps->lexer.tokens[2].len, origin.wire, &ps->now.origin) < 0) {
		problem(ps, s, ps->lexer.tokens[2].line, ps->lexer.tokens[2].column, "\"%.*s\" is no domain name", SHOW(&ps->lexer.tokens[2]));
		return;
	}
	zonefile_owner_changed(ps);
	parse_file(ps, path, s, t); /* what is wrong in it is in the diag */
	zonefile_owner_changed(ps);
	ps->now.origin = origin;
	ps->now.owner = owner;
	ps->now.has_owner = had_owner;
	ps->now.bad_owner = was_bad;
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
	if ((range.stop - range.start) / range.step + 1 > ZONEFILE_GENERATE_MAX - ps->now.generated) {
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
		ps->now.generated++;
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

	/* Files in files, and counts of what was made, are not for a part that does not know what came before. */
	if (ps->guess && (d->len == 8 || d->len == 9)) {
		ps->unsure = true;
		return;
	}
	if (d->len == 7 && strncasecmp(d->text, "$ORIGIN", 7) == 0) {
		struct name origin;

		if (e->n != 2) {
			problem(ps, s, d->line, d->column, "write $ORIGIN NAME");
			return;
		}
		err = name_from_text(ps->lexer.tokens[1].text, ps->lexer.tokens[1].len, ps->now.origin.wire, &origin);
		if (err)
			problem(ps, s, ps->lexer.tokens[1].line, ps->lexer.tokens[1].column, "\"%.*s\" is no domain name", SHOW(&ps->lexer.tokens[1]));
		else
			ps->now.origin = origin;
		ps->owner_text_len = 0;
	} else if (d->len == 4 && strncasecmp(d->text, "$TTL", 4) == 0) {
		if (e->n != 2 || ttl_from_text(ps->lexer.tokens[1].text, ps->lexer.tokens[1].len, TTL_MAX, &ps->now.default_ttl) < 0)
			problem(ps, s, d->line, d->column, "write $TTL SECONDS, or $TTL 1h30m; at most %u seconds", (unsigned)TTL_MAX);
		else
			ps->now.has_default_ttl = true;
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

	while (!ps->stop && !ps->unsure && !diag_full(ps->lexer.diag) && lexer_next(&ps->lexer, s, &e)) {
		if (!e.blank_start && !s->generated_column && ps->lexer.tokens[0].len && ps->lexer.tokens[0].text[0] == '$' &&
		    !ps->lexer.tokens[0].quoted)
			directive(ps, s, &e);
		else
			zonefile_record(ps, s, &e);
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
		if (st.st_size > LEXER_WINDOW)
			posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
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
	name_copy(&ps->now.origin, o->origin);
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

int zonefile_parse_part(struct zonefile_part *part, const struct zonefile_options *o, struct diag *diag)
{
	struct parse *ps = malloc(sizeof(*ps));
	unsigned before = diag->errors;
	int err = ps ? begin(ps, o, diag, true) : ERR_NO_MEMORY;
	struct source s = {0};

	if (!err)
		err = source_init(&s, part->file, window_for(ps, part->size));
	if (!err) {
		if (part->before)
			ps->now = *part->before;
		ps->guess = part->guess;
		ps->all = part->size;
		ps->depth = 1;
		ps->told = part->from;
		source_read_file(&s, part->fd, part->from, part->size - part->from);
		err = part->direct ? source_read_direct(&s) : 0;
	}
	if (!err) {
		s.limit = part->to;
		s.line = part->guess || !part->before ? 1 : part->before->line;
		if (!part->from)
			lexer_skip_mark(&ps->lexer, &s);
		parse_source(ps, &s);
		part->end = s.base + (uint64_t)(s.p - s.buf);
		part->after = ps->now;
		part->after.line = s.line;
		part->unsure = ps->unsure;
		err = s.err ? s.err : ps->stop;
		if (s.err && !part->guess)
			cannot_read(ps, part->file, NULL, NULL, s.err);
	}
	source_done(&s);
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
