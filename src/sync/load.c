/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/load.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "sync/ahead.h"
#include "sync/apply.h"
#include "sync/source.h"
#include "xdp/cache.h"

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
	const struct zone_list *zones;
	size_t at, judged;       /* rows brought up; rows of which it is known whether they are read */
	const uint8_t *only;
	struct ahead *ahead;
	uint64_t committed_ms;
	_Atomic uint64_t said_ms; /* set by whichever thread reads */
	uint64_t serving, failed, records;
	uint32_t net_zones[BOARD_NETWORKS_MAX], net_ready[BOARD_NETWORKS_MAX];
	bool dirty;
};

void loader_init(struct loader *l, const char *store_path, struct board *board, unsigned workers)
{
	*l = (struct loader){.store_path = store_path, .board = board};
	for (unsigned i = 0; i < workers; i++)
		l->pins[l->pin_count++] = &board->workers[i].pin;
	l->pins[l->pin_count++] = &board->watch.pin;
	l->pins[l->pin_count++] = &board->admin.pin;
}

void loader_done(struct loader *l)
{
	store_writer_close(l->writer);
	l->writer = NULL;
}

static void publish_counts(struct run *r)
{
	struct board_sync *b = &r->loader->board->sync;

	atomic_store(&b->zones_configured, r->zones->count);
	atomic_store(&b->zones_serving, r->serving);
	atomic_store(&b->zones_failed, r->failed);
	atomic_store(&b->records, r->records);
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		/* Never let a reader see more ready than there are, nor all ready for a moment. */
		if (r->net_zones[i] > atomic_load(&b->networks[i].zones))
			atomic_store(&b->networks[i].zones, r->net_zones[i]);
		atomic_store(&b->networks[i].ready, r->net_ready[i]);
		atomic_store(&b->networks[i].zones, r->net_zones[i]);
	}
}

