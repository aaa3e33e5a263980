/* SPDX-License-Identifier: BSD-2-Clause */
/* The node as a secondary. Parts that know nothing of each other are put together here:
 *
 *     secondary.c   when is which zone due                    pure
 *     fetch.c       SOA, IXFR, AXFR with its primaries        the loop
 *     arrive.c      checks, store, journal                    the loader's thread, one run at a time
 *     journal/      what survives a reboot
 * and, beside a zone's turn, secondaries_current.c: is there still a primary, and since when is the data not known to be current.
 *
 * A zone's turn: due ──► fetch ──► an arrival that waits for the next run ──► served, or refused, or (differences that do not apply) due again for all of it.
 * It counts as busy all that time, so that a zone is in one place at a time.
 *
 * The first run after the start, or after a new configuration, recalls what store and journal know of each zone; only then the first primary is asked. A
 * zone that the mapped store has is answered meanwhile. In a new configuration zones with the same primaries and key go on as they were, transfers
 * under way included; others are asked for anew, keeping their version.
 *
 * After a start each zone is asked for soon, spread over time, whenever its refresh was due: a NOTIFY may have been acknowledged by the process that died. One that
 * comes before zones are recalled is kept until then.
 *
 * Timers go to the journal in the wall clock's time, a few seconds late and many at once: killed before that, a zone believes itself refreshed a little
 * earlier than it was, and asks a little sooner. A clock that was set back does not prolong a zone's life beyond its EXPIRE. */
#include "sync/secondaries_priv.h"

#include "base/err.h"
#include "base/log.h"
#include "proc/role.h"
#include "sync/catalogs.h"
#include "sync/events.h"
#include "sync/keyring.h"
#include "sync/link.h"
#include "sync/load.h"
#include "proc/tls_profiles.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	COUNT_MS = 1000,      /* gauges on the board */
	NOTE_EVERY = 5,       /* of these: timers to the journal */
	EARLY_MAX = 256,      /* NOTIFYs kept before zones are recalled; a zone of others waits for its first turn */
	LOG_BURST = 50,       /* lines a second about zones */
	GROWTH = 8,           /* a transfer may take so many times what the version held takes, */
	GROWTH_OCTETS = 256 << 20, /* or this, */
	RECORD_OCTETS = 1024, /* or, with a limit of records, this for each */
	OCTETS_LEAST = 1 << 20, /* and this */
};

static struct log_limit zone_lines, failure_lines;

bool secondaries_needed(const struct role *role)
{
	const struct config *c = role->config;
	struct endpoint source;

	if (catalogs_needed(c, role->node))
		return true;
	for (size_t i = 0; c && i < c->zone_count; i++)
		if (config_node_serves(role->node, &c->zones[i]) && config_zone_sources(c, role->node, &c->zones[i], &source, 1))
			return true;
	return false;
}

/* ---- flights ---- */

void secondaries_flight_out(struct flight *f)
{
	*f->before = f->next;
	if (f->next)
		f->next->before = f->before;
	f->next = NULL;
}

void secondaries_flight_free(struct flight *f)
{
	keyring_unref(f->ring);
	arrival_free(f->arrival);
	free(f);
}

static void wait_for_run(struct secondaries *s, struct flight *f)
{
	f->next = NULL;
	*s->last = f;
	s->last = &f->next;
	s->wants_run(s->ctx);
}

static struct arrival *make_arrival(const uint8_t *apex, enum arrival_kind kind)
{
	struct arrival *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	name_copy(&a->apex, apex);
	a->kind = kind;
	return a;
}

void secondaries_excuse(struct secondaries *s, struct secondary *z, bool on)
{
	struct board_sync_network *b;

	if (z->excused == on || z->network >= BOARD_NETWORKS_MAX)
		return;
	z->excused = on;
	s->excused[z->network] += on ? 1 : UINT32_MAX;
	b = &s->role->board->sync.networks[z->network];
	atomic_store(&b->excused, s->excused[z->network]);
}

