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

enum { NO = 255 };

const uint8_t hex_value[256] = {
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, NO, NO, NO, NO, NO, NO,
	NO, 10, 11, 12, 13, 14, 15, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, 10, 11, 12, 13, 14, 15, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
};

static const uint8_t base32hex_value[256] = {
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, NO, NO, NO, NO, NO, NO,
	NO, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
	25, 26, 27, 28, 29, 30, 31, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
	25, 26, 27, 28, 29, 30, 31, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
};

static const uint8_t base64_value[256] = {
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 62, NO, NO, NO, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, NO, NO, NO, NO, NO, NO,
	NO, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, NO, NO, NO, NO, NO,
	NO, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
};

int hex_feed(struct decoder *d, const char *text, size_t len, struct writer *w)
{
	const uint8_t *s = (const uint8_t *)text, *end = s + len;

	/* Whole octets, while there is room for all there can be. */
	if (!d->count && !w->failed && w->cap - w->pos >= len) {
		uint8_t *p = w->base + w->pos;

		for (; end - s >= 2 && (hex_value[s[0]] | hex_value[s[1]]) < 16; s += 2)
			*p++ = (uint8_t)(hex_value[s[0]] << 4 | hex_value[s[1]]);
		w->pos = (size_t)(p - w->base);
	}
	for (; s < end; s++) {
		uint32_t v = hex_value[*s];

		if (v > 15)
			return ERR_MALFORMED;
		d->bits = d->bits << 4 | v;
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

int base64_feed(struct decoder *d, const char *text, size_t len, struct writer *w)
{
	const uint8_t *s = (const uint8_t *)text, *end = s + len;

	/* Groups of four, while there is room for all there can be. */
	if (!d->count && !d->pads && !w->failed && w->cap - w->pos >= len) {
		uint8_t *p = w->base + w->pos;

		for (; end - s >= 4; s += 4) {
			uint32_t a = base64_value[s[0]], b = base64_value[s[1]], c = base64_value[s[2]], e = base64_value[s[3]];
			uint32_t v = a << 18 | b << 12 | c << 6 | e;

			if ((a | b | c | e) > 63)
				break;
			*p++ = (uint8_t)(v >> 16);
			*p++ = (uint8_t)(v >> 8);
			*p++ = (uint8_t)v;
		}
		d->chars += (unsigned)(s - (const uint8_t *)text);
		w->pos = (size_t)(p - w->base);
	}
	for (; s < end; s++) {
		uint32_t v = base64_value[*s];

		d->chars++;
		if (*s == '=') {
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
	const uint8_t *s = (const uint8_t *)text, *end = s + len;
	uint32_t bits = 0;
	unsigned count = 0;

	/* Groups of eight, while there is room for all there can be. */
	if (!w->failed && w->cap - w->pos >= len) {
		uint8_t *p = w->base + w->pos;

		for (; end - s >= 8; s += 8) {
			uint64_t v = 0;
			unsigned bad = 0;

			for (unsigned i = 0; i < 8; i++) {
				bad |= base32hex_value[s[i]];
				v = v << 5 | (base32hex_value[s[i]] & 31);
			}
			if (bad > 31)
				break;
			*p++ = (uint8_t)(v >> 32);
			put_u32(p, (uint32_t)v);
			p += 4;
		}
		w->pos = (size_t)(p - w->base);
	}
	for (; s < end; s++) {
		uint32_t v = base32hex_value[*s];

		if (v > 31)
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
