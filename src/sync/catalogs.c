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
 * Known limits. Who of two clashing catalogs had a member first is forgotten by a restart: then the one first in the file has it. The serial of a produced catalog is the time, so it must not
 * be changed more than once a second in the mean over all the time between reboots. A catalog's history is not consulted: each version costs its size. */
#include "sync/catalogs.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "journal/journal.h"
#include "sync/apply.h"
#include "sync/history.h"
#include "sync/load.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PURGE_TOGETHER = 256, /* zones that leave the journal in one transaction */
	WHY_MAX = 400,
};

/* Of one catalog that is taken, by its index in the membership. */
struct taken {
	struct name apex;
	bool configured;
	bool read;           /* a version of it was */
	uint64_t generation; /* of the version looked at last */
	uint32_t serial;     /* of the version in force */
	uint32_t refused;    /* serial of the version that is not, where why says so */
	bool is_held;        /* for it would take away too much */
	char why[WHY_MAX];   /* "": all is well */
	size_t members, listed;
	size_t clashes;
	uint8_t shrink_limit;
	uint32_t members_limit;
};

struct catalogs {
	struct membership *members;
	struct taken taken[MEMBERSHIP_CATALOGS_MAX];
	unsigned count;
	_Atomic bool accept[MEMBERSHIP_CATALOGS_MAX];
	/* Of the run. */
	struct membership_changes changes;
	struct catalogs_news *news;
	size_t news_count, news_cap;
	struct zone_row *added;
	size_t added_count, added_cap;
	bool dirty;
	_Atomic bool failed; /* rows and membership are not in line */
	/* What the loop tells, as of the last run. */
	struct taken told[MEMBERSHIP_CATALOGS_MAX];
	unsigned told_count;
};

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

static bool takes(const struct config_catalog *c, const struct config_node *node)
{
	return !c->produce && config_node_serves(node, c->zone);
}

bool catalogs_needed(const struct config *c, const struct config_node *node)
{
	for (size_t i = 0; c && i < c->catalog_count; i++)
		if (takes(&c->catalogs[i], node))
			return true;
	return false;
}

/* ---- templates ---- */

