/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/load.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "sync/ahead.h"
#include "sync/align.h"
#include "sync/apply.h"
#include "sync/events.h"
#include "sync/gate.h"
#include "sync/history.h"
#include "sync/known.h"
#include "sync/source.h"
#include "sync/told.h"
#include "sync/versions.h"
#include "sync/watcher.h"
#include "xdp/cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	COMMIT_MS = 100,     /* loaded zones become visible at least this often */
	PROGRESS_MS = 1000,  /* a load that takes longer says how far it is */
	LOOK_AHEAD = 1024,   /* rows judged before their turn: do they have to be read? */
};

struct run {
	struct loader *loader;
	struct zone_list *zones;
	struct ahead *ahead;
	size_t at, judged;        /* rows brought up; rows of which it is known whether they are read */
	size_t settled;           /* rows before it say what is committed */
	bool first;               /* this turn is for rows that are to come first, or for the others */
	uint64_t done;
	uint64_t committed_ms;
	_Atomic uint64_t said_ms; /* set by whichever thread reads */
	bool dirty;
};

void loader_init(struct loader *l, const char *store_path, struct board *board, unsigned workers)
{
	*l = (struct loader){.store_path = store_path, .board = board, .before_pin = STORE_UNPINNED, .keep = versions_keep_default, .cause = "start"};
	pthread_mutex_init(&l->lock, NULL);
	for (unsigned i = 0; i < workers; i++)
		l->pins[l->pin_count++] = &board->workers[i].pin;
	l->known = known_new();
	l->pins[l->pin_count++] = &board->watch.pin;
	for (unsigned i = 0; i < BOARD_DRIFT_PINS; i++)
		l->pins[l->pin_count++] = &board->watch.drift_pins[i];
	l->pins[l->pin_count++] = &board->admin.pin;
	l->pins[l->pin_count++] = &l->before_pin;
	for (unsigned i = 0; i < BOARD_TRANSFER_PINS; i++)
		l->pins[l->pin_count++] = &board->sync.transfer_pins[i];
}

void loader_done(struct loader *l)
{
	store_writer_close(l->writer);
	l->writer = NULL;
	zone_list_free(l->zones);
	l->zones = NULL;
	known_free(l->known);
	l->known = NULL;
	serials_done(&l->serials);
	pthread_mutex_destroy(&l->lock);
}

/* ---- counts: kept with every commit, so that one zone's change costs that zone ---- */

static void count(struct loader *l, const struct zone_row *row, bool in)
{
	uint64_t one = in ? 1 : UINT64_MAX;

	if (!row->serving)
		return;
	l->serving += one;
	l->records += one * row->records;
	if (row->slot < BOARD_NETWORKS_MAX)
		l->net_ready[row->slot] += (uint32_t)one;
}

static void count_one(struct loader *l, const struct zone_row *row, bool in)
{
	if (row->slot < BOARD_NETWORKS_MAX)
		l->net_zones[row->slot] += in ? 1 : UINT32_MAX;
	count(l, row, in);
}

void loader_uncount(struct loader *l, const struct zone_row *row)
{
	count_one(l, row, false);
}

void loader_recount(struct loader *l, const struct zone_row *row)
{
	count_one(l, row, true);
}

static void count_all(struct loader *l)
{
	l->serving = l->records = l->failing = 0;
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++)
		l->first[i] = (struct loader_first){.stale = true};
	memset(l->net_zones, 0, sizeof(l->net_zones));
	memset(l->net_ready, 0, sizeof(l->net_ready));
	for (size_t i = 0; i < l->zones->count; i++) {
		const struct zone_row *row = &l->zones->rows[i];

		if (row->slot < BOARD_NETWORKS_MAX)
			l->net_zones[row->slot]++;
		l->failing += row->error != NULL;
		count(l, row, true);
	}
}

/* ---- signatures: the zone of each network of which they end first ---- */

