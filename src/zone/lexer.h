/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/diag.h"
#include "dns/rr.h"
#include "zone/scan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Cutting zone file text into entries and tokens, for zonefile.c. */
enum {
	LEXER_WINDOW = 128 << 10,    /* octets read at a time */
	LEXER_ENTRY_MAX = 16 << 20,  /* octets an entry may span, comments inside parentheses included */
	LEXER_TOKENS_MAX = 16384,    /* in one entry */
};

/* One file or piece of text, seen through a window that moves over it. */
struct source {
	const char *file; /* borrowed */
	int fd;           /* borrowed; -1: text in memory */
	struct lexer_direct *direct; /* NULL: read through the page cache */
	const char *text; /* borrowed: what is not in the window yet */
	uint64_t at, left; /* the file's next octet; octets to come into the window */
	char *buf;         /* cap octets and SCAN_BLOCK more */
	size_t cap;
	uint64_t *blank, *stop; /* bit maps over buf; behind its end lies a NUL */
	const char *p, *end;    /* in buf */
	uint64_t limit;         /* no entry is begun at this offset or behind it */
	uint64_t base;          /* offset of buf[0] in the text */
	uint64_t line_start;    /* likewise an offset */
	unsigned line;
	unsigned generated_column; /* not 0: what $GENERATE made; all of it is told to stand in this column */
	int err;                   /* reading failed: -errno, ERR_NO_MEMORY */
};

struct lexer {
	struct diag *diag;
	scan_fn *scan;
	bool slow;                  /* tokens are never marked as plain */
	struct rdata_token *tokens; /* of the entry: they point into the window and are gone with the next call */
	size_t live, cap;           /* tokens that move with the window; room for so many */
	bool inner_quotes;          /* seen in a token of this entry */
	bool spoilt;                /* the entry had a problem: its tokens are not kept */
};

struct entry {
	size_t n;         /* tokens */
	bool blank_start; /* the owner is left out */
	unsigned line;
};

/* A window of so many octets. ERR_NO_MEMORY. */
int source_init(struct source *s, const char *file, size_t window) MUST_CHECK;
void source_done(struct source *s);
/* What is read through it from now on; places count from line 1 again. */
void source_read_text(struct source *s, const char *text, size_t len);
void source_read_file(struct source *s, int fd, uint64_t from, uint64_t size);
/* After it, of a whole file whose descriptor has O_DIRECT: read by large steps past the page cache; where that turns out not to be possible, through
 * it. ERR_NO_MEMORY. */
int source_read_direct(struct source *s) MUST_CHECK;
/* Step over a byte order mark at the very start. */
void lexer_skip_mark(struct lexer *x, struct source *s);

/* Cut the next entry into tokens. False at the end of the source, or when the diag is full. */
bool lexer_next(struct lexer *x, struct source *s, struct entry *e);
/* Room for n tokens. ERR_NO_MEMORY. */
int lexer_reserve(struct lexer *x, size_t n) MUST_CHECK;
void lexer_done(struct lexer *x);

/* Report a problem at a place of the source. */
void lexer_problem(const struct lexer *x, const struct source *s, unsigned line, unsigned column, const char *fmt, ...) PRINTF_LIKE(5, 6);
