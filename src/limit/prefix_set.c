/* SPDX-License-Identifier: BSD-2-Clause */
#include "limit/prefix_set.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

/* First and last address of a range; of IPv4 addresses the first 4 octets count, the others are 0 and 255. */
struct range {
	uint8_t first[16], last[16];
};

struct prefix_set {
	size_t count[2]; /* ranges of IPv4, of IPv6 behind them */
	struct range ranges[];
};

static int by_first(const void *a, const void *b)
{
	return memcmp(((const struct range *)a)->first, ((const struct range *)b)->first, 16);
}

static struct range range_of(const struct ip_prefix *p)
{
	struct range r;
	size_t len = p->addr.family == 4 ? 4 : 16;

	memset(r.first, 0, sizeof(r.first));
	memcpy(r.first, p->addr.bytes, len);
	memset(r.last, 0xff, sizeof(r.last));
	memcpy(r.last, p->addr.bytes, len);
	for (size_t bit = p->len; bit < 8 * len; bit++)
		r.last[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return r;
}

/* Sort, and merge what overlaps. Returns how many are left. */
static size_t merge(struct range *r, size_t count)
{
	size_t kept = 0;

	if (count)
		qsort(r, count, sizeof(*r), by_first);
	for (size_t i = 0; i < count; i++) {
		if (!kept || memcmp(r[i].first, r[kept - 1].last, 16) > 0)
			r[kept++] = r[i];
		else if (memcmp(r[i].last, r[kept - 1].last, 16) > 0)
			memcpy(r[kept - 1].last, r[i].last, 16);
	}
	return kept;
}

int prefix_set_make(const struct ip_prefix *prefixes, size_t count, struct prefix_set **out)
{
	struct prefix_set *s = malloc(sizeof(*s) + count * sizeof(s->ranges[0]));
	size_t v4 = 0, n;

	if (!s)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		if (prefixes[i].addr.family == 4)
			s->ranges[v4++] = range_of(&prefixes[i]);
	n = v4;
	for (size_t i = 0; i < count; i++)
		if (prefixes[i].addr.family == 6)
			s->ranges[n++] = range_of(&prefixes[i]);
	s->count[1] = merge(s->ranges + v4, n - v4);
	s->count[0] = merge(s->ranges, v4);
	memmove(s->ranges + s->count[0], s->ranges + v4, s->count[1] * sizeof(s->ranges[0]));
	*out = s;
	return 0;
}

void prefix_set_free(struct prefix_set *s)
{
	free(s);
}

bool prefix_set_has(const struct prefix_set *s, const struct ip_addr *addr)
{
	bool v6 = addr->family == 6;
	size_t low = 0, high = s ? s->count[v6] : 0, octets = v6 ? 16 : 4;
	const struct range *r = s ? s->ranges + (v6 ? s->count[0] : 0) : NULL;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (memcmp(addr->bytes, r[mid].first, octets) < 0)
			high = mid;
		else if (memcmp(addr->bytes, r[mid].last, octets) > 0)
			low = mid + 1;
		else
			return true;
	}
	return false;
}