static bool ends_first(const struct zone_row *a, const struct zone_row *b)
{
	return !b || signatures_before(a->signatures.end, b->signatures.end);
}

static void note_signatures(struct loader *l, const struct zone_row *row)
{
	struct loader_first *f = row->slot < BOARD_NETWORKS_MAX ? &l->first[row->slot] : NULL;

	if (!f || f->stale)
		return;
	if (f->row == row)
		f->stale = true;
	else if (row->serving && row->signatures.any && ends_first(row, f->row))
		f->row = row;
}

static void find_first(struct loader *l)
{
	bool stale = false;

	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		stale |= l->first[i].stale;
		if (l->first[i].stale)
			l->first[i].row = NULL;
	}
	for (size_t i = 0; stale && i < l->zones->count; i++) {
		const struct zone_row *row = &l->zones->rows[i];
		struct loader_first *f = row->slot < BOARD_NETWORKS_MAX ? &l->first[row->slot] : NULL;

		if (f && f->stale && row->serving && row->signatures.any && ends_first(row, f->row))
			f->row = row;
	}
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++)
		l->first[i].stale = false;
}

static void publish_signatures(struct loader *l)
{
	find_first(l);
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		struct board_sync_network *b = &l->board->sync.networks[i];
		const struct zone_row *row = l->first[i].row;
		char name[NAME_TEXT_MAX] = "";
		uint32_t known = !row ? 0 : row->signatures.exact ? 1 : 2;

		if (row)
			name_to_text(row->apex, name);
		if (b->signatures == known && (!row || (b->signatures_end == row->signatures.end && strncmp(b->signatures_zone, name, BOARD_ZONE_MAX - 1) == 0)))
			continue;
		board_write_begin(&b->seq);
		b->signatures = known;
		b->signatures_end = row ? row->signatures.end : 0;
		snprintf(b->signatures_zone, sizeof(b->signatures_zone), "%.*s", BOARD_ZONE_MAX - 1, name);
		board_write_end(&b->seq);
	}
}

enum { LOOK_EARLY_S = 3600 /* before the alert, so that it does not come for nothing */ };

static bool wants_look(const struct loader *l, const struct zone_row *row, int64_t now_wall_s)
{
	const struct config *c = l->zones->from;

	return c && row->serving && row->signatures.any && !row->signatures.exact && row->network < c->network_count &&
	       signatures_left_s(&row->signatures, now_wall_s) < c->networks[row->network].signatures_alert_ms / 1000 + LOOK_EARLY_S;
}

bool loader_wants_look(const struct loader *l)
{
	int64_t now = clock_wall_s();

	for (size_t i = 0; l->zones && l->aligned && i < BOARD_NETWORKS_MAX; i++)
		if (l->first[i].row && wants_look(l, l->first[i].row, now))
			return true;
	return false;
}

void loader_look_at_signatures(struct loader *l)
{
	int64_t now = clock_wall_s();
	struct store_snapshot s;

	if (!l->zones || !l->aligned || !l->writer)
		return;
	store_writer_snapshot(l->writer, &s);
	for (size_t i = 0; i < l->zones->count; i++) {
		struct zone_row *row = &l->zones->rows[i];
		const struct store_zone *z = wants_look(l, row, now) ? store_zone_get(&s, row->apex) : NULL;
		struct signatures found;

		if (!z || signatures_look(&s, z, &found) < 0)
			continue;
		pthread_mutex_lock(&l->lock);
		row->signatures = found;
		pthread_mutex_unlock(&l->lock);
		if (row->slot < BOARD_NETWORKS_MAX)
			l->first[row->slot].stale = true;
	}
	publish_signatures(l);
}

