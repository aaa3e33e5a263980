/* SPDX-License-Identifier: BSD-2-Clause */
/* Any sequence of puts, looks, purges and deaths against a plain twin of the cache: an array that is searched from end
 * to end. There is room for all, so both must agree on every answer. */
#include "base/attr.h"
#include "base/wire.h"
#include "edge/cache.h"
#include "edge/cache_priv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TWINS_MAX = 4096 };
static const char *const names[] = {".",    "example.",       "www.example.",    "a.www.example.", "wwww.example.",
                                    "org.", "\\000.example.", "b.a.www.example."};
struct twin {
	unsigned name, version;
	uint16_t len;
	bool exact, scoped, gone;
	struct edge_subnet net;
	uint8_t scope;
	uint32_t stored, ttl, stale;
};
static struct twin twin[TWINS_MAX];
static unsigned twins;
static uint8_t body[2048], room[EDGE_BODY_MAX];
static struct edge_answer put, got;

static void must(bool good)
{
	if (!good)
		abort();
}

static struct query question(unsigned n)
{
	struct query q = {.qtype = 1, .qclass = 1};

	must(name_from_text(names[n], strlen(names[n]), NULL, &q.qname) == 0);
	return q;
}

/* Three octets: family, and which network of how many bits. */
static struct edge_subnet subnet(const uint8_t *p)
{
	struct edge_subnet s = {.addr = {.family = p[0] % 3 == 1 ? 4 : p[0] % 3 == 2 ? 6 : 0}};

	if (!s.addr.family)
		return s;
	s.prefix = (uint8_t)(p[1] % (s.addr.family == 4 ? 33 : 129));
	for (unsigned i = 0; i < s.prefix; i++)
		s.addr.bytes[i / 8] |= (uint8_t)((p[2] >> i % 2 & 1) << (7 - i % 8));
	return s;
}

static bool covers(const struct edge_subnet *net, const struct edge_subnet *client)
{
	struct edge_subnet cut = *client;

	if (client->prefix < net->prefix)
		return false;
	cut.prefix = net->prefix;
	return edge_subnet_equal(net, &cut);
}

static void do_put(struct edge_cache *c, const struct edge_key *k, const uint8_t *p, uint32_t now, bool purged)
{
	struct edge_limits limits = {.ttl_max_s = 200, .negative_max_s = 50, .stale_s = p[4] % 64};
	struct edge_subnet asked = subnet(p);
	struct twin t = {.name = p[3] % ARRAY_LEN(names),
	                 .version = p[5],
	                 .len = (uint16_t)(4 + p[6] * 7),
	                 .stored = now,
	                 .stale = limits.stale_s};

	put = (struct edge_answer){.body = body,
	                           .len = t.len,
	                           .ttl = p[7],
	                           .ttl_count = 1,
	                           .ttl_at = {0},
	                           .negative = p[4] > 200,
	                           .ede = UINT16_MAX};
	t.ttl = MIN(put.ttl, put.negative ? 50U : 200U);
	put.has_scope = p[8] & 1;
	put.told = asked;
	if (put.has_scope && asked.addr.family)
		put.scope = (uint8_t)(p[9] % (asked.addr.family == 4 ? 33 : 129));
	memset(body, p[5], t.len);
	put_u32(body, p[7]);
	edge_cache_put(c, k, &asked, &put, &limits, now);
	if (!t.ttl || purged)
		return;
	t.scoped = put.has_scope && asked.addr.family;
	t.scope = put.scope;
	if (t.scoped && put.scope) {
		t.net = asked;
		t.net.prefix = MIN(put.scope, asked.prefix);
		t.exact = put.scope > asked.prefix;
	}
	for (unsigned i = 0; i < twins; i++) {
		bool same = t.net.addr.family ? edge_subnet_equal(&twin[i].net, &t.net) : !twin[i].net.addr.family;

		if (twin[i].name == t.name && same)
			twin[i].gone = true;
	}
	twin[twins++] = t;
}

static const struct twin *best(unsigned name, const struct edge_subnet *client, uint32_t now, bool stale)
{
	const struct twin *found = NULL;

	for (unsigned i = 0; i < twins; i++) {
		const struct twin *t = &twin[i];
		uint32_t age = now - t->stored;

		if (t->gone || t->name != name || (stale ? age < t->ttl || age >= t->ttl + t->stale : age >= t->ttl))
			continue;
		if (t->net.addr.family &&
		    (!client->addr.family || !covers(&t->net, client) || (t->exact && client->prefix != t->net.prefix)))
			continue;
		if (!found || !found->net.addr.family || (t->net.addr.family && t->net.prefix > found->net.prefix))
			found = t;
	}
	return found;
}

