/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fields of HTTP requests as they come from strangers. Pure. */

/* The name in a Host field, without port and brackets, lower case, into out (cap octets). False: it is none. */
bool http_text_host(const char *field, char *out, size_t cap) MUST_CHECK;
/* Is it an IP address? Such a Host cannot be the work of DNS rebinding: who made the request knew the address. */
bool http_text_is_address(const char *host);
/* The value of a cookie in a Cookie field (RFC 6265 4.2.1); NULL: it is not there. */
const char *http_text_cookie(const char *field, const char *name, size_t *len);
/* What stands behind "Bearer " (RFC 6750 2.1); NULL: something else is there. */
const char *http_text_bearer(const char *field, size_t *len);
/* Decimal digits and nothing else, at most max. */
bool http_text_number(const char *text, uint64_t max, uint64_t *out) MUST_CHECK;
/* Does the list of an If-None-Match field have the tag (with its quotes), or a star? (RFC 9110 13.1.2: weak comparison) */
bool http_text_has_tag(const char *field, const char *tag);
/* Is it a JSON body by its Content-Type? */
bool http_text_is_json(const char *field);
/* May gzip be sent by this Accept-Encoding field? */
bool http_text_takes_gzip(const char *field);
/* "https://host:port" of an Origin field, and the Host field of the same request: the same place? */
bool http_text_same_origin(const char *origin, const char *host, bool tls);
