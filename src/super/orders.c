/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/orders.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "super/events.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const enum board_order order_of_word[] = {ORDER_NONE, ORDER_DRAIN, ORDER_FREEZE, ORDER_FORCE};
static const enum order_word word_of_order[] = {WORD_NONE, WORD_DRAIN, WORD_FREEZE, WORD_FORCE};

static const char *name_of(const struct config *config, const struct config_node *node, size_t i)
{
	return config->networks[node->networks[i]].name;
}

static void endpoint_of(const struct config_neighbor *n, struct endpoint *out)
{
	*out = (struct endpoint){.addr = n->address, .port = n->port};
}

static bool put(struct board_network_order *o, enum board_order order)
{
	if (atomic_load(&o->order) == order)
		return false;
	atomic_store(&o->since_ns, clock_ns());
	atomic_store(&o->order, order);
	return true;
}

/* Of all places, since a reload may have moved the neighbor to another. */
static bool is_drained(const uint64_t keys[BOARD_NEIGHBORS_MAX], uint64_t key)
{
	for (size_t i = 0; i < BOARD_NEIGHBORS_MAX; i++)
		if (keys[i] == key)
			return true;
	return false;
}

/* uid: who has said so, and is in the log already; UINT32_MAX: what is new on the board came from before, or from elsewhere. */
static void show(struct board *board, const struct config *config, const struct config_node *node, const struct orders *o, uint32_t uid)
{
	struct board_supervisor *b = &board->supervisor;
	uint64_t before[BOARD_NEIGHBORS_MAX];
	char text[ENDPOINT_TEXT_MAX];
	bool told = uid == UINT32_MAX;

	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		const char *name = i < node->network_count ? name_of(config, node, i) : NULL;
		enum board_order order = name ? order_of_word[orders_of_network(o, name)] : ORDER_NONE;

		enum board_order was = (enum board_order)atomic_load(&b->orders[i].order);

		atomic_store(&b->orders[i].backstop, name && order == ORDER_DRAIN && orders_has(o, WORD_DRAIN_BACKSTOP, name));
		if (!put(&b->orders[i], order) || !name)
			continue;
		super_event_order(board, name, "", board_order_text(was), board_order_text(order), uid);
		if (told)
			log_notice("network=%s order=%s note=\"as the orders file has it; zonecast resume ends it\"", name, board_order_text(order));
	}
	for (size_t i = 0; i < BOARD_NEIGHBORS_MAX; i++)
		before[i] = board_get(&b->drained_neighbors[i]);
	for (size_t i = 0; i < BOARD_NEIGHBORS_MAX; i++) {
		uint64_t key = 0;

		if (i < node->neighbor_count) {
			struct endpoint at;

			endpoint_of(&node->neighbors[i], &at);
			if (orders_has(o, WORD_DRAIN_NEIGHBOR, endpoint_text(&at, text)))
				key = board_neighbor_key(&at);
			if (is_drained(before, board_neighbor_key(&at)) != (key != 0))
				super_event_order(board, "", text, key ? "none" : "drain", key ? "drain" : "none", uid);
		}
		if (key && told && before[i] != key)
			log_notice("bgp peer=%s order=drain note=\"as the orders file has it; zonecast resume %s ends it\"", text, text);
		atomic_store(&b->drained_neighbors[i], key);
	}
}

