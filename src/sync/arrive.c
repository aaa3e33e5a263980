/* SPDX-License-Identifier: BSD-2-Clause */
/* From a transfer to answers and to the disk.
 *
 *     whole zone:   sorted ──► zone_check() ──► ZONEMD ──► as what differs from the version served, where that is little, else as a whole
 *     differences:  store_change_zone() one by one ──► ZONEMD of the result, if it has one            ──► commit ──► journal
 *
 * What is not fit is refused and the version served stays. Differences that do not apply are a reason to ask for the whole zone, as is a result whose
 * ZONEMD does not fit, and a chain of differences whose work exceeds that of the zone. Checks that look at a whole zone are not repeated for differences, which would cost the zone and not the change: the store refuses what
 * it cannot answer from.
 *
 * The store comes before the journal: answers do not wait for the disk. Killed between the two, the store (which outlives the process, not a reboot) has a
 * version that the journal lacks; arrive_recall() puts it there at the next start. After a reboot the store is filled from the journal, with a version that
 * existed, an older one at worst. Where a difference does not fit what the journal has, the whole version goes there. A full disk costs history, not
 * answers. */
#include "sync/arrive.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "sync/apply.h"
#include "sync/events.h"
#include "sync/from_store.h"
#include "sync/gate.h"
#include "sync/history.h"
#include "sync/present.h"
#include "sync/versions.h"
#include "xfr/incoming.h"
#include "zone/check.h"
#include "zone/difference.h"
#include "zone/zonemd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOGETHER = 256 /* zones in one commit, and in one transaction of the journal */ };

void arrival_free(struct arrival *a)
{
	if (!a)
		return;
	xfr_in_free(a->in);
	content_free(a->content);
	free(a);
}

static int refuse(struct arrival *a, enum arrival_outcome outcome, const char *why)
{
	a->outcome = outcome;
	snprintf(a->error, sizeof(a->error), "%s", why);
	return 0;
}

/* ---- checks ---- */

static void note_soa(struct arrival *a, const struct soa *soa)
{
	a->serial = soa->serial;
	a->refresh_s = soa->refresh;
	a->retry_s = soa->retry;
	a->expire_s = soa->expire;
}

static bool verifies(const struct arrival *a)
{
	return !a->row->conf || a->row->conf->zonemd != CONFIG_ZONEMD_OFF;
}

/* A primary that has lost half of a zone must not take it from everybody. The fleet's own has been asked there, when it read the file: an operator's yes is
 * given once, not at each pop. */
static bool shrinks(struct arrival *a, uint64_t had, uint64_t has)
{
	char text[GATE_TEXT_MAX];

	if (a->force || !a->row->conf || a->row->conf->file ||
	    !gate_shrinks(had, has, a->row->conf->shrink_limit, "zonecast zone retransfer --force", text))
		return false;
	snprintf(a->error, sizeof(a->error), "%s", text);
	a->outcome = ARRIVAL_REFUSED;
	return true;
}

/* The gate. True: fit to be served. */
static bool is_fit(struct arrival *a, const struct content *c)
{
	char zone[NAME_TEXT_MAX], line[1400], text[ZONEMD_TEXT_MAX];
	const struct content_rrset *set = content_soa(c);
	enum zonemd_verdict digest;
	struct soa soa;
	struct diag diag;
	bool fit;

	diag_init(&diag);
	zone_check(c, &diag);
	fit = !diag.errors;
	for (const struct diag_entry *e = diag.first; e && !fit && !a->error[0]; e = e->next)
		if (e->severity == DIAG_ERROR)
			snprintf(a->error, sizeof(a->error), "not fit to be served: %.300s%s", diag_entry_text(e, line, sizeof(line)),
			         diag.errors > 1 ? " (and more)" : "");
	name_to_text(a->apex.wire, zone);
	if (diag.warnings)
		log_info("zone=%s from=%s warnings=%u first=\"%.300s\"", zone, a->who, diag.warnings,
		         diag.first ? diag_entry_text(diag.first, line, sizeof(line)) : "");
	diag_done(&diag);
	if (!fit) {
		a->outcome = ARRIVAL_REFUSED;
		return false;
	}
	if (a->row->serving && shrinks(a, a->row->records, content_record_count(c)))
		return false;
	digest = verifies(a) ? zonemd_verify_content(c, text) : ZONEMD_ABSENT;
	if (digest == ZONEMD_MISMATCH || digest == ZONEMD_FAILED) {
		snprintf(a->error, sizeof(a->error), "ZONEMD: %s", text);
		a->outcome = ARRIVAL_REFUSED;
		return false;
	}
	if (!set || soa_parse(set->records[0].rdata, set->records[0].rdlen, &soa) < 0)
		return refuse(a, ARRIVAL_REFUSED, "no SOA") == 1;
	note_soa(a, &soa);
	return true;
}

