/* SPDX-License-Identifier: BSD-2-Clause */
/* Is what a web server answers the answer that was hoped for?
 *
 * A GET with "Connection: close" is sent and the answer is read as it comes: the status line, the head, and, where a text is looked for, the first HTTP_BODY_MAX octets of the body, which
 * may come in chunks (RFC 9112 7.1); a text that lies across the border of two pieces or chunks is found. Nothing is kept but one line of the head and the last octets of the body.
 * Answers of 1xx are stepped over (RFC 9110 15.2). A redirect counts as its status and is not followed: what is behind it is another place's health.
 *
 * Bodies are looked at as they are: none is asked to be compressed ("Accept-Encoding: identity"), and none is unpacked.
 *
 * Everything here comes from outside: every size has a limit, and what is beyond it is a failure with a reason. Not here: HTTP/2, which a server may offer but has to speak to nobody. */
#include "health/http.h"

#include "base/err.h"
#include "health/probe_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Neither a second line nor a space where the line is cut by spaces. */
static bool is_clean(const char *s, unsigned char from)
{
	for (; *s; s++)
		if ((unsigned char)*s < from || *s == 0x7f)
			return false;
	return true;
}

int http_request(const char *path, const char *host, char *buf, size_t cap, size_t *len)
{
	int n;

	if (path[0] != '/' || !is_clean(path, 0x21) || !*host || !is_clean(host, 0x21))
		return ERR_INVALID;
	n = snprintf(buf, cap,
	             "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: zonecast\r\nAccept: */*\r\n"
	             "Accept-Encoding: identity\r\nConnection: close\r\n\r\n",
	             path, host);
	if (n < 0 || (size_t)n >= cap)
		return ERR_LIMIT;
	*len = (size_t)n;
	return 0;
}

void http_begin(struct http_reading *r, const struct http_wanted *wanted)
{
	memset(r, 0, offsetof(struct http_reading, line));
	r->wanted = *wanted;
}

static enum http_step bad(char *why, const char *text)
{
	probe_fail(why, "%s", text);
	return HTTP_BAD;
}

