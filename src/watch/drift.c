/* SPDX-License-Identifier: BSD-2-Clause */
/* Do all nodes serve the same zones? Each node compares itself with all nodes that it asks, so drift anywhere is seen from everywhere where the same network is served; a primary compares itself
 * with all.
 *
 * At rest that costs nothing of its own: nodes tell the root of the tree of their zones (fleet/tree.c) with their status, and say it of themselves in the questions, so that both sides know
 * after one exchange. Only where roots differ this node asks for parts of the tree, down to the zones (a descent): five questions for one zone of 100,000. Descents share an allowance of questions a
 * second, smaller in large fleets. When both roots are as they were at the end of a descent there is nothing to ask: standing drift costs no more than none. Roots differ for a moment with each change of
 * a zone; so there is a short wait before a descent, and no hurry while our own zones change.
 *
 *	root differs -> wait -> tree -> tree-3 -> tree-3a ... -> zones -> findings (drift_find.c) -> again after a second -> board, events (drift_show.c)
 *
 * Where very many zones differ, a descent ends after DESCENT_QUESTIONS, and what it did not come to is counted (`hidden` on the board).
 *
 * A digest that a node does not know yet is no drift, and its tree says so: places where only contents differ are entered when few zones of them are unknown.
 *
 * Servers outside of the fleet have no tree: they are asked for the SOA of one zone after the other (drift_servers.c).
 *
 * Limits: a pair of nodes needs the same network in the fleet file of both. Zones without a network are not compared. In a network in which several zones change each second descents go on all
 * the time, as the allowance permits; a stuck zone is found then within a round of all nodes. */
#include "watch/drift.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "fleet/pace.h"
#include "watch/drift_priv.h"

#include <stdlib.h>
#include <string.h>

enum {
	TICK_MS = 100,
	TICK_BUSY_MS = 20,
	BUDGET_US = 800, /* of a turn: 4 % of a core while there is work, and less at rest */
	LOOK_MS = 100,
	SETTLE_MS = 500, /* roots may differ for so long without a question */
	FLUX_MS = 3000,  /* and for so long, or a pace, while our own zones change */
	AGAIN_MS = 1000, /* second look */
	LATER_MS = 2000, /* after a descent that came to no end */
	ANSWER_MS = 700,
	TRIES = 3,
	QUESTIONS_SMALL = 64, /* a second, fleets of FLEET_ALL_AT_ONCE nodes at most; */
	QUESTIONS_LARGE = 8,  /* larger ones: some 75 kbit/s with the answers */
	UNKNOWN_MAX = 16,     /* zones of unknown content in a place where only contents differ */
	FRESH_MS = 15000,
};

/* Before all zones are in the trees nothing is said of them, and nothing is concluded. */
static bool is_ready(const struct drift *d)
{
	return d->table.count && d->table.ready && d->watch->loaded;
}

/* ---- what others say of themselves ---- */

static void take_root(struct drift *d, uint32_t i, uint32_t slot, uint64_t root, uint64_t now_ns)
{
	struct drift_pair *p = drift_pair_of(d, i, slot);

	if (!p->shared)
		return;
	p->heard = true;
	p->there = root;
	p->heard_ns = now_ns;
}

void drift_heard(struct drift *d, uint32_t i, const struct fleet_report *r, uint64_t now_ns)
{
	if (!d || i >= d->peer_count)
		return;
	for (uint32_t k = 0; k < r->trees; k++) {
		struct drift_network *n = drift_table_find(&d->table, r->tree[k].network);

		if (n)
			take_root(d, i, (uint32_t)(n - d->table.network), r->tree[k].root, now_ns);
	}
}

static bool has_address(const struct board_node *b, const struct ip_addr *a)
{
	for (uint32_t k = 0; k < BOARD_MANAGEMENT_MAX; k++)
		if (b->address[k].address.family && addr_equal(&b->address[k].address, a))
			return true;
	return false;
}