static void failed(struct secondaries *s, struct secondary *z, const char *why)
{
	char zone[NAME_TEXT_MAX], span[16];
	int64_t now = secondaries_now_ms();

	board_add(&s->board->failed, 1);
	secondary_failed(s->set, z, why, now);
	if (z->failures == 1)
		sync_event_zone(z->apex, EVENT_WARN, z->has_version ? "served" : "none", z->has_version ? "not-refreshed" : "failed", "%s%.160s",
		                z->has_version ? "the version before is served on: " : "it is not served: ", why);
	secondaries_excuse(s, z, z->origin && !z->has_version);
	secondaries_note(s, z);
	/* The first, then ever more rarely. */
	if ((z->failures & (z->failures - 1)) == 0 && log_limit_pass(&failure_lines, LOG_BURST)) {
		name_to_text(z->apex, zone);
		log_warn("zone=%s failures=%u error=\"%s\" action=\"%s, next attempt in %s\"", zone, z->failures, why,
		         z->has_version ? "the version served stays" : "answers SERVFAIL", clock_span_text((uint64_t)MAX(z->due_ms - now, (int64_t)0), span));
	}
}

/* A primary has confirmed the zone, or is about to be believed with a new version. */
static void tell_good(const struct secondary *z)
{
	if (z->expired)
		sync_event_zone(z->apex, EVENT_INFO, "expired", "served", "a primary has sent or confirmed it");
	else if (z->failures)
		sync_event_zone(z->apex, EVENT_INFO, z->has_version ? "not-refreshed" : "failed", "served", "a primary has sent or confirmed it, after %u failed attempts",
		                z->failures);
	else if (!z->has_version)
		sync_event_zone(z->apex, EVENT_INFO, "none", "served", "transferred from a primary for the first time");
}

static void on_fetched(void *ctx, struct fetch *fetch, struct fetch_result *r)
{
	struct flight *f = ctx;
	struct secondaries *s = f->all;
	struct secondary *z = secondary_find(s->set, f->apex.wire);
	const struct secondary_news news = {.primary = r->primary, .serial = r->serial, .has_expire = r->has_expire, .option_s = r->expire_s};
	char zone[NAME_TEXT_MAX], who[ENDPOINT_TEXT_MAX];
	struct arrival *a;

	(void)fetch;
	secondaries_flight_out(f);
	f->fetch = NULL;
	if (!z) {
		xfr_in_free(r->in);
		secondaries_flight_free(f);
		return;
	}
	if (r->has_seen)
		secondary_seen(z, r->seen);
	if (r->has_seen || r->outcome != FETCH_FAILED)
		secondaries_current_heard(s, z);
	switch (r->outcome) {
	case FETCH_CURRENT:
		board_add(&s->board->confirmed, 1);
		if (z->has_version)
			tell_good(z);
		if (z->has_version)
			secondary_confirmed(s->set, z, &news, secondaries_now_ms());
		else
			secondary_redo(s->set, z, true, secondaries_now_ms());
		secondaries_note(s, z);
		secondaries_flight_free(f);
		break;
	case FETCH_FAILED:
		failed(s, z, r->error);
		secondaries_flight_free(f);
		break;
	case FETCH_WHOLE:
	case FETCH_DIFFERENCES:
		board_add(&s->board->records, r->facts.records);
		board_add(&s->board->bytes, r->facts.octets);
		if (r->error[0]) {
			name_to_text(z->apex, zone);
			if (r->outcome == FETCH_WHOLE && !f->whole)
				board_add(&s->board->fallbacks, 1);
			log_info("zone=%s note=\"%s\"", zone, r->error);
		}
		a = make_arrival(f->apex.wire, r->outcome == FETCH_WHOLE ? ARRIVAL_WHOLE : ARRIVAL_DIFFERENCES);
		if (!a) {
			xfr_in_free(r->in);
			failed(s, z, "out of memory");
			secondaries_flight_free(f);
			break;
		}
		a->in = r->in;
		a->force = f->force;
		snprintf(a->who, sizeof(a->who), "%s", endpoint_text(&z->primaries[r->primary < z->primary_count ? r->primary : 0], who));
		f->arrival = a;
		f->primary = r->primary;
		f->has_expire = r->has_expire;
		f->option_s = r->expire_s;
		f->fetch_ms = r->took_ms;
		f->facts = r->facts;
		wait_for_run(s, f);
		break;
	}
	secondaries_pump(s);
}

