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
	b->announce = d->now == DECIDE_ANNOUNCE ? ANNOUNCE_YES
	              : d->now == DECIDE_GSHUT  ? ANNOUNCE_GSHUT
	              : d->now == DECIDE_DEPREF ? ANNOUNCE_DEPREF
	                                        : ANNOUNCE_NONE;
	b->since_ns = d->since_ms * 1000000U;
	b->hold_until_ns = d->hold_until_ms * 1000000U;
	b->flaps = d->flaps;
	b->drained = d->drained && d->now == DECIDE_WITHDRAW;
	snprintf(b->why, sizeof(b->why), "%s", d->why);
	board_write_end(&b->seq);
}

/* Written only when it changes: up to 256 routes are more text than is worth making ten times a second. */
static void show_told(struct route *r, size_t i, const struct bgp_rib *rib)
{
	struct board_route_told *b = &r->role->board->route.told[i];
	uint32_t left_out = 0;
	size_t at = 0;

	board_write_begin(&b->seq);
	for (size_t k = 0; k < rib->count; k++) {
		char one[BGP_ROUTE_TEXT_MAX];
		size_t len;

		if (!rib->entries[k].told)
			continue;
		len = strlen(bgp_route_text(&rib->entries[k].have, &rib->peering, one, sizeof(one)));
		if (left_out || at + len + 2 > sizeof(b->text)) {
			left_out++;
			continue;
		}
		memcpy(b->text + at, one, len);
		b->text[at + len] = '\n';
		at += len + 1;
	}
	b->text[at] = '\0';
	b->left_out = left_out;
	board_write_end(&b->seq);
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
	b->announced = (uint32_t)st.rib->told;
	b->bad_messages = (uint32_t)st.garbage;
	snprintf(b->state_text, sizeof(b->state_text), "%s",
	         st.state == BGP_IDLE && st.enabled && n->conf.connect == BGP_CONNECT_PASSIVE ? "listening" : bgp_state_text(st.state));
	snprintf(b->last_error, sizeof(b->last_error), "%.*s", BOARD_WHY_MAX - 1, st.last_error);
	b->received = st.received;
	b->over_max = st.over_max;
	memcpy(b->interface, n->conf.interface, sizeof(b->interface));
	board_write_end(&b->seq);
	if (n->told_dirty)
		show_told(r, i, st.rib);
	n->told_dirty = false;
}

void show_all(struct route *r)
{
	for (size_t i = 0; i < r->network_count; i++)
		show_network(r, i);
	for (size_t i = 0; i < r->neighbor_count; i++)
		show_neighbor(r, i);
	hijacks_show(r);
	atomic_store(&r->role->board->route.neighbors, (uint32_t)r->neighbor_count);
	r->shown_ms = clock_ms();
}