void drift_heard_from(struct drift *d, const struct ip_addr *from, const struct fleet_root *roots, size_t count,
                      uint64_t now_ns)
{
	for (uint32_t i = 0; d && count && i < d->peer_count; i++) {
		if (!has_address(&d->watch->board->watch.nodes.node[i], from))
			continue;
		peers_was_asked(d->watch->peers, i, now_ns);
		for (uint32_t slot = 0; slot < d->table.count; slot++)
			for (size_t k = 0; k < count; k++)
				if (roots[k].network == fleet_network_number(d->table.network[slot].name))
					take_root(d, i, slot, roots[k].root, now_ns);
		return;
	}
}

size_t drift_roots(struct drift *d, uint32_t i, struct fleet_root out[FLEET_ROOTS_MAX])
{
	size_t count = 0;

	if (!d || i >= d->peer_count || !is_ready(d))
		return 0;
	for (uint32_t k = 0; k < d->table.count && count < FLEET_ROOTS_MAX; k++) {
		uint32_t slot = (d->report_turn + k) % d->table.count;

		if (drift_pair_of(d, i, slot)->shared)
			out[count++] = (struct fleet_root){fleet_network_number(d->table.network[slot].name),
			                                   d->table.network[slot].root};
	}
	d->report_turn++;
	return count;
}

const struct zone_tree *drift_tree(struct drift *d, const char *network)
{
	struct drift_network *n = d && is_ready(d) ? drift_table_find(&d->table, network) : NULL;

	return n ? n->tree : NULL;
}

void drift_report(struct drift *d, const char *network, struct fleet_report *out)
{
	out->trees = 0;
	if (!d || !is_ready(d))
		return;
	for (uint32_t k = 0; k < d->table.count && k < FLEET_NETWORKS_MAX; k++) {
		const struct drift_network *n = &d->table.network[(d->report_turn + k) % d->table.count];

		if (*network && strcmp(network, n->name) != 0)
			continue;
		memcpy(out->tree[out->trees].network, n->name, sizeof(n->name));
		out->tree[out->trees++].root = n->root;
	}
	d->report_turn++;
}

/* ---- descents ---- */

static void ask(struct drift *d, struct descent *x, uint64_t now_ns)
{
	x->sent_ns = now_ns;
	x->tries++;
	x->questions++;
	d->tokens -= 1;
	d->asked++;
	x->tag = d->next_tag = (d->next_tag + DESCENTS) & 0x7fffffff;
	x->tag += (uint32_t)(x - d->descents);
	peers_ask_tree(d->watch->peers, x->who, d->table.network[x->slot].name, x->asked, x->tag, now_ns);
}

static void begin_descent(struct drift *d, struct descent *x, uint32_t who, uint32_t slot, uint64_t now_ns)
{
	uint32_t tag = x->tag;

	*x = (struct descent){
		.active = true, .who = who, .slot = slot, .tag = tag, .here = d->table.network[slot].root};
	drift_pair_of(d, who, slot)->busy = true;
	ask(d, x, now_ns);
}

static void end_descent(struct drift *d, struct descent *x, uint64_t now_ns)
{
	struct drift_pair *p = drift_pair_of(d, x->who, x->slot);
	bool open = findings_open(&d->findings, x->who, x->slot);

	x->active = false;
	p->busy = false;
	p->compared = x->compared;
	p->unexplored = 0;
	for (size_t i = 0; i < x->left; i++) {
		struct tree_sum s;

		tree_sum_of(d->table.network[x->slot].tree, x->stack[i], &s);
		p->unexplored += s.zones;
	}
	p->settled = !open && !x->failed && !x->left;
	p->done_here = x->here;
	p->done_there = x->there;
	p->redo_ns = p->settled ? 0 : now_ns + (x->failed || x->left ? LATER_MS : AGAIN_MS) * 1000000ULL;
	if (!x->failed && !x->left)
		p->compared_ns = now_ns;
	d->findings.changed = d->findings.changed || x->left;
}

