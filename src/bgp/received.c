/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/received.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

void bgp_received_init(struct bgp_received *r, size_t limit, const uint8_t key[16])
{
	*r = (struct bgp_received){.limit = limit};
	memcpy(r->key, key, sizeof(r->key));
}

void bgp_received_clear(struct bgp_received *r)
{
	free(r->slots);
	r->slots = NULL;
	r->size = r->count = 0;
	r->over = false;
}

static uint64_t print_of(const struct bgp_received *r, const struct ip_prefix *p)
{
	uint8_t octets[2 + sizeof(p->addr.bytes)] = {p->addr.family, p->len};
	uint64_t h;

	memcpy(octets + 2, p->addr.bytes, p->addr.family == 4 ? 4 : 16);
	h = hash_keyed(r->key, octets, sizeof(octets));
	return h ? h : 1;
}

/* The slot of a print, or the free one where it would go. The table is never full. */
static size_t slot_of(const struct bgp_received *r, uint64_t print)
{
	size_t i = (size_t)print & (r->size - 1);

	while (r->slots[i] && r->slots[i] != print)
		i = (i + 1) & (r->size - 1);
	return i;
}

/* Room for one more, at most half full. */
static bool grow(struct bgp_received *r)
{
	size_t size = r->size ? r->size * 2 : BGP_RECEIVED_FIRST, old = r->size;
	uint64_t *slots = r->slots;

	if (r->slots && (r->count + 1) * 2 <= r->size)
		return true;
	r->slots = calloc(size, sizeof(*r->slots));
	if (!r->slots) {
		r->slots = slots;
		return false;
	}
	r->size = size;
	for (size_t i = 0; i < old; i++)
		if (slots[i])
			r->slots[slot_of(r, slots[i])] = slots[i];
	free(slots);
	return true;
}

void bgp_received_add(struct bgp_received *r, const struct ip_prefix *p)
{
	uint64_t print = print_of(r, p);
	size_t i;

	if (r->slots && r->slots[slot_of(r, print)])
		return;
	if (r->count >= r->limit || !grow(r)) {
		r->over = true;
		return;
	}
	i = slot_of(r, print);
	r->slots[i] = print;
	r->count++;
}

void bgp_received_remove(struct bgp_received *r, const struct ip_prefix *p)
{
	size_t hole, i;

	if (!r->slots)
		return;
	hole = slot_of(r, print_of(r, p));
	if (!r->slots[hole])
		return;
	r->count--;
	r->slots[hole] = 0;
	/* Linear probing: what was pushed on by the one that goes moves up. */
	for (i = (hole + 1) & (r->size - 1); r->slots[i]; i = (i + 1) & (r->size - 1)) {
		size_t home = (size_t)r->slots[i] & (r->size - 1);

		if (((i - home) & (r->size - 1)) >= ((i - hole) & (r->size - 1))) {
			r->slots[hole] = r->slots[i];
			r->slots[i] = 0;
			hole = i;
		}
	}
}
