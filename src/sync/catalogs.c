/* SPDX-License-Identifier: BSD-2-Clause */
/* Zones that are not in the configuration, because a catalog lists them (RFC 9432, catalog/catalog.c).
 *
 *     a catalog's version in the store ──► catalog_from_store() ──► membership_take() ──► names that came, went, begin anew, moved
 *          ──► rows of the loader's list, the store, the journal (here) ──► timers and transfers (secondaries.c, when it hears the news)
 *
 * A catalog is a zone like others: from a file or by transfer, in store and journal. After each run of the loading thread the generation of its version in the store tells whether it
 * changed; if so it is read as a whole, and what is done after that goes with what changed, but for a pass over the list of rows. A version that is
 * no valid catalog, or takes away too much (shrink-limit), is judged before it gets into the store: it is refused as one whose ZONEMD is wrong, so that store and journal always have
 * a version from which the members can be made.
 *
 * A member is a row of the list with a template in place of a line of the configuration. Its template is known by an id made of names, so that it survives a reload.
 *
 * Which members there are is nowhere but in the catalogs themselves. At a start the store, or after a reboot the journal, has each catalog's last version; from these the list is made
 * before the store is brought in line with it, so that nothing of a member is lost, and no primary has to be asked. What a catalog that is configured no more had given goes with the
 * reload.
 *
 * A member that goes, or begins anew, leaves the journal first and the store then. One that comes while the node runs has nothing in the journal: what a predecessor of its name left
 * there when the node was killed at the wrong moment is removed.
 *
 * Files: catalogs_apply.c (what came and went, in list, store and journal), catalogs_made.c (catalogs that this node makes), catalogs_told.c (what the loop asks and tells). Here: which there are, their
 * versions, and runs.
 *
 * Known limits. Who of two clashing catalogs had a member first is forgotten by a restart: then the one first in the file has it. The serial of a produced catalog is the time, so it must not
 * be changed more than once a second in the mean over all the time between reboots. A catalog's history is not consulted: each version costs its size. */
#include "sync/catalogs_priv.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "sync/load.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct catalogs *catalogs_new(void)
{
	struct catalogs *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->members = membership_new();
	if (!k->members) {
		free(k);
		return NULL;
	}
	membership_changes_init(&k->changes);
	return k;
}

void catalogs_free(struct catalogs *k)
{
	if (!k)
		return;
	membership_free(k->members);
	membership_changes_done(&k->changes);
	for (size_t i = 0; i < k->added_count; i++)
		zone_row_done(&k->added[i]);
	free(k->added);
	free(k->news);
	free(k);
}

bool catalogs_takes(const struct config_catalog *c, const struct config_node *node)
{
	return !c->produce && config_node_serves(node, c->zone);
}

bool catalogs_needed(const struct config *c, const struct config_node *node)
{
	for (size_t i = 0; c && i < c->catalog_count; i++)
		if (catalogs_takes(&c->catalogs[i], node))
			return true;
	return false;
}

/* ---- templates ---- */

const struct config_template *catalogs_template(const struct catalogs *k, const struct zone_list *l,
                                                 const uint8_t *apex)
{
	const struct config_template *t;
	struct membership_owner o;
	struct endpoint source;

	if (!membership_owner(k->members, apex, &o))
		return NULL;
	for (size_t i = 0; i < l->from->catalog_count; i++) {
		const struct config_catalog *c = &l->from->catalogs[i];

		if (c->produce || !name_equal(c->apex, o.catalog_apex))
			continue;
		t = config_catalog_template(c, o.group ? (const char *)o.group + 1 : NULL, o.group ? o.group[0] : 0);
		return config_node_serves(l->node, &t->zone) &&
		                       config_zone_sources(l->from, l->node, &t->zone, &source, 1)
		               ? t
		               : NULL;
	}
	return NULL;
}

void catalogs_fill_row(struct zone_row *row, const struct zone_list *l, const struct config_template *t)
{
	row->network = t->zone.network;
	row->slot = zone_list_slot(l, t->zone.network);
	row->serve_expired = t->zone.at_expiry == CONFIG_EXPIRY_SERVE;
	row->origin = t->id;
	row->conf = &t->zone;
}

bool catalogs_is_configured(void *ctx, const uint8_t *apex)
{
	const struct zone_row *row = zone_list_find(ctx, apex);

	return (row && !row->member) || zone_list_is_edge(ctx, apex);
}

static struct membership_rules rules_of(const struct catalogs_taken *t, struct zone_list *l, bool accept)
{
	return (struct membership_rules){.shrink_limit = t ? t->shrink_limit : 100,
	                                 .accept = accept,
	                                 .is_configured = catalogs_is_configured,
	                                 .ctx = l};
}

