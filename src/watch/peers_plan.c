/* SPDX-License-Identifier: BSD-2-Clause */
#include "watch/peers.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_network(const struct config_node *n, uint32_t network)
{
	for (size_t i = 0; i < n->network_count; i++)
		if (n->networks[i] == network)
			return true;
	return false;
}

/* Some pool's endpoints are checked by it, and not by everybody. */
static bool checks_for_others(const struct config *c, const struct config_node *n)
{
	for (size_t i = 0; i < c->pool_count; i++)
		for (size_t k = 0; k < c->pools[i].checked_from_count; k++)
			if (strcmp(c->pools[i].checked_from[k], n->name) == 0)
				return true;
	return false;
}

bool peers_asks(const struct config *config, const struct config_node *self, const struct config_node *other)
{
	if (self == other || !other->management_count)
		return false;
	if (self->role == CONFIG_PRIMARY || other->role == CONFIG_PRIMARY)
		return true;
	for (size_t i = 0; i < self->network_count; i++)
		if (has_network(other, self->networks[i]))
			return true;
	return checks_for_others(config, self) || checks_for_others(config, other);
}

static uint8_t own_index(const struct config_node *self, uint32_t network)
{
	for (size_t i = 0; i < self->network_count && i < BOARD_NETWORKS_MAX; i++)
		if (self->networks[i] == network)
			return (uint8_t)i;
	return PEERS_NO_ROW;
}

/* ---- the board's rows ---- */

static void clear_row(struct board_node *n)
{
	memset((char *)n + sizeof(n->seq), 0, sizeof(*n) - sizeof(n->seq));
}

static const struct board_node *find_node(const struct board_node *old, uint32_t count, const char *name)
{
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(old[i].name, name) == 0)
			return &old[i];
	return NULL;
}

static const struct board_node_network *find_network(const struct board_node *n, const char *name)
{
	for (uint32_t i = 0; n && i < n->network_count; i++)
		if (strcmp(n->network[i].name, name) == 0)
			return &n->network[i];
	return NULL;
}

static const struct board_node_address *find_address(const struct board_node *n, const struct ip_addr *a)
{
	for (uint32_t i = 0; n && i < BOARD_MANAGEMENT_MAX; i++)
		if (addr_equal(&n->address[i].address, a))
			return &n->address[i];
	return NULL;
}

static void fill_addresses(struct board_node *b, const struct board_node *was, const struct config_node *from,
                           const bool reachable[BOARD_FAMILIES], struct peer *p)
{
	for (size_t i = 0; i < from->management_count && p->address_count < BOARD_MANAGEMENT_MAX; i++) {
		const struct ip_addr *a = &from->management[i];
		const struct board_node_address *known = find_address(was, a);

		if (reachable[a->family == 6])
			b->address[p->address_count++] = known ? *known : (struct board_node_address){.address = *a};
	}
}

static void fill_networks(struct board_node *b, const struct board_node *was, const struct config *config,
                          const struct config_node *self, const struct config_node *from, struct peer *p)
{
	for (size_t i = 0; i < from->network_count && p->network_count < BOARD_NETWORKS_MAX; i++) {
		const char *name = config->networks[from->networks[i]].name;
		uint8_t own = own_index(self, from->networks[i]);
		const struct board_node_network *known = find_network(was, name);
		struct board_node_network *to = &b->network[p->network_count];

		if (self->role != CONFIG_PRIMARY && own == PEERS_NO_ROW)
			continue;
		*to = known ? *known : (struct board_node_network){.headroom = UINT32_MAX};
		snprintf(to->name, sizeof(to->name), "%s", name);
		p->network[p->network_count++] = (struct peer_network){own, PEERS_NO_ROW};
	}
	b->network_count = p->network_count;
}

static void write_peer(struct board_peer *to, const struct peer *p, const struct board_node *b,
                       const struct board_node_network *n)
{
	board_write_begin(&to->seq);
	to->node = p->node;
	to->asked_ns = n->asked_ns;
	to->heard_ns = n->heard_ns;
	to->round_us = b->round_us;
	memcpy(to->family, n->family, sizeof(to->family));
	to->data_age_ms = n->data_age_ms;
	to->load = n->load;
	to->qps = n->qps;
	to->headroom = n->headroom;
	board_write_end(&to->seq);
}

