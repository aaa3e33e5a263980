/* SPDX-License-Identifier: BSD-2-Clause */
/* From the store back to records: for the journal, and for versions that are compared or gone back from. Cost goes with the zone. */
#include "sync/from_store.h"

#include "base/err.h"

#include <stdlib.h>

static int add_set(struct content *c, const struct store_node *n, const struct store_rrset *set)
{
	const uint8_t *p = set->data;
	int err = 0;

	for (unsigned i = 0; i < set->count && !err; i++) {
		struct rr rr = {.owner = store_node_name(n),
		                .type = set->type,
		                .rclass = CLASS_IN,
		                .ttl = set->ttl,
		                .rdlen = get_u16(p),
		                .rdata = p + 2};

		err = content_add(c, &rr, NULL);
		p += 2 + rr.rdlen;
	}
	return err;
}

static int add_trie(struct content *c, const struct store_snapshot *s, const struct store_zone *z, bool nsec3)
{
	const struct store_node *n;
	struct store_walk *walk = malloc(sizeof(*walk));
	int err = walk ? 0 : ERR_NO_MEMORY;

	if (walk)
		store_walk_init(walk, s, z, nsec3);
	while (!err && (n = store_walk_next(walk)) != NULL)
		for (unsigned i = 0; i < n->rrsets && !err; i++) {
			const struct store_rrset *set = store_at(s, n->sets[i]);

			err = add_set(c, n, set);
			if (!err && set->sigs)
				err = add_set(c, n, store_at(s, set->sigs));
		}
	free(walk);
	return err;
}

int content_of_store(const struct store_snapshot *s, const struct store_zone *z, struct content **out)
{
	struct content *c = content_new(store_zone_apex(z));
	int err = c ? add_trie(c, s, z, false) : ERR_NO_MEMORY;

	if (!err)
		err = add_trie(c, s, z, true);
	if (!err)
		err = content_finish(c);
	if (err) {
		content_free(c);
		return err;
	}
	*out = c;
	return 0;
}

bool soa_of_store(const struct store_snapshot *s, const struct store_zone *z, struct soa *out)
{
	const struct store_rrset *set = z->apex ? store_rrset_of(s, store_at(s, z->apex), RR_SOA) : NULL;

	return set && soa_parse(set->data + 2, get_u16(set->data), out) == 0;
}
