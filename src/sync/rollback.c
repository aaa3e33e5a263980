/* SPDX-License-Identifier: BSD-2-Clause */
/* An operator goes back to an earlier version of a zone (versions_roll_back()): into the journal first, with a note that it holds against the zone's file, and then into the store. Why so: versions.c. */
#include "sync/versions_priv.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "sync/apply.h"
#include "sync/from_store.h"
#include "sync/load.h"
#include "zone/check.h"

#include <stdio.h>
#include <string.h>

struct going_back {
	struct versions *versions;
	struct loader *loader;
	struct rollback *r;
	const struct zone_row *row;
	struct versions_remaking remaking;
	struct versions_hold hold;
};

static int remake(struct journal_txn *t, struct going_back *g)
{
	g->remaking.content = content_new(g->r->apex.wire);
	return g->remaking.content ? journal_get_records(t, g->r->apex.wire, g->r->to, versions_remake_record, &g->remaking)
	                           : ERR_NO_MEMORY;
}

static int make_version(struct journal_txn *t, void *ctx)
{
	uint8_t digests[ZONEMD_SHA512 + 1][ZONEMD_DIGEST_OCTETS_MAX] = {{0}};
	struct going_back *g = ctx;
	struct versions_remaking *m = &g->remaking;
	int err = remake(t, g);

	if (!err)
		err = content_finish(m->content);
	if (err || !m->algorithms)
		return err;
	for (uint8_t a = ZONEMD_SHA384; a <= ZONEMD_SHA512 && !err; a++)
		if (m->algorithms & 1U << a)
			err = zonemd_of_content(m->content, a, digests[a]);
	if (err)
		return err;
	content_free(m->content);
	*m = (struct versions_remaking){.serial = m->serial, .algorithms = m->algorithms, .digests = (const uint8_t(*)[ZONEMD_DIGEST_OCTETS_MAX])digests};
	err = remake(t, g);
	if (!err)
		err = content_finish(m->content);
	m->digests = NULL;
	return err;
}

static int note_rollback(struct journal_txn *t, void *ctx)
{
	const struct going_back *g = ctx;
	struct journal_version v = {.serial = g->remaking.serial,
	                            .origin = JOURNAL_FROM_ROLLBACK,
	                            .when_s = (uint64_t)clock_wall_s()};
	uint8_t octets[VERSIONS_HOLD_OCTETS];
	enum journal_outcome outcome;
	int err;

	snprintf(v.who, sizeof(v.who), "to serial %u by %.200s", g->r->to, g->r->who);
	err = journal_put_version(t, g->remaking.content, &v, &g->loader->keep, &outcome);
	versions_hold_put(&g->hold, octets);
	return err ? err : journal_set_note(t, g->r->apex.wire, JOURNAL_NOTE_HELD, octets, sizeof(octets));
}

static int refuse(struct rollback *r, const char *why)
{
	snprintf(r->error, sizeof(r->error), "%s", why);
	return 0;
}

/* The row that may be gone back in, or NULL. */
static struct zone_row *row_of(struct versions *v, struct loader *l, struct rollback *r)
{
	struct zone_row *row = loader_row(l, r->apex.wire);

	if (!row)
		refuse(r, "this node has no such zone");
	else if (row->held)
		refuse(r, "the zone is held by transfer: go back at its primary");
	else if (!row->path)
		refuse(r, "the zone is not read from a file");
	else if (!row->serving)
		refuse(r, "the zone has no data: there is nothing to go back from");
	else if (!v->journal)
		refuse(r, "there is no journal");
	else
		return row;
	return NULL;
}

/* The version served must be in the journal, as its newest: what is going back is a difference to it. */
static int catch_up(struct versions *v, struct loader *l, const struct zone_row *row)
{
	int err = versions_pending_add(v, row);

	if (!err)
		versions_note(v, l, true);
	return err;
}

static int find_hold(struct versions *v, struct loader *l, struct going_back *g)
{
	const struct versions_hold *h = versions_hold_find(v, g->r->apex.wire);
	const struct store_zone *z;
	struct content *c = NULL;
	struct store_snapshot s;
	int err;

	if (h) {
		g->hold = *h;
		return 0;
	}
	store_writer_snapshot(l->writer, &s);
	z = store_zone_get(&s, g->r->apex.wire);
	name_lower(&g->hold.apex, g->r->apex.wire);
	g->hold.file_serial = g->r->from;
	err = content_of_store(&s, z, &c);
	if (!err)
		err = versions_mark(c, &g->hold.mark);
	content_free(c);
	return err;
}

static bool is_fit(struct rollback *r, const struct content *c)
{
	char line[1400];
	struct diag diag;
	bool fit;

	diag_init(&diag);
	zone_check(c, &diag);
	fit = !diag.errors;
	for (const struct diag_entry *e = diag.first; e && !fit && !r->error[0]; e = e->next)
		if (e->severity == DIAG_ERROR)
			snprintf(r->error, sizeof(r->error), "that version is not fit to be served: %.300s",
			         diag_entry_text(e, line, sizeof(line)));
	diag_done(&diag);
	return fit;
}

static int go(struct going_back *g, struct zone_row *row)
{
	struct versions *v = g->versions;
	struct loader *l = g->loader;
	struct rollback *r = g->r;
	struct applied applied;
	struct text why;
	int err;

	text_init(&why);
	err = journal_read(v->journal, make_version, g, &why);
	if (g->remaking.is_signed)
		refuse(r, "the zone is signed, and the signature over its SOA would not fit a new serial: sign that "
		          "version anew, in its file");
	else if (err)
		refuse(r, err == ERR_NOT_FOUND && strcmp(why.chars, err_text(err)) == 0
		                  ? "no earlier version of this zone is kept"
		                  : why.chars);
	else if (is_fit(r, g->remaking.content)) {
		err = journal_write(v->journal, note_rollback, g, &why);
		if (!err)
			err = versions_hold_add(v, &g->hold);
		if (err)
			refuse(r, why.len ? why.chars : err_text(err));
	}
	text_done(&why);
	if (r->error[0])
		return 0;
	err = versions_store_content(l, row, g->remaking.content, &applied);
	if (err) {
		snprintf(r->error, sizeof(r->error), "the store cannot take it now: %s; it will with the next start",
		         err_text(err));
		return err;
	}
	r->serial = g->remaking.serial;
	r->removed = applied.in_place ? applied.removed : 0;
	r->added = applied.in_place ? applied.added : 0;
	r->done = true;
	atomic_store(&l->board->sync.zones_held_back, v->hold_count);
	return 0;
}

int versions_roll_back(struct versions *v, struct loader *l, struct rollback *r)
{
	struct zone_row *row = row_of(v, l, r);
	struct going_back g = {.versions = v, .loader = l, .r = r, .row = row};
	char zone[NAME_TEXT_MAX];
	int err;

	if (!row)
		return 0;
	r->from = row->serial;
	g.remaking.serial = r->from + 1 ? r->from + 1 : 1; /* 0 is a serial that some take for none */
	err = catch_up(v, l, row);
	if (!err)
		err = find_hold(v, l, &g);
	if (err)
		return refuse(r, err_text(err));
	err = go(&g, row);
	content_free(g.remaking.content);
	name_to_text(r->apex.wire, zone);
	if (r->done)
		log_notice("zone=%s serial=%u from=%u to=%u by=\"%s\" action=rollback", zone, r->serial, r->from, r->to,
		           r->who);
	else
		log_warn("zone=%s action=rollback to=%u by=\"%s\" error=\"%s\"", zone, r->to, r->who, r->error);
	return err;
}
