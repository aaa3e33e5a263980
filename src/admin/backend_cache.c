/* SPDX-License-Identifier: BSD-2-Clause */
/* Admin maps the workers' memory itself, so that a purge is done when it is answered. It holds nobody up, but takes
 * about a tenth of a second for each million entries, for which admin does nothing else. */
#include "admin/backend_cache.h"

#include "admin/backends_sum.h"
#include "admin/json.h"
#include "base/addr.h"
#include "dns/message.h"
#include "dns/rr.h"
#include "edge/cache.h"
#include "xdp/cache.h"

#include <stdio.h>

json_t *backend_cache_status(const struct backend_cache *c, const struct board *b)
{
	struct edge_cache_figures f;
	struct backends_sum s;

	edge_cache_look(c ? c->memory : NULL, c ? c->octets : 0, &f);
	backends_sum(b, &s);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "size",
	                 num(f.octets), "used", num(f.used), "entries", num(f.entries), "entries_max",
	                 num(f.entries_max), "hits", num(s.hits), "stale", num(s.stale), "misses", num(s.misses),
	                 "prefetched", num(s.prefetched), "inserted", num(f.inserted), "evicted", num(f.evicted),
	                 "expired", num(f.expired), "purged", num(f.purged), "torn", num(f.torn), "busy", num(f.busy),
	                 "cleared", num(f.cleared));
}

struct listing {
	const struct config *config;
	json_t *entries;
	bool more;
};

/* Entries of pools that are no more are still there, though nobody looks for them. */
static const char *pool_name(const struct config *config, uint32_t key)
{
	for (size_t i = 0; config && i < config->backend_count; i++)
		if (edge_pool_key(config->backends[i].name) == key)
			return config->backends[i].name;
	return NULL;
}

static bool add(void *user, const struct edge_cache_entry *e)
{
	struct listing *l = user;
	const char *pool = pool_name(l->config, e->pool);
	bool fresh = e->age_s < e->ttl_s;
	char name[NAME_TEXT_MAX], type[16], rcode[12], subnet[PREFIX_TEXT_MAX];
	struct ip_prefix prefix = {.addr = e->subnet.addr, .len = e->subnet.prefix};

	if (json_array_size(l->entries) >= BACKEND_CACHE_SHOWN) {
		l->more = true;
		return false;
	}
	name_to_text(e->name, name);
	json_array_append_new(
		l->entries,
		json_pack("{s:s, s:s, s:o, s:o, s:b, s:b, s:s, s:[i, i, i], s:i, s:s, s:o, s:o, s:b}", "name", name,
	                  "type", rrtype_text(e->qtype, type), "pool", pool ? json_string(pool) : json_null(), "subnet",
	                  e->subnet.addr.family ? json_string(prefix_text(&prefix, subnet)) : json_null(), "dnssec_ok",
	                  e->dnssec_ok, "checking_disabled", e->checking_disabled, "rcode", rcode_text(e->rcode, rcode),
	                  "records", (int)e->counts[0], (int)e->counts[1], (int)e->counts[2], "octets", (int)e->octets,
	                  "state", fresh ? "fresh" : "stale", "age", num(e->age_s), "left",
	                  num((fresh ? 0 : (uint64_t)e->stale_s) + e->ttl_s - e->age_s), "used", e->used));
	return true;
}

json_t *backend_cache_show(const struct backend_cache *c, const struct config *config, const uint8_t *name,
                           bool subtree, uint64_t now_s)
{
	struct listing l = {.config = config, .entries = json_array()};

	if (!l.entries)
		return NULL;
	edge_cache_each(c->memory, c->octets, name, subtree, (uint32_t)now_s, add, &l);
	return json_pack("{s:o, s:b}", "entries", l.entries, "more", l.more);
}

json_t *backend_cache_purge(const struct backend_cache *c, const uint8_t *name, bool subtree)
{
	uint64_t purged = edge_cache_purge(c->memory, c->octets, name, subtree);

	/* After that: who fills the kernel's cache meanwhile has what was put before. */
	if (c->kernel)
		xdp_cache_renew_backends(c->kernel);
	return json_pack("{s:o}", "purged", num(purged));
}
