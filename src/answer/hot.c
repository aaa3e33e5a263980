/* SPDX-License-Identifier: BSD-2-Clause */
/* Which answers are worth a place in the kernel, and how they get there.
 *
 * A table of tags and counts (after HeavyGuardian, Yang et al. 2018): a question that is in its set is counted up; one that is not wears down
 * the weakest there, and takes its place at zero. Floods of random names push out each other and never reach HOT_WORTH, whatever their
 * number; questions asked again and again stay. Memory is fixed, nothing is swept. What reached HOT_WORTH keeps a count at which its next
 * question makes it wanted again: after a zone's change each hot name comes back with the first packet that missed.
 * Of questions for names that do not exist one in eight is looked at: those are what floods are made of, and a look costs as much as a part
 * of an answer.
 *
 * A wanted question is answered once more, by the same engine, as a client would ask it that the cache is for: no options, lower case,
 * 1232 octets. Order matters: the ticket is taken before the store is pinned, so an answer from a version that is replaced meanwhile is dead
 * (xdp/cache.h). That the zone is still the one whose ticket it is, is looked at afterwards.
 *
 * What backends had answered is kept until its TTLs are to be counted down: once in a second each hot question comes to a worker, who so knows what is in use, and fetches it anew in time. A ticket that was
 * taken before a purge is dead after it, and so is what was put by it. */
#include "answer/hot.h"

#include "answer/forward.h"
#include "answer/worker.h"
#include "base/err.h"
#include "base/hash.h"
#include "xdp/cache.h"

#include <stdlib.h>
#include <string.h>

enum {
	HOT_SETS = 32768, /* a power of two; 1 MiB of counts */
	HOT_WAYS = 4,
	HOT_WORTH = 4,   /* questions until it is wanted */
	HOT_AGAIN = 3,   /* count it is set back to */
	HOT_WANTED = 64, /* waiting to be filled; more are forgotten, and asked again */
	HOT_FILL = 16,   /* filled in one turn of the loop */
};

#define HOT_SPREAD 0x9e3779b97f4a7c15ULL /* an odd number: types of one name do not fall together */

struct count {
	uint32_t tag;
	uint32_t count;
};

struct wanted {
	uint32_t slot;
	uint16_t qtype;
	bool edns, dnssec_ok, of_backends;
	struct name name; /* lower case */
};

struct hot {
	struct xdp_cache *cache;
	unsigned worker;
	uint8_t key[16];
	uint64_t dice;
	struct count counts[HOT_SETS][HOT_WAYS];
	struct wanted wanted[HOT_WANTED];
	unsigned wanted_count;
	uint8_t query[DNS_UDP_MIN], answer[DNS_UDP_DEFAULT];
};

int hot_new(const int32_t fds[4], unsigned worker, struct hot **out)
{
	struct xdp_cache *cache;
	struct hot *h;
	int err = xdp_cache_take(fds, &cache);

	*out = NULL;
	if (err < 0 || !cache)
		return err;
	h = calloc(1, sizeof(*h));
	if (!h) {
		xdp_cache_close(cache);
		return ERR_NO_MEMORY;
	}
	h->cache = cache;
	h->worker = worker;
	random_bytes(h->key, sizeof(h->key));
	xdp_cache_sweep(h->cache, worker);
	*out = h;
	return 0;
}

void hot_free(struct hot *h)
{
	if (!h)
		return;
	hot_lease(h, 0);
	xdp_cache_close(h->cache);
	free(h);
}

void hot_lease(struct hot *h, uint64_t now_ns)
{
	if (h)
		xdp_cache_lease(h->cache, h->worker, now_ns);
}

void hot_serving(struct hot *h, uint32_t place, bool serving)
{
	if (h)
		xdp_cache_serving(h->cache, place, serving);
}

void hot_renew(struct hot *h)
{
	if (!h)
		return;
	h->wanted_count = 0;
	xdp_cache_renew(h->cache);
}

