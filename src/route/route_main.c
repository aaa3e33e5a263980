/* SPDX-License-Identifier: BSD-2-Clause */
/* The route process: BGP sessions and the decision that feeds them. A timer looks at the board ROUTE_TICK_MS apart: the workers' stamps, the
 * checks' verdicts, the operator's orders; decide.c judges each network; what changed goes to every session at once and to the log with its
 * reason. If this process dies its sockets close, and routers withdraw by themselves: there is no graceful restart by design.
 *
 * All networks of a node share one AS; a session announces the prefixes of all of them in the families it is configured for. */
#include "route/route_main.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "bgp/session.h"
#include "proc/bundle.h"
#include "proc/role.h"
#include "route/decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROUTE_TICK_MS = 10,
	ROUTE_IDLE_MS = 100,       /* without networks: there is nothing to decide */
	ROUTE_SHOW_MS = 100,       /* how often neighbours are copied to the board without an event */
	ROUTE_LINGER_MS = 300,     /* after the withdrawal at a stop: for UPDATEs to leave before the session closes */
	ROUTE_CLOSE_MS = 1500,     /* for sessions to close at a stop */
};

struct neighbor {
	struct route *route;
	struct bgp_session *session; /* NULL: unused */
	struct bgp_neighbor_conf conf;
	uint8_t key[BGP_MD5_KEY_MAX];
	struct config_neighbor want; /* scalars only are used */
	uint32_t communities[CONFIG_COMMUNITIES_MAX];
	size_t community_count;
	struct endpoint at;
	bool dirty;
};

struct network {
	char name[BOARD_NAME_MAX];
	struct decide_state decide;
	struct decide_conf conf;
};

struct route {
	struct role *role;
	uv_loop_t loop;
	uv_timer_t tick;
	struct neighbor neighbors[CONFIG_NEIGHBORS_MAX];
	size_t neighbor_count;
	struct bgp_session *leaving[CONFIG_NEIGHBORS_MAX]; /* stopped, their connections not gone yet */
	struct network networks[CONFIG_NETWORKS_MAX];
	size_t network_count;
	uint64_t shown_ms, withdrawn_ms, closing_ms;
	bool stopping;
};

static const struct config_network *network_conf(const struct route *r, size_t i)
{
	return &r->role->config->networks[r->role->node->networks[i]];
}

/* ---- the board ---- */

static void show_network(struct route *r, size_t i)
{
	struct board_route_network *b = &r->role->board->route.networks[i];
	const struct decide_state *d = &r->networks[i].decide;

	board_write_begin(&b->seq);
	b->announce = d->now == DECIDE_ANNOUNCE ? ANNOUNCE_YES : d->now == DECIDE_GSHUT ? ANNOUNCE_GSHUT : ANNOUNCE_NONE;
	b->since_ns = d->since_ms * 1000000U;
	b->hold_until_ns = d->hold_until_ms * 1000000U;
	b->flaps = d->flaps;
	b->drained = d->drained && d->now == DECIDE_WITHDRAW;
	snprintf(b->why, sizeof(b->why), "%s", d->why);
	board_write_end(&b->seq);
}

static void announced_text(const struct bgp_rib *rib, char *buf, size_t cap)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < rib->count && at + 2 < cap; i++) {
		char one[BGP_ROUTE_TEXT_MAX];
		int n;

		if (!rib->entries[i].told)
			continue;
		n = snprintf(buf + at, cap - at, "%s%s", at ? "; " : "",
		             bgp_route_text(&rib->entries[i].have, &rib->peering, one, sizeof(one)));
		at += n > 0 ? MIN((size_t)n, cap - at - 1) : 0;
	}
}

