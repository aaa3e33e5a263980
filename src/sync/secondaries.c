/* SPDX-License-Identifier: BSD-2-Clause */
/* The node as a secondary. Four parts that know nothing of each other are put together here:
 *
 *     secondary.c   when is which zone due                    pure
 *     fetch.c       SOA, IXFR, AXFR with its primaries        the loop
 *     arrive.c      checks, store, journal                    the loader's thread, one run at a time
 *     journal/      what survives a reboot
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
#include "sync/secondaries.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "board/board.h"
#include "proc/role.h"
#include "sync/arrive.h"
#include "sync/catalogs.h"
#include "sync/fetch.h"
#include "sync/keyring.h"
#include "sync/load.h"
#include "sync/link.h"
#include "sync/secondary.h"
#include "sync/tls_profiles.h"
#include "sync/told.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	COUNT_MS = 1000,      /* gauges on the board */
	NOTE_EVERY = 5,       /* of these: timers to the journal */
	NOTE_MAX = 20000,     /* zones whose timers go in one write */
	EARLY_MAX = 256,      /* NOTIFYs kept before zones are recalled; a zone of others waits for its first turn */
	LOG_BURST = 50,       /* lines a second about zones */
	GROWTH = 8,           /* a transfer may take so many times what the version held takes, */
	GROWTH_OCTETS = 256 << 20, /* or this, */
	RECORD_OCTETS = 1024, /* or, with a limit of records, this for each */
	OCTETS_LEAST = 1 << 20, /* and this */
};

struct flight {
	struct secondaries *all;
	struct flight *next, **before;
	struct fetch *fetch;
	struct keyring *ring;
	struct name apex;
	bool has_expire, whole, force; /* of its result, while its arrival waits */
	uint32_t option_s;
	uint16_t primary;
	struct arrival *arrival;      /* owned; NULL while fetching */
	uint64_t fetch_ms;
	struct xfr_in_facts facts;
};

struct secondaries {
	struct role *role;
	struct board_transfers_in *board;
	struct journal *journal;
	struct catalogs *catalogs; /* borrowed */
	uint32_t excused
		[BOARD_NETWORKS_MAX]; /* by the network's index of the node: members without data whose first transfer has failed */
	void (*wants_run)(void *ctx);
	void *ctx;
	struct fetch_settings fetch;
	uv_timer_t timer, counter;
	struct keyring *ring;
	struct tls_profiles *tls;
	struct secondary_set *set; /* NULL before the first run */
	struct flight *flights;
	struct flight *waiting, **last; /* for a run, linked by next; they left `flights` */
	bool new_config;
	struct name *early;           /* zones that NOTIFY came for before there was a set */
	size_t early_count;
	unsigned ticks;
	struct secondary **noted;     /* their timers are to go to the journal */
	size_t noted_count, noted_cap;
	/* Of the run, its own while it lasts. */
	bool recall;
	struct flight *taken;
	struct timers_row *timers;
	size_t timer_count;
	struct held *held;
	size_t held_count;
	uint64_t journal_failed;
};

static struct log_limit zone_lines, failure_lines;

static int64_t now_ms(void)
{
	return (int64_t)clock_ms();
}

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

/* ---- timers to and from the disk ---- */

static uint64_t to_wall(int64_t at_ms, int64_t now, int64_t wall_s)
{
	int64_t s = wall_s + (at_ms - now) / 1000;

	return s > 0 ? (uint64_t)s : 1;
}

static int64_t from_wall(uint64_t at_s, int64_t now, int64_t wall_s)
{
	int64_t s = (int64_t)MIN(at_s, (uint64_t)1 << 40);

	return now + (s - wall_s) * 1000;
}

