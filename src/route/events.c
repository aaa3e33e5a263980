/* SPDX-License-Identifier: BSD-2-Clause */
/* What route does, as events on the board: written at the place and the moment of the change, so that no state is too short to be told. What ends because this process ends without a
 * word (its sessions, and with them all that it announced) the supervisor tells (super/route_gone.c). */
#include "route/route.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum { HIJACKS_AT_ONCE = 20 };

void route_event(struct route *r, const struct board_event *e)
{
	board_event_add(&r->role->board->route.events, e);
}

static enum board_event_kind kind_of(enum board_announce a)
{
	static const enum board_event_kind kinds[] = {EVENT_WITHDRAW, EVENT_ANNOUNCE, EVENT_GSHUT, EVENT_DE_PREFER};

	return kinds[a];
}

/* What an operator has asked for is no alarm. */
static enum board_event_level level_of(enum board_announce now, enum decide_reason reason)
{
	switch (reason) {
	case DECIDE_DRAINING:
	case DECIDE_DRAINED:
	case DECIDE_STARTING:
		return EVENT_INFO;
	default:
		return now == ANNOUNCE_NONE ? EVENT_ALERT : now == ANNOUNCE_YES ? EVENT_INFO : EVENT_WARN;
	}
}

void event_announce(struct route *r, const char *network, int family, enum board_announce was, enum board_announce now, enum decide_reason reason,
                    const char *why)
{
	struct board_event e = {.kind = (uint8_t)kind_of(now), .level = (uint8_t)level_of(now, reason), .family = family ? 6 : 4};

	snprintf(e.network, sizeof(e.network), "%s", network);
	snprintf(e.old, sizeof(e.old), "%s", board_announce_text(was));
	snprintf(e.now, sizeof(e.now), "%s", board_announce_text(now));
	snprintf(e.why, sizeof(e.why), "%s", why);
	route_event(r, &e);
}

void event_kept(struct route *r, const char *network, int family, enum board_announce now, const char *why)
{
	struct board_event e = {.kind = EVENT_KEPT, .level = EVENT_WARN, .family = family ? 6 : 4};

	snprintf(e.network, sizeof(e.network), "%s", network);
	snprintf(e.old, sizeof(e.old), "%s", board_announce_text(now));
	snprintf(e.now, sizeof(e.now), "%s", board_announce_text(now));
	snprintf(e.why, sizeof(e.why), "%s", why);
	route_event(r, &e);
}

void event_backstop(struct route *r, const char *network, enum board_announce was, enum board_announce now, const char *why)
{
	struct board_event e = {.kind = EVENT_BACKSTOP, .level = now == ANNOUNCE_NONE ? EVENT_WARN : EVENT_INFO};

	snprintf(e.network, sizeof(e.network), "%s", network);
	snprintf(e.subject, sizeof(e.subject), "backstop");
	snprintf(e.old, sizeof(e.old), "%s", board_announce_text(was));
	snprintf(e.now, sizeof(e.now), "%s", board_announce_text(now));
	snprintf(e.why, sizeof(e.why), "%s", why);
	route_event(r, &e);
}

static struct board_event about(const struct neighbor *n, enum board_event_kind kind, enum board_event_level level, const char *old, const char *now)
{
	struct board_event e = {.kind = (uint8_t)kind, .level = (uint8_t)level, .family = n->at.addr.family};
	char text[ADDR_TEXT_MAX];

	snprintf(e.subject, sizeof(e.subject), "%s", addr_text(&n->at.addr, text));
	snprintf(e.old, sizeof(e.old), "%s", old);
	snprintf(e.now, sizeof(e.now), "%s", now);
	return e;
}

void event_neighbor(struct route *r, const struct neighbor *n, enum bgp_state from, enum bgp_state to, const char *why)
{
	bool up = to == BGP_ESTABLISHED;
	struct board_event e = about(n, up ? EVENT_NEIGHBOR_UP : EVENT_NEIGHBOR_DOWN, up || r->stopping ? EVENT_INFO : EVENT_WARN,
	                             up ? "down" : bgp_state_text(from), bgp_state_text(to));

	if (up)
		snprintf(e.why, sizeof(e.why), "the BGP session with AS%u is established", n->conf.peer_as);
	else
		snprintf(e.why, sizeof(e.why), "%s", *why ? why : "the BGP session has ended");
	route_event(r, &e);
}

void event_neighbor_order(struct route *r, const struct neighbor *n, const char *old, const char *now)
{
	struct board_event e = about(n, EVENT_ORDER, EVENT_INFO, old, now);

	snprintf(e.why, sizeof(e.why), "an order about this neighbor: what it is told is now \"%s\"", now);
	route_event(r, &e);
}

