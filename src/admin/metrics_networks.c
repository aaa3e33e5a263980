/* SPDX-License-Identifier: BSD-2-Clause */
/* What the checks say of each network, and what is decided. Copies are made once: all lines of a network are of the same moment. */
#include "admin/metrics_text.h"

#include "base/attr.h"

#include <string.h>

enum { ROUTE_SLOT = 2 /* of supervisor.procs */ };
static const char *const families[BOARD_FAMILIES] = {"ipv4", "ipv6"};

struct network {
	const struct config_network *conf;
	struct board_watch_network watch;
	struct board_route_network route;
	bool has[BOARD_FAMILIES]; /* prefixes of the family */
	bool held;                /* something by transfer */
};

static size_t read_networks(const struct admin_view *f, struct network out[BOARD_NETWORKS_MAX])
{
	bool gone = !atomic_load(&f->board->supervisor.procs[ROUTE_SLOT].pid);
	size_t count = f->node ? MIN(f->node->network_count, (size_t)BOARD_NETWORKS_MAX) : 0;

	for (size_t i = 0; i < count; i++) {
		struct network *n = &out[i];

		memset(n, 0, sizeof(*n));
		n->conf = &f->config->networks[f->node->networks[i]];
		if (!board_copy(&f->board->watch.networks[i].seq, &f->board->watch.networks[i], &n->watch,
		                sizeof(n->watch)))
			memset(&n->watch, 0, sizeof(n->watch));
		/* Its sessions are closed, whatever stands there. */
		if (gone || !board_copy(&f->board->route.networks[i].seq, &f->board->route.networks[i], &n->route,
		                        sizeof(n->route)))
			memset(&n->route, 0, sizeof(n->route));
		for (size_t k = 0; k < n->conf->prefix_count; k++)
			n->has[n->conf->prefixes[k].addr.family == 6] = true;
		n->held = n->watch.checked_ns && n->watch.stale_in_ms != UINT64_MAX;
	}
	return count;
}

/* One line of each value, or one, of a network and family. */
static void of_family(struct metrics *m, enum metric family, const struct network *n, unsigned i)
{
	const struct board_watch_family *w = &n->watch.family[i];
	const struct board_route_family *r = &n->route.family[i];

	switch (family) {
	case METRIC_NETWORK_VERDICT:
		for (unsigned v = VERDICT_UNKNOWN; v <= VERDICT_HARD; v++)
			metric_put_as(m, "verdict", board_verdict_text((enum board_verdict)v), w->verdict == v);
		break;
	case METRIC_NETWORK_VERDICT_SINCE_TIMESTAMP_SECONDS:
		if (w->since_ns)
			metric_put_micro(m, metric_wall_us(m, w->since_ns));
		break;
	case METRIC_NETWORK_CAUSE:
		for (unsigned c = 0; c < CAUSE_COUNT; c++)
			metric_put_as(m, "cause", board_cause_text(1U << c), w->causes >> c & 1);
		break;
	case METRIC_NETWORK_CHECKS:
		metric_put(m, w->checks);
		break;
	case METRIC_NETWORK_CHECKS_PASSING:
		metric_put(m, w->passing);
		break;
	case METRIC_NETWORK_ANNOUNCE:
		for (unsigned a = ANNOUNCE_NONE; a <= ANNOUNCE_DEPREF; a++)
			metric_put_as(m, "state", board_announce_text((enum board_announce)a), r->announce == a);
		break;
	case METRIC_NETWORK_ANNOUNCE_SINCE_TIMESTAMP_SECONDS:
		if (r->since_ns)
			metric_put_micro(m, metric_wall_us(m, r->since_ns));
		break;
	case METRIC_NETWORK_FLAPS:
		metric_put(m, r->flaps);
		break;
	default:
		break;
	}
}

