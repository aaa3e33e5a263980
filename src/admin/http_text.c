/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/http_text.h"

#include "base/addr.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { HOST_MAX = 253 };

static bool port_is_good(const char *p)
{
	uint64_t port;

	return !*p || (*p == ':' && (!p[1] || http_text_number(p + 1, 65535, &port)));
}

bool http_text_host(const char *field, char *out, size_t cap)
{
	bool bracket = field[0] == '[';
	const char *from = field + bracket, *end = from + strcspn(from, bracket ? "]" : ":");
	size_t len = (size_t)(end - from);

	if (!len || len > HOST_MAX || len >= cap || (bracket && *end != ']') || !port_is_good(end + bracket))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)from[i]) && !strchr(bracket ? ":." : "-._", from[i]))
			return false;
	}
	for (size_t i = 0; i < len; i++)
		out[i] = (char)tolower((unsigned char)from[i]);
	/* "name." is "name". */
	out[len > 1 && out[len - 1] == '.' ? len - 1 : len] = '\0';
	return true;
}

bool http_text_is_address(const char *host)
{
	struct ip_addr a;

	return addr_parse(host, &a) == 0;
}

const char *http_text_cookie(const char *field, const char *name, size_t *len)
{
	size_t name_len = strlen(name);

	while (*field) {
		size_t n;

		field += strspn(field, "; \t");
		n = strcspn(field, ";");
		if (n > name_len && field[name_len] == '=' && strncmp(field, name, name_len) == 0) {
			*len = n - name_len - 1;
			return field + name_len + 1;
		}
		field += n;
	}
	return NULL;
}

const char *http_text_bearer(const char *field, size_t *len)
{
	if (strncasecmp(field, "Bearer ", 7) != 0)
		return NULL;
	field += 7;
	field += strspn(field, " ");
	*len = strcspn(field, " \t");
	return *len && !field[*len] ? field : NULL;
}

bool http_text_number(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned digit = (unsigned)(*text - '0');

		if (digit > 9 || digit > max || n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*out = n;
	return true;
}

bool http_text_has_tag(const char *field, const char *tag)
{
	size_t tag_len = strlen(tag);

	while (*field) {
		size_t n;

		field += strspn(field, ", \t");
		if (strncmp(field, "W/", 2) == 0)
			field += 2;
		n = strcspn(field, ", \t");
		if ((n == 1 && *field == '*') || (n == tag_len && strncmp(field, tag, n) == 0))
			return true;
		field += n;
	}
	return false;
}

bool http_text_is_json(const char *field)
{
	size_t n = strcspn(field, "; \t");

	return n == strlen("application/json") && strncasecmp(field, "application/json", n) == 0;
}

bool http_text_takes_gzip(const char *field)
{
	while (*field) {
		size_t n;

		field += strspn(field, ", \t");
		n = strcspn(field, ",");
		if (n >= 4 && strncasecmp(field, "gzip", 4) == 0 && (n == 4 || strchr("; \t", field[4]))) {
			const char *q = memchr(field, '=', n);

			/* "gzip;q=0", also "0.000": not at all. */
			return !q || strspn(q + 1, "0.") < (size_t)(field + n - q - 1);
		}
		field += n;
	}
	return false;
}

bool http_text_same_origin(const char *origin, const char *host, bool tls)
{
	const char *scheme = tls ? "https://" : "http://";
	size_t n = strlen(scheme);

	return strncasecmp(origin, scheme, n) == 0 && strcasecmp(origin + n, host) == 0;
}
