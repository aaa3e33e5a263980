/* SPDX-License-Identifier: BSD-2-Clause */
/* A change of a few records, applied to the tries of a zone version by copying the arrays on the paths to what it touches (store_switch.c), the nodes it
 * touches and the sets that differ (store_owner.c). What comes out is, but for its place in the file, what store_build.c makes of the same
 * records; test/unit/zone/test_change.c compares the two after every step.
 *
 * Owners are taken in canonical order, so what lies above a name is right already when its turn comes. A name that begins or ceases to hide what is
 * below it (a delegation, a DNAME) has the flags of all names below it set again: the one part of a change that costs more than what it touches, and
 * is therefore limited. */
#include "zone/store_edit.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HIDES = NODE_CUT | NODE_DNAME | NODE_BELOW_CUT };

/* ---- cells ---- */

void *edit_take(struct edit *e, size_t bytes, store_ref *ref)
{
	void *p = NULL;

	*ref = store_chunks_take(e->chunks, (uint32_t)((bytes + STORE_CELL - 1) / STORE_CELL), &p);
	return *ref ? p : NULL;
}

void edit_waste(struct edit *e, size_t bytes)
{
	e->chunks->waste += (uint32_t)((bytes + STORE_CELL - 1) / STORE_CELL);
}

static int array_take(void *ctx, unsigned n, store_ref *ref)
{
	uint32_t cells = store_array_cells(n);
	struct edit *e = ctx;

	if (!e->scrap[cells])
		return edit_take(e, n * sizeof(struct trie_slot), ref) ? 0 : ERR_NO_SPACE;
	*ref = e->scrap[cells];
	memcpy(&e->scrap[cells], edit_cell(e, *ref), sizeof(store_ref));
	memset(edit_cell(e, *ref), 0, (size_t)cells * STORE_CELL);
	e->chunks->waste -= cells;
	return 0;
}

static int array_room(void *ctx)
{
	(void)ctx;
	return 0;
}

static bool array_is_fresh(const void *ctx, store_ref ref)
{
	const struct edit *e = ctx;

	return store_chunks_own(e->chunks, ref);
}

static void array_drop(void *ctx, store_ref ref, unsigned n)
{
	uint32_t cells = store_array_cells(n);
	struct edit *e = ctx;

	e->chunks->waste += cells;
	if (!array_is_fresh(e, ref))
		return;
	memcpy(edit_cell(e, ref), &e->scrap[cells], sizeof(store_ref));
	e->scrap[cells] = ref;
}

/* ---- nodes of names ---- */

static size_t node_bytes(const struct store_node *n)
{
	return sizeof(*n) + n->rrsets * sizeof(store_ref) + n->name_len;
}

static store_ref find_name(const struct edit *e, const uint8_t *name)
{
	struct trie_key k;

	trie_key_name(&k, name, e->names.skip);
	return trie_get(&e->names, &k);
}

/* The first node after name, if it is below it. */
static store_ref first_below(const struct edit *e, const uint8_t *name, const uint8_t *after)
{
	struct trie_key k;
	store_ref leaf;

	trie_key_name(&k, after, e->names.skip);
	leaf = trie_after(&e->names, &k);
	return leaf && name_is_under(store_node_name(edit_cell(e, leaf)), name) ? leaf : 0;
}

/* A node with the sets of the owner at hand that belong to part, or with none. */
static int write_node(struct edit *e, const uint8_t *name, uint16_t flags, size_t rrsets, enum owner_part part, store_ref *ref)
{
	size_t len = name_len(name);
	struct store_node *n;

	if (rrsets > UINT16_MAX)
		return ERR_LIMIT;
	n = edit_take(e, sizeof(*n) + rrsets * sizeof(store_ref) + len, ref);
	if (!n)
		return ERR_NO_SPACE;
	*n = (struct store_node){.flags = flags, .labels = (uint8_t)name_labels(name), .name_len = (uint8_t)len, .rrsets = (uint16_t)rrsets};
	memcpy(&n->sets[rrsets], name, len);
	return rrsets ? owner_write(e, part, n->sets) : 0;
}