static void show_neighbor(struct route *r, size_t i)
{
	struct board_route_neighbor *b = &r->role->board->route.neighbor[i];
	struct neighbor *n = &r->neighbors[i];
	struct bgp_session_status st;

	bgp_session_status(n->session, &st);
	board_write_begin(&b->seq);
	b->address = n->at.addr;
	b->as = n->conf.peer_as;
	b->state = st.state;
	b->since_ns = st.since_ms * 1000000U;
	b->established_count = (uint32_t)st.established_count;
	b->hold_s = st.hold_s;
	b->announced = st.rib ? (uint32_t)st.rib->told : 0;
	b->bad_messages = (uint32_t)st.garbage;
	snprintf(b->state_text, sizeof(b->state_text), "%s", bgp_state_text(st.state));
	snprintf(b->last_error, sizeof(b->last_error), "%.*s", BOARD_WHY_MAX - 1, st.last_error);
	if (st.rib)
		announced_text(st.rib, b->announced_text, sizeof(b->announced_text));
	board_write_end(&b->seq);
}

static void show_all(struct route *r)
{
	for (size_t i = 0; i < r->network_count; i++)
		show_network(r, i);
	for (size_t i = 0; i < r->neighbor_count; i++)
		show_neighbor(r, i);
	atomic_store(&r->role->board->route.neighbors, (uint32_t)r->neighbor_count);
	r->shown_ms = clock_ms();
}

/* ---- sessions ---- */

static void on_session(void *ctx, struct bgp_session *s, const struct bgp_session_event *ev)
{
	struct neighbor *n = ctx;
	char text[ENDPOINT_TEXT_MAX];

	(void)s;
	if (!n) /* leaving: nobody is interested any more */
		return;
	endpoint_text(&n->at, text);
	switch (ev->type) {
	case BGP_SESSION_STATE:
		if (ev->to == BGP_ESTABLISHED || ev->from == BGP_ESTABLISHED)
			log_notice("bgp peer=%s as=%u state=%s", text, n->conf.peer_as, bgp_state_text(ev->to));
		else
			log_debug("bgp peer=%s state=%s", text, bgp_state_text(ev->to));
		break;
	case BGP_SESSION_NOTIFICATION_IN:
		log_warn("bgp peer=%s notification=received text=\"%s\"", text, ev->text);
		break;
	case BGP_SESSION_NOTIFICATION_OUT:
		log_warn("bgp peer=%s notification=sent text=\"%s\"", text, ev->text);
		break;
	case BGP_SESSION_ERROR:
		log_info("bgp peer=%s error=\"%s\"", text, ev->text);
		break;
	case BGP_SESSION_ROUTES:
	case BGP_SESSION_CLOSED:
		break;
	}
	n->dirty = true;
}

/* Everything that is announced now, as this neighbour is to hear it. */
static void feed(struct route *r, struct neighbor *n)
{
	static struct bgp_route routes[BGP_ROUTES_MAX];
	size_t count = 0;
	int err;

	for (size_t i = 0; i < r->network_count; i++) {
		const struct config_network *conf = network_conf(r, i);
		enum decide_announce a = r->networks[i].decide.now;

		for (size_t k = 0; a != DECIDE_WITHDRAW && k < conf->prefix_count && count < BGP_ROUTES_MAX; k++) {
			struct bgp_route *route = &routes[count];
			bool v4 = conf->prefixes[k].addr.family == 4;

			if (v4 ? !n->want.ipv4 : !n->want.ipv6)
				continue;
			*route = (struct bgp_route){.prefix = conf->prefixes[k], .prepend = n->want.prepend, .has_med = n->want.has_med,
			                            .med = n->want.med};
			for (size_t c = 0; c < n->community_count; c++)
				if (!bgp_route_add_community(route, n->communities[c]))
					break;
			if (a == DECIDE_GSHUT && !bgp_route_add_community(route, BGP_COMMUNITY_GSHUT))
				log_warn("bgp communities=too-many note=\"no room for graceful-shutdown\"");
			count++;
		}
	}
	err = bgp_session_want(n->session, routes, count);
	if (err < 0)
		log_err("bgp announce error=\"%s\"", err_text(err));
}

static void feed_all(struct route *r)
{
	for (size_t i = 0; i < r->neighbor_count; i++)
		feed(r, &r->neighbors[i]);
}