int loader_change_list(struct loader *l, struct zone_row *rows, size_t count)
{
	size_t dropped = 0;
	int err;

	for (size_t i = 0; i < l->zones->count; i++)
		if (l->zones->rows[i].dropped) {
			count_one(l, &l->zones->rows[i], false);
			dropped++;
		}
	if (!dropped && !count)
		return 0;
	pthread_mutex_lock(&l->lock);
	err = zone_list_merge(l->zones, rows, count);
	pthread_mutex_unlock(&l->lock);
	for (size_t i = 0; i < l->zones->count && err && dropped; i++)
		if (l->zones->rows[i].dropped)
			count_one(l, &l->zones->rows[i], true);
	for (size_t i = 0; i < count && !err; i++)
		count_one(l, &rows[i], true);
	/* Rows have moved. */
	for (size_t i = 0; i < BOARD_NETWORKS_MAX && !err; i++)
		l->first[i] = (struct loader_first){.stale = true};
	return err;
}

static void publish_counts(struct loader *l)
{
	struct board_sync *b = &l->board->sync;

	publish_signatures(l);
	atomic_store(&b->zones_failing, l->failing);

	atomic_store(&b->zones_configured, l->zones->count);
	atomic_store(&b->zones_serving, l->serving);
	atomic_store(&b->zones_failed, l->zones->count - l->serving);
	atomic_store(&b->records, l->records);
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		/* Never let a reader see more ready than there are, nor all ready for a moment. */
		if (l->net_zones[i] > atomic_load(&b->networks[i].zones))
			atomic_store(&b->networks[i].zones, l->net_zones[i]);
		atomic_store(&b->networks[i].ready, l->net_ready[i]);
		atomic_store(&b->networks[i].zones, l->net_zones[i]);
	}
}

/* The row says what has been committed of its zone. */
static void settle(struct run *r, const struct store_snapshot *s, struct zone_row *row)
{
	const struct store_zone *z = store_zone_get(s, row->apex);
	struct loader *l = r->loader;
	bool served = row->serving;
	uint32_t serial = row->serial;

	count(r->loader, row, false);
	pthread_mutex_lock(&l->lock);
	row->serving = z && z->state == STORE_ZONE_SERVING;
	row->records = row->serving ? (uint32_t)z->record_count : 0;
	row->serial = row->serving ? z->serial : 0;
	row->signatures = row->serving ? signatures_known(z) : (struct signatures){0};
	pthread_mutex_unlock(&l->lock);
	note_signatures(l, row);
	row->stored = false;
	count(r->loader, row, true);
	if (l->on_serial && row->serving && (!served || row->serial != serial))
		l->on_serial(l->on_serial_ctx, row->apex, row->serial, !served);
}

/* Rows from `settled` up to `end` may be in the version that is committed. */
static int commit(struct run *r, size_t end)
{
	struct board_sync *b = &r->loader->board->sync;
	struct store_snapshot s;
	uint64_t generation;
	int err;

	serials_write(&r->loader->serials, r->loader->journal);
	err = r->dirty ? store_commit(r->loader->writer, &generation) : 0;
	if (err < 0)
		return err;
	if (r->dirty)
		atomic_store(&b->store_generation, generation);
	store_writer_snapshot(r->loader->writer, &s);
	for (; r->settled < end; r->settled++)
		if (r->zones->rows[r->settled].stored)
			settle(r, &s, &r->zones->rows[r->settled]);
	r->dirty = false;
	r->committed_ms = clock_ms();
	store_collect(r->loader->writer);
	if (r->loader->versions)
		versions_note(r->loader->versions, r->loader, false);
	return 0;
}

static void shut(void *ctx, const uint8_t *const *apexes, size_t count)
{
	xdp_cache_shut(ctx, apexes, count);
}

static void reopen(void *ctx, const uint8_t *const *apexes, size_t count)
{
	xdp_cache_reopen(ctx, apexes, count);
}

/* The kernel's cache answers nothing of a changed zone from before it is visible. What a predecessor changed or left half done is dead. */
static void watch_commits(struct loader *l)
{
	const struct store_watcher watcher = {shut, reopen, l->kernel};

	if (!l->kernel)
		return;
	xdp_cache_renew(l->kernel);
	xdp_cache_recover(l->kernel);
	store_writer_watch(l->writer, &watcher);
}