static int put_name(struct edit *e, const uint8_t *name, store_ref leaf)
{
	struct trie_key k;

	trie_key_name(&k, name, e->names.skip);
	return store_switch_put(&e->space, &e->names, &k, leaf);
}

/* Other flags for a node: in place where nobody has seen it yet. */
static int set_flags(struct edit *e, store_ref ref, uint16_t flags)
{
	struct store_node *n = edit_cell(e, ref), *copy;
	store_ref to;

	if (n->flags == flags)
		return 0;
	if (store_chunks_own(e->chunks, ref)) {
		n->flags = flags;
		return 0;
	}
	copy = edit_take(e, node_bytes(n), &to);
	if (!copy)
		return ERR_NO_SPACE;
	memcpy(copy, n, node_bytes(n));
	copy->flags = flags;
	edit_waste(e, node_bytes(n));
	return put_name(e, store_node_name(n), to);
}

/* A node "*" has come below its parent, or has gone. */
static int tell_parent(struct edit *e, const uint8_t *name, bool there)
{
	const struct store_node *n;
	store_ref up;

	if (!name_is_wildcard(name))
		return 0;
	up = find_name(e, name_parent(name));
	n = edit_cell(e, up);
	return set_flags(e, up, (uint16_t)(there ? n->flags | NODE_WILD_CHILD : n->flags & ~NODE_WILD_CHILD));
}

static uint16_t flags_below(const struct edit *e, const uint8_t *name)
{
	const struct store_node *up;

	if (name_labels(name) == e->apex_labels)
		return 0;
	up = edit_cell(e, find_name(e, name_parent(name)));
	return up->flags & HIDES ? NODE_BELOW_CUT : 0;
}

/* The empty non-terminals above a new name (RFC 8020). */
static int make_ancestors(struct edit *e, const uint8_t *name)
{
	unsigned labels = name_labels(name), from = labels;
	int err = 0;

	while (from > e->apex_labels + 1 && !find_name(e, name_suffix(name, from - 1)))
		from--;
	for (unsigned l = from; !err && l < labels; l++) {
		const uint8_t *up = name_suffix(name, l);
		store_ref ref;

		err = write_node(e, up, NODE_ENT | flags_below(e, up), 0, OWNER_ALL, &ref);
		if (!err)
			err = put_name(e, up, ref);
		if (!err)
			err = tell_parent(e, up, true);
		e->z->node_count += !err;
	}
	return err;
}

/* The name goes, and every empty non-terminal above that was there for it alone. */
static int remove_names(struct edit *e, const uint8_t *name)
{
	for (;;) {
		const struct store_node *n = edit_cell(e, find_name(e, name));
		const uint8_t *up = name_parent(name);
		struct trie_key k;
		int err;

		trie_key_name(&k, name, e->names.skip);
		err = store_switch_remove(&e->space, &e->names, &k);
		if (!err)
			err = tell_parent(e, name, false);
		if (err)
			return err;
		edit_waste(e, node_bytes(n));
		e->z->node_count--;
		n = edit_cell(e, find_name(e, up));
		if (!(n->flags & NODE_ENT) || first_below(e, up, up))
			return 0;
		name = up;
	}
}

static uint16_t own_flags(const struct edit *e, const struct store_node *n)
{
	uint16_t flags = n->flags & (NODE_APEX | NODE_ENT | NODE_WILD_CHILD);

	for (unsigned i = 0; i < n->rrsets; i++)
		switch (((const struct store_rrset *)edit_cell(e, n->sets[i]))->type) {
		case RR_NS:
			flags |= flags & NODE_APEX ? 0 : NODE_CUT;
			break;
		case RR_DNAME:
			flags |= NODE_DNAME;
			break;
		case RR_CNAME:
			flags |= NODE_CNAME;
			break;
		default:
			break;
		}
	return flags;
}

