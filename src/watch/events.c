/* SPDX-License-Identifier: BSD-2-Clause */
/* What watch finds out, as events on the board. Of things of which many change at once, as when this node is cut off from a large fleet, the first are told one by one, then how many
 * more there were. */
#include "watch/watch.h"

#include "base/clock.h"

#include <stdio.h>

enum { AT_ONCE = 20 };

void watch_event(struct watch *w, const struct board_event *e)
{
	board_event_add(&w->board->watch.events, e);
}

void watch_event_verdict(struct watch *w, const char *network, int family, enum board_verdict was, enum board_verdict now, const char *why)
{
	static const enum board_event_level levels[] = {EVENT_WARN, EVENT_INFO, EVENT_WARN, EVENT_ALERT};
	struct board_event e = {.kind = EVENT_VERDICT, .level = (uint8_t)levels[now], .family = family ? 6 : 4};

	snprintf(e.network, sizeof(e.network), "%s", network);
	snprintf(e.old, sizeof(e.old), "%s", board_verdict_text(was));
	snprintf(e.now, sizeof(e.now), "%s", board_verdict_text(now));
	snprintf(e.why, sizeof(e.why), "%s", why);
	watch_event(w, &e);
}

void watch_event_many(struct watch *w, enum watch_burst burst, const struct board_event *e)
{
	if (event_burst_pass(&w->bursts[burst], AT_ONCE, clock_ms()))
		watch_event(w, e);
}

void watch_events_tick(struct watch *w, uint64_t now_ms)
{
	static const struct {
		enum board_event_kind kind;
		const char *what;
	} of[WATCH_BURSTS] = {[WATCH_BURST_PEER] = {EVENT_PEER, "nodes"}, [WATCH_BURST_RPKI] = {EVENT_RPKI, "prefixes"}, [WATCH_BURST_ENDPOINT] = {EVENT_ENDPOINT, "endpoints"},
	                  [WATCH_BURST_BACKEND] = {EVENT_BACKEND, "backends"}};

	for (size_t i = 0; i < WATCH_BURSTS; i++) {
		uint32_t more = event_burst_over(&w->bursts[i], now_ms);
		struct board_event e = {.kind = (uint8_t)of[i].kind, .level = EVENT_WARN};

		if (!more)
			continue;
		snprintf(e.subject, sizeof(e.subject), "more");
		snprintf(e.now, sizeof(e.now), "%u", more);
		snprintf(e.why, sizeof(e.why), "%u more changes of %s at the same time are not told one by one: zonecast status shows how things are now", more,
		         of[i].what);
		watch_event(w, &e);
	}
}
