/* SPDX-License-Identifier: BSD-2-Clause */
/* Catalog zones (RFC 9432): a zone that lists zones, so that a change of one server's list of zones travels to all others as any change of a zone does.
 *
 *     version.CATALOG            TXT "2"              or the zone is no catalog that we know
 *     ID.zones.CATALOG           PTR example.com.     a member; another ID for the same member resets all that is known of it
 *     group.ID.zones.CATALOG     TXT "nodnssec"       which template it is served by
 *     coo.ID.zones.CATALOG       PTR NEWCATALOG.      the catalog that may take it over
 *
 * This file reads a version of a catalog into a list. membership.c decides, over all catalogs of a node and their versions, what that changes: which zones come, go, begin anew
 * or change owner. produce.c makes a catalog. sync/catalogs.c does what they say. None of these three knows of sockets, files or the clock.
 *
 * A catalog is broken and not processed (5.1) without exactly one version record that says "2", with more than one PTR at a member, or more than one at a coo. The
 * membership of its last good version stays then. All else that we do not know (other properties, names below "ext", other types, deeper names) is ignored. A member listed under
 * two ids is a clash (5.2): the one known before stays; membership.c sees to that. RFC 9432 allows several group values; here the first of them in canonical order counts, since
 * a zone has one template.
 *
 * Records come in canonical order of owners, so what belongs to a member follows it. 100,000 members take some 12 MB while a version is read. Not here:
 * version 1 of BIND (an expired draft), which differs in where groups of servers are. */
#include "catalog/catalog.h"

#include "base/err.h"
#include "zone/content.h"
#include "zone/store.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t label_version[] = "\7version", label_zones[] = "\5zones", label_coo[] = "\3coo",
		     label_group[] = "\5group";

void catalog_free(struct catalog *c)
{
	if (!c)
		return;
	arena_done(&c->arena);
	free(c->entries);
	free(c);
}

struct reading {
	struct catalog *catalog;
	struct text *why;
	size_t limit;
	unsigned labels; /* of the apex */
	bool has_version;
};

/* One set of records of one owner: their RDATA, each with its length (network order) before it, or as content has it. */
struct set {
	const uint8_t *owner;
	uint16_t type;
	size_t count;
	const uint8_t *first;
	uint16_t first_len;
};

static bool is_label(const uint8_t *name, const uint8_t *label)
{
	if (name[0] != label[0])
		return false;
	for (unsigned i = 1; i <= label[0]; i++)
		if ((name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]) != label[i])
			return false;
	return true;
}

static const uint8_t *lower_label(struct catalog *c, const uint8_t *label)
{
	uint8_t *out = arena_dup(&c->arena, label, (size_t)label[0] + 1);

	for (unsigned i = 1; out && i <= out[0]; i++)
		if (out[i] >= 'A' && out[i] <= 'Z')
			out[i] |= 0x20;
	return out;
}

static const uint8_t *lower_target(struct catalog *c, const struct set *set)
{
	struct name lower;

	if (name_check(set->first, set->first_len) != set->first_len)
		return NULL;
	name_lower(&lower, set->first);
	return arena_dup(&c->arena, lower.wire, lower.len);
}

static int broken(struct reading *r, const uint8_t *owner, const char *what)
{
	char name[NAME_TEXT_MAX];

	name_to_text(owner, name);
	text_fmt(r->why, "%s %s", name, what);
	return ERR_INVALID;
}

static int take_version(struct reading *r, const struct set *set)
{
	if (set->type != RR_TXT)
		return 0;
	if (set->count != 1)
		return broken(r, set->owner, "has more than one version");
	if (set->first_len != 2 || set->first[0] != 1 || set->first[1] != '2')
		return broken(r, set->owner, "is not version \"2\"");
	r->has_version = true;
	return 0;
}

static int take_member(struct reading *r, const struct set *set)
{
	struct catalog *c = r->catalog;
	struct catalog_entry *e;

	if (set->type != RR_PTR)
		return 0;
	if (set->count != 1)
		return broken(r, set->owner, "has more than one PTR: which zone is meant?");
	if (c->count == r->limit) {
		text_fmt(r->why, "the catalog has more than %zu members (members-limit)", r->limit);
		return ERR_LIMIT;
	}
	if (c->count == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 64;
		struct catalog_entry *more = realloc(c->entries, cap * sizeof(*more));

		if (!more)
			return ERR_NO_MEMORY;
		c->entries = more;
		c->cap = cap;
	}
	e = &c->entries[c->count];
	*e = (struct catalog_entry){.apex = lower_target(c, set), .id = lower_label(c, set->owner)};
	if (!e->apex || !e->id)
		return arena_ok(&c->arena) ? ERR_INVALID : ERR_NO_MEMORY;
	c->count++;
	return 0;
}

