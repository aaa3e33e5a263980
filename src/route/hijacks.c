/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbors with `watch-routes` have what they send looked through for our prefixes (hijack.c); here what is found is told: one log line when it begins, when
 * its path changes, and when it is over, and rows of the board. A session that ends takes its sightings with it: nobody sees them any more, which is said in
 * that many words. */
#include "route/route.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum { LOGS_PER_SECOND = 20 };

static void tell(struct route *r, const struct hijack *h, enum hijack_event event, const char *note)
{
	static const char *const states[] = {"", "begun", "other-path", "over", "begun"};
	static struct log_limit limit;
	char prefix[PREFIX_TEXT_MAX], ours[PREFIX_TEXT_MAX], from[ENDPOINT_TEXT_MAX], origin[24] = "a set";

	event_hijack(r, h, event, note);
	if (!log_limit_pass(&limit, LOGS_PER_SECOND))
		return;
	if (h->origin)
		snprintf(origin, sizeof(origin), "%u", h->origin);
	log_line(event == HIJACK_OVER ? LOG_NOTICE : LOG_WARN, "hijack prefix=%s state=%s ours=%s as=%u origin=\"%s\" peer=%s path=\"%s\"%s%s%s",
	         prefix_text(&h->prefix, prefix), states[event], prefix_text(&h->ours, ours), h->as, origin, endpoint_text(&h->from, from), h->path,
	         note ? " note=\"" : "", note ? note : "", note ? "\"" : "");
}

void hijacks_show(struct route *r)
{
	struct board_hijacks *b = &r->role->board->route.hijacks;
	const struct hijack_table *t = &r->hijacks;
	size_t count = MIN(t->count, (size_t)BOARD_HIJACKS_MAX);

	if (!r->hijacks_dirty)
		return;
	r->hijacks_dirty = false;
	board_write_begin(&b->seq);
	b->count = (uint32_t)t->count;
	b->rows = (uint32_t)count;
	b->seen = t->seen;
	b->left_out = t->left_out;
	for (size_t i = 0; i < count; i++) {
		const struct hijack *h = &t->list[i];
		struct board_hijack *to = &b->row[i];

		to->prefix = h->prefix;
		to->ours = h->ours;
		to->neighbor = h->from.addr;
		to->as = h->as;
		to->origin = h->origin;
		to->since_ns = h->since_ms * 1000000U;
		snprintf(to->path, sizeof(to->path), "%s", h->path);
	}
	board_write_end(&b->seq);
}

static void on_route(void *ctx, const struct ip_prefix *prefix, const struct bgp_path *path)
{
	struct neighbor *n = ctx;
	struct hijack h;
	enum hijack_event event = hijack_route(&n->route->hijacks, &n->at, prefix, path, clock_ms(), &h);

	if (event == HIJACK_NOTHING)
		return;
	n->route->hijacks_dirty = true;
	tell(n->route, &h, event, event == HIJACK_NO_ROOM ? "there are more than are remembered" : NULL);
}

void hijacks_update(struct neighbor *n, const struct bgp_frame *update)
{
	if (bgp_routes_in(update, on_route, n) != BGP_UPDATE_FINE)
		n->bad_updates++;
}

void hijacks_lost(struct neighbor *n, const char *why)
{
	struct hijack h;

	while (hijack_forget(&n->route->hijacks, &n->at, &h)) {
		n->route->hijacks_dirty = true;
		tell(n->route, &h, HIJACK_OVER, why);
	}
}

static size_t add(struct hijack_ours *list, size_t count, const struct config_network *n, const struct ip_prefix *prefixes, size_t prefix_count)
{
	for (size_t i = 0; i < prefix_count && count < HIJACK_OURS_MAX; i++)
		list[count++] = (struct hijack_ours){.prefix = prefixes[i], .as = n->as};
	return count;
}

bool hijacks_set(struct route *r)
{
	static struct hijack_ours list[HIJACK_OURS_MAX]; /* large; one thread */
	static struct hijack_ours before[HIJACK_OURS_MAX];
	const struct config *c = r->role->config;
	size_t count = 0, before_count = r->hijacks.ours_count;

	memcpy(before, r->hijacks.ours, sizeof(before));
	/* All networks of the fleet, not only those of this node: what it sees nobody else may. */
	for (size_t i = 0; c && i < c->network_count; i++) {
		const struct config_network *n = &c->networks[i];

		count = add(list, count, n, n->prefixes, n->prefix_count);
		count = add(list, count, n, n->backstops, n->backstop_count);
	}
	hijack_set_ours(&r->hijacks, list, count);
	r->hijacks_dirty = true;
	if (before_count != r->hijacks.ours_count)
		return true;
	for (size_t i = 0; i < before_count; i++)
		if (before[i].as != r->hijacks.ours[i].as || before[i].prefix.len != r->hijacks.ours[i].prefix.len ||
		    !addr_equal(&before[i].prefix.addr, &r->hijacks.ours[i].prefix.addr))
			return true;
	return false;
}
