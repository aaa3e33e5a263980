/* SPDX-License-Identifier: BSD-2-Clause */
/* Endpoints on the board: a word for each pool, for those who choose, and rows for people. A word is written before its key, so that who finds the key it looks for finds what is true of it. */
#include "base/clock.h"
#include "base/log.h"
#include "watch/endpoints_priv.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { STALE_INTERVALS = 3, STALE_MS = 2000 /* on top: a check that could not be made does not count for ever */, MS = 1000000 };

static const enum board_up up_of[] = {[HEALTH_UNKNOWN] = UP_UNKNOWN, [HEALTH_PASS] = UP_YES, [HEALTH_FAIL] = UP_NO};

/* As this node sees it now. */
static enum health_state own_view(const struct endpoint_state *s, uint64_t now_ns)
{
	const struct config_pool_check *rule = &s->pool->conf->check;
	uint64_t most_ms = (uint64_t)STALE_INTERVALS * rule->interval_ms + rule->timeout_ms + STALE_MS;

	/* A check that cannot even begin ends at once, after the turn that began it has read the clock. */
	if (!s->checked_ns || now_ns > s->checked_ns + most_ms * MS)
		return HEALTH_UNKNOWN;
	return s->health.state;
}

static const struct config_pool_endpoint *conf_of(const struct endpoint_state *s)
{
	return &s->pool->conf->endpoints[s->place];
}

static void explain(const struct endpoint_state *s, enum health_state own, char why[BOARD_WHY_MAX])
{
	if (conf_of(s)->disabled)
		snprintf(why, BOARD_WHY_MAX, "it is disabled in the fleet file");
	else if (s->pool->conf->check.type == CONFIG_CHECK_NONE)
		snprintf(why, BOARD_WHY_MAX, "it is not checked, and counts as up");
	else if (own == HEALTH_FAIL && !*s->why)
		snprintf(why, BOARD_WHY_MAX, "its checks pass again, but not often enough yet");
	else if (own == HEALTH_FAIL || (own == HEALTH_PASS && *s->why))
		snprintf(why, BOARD_WHY_MAX, "%s", s->why);
	else if (own == HEALTH_PASS)
		snprintf(why, BOARD_WHY_MAX, "its checks pass");
	else if (s->passing || s->failing)
		snprintf(why, BOARD_WHY_MAX, "%u of %u nodes that check it say that it is %s", s->passing >= s->failing ? s->passing : s->failing,
		         s->passing + s->failing, s->passing >= s->failing ? "up" : "down");
	else if (*s->why)
		snprintf(why, BOARD_WHY_MAX, "not known yet, and counts as up: %s", s->why);
	else
		snprintf(why, BOARD_WHY_MAX, "not known yet, and counts as up");
}

static void write_row(const struct endpoint_state *s, enum health_state own)
{
	struct board_watch_endpoints *b = &s->pool->owner->watch->board->watch.endpoints;
	static struct board_endpoint now; /* all of its octets are set; one thread */
	struct board_endpoint *row;
	const size_t head = offsetof(struct board_endpoint, pool);

	if (s->row == ENDPOINTS_NO_ROW)
		return;
	row = &b->row[s->row];
	memset(&now, 0, sizeof(now));
	snprintf(now.pool, sizeof(now.pool), "%s", s->pool->conf->name);
	snprintf(now.name, sizeof(now.name), "%s", conf_of(s)->name);
	now.place = s->place;
	now.up = conf_of(s)->disabled ? UP_NO : up_of[s->counts];
	now.own = up_of[own];
	now.others_up = s->passing;
	now.others_down = s->failing;
	now.since_ns = s->counts_ns;
	now.checked_ns = s->checked_ns;
	now.latency_us = s->latency_us;
	explain(s, own, now.why);
	/* Looked at twice a second, changed seldom. */
	if (memcmp((const char *)row + head, (const char *)&now + head, sizeof(now) - head) == 0 && !(atomic_load(&row->seq) & 1))
		return;
	board_write_begin(&row->seq);
	memcpy((char *)row + head, (const char *)&now + head, sizeof(now) - head);
	board_write_end(&row->seq);
}

static void write_word(const struct endpoint_pool *p, uint64_t now_ns)
{
	struct board_watch_endpoints *b = &p->owner->watch->board->watch.endpoints;
	uint64_t up = 0;

	for (uint32_t i = 0; i < p->count; i++)
		if (p->list[i].counts != HEALTH_FAIL && !p->conf->endpoints[i].disabled)
			up |= 1ULL << i;
	atomic_store(&b->pool[p->place].up, up);
	atomic_store(&b->pool[p->place].changed_ns, now_ns);
	atomic_fetch_add(&b->changes, 1);
}

