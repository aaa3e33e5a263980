/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_kit.h"

#include "base/hash.h"
#include "base/wire.h"
#include "dns/rr.h"

#include <dirent.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

uint64_t rng_next(struct rng *r)
{
	uint64_t z = (r->s += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

unsigned rng_below(struct rng *r, unsigned n)
{
	return (unsigned)(rng_next(r) % n);
}

struct name kit_name(const char *text)
{
	static const uint8_t root[1];
	struct name n;

	assert_int_equal(name_from_text(text, strlen(text), root, &n), 0);
	return n;
}

static uint8_t random_octet(struct rng *r, unsigned style)
{
	static const char few[] = "abAB-0_z*";
	/* The octets around each border of the key's code. */
	static const uint8_t borders[] = {0, 1, 44, 45, 46, 47, 48, 57, 58, 64, 65, 90, 91, 94, 95, 96, 97, 122, 123, 169, 170, 216, 217, 254, 255};

	switch (style) {
	case 0:
		return (uint8_t)few[rng_below(r, sizeof(few) - 1)];
	case 1:
		return borders[rng_below(r, sizeof(borders))];
	default:
		return (uint8_t)rng_next(r);
	}
}

bool kit_random_name(struct rng *r, const uint8_t *apex, struct name *out)
{
	static const unsigned label_counts[] = {0, 1, 1, 1, 2, 2, 3, 4, 1, 2};
	unsigned count = label_counts[rng_below(r, 10)], style = rng_below(r, 3), at = 0;
	size_t apex_len = name_len(apex);
	if (!rng_below(r, 100))
		count = rng_below(r, 2) ? 20 : 126;
	unsigned longest = rng_below(r, 30) ? 3 : 63;

	for (unsigned i = 0; i < count; i++) {
		unsigned len = count > 10 ? 1 : 1 + rng_below(r, longest);

		if (at + len + 1 + apex_len > NAME_LEN_MAX)
			break;
		out->wire[at++] = (uint8_t)len;
		if (!i && !rng_below(r, 6)) {
			out->wire[at - 1] = 1;
			out->wire[at++] = '*';
			continue;
		}
		for (unsigned k = 0; k < len; k++)
			out->wire[at++] = random_octet(r, style);
	}
	memcpy(out->wire + at, apex, apex_len);
	out->len = (uint8_t)(at + apex_len);
	return name_labels(out->wire) <= NAME_LABELS_MAX;
}

void kit_add(struct content *c, const uint8_t *owner, uint16_t type, const void *rdata, size_t len)
{
	struct rr rr = {.owner = owner, .type = type, .rclass = CLASS_IN, .ttl = 300, .rdlen = (uint16_t)len, .rdata = rdata};

	if (content_add(c, &rr, NULL) != 0)
		abort();
}

void kit_add_soa(struct content *c, const uint8_t *apex, uint32_t serial)
{
	uint8_t rdata[2 + 20] = {0};

	put_u16(rdata + 2, (uint16_t)(serial >> 16));
	put_u16(rdata + 4, (uint16_t)serial);
	kit_add(c, apex, RR_SOA, rdata, sizeof(rdata));
}

struct content *kit_version(const uint8_t *apex, uint32_t version, unsigned names, unsigned text)
{
	struct content *c = content_new(apex);
	struct rng r = {.s = version};
	uint8_t *rdata = malloc(text);

	if (!c || !rdata)
		abort();
	kit_add_soa(c, apex, version);
	kit_add(c, apex, RR_NS, "\2ns", 4);
	for (unsigned i = 0; i + 4 <= text; i += 4)
		memcpy(rdata + i, &version, 4);
	for (unsigned i = 0; i < names; i++) {
		struct name n;

		if (kit_random_name(&r, apex, &n))
			kit_add(c, n.wire, RR_TXT, rdata, text & ~3U);
	}
	free(rdata);
	if (content_finish(c) != 0)
		abort();
	return c;
}

uint32_t kit_version_of(const struct store_snapshot *s, const struct store_zone *z)
{
	const struct store_node *n = NULL;
	uint32_t version = z->serial;
	uint64_t nodes = 0;

	while ((n = store_node_next(s, z, n)) != NULL) {
		const struct store_rrset *set = store_rrset_of(s, n, RR_TXT);
		struct store_lookup l;

		nodes++;
		store_lookup(s, z, store_node_name(n), &l);
		if (l.node != n)
			return UINT32_MAX;
		if (!set)
			continue;
		for (unsigned i = 2; i + 4 <= set->size; i += 4)
			if (memcmp(set->data + i, &version, 4) != 0)
				return UINT32_MAX;
	}
	return nodes == z->node_count ? version : UINT32_MAX;
}

static uint64_t sum_set(const struct store_snapshot *s, const struct store_rrset *set, uint64_t sum)
{
	const struct store_rrset *sigs = store_at(s, set->sigs);

	sum = hash_checksum(set->data, set->size, sum ^ set->type);
	return sigs ? sum_set(s, sigs, sum) : sum;
}

uint64_t kit_sum(const struct store_snapshot *s)
{
	const struct store_zone *z = NULL;
	uint64_t sum = s->zone_count;

	while ((z = store_zone_next(s, z ? store_zone_apex(z) : NULL)) != NULL) {
		const struct store_node *n = NULL;

		sum = hash_checksum(store_zone_apex(z), z->apex_len, sum);
		while (z->state == STORE_ZONE_SERVING && (n = store_node_next(s, z, n)) != NULL) {
			sum = hash_checksum(store_node_name(n), n->name_len, sum ^ n->flags);
			for (unsigned i = 0; i < n->rrsets; i++)
				sum = sum_set(s, store_at(s, n->sets[i]), sum);
		}
	}
	return sum;
}

int kit_put(struct store_writer *w, const uint8_t *apex, const struct content *c)
{
	struct store_zone_meta meta = {.state = c ? STORE_ZONE_SERVING : STORE_ZONE_NO_DATA, .network = UINT32_MAX, .source = "test"};

	return store_put_zone(w, apex, c, &meta);
}

char *kit_folder(void)
{
	char path[4096];
	const char *tmp = getenv("TMPDIR");

	/* Memory rather than a disk where there is one, as in a run directory. */
	if (!tmp)
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(path, sizeof(path), "%s/zonecast-store-XXXXXX", tmp);
	return mkdtemp(path) ? strdup(path) : NULL;
}

void kit_folder_free(char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	rmdir(folder);
	free(folder);
}

unsigned kit_seconds(void)
{
	const char *s = getenv("ZONECAST_TEST_SECONDS");

	return s ? (unsigned)strtoul(s, NULL, 10) : 2;
}
