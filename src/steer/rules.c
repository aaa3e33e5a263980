/* SPDX-License-Identifier: BSD-2-Clause */
/* Which rule matches a client, and on how many bits of its address that rests. A rule that matches rests on all that it says, one that does not on any one of
 * the things that do not fit: the one that needs the fewest bits is taken, since the more clients an answer is good for, the better caches work. */
#include "steer/table_priv.h"

#include <string.h>

static unsigned common_bits(const uint8_t *a, const uint8_t *b)
{
	for (unsigned i = 0; i < 16; i++)
		if (a[i] != b[i])
			return i * 8 + (unsigned)__builtin_clz((unsigned)(a[i] ^ b[i])) - 24;
	return 128;
}

static bool in_networks(const struct steer_networks *n, const struct ip_addr *a, uint8_t *bits)
{
	size_t low = 0, high = n->count;
	unsigned most = 0;

	/* The last that begins at a or before. */
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (memcmp(n->at[mid].addr.bytes, a->bytes, 16) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low && prefix_contains(&n->at[low - 1], a)) {
		*bits = n->at[low - 1].len;
		return true;
	}
	/* Of all that do not contain it its neighbors in the order have most in common with it. One bit more tells them apart. */
	if (low)
		most = common_bits(n->at[low - 1].addr.bytes, a->bytes) + 1;
	if (low < n->count && common_bits(n->at[low].addr.bytes, a->bytes) + 1 > most)
		most = common_bits(n->at[low].addr.bytes, a->bytes) + 1;
	*bits = (uint8_t)most;
	return false;
}

static bool in_letters(const uint64_t *set, uint16_t code)
{
	unsigned bit = ((unsigned)(code >> 8) - 'A') * 26 + ((unsigned)(code & 255) - 'A');

	return code && bit < STEER_LETTERS && (set[bit / 64] >> bit % 64 & 1);
}

static bool in_order(const uint32_t *list, size_t count, uint32_t v)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (list[mid] < v)
			low = mid + 1;
		else
			high = mid;
	}
	return low < count && list[low] == v && v;
}

static bool in_place(const struct steer_rule *r, const struct steer_client *c)
{
	return (!r->countries || in_letters(r->countries, c->country)) &&
	       (!r->continents || in_letters(r->continents, c->continent)) &&
	       (!r->as_count || in_order(r->as, r->as_count, c->as));
}

static bool matches(const struct steer_rule *r, struct steer_client *c, uint8_t *scope)
{
	bool by_place = r->countries || r->continents || r->as_count, here = true, there = true;
	uint8_t bits = 0;

	if (r->elsewhere) {
		*scope = 0;
		return false;
	}
	if (r->by_subnet) {
		here = in_networks(c->addr.family == 4 ? &r->v4 : &r->v6, &c->addr, &bits);
		bits = bits ? bits : STEER_SCOPE_FAMILY;
	}
	if (by_place) {
		steer_locate(c);
		there = in_place(r, c);
	}
	if (here && there)
		*scope = by_place && c->place_scope > bits ? c->place_scope : bits;
	else if (here)
		*scope = c->place_scope;
	else if (there)
		*scope = bits;
	else
		*scope = c->place_scope < bits ? c->place_scope : bits;
	return here && there;
}

uint32_t steer_match(const struct steer_policy *p, struct steer_client *c, uint32_t *rule, uint8_t *scope)
{
	uint8_t most = 0, bits;

	for (size_t i = 0; i < p->rule_count; i++) {
		bool hit = matches(&p->rules[i], c, &bits);

		most = bits > most ? bits : most;
		if (hit) {
			*rule = (uint32_t)i;
			*scope = most;
			return p->rules[i].pool;
		}
	}
	*rule = UINT32_MAX;
	*scope = most;
	return p->pool;
}
