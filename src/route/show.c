/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/route.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

void show_network(struct route *r, size_t i)
{
	struct board_route_network *b = &r->role->board->route.networks[i];
	const struct decide_state *d = &r->networks[i].decide;

	board_write_begin(&b->seq);
	b->announce = d->now == DECIDE_ANNOUNCE ? ANNOUNCE_YES : d->now == DECIDE_GSHUT ? ANNOUNCE_GSHUT : ANNOUNCE_NONE;
	b->since_ns = d->since_ms * 1000000U;
	b->hold_until_ns = d->hold_until_ms * 1000000U;
	b->flaps = d->flaps;
	b->drained = d->drained && d->now == DECIDE_WITHDRAW;
	snprintf(b->why, sizeof(b->why), "%s", d->why);
	board_write_end(&b->seq);
}

static void announced_text(const struct bgp_rib *rib, char *buf, size_t cap)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < rib->count && at + 2 < cap; i++) {
		char one[BGP_ROUTE_TEXT_MAX];
		int n;

		if (!rib->entries[i].told)
			continue;
		n = snprintf(buf + at, cap - at, "%s%s", at ? "; " : "",
		             bgp_route_text(&rib->entries[i].have, &rib->peering, one, sizeof(one)));
		at += n > 0 ? MIN((size_t)n, cap - at - 1) : 0;
	}
}

void show_neighbor(struct route *r, size_t i)
{
	struct board_route_neighbor *b = &r->role->board->route.neighbor[i];
	struct neighbor *n = &r->neighbors[i];
	struct bgp_session_status st;

	bgp_session_status(n->session, &st);
	board_write_begin(&b->seq);
	b->address = n->at.addr;
	b->as = n->conf.peer_as;
	b->state = st.state;
	b->since_ns = st.since_ms * 1000000U;
	b->established_count = (uint32_t)st.established_count;
	b->hold_s = st.hold_s;
	b->announced = st.rib ? (uint32_t)st.rib->told : 0;
	b->bad_messages = (uint32_t)st.garbage;
	snprintf(b->state_text, sizeof(b->state_text), "%s", bgp_state_text(st.state));
	snprintf(b->last_error, sizeof(b->last_error), "%.*s", BOARD_WHY_MAX - 1, st.last_error);
	if (st.rib)
		announced_text(st.rib, b->announced_text, sizeof(b->announced_text));
	bfd_paths_show(r, n, &b->bfd);
	board_write_end(&b->seq);
}

void show_all(struct route *r)
{
	for (size_t i = 0; i < r->network_count; i++)
		show_network(r, i);
	for (size_t i = 0; i < r->neighbor_count; i++)
		show_neighbor(r, i);
	bfd_paths_show_all(r);
	atomic_store(&r->role->board->route.neighbors, (uint32_t)r->neighbor_count);
	r->shown_ms = clock_ms();
}
