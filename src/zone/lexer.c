/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries and tokens of zone files.
 *
 * Text is read into a window that stays in the cache, and classified there once (zone/scan.h): where blanks end and where words end is then read off bit
 * maps. Only what is no plain word (quotes, escapes) is walked octet by octet. An entry is whole in the window: when it reaches the window's end, its first
 * token is moved to the front and more is read behind it, and the tokens found so far move along; the window grows for an entry that needs more than half of
 * it, up to LEXER_ENTRY_MAX. Behind the last octet lies a NUL, which ends any search.
 *
 * A string ends on the line where it began; a backslash at the end of a line is an error. After an error the rest of the entry is skipped. */
#include "zone/lexer.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAREN_MAX = 64, TOKENS_FIRST = 96, EDGES_MAX = 2 * TOKENS_FIRST };
enum { DIRECT_STEP = 512 << 10, DIRECT_ALIGN = 4096 };

void lexer_problem(const struct lexer *x, const struct source *s, unsigned line, unsigned column, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_add(x->diag, DIAG_ERROR, s->file, line, column, "%s", text);
}

/* ---- the window ---- */

/* One piece of memory: text, then both maps. */
static int make_window(size_t cap, char **buf, uint64_t **blank, uint64_t **stop)
{
	size_t words = cap / SCAN_BLOCK + 1;
	char *p = malloc(cap + SCAN_BLOCK + 2 * words * sizeof(uint64_t));

	if (!p)
		return ERR_NO_MEMORY;
	*buf = p;
	*blank = (uint64_t *)(void *)(p + cap + SCAN_BLOCK);
	*stop = *blank + words;
	return 0;
}

int source_init(struct source *s, const char *file, size_t window)
{
	*s = (struct source){.file = file, .fd = -1, .cap = (MAX(window, (size_t)SCAN_BLOCK) + SCAN_BLOCK - 1) / SCAN_BLOCK * SCAN_BLOCK};
	return make_window(s->cap, &s->buf, &s->blank, &s->stop);
}

/* Octets of the file that were read past the page cache and not asked for yet. */
struct lexer_direct {
	size_t have, next;
	_Alignas(DIRECT_ALIGN) char buf[DIRECT_STEP];
};

static void end_direct(struct source *s)
{
	free(s->direct);
	s->direct = NULL;
}

void source_done(struct source *s)
{
	free(s->buf);
	s->buf = NULL;
	end_direct(s);
}

static void start(struct source *s, uint64_t from, uint64_t left)
{
	s->p = s->end = s->buf;
	s->base = s->line_start = from;
	s->limit = UINT64_MAX;
	s->line = 1;
	s->left = left;
	s->err = 0;
	/* An empty window: the NUL at its end. */
	memset(s->buf, 0, SCAN_BLOCK);
	s->blank[0] = 0;
	s->stop[0] = ~0ULL;
}

void source_read_text(struct source *s, const char *text, size_t len)
{
	s->fd = -1;
	s->text = text;
	start(s, 0, len);
}

void source_read_file(struct source *s, int fd, uint64_t from, uint64_t size)
{
	s->fd = fd;
	s->at = from;
	start(s, from, size);
}

int source_read_direct(struct source *s)
{
	s->direct = aligned_alloc(DIRECT_ALIGN, sizeof(*s->direct));
	if (!s->direct)
		return ERR_NO_MEMORY;
	s->direct->have = s->direct->next = 0;
	return 0;
}

static ssize_t read_file(const struct source *s, char *to, size_t n)
{
	ssize_t got;

	do
		got = pread(s->fd, to, n, (off_t)s->at);
	while (got < 0 && errno == EINTR);
	return got;
}

static ssize_t read_direct(struct source *s, char *to, size_t n)
{
	struct lexer_direct *d = s->direct;
	ssize_t got;

	if (d->next == d->have) {
		got = read_file(s, d->buf, sizeof(d->buf));
		if (got < 0 && errno == EINVAL) {
			/* This file system, or this place after a read that came out short, does not do it. */
			int flags = fcntl(s->fd, F_GETFL);

			end_direct(s);
			return flags < 0 || fcntl(s->fd, F_SETFL, flags & ~O_DIRECT) < 0 ? -1 : read_file(s, to, n);
		}
		if (got <= 0)
			return got;
		d->have = (size_t)got;
		d->next = 0;
	}
	n = MIN(n, d->have - d->next);
	memcpy(to, d->buf + d->next, n);
	d->next += n;
	return (ssize_t)n;
}

