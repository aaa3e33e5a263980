/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/compose.h"

#include <string.h>

/* A place to go back to. */
struct mark {
	size_t pos;
	uint16_t count;
};

static bool put_one(struct compose *c, const uint8_t *owner, size_t *owner_pos, uint16_t type, uint16_t rclass, uint32_t ttl,
                    const uint8_t *rdata, uint16_t rdlen)
{
	struct writer *w = &c->w;
	uint16_t offsets[RDATA_NAMES_MAX];
	unsigned names;
	uint8_t *p, *len_at;
	size_t start;

	if (!*owner) {
		writer_u8(w, 0); /* the root is shorter than a pointer */
	} else if (*owner_pos) {
		/* The owner stands there already: the same pointer, or a pointer to it. */
		if ((w->base[*owner_pos] & 0xc0) == 0xc0)
			writer_u16(w, get_u16(w->base + *owner_pos));
		else if (*owner_pos < 0x4000)
			writer_u16(w, (uint16_t)(0xc000 | *owner_pos));
		else
			compress_name(c->compress, owner);
	} else {
		*owner_pos = w->pos;
		compress_name(c->compress, owner);
	}
	p = writer_room(w, 10);
	if (!p)
		return false;
	put_u16(p, type);
	put_u16(p + 2, rclass);
	put_u32(p + 4, ttl);
	len_at = p + 8;
	names = rdata_compressible(type, rdata, rdlen, offsets);
	if (!names) {
		put_u16(len_at, rdlen);
		writer_bytes(w, rdata, rdlen);
		return w->pos <= c->limit && writer_ok(w);
	}
	start = w->pos;
	{
		size_t at = 0;

		for (unsigned i = 0; i < names; i++) {
			writer_bytes(w, rdata + at, offsets[i] - at);
			compress_name(c->compress, rdata + offsets[i]);
			at = offsets[i] + name_len(rdata + offsets[i]);
		}
		writer_bytes(w, rdata + at, rdlen - at);
	}
	put_u16(len_at, (uint16_t)(w->pos - start));
	return w->pos <= c->limit && writer_ok(w);
}

static void go_back(struct compose *c, enum section section, struct mark m)
{
	c->w.pos = m.pos;
	c->w.failed = false;
	c->left_out = true;
	c->counts[section] = m.count;
	compress_rewind(c->compress, m.pos);
}

static bool put_all(struct compose *c, enum section section, const uint8_t *owner, size_t *owner_pos, const struct store_rrset *set,
                    uint32_t ttl)
{
	const uint8_t *p = set->data;

	for (unsigned i = 0; i < set->count; i++) {
		uint16_t len = get_u16(p);

		if (!put_one(c, owner, owner_pos, set->type, CLASS_IN, ttl, p + 2, len))
			return false;
		c->counts[section]++;
		p += 2 + len;
	}
	return true;
}

static bool put_with_signatures(struct compose *c, const struct store_snapshot *s, enum section section, const uint8_t *owner,
                                const struct store_rrset *set, uint32_t ttl_max)
{
	struct mark m = {c->w.pos, c->counts[section]};
	const struct store_rrset *sigs = c->dnssec_ok ? store_at(s, set->sigs) : NULL;
	size_t owner_pos = 0;

	if (put_all(c, section, owner, &owner_pos, set, MIN(set->ttl, ttl_max)) &&
	    (!sigs || put_all(c, section, owner, &owner_pos, sigs, MIN(sigs->ttl, ttl_max))))
		return true;
	go_back(c, section, m);
	return false;
}

static bool has_set(const struct compose *c, const struct store_rrset *set)
{
	for (unsigned i = 0; i < c->included_count; i++)
		if (c->included[i] == set)
			return true;
	return false;
}

bool compose_set(struct compose *c, const struct store_snapshot *s, enum section section, const uint8_t *owner,
                 const struct store_rrset *set, uint32_t ttl_max)
{
	if (has_set(c, set))
		return true;
	if (!put_with_signatures(c, s, section, owner, set, ttl_max))
		return false;
	if (c->included_count < ENGINE_INCLUDED_MAX)
		c->included[c->included_count++] = set;
	return true;
}

bool compose_plain(struct compose *c, enum section section, const uint8_t *owner, const struct store_rrset *set)
{
	struct mark m = {c->w.pos, c->counts[section]};
	size_t owner_pos = 0;

	if (put_all(c, section, owner, &owner_pos, set, set->ttl))
		return true;
	go_back(c, section, m);
	return false;
}

bool compose_record(struct compose *c, enum section section, const uint8_t *owner, uint16_t type, uint16_t rclass, uint32_t ttl,
                    const uint8_t *rdata, uint16_t rdlen)
{
	struct mark m = {c->w.pos, c->counts[section]};
	size_t owner_pos = 0;

	if (put_one(c, owner, &owner_pos, type, rclass, ttl, rdata, rdlen)) {
		c->counts[section]++;
		return true;
	}
	go_back(c, section, m);
	return false;
}

static bool put_made(struct compose *c, const uint8_t *owner, size_t *owner_pos, uint16_t type, uint32_t ttl, const struct steer_rdata *set, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!put_one(c, owner, owner_pos, type, CLASS_IN, ttl, set[i].octets, set[i].len))
			return false;
		c->counts[SECTION_ANSWER]++;
	}
	return true;
}

bool compose_made(struct compose *c, const uint8_t *owner, uint16_t type, uint32_t ttl, const struct steer_rdata *set, size_t count, const struct steer_rdata *sigs, size_t sig_count)
{
	struct mark m = {c->w.pos, c->counts[SECTION_ANSWER]};
	size_t owner_pos = 0;

	if (put_made(c, owner, &owner_pos, type, ttl, set, count) && put_made(c, owner, &owner_pos, RR_RRSIG, ttl, sigs, sig_count))
		return true;
	go_back(c, SECTION_ANSWER, m);
	return false;
}

void compose_must(struct compose *c, const struct store_snapshot *s, enum section section, const uint8_t *owner,
                  const struct store_rrset *set, uint32_t ttl_max)
{
	if (!c->truncated && !compose_set(c, s, section, owner, set, ttl_max))
		c->truncated = true;
}

void compose_wildcard(struct compose *c, const struct store_snapshot *s, const uint8_t *owner, const struct store_rrset *set)
{
	if (!c->truncated && !put_with_signatures(c, s, SECTION_ANSWER, owner, set, UINT32_MAX))
		c->truncated = true;
}
