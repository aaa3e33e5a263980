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
 * Left out: a signed zone is not gone back in, since the signature over its SOA would not fit the new serial. Zones held by transfer are gone back in at their
 * primary. History begins anew where a file's serial goes back or stays while its content changes (journal.h). */
#include "sync/versions.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "sync/apply.h"
#include "sync/events.h"
#include "sync/from_store.h"
#include "sync/history.h"
#include "sync/load.h"
#include "zone/check.h"
#include "zone/digest.h"
#include "zone/zonemd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TOGETHER = 256,     /* zones in one transaction */
	PENDING_MAX = 4096, /* zones whose versions before are kept in the store meanwhile */
	HOLD_FORMAT = 1,
	HOLD_OCTETS = 1 + ZONE_DIGEST_OCTETS + 4, /* format, mark of the file, its serial */
	ZONEMD_HEAD = 6,
	SCHEME_SIMPLE = 1,
};

const struct journal_keep versions_keep_default = {.differences_max = 200, .octets_max = (uint64_t)64 << 20};

/* A zone that was gone back in. */
struct hold {
	struct name apex;
	struct zone_digest mark; /* of what its file says: mark_of() */
	uint32_t file_serial;
	bool ended; /* the file says something else; to be taken from the journal */
};

struct versions {
	struct journal *journal;
	struct store_snapshot before; /* valid while pinned */
	bool pinned, failing;
	const struct zone_row **pending;
	size_t pending_count, pending_cap;
	struct hold *holds;
	size_t hold_count, hold_cap;
};

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

size_t versions_held(const struct versions *v)
{
	return v->hold_count;
}

/* ---- what holds against its file ---- */

static struct hold *hold_find(const struct versions *v, const uint8_t *apex)
{
	for (size_t i = 0; i < v->hold_count; i++)
		if (name_equal(v->holds[i].apex.wire, apex))
			return &v->holds[i];
	return NULL;
}

static int hold_add(struct versions *v, const struct hold *h)
{
	struct hold *there = hold_find(v, h->apex.wire);

	if (there) {
		*there = *h;
		return 0;
	}
	if (v->hold_count == v->hold_cap) {
		size_t cap = v->hold_cap * 2 + 8;
		struct hold *more = realloc(v->holds, cap * sizeof(*more));

		if (!more)
			return ERR_NO_MEMORY;
		v->holds = more;
		v->hold_cap = cap;
	}
	v->holds[v->hold_count++] = *h;
	return 0;
}

static void hold_remove(struct versions *v, struct hold *h)
{
	*h = v->holds[--v->hold_count];
}

static void hold_put(const struct hold *h, uint8_t octets[HOLD_OCTETS])
{
	octets[0] = HOLD_FORMAT;
	for (unsigned i = 0; i < ZONE_DIGEST_WORDS; i++) {
		put_u32(octets + 1 + 8 * i, (uint32_t)(h->mark.words[i] >> 32));
		put_u32(octets + 5 + 8 * i, (uint32_t)h->mark.words[i]);
	}
	put_u32(octets + 1 + ZONE_DIGEST_OCTETS, h->file_serial);
}

static int hold_read(void *ctx, const uint8_t *apex, const uint8_t *octets, size_t len)
{
	struct hold h = {.ended = false};

	if (len != HOLD_OCTETS || octets[0] != HOLD_FORMAT)
		return ERR_MALFORMED;
	name_lower(&h.apex, apex);
	for (unsigned i = 0; i < ZONE_DIGEST_WORDS; i++)
		h.mark.words[i] = (uint64_t)get_u32(octets + 1 + 8 * i) << 32 | get_u32(octets + 5 + 8 * i);
	h.file_serial = get_u32(octets + 1 + ZONE_DIGEST_OCTETS);
	return hold_add(ctx, &h);
}