static void conf_of(const struct route *r, const struct config_neighbor *c, struct neighbor *n)
{
	size_t len = 0;
	const uint8_t *key = c->password_file ? bundle_get(r->role->bundle, c->password_file, &len) : NULL;
	uint32_t as = r->network_count ? network_conf(r, 0)->as : 0;

	/* A key file ends with a newline that is not part of the key. */
	while (key && len && (key[len - 1] == '\n' || key[len - 1] == '\r'))
		len--;
	n->want = *c;
	n->community_count = MIN(c->community_count, (size_t)CONFIG_COMMUNITIES_MAX);
	if (n->community_count)
		memcpy(n->communities, c->communities, n->community_count * sizeof(*n->communities));
	n->at = (struct endpoint){.addr = c->address, .port = c->port};
	n->conf = (struct bgp_neighbor_conf){
		.remote = n->at, .local = c->local, .local_as = as, .peer_as = c->as, .router_id = r->role->node->router_id,
		.hold_s = (uint16_t)(c->hold_ms / 1000), .ttl_security = c->ttl_security, .multihop = c->multihop,
		.families = (uint8_t)((c->ipv4 ? BGP_IPV4 : 0) | (c->ipv6 ? BGP_IPV6 : 0)),
		.next_hop_v4 = c->next_hop_v4, .next_hop_v6 = c->next_hop_v6,
	};
	if (key) {
		n->conf.md5_key_len = MIN(len, (size_t)BGP_MD5_KEY_MAX);
		memcpy(n->key, key, n->conf.md5_key_len);
	}
}

static int open_neighbor(struct route *r, struct neighbor *n)
{
	char text[ENDPOINT_TEXT_MAX];
	int err;

	n->route = r;
	n->conf.md5_key = n->conf.md5_key_len ? n->key : NULL;
	err = bgp_session_new(&r->loop, &n->conf, on_session, n, &n->session);
	if (err < 0) {
		log_err("bgp peer=%s error=\"%s\"", endpoint_text(&n->at, text), err_text(err));
		return err;
	}
	bgp_session_start(n->session);
	return 0;
}

/* Can a running session go on under the new configuration? Attributes of routes may change, the session may not. */
static bool same_session(const struct neighbor *a, const struct neighbor *b)
{
	struct bgp_neighbor_conf x = a->conf, y = b->conf;

	x.md5_key = y.md5_key = NULL;
	return x.md5_key_len == y.md5_key_len && memcmp(a->key, b->key, x.md5_key_len) == 0 &&
	       addr_equal(&x.remote.addr, &y.remote.addr) && x.remote.port == y.remote.port && addr_equal(&x.local, &y.local) &&
	       x.local_as == y.local_as && x.peer_as == y.peer_as && x.router_id == y.router_id && x.hold_s == y.hold_s &&
	       x.families == y.families && x.ttl_security == y.ttl_security && x.multihop == y.multihop &&
	       addr_equal(&x.next_hop_v4, &y.next_hop_v4) && addr_equal(&x.next_hop_v6, &y.next_hop_v6);
}

/* A session that was told to stop is freed once its NOTIFICATION is read and the connection gone; without room, at once. */
static void leave(struct route *r, struct bgp_session *s)
{
	for (size_t i = 0; i < CONFIG_NEIGHBORS_MAX; i++)
		if (!r->leaving[i]) {
			r->leaving[i] = s;
			bgp_session_set_ctx(s, NULL);
			return;
		}
	bgp_session_free(s);
}

static void free_leaving(struct route *r)
{
	for (size_t i = 0; i < CONFIG_NEIGHBORS_MAX; i++)
		if (r->leaving[i] && bgp_session_closed(r->leaving[i])) {
			bgp_session_free(r->leaving[i]);
			r->leaving[i] = NULL;
		}
}

