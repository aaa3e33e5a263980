/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Reading and writing bytes in network order. Both have sticky errors: after the first failure reads return 0, writes do
 * nothing, and ok() says so once at the end. Only this file knows about byte order. */
struct reader {
	const uint8_t *base; /* borrowed */
	size_t len;
	size_t pos;
	bool failed;
};

struct writer {
	uint8_t *base; /* borrowed */
	size_t cap;
	size_t pos;
	bool failed;
};

static inline struct reader reader_of(const void *bytes, size_t len)
{
	return (struct reader){.base = bytes, .len = len};
}

static inline bool reader_ok(const struct reader *r)
{
	return !r->failed;
}

static inline size_t reader_left(const struct reader *r)
{
	return r->failed ? 0 : r->len - r->pos;
}

/* The next n bytes, borrowed, or NULL. */
static inline const uint8_t *reader_bytes(struct reader *r, size_t n)
{
	const uint8_t *p;

	if (r->failed || n > r->len - r->pos) {
		r->failed = true;
		return NULL;
	}
	p = r->base + r->pos;
	r->pos += n;
	return p;
}

static inline uint8_t get_u8(const uint8_t *p)
{
	return p[0];
}

static inline uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)((p[0] << 8) | p[1]);
}

static inline uint32_t get_u32(const uint8_t *p)
{
	return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}

static inline void put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
	put_u16(p, (uint16_t)(v >> 16));
	put_u16(p + 2, (uint16_t)v);
}

static inline uint8_t reader_u8(struct reader *r)
{
	const uint8_t *p = reader_bytes(r, 1);

	return p ? *p : 0;
}

static inline uint16_t reader_u16(struct reader *r)
{
	const uint8_t *p = reader_bytes(r, 2);

	return p ? get_u16(p) : 0;
}

static inline uint32_t reader_u32(struct reader *r)
{
	const uint8_t *p = reader_bytes(r, 4);

	return p ? get_u32(p) : 0;
}

static inline struct writer writer_of(void *bytes, size_t cap)
{
	return (struct writer){.base = bytes, .cap = cap};
}

static inline bool writer_ok(const struct writer *w)
{
	return !w->failed;
}

/* Room for n bytes, to be filled by the caller, or NULL. */
static inline uint8_t *writer_room(struct writer *w, size_t n)
{
	uint8_t *p;

	if (w->failed || n > w->cap - w->pos) {
		w->failed = true;
		return NULL;
	}
	p = w->base + w->pos;
	w->pos += n;
	return p;
}

static inline void writer_bytes(struct writer *w, const void *bytes, size_t n)
{
	uint8_t *p = writer_room(w, n);

	if (p && n)
		memcpy(p, bytes, n);
}

static inline void writer_u8(struct writer *w, uint8_t v)
{
	writer_bytes(w, &v, 1);
}

static inline void writer_u16(struct writer *w, uint16_t v)
{
	uint8_t *p = writer_room(w, 2);

	if (p)
		put_u16(p, v);
}

static inline void writer_u32(struct writer *w, uint32_t v)
{
	uint8_t *p = writer_room(w, 4);

	if (p)
		put_u32(p, v);
}
