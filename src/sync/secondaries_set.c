/* SPDX-License-Identifier: BSD-2-Clause */
/* Which zones this node holds by transfer: those of the configuration, anew with each one, and members of catalogs as they come and go. What a zone was doing goes on where
 * its primaries and secrets are as they were. */
#include "sync/secondaries_priv.h"

#include "base/err.h"
#include "base/hash.h"
#include "proc/role.h"
#include "sync/catalogs.h"
#include "sync/keyring.h"
#include "proc/tls_profiles.h"

#include <string.h>

static const struct held *held_find(const struct secondaries *s, const uint8_t *apex)
{
	size_t low = 0, high = s->held_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = name_compare(s->held[mid].apex, apex);

		if (order == 0)
			return &s->held[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static uint32_t slot_of_network(const struct config_node *node, uint32_t network)
{
	for (size_t k = 0; node && k < node->network_count; k++)
		if (node->networks[k] == network)
			return (uint32_t)k;
	return UINT32_MAX;
}

/* Tells apart by what secrets and proofs a zone's primaries are spoken to: another one is another zone. */
static uint64_t key_id_of(const struct keyring *ring, const struct tls_profiles *tls, uint32_t key,
                          const struct endpoint *sources, size_t count)
{
	uint64_t id = key < ring->count ? ring->ids[key] : 0;

	for (size_t i = 0; i < count; i++)
		if (sources[i].tls && sources[i].tls <= tls->count)
			id = hash_checksum(&tls->ids[sources[i].tls - 1], sizeof(tls->ids[0]), id + i);
	return id;
}

/* conf: its line, or the template of a member. *out: NULL where the node does not hold it by transfer. */
static int add_secondary(struct secondaries *s, struct secondary_set *set, const struct keyring *ring,
                         const struct tls_profiles *tls, const uint8_t *apex, const struct config_zone *conf, uint64_t origin, struct secondary **out)
{
	const struct config *c = s->role->config;
	struct endpoint sources[CONFIG_SOURCES_MAX];
	struct secondary_config zc = {.apex = apex,
	                              .primaries = sources,
	                              .key = conf->key,
	                              .serve_expired = conf->at_expiry == CONFIG_EXPIRY_SERVE,
	                              .max_records = conf->max_records,
	                              .origin = origin,
	                              .network = slot_of_network(s->role->node, conf->network)};

	*out = NULL;
	if (config_zone_is_edge(conf) || !config_node_serves(s->role->node, conf))
		return 0;
	zc.primary_count = config_zone_sources(c, s->role->node, conf, sources, ARRAY_LEN(sources));
	if (!zc.primary_count)
		return 0;
	zc.key_id = key_id_of(ring, tls, conf->key, sources, zc.primary_count);
	return secondary_add(set, &zc, out);
}

static int add_zone(struct secondaries *s, struct secondary_set *set, const struct keyring *ring, const struct tls_profiles *tls,
                    const uint8_t *apex, const struct config_zone *conf, uint64_t origin)
{
	struct secondary *z, *old;
	const struct held *h;
	struct name lower;
	int err = add_secondary(s, set, ring, tls, apex, conf, origin, &z);

	if (err || !z)
		return err;
	name_lower(&lower, apex);
	old = s->set ? secondary_find(s->set, lower.wire) : NULL;
	h = held_find(s, lower.wire);
	if (old && (old->has_version || !h || !h->has_version))
		(void)secondary_inherit(set, z, old);
	else if (h)
		secondaries_recall_zone(set, z, h, secondaries_now_ms());
	z->octets = h ? h->octets : old ? old->octets : 0;
	return 0;
}

struct adding {
	struct secondaries *all;
	struct secondary_set *set;
	const struct keyring *ring;
	const struct tls_profiles *tls;
};

static int add_member(void *ctx, const uint8_t *apex, uint64_t origin)
{
	struct adding *a = ctx;
	const struct config_template *t = config_template_find(a->all->role->config, origin);

	return t ? add_zone(a->all, a->set, a->ring, a->tls, apex, &t->zone, origin) : 0;
}

/* Those whose zone is not as it was are ended; the others go on under the new set. */
static void keep_flights(struct secondaries *s, const struct secondary_set *set)
{
	struct flight *f, *next;

	for (f = s->flights; f; f = next) {
		const struct secondary *z = secondary_find(set, f->apex.wire);

		next = f->next;
		if (z && z->phase == SECONDARY_BUSY)
			continue;
		secondaries_flight_out(f);
		fetch_cancel(f->fetch);
		secondaries_flight_free(f);
	}
}

static void keep_noted(struct secondaries *s, const struct secondary_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < s->noted_count; i++) {
		struct secondary *z = secondary_find(set, s->noted[i]->apex);

		if (z && !z->noted) {
			z->noted = true;
			s->noted[n++] = z;
		}
	}
	s->noted_count = n;
}

static void count_excused(struct secondaries *s)
{
	memset(s->excused, 0, sizeof(s->excused));
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++)
		atomic_store(&s->role->board->sync.networks[i].excused, 0);
	for (struct secondary *z = secondary_after(s->set, NULL); z; z = secondary_after(s->set, z->apex))
		secondaries_excuse(s, z, z->origin && !z->has_version && z->failures);
}

