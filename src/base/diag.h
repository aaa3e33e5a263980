/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/arena.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

/* Problems for people: each with its place and, where known, what to write instead. Collected, never printed here. */
enum diag_severity { DIAG_ERROR, DIAG_WARNING };

struct diag_entry {
	enum diag_severity severity;
	const char *file; /* NULL: no place */
	unsigned line;    /* 1-based; 0: whole file */
	unsigned column;  /* 1-based byte column; 0: whole line */
	const char *text;
	struct diag_entry *next;
};

struct diag {
	struct arena arena;
	struct diag_entry *first;
	struct diag_entry **last;
	unsigned errors;
	unsigned warnings;
	unsigned dropped;     /* beyond the limits below */
	unsigned error_limit; /* DIAG_ERROR_LIMIT after init; set it before use to change it */
	unsigned warning_limit;
};

enum { DIAG_ERROR_LIMIT = 20, DIAG_WARNING_LIMIT = 50 };

void diag_init(struct diag *d);
void diag_done(struct diag *d);
void diag_add(struct diag *d, enum diag_severity severity, const char *file, unsigned line, unsigned column,
              const char *fmt, ...) PRINTF_LIKE(6, 7);
/* True once as many errors were reported as people will read: a parser stops then. */
bool diag_full(const struct diag *d);
/* "FILE:LINE:COL: error: TEXT" without newline into buf; returns buf. */
char *diag_entry_text(const struct diag_entry *e, char *buf, size_t cap);