static int open_store(struct loader *l)
{
	struct store_open_info info;
	struct stat st;
	uint64_t generation;
	int err;

	if (l->writer)
		return 0;
	err = store_writer_open(l->store_path, l->pins, l->pin_count, &l->writer, &info);
	if (err < 0)
		return err;
	watch_commits(l);
	if (stat(l->store_path, &st) < 0)
		return ERR_NOT_FOUND;
	if (info.fresh) {
		err = store_commit(l->writer, &generation);
		if (err < 0)
			return err;
	}
	log_info("store fresh=%d zones=%" PRIu64 " live_mib=%" PRIu64, info.fresh, info.zones, info.live_bytes >> 20);
	atomic_store(&l->board->sync.store_ino, st.st_ino);
	return 0;
}

/* ---- one zone ---- */

/* On any thread. */
static void on_progress(void *ctx, const struct zone_row *row, uint64_t done, uint64_t all)
{
	struct run *r = ctx;
	struct board_sync *b = &r->loader->board->sync;
	uint64_t now = clock_ms(), said = atomic_load(&r->said_ms);
	char name[NAME_TEXT_MAX];

	if (now - said < PROGRESS_MS || !atomic_compare_exchange_strong(&r->said_ms, &said, now))
		return;
	name_to_text(row->apex, name);
	log_info("loading zone=%s percent=%u zones_done=%" PRIu64 " zones=%zu", name, all ? (unsigned)(done * 100 / all) : 0,
	         atomic_load(&b->loading_done), r->zones->count);
}

static void log_problems(const struct diag *d)
{
	char line[1400];

	for (const struct diag_entry *e = d->first; e; e = e->next)
		log_line(e->severity == DIAG_ERROR ? LOG_ERR : LOG_WARN, "%s", diag_entry_text(e, line, sizeof(line)));
	if (d->dropped)
		log_warn("%u more problems are not shown; zonecast zone check shows them", d->dropped);
}

void loader_keep_change(struct loader *l, const uint8_t *apex, struct applied *applied)
{
	if (applied->has_change && (!l->history || !zone_change_size(&applied->change)))
		zone_change_done(&applied->change);
	else if (applied->has_change)
		history_add(l->history, apex, &applied->change);
	else if (l->history)
		history_forget(l->history, apex);
	applied->has_change = false;
}

int loader_judge(struct loader *l, const uint8_t *apex, const struct content *c, bool force, struct text *why)
{
	return l->on_version ? l->on_version(l->on_list_ctx, l, apex, c, force, why) : 0;
}

static int apply(struct run *r, const struct zone_row *row, struct ahead_zone *read, const struct store_zone_meta *meta, struct applied *out)
{
	struct loader *l = r->loader;
	const struct store_zone *z;
	struct store_snapshot s;
	int err;

	if (!read->prints)
		return apply_content(l->writer, row->apex, read->content, meta, out);
	store_writer_snapshot(l->writer, &s);
	z = store_zone_get(&s, row->apex);
	err = apply_content_known(l->writer, row->apex, read->content, meta, z ? known_find(l->known, row->apex, z) : NULL, read->prints, out);
	if (err)
		return err;
	store_writer_draft(l->writer, &s);
	known_keep(l->known, row->apex, store_zone_get(&s, row->apex), read->prints);
	read->prints = NULL;
	return 0;
}

/* The zone stays as it is. */
static void fail(struct run *r, struct zone_row *row, const char *name, const char *why)
{
	board_add(&r->loader->board->sync.loads_failed, 1);
	log_err("zone=%s file=%s error=\"%s\" action=\"%s\"", name, row->path, why, row->serving ? "the last good version stays" : "answers SERVFAIL until it loads");
}