/* The name began or ceased to hide what is below it: RFC 2136 7.18, RFC 6672 2.4. */
static int hide_below(struct edit *e, const uint8_t *name, bool hides)
{
	const uint8_t *top = hides ? name : NULL, *at = name;
	store_ref leaf;
	int err = 0;

	while (!err && (leaf = first_below(e, name, at)) != 0) {
		const struct store_node *n = edit_cell(e, leaf);
		uint16_t flags = own_flags(e, n);

		if (++e->problem->renewed > e->renewed_max) {
			snprintf(e->problem->text, sizeof(e->problem->text), "what hides most of the zone comes and goes in it: building the zone costs less");
			return ERR_LIMIT;
		}
		at = store_node_name(n);
		if (top && !name_is_under(at, top))
			top = NULL;
		if (top)
			flags = (uint16_t)((flags | NODE_BELOW_CUT) & ~(NODE_CUT | NODE_DNAME));
		else if (flags & (NODE_CUT | NODE_DNAME))
			top = at;
		err = set_flags(e, leaf, flags);
	}
	return err;
}

static uint16_t new_flags(const struct edit *e, uint16_t old, uint16_t below)
{
	const struct owner *o = &e->owner;
	uint16_t flags = old & (NODE_APEX | NODE_WILD_CHILD);

	if (owner_find(o, RR_NS, 0) && !(flags & NODE_APEX))
		flags |= NODE_CUT;
	if (owner_find(o, RR_DNAME, 0))
		flags |= NODE_DNAME;
	if (owner_find(o, RR_CNAME, 0))
		flags |= NODE_CNAME;
	return below ? (uint16_t)((flags | NODE_BELOW_CUT) & ~(NODE_CUT | NODE_DNAME)) : flags;
}

/* The owner's node in the trie of names. */
static int edit_name(struct edit *e, store_ref old_ref, const uint8_t *name, enum owner_part part)
{
	const struct store_node *old = old_ref ? edit_cell(e, old_ref) : NULL;
	size_t rrsets = owner_part_count(&e->owner, part);
	uint16_t was = old ? old->flags : 0, flags;
	store_ref ref;
	int err = 0;

	if (!rrsets) {
		if (!old || (was & NODE_ENT))
			return 0;
		if (!first_below(e, name, name))
			return remove_names(e, name);
		flags = NODE_ENT | (was & (NODE_WILD_CHILD | NODE_BELOW_CUT));
	} else {
		if (!old)
			err = make_ancestors(e, name);
		if (err)
			return err;
		flags = new_flags(e, was, flags_below(e, name));
	}
	err = write_node(e, name, flags, rrsets, part, &ref);
	if (!err)
		err = put_name(e, name, ref);
	if (err)
		return err;
	if (!old) {
		e->z->node_count++;
		return tell_parent(e, name, true);
	}
	edit_waste(e, node_bytes(old));
	return !(was & HIDES) != !(flags & HIDES) ? hide_below(e, name, flags & HIDES) : 0;
}

/* ---- nodes of NSEC3 owners ---- */

static int edit_hash(struct edit *e, store_ref old_ref, const uint8_t *name, const uint8_t hash[20], bool any)
{
	const struct store_node *old = old_ref ? edit_cell(e, old_ref) : NULL;
	struct trie_key k;
	store_ref ref;
	int err = 0;

	if (!old && !any)
		return 0;
	trie_key_hash(&k, hash);
	if (any) {
		err = write_node(e, name, NODE_NSEC3, owner_part_count(&e->owner, OWNER_DENIAL), OWNER_DENIAL, &ref);
		if (!err)
			err = store_switch_put(&e->space, &e->hashes, &k, ref);
	} else {
		err = store_switch_remove(&e->space, &e->hashes, &k);
	}
	if (err)
		return err;
	if (old)
		edit_waste(e, node_bytes(old));
	e->z->node_count += (uint64_t)any - (old != NULL);
	return 0;
}

/* ---- owners ---- */

