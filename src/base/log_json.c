/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines of the log are written for people, "subject key=value ...", in some hundred places; programs get the same line taken apart here, so that no place has to say things twice.
 *
 *	bgp peer=192.0.2.1 state=established     {"event": "bgp", "peer": "192.0.2.1", "state": "established"}
 *	network=global family=ipv4 ...           {"event": "network", "network": "global", "family": "ipv4", ...}
 *	fleet.yaml:3:1: error: unknown key       {"event": "message", "text": "fleet.yaml:3:1: error: unknown key"}
 *
 * The event is the words before the first key, or the first key where there are none. A value without quotes that is a whole number becomes one, but of keys that name something (a network may be called 7);
 * true and false become booleans. A quoted value ends at the quote behind which the line ends or another key begins: sentences of other machines are put between quotes as they are, and may have quotes
 * in them. Words between keys are "text". A key that comes twice, or is one of ours, gets a number: "event_2". Octets that are no UTF-8 become U+FFFD. */
#include "base/log_json.h"

#include "base/text.h"

#include "base/attr.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	KEYS_MAX = 64,
	EVENT_WORDS_MAX = 3,
	EVENT_LEN_MAX = 64,
	TEXT_MAX = 512,
	DIGITS_MAX = 15,
	END_ROOM = 16 /* quote, brace, newline, NUL */
};

struct span {
	const char *chars;
	size_t len;
};

struct json {
	char *out;
	size_t cap, at;
	bool full;
	struct span keys[KEYS_MAX];
	size_t key_count;
};

static void put_char(struct json *j, char c)
{
	if (j->at + END_ROOM >= j->cap)
		j->full = true;
	else
		j->out[j->at++] = c;
}

static void put(struct json *j, const char *chars, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put_char(j, chars[i]);
}

