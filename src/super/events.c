/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/events.h"

#include <stdio.h>
#include <string.h>

static const char route_gone_why[] = "the route process is not running: its sessions are closed";

void events_set(struct events *ev, const struct config *config, const struct config_node *node)
{
	static struct events old;

	old = *ev;
	memset(ev, 0, sizeof(*ev));
	for (size_t i = 0; i < node->network_count && i < BOARD_NETWORKS_MAX; i++) {
		struct events_network *n = &ev->network[i];

		snprintf(n->name, sizeof(n->name), "%s", config->networks[node->networks[i]].name);
		for (size_t k = 0; k < BOARD_NETWORKS_MAX; k++)
			if (strcmp(old.network[k].name, n->name) == 0)
				*n = old.network[k];
	}
	/* Their places on the board are route's; they are found by address. */
	memcpy(ev->neighbor, old.neighbor, sizeof(ev->neighbor));
}

static bool has_family(const struct config_network *c, unsigned f)
{
	for (size_t i = 0; i < c->prefix_count; i++)
		if (c->prefixes[i].addr.family == (f ? 6 : 4))
			return true;
	return false;
}

static enum config_event event_of(uint32_t announce)
{
	switch ((enum board_announce)announce) {
	case ANNOUNCE_YES:
		return CONFIG_ON_ANNOUNCE;
	case ANNOUNCE_GSHUT:
		return CONFIG_ON_GSHUT;
	case ANNOUNCE_DEPREF:
		return CONFIG_ON_DE_PREFER;
	case ANNOUNCE_NONE:
		break;
	}
	return CONFIG_ON_WITHDRAW;
}

static void tell(struct event *e, const char *old, const char *now, const char *why, event_fn *fn, void *ctx)
{
	snprintf(e->old, sizeof(e->old), "%s", old);
	snprintf(e->now, sizeof(e->now), "%s", now);
	snprintf(e->why, sizeof(e->why), "%s", why);
	if (fn)
		fn(ctx, e);
}

static void look_announce(struct events_network *n, struct event *e, unsigned f, uint32_t announce, const char *why, event_fn *fn, void *ctx)
{
	uint32_t old = n->announce[f];

	if (announce == old)
		return;
	n->announce[f] = announce;
	e->what = event_of(announce);
	tell(e, board_announce_text((enum board_announce)old), board_announce_text((enum board_announce)announce), why, fn, ctx);
}

static void look_verdict(struct events_network *n, struct event *e, unsigned f, uint32_t verdict, const char *why, event_fn *fn, void *ctx)
{
	uint32_t old = n->verdict[f];

	if (verdict == old)
		return;
	n->verdict[f] = verdict;
	e->what = CONFIG_ON_VERDICT;
	tell(e, board_verdict_text((enum board_verdict)old), board_verdict_text((enum board_verdict)verdict), why, fn, ctx);
}

static void look_network(struct events_network *n, const struct board *board, size_t i, const struct config_network *conf, bool route_gone,
                         event_fn *fn, void *ctx)
{
	struct board_route_network route;
	struct board_watch_network watch;
	struct event e = {.family = "both"};
	bool by_family;

	if (!board_copy(&board->route.networks[i].seq, &board->route.networks[i], &route, sizeof(route)) ||
	    !board_copy(&board->watch.networks[i].seq, &board->watch.networks[i], &watch, sizeof(watch)))
		return;
	snprintf(e.network, sizeof(e.network), "%s", n->name);
	by_family = route.family[0].since_ns || route.family[1].since_ns;
	for (unsigned f = 0; f < BOARD_FAMILIES; f++) {
		const struct board_route_family *r = &route.family[f];

		if (by_family ? !has_family(conf, f) : f)
			continue;
		e.family = !by_family ? "both" : f ? "ipv6" : "ipv4";
		if (route_gone)
			look_announce(n, &e, f, ANNOUNCE_NONE, route_gone_why, fn, ctx);
		else
			look_announce(n, &e, f, by_family ? r->announce : route.announce, by_family ? r->why : route.why, fn, ctx);
	}
	by_family = watch.family[0].since_ns || watch.family[1].since_ns;
	for (unsigned f = 0; f < BOARD_FAMILIES; f++) {
		const struct board_watch_family *w = &watch.family[f];

		if (by_family ? !has_family(conf, f) : f)
			continue;
		e.family = !by_family ? "both" : f ? "ipv6" : "ipv4";
		look_verdict(n, &e, f, by_family ? w->verdict : watch.verdict, by_family ? w->why : watch.why, fn, ctx);
	}
}

static void tell_neighbor(const struct events_neighbor *n, bool up, const char *state, const char *why, event_fn *fn, void *ctx)
{
	struct event e = {.family = n->address.family == 6 ? "ipv6" : "ipv4", .what = up ? CONFIG_ON_NEIGHBOR_UP : CONFIG_ON_NEIGHBOR_DOWN,
	                  .neighbor_as = n->as};

	addr_text(&n->address, e.neighbor);
	tell(&e, up ? "down" : "established", state, why, fn, ctx);
}

/* Neighbors of the board, and those that are not there any more. */
static void look_neighbors(struct events *ev, const struct board *board, bool route_gone, event_fn *fn, void *ctx)
{
	uint32_t count = MIN(atomic_load(&board->route.neighbors), (uint32_t)BOARD_NEIGHBORS_MAX);
	struct events_neighbor next[BOARD_NEIGHBORS_MAX] = {0};
	bool met[BOARD_NEIGHBORS_MAX] = {false};

	for (uint32_t i = 0; i < count; i++) {
		struct board_route_neighbor b;
		bool was = false;

		if (!board_copy(&board->route.neighbor[i].seq, &board->route.neighbor[i], &b, sizeof(b)))
			return; /* at the next look */
		b.state_text[sizeof(b.state_text) - 1] = b.last_error[sizeof(b.last_error) - 1] = '\0';
		next[i] = (struct events_neighbor){.address = b.address, .as = b.as, .up = !route_gone && strcmp(b.state_text, "established") == 0};
		for (size_t k = 0; k < BOARD_NEIGHBORS_MAX; k++)
			if (ev->neighbor[k].address.family && !met[k] && addr_equal(&ev->neighbor[k].address, &b.address)) {
				was = ev->neighbor[k].up;
				met[k] = true;
				break;
			}
		if (next[i].up != was)
			tell_neighbor(&next[i], next[i].up, route_gone ? "idle" : b.state_text, route_gone ? route_gone_why : next[i].up ? "" : b.last_error, fn,
			              ctx);
	}
	for (size_t k = 0; k < BOARD_NEIGHBORS_MAX; k++)
		if (ev->neighbor[k].up && !met[k])
			tell_neighbor(&ev->neighbor[k], false, "removed", "removed or changed by a reload", fn, ctx);
	memcpy(ev->neighbor, next, sizeof(next));
}

void events_look(struct events *ev, const struct board *board, const struct config *config, const struct config_node *node, bool route_gone,
                 event_fn *fn, void *ctx)
{
	for (size_t i = 0; i < node->network_count && i < BOARD_NETWORKS_MAX; i++)
		look_network(&ev->network[i], board, i, &config->networks[node->networks[i]], route_gone, fn, ctx);
	look_neighbors(ev, board, route_gone, fn, ctx);
}