/* Counts before and after, and what is left behind of sets that are gone. */
static void count_sets(struct edit *e, bool after)
{
	const struct owner *o = &e->owner;

	for (size_t i = 0; i < o->count; i++) {
		const struct owner_set *s = &o->sets[i];
		size_t records = after ? owner_set_size(s) : s->old->count;

		e->z->rrset_count += after ? records > 0 : -1ULL;
		e->z->record_count += after ? records : -(uint64_t)records;
		if (after && !records && s->old)
			edit_waste(e, sizeof(*s->old) + s->old->size);
	}
}

/* A name keeps its letters' case until all it owned has gone. */
static const uint8_t *name_as_written(const struct owner *o, const struct store_node *name, const struct store_node *hash, const uint8_t *added)
{
	bool stays = false;

	for (size_t i = 0; i < o->count; i++)
		stays |= o->sets[i].stay > 0;
	if (!stays && added)
		return added;
	return name && !(name->flags & NODE_ENT) ? store_node_name(name) : hash ? store_node_name(hash) : name ? store_node_name(name) : added;
}

static int edit_owner(struct edit *e, const uint8_t *name, const struct owner_range *removed, const struct owner_range *added)
{
	const struct store_node *in_names, *in_hashes;
	uint8_t hash[20];
	bool may_hash, denial;
	store_ref ref, hash_ref = 0;
	struct trie_key k;
	char text[NAME_TEXT_MAX];
	int err = 0;

	if (!name_is_under(name, e->apex)) {
		name_to_text(name, text);
		snprintf(e->problem->text, sizeof(e->problem->text), "%.300s is outside the zone", text);
		return ERR_INVALID;
	}
	owner_begin(&e->owner, name);
	ref = find_name(e, name);
	may_hash = name_labels(name) == e->apex_labels + 1 && trie_hash_of_owner(name, hash);
	if (may_hash) {
		trie_key_hash(&k, hash);
		hash_ref = trie_get(&e->hashes, &k);
	}
	in_names = ref ? edit_cell(e, ref) : NULL;
	in_hashes = hash_ref ? edit_cell(e, hash_ref) : NULL;
	if (in_names)
		err = owner_gather(e, in_names);
	if (!err && in_hashes)
		err = owner_gather(e, in_hashes);
	if (err)
		return err;
	count_sets(e, false);
	err = owner_apply(e, removed, added);
	if (!err)
		err = owner_check(e);
	if (err)
		return err;
	count_sets(e, true);
	owner_note_signatures(e);
	name = name_as_written(&e->owner, in_names, in_hashes, added->first < added->end ? content_rrset(added->c, added->first)->owner : NULL);
	denial = may_hash && owner_find(&e->owner, RR_NSEC3, 0);
	if (may_hash)
		err = edit_hash(e, hash_ref, name, hash, denial);
	return err ? err : edit_name(e, ref, name, denial ? OWNER_OTHERS : OWNER_ALL);
}

/* ---- facts about the zone ---- */

/* The set of a type at a node; like store_rrset_of() in the version being made. */
static const struct store_rrset *set_of(const struct edit *e, const struct store_node *n, uint16_t type)
{
	for (unsigned i = 0; i < n->rrsets; i++) {
		const struct store_rrset *set = edit_cell(e, n->sets[i]);

		if (set->type == type)
			return set;
	}
	return NULL;
}

