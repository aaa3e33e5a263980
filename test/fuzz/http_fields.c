/* SPDX-License-Identifier: BSD-2-Clause */
/* Any octets as fields of a request, as a place in the list of events, and as a file of tokens. What is taken is what it says it is. */
#include "admin/api_write.h"
#include "admin/http_text.h"
#include "config/tokens.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fields(const char *s)
{
	struct board_events_cursor c;
	struct text back;
	uint64_t n = 0;
	char host[254], again[254];
	const char *part;
	size_t len = 0, whole = strlen(s);

	if (http_text_host(s, host, sizeof(host))) {
		if (!*host || strlen(host) > whole || strpbrk(host, "/@[]% ") != NULL)
			abort();
		/* A name is its own Host field; an address of IPv6 is in brackets there. */
		if (!strchr(host, ':') && host[strlen(host) - 1] != '.' && (!http_text_host(host, again, sizeof(again)) || strcmp(host, again) != 0))
			abort();
		(void)http_text_is_address(host);
	}
	part = http_text_cookie(s, "zonecast_session", &len);
	if (part && (part < s || part + len > s + whole || memchr(part, ';', len)))
		abort();
	part = http_text_bearer(s, &len);
	if (part && (!len || part[len] || memchr(part, ' ', len)))
		abort();
	if (http_text_number(s, 1000000, &n) && (n > 1000000 || n != strtoull(s, NULL, 10)))
		abort();
	(void)http_text_has_tag(s, "\"0123\"");
	(void)http_text_takes_gzip(s);
	(void)http_text_is_json(s);
	(void)http_text_same_origin(s, "w1:8053", true);
	text_init(&back);
	if (events_place_parse(s, &c)) {
		struct board_events_cursor d;

		events_place_text(&c, &back);
		if (!events_place_parse(back.chars, &d) || memcmp(&c, &d, sizeof(c)) != 0)
			abort();
	}
	text_done(&back);
}

static void tokens(const char *s, size_t size)
{
	static struct tokens t;
	char why[160] = "";
	unsigned line = 0;

	if (tokens_parse(s, size, &t, &line, why, sizeof(why)) == 0) {
		if (!t.count || t.count > TOKENS_MAX)
			abort();
		for (size_t i = 0; i < t.count; i++)
			if (!*t.token[i].name || strlen(t.token[i].name) >= TOKEN_NAME_MAX)
				abort();
		(void)tokens_find(&t, s, size);
	} else if (!*why) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);

	if (!s)
		return 0;
	memcpy(s, data, size);
	s[size] = '\0';
	fields(s);
	tokens(s, size);
	free(s);
	return 0;
}
