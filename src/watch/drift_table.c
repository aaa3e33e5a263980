/* SPDX-License-Identifier: BSD-2-Clause */
/* The trees of zones (fleet/tree.h) follow the store. Two versions of it are compared, the one that the trees are of and the newest: the store shares what a commit did not touch, so that
 * costs as much as there are changes, not as there are zones (store_zones_changed()). The older one stays pinned for that, a tenth of a second as a rule.
 *
 * Contents are compared by their digests (zone/digest.h), which are not made when a zone is loaded: that would cost a cold start a second for some million records. They are made here, in
 * the background, a zone after the other, in pieces. Changes cost nothing here: the store follows the digest (digest_from, digest_moved), so that of a large zone that changes each second is made once.
 *
 * All of it has a share of a core, and goes on a little in each turn of the loop: checks must not wait. */
#include "watch/drift_table.h"

#include "base/clock.h"
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DIGEST_PIN = BOARD_DRIFT_PINS - 1,
	PIECE_ZONES = 32, /* between two looks at the clock */
	PIECE_RECORDS = 128,
};

static void stop_job(struct drift_table *t)
{
	if (t->job.active)
		store_unpin(t->follow[DIGEST_PIN].reader);
	t->job.active = false;
}

static void empty_trees(struct drift_table *t)
{
	stop_job(t);
	for (uint32_t i = 0; i < t->count; i++)
		tree_free(t->network[i].tree);
	list_init(&t->todo);
	t->count = 0;
}

/* Trees without zones of the networks as they are. */
static int make_trees(struct drift_table *t, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (tree_new(&t->network[i].tree) < 0)
			break;
	t->count = i;
	if (i < count) {
		empty_trees(t);
		return ERR_NO_MEMORY;
	}
	for (i = 0; i < count; i++)
		t->network[i].root = tree_root(t->network[i].tree);
	return 0;
}

/* From no zones again: the store is another one. */
static void begin_anew(struct drift_table *t)
{
	uint32_t count = t->count;

	empty_trees(t);
	for (unsigned i = 0; i < DIGEST_PIN; i++)
		if (t->follow[i].reader)
			store_unpin(t->follow[i].reader);
	t->at = (struct store_snapshot){0};
	t->changing = t->ready = false;
	if (make_trees(t, count) < 0)
		t->count = 0;
}

/* ---- zones ---- */

static struct drift_network *network_of(struct drift_table *t, const struct store_zone *z)
{
	uint8_t slot = z && z->state == STORE_ZONE_SERVING && z->network < CONFIG_NETWORKS_MAX ? t->slot[z->network]
	                                                                                       : UINT8_MAX;

	return slot < t->count ? &t->network[slot] : NULL;
}

static void judge_content(struct drift_table *t, struct zone_tree *tree, struct tree_zone *z)
{
	bool known = z->base_from && z->base_from == z->from;

	tree_content(tree, z, known, z->base + z->moved);
	if (known && !list_empty(&z->todo))
		list_remove(&z->todo);
	else if (!known && list_empty(&z->todo))
		list_add_tail(&t->todo, &z->todo);
}

static int take_change(struct drift_table *t, const struct drift_pair_of_versions *c)
{
	struct drift_network *before = network_of(t, c->was), *after = network_of(t, c->now);
	struct tree_zone *z;
	int err;

	if (before && before != after) {
		z = tree_find(before->tree, tree_hash(store_zone_apex(c->was)));
		if (z && !list_empty(&z->todo))
			list_remove(&z->todo);
		if (z)
			tree_remove(before->tree, z);
	}
	if (!after)
		return 0;
	err = tree_put(after->tree, store_zone_apex(c->now), c->now->serial, &z);
	if (err)
		return err;
	z->from = c->now->digest_from;
	z->moved = c->now->digest_moved[0];
	judge_content(t, after->tree, z);
	return 0;
}

static int collect(void *ctx, const struct store_zone *was, const struct store_zone *now)
{
	struct drift_table *t = ctx;

	if (t->changed_count == t->changed_cap) {
		size_t cap = t->changed_cap ? 2 * t->changed_cap : 256;
		void *grown = realloc(t->changed, cap * sizeof(*t->changed));

		if (!grown)
			return ERR_NO_MEMORY;
		t->changed = grown;
		t->changed_cap = cap;
	}
	t->changed[t->changed_count++] = (struct drift_pair_of_versions){was, now};
	return 0;
}

/* Pin the newest version beside the one at hand, and list what is not the same. Without memory for that the next turn tries again. */
static void look_for_changes(struct drift_table *t)
{
	struct store_follow *newer = &t->follow[1 - t->current];
	struct store_snapshot to;

	if (t->at.base && store_generation(newer->reader) == t->at.generation)
		return;
	store_pin(newer->reader, &to);
	t->changed_count = t->changed_done = 0;
	if (store_zones_changed(&t->at, &to, collect, t) < 0) {
		store_unpin(newer->reader);
		return;
	}
	t->at = to;
	t->current = 1 - t->current;
	t->changing = true;
}

/* The trees are of the newer version now. */
static void end_changes(struct drift_table *t)
{
	t->changing = false;
	t->ready = true;
	store_unpin(t->follow[1 - t->current].reader);
}

static void note_roots(struct drift_table *t, uint64_t now_ns)
{
	for (uint32_t i = 0; i < t->count; i++) {
		uint64_t root = tree_root(t->network[i].tree);

		if (root == t->network[i].root)
			continue;
		t->network[i].root = root;
		t->network[i].changed_ns = now_ns;
	}
}

