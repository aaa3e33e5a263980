/* SPDX-License-Identifier: BSD-2-Clause */
/* Catalogs of the fleet file: each finds its zone, and the templates of members what they leave unsaid. */
#include "config/read.h"

#include "base/hash.h"

#include <string.h>

static const struct tree *catalog_at(const struct tree *root, size_t i)
{
	return tree_item(tree_get(root, "catalogs"), i);
}

static uint64_t identity(const struct config_catalog *k, const char *group)
{
	uint64_t sum = hash_checksum(k->apex, name_len(k->apex), group ? 2 : 1);

	return (group ? hash_checksum(group, strlen(group), sum) : sum) | 1;
}

static void inherit(struct config_template *t, const struct config_zone *from)
{
	struct config_zone *z = &t->zone;

	z->backends = UINT32_MAX;
	if (!z->primary_count) {
		z->primaries = from->primaries;
		z->primary_count = from->primary_count;
	}
	if (z->network == UINT32_MAX)
		z->network = from->network;
	if (z->key == UINT32_MAX)
		z->key = from->key;
	if (!z->allow_transfer_count) {
		z->allow_transfer = from->allow_transfer;
		z->allow_transfer_count = from->allow_transfer_count;
	}
	if (!z->notify_count) {
		z->notify = from->notify;
		z->notify_count = from->notify_count;
	}
	if (z->tls == UINT32_MAX)
		z->tls = from->tls;
	z->transfer_over = from->transfer_over;
	z->shrink_limit = from->shrink_limit;
	z->zonemd = from->zonemd;
	if (!t->has_at_expiry)
		z->at_expiry = from->at_expiry;
	t->has_at_expiry = true;
}

/* Catalogs are few; most zones differ from them in the first octets. */
static void find_zones(struct config *c)
{
	for (size_t i = 0; i < c->zone_count; i++)
		for (size_t k = 0; k < c->catalog_count; k++)
			if (!c->catalogs[k].zone && name_equal(c->zones[i].apex, c->catalogs[k].apex)) {
				c->catalogs[k].zone = &c->zones[i];
				c->zones[i].catalog = &c->catalogs[k];
			}
}

static struct config_zone *own_zone(struct config *c, const struct config_catalog *k)
{
	return &c->zones[k->zone - c->zones];
}

void config_link_catalogs(const struct tree_source *src, const struct tree *root, struct config *c)
{
	if (!c->catalog_count)
		return;
	find_zones(c);
	for (size_t i = 0; i < c->catalog_count; i++) {
		struct config_catalog *k = &c->catalogs[i];
		const struct tree *at = tree_get(catalog_at(root, i), "zone");

		for (size_t j = 0; j < i; j++)
			if (name_equal(k->apex, c->catalogs[j].apex)) {
				tree_error(src, at, "catalog \"%s\" is here twice", at->text);
				return;
			}
		if (!k->zone) {
			tree_error(src, at,
			           "catalog \"%s\" is none of \"zones\": add it there, with \"primaries\" or \"file\" "
			           "(or neither, with \"produce\")",
			           at->text);
			return;
		}
		k->members.id = identity(k, NULL);
		if (k->produce)
			continue;
		inherit(&k->members, k->zone);
		for (size_t g = 0; g < k->group_count; g++) {
			k->groups[g].id = identity(k, k->groups[g].name);
			inherit(&k->groups[g], &k->members.zone);
		}
		/* Counted in members instead. */
		if (k->zone)
			own_zone(c, k)->shrink_limit = 100;
	}
}

static void check_template(const struct tree_source *src, const struct tree *at, const struct config *c,
                           const struct config_template *t)
{
	if (t->zone.network == UINT32_MAX && c->network_count)
		tree_warning(src, at, "members are in no \"network\": no pop serves them");
	for (size_t i = 0; i < t->zone.allow_transfer_count; i++)
		if (!t->zone.allow_transfer[i].len && t->zone.key == UINT32_MAX)
			tree_warning(src, at, "without a \"key\" anybody may copy the members as a whole");
}

static void check_groups(const struct tree_source *src, const struct tree *list, const struct config *c,
                         const struct config_catalog *k)
{
	for (size_t i = 0; i < k->group_count; i++) {
		const struct tree *at = tree_get(tree_item(list, i), "name");

		for (size_t j = 0; j < i; j++)
			if (strcmp(k->groups[i].name, k->groups[j].name) == 0)
				tree_error(src, at, "group \"%s\" is here twice", k->groups[i].name);
		if (strlen(k->groups[i].name) > 255)
			tree_error(src, at, "a group's name has at most 255 octets");
		check_template(src, at, c, &k->groups[i]);
	}
}

void config_check_catalogs(const struct tree_source *src, const struct tree *root, const struct config *c)
{
	for (size_t i = 0; i < c->catalog_count; i++) {
		const struct config_catalog *k = &c->catalogs[i];
		const struct tree *t = catalog_at(root, i), *members = tree_get(t, "members");

		if (!k->zone)
			continue;
		if (k->produce && (k->zone->file || k->zone->primary_count))
			tree_error(src, tree_get(t, "produce"),
			           "the zone of a catalog that is produced has neither \"file\" nor \"primaries\": "
			           "remove them in line %u, or \"produce\"",
			           k->zone->line);
		else if (k->produce && ((members && members->count) || k->group_count))
			tree_error(src, members ? members : tree_get(t, "groups"),
			           "\"members\" and \"groups\" are for catalogs that are not produced here");
		else if (!k->produce && k->network_count)
			tree_error(src, tree_get(t, "networks"),
			           "\"networks\" is for catalogs with \"produce\": for members write members: "
			           "{network: ...}");
		else if (!k->produce) {
			check_template(src, members ? members : t, c, &k->members);
			check_groups(src, tree_get(t, "groups"), c, k);
		}
	}
}

const struct config_template *config_catalog_template(const struct config_catalog *catalog, const char *group,
                                                      size_t len)
{
	for (size_t i = 0; group && i < catalog->group_count; i++)
		if (strlen(catalog->groups[i].name) == len && memcmp(catalog->groups[i].name, group, len) == 0)
			return &catalog->groups[i];
	return &catalog->members;
}

const struct config_template *config_template_find(const struct config *c, uint64_t id)
{
	for (size_t i = 0; i < c->catalog_count; i++) {
		if (c->catalogs[i].members.id == id)
			return &c->catalogs[i].members;
		for (size_t g = 0; g < c->catalogs[i].group_count; g++)
			if (c->catalogs[i].groups[g].id == id)
				return &c->catalogs[i].groups[g];
	}
	return NULL;
}
