/* SPDX-License-Identifier: BSD-2-Clause */
/* Events for the control socket, in the form that HTTP has them (api_events.c), and what the status says of them. */
#include "admin/events.h"

#include "admin/api_write.h"

#include <inttypes.h>
#include <string.h>

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
		event_text(&e, role, out);
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
	event_text(&alert, alert_role, &text);
	json_object_set_new(o, "last_alert", json_loads(text.chars, 0, NULL));
	text_done(&text);
	return o;
}
