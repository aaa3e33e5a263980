/* SPDX-License-Identifier: BSD-2-Clause */
/* The timers of zones held by transfer (RFC 1034 4.3.5, RFC 1035 3.3.13, RFC 1996, RFC 7314), as a pure state machine for 100,000 of them.
 *
 *     WAITING ── due, NOTIFY, order ──► QUEUED ── a place is free ──► BUSY ── confirmed, arrived, failed ──► WAITING
 *
 * Waiting zones are in a heap by the moment of their next refresh or expiry, whichever is first. What is due queues at its first primary: a source has a
 * queue for what is urgent (NOTIFY, orders, zones without data) and one for routine; at most SECONDARY_ACTIVE_PER_SOURCE of a source and
 * SECONDARY_ACTIVE_MAX of all are busy at a time, so that a primary that hangs does not hold up the others. Routine starts are limited to a rate as
 * well, and those overdue at start are spread over time: there is no storm after a restart or when a network comes back.
 *
 * Intervals are those of the SOA within bounds, shortened by up to a tenth so that zones loaded together part. Failures double the retry interval up to
 * the refresh interval; a zone without data is tried again after 1 s, then 2 s, up to a minute.
 *
 * Expiry is counted from the last time a primary confirmed or sent the version, by the SOA's EXPIRE; the EXPIRE option replaces it where a primary is
 * itself a secondary, so that a chain ages together: it may not prolong what the SOA says. An expired zone is told once (SECONDARY_EXPIRE); what
 * is done then is the caller's, and whether it is served on is told by serve_expired. It is asked for as before.
 *
 * A NOTIFY that names a newer serial saves the question for it. A NOTIFY counts when it comes from a primary's address (any port) and, where the zone has a key, was signed with it. One that comes while the zone is
 * busy makes another turn, unless the serial it names has come by then.
 *
 * Zones come and go one by one, too (members of catalogs): what is gone stays where it is until lists and queues are gone through anyway.
 *
 * Files: secondary_zones.c (which zones there are), secondary_order.c (whose turn is next: heap and queues), secondary_survey.c (all of them at a glance). Here: what is to do, and what came of it.
 *
 * Not here: choosing among primaries (fetch.c asks all and takes the newest), the network, the disk. */
#include "sync/secondary_priv.h"

#include "base/hash.h"
#include "dns/name.h"
#include "dns/rr.h"

#include <stdlib.h>
#include <string.h>

/* ---- chance ---- */

int64_t secondary_chance(const struct secondary_set *set, struct secondary *z, int64_t n)
{
	uint8_t key[16];

	memcpy(key, &set->seed, 8);
	memset(key + 8, 0, 8);
	memcpy(key + 8, &z->turns, sizeof(z->turns));
	z->turns++;
	return n > 1 ? (int64_t)(hash_keyed(key, z->apex, name_len(z->apex)) % (uint64_t)n) : 0;
}

/* Up to a tenth less. */
static int64_t jitter(const struct secondary_set *set, struct secondary *z, int64_t ms)
{
	return ms - secondary_chance(set, z, ms / 10 + 1);
}

static int64_t bounded(uint32_t s, uint32_t most)
{
	return (int64_t)MIN(MAX(s, (uint32_t)SECONDARY_MIN_S), most) * 1000;
}

/* A zone that would expire before it was asked for, and once more, is taken to mean that. */
int64_t secondary_life_ms(uint32_t refresh_s, uint32_t retry_s, uint32_t expire_s)
{
	int64_t least = bounded(refresh_s, SECONDARY_REFRESH_MAX_S) + bounded(retry_s, SECONDARY_RETRY_MAX_S);

	return MIN(MAX(bounded(expire_s, SECONDARY_EXPIRE_MAX_S), least), (int64_t)SECONDARY_EXPIRE_MAX_S * 1000);
}

/* ---- what is to do ---- */

/* What is due queues; an expiry is told. */
static bool look_at_heap(struct secondary_set *set, int64_t now_ms, struct secondary_action *out)
{
	while (set->heap_count) {
		struct secondary *z = set->heap[0];

		if (secondary_wants_at(z) > now_ms)
			return false;
		if (z->has_version && !z->expired && z->expire_at_ms <= now_ms) {
			z->expired = true;
			secondary_changed(set, z);
			*out = (struct secondary_action){.what = SECONDARY_EXPIRE, .zone = z};
			return true;
		}
		z->urgent = !z->has_version;
		secondary_enqueue(set, z);
	}
	return false;
}

static bool may_start_routine(struct secondary_set *set, int64_t now_ms)
{
	return set->tokens_ms <= now_ms * SECONDARY_ROUTINE_PER_S / 1000;
}