/* The template that the node has this member by; NULL: the node does not have it. */
static const struct config_template *template_of(const struct catalogs *k, const struct zone_list *l,
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

static void fill_row(struct zone_row *row, const struct zone_list *l, const struct config_template *t)
{
	row->network = t->zone.network;
	row->slot = zone_list_slot(l, t->zone.network);
	row->serve_expired = t->zone.at_expiry == CONFIG_EXPIRY_SERVE;
	row->origin = t->id;
	row->conf = &t->zone;
}

static bool is_configured(void *ctx, const uint8_t *apex)
{
	const struct zone_row *row = zone_list_find(ctx, apex);

	return (row && !row->member) || zone_list_is_edge(ctx, apex);
}

static struct membership_rules rules_of(const struct taken *t, struct zone_list *l, bool accept)
{
	return (struct membership_rules){.shrink_limit = t ? t->shrink_limit : 100,
	                                 .accept = accept,
	                                 .is_configured = is_configured,
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
		struct taken *t;
		unsigned at;

		if (!takes(c, l->node))
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
			*t = (struct taken){.configured = true};
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

static void say_why(struct taken *t, uint32_t serial, const char *why, bool is_held)
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

static struct taken *taken_of(struct catalogs *k, const uint8_t *apex)
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
	struct taken *t = taken_of(k, apex);
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
	struct taken *t = &k->taken[i];
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

/* ---- what goes ---- */

struct purge {
	const uint8_t *names[PURGE_TOGETHER];
	size_t count;
};

static int purge(struct journal_txn *t, void *ctx)
{
	const struct purge *p = ctx;
	int err = 0;

	for (size_t i = 0; i < p->count && !err; i++) {
		err = journal_remove_zone(t, p->names[i]);
		err = err == ERR_NOT_FOUND ? 0 : err;
	}
	return err;
}

static bool is_known(const struct purge *p, struct journal *j);

static void purge_some(struct journal *j, struct purge *p, uint64_t *failed)
{
	struct text why;

	text_init(&why);
	if (j && p->count && is_known(p, j) && journal_write(j, purge, p, &why) < 0) {
		(*failed)++;
		log_err("journal what=members error=\"%s\" action=\"what is known of them stays on the disk\"",
		        why.chars);
	}
	text_done(&why);
	p->count = 0;
}

static int any_known(struct journal_txn *t, void *ctx)
{
	const struct purge *p = ctx;
	struct journal_timers timers;
	struct journal_zone zone;

	for (size_t i = 0; i < p->count; i++)
		if (journal_get_zone(t, p->names[i], &zone) != ERR_NOT_FOUND ||
		    journal_get_timers(t, p->names[i], &timers) != ERR_NOT_FOUND)
			return 1;
	return 0;
}

/* Mostly those that come are not known, and nothing has to be written. */
static bool is_known(const struct purge *p, struct journal *j)
{
	return journal_read(j, any_known, (void *)p, NULL) != 0;
}

/* ---- applying ---- */

static int tell(struct catalogs *k, enum catalogs_kind kind, const uint8_t *apex, uint64_t origin)
{
	if (k->news_count == k->news_cap) {
		size_t cap = k->news_cap ? k->news_cap * 2 : 64;
		struct catalogs_news *more = realloc(k->news, cap * sizeof(*more));

		if (!more)
			return ERR_NO_MEMORY;
		k->news = more;
		k->news_cap = cap;
	}
	k->news[k->news_count++] = (struct catalogs_news){kind, apex, origin};
	return 0;
}

static int empty(struct loader *l, const uint8_t *apex, uint32_t network)
{
	const struct store_zone_meta meta = {.state = STORE_ZONE_NO_DATA, .network = network, .source = ""};

	if (l->history)
		history_forget(l->history, apex);
	return store_put_zone(l->writer, apex, NULL, &meta);
}

static int come(struct catalogs *k, struct loader *l, const uint8_t *apex, const struct config_template *t, bool recall)
{
	struct zone_row row = {.held = true, .recall = recall};
	int err;

	if (k->added_count == k->added_cap) {
		size_t cap = k->added_cap ? k->added_cap * 2 : 64;
		struct zone_row *more = realloc(k->added, cap * sizeof(*more));

		if (!more)
			return ERR_NO_MEMORY;
		k->added = more;
		k->added_cap = cap;
	}
	err = zone_row_member(&row, apex);
	if (err)
		return err;
	fill_row(&row, l->zones, t);
	k->added[k->added_count++] = row;
	return empty(l, apex, row.network);
}

/* The data stays, as that of another network. */
static int move(struct loader *l, struct zone_row *row, const struct config_template *t)
{
	uint32_t was = row->network;
	struct zone_change none = {0};
	struct zone_change_problem problem;
	char source[STORE_ZONE_SOURCE_MAX + 1];
	const struct store_zone *z;
	struct store_snapshot s;
	int err;

	loader_uncount(l, row);
	fill_row(row, l->zones, t);
	loader_recount(l, row);
	store_writer_draft(l->writer, &s);
	z = store_zone_get(&s, row->apex);
	if (was == row->network || !z)
		return 0;
	if (z->state != STORE_ZONE_SERVING)
		return empty(l, row->apex, row->network);
	snprintf(source, sizeof(source), "%.*s", (int)z->source_len, (const char *)z->tail + z->apex_len);
	err = zone_change_init(&none, row->apex);
	if (!err)
		err = content_finish(none.removed);
	if (!err)
		err = content_finish(none.added);
	if (!err)
		err = store_change_zone(l->writer, row->apex, &none,
		                        &(struct store_zone_meta){STORE_ZONE_SERVING, row->network, source}, &problem);
	zone_change_done(&none);
	return err;
}

/* What one name's change means here. */
static int apply_one(struct catalogs *k, struct loader *l, const struct membership_change *ch, bool recall)
{
	struct zone_row *row = zone_list_find(l->zones, ch->apex);
	const struct config_template *t = template_of(k, l->zones, ch->apex);
	int err = 0;

	if (row && !row->member)
		return 0;
	if (!row && !t)
		return 0;
	k->dirty = true;
	if (!row) {
		err = come(k, l, ch->apex, t, recall);
		return err ? err : tell(k, CATALOGS_CAME, ch->apex, t->id);
	}
	if (!t) {
		if (l->history)
			history_forget(l->history, ch->apex);
		row->dropped = true;
		err = store_remove_zone(l->writer, ch->apex);
		return err && err != ERR_NOT_FOUND ? err : tell(k, CATALOGS_WENT, ch->apex, 0);
	}
	if (ch->kind == MEMBER_RESET) {
		loader_uncount(l, row);
		fill_row(row, l->zones, t);
		row->serving = false;
		row->records = row->serial = 0;
		loader_recount(l, row);
		err = empty(l, ch->apex, row->network);
		return err ? err : tell(k, CATALOGS_RESET, ch->apex, t->id);
	}
	if (row->origin == t->id)
		return 0;
	err = move(l, row, t);
	return err ? err : tell(k, CATALOGS_CHANGED, ch->apex, t->id);
}

static int apply(struct catalogs *k, struct loader *l, struct journal *j, bool recall, uint64_t *journal_failed)
{
	struct purge p = {.count = 0};
	int err = 0;

	for (size_t i = 0; i < k->changes.count; i++) {
		const struct membership_change *ch = &k->changes.items[i];

		if (ch->kind == MEMBER_MOVED || (ch->kind == MEMBER_ADDED && recall) ||
		    is_configured(l->zones, ch->apex))
			continue;
		p.names[p.count++] = ch->apex;
		if (p.count == PURGE_TOGETHER)
			purge_some(j, &p, journal_failed);
	}
	purge_some(j, &p, journal_failed);
	for (size_t i = 0; i < k->changes.count && !err; i++)
		err = apply_one(k, l, &k->changes.items[i], recall);
	if (!err && k->dirty)
		err = loader_change_list(l, k->added, k->added_count);
	if (!err)
		k->added_count = 0;
	if (!err && k->dirty)
		err = loader_commit(l, NULL, 0);
	return err;
}

static void forget_changes(struct catalogs *k)
{
	membership_changes_done(&k->changes);
	membership_changes_init(&k->changes);
}

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
		err = apply(k, l, j, recall, journal_failed);
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
	const struct config_template *t = template_of(jo->k, jo->list, o->apex);
	struct zone_row row = {.held = true};
	int err = t ? zone_row_member(&row, o->apex) : 0;

	if (!t || err)
		return err;
	fill_row(&row, jo->list, t);
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

/* ---- making catalogs ---- */

static bool is_listed(const struct config_catalog *c, const struct config_zone *z)
{
	for (size_t i = 0; i < c->network_count; i++)
		if (c->networks[i] == z->network)
			return true;
	return !c->network_count;
}

static size_t list_members(const struct config *conf, const struct config_catalog *c, struct catalog_member *out)
{
	size_t count = 0;

	for (size_t i = 0; i < conf->zone_count; i++)
		if (!conf->zones[i].catalog && !config_zone_is_edge(&conf->zones[i]) && is_listed(c, &conf->zones[i]))
			out[count++] = (struct catalog_member){conf->zones[i].apex, conf->zones[i].group};
	return count;
}

static int store_catalog(struct loader *l, struct zone_row *row, const struct catalog_member *members, size_t count,
                         const char *source)
{
	const struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = row->network, .source = source};
	uint32_t now = (uint32_t)clock_wall_s(),
		 serial = row->serving && !serial_after(now, row->serial) ? row->serial + 1 : now;
	struct content *content = NULL;
	struct applied applied;
	char name[NAME_TEXT_MAX];
	int err = catalog_make(row->apex, serial, members, count, &content);

	if (!err)
		err = apply_content(l->writer, row->apex, content, &meta, &applied);
	content_free(content);
	if (err)
		return err;
	loader_keep_change(l, row->apex, &applied);
	row->stored = true;
	err = loader_commit(l, (struct zone_row *[]){row}, 1);
	name_to_text(row->apex, name);
	if (!err)
		log_info("catalog=%s serial=%u members=%zu action=made", name, serial, count);
	return err;
}

static int produce(struct loader *l, const struct config *conf, const struct config_catalog *c)
{
	struct zone_row *row = zone_list_find(l->zones, c->apex);
	struct catalog_member *members;
	const struct store_zone *z;
	struct store_snapshot s;
	char source[40];
	size_t count;
	int err = 0;

	if (!row || row->held || row->member)
		return 0;
	members = calloc(conf->zone_count + 1, sizeof(*members));
	if (!members)
		return ERR_NO_MEMORY;
	count = list_members(conf, c, members);
	snprintf(source, sizeof(source), "catalog:%016" PRIx64, catalog_sum(members, count));
	store_writer_snapshot(l->writer, &s);
	z = store_zone_get(&s, row->apex);
	if (!z || z->state != STORE_ZONE_SERVING || z->network != row->network || z->source_len != strlen(source) ||
	    memcmp(z->tail + z->apex_len, source, z->source_len) != 0)
		err = store_catalog(l, row, members, count, source);
	free(members);
	return err;
}

int catalogs_produce(struct catalogs *k, struct loader *l)
{
	const struct config *conf = l->zones ? l->zones->from : NULL;
	int err = 0;

	(void)k;
	for (size_t i = 0; conf && i < conf->catalog_count && !err; i++)
		if (conf->catalogs[i].produce)
			err = produce(l, conf, &conf->catalogs[i]);
	if (err)
		log_err("catalogs what=making error=\"%s\"", err_text(err));
	return err;
}

/* ---- the loop ---- */

size_t catalogs_news(const struct catalogs *k, const struct catalogs_news **out)
{
	*out = k->news;
	return k->news_count;
}

int catalogs_each(const struct catalogs *k, const struct loader *l, catalogs_fn *fn, void *ctx)
{
	int result = 0;

	for (size_t i = 0; k->count && l->zones && i < l->zones->count && !result; i++)
		if (l->zones->rows[i].member)
			result = fn(ctx, l->zones->rows[i].apex, l->zones->rows[i].origin);
	return result;
}

void catalogs_settle(struct catalogs *k)
{
	k->news_count = 0;
	forget_changes(k);
	memcpy(k->told, k->taken, sizeof(k->told));
	k->told_count = k->count;
}

static bool was_read(const struct catalogs *k, const uint8_t *apex)
{
	for (unsigned i = 0; i < k->told_count; i++)
		if (name_equal(k->told[i].apex.wire, apex))
			return k->told[i].read;
	return false;
}

unsigned catalogs_awaited(const struct catalogs *k, const struct config *c, const struct config_node *node,
                          uint32_t network)
{
	unsigned count = 0;

	for (size_t i = 0; i < c->catalog_count; i++) {
		const struct config_catalog *one = &c->catalogs[i];
		bool here = one->members.zone.network == network;

		for (size_t g = 0; g < one->group_count; g++)
			here = here || one->groups[g].zone.network == network;
		count += here && takes(one, node) && !was_read(k, one->apex);
	}
	return count;
}

int catalogs_accept(struct catalogs *k, const uint8_t *apex)
{
	for (unsigned i = 0; i < k->told_count; i++)
		if (name_equal(k->told[i].apex.wire, apex) && k->told[i].configured) {
			atomic_store(&k->accept[i], true);
			return 0;
		}
	return ERR_NOT_FOUND;
}

static void text_json(struct text *out, const char *value)
{
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (c == '"' || c == '\\')
			text_fmt(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			text_fmt(out, "\\u%04x", c);
		else
			text_char(out, *value);
	}
}

static void describe(const struct catalogs *k, unsigned i, struct text *out)
{
	const struct taken *t = &k->told[i];
	char name[NAME_TEXT_MAX];

	name_to_text(t->apex.wire, name);
	text_fmt(out, "{\"catalog\":\"");
	text_json(out, name);
	text_fmt(out, "\",\"state\":\"%s\",\"members\":%zu,\"listed\":%zu,\"clashes\":%zu",
	         t->is_held  ? "held"
	         : t->why[0] ? "broken"
	         : t->read   ? "good"
	                     : "unread",
	         t->members, t->listed, t->listed - t->members);
	if (t->read)
		text_fmt(out, ",\"serial\":%u", t->serial);
	if (t->why[0]) {
		text_fmt(out, ",\"refused_serial\":%u,\"error\":\"", t->refused);
		text_json(out, t->why);
		text_char(out, '"');
	}
	text_str(out, "}\n");
}

void catalogs_describe(const struct catalogs *k, const uint8_t *after, size_t max, struct text *out)
{
	unsigned i = 0;

	while (after && i < k->told_count && !name_equal(k->told[i].apex.wire, after))
		i++;
	for (i += after != NULL; i < k->told_count; i++) {
		size_t was = out->len;

		if (!k->told[i].configured)
			continue;
		describe(k, i, out);
		if (out->len <= max)
			continue;
		out->len = was;
		out->chars[was] = '\0';
		return;
	}
}