static void make_meta(const struct arrival *a, char *source, size_t cap, struct store_zone_meta *out)
{
	snprintf(source, cap, "transfer:%s", a->who);
	*out = (struct store_zone_meta){.state = STORE_ZONE_SERVING, .network = a->row->network, .source = source};
}

/* Fit to be served, but is it what we want? content NULL: in the version being built. */
static bool is_welcome(struct loader *l, struct arrival *a, const struct content *content)
{
	struct text why;
	int err;

	text_init(&why);
	err = loader_judge(l, a->row->apex, content, a->force, &why);
	if (err)
		refuse(a, ARRIVAL_REFUSED, why.len ? why.chars : err_text(err));
	text_done(&why);
	return !err;
}

/* ---- the store ---- */

static int store_whole(struct loader *l, struct arrival *a)
{
	char source[STORE_ZONE_SOURCE_MAX];
	struct store_zone_meta meta;
	struct applied applied;
	int err;

	make_meta(a, source, sizeof(source), &meta);
	a->content = xfr_in_take_content(a->in);
	xfr_in_free(a->in);
	a->in = NULL;
	err = a->content ? content_finish(a->content) : ERR_NO_MEMORY;
	if (err)
		return refuse(a, ARRIVAL_REFUSED, err_text(err));
	if (!is_fit(a, a->content) || !is_welcome(l, a, a->content))
		return 0;
	err = apply_content(l->writer, a->row->apex, a->content, &meta, &applied);
	if (err) {
		refuse(a, ARRIVAL_REFUSED, err_text(err));
		return err;
	}
	loader_keep_change(l, a->row->apex, &applied);
	if (l->history && !applied.unchanged && a->row->serving && a->row->serial == a->serial)
		history_twice(l->history, a->row->apex, a->serial);
	a->row->stored = true;
	return 0;
}

/* What is added although it is there is left out, and forgotten before history and journal hear of it. */
static bool drop_present(struct loader *l, struct arrival *a, size_t i, const struct zone_change *change)
{
	const struct store_zone *z;
	struct store_snapshot s;
	size_t dropped;

	store_writer_draft(l->writer, &s);
	z = store_zone_get(&s, a->row->apex);
	dropped = z ? present_drop(a->in, i, change, &s, z) : 0;
	a->repeated += dropped;
	return dropped > 0;
}

static int apply_one(struct loader *l, struct arrival *a, size_t i, const struct store_zone_meta *meta)
{
	const struct xfr_difference *d = &xfr_in_differences(a->in)->list[i];
	struct zone_change_problem problem = {.text = ""};
	struct zone_change change;
	int err = zone_change_from_records(a->row->apex, d->deleted, d->deleted_count, d->added, d->added_count, &change);

	if (err)
		return err;
	err = store_change_zone(l->writer, a->row->apex, &change, meta, &problem);
	if (err == ERR_INVALID && drop_present(l, a, i, &change)) {
		zone_change_done(&change);
		err = zone_change_from_records(a->row->apex, d->deleted, d->deleted_count, d->added, d->added_count, &change);
		if (err)
			return err;
		err = store_change_zone(l->writer, a->row->apex, &change, meta, &problem);
	}
	a->renewed += problem.renewed;
	if (!err && l->history)
		history_add(l->history, a->row->apex, &change);
	else
		zone_change_done(&change);
	if (err)
		snprintf(a->error, sizeof(a->error), "differences from serial %u to %u do not apply: %s", d->from, d->to,
		         problem.text[0] ? problem.text : err_text(err));
	return err;
}