/* Up to n octets of what is left into to; 0 at the end or on failure. */
static size_t read_some(struct source *s, char *to, size_t n)
{
	ssize_t got;

	n = MIN(n, s->left);
	if (s->fd < 0) {
		memcpy(to, s->text, n);
		s->text += n;
		s->left -= n;
		return n;
	}
	got = s->direct ? read_direct(s, to, n) : read_file(s, to, n);
	if (got < 0)
		s->err = -errno;
	if (got <= 0) { /* shorter than it was when it was opened */
		s->left = 0;
		return 0;
	}
	s->at += (uint64_t)got;
	s->left -= (uint64_t)got;
	return (size_t)got;
}

/* Move what the entry needs to the front of the window and read more. False: there is no more. */
static bool fill(struct lexer *x, struct source *s)
{
	const char *keep = x->live && !x->spoilt ? x->tokens[0].text : s->p;
	size_t before = (size_t)(keep - s->buf), kept = (size_t)(s->end - keep), ahead = (size_t)(s->p - keep), n;
	char *to = s->buf;

	if (!s->left)
		return false;
	if (kept >= LEXER_ENTRY_MAX) {
		lexer_problem(x, s, x->tokens[0].line, x->tokens[0].column, "a record that spans more than %d MiB", LEXER_ENTRY_MAX >> 20);
		x->spoilt = true;
		s->left = 0;
		return false;
	}
	if (kept > s->cap / 2 && s->cap < LEXER_ENTRY_MAX) {
		size_t cap = MIN(s->cap * 2, (size_t)LEXER_ENTRY_MAX);
		uint64_t *blank, *stop;

		if (make_window(cap, &to, &blank, &stop) < 0) {
			s->err = ERR_NO_MEMORY;
			s->left = 0;
			return false;
		}
		memcpy(to, keep, kept);
		for (size_t i = 0; i < x->live && !x->spoilt; i++)
			x->tokens[i].text = to + (x->tokens[i].text - keep);
		free(s->buf);
		s->buf = to;
		s->cap = cap;
		s->blank = blank;
		s->stop = stop;
	} else {
		memmove(to, keep, kept);
		for (size_t i = 0; i < x->live && !x->spoilt; i++)
			x->tokens[i].text -= before;
	}
	s->base += before;
	s->p = to + ahead;
	n = read_some(s, to + kept, s->cap - kept);
	s->end = to + kept + n;
	memset(to + kept + n, 0, SCAN_BLOCK);
	x->scan(to, (kept + n) / SCAN_BLOCK + 1, s->blank, s->stop);
	return n != 0;
}

/* Are there n octets from s->p on? */
static bool have(struct lexer *x, struct source *s, size_t n)
{
	while ((size_t)(s->end - s->p) < n)
		if (!fill(x, s))
			return false;
	return true;
}

void lexer_skip_mark(struct lexer *x, struct source *s)
{
	x->live = 0;
	if (have(x, s, 3) && memcmp(s->p, "\xef\xbb\xbf", 3) == 0) {
		s->p += 3;
		s->line_start = 3;
	}
}

/* ---- tokens ---- */

int lexer_reserve(struct lexer *x, size_t n)
{
	size_t cap = MAX(x->cap * 2, (size_t)TOKENS_FIRST);
	struct rdata_token *tokens;

	if (n <= x->cap)
		return 0;
	tokens = realloc(x->tokens, MAX(cap, n) * sizeof(*tokens));
	if (!tokens)
		return ERR_NO_MEMORY;
	x->tokens = tokens;
	x->cap = MAX(cap, n);
	return 0;
}

void lexer_done(struct lexer *x)
{
	free(x->tokens);
	x->tokens = NULL;
}

static unsigned column(const struct source *s, const char *p)
{
	return s->generated_column ? s->generated_column : (unsigned)(s->base + (uint64_t)(p - s->buf) - s->line_start) + 1;
}

static void next_line(struct source *s)
{
	s->p++;
	s->line++;
	s->line_start = s->base + (uint64_t)(s->p - s->buf);
}

