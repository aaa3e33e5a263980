/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/route.h"

#include "base/clock.h"
#include "route/page.h"

#include <stdio.h>
#include <string.h>

enum board_announce show_announce_of(enum decide_announce a)
{
	static const enum board_announce as[] = {ANNOUNCE_NONE, ANNOUNCE_YES, ANNOUNCE_GSHUT, ANNOUNCE_DEPREF};

	return as[a];
}

/* The family that says less speaks for the network. */
static int spokesman(const struct network *n)
{
	static const int rank[] = {[DECIDE_WITHDRAW] = 0, [DECIDE_GSHUT] = 1, [DECIDE_DEPREF] = 2, [DECIDE_ANNOUNCE] = 3};
	const struct unit *u = n->family;

	if (!u[0].exists || !u[1].exists)
		return u[0].exists ? 0 : 1;
	return rank[u[1].decide.now] < rank[u[0].decide.now];
}

void show_network(struct route *r, size_t i)
{
	struct board_route_network *b = &r->role->board->route.networks[i];
	const struct network *n = &r->networks[i];
	const struct decide_state *d = &n->family[spokesman(n)].decide;
	bool drained = true;

	for (int f = 0; f < BOARD_FAMILIES; f++)
		drained &= !n->family[f].exists || (n->family[f].decide.drained && n->family[f].decide.now == DECIDE_WITHDRAW);
	board_write_begin(&b->seq);
	b->announce = show_announce_of(d->now);
	b->since_ns = d->since_ms * 1000000U;
	b->hold_until_ns = d->hold_until_ms * 1000000U;
	b->flaps = MAX(n->family[0].decide.flaps, n->family[1].decide.flaps);
	b->drained = drained;
	snprintf(b->why, sizeof(b->why), "%s", n->family[spokesman(n)].why);
	for (int f = 0; f < BOARD_FAMILIES; f++) {
		const struct unit *u = &n->family[f];
		struct board_route_family *to = &b->family[f];

		to->announce = u->exists ? show_announce_of(u->decide.now) : ANNOUNCE_NONE;
		to->intent = u->decide.guard.intent;
		to->intent_ns = u->decide.guard.intent ? u->decide.guard.intent_since_ms * 1000000U : 0;
		to->since_ns = u->decide.since_ms * 1000000U;
		to->hold_until_ns = u->decide.hold_until_ms * 1000000U;
		to->flaps = u->decide.flaps;
		snprintf(to->why, sizeof(to->why), "%s", u->why);
		snprintf(to->page, sizeof(to->page), "%s", page_of(u->decide.reason));
	}
	b->backstop = show_announce_of(r->backstops[i].state.now);
	b->backstop_since_ns = r->backstops[i].network[0] ? r->backstops[i].state.since_ms * 1000000U : 0;
	snprintf(b->backstop_why, sizeof(b->backstop_why), "%s", r->backstops[i].state.why);
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
	b->order = (uint32_t)show_announce_of(leave_limit(&n->leave, DECIDE_ANNOUNCE));
	snprintf(b->state_text, sizeof(b->state_text), "%s",
	         st.state == BGP_IDLE && st.enabled && n->conf.connect == BGP_CONNECT_PASSIVE ? "listening" : bgp_state_text(st.state));
	snprintf(b->last_error, sizeof(b->last_error), "%.*s", BOARD_WHY_MAX - 1, st.last_error);
	b->received = st.received;
	b->over_max = st.over_max;
	memcpy(b->interface, n->conf.interface, sizeof(b->interface));
	bfd_paths_show(r, n, &b->bfd);
	board_write_end(&b->seq);
	if (n->over_max != st.over_max) {
		n->over_max = st.over_max;
		event_max_prefixes(r, n, st.received, st.over_max);
	}
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
	bfd_paths_show_all(r);
	hijacks_show(r);
	atomic_store(&r->role->board->route.neighbors, (uint32_t)r->neighbor_count);
	r->shown_ms = clock_ms();
}
