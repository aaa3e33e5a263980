/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/load.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "sync/ahead.h"
#include "sync/align.h"
#include "sync/apply.h"
#include "sync/history.h"
#include "sync/source.h"
#include "sync/versions.h"
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
	for (unsigned i = 0; i < workers; i++)
		l->pins[l->pin_count++] = &board->workers[i].pin;
	l->pins[l->pin_count++] = &board->watch.pin;
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

static void count_all(struct loader *l)
{
	l->serving = l->records = 0;
	memset(l->net_zones, 0, sizeof(l->net_zones));
	memset(l->net_ready, 0, sizeof(l->net_ready));
	for (size_t i = 0; i < l->zones->count; i++) {
		const struct zone_row *row = &l->zones->rows[i];

		if (row->slot < BOARD_NETWORKS_MAX)
			l->net_zones[row->slot]++;
		count(l, row, true);
	}
}

static void publish_counts(const struct loader *l)
{
	struct board_sync *b = &l->board->sync;

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
	const struct loader *l = r->loader;
	bool served = row->serving;
	uint32_t serial = row->serial;

	count(r->loader, row, false);
	row->serving = z && z->state == STORE_ZONE_SERVING;
	row->records = row->serving ? (uint32_t)z->record_count : 0;
	row->serial = row->serving ? z->serial : 0;
	row->stored = false;
	count(r->loader, row, true);
	if (l->on_serial && row->serving && (!served || row->serial != serial))
		l->on_serial(l->on_serial_ctx, row->apex, row->serial);
}

/* Rows from `settled` up to `end` may be in the version that is committed. */
static int commit(struct run *r, size_t end)
{
	struct board_sync *b = &r->loader->board->sync;
	struct store_snapshot s;
	uint64_t generation;
	int err = r->dirty ? store_commit(r->loader->writer, &generation) : 0;

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

/* Zone problems are logged and are no error of the run; a store that cannot take the zone is. */
static int store_one(struct run *r, struct zone_row *row, const struct ahead_zone *read)
{
	struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = row->network, .source = read->source};
	const struct content_rrset *soa_set;
	uint64_t began = clock_ms();
	char name[NAME_TEXT_MAX];
	struct soa soa = {0};
	struct content *instead = NULL;
	struct loader *l = r->loader;
	struct applied applied;
	char how[80] = "", why[VERSIONS_WHY_MAX] = "";
	int err = read->err;

	name_to_text(row->apex, name);
	log_problems(&read->diag);
	if (err >= 0 && l->versions)
		err = versions_judge(l->versions, row, read->content, &instead, why);
	if (l->on_read)
		l->on_read(l->on_read_ctx, row, err, &read->diag, why[0] ? why : NULL);
	if (err < 0) {
		board_add(&r->loader->board->sync.loads_failed, 1);
		log_err("zone=%s file=%s error=\"%s\" action=\"%s\"", name, row->path, why[0] ? why : err_text(err),
		        row->serving ? "the last good version stays" : "answers SERVFAIL until it loads");
		return 0;
	}
	if (l->versions)
		versions_will_store(l->versions, l, row);
	err = apply_content(l->writer, row->apex, instead ? instead : read->content, &meta, &applied);
	if (err) {
		content_free(instead);
		log_err("zone=%s error=\"the store cannot take it: %s\" action=\"%s\"", name, err_text(err),
		        row->serving ? "the last good version stays" : "answers SERVFAIL");
		return err;
	}
	row->stored = r->dirty = true;
	loader_keep_change(r->loader, row->apex, &applied);
	if (applied.in_place)
		snprintf(how, sizeof(how), " removed=%zu added=%zu", applied.removed, applied.added);
	soa_set = content_soa(instead ? instead : read->content);
	if (soa_set && soa_parse(soa_set->records[0].rdata, soa_set->records[0].rdlen, &soa) == 0)
		log_info("zone=%s serial=%u records=%zu%s took_ms=%u", name, soa.serial, content_record_count(instead ? instead : read->content), how,
		         read->took_ms + (unsigned)(clock_ms() - began));
	content_free(instead);
	return 0;
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

static int bring_up(struct run *r, struct zone_row *row)
{
	struct ahead_zone *read;
	int err;

	row->forced = false;
	if (ahead_first(r->ahead) != row)
		return 0;
	read = ahead_take(r->ahead);
	err = lacks_right(r, read) ? 0 : store_one(r, row, read);
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
			l->on_serial(l->on_serial_ctx, l->zones->rows[i].apex, l->zones->rows[i].serial);
}

/* NULL: the list in force, with which the store is not in line. */
static int take_list(struct run *r, struct zone_list *zones)
{
	struct loader *l = r->loader;
	bool first = !l->zones;
	int err = align_store(l->writer, zones && l->aligned ? l->zones : NULL, zones ? zones : l->zones, &r->dirty);

	if (zones) {
		zone_list_free(l->zones);
		r->zones = l->zones = zones;
	}
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
		err = bring_up(&r, row);
		r.settled = (size_t)(row - l->zones->rows);
		if (!err)
			err = commit(&r, r.settled + 1);
		atomic_store(&l->board->sync.loading_done, ++r.done);
		worst = err < 0 ? err : worst;
	}
	return end(&r, worst);
}