/* What a transfer may take in memory. An operator's number of records has the last word; without it a zone may grow a lot at once, and one that is not held yet may be large, but
 * a primary that never stops sending is stopped before it costs the machine. */
static uint64_t octets_max(const struct secondaries *s, const struct secondary *z)
{
	uint64_t most = s->fetch.max_octets;

	if (z->max_records)
		return MIN(most, (uint64_t)OCTETS_LEAST + (uint64_t)z->max_records * RECORD_OCTETS);
	return z->octets ? MIN(most, MAX((uint64_t)GROWTH_OCTETS, z->octets * GROWTH)) : most;
}

static void ask(struct secondaries *s, const struct secondary_action *act)
{
	struct secondary *z = act->zone;
	const struct tsig_key *key = z->key < s->ring->count ? s->ring->list[z->key] : NULL;
	const struct fetch_request q = {.apex = z->apex, .primaries = z->primaries, .primary_count = z->primary_count, .preferred = z->primary, .key = key,
	                                .tls = s->tls,
	                                .has_serial = z->has_version, .serial = z->serial, .whole = act->whole, .force = act->force, .direct = act->direct,
	                                .max_records = z->max_records, .max_octets = octets_max(s, z)};
	struct flight *f;
	int err = ERR_NO_MEMORY;

	if (z->key != UINT32_MAX && !key) {
		failed(s, z, "the zone's key cannot be used");
		return;
	}
	f = calloc(1, sizeof(*f));
	if (f) {
		f->all = s;
		f->ring = keyring_ref(s->ring);
		f->whole = act->whole || act->force || !z->has_version;
		f->force = act->force;
		name_copy(&f->apex, z->apex);
		err = fetch_start(&s->fetch, &q, on_fetched, f, &f->fetch);
	}
	if (err < 0) {
		if (f)
			secondaries_flight_free(f);
		failed(s, z, err_text(err));
		return;
	}
	f->next = s->flights;
	f->before = &s->flights;
	if (f->next)
		f->next->before = &f->next;
	s->flights = f;
}

static void expire(struct secondaries *s, struct secondary *z)
{
	char zone[NAME_TEXT_MAX];
	struct flight *f;

	name_to_text(z->apex, zone);
	log_err("zone=%s serial=%u state=expired action=\"%s\"", zone, z->serial,
	        z->serve_expired ? "the last version is served on" : "answers SERVFAIL until a primary sends it");
	sync_event_zone(z->apex, EVENT_ALERT, "served", "expired", "no primary has confirmed serial %u for its SOA EXPIRE; %s: %.120s", z->serial,
	                z->serve_expired ? "it is served on" : "it is not served any more", z->error ? z->error : "no primary answers");
	secondaries_note(s, z);
	if (z->serve_expired)
		return;
	secondary_lost(s->set, z);
	f = calloc(1, sizeof(*f));
	if (f)
		f->arrival = make_arrival(z->apex, ARRIVAL_EXPIRED);
	if (!f || !f->arrival) {
		free(f);
		log_err("zone=%s error=\"out of memory\"", zone);
		return;
	}
	f->all = s;
	name_copy(&f->apex, z->apex);
	wait_for_run(s, f);
}

static void on_timer(uv_timer_t *t);

void secondaries_pump(struct secondaries *s)
{
	struct secondary_action act;
	int64_t now = secondaries_now_ms(), wake;

	if (!s->set)
		return;
	while (secondary_next(s->set, now, &act)) {
		if (act.what == SECONDARY_ASK)
			ask(s, &act);
		else
			expire(s, act.zone);
	}
	wake = secondary_wake_ms(s->set, now);
	if (wake == INT64_MAX)
		uv_timer_stop(&s->timer);
	else
		uv_timer_start(&s->timer, on_timer, (uint64_t)MAX(wake - now, (int64_t)1), 0);
}

static void on_timer(uv_timer_t *t)
{
	secondaries_pump(t->data);
}