bool orders_mark(const char *state_dir, char *out, size_t cap)
{
	char path[ORDERS_PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/orders", state_dir);
	if (stat(path, &st) < 0)
		return false;
	snprintf(out, cap, "%llu %lld.%09ld\n", (unsigned long long)st.st_ino, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	return true;
}

static void note_taken(const char *run_dir, const char *mark)
{
	char path[ORDERS_PATH_MAX], tmp[ORDERS_PATH_MAX + 8];
	bool good;
	FILE *f;

	snprintf(path, sizeof(path), "%s/orders.taken", run_dir);
	snprintf(tmp, sizeof(tmp), "%s.new", path);
	f = fopen(tmp, "we");
	good = f && fputs(mark, f) >= 0;
	if (f && fclose(f) != 0)
		good = false;
	if (!good || rename(tmp, path) < 0)
		log_warn("orders file=%s error=\"cannot write it\"", path);
}

void orders_load(struct board *board, const struct config *config, const struct config_node *node, const char *state_dir,
                 const char *run_dir)
{
	char mark[64];
	bool marked = orders_mark(state_dir, mark, sizeof(mark));
	struct orders o;
	int err = orders_read(state_dir, &o);

	if (err < 0) {
		log_err("orders folder=%s error=\"%s\" note=\"orders stay as they are\"", state_dir, err_text(err));
		return;
	}
	show(board, config, node, &o, UINT32_MAX);
	if (marked)
		note_taken(run_dir, mark);
}

/* What is said of all networks is said of each: those that come later are not meant. */
static int spell_out(struct orders *o, const struct config *config, const struct config_node *node)
{
	enum order_word word[CONFIG_NETWORKS_MAX];
	bool backstop[CONFIG_NETWORKS_MAX];
	int err;

	if (orders_of_network(o, ORDERS_ALL) == WORD_NONE)
		return 0;
	for (size_t i = 0; i < node->network_count; i++) {
		word[i] = orders_of_network(o, name_of(config, node, i));
		backstop[i] = orders_has(o, WORD_DRAIN_BACKSTOP, name_of(config, node, i));
	}
	err = orders_put_network(o, WORD_NONE, ORDERS_ALL);
	for (size_t i = 0; !err && i < node->network_count; i++) {
		err = orders_put_network(o, word[i], name_of(config, node, i));
		if (!err)
			err = orders_put(o, WORD_DRAIN_BACKSTOP, name_of(config, node, i), backstop[i]);
	}
	return err;
}

static int keep(struct board *board, const struct config *config, const struct config_node *node, const char *state_dir, const struct orders *o,
                uint32_t uid)
{
	int err = orders_write(state_dir, o);

	if (!err)
		show(board, config, node, o, uid);
	return err;
}

int orders_set(struct board *board, const struct config *config, const struct config_node *node, const char *state_dir,
               uint32_t network, enum board_order order, bool backstop, uint32_t uid)
{
	struct orders o;
	int err;

	if (network != UINT32_MAX && network >= node->network_count)
		return ERR_NOT_FOUND;
	err = orders_read(state_dir, &o);
	if (!err)
		err = spell_out(&o, config, node);
	for (size_t i = 0; !err && i < node->network_count; i++) {
		if (network != UINT32_MAX && network != i)
			continue;
		err = orders_put_network(&o, word_of_order[order], name_of(config, node, i));
		if (!err)
			err = orders_put(&o, WORD_DRAIN_BACKSTOP, name_of(config, node, i), backstop && order == ORDER_DRAIN);
	}
	/* "resume" of all is that: nothing is held any more. */
	for (size_t i = o.count; !err && order == ORDER_NONE && network == UINT32_MAX && i-- > 0;)
		if (o.row[i].word == WORD_DRAIN_NEIGHBOR)
			err = orders_put(&o, WORD_DRAIN_NEIGHBOR, o.row[i].name, false);
	return err ? err : keep(board, config, node, state_dir, &o, uid);
}

int orders_set_neighbor(struct board *board, const struct config *config, const struct config_node *node, const char *state_dir,
                        const struct endpoint *at, bool drain, uint32_t uid)
{
	const struct config_neighbor *found = NULL;
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint whole;
	struct orders o;
	int err;

	for (size_t i = 0; i < node->neighbor_count; i++) {
		const struct config_neighbor *n = &node->neighbors[i];

		if (!addr_equal(&n->address, &at->addr) || (at->port && n->port != at->port))
			continue;
		if (found)
			return ERR_INVALID;
		found = n;
	}
	if (!found)
		return ERR_NOT_FOUND;
	endpoint_of(found, &whole);
	err = orders_read(state_dir, &o);
	if (!err)
		err = orders_put(&o, WORD_DRAIN_NEIGHBOR, endpoint_text(&whole, text), drain);
	return err ? err : keep(board, config, node, state_dir, &o, uid);
}