static int commit(struct run *r)
{
	struct board_sync *b = &r->loader->board->sync;
	uint64_t generation;
	int err = r->dirty ? store_commit(r->loader->writer, &generation) : 0;

	if (err < 0)
		return err;
	if (r->dirty)
		atomic_store(&b->store_generation, generation);
	r->dirty = false;
	r->committed_ms = clock_ms();
	store_collect(r->loader->writer);
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

/* ---- zones that went and zones that came ---- */

static int drop_strangers(struct run *r)
{
	struct store_snapshot s;
	const struct store_zone *z = NULL;
	struct name apex;
	int err = 0;

	store_writer_snapshot(r->loader->writer, &s);
	for (z = store_zone_next(&s, NULL); !err && z; z = store_zone_next(&s, apex.wire)) {
		name_copy(&apex, store_zone_apex(z));
		if (zone_list_find(r->zones, apex.wire))
			continue;
		err = store_remove_zone(r->loader->writer, apex.wire);
		r->dirty = true;
	}
	return err;
}

static int add_newcomers(struct run *r)
{
	struct store_zone_meta meta = {.state = STORE_ZONE_NO_DATA, .source = ""};
	struct store_snapshot s;
	int err = 0;

	store_writer_snapshot(r->loader->writer, &s);
	for (size_t i = 0; !err && i < r->zones->count; i++) {
		const struct zone_row *row = &r->zones->rows[i];

		if (store_zone_get(&s, row->apex))
			continue;
		meta.network = row->network;
		err = store_put_zone(r->loader->writer, row->apex, NULL, &meta);
		r->dirty = true;
	}
	return err;
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

/* Zone problems are logged and are no error of the run; a store that cannot take the zone is. */
static int store_one(struct run *r, struct ahead_zone *read, bool had_data, bool *loaded)
{
	const struct zone_row *row = read->row;
	struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = row->network, .source = read->source};
	const struct content_rrset *soa_set;
	uint64_t began = clock_ms();
	char name[NAME_TEXT_MAX];
	struct soa soa = {0};
	struct applied applied;
	char how[80] = "";
	int err;

	name_to_text(row->apex, name);
	log_problems(&read->diag);
	if (read->err < 0) {
		board_add(&r->loader->board->sync.loads_failed, 1);
		log_err("zone=%s file=%s error=\"%s\" action=\"%s\"", name, row->path, err_text(read->err),
		        had_data ? "the last good version stays" : "answers SERVFAIL until it loads");
		return 0;
	}
	err = apply_content(r->loader->writer, row->apex, read->content, &meta, &applied);
	if (err) {
		log_err("zone=%s error=\"the store cannot take it: %s\" action=\"%s\"", name, err_text(err),
		        had_data ? "the last good version stays" : "answers SERVFAIL");
		return err;
	}
	*loaded = true;
	r->dirty = true;
	if (applied.in_place)
		snprintf(how, sizeof(how), " removed=%zu added=%zu", applied.removed, applied.added);
	soa_set = content_soa(read->content);
	if (soa_set && soa_parse(soa_set->records[0].rdata, soa_set->records[0].rdlen, &soa) == 0)
		log_info("zone=%s serial=%u records=%zu%s took_ms=%u", name, soa.serial, content_record_count(read->content), how,
		         read->took_ms + (unsigned)(clock_ms() - began));
	return 0;
}

static bool must_read(struct run *r, const struct zone_row *row)
{
	const struct store_zone *z;
	struct store_snapshot s;

	if (!row->path)
		return false;
	if (r->only && name_equal(r->only, row->apex))
		return true;
	store_writer_snapshot(r->loader->writer, &s);
	z = store_zone_get(&s, row->apex);
	return !z || z->state != STORE_ZONE_SERVING || z->network != row->network ||
	       !source_unchanged((const char *)z->tail + z->apex_len, z->source_len, row->path);
}

static void read_ahead(struct run *r)
{
	for (; r->judged < r->zones->count && r->judged - r->at < LOOK_AHEAD && ahead_has_room(r->ahead); r->judged++)
		if (must_read(r, &r->zones->rows[r->judged]))
			ahead_add(r->ahead, &r->zones->rows[r->judged]);
}

static int bring_up(struct run *r, const struct zone_row *row)
{
	const struct store_zone *z;
	struct store_snapshot s;
	bool has_data, loaded = false;
	int err = 0;

	store_writer_snapshot(r->loader->writer, &s);
	z = store_zone_get(&s, row->apex);
	has_data = z && z->state == STORE_ZONE_SERVING;
	if (ahead_first(r->ahead) == row) {
		struct ahead_zone *read = ahead_take(r->ahead);

		err = store_one(r, read, has_data, &loaded);
		ahead_release(r->ahead, read);
	}
	if (has_data || loaded)
		r->serving++;
	else
		r->failed++;
	if (row->slot < BOARD_NETWORKS_MAX && (has_data || loaded))
		r->net_ready[row->slot]++;
	return err;
}

static void count_records(struct run *r)
{
	const struct store_zone *z;
	struct store_snapshot s;

	store_writer_snapshot(r->loader->writer, &s);
	for (z = store_zone_next(&s, NULL); z; z = store_zone_next(&s, store_zone_apex(z)))
		r->records += z->record_count;
}

int loader_run(struct loader *l, const struct zone_list *zones, const uint8_t *only)
{
	struct run r = {.loader = l, .zones = zones, .only = only, .said_ms = clock_ms(), .committed_ms = clock_ms()};
	struct board_sync *b = &l->board->sync;
	int err, worst = 0;

	err = open_store(l);
	if (err < 0) {
		log_err("store file=%s error=\"%s\"", l->store_path, err_text(err));
		return err;
	}
	r.ahead = ahead_new(on_progress, &r);
	if (!r.ahead)
		return ERR_NO_MEMORY;
	atomic_store(&b->loading_done, 0);
	atomic_store(&b->loading_zones, zones->count);
	atomic_store(&b->loading, 1);
	for (size_t i = 0; i < zones->count; i++)
		if (zones->rows[i].slot < BOARD_NETWORKS_MAX)
			r.net_zones[zones->rows[i].slot]++;
	err = drop_strangers(&r);
	if (!err)
		err = add_newcomers(&r);
	if (!err)
		err = commit(&r);
	for (r.at = 0; r.at < zones->count; r.at++) {
		const struct zone_row *row = &zones->rows[r.at];

		read_ahead(&r);
		err = bring_up(&r, row);
		atomic_store(&b->loading_done, r.at + 1);
		if (!err && clock_ms() - r.committed_ms >= COMMIT_MS)
			err = commit(&r);
		if (err < 0)
			worst = err;
	}
	err = commit(&r);
	if (err < 0)
		worst = err;
	ahead_free(r.ahead);
	count_records(&r);
	publish_counts(&r);
	board_add(&b->loads_done, 1);
	atomic_store(&b->loading, 0);
	log_notice("zones configured=%zu serving=%" PRIu64 " failed=%" PRIu64 " records=%" PRIu64, zones->count, r.serving, r.failed,
	           r.records);
	return worst;
}