bool versions_held_serial(const uint8_t *note, size_t len, uint32_t *serial)
{
	if (len != HOLD_OCTETS || note[0] != HOLD_FORMAT)
		return false;
	*serial = get_u32(note + 1 + ZONE_DIGEST_OCTETS);
	return true;
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

static int note_compared(struct journal_txn *t, const struct noting *n, const struct store_snapshot *s,
                         const struct store_zone *z, const struct journal_version *v)
{
	enum journal_outcome outcome;
	struct content *c = NULL;
	int err = content_of_store(s, z, &c);

	if (!err)
		err = journal_put_version(t, c, v, &n->loader->keep, &outcome);
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
	uint8_t octets[4];

	if (!n->loader->history || !history_is_twice(n->loader->history, row->apex, z->serial))
		return 0;
	put_u32(octets, z->serial);
	return journal_set_note(t, row->apex, JOURNAL_NOTE_TWICE, octets, sizeof(octets));
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
		const struct hold *h = hold_find(n->versions, row->apex);

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
			hold_remove(v, &v->holds[i]);
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

static int pending_add(struct versions *v, const struct zone_row *row)
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
	struct hold *h = hold_find(v, row->apex);

	if (h && of_file)
		h->ended = true;
	if (!v->pinned) {
		store_writer_snapshot(l->writer, &v->before);
		atomic_store(&l->before_pin, v->before.generation);
		v->pinned = true;
	}
	if (pending_add(v, row) < 0)
		board_add(&l->board->sync.history_failed, 1);
}

void versions_unchanged(struct versions *v, const struct zone_row *row)
{
	const struct hold *h = hold_find(v, row->apex);

	if (v->pending_count && v->pending[v->pending_count - 1] == row && !(h && h->ended))
		v->pending_count--;
}

/* ---- versions out of the journal ---- */

struct wanted {
	const uint8_t *apex;
	uint32_t serial; /* of it */
	bool newest;     /* instead: the newest */
	struct content *content;
};

static int get_content(struct journal_txn *t, void *ctx)
{
	struct wanted *w = ctx;
	struct journal_zone z;
	int err = journal_get_zone(t, w->apex, &z);

	if (!err && !z.has_version)
		err = ERR_NOT_FOUND;
	if (!err)
		err = journal_get_content(t, w->apex, w->newest ? z.newest : w->serial, &w->content);
	if (!err && w->newest)
		w->serial = z.newest;
	return err;
}

static int read_newest(struct versions *v, const uint8_t *apex, struct wanted *out)
{
	struct text why;
	char zone[NAME_TEXT_MAX];
	int err;

	*out = (struct wanted){.apex = apex, .newest = true};
	text_init(&why);
	err = journal_read(v->journal, get_content, out, &why);
	if (err) {
		name_to_text(apex, zone);
		log_err("journal zone=%s error=\"the version gone back to cannot be read: %s\" action=\"its file is "
		        "served\"",
		        zone, why.chars);
	}
	text_done(&why);
	return err;
}

static uint32_t serial_of(const struct content *c)
{
	const struct content_rrset *set = content_soa(c);
	struct soa soa = {0};

	if (set && soa_parse(set->records[0].rdata, set->records[0].rdlen, &soa) < 0)
		soa.serial = 0;
	return soa.serial;
}

/* ---- versions made of others ---- */

struct remaking {
	struct content *content;
	uint32_t serial;
	bool is_signed;
	unsigned algorithms; /* bits: of ZONEMD records that were there and can be made anew */
	const uint8_t (*digests)[ZONEMD_DIGEST_OCTETS_MAX]; /* by algorithm; NULL: not known yet, ZONEMD is left out */
};

static int remake_zonemd(const struct remaking *m, const struct rr *old)
{
	uint8_t rdata[ZONEMD_HEAD + ZONEMD_DIGEST_OCTETS_MAX];
	struct rr rr = *old;

	for (uint8_t a = ZONEMD_SHA384; a <= ZONEMD_SHA512; a++) {
		int err;

		if (!(m->algorithms & 1U << a))
			continue;
		put_u32(rdata, m->serial);
		rdata[4] = SCHEME_SIMPLE;
		rdata[5] = a;
		memcpy(rdata + ZONEMD_HEAD, m->digests[a], zonemd_digest_len(a));
		rr.rdata = rdata;
		rr.rdlen = (uint16_t)(ZONEMD_HEAD + zonemd_digest_len(a));
		err = content_add(m->content, &rr, NULL);
		if (err)
			return err;
	}
	return 0;
}

/* Each record but the SOA, whose serial is the new one, and the digests over it. */
static int remake_record(void *ctx, const struct rr *rr)
{
	struct remaking *m = ctx;
	uint8_t rdata[2 * NAME_LEN_MAX + 20];
	struct rr soa = *rr;

	if (rr->type == RR_RRSIG) {
		m->is_signed = true;
		return ERR_UNSUPPORTED;
	}
	if (rr->type == RR_ZONEMD && name_equal(rr->owner, content_apex(m->content))) {
		unsigned before = m->algorithms;

		if (rr->rdlen > ZONEMD_HEAD && rr->rdata[4] == SCHEME_SIMPLE && zonemd_digest_len(rr->rdata[5]))
			m->algorithms |= 1U << rr->rdata[5];
		/* All of them in place of the first. */
		return m->digests && !before && m->algorithms ? remake_zonemd(m, rr) : 0;
	}
	if (rr->type != RR_SOA)
		return content_add(m->content, rr, NULL);
	if (rr->rdlen > sizeof(rdata))
		return ERR_MALFORMED;
	memcpy(rdata, rr->rdata, rr->rdlen);
	put_u32(rdata + rr->rdlen - 20, m->serial);
	soa.rdata = rdata;
	return content_add(m->content, &soa, NULL);
}

/* What a file says, whatever its serial, which a policy may have changed on its way into the store, and the digest over it. */
static int mark_of(const struct content *c, struct zone_digest *out)
{
	struct content *plain = content_new(content_apex(c));
	struct remaking m = {.content = plain};
	int err = plain ? 0 : ERR_NO_MEMORY;

	for (size_t i = 0; i < content_rrset_count(c) && !err; i++) {
		const struct content_rrset *set = content_rrset(c, i);

		for (uint32_t k = 0; k < set->count && !err; k++) {
			const struct rr rr = {.owner = set->owner, .type = set->type, .rclass = CLASS_IN, .ttl = set->ttl, .rdlen = set->records[k].rdlen,
			                      .rdata = set->records[k].rdata};

			/* A file that is signed now is not the unsigned one that was gone back from; its signatures are records like others. */
			err = rr.type == RR_RRSIG ? content_add(plain, &rr, NULL) : remake_record(&m, &rr);
		}
	}
	if (!err)
		err = content_finish(plain);
	if (!err)
		err = zone_digest_content(plain, out);
	content_free(plain);
	return err;
}

int versions_judge(struct versions *v, const struct zone_row *row, const struct content *file, struct content **instead, char *why)
{
	bool keeps = !row->conf || row->conf->serial == CONFIG_SERIAL_KEEP;
	const struct hold *h = hold_find(v, row->apex);
	uint32_t serial = serial_of(file);
	struct zone_digest mark;
	char zone[NAME_TEXT_MAX];
	struct wanted w;
	int err;

	*instead = NULL;
	if (!h || (keeps && serial != h->file_serial))
		return 0;
	err = mark_of(file, &mark);
	if (err || !zone_digest_equal(&mark, &h->mark) || read_newest(v, row->apex, &w) < 0)
		return err;
	*instead = w.content;
	snprintf(why, VERSIONS_WHY_MAX, "the file still says what was gone back from, serial %u: serial %u is served until it changes", serial, w.serial);
	name_to_text(row->apex, zone);
	log_notice("zone=%s file=%s note=\"%s\"", zone, row->path, why);
	return 0;
}

/* ---- at start ---- */

/* c into the store, as what the file that is there is to count for. */
static int store_content(struct loader *l, struct zone_row *row, const struct content *c, struct applied *applied)
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
	if (hold_find(n->versions, apex) && serial_after(known->newest, row->serial))
		return 0;
	return pending_add(n->versions, row);
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
	int err = journal_each_note(t, JOURNAL_NOTE_HELD, hold_read, n->versions);

	if (!err && n->loader->history)
		err = journal_each_note(t, JOURNAL_NOTE_TWICE, recall_twice, n->loader->history);
	return err ? err : journal_each_zone(t, recall_zone, n);
}

