/* SPDX-License-Identifier: BSD-2-Clause */
/* Readers for A, AAAA, NS, CNAME, PTR, DNAME, MX, SRV, DS, CDS, RRSIG, NSEC and NSEC3. They take plain tokens only, the usual spellings only (numbers for
 * algorithms, an IPv6 address without a dotted quad), and write with no check of room but the one at the start: lengths of all there can be are bounded
 * below. What they write is valid RDATA by construction and not checked again. */
#include "dns/rdata_quick.h"

#include "base/err.h"
#include "dns/base64.h"
#include "dns/rdata_in_priv.h"
#include "dns/rrtype.h"

#include <string.h>

enum {
	ENCODED_TEXT_MAX = 4096, /* characters of base64 or hex */
	/* Octets: RRSIG has the most, 18, a name and a signature; names are written up to RDATA_TOKEN_PAD octets too far. */
	ROOM = 18 + NAME_LEN_MAX + RDATA_TOKEN_PAD + ENCODED_TEXT_MAX,
};

struct quick {
	const struct rdata_token *t, *end;
	const uint8_t *origin;
	uint8_t *p;
};

static bool number(struct quick *q, uint32_t max, unsigned octets)
{
	const struct rdata_token *t = q->t++;
	uint64_t v = 0;

	if (t >= q->end || !t->len || t->len > 10)
		return false;
	for (size_t i = 0; i < t->len; i++) {
		unsigned digit = (unsigned)(uint8_t)t->text[i] - '0';

		if (digit > 9)
			return false;
		v = v * 10 + digit;
	}
	if (v > max)
		return false;
	if (octets == 1)
		*q->p = (uint8_t)v;
	else if (octets == 2)
		put_u16(q->p, (uint16_t)v);
	else
		put_u32(q->p, (uint32_t)v);
	q->p += octets;
	return true;
}

static bool name(struct quick *q)
{
	const struct rdata_token *t = q->t++;
	int len;

	if (t >= q->end)
		return false;
	if (t->len == 1 && t->text[0] == '@') {
		size_t n = name_len(q->origin);

		memcpy(q->p, q->origin, n);
		q->p += n;
		return true;
	}
	len = name_from_plain(t->text, t->len, q->origin, q->p);
	q->p += len > 0 ? len : 0;
	return len > 0;
}

/* Four numbers up to 255 without leading zeros. */
static bool ipv4(struct quick *q)
{
	const struct rdata_token *t = q->t++;
	const char *s, *end;

	if (t >= q->end)
		return false;
	s = t->text;
	end = s + t->len;
	for (unsigned i = 0; i < 4; i++) {
		unsigned v = (unsigned)(uint8_t)*s - '0', digits = 1;

		/* One octet behind the token may be read: it ends the number. */
		if (s >= end || v > 9)
			return false;
		for (s++; s < end && (uint8_t)(*s - '0') <= 9; s++, digits++)
			v = v * 10 + (unsigned)(*s - '0');
		if (v > 255 || digits > 3 || (digits > 1 && s[-(int)digits] == '0'))
			return false;
		if (i < 3 && (s >= end || *s++ != '.'))
			return false;
		*q->p++ = (uint8_t)v;
	}
	return s == end;
}

static bool ipv6(struct quick *q)
{
	const struct rdata_token *t = q->t++;
	const char *s, *end;
	unsigned groups = 0, gap = 9; /* gap: groups before "::" */
	uint8_t out[16];

	if (t >= q->end || t->len < 2)
		return false;
	s = t->text;
	end = s + t->len;
	if (s[0] == ':') {
		if (s[1] != ':')
			return false;
		gap = 0;
		s += 2;
	}
	while (s < end) {
		unsigned v = 0, digits = 0;

		for (; s < end; s++, digits++) {
			unsigned d = hex_value[(uint8_t)*s];

			if (d > 15)
				break;
			v = v << 4 | d;
		}
		if (!digits || digits > 4 || groups == 8)
			return false;
		put_u16(out + (size_t)2 * groups++, (uint16_t)v);
		if (s == end)
			break;
		if (*s++ != ':' || s == end)
			return false;
		if (*s == ':') {
			if (gap <= 8)
				return false;
			gap = groups;
			s++;
		}
	}
	if (gap > 8 ? groups != 8 : groups > 7)
		return false;
	if (gap > 8)
		gap = 8;
	memcpy(q->p, out, (size_t)2 * gap);
	memset(q->p + (size_t)2 * gap, 0, 16 - (size_t)2 * groups);
	memcpy(q->p + 16 - (size_t)2 * (groups - gap), out + (size_t)2 * gap, (size_t)2 * (groups - gap));
	q->p += 16;
	return true;
}

