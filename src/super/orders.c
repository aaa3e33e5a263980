/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/orders.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
		bool news = atomic_load(&board->supervisor.orders[i].order) != ORDER_DRAIN;

		put(board, i, drained[i] ? ORDER_DRAIN : ORDER_NONE);
		if (drained[i] && news)
			log_notice("network=%s order=drain note=\"kept from before; zonecast resume ends it\"",
			           config->networks[node->networks[i]].name);
	}
}

/* The file first: an order that could not be kept is refused, not lost at the next start. */
static int save(const bool drained[BOARD_NETWORKS_MAX], const struct config *config, const struct config_node *node, const char *state_dir)
{
	char path[600], tmp[608];
	int err = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/orders", state_dir);
	snprintf(tmp, sizeof(tmp), "%s.new", path);
	f = fopen(tmp, "we");
	if (!f)
		return -errno;
	for (size_t i = 0; i < node->network_count; i++)
		if (drained[i])
			fprintf(f, "drain %s\n", config->networks[node->networks[i]].name);
	if (fflush(f) != 0 || fsync(fileno(f)) < 0)
		err = -errno;
	if (fclose(f) != 0 && !err)
		err = -errno;
	if (!err && rename(tmp, path) < 0)
		err = -errno;
	return err;
}

int orders_set(struct board *board, const struct config *config, const struct config_node *node, const char *state_dir,
               uint32_t network, enum board_order order)
{
	bool drained[BOARD_NETWORKS_MAX] = {false};
	int err;

	if (network != UINT32_MAX && network >= node->network_count)
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < node->network_count; i++)
		drained[i] = (network == UINT32_MAX || network == i ? order : atomic_load(&board->supervisor.orders[i].order)) == ORDER_DRAIN;
	err = save(drained, config, node, state_dir);
	if (err < 0)
		return err;
	for (size_t i = 0; i < node->network_count; i++)
		put(board, i, drained[i] ? ORDER_DRAIN : ORDER_NONE);
	return 0;
}
