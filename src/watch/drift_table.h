/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "config/config.h"
#include "fleet/tree.h"
#include "zone/digest.h"
#include "zone/follow.h"

#include <stdbool.h>
#include <stdint.h>

/* What this node serves of each network, as trees that follow the store: see drift_table.c. */
struct drift_pair_of_versions {
	const struct store_zone *was, *now;
};

struct drift_network {
	char name[CONFIG_NAME_MAX + 1];
	uint32_t config_index;
	struct zone_tree *tree;
	uint64_t root;
	uint64_t changed_ns; /* the root */
};

struct drift_table {
	struct store_follow follow
		[BOARD_DRIFT_PINS]; /* two take turns as the version that the trees are of; the last is for digests */
	unsigned current;
	struct store_snapshot at; /* the version of the trees, pinned; base NULL: none yet */
	/* Zones that are not as the trees have them. */
	struct drift_pair_of_versions *changed;
	size_t changed_count, changed_cap, changed_done;
	bool changing;    /* both versions are pinned */
	bool ready;       /* all zones are in the trees */
	struct list todo; /* zones whose content is not known */
	struct {
		bool active;
		struct store_snapshot at;
		const struct store_zone *zone;
		const struct store_node *node;
		struct zone_digest sum;
		uint32_t slot;
		uint64_t hash;
	} job;
	uint64_t digests; /* made */
	uint32_t count;
	uint8_t slot[CONFIG_NETWORKS_MAX]; /* of a network by its index in the configuration; UINT8_MAX: not followed */
	struct drift_network network[CONFIG_NETWORKS_MAX];
};

void drift_table_init(struct drift_table *t, const char *store_path, _Atomic uint64_t pins[BOARD_DRIFT_PINS]);
void drift_table_done(struct drift_table *t);
/* Follow the networks whose zones this node serves: those of a PoP, all at a primary. ERR_NO_MEMORY: none is followed. */
int drift_table_replan(struct drift_table *t, const struct config *config, const struct config_node *node) MUST_CHECK;
/* Go on for about `budget_ns`. True: there is more to do. */
bool drift_table_step(struct drift_table *t, uint64_t ino, uint64_t now_ns, uint64_t budget_ns);
/* NULL: not followed. */
struct drift_network *drift_table_find(struct drift_table *t, const char *network);