void event_max_prefixes(struct route *r, const struct neighbor *n, uint32_t received, bool over)
{
	struct board_event e = about(n, EVENT_MAX_PREFIXES, over ? EVENT_WARN : EVENT_INFO, over ? "within" : "over", over ? "over" : "within");

	snprintf(e.why, sizeof(e.why), "it sends %u prefixes%s, max-prefixes is %u", received, over ? " or more" : "", n->conf.max_prefixes);
	route_event(r, &e);
}

void event_bfd(struct route *r, const struct ip_addr *peer, bool up, enum board_event_level level, const char *now, const char *why)
{
	struct board_event e = {.kind = EVENT_BFD, .level = (uint8_t)level, .family = peer->family};
	char text[ADDR_TEXT_MAX];

	snprintf(e.subject, sizeof(e.subject), "%s", addr_text(peer, text));
	snprintf(e.old, sizeof(e.old), "%s", up ? "down" : "up");
	snprintf(e.now, sizeof(e.now), "%s", now);
	snprintf(e.why, sizeof(e.why), "%s", why);
	route_event(r, &e);
}

void event_bfd_held(struct route *r, bool held, const char *why)
{
	struct board_event e = {.kind = EVENT_BFD, .level = held ? EVENT_ALERT : EVENT_INFO};

	snprintf(e.subject, sizeof(e.subject), "all");
	snprintf(e.old, sizeof(e.old), "%s", held ? "free" : "held");
	snprintf(e.now, sizeof(e.now), "%s", held ? "held" : "free");
	snprintf(e.why, sizeof(e.why), "%s", why);
	route_event(r, &e);
}

/* Whose network it is the prefix itself tells: not always one of this node. */
static const char *network_of(const struct route *r, const struct ip_prefix *ours)
{
	const struct config *c = r->role->config;

	for (size_t i = 0; c && i < c->network_count; i++) {
		const struct config_network *n = &c->networks[i];

		for (size_t k = 0; k < n->prefix_count + n->backstop_count; k++) {
			const struct ip_prefix *p = k < n->prefix_count ? &n->prefixes[k] : &n->backstops[k - n->prefix_count];

			if (p->len == ours->len && addr_equal(&p->addr, &ours->addr))
				return n->name;
		}
	}
	return "";
}

void event_hijack(struct route *r, const struct hijack *h, enum hijack_event event, const char *note)
{
	static const char *const states[] = {"", "seen", "other-path", "over", "seen"};
	struct board_event e = {.kind = EVENT_HIJACK, .level = event == HIJACK_OVER ? EVENT_INFO : EVENT_ALERT, .family = h->prefix.addr.family};
	char text[PREFIX_TEXT_MAX], ours[PREFIX_TEXT_MAX], from[ENDPOINT_TEXT_MAX], origin[24] = "a set of AS";

	if (!event_burst_pass(&r->hijack_burst, HIJACKS_AT_ONCE, clock_ms()))
		return;
	if (h->origin)
		snprintf(origin, sizeof(origin), "AS%u", h->origin);
	snprintf(e.network, sizeof(e.network), "%s", network_of(r, &h->ours));
	snprintf(e.subject, sizeof(e.subject), "%s", prefix_text(&h->prefix, text));
	snprintf(e.old, sizeof(e.old), "%s", event == HIJACK_OVER || event == HIJACK_OTHER_PATH ? "seen" : "none");
	snprintf(e.now, sizeof(e.now), "%s", states[event]);
	if (event == HIJACK_OVER)
		snprintf(e.why, sizeof(e.why), "the route of %s for %s of AS%u is gone: %s", origin, prefix_text(&h->ours, ours), h->as,
		         note ? note : "withdrawn or replaced");
	else
		snprintf(e.why, sizeof(e.why), "%s originates it, %s is AS%u's; seen by neighbor %s, path %.100s", origin, prefix_text(&h->ours, ours), h->as,
		         endpoint_text(&h->from, from), h->path);
	route_event(r, &e);
}

void events_tick(struct route *r, uint64_t now_ms)
{
	uint32_t more = event_burst_over(&r->hijack_burst, now_ms);
	struct board_event e = {.kind = EVENT_HIJACK, .level = EVENT_ALERT};

	if (!more)
		return;
	snprintf(e.subject, sizeof(e.subject), "more");
	snprintf(e.now, sizeof(e.now), "%" PRIu32, more);
	snprintf(e.why, sizeof(e.why), "%u more such routes came, changed or went at the same time: zonecast status shows what there is now", more);
	route_event(r, &e);
}