/* "HTTP/1.1 200 OK" */
static bool read_status(const char *line, uint16_t *status, bool *is_two)
{
	*is_two = strncmp(line, "HTTP/2", 6) == 0;
	if (strncmp(line, "HTTP/1.", 7) != 0 || line[7] < '0' || line[7] > '9' || line[8] != ' ')
		return false;
	for (int i = 9; i < 12; i++)
		if (line[i] < '0' || line[i] > '9')
			return false;
	if (line[12] && line[12] != ' ')
		return false;
	*status = (uint16_t)((line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0');
	return *status >= 100;
}

static bool is_wanted(const struct http_reading *r)
{
	return r->wanted.status ? r->status == r->wanted.status : r->status >= 200 && r->status <= 399;
}

static const char *value_of(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	line += len + 1;
	return line + strspn(line, " \t");
}

/* False: no number. */
static bool read_length(const char *text, unsigned base, uint64_t *out)
{
	uint64_t v = 0;
	unsigned digits = 0;

	for (; *text; text++, digits++) {
		char c = (char)(*text | 0x20);
		unsigned digit = *text >= '0' && *text <= '9' ? (unsigned)(*text - '0')
		                 : c >= 'a' && c <= 'f'       ? (unsigned)(c - 'a' + 10)
		                                              : 99;

		if (digit >= base)
			break;
		if (v > (UINT64_MAX >> 5))
			return false;
		v = v * base + digit;
	}
	if (!digits || (*text && *text != ';' && *text != ' ' && *text != '\t'))
		return false;
	*out = v;
	return true;
}

static enum http_step end_of_body(struct http_reading *r, char *why)
{
	if (!r->wanted.contains)
		return HTTP_GOOD;
	probe_fail(why, "status %u, but the text that is wanted is not in the first %d KiB of the answer", r->status,
	           HTTP_BODY_MAX >> 10);
	return HTTP_BAD;
}

static enum http_step end_of_head(struct http_reading *r, char *why)
{
	if (r->interim) {
		r->interim = false;
		r->at = HTTP_AT_STATUS;
		return HTTP_MORE;
	}
	/* RFC 9110 15.3.5, 15.4.5: these have no body. */
	if (!r->wanted.contains || r->status == 204 || r->status == 304 || (r->has_length && !r->chunked && !r->left))
		return end_of_body(r, why);
	r->at = r->chunked ? HTTP_AT_SIZE : HTTP_AT_BODY;
	return HTTP_MORE;
}

static enum http_step take_header(struct http_reading *r, char *why)
{
	const char *value;

	if (!r->line_len)
		return end_of_head(r, why);
	value = value_of(r->line, "transfer-encoding");
	if (value && !r->interim) {
		if (strcasecmp(value, "chunked") != 0)
			return bad(why, "answered in an encoding that was not asked for");
		r->chunked = true;
	}
	value = value_of(r->line, "content-length");
	if (value && !r->interim) {
		if (!read_length(value, 10, &r->left))
			return bad(why, "answer malformed: its length is no number");
		r->has_length = true;
	}
	return HTTP_MORE;
}

static enum http_step take_status(struct http_reading *r, char *why)
{
	bool is_two;

	if (!read_status(r->line, &r->status, &is_two))
		return bad(why, is_two ? "answered in HTTP/2, which was not asked for"
		                       : "answered something that is not HTTP");
	r->interim = r->status < 200;
	r->chunked = r->has_length = false;
	r->at = HTTP_AT_HEADER;
	if (r->interim || is_wanted(r))
		return HTTP_MORE;
	if (r->wanted.status)
		probe_fail(why, "status %u, wanted %u", r->status, r->wanted.status);
	else
		probe_fail(why, "status %u, wanted 200 to 399", r->status);
	return HTTP_BAD;
}

static enum http_step take_line(struct http_reading *r, char *why)
{
	switch (r->at) {
	case HTTP_AT_STATUS:
		return take_status(r, why);
	case HTTP_AT_HEADER:
		return take_header(r, why);
	case HTTP_AT_SIZE:
		if (!read_length(r->line, 16, &r->left))
			return bad(why, "answer malformed: the size of a chunk is no number");
		if (!r->left)
			return end_of_body(r, why);
		r->at = HTTP_AT_CHUNK;
		return HTTP_MORE;
	case HTTP_AT_CHUNK_END:
		if (r->line_len)
			return bad(why, "answer malformed: a chunk is longer than it says");
		r->at = HTTP_AT_SIZE;
		return HTTP_MORE;
	case HTTP_AT_CHUNK:
	case HTTP_AT_BODY:
		break;
	}
	return HTTP_MORE;
}

/* The next octet of a line. */
static enum http_step take_octet(struct http_reading *r, uint8_t c, char *why)
{
	enum http_step step;

	if (++r->head > HTTP_HEAD_MAX + HTTP_BODY_MAX)
		return bad(why, "the head of the answer is too long");
	if (c != '\n') {
		if (r->line_len == sizeof(r->line) - 1)
			return bad(why, "a line of the answer is too long");
		/* A text that C ends early would hide what is behind it. */
		r->line[r->line_len++] = c ? (char)c : '?';
		return HTTP_MORE;
	}
	if (r->line_len && r->line[r->line_len - 1] == '\r')
		r->line_len--;
	r->line[r->line_len] = '\0';
	step = take_line(r, why);
	r->line_len = 0;
	return step;
}

/* Octets of the body: is the text in them, or in them and the last ones of before? */
static bool is_found(struct http_reading *r, const uint8_t *bytes, size_t len)
{
	size_t wanted = strlen(r->wanted.contains), keep;
	char joint[2 * HTTP_WANTED_MAX];
	size_t lead = MIN(len, wanted - 1);

	memcpy(joint, r->tail, r->tail_len);
	memcpy(joint + r->tail_len, bytes, lead);
	if (memmem(joint, r->tail_len + lead, r->wanted.contains, wanted) ||
	    memmem(bytes, len, r->wanted.contains, wanted))
		return true;
	keep = MIN(len, wanted - 1);
	if (keep < wanted - 1) {
		size_t old = MIN(r->tail_len, wanted - 1 - keep);

		memmove(r->tail, r->tail + r->tail_len - old, old);
		r->tail_len = old;
	} else {
		r->tail_len = 0;
	}
	memcpy(r->tail + r->tail_len, bytes + len - keep, keep);
	r->tail_len += keep;
	return false;
}

/* How many octets are used goes to *used. */
static enum http_step take_body(struct http_reading *r, const uint8_t *bytes, size_t len, size_t *used, char *why)
{
	bool bounded = r->at == HTTP_AT_CHUNK || r->has_length;
	size_t n = bounded ? (size_t)MIN((uint64_t)len, r->left) : len;

	n = MIN(n, (size_t)HTTP_BODY_MAX - r->body);
	*used = n;
	if (is_found(r, bytes, n))
		return HTTP_GOOD;
	r->body += n;
	if (bounded)
		r->left -= n;
	if (r->body == HTTP_BODY_MAX || (r->at == HTTP_AT_BODY && r->has_length && !r->left))
		return end_of_body(r, why);
	if (r->at == HTTP_AT_CHUNK && !r->left)
		r->at = HTTP_AT_CHUNK_END;
	return HTTP_MORE;
}

enum http_step http_take(struct http_reading *r, const uint8_t *bytes, size_t len, char *why)
{
	enum http_step step = HTTP_MORE;

	while (len && step == HTTP_MORE) {
		size_t used = 1;

		if (r->at == HTTP_AT_BODY || r->at == HTTP_AT_CHUNK)
			step = take_body(r, bytes, len, &used, why);
		else
			step = take_octet(r, *bytes, why);
		bytes += used;
		len -= used;
	}
	return step;
}

enum http_step http_end(struct http_reading *r, char *why)
{
	if (r->at == HTTP_AT_BODY && !r->has_length)
		return end_of_body(r, why);
	return bad(why, r->at == HTTP_AT_STATUS ? "connection closed without an answer"
	                                        : "connection closed within the answer");
}
