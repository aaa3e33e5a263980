/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/trace.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DNS_PORT = 53 };

/* The zone that holds the name: the longest of those above it. */
static const struct config_zone *find_zone(const struct config *c, const struct name *name)
{
	const struct config_zone *best = NULL;

	for (size_t i = 0; i < c->zone_count; i++)
		if (name_is_under(name->wire, c->zones[i].apex) &&
		    (!best || name_labels(c->zones[i].apex) > name_labels(best->apex)))
			best = &c->zones[i];
	return best;
}

static int find_network(struct trace *t, const char *name, char why[TRACE_WHY_MAX])
{
	const struct config *c = t->config;
	char text[NAME_TEXT_MAX];

	for (size_t i = 0; name && i < c->network_count; i++)
		if (strcmp(c->networks[i].name, name) == 0)
			t->network = &c->networks[i];
	if (name && !t->network) {
		snprintf(why, TRACE_WHY_MAX, "the fleet file has no network \"%.60s\"", name);
		return ERR_NOT_FOUND;
	}
	if (name)
		return 0;
	if (t->zone)
		t->network = t->zone->network == UINT32_MAX ? NULL : &c->networks[t->zone->network];
	else if (c->network_count == 1)
		t->network = &c->networks[0];
	if (t->zone || t->network)
		return 0;
	name_to_text(t->name.wire, text);
	snprintf(why, TRACE_WHY_MAX, "no zone of the fleet file holds %.40s: name its network with --network", text);
	return ERR_NOT_FOUND;
}

static bool is_asked(const struct trace *t, const struct config_node *n)
{
	if (n->role == CONFIG_PRIMARY)
		return true;
	for (size_t i = 0; t->network && i < n->network_count; i++)
		if (&t->config->networks[n->networks[i]] == t->network)
			return true;
	return !t->network && t->zone && config_node_serves(n, t->zone);
}

static void add(struct trace *t, const char *node, const struct ip_addr *at, uint8_t family)
{
	if (!family || at->family == family)
		t->targets[t->count++] = (struct trace_target){.node = node,
		                                               .at = {.addr = *at, .port = DNS_PORT},
		                                               .why = "was not asked",
		                                               .alike = SIZE_MAX};
}

int trace_init(struct trace *t, const struct config *c, const struct name *name, uint16_t type, const char *network,
               uint8_t family, char why[TRACE_WHY_MAX])
{
	struct trace made = {.name = *name, .type = type, .config = c, .reference = SIZE_MAX};
	int rc;

	made.zone = find_zone(c, name);
	rc = find_network(&made, network, why);
	if (rc < 0)
		return rc;
	made.targets = calloc(TRACE_TARGETS_MAX, sizeof(*made.targets));
	if (!made.targets) {
		snprintf(why, TRACE_WHY_MAX, "%s", err_text(ERR_NO_MEMORY));
		return ERR_NO_MEMORY;
	}
	for (size_t i = 0; made.network && i < made.network->address_count; i++)
		add(&made, NULL, &made.network->addresses[i], family);
	for (size_t i = 0; i < c->node_count; i++)
		for (size_t k = 0; is_asked(&made, &c->nodes[i]) && k < c->nodes[i].management_count; k++)
			add(&made, c->nodes[i].name, &c->nodes[i].management[k], family);
	*t = made;
	return 0;
}

void trace_done(struct trace *t)
{
	for (size_t i = 0; i < t->count; i++)
		trace_answer_done(&t->targets[i].answer);
	free(t->targets);
	*t = (struct trace){0};
}
