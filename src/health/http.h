/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "health/probe_dns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One request of HTTP/1.1 (RFC 9112) and what its answer's octets are worth, as they come. Pure: see http.c. */
enum {
	HTTP_REQUEST_MAX = 2048,  /* octets */
	HTTP_LINE_MAX = 8192,     /* octets of a line of the head */
	HTTP_HEAD_MAX = 65536,    /* octets of all of it */
	HTTP_BODY_MAX = 64 << 10, /* octets that are looked at */
	HTTP_WANTED_MAX = 256,    /* octets of a text that is looked for */
};

/* "GET path"; host: as it stands in the header, with its port where it is not the usual one. ERR_LIMIT: too long; ERR_INVALID: an octet that cannot stand there. */
int http_request(const char *path, const char *host, char *buf, size_t cap, size_t *len) MUST_CHECK;

struct http_wanted {
	uint16_t status;      /* 0: any from 200 to 399 */
	const char *contains; /* in the body; NULL: nothing */
};

enum http_step { HTTP_MORE, HTTP_GOOD, HTTP_BAD };

struct http_reading {
	struct http_wanted wanted;
	enum { HTTP_AT_STATUS, HTTP_AT_HEADER, HTTP_AT_SIZE, HTTP_AT_CHUNK, HTTP_AT_CHUNK_END, HTTP_AT_BODY } at;
	uint16_t status;
	bool chunked, has_length;
	bool interim;      /* a head of 1xx: another one follows */
	uint64_t left;     /* octets of the body, or of the chunk */
	size_t head, body; /* octets seen */
	size_t line_len, tail_len;
	char line[HTTP_LINE_MAX];
	char tail[HTTP_WANTED_MAX]; /* the end of what was seen of the body: the text may begin in it */
};

void http_begin(struct http_reading *r, const struct http_wanted *wanted);
/* HTTP_GOOD and HTTP_BAD are final; why: of PROBE_WHY_MAX, of the latter. */
enum http_step http_take(struct http_reading *r, const uint8_t *bytes, size_t len, char *why);
/* The connection was closed. Never HTTP_MORE. */
enum http_step http_end(struct http_reading *r, char *why);
