/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/base64.h"

#include "base/err.h"

#include <string.h>

void hex_put(struct text *t, const uint8_t *p, size_t len)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < len; i++) {
		text_char(t, digits[p[i] >> 4]);
		text_char(t, digits[p[i] & 15]);
	}
}

void base64_put(struct text *t, const uint8_t *p, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i;
		uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0U);
		char out[4] = {digits[v >> 18], digits[v >> 12 & 63], n > 1 ? digits[v >> 6 & 63] : '=',
		               n > 2 ? digits[v & 63] : '='};

		text_add(t, out, 4);
	}
}

void base32hex_put(struct text *t, const uint8_t *p, size_t len)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
	uint32_t v = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < len; i++) {
		v = v << 8 | p[i];
		for (bits += 8; bits >= 5; bits -= 5)
			text_char(t, digits[v >> (bits - 5) & 31]);
	}
	if (bits)
		text_char(t, digits[v << (5 - bits) & 31]);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_feed(struct decoder *d, const char *text, size_t len, struct writer *w)
{
	for (size_t i = 0; i < len; i++) {
		int v = hex_digit(text[i]);

		if (v < 0)
			return ERR_MALFORMED;
		d->bits = d->bits << 4 | (uint32_t)v;
		d->count += 4;
		if (d->count == 8) {
			writer_u8(w, (uint8_t)d->bits);
			d->count = 0;
		}
	}
	return 0;
}

int hex_end(const struct decoder *d)
{
	return d->count ? ERR_MALFORMED : 0;
}

/* Value of each character, 64 for what is none. */
static unsigned base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

int base64_feed(struct decoder *d, const char *text, size_t len, struct writer *w)
{
	for (size_t i = 0; i < len; i++) {
		unsigned v = base64_digit(text[i]);

		d->chars++;
		if (text[i] == '=') {
			d->pads++;
			continue;
		}
		if (v > 63 || d->pads)
			return ERR_MALFORMED;
		d->bits = d->bits << 6 | v;
		d->count += 6;
		if (d->count >= 8) {
			d->count -= 8;
			writer_u8(w, (uint8_t)(d->bits >> d->count));
		}
	}
	return 0;
}

int base64_end(const struct decoder *d)
{
	if (d->chars % 4 || d->pads > 2)
		return ERR_MALFORMED;
	/* Bits left over must be those the padding stands for, and zero. */
	if (d->count != d->pads * 2 || (d->bits & ((1U << d->count) - 1)))
		return ERR_MALFORMED;
	return 0;
}

int base64_get(const char *text, size_t len, struct writer *w)
{
	struct decoder d = {0};
	int err = base64_feed(&d, text, len, w);

	return err ? err : base64_end(&d);
}

int hex_get(const char *text, size_t len, struct writer *w)
{
	struct decoder d = {0};
	int err = hex_feed(&d, text, len, w);

	return err ? err : hex_end(&d);
}

int base32hex_get(const char *text, size_t len, struct writer *w)
{
	uint32_t bits = 0;
	unsigned count = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		unsigned v;

		if (c >= '0' && c <= '9')
			v = (unsigned)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'v')
			v = (unsigned)((c | 0x20) - 'a') + 10;
		else
			return ERR_MALFORMED;
		bits = bits << 5 | v;
		count += 5;
		if (count >= 8) {
			count -= 8;
			writer_u8(w, (uint8_t)(bits >> count));
		}
	}
	return count >= 5 || (bits & ((1U << count) - 1)) ? ERR_MALFORMED : 0;
}