/* Files that the zone is made of, beside its own, and those that are to blame: saving one is a reason to read it again. */
static void watch_files(const struct loader *l, const struct zone_row *row, const struct ahead_zone *read)
{
	if (!l->watcher || !row->watched)
		return;
	for (uint32_t i = 0; read->content && content_file(read->content, i); i++)
		watcher_add(l->watcher, row->apex, content_file(read->content, i));
	for (const struct diag_entry *e = read->diag.first; e; e = e->next)
		if (e->severity == DIAG_ERROR && e->file)
			watcher_add(l->watcher, row->apex, e->file);
}

/* 1: a version of a catalog that is not to be taken. */
static int pass_judge(struct run *r, struct zone_row *row, const struct ahead_zone *read, const char *name)
{
	struct loader *l = r->loader;
	struct text why;
	int err;

	text_init(&why);
	err = loader_judge(l, row->apex, read->content, row->allowed, &why);
	if (err) {
		board_add(&l->board->sync.loads_refused, 1);
		fail(r, row, name, why.len ? why.chars : err_text(err));
		told_error(l, row, why.len ? why.chars : err_text(err));
	}
	text_done(&why);
	return err != 0;
}

/* 1: refused. */
static int pass_gate(struct run *r, struct zone_row *row, struct ahead_zone *read, const char *name)
{
	const struct gate_rules rules = gate_rules_of(row->conf, row->followed);
	struct loader *l = r->loader;
	struct gate_past past = {0};
	struct gate_outcome out;
	struct store_snapshot s;
	const struct store_zone *z;
	int err;

	store_writer_draft(l->writer, &s);
	z = store_zone_get(&s, row->apex);
	if (rules.serial != CONFIG_SERIAL_KEEP && (!z || z->state != STORE_ZONE_SERVING))
		past = serials_past(l->journal, row->apex, read->source);
	err = gate_file(read->content, &s, z, &rules, &past, row->allowed, clock_wall_s(), &out);
	if (err)
		return err;
	if (out.refused) {
		board_add(&l->board->sync.loads_refused, 1);
		fail(r, row, name, out.text);
		told_error(l, row, out.text);
		return 1;
	}
	if (out.changed || rules.zonemd == CONFIG_ZONEMD_COMPUTE)
		ahead_print_again(read);
	if (out.text[0])
		log_warn("zone=%s file=%s note=\"%s\"", name, row->path, out.text);
	if (rules.serial != CONFIG_SERIAL_KEEP && (out.changed || row->allowed || past.has_serial))
		err = serials_add(&l->serials, row->apex, out.serial, read->source);
	return err;
}

static void describe_failure(const struct ahead_zone *read, char *out, size_t cap)
{
	char line[1400];

	for (const struct diag_entry *e = read->diag.first; e; e = e->next)
		if (e->severity == DIAG_ERROR) {
			snprintf(out, cap, "%.300s%s", diag_entry_text(e, line, sizeof(line)), read->diag.errors > 1 ? " (and more)" : "");
			return;
		}
	snprintf(out, cap, "%s", err_text(read->err));
}

/* What the row's file is to be served as: the version gone back to, as long as the file says what was gone back from, else what passes the gate. 1: nothing, and it is told. */
static int judge(struct run *r, struct zone_row *row, struct ahead_zone *read, const char *name, struct content **instead, char *why)
{
	struct loader *l = r->loader;
	char text[400];
	int err;

	if (read->err < 0) {
		describe_failure(read, text, sizeof(text));
		fail(r, row, name, err_text(read->err));
		told_error(l, row, text);
		return 1;
	}
	err = l->versions ? versions_judge(l->versions, row, read->content, instead, why) : 0;
	if (!err && !*instead && pass_judge(r, row, read, name))
		return 1;
	if (!err && !*instead)
		err = pass_gate(r, row, read, name);
	if (err < 0) {
		fail(r, row, name, err_text(err));
		told_error(l, row, err_text(err));
	}
	return err ? 1 : 0;
}

