/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/self.h"

#include "config/config.h"

#include <stdio.h>
#include <string.h>

enum { ROUTE_SLOT = 2 }; /* of supervisor.procs */

/* What route left on the board is true while it lives: its sessions ended with it, and routers have withdrawn. */
static bool route_is_gone(const struct board *b)
{
	const struct board_process *p = &b->supervisor.procs[ROUTE_SLOT];

	return !atomic_load(&p->pid) || atomic_load(&b->route.stamp) <= atomic_load(&p->started_ns);
}

static void report_family(const struct board_watch_network *watch, const struct board_route_network *route, int f,
                          struct board_peer_family *out)
{
	const struct board_watch_family *w = &watch->family[f];
	const struct board_route_family *r = &route->family[f];
	/* Until each family has been judged for itself, what holds for the network. */
	uint32_t verdict = w->verdict != VERDICT_UNKNOWN ? w->verdict : watch->verdict;

	*out = (struct board_peer_family){
		.announce = (uint8_t)(r->since_ns ? r->announce : route->announce),
		.verdict = (uint8_t)verdict,
		.causes = (uint8_t)w->causes,
		.intent = (uint8_t)r->intent,
		.answers = w->checks ? w->passing > 0 : verdict == VERDICT_PASS || verdict == VERDICT_SOFT,
	};
}

static void report_network(const struct board *b, size_t i, const char *name, bool gone, struct fleet_network *out)
{
	struct board_watch_network watch;
	struct board_route_network route;

	*out = (struct fleet_network){.headroom = UINT32_MAX};
	snprintf(out->name, sizeof(out->name), "%s", name);
	/* Torn: nothing good is said of it until the next question. */
	if (!board_copy(&b->watch.networks[i].seq, &b->watch.networks[i], &watch, sizeof(watch)))
		return;
	if (gone || !board_copy(&b->route.networks[i].seq, &b->route.networks[i], &route, sizeof(route)))
		memset(&route, 0, sizeof(route));
	for (int f = 0; f < BOARD_FAMILIES; f++)
		report_family(&watch, &route, f, &out->family[f]);
	out->data_age_ms = watch.data_age_ms;
	out->load = watch.load;
	out->qps = watch.qps;
	out->headroom = watch.since_ns ? watch.headroom : UINT32_MAX;
}

/* Networks that this node asks from outside. They take turns in being the first: where there is not room for all, each is told at times. */
static void report_sees(const struct board *b, const char *network, uint64_t now_ns, struct fleet_report *out)
{
	uint32_t first = (uint32_t)(now_ns / 1000000000U);

	out->sees_count = 0;
	for (uint32_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		const struct board_view_network *row = &b->watch.views.network[(first + i) % BOARD_NETWORKS_MAX];
		struct fleet_sees *to = &out->sees[out->sees_count];
		struct board_view_network v;

		if (!*row->network || !board_copy(&row->seq, row, &v, sizeof(v)))
			continue;
		v.network[sizeof(v.network) - 1] = '\0';
		if ((*network && strcmp(network, v.network) != 0) || !*v.network ||
		    (v.family[0].seen == OUTSIDE_UNKNOWN && v.family[1].seen == OUTSIDE_UNKNOWN))
			continue;
		*to = (struct fleet_sees){.network = ""};
		memcpy(to->network, v.network, sizeof(to->network));
		for (int f = 0; f < BOARD_FAMILIES; f++) {
			uint64_t since_ns = v.family[f].seen == OUTSIDE_GOOD ? v.family[f].since_ns : v.family[f].seen_since_ns;

			if (v.family[f].seen == OUTSIDE_GOOD && !*v.family[f].node)
				continue; /* somebody who does not say who it is */
			to->family[f].state = v.family[f].seen;
			to->family[f].since_s = (uint32_t)((now_ns > since_ns ? now_ns - since_ns : 0) / 1000000000U);
			memcpy(to->family[f].node, v.family[f].node, sizeof(to->family[f].node) - 1);
		}
		out->sees_count++;
	}
}

void self_report(const struct board *b, const struct config *config, const struct config_node *node,
                 const char *network, uint64_t now_ns, struct fleet_report *out)
{
	uint64_t started_ns = atomic_load(&b->supervisor.started_ns);
	bool gone = route_is_gone(b);

	out->count = 0;
	snprintf(out->node, sizeof(out->node), "%s", node->name);
	snprintf(out->version, sizeof(out->version), "%s", ZONECAST_VERSION);
	out->uptime_s = (uint32_t)((now_ns > started_ns ? now_ns - started_ns : 0) / 1000000000U);
	out->generation = config->generation;
	memcpy(out->config, config->hash, FLEET_HASH_LEN);
	out->zones = (uint32_t)MIN(board_get(&b->sync.zones_configured), (uint64_t)UINT32_MAX);
	out->serving = (uint32_t)MIN(board_get(&b->sync.zones_serving), (uint64_t)UINT32_MAX);
	out->stopping = atomic_load(&b->supervisor.stopping) != 0;
	out->networks = (uint32_t)MIN(node->network_count, (size_t)BOARD_NETWORKS_MAX);
	for (uint32_t i = 0; i < out->networks; i++) {
		const char *name = config->networks[node->networks[i]].name;

		if (!*network || strcmp(network, name) == 0)
			report_network(b, i, name, gone, &out->network[out->count++]);
	}
	report_sees(b, network, now_ns, out);
}
