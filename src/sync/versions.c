/* SPDX-License-Identifier: BSD-2-Clause */
/* What the journal knows of zones that come from files, so that IXFR, `zone history`, `zone diff` and `zone rollback` outlive the process and the machine.
 *
 *     file read ──► judge ──► store, commit: answered, told to secondaries ──► journal: (base, once) + difference
 *
 * A zone whose file never changed is not in the journal: a hundred thousand of them cost their first start nothing. With the first change the version before goes there whole,
 * then the difference; from then on each change costs itself and one commit on the disk. The version before is read from the store, in which a pin of our own
 * (loader.before_pin) keeps it until it is noted; so nothing is held in memory for that, and answers and NOTIFY do not wait for the disk. Where the memory of differences
 * (history.c) leads from the journal's newest version to the one stored, these differences are written; else the journal compares, which costs the zone.
 *
 * Killed between commit and journal, the store has a version that the journal lacks: versions_recall() notes it. After a reboot the store is empty and files are read: each
 * is compared with the newest version kept, and becomes a difference if it changed meanwhile.
 *
 * Going back (versions_roll_back()) makes a new version: the records of an earlier one, and a serial above the present one, so that it travels as any change does. The zone's
 * file still says something else. It does not win again by being read once more, at a restart, say: the journal notes a digest (zone/digest.h) of what the file
 * said when it was gone back from. While the file says that, whatever its date, the version in the journal is served. A file that says something else is held against the version
 * gone back to as any new file is (gate.c), and ends it when it passes. Here the journal comes before the store, since the store cannot tell that a version
 * holds against its file; killed between the two, and after a reboot, versions_recall() stores it, before the file is read.
 *
 * Files: versions_held.c (what holds against its file), versions_remake.c (records of one version under another serial), rollback.c (going back). Here: into the journal, and what a start finds there.
 *
 * Left out: a signed zone is not gone back in, since the signature over its SOA would not fit the new serial. Zones held by transfer are gone back in at their
 * primary. History begins anew where a file's serial goes back or stays while its content changes (journal.h); who has that serial is then told no differences (history_twice()). */
#include "sync/versions_priv.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/wire.h"
#include "sync/apply.h"
#include "sync/events.h"
#include "sync/from_store.h"
#include "sync/history.h"
#include "sync/load.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	TOGETHER = 256,     /* zones in one transaction */
	PENDING_MAX = 4096, /* zones whose versions before are kept in the store meanwhile */
};

const struct journal_keep versions_keep_default = {.differences_max = 200, .octets_max = (uint64_t)64 << 20};

struct versions *versions_new(struct journal *j)
{
	struct versions *v = calloc(1, sizeof(*v));

	if (v)
		v->journal = j;
	return v;
}

void versions_free(struct versions *v)
{
	if (!v)
		return;
	free(v->pending);
	free(v->holds);
	free(v);
}

/* ---- into the journal ---- */

struct noting {
	struct versions *versions;
	struct loader *loader;
	const struct zone_row *const *rows;
	size_t count;
};

static struct journal_version version_of(const struct noting *n, const struct zone_row *row, const struct store_zone *z,
                                         bool base)
{
	struct journal_version v = {.serial = z->serial,
	                            .origin = JOURNAL_FROM_FILE,
	                            .when_s = (uint64_t)z->loaded_wall_s};

	if (base)
		snprintf(v.who, sizeof(v.who), "%.*s", JOURNAL_WHO_MAX, row->path ? row->path : "-");
	else
		snprintf(v.who, sizeof(v.who), "%.180s (%.64s)", row->path ? row->path : "-", n->loader->cause);
	return v;
}

static int note_base(struct journal_txn *t, const struct noting *n, const struct zone_row *row,
                     const struct store_zone *old)
{
	const struct journal_version v = version_of(n, row, old, true);
	struct content *c = NULL;
	int err = content_of_store(&n->versions->before, old, &c);

	if (!err)
		err = journal_put_whole(t, c, &v);
	content_free(c);
	return err;
}

