/* SPDX-License-Identifier: BSD-2-Clause */
/* What has happened on the node: the rings of its processes as one list. A place in it is the four numbers of the rings' newest events that have been told,
 * "12.0.55.3" (supervisor, sync, watch, route): whoever asks again with the place that the last answer ended at gets what has happened since, and how much of it
 * has been lost. */
#include "admin/api.h"

#include "admin/api_write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_MOST = 1000, EVENTS_USUAL = 500 };

bool events_place_parse(const char *text, struct board_events_cursor *out)
{
	struct board_events_cursor c;

	for (int i = 0; i < EVENT_RINGS; i++) {
		uint64_t n = 0;

		if (*text < '0' || *text > '9')
			return false;
		for (; *text >= '0' && *text <= '9'; text++) {
			if (n > UINT64_MAX / 100)
				return false;
			n = n * 10 + (unsigned)(*text - '0');
		}
		if (*text != (i + 1 < EVENT_RINGS ? '.' : '\0'))
			return false;
		text += *text == '.';
		c.last[i] = n;
	}
	*out = c;
	return true;
}

void events_place_text(const struct board_events_cursor *c, struct text *out)
{
	for (int i = 0; i < EVENT_RINGS; i++)
		text_fmt(out, "%s%" PRIu64, i ? "." : "", c->last[i]);
}

static void member(struct text *out, const char *key, const char *value)
{
	text_fmt(out, ",\"%s\":", key);
	text_json_string(out, value);
}

void event_text(const struct board_event *e, int role, struct text *out)
{
	text_fmt(out, "{\"role\":\"%s\",\"number\":%" PRIu64 ",\"time_ms\":%" PRIu64 ",\"level\":\"%s\",\"kind\":\"%s\",\"family\":", board_role_text((enum board_role)role),
	         e->number, e->wall_us / 1000, board_event_level_text((enum board_event_level)e->level), board_event_kind_text((enum board_event_kind)e->kind));
	text_str(out, e->family == 4 ? "4" : e->family == 6 ? "6" : "null");
	member(out, "network", e->network);
	member(out, "subject", e->subject);
	member(out, "old", e->old);
	member(out, "now", e->now);
	member(out, "why", e->why);
	text_char(out, '}');
}

static bool wanted(const struct board_event *e, enum board_event_kind kind, const char *network, const char *level)
{
	return (kind == EVENT_KINDS || e->kind == kind) && (!network || strcmp(e->network, network) == 0) &&
	       (!level || strcmp(level, board_event_level_text((enum board_event_level)e->level)) == 0 || e->level == EVENT_ALERT);
}

/* level=warn: warnings and alerts; level=alert: those alone. */
unsigned api_events(struct http_request *r, struct text *out)
{
	const char *after = http_query(r, "after"), *kind_text = http_query(r, "kind"), *network = http_query(r, "network"), *level = http_query(r, "level");
	enum board_event_kind kind = kind_text ? board_event_kind_parse(kind_text, strlen(kind_text)) : EVENT_KINDS;
	struct board_events_cursor c = {0};
	uint64_t limit = EVENTS_USUAL, lost = 0, told = 0;
	struct board_event e;
	int role = 0;

	if (after && !events_place_parse(after, &c))
		return http_problem(out, 400, "\"after\" is a place that an answer has told as \"next\"");
	if (kind_text && kind == EVENT_KINDS)
		return http_problem(out, 400, "there are no events of that kind");
	if (level && strcmp(level, "info") == 0)
		level = NULL;
	if (level && strcmp(level, "warn") != 0 && strcmp(level, "alert") != 0)
		return http_problem(out, 400, "\"level\" is info, warn or alert");
	if (!http_query_number(r, "limit", EVENTS_MOST, &limit))
		return http_problem(out, 400, "\"limit\" is a number of at most %d", EVENTS_MOST);
	text_str(out, "{\"events\":[");
	while (told < limit && board_events_next(r->view->board, &c, &lost, &e, &role)) {
		if (!wanted(&e, kind, network, level))
			continue;
		if (told++)
			text_char(out, ',');
		event_text(&e, role, out);
	}
	text_str(out, "],\"next\":\"");
	events_place_text(&c, out);
	text_fmt(out, "\",\"lost\":%" PRIu64 "}\n", after ? lost : 0);
	return 200;
}