/* Bring the sessions in line with the configuration: unchanged ones stay up. */
static void set_neighbors(struct route *r)
{
	static struct neighbor old[CONFIG_NEIGHBORS_MAX];
	size_t old_count = r->neighbor_count;
	const struct config_node *node = r->role->node;

	memcpy(old, r->neighbors, sizeof(old));
	memset(r->neighbors, 0, sizeof(r->neighbors));
	r->neighbor_count = 0;
	/* Gone ones first: their address may come again with other settings. */
	for (size_t k = 0; k < old_count; k++) {
		bool stays = false;

		for (size_t i = 0; i < node->neighbor_count; i++) {
			static struct neighbor fresh;

			memset(&fresh, 0, sizeof(fresh));
			conf_of(r, &node->neighbors[i], &fresh);
			stays |= same_session(&old[k], &fresh);
		}
		if (!stays) {
			bgp_session_stop(old[k].session, BGP_CEASE_DECONFIGURED, "zonecast: neighbor removed or changed");
			leave(r, old[k].session);
			old[k].session = NULL;
		}
	}
	for (size_t i = 0; i < node->neighbor_count && r->neighbor_count < CONFIG_NEIGHBORS_MAX; i++) {
		struct neighbor *n = &r->neighbors[r->neighbor_count];
		bool kept = false;

		memset(n, 0, sizeof(*n));
		conf_of(r, &node->neighbors[i], n);
		for (size_t k = 0; k < old_count && !kept; k++)
			if (old[k].session && same_session(&old[k], n)) {
				n->session = old[k].session;
				n->route = r;
				old[k].session = NULL;
				bgp_session_set_ctx(n->session, n);
				kept = true;
			}
		if (kept || open_neighbor(r, n) == 0)
			r->neighbor_count++;
	}
}

static void set_networks(struct route *r)
{
	static struct network old[CONFIG_NETWORKS_MAX];
	size_t old_count = r->network_count;

	memcpy(old, r->networks, sizeof(old));
	r->network_count = MIN(r->role->node->network_count, (size_t)CONFIG_NETWORKS_MAX);
	for (size_t i = 0; i < r->network_count; i++) {
		const struct config_network *c = network_conf(r, i);
		struct network *n = &r->networks[i];

		memset(n, 0, sizeof(*n));
		snprintf(n->name, sizeof(n->name), "%s", c->name);
		n->conf = (struct decide_conf){.worker_dead_ms = WORKER_DEAD_MS, .drain_ms = c->drain_ms, .rise_hold_ms = c->rise_hold_ms,
		                               .rise_hold_max_ms = c->rise_hold_max_ms};
		decide_init(&n->decide, clock_ms());
		for (size_t k = 0; k < old_count; k++)
			if (strcmp(old[k].name, n->name) == 0)
				n->decide = old[k].decide;
	}
}

/* ---- the decision ---- */

static uint64_t worker_silent_ms(const struct route *r, uint64_t now_ns)
{
	uint32_t workers = atomic_load(&r->role->board->supervisor.workers);
	uint64_t worst = 0;

	for (uint32_t i = 0; i < workers && i < BOARD_WORKERS_MAX; i++) {
		uint64_t age = board_age_ns(&r->role->board->workers[i].stamp, now_ns);

		if (age == UINT64_MAX)
			return UINT64_MAX;
		worst = MAX(worst, age / 1000000U);
	}
	return worst;
}

static void look(struct route *r, size_t i, uint64_t now_ns, struct decide_input *in, struct board_watch_network *copy)
{
	static const enum decide_verdict verdicts[] = {DECIDE_UNKNOWN, DECIDE_PASS, DECIDE_SOFT, DECIDE_HARD};
	struct board *b = r->role->board;
	uint64_t age = board_age_ns(&b->watch.stamp, now_ns);

	*in = (struct decide_input){.verdict = DECIDE_UNKNOWN, .verdict_why = ""};
	in->worker_silent_ms = worker_silent_ms(r, now_ns);
	in->zones_ready = atomic_load(&b->sync.networks[i].ready);
	in->zones = atomic_load(&b->sync.networks[i].zones);
	in->zones -= MIN(atomic_load(&b->sync.networks[i].excused), in->zones);
	in->zones = MAX(in->zones, in->zones_ready) + atomic_load(&b->sync.networks[i].awaited);
	if (!board_get(&b->sync.loads_done)) { /* the first load is not over: nothing counts as ready */
		in->zones = MAX(in->zones, 1U);
		in->zones_ready = 0;
	}
	in->checks_silent_ms = age == UINT64_MAX ? UINT64_MAX : age / 1000000U;
	in->drain = atomic_load(&b->supervisor.orders[i].order) == ORDER_DRAIN;
	in->stopping = r->stopping;
	if (board_copy(&b->watch.networks[i].seq, &b->watch.networks[i], copy, sizeof(*copy))) {
		in->verdict = copy->verdict < ARRAY_LEN(verdicts) ? verdicts[copy->verdict] : DECIDE_UNKNOWN;
		in->verdict_why = copy->why;
	}
}

