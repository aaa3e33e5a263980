/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "base/wire.h"

/* RFC 4648: base64 (4), base32hex without padding (7), hex (8). The get functions append the decoded octets of all len characters to w, or
 * fail with ERR_MALFORMED (w may then have grown: the caller rewinds). */
void base64_put(struct text *t, const uint8_t *p, size_t len);
void base32hex_put(struct text *t, const uint8_t *p, size_t len);
void hex_put(struct text *t, const uint8_t *p, size_t len);
int base64_get(const char *text, size_t len, struct writer *w) MUST_CHECK;
int base32hex_get(const char *text, size_t len, struct writer *w) MUST_CHECK;
int hex_get(const char *text, size_t len, struct writer *w) MUST_CHECK;

/* Value of a hexadecimal digit, 255 for what is none. */
extern const uint8_t hex_value[256];

/* Decoding in pieces: a zone file may break base64 and hex anywhere between tokens. */
struct decoder {
	uint32_t bits;
	unsigned count; /* bits held */
	unsigned chars, pads;
};
int base64_feed(struct decoder *d, const char *text, size_t len, struct writer *w) MUST_CHECK;
int base64_end(const struct decoder *d) MUST_CHECK;
int hex_feed(struct decoder *d, const char *text, size_t len, struct writer *w) MUST_CHECK;
int hex_end(const struct decoder *d) MUST_CHECK;
