/* SPDX-License-Identifier: BSD-2-Clause */
/* Names in wire form: comparing, cutting, joining. Text forms are in name_text.c. Nothing here allocates; every loop is bounded by the
 * 255 octets of a name. */
#include "dns/name.h"

#include "base/err.h"
#include "base/octets.h"

#include <string.h>

static inline uint8_t lower(uint8_t c)
{
	return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c | 0x20) : c;
}

/* Length of the name at r when it is sound and without pointers, as in every question, else 0. */
static size_t plain_length(const struct reader *r)
{
	const uint8_t *p = r->base + r->pos;
	size_t most = MIN(r->len - r->pos, (size_t)NAME_LEN_MAX);

	for (size_t at = 0; at < most; at += p[at] + 1U) {
		if (!p[at])
			return at + 1;
		if (p[at] > LABEL_MAX)
			break;
	}
	return 0;
}

int name_from_wire(struct reader *r, struct name *out)
{
	const uint8_t *base = r->base;
	size_t pos = r->pos, after = 0;
	size_t limit = pos; /* a pointer must lead before this: before where the present run of labels began */
	unsigned len = 0, pointers = 0;
	struct name n;
	size_t plain;

	if (r->failed)
		return ERR_TRUNCATED;
	plain = plain_length(r);
	if (plain) {
		out->len = (uint8_t)plain;
		memcpy(out->wire, base + pos, plain);
		r->pos += plain;
		return 0;
	}
	for (;;) {
		uint8_t l;

		if (pos >= r->len)
			return ERR_TRUNCATED;
		l = base[pos];
		if ((l & 0xc0) == 0xc0) {
			size_t to;

			if (r->len - pos < 2)
				return ERR_TRUNCATED;
			to = (size_t)(l & 0x3f) << 8 | base[pos + 1];
			if (!after)
				after = pos + 2;
			if (to >= limit || ++pointers > NAME_POINTERS_MAX)
				return ERR_MALFORMED;
			pos = limit = to;
			continue;
		}
		if (l & 0xc0)
			return ERR_MALFORMED;
		if (len + l + 1U > NAME_LEN_MAX)
			return ERR_MALFORMED;
		if (r->len - pos < l + 1U)
			return ERR_TRUNCATED;
		memcpy(n.wire + len, base + pos, l + 1U);
		len += l + 1U;
		pos += l + 1U;
		if (!l)
			break;
	}
	n.len = (uint8_t)len;
	out->len = n.len;
	memcpy(out->wire, n.wire, len);
	r->pos = after ? after : pos;
	return 0;
}

int name_check(const uint8_t *wire, size_t max)
{
	size_t len = 0;

	for (;;) {
		uint8_t l;

		if (len >= max)
			return ERR_TRUNCATED;
		l = wire[len];
		if (l > LABEL_MAX || len + l + 1U > NAME_LEN_MAX)
			return ERR_MALFORMED;
		len += l + 1U;
		if (!l)
			return len > max ? ERR_TRUNCATED : (int)len;
	}
}

size_t name_len(const uint8_t *name)
{
	size_t len = 0;

	while (name[len])
		len += name[len] + 1U;
	return len + 1;
}

unsigned name_labels(const uint8_t *name)
{
	unsigned n = 0;

	for (; *name; name += *name + 1U)
		n++;
	return n;
}

void name_copy(struct name *out, const uint8_t *name)
{
	size_t len = name_len(name);

	memmove(out->wire, name, len);
	out->len = (uint8_t)len;
}

void name_lower(struct name *out, const uint8_t *name)
{
	size_t len = name_len(name);

	/* Length octets are below 'A': lowering all octets alike leaves them alone. */
	for (size_t i = 0; i < len; i++)
		out->wire[i] = lower(name[i]);
	out->len = (uint8_t)len;
}

bool name_is_root(const uint8_t *name)
{
	return !*name;
}

bool name_is_wildcard(const uint8_t *name)
{
	return name[0] == 1 && name[1] == '*';
}

const uint8_t *name_parent(const uint8_t *name)
{
	return *name ? name + *name + 1 : name;
}

const uint8_t *name_suffix(const uint8_t *name, unsigned n)
{
	for (unsigned have = name_labels(name); have > n; have--)
		name += *name + 1U;
	return name;
}

/* Two runs of n octets, case aside: below 0, 0 or above. Most differ in their first octets, or not at all. */
static inline int octets_compare(const uint8_t *a, const uint8_t *b, unsigned n)
{
	for (; n >= 8; a += 8, b += 8, n -= 8) {
		uint64_t x = octets_high_first(a), y = octets_high_first(b);

		if (x == y)
			continue;
		x = octets_lower(x);
		y = octets_lower(y);
		if (x != y)
			return x < y ? -1 : 1;
	}
	for (; n; a++, b++, n--)
		if (*a != *b && lower(*a) != lower(*b))
			return lower(*a) - lower(*b);
	return 0;
}

bool name_equal(const uint8_t *a, const uint8_t *b)
{
	for (;;) {
		uint8_t len = *a;

		if (len != *b)
			return false;
		if (!len)
			return true;
		if (octets_compare(a + 1, b + 1, len) != 0)
			return false;
		a += len + 1;
		b += len + 1;
	}
}

/* Starts of the labels, first label first; returns how many. */
static unsigned label_starts(const uint8_t *name, uint8_t starts[NAME_LABELS_MAX + 1])
{
	unsigned n = 0;

	for (unsigned pos = 0; name[pos]; pos += name[pos] + 1U)
		starts[n++] = (uint8_t)pos;
	return n;
}

static int label_compare(const uint8_t *a, const uint8_t *b)
{
	int d = octets_compare(a + 1, b + 1, a[0] < b[0] ? a[0] : b[0]);

	return d ? d : a[0] - b[0];
}

int name_compare(const uint8_t *a, const uint8_t *b)
{
	uint8_t as[NAME_LABELS_MAX + 1], bs[NAME_LABELS_MAX + 1];
	unsigned an = label_starts(a, as), bn = label_starts(b, bs);

	while (an && bn) {
		int d = label_compare(a + as[--an], b + bs[--bn]);

		if (d)
			return d;
	}
	return (int)an - (int)bn;
}

bool name_is_under(const uint8_t *name, const uint8_t *ancestor)
{
	uint8_t starts[NAME_LABELS_MAX + 1];
	unsigned n = label_starts(name, starts), labels = name_labels(ancestor);

	return labels == 0 || (labels <= n && name_equal(name + starts[n - labels], ancestor));
}

unsigned name_common_labels(const uint8_t *a, const uint8_t *b)
{
	uint8_t as[NAME_LABELS_MAX + 1], bs[NAME_LABELS_MAX + 1];
	unsigned an = label_starts(a, as), bn = label_starts(b, bs), n = 0;

	while (an && bn && label_compare(a + as[--an], b + bs[--bn]) == 0)
		n++;
	return n;
}

int name_replace_suffix(const uint8_t *name, const uint8_t *from, const uint8_t *to, struct name *out)
{
	size_t keep = name_len(name) - name_len(from), add = name_len(to);

	if (keep + add > NAME_LEN_MAX)
		return ERR_LIMIT;
	memmove(out->wire, name, keep);
	memcpy(out->wire + keep, to, add);
	out->len = (uint8_t)(keep + add);
	return 0;
}