/* *refused: the version before stays, for what the row's error says. */
static int take_file(struct run *r, struct zone_row *row, struct ahead_zone *read, bool *refused, char *why)
{
	struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = row->network, .source = read->source};
	const struct content *served = read->content;
	const struct content_rrset *soa_set;
	struct content *instead = NULL;
	struct loader *l = r->loader;
	uint64_t began = clock_ms();
	char name[NAME_TEXT_MAX];
	struct soa soa = {0};
	struct applied applied;
	char how[80] = "";
	int err;

	name_to_text(row->apex, name);
	log_problems(&read->diag);
	watch_files(l, row, read);
	*refused = judge(r, row, read, name, &instead, why) != 0;
	if (*refused)
		return 0;
	if (instead)
		served = instead;
	if (l->versions)
		versions_will_store(l->versions, l, row, !instead);
	err = instead ? apply_content(l->writer, row->apex, instead, &meta, &applied) : apply(r, row, read, &meta, &applied);
	if (err) {
		content_free(instead);
		log_err("zone=%s error=\"the store cannot take it: %s\" action=\"%s\"", name, err_text(err),
		        row->serving ? "the last good version stays" : "answers SERVFAIL");
		told_error(l, row, err_text(err));
		return err;
	}
	if (row->error)
		told_error(l, row, NULL);
	else if (!row->serving && board_get(&l->board->sync.loads_done))
		sync_event_zone(row->apex, EVENT_INFO, "none", "served", "for the first time, with %zu records", content_record_count(served));
	if (!applied.unchanged)
		row->stored = r->dirty = true;
	else if (l->versions)
		versions_unchanged(l->versions, row);
	loader_keep_change(l, row->apex, &applied);
	if (applied.unchanged)
		snprintf(how, sizeof(how), " unchanged=1");
	if (applied.in_place)
		snprintf(how, sizeof(how), " removed=%zu added=%zu", applied.removed, applied.added);
	soa_set = content_soa(served);
	if (!soa_set || soa_parse(soa_set->records[0].rdata, soa_set->records[0].rdlen, &soa) < 0)
		soa.serial = 0;
	else if (!applied.unchanged && row->serving && row->serial == soa.serial && l->history)
		history_twice(l->history, row->apex, soa.serial);
	if (soa_set)
		log_info("zone=%s serial=%u records=%zu%s read_ms=%u took_ms=%u", name, soa.serial, content_record_count(served), how, read->took_ms,
		         read->took_ms + (unsigned)(clock_ms() - began));
	content_free(instead);
	return 0;
}

/* Zone problems are logged and are no error of the run; a store that cannot take the zone is. */
static int store_one(struct run *r, struct zone_row *row, struct ahead_zone *read)
{
	char why[VERSIONS_WHY_MAX] = "";
	struct loader *l = r->loader;
	bool refused = false;
	int err = take_file(r, row, read, &refused, why);

	if (l->on_read)
		l->on_read(l->on_read_ctx, row, err ? err : refused ? ERR_INVALID : 0, &read->diag, refused ? row->error : why[0] ? why : NULL);
	return err;
}

static bool must_read(struct run *r, const struct zone_row *row)
{
	const struct store_zone *z;
	struct store_snapshot s;

	if (!row->path)
		return false;
	if (row->forced || !row->serving)
		return true;
	store_writer_snapshot(r->loader->writer, &s);
	z = store_zone_get(&s, row->apex);
	return !z || z->network != row->network || !source_unchanged((const char *)z->tail + z->apex_len, z->source_len, row->path);
}

static void read_ahead(struct run *r)
{
	r->judged = MAX(r->judged, r->at);
	if (!ahead_wants(r->ahead))
		return;
	for (; r->judged < r->zones->count && r->judged - r->at < LOOK_AHEAD && ahead_has_room(r->ahead); r->judged++) {
		const struct zone_row *row = &r->zones->rows[r->judged];

		if (row->first == r->first && must_read(r, row))
			ahead_add(r->ahead, row);
	}
}

