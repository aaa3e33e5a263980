/* SPDX-License-Identifier: BSD-2-Clause */
/* The ring has one writer, which is this process; that has two threads that have something to tell, the loop and the loading one. They take turns by a lock, which nobody holds longer than
 * it takes to copy an event. */
#include "sync/events.h"

#include "base/clock.h"
#include "dns/name.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ZONES_AT_ONCE = 10 };

static struct {
	pthread_mutex_t lock;
	struct board *board; /* NULL: not started */
	struct event_burst zones;
	bool journal_failing;
} told = {.lock = PTHREAD_MUTEX_INITIALIZER};

void sync_events_start(struct board *board)
{
	told.board = board;
}

static void put(const struct board_event *e)
{
	pthread_mutex_lock(&told.lock);
	board_event_add(&told.board->sync.events, e);
	pthread_mutex_unlock(&told.lock);
}

void sync_event_zone(const uint8_t *apex, enum board_event_level level, const char *old, const char *now, const char *fmt, ...)
{
	struct board_event e = {.kind = EVENT_ZONE, .level = (uint8_t)level};
	char zone[NAME_TEXT_MAX];
	bool pass;
	va_list ap;

	if (!told.board)
		return;
	pthread_mutex_lock(&told.lock);
	pass = event_burst_pass(&told.zones, ZONES_AT_ONCE, clock_ms());
	pthread_mutex_unlock(&told.lock);
	if (!pass)
		return;
	name_to_text(apex, zone);
	snprintf(e.subject, sizeof(e.subject), "%.*s", EVENT_SUBJECT_MAX - 1, zone);
	snprintf(e.old, sizeof(e.old), "%s", old);
	snprintf(e.now, sizeof(e.now), "%s", now);
	va_start(ap, fmt);
	vsnprintf(e.why, sizeof(e.why), fmt, ap);
	va_end(ap);
	put(&e);
}

void sync_event_loaded(uint64_t zones, uint64_t serving)
{
	struct board_event e = {.kind = EVENT_ZONE, .level = serving == zones ? EVENT_INFO : EVENT_WARN};

	if (!told.board)
		return;
	snprintf(e.subject, sizeof(e.subject), "all zones");
	snprintf(e.old, sizeof(e.old), "loading");
	snprintf(e.now, sizeof(e.now), "loaded");
	snprintf(e.why, sizeof(e.why), "%" PRIu64 " of %" PRIu64 " zones are served after the first look at them", serving, zones);
	put(&e);
}

void sync_event_primaries(const char *network, bool answer, const char *why)
{
	struct board_event e = {.kind = EVENT_PRIMARY, .level = answer ? EVENT_INFO : EVENT_ALERT};

	if (!told.board)
		return;
	snprintf(e.network, sizeof(e.network), "%s", network);
	snprintf(e.subject, sizeof(e.subject), "primaries");
	snprintf(e.old, sizeof(e.old), "%s", answer ? "silent" : "answering");
	snprintf(e.now, sizeof(e.now), "%s", answer ? "answering" : "silent");
	snprintf(e.why, sizeof(e.why), "%s", why);
	put(&e);
}

void sync_event_journal(bool good, const char *why)
{
	struct board_event e = {.kind = EVENT_DISK, .level = good ? EVENT_INFO : EVENT_ALERT};
	bool changed;

	if (!told.board)
		return;
	pthread_mutex_lock(&told.lock);
	changed = told.journal_failing == good;
	told.journal_failing = !good;
	pthread_mutex_unlock(&told.lock);
	if (!changed)
		return;
	snprintf(e.subject, sizeof(e.subject), "journal");
	snprintf(e.old, sizeof(e.old), "%s", good ? "failing" : "good");
	snprintf(e.now, sizeof(e.now), "%s", good ? "good" : "failing");
	snprintf(e.why, sizeof(e.why), "%s", good ? "the journal takes what is written to it again" : why);
	put(&e);
}

void sync_event_geoip(bool good, const char *why)
{
	struct board_event e = {.kind = EVENT_CONFIG, .level = good ? EVENT_INFO : EVENT_ALERT};

	if (!told.board)
		return;
	snprintf(e.subject, sizeof(e.subject), "geoip");
	snprintf(e.now, sizeof(e.now), "%s", good ? "taken" : "refused");
	snprintf(e.why, sizeof(e.why), "%s", why);
	put(&e);
}

void sync_events_tick(uint64_t now_ms)
{
	struct board_event e = {.kind = EVENT_ZONE, .level = EVENT_WARN};
	uint32_t more;

	pthread_mutex_lock(&told.lock);
	more = event_burst_over(&told.zones, now_ms);
	pthread_mutex_unlock(&told.lock);
	if (!more || !told.board)
		return;
	snprintf(e.subject, sizeof(e.subject), "more");
	snprintf(e.now, sizeof(e.now), "%u", more);
	snprintf(e.why, sizeof(e.why), "%u more changes of zones at the same time are not told one by one: zonecast zone status shows how things are now", more);
	put(&e);
}