static void skip_comment(struct lexer *x, struct source *s)
{
	const char *eol;

	do {
		eol = memchr(s->p, '\n', (size_t)(s->end - s->p));
		s->p = eol ? eol : s->end;
	} while (!eol && fill(x, s));
}

/* The next octet that may end or bend a word, NUL at the end of the source. */
static char to_stop(struct lexer *x, struct source *s)
{
	do
		s->p = s->buf + scan_next(s->stop, (size_t)(s->p - s->buf));
	while (s->p == s->end && fill(x, s));
	return s->p == s->end ? '\0' : *s->p;
}

/* An unquoted token; false: a problem was reported. */
static bool take_word(struct lexer *x, struct source *s, struct rdata_token *t)
{
	bool quote = false, plain = !x->slow;

	*t = (struct rdata_token){.text = s->p, .line = s->line, .column = column(s, s->p)};
	for (;;) {
		char c = to_stop(x, s);

		if (c == '\\') { /* an escape takes the next character with it */
			have(x, s, 3);
			if (s->end - s->p < 2 || s->p[1] == '\n' || (s->p[1] == '\r' && s->end - s->p > 2 && s->p[2] == '\n')) {
				lexer_problem(x, s, s->line, column(s, s->p), "a backslash at the end of a line; write \\\\ for a backslash");
				return false;
			}
			s->p += s->p[1] ? 2 : 1; /* a NUL is met again */
			plain = false;
		} else if (c == '"') { /* key="a value"; record() parts it where the type has no such fields */
			x->inner_quotes = true;
			quote = !quote;
			plain = false;
			s->p++;
		} else if (!c && s->p != s->end) {
			lexer_problem(x, s, s->line, column(s, s->p), "a NUL octet: this is no text file");
			return false;
		} else if (!quote || !c || c == '\n') {
			break;
		} else {
			s->p++;
		}
	}
	if (x->spoilt)
		return false;
	if (quote) {
		lexer_problem(x, s, t->line, t->column, "a quote is opened and not closed on this line");
		return false;
	}
	t->len = (size_t)(s->p - t->text);
	t->plain = plain;
	return true;
}

static bool take_quoted(struct lexer *x, struct source *s, struct rdata_token *t)
{
	s->p++;
	*t = (struct rdata_token){.text = s->p, .quoted = true, .line = s->line, .column = column(s, s->p) - 1};
	for (;;) {
		char c = to_stop(x, s);

		if (c == '"')
			break;
		if (c == '\\' && have(x, s, 2) && s->p[1] != '\n')
			c = *++s->p;
		if (c == '\n' || (!c && s->p != s->end)) {
			lexer_problem(x, s, t->line, t->column, "a quote is opened and not closed on this line");
			return false;
		}
		if (s->p == s->end) {
			if (!x->spoilt)
				lexer_problem(x, s, t->line, t->column, "a quote is opened and not closed");
			return false;
		}
		s->p++;
	}
	t->len = (size_t)(s->p - t->text);
	s->p++;
	return true;
}

static void begin_entry(struct lexer *x, struct source *s, struct entry *e)
{
	e->n = 0;
	x->live = 0;
	x->spoilt = false;
	e->line = s->line;
	e->blank_start = have(x, s, 1) && (*s->p == ' ' || *s->p == '\t');
}

/* Where the line that i is in ends, or what bends words stands, if that is before. */
static size_t hard_stop(const struct source *s, size_t i)
{
	size_t w = i / 64;
	uint64_t hard = (s->stop[w] & ~s->blank[w]) >> (i % 64) << (i % 64);

	while (!hard) {
		w++;
		hard = s->stop[w] & ~s->blank[w];
	}
	return w * 64 + (size_t)__builtin_ctzll(hard);
}

/* Octets from..to, of which `to` is the end of the line and all others are words and blanks: where words begin and where they end, in turn. Returns how many
 * there are of both, or 0 for too many. */
static size_t word_edges(const struct source *s, size_t from, size_t to, uint32_t edges[EDGES_MAX])
{
	uint64_t carry = 1ULL << (from % 64); /* as if a blank stood before the line */
	size_t n = 0;

	for (size_t w = from / 64; w <= to / 64; w++) {
		uint64_t stop = s->stop[w], map = stop ^ (stop << 1 | carry);

		carry = stop >> 63;
		if (w == from / 64)
			map = map >> (from % 64) << (from % 64);
		if (w == to / 64)
			map &= ~0ULL >> (63 - to % 64);
		if (n + 64 > EDGES_MAX)
			return 0;
		for (; map; map &= map - 1)
			edges[n++] = (uint32_t)(w * 64 + (size_t)__builtin_ctzll(map));
	}
	return n;
}