/* Not the zone's fault: see loader.h. The first such file ends the run. */
static bool lacks_right(struct run *r, const struct ahead_zone *read)
{
	struct loader *l = r->loader;

	if (read->err != -EACCES || !l->may_ask || strlen(read->row->path) >= sizeof(l->unreadable))
		return false;
	snprintf(l->unreadable, sizeof(l->unreadable), "%s", read->row->path);
	return true;
}

/* A large zone is visible before the memory of what it was read from is given back. */
static int bring_up(struct run *r, struct zone_row *row)
{
	struct ahead_zone *read;
	int err;

	row->forced = false;
	if (ahead_first(r->ahead) != row)
		return 0;
	read = ahead_take(r->ahead);
	err = lacks_right(r, read) ? 0 : store_one(r, row, read);
	if (!err && row->stored && content_record_count(read->content) >= KNOWN_RECORDS_MIN)
		err = commit(r, (size_t)(row - r->zones->rows) + 1);
	row->allowed = false;
	ahead_release(r->ahead, read);
	return err;
}

/* ---- runs ---- */

/* All rows that are to come first, or all others, in order. Returns the worst that happened. */
static int turn(struct run *r, bool first)
{
	struct loader *l = r->loader;
	int err, worst = 0;

	r->first = first;
	r->judged = r->settled = 0;
	for (r->at = 0; r->at < r->zones->count && !l->unreadable[0]; r->at++) {
		struct zone_row *row = &r->zones->rows[r->at];

		if (row->first != first)
			continue;
		read_ahead(r);
		err = bring_up(r, row);
		atomic_store(&l->board->sync.loading_done, ++r->done);
		if (!err && clock_ms() - r->committed_ms >= COMMIT_MS)
			err = commit(r, r->at + 1);
		if (err < 0)
			worst = err;
	}
	err = commit(r, r->zones->count);
	return err < 0 ? err : worst;
}

/* A predecessor may have died before it told of the last serials. */
static void tell_serials(const struct loader *l)
{
	for (size_t i = 0; l->on_serial && i < l->zones->count; i++)
		if (l->zones->rows[i].serving)
			l->on_serial(l->on_serial_ctx, l->zones->rows[i].apex, l->zones->rows[i].serial, true);
}

/* NULL: the list in force, with which the store is not in line. */
static int take_list(struct run *r, struct zone_list *zones)
{
	struct loader *l = r->loader;
	bool first = !l->zones;
	int err;

	pthread_mutex_lock(&l->lock);
	err = align_store(l->writer, zones && l->aligned ? l->zones : NULL, zones ? zones : l->zones, &r->dirty);
	if (zones) {
		zone_list_free(l->zones);
		r->zones = l->zones = zones;
	}
	pthread_mutex_unlock(&l->lock);
	count_all(l);
	if (!err)
		err = commit(r, 0);
	l->aligned = !err;
	if (err) {
		store_abort(l->writer);
		r->dirty = false;
	} else if (first) {
		tell_serials(l);
	}
	return err;
}

static void mark_forced(struct zone_list *zones, const struct name *forced, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct zone_row *row = zone_list_find(zones, forced[i].wire);
		char name[NAME_TEXT_MAX];

		if (row) {
			row->forced = true;
			continue;
		}
		name_to_text(forced[i].wire, name);
		log_warn("reload zone=%s error=\"this node has no such zone\"", name);
	}
}

static int begin(struct loader *l, struct run *r, size_t zones)
{
	struct board_sync *b = &l->board->sync;

	*r = (struct run){.loader = l, .zones = l->zones, .said_ms = clock_ms(), .committed_ms = clock_ms()};
	l->unreadable[0] = '\0';
	r->ahead = ahead_new(on_progress, r);
	if (!r->ahead)
		return ERR_NO_MEMORY;
	if (l->known)
		ahead_want_prints(r->ahead, known_key(l->known));
	atomic_store(&b->loading_done, 0);
	atomic_store(&b->loading_zones, zones);
	atomic_store(&b->loading, 1);
	return 0;
}