/* ---- reading ---- */

/* The catalogs of the configuration, which may be another. */
static int register_catalogs(struct catalogs *k, struct zone_list *l)
{
	const struct membership_rules rules = rules_of(NULL, l, true);
	int err = 0;

	for (unsigned i = 0; i < k->count; i++)
		k->taken[i].configured = false;
	for (size_t i = 0; i < l->from->catalog_count && !err; i++) {
		const struct config_catalog *c = &l->from->catalogs[i];
		struct catalogs_taken *t;
		unsigned at;

		if (!catalogs_takes(c, l->node))
			continue;
		err = membership_catalog(k->members, c->apex, &at);
		if (err == ERR_LIMIT) {
			log_err("catalogs error=\"more than %d names of catalogs since the start\" action=\"restart "
			        "the node for more\"",
			        MEMBERSHIP_CATALOGS_MAX);
			err = 0;
			continue;
		}
		if (err)
			break;
		t = &k->taken[at];
		if (at == k->count) {
			*t = (struct catalogs_taken){.configured = true};
			name_lower(&t->apex, c->apex);
			k->count++;
		}
		t->configured = true;
		t->shrink_limit = c->shrink_limit;
		if (t->members_limit != c->members_limit)
			t->generation = 0;
		t->members_limit = c->members_limit;
	}
	for (unsigned i = 0; i < k->count && !err; i++)
		if (!k->taken[i].configured && k->taken[i].read) {
			err = membership_drop(k->members, i, &rules, &k->changes);
			k->taken[i].read = false;
			k->taken[i].generation = 0;
		}
	return err;
}

static void say_why(struct catalogs_taken *t, uint32_t serial, const char *why, bool is_held)
{
	char name[NAME_TEXT_MAX];

	name_to_text(t->apex.wire, name);
	if (!t->why[0] || t->refused != serial)
		log_err("catalog=%s serial=%u error=\"%s\" action=\"%s\"", name, serial, why,
		        is_held ? "members stay as they are, until zonecast catalog accept" : "members stay as they are");
	snprintf(t->why, sizeof(t->why), "%s", why);
	t->refused = serial;
	t->is_held = is_held;
}

static struct catalogs_taken *taken_of(struct catalogs *k, const uint8_t *apex)
{
	for (unsigned i = 0; i < k->count; i++)
		if (k->taken[i].configured && name_equal(k->taken[i].apex.wire, apex))
			return &k->taken[i];
	return NULL;
}

static uint32_t serial_of(const struct content *c)
{
	const struct content_rrset *set = content_soa(c);
	struct soa soa = {0};

	return set && soa_parse(set->records[0].rdata, set->records[0].rdlen, &soa) == 0 ? soa.serial : 0;
}

static const struct store_zone *draft_of(const struct loader *l, const uint8_t *apex, struct store_snapshot *s)
{
	store_writer_draft(l->writer, s);
	return store_zone_get(s, apex);
}

int catalogs_judge(void *catalogs, struct loader *l, const uint8_t *apex, const struct content *content, bool force, struct text *why)
{
	struct catalogs *k = catalogs;
	struct catalogs_taken *t = taken_of(k, apex);
	const struct store_zone *z = NULL;
	struct membership_rules rules;
	struct catalog *c = NULL;
	struct store_snapshot s;
	unsigned i;
	int err;

	if (!t)
		return 0;
	z = content ? NULL : draft_of(l, apex, &s);
	if (!content && !z)
		return 0;
	i = (unsigned)(t - k->taken);
	if (force)
		atomic_store(&k->accept[i], true);
	rules = rules_of(t, l->zones, atomic_load(&k->accept[i]));
	err = content ? catalog_from_content(content, t->members_limit, why, &c) : catalog_from_store(&s, z, t->members_limit, why, &c);
	if (!err)
		err = membership_judge(k->members, i, c, &rules, why);
	if (err == ERR_INVALID || err == ERR_LIMIT)
		say_why(t, content ? serial_of(content) : z->serial, why->len ? why->chars : err_text(err), c != NULL);
	catalog_free(c);
	return err;
}