static void by_family(struct metrics *m, enum metric family, const struct network *list, size_t count)
{
	metric_begin(m, family);
	for (size_t i = 0; i < count; i++)
		for (unsigned k = 0; k < BOARD_FAMILIES; k++) {
			if (!list[i].has[k])
				continue;
			labels_clear(&m->labels);
			labels_add(&m->labels, "network", list[i].conf->name);
			labels_add(&m->labels, "family", families[k]);
			of_family(m, family, &list[i], k);
		}
}

static void checks(struct metrics *m, enum metric family, const struct network *list, size_t count)
{
	static const char *const transports[2] = {"udp", "tcp"};
	char address[ADDR_TEXT_MAX];

	metric_begin(m, family);
	for (size_t i = 0; i < count; i++)
		for (size_t a = 0; a < list[i].conf->address_count && a < BOARD_ADDRESSES_MAX; a++)
			for (size_t t = 0; t < 2; t++) {
				const struct board_watch_check *c = &list[i].watch.checks[a][t];

				labels_clear(&m->labels);
				labels_add(&m->labels, "network", list[i].conf->name);
				labels_add(&m->labels, "address", addr_text(&list[i].conf->addresses[a], address));
				labels_add(&m->labels, "transport", transports[t]);
				if (family == METRIC_CHECK_DURATION_SECONDS)
					metric_put_micro(m, c->latency_us);
				else
					metric_put(m, c->failures);
			}
}

static void of_network(struct metrics *m, enum metric family, const struct network *n, size_t i)
{
	const struct board_network_order *o = &m->view->board->supervisor.orders[i];

	switch (family) {
	case METRIC_NETWORK_ORDER:
		for (unsigned v = ORDER_NONE; v <= ORDER_FORCE; v++)
			metric_put_as(m, "order", board_order_text((enum board_order)v), atomic_load(&o->order) == v);
		break;
	case METRIC_BACKSTOP_ANNOUNCE:
		for (unsigned a = ANNOUNCE_NONE; n->route.backstop_since_ns && a <= ANNOUNCE_DEPREF; a++)
			metric_put_as(m, "state", board_announce_text((enum board_announce)a), n->route.backstop == a);
		break;
	case METRIC_NETWORK_DATA_AGE_SECONDS:
		if (n->held)
			metric_put_micro(m, n->watch.data_age_ms * 1000);
		break;
	default:
		break;
	}
}

static void load(struct metrics *m, const struct network *list, size_t count)
{
	metric_begin(m, METRIC_LOAD_RATIO);
	if (count)
		metric_put_micro(m, (uint64_t)list[0].watch.load * 1000);
	metric_begin(m, METRIC_ANSWERS_PER_SECOND);
	if (count)
		metric_put(m, list[0].watch.qps);
	metric_begin(m, METRIC_HEADROOM_QUERIES_PER_SECOND);
	if (count && list[0].watch.headroom != UINT32_MAX)
		metric_put(m, list[0].watch.headroom);
}

void metrics_networks(struct metrics *m)
{
	static struct network list[BOARD_NETWORKS_MAX]; /* large; one thread */
	size_t count = read_networks(m->view, list);

	for (enum metric f = METRIC_NETWORK_VERDICT; f <= METRIC_NETWORK_CHECKS_PASSING; f++)
		by_family(m, f, list, count);
	checks(m, METRIC_CHECK_DURATION_SECONDS, list, count);
	checks(m, METRIC_CHECK_FAILURES_TOTAL, list, count);
	for (enum metric f = METRIC_NETWORK_ANNOUNCE; f <= METRIC_NETWORK_FLAPS; f++)
		by_family(m, f, list, count);
	for (enum metric f = METRIC_NETWORK_ORDER; f <= METRIC_NETWORK_DATA_AGE_SECONDS; f++) {
		metric_begin(m, f);
		for (size_t i = 0; i < count; i++) {
			labels_clear(&m->labels);
			labels_add(&m->labels, "network", list[i].conf->name);
			of_network(m, f, &list[i], i);
		}
	}
	load(m, list, count);
}