static void tell(const struct endpoint_state *s, enum health_state was, enum health_state own)
{
	static struct log_limit limit;
	struct board_event e = {.kind = EVENT_ENDPOINT, .level = s->counts == HEALTH_FAIL ? EVENT_WARN : EVENT_INFO};
	char why[BOARD_WHY_MAX];

	explain(s, own, why);
	if (log_limit_pass(&limit, 16))
		log_line(s->counts == HEALTH_FAIL ? LOG_WARN : LOG_NOTICE, "endpoint pool=%s endpoint=%s state=%s why=\"%s\"", s->pool->conf->name,
		         conf_of(s)->name, board_up_text(up_of[s->counts]), why);
	/* What has just begun is no news, but for what is down. */
	if (was == HEALTH_UNKNOWN && s->counts == HEALTH_PASS)
		return;
	snprintf(e.subject, sizeof(e.subject), "%s/%s", s->pool->conf->name, conf_of(s)->name);
	snprintf(e.old, sizeof(e.old), "%s", board_up_text(up_of[was]));
	snprintf(e.now, sizeof(e.now), "%s", board_up_text(up_of[s->counts]));
	snprintf(e.why, sizeof(e.why), "%s", why);
	watch_event_many(s->pool->owner->watch, WATCH_BURST_ENDPOINT, &e);
}

/* For others, which hear of it. */
static void note_own(struct endpoint_state *s, enum health_state own)
{
	uint64_t bit = 1ULL << s->place;
	struct endpoint_pool *p = s->pool;
	uint64_t known = own == HEALTH_UNKNOWN ? p->known & ~bit : p->known | bit;
	uint64_t up = own == HEALTH_PASS ? p->up | bit : p->up & ~bit;

	if (known == p->known && up == p->up)
		return;
	p->known = known;
	p->up = up;
	p->owner->changed = true;
}

void endpoints_show(struct endpoint_state *s, uint64_t now_ns)
{
	enum health_state own = own_view(s, now_ns), was = s->counts;

	endpoints_count_views(s, now_ns);
	s->counts = health_combine(own, s->passing, s->failing);
	note_own(s, own);
	if (s->counts != was) {
		s->counts_ns = now_ns;
		write_row(s, own);
		write_word(s->pool, now_ns);
		tell(s, was, own);
	} else {
		write_row(s, own);
	}
}

/* ---- all of it ---- */

void endpoints_inherit(struct endpoint_pool *p)
{
	const struct board_watch_endpoints *b = &p->owner->watch->board->watch.endpoints;
	uint32_t rows = MIN(atomic_load(&b->rows), (uint32_t)BOARD_ENDPOINTS_MAX);
	struct board_endpoint row;

	for (uint32_t i = 0; i < rows; i++) {
		if (!board_copy(&b->row[i].seq, &b->row[i], &row, sizeof(row)) || strncmp(row.pool, p->conf->name, sizeof(row.pool)) != 0)
			continue;
		for (uint32_t k = 0; k < p->count; k++) {
			struct endpoint_state *s = &p->list[k];

			if (strncmp(row.name, conf_of(s)->name, sizeof(row.name)) != 0 || row.place != k)
				continue;
			s->counts = row.up == UP_YES ? HEALTH_PASS : row.up == UP_NO && !conf_of(s)->disabled ? HEALTH_FAIL : HEALTH_UNKNOWN;
			s->counts_ns = row.since_ns;
			if (row.own == UP_UNKNOWN || !p->own)
				continue;
			s->health.state = row.own == UP_YES ? HEALTH_PASS : HEALTH_FAIL;
			s->checked_ns = row.checked_ns;
			s->latency_us = row.latency_us;
			if (row.own == UP_NO)
				snprintf(s->why, sizeof(s->why), "%.*s", (int)sizeof(s->why) - 1, row.why);
		}
	}
}

/* Rows that belong to nobody any more. */
static void clear_rows(struct board_watch_endpoints *b, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		board_write_begin(&b->row[i].seq);
		memset((char *)&b->row[i] + sizeof(b->row[i].seq), 0, sizeof(b->row[i]) - sizeof(b->row[i].seq));
		board_write_end(&b->row[i].seq);
	}
}

void endpoints_lay_out(struct endpoints *e)
{
	struct board_watch_endpoints *b = &e->watch->board->watch.endpoints;
	uint32_t row = 0, had = MIN(atomic_load(&b->rows), (uint32_t)BOARD_ENDPOINTS_MAX), hidden = 0;
	uint64_t now_ns = clock_ns();

	for (uint32_t i = 0; i < e->count; i++) {
		struct endpoint_pool *p = &e->pools[i];
		bool other = atomic_load(&b->pool[i].key) != p->key;

		if (other)
			atomic_store(&b->pool[i].key, 0);
		for (uint32_t k = 0; k < p->count; k++) {
			struct endpoint_state *s = &p->list[k];

			if (row < BOARD_ENDPOINTS_MAX)
				s->row = row++;
			else
				hidden++;
			if (!s->counts_ns)
				s->counts_ns = now_ns;
			endpoints_show(s, now_ns);
		}
		write_word(p, now_ns);
		atomic_store(&b->pool[i].key, p->key);
	}
	for (uint32_t i = e->count; i < BOARD_POOLS_MAX; i++) {
		atomic_store(&b->pool[i].key, 0);
		atomic_store(&b->pool[i].up, 0);
	}
	atomic_store(&b->pools, e->count);
	atomic_store(&b->rows, row);
	atomic_store(&b->hidden, hidden);
	clear_rows(b, row, MAX(had, row));
	atomic_fetch_add(&b->changes, 1);
}
