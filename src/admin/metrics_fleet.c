/* SPDX-License-Identifier: BSD-2-Clause */
/* Other nodes: what they say, how their zones differ from ours, how they and the anycast addresses are reached from here. Figures of paths are by node, family and transport,
 * not by address, so that a fleet of a thousand nodes with many addresses stays within bounds. */
#include "admin/metrics.h"
#include "admin/metrics_text.h"

#include "base/attr.h"
#include "fleet/pace.h"

#include <stdlib.h>
#include <string.h>

static const char *const families[BOARD_FAMILIES] = {"ipv4", "ipv6"}, *const transports[2] = {"udp", "tcp"};

/* What is needed of a row of the board, which is far larger. */
struct peer {
	char name[BOARD_NAME_MAX];
	uint64_t heard_ns, zones, serving;
	uint32_t round_us;
	bool same_config, up;
	struct side { /* of a family */
		bool exists, up;
		uint64_t heard_ns;
	} family[BOARD_FAMILIES];
	uint8_t family_of[BOARD_MANAGEMENT_MAX]; /* of each address: 4, 6; 0: none */
};
struct peers {
	size_t count;
	struct peer list[BOARD_NODES_MAX];
};

static bool fresh(uint64_t at_ns, uint64_t now_ns, uint64_t limit_ns)
{
	return at_ns && (now_ns < at_ns || now_ns - at_ns < limit_ns);
}

static void read_peer(const struct board_node *n, uint64_t now_ns, uint64_t limit_ns, struct peer *p)
{
	*p = (struct peer){.heard_ns = n->heard_ns,
	                   .zones = n->zones,
	                   .serving = n->serving,
	                   .round_us = n->round_us,
	                   .same_config = n->same_config,
	                   .up = fresh(n->heard_ns, now_ns, limit_ns)};
	memcpy(p->name, n->name, sizeof(p->name));
	p->name[sizeof(p->name) - 1] = '\0';
	for (size_t i = 0; i < BOARD_MANAGEMENT_MAX && n->address[i].address.family; i++) {
		struct side *s = &p->family[n->address[i].address.family == 6];

		p->family_of[i] = n->address[i].address.family;
		s->exists = true;
		s->up |= n->address[i].heard_ns && n->address[i].failures < BOARD_SILENT;
		s->heard_ns = MAX(s->heard_ns, n->address[i].heard_ns);
	}
	p->up = p->up && (p->family[0].up || p->family[1].up);
}

/* A row that is torn is left as a node without a name: places must stay, since drift and views go by them. */
static void read_peers(const struct board *b, uint64_t now_ns, struct peers *out)
{
	static struct board_node copy; /* large; one thread */
	uint32_t count = MIN(atomic_load(&b->watch.nodes.count), (uint32_t)BOARD_NODES_MAX);
	/* A node that has missed three questions in turn. */
	uint64_t limit_ns = (3 * (uint64_t)fleet_pace_ms(count, 1, false) + 1000) * 1000000U;

	out->count = count;
	for (uint32_t i = 0; i < count; i++) {
		if (board_copy(&b->watch.nodes.node[i].seq, &b->watch.nodes.node[i], &copy, sizeof(copy)))
			read_peer(&copy, now_ns, limit_ns, &out->list[i]);
		else
			out->list[i] = (struct peer){0};
	}
}

static void of_peer(struct metrics *m, enum metric family, const struct peer *p)
{
	switch (family) {
	case METRIC_PEER_UP:
		metric_put(m, p->up);
		break;
	case METRIC_PEER_HEARD_TIMESTAMP_SECONDS:
		if (p->heard_ns)
			metric_put_micro(m, metric_wall_us(m, p->heard_ns));
		break;
	case METRIC_PEER_ROUND_SECONDS:
		if (p->heard_ns)
			metric_put_micro(m, p->round_us);
		break;
	case METRIC_PEER_SAME_CONFIG:
		if (p->heard_ns)
			metric_put(m, p->same_config);
		break;
	case METRIC_PEER_ZONES:
		if (!p->heard_ns)
			break;
		metric_put_as(m, "state", "configured", p->zones);
		metric_put_as(m, "state", "serving", p->serving);
		break;
	case METRIC_PEER_ADDRESS_UP:
		for (size_t k = 0; k < BOARD_FAMILIES; k++)
			if (p->family[k].exists)
				metric_put_as(m, "family", families[k], p->family[k].up);
		break;
	case METRIC_PEER_ADDRESS_HEARD_TIMESTAMP_SECONDS:
		for (size_t k = 0; k < BOARD_FAMILIES; k++)
			if (p->family[k].heard_ns) {
				labels_clear(&m->labels);
				labels_add(&m->labels, "node", p->name);
				labels_add(&m->labels, "family", families[k]);
				metric_put_micro(m, metric_wall_us(m, p->family[k].heard_ns));
			}
		break;
	default:
		break;
	}
}

