/* SPDX-License-Identifier: BSD-2-Clause */
/* BGP, BFD, RPKI, and routes of others for what is ours. */
#include "admin/metrics_text.h"

#include "base/attr.h"

#include <stdio.h>
#include <string.h>

enum { ROUTE_SLOT = 2 /* of supervisor.procs */ };

struct neighbor {
	char name[ADDR_TEXT_MAX + 18]; /* its address, with the interface of a link-local one */
	struct board_route_neighbor is;
};

static bool route_is_gone(const struct admin_view *f)
{
	return !atomic_load(&f->board->supervisor.procs[ROUTE_SLOT].pid);
}

static size_t read_neighbors(const struct admin_view *f, struct neighbor out[BOARD_NEIGHBORS_MAX])
{
	const struct board_route *b = &f->board->route;
	char address[ADDR_TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < atomic_load(&b->neighbors) && i < BOARD_NEIGHBORS_MAX; i++) {
		struct board_route_neighbor *is = &out[n].is;

		if (!board_copy(&b->neighbor[i].seq, &b->neighbor[i], is, sizeof(*is)))
			continue;
		is->state_text[sizeof(is->state_text) - 1] = is->interface[sizeof(is->interface) - 1] = '\0';
		is->bfd.state_text[sizeof(is->bfd.state_text) - 1] = '\0';
		if (is->interface[0])
			is->address.zone = 0;
		snprintf(out[n].name, sizeof(out[n].name), "%s%s%s", addr_text(&is->address, address),
		         is->interface[0] ? "%" : "", is->interface);
		if (route_is_gone(f)) {
			is->since_ns = is->announced = is->received = is->over_max = 0;
			snprintf(is->state_text, sizeof(is->state_text), "idle");
			snprintf(is->bfd.state_text, sizeof(is->bfd.state_text), "down");
		}
		n++;
	}
	return n;
}

/* As bgp_state_text() writes them. */
static const char *const bgp_states[] = {"idle", "connect", "open-sent", "open-confirm", "established"};

static void of_bfd(struct metrics *m, enum metric family, const struct board_bfd *b)
{
	switch (family) {
	case METRIC_BFD_UP:
		metric_put(m, strcmp(b->state_text, "up") == 0);
		break;
	case METRIC_BFD_TRANSITIONS_TOTAL:
		metric_put(m, b->transitions);
		break;
	case METRIC_BFD_FALLS_TOTAL:
		metric_put(m, b->falls);
		break;
	case METRIC_BFD_PACKETS_TOTAL:
		metric_put_as(m, "kind", "received", b->in);
		metric_put_as(m, "kind", "sent", b->out);
		metric_put_as(m, "kind", "bad", b->bad);
		metric_put_as(m, "kind", "unsent", b->unsent);
		break;
	case METRIC_BFD_DETECTION_SECONDS:
		metric_put_micro(m, b->detect_us);
		break;
	default:
		break;
	}
}

static void of_neighbor(struct metrics *m, enum metric family, const struct board_route_neighbor *n)
{
	switch (family) {
	case METRIC_BGP_UP:
		metric_put(m, strcmp(n->state_text, "established") == 0);
		break;
	case METRIC_BGP_STATE:
		for (size_t i = 0; i < ARRAY_LEN(bgp_states); i++)
			metric_put_as(m, "state", bgp_states[i], strcmp(n->state_text, bgp_states[i]) == 0);
		break;
	case METRIC_BGP_INFO:
		labels_number(&m->labels, "as", n->as);
		metric_put(m, 1);
		break;
	case METRIC_BGP_SINCE_TIMESTAMP_SECONDS:
		if (n->since_ns)
			metric_put_micro(m, metric_wall_us(m, n->since_ns));
		break;
	case METRIC_BGP_ESTABLISHED_TOTAL:
		metric_put(m, n->established_count);
		break;
	case METRIC_BGP_ANNOUNCED_PREFIXES:
		metric_put(m, n->announced);
		break;
	case METRIC_BGP_RECEIVED_PREFIXES:
		metric_put(m, n->received);
		break;
	case METRIC_BGP_OVER_MAX_PREFIXES:
		metric_put(m, n->over_max != 0);
		break;
	case METRIC_BGP_BAD_MESSAGES_TOTAL:
		metric_put(m, n->bad_messages);
		break;
	case METRIC_BGP_DRAINED:
		metric_put(m, n->order != ANNOUNCE_YES);
		break;
	default:
		if (n->bfd.on)
			of_bfd(m, family, &n->bfd);
		break;
	}
}

