/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The file of those who may use a node's web server: "NAME ro TOKEN" or "NAME rw TOKEN" a line; empty lines, and lines that begin with #, are nothing. Only digests of tokens
 * are kept. Pure. */
enum {
	TOKENS_MAX = 256,
	TOKEN_LEN_MIN = 20, /* octets: nobody guesses one */
	TOKEN_LEN_MAX = 256,
	TOKEN_NAME_MAX = 64, /* NUL included */
	TOKEN_DIGEST = 32,
};

struct tokens {
	size_t count;
	struct token {
		char name[TOKEN_NAME_MAX];
		bool changes; /* rw */
		uint8_t digest[TOKEN_DIGEST];
	} token[TOKENS_MAX];
};

/* ERR_INVALID with the line (from 1) and a sentence in problem (cap octets). */
int tokens_parse(const char *text, size_t len, struct tokens *out, unsigned *line, char *problem, size_t cap) MUST_CHECK;
/* The one whose token this is, in a time that does not depend on how much of it is right; NULL: nobody's. */
const struct token *tokens_find(const struct tokens *t, const char *token, size_t len);