static bool is_same(const struct tree_sum *a, const struct tree_sum *b)
{
	return a->serials == b->serials && a->contents == b->contents && a->zones == b->zones;
}

/* Nothing but contents, and those of many zones are not known. */
static bool must_wait(const struct tree_sum *a, const struct tree_sum *b)
{
	return a->serials == b->serials && a->zones == b->zones && a->unknown + (uint64_t)b->unknown > UNKNOWN_MAX;
}

static void compare_child(struct drift *d, struct descent *x, struct tree_place at, const struct tree_sum *there,
                          uint64_t now_ns)
{
	const struct zone_tree *own = d->table.network[x->slot].tree;
	struct tree_answer none = {.listed = true};
	struct tree_sum here;

	tree_sum_of(own, at, &here);
	if (is_same(&here, there)) {
		x->compared += here.zones;
		findings_clear(&d->findings, x->who, x->slot, at);
	} else if (!there->zones) {
		x->compared += here.zones;
		findings_list(&d->findings, x->who, x->slot, own, at, &none, now_ns);
	} else if (!must_wait(&here, there) && x->left < DESCENT_STACK) {
		x->stack[x->left++] = at;
	}
}

static void take_answer(struct drift *d, struct descent *x, const struct tree_answer *a, uint64_t now_ns)
{
	const struct zone_tree *own = d->table.network[x->slot].tree;
	struct drift_pair *p = drift_pair_of(d, x->who, x->slot);
	struct tree_sum here;

	if (!x->asked.depth) {
		x->there = p->there = tree_root_of(&a->sum);
		p->heard_ns = now_ns;
	}
	tree_sum_of(own, x->asked, &here);
	if (is_same(&here, &a->sum)) {
		x->compared += here.zones;
		findings_clear(&d->findings, x->who, x->slot, x->asked);
	} else if (a->listed) {
		x->compared += here.zones;
		findings_list(&d->findings, x->who, x->slot, own, x->asked, a, now_ns);
	} else if (!must_wait(&here, &a->sum)) {
		/* From another one each time: where not all can be looked at, in time all are. */
		uint32_t first = random_u32() % TREE_FAN;

		for (unsigned i = 0; i < TREE_FAN; i++)
			compare_child(d, x, tree_child(x->asked, (first + i) % TREE_FAN),
			              &a->child[(first + i) % TREE_FAN], now_ns);
	}
}

void drift_answered(struct drift *d, uint32_t tag, const struct tree_answer *a, uint64_t now_ns)
{
	struct descent *x = d ? &d->descents[tag % DESCENTS] : NULL;

	if (!x || !x->active || x->tag != tag || !x->tries || !is_ready(d))
		return;
	x->tries = 0; /* answered */
	if (a)
		take_answer(d, x, a, now_ns);
	x->failed = x->failed || !a;
	if (!x->left || x->failed || x->questions >= DESCENT_QUESTIONS) {
		end_descent(d, x, now_ns);
		return;
	}
	x->asked = x->stack[--x->left];
	if (d->tokens >= 1)
		ask(d, x, now_ns);
}

/* Questions that wait for the allowance, and answers that do not come. */
static void go_on(struct drift *d, uint64_t now_ns)
{
	for (unsigned i = 0; i < DESCENTS; i++) {
		struct descent *x = &d->descents[i];

		if (!x->active || (x->tries && now_ns - x->sent_ns < ANSWER_MS * 1000000ULL))
			continue;
		if (x->tries == TRIES) {
			x->failed = true;
			end_descent(d, x, now_ns);
		} else if (d->tokens >= 1) {
			ask(d, x, now_ns);
		}
	}
}

/* ---- who is next ---- */