/* The entry as most are: on one line that is all in the window, plain words and blanks only. False: it is not; nothing has happened then. */
static bool plain_entry(struct lexer *x, struct source *s, struct entry *e)
{
	const uint64_t column_of_0 = s->base - s->line_start + 1;
	size_t i = (size_t)(s->p - s->buf), n, end;
	uint32_t edges[EDGES_MAX];

	if (x->slow || s->generated_column || x->cap < TOKENS_FIRST)
		return false;
	end = hard_stop(s, i);
	if (s->buf[end] != '\n')
		return false;
	n = word_edges(s, i, end, edges) / 2;
	if (!n)
		return false;
	for (size_t k = 0; k < n; k++) {
		uint32_t from = edges[2 * k];

		x->tokens[k] = (struct rdata_token){.text = s->buf + from, .len = edges[2 * k + 1] - from, .plain = true, .line = s->line,
		                                    .column = (unsigned)(column_of_0 + from)};
	}
	e->n = n;
	s->p = s->buf + end;
	next_line(s);
	return true;
}

bool lexer_next(struct lexer *x, struct source *s, struct entry *e)
{
	unsigned open = 0, open_line = 0, open_column = 0;

	x->inner_quotes = false;
	begin_entry(x, s, e);
	if (s->base + (uint64_t)(s->p - s->buf) >= s->limit)
		return false;
	if (plain_entry(x, s, e))
		return true;
	for (;;) {
		bool good;

		s->p = s->buf + scan_next_unset(s->blank, (size_t)(s->p - s->buf));
		if (s->p == s->end) {
			if (fill(x, s))
				continue;
			break;
		}
		switch (*s->p) {
		case ';':
			skip_comment(x, s);
			continue;
		case '\n':
			next_line(s);
			if (open)
				continue;
			if (e->n && !x->spoilt)
				return true;
			begin_entry(x, s, e);
			if (diag_full(x->diag) || s->line_start >= s->limit)
				return false;
			continue;
		case '(':
			if (!open++) {
				open_line = s->line;
				open_column = column(s, s->p);
			}
			if (open > PAREN_MAX) {
				lexer_problem(x, s, s->line, column(s, s->p), "parentheses are nested more than %d deep", PAREN_MAX);
				open = 0;
				x->spoilt = true;
				skip_comment(x, s);
				continue;
			}
			s->p++;
			continue;
		case ')':
			if (!open) {
				lexer_problem(x, s, s->line, column(s, s->p), "a closing parenthesis without an opening one");
				x->spoilt = true;
			} else {
				open--;
			}
			s->p++;
			continue;
		default:
			break;
		}
		if (x->spoilt) { /* nothing more is read of this entry */
			if (open) {
				s->p++;
				continue;
			}
			skip_comment(x, s);
			continue;
		}
		if (e->n == LEXER_TOKENS_MAX) {
			if (open)
				lexer_problem(x, s, open_line, open_column, "this parenthesis is not closed within %d fields", LEXER_TOKENS_MAX);
			else
				lexer_problem(x, s, s->line, column(s, s->p), "more than %d fields in one record", LEXER_TOKENS_MAX);
			x->spoilt = true;
			continue;
		}
		if (lexer_reserve(x, e->n + 1) < 0) {
			s->err = ERR_NO_MEMORY;
			e->n = 0;
			return false;
		}
		x->tokens[e->n].text = s->p;
		x->live = e->n + 1;
		good = *s->p == '"' ? take_quoted(x, s, &x->tokens[e->n]) : take_word(x, s, &x->tokens[e->n]);
		if (!good) {
			x->spoilt = true;
			open = 0;
			skip_comment(x, s);
			continue;
		}
		e->n++;
	}
	if (open && !x->spoilt)
		lexer_problem(x, s, open_line, open_column, "this parenthesis is never closed");
	if (x->spoilt || open || s->err)
		e->n = 0;
	return e->n != 0;
}