/* ---- digests ---- */

static bool begin_job(struct drift_table *t)
{
	struct tree_zone *z = NULL;
	uint32_t slot;

	stop_job(t);
	if (list_empty(&t->todo))
		return false;
	z = LIST_ENTRY(t->todo.next, struct tree_zone, todo);
	list_remove(&z->todo);
	store_pin(t->follow[DIGEST_PIN].reader, &t->job.at);
	t->job.active = true;
	t->job.zone = store_zone_get(&t->job.at, z->name);
	slot = network_of(t, t->job.zone) ? t->slot[t->job.zone->network] : UINT32_MAX;
	/* It may be gone by now; the trees hear of it with the next version. */
	if (slot == UINT32_MAX || tree_find(t->network[slot].tree, z->hash) != z) {
		stop_job(t);
		return true;
	}
	t->job.slot = slot;
	t->job.hash = z->hash;
	t->job.node = NULL;
	memset(&t->job.sum, 0, sizeof(t->job.sum));
	return true;
}

static void end_job(struct drift_table *t, bool good)
{
	struct zone_tree *tree = t->network[t->job.slot].tree;
	struct tree_zone *z = tree_find(tree, t->job.hash);

	if (z && good) {
		z->base_from = t->job.zone->digest_from;
		z->base = t->job.sum.words[0] - t->job.zone->digest_moved[0];
		t->digests++;
	}
	if (z)
		judge_content(t, tree, z);
	stop_job(t);
}

static void go_on_with_job(struct drift_table *t)
{
	int err = zone_digest_nodes(&t->job.at, t->job.zone, &t->job.node, PIECE_RECORDS, &t->job.sum);

	if (err < 0 || !t->job.node)
		end_job(t, err == 0);
}

/* ---- all ---- */

static bool follow_store(struct drift_table *t, uint64_t ino)
{
	bool open = true;

	if (t->follow[0].ino != ino || !t->follow[0].reader)
		begin_anew(t);
	for (unsigned i = 0; i < BOARD_DRIFT_PINS; i++)
		open = store_follow_look(&t->follow[i], ino) && open;
	return open && t->follow[0].ino == ino && t->follow[1].ino == ino && t->follow[DIGEST_PIN].ino == ino;
}

bool drift_table_step(struct drift_table *t, uint64_t ino, uint64_t now_ns, uint64_t budget_ns)
{
	uint64_t until_ns = clock_ns() + budget_ns;

	if (!t->count || !ino || !follow_store(t, ino))
		return false;
	if (!t->changing)
		look_for_changes(t);
	while (t->changing && clock_ns() < until_ns) {
		for (unsigned i = 0; i < PIECE_ZONES && t->changed_done < t->changed_count; i++)
			if (take_change(t, &t->changed[t->changed_done++]) < 0) {
				begin_anew(t); /* out of memory: later, from the beginning */
				return false;
			}
		if (t->changed_done == t->changed_count)
			end_changes(t);
	}
	while (!t->changing && clock_ns() < until_ns && (t->job.active || begin_job(t)))
		if (t->job.active)
			go_on_with_job(t);
	note_roots(t, now_ns);
	return t->changing || t->job.active || !list_empty(&t->todo);
}

struct drift_network *drift_table_find(struct drift_table *t, const char *network)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (strcmp(t->network[i].name, network) == 0)
			return &t->network[i];
	return NULL;
}

static bool serves(const struct config_node *node, uint32_t network)
{
	if (node->role == CONFIG_PRIMARY)
		return true;
	for (size_t i = 0; i < node->network_count; i++)
		if (node->networks[i] == network)
			return true;
	return false;
}

static bool is_same_plan(const struct drift_table *t, const struct config *config, const struct config_node *node)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < config->network_count; i++) {
		if (!serves(node, i))
			continue;
		if (count == t->count || t->network[count].config_index != i ||
		    strcmp(t->network[count].name, config->networks[i].name) != 0)
			return false;
		count++;
	}
	return count == t->count;
}

int drift_table_replan(struct drift_table *t, const struct config *config, const struct config_node *node)
{
	uint32_t count = 0;

	if (is_same_plan(t, config, node))
		return 0;
	begin_anew(t);
	empty_trees(t);
	memset(t->slot, UINT8_MAX, sizeof(t->slot));
	for (uint32_t i = 0; i < config->network_count && count < CONFIG_NETWORKS_MAX; i++) {
		if (!serves(node, i))
			continue;
		t->network[count] = (struct drift_network){.config_index = i};
		snprintf(t->network[count].name, sizeof(t->network[count].name), "%s", config->networks[i].name);
		t->slot[i] = (uint8_t)count++;
	}
	return make_trees(t, count);
}

void drift_table_init(struct drift_table *t, const char *store_path, _Atomic uint64_t pins[BOARD_DRIFT_PINS])
{
	*t = (struct drift_table){0};
	list_init(&t->todo);
	for (unsigned i = 0; i < BOARD_DRIFT_PINS; i++)
		store_follow_init(&t->follow[i], store_path, &pins[i]);
}

void drift_table_done(struct drift_table *t)
{
	empty_trees(t);
	free(t->changed);
	for (unsigned i = 0; i < BOARD_DRIFT_PINS; i++)
		store_follow_done(&t->follow[i]);
}