static void publish(struct secondaries *s)
{
	struct secondary_counts c = {0};

	if (s->set)
		secondary_counts(s->set, &c);
	atomic_store(&s->board->zones, c.zones);
	atomic_store(&s->board->serving, c.serving);
	atomic_store(&s->board->expired, c.expired);
	atomic_store(&s->board->failing, c.failing);
	atomic_store(&s->board->empty, c.empty);
	atomic_store(&s->board->queued, c.queued);
	atomic_store(&s->board->active, c.busy);
}

static void on_count(uv_timer_t *t)
{
	struct secondaries *s = t->data;

	publish(s);
	secondaries_current_count(s);
	if (++s->ticks % NOTE_EVERY == 0 && s->noted_count)
		s->wants_run(s->ctx);
}

static void keep_early(struct secondaries *s, const uint8_t *apex)
{
	if (!s->early)
		s->early = calloc(EARLY_MAX, sizeof(*s->early));
	if (s->early && s->early_count < EARLY_MAX)
		name_copy(&s->early[s->early_count++], apex);
}

/* Whoever sent them: what it costs is one question, to a primary. */
static void hear_early(struct secondaries *s)
{
	for (size_t i = 0; i < s->early_count; i++) {
		struct secondary *z = secondary_find(s->set, s->early[i].wire);

		if (z)
			secondary_demand(s->set, z, false, false);
	}
	free(s->early);
	s->early = NULL;
	s->early_count = 0;
}

static void choose_sources(struct secondaries *s)
{
	const struct config_node *node = s->role->node;

	memset(s->fetch.source, 0, sizeof(s->fetch.source));
	for (size_t i = node ? node->management_count : 0; i-- > 0;)
		s->fetch.source[node->management[i].family == 6] = node->management[i];
}

/* ---- runs ---- */

bool secondaries_has_work(const struct secondaries *s)
{
	return s->new_config || s->waiting || s->noted_count;
}

void secondaries_begin(struct secondaries *s)
{
	s->recall = s->new_config;
	s->new_config = false;
	s->taken = s->waiting;
	s->waiting = NULL;
	s->last = &s->waiting;
	secondaries_take_timers(s);
}

static int by_apex(const void *a, const void *b)
{
	return name_compare(((const struct held *)a)->apex, ((const struct held *)b)->apex);
}

/* Of members that catalogs from the journal brought. */
static int recall_members(struct secondaries *s, struct loader *l)
{
	struct held *more, *all;
	size_t count;
	int err = arrive_recall_new(l, s->journal, &more, &count, &s->journal_failed);

	if (err)
		return err;
	all = count ? realloc(s->held, (s->held_count + count) * sizeof(*all)) : s->held;
	if (count && !all) {
		free(more);
		return ERR_NO_MEMORY;
	}
	s->held = all;
	if (count) {
		memcpy(s->held + s->held_count, more, count * sizeof(*more));
		s->held_count += count;
		qsort(s->held, s->held_count, sizeof(*s->held), by_apex);
	}
	free(more);
	return 0;
}

int secondaries_run(struct secondaries *s, struct loader *l)
{
	struct arrival *list = NULL, **last = &list;
	int err = 0;

	if (s->recall)
		err = arrive_recall(l, s->journal, &s->held, &s->held_count, &s->journal_failed);
	for (struct flight *f = s->taken; f; f = f->next) {
		f->arrival->next = NULL;
		*last = f->arrival;
		last = &f->arrival->next;
	}
	if (!err && list)
		err = arrive(l, s->journal, list, &s->journal_failed);
	/* Before catalogs may take zones out of the journal. */
	secondaries_note_timers(s);
	if (!err)
		err = catalogs_run(s->catalogs, l, s->journal, s->recall, &s->journal_failed);
	if (!err && s->recall)
		err = recall_members(s, l);
	return err;
}

