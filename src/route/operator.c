/* SPDX-License-Identifier: BSD-2-Clause */
/* What of the route process follows orders and needs no verdict: backstop prefixes, and neighbors that are left by order. */
#include "route/route.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

static bool announces_backstop(const struct config_network *c, const struct config_node *node)
{
	bool here = c->backstop_at_count == 0;

	for (size_t i = 0; i < c->backstop_at_count; i++)
		here |= strcmp(c->backstop_at[i], node->name) == 0;
	return here && c->backstop_count;
}

void operator_set(struct route *r)
{
	static struct backstop_of old[CONFIG_NETWORKS_MAX];

	memcpy(old, r->backstops, sizeof(old));
	memset(r->backstops, 0, sizeof(r->backstops));
	for (size_t i = 0; i < r->network_count; i++) {
		const struct config_network *c = route_network_conf(r, i);
		struct backstop_of *b = &r->backstops[i];

		if (!announces_backstop(c, r->role->node))
			continue;
		snprintf(b->network, sizeof(b->network), "%s", c->name);
		backstop_init(&b->state, clock_ms());
		for (size_t k = 0; k < CONFIG_NETWORKS_MAX; k++)
			if (strcmp(old[k].network, b->network) == 0)
				b->state = old[k].state;
	}
}

static uint64_t youngest_worker_ms(const struct route *r, uint64_t now_ns)
{
	uint32_t workers = atomic_load(&r->role->board->supervisor.workers);
	uint64_t best = UINT64_MAX;

	for (uint32_t i = 0; i < workers && i < BOARD_WORKERS_MAX; i++)
		best = MIN(best, board_age_ns(&r->role->board->workers[i].stamp, now_ns));
	return best == UINT64_MAX ? best : best / 1000000U;
}

static bool judge_backstops(struct route *r, uint64_t now_ns)
{
	static const char *const words[] = {"withdraw", "announce", "graceful-shutdown"};
	struct backstop_input in = {.youngest_ms = youngest_worker_ms(r, now_ns), .stopping = r->stopping,
	                            .others_gone = networks_are_out(r)};
	bool changed = false;

	for (size_t i = 0; i < r->network_count; i++) {
		struct backstop_of *b = &r->backstops[i];

		enum decide_announce was = b->state.now;

		if (!b->network[0])
			continue;
		in.drain = atomic_load(&r->role->board->supervisor.orders[i].backstop);
		in.drain_ms = route_network_conf(r, i)->drain_ms;
		if (!backstop_step(&b->state, &in, now_ns / 1000000U))
			continue;
		changed = true;
		event_backstop(r, b->network, show_announce_of(was), show_announce_of(b->state.now), b->state.why);
		log_notice("network=%s backstop=%s why=\"%s\" youngest_worker_ms=%lld drain=%s stopping=%s others_gone=%s", b->network, words[b->state.now],
		           b->state.why, in.youngest_ms == UINT64_MAX ? -1LL : (long long)in.youngest_ms, in.drain ? "yes" : "no", in.stopping ? "yes" : "no",
		           in.others_gone ? "yes" : "no");
		show_network(r, i);
	}
	return changed;
}

static bool is_ordered(const struct route *r, const struct endpoint *at)
{
	uint64_t key = board_neighbor_key(at);

	for (size_t i = 0; i < BOARD_NEIGHBORS_MAX; i++)
		if (board_get(&r->role->board->supervisor.drained_neighbors[i]) == key)
			return true;
	return false;
}

/* The longest that any of its networks wants. */
static uint32_t drain_ms(const struct route *r)
{
	uint32_t ms = 0;

	for (size_t i = 0; i < r->network_count; i++)
		ms = MAX(ms, route_network_conf(r, i)->drain_ms);
	return ms;
}

static const char *leave_word(const struct neighbor *n)
{
	return board_announce_text(show_announce_of(leave_limit(&n->leave, DECIDE_ANNOUNCE)));
}

bool operator_judge(struct route *r, uint64_t now_ns)
{
	bool changed = judge_backstops(r, now_ns);
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < r->neighbor_count; i++) {
		struct neighbor *n = &r->neighbors[i];
		const char *was = leave_word(n);

		if (!leave_step(&n->leave, is_ordered(r, &n->at), drain_ms(r), now_ns / 1000000U))
			continue;
		changed = true;
		n->dirty = true;
		event_neighbor_order(r, n, was, leave_word(n));
		log_notice("bgp peer=%s order=%s", endpoint_text(&n->at, text),
		           !n->leave.since_ms ? "none" : n->leave.done ? "drain state=withdrawn" : "drain state=graceful-shutdown");
	}
	return changed;
}
