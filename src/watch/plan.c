/* SPDX-License-Identifier: BSD-2-Clause */
/* From the configuration to the checks that run, again after each reload; and from the board to the states of a predecessor. */
#include "watch/watch.h"

#include "base/clock.h"
#include "base/err.h"
#include "health/state.h"
#include "steer/steer.h"

#include <stdio.h>
#include <string.h>

enum { INHERIT_MS = 5000 }; /* older than this what is on the board is history */

static struct check *find(struct watch *w, const char *network, const struct ip_addr *address, bool tcp)
{
	LIST_FOREACH(it, &w->checks) {
		struct check *c = LIST_ENTRY(it, struct check, link);

		if (!c->gone && c->tcp == tcp && addr_equal(&c->address, address) && !strcmp(c->network->name, network))
			return c;
	}
	return NULL;
}

/* Checks of network n in the coming plan: taken over by pointer, so that probes under way stay theirs. */
static int fill(struct watch *w, struct watch_network *n, const struct config_network *from)
{
	for (size_t a = 0; a < from->address_count && a < BOARD_ADDRESSES_MAX; a++) {
		for (unsigned t = 0; t < 2; t++) {
			struct check *c = find(w, n->name, &from->addresses[a], t == 1);

			if (!c)
				c = check_new(w, &from->addresses[a], t == 1);
			if (!c)
				return ERR_NO_MEMORY;
			n->checks[n->check_count++] = c;
		}
	}
	return 0;
}

static void start(struct watch_network *n)
{
	for (uint32_t i = 0; i < n->check_count; i++) {
		struct check *c = n->checks[i];

		c->network = n;
		c->index = i / 2;
		/* Evenly over the interval: the checks of a network together see a fault soonest, and do not come in bursts. */
		check_start(c, (uint32_t)((uint64_t)n->rule.interval_ms * i / n->check_count));
	}
}

static bool in_plan(const struct watch *w, const struct check *c)
{
	for (uint32_t i = 0; i < w->network_count; i++)
		for (uint32_t k = 0; k < w->networks[i].check_count; k++)
			if (w->networks[i].checks[k] == c)
				return true;
	return false;
}

/* What names are answered by policies: their sets are not compared (steered.c). */
static int plan_steered(struct watch *w, const struct config *config, const struct config_node *node)
{
	struct steer_table *t = NULL;
	int err = config->steering_count ? steer_table_make(config, node, &t) : 0;

	if (err < 0)
		return err;
	steer_table_free(w->steered);
	w->steered = t;
	return 0;
}

int plan_build(struct watch *w, const struct config *config, const struct config_node *node)
{
	static struct watch_network next[BOARD_NETWORKS_MAX]; /* large; one thread */
	uint32_t count = (uint32_t)MIN(node->network_count, (size_t)BOARD_NETWORKS_MAX);
	uint64_t now_ns = clock_ns();

	if (plan_steered(w, config, node) < 0)
		return ERR_NO_MEMORY;
	memset(next, 0, sizeof(next));
	for (uint32_t i = 0; i < count; i++) {
		const struct config_network *from = &config->networks[node->networks[i]];
		struct watch_network *n = &next[i];

		snprintf(n->name, sizeof(n->name), "%s", from->name);
		n->index = i;
		n->config_index = node->networks[i];
		n->rule = from->check;
		n->signatures_alert_s = from->signatures_alert_ms / 1000;
		n->expired_leaves = from->expired_signatures == CONFIG_EXPIRED_WITHDRAW;
		n->stale_after_ms = from->stale_after_ms;
		n->all = (struct watch_family){VERDICT_UNKNOWN, now_ns};
		n->family[0] = n->family[1] = n->all;
		for (uint32_t k = 0; k < w->network_count; k++) {
			const struct watch_network *old = &w->networks[k];

			if (strcmp(old->name, n->name) != 0)
				continue;
			n->all = old->all;
			memcpy(n->family, old->family, sizeof(n->family));
			n->zones_missing_ns = old->zones_missing_ns;
		}
		if (fill(w, n, from) < 0)
			return ERR_NO_MEMORY;
	}
	memcpy(w->networks, next, sizeof(next));
	w->network_count = count;
	LIST_FOREACH_SAFE(it, after, &w->checks) {
		struct check *c = LIST_ENTRY(it, struct check, link);

		if (!in_plan(w, c)) {
			list_remove(&c->link);
			check_free(c);
		}
	}
	for (uint32_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		struct board_watch_network *b = &w->board->watch.networks[i];

		if (i < count) {
			start(&w->networks[i]);
			for (uint32_t k = 0; k < w->networks[i].check_count; k++)
				if (list_empty(&w->networks[i].checks[k]->link))
					list_add_tail(&w->checks, &w->networks[i].checks[k]->link);
		} else {
			board_write_begin(&b->seq);
			memset((char *)b + sizeof(b->seq), 0, sizeof(*b) - sizeof(b->seq));
			board_write_end(&b->seq);
		}
	}
	return 0;
}

void plan_inherit(struct watch *w, uint64_t now_ns)
{
	static struct board_watch_network old;

	for (uint32_t i = 0; i < w->network_count; i++) {
		struct watch_network *n = &w->networks[i];

		if (!board_copy(&w->board->watch.networks[i].seq, &w->board->watch.networks[i], &old, sizeof(old)))
			continue;
		if (!old.checked_ns || now_ns < old.checked_ns || now_ns - old.checked_ns > INHERIT_MS * 1000000ULL)
			continue;
		old.why[BOARD_WHY_MAX - 1] = '\0';
		for (uint32_t k = 0; k < n->check_count; k++) {
			struct check *c = n->checks[k];
			const struct board_watch_check *b = &old.checks[k / 2][k % 2];
			uint8_t mark[3];

			check_mark(c, mark);
			if (memcmp(mark, b->mark, sizeof(mark)) != 0)
				continue;
			c->health.passes = b->passes;
			c->health.failures = b->failures;
			c->latency_us = b->latency_us;
			c->latest_ns = old.checked_ns;
			c->idle_from_ns = now_ns;
			if (b->verdict == VERDICT_PASS) {
				c->health.state = HEALTH_PASS;
				c->passing = true;
			} else if (b->verdict == VERDICT_HARD) {
				c->health.state = HEALTH_FAIL;
				c->fails = 1;
				snprintf(c->why, sizeof(c->why), "failed before this process was restarted");
			}
		}
		n->all = (struct watch_family){(enum board_verdict)MIN(old.verdict, (uint32_t)VERDICT_HARD), old.since_ns};
		for (int f = 0; f < BOARD_FAMILIES; f++)
			n->family[f] = (struct watch_family){(enum board_verdict)MIN(old.family[f].verdict, (uint32_t)VERDICT_HARD), old.family[f].since_ns};
	}
}

void plan_free(struct watch *w)
{
	LIST_FOREACH_SAFE(it, next, &w->checks) {
		struct check *c = LIST_ENTRY(it, struct check, link);

		list_remove(&c->link);
		check_free(c);
	}
	steer_table_free(w->steered);
	w->steered = NULL;
	w->network_count = 0;
}