/* Another version with the serial of one that never came to be may follow. */
static void undo(struct loader *l, const struct arrival *a)
{
	store_abort(l->writer);
	if (l->history)
		history_forget(l->history, a->row->apex);
}

/* What was built so far is committed, so that a failure can be undone alone. */
static int store_differences(struct loader *l, struct arrival *a)
{
	const struct xfr_differences *d = xfr_in_differences(a->in);
	char source[STORE_ZONE_SOURCE_MAX], text[ZONEMD_TEXT_MAX];
	const struct store_zone *z;
	struct store_zone_meta meta;
	struct store_snapshot s;
	enum zonemd_verdict digest;
	uint64_t renewed_max;
	uint64_t had;
	struct soa soa;
	int err = 0;

	make_meta(a, source, sizeof(source), &meta);
	store_writer_snapshot(l->writer, &s);
	z = store_zone_get(&s, a->row->apex);
	if (!z || z->state != STORE_ZONE_SERVING || !d->count || z->serial != d->list[0].from)
		return refuse(a, ARRIVAL_NO_USE, "the version that the differences begin with is not served here");
	had = z->record_count;
	renewed_max = zone_change_renewed_max(z->node_count);
	for (size_t i = 0; i < d->count && !err; i++) {
		err = apply_one(l, a, i, &meta);
		/* Each for itself is within its limit, but a chain may be long. */
		if (!err && a->renewed > renewed_max) {
			snprintf(a->error, sizeof(a->error), "the differences hide and show most of the zone again and again: the whole zone costs less");
			err = ERR_LIMIT;
		}
	}
	if (err) {
		undo(l, a);
		a->outcome = ARRIVAL_NO_USE;
		return err == ERR_NO_SPACE ? err : 0;
	}
	store_writer_draft(l->writer, &s);
	z = store_zone_get(&s, a->row->apex);
	if (z && shrinks(a, had, z->record_count)) {
		undo(l, a);
		return 0;
	}
	digest = !z ? ZONEMD_FAILED : verifies(a) ? zonemd_verify_store(&s, z, text) : ZONEMD_ABSENT;
	if (digest == ZONEMD_MISMATCH || digest == ZONEMD_FAILED || !soa_of_store(&s, z, &soa)) {
		undo(l, a);
		return refuse(a, ARRIVAL_NO_USE, digest == ZONEMD_MISMATCH ? text : "what the differences make is no zone");
	}
	if (!is_welcome(l, a, NULL)) {
		undo(l, a);
		return 0;
	}
	note_soa(a, &soa);
	a->row->stored = true;
	return 0;
}

static int store_nothing(struct loader *l, struct arrival *a)
{
	const struct store_zone_meta meta = {.state = STORE_ZONE_NO_DATA, .network = a->row->network, .source = "expired"};
	int err = store_put_zone(l->writer, a->row->apex, NULL, &meta);

	a->row->stored = !err;
	return err;
}

static int store_one(struct loader *l, struct arrival *a)
{
	a->row = loader_row(l, a->apex.wire);
	a->outcome = ARRIVAL_SERVED;
	if (!a->row || !a->row->held)
		return refuse(a, ARRIVAL_GONE, "this node has no such zone");
	switch (a->kind) {
	case ARRIVAL_WHOLE:
		return store_whole(l, a);
	case ARRIVAL_DIFFERENCES:
		return store_differences(l, a);
	case ARRIVAL_EXPIRED:
		return store_nothing(l, a);
	}
	return ERR_INVALID;
}

/* ---- the journal ---- */

struct noting {
	struct loader *loader;
	struct arrival *first, *end;
};

static struct journal_version version_of(const struct arrival *a)
{
	struct journal_version v = {.serial = a->serial, .origin = JOURNAL_FROM_TRANSFER, .when_s = (uint64_t)clock_wall_s()};

	snprintf(v.who, sizeof(v.who), "%s", a->who);
	return v;
}

/* From the store, which has it. */
static int note_from_store(struct journal_txn *t, struct loader *l, const uint8_t *apex, const struct journal_version *v)
{
	const struct store_zone *z;
	struct store_snapshot s;
	struct content *c = NULL;
	int err;

	store_writer_snapshot(l->writer, &s);
	z = store_zone_get(&s, apex);
	if (!z || z->state != STORE_ZONE_SERVING)
		return 0;
	err = content_of_store(&s, z, &c);
	if (!err)
		err = versions_put(t, l, c, v);
	content_free(c);
	return err;
}

