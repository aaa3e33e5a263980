/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/known.h"

#include "base/hash.h"
#include "dns/name.h"

#include <stdlib.h>
#include <string.h>

enum { ZONES_MAX = 16 };
#define OCTETS_MAX ((uint64_t)256 << 20)

struct known {
	uint8_t key[ZONE_PRINTS_KEY_LEN];
	uint64_t octets;
	size_t count;
	/* Used last first. */
	struct version {
		struct name apex;
		/* Of the version in the store: whatever changes it by another way changes these. */
		uint64_t checksum, records;
		struct zone_prints *prints;
	} list[ZONES_MAX];
};

struct known *known_new(void)
{
	struct known *k = calloc(1, sizeof(*k));

	if (k)
		random_bytes(k->key, sizeof(k->key));
	return k;
}

void known_free(struct known *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->count; i++)
		zone_prints_free(k->list[i].prints);
	free(k);
}

const uint8_t *known_key(const struct known *k)
{
	return k->key;
}

static uint64_t octets_of(const struct version *v)
{
	return v->prints->count * sizeof(*v->prints->list);
}

static void drop(struct known *k, size_t i)
{
	k->octets -= octets_of(&k->list[i]);
	zone_prints_free(k->list[i].prints);
	k->count--;
	memmove(&k->list[i], &k->list[i + 1], (k->count - i) * sizeof(k->list[0]));
}

static size_t find(const struct known *k, const uint8_t *apex)
{
	size_t i;

	for (i = 0; i < k->count && !name_equal(k->list[i].apex.wire, apex); i++)
		;
	return i;
}

const struct zone_prints *known_find(struct known *k, const uint8_t *apex, const struct store_zone *z)
{
	size_t i = find(k, apex);

	if (i == k->count)
		return NULL;
	if (k->list[i].checksum != z->content_checksum || k->list[i].records != z->record_count) {
		drop(k, i);
		return NULL;
	}
	return k->list[i].prints;
}

void known_keep(struct known *k, const uint8_t *apex, const struct store_zone *z, struct zone_prints *prints)
{
	size_t i = find(k, apex);

	if (i < k->count)
		drop(k, i);
	if (k->count == ZONES_MAX)
		drop(k, k->count - 1);
	zone_prints_detach(prints);
	memmove(&k->list[1], &k->list[0], k->count * sizeof(k->list[0]));
	k->count++;
	k->list[0] = (struct version){.checksum = z->content_checksum, .records = z->record_count, .prints = prints};
	name_copy(&k->list[0].apex, apex);
	k->octets += octets_of(&k->list[0]);
	while (k->octets > OCTETS_MAX)
		drop(k, k->count - 1);
}
