/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/route.h"

#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "proc/bundle.h"

#include <stdio.h>
#include <string.h>

/* Up or down: on the board at once, for the supervisor, who must know what was up when this process is gone. */
static void tell_state(struct neighbor *n, const struct bgp_session *s, const struct bgp_session_event *ev)
{
	struct route *r = n->route;
	struct bgp_session_status st;
	bool ours = n >= r->neighbors && n < r->neighbors + r->neighbor_count;

	bgp_session_status(s, &st);
	event_neighbor(r, n, ev->from, ev->to, ours ? st.last_error : "removed or changed by a reload");
	if (ours)
		show_neighbor(r, (size_t)(n - r->neighbors));
}

static void on_session(void *ctx, struct bgp_session *s, const struct bgp_session_event *ev)
{
	struct neighbor *n = ctx;
	char text[ENDPOINT_TEXT_MAX];

	if (!n) /* leaving: nobody is interested any more */
		return;
	endpoint_text(&n->at, text);
	switch (ev->type) {
	case BGP_SESSION_STATE:
		if (ev->to == BGP_ESTABLISHED || ev->from == BGP_ESTABLISHED)
			log_notice("bgp peer=%s as=%u state=%s", text, n->conf.peer_as, bgp_state_text(ev->to));
		else
			log_debug("bgp peer=%s state=%s", text, bgp_state_text(ev->to));
		if (ev->to == BGP_ESTABLISHED || ev->from == BGP_ESTABLISHED)
			tell_state(n, s, ev);
		if (ev->from == BGP_ESTABLISHED)
			hijacks_lost(n, "the session with who saw it has ended");
		break;
	case BGP_SESSION_UPDATE:
		hijacks_update(n, ev->frame);
		return;
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
	n->route->bfd_due |= ev->type == BGP_SESSION_STATE && ev->to == BGP_ESTABLISHED;
	/* With its session a neighbor forgets what it was told. */
	n->told_dirty |= ev->type == BGP_SESSION_ROUTES || ev->type == BGP_SESSION_STATE;
}

/* Those of the prefixes that go to this neighbor, by what is decided for each family. */
static void add_routes(const struct neighbor *n, const struct ip_prefix *prefixes, size_t prefix_count, const enum decide_announce decided[BOARD_FAMILIES],
                       struct bgp_route routes[BGP_ROUTES_MAX], size_t *count)
{
	for (size_t k = 0; k < prefix_count && *count < BGP_ROUTES_MAX; k++) {
		bool v4 = prefixes[k].addr.family == 4;
		enum decide_announce a = leave_limit(&n->leave, decided[v4 ? 0 : 1]);

		if (!(n->conf.families & (v4 ? BGP_IPV4 : BGP_IPV6)) || !n->as[a].announced || origins_refused(n->route, &prefixes[k]))
			continue;
		routes[*count] = n->as[a].route;
		routes[(*count)++].prefix = prefixes[k];
	}
}

/* Everything that is announced now, as this neighbour is to hear it. */
static void feed(struct route *r, struct neighbor *n)
{
	static struct bgp_route routes[BGP_ROUTES_MAX];
	size_t count = 0;
	int err;

	for (size_t i = 0; i < r->network_count; i++) {
		const struct config_network *conf = route_network_conf(r, i);
		const enum decide_announce backstop[BOARD_FAMILIES] = {r->backstops[i].state.now, r->backstops[i].state.now};
		const enum decide_announce decided[BOARD_FAMILIES] = {networks_wanted(r, i, 0), networks_wanted(r, i, 1)};

		add_routes(n, conf->prefixes, conf->prefix_count, decided, routes, &count);
		if (r->backstops[i].network[0])
			add_routes(n, conf->backstops, conf->backstop_count, backstop, routes, &count);
	}
	err = bgp_session_want(n->session, routes, count);
	if (err < 0)
		log_err("bgp announce error=\"%s\"", err_text(err));
}

void neighbors_feed(struct route *r)
{
	for (size_t i = 0; i < r->neighbor_count; i++)
		feed(r, &r->neighbors[i]);
}

static void conf_of(const struct route *r, const struct config_neighbor *c, struct neighbor *n)
{
	size_t len = 0;
	const uint8_t *key = c->password_file ? bundle_get(r->role->bundle, c->password_file, &len) : NULL;
	uint32_t as = r->network_count ? route_network_conf(r, 0)->as : 0;

	/* A key file ends with a newline that is not part of the key. */
	while (key && len && (key[len - 1] == '\n' || key[len - 1] == '\r'))
		len--;
	for (enum decide_announce a = DECIDE_WITHDRAW; a <= DECIDE_DEPREF; a++)
		n->as[a].announced = attributes_of(c, c->as == as, a, &n->as[a].route);
	n->told_dirty = true;
	n->bfd = c->bfd;
	n->at = (struct endpoint){.addr = c->address, .port = c->port};
	n->conf = (struct bgp_neighbor_conf){
		.remote = n->at, .local = c->local, .local_as = as, .peer_as = c->as, .router_id = r->role->node->router_id,
		.hold_s = (uint16_t)(c->hold_ms / 1000), .ttl_security = c->ttl_security, .multihop = c->multihop,
		.families = (uint8_t)((c->ipv4 ? BGP_IPV4 : 0) | (c->ipv6 ? BGP_IPV6 : 0)),
		.next_hop_v4 = c->next_hop_v4, .next_hop_v6 = c->next_hop_v6, .has_role = c->role != CONFIG_BGP_ROLE_NONE,
		.role = c->role ? (enum bgp_role)(c->role - CONFIG_BGP_ROLE_PROVIDER) : BGP_ROLE_CUSTOMER, .role_strict = c->role_strict,
		.extended_next_hop = c->extended_next_hop,
		.connect = c->dial == CONFIG_DIAL_BOTH      ? BGP_CONNECT_BOTH
		           : c->dial == CONFIG_DIAL_PASSIVE ? BGP_CONNECT_PASSIVE
		                                            : BGP_CONNECT_ACTIVE,
		.watch_updates = c->watch_routes, .max_prefixes = c->max_prefixes, .max_cease = c->at_max_prefixes == CONFIG_AT_MAX_CEASE,
	};
	if (c->interface) {
		n->conf.remote.addr.zone = 0;
		snprintf(n->conf.interface, sizeof(n->conf.interface), "%s", c->interface);
	}
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
	listen_key(r, n, true);
	bgp_session_start(n->session);
	return 0;
}

/* Can a running session go on under the new configuration? Attributes of routes may change, the session may not. */
static bool same_session(const struct neighbor *a, const struct neighbor *b)
{
	struct bgp_neighbor_conf x = a->conf, y = b->conf;

	x.md5_key = y.md5_key = NULL;
	return strcmp(x.interface, y.interface) == 0 && x.md5_key_len == y.md5_key_len && memcmp(a->key, b->key, x.md5_key_len) == 0 &&
	       addr_equal(&x.remote.addr, &y.remote.addr) && x.remote.port == y.remote.port && addr_equal(&x.local, &y.local) &&
	       x.local_as == y.local_as && x.peer_as == y.peer_as && x.router_id == y.router_id && x.hold_s == y.hold_s &&
	       x.families == y.families && x.ttl_security == y.ttl_security && x.multihop == y.multihop &&
	       x.has_role == y.has_role && x.role == y.role && x.role_strict == y.role_strict && x.extended_next_hop == y.extended_next_hop &&
	       x.connect == y.connect &&
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

void neighbors_free_leaving(struct route *r)
{
	for (size_t i = 0; i < CONFIG_NEIGHBORS_MAX; i++)
		if (r->leaving[i] && bgp_session_closed(r->leaving[i])) {
			bgp_session_free(r->leaving[i]);
			r->leaving[i] = NULL;
		}
}

/* A session goes on: what it sends may be of interest from now on, or of another. */
static void watch_routes(struct neighbor *n, bool was, bool others)
{
	bool on = n->conf.watch_updates;
	char text[ENDPOINT_TEXT_MAX];

	if (was && !on)
		hijacks_lost(n, "its routes are not watched any more");
	if (!bgp_session_watch(n->session, on, !was || others))
		log_warn("bgp peer=%s note=\"it cannot be asked for its routes: they are watched from the next session on\"", endpoint_text(&n->at, text));
}

void neighbors_set(struct route *r)
{
	static struct neighbor old[CONFIG_NEIGHBORS_MAX];
	size_t old_count = r->neighbor_count;
	const struct config_node *node = r->role->node;
	bool others = hijacks_set(r);

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
			listen_key(r, &old[k], false);
			hijacks_lost(&old[k], "its neighbor is gone");
			bgp_session_set_ctx(old[k].session, &old[k]);
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
				n->leave = old[k].leave;
				n->over_max = old[k].over_max;
				n->route = r;
				old[k].session = NULL;
				bgp_session_set_ctx(n->session, n);
				watch_routes(n, old[k].conf.watch_updates, others);
				bgp_session_limit(n->session, n->conf.max_prefixes, n->conf.max_cease);
				kept = true;
			}
		if (kept || open_neighbor(r, n) == 0)
			r->neighbor_count++;
	}
}
