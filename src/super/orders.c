/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/orders.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void put(struct board *board, size_t i, enum board_order order)
{
	struct board_network_order *o = &board->supervisor.orders[i];

	if (atomic_load(&o->order) == order)
		return;
	atomic_store(&o->since_ns, clock_ns());
	atomic_store(&o->order, order);
}

void orders_load(struct board *board, const struct config *config, const struct config_node *node, const char *state_dir)
{
	bool drained[BOARD_NETWORKS_MAX] = {false};
	char path[600], line[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/orders", state_dir);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "drain ", 6) != 0)
			continue;
		for (size_t i = 0; i < node->network_count; i++)
			if (strcmp(config->networks[node->networks[i]].name, line + 6) == 0)
				drained[i] = true;
	}
	if (f)
		fclose(f);
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		put(board, i, drained[i] ? ORDER_DRAIN : ORDER_NONE);
		if (drained[i])
			log_notice("network=%s order=drain note=\"kept from before; zonecast resume ends it\"",
			           config->networks[node->networks[i]].name);
	}
}

int orders_set(struct board *board, const struct config *config, const struct config_node *node, const char *state_dir,
               uint32_t network, enum board_order order)
{
	char path[600], tmp[608];
	FILE *f;

	if (network != UINT32_MAX && network >= node->network_count)
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < node->network_count; i++)
		if (network == UINT32_MAX || network == i)
			put(board, i, order);
	snprintf(path, sizeof(path), "%s/orders", state_dir);
	snprintf(tmp, sizeof(tmp), "%s.new", path);
	f = fopen(tmp, "we");
	if (!f)
		return -errno;
	for (size_t i = 0; i < node->network_count; i++)
		if (atomic_load(&board->supervisor.orders[i].order) == ORDER_DRAIN)
			fprintf(f, "drain %s\n", config->networks[node->networks[i]].name);
	if (fclose(f) != 0 || rename(tmp, path) < 0)
		return -errno;
	return 0;
}