static void do_find(struct edge_cache *c, const struct edge_key *k, const uint8_t *p, uint32_t now)
{
	struct edge_subnet client = subnet(p);
	enum edge_found is = edge_cache_find(c, k, &client, now, room, sizeof(room), &got);
	const struct twin *t = best(p[3] % ARRAY_LEN(names), &client, now, false);
	bool stale = !t;

	if (!t)
		t = best(p[3] % ARRAY_LEN(names), &client, now, true);
	if (!t) {
		must(is == EDGE_MISS);
		return;
	}
	must(is == (stale ? EDGE_STALE : EDGE_FRESH) && got.len == t->len &&
	     room[t->len - 1] == (t->len == 4 ? room[3] : t->version));
	must(got.ttl == (stale ? 0 : t->ttl - (now - t->stored)) && got.has_scope == t->scoped &&
	     (!t->scoped || got.scope == t->scope));
}

static void do_purge(void *memory, size_t octets, unsigned name, bool subtree)
{
	struct query q = question(name), each;
	uint64_t count = 0;

	for (unsigned i = 0; i < twins; i++) {
		each = question(twin[i].name);
		if (twin[i].gone || !(subtree ? name_is_under(each.qname.wire, q.qname.wire) : twin[i].name == name))
			continue;
		twin[i].gone = true;
		count++;
	}
	must(edge_cache_purge(memory, octets, q.qname.wire, subtree) == count);
}

/* A worker dies in a shard, within an entry or not; its successor empties the shard, which the smallest cache has one
 * of. */
static void do_die(void *memory, size_t octets, struct edge_cache **c, bool within)
{
	struct part p = cache_part(cache_open(memory, octets), 0);

	p.shard->lock = 1;
	p.shard->seq += within;
	edge_cache_detach(*c);
	must(edge_cache_attach(memory, octets, 0, c) == 0);
	for (unsigned i = 0; i < twins; i++)
		twin[i].gone = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t key[2] = {5, 6};
	size_t octets = edge_cache_octets(0);
	static void *memory;
	struct edge_cache *c;
	struct edge_key k, kept[ARRAY_LEN(names)];
	bool purged[ARRAY_LEN(names)] = {false};
	struct edge_cache_figures f;
	uint32_t now = 1000;
	unsigned entries = 0;

	if (!memory)
		memory = aligned_alloc(4096, (octets + 4095) / 4096 * 4096);
	must(memory != NULL);
	memset(memory, 0, octets);
	edge_cache_format(memory, octets, key);
	must(edge_cache_attach(memory, octets, 0, &c) == 0);
	twins = 0;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		struct query q = question(i);

		edge_key_make(c, &q, 1, &kept[i]);
	}
	for (; size >= 12 && twins < TWINS_MAX; data += 12, size -= 12) {
		unsigned name = data[4] % ARRAY_LEN(names);
		struct query q = question(name), each;

		now += data[11] % 32;
		edge_key_make(c, &q, 1, &k);
		switch (data[0] % 8) {
		case 0:
		case 1:
		case 2:
			do_put(c, &k, data + 1, now, false);
			break;
		case 3: /* the answer to a question from the very beginning */
			do_put(c, &kept[name], data + 1, now, purged[name]);
			break;
		case 4:
			do_purge(memory, octets, name, data[1] & 1);
			for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
				each = question(i);
				purged[i] |= data[1] & 1 ? name_is_under(each.qname.wire, q.qname.wire) : i == name;
			}
			break;
		case 5:
			if (data[1] < 32)
				do_die(memory, octets, &c, data[1] & 1);
			break;
		default:
			do_find(c, &k, data + 1, now);
		}
		/* Of so many purges nobody remembers the first. */
		if (cache_open(memory, octets)->epoch - kept[0].epoch > RULES)
			memset(purged, true, sizeof(purged));
	}
	for (unsigned i = 0; i < twins; i++)
		entries += !twin[i].gone;
	edge_cache_look(memory, octets, &f);
	must(f.entries == entries || f.evicted);
	edge_cache_detach(c);
	return 0;
}