/* One catalog's version, if it is a new one. Errors of the catalog are told in its `why`. */
static int look_at(struct catalogs *k, unsigned i, struct zone_list *l, const struct store_snapshot *s)
{
	bool accept = atomic_load(&k->accept[i]);
	struct catalogs_taken *t = &k->taken[i];
	const struct store_zone *z = store_zone_get(s, t->apex.wire);
	const struct membership_rules rules = rules_of(t, l, accept);
	struct catalog *c = NULL;
	size_t clashes = k->changes.clashes;
	uint64_t began = clock_ms();
	struct text why;
	int err;

	if (!t->configured || !z || z->state != STORE_ZONE_SERVING ||
	    (t->generation == z->generation && !(accept && t->is_held && t->refused == z->serial)))
		return 0;
	text_init(&why);
	t->generation = z->generation;
	err = catalog_from_store(s, z, t->members_limit, &why, &c);
	if (!err)
		err = membership_take(k->members, i, c, &rules, &k->changes, &why);
	if (err == ERR_INVALID || err == ERR_LIMIT) {
		say_why(t, z->serial, why.len ? why.chars : err_text(err), c != NULL);
		err = 0;
	} else if (err) {
		t->generation = 0;
	} else {
		char name[NAME_TEXT_MAX];

		name_to_text(t->apex.wire, name);
		t->read = true;
		t->serial = z->serial;
		t->why[0] = '\0';
		t->is_held = false;
		t->clashes = k->changes.clashes - clashes;
		atomic_store(&k->accept[i], false);
		log_info("catalog=%s serial=%u members=%zu clashes=%zu took_ms=%u", name, z->serial, c->count,
		         t->clashes, (unsigned)(clock_ms() - began));
	}
	catalog_free(c);
	text_done(&why);
	return err;
}

static int look_at_all(struct catalogs *k, struct zone_list *l, const struct store_snapshot *s)
{
	int err = 0;

	for (unsigned i = 0; i < k->count && !err; i++)
		err = look_at(k, i, l, s);
	for (unsigned i = 0; i < k->count; i++) {
		k->taken[i].members = membership_owned(k->members, i);
		k->taken[i].listed = membership_listed(k->members, i);
	}
	return err;
}

/* ---- runs ---- */

int catalogs_run(struct catalogs *k, struct loader *l, struct journal *j, bool recall, uint64_t *journal_failed)
{
	struct store_snapshot s;
	size_t came = 0, went = 0;
	int err;

	if (!k->count || !l->zones->from)
		return 0;
	k->dirty = false;
	store_writer_snapshot(l->writer, &s);
	err = look_at_all(k, l->zones, &s);
	if (!err)
		err = catalogs_apply(k, l, j, recall, journal_failed);
	for (size_t i = 0; i < k->news_count; i++) {
		came += k->news[i].kind == CATALOGS_CAME || k->news[i].kind == CATALOGS_RESET;
		went += k->news[i].kind == CATALOGS_WENT || k->news[i].kind == CATALOGS_RESET;
	}
	if (came || went)
		log_notice("catalogs came=%zu went=%zu zones=%zu", came, went, l->zones->count);
	if (err) {
		/* The store or the memory is full. The list is made anew, from all that catalogs say. */
		store_abort(l->writer);
		l->aligned = false;
		for (size_t i = 0; i < k->added_count; i++)
			zone_row_done(&k->added[i]);
		k->added_count = 0;
		atomic_store(&k->failed, true);
		log_err("catalogs error=\"%s\"", err_text(err));
	}
	return err;
}

/* ---- lists ---- */

struct joining {
	struct catalogs *k;
	struct zone_list *list;
	size_t configured; /* rows before members joined */
};

static int join(void *ctx, const struct membership_owner *o)
{
	struct joining *jo = ctx;
	const struct config_template *t = catalogs_template(jo->k, jo->list, o->apex);
	struct zone_row row = {.held = true};
	int err = t ? zone_row_member(&row, o->apex) : 0;

	if (!t || err)
		return err;
	catalogs_fill_row(&row, jo->list, t);
	err = zone_list_add(jo->list, &row);
	if (err)
		zone_row_done(&row);
	return err;
}

int catalogs_complete(void *catalogs, struct loader *l, struct zone_list *zones)
{
	struct catalogs *k = catalogs;
	struct joining jo = {k, zones, zones->count};
	const struct membership_rules rules = rules_of(NULL, zones, true);
	struct store_snapshot s;
	int err;

	if (!zones->from || (!zones->from->catalog_count && !k->count))
		return 0;
	err = register_catalogs(k, zones);
	if (!err)
		err = membership_review(k->members, &rules, &k->changes);
	store_writer_snapshot(l->writer, &s);
	if (!err)
		err = look_at_all(k, zones, &s);
	/* While rows are added the list is in no order: nothing is looked for in it. */
	if (!err)
		err = membership_each(k->members, join, &jo);
	zone_list_sort(zones);
	atomic_store(&k->failed, err != 0);
	return err;
}

bool catalogs_failed(const struct catalogs *k)
{
	return atomic_load(&k->failed);
}