static void describe_timers(const struct secondary *z, struct journal_timers *t)
{
	int64_t now = now_ms(), wall = clock_wall_s();
	char text[ENDPOINT_TEXT_MAX];

	*t = (struct journal_timers){.failures = z->failures, .has_primary_serial = z->has_primary_serial, .primary_serial = z->primary_serial};
	if (z->has_refreshed)
		t->refreshed_s = to_wall(z->refreshed_ms, now, wall);
	if (z->due_ms != INT64_MIN)
		t->refresh_at_s = to_wall(z->due_ms, now, wall);
	if (z->has_refreshed && z->expire_at_ms)
		t->expire_at_s = to_wall(z->expire_at_ms, now, wall);
	if (z->error) {
		t->error_s = to_wall(z->failed_ms != INT64_MIN ? z->failed_ms : now, now, wall);
		snprintf(t->error, sizeof(t->error), "%.*s", (int)sizeof(t->error) - 1, z->error);
	}
	if (z->has_refreshed)
		snprintf(t->primary, sizeof(t->primary), "%.*s", (int)sizeof(t->primary) - 1, endpoint_text(&z->primaries[z->primary], text));
}

static uint16_t primary_index(const struct secondary *z, const char *text)
{
	char buf[ENDPOINT_TEXT_MAX];

	for (uint16_t i = 0; i < z->primary_count; i++)
		if (strcmp(endpoint_text(&z->primaries[i], buf), text) == 0)
			return i;
	return 0;
}

static void recall_zone(struct secondary_set *set, struct secondary *z, const struct held *h, int64_t now)
{
	int64_t wall = clock_wall_s(), life = secondary_life_ms(h->refresh_s, h->retry_s, h->expire_s);
	const struct journal_timers *t = &h->timers;
	struct secondary_past p = {.has_version = h->has_version, .serial = h->serial, .refresh_s = h->refresh_s, .retry_s = h->retry_s,
	                           .expire_s = h->expire_s, .due_ms = INT64_MIN};

	p.has_refreshed = h->has_timers && t->refreshed_s;
	if (p.has_refreshed)
		p.refreshed_ms = MIN(now, from_wall(t->refreshed_s, now, wall));
	/* Later than a refresh right now would grant is a clock that was set back. */
	p.expire_at_ms = h->has_timers && t->expire_at_s ? from_wall(t->expire_at_s, now, wall) : from_wall((uint64_t)h->loaded_wall_s, now, wall) + life;
	p.expire_at_ms = MIN(p.expire_at_ms, now + life);
	if (h->has_timers) {
		p.has_primary_serial = t->has_primary_serial;
		p.primary_serial = t->primary_serial;
		p.failures = t->failures;
		p.primary = primary_index(z, t->primary);
		p.error = t->error;
	}
	secondary_recall(set, z, &p);
	z->octets = h->octets;
}

/* Its timers have changed. */
static void note(struct secondaries *s, struct secondary *z)
{
	if (z->noted || !s->journal)
		return;
	if (s->noted_count == s->noted_cap) {
		size_t cap = s->noted_cap ? s->noted_cap * 2 : 256;
		struct secondary **more = realloc(s->noted, cap * sizeof(struct secondary *));

		if (!more)
			return; /* with its next turn */
		s->noted = more;
		s->noted_cap = cap;
	}
	z->noted = true;
	s->noted[s->noted_count++] = z;
}

static void take_timers(struct secondaries *s)
{
	size_t n = MIN(s->noted_count, (size_t)NOTE_MAX);
	struct timers_row *rows = n ? calloc(n, sizeof(*rows)) : NULL;

	if (!rows)
		return;
	for (size_t i = 0; i < n; i++) {
		name_copy(&rows[i].apex, s->noted[i]->apex);
		describe_timers(s->noted[i], &rows[i].timers);
		s->noted[i]->noted = false;
	}
	s->noted_count -= n;
	memmove(s->noted, s->noted + n, s->noted_count * sizeof(struct secondary *));
	s->timers = rows;
	s->timer_count = n;
}

/* ---- flights ---- */

static void flight_out(struct flight *f)
{
	*f->before = f->next;
	if (f->next)
		f->next->before = f->before;
	f->next = NULL;
}

static void flight_free(struct flight *f)
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