/* True: a descent is due. */
static bool judge_pair(struct drift *d, uint32_t i, uint32_t slot, uint64_t pace_ns, uint64_t now_ns)
{
	const struct drift_network *n = &d->table.network[slot];
	struct drift_pair *p = drift_pair_of(d, i, slot);
	struct tree_sum all;

	if (!p->shared || !p->heard || p->busy)
		return false;
	if (p->there == n->root) {
		if (p->differs_ns || !p->settled)
			findings_clear(&d->findings, i, slot, (struct tree_place){0});
		p->differs_ns = 0;
		p->settled = true;
		p->done_here = p->done_there = n->root;
		p->compared_ns = p->heard_ns;
		tree_sum_of(n->tree, (struct tree_place){0}, &all);
		p->compared = all.zones;
		p->unexplored = 0;
		return false;
	}
	if (!p->differs_ns)
		p->differs_ns = now_ns;
	if (p->settled && p->done_here == n->root && p->done_there == p->there) {
		p->compared_ns = p->heard_ns;
		findings_touch(&d->findings, i, slot, p->heard_ns);
		return false;
	}
	if (now_ns < p->redo_ns || now_ns - p->differs_ns < SETTLE_MS * 1000000ULL)
		return false;
	/* What it said is older than our last change: it may have that by now. */
	return p->heard_ns > n->changed_ns || now_ns - p->differs_ns >= MAX(FLUX_MS * 1000000ULL, pace_ns);
}

static struct descent *free_descent(struct drift *d)
{
	for (unsigned i = 0; i < DESCENTS; i++)
		if (!d->descents[i].active)
			return &d->descents[i];
	return NULL;
}

static void look_at_pairs(struct drift *d, uint64_t now_ns)
{
	uint64_t pace_ns = fleet_pace_ms(d->peer_count, 1, false) * 1000000ULL;
	uint32_t first = d->cursor;

	for (uint32_t k = 0; k < d->pair_count; k++) {
		uint32_t at = (first + k) % d->pair_count, i = at / d->table.count, slot = at % d->table.count;
		struct descent *x;

		if (!judge_pair(d, i, slot, pace_ns, now_ns))
			continue;
		x = free_descent(d);
		if (!x || d->tokens < 1)
			continue;
		begin_descent(d, x, i, slot, now_ns);
		d->cursor = (at + 1) % d->pair_count;
	}
}

static void look(struct drift *d, uint64_t now_ns)
{
	double rate = d->peer_count > FLEET_ALL_AT_ONCE ? QUESTIONS_LARGE : QUESTIONS_SMALL;
	uint64_t fresh_ns = MAX(FRESH_MS * 1000000ULL, 3000000ULL * fleet_pace_ms(d->peer_count, 1, false));

	d->tokens = MIN(d->tokens + rate * (double)(now_ns - d->looked_ns) / 1e9, rate);
	d->looked_ns = now_ns;
	if (is_ready(d)) {
		go_on(d, now_ns);
		look_at_pairs(d, now_ns);
		drift_servers_step(d, now_ns);
	}
	findings_step(&d->findings, fresh_ns, now_ns);
	drift_show(d, now_ns);
}

static void on_tick(uv_timer_t *timer)
{
	struct drift *d = timer->data;
	uint64_t now_ns = clock_ns();
	uint32_t count = d->table.count;
	bool busy =
		drift_table_step(&d->table, board_get(&d->watch->board->sync.store_ino), now_ns, BUDGET_US * 1000ULL);

	/* Without the memory for them the trees went away; the pairs are laid out for them. */
	if (d->table.count != count && drift_replan(d) < 0)
		d->pair_count = d->peer_count = 0;
	if (now_ns - d->looked_ns >= LOOK_MS * 1000000ULL)
		look(d, now_ns);
	uv_timer_set_repeat(timer, busy ? TICK_BUSY_MS : TICK_MS);
}

/* ---- life ---- */

static const char *old_name(const struct drift *d, uint32_t i)
{
	return i < d->peer_count ? d->names[i] : "";
}