static int note_chain(struct journal_txn *t, const struct noting *n, const struct history_chain *chain,
                      struct journal_version *v, const uint8_t *apex)
{
	int err = 0;

	for (size_t i = 0; i < chain->count && !err; i++) {
		const struct xfr_difference *d = &chain->list[i];
		const struct journal_change c = {.from = d->from,
		                                 .to = d->to,
		                                 .deleted = d->deleted,
		                                 .added = d->added,
		                                 .deleted_count = d->deleted_count,
		                                 .added_count = d->added_count};

		v->serial = d->to;
		err = journal_put_difference(t, apex, &c, v, &n->loader->keep);
	}
	return err;
}

static int set_twice(struct journal_txn *t, const uint8_t *apex, uint32_t serial)
{
	uint8_t octets[4];

	put_u32(octets, serial);
	return journal_set_note(t, apex, JOURNAL_NOTE_TWICE, octets, sizeof(octets));
}

int versions_put(struct journal_txn *t, const struct loader *l, const struct content *c, const struct journal_version *v)
{
	const uint8_t *apex = content_apex(c);
	enum journal_outcome outcome;
	struct journal_zone before;
	int known = journal_get_zone(t, apex, &before), err = journal_put_version(t, c, v, &l->keep, &outcome);

	if (err || known || !before.has_version || outcome != JOURNAL_STORED_WHOLE || serial_after(v->serial, before.newest))
		return err;
	if (l->history)
		history_twice(l->history, apex, v->serial);
	return set_twice(t, apex, v->serial);
}

static int note_compared(struct journal_txn *t, const struct noting *n, const struct store_snapshot *s,
                         const struct store_zone *z, const struct journal_version *v)
{
	struct content *c = NULL;
	int err = content_of_store(s, z, &c);

	if (!err)
		err = versions_put(t, n->loader, c, v);
	content_free(c);
	return err;
}

static int note_version(struct journal_txn *t, const struct noting *n, const struct zone_row *row,
                        const struct store_snapshot *now, const struct store_zone *z)
{
	const struct store_zone *old = n->versions->pinned ? store_zone_get(&n->versions->before, row->apex) : NULL;
	struct journal_version v = version_of(n, row, z, false);
	struct history_chain *chain;
	struct journal_zone known;
	int err = journal_get_zone(t, row->apex, &known);

	if (err && err != ERR_NOT_FOUND)
		return err;
	if (err || !known.has_version) {
		/* Its history begins with the first change that makes a new version. */
		if (!old || old->state != STORE_ZONE_SERVING || old->serial == z->serial ||
		    !n->loader->keep.differences_max)
			return 0;
		err = note_base(t, n, row, old);
		known.newest = old->serial;
	}
	chain = err || !n->loader->history || known.newest == z->serial ? NULL : calloc(1, sizeof(*chain));
	if (chain && history_chain(n->loader->history, row->apex, known.newest, z->serial, chain) == 0) {
		err = note_chain(t, n, chain, &v, row->apex);
		history_release(chain);
	} else if (!err) {
		err = note_compared(t, n, now, z, &v);
	}
	free(chain);
	return err;
}

static int note_twice(struct journal_txn *t, const struct noting *n, const struct zone_row *row, const struct store_zone *z)
{
	return n->loader->history && history_is_twice(n->loader->history, row->apex, z->serial) ? set_twice(t, row->apex, z->serial) : 0;
}

static int note_rows(struct journal_txn *t, void *ctx)
{
	const struct noting *n = ctx;
	struct store_snapshot now;
	int err = 0;

	store_writer_snapshot(n->loader->writer, &now);
	for (size_t i = 0; i < n->count && !err; i++) {
		const struct zone_row *row = n->rows[i];
		const struct store_zone *z = store_zone_get(&now, row->apex);
		const struct versions_hold *h = versions_hold_find(n->versions, row->apex);

		if (z && z->state == STORE_ZONE_SERVING)
			err = note_version(t, n, row, &now, z);
		if (z && !err)
			err = note_twice(t, n, row, z);
		if (!err && h && h->ended)
			err = journal_set_note(t, row->apex, JOURNAL_NOTE_HELD, NULL, 0);
	}
	return err;
}

