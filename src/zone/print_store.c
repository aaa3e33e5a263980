/* SPDX-License-Identifier: BSD-2-Clause */
#include "zone/print_store.h"

#include "zone/print.h"

static void print_set(struct text *out, const struct store_node *n, const struct store_rrset *set)
{
	const uint8_t *p = set->data;

	for (unsigned i = 0; i < set->count; i++) {
		uint16_t len = get_u16(p);

		zone_print_own_record(out, store_node_name(n), set->ttl, set->type, p + 2, len);
		p += 2 + len;
	}
}

void zone_print_node(struct text *out, const struct store_snapshot *s, const struct store_node *n)
{
	/* The SOA opens a zone (RFC 1035 5.2), though it is not the lowest type. */
	for (int soa = 1; soa >= 0; soa--)
		for (unsigned i = 0; i < n->rrsets; i++) {
			const struct store_rrset *set = store_at(s, n->sets[i]);

			if ((set->type == RR_SOA) != soa)
				continue;
			print_set(out, n, set);
			if (set->sigs)
				print_set(out, n, store_at(s, set->sigs));
		}
}