static void served(struct secondaries *s, struct secondary *z, const struct flight *f)
{
	const struct arrival *a = f->arrival;
	const struct secondary_news news = {.primary = f->primary, .serial = a->serial, .refresh_s = a->refresh_s, .retry_s = a->retry_s,
	                                    .expire_s = a->expire_s, .has_expire = f->has_expire, .option_s = f->option_s};
	bool ixfr = a->kind == ARRIVAL_DIFFERENCES;
	char zone[NAME_TEXT_MAX];

	tell_good(z);
	board_add(ixfr ? &s->board->ixfr : &s->board->axfr, 1);
	board_add(&s->board->repeated, a->repeated);
	secondary_arrived(s->set, z, &news, secondaries_now_ms());
	secondaries_excuse(s, z, false);
	z->octets = a->octets;
	secondaries_note(s, z);
	if (!log_limit_pass(&zone_lines, LOG_BURST))
		return;
	name_to_text(z->apex, zone);
	log_info("zone=%s serial=%u from=%s kind=%s records=%" PRIu64 " sent=%" PRIu64 " octets=%" PRIu64 " transfer_ms=%" PRIu64 " took_ms=%u", zone,
	         a->serial, a->who, ixfr ? "ixfr" : "axfr", a->records, f->facts.records, f->facts.octets, f->fetch_ms, a->took_ms);
}

static void landed(struct secondaries *s, struct flight *f, int err)
{
	struct secondary *z = s->set ? secondary_find(s->set, f->apex.wire) : NULL;
	struct arrival *a = f->arrival;

	if (!z || a->kind == ARRIVAL_EXPIRED)
		return;
	if (err && a->outcome == ARRIVAL_SERVED && !a->serial)
		snprintf(a->error, sizeof(a->error), "%s", err_text(err));
	switch (a->outcome) {
	case ARRIVAL_SERVED:
		if (a->serial || !err)
			served(s, z, f);
		else
			failed(s, z, a->error);
		break;
	case ARRIVAL_NO_USE:
		board_add(&s->board->fallbacks, 1);
		if (log_limit_pass(&failure_lines, LOG_BURST)) {
			char zone[NAME_TEXT_MAX];

			name_to_text(z->apex, zone);
			log_warn("zone=%s from=%s error=\"%s\" action=\"asking for the whole zone\"", zone, a->who, a->error);
		}
		secondary_redo(s->set, z, true, secondaries_now_ms());
		break;
	case ARRIVAL_REFUSED:
		board_add(&s->board->refused, 1);
		failed(s, z, a->error);
		break;
	case ARRIVAL_GONE:
		failed(s, z, a->error);
		break;
	}
}

void secondaries_end(struct secondaries *s, const struct loader *l, int err)
{
	struct flight *f, *next;

	/* Members of a configuration that is another by now are looked for again. */
	if (s->recall && (err || secondaries_make_set(s, l) < 0))
		s->new_config = true;
	else if (s->recall)
		hear_early(s);
	else if (s->set && secondaries_hear_news(s) < 0)
		s->new_config = true;
	catalogs_settle(s->catalogs);
	secondaries_publish_awaited(s);
	for (f = s->taken; f; f = next) {
		next = f->next;
		landed(s, f, err);
		secondaries_flight_free(f);
	}
	s->taken = NULL;
	free(s->held);
	free(s->timers);
	s->held = NULL;
	s->timers = NULL;
	s->held_count = s->timer_count = 0;
	board_add(&s->board->journal_failed, s->journal_failed);
	s->journal_failed = 0;
	/* For each zone of 100,000: at the beginning, then once a second. */
	if (s->recall) {
		s->recall = false;
		publish(s);
		secondaries_current_count(s);
	}
	secondaries_pump(s);
}

/* ---- from outside ---- */

void secondaries_reload(struct secondaries *s)
{
	s->new_config = true;
	choose_sources(s);
	secondaries_current_reload(s);
}

bool secondaries_notified(struct secondaries *s, const uint8_t *apex, const struct ip_addr *from, bool has_serial, uint32_t serial,
                          const char *key_name_or_null)
{
	struct secondary *z = s->set ? secondary_find(s->set, apex) : NULL;
	const struct tsig_key *key = z && z->key < s->ring->count ? s->ring->list[z->key] : NULL;
	static const uint8_t root[1] = {0};
	bool good_key = z && z->key == UINT32_MAX;
	struct name name;

	if (!s->set) {
		keep_early(s, apex);
		return false;
	}
	if (key && key_name_or_null && name_from_text(key_name_or_null, strlen(key_name_or_null), root, &name) == 0)
		good_key = name_equal(name.wire, key->name.wire);
	if (!z || secondary_notified(s->set, z, from, good_key, has_serial, serial) == SECONDARY_STRANGER) {
		board_add(&s->board->notify_refused, 1);
		return false;
	}
	board_add(&s->board->notified, 1);
	secondaries_pump(s);
	return true;
}