static int end(struct run *r, int worst)
{
	struct loader *l = r->loader;
	struct board_sync *b = &l->board->sync;

	ahead_free(r->ahead);
	if (l->writer)
		store_shrink(l->writer);
	atomic_store(&b->loading, 0);
	if (l->unreadable[0]) {
		if (l->versions && l->writer)
			versions_note(l->versions, l, true);
		return -EACCES;
	}
	publish_counts(l);
	if (!board_get(&b->loads_done))
		sync_event_loaded(l->zones->count, l->serving);
	board_add(&b->loads_done, 1);
	log_notice("zones configured=%zu serving=%" PRIu64 " failed=%" PRIu64 " records=%" PRIu64, l->zones->count, l->serving,
	           l->zones->count - l->serving, l->records);
	if (l->versions && l->writer)
		versions_note(l->versions, l, true);
	return worst;
}

int loader_run(struct loader *l, struct zone_list *zones, const struct name *forced, size_t forced_count)
{
	struct run r;
	bool first;
	int err, worst;

	err = open_store(l);
	if (!err && zones && l->on_list)
		err = l->on_list(l->on_list_ctx, l, zones);
	if (!err)
		err = begin(l, &r, zones ? zones->count : l->zones->count);
	if (err < 0) {
		log_err("store file=%s error=\"%s\"", l->store_path, err_text(err));
		zone_list_free(zones);
		return err;
	}
	first = !l->zones;
	worst = zones || !l->aligned ? take_list(&r, zones) : 0;
	if (first && l->versions && l->aligned)
		versions_recall(l->versions, l);
	mark_forced(l->zones, forced, forced_count);
	err = turn(&r, true);
	worst = err < 0 ? err : worst;
	/* What is served of the new is served at once; looking at each file of 100,000 zones takes its time. */
	err = l->unreadable[0] ? 0 : turn(&r, false);
	return end(&r, err < 0 ? err : worst);
}

struct zone_row *loader_row(const struct loader *l, const uint8_t *apex)
{
	return l->zones && l->aligned ? zone_list_find(l->zones, apex) : NULL;
}

int loader_commit(struct loader *l, struct zone_row *const *rows, size_t count)
{
	struct run r = {.loader = l, .zones = l->zones, .dirty = true};
	struct store_snapshot s;
	int err = commit(&r, 0);

	if (err < 0) {
		store_abort(l->writer);
		return err;
	}
	store_writer_snapshot(l->writer, &s);
	for (size_t i = 0; i < count; i++)
		if (rows[i]->stored)
			settle(&r, &s, rows[i]);
	publish_counts(l);
	return 0;
}

void loader_allow(struct loader *l, const uint8_t *apex)
{
	struct zone_row *row = l->zones ? zone_list_find(l->zones, apex) : NULL;

	if (row)
		row->allowed = true;
}

bool loader_has(const struct loader *l, const uint8_t *apex)
{
	const struct zone_row *row = l->zones && l->aligned ? zone_list_find(l->zones, apex) : NULL;
	struct stat st;

	return row && row->path && stat(row->path, &st) == 0;
}

int loader_run_some(struct loader *l, const struct name *zones, size_t count)
{
	struct run r;
	int err = begin(l, &r, count), worst = 0;

	if (err < 0)
		return err;
	for (size_t i = 0; i < count && !l->unreadable[0]; i++) {
		struct zone_row *row = zone_list_find(l->zones, zones[i].wire);

		if (!row || !row->path)
			continue;
		ahead_add(r.ahead, row);
		r.settled = (size_t)(row - l->zones->rows);
		err = bring_up(&r, row);
		if (!err) /* a large one has been committed already */
			err = commit(&r, (size_t)(row - l->zones->rows) + 1);
		atomic_store(&l->board->sync.loading_done, ++r.done);
		worst = err < 0 ? err : worst;
	}
	return end(&r, worst);
}
