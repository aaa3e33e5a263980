/* SPDX-License-Identifier: BSD-2-Clause */
/* Every label start below the reach of pointers is kept in a hash table under a hash of the suffix that begins there. Hashes of all suffixes of a name
 * are made in one pass from its end. */
#include "xfr/pack.h"

#include "dns/name.h"

#include <string.h>

enum { POINTER_LIMIT = 0x4000 };

void pack_start(struct pack *p, struct writer *w)
{
	p->w = w;
	p->used = 0;
	p->owner_pos = 0;
	memset(p->slots, 0, sizeof(p->slots));
}

/* starts[i] is the offset of label i; returns how many there are. */
static unsigned suffix_hashes(const uint8_t *name, uint8_t starts[], uint32_t hashes[])
{
	unsigned n = 0;
	uint32_t h = 0x811c9dc5;

	for (unsigned pos = 0; name[pos]; pos += name[pos] + 1U)
		starts[n++] = (uint8_t)pos;
	for (unsigned i = n; i-- > 0;) {
		const uint8_t *label = name + starts[i];

		for (unsigned k = 0; k <= label[0]; k++)
			h = (h ^ label[k]) * 0x01000193;
		hashes[i] = h ^ h >> 15;
	}
	return n;
}

/* Names in the message were written by us: pointers are sound. */
static bool is_same(const uint8_t *base, size_t pos, const uint8_t *suffix)
{
	for (;;) {
		while ((base[pos] & 0xc0) == 0xc0)
			pos = (size_t)(base[pos] & 0x3f) << 8 | base[pos + 1];
		if (memcmp(base + pos, suffix, *suffix + 1U) != 0)
			return false;
		if (!*suffix)
			return true;
		pos += *suffix + 1U;
		suffix += *suffix + 1U;
	}
}

/* The slot of the suffix, or the free one where it belongs. Names being written are noted after they are whole, so all that is compared is there. */
static unsigned find(const struct pack *p, const uint8_t *suffix, uint32_t hash)
{
	unsigned at = hash % PACK_SLOTS;

	for (; p->slots[at].pos; at = (at + 1) % PACK_SLOTS)
		if (p->slots[at].hash == (uint16_t)(hash >> 16) && is_same(p->w->base, p->slots[at].pos, suffix))
			break;
	return at;
}

static void note(struct pack *p, size_t pos, unsigned at, uint32_t hash)
{
	if (pos >= POINTER_LIMIT || p->used >= PACK_FULL)
		return;
	p->slots[at].pos = (uint16_t)pos;
	p->slots[at].hash = (uint16_t)(hash >> 16);
	p->used++;
}

/* Suffixes 0 to n - 1 of a name that stands at pos now. */
static void note_suffixes(struct pack *p, size_t pos, const uint8_t *name, unsigned n, const uint8_t *starts, const uint32_t *hashes)
{
	for (unsigned i = 0; i < n && pos + starts[i] < POINTER_LIMIT; i++) {
		unsigned at = find(p, name + starts[i], hashes[i]);

		if (!p->slots[at].pos)
			note(p, pos + starts[i], at, hashes[i]);
	}
}

void pack_note(struct pack *p, size_t pos)
{
	uint8_t starts[NAME_LABELS_MAX + 1];
	uint32_t hashes[NAME_LABELS_MAX + 1];
	const uint8_t *name = p->w->base + pos;
	unsigned n = suffix_hashes(name, starts, hashes);

	note_suffixes(p, pos, name, n, starts, hashes);
}

static void put_name(struct pack *p, const uint8_t *name)
{
	uint8_t starts[NAME_LABELS_MAX + 1];
	uint32_t hashes[NAME_LABELS_MAX + 1];
	unsigned n = suffix_hashes(name, starts, hashes), i;
	size_t pos = p->w->pos;

	for (i = 0; i < n; i++) {
		unsigned at = find(p, name + starts[i], hashes[i]);

		if (p->slots[at].pos) {
			writer_bytes(p->w, name, starts[i]);
			writer_u16(p->w, (uint16_t)(0xc000 | p->slots[at].pos));
			break;
		}
	}
	if (i == n)
		writer_bytes(p->w, name, name_len(name));
	if (writer_ok(p->w))
		note_suffixes(p, pos, name, i, starts, hashes);
}

static void put_owner(struct pack *p, const uint8_t *owner)
{
	size_t pos = p->w->pos;

	if (p->owner_pos && is_same(p->w->base, p->owner_pos, owner)) {
		writer_u16(p->w, (uint16_t)(0xc000 | p->owner_pos));
		return;
	}
	put_name(p, owner);
	p->owner_pos = pos < POINTER_LIMIT && owner[0] && writer_ok(p->w) ? (uint16_t)pos : 0;
}

bool pack_record(struct pack *p, const struct rr *rr)
{
	uint16_t offsets[RDATA_NAMES_MAX];
	unsigned names = rdata_compressible(rr->type, rr->rdata, rr->rdlen, offsets);
	size_t before = p->w->pos, rdata, done = 0;

	put_owner(p, rr->owner);
	writer_u16(p->w, rr->type);
	writer_u16(p->w, rr->rclass);
	writer_u32(p->w, rr->ttl);
	writer_u16(p->w, rr->rdlen);
	rdata = p->w->pos;
	for (unsigned i = 0; i < names; i++) {
		writer_bytes(p->w, rr->rdata + done, offsets[i] - done);
		put_name(p, rr->rdata + offsets[i]);
		done = offsets[i] + name_len(rr->rdata + offsets[i]);
	}
	writer_bytes(p->w, rr->rdata + done, rr->rdlen - done);
	if (!writer_ok(p->w)) {
		p->w->pos = before;
		p->w->failed = false;
		return false;
	}
	put_u16(p->w->base + rdata - 2, (uint16_t)(p->w->pos - rdata));
	return true;
}
