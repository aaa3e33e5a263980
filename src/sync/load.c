/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs of the loading thread: a list of zones is taken, files that changed are read ahead (ahead.c), stored one by one (load_file.c), and committed together. */
#include "sync/load_priv.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "sync/ahead.h"
#include "sync/align.h"
#include "sync/events.h"
#include "sync/known.h"
#include "sync/source.h"
#include "sync/versions.h"
#include "xdp/cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	COMMIT_MS = 100,     /* loaded zones become visible at least this often */
	PROGRESS_MS = 1000,  /* a load that takes longer says how far it is */
	LOOK_AHEAD = 1024,   /* rows judged before their turn: do they have to be read? */
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

/* ---- commits ---- */

/* The row says what has been committed of its zone. */
static void settle(struct load_run *r, const struct store_snapshot *s, struct zone_row *row)
{
	const struct store_zone *z = store_zone_get(s, row->apex);
	struct loader *l = r->loader;
	bool served = row->serving;
	uint32_t serial = row->serial;

	loader_count(r->loader, row, false);
	pthread_mutex_lock(&l->lock);
	row->serving = z && z->state == STORE_ZONE_SERVING;
	row->records = row->serving ? (uint32_t)z->record_count : 0;
	row->serial = row->serving ? z->serial : 0;
	row->signatures = row->serving ? signatures_known(z) : (struct signatures){0};
	pthread_mutex_unlock(&l->lock);
	loader_note_signatures(l, row);
	row->stored = false;
	loader_count(r->loader, row, true);
	if (l->on_serial && row->serving && (!served || row->serial != serial))
		l->on_serial(l->on_serial_ctx, row->apex, row->serial, !served);
}

/* Rows from `settled` up to `end` may be in the version that is committed. */
static int commit(struct load_run *r, size_t end)
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

/* ---- one row ---- */

/* On any thread. */
static void on_progress(void *ctx, const struct zone_row *row, uint64_t done, uint64_t all)
{
	struct load_run *r = ctx;
	struct board_sync *b = &r->loader->board->sync;
	uint64_t now = clock_ms(), said = atomic_load(&r->said_ms);
	char name[NAME_TEXT_MAX];

	if (now - said < PROGRESS_MS || !atomic_compare_exchange_strong(&r->said_ms, &said, now))
		return;
	name_to_text(row->apex, name);
	log_info("loading zone=%s percent=%u zones_done=%" PRIu64 " zones=%zu", name, all ? (unsigned)(done * 100 / all) : 0,
	         atomic_load(&b->loading_done), r->zones->count);
}

static bool must_read(struct load_run *r, const struct zone_row *row)
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

static void read_ahead(struct load_run *r)
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

/* Not the zone's fault: see load.h. The first such file ends the run. */
static bool lacks_right(struct load_run *r, const struct ahead_zone *read)
{
	struct loader *l = r->loader;

	if (read->err != -EACCES || !l->may_ask || strlen(read->row->path) >= sizeof(l->unreadable))
		return false;
	snprintf(l->unreadable, sizeof(l->unreadable), "%s", read->row->path);
	return true;
}

/* A large zone is visible before the memory of what it was read from is given back. */
static int bring_up(struct load_run *r, struct zone_row *row)
{
	struct ahead_zone *read;
	int err;

	row->forced = false;
	if (ahead_first(r->ahead) != row)
		return 0;
	read = ahead_take(r->ahead);
	err = lacks_right(r, read) ? 0 : loader_store_file(r, row, read);
	if (!err && row->stored && content_record_count(read->content) >= KNOWN_RECORDS_MIN)
		err = commit(r, (size_t)(row - r->zones->rows) + 1);
	row->allowed = false;
	ahead_release(r->ahead, read);
	return err;
}

/* ---- runs ---- */

/* All rows that are to come first, or all others, in order. Returns the worst that happened. */
static int turn(struct load_run *r, bool first)
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
static int take_list(struct load_run *r, struct zone_list *zones)
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
	loader_count_all(l);
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

static int begin(struct loader *l, struct load_run *r, size_t zones)
{
	struct board_sync *b = &l->board->sync;

	*r = (struct load_run){.loader = l, .zones = l->zones, .said_ms = clock_ms(), .committed_ms = clock_ms()};
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

static int end(struct load_run *r, int worst)
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
	loader_publish_counts(l);
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
	struct load_run r;
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
	struct load_run r = {.loader = l, .zones = l->zones, .dirty = true};
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
	loader_publish_counts(l);
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
	struct load_run r;
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