static void neighbors(struct metrics *m)
{
	static struct neighbor list[BOARD_NEIGHBORS_MAX]; /* large; one thread */
	size_t count = read_neighbors(m->view, list);

	for (enum metric f = METRIC_BGP_UP; f <= METRIC_BFD_DETECTION_SECONDS; f++) {
		metric_begin(m, f);
		for (size_t i = 0; i < count; i++) {
			labels_clear(&m->labels);
			labels_add(&m->labels, "neighbor", list[i].name);
			of_neighbor(m, f, &list[i].is);
		}
	}
	metric_one(m, METRIC_BFD_HELD, !route_is_gone(m->view) && atomic_load(&m->view->board->route.bfd.held));
}

/* ---- RPKI ---- */

static void origins(struct metrics *m)
{
	static uint32_t states[BOARD_NETWORKS_MAX][ORIGIN_NOT_FOUND + 1], refused[BOARD_NETWORKS_MAX]; /* one thread */
	const struct admin_view *f = m->view;
	const struct board_rpki *b = &f->board->watch.rpki;
	size_t count = f->node && f->config->rpki.enabled ? MIN(f->node->network_count, (size_t)BOARD_NETWORKS_MAX) : 0;

	memset(states, 0, sizeof(states));
	memset(refused, 0, sizeof(refused));
	for (uint32_t i = 0; i < MIN(atomic_load(&b->origins), (uint32_t)BOARD_ORIGINS_MAX); i++) {
		struct board_origin o;

		if (!board_copy(&b->origin[i].seq, &b->origin[i], &o, sizeof(o)) || o.network >= count ||
		    o.state > ORIGIN_NOT_FOUND)
			continue;
		states[o.network][o.state]++;
		refused[o.network] += o.refuse && o.expires_ns > f->now_ns;
	}
	for (enum metric family = METRIC_RPKI_ORIGINS; family <= METRIC_RPKI_REFUSED; family++) {
		metric_begin(m, family);
		for (size_t i = 0; i < count; i++) {
			labels_clear(&m->labels);
			labels_add(&m->labels, "network", f->config->networks[f->node->networks[i]].name);
			for (unsigned s = 0; family == METRIC_RPKI_ORIGINS && s <= ORIGIN_NOT_FOUND; s++)
				metric_put_as(m, "state", board_origin_text((enum board_origin_state)s), states[i][s]);
			if (family == METRIC_RPKI_REFUSED)
				metric_put(m, refused[i]);
		}
	}
}

static void caches(struct metrics *m)
{
	const struct board_rpki *b = &m->view->board->watch.rpki;

	for (enum metric family = METRIC_RPKI_CACHE_UP; family <= METRIC_RPKI_CACHE_ERRORS_TOTAL; family++) {
		metric_begin(m, family);
		for (uint32_t i = 0; i < MIN(atomic_load(&b->caches), (uint32_t)BOARD_CACHES_MAX); i++) {
			char text[ENDPOINT_TEXT_MAX];
			struct board_cache c;

			if (!board_copy(&b->cache[i].seq, &b->cache[i], &c, sizeof(c)))
				continue;
			labels_clear(&m->labels);
			labels_add(&m->labels, "cache",
			           endpoint_text(&(struct endpoint){.addr = c.address, .port = c.port}, text));
			if (family == METRIC_RPKI_CACHE_UP)
				metric_put(m, c.expires_ns > m->view->now_ns);
			else if (family == METRIC_RPKI_CACHE_ERRORS_TOTAL)
				metric_put(m, c.errors);
			else if (c.synced_ns)
				metric_put_micro(m, metric_wall_us(m, c.synced_ns));
		}
	}
}

static void hijacks(struct metrics *m)
{
	static struct board_hijacks copy; /* large; one thread */
	const struct board_hijacks *b = &m->view->board->route.hijacks;

	if (route_is_gone(m->view) || !board_copy(&b->seq, b, &copy, sizeof(copy)))
		memset(&copy, 0, sizeof(copy));
	metric_one(m, METRIC_HIJACKS, copy.count);
	metric_one(m, METRIC_HIJACKS_SEEN_TOTAL, copy.seen);
	metric_begin(m, METRIC_HIJACK_INFO);
	for (uint32_t i = 0; i < MIN(copy.rows, (uint32_t)BOARD_HIJACKS_MAX); i++) {
		char prefix[PREFIX_TEXT_MAX], neighbor[ADDR_TEXT_MAX];

		labels_clear(&m->labels);
		labels_add(&m->labels, "prefix", prefix_text(&copy.row[i].prefix, prefix));
		labels_number(&m->labels, "origin", copy.row[i].origin);
		labels_add(&m->labels, "neighbor", addr_text(&copy.row[i].neighbor, neighbor));
		metric_put(m, 1);
	}
}

void metrics_routing(struct metrics *m)
{
	neighbors(m);
	origins(m);
	caches(m);
	hijacks(m);
}
