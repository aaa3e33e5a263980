/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/route.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

const struct config_network *route_network_conf(const struct route *r, size_t i)
{
	return &r->role->config->networks[r->role->node->networks[i]];
}

void networks_set(struct route *r)
{
	static struct network old[CONFIG_NETWORKS_MAX];
	size_t old_count = r->network_count;

	memcpy(old, r->networks, sizeof(old));
	r->network_count = MIN(r->role->node->network_count, (size_t)CONFIG_NETWORKS_MAX);
	for (size_t i = 0; i < r->network_count; i++) {
		const struct config_network *c = route_network_conf(r, i);
		struct network *n = &r->networks[i];

		memset(n, 0, sizeof(*n));
		snprintf(n->name, sizeof(n->name), "%s", c->name);
		n->conf = (struct decide_conf){.worker_dead_ms = WORKER_DEAD_MS, .drain_ms = c->drain_ms, .rise_hold_ms = c->rise_hold_ms,
		                               .rise_hold_max_ms = c->rise_hold_max_ms};
		decide_init(&n->decide, clock_ms());
		for (size_t k = 0; k < old_count; k++)
			if (strcmp(old[k].name, n->name) == 0)
				n->decide = old[k].decide;
	}
}

static uint64_t worker_silent_ms(const struct route *r, uint64_t now_ns)
{
	uint32_t workers = atomic_load(&r->role->board->supervisor.workers);
	uint64_t worst = 0;

	for (uint32_t i = 0; i < workers && i < BOARD_WORKERS_MAX; i++) {
		uint64_t age = board_age_ns(&r->role->board->workers[i].stamp, now_ns);

		if (age == UINT64_MAX)
			return UINT64_MAX;
		worst = MAX(worst, age / 1000000U);
	}
	return worst;
}

static void look(struct route *r, size_t i, uint64_t now_ns, struct decide_input *in, struct board_watch_network *copy)
{
	static const enum decide_verdict verdicts[] = {DECIDE_UNKNOWN, DECIDE_PASS, DECIDE_SOFT, DECIDE_HARD};
	struct board *b = r->role->board;
	uint64_t age = board_age_ns(&b->watch.stamp, now_ns);

	*in = (struct decide_input){.verdict = DECIDE_UNKNOWN, .verdict_why = ""};
	in->worker_silent_ms = worker_silent_ms(r, now_ns);
	in->zones_ready = atomic_load(&b->sync.networks[i].ready);
	in->zones = atomic_load(&b->sync.networks[i].zones);
	in->zones -= MIN(atomic_load(&b->sync.networks[i].excused), in->zones);
	in->zones = MAX(in->zones, in->zones_ready) + atomic_load(&b->sync.networks[i].awaited);
	if (!board_get(&b->sync.loads_done)) { /* the first load is not over: nothing counts as ready */
		in->zones = MAX(in->zones, 1U);
		in->zones_ready = 0;
	}
	in->checks_silent_ms = age == UINT64_MAX ? UINT64_MAX : age / 1000000U;
	in->drain = atomic_load(&b->supervisor.orders[i].order) == ORDER_DRAIN;
	in->stopping = r->stopping;
	in->refused_why = origins_all_refused(r, route_network_conf(r, i), 0);
	if (board_copy(&b->watch.networks[i].seq, &b->watch.networks[i], copy, sizeof(*copy))) {
		in->verdict = copy->verdict < ARRAY_LEN(verdicts) ? verdicts[copy->verdict] : DECIDE_UNKNOWN;
		in->verdict_why = copy->why;
	}
}

bool networks_judge(struct route *r, uint64_t now_ns)
{
	static const char *const words[] = {"withdraw", "announce", "graceful-shutdown"};
	uint64_t now = now_ns / 1000000U;
	struct board_watch_network copy;
	bool changed = origins_look(r, now_ns);

	for (size_t i = 0; i < r->network_count; i++) {
		struct network *n = &r->networks[i];
		char before[DECIDE_WHY_MAX];
		struct decide_input in;

		memcpy(before, n->decide.why, sizeof(before));
		look(r, i, now_ns, &in, &copy);
		if (decide_step(&n->decide, &n->conf, &in, now)) {
			changed = true;
			log_notice("network=%s decision=%s flaps=%u why=\"%s\"", n->name, words[n->decide.now], n->decide.flaps, n->decide.why);
			show_network(r, i);
		} else if (strcmp(before, n->decide.why) != 0) {
			show_network(r, i);
		}
	}
	return changed;
}
