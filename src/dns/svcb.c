/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/svcb.h"

#include "base/err.h"
#include "dns/base64.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum svcb_key { KEY_MANDATORY, KEY_ALPN, KEY_NO_DEFAULT_ALPN, KEY_PORT, KEY_IPV4HINT, KEY_ECH, KEY_IPV6HINT, KEY_DOHPATH, KEY_OHTTP, KEY_TLS_GROUPS };

static const char *const keys[] = {"mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp",
                                   "tls-supported-groups"};

/* Keys up to this one are printed by name; the later ones, which many servers in use do not know yet, as keyN. */
enum { KEY_PRINTED_LAST = KEY_IPV6HINT };

static void put_key(struct text *t, unsigned key)
{
	if (key <= KEY_PRINTED_LAST)
		text_str(t, keys[key]);
	else
		text_fmt(t, "key%u", key);
}

/* Is this a value of the key? RFC 9460 7 and 8, RFC 9461 5, RFC 9540 4. */
static int value_check(unsigned key, const uint8_t *v, size_t n)
{
	size_t i = 0;

	switch (key) {
	case KEY_MANDATORY:
		if (!n || n % 2)
			return ERR_MALFORMED;
		for (int last = KEY_MANDATORY; i < n; last = get_u16(v + i), i += 2)
			if (get_u16(v + i) <= last)
				return ERR_MALFORMED;
		return 0;
	case KEY_ALPN:
		while (i < n && v[i])
			i += v[i] + 1U;
		return n && i == n ? 0 : ERR_MALFORMED;
	case KEY_NO_DEFAULT_ALPN:
	case KEY_OHTTP:
		return n ? ERR_MALFORMED : 0;
	case KEY_PORT:
		return n == 2 ? 0 : ERR_MALFORMED;
	case KEY_IPV4HINT:
		return n && n % 4 == 0 ? 0 : ERR_MALFORMED;
	case KEY_IPV6HINT:
		return n && n % 16 == 0 ? 0 : ERR_MALFORMED;
	case KEY_TLS_GROUPS:
		return n && n % 2 == 0 ? 0 : ERR_MALFORMED;
	case KEY_ECH:
	case KEY_DOHPATH:
		return n ? 0 : ERR_MALFORMED;
	default:
		return 0;
	}
}

int svcb_check(const uint8_t *p, size_t len)
{
	size_t mandatory = 0; /* keys that have to be there: the list is ascending, and so are the parameters */
	const uint8_t *list = NULL;
	int last = -1;

	for (size_t at = 0, n; at < len; at += 4 + n) {
		unsigned key;

		if (len - at < 4)
			return ERR_MALFORMED;
		key = get_u16(p + at);
		n = get_u16(p + at + 2);
		if ((int)key <= last || len - at - 4 < n || value_check(key, p + at + 4, n) < 0)
			return ERR_MALFORMED;
		last = (int)key;
		if (key == KEY_MANDATORY) {
			list = p + at + 4;
			mandatory = n / 2;
		} else if (mandatory && get_u16(list) == key) {
			list += 2;
			mandatory--;
		}
	}
	return mandatory ? ERR_MALFORMED : 0;
}

/* A character of a quoted value; `list`: a comma and a backslash inside an item are escaped twice (appendix A.1). */
static void put_char(struct text *t, uint8_t c, bool list)
{
	if (list && (c == ',' || c == '\\')) {
		text_str(t, c == ',' ? "\\\\," : "\\\\\\\\");
		return;
	}
	if (c < ' ' || c > '~') {
		text_fmt(t, "\\%03u", c);
		return;
	}
	if (c == '"' || c == '\\')
		text_char(t, '\\');
	text_char(t, (char)c);
}

static void put_value(struct text *t, unsigned key, const uint8_t *v, size_t n)
{
	char buf[INET6_ADDRSTRLEN];

	switch (key) {
	case KEY_MANDATORY:
		for (size_t i = 0; i + 2 <= n; i += 2) {
			if (i)
				text_char(t, ',');
			put_key(t, get_u16(v + i));
		}
		return;
	case KEY_ALPN:
		text_char(t, '"');
		for (size_t i = 0; i < n; i += v[i] + 1U) {
			if (i)
				text_char(t, ',');
			for (unsigned k = 1; k <= v[i]; k++)
				put_char(t, v[i + k], true);
		}
		text_char(t, '"');
		return;
	case KEY_PORT:
		text_fmt(t, "%u", get_u16(v));
		return;
	case KEY_IPV4HINT:
	case KEY_IPV6HINT:
		for (size_t i = 0, step = key == KEY_IPV4HINT ? 4 : 16; i + step <= n; i += step) {
			if (i)
				text_char(t, ',');
			if (inet_ntop(key == KEY_IPV4HINT ? AF_INET : AF_INET6, v + i, buf, sizeof(buf)))
				text_str(t, buf);
		}
		return;
	case KEY_ECH:
		base64_put(t, v, n);
		return;
	default:
		text_char(t, '"');
		for (size_t i = 0; i < n; i++)
			put_char(t, v[i], false);
		text_char(t, '"');
	}
}