static int note_differences(struct journal_txn *t, struct loader *l, const struct arrival *a)
{
	const struct xfr_differences *d = xfr_in_differences(a->in);
	struct journal_version v = version_of(a);
	int err = 0;

	for (size_t i = 0; i < d->count && !err; i++) {
		const struct journal_change c = {.from = d->list[i].from, .to = d->list[i].to, .deleted = d->list[i].deleted,
		                                 .added = d->list[i].added, .deleted_count = d->list[i].deleted_count,
		                                 .added_count = d->list[i].added_count};

		v.serial = c.to;
		err = journal_put_difference(t, a->apex.wire, &c, &v, &l->keep);
		if (i == 0 && (err == ERR_STALE || err == ERR_NOT_FOUND)) {
			v.serial = a->serial;
			return note_from_store(t, l, a->apex.wire, &v);
		}
	}
	return err;
}

static int note(struct journal_txn *t, void *ctx)
{
	const struct noting *n = ctx;
	int err = 0;

	for (const struct arrival *a = n->first; a != n->end && !err; a = a->next) {
		const struct journal_version v = version_of(a);

		if (a->outcome != ARRIVAL_SERVED)
			continue;
		if (a->kind == ARRIVAL_WHOLE)
			err = versions_put(t, n->loader, a->content, &v);
		else if (a->kind == ARRIVAL_DIFFERENCES)
			err = note_differences(t, n->loader, a);
	}
	return err;
}

/* All in one transaction; where that fails, each in its own. */
static void note_all(struct loader *l, struct journal *j, struct arrival *first, struct arrival *end, uint64_t *failed)
{
	struct noting n = {l, first, end};
	struct text why;

	if (!j)
		return;
	if (journal_write(j, note, &n, NULL) == 0) {
		sync_event_journal(true, NULL);
		return;
	}
	text_init(&why);
	for (struct arrival *a = first; a != end; a = a->next) {
		char zone[NAME_TEXT_MAX];

		n = (struct noting){l, a, a->next};
		text_clear(&why);
		if (journal_write(j, note, &n, &why) == 0)
			continue;
		(*failed)++;
		sync_event_journal(false, why.chars);
		name_to_text(a->apex.wire, zone);
		log_err("journal zone=%s serial=%u error=\"%s\" action=\"the version is answered, but would not survive a reboot\"", zone, a->serial,
		        why.chars);
	}
	text_done(&why);
}

/* ---- both ---- */

static void release(struct arrival *first, struct arrival *end)
{
	for (struct arrival *a = first; a != end; a = a->next) {
		content_free(a->content);
		xfr_in_free(a->in);
		a->content = NULL;
		a->in = NULL;
	}
}

struct batch {
	struct loader *loader;
	struct arrival *list[TOGETHER]; /* stored, not committed */
	size_t count;
};

static int commit(struct batch *b)
{
	struct zone_row *rows[TOGETHER];
	int err;

	if (!b->count)
		return 0;
	for (size_t i = 0; i < b->count; i++)
		rows[i] = b->list[i]->row;
	err = loader_commit(b->loader, rows, b->count);
	for (size_t i = 0; i < b->count && err; i++) {
		rows[i]->stored = false;
		refuse(b->list[i], ARRIVAL_REFUSED, err_text(err));
	}
	b->count = 0;
	return err;
}

/* Differences are committed at once, and alone, so that those that do not apply can be taken back. */
static int bring(struct batch *b, struct arrival *a)
{
	uint64_t began = clock_ms();
	int err = a->kind == ARRIVAL_DIFFERENCES ? commit(b) : 0, worst = err;

	err = store_one(b->loader, a);
	if (!err && a->outcome == ARRIVAL_SERVED)
		b->list[b->count++] = a;
	worst = err ? err : worst;
	err = a->kind == ARRIVAL_DIFFERENCES ? commit(b) : 0;
	a->took_ms = (unsigned)(clock_ms() - began);
	return err ? err : worst;
}

