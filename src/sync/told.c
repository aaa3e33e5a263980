/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/told.h"

#include "base/clock.h"
#include "base/err.h"
#include "sync/events.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void told_string(struct text *out, const char *key, const char *value)
{
	text_fmt(out, ",\"%s\":\"", key);
	for (const char *p = value; *p && p < value + TOLD_MAX; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '"' || c == '\\')
			text_fmt(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			text_fmt(out, "\\u%04x", c);
		else
			text_char(out, *p);
	}
	text_char(out, '"');
}

void told_error(struct loader *l, struct zone_row *row, const char *why_or_null)
{
	char *copy = why_or_null ? strdup(why_or_null) : NULL;
	const char *was = row->error ? (row->serving ? "refused" : "failed") : row->serving ? "served" : "none";

	if (why_or_null)
		sync_event_zone(row->apex, row->serving ? EVENT_WARN : EVENT_ALERT, was, row->serving ? "refused" : "failed", "%s%.160s",
		                row->serving ? "the version before is served on: " : "it is not served: ", why_or_null);
	else if (row->error)
		sync_event_zone(row->apex, EVENT_INFO, was, "served", "its file is good again");
	pthread_mutex_lock(&l->lock);
	l->failing += (uint64_t)(copy != NULL) - (row->error != NULL);
	free(row->error);
	row->error = copy;
	row->error_s = clock_wall_s();
	pthread_mutex_unlock(&l->lock);
}

static void describe(const struct zone_row *row, struct text *out)
{
	int64_t now = clock_wall_s();
	char text[NAME_TEXT_MAX];

	text_str(out, "{\"role\":\"primary\"");
	name_to_text(row->apex, text);
	told_string(out, "zone", text);
	told_string(out, "state", row->error ? (row->serving ? "failing" : "empty") : row->serving ? "fresh" : "empty");
	told_string(out, "file", row->path);
	if (row->serving)
		text_fmt(out, ",\"serial\":%u,\"records\":%u", row->serial, row->records);
	if (row->serving && row->signatures.any)
		text_fmt(out, ",\"signatures_end_s\":%" PRId64 ",\"signatures_end_exact\":%s",
		         signatures_left_s(&row->signatures, now), row->signatures.exact ? "true" : "false");
	if (row->error) {
		told_string(out, "error", row->error);
		text_fmt(out, ",\"error_age_s\":%" PRId64, MAX(now - row->error_s, (int64_t)0));
	}
	text_str(out, "}\n");
}

int told_describe(struct loader *l, const uint8_t *apex, struct text *out)
{
	const struct zone_row *row;
	bool found;

	pthread_mutex_lock(&l->lock);
	row = l->zones ? zone_list_find(l->zones, apex) : NULL;
	found = row && row->path;
	if (found)
		describe(row, out);
	pthread_mutex_unlock(&l->lock);
	return found ? 0 : ERR_NOT_FOUND;
}

bool told_next(struct loader *l, const uint8_t *after, struct name *out)
{
	size_t low = 0, high;
	bool found;

	pthread_mutex_lock(&l->lock);
	high = l->zones ? l->zones->count : 0;
	while (after && low < high) {
		size_t mid = low + (high - low) / 2;

		if (name_compare(l->zones->rows[mid].apex, after) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	while (l->zones && low < l->zones->count && !l->zones->rows[low].path)
		low++;
	found = l->zones && low < l->zones->count;
	if (found)
		name_copy(out, l->zones->rows[low].apex);
	pthread_mutex_unlock(&l->lock);
	return found;
}