/* Give the PoPs of each of our networks their rows. Readers see none while that goes on. */
static void lay_out_peers(struct board_watch *board, const struct config *config, struct peer *list, uint32_t count)
{
	uint32_t rows[BOARD_NETWORKS_MAX] = {0};

	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++)
		atomic_store(&board->peers[i].count, 0);
	for (uint32_t i = 0; i < count; i++) {
		struct peer *p = &list[i];

		for (uint32_t k = 0; k < p->network_count && config->nodes[p->node].role == CONFIG_POP; k++) {
			struct peer_network *n = &p->network[k];

			if (n->own == PEERS_NO_ROW || rows[n->own] == BOARD_PEERS_MAX)
				continue;
			n->row = (uint8_t)rows[n->own]++;
			write_peer(&board->peers[n->own].peer[n->row], p, &board->nodes.node[i],
			           &board->nodes.node[i].network[k]);
		}
	}
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++)
		atomic_store(&board->peers[i].count, rows[i]);
}

int peers_lay_out(struct board_watch *board, const struct config *config, const struct config_node *self,
                  const bool reachable[BOARD_FAMILIES], struct peer *list, uint32_t *count)
{
	struct board_watch_nodes *nodes = &board->nodes;
	uint32_t old_count = MIN(atomic_load(&nodes->count), (uint32_t)BOARD_NODES_MAX), n = 0;
	struct board_node *old = malloc((old_count + 1) * sizeof(*old));

	if (!old)
		return ERR_NO_MEMORY;
	memcpy(old, nodes->node, old_count * sizeof(*old));
	for (size_t i = 0; i < config->node_count && n < BOARD_NODES_MAX; i++) {
		const struct config_node *from = &config->nodes[i];
		const struct board_node *was = find_node(old, old_count, from->name);
		struct board_node *b = &nodes->node[n];
		struct peer *p = &list[n];

		if (!peers_asks(config, self, from))
			continue;
		*p = (struct peer){.node = (uint32_t)i};
		board_write_begin(&b->seq);
		clear_row(b);
		if (was)
			memcpy((char *)b + sizeof(b->seq), (const char *)was + sizeof(b->seq),
			       offsetof(struct board_node, address) - sizeof(b->seq));
		snprintf(b->name, sizeof(b->name), "%s", from->name);
		b->primary = from->role == CONFIG_PRIMARY;
		fill_addresses(b, was, from, reachable, p);
		fill_networks(b, was, config, self, from, p);
		board_write_end(&b->seq);
		n++;
	}
	free(old);
	for (uint32_t i = n; i < old_count; i++) {
		board_write_begin(&nodes->node[i].seq);
		clear_row(&nodes->node[i]);
		board_write_end(&nodes->node[i].seq);
	}
	atomic_store(&nodes->count, n);
	lay_out_peers(board, config, list, n);
	*count = n;
	return 0;
}

/* ---- what is said ---- */

static void write_peers(struct board_watch *board, const struct peer *p, uint32_t i)
{
	const struct board_node *b = &board->nodes.node[i];

	for (uint32_t k = 0; k < p->network_count; k++)
		if (p->network[k].row != PEERS_NO_ROW)
			write_peer(&board->peers[p->network[k].own].peer[p->network[k].row], p, b, &b->network[k]);
}

void peers_asked(struct board_watch *board, const struct peer *p, uint32_t i, uint32_t address, const char *network,
                 uint64_t now_ns)
{
	struct board_node *b = &board->nodes.node[i];

	board_write_begin(&b->seq);
	b->asked_ns = b->address[address].asked_ns = now_ns;
	for (uint32_t k = 0; k < p->network_count; k++)
		if (!*network || strcmp(b->network[k].name, network) == 0)
			b->network[k].asked_ns = now_ns;
	board_write_end(&b->seq);
	write_peers(board, p, i);
}