static void measure(struct loader *l, struct arrival *a)
{
	const struct store_zone *z;
	struct store_snapshot s;

	if (!a->row)
		return;
	store_writer_snapshot(l->writer, &s);
	z = store_zone_get(&s, a->row->apex);
	a->records = a->row->records;
	a->octets = z ? z->bytes : 0;
}

int arrive(struct loader *l, struct journal *j, struct arrival *list, uint64_t *journal_failed)
{
	struct batch b = {.loader = l};
	int worst = 0;

	while (list) {
		struct arrival *a = list;
		int err;

		for (size_t n = 0; a && n < TOGETHER; a = a->next, n++) {
			err = bring(&b, a);
			worst = err ? err : worst;
		}
		err = commit(&b);
		worst = err ? err : worst;
		note_all(l, j, list, a, journal_failed);
		for (struct arrival *k = list; k != a; k = k->next)
			measure(l, k);
		release(list, a);
		list = a;
	}
	return worst;
}

/* ---- at start ---- */

static int restore_content(struct loader *l, struct zone_row *row, const struct content *c, const char *who)
{
	struct arrival a = {.row = row};
	char source[STORE_ZONE_SOURCE_MAX];
	struct store_zone_meta meta;
	struct applied applied;
	int err;

	snprintf(a.who, sizeof(a.who), "%s", who);
	make_meta(&a, source, sizeof(source), &meta);
	err = apply_content(l->writer, row->apex, c, &meta, &applied);
	row->stored = !err;
	if (!err)
		loader_keep_change(l, row->apex, &applied);
	return err;
}

struct recalling {
	struct loader *loader;
	struct held *held;
	struct zone_row *row;
	bool restored, lacks;
	uint32_t oldest, newest;
};

static int recall_one(struct journal_txn *t, void *ctx)
{
	struct recalling *r = ctx;
	struct journal_zone zone;
	struct content *c = NULL;
	bool expired;
	int err = journal_get_timers(t, r->row->apex, &r->held->timers);

	r->held->has_timers = !err;
	if (err && err != ERR_NOT_FOUND)
		return err;
	err = journal_get_zone(t, r->row->apex, &zone);
	if (err == ERR_NOT_FOUND || (!err && !zone.has_version)) {
		r->lacks = r->held->has_version;
		return 0;
	}
	if (err)
		return err;
	if (r->held->has_version && !serial_after(zone.newest, r->held->serial)) {
		r->lacks = zone.newest != r->held->serial;
		return 0;
	}
	expired = r->held->has_timers && r->held->timers.expire_at_s && r->held->timers.expire_at_s <= (uint64_t)clock_wall_s();
	if (expired && !r->row->serve_expired)
		return 0;
	err = journal_get_content(t, r->row->apex, zone.newest, &c);
	if (!err)
		err = restore_content(r->loader, r->row, c, r->held->has_timers && r->held->timers.primary[0] ? r->held->timers.primary : "journal");
	r->restored = !err;
	content_free(c);
	return err;
}

static void take_from_store(const struct store_snapshot *s, struct held *h)
{
	const struct store_zone *z = store_zone_get(s, h->apex);
	struct soa soa;

	h->has_version = z && z->state == STORE_ZONE_SERVING && soa_of_store(s, z, &soa);
	if (!h->has_version)
		return;
	h->serial = soa.serial;
	h->refresh_s = soa.refresh;
	h->retry_s = soa.retry;
	h->expire_s = soa.expire;
	h->loaded_wall_s = z->loaded_wall_s;
	h->octets = z->bytes;
}

struct lacking {
	struct loader *loader;
	const struct held *held;
	const bool *lacks;
	size_t count;
};

static int note_lacking(struct journal_txn *t, void *ctx)
{
	const struct lacking *k = ctx;
	int err = 0;

	for (size_t i = 0; i < k->count && !err; i++) {
		struct journal_version v = {.serial = k->held[i].serial, .origin = JOURNAL_FROM_TRANSFER, .when_s = (uint64_t)k->held[i].loaded_wall_s,
		                            .who = "the store"};

		if (k->lacks[i])
			err = note_from_store(t, k->loader, k->held[i].apex, &v);
	}
	return err;
}

