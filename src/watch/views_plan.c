/* SPDX-License-Identifier: BSD-2-Clause */
#include "watch/views.h"

#include "fleet/pace.h"

#include <stdio.h>
#include <string.h>

/* What nodes say of themselves costs 100 of them nearly all of 100 kbit/s (fleet/pace.c): there is little left for this. */
uint32_t views_pace_ms(uint32_t addresses, bool tcp)
{
	uint64_t more = addresses > VIEWS_ALL_AT_ONCE ? addresses - VIEWS_ALL_AT_ONCE : 0;

	return (uint32_t)MIN((VIEWS_UDP_MS + more * more * VIEWS_MORE_MS) * (tcp ? VIEWS_TCP_TURNS : 1),
	                     (uint64_t)VIEWS_PACE_MAX_MS);
}

uint32_t views_anycast_pace_ms(uint32_t families)
{
	return MAX((uint32_t)VIEWS_ANYCAST_MS, families * VIEWS_ANYCAST_EACH_MS);
}

/* What is slow once may be on a longer way now, so that only the first failure comes early: the next question gets the whole time. */
uint32_t views_timeout_ms(uint32_t failures, uint32_t latency_us)
{
	uint32_t quick = VIEWS_QUICK_MS / 2 + 2 * (MIN(latency_us, 1000000U) / 1000);

	return failures || !latency_us ? VIEWS_TIMEOUT_MS : MIN(MAX(quick, (uint32_t)VIEWS_QUICK_MS), (uint32_t)VIEWS_TIMEOUT_MS);
}

/* ---- rows of networks ---- */

static bool holds(const struct config_node *self, uint32_t network)
{
	for (size_t i = 0; i < self->network_count && self->role == CONFIG_POP; i++)
		if (self->networks[i] == network)
			return true;
	return false;
}

static void clear_network(struct board_view_network *n)
{
	memset((char *)n + sizeof(n->seq), 0, sizeof(*n) - sizeof(n->seq));
}

void views_lay_out(struct board_watch_views *board, const struct config *config, const struct config_node *self)
{
	static struct board_view_network old[BOARD_NETWORKS_MAX]; /* large; one thread */

	memcpy(old, board->network, sizeof(old));
	for (uint32_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		struct board_view_network *to = &board->network[i];

		/* A predecessor that died in here left it odd. */
		if (atomic_load(&to->seq) & 1U)
			board_write_end(&to->seq);
		board_write_begin(&to->seq);
		clear_network(to);
		if (i < config->network_count) {
			const struct config_network *from = &config->networks[i];
			bool own = holds(self, i);

			for (uint32_t k = 0; k < BOARD_NETWORKS_MAX; k++)
				if (strcmp(old[k].network, from->name) == 0 && old[k].family[0].own == own)
					memcpy(to->family, old[k].family, sizeof(to->family));
			snprintf(to->network, sizeof(to->network), "%s", from->name);
			to->family[0].own = to->family[1].own = own;
		}
		board_write_end(&to->seq);
	}
}

/* ---- ways to other nodes ---- */

bool views_path_answered(struct board_view_path *p, uint32_t latency_us, uint64_t now_ns)
{
	uint32_t was = atomic_load(&p->latency_us), failures = atomic_load(&p->failures);
	bool first = !atomic_load(&p->last_ns);

	board_add(&p->asked, 1);
	board_add(&p->answered, 1);
	atomic_store(&p->latency_us, first ? latency_us : (uint32_t)(((uint64_t)was * 7 + latency_us) / 8));
	atomic_store(&p->last_ns, now_ns);
	atomic_store(&p->failures, 0);
	return failures >= VIEWS_FALL;
}

bool views_path_failed(struct board_view_path *p)
{
	uint32_t failures = atomic_load(&p->failures);

	board_add(&p->asked, 1);
	atomic_store(&p->failures, failures < UINT32_MAX ? failures + 1 : failures);
	return failures + 1 == VIEWS_FALL;
}

/* ---- who answers at an anycast address ---- */

