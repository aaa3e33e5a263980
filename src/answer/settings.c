/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/settings.h"

#include "answer/steering.h"
#include "base/err.h"
#include "edge/zones.h"
#include "proc/role.h"

#include <stdlib.h>
#include <string.h>

/* Limits and filters do not concern the node's own addresses: from them come its checks, and whoever sends under them from outside is
 * dropped by the kernel, so nobody can make a node believe that it is ill. */
static int read_addresses(const struct config *c, struct settings *s)
{
	static const struct ip_prefix loopback[] = {
		{.addr = {.family = 4, .bytes = {127}}, .len = 8}, {.addr = {.family = 6, .bytes = {[15] = 1}}, .len = 128}};
	const struct config_rate_limit *r = &c->answer.rate_limit;
	const struct config_node *n = &c->nodes[0];
	size_t most = n->management_count + n->network_count * CONFIG_ADDRESSES_MAX + r->exempt_count + ARRAY_LEN(loopback), count = 0;
	struct ip_prefix *all = calloc(most, sizeof(*all));
	int err;

	if (!all)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < n->management_count; i++)
		all[count++] = (struct ip_prefix){n->management[i], n->management[i].family == 4 ? 32 : 128};
	for (size_t i = 0; i < n->network_count; i++) {
		const struct config_network *net = &c->networks[n->networks[i]];

		for (size_t k = 0; k < net->address_count; k++)
			all[count++] = (struct ip_prefix){net->addresses[k], net->addresses[k].family == 4 ? 32 : 128};
	}
	err = prefix_set_make(all, count, &s->own);
	for (size_t i = 0; i < r->exempt_count; i++)
		all[count++] = r->exempt[i];
	for (size_t i = 0; i < ARRAY_LEN(loopback); i++)
		all[count++] = loopback[i];
	if (!err)
		err = prefix_set_make(all, count, &s->exempt);
	free(all);
	return err;
}

/* All nodes of the fleet, and this one: who may ask for its status. */
static int read_fleet(const struct bundle *bundle, struct settings *s)
{
	size_t len = 0;
	const char *bytes = bundle_get(bundle, ROLE_ITEM_FLEET, &len);
	size_t count = len / sizeof(struct ip_addr);
	struct ip_prefix *all;
	int err;

	if (!bytes)
		return 0;
	all = calloc(count + 1, sizeof(*all));
	if (!all)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		memcpy(&all[i].addr, bytes + i * sizeof(struct ip_addr), sizeof(struct ip_addr));
		all[i].addr.zone = 0;
		all[i].len = all[i].addr.family == 4 ? 32 : 128;
	}
	err = prefix_set_make(all, count, &s->fleet);
	free(all);
	return err;
}

static void read_rates(const struct config_rate_limit *r, struct settings *s)
{
	s->rate = (struct rate_limits){
		.per_second = {[ENGINE_ANSWER] = r->answers, [ENGINE_REFERRAL] = r->referrals, [ENGINE_NO_DATA] = r->no_data,
	                       [ENGINE_NO_NAME] = r->no_names, [ENGINE_ERROR] = r->errors},
		.slip = r->slip,
		.prefix_bits = {r->ipv4_prefix, r->ipv6_prefix},
	};
	for (size_t i = 0; i < ENGINE_KINDS; i++)
		s->limited |= s->rate.per_second[i] > 0;
}

bool settings_pool_cached(const struct config_backends *b)
{
	return !b->proxy_protocol || b->client_subnet;
}

static int read_backends(const struct config *c, struct settings *s)
{
	struct edge_zone *zones = calloc(c->zone_count + 1, sizeof(*zones));
	size_t count = 0;
	int err;

	s->pools = calloc(c->backend_count + 1, sizeof(*s->pools));
	if (!zones || !s->pools) {
		free(zones);
		return ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < c->backend_count; i++)
		s->pools[i] = (struct engine_pool){.key = edge_pool_key(c->backends[i].name), .cached = settings_pool_cached(&c->backends[i]), .client_subnet = c->backends[i].client_subnet,
		                                    .pass_notify = c->backends[i].pass_notify, .pass_update = c->backends[i].pass_update, .pass_transfer = c->backends[i].pass_transfer};
	for (size_t i = 0; i < c->zone_count; i++)
		if (c->zones[i].backends < c->backend_count)
			zones[count++] = (struct edge_zone){.apex = c->zones[i].apex, .pool = c->zones[i].backends};
	err = edge_zones_make(zones, count, &s->backend_zones);
	free(zones);
	return err;
}

int settings_make(const struct config *config, const struct bundle *bundle, const char *node, unsigned worker, unsigned workers, struct settings **out)
{
	static const enum engine_any anys[] = {
		[CONFIG_ANY_ONE] = ENGINE_ANY_ONE, [CONFIG_ANY_ALL] = ENGINE_ANY_ALL, [CONFIG_ANY_REFUSE] = ENGINE_ANY_REFUSE};
	const struct config_answer *a = &config->answer;
	const struct stream_limits streams = {
		.connections = a->tcp.connections, .per_client = a->tcp.per_client, .idle_ms = a->tcp.idle_ms, .memory = a->tcp.memory};
	size_t len = 0;
	const void *secrets = bundle_get(bundle, ROLE_ITEM_COOKIES, &len);
	struct settings *s;
	int err;

	if (!secrets || len != sizeof(s->cookies))
		return ERR_MALFORMED;
	s = calloc(1, sizeof(*s));
	if (!s)
		return ERR_NO_MEMORY;
	memcpy(&s->cookies, secrets, len);
	s->streams = stream_limits_share(&streams, workers);
	read_rates(&a->rate_limit, s);
	s->cache = a->cache;
	s->sample_every = a->query_log_sample;
	s->tap_every = config->dnstap.enabled ? config->dnstap.sample : 0;
	/* What is answered in the kernel cannot be seen: where all is wanted, workers answer all. */
	s->xdp_cache = a->xdp_cache && s->tap_every != 1;
	err = read_addresses(config, s);
	if (!err)
		err = read_fleet(bundle, s);
	if (!err)
		err = read_backends(config, s);
	if (!err)
		err = filter_set_make(a->filters, a->filter_count, &s->filters);
	if (!err)
		err = steering_make(config, config->node_count ? &config->nodes[0] : NULL, &s->steering);
	if (err < 0) {
		settings_free(s);
		return err;
	}
	s->engine = (struct engine_config){
		.identity = {.nsid = node, .version = "zonecast " ZONECAST_VERSION},
		.udp_max = a->udp_size,
		.any = anys[a->any],
		.cookies = &s->cookies,
		.cookies_required = a->cookies.mode == CONFIG_COOKIES_REQUIRED,
		.report_agent = a->report_agent,
		.filters = s->filters,
		.fleet = s->fleet,
		.own = s->own,
		.steering = s->steering,
		.worker = worker,
		.backend_zones = s->backend_zones,
		.pools = s->pools,
	};
	*out = s;
	return 0;
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	prefix_set_free(s->own);
	prefix_set_free(s->fleet);
	prefix_set_free(s->exempt);
	filter_set_free(s->filters);
	steering_free(s->steering);
	edge_zones_free(s->backend_zones);
	free(s->pools);
	free(s);
}