static int find_nsec3_params(struct edit *e, const struct store_node *apex)
{
	struct store_nsec3_params now = {0}, *put;
	const struct store_nsec3_params *was = e->z->nsec3_params ? edit_cell(e, e->z->nsec3_params) : NULL;
	const struct store_rrset *set = set_of(e, apex, RR_NSEC3PARAM);
	const uint8_t *data = set ? set->data : NULL, *rdata = NULL;
	uint16_t len = 0;

	for (unsigned i = 0; e->hashes.root && set && i < set->count && !rdata; i++, data += 2 + get_u16(data))
		if (get_u16(data) >= 5 && !data[3])
			rdata = data;
	/* Without a usable NSEC3PARAM the chain itself says how it was made. */
	if (e->hashes.root && !rdata)
		rdata = set_of(e, edit_cell(e, trie_after(&e->hashes, NULL)), RR_NSEC3)->data;
	if (rdata) {
		len = get_u16(rdata);
		rdata += 2;
	}
	if (len >= 5 && len >= 5 + rdata[4]) {
		now.in_use = 1;
		now.algorithm = rdata[0];
		now.iterations = get_u16(rdata + 2);
		now.salt_len = rdata[4];
		memcpy(now.salt, rdata + 5, rdata[4]);
	}
	if (was && memcmp(was, &now, sizeof(now)) == 0)
		return 0;
	if (was)
		edit_waste(e, sizeof(*was));
	e->z->nsec3_params = 0;
	if (!now.in_use)
		return 0;
	put = edit_take(e, sizeof(*put), &e->z->nsec3_params);
	if (!put)
		return ERR_NO_SPACE;
	*put = now;
	return 0;
}

static int find_facts(struct edit *e)
{
	const struct store_node *apex;
	const struct store_rrset *soa_set;
	bool signatures = false;
	struct soa soa;

	e->z->names = e->names.root;
	e->z->nsec3 = e->hashes.root;
	e->z->apex = find_name(e, e->apex);
	apex = edit_cell(e, e->z->apex);
	soa_set = set_of(e, apex, RR_SOA);
	e->z->serial = 0;
	if (soa_set && soa_parse(soa_set->data + 2, get_u16(soa_set->data), &soa) == 0)
		e->z->serial = soa.serial;
	for (unsigned i = 0; i < apex->rrsets; i++) {
		const struct store_rrset *set = edit_cell(e, apex->sets[i]);

		signatures |= set->type == RR_RRSIG || set->sigs;
	}
	e->z->has_nsec = set_of(e, apex, RR_NSEC) != NULL;
	e->z->is_signed = set_of(e, apex, RR_DNSKEY) && signatures;
	return find_nsec3_params(e, apex);
}

/* The sets of one owner, from i on. */
static struct owner_range range_of(const struct content *c, size_t i, const uint8_t *name)
{
	struct owner_range r = {c, i, i};

	while (r.end < content_rrset_count(c) && name_equal(content_rrset(c, r.end)->owner, name))
		r.end++;
	return r;
}

int store_edit_zone(struct chunks *chunks, struct store_zone *z, const uint8_t *apex, const struct zone_change *change,
                    struct zone_change_problem *problem)
{
	size_t removed_count = content_rrset_count(change->removed), added_count = content_rrset_count(change->added), r = 0, a = 0;
	struct edit e = {.chunks = chunks, .z = z, .apex = apex, .apex_labels = name_labels(apex), .problem = problem,
	                 .names = {.base = chunks->w->base, .root = z->names, .kind = TRIE_NAMES, .skip = name_labels(apex)},
	                 .hashes = {.base = chunks->w->base, .root = z->nsec3, .kind = TRIE_HASHES},
	                 .renewed_max = zone_change_renewed_max(z->node_count)};
	int err = 0;

	e.space = (struct switch_space){array_take, array_room, array_drop, array_is_fresh, &e};
	while (!err && (r < removed_count || a < added_count)) {
		const uint8_t *del = r < removed_count ? content_rrset(change->removed, r)->owner : NULL;
		const uint8_t *add = a < added_count ? content_rrset(change->added, a)->owner : NULL;
		int d = !del ? 1 : !add ? -1 : name_compare(del, add);
		const uint8_t *name = d <= 0 ? del : add;
		struct owner_range removed = d <= 0 ? range_of(change->removed, r, name) : (struct owner_range){change->removed, r, r};
		struct owner_range added = d >= 0 ? range_of(change->added, a, name) : (struct owner_range){change->added, a, a};

		err = edit_owner(&e, name, &removed, &added);
		r = removed.end;
		a = added.end;
	}
	if (!err)
		err = find_facts(&e);
	owner_done(&e.owner);
	return err;
}
