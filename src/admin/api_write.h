/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/status.h"
#include "admin/view.h"
#include "base/text.h"

#include <jansson.h>

/* Pieces of answers that more than one route tells, or that the stream tells as well. */
struct status_facts api_facts(const struct admin_view *v);
/* Appends o, which is freed; a newline behind it. 200, or 503 where there was no memory for it. */
unsigned api_put(struct text *out, json_t *o);

/* api_events.c */
bool events_place_parse(const char *text, struct board_events_cursor *out);
void events_place_text(const struct board_events_cursor *c, struct text *out);
void event_text(const struct board_event *e, int role, struct text *out);
/* api_fleet.c: all nodes as this one sees them. */
json_t *fleet_json(const struct admin_view *v);