bool secondaries_expires(const struct secondaries *s, const uint8_t *apex, uint32_t *seconds)
{
	const struct secondary *z = s->set ? secondary_find(s->set, apex) : NULL;
	int64_t left = z && z->has_version && !z->expired ? (z->expire_at_ms - secondaries_now_ms()) / 1000 : 0;

	if (!z)
		return false;
	*seconds = (uint32_t)MIN(MAX(left, (int64_t)0), (int64_t)UINT32_MAX);
	return true;
}

uint64_t secondaries_origin(const struct secondaries *s, const uint8_t *apex)
{
	const struct secondary *z = s->set ? secondary_find(s->set, apex) : NULL;

	return z ? z->origin : 0;
}

int secondaries_refresh(struct secondaries *s, const uint8_t *apex)
{
	struct secondary *z = s->set ? secondary_find(s->set, apex) : NULL;

	if (!z)
		return ERR_NOT_FOUND;
	secondary_demand(s->set, z, false, false);
	secondaries_pump(s);
	return 0;
}

int secondaries_retransfer(struct secondaries *s, const uint8_t *apex, bool force)
{
	struct secondary *z = s->set ? secondary_find(s->set, apex) : NULL;

	if (!z)
		return ERR_NOT_FOUND;
	secondary_demand(s->set, z, true, force);
	secondaries_pump(s);
	return 0;
}

/* ---- life ---- */

static uint64_t memory_limit(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	return pages > 0 && size > 0 ? MIN((uint64_t)pages * (uint64_t)size / 2, FETCH_OCTETS_MAX) : FETCH_OCTETS_MAX;
}

int secondaries_new(struct role *role, uv_loop_t *loop, struct journal *journal, struct catalogs *catalogs,
                    void (*wants_run)(void *ctx), void *ctx, struct secondaries **out)
{
	struct secondaries *s = calloc(1, sizeof(*s));

	if (!s)
		return ERR_NO_MEMORY;
	s->role = role;
	s->board = &role->board->sync.in;
	s->journal = journal;
	s->catalogs = catalogs;
	s->wants_run = wants_run;
	s->ctx = ctx;
	s->new_config = true;
	s->last = &s->waiting;
	s->fetch.loop = loop;
	s->fetch.links = links_new(loop);
	if (!s->fetch.links) {
		free(s);
		return ERR_NO_MEMORY;
	}
	s->fetch.max_octets = memory_limit();
	choose_sources(s);
	uv_timer_init(loop, &s->timer);
	uv_timer_init(loop, &s->counter);
	s->timer.data = s->counter.data = s;
	uv_timer_start(&s->counter, on_count, COUNT_MS, COUNT_MS);
	secondaries_current_start(s, loop);
	secondaries_publish_awaited(s);
	*out = s;
	return 0;
}

static void free_all(struct flight *f)
{
	while (f) {
		struct flight *next = f->next;

		if (f->fetch)
			fetch_cancel(f->fetch);
		secondaries_flight_free(f);
		f = next;
	}
}

/* The loop has ended; once more, so that what is closed is freed. The timers go with the process. */
void secondaries_free(struct secondaries *s)
{
	if (!s)
		return;
	/* Whoever asks in the meantime finds nothing. */
	free_all(s->flights);
	free_all(s->waiting);
	free_all(s->taken);
	s->flights = s->waiting = s->taken = NULL;
	secondary_set_free(s->set);
	s->set = NULL;
	uv_timer_stop(&s->timer);
	uv_timer_stop(&s->counter);
	secondaries_current_stop(s);
	links_free(s->fetch.links);
	uv_run(s->fetch.loop, UV_RUN_NOWAIT);
	keyring_unref(s->ring);
	tls_profiles_unref(s->tls);
	free(s->noted);
	free(s->early);
	free(s->held);
	free(s->timers);
	free(s);
}