static void recall_held(struct versions *v, struct loader *l, const struct hold *h)
{
	struct zone_row *row = loader_row(l, h->apex.wire);
	struct applied applied;
	struct wanted w;
	char zone[NAME_TEXT_MAX];

	if (!row || row->held || !row->path || read_newest(v, h->apex.wire, &w) < 0)
		return;
	name_to_text(row->apex, zone);
	/* After a reboot there is nothing yet that its file could be held against. */
	if ((!row->serving || serial_after(w.serial, row->serial)) && store_content(l, row, w.content, &applied) < 0)
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

/* ---- going back ---- */

struct going_back {
	struct versions *versions;
	struct loader *loader;
	struct rollback *r;
	const struct zone_row *row;
	struct remaking remaking;
	struct hold hold;
};

static int remake(struct journal_txn *t, struct going_back *g)
{
	g->remaking.content = content_new(g->r->apex.wire);
	return g->remaking.content ? journal_get_records(t, g->r->apex.wire, g->r->to, remake_record, &g->remaking)
	                           : ERR_NO_MEMORY;
}

static int make_version(struct journal_txn *t, void *ctx)
{
	uint8_t digests[ZONEMD_SHA512 + 1][ZONEMD_DIGEST_OCTETS_MAX] = {{0}};
	struct going_back *g = ctx;
	struct remaking *m = &g->remaking;
	unsigned algorithms;
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
	algorithms = m->algorithms;
	*m = (struct remaking){.serial = m->serial, .digests = (const uint8_t(*)[ZONEMD_DIGEST_OCTETS_MAX])digests};
	err = remake(t, g);
	if (!err)
		err = content_finish(m->content);
	m->digests = NULL;
	m->algorithms = algorithms;
	return err;
}

static int note_rollback(struct journal_txn *t, void *ctx)
{
	const struct going_back *g = ctx;
	struct journal_version v = {.serial = g->remaking.serial,
	                            .origin = JOURNAL_FROM_ROLLBACK,
	                            .when_s = (uint64_t)clock_wall_s()};
	uint8_t octets[HOLD_OCTETS];
	enum journal_outcome outcome;
	int err;

	snprintf(v.who, sizeof(v.who), "to serial %u by %.200s", g->r->to, g->r->who);
	err = journal_put_version(t, g->remaking.content, &v, &g->loader->keep, &outcome);
	hold_put(&g->hold, octets);
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
	int err = pending_add(v, row);

	if (!err)
		versions_note(v, l, true);
	return err;
}

static int find_hold(struct versions *v, struct loader *l, struct going_back *g)
{
	const struct hold *h = hold_find(v, g->r->apex.wire);
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
		err = mark_of(c, &g->hold.mark);
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
			err = hold_add(v, &g->hold);
		if (err)
			refuse(r, why.len ? why.chars : err_text(err));
	}
	text_done(&why);
	if (r->error[0])
		return 0;
	err = store_content(l, row, g->remaking.content, &applied);
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