/* The rest, at least one octet. */
static bool encoded(struct quick *q, bool hex)
{
	struct writer w = writer_of(q->p, ENCODED_TEXT_MAX);
	struct decoder d = {0};
	size_t len = 0;

	for (; q->t < q->end; q->t++) {
		len += q->t->len;
		if (len > ENCODED_TEXT_MAX || (hex ? hex_feed(&d, q->t->text, q->t->len, &w) : base64_feed(&d, q->t->text, q->t->len, &w)) < 0)
			return false;
	}
	q->p += w.pos;
	return w.pos && (hex ? hex_end(&d) : base64_end(&d)) == 0;
}

static bool digest(struct quick *q)
{
	const uint8_t *start = q->p;
	size_t wanted;

	if (!encoded(q, true))
		return false;
	wanted = rrtype_digest_len(F_DIGEST, start - 2);
	return !wanted || (size_t)(q->p - start) == wanted;
}

static bool salt(struct quick *q)
{
	const struct rdata_token *t = q->t++;
	struct writer w = writer_of(q->p + 1, 255);

	if (t >= q->end)
		return false;
	if (t->len != 1 || t->text[0] != '-')
		if (!t->len || t->len > 510 || hex_get(t->text, t->len, &w) < 0)
			return false;
	*q->p = (uint8_t)w.pos;
	q->p += 1 + w.pos;
	return true;
}

static bool hash(struct quick *q)
{
	const struct rdata_token *t = q->t++;
	struct writer w = writer_of(q->p + 1, 255);

	if (t >= q->end || !t->len || t->len > 408 || base32hex_get(t->text, t->len, &w) < 0 || !w.pos)
		return false;
	*q->p = (uint8_t)w.pos;
	q->p += 1 + w.pos;
	return true;
}

/* Of types below 256: one window. */
static bool bitmap(struct quick *q)
{
	unsigned len = 32;
	uint16_t type;

	memset(q->p + 2, 0, 32);
	for (; q->t < q->end; q->t++) {
		if (rrtype_from_text(q->t->text, q->t->len, &type) < 0 || type > 255)
			return false;
		q->p[2 + type / 8] |= (uint8_t)(0x80 >> (type & 7));
	}
	while (len && !q->p[1 + len])
		len--;
	if (!len)
		return true;
	q->p[0] = 0;
	q->p[1] = (uint8_t)len;
	q->p += 2 + len;
	return true;
}

static bool type_field(struct quick *q)
{
	const struct rdata_token *t = q->t++;
	uint16_t type;

	if (t >= q->end || rrtype_from_text(t->text, t->len, &type) < 0)
		return false;
	put_u16(q->p, type);
	q->p += 2;
	return true;
}

static bool moment(struct quick *q)
{
	const struct rdata_token *t = q->t++;
	uint32_t v;

	if (t >= q->end || t->len != 14 || rdata_time(t->text, &v) < 0)
		return false;
	put_u32(q->p, v);
	q->p += 4;
	return true;
}

static bool rrsig(struct quick *q)
{
	return type_field(q) && number(q, 255, 1) && number(q, 255, 1) && number(q, UINT32_MAX, 4) && moment(q) && moment(q) &&
	       number(q, 65535, 2) && name(q) && encoded(q, false);
}

bool rdata_quick(uint16_t type, const struct rdata_token *tokens, size_t n, const uint8_t *origin, struct writer *w)
{
	struct quick q = {.t = tokens, .end = tokens + n, .origin = origin, .p = w->base + w->pos};
	const uint8_t *start = q.p;
	bool good;

	if (w->failed || w->cap - w->pos < ROOM || !origin)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!tokens[i].plain)
			return false;
	switch (type) {
	case RR_A:
		good = ipv4(&q);
		break;
	case RR_AAAA:
		good = ipv6(&q);
		break;
	case RR_NS:
	case RR_CNAME:
	case RR_PTR:
	case RR_DNAME:
		good = name(&q);
		break;
	case RR_MX:
		good = number(&q, 65535, 2) && name(&q);
		break;
	case RR_SRV:
		good = number(&q, 65535, 2) && number(&q, 65535, 2) && number(&q, 65535, 2) && name(&q);
		break;
	case RR_DS:
	case RR_CDS:
		good = number(&q, 65535, 2) && number(&q, 255, 1) && number(&q, 255, 1) && digest(&q);
		break;
	case RR_RRSIG:
		good = rrsig(&q);
		break;
	case RR_NSEC:
		good = name(&q) && bitmap(&q);
		break;
	case RR_NSEC3:
		good = number(&q, 255, 1) && number(&q, 255, 1) && number(&q, 65535, 2) && salt(&q) && hash(&q) && bitmap(&q);
		break;
	default:
		return false;
	}
	if (!good || q.t != q.end)
		return false;
	w->pos += (size_t)(q.p - start);
	return true;
}