/* Of a network that the node does not name, it says that it does not have it: so it does not announce it. */
static void take_network(struct board_node_network *to, const struct fleet_network *from, uint64_t sent_ns)
{
	to->heard_ns = sent_ns;
	if (!from) {
		memset(to->family, 0, sizeof(to->family));
		to->data_age_ms = 0;
		to->load = to->qps = 0;
		to->headroom = UINT32_MAX;
		return;
	}
	memcpy(to->family, from->family, sizeof(to->family));
	to->data_age_ms = from->data_age_ms;
	to->load = from->load;
	to->qps = from->qps;
	to->headroom = from->headroom;
}

void peers_take(struct board_watch *board, const struct peer *p, uint32_t i, const struct fleet_report *r,
                const char *network, uint64_t sent_ns, uint64_t now_ns, const uint8_t own_config[FLEET_HASH_LEN])
{
	struct board_node *b = &board->nodes.node[i];

	board_write_begin(&b->seq);
	if (sent_ns >= b->heard_ns) {
		b->heard_ns = sent_ns;
		b->round_us = (uint32_t)MIN((now_ns - sent_ns) / 1000, (uint64_t)UINT32_MAX);
		b->why[0] = '\0';
		snprintf(b->version, sizeof(b->version), "%s", r->version);
		b->uptime_s = r->uptime_s;
		b->generation = r->generation;
		b->zones = r->zones;
		b->serving = r->serving;
		b->stopping = r->stopping;
		b->same_config = memcmp(r->config, own_config, FLEET_HASH_LEN) == 0;
	}
	for (uint32_t k = 0; k < p->network_count; k++)
		if ((!*network || strcmp(b->network[k].name, network) == 0) && sent_ns >= b->network[k].heard_ns)
			take_network(&b->network[k], fleet_report_network(r, b->network[k].name), sent_ns);
	board_write_end(&b->seq);
	write_peers(board, p, i);
}

enum { AGAIN_MS = 250 }; /* their answers are not waited for in between */

static void ask_again(struct peer *p, uint32_t address, uint32_t questions, uint64_t now_ns)
{
	p->again[address] = (struct peer_again){.due_ns = now_ns, .left = MAX(p->again[address].left, questions)};
}

void peers_unanswered(struct board_node *b, struct peer *p, uint32_t address, uint64_t now_ns)
{
	board_write_begin(&b->seq);
	b->address[address].failures++;
	board_write_end(&b->seq);
	if (b->address[address].failures > 1)
		return;
	ask_again(p, address, BOARD_SILENT - 1, now_ns);
	for (uint32_t k = 0; k < p->address_count; k++)
		if (!b->address[k].failures)
			ask_again(p, k, 1, now_ns);
}

void peers_answered(struct board_node *b, struct peer *p, uint32_t address, uint64_t sent_ns)
{
	board_write_begin(&b->seq);
	b->address[address].failures = 0;
	b->address[address].heard_ns = MAX(b->address[address].heard_ns, sent_ns);
	board_write_end(&b->seq);
	p->again[address].left = 0;
}

uint32_t peers_again(struct peer *p, uint64_t now_ns)
{
	for (uint32_t k = 0; k < p->address_count; k++) {
		if (!p->again[k].left || now_ns < p->again[k].due_ns)
			continue;
		p->again[k].left--;
		p->again[k].due_ns = now_ns + AGAIN_MS * 1000000ULL;
		return k;
	}
	return UINT32_MAX;
}

uint32_t peers_address(const struct board_node *b, struct peer *p, uint32_t *more)
{
	uint32_t at = p->turn % p->address_count;

	p->turn = (at + 1) % p->address_count;
	*more = UINT32_MAX;
	if (!b->address[at].failures)
		return at;
	for (uint32_t k = 1; k < p->address_count; k++) {
		uint32_t other = (at + k) % p->address_count;

		if (!b->address[other].failures) {
			*more = other;
			break;
		}
	}
	return at;
}