void svcb_to_text(const uint8_t *params, size_t len, struct text *out)
{
	for (size_t at = 0; at + 4 <= len;) {
		unsigned key = get_u16(params + at), n = get_u16(params + at + 2);

		if (at)
			text_char(out, ' ');
		put_key(out, key);
		if (n) {
			text_char(out, '=');
			put_value(out, key, params + at + 4, n);
		}
		at += 4 + n;
	}
}

/* by_number: it was written keyN, and the value is in wire form whatever the key (RFC 9460 2.1). */
static int key_of(const char *text, size_t len, unsigned *out, bool *by_number)
{
	unsigned v = 0;

	*by_number = false;
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		if (strlen(keys[i]) == len && memcmp(keys[i], text, len) == 0) {
			*out = i;
			return 0;
		}
	if (len < 4 || len > 8 || memcmp(text, "key", 3) != 0 || (len > 4 && text[3] == '0'))
		return ERR_INVALID;
	for (size_t i = 3; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return ERR_INVALID;
		v = v * 10 + (unsigned)(text[i] - '0');
	}
	if (v > 65535)
		return ERR_INVALID;
	*by_number = true;
	*out = v;
	return 0;
}

/* Undo the escapes of a zone file (RFC 1035 5.1). */
static int unescape(const char *text, size_t len, uint8_t *out, size_t *n)
{
	size_t at = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)text[i];

		if (c == '\\') {
			if (i + 1 >= len)
				return ERR_INVALID;
			c = (uint8_t)text[++i];
			if (c >= '0' && c <= '9') {
				unsigned v;

				if (i + 2 >= len || text[i + 1] < '0' || text[i + 1] > '9' || text[i + 2] < '0' || text[i + 2] > '9')
					return ERR_INVALID;
				v = (unsigned)(c - '0') * 100 + (unsigned)(text[i + 1] - '0') * 10 + (unsigned)(text[i + 2] - '0');
				if (v > 255)
					return ERR_INVALID;
				c = (uint8_t)v;
				i += 2;
			}
		}
		out[at++] = c;
	}
	*n = at;
	return 0;
}

/* Cut the next item off a comma-separated list; escapes of the list (appendix A.1) are undone in place. */
static bool next_item(uint8_t *v, size_t n, size_t *pos, uint8_t **item, size_t *item_len)
{
	size_t at = *pos, to;

	if (at > n)
		return false;
	*item = v + at;
	for (to = at; at < n && v[at] != ','; at++) {
		if (v[at] == '\\' && at + 1 < n)
			at++;
		v[to++] = v[at];
	}
	*item_len = to - (size_t)(*item - v);
	*pos = at + 1;
	return true;
}

static int number(const uint8_t *p, size_t len, unsigned *out)
{
	unsigned v = 0;

	if (!len || len > 5)
		return ERR_INVALID;
	for (size_t i = 0; i < len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return ERR_INVALID;
		v = v * 10 + p[i] - '0';
	}
	*out = v;
	return v > 65535 ? ERR_INVALID : 0;
}

static int order16(const void *a, const void *b)
{
	return memcmp(a, b, 2);
}