static void note_failed(struct versions *v, struct loader *l, const struct zone_row *row, const struct text *why)
{
	char zone[NAME_TEXT_MAX];

	board_add(&l->board->sync.history_failed, 1);
	sync_event_journal(false, why->chars);
	if (v->failing)
		return;
	v->failing = true;
	name_to_text(row->apex, zone);
	log_err("journal zone=%s error=\"%s\" action=\"the version is answered, but is not in the history; later ones "
	        "that fail are counted only\"",
	        zone, why->chars);
}

/* All in one transaction; where that fails, each in its own. */
static void note_some(struct versions *v, struct loader *l, const struct zone_row *const *rows, size_t count)
{
	struct noting n = {v, l, rows, count};
	struct text why;

	if (journal_write(v->journal, note_rows, &n, NULL) == 0) {
		v->failing = false;
		sync_event_journal(true, NULL);
		return;
	}
	text_init(&why);
	for (size_t i = 0; i < count; i++) {
		n = (struct noting){v, l, rows + i, 1};
		text_clear(&why);
		if (journal_write(v->journal, note_rows, &n, &why) < 0)
			note_failed(v, l, rows[i], &why);
	}
	text_done(&why);
}

static void end_holds(struct versions *v, struct loader *l)
{
	for (size_t i = v->hold_count; i-- > 0;)
		if (v->holds[i].ended)
			versions_hold_remove(v, &v->holds[i]);
	atomic_store(&l->board->sync.zones_held_back, v->hold_count);
}

/* ---- which of them are worth a write ---- */

struct sifting {
	struct versions *versions;
	struct loader *loader;
	size_t kept;
};

/* A first start has many zones that nobody changed: leave them out without a write for each. */
static int sift(struct journal_txn *t, void *ctx)
{
	struct sifting *f = ctx;
	struct versions *v = f->versions;

	for (size_t i = 0; i < v->pending_count; i++) {
		const struct zone_row *row = v->pending[i];
		const struct store_zone *old = v->pinned ? store_zone_get(&v->before, row->apex) : NULL;
		struct journal_zone known;
		int err = old && old->state == STORE_ZONE_SERVING ? 0 : journal_get_zone(t, row->apex, &known);

		if (err != ERR_NOT_FOUND)
			v->pending[f->kept++] = row;
	}
	return 0;
}

void versions_note(struct versions *v, struct loader *l, bool whole)
{
	struct sifting f = {.versions = v, .loader = l};

	if (!v->pending_count || (!whole && v->pending_count < PENDING_MAX))
		return;
	/* What cannot be read is found again, and told, where it is written. */
	if (journal_read(v->journal, sift, &f, NULL) == 0)
		v->pending_count = f.kept;
	for (size_t i = 0; i < v->pending_count; i += TOGETHER)
		note_some(v, l, v->pending + i, MIN(v->pending_count - i, (size_t)TOGETHER));
	v->pending_count = 0;
	atomic_store(&l->before_pin, STORE_UNPINNED);
	v->pinned = false;
	end_holds(v, l);
	store_collect(l->writer);
}

int versions_pending_add(struct versions *v, const struct zone_row *row)
{
	if (v->pending_count == v->pending_cap) {
		size_t cap = v->pending_cap * 2 + 64;
		const struct zone_row **more = realloc(v->pending, cap * sizeof(*more));

		if (!more)
			return ERR_NO_MEMORY;
		v->pending = more;
		v->pending_cap = cap;
	}
	v->pending[v->pending_count++] = row;
	return 0;
}

