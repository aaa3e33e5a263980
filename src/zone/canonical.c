/* SPDX-License-Identifier: BSD-2-Clause */
/* Both walks collect the sets of one owner, bring them in order and write out their records. Sets lie in order already, but for three things:
 * content has the SOA first; in the store signatures hang on the set they cover; and the store keeps NSEC3 owners in a trie of their own, so two
 * cursors are merged by name. RRSIG sets in the order of the types they cover are in the order of RDATA, which begins with that type. */
#include "zone/canonical.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

struct set {
	uint16_t type, covers;
	uint32_t ttl, count;
	const struct content_record *records; /* of content */
	const uint8_t *data;                  /* of the store */
};

struct walk {
	canonical_record_fn *fn;
	void *ctx;
	const uint8_t *apex;
	struct set *sets; /* of the owner at hand */
	size_t count, cap;
	struct name owner; /* lower case */
	uint8_t wire[CANONICAL_RECORD_MAX];
};

static size_t put_record(const struct name *owner, uint16_t type, uint32_t ttl, const uint8_t *rdata, uint16_t rdlen, uint8_t *wire)
{
	uint8_t *p = wire + owner->len;

	memcpy(wire, owner->wire, owner->len);
	put_u16(p, type);
	put_u16(p + 2, CLASS_IN);
	put_u32(p + 4, ttl);
	put_u16(p + 8, rdlen);
	memcpy(p + 10, rdata, rdlen);
	rdata_canonical(type, p + 10, rdlen);
	return owner->len + 10U + rdlen;
}

size_t canonical_record(const struct rr *rr, uint8_t *wire)
{
	struct name owner;

	name_lower(&owner, rr->owner);
	return put_record(&owner, rr->type, rr->ttl, rr->rdata, rr->rdlen, wire);
}

static struct walk *new_walk(canonical_record_fn *fn, void *ctx, const uint8_t *apex)
{
	struct walk *w = malloc(sizeof(*w));

	if (w) {
		w->fn = fn;
		w->ctx = ctx;
		w->apex = apex;
		w->sets = NULL;
		w->count = w->cap = 0;
	}
	return w;
}

static void free_walk(struct walk *w)
{
	free(w->sets);
	free(w);
}

static int add_set(struct walk *w, const struct set *set)
{
	if (w->count == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 16;
		struct set *sets = realloc(w->sets, cap * sizeof(*sets));

		if (!sets)
			return ERR_NO_MEMORY;
		w->sets = sets;
		w->cap = cap;
	}
	w->sets[w->count++] = *set;
	return 0;
}

static int order_set(const void *a, const void *b)
{
	const struct set *x = a, *y = b;

	return x->type != y->type ? x->type - y->type : x->covers - y->covers;
}

/* The sets collected for this owner, in order. */
static int write_owner(struct walk *w, const uint8_t *owner)
{
	bool is_apex = name_equal(owner, w->apex);
	int err = 0;

	if (!w->count) /* an empty non-terminal */
		return 0;
	name_lower(&w->owner, owner);
	for (size_t i = 1; i < w->count; i++)
		if (order_set(&w->sets[i - 1], &w->sets[i]) > 0) {
			qsort(w->sets, w->count, sizeof(*w->sets), order_set);
			break;
		}
	for (size_t i = 0; i < w->count && !err; i++) {
		const struct set *set = &w->sets[i];
		bool of_zonemd = is_apex && (set->type == RR_ZONEMD || (set->type == RR_RRSIG && set->covers == RR_ZONEMD));
		const uint8_t *at = set->data;

		for (uint32_t k = 0; k < set->count && !err; k++) {
			const uint8_t *rdata = at ? at + 2 : set->records[k].rdata;
			uint16_t rdlen = at ? get_u16(at) : set->records[k].rdlen;

			err = w->fn(w->ctx, w->wire, put_record(&w->owner, set->type, set->ttl, rdata, rdlen, w->wire), of_zonemd);
			at = at ? at + 2 + rdlen : NULL;
		}
	}
	w->count = 0;
	return err;
}

int canonical_walk_content(const struct content *c, canonical_record_fn *fn, void *ctx)
{
	struct walk *w = new_walk(fn, ctx, content_apex(c));
	size_t n = content_rrset_count(c);
	int err = w ? 0 : ERR_NO_MEMORY;

	for (size_t i = 0; i < n && !err; i++) {
		const struct content_rrset *set = content_rrset(c, i);

		err = add_set(w, &(struct set){.type = set->type, .covers = set->covers, .ttl = set->ttl, .count = set->count, .records = set->records});
		if (!err && (i + 1 == n || content_rrset(c, i + 1)->owner != set->owner))
			err = write_owner(w, set->owner);
	}
	if (w)
		free_walk(w);
	return err;
}

static int add_stored(struct walk *w, const struct store_snapshot *s, const struct store_node *n)
{
	int err = 0;

	for (unsigned i = 0; i < n->rrsets && !err; i++)
		for (const struct store_rrset *set = store_at(s, n->sets[i]); set && !err; set = store_at(s, set->sigs))
			err = add_set(w, &(struct set){.type = set->type, .covers = set->covers, .ttl = set->ttl, .count = set->count, .data = set->data});
	return err;
}

int canonical_walk_store(const struct store_snapshot *s, const struct store_zone *z, canonical_record_fn *fn, void *ctx)
{
	struct walk *w = new_walk(fn, ctx, store_zone_apex(z));
	const struct store_node *name, *hash;
	struct store_walk names, hashes;
	int err = w ? 0 : ERR_NO_MEMORY;

	store_walk_init(&names, s, z, false);
	store_walk_init(&hashes, s, z, true);
	name = store_walk_next(&names);
	hash = store_walk_next(&hashes);

	while (!err && (name || hash)) {
		/* An owner may be in both (RFC 5155 appendix A has one): its sets come together then. */
		int order = !name ? 1 : !hash ? -1 : name_compare(store_node_name(name), store_node_name(hash));
		const struct store_node *at = order <= 0 ? name : hash;

		if (order <= 0) {
			err = add_stored(w, s, name);
			name = store_walk_next(&names);
		}
		if (order >= 0 && !err) {
			err = add_stored(w, s, hash);
			hash = store_walk_next(&hashes);
		}
		if (!err)
			err = write_owner(w, store_node_name(at));
	}
	if (w)
		free_walk(w);
	return err;
}