static void peers(struct metrics *m, const struct peers *p)
{
	const struct board_watch_nodes *b = &m->view->board->watch.nodes;

	for (enum metric f = METRIC_PEER_UP; f <= METRIC_PEER_ADDRESS_HEARD_TIMESTAMP_SECONDS; f++) {
		metric_begin(m, f);
		for (size_t i = 0; i < p->count; i++) {
			labels_clear(&m->labels);
			labels_add(&m->labels, "node", p->list[i].name);
			if (p->list[i].name[0])
				of_peer(m, f, &p->list[i]);
		}
	}
	metric_begin(m, METRIC_PEER_QUESTIONS_TOTAL);
	metric_put_as(m, "result", "asked", board_get(&b->asked));
	metric_put_as(m, "result", "heard", board_get(&b->heard));
	metric_put_as(m, "result", "bad", board_get(&b->bad));
	metric_begin(m, METRIC_PEER_TOLD_TOTAL);
	metric_put_as(m, "result", "told", board_get(&b->told));
	metric_put_as(m, "result", "refused", board_get(&b->told_refused));
}

/* ---- drift ---- */

/* A copy of a row that is in use; false: it is not. *name: of the node, or the address of a server outside of the fleet. */
static bool read_drift(const struct board_watch_drift *b, size_t i, const struct peers *p, struct board_drift *out,
                       char name[ADDR_TEXT_MAX])
{
	if (!board_copy(&b->row[i].seq, &b->row[i], out, sizeof(*out)) || out->kind == DRIFT_NONE ||
	    out->kind >= DRIFT_KINDS)
		return false;
	out->zone[sizeof(out->zone) - 1] = out->network[sizeof(out->network) - 1] = '\0';
	if (out->node < p->count)
		memcpy(name, p->list[out->node].name, BOARD_NAME_MAX);
	else if (out->server.family)
		addr_text(&out->server, name);
	else
		return false;
	return true;
}

struct drifted {
	char node[ADDR_TEXT_MAX];
	struct board_drift is;
};

static void drift(struct metrics *m, const struct peers *p)
{
	static uint32_t alerts[BOARD_NODES_MAX + 1][DRIFT_KINDS]; /* the last: servers outside; one thread */
	static struct drifted named[METRICS_DRIFT_ROWS];
	const struct board_watch_drift *b = &m->view->board->watch.drift;
	struct drifted one;
	size_t count = 0;
	uint64_t compared = atomic_load(&b->compared_ns);

	_Static_assert(sizeof(one.node) >= BOARD_NAME_MAX, "a node's name fits");
	memset(alerts, 0, sizeof(alerts));
	for (size_t i = 0; i < BOARD_DRIFTS_MAX; i++) {
		if (!atomic_load(&b->row[i].seq) || !read_drift(b, i, p, &one.is, one.node) || !one.is.alert)
			continue;
		alerts[MIN(one.is.node, (uint32_t)BOARD_NODES_MAX)][one.is.kind]++;
		if (count < METRICS_DRIFT_ROWS)
			named[count++] = one;
	}
	for (enum metric f = METRIC_DRIFT_ZONES; f <= METRIC_DRIFT_ALERTS; f++) {
		metric_begin(m, f);
		for (size_t i = 0; i < p->count; i++)
			for (unsigned k = DRIFT_NONE + 1; k < DRIFT_KINDS && p->list[i].name[0]; k++) {
				labels_clear(&m->labels);
				labels_add(&m->labels, "node", p->list[i].name);
				metric_put_as(m, "kind", board_drift_text((enum board_drift_kind)k),
				              f == METRIC_DRIFT_ZONES ? atomic_load(&b->node[i].kinds[k])
				                                      : alerts[i][k]);
			}
		labels_clear(&m->labels);
		labels_add(&m->labels, "node", "(outside)");
		for (unsigned k = DRIFT_NONE + 1; f == METRIC_DRIFT_ALERTS && k < DRIFT_KINDS; k++)
			metric_put_as(m, "kind", board_drift_text((enum board_drift_kind)k),
			              alerts[BOARD_NODES_MAX][k]);
	}
	for (enum metric f = METRIC_DRIFT_ZONE_SINCE_TIMESTAMP_SECONDS; f <= METRIC_DRIFT_ZONE_VERSIONS; f++) {
		metric_begin(m, f);
		for (size_t i = 0; i < count; i++) {
			labels_clear(&m->labels);
			labels_add(&m->labels, "node", named[i].node);
			labels_add(&m->labels, "network", named[i].is.network);
			labels_add(&m->labels, "zone", named[i].is.zone);
			labels_add(&m->labels, "kind", board_drift_text((enum board_drift_kind)named[i].is.kind));
			if (f == METRIC_DRIFT_ZONE_VERSIONS)
				metric_put(m, named[i].is.versions);
			else
				metric_put_micro(m, metric_wall_us(m, named[i].is.since_ns));
		}
	}
	metric_one(m, METRIC_DRIFT_HIDDEN, atomic_load(&b->hidden));
	metric_begin(m, METRIC_DRIFT_COMPARED_TIMESTAMP_SECONDS);
	if (compared)
		metric_put_micro(m, metric_wall_us(m, compared));
}