int secondaries_make_set(struct secondaries *s, const struct loader *l)
{
	const struct config *c = s->role->config;
	struct secondary_set *set;
	struct keyring *ring = NULL;
	struct tls_profiles *tls = NULL;
	uint64_t seed;
	int err = keyring_new(s->role, &ring);

	if (!err)
		err = tls_profiles_new(s->role, &tls);
	random_bytes(&seed, sizeof(seed));
	set = err ? NULL : secondary_set_new(seed);
	if (!set)
		err = ERR_NO_MEMORY;
	for (size_t i = 0; !err && i < c->zone_count; i++)
		err = add_zone(s, set, ring, tls, c->zones[i].apex, &c->zones[i], 0);
	if (!err)
		err = catalogs_each(s->catalogs, l, add_member, &(struct adding){s, set, ring, tls});
	if (!err)
		err = secondary_begin(set, secondaries_now_ms());
	if (err) {
		secondary_set_free(set);
		keyring_unref(ring);
		tls_profiles_unref(tls);
		return err;
	}
	keep_flights(s, set);
	keep_noted(s, set);
	secondary_set_free(s->set);
	keyring_unref(s->ring);
	tls_profiles_unref(s->tls);
	s->set = set;
	s->ring = ring;
	s->tls = tls;
	count_excused(s);
	return 0;
}

/* ---- members of catalogs ---- */

/* Its transfer, if one is under way, ends with it. */
static void remove_zone(struct secondaries *s, struct secondary *z)
{
	struct flight *f, *next;

	secondaries_excuse(s, z, false);
	for (f = z->phase == SECONDARY_BUSY ? s->flights : NULL; f; f = next) {
		next = f->next;
		if (!name_equal(f->apex.wire, z->apex))
			continue;
		secondaries_flight_out(f);
		fetch_cancel(f->fetch);
		secondaries_flight_free(f);
	}
	secondary_remove(s->set, z);
}

static int hear(struct secondaries *s, const struct catalogs_news *n)
{
	struct secondary *old = secondary_find(s->set, n->apex), *z;
	const struct config_template *t = config_template_find(s->role->config, n->origin);
	bool was_busy = old && old->phase == SECONDARY_BUSY;
	int err;

	if (old)
		remove_zone(s, old);
	if (n->kind == CATALOGS_WENT || !t)
		return 0;
	err = add_secondary(s, s->set, s->ring, s->tls, n->apex, &t->zone, n->origin, &z);
	if (err || !z || !old || n->kind != CATALOGS_CHANGED)
		return err;
	(void)secondary_inherit(s->set, z, old);
	if (was_busy) /* which has ended with the old one */
		z->phase = SECONDARY_QUEUED;
	return 0;
}

int secondaries_hear_news(struct secondaries *s)
{
	const struct catalogs_news *news;
	size_t count = catalogs_news(s->catalogs, &news), kept = 0;
	int err = 0;

	if (!count)
		return 0;
	for (size_t i = 0; i < count && !err; i++)
		err = hear(s, &news[i]);
	for (size_t i = 0; i < s->noted_count; i++)
		if (!s->noted[i]->gone)
			s->noted[kept++] = s->noted[i];
	s->noted_count = kept;
	return err ? err : secondary_admit(s->set, secondaries_now_ms());
}

void secondaries_publish_awaited(struct secondaries *s)
{
	const struct config_node *node = s->role->node;

	for (size_t i = 0; node && i < node->network_count && i < BOARD_NETWORKS_MAX; i++)
		atomic_store(&s->role->board->sync.networks[i].awaited,
		             catalogs_awaited(s->catalogs, s->role->config, node, node->networks[i]));
}
