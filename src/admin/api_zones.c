/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/api.h"

#include "admin/zones.h"
#include "base/clock.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

enum { ZONES_MOST = 1000, ZONES_USUAL = 100, MATCH_MAX = 255 };

/* A page: zones behind `after`, at most `limit`, whose names contain `match`. "next" is the `after` of the page behind it, null where there is none; with `match` a page may have
 * fewer zones than that, or none, and still a next one: of a large node not all names are looked at in one request. */
unsigned api_zones(struct http_request *r, struct text *out)
{
	static const uint8_t root[1] = {0};
	const char *after = http_query(r, "after"), *match = http_query(r, "match");
	char small[MATCH_MAX + 1] = "", name[NAME_TEXT_MAX];
	struct zones_page p = {.limit = ZONES_USUAL, .match = small, .now_wall_s = clock_wall_s()};

	if (after && *after && name_from_text(after, strlen(after), root, &p.after) < 0)
		return http_problem(out, 400, "\"after\" is no domain name");
	p.begun = after && *after;
	if (match && strlen(match) > MATCH_MAX)
		return http_problem(out, 400, "\"match\" is longer than %d characters", MATCH_MAX);
	for (size_t i = 0; match && match[i]; i++)
		small[i] = (char)tolower((unsigned char)match[i]);
	if (!http_query_number(r, "limit", ZONES_MOST, &p.limit) || !p.limit)
		return http_problem(out, 400, "\"limit\" is a number from 1 to %d", ZONES_MOST);
	if (!r->view->store)
		return http_problem(out, 503, "no zone is loaded yet");
	text_str(out, "{\"zones\":[");
	if (zones_page(&p, r->view->store, r->view->config, out) < 0)
		return http_problem(out, 503, "no memory");
	text_str(out, "],\"next\":");
	if (p.more) {
		name_to_text(p.after.wire, name);
		text_json_string(out, name);
	} else {
		text_str(out, "null");
	}
	text_fmt(out, ",\"total\":%" PRIu64 "}\n", board_get(&r->view->board->sync.zones_configured));
	return 200;
}