/* PROPERTY.ID.zones.CATALOG */
static int take_property(struct reading *r, const struct set *set)
{
	struct catalog *c = r->catalog;
	struct catalog_entry *e = c->count ? &c->entries[c->count - 1] : NULL;

	if (!e || !is_label(set->owner + 1 + set->owner[0], e->id))
		return 0;
	if (set->type == RR_PTR && is_label(set->owner, label_coo)) {
		if (set->count != 1)
			return broken(r, set->owner, "has more than one PTR: whose is it to be?");
		e->coo = lower_target(c, set);
	} else if (set->type == RR_TXT && is_label(set->owner, label_group) && set->first_len &&
	           set->first[0] < set->first_len) {
		e->group = arena_dup(&c->arena, set->first, (size_t)set->first[0] + 1);
	}
	return arena_ok(&c->arena) ? 0 : ERR_NO_MEMORY;
}

static int take(struct reading *r, const struct set *set)
{
	unsigned depth = name_labels(set->owner) - r->labels;
	const uint8_t *top;

	if (!depth || depth > 3)
		return 0;
	top = name_suffix(set->owner, r->labels + 1);
	if (depth == 1)
		return is_label(top, label_version) ? take_version(r, set) : 0;
	if (!is_label(top, label_zones))
		return 0;
	return depth == 2 ? take_member(r, set) : take_property(r, set);
}

static int begin(const uint8_t *apex, uint32_t serial, size_t limit, struct text *why, struct reading *r)
{
	struct catalog *c = calloc(1, sizeof(*c));

	if (!c)
		return ERR_NO_MEMORY;
	arena_init(&c->arena, 0);
	name_lower(&c->apex, apex);
	c->serial = serial;
	*r = (struct reading){.catalog = c, .why = why, .limit = limit, .labels = name_labels(apex)};
	return 0;
}

static int end(struct reading *r, int err, struct catalog **out)
{
	if (!err && !r->has_version) {
		text_fmt(r->why, "there is no version record: this is no catalog zone");
		err = ERR_INVALID;
	}
	if (err) {
		catalog_free(r->catalog);
		return err;
	}
	*out = r->catalog;
	return 0;
}

int catalog_from_store(const struct store_snapshot *s, const struct store_zone *z, size_t members_limit,
                       struct text *why, struct catalog **out)
{
	struct store_walk *walk = malloc(sizeof(*walk));
	const struct store_node *n;
	struct reading r;
	int err = walk ? begin(store_zone_apex(z), z->serial, members_limit, why, &r) : ERR_NO_MEMORY;

	if (err) {
		free(walk);
		return err;
	}
	store_walk_init(walk, s, z, false);
	while (!err && (n = store_walk_next(walk)) != NULL)
		for (unsigned i = 0; i < n->rrsets && !err; i++) {
			const struct store_rrset *rrs = store_at(s, n->sets[i]);
			const struct set set = {store_node_name(n), rrs->type, rrs->count, rrs->data + 2,
			                        get_u16(rrs->data)};

			err = take(&r, &set);
		}
	free(walk);
	return end(&r, err, out);
}

int catalog_from_content(const struct content *c, size_t members_limit, struct text *why, struct catalog **out)
{
	const struct content_rrset *soa_set = content_soa(c);
	struct soa soa = {0};
	struct reading r;
	int err;

	if (soa_set && soa_parse(soa_set->records[0].rdata, soa_set->records[0].rdlen, &soa) < 0)
		return ERR_INVALID;
	err = begin(content_apex(c), soa.serial, members_limit, why, &r);
	if (err)
		return err;
	for (size_t i = 0; i < content_rrset_count(c) && !err; i++) {
		const struct content_rrset *rrs = content_rrset(c, i);
		const struct set set = {rrs->owner, rrs->type, rrs->count, rrs->records[0].rdata,
		                        rrs->records[0].rdlen};

		if (name_is_under(rrs->owner, content_apex(c)))
			err = take(&r, &set);
	}
	return end(&r, err, out);
}