static void finish_stop(struct route *r, uint64_t now)
{
	bool out = true;

	for (size_t i = 0; i < r->network_count; i++)
		out &= r->networks[i].decide.now == DECIDE_WITHDRAW;
	if (!out)
		return;
	if (!r->withdrawn_ms)
		r->withdrawn_ms = now;
	if (!r->closing_ms && now - r->withdrawn_ms >= ROUTE_LINGER_MS) {
		r->closing_ms = now;
		for (size_t i = 0; i < r->neighbor_count; i++)
			bgp_session_stop(r->neighbors[i].session, BGP_CEASE_SHUTDOWN, "zonecast stops");
	}
	if (!r->closing_ms)
		return;
	for (size_t i = 0; i < r->neighbor_count; i++)
		if (!bgp_session_closed(r->neighbors[i].session) && now - r->closing_ms < ROUTE_CLOSE_MS)
			return;
	uv_stop(&r->loop);
}

static void evaluate(struct route *r)
{
	uint64_t now_ns = clock_ns(), now = now_ns / 1000000U;
	struct board_watch_network copy;
	bool changed = false;

	for (size_t i = 0; i < r->network_count; i++) {
		struct network *n = &r->networks[i];
		char before[DECIDE_WHY_MAX];
		struct decide_input in;

		memcpy(before, n->decide.why, sizeof(before));
		look(r, i, now_ns, &in, &copy);
		if (decide_step(&n->decide, &n->conf, &in, now)) {
			static const char *const words[] = {"withdraw", "announce", "graceful-shutdown"};

			changed = true;
			log_notice("network=%s decision=%s flaps=%u why=\"%s\"", n->name, words[n->decide.now], n->decide.flaps, n->decide.why);
			show_network(r, i);
		} else if (strcmp(before, n->decide.why) != 0) {
			show_network(r, i);
		}
	}
	if (changed)
		feed_all(r);
	for (size_t i = 0; i < r->neighbor_count; i++)
		if (r->neighbors[i].dirty) {
			r->neighbors[i].dirty = false;
			show_neighbor(r, i);
		}
	free_leaving(r);
	if (now - r->shown_ms >= ROUTE_SHOW_MS)
		show_all(r);
	if (r->stopping)
		finish_stop(r, now);
}

static void on_tick(uv_timer_t *t)
{
	evaluate(t->data);
}

static int on_reload(struct role *role, struct config *old)
{
	struct route *r = role->state;

	(void)old;
	set_networks(r);
	set_neighbors(r);
	uv_timer_set_repeat(&r->tick, r->network_count ? ROUTE_TICK_MS : ROUTE_IDLE_MS);
	feed_all(r);
	show_all(r);
	return 0;
}

static void on_orders(struct role *role)
{
	evaluate(role->state);
}

static void on_stop(struct role *role)
{
	struct route *r = role->state;

	r->stopping = true;
	evaluate(r);
}

int route_main(struct role *role)
{
	struct route *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return 1;
	r->role = role;
	role->state = r;
	role->on_reload = on_reload;
	role->on_orders = on_orders;
	role->on_stop = on_stop;
	uv_loop_init(&r->loop);
	err = role_loop_start(role, &r->loop);
	if (err < 0 || role_sandbox(role) < 0)
		return 1;
	set_networks(r);
	set_neighbors(r);
	uv_timer_init(&r->loop, &r->tick);
	r->tick.data = r;
	uv_timer_start(&r->tick, on_tick, 0, r->network_count ? ROUTE_TICK_MS : ROUTE_IDLE_MS);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	return 0;
}
