/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/attributes.h"

static void add_lists(struct bgp_route *r, const uint32_t *communities, size_t count,
                      const struct config_large_community *large, size_t large_count)
{
	/* check.c has seen to it that all of them fit; one too many is left out rather than the route. */
	for (size_t i = 0; i < count; i++)
		(void)bgp_route_add_community(r, communities[i]);
	for (size_t i = 0; i < large_count; i++)
		(void)bgp_route_add_large(r, &(struct bgp_large_community){large[i].global, large[i].local1,
		                                                           large[i].local2});
}

static void add_state(struct bgp_route *r, const struct config_state *s, uint8_t prepend, uint32_t local_pref)
{
	unsigned sum = r->prepend + (s->has_prepend ? s->prepend : (unsigned)prepend);

	r->prepend = (uint8_t)MIN(sum, (unsigned)BGP_PREPEND_MAX);
	r->local_pref = s->has_local_pref ? s->local_pref : local_pref;
	if (s->has_med) {
		r->has_med = true;
		r->med = s->med;
	}
	add_lists(r, s->communities, s->community_count, s->large, s->large_count);
}

bool attributes_of(const struct config_neighbor *n, bool internal, enum decide_announce state, struct bgp_route *out)
{
	struct bgp_route r = {
		.prepend = n->prepend,
		.has_med = n->has_med,
		.med = n->med,
		.has_local_pref = internal,
		.local_pref = n->local_pref,
	};

	if (state == DECIDE_WITHDRAW)
		return false;
	/* First, so that it is there whatever the lists hold. */
	if (state == DECIDE_GSHUT)
		(void)bgp_route_add_community(&r, BGP_COMMUNITY_GSHUT);
	add_lists(&r, n->communities, n->community_count, n->large, n->large_count);
	switch (state) {
	case DECIDE_DEPREF:
		add_state(&r, &n->de_prefer, internal ? 0 : ATTRIBUTES_DEPREF_PREPEND, n->local_pref / 2);
		break;
	case DECIDE_GSHUT:
		add_state(&r, &n->drain, 0, 0);
		break;
	case DECIDE_ANNOUNCE:
	case DECIDE_WITHDRAW:
		break;
	}
	/* Neither is told, so neither may make a difference. */
	if (internal)
		r.prepend = 0;
	else
		r.local_pref = 0;
	*out = r;
	return true;
}