static uint32_t find_old(const struct drift *d, const char *name)
{
	for (uint32_t i = 0; i < d->peer_count; i++)
		if (strcmp(old_name(d, i), name) == 0)
			return i;
	return UINT32_MAX;
}

/* Findings follow their nodes to the new rows; where the trees are new too, all begins anew. */
static void move_findings(struct drift *d, const uint32_t *to, bool all_anew)
{
	for (uint32_t i = d->findings.top; i-- > 0;) {
		struct finding *f = &d->findings.list[i];

		if (!f->used || ((f->who & FINDING_OUTSIDE) && !all_anew))
			continue;
		if (all_anew || to[f->who] == UINT32_MAX) {
			f->used = false;
			d->findings.used--;
		} else {
			f->who = to[f->who];
		}
	}
	d->findings.changed = true;
}

static bool shares(const struct config *config, const struct config_node *self, uint32_t other, uint32_t network)
{
	const struct config_node *n = &config->nodes[other];

	(void)self;
	if (n->role == CONFIG_PRIMARY)
		return true;
	for (size_t i = 0; i < n->network_count; i++)
		if (n->networks[i] == network)
			return true;
	return false;
}

int drift_replan(struct drift *d)
{
	const struct role *role = d ? d->watch->role : NULL;
	const struct zone_tree *before;
	struct drift_pair *pairs;
	char(*names)[BOARD_NAME_MAX];
	uint32_t count, *to;

	if (!d)
		return 0;
	before = d->table.count ? d->table.network[0].tree : NULL;
	if (drift_table_replan(&d->table, role->config, role->node) < 0)
		return ERR_NO_MEMORY;
	count = peers_count(d->watch->peers);
	pairs = calloc((size_t)count * d->table.count + 1, sizeof(*pairs));
	names = calloc((size_t)count + 1, sizeof(*names));
	to = calloc((size_t)d->peer_count + 1, sizeof(*to));
	if (!pairs || !names || !to) {
		free(pairs);
		free(names);
		free(to);
		return ERR_NO_MEMORY;
	}
	memset(to, UINT8_MAX, ((size_t)d->peer_count + 1) * sizeof(*to));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t old;

		memcpy(names[i], d->watch->board->watch.nodes.node[i].name, sizeof(names[i]));
		old = find_old(d, names[i]);
		if (old != UINT32_MAX)
			to[old] = i;
		for (uint32_t slot = 0; slot < d->table.count; slot++)
			pairs[(size_t)i * d->table.count + slot].shared =
				shares(role->config, role->node, peers_node(d->watch->peers, i),
			               d->table.network[slot].config_index);
	}
	move_findings(d, to, !d->table.count || d->table.network[0].tree != before);
	free(to);
	free(d->pairs);
	free(d->names);
	d->pairs = pairs;
	d->names = names;
	d->peer_count = count;
	d->pair_count = count * d->table.count;
	d->cursor = 0;
	memset(d->descents, 0, sizeof(d->descents));
	d->findings.alert_after_ns = role->config->drift.alert_after_ms * 1000000ULL;
	drift_servers_replan(d);
	return 0;
}

int drift_new(struct watch *w, struct drift **out)
{
	struct drift *d;
	int err;

	*out = NULL;
	if (!w->role->node || !w->peers)
		return 0;
	d = calloc(1, sizeof(*d));
	if (!d)
		return ERR_NO_MEMORY;
	d->watch = w;
	d->findings.told = drift_told;
	d->findings.ctx = d;
	d->server_fd[0] = d->server_fd[1] = -1;
	drift_table_init(&d->table, w->role->brief.store_path, w->board->watch.drift_pins);
	err = drift_replan(d);
	if (err < 0) {
		drift_table_done(&d->table);
		free(d);
		return err;
	}
	(void)uv_timer_init(&w->loop, &d->tick); /* cannot fail */
	d->tick.data = d;
	uv_timer_start(&d->tick, on_tick, 0, TICK_BUSY_MS);
	*out = d;
	return 0;
}