enum views_change views_family_answered(struct board_view_network *n, int family, const char *node, const char *why,
                                        uint32_t latency_us, uint64_t sent_ns, uint64_t now_ns)
{
	struct board_view_family *f = &n->family[family];
	bool first = !f->heard_ns, moved = first || strcmp(f->node, node) != 0, back = f->seen == OUTSIDE_SILENT;

	board_write_begin(&n->seq);
	if (moved) {
		f->flips += !first;
		f->since_ns = now_ns;
		snprintf(f->node, sizeof(f->node), "%s", node);
	}
	f->latency_us = first || moved ? latency_us : (uint32_t)(((uint64_t)f->latency_us * 7 + latency_us) / 8);
	f->asked_ns = f->heard_ns = sent_ns;
	f->failures = 0;
	if (f->seen != OUTSIDE_GOOD)
		f->seen_since_ns = now_ns;
	f->seen = OUTSIDE_GOOD;
	snprintf(f->why, sizeof(f->why), "%s", why);
	board_write_end(&n->seq);
	return back ? VIEWS_SEEN : first || !moved ? VIEWS_SAME : VIEWS_MOVED;
}

enum views_change views_family_failed(struct board_view_network *n, int family, const char *why, uint64_t now_ns)
{
	struct board_view_family *f = &n->family[family];
	enum views_change change = VIEWS_SAME;

	board_write_begin(&n->seq);
	f->asked_ns = now_ns;
	f->failures += f->failures < UINT32_MAX;
	snprintf(f->why, sizeof(f->why), "%s", why);
	if (f->failures >= VIEWS_FALL && f->seen != OUTSIDE_SILENT) {
		f->seen = OUTSIDE_SILENT;
		/* The last question that was answered left then: later it was silent, whenever that became certain. */
		f->seen_since_ns = f->heard_ns ? f->heard_ns : now_ns;
		change = VIEWS_SILENT;
	}
	board_write_end(&n->seq);
	return change;
}

/* ---- what others tell ---- */

static struct board_view_told *find_told(struct board_watch_views *board, const char *viewer, const char *network,
                                         uint64_t sent_ns)
{
	struct board_view_told *oldest = &board->told[0];

	for (uint32_t i = 0; i < BOARD_TOLD_VIEWS_MAX; i++) {
		struct board_view_told *t = &board->told[i];

		if (strcmp(t->viewer, viewer) == 0 && strcmp(t->network, network) == 0)
			return t;
		/* Rows are filled from the first on, and not freed but for another. */
		if (!*t->viewer) {
			return t;
		}
		if (t->heard_ns < oldest->heard_ns)
			oldest = t;
	}
	return sent_ns > oldest->heard_ns ? oldest : NULL;
}

bool views_told_take(struct board_watch_views *board, const char *viewer, const struct fleet_sees *s, uint64_t sent_ns)
{
	struct board_view_told *t = find_told(board, viewer, s->network, sent_ns);
	bool changed = false;

	if (!t || (strcmp(t->viewer, viewer) == 0 && strcmp(t->network, s->network) == 0 && t->heard_ns > sent_ns))
		return false;
	if (atomic_load(&t->seq) & 1U)
		board_write_end(&t->seq);
	board_write_begin(&t->seq);
	snprintf(t->viewer, sizeof(t->viewer), "%s", viewer);
	snprintf(t->network, sizeof(t->network), "%s", s->network);
	t->heard_ns = sent_ns;
	for (int f = 0; f < BOARD_FAMILIES; f++) {
		const struct fleet_sees_family *from = &s->family[f];
		uint64_t ago_ns = (uint64_t)from->since_s * 1000000000U;

		changed |= t->family[f].state != from->state;
		t->family[f] = (struct board_told_family){.state = from->state,
		                                          .since_ns = sent_ns > ago_ns ? sent_ns - ago_ns : 1};
		snprintf(t->family[f].node, sizeof(t->family[f].node), "%s", from->node);
	}
	board_write_end(&t->seq);
	return changed;
}

uint64_t views_told_fresh_ms(uint32_t others)
{
	return 5000 + 3 * (uint64_t)fleet_pace_ms(others, 1, false);
}
