/* SPDX-License-Identifier: BSD-2-Clause */
/* A table of apexes, hashed label by label from the root: one pass over a name gives the hashes of all its suffixes, and only suffixes of as many labels as some zone has are looked up, the
 * longest first. The zones are the operator's: the hash needs no key, a chosen name can at most meet a bucket that he filled. */
#include "edge/zones.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

struct row {
	uint64_t hash;
	const uint8_t *apex; /* lower case; NULL: free */
	uint32_t pool;
	uint32_t labels;
};

struct edge_zones {
	uint64_t depths[2]; /* bit i: some apex has i labels */
	unsigned deepest;
	size_t mask;
	uint8_t *names;
	struct row rows[];
};

static uint64_t label_hash(uint64_t h, const uint8_t *label)
{
	for (unsigned i = 0; i <= label[0]; i++) {
		uint8_t c = label[i];

		h = (h ^ (i && c >= 'A' && c <= 'Z' ? c + 32U : c)) * 0x100000001b3U;
	}
	return h ^ h >> 29;
}

/* Where the labels of a name begin; how many. */
static unsigned label_places(const uint8_t *name, uint8_t at[NAME_LABELS_MAX])
{
	unsigned n = 0;

	for (unsigned pos = 0; name[pos]; pos += name[pos] + 1U)
		at[n++] = (uint8_t)pos;
	return n;
}

static bool has_depth(const struct edge_zones *z, unsigned labels)
{
	return z->depths[labels / 64] >> labels % 64 & 1;
}

static struct row *find_row(struct edge_zones *z, uint64_t hash, const uint8_t *apex)
{
	size_t i = (size_t)hash & z->mask;

	while (z->rows[i].apex && (z->rows[i].hash != hash || !name_equal(z->rows[i].apex, apex)))
		i = (i + 1) & z->mask;
	return &z->rows[i];
}

static uint64_t name_hash(const uint8_t *name, unsigned *labels)
{
	uint8_t at[NAME_LABELS_MAX];
	uint64_t h = 0xcbf29ce484222325U;

	*labels = label_places(name, at);
	for (unsigned i = *labels; i; i--)
		h = label_hash(h, name + at[i - 1]);
	return h;
}

int edge_zones_make(const struct edge_zone *zones, size_t count, struct edge_zones **out)
{
	struct edge_zones *z;
	size_t rows = 2, used = 0;

	if (!count) {
		*out = NULL;
		return 0;
	}
	while (rows < count * 2)
		rows *= 2;
	z = calloc(1, sizeof(*z) + rows * sizeof(z->rows[0]));
	if (z)
		z->names = malloc(count * NAME_LEN_MAX);
	if (!z || !z->names) {
		free(z);
		return ERR_NO_MEMORY;
	}
	z->mask = rows - 1;
	for (size_t i = 0; i < count; i++) {
		unsigned labels;
		uint64_t hash = name_hash(zones[i].apex, &labels);
		struct row *r = find_row(z, hash, zones[i].apex);
		size_t len = name_len(zones[i].apex);

		memcpy(z->names + used, zones[i].apex, len);
		*r = (struct row){.hash = hash, .apex = z->names + used, .pool = zones[i].pool, .labels = labels};
		used += len;
		z->depths[labels / 64] |= UINT64_C(1) << labels % 64;
		z->deepest = MAX(z->deepest, labels);
	}
	*out = z;
	return 0;
}

void edge_zones_free(struct edge_zones *z)
{
	if (!z)
		return;
	free(z->names);
	free(z);
}

bool edge_zones_find(const struct edge_zones *z, const uint8_t *name, bool above, uint32_t *pool, unsigned *labels)
{
	uint64_t hash[NAME_LABELS_MAX + 1];
	uint8_t at[NAME_LABELS_MAX];
	unsigned count, most;

	if (!z)
		return false;
	count = label_places(name, at);
	if (above && !count)
		return false;
	most = MIN(count - above, z->deepest);
	hash[0] = 0xcbf29ce484222325U;
	for (unsigned i = 1; i <= most; i++)
		hash[i] = label_hash(hash[i - 1], name + at[count - i]);
	for (unsigned n = most + 1; n--;) {
		const uint8_t *suffix = n ? name + at[count - n] : name + name_len(name) - 1;

		if (!has_depth(z, n))
			continue;
		for (size_t i = (size_t)hash[n] & z->mask; z->rows[i].apex; i = (i + 1) & z->mask) {
			if (z->rows[i].hash != hash[n] || !name_equal(z->rows[i].apex, suffix))
				continue;
			*pool = z->rows[i].pool;
			*labels = n;
			return true;
		}
	}
	return false;
}