static bool any(const bool *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i])
			return true;
	return false;
}

static void heal(struct loader *l, struct journal *j, const struct held *held, const bool *lacks, size_t count, uint64_t *failed)
{
	struct text why;

	text_init(&why);
	for (size_t i = 0; i < count; i += TOGETHER) {
		struct lacking k = {l, held + i, lacks + i, MIN(count - i, (size_t)TOGETHER)};

		if (!any(k.lacks, k.count))
			continue;
		text_clear(&why);
		if (journal_write(j, note_lacking, &k, &why) < 0) {
			(*failed)++;
			sync_event_journal(false, why.chars);
			log_err("journal error=\"%s\" action=\"zones that are answered would not survive a reboot\"", why.chars);
		}
	}
	text_done(&why);
}

static int recall(struct loader *l, struct journal *j, struct held *held, bool *lacks, size_t count)
{
	struct zone_row **rows = calloc(TOGETHER, sizeof(struct zone_row *));
	struct store_snapshot s;
	size_t restored = 0;
	int err = rows ? 0 : ERR_NO_MEMORY;

	for (size_t i = 0; i < count && !err; i++) {
		struct recalling r = {.loader = l, .held = &held[i], .row = loader_row(l, held[i].apex)};
		struct text why;

		store_writer_snapshot(l->writer, &s);
		take_from_store(&s, &held[i]);
		if (!j || !r.row)
			continue;
		text_init(&why);
		if (journal_read(j, recall_one, &r, &why) < 0) {
			char zone[NAME_TEXT_MAX];

			name_to_text(held[i].apex, zone);
			log_err("journal zone=%s error=\"%s\" action=\"asking the primaries\"", zone, why.chars);
		}
		text_done(&why);
		lacks[i] = r.lacks;
		if (!r.restored)
			continue;
		rows[restored++] = r.row;
		if (restored == TOGETHER) {
			err = loader_commit(l, rows, restored);
			restored = 0;
		}
	}
	if (!err && restored)
		err = loader_commit(l, rows, restored);
	free(rows);
	store_writer_snapshot(l->writer, &s);
	for (size_t i = 0; i < count && !err; i++)
		if (!held[i].has_version)
			take_from_store(&s, &held[i]);
	return err;
}

static int recall_rows(struct loader *l, struct journal *j, bool only_new, struct held **out, size_t *count,
                       uint64_t *journal_failed)
{
	const struct zone_list *zones = l->zones;
	struct held *held = calloc(zones->count ? zones->count : 1, sizeof(*held));
	bool *lacks = calloc(zones->count ? zones->count : 1, sizeof(*lacks));
	size_t n = 0;
	int err = held && lacks ? 0 : ERR_NO_MEMORY;

	for (size_t i = 0; i < zones->count && !err; i++) {
		if (zones->rows[i].held && (!only_new || zones->rows[i].recall))
			held[n++].apex = zones->rows[i].apex;
		zones->rows[i].recall = false;
	}
	if (!err)
		err = recall(l, j, held, lacks, n);
	if (!err && j)
		heal(l, j, held, lacks, n, journal_failed);
	free(lacks);
	if (err) {
		free(held);
		return err;
	}
	*out = held;
	*count = n;
	return 0;
}

int arrive_recall(struct loader *l, struct journal *j, struct held **out, size_t *count, uint64_t *journal_failed)
{
	return recall_rows(l, j, false, out, count, journal_failed);
}

int arrive_recall_new(struct loader *l, struct journal *j, struct held **out, size_t *count, uint64_t *journal_failed)
{
	return recall_rows(l, j, true, out, count, journal_failed);
}

/* ---- timers ---- */

struct timers_list {
	const struct timers_row *rows;
	size_t count;
};

static int set_timers(struct journal_txn *t, void *ctx)
{
	const struct timers_list *list = ctx;
	int err = 0;

	for (size_t i = 0; i < list->count && !err; i++)
		err = journal_set_timers(t, list->rows[i].apex.wire, &list->rows[i].timers);
	return err;
}

int arrive_note_timers(struct journal *j, const struct timers_row *rows, size_t count, struct text *why)
{
	struct timers_list list = {rows, count};

	return journal_write(j, set_timers, &list, why);
}