static int list_value(unsigned key, uint8_t *v, size_t n, struct writer *w, char *problem, size_t cap)
{
	size_t pos = 0, len;
	uint8_t *item;
	size_t start = w->pos;

	while (next_item(v, n, &pos, &item, &len)) {
		char word[INET6_ADDRSTRLEN + 1];
		uint8_t addr[16];
		bool by_number;
		unsigned k;

		if (!len) {
			snprintf(problem, cap, "%s has an empty item", keys[key]);
			return ERR_INVALID;
		}
		if (key == KEY_ALPN) {
			if (len > 255) {
				snprintf(problem, cap, "an alpn protocol is longer than 255 octets");
				return ERR_INVALID;
			}
			writer_u8(w, (uint8_t)len);
			writer_bytes(w, item, len);
			continue;
		}
		if (key == KEY_MANDATORY || key == KEY_TLS_GROUPS) {
			if (key == KEY_MANDATORY ? key_of((char *)item, len, &k, &by_number) < 0 : number(item, len, &k) < 0) {
				snprintf(problem, cap, key == KEY_MANDATORY ? "mandatory lists \"%.*s\", which is no service parameter"
				                                            : "\"%.*s\" is no TLS group: write numbers separated by commas",
				         (int)MIN(len, 40U), (char *)item);
				return ERR_INVALID;
			}
			writer_u16(w, (uint16_t)k);
			continue;
		}
		snprintf(word, sizeof(word), "%.*s", (int)MIN(len, sizeof(word) - 1), (char *)item);
		if (len >= sizeof(word) || strlen(word) != len || inet_pton(key == KEY_IPV4HINT ? AF_INET : AF_INET6, word, addr) != 1) {
			snprintf(problem, cap, "%s needs addresses separated by commas, not \"%s\"", keys[key], word);
			return ERR_INVALID;
		}
		writer_bytes(w, addr, key == KEY_IPV4HINT ? 4 : 16);
	}
	if (key == KEY_MANDATORY && writer_ok(w)) {
		qsort(w->base + start, (w->pos - start) / 2, 2, order16);
		for (size_t i = start; i + 4 <= w->pos; i += 2)
			if (get_u16(w->base + i) == get_u16(w->base + i + 2)) {
				snprintf(problem, cap, "mandatory lists a key twice");
				return ERR_INVALID;
			}
		if (get_u16(w->base + start) == KEY_MANDATORY) {
			snprintf(problem, cap, "mandatory cannot list itself");
			return ERR_INVALID;
		}
	}
	return 0;
}

int svcb_param_from_text(const char *text, size_t len, struct writer *w, struct svcb_param *out, char *problem, size_t cap)
{
	const char *eq = memchr(text, '=', len);
	size_t key_len = eq ? (size_t)(eq - text) : len, n = 0, start = w->pos;
	unsigned key, v;
	uint8_t *value = NULL;
	bool raw;
	int err = 0;

	if (key_of(text, key_len, &key, &raw) < 0) {
		snprintf(problem, cap, "\"%.*s\" is no service parameter; write a known key or keyNNN", (int)MIN(key_len, 40U), text);
		return ERR_INVALID;
	}
	if (eq) {
		const char *from = eq + 1;
		size_t left = len - key_len - 1;

		if (left >= 2 && from[0] == '"' && from[left - 1] == '"') {
			from++;
			left -= 2;
		}
		value = malloc(left + 1);
		if (!value)
			return ERR_NO_MEMORY;
		if (left > SVCB_VALUE_MAX || unescape(from, left, value, &n) < 0) {
			snprintf(problem, cap, "the value of %.*s has a bad escape or is too long", (int)MIN(key_len, 40U), text);
			free(value);
			return ERR_INVALID;
		}
	}
	if (raw) {
		err = value_check(key, value, n);
		if (err < 0)
			snprintf(problem, cap, "the value of key%u is not %s in wire form", key, keys[key]);
		else
			writer_bytes(w, value, n);
	} else if (key == KEY_NO_DEFAULT_ALPN || key == KEY_OHTTP) {
		if (n) {
			snprintf(problem, cap, "%s takes no value", keys[key]);
			err = ERR_INVALID;
		}
	} else if (!n) {
		snprintf(problem, cap, "%s needs a value", keys[key]);
		err = ERR_INVALID;
	} else if (key == KEY_MANDATORY || key == KEY_ALPN || key == KEY_IPV4HINT || key == KEY_IPV6HINT || key == KEY_TLS_GROUPS) {
		err = list_value(key, value, n, w, problem, cap);
	} else if (key == KEY_PORT) {
		err = number(value, n, &v);
		if (err < 0)
			snprintf(problem, cap, "port needs a number from 0 to 65535");
		else
			writer_u16(w, (uint16_t)v);
	} else if (key == KEY_ECH) {
		err = base64_get((char *)value, n, w);
		if (err < 0)
			snprintf(problem, cap, "ech needs base64");
	} else {
		writer_bytes(w, value, n);
	}
	free(value);
	if (!err && !writer_ok(w)) {
		snprintf(problem, cap, "the record is too long");
		err = ERR_INVALID;
	}
	if (!err)
		*out = (struct svcb_param){.key = (uint16_t)key, .len = (uint16_t)(w->pos - start), .at = start};
	return err;
}