void versions_will_store(struct versions *v, struct loader *l, const struct zone_row *row, bool of_file)
{
	struct versions_hold *h = versions_hold_find(v, row->apex);

	if (h && of_file)
		h->ended = true;
	if (!v->pinned) {
		store_writer_snapshot(l->writer, &v->before);
		atomic_store(&l->before_pin, v->before.generation);
		v->pinned = true;
	}
	if (versions_pending_add(v, row) < 0)
		board_add(&l->board->sync.history_failed, 1);
}

void versions_unchanged(struct versions *v, const struct zone_row *row)
{
	const struct versions_hold *h = versions_hold_find(v, row->apex);

	if (v->pending_count && v->pending[v->pending_count - 1] == row && !(h && h->ended))
		v->pending_count--;
}

/* ---- at start ---- */

int versions_store_content(struct loader *l, struct zone_row *row, const struct content *c, struct applied *applied)
{
	char source[STORE_ZONE_SOURCE_MAX + 1] = "";
	struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = row->network, .source = source};
	const struct store_zone *z;
	struct store_snapshot s;
	int err;

	store_writer_snapshot(l->writer, &s);
	z = store_zone_get(&s, row->apex);
	if (z)
		snprintf(source, sizeof(source), "%.*s", (int)MIN(z->source_len, (uint32_t)STORE_ZONE_SOURCE_MAX),
		         (const char *)z->tail + z->apex_len);
	err = apply_content(l->writer, row->apex, c, &meta, applied);
	if (err)
		return err;
	row->stored = true;
	loader_keep_change(l, row->apex, applied);
	return loader_commit(l, &row, 1);
}

static int recall_zone(void *ctx, const uint8_t *apex, const struct journal_zone *known)
{
	struct noting *n = ctx;
	struct zone_row *row = loader_row(n->loader, apex);

	if (!row || row->held || !row->serving || !known->has_version || row->serial == known->newest)
		return 0;
	/* What holds against its file is noted before it is stored. */
	if (versions_hold_find(n->versions, apex) && serial_after(known->newest, row->serial))
		return 0;
	return versions_pending_add(n->versions, row);
}

static int recall_twice(void *ctx, const uint8_t *apex, const uint8_t *octets, size_t len)
{
	if (len == 4)
		history_twice(ctx, apex, get_u32(octets));
	return 0;
}

static int recall(struct journal_txn *t, void *ctx)
{
	struct noting *n = ctx;
	int err = journal_each_note(t, JOURNAL_NOTE_HELD, versions_hold_read, n->versions);

	if (!err && n->loader->history)
		err = journal_each_note(t, JOURNAL_NOTE_TWICE, recall_twice, n->loader->history);
	return err ? err : journal_each_zone(t, recall_zone, n);
}

static void recall_held(struct versions *v, struct loader *l, const struct versions_hold *h)
{
	struct zone_row *row = loader_row(l, h->apex.wire);
	struct applied applied;
	struct versions_wanted w;
	char zone[NAME_TEXT_MAX];

	if (!row || row->held || !row->path || versions_read_newest(v, h->apex.wire, &w) < 0)
		return;
	name_to_text(row->apex, zone);
	/* After a reboot there is nothing yet that its file could be held against. */
	if ((!row->serving || serial_after(w.serial, row->serial)) && versions_store_content(l, row, w.content, &applied) < 0)
		log_err("zone=%s error=\"the store cannot take the version gone back to\"", zone);
	content_free(w.content);
}

void versions_recall(struct versions *v, struct loader *l)
{
	struct noting n = {.versions = v, .loader = l};
	struct text why;

	text_init(&why);
	if (journal_read(v->journal, recall, &n, &why) < 0) {
		board_add(&l->board->sync.history_failed, 1);
		log_err("journal error=\"%s\"", why.chars);
	}
	text_done(&why);
	for (size_t i = 0; i < v->hold_count; i++)
		recall_held(v, l, &v->holds[i]);
	versions_note(v, l, true);
	atomic_store(&l->board->sync.zones_held_back, v->hold_count);
}
