/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as JSON, for the control socket and for HTTP. Members that say nothing (no network, no subject, no family, no state before) are left out. */
#include "admin/events.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

static void put(struct text *out, const char *key, const char *value)
{
	if (!value[0])
		return;
	text_fmt(out, ",\"%s\":", key);
	text_json_string(out, value);
}

void events_text(const struct board_event *e, enum board_role role, struct text *out)
{
	char time[24];

	clock_wall_text((int64_t)(e->wall_us / 1000000U), time);
	time[strlen(time) - 1] = '\0'; /* the Z stands behind the fraction */
	text_fmt(out, "{\"time\":\"%s.%06uZ\",\"role\":\"%s\",\"number\":%" PRIu64 ",\"kind\":\"%s\",\"level\":\"%s\"", time, (unsigned)(e->wall_us % 1000000U),
	         board_role_text(role), e->number, board_event_kind_text((enum board_event_kind)e->kind), board_event_level_text((enum board_event_level)e->level));
	put(out, "network", e->network);
	put(out, "family", e->family == 4 ? "ipv4" : e->family == 6 ? "ipv6" : "");
	put(out, "subject", e->subject);
	put(out, "old", e->old);
	put(out, "new", e->now);
	text_str(out, ",\"why\":");
	text_json_string(out, e->why);
	text_char(out, '}');
}

bool events_stream_piece(const struct board *b, struct board_events_cursor *c, struct text *out)
{
	for (int n = 0; n < EVENTS_PIECE; n++) {
		struct board_event e;
		uint64_t lost = 0;
		int role = ROLE_SUPERVISOR;
		bool found = board_events_next(b, c, &lost, &e, &role);

		if (lost)
			text_fmt(out, "{\"lost\":%" PRIu64 "}\n", lost);
		if (!found)
			return false;
		events_text(&e, (enum board_role)role, out);
		text_char(out, '\n');
	}
	return true;
}

json_t *status_events(const struct board *b)
{
	struct board_events_cursor c = {.last = {0}};
	struct board_event e, alert = {.number = 0};
	uint64_t lost = 0, all = 0;
	int role, alert_role = 0;
	struct text text;
	json_t *o;

	board_events_skip(b, &c);
	for (int i = 0; i < EVENT_RINGS; i++)
		all += c.last[i];
	memset(&c, 0, sizeof(c));
	while (board_events_next(b, &c, &lost, &e, &role))
		if (e.level == EVENT_ALERT) {
			alert = e;
			alert_role = role;
		}
	o = json_pack("{s:I, s:I}", "written", (json_int_t)all, "kept", (json_int_t)(all - lost));
	if (!alert.number)
		return o;
	text_init(&text);
	events_text(&alert, (enum board_role)alert_role, &text);
	json_object_set_new(o, "last_alert", json_loads(text.chars, 0, NULL));
	text_done(&text);
	return o;
}
