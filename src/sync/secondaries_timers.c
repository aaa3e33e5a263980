/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers of zones held by transfer, which survive restarts and reboots: in the journal in wall-clock time, here in the loop's. */
#include "sync/secondaries_priv.h"

#include "base/err.h"
#include "base/log.h"
#include "sync/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOTE_MAX = 20000 /* zones whose timers go in one write */ };

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
	int64_t now = secondaries_now_ms(), wall = clock_wall_s();
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

void secondaries_recall_zone(struct secondary_set *set, struct secondary *z, const struct held *h, int64_t now)
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
void secondaries_note(struct secondaries *s, struct secondary *z)
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

void secondaries_take_timers(struct secondaries *s)
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

void secondaries_note_timers(struct secondaries *s)
{
	struct text why;

	if (!s->timer_count || !s->journal)
		return;
	text_init(&why);
	if (arrive_note_timers(s->journal, s->timers, s->timer_count, &why) < 0) {
		s->journal_failed++;
		sync_event_journal(false, why.chars);
		log_err("journal what=timers error=\"%s\"", why.chars);
	}
	text_done(&why);
}
