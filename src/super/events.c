/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/events.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static void put(struct board *b, const struct board_event *e)
{
	board_event_add(&b->supervisor.events, e);
}

static struct board_event of_process(enum board_role role, unsigned index, enum board_event_level level, const char *old, const char *now)
{
	struct board_event e = {.kind = EVENT_PROCESS, .level = (uint8_t)level};

	if (role == ROLE_ANSWER)
		snprintf(e.subject, sizeof(e.subject), "%s %u", board_role_text(role), index);
	else
		snprintf(e.subject, sizeof(e.subject), "%s", board_role_text(role));
	snprintf(e.old, sizeof(e.old), "%s", old);
	snprintf(e.now, sizeof(e.now), "%s", now);
	return e;
}

void super_event_ended(struct board *b, enum board_role role, unsigned index, int status, uint32_t hung_ms, uint32_t restart_ms)
{
	struct board_event e = of_process(role, index, EVENT_ALERT, "running", hung_ms || WIFSIGNALED(status) ? "killed" : "ended");
	char again[48] = "it is started again at once";

	if (restart_ms)
		snprintf(again, sizeof(again), "it is started again in %u ms", restart_ms);
	if (hung_ms)
		snprintf(e.why, sizeof(e.why), "it hung: its heartbeat was %u ms old, so the supervisor killed it; %s", hung_ms, again);
	else if (WIFSIGNALED(status))
		snprintf(e.why, sizeof(e.why), "by signal %d (%s); %s", WTERMSIG(status), strsignal(WTERMSIG(status)), again);
	else
		snprintf(e.why, sizeof(e.why), "with status %d; %s", WEXITSTATUS(status), again);
	put(b, &e);
}

void super_event_restarted(struct board *b, enum board_role role, unsigned index)
{
	struct board_event e = of_process(role, index, EVENT_INFO, "ended", "running");

	snprintf(e.why, sizeof(e.why), "started again by the supervisor");
	put(b, &e);
}

void super_event_node(struct board *b, const char *old, const char *now, const char *why)
{
	struct board_event e = {.kind = EVENT_PROCESS, .level = EVENT_INFO};

	snprintf(e.subject, sizeof(e.subject), "node");
	snprintf(e.old, sizeof(e.old), "%s", old);
	snprintf(e.now, sizeof(e.now), "%s", now);
	snprintf(e.why, sizeof(e.why), "%s", why);
	put(b, &e);
}

/* The writer is dead: what is there is what it left, whole or not, and each word of it is one that it had written. */
void super_event_route_gone(struct board *b, const struct config *config, const struct config_node *node)
{
	static const char why[] = "the route process is not running: its sessions are closed";
	uint32_t neighbors = MIN(atomic_load(&b->route.neighbors), (uint32_t)BOARD_NEIGHBORS_MAX);

	for (size_t i = 0; i < node->network_count && i < BOARD_NETWORKS_MAX; i++) {
		const struct board_route_network *n = &b->route.networks[i];
		struct board_event e = {.kind = EVENT_WITHDRAW, .level = EVENT_ALERT};

		snprintf(e.network, sizeof(e.network), "%s", config->networks[node->networks[i]].name);
		snprintf(e.now, sizeof(e.now), "%s", board_announce_text(ANNOUNCE_NONE));
		snprintf(e.why, sizeof(e.why), "%s", why);
		for (unsigned f = 0; f < BOARD_FAMILIES; f++) {
			if (n->family[f].announce == ANNOUNCE_NONE)
				continue;
			e.family = f ? 6 : 4;
			snprintf(e.old, sizeof(e.old), "%s", board_announce_text((enum board_announce)n->family[f].announce));
			put(b, &e);
		}
		if (n->backstop == ANNOUNCE_NONE)
			continue;
		e.kind = EVENT_BACKSTOP;
		e.family = 0;
		snprintf(e.subject, sizeof(e.subject), "backstop");
		snprintf(e.old, sizeof(e.old), "%s", board_announce_text((enum board_announce)n->backstop));
		put(b, &e);
	}
	for (uint32_t i = 0; i < neighbors; i++) {
		const struct board_route_neighbor *n = &b->route.neighbor[i];
		struct board_event e = {.kind = EVENT_NEIGHBOR_DOWN, .level = EVENT_WARN, .family = n->address.family};
		char text[ADDR_TEXT_MAX];

		if (strncmp(n->state_text, "established", sizeof(n->state_text)) != 0)
			continue;
		snprintf(e.subject, sizeof(e.subject), "%s", addr_text(&n->address, text));
		snprintf(e.old, sizeof(e.old), "established");
		snprintf(e.now, sizeof(e.now), "idle");
		snprintf(e.why, sizeof(e.why), "%s", why);
		put(b, &e);
	}
	board_route_clear(&b->route);
}

void super_event_config(struct board *b, bool taken, uint32_t generation, const char *why)
{
	struct board_event e = {.kind = EVENT_CONFIG, .level = taken ? EVENT_INFO : EVENT_WARN};

	snprintf(e.subject, sizeof(e.subject), "fleet file");
	snprintf(e.now, sizeof(e.now), "%s", taken ? "accepted" : "refused");
	if (taken && generation)
		snprintf(e.why, sizeof(e.why), "generation %u is in force; %s", generation, why);
	else
		snprintf(e.why, sizeof(e.why), "%s", why);
	put(b, &e);
}

void super_event_order(struct board *b, const char *network, const char *neighbor, const char *old, const char *now, uint32_t uid)
{
	struct board_event e = {.kind = EVENT_ORDER, .level = EVENT_INFO};

	snprintf(e.network, sizeof(e.network), "%s", network);
	snprintf(e.subject, sizeof(e.subject), "%s", neighbor);
	snprintf(e.old, sizeof(e.old), "%s", old);
	snprintf(e.now, sizeof(e.now), "%s", now);
	if (uid == UINT32_MAX)
		snprintf(e.why, sizeof(e.why), "as the orders file has it");
	else
		snprintf(e.why, sizeof(e.why), "said by uid %u", uid);
	put(b, &e);
}

void super_event_xdp(struct board *b, enum board_xdp_rung old, enum board_xdp_rung now, const char *why)
{
	struct board_event e = {.kind = EVENT_XDP, .level = now == RUNG_SOCKETS ? EVENT_WARN : EVENT_INFO};

	snprintf(e.old, sizeof(e.old), "%s", board_xdp_text(old));
	snprintf(e.now, sizeof(e.now), "%s", board_xdp_text(now));
	snprintf(e.why, sizeof(e.why), "%s", why);
	put(b, &e);
}
