/* SPDX-License-Identifier: BSD-2-Clause */
/* One zone's file, on its way from what was read of it into the store: what is wrong with it, what was gone back from, catalogs, the gate. The zone stays as it is where any of these says no. */
#include "sync/load_priv.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "sync/ahead.h"
#include "sync/apply.h"
#include "sync/events.h"
#include "sync/gate.h"
#include "sync/history.h"
#include "sync/known.h"
#include "sync/told.h"
#include "sync/versions.h"
#include "sync/watcher.h"

#include <stdio.h>
#include <string.h>

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

static int apply(struct load_run *r, const struct zone_row *row, struct ahead_zone *read, const struct store_zone_meta *meta, struct applied *out)
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
static void fail(struct load_run *r, struct zone_row *row, const char *name, const char *why)
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
static int pass_judge(struct load_run *r, struct zone_row *row, const struct ahead_zone *read, const char *name)
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
static int pass_gate(struct load_run *r, struct zone_row *row, struct ahead_zone *read, const char *name)
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
static int judge(struct load_run *r, struct zone_row *row, struct ahead_zone *read, const char *name, struct content **instead, char *why)
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
static int take_file(struct load_run *r, struct zone_row *row, struct ahead_zone *read, bool *refused, char *why)
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

int loader_store_file(struct load_run *r, struct zone_row *row, struct ahead_zone *read)
{
	char why[VERSIONS_WHY_MAX] = "";
	struct loader *l = r->loader;
	bool refused = false;
	int err = take_file(r, row, read, &refused, why);

	if (l->on_read)
		l->on_read(l->on_read_ctx, row, err ? err : refused ? ERR_INVALID : 0, &read->diag, refused ? row->error : why[0] ? why : NULL);
	return err;
}