static void pump(struct secondaries *s);

/* A member whose first transfer has failed does not keep its network from being announced: whoever lists zones is not to be able to take the others away. */
static void excuse(struct secondaries *s, struct secondary *z, bool on)
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
	int64_t now = now_ms();

	board_add(&s->board->failed, 1);
	secondary_failed(s->set, z, why, now);
	excuse(s, z, z->origin && !z->has_version);
	note(s, z);
	/* The first, then ever more rarely. */
	if ((z->failures & (z->failures - 1)) == 0 && log_limit_pass(&failure_lines, LOG_BURST)) {
		name_to_text(z->apex, zone);
		log_warn("zone=%s failures=%u error=\"%s\" action=\"%s, next attempt in %s\"", zone, z->failures, why,
		         z->has_version ? "the version served stays" : "answers SERVFAIL", clock_span_text((uint64_t)MAX(z->due_ms - now, (int64_t)0), span));
	}
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
	flight_out(f);
	f->fetch = NULL;
	if (!z) {
		xfr_in_free(r->in);
		flight_free(f);
		return;
	}
	if (r->has_seen)
		secondary_seen(z, r->seen);
	switch (r->outcome) {
	case FETCH_CURRENT:
		board_add(&s->board->confirmed, 1);
		if (z->has_version)
			secondary_confirmed(s->set, z, &news, now_ms());
		else
			secondary_redo(s->set, z, true, now_ms());
		note(s, z);
		flight_free(f);
		break;
	case FETCH_FAILED:
		failed(s, z, r->error);
		flight_free(f);
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
			flight_free(f);
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
	pump(s);
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
			flight_free(f);
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
	note(s, z);
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

static void pump(struct secondaries *s)
{
	struct secondary_action act;
	int64_t now = now_ms(), wake;

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
	pump(t->data);
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
	if (++s->ticks % NOTE_EVERY == 0 && s->noted_count)
		s->wants_run(s->ctx);
}

/* ---- configurations ---- */

static const struct held *held_find(const struct secondaries *s, const uint8_t *apex)
{
	size_t low = 0, high = s->held_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = name_compare(s->held[mid].apex, apex);

		if (order == 0)
			return &s->held[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static uint32_t slot_of_network(const struct config_node *node, uint32_t network)
{
	for (size_t k = 0; node && k < node->network_count; k++)
		if (node->networks[k] == network)
			return (uint32_t)k;
	return UINT32_MAX;
}

/* Tells apart by what secrets and proofs a zone's primaries are spoken to: another one is another zone. */
static uint64_t key_id_of(const struct keyring *ring, const struct tls_profiles *tls, uint32_t key,
                          const struct endpoint *sources, size_t count)
{
	uint64_t id = key < ring->count ? ring->ids[key] : 0;

	for (size_t i = 0; i < count; i++)
		if (sources[i].tls && sources[i].tls <= tls->count)
			id = hash_checksum(&tls->ids[sources[i].tls - 1], sizeof(tls->ids[0]), id + i);
	return id;
}

/* conf: its line, or the template of a member. *out: NULL where the node does not hold it by transfer. */
static int add_secondary(struct secondaries *s, struct secondary_set *set, const struct keyring *ring,
                         const struct tls_profiles *tls, const uint8_t *apex, const struct config_zone *conf, uint64_t origin, struct secondary **out)
{
	const struct config *c = s->role->config;
	struct endpoint sources[CONFIG_SOURCES_MAX];
	struct secondary_config zc = {.apex = apex,
	                              .primaries = sources,
	                              .key = conf->key,
	                              .serve_expired = conf->at_expiry == CONFIG_EXPIRY_SERVE,
	                              .max_records = conf->max_records,
	                              .origin = origin,
	                              .network = slot_of_network(s->role->node, conf->network)};

	*out = NULL;
	if (!config_node_serves(s->role->node, conf))
		return 0;
	zc.primary_count = config_zone_sources(c, s->role->node, conf, sources, ARRAY_LEN(sources));
	if (!zc.primary_count)
		return 0;
	zc.key_id = key_id_of(ring, tls, conf->key, sources, zc.primary_count);
	return secondary_add(set, &zc, out);
}

static int add_zone(struct secondaries *s, struct secondary_set *set, const struct keyring *ring, const struct tls_profiles *tls,
                    const uint8_t *apex, const struct config_zone *conf, uint64_t origin)
{
	struct secondary *z, *old;
	const struct held *h;
	struct name lower;
	int err = add_secondary(s, set, ring, tls, apex, conf, origin, &z);

	if (err || !z)
		return err;
	name_lower(&lower, apex);
	old = s->set ? secondary_find(s->set, lower.wire) : NULL;
	h = held_find(s, lower.wire);
	if (old && (old->has_version || !h || !h->has_version))
		(void)secondary_inherit(set, z, old);
	else if (h)
		recall_zone(set, z, h, now_ms());
	z->octets = h ? h->octets : old ? old->octets : 0;
	return 0;
}

struct adding {
	struct secondaries *all;
	struct secondary_set *set;
	const struct keyring *ring;
	const struct tls_profiles *tls;
};

static int add_member(void *ctx, const uint8_t *apex, uint64_t origin)
{
	struct adding *a = ctx;
	const struct config_template *t = config_template_find(a->all->role->config, origin);

	return t ? add_zone(a->all, a->set, a->ring, a->tls, apex, &t->zone, origin) : 0;
}

/* Those whose zone is not as it was are ended; the others go on under the new set. */
static void keep_flights(struct secondaries *s, const struct secondary_set *set)
{
	struct flight *f, *next;

	for (f = s->flights; f; f = next) {
		const struct secondary *z = secondary_find(set, f->apex.wire);

		next = f->next;
		if (z && z->phase == SECONDARY_BUSY)
			continue;
		flight_out(f);
		fetch_cancel(f->fetch);
		flight_free(f);
	}
}

static void keep_noted(struct secondaries *s, const struct secondary_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < s->noted_count; i++) {
		struct secondary *z = secondary_find(set, s->noted[i]->apex);

		if (z && !z->noted) {
			z->noted = true;
			s->noted[n++] = z;
		}
	}
	s->noted_count = n;
}

static void count_excused(struct secondaries *s)
{
	memset(s->excused, 0, sizeof(s->excused));
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++)
		atomic_store(&s->role->board->sync.networks[i].excused, 0);
	for (struct secondary *z = secondary_after(s->set, NULL); z; z = secondary_after(s->set, z->apex))
		excuse(s, z, z->origin && !z->has_version && z->failures);
}

static int make_set(struct secondaries *s, const struct loader *l)
{
	const struct config *c = s->role->config;
	struct secondary_set *set;
	struct keyring *ring = NULL;
	struct tls_profiles *tls = NULL;
	uint64_t seed;
	int err = keyring_new(s->role, &ring);

	if (!err)
		err = tls_profiles_new(s->role, &tls);
	random_bytes(&seed, sizeof(seed));
	set = err ? NULL : secondary_set_new(seed);
	if (!set)
		err = ERR_NO_MEMORY;
	for (size_t i = 0; !err && i < c->zone_count; i++)
		err = add_zone(s, set, ring, tls, c->zones[i].apex, &c->zones[i], 0);
	if (!err)
		err = catalogs_each(s->catalogs, l, add_member, &(struct adding){s, set, ring, tls});
	if (!err)
		err = secondary_begin(set, now_ms());
	if (err) {
		secondary_set_free(set);
		keyring_unref(ring);
		tls_profiles_unref(tls);
		return err;
	}
	keep_flights(s, set);
	keep_noted(s, set);
	secondary_set_free(s->set);
	keyring_unref(s->ring);
	tls_profiles_unref(s->tls);
	s->set = set;
	s->ring = ring;
	s->tls = tls;
	count_excused(s);
	return 0;
}

/* ---- members of catalogs ---- */

/* Its transfer, if one is under way, ends with it. */
static void remove_zone(struct secondaries *s, struct secondary *z)
{
	struct flight *f, *next;

	excuse(s, z, false);
	for (f = z->phase == SECONDARY_BUSY ? s->flights : NULL; f; f = next) {
		next = f->next;
		if (!name_equal(f->apex.wire, z->apex))
			continue;
		flight_out(f);
		fetch_cancel(f->fetch);
		flight_free(f);
	}
	secondary_remove(s->set, z);
}

static int hear(struct secondaries *s, const struct catalogs_news *n)
{
	struct secondary *old = secondary_find(s->set, n->apex), *z;
	const struct config_template *t = config_template_find(s->role->config, n->origin);
	bool was_busy = old && old->phase == SECONDARY_BUSY;
	int err;

	if (old)
		remove_zone(s, old);
	if (n->kind == CATALOGS_WENT || !t)
		return 0;
	err = add_secondary(s, s->set, s->ring, s->tls, n->apex, &t->zone, n->origin, &z);
	if (err || !z || !old || n->kind != CATALOGS_CHANGED)
		return err;
	(void)secondary_inherit(s->set, z, old);
	if (was_busy) /* which has ended with the old one */
		z->phase = SECONDARY_QUEUED;
	return 0;
}

static int hear_news(struct secondaries *s)
{
	const struct catalogs_news *news;
	size_t count = catalogs_news(s->catalogs, &news), kept = 0;
	int err = 0;

	if (!count)
		return 0;
	for (size_t i = 0; i < count && !err; i++)
		err = hear(s, &news[i]);
	for (size_t i = 0; i < s->noted_count; i++)
		if (!s->noted[i]->gone)
			s->noted[kept++] = s->noted[i];
	s->noted_count = kept;
	return err ? err : secondary_admit(s->set, now_ms());
}

static void publish_awaited(struct secondaries *s)
{
	const struct config_node *node = s->role->node;

	for (size_t i = 0; node && i < node->network_count && i < BOARD_NETWORKS_MAX; i++)
		atomic_store(&s->role->board->sync.networks[i].awaited,
		             catalogs_awaited(s->catalogs, s->role->config, node, node->networks[i]));
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
	take_timers(s);
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

static void note_timers(struct secondaries *s)
{
	struct text why;

	if (!s->timer_count || !s->journal)
		return;
	text_init(&why);
	if (arrive_note_timers(s->journal, s->timers, s->timer_count, &why) < 0) {
		s->journal_failed++;
		log_err("journal what=timers error=\"%s\"", why.chars);
	}
	text_done(&why);
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
	note_timers(s);
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

	board_add(ixfr ? &s->board->ixfr : &s->board->axfr, 1);
	board_add(&s->board->repeated, a->repeated);
	secondary_arrived(s->set, z, &news, now_ms());
	excuse(s, z, false);
	z->octets = a->octets;
	note(s, z);
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
		secondary_redo(s->set, z, true, now_ms());
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
	if (s->recall && (err || make_set(s, l) < 0))
		s->new_config = true;
	else if (s->recall)
		hear_early(s);
	else if (s->set && hear_news(s) < 0)
		s->new_config = true;
	catalogs_settle(s->catalogs);
	publish_awaited(s);
	for (f = s->taken; f; f = next) {
		next = f->next;
		landed(s, f, err);
		flight_free(f);
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
	if (s->recall)
		publish(s);
	s->recall = false;
	pump(s);
}

/* ---- from outside ---- */

void secondaries_reload(struct secondaries *s)
{
	s->new_config = true;
	choose_sources(s);
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
	pump(s);
	return true;
}

bool secondaries_expires(const struct secondaries *s, const uint8_t *apex, uint32_t *seconds)
{
	const struct secondary *z = s->set ? secondary_find(s->set, apex) : NULL;
	int64_t left = z && z->has_version && !z->expired ? (z->expire_at_ms - now_ms()) / 1000 : 0;

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
	pump(s);
	return 0;
}

int secondaries_retransfer(struct secondaries *s, const uint8_t *apex, bool force)
{
	struct secondary *z = s->set ? secondary_find(s->set, apex) : NULL;

	if (!z)
		return ERR_NOT_FOUND;
	secondary_demand(s->set, z, true, force);
	pump(s);
	return 0;
}

/* The catalog that it is a member of, and the group whose template it goes by. */
static void add_template(const struct secondaries *s, const struct secondary *z, struct text *out)
{
	const struct config *c = s->role->config;
	const struct config_template *t = config_template_find(c, z->origin);
	char text[NAME_TEXT_MAX];

	for (size_t i = 0; t && i < c->catalog_count; i++)
		if (t == &c->catalogs[i].members || (t >= c->catalogs[i].groups && t < c->catalogs[i].groups + c->catalogs[i].group_count)) {
			name_to_text(c->catalogs[i].apex, text);
			told_string(out, "catalog", text);
		}
	if (t && t->name)
		told_string(out, "group", t->name);
}

static const char *state_of(const struct secondary *z)
{
	return !z->has_version && !z->expired ? "empty" : z->expired ? "expired" : z->failures ? "failing" : "fresh";
}

static void describe(const struct secondaries *s, const struct secondary *z, struct text *out)
{
	static const char *const phases[] = {"waiting", "queued", "busy"};
	int64_t now = now_ms();
	char text[NAME_TEXT_MAX];

	text_str(out, "{\"role\":\"secondary\"");
	name_to_text(z->apex, text);
	told_string(out, "zone", text);
	told_string(out, "state", state_of(z));
	told_string(out, "phase", phases[z->phase]);
	told_string(out, "primary", endpoint_text(&z->primaries[z->primary], text));
	text_fmt(out, ",\"primaries\":%u,\"failures\":%u", z->primary_count, z->failures);
	if (z->origin)
		add_template(s, z, out);
	if (z->has_version)
		text_fmt(out, ",\"serial\":%u", z->serial);
	if (z->has_primary_serial)
		text_fmt(out, ",\"primary_serial\":%u", z->primary_serial);
	if (z->has_refreshed)
		text_fmt(out, ",\"refreshed_s\":%" PRId64, (now - z->refreshed_ms) / 1000);
	if (z->phase == SECONDARY_WAITING && z->due_ms != INT64_MIN)
		text_fmt(out, ",\"next_s\":%" PRId64, MAX(z->due_ms - now, (int64_t)0) / 1000);
	if (z->has_version)
		text_fmt(out, ",\"expires_s\":%" PRId64, (z->expire_at_ms - now) / 1000);
	for (const struct flight *f = s->flights; f; f = f->next)
		if (f->fetch && name_equal(f->apex.wire, z->apex)) {
			struct xfr_in_facts facts;
			struct endpoint from;

			fetch_progress(f->fetch, &facts, &from);
			text_fmt(out, ",\"receiving\":{\"records\":%" PRIu64 ",\"octets\":%" PRIu64 "}", facts.records, facts.octets);
		}
	if (z->error)
		told_string(out, "error", z->error);
	text_str(out, "}\n");
}

int secondaries_describe(const struct secondaries *s, const uint8_t *apex, struct text *out)
{
	const struct secondary *z = s->set ? secondary_find(s->set, apex) : NULL;

	if (!z)
		return ERR_NOT_FOUND;
	describe(s, z, out);
	return 0;
}

const uint8_t *secondaries_after(const struct secondaries *s, const uint8_t *after)
{
	const struct secondary *z = s->set ? secondary_after(s->set, after) : NULL;

	return z ? z->apex : NULL;
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
	publish_awaited(s);
	*out = s;
	return 0;
}

static void free_all(struct flight *f)
{
	while (f) {
		struct flight *next = f->next;

		if (f->fetch)
			fetch_cancel(f->fetch);
		flight_free(f);
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