static void drop_gone(struct secondary_set *set, struct secondary_queue *q, bool urgent)
{
	while (q->first && q->first->gone) {
		struct secondary *z = secondary_dequeue(set, q, urgent);

		z->phase = SECONDARY_WAITING;
		if (z->unlisted)
			secondary_zone_free(z);
	}
}

static bool take_from(struct secondary_set *set, bool urgent, struct secondary_action *out)
{
	for (size_t i = 0; set->queued[urgent] && i < set->source_count; i++) {
		struct secondary_source *s = set->sources[(set->cursor + i) % set->source_count];
		struct secondary *z;

		drop_gone(set, &s->queue[urgent], urgent);
		if (!s->queue[urgent].first || s->busy >= SECONDARY_ACTIVE_PER_SOURCE)
			continue;
		set->cursor = (set->cursor + i + 1) % set->source_count;
		z = secondary_dequeue(set, &s->queue[urgent], urgent);
		z->phase = SECONDARY_BUSY;
		s->busy++;
		set->busy++;
		*out = (struct secondary_action){.what = SECONDARY_ASK, .zone = z, .whole = z->whole, .force = z->force, .direct = z->direct};
		/* What is wished from now on is for the next turn. */
		z->urgent = z->again = z->whole = z->force = z->direct = false;
		secondary_changed(set, z);
		return true;
	}
	return false;
}

bool secondary_next(struct secondary_set *set, int64_t now_ms, struct secondary_action *out)
{
	int64_t unit = now_ms * SECONDARY_ROUTINE_PER_S / 1000;

	if (look_at_heap(set, now_ms, out))
		return true;
	if (set->busy >= SECONDARY_ACTIVE_MAX)
		return false;
	if (take_from(set, true, out))
		return true;
	if (!may_start_routine(set, now_ms) || !take_from(set, false, out))
		return false;
	/* At most a tenth of a second is saved up. */
	set->tokens_ms = MAX(set->tokens_ms, unit - SECONDARY_ROUTINE_PER_S / 10) + 1;
	return true;
}

int64_t secondary_wake_ms(const struct secondary_set *set, int64_t now_ms)
{
	int64_t at = set->heap_count ? secondary_wants_at(set->heap[0]) : INT64_MAX;

	/* Whatever else waits in a queue goes on when a busy one ends. */
	if (set->queued[0] && set->busy < SECONDARY_ACTIVE_MAX && set->tokens_ms > now_ms * SECONDARY_ROUTINE_PER_S / 1000)
		at = MIN(at, set->tokens_ms * 1000 / SECONDARY_ROUTINE_PER_S + 1);
	return at;
}

/* ---- what came of it ---- */

void secondary_leave(struct secondary_set *set, struct secondary *z)
{
	if (z->phase != SECONDARY_BUSY)
		return;
	z->phase = SECONDARY_WAITING;
	z->source->busy--;
	set->busy--;
}

static void ask_directly(struct secondary *z, uint16_t primary, uint32_t serial)
{
	z->direct = true;
	z->primary = primary;
	z->direct_serial = serial;
}

/* The turn that was wished while it was busy. */
static void take_wish(struct secondary *z)
{
	z->again = false;
	if (z->again_has_serial && z->again_primary < z->primary_count && z->has_version && !z->expired)
		ask_directly(z, z->again_primary, z->again_serial);
}

static void wait_or_go_on(struct secondary_set *set, struct secondary *z)
{
	if (z->again && (!z->again_has_serial || !z->has_version || serial_after(z->again_serial, z->serial))) {
		take_wish(z);
		secondary_hurry(set, z);
		return;
	}
	z->again = false;
	secondary_changed(set, z);
}

/* Reset by any good word of a primary. */
static void refreshed(struct secondary_set *set, struct secondary *z, const struct secondary_news *n, int64_t now_ms)
{
	secondary_leave(set, z);
	free(z->error);
	z->error = NULL;
	z->failures = 0;
	z->failed_ms = INT64_MIN;
	z->has_refreshed = z->has_primary_serial = true;
	z->refreshed_ms = now_ms;
	z->primary = n->primary < z->primary_count ? n->primary : 0;
	z->primary_serial = n->serial;
	z->expired = false;
	z->due_ms = now_ms + jitter(set, z, bounded(z->refresh_s, SECONDARY_REFRESH_MAX_S));
}

void secondary_confirmed(struct secondary_set *set, struct secondary *z, const struct secondary_news *n, int64_t now_ms)
{
	int64_t whole = secondary_life_ms(z->refresh_s, z->retry_s, z->expire_s), until = now_ms + whole;

	/* RFC 7314 4: a confirmation never shortens what was granted before. */
	if (n->has_expire)
		until = MIN(until, MAX(z->expired ? INT64_MIN : z->expire_at_ms, now_ms + (int64_t)n->option_s * 1000));
	z->expire_at_ms = until;
	refreshed(set, z, n, now_ms);
	wait_or_go_on(set, z);
}

