/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/tokens.h"

#include "base/err.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

static size_t word(const char **at, const char *end, const char **out)
{
	const char *p = *at;

	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
		p++;
	*out = p;
	while (p < end && *p != ' ' && *p != '\t' && *p != '\r')
		p++;
	*at = p;
	return (size_t)(p - *out);
}

/* What can stand in a header field as it is: RFC 6750 2.1, and some more. */
static bool printable(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return true;
}

/* NULL, or what is wrong with the line. */
static const char *parse_line(const char *at, const char *end, struct tokens *t)
{
	const char *name, *kind, *token, *more;
	size_t name_len = word(&at, end, &name), kind_len, token_len;
	struct token *add;

	if (!name_len || name[0] == '#')
		return NULL;
	kind_len = word(&at, end, &kind);
	token_len = word(&at, end, &token);
	if (!token_len || word(&at, end, &more))
		return "a line is NAME, ro or rw, and TOKEN, with blanks between";
	if (name_len >= TOKEN_NAME_MAX || !printable(name, name_len))
		return "a name has at most 63 characters of ASCII";
	if (kind_len != 2 || kind[0] != 'r' || (kind[1] != 'o' && kind[1] != 'w'))
		return "the second word is ro (may read) or rw (may also give orders)";
	if (token_len < TOKEN_LEN_MIN || token_len > TOKEN_LEN_MAX || !printable(token, token_len))
		return "a token has 20 to 256 characters of ASCII: make one with openssl rand -hex 24";
	if (t->count == TOKENS_MAX)
		return "more than 256 tokens";
	add = &t->token[t->count];
	memcpy(add->name, name, name_len);
	add->name[name_len] = '\0';
	add->changes = kind[1] == 'w';
	SHA256((const uint8_t *)token, token_len, add->digest);
	for (size_t i = 0; i < t->count; i++)
		if (memcmp(t->token[i].digest, add->digest, TOKEN_DIGEST) == 0)
			return "this token is here twice: each one has a token of its own";
	t->count++;
	return NULL;
}

int tokens_parse(const char *text, size_t len, struct tokens *out, unsigned *line, char *problem, size_t cap)
{
	const char *at = text, *end = text + len, *why = NULL;
	struct tokens t = {0};
	unsigned n = 0;

	while (at < end && !why) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));

		n++;
		why = parse_line(at, eol ? eol : end, &t);
		at = eol ? eol + 1 : end;
	}
	if (!why && !t.count)
		why = "there is no token in it: NAME ro TOKEN or NAME rw TOKEN in each line";
	if (why) {
		*line = n;
		snprintf(problem, cap, "%s", why);
	} else {
		*out = t;
	}
	OPENSSL_cleanse(&t, sizeof(t));
	return why ? ERR_INVALID : 0;
}

const struct token *tokens_find(const struct tokens *t, const char *token, size_t len)
{
	const struct token *found = NULL;
	uint8_t digest[TOKEN_DIGEST];

	SHA256((const uint8_t *)token, len, digest);
	for (size_t i = 0; i < t->count; i++)
		if (CRYPTO_memcmp(t->token[i].digest, digest, TOKEN_DIGEST) == 0)
			found = &t->token[i];
	OPENSSL_cleanse(digest, sizeof(digest));
	return found;
}