/* True when the question has become worth it. */
static bool count(struct hot *h, uint64_t hash)
{
	struct count *set = h->counts[hash & (HOT_SETS - 1)], *weakest = set;
	uint32_t tag = (uint32_t)(hash >> 32);

	for (unsigned i = 0; i < HOT_WAYS; i++) {
		if (set[i].tag == tag && set[i].count) {
			if (++set[i].count < HOT_WORTH)
				return false;
			set[i].count = HOT_AGAIN;
			return true;
		}
		if (set[i].count < weakest->count)
			weakest = &set[i];
	}
	if (weakest->count)
		weakest->count--;
	if (!weakest->count)
		*weakest = (struct count){tag, 1};
	return false;
}

void hot_note(struct hot *h, const struct query *q, const struct engine_result *result, bool no_name)
{
	struct wanted *w;
	struct name name;
	uint64_t hash;

	if (no_name) {
		h->dice = h->dice * 6364136223846793005ULL + 1442695040888963407ULL; /* Knuth's MMIX */
		if (h->dice >> 61)
			return;
	}

	name_lower(&name, q->qname.wire);
	hash = hash_keyed(h->key, name.wire, name.len) + ((uint64_t)q->qtype << 2 | (uint64_t)q->has_edns << 1 | q->dnssec_ok) * HOT_SPREAD;
	if (!count(h, hash) || h->wanted_count == HOT_WANTED)
		return;
	w = &h->wanted[h->wanted_count++];
	w->of_backends = result->backends != UINT32_MAX;
	w->slot = w->of_backends ? XDP_BACKENDS_SLOT : xdp_cache_slot(store_zone_apex(result->zone));
	w->qtype = q->qtype;
	w->edns = q->has_edns;
	w->dnssec_ok = q->dnssec_ok;
	w->name = name;
}

/* Is it from where the ticket is of? */
static bool is_of(const struct wanted *wanted, const struct engine_result *result)
{
	if (wanted->of_backends || result->backends != UINT32_MAX)
		return wanted->of_backends && result->backends != UINT32_MAX;
	return xdp_cache_slot(store_zone_apex(result->zone)) == wanted->slot;
}

static void fill(struct hot *h, struct worker *w, const struct wanted *wanted)
{
	struct engine_request request = {.transport = ENGINE_UDP, .client = {.family = 4}, .msg = h->query, .now_s = w->now_s};
	struct store_snapshot snapshot;
	struct engine_result result;
	struct xdp_ticket ticket;
	struct xdp_answer a;
	bool good;
	int len;

	if (!xdp_cache_ticket(h->cache, wanted->slot, &ticket))
		return;
	len = message_build_query(h->query, sizeof(h->query), 0, wanted->name.wire, wanted->qtype, CLASS_IN,
	                          wanted->edns ? DNS_UDP_DEFAULT : 0, wanted->dnssec_ok, false);
	if (len < 0)
		return;
	request.len = (size_t)len;
	store_pin(w->store, &snapshot);
	engine_answer(&w->settings->engine, &snapshot, w->scratch, &request, h->answer, sizeof(h->answer), &result);
	good = result.len && result.keepable && !result.truncated && is_of(wanted, &result);
	if (result.refresh)
		forward_refresh(w, &request.client, &result);
	store_unpin(w->store);
	if (!good)
		return;
	a = (struct xdp_answer){.message = h->answer, .len = result.len, .edns = wanted->edns, .dnssec_ok = wanted->dnssec_ok,
	                        .kind = (uint8_t)result.kind, .not_cd = wanted->of_backends};
	if (wanted->of_backends)
		a.until_ns = (w->scratch->backend_now_s + UINT64_C(1)) * 1000000000;
	if (xdp_cache_fill(h->cache, h->worker, &ticket, &a) == 0)
		board_add(&w->board->xdp_filled, 1);
}

void hot_fill(struct hot *h, struct worker *w)
{
	for (unsigned i = 0; i < HOT_FILL && h->wanted_count; i++)
		fill(h, w, &h->wanted[--h->wanted_count]);
}