void secondary_arrived(struct secondary_set *set, struct secondary *z, const struct secondary_news *n, int64_t now_ms)
{
	int64_t whole;

	z->has_version = true;
	z->serial = n->serial;
	z->refresh_s = n->refresh_s;
	z->retry_s = n->retry_s;
	z->expire_s = n->expire_s;
	whole = secondary_life_ms(z->refresh_s, z->retry_s, z->expire_s);
	z->expire_at_ms = now_ms + (n->has_expire ? MIN(whole, (int64_t)n->option_s * 1000) : whole);
	refreshed(set, z, n, now_ms);
	wait_or_go_on(set, z);
}

/* Until the next attempt. */
static int64_t patience(const struct secondary *z)
{
	unsigned doubled = MIN(z->failures - 1, 16U);
	int64_t ms, most;

	if (!z->has_version)
		return MIN((int64_t)1000 << doubled, (int64_t)SECONDARY_EMPTY_RETRY_MAX_S * 1000);
	ms = bounded(z->retry_s, SECONDARY_RETRY_MAX_S);
	most = MAX(ms, bounded(z->refresh_s, SECONDARY_REFRESH_MAX_S));
	return MIN(ms << doubled, most);
}

void secondary_failed(struct secondary_set *set, struct secondary *z, const char *error, int64_t now_ms)
{
	char *text = strdup(error);

	secondary_leave(set, z);
	if (text) {
		free(z->error);
		z->error = text;
	}
	z->failures += z->failures < UINT32_MAX;
	z->failed_ms = now_ms;
	z->due_ms = now_ms + jitter(set, z, patience(z));
	if (z->again) {
		take_wish(z);
		z->due_ms = MIN(z->due_ms, now_ms + SECONDARY_SULK_MS);
	}
	secondary_changed(set, z);
}

void secondary_redo(struct secondary_set *set, struct secondary *z, bool whole, int64_t now_ms)
{
	secondary_leave(set, z);
	z->whole = z->whole || whole;
	z->again = false;
	z->due_ms = now_ms;
	secondary_hurry(set, z);
}

void secondary_lost(struct secondary_set *set, struct secondary *z)
{
	z->has_version = false;
	secondary_changed(set, z);
}

void secondary_seen(struct secondary *z, uint32_t serial)
{
	z->has_primary_serial = true;
	z->primary_serial = serial;
}

/* ---- from outside ---- */

static bool is_single(const struct secondary *z, uint16_t at)
{
	for (uint16_t i = 0; i < z->primary_count; i++)
		if (i != at && addr_equal(&z->primaries[i].addr, &z->primaries[at].addr))
			return false;
	return true;
}

enum secondary_heard secondary_notified(struct secondary_set *set, struct secondary *z, const struct ip_addr *from, bool good_key, bool has_serial,
                                        uint32_t serial)
{
	uint16_t at = 0;
	bool names_one;

	while (at < z->primary_count && !addr_equal(&z->primaries[at].addr, from))
		at++;
	if (at == z->primary_count || !good_key)
		return SECONDARY_STRANGER;
	if (has_serial && z->has_version && !z->expired && !serial_after(serial, z->serial))
		return SECONDARY_OLD_NEWS;
	/* Several at one address (other ports) are asked who has it. */
	names_one = has_serial && z->has_version && !z->expired && is_single(z, at);
	if (z->phase == SECONDARY_BUSY) {
		/* The one that asks for most counts. */
		if (!z->again || (has_serial && z->again_has_serial && serial_after(serial, z->again_serial))) {
			z->again_serial = serial;
			z->again_primary = names_one ? at : UINT16_MAX;
		}
		z->again_has_serial = has_serial && (!z->again || z->again_has_serial);
		z->again = true;
		return SECONDARY_HEARD;
	}
	/* Another that has at least as new a one was to be asked: so it stays. Who does not say what it has may have the newest. */
	if (!z->direct || !has_serial || serial_after(serial, z->direct_serial)) {
		z->direct = false;
		if (names_one)
			ask_directly(z, at, serial);
	}
	if (z->phase == SECONDARY_WAITING && z->failed_ms != INT64_MIN && z->due_ms > z->failed_ms + SECONDARY_SULK_MS) {
		z->due_ms = z->failed_ms + SECONDARY_SULK_MS;
		secondary_changed(set, z);
		return SECONDARY_HEARD;
	}
	if (z->phase != SECONDARY_WAITING || z->failed_ms == INT64_MIN)
		secondary_hurry(set, z);
	return SECONDARY_HEARD;
}

void secondary_demand(struct secondary_set *set, struct secondary *z, bool whole, bool force)
{
	z->whole = z->whole || whole;
	z->force = z->force || force;
	if (z->phase == SECONDARY_BUSY) {
		z->again = true;
		z->again_has_serial = false;
		return;
	}
	secondary_hurry(set, z);
}