/* ---- views ---- */

static void path(struct metrics *m, enum metric family, const struct board_view_path (*paths)[2], const struct peer *p,
                 size_t k, size_t t)
{
	uint64_t asked = 0, answered = 0;
	uint32_t quickest = UINT32_MAX;
	bool exists = false, up = false;

	for (size_t i = 0; i < BOARD_MANAGEMENT_MAX; i++) {
		const struct board_view_path *v = &paths[i][t];

		if (p->family_of[i] != (k ? 6 : 4) || !board_get(&v->asked))
			continue;
		exists = true;
		asked += board_get(&v->asked);
		answered += board_get(&v->answered);
		up |= atomic_load(&v->last_ns) && !atomic_load(&v->failures);
		if (atomic_load(&v->last_ns))
			quickest = MIN(quickest, atomic_load(&v->latency_us));
	}
	if (!exists)
		return;
	labels_clear(&m->labels);
	labels_add(&m->labels, "node", p->name);
	labels_add(&m->labels, "family", families[k]);
	labels_add(&m->labels, "transport", transports[t]);
	if (family == METRIC_VIEW_PATH_UP)
		metric_put(m, up);
	else if (family == METRIC_VIEW_PATH_QUESTIONS_TOTAL)
		metric_put(m, asked);
	else if (family == METRIC_VIEW_PATH_ANSWERS_TOTAL)
		metric_put(m, answered);
	else if (quickest != UINT32_MAX)
		metric_put_micro(m, quickest);
}

static void of_view(struct metrics *m, enum metric family, struct board_view_family *v)
{
	v->node[sizeof(v->node) - 1] = '\0';
	switch (family) {
	case METRIC_VIEW_SITE_INFO:
		if (v->node[0] && v->seen != OUTSIDE_SILENT)
			metric_put_as(m, "node", v->node, 1);
		break;
	case METRIC_VIEW_SITE_FLIPS_TOTAL:
		metric_put(m, v->flips);
		break;
	case METRIC_VIEW_SITE_DURATION_SECONDS:
		if (v->heard_ns)
			metric_put_micro(m, v->latency_us);
		break;
	case METRIC_VIEW_SITE_FAILURES:
		metric_put(m, v->failures);
		break;
	case METRIC_VIEW_OUTSIDE:
		for (unsigned o = OUTSIDE_UNKNOWN; v->own && o <= OUTSIDE_FILTERED; o++)
			metric_put_as(m, "state", board_outside_text((enum board_outside)o), v->outside == o);
		break;
	case METRIC_VIEW_OUTSIDE_SINCE_TIMESTAMP_SECONDS:
		if (v->own && v->outside_since_ns)
			metric_put_micro(m, metric_wall_us(m, v->outside_since_ns));
		break;
	default:
		break;
	}
}

static void views(struct metrics *m, const struct peers *p)
{
	const struct board_watch_views *b = &m->view->board->watch.views;

	for (enum metric f = METRIC_VIEW_PATH_UP; f <= METRIC_VIEW_PATH_DURATION_SECONDS; f++) {
		metric_begin(m, f);
		for (size_t i = 0; i < p->count; i++)
			for (size_t k = 0; k < BOARD_FAMILIES && p->list[i].name[0]; k++)
				for (size_t t = 0; t < 2; t++)
					path(m, f, b->path[i], &p->list[i], k, t);
	}
	for (enum metric f = METRIC_VIEW_SITE_INFO; f <= METRIC_VIEW_OUTSIDE_SINCE_TIMESTAMP_SECONDS; f++) {
		metric_begin(m, f);
		for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
			struct board_view_network n;

			if (!board_copy(&b->network[i].seq, &b->network[i], &n, sizeof(n)) || !n.network[0])
				continue;
			n.network[sizeof(n.network) - 1] = '\0';
			for (size_t k = 0; k < BOARD_FAMILIES; k++) {
				if (!n.family[k].own && !n.family[k].asked_ns)
					continue;
				labels_clear(&m->labels);
				labels_add(&m->labels, "network", n.network);
				labels_add(&m->labels, "family", families[k]);
				of_view(m, f, &n.family[k]);
			}
		}
	}
}

void metrics_fleet(struct metrics *m)
{
	static struct peers all; /* large; one thread */

	read_peers(m->view->board, m->view->now_ns, &all);
	peers(m, &all);
	drift(m, &all);
	views(m, &all);
}
