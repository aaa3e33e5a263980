/* SPDX-License-Identifier: BSD-2-Clause */
/* Name compression (RFC 1035 4.1.4). Each label start that was written is noted with a hash of the suffix that begins there; a name is
 * written label by label until a suffix is found noted. Suffixes are compared octet by octet, so a pointer never changes the case of a
 * name, except that what stands in the question is matched in any case: the answer then shows the name as it was asked. */
#include "dns/message.h"

#include <string.h>

enum { POINTER_LIMIT = 0x4000, NAME_HASH_SEED = 5381 };

void compress_init(struct compress *c, struct writer *w)
{
	c->w = w;
	c->count = 0;
	c->question_end = 0;
}

static inline uint8_t lower(uint8_t ch)
{
	return (uint8_t)(ch - 'A') < 26 ? (uint8_t)(ch | 0x20) : ch;
}

/* Hashes of all suffixes, last label first, so that each costs one label. starts[i] is the offset of label i. */
static unsigned suffix_hashes(const uint8_t *name, uint8_t starts[], uint16_t hashes[])
{
	unsigned n = 0;
	uint32_t h = NAME_HASH_SEED;

	for (unsigned pos = 0; name[pos]; pos += name[pos] + 1U)
		starts[n++] = (uint8_t)pos;
	for (unsigned i = n; i-- > 0;) {
		const uint8_t *label = name + starts[i];

		for (unsigned k = 0; k <= label[0]; k++)
			h = h * 33 + lower(label[k]);
		hashes[i] = (uint16_t)(h ^ (h >> 16));
	}
	return n;
}

/* Does the message hold the name `suffix` at pos? Names in the message were written by us: pointers are sound. */
static bool same_name(const struct compress *c, size_t pos, const uint8_t *suffix)
{
	const uint8_t *base = c->w->base;

	for (;;) {
		bool any_case;
		uint8_t len;

		while ((base[pos] & 0xc0) == 0xc0)
			pos = (size_t)(base[pos] & 0x3f) << 8 | base[pos + 1];
		len = base[pos];
		if (len != *suffix)
			return false;
		if (!len)
			return true;
		any_case = pos < c->question_end;
		if (memcmp(base + pos + 1, suffix + 1, len) != 0) {
			if (!any_case)
				return false;
			for (unsigned i = 1; i <= len; i++)
				if (lower(base[pos + i]) != lower(suffix[i]))
					return false;
		}
		pos += len + 1U;
		suffix += len + 1U;
	}
}

/* Among the first n slots: those of the name being written are left out, the octets behind its labels are not there yet. */
static bool find(const struct compress *c, unsigned n, const uint8_t *suffix, uint16_t hash, uint16_t *pos)
{
	for (unsigned i = 0; i < n; i++)
		if (c->slots[i].hash == hash && same_name(c, c->slots[i].pos, suffix)) {
			*pos = c->slots[i].pos;
			return true;
		}
	return false;
}

static void note(struct compress *c, size_t pos, uint16_t hash)
{
	if (pos >= POINTER_LIMIT || c->count == COMPRESS_SLOTS)
		return;
	c->slots[c->count].pos = (uint16_t)pos;
	c->slots[c->count].hash = hash;
	c->count++;
}

void compress_name(struct compress *c, const uint8_t *name)
{
	uint8_t starts[NAME_LABELS_MAX + 1];
	uint16_t hashes[NAME_LABELS_MAX + 1];
	unsigned n = suffix_hashes(name, starts, hashes), fresh = c->count;

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *label = name + starts[i];
		uint16_t to;

		if (find(c, fresh, label, hashes[i], &to)) {
			writer_u16(c->w, (uint16_t)(0xc000 | to));
			if (c->w->failed)
				c->count = (uint16_t)fresh;
			return;
		}
		note(c, c->w->pos, hashes[i]);
		writer_bytes(c->w, label, label[0] + 1U);
		if (c->w->failed) {
			c->count = (uint16_t)fresh;
			return;
		}
	}
	writer_u8(c->w, 0);
	if (c->w->failed)
		c->count = (uint16_t)fresh;
}

void compress_note(struct compress *c, size_t pos)
{
	const uint8_t *name = c->w->base + pos;
	uint8_t starts[NAME_LABELS_MAX + 1];
	uint16_t hashes[NAME_LABELS_MAX + 1];
	unsigned n = suffix_hashes(name, starts, hashes);

	for (unsigned i = 0; i < n; i++)
		note(c, pos + starts[i], hashes[i]);
	c->question_end = (uint16_t)(pos + name_len(name));
}

void compress_rewind(struct compress *c, size_t pos)
{
	while (c->count && c->slots[c->count - 1].pos >= pos)
		c->count--;
}