static void PRINTF_LIKE(2, 3) put_fmt(struct json *j, const char *fmt, ...)
{
	char buf[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	put(j, buf, MIN((size_t)MAX(n, 0), sizeof(buf) - 1));
}

static void put_string(struct json *j, struct span s)
{
	put_char(j, '"');
	for (size_t i = 0; i < s.len;) {
		unsigned char c = (unsigned char)s.chars[i];
		size_t n = text_utf8_len(s.chars + i, s.len - i);

		if (c == '"' || c == '\\')
			put_fmt(j, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			put_fmt(j, "\\u%04x", c);
		else if (n)
			put(j, s.chars + i, n);
		else
			put(j, "\xef\xbf\xbd", 3);
		i += n ? n : 1;
	}
	put_char(j, '"');
}

static bool equal(struct span a, const char *b)
{
	return strlen(b) == a.len && memcmp(a.chars, b, a.len) == 0;
}

/* How often it has come before; ours count as once. */
static unsigned times_seen(const struct json *j, struct span key)
{
	static const char *const ours[] = {"time", "level", "role", "event", "text"};
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		n += equal(key, ours[i]);
	for (size_t i = 0; i < j->key_count; i++)
		n += j->keys[i].len == key.len && memcmp(j->keys[i].chars, key.chars, key.len) == 0;
	return n;
}

static bool is_name(struct span key)
{
	static const char *const names[] = {"network", "node", "zone", "key", "fleet", "group", "member", "catalog"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (equal(key, names[i]))
			return true;
	return false;
}

/* As JSON has numbers, and small enough for readers that have nothing but doubles. */
static bool is_number(struct span s)
{
	size_t at = s.len && s.chars[0] == '-';

	if (s.len - at == 0 || s.len - at > DIGITS_MAX || (s.chars[at] == '0' && s.len - at > 1))
		return false;
	for (; at < s.len; at++)
		if (s.chars[at] < '0' || s.chars[at] > '9')
			return false;
	return true;
}

/* All of it, or nothing: the object stays one. */
static void put_pair(struct json *j, struct span key, struct span value, bool quoted)
{
	size_t before = j->at;
	unsigned seen = times_seen(j, key);

	if (j->full || j->key_count == KEYS_MAX)
		return;
	put(j, ",\"", 2);
	put(j, key.chars, key.len);
	if (seen)
		put_fmt(j, "_%u", seen + 1);
	put(j, "\":", 2);
	if (!quoted && (equal(value, "true") || equal(value, "false") || (is_number(value) && !is_name(key))))
		put(j, value.chars, value.len);
	else
		put_string(j, value);
	if (j->full)
		j->at = before;
	else
		j->keys[j->key_count++] = key;
}

/* Length of the key that begins at p, without its '='; 0: there is none. */
static size_t key_len(const char *p)
{
	size_t n = 0;

	while ((p[n] >= 'a' && p[n] <= 'z') || (p[n] >= 'A' && p[n] <= 'Z') || (n && p[n] >= '0' && p[n] <= '9') ||
	       p[n] == '_' || (n && p[n] == '-'))
		n++;
	return p[n] == '=' ? n : 0;
}

/* Of the value behind the quote at p. */
static size_t quoted_len(const char *p)
{
	const char *first = NULL;

	for (const char *q = strchr(p, '"'); q; q = strchr(q + 1, '"')) {
		if (!q[1] || (q[1] == ' ' && key_len(q + 2)))
			return (size_t)(q - p);
		if (!first && q[1] == ' ')
			first = q;
	}
	return first ? (size_t)(first - p) : strlen(p);
}

/* The words before the first key. False: this is no such line, but a sentence. */
static bool event_of(const char *message, struct span *out, const char **keys)
{
	const char *p = message;
	unsigned words = 0;

	while (*p && !key_len(p)) {
		const char *end = p + strcspn(p, " ");

		if (++words > EVENT_WORDS_MAX || memchr(p, ':', (size_t)(end - p)))
			return false;
		p = end + strspn(end, " ");
	}
	if (!*p && words > 1)
		return false;
	*keys = p;
	*out = words ? (struct span){message, (size_t)(p - message)} : (struct span){p, key_len(p)};
	while (out->len && out->chars[out->len - 1] == ' ')
		out->len--;
	return out->len > 0 && out->len <= EVENT_LEN_MAX;
}

static void put_pairs(struct json *j, const char *p)
{
	char text[TEXT_MAX];
	size_t text_len = 0;

	while (*p) {
		size_t n = key_len(p);
		bool quoted = n && p[n + 1] == '"';
		struct span key = {p, n}, value = {p, strcspn(p, " ")};

		if (n) {
			value.chars = p + n + 1 + quoted;
			value.len = quoted ? quoted_len(value.chars) : strcspn(value.chars, " ");
			put_pair(j, key, value, quoted);
			p = value.chars + value.len;
			p += quoted && *p == '"';
		} else {
			size_t more;

			if (text_len && text_len < sizeof(text))
				text[text_len++] = ' ';
			more = MIN(value.len, sizeof(text) - text_len);
			memcpy(text + text_len, value.chars, more);
			text_len += more;
			p += value.len;
		}
		p += strspn(p, " ");
	}
	if (text_len) {
		size_t before = j->at;

		put(j, ",\"text\":", 8);
		put_string(j, (struct span){text, text_len});
		if (j->full)
			j->at = before;
	}
}

size_t log_json(const struct log_record *r, char *out, size_t cap)
{
	struct json j = {.out = out, .cap = cap};
	const char *keys = NULL;
	struct span event;
	char when[24];

	clock_wall_text((int64_t)(r->wall_us / 1000000U), when);
	put_fmt(&j, "{\"time\":\"%.19s.%06uZ\",\"level\":\"%s\",\"role\":\"%s\",\"event\":", when,
	        (unsigned)(r->wall_us % 1000000U), r->level, r->role);
	if (event_of(r->message, &event, &keys)) {
		put_string(&j, event);
		put_pairs(&j, keys);
	} else {
		size_t before;

		put(&j, "\"message\"", 9);
		before = j.at;
		put(&j, ",\"text\":", 8);
		put_string(&j, (struct span){r->message, strlen(r->message)});
		if (j.full)
			j.at = before;
	}
	/* The room for these is kept (END_ROOM). */
	out[j.at++] = '}';
	out[j.at++] = '\n';
	out[j.at] = '\0';
	return j.at;
}
