/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer path with steering on: policies of every kind by client subnet, by country, AS and place, with endpoints that come and go; in a zone without signatures and in one that is
 * signed, with VARIANT records for what its policies can give: good ones, ones that have ended, both, or none.
 *
 * Whatever is asked: the answer parses to its last octet and has no record twice; addresses are those of endpoints or of the zone; with DO each set of the signed zone has a signature that
 * verifies and is good now, and none that has ended beside one that has not; a wildcard that stood for a name has its proof. Whoever shares the bits that the scope says (RFC 7871 7.2.1) gets the
 * same records, with scope 0 of either family. The cache gives the same answer, and TCP what is whole over UDP.
 *
 * Input: how (see below), dice, octets of the client's address, health of each pool (an octet); then the query. With the top bit of the first octet set: a number, a hash and octets as a set of VARIANT records. */
#include "answer/cache.h"
#include "answer/edns.h"
#include "answer/engine.h"
#include "answer/steering.h"
#include "base/diag.h"
#include "base/text.h"
#include "config/config.h"
#include "dnssec/variants.h"
#include "steer/geo.h"
#include "steer/geo_file.h"
#include "steer/records.h"
#include "zone/content.h"
#include "zone/store.h"
#include "zone/zonefile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(good) check(good, __LINE__)
static void check(bool good, int line)
{
	if (good)
		return;
	fprintf(stderr, "steering.c:%d\n", line);
	abort();
}

enum { POOLS = 8, HEAD = 6 + POOLS, NOW = 1700000000, DAY = 86400 };

static const char fleet[] =
	"fleet: fuzz\n"
	"nodes:\n  - {name: a, role: pop, management: [192.0.2.53]}\n  - {name: b, role: pop, management: [192.0.2.54]}\n"
	"geoip: {location: /l, as: /a}\n"
	"pools:\n"
	"  - {name: eu, fallback: us, endpoints: [{name: a, address: 192.0.2.1, latitude: 50, longitude: 8}, {name: b, address: 192.0.2.2, weight: 50, latitude: 52, longitude: 0},\n"
	"     {name: c, address: 192.0.2.3, weight: 0, latitude: 60, longitude: 20}, {name: x, address: \"2001:db8::1\", latitude: 50, longitude: 8}, {name: y, address: \"2001:db8::2\", latitude: 1, longitude: 1}]}\n"
	"  - {name: us, keep: 2, endpoints: [{name: a, address: 192.0.2.11, latitude: 40, longitude: -74}, {name: b, address: 192.0.2.12, priority: 2, latitude: 37, longitude: -122},\n"
	"     {name: d, address: 192.0.2.13, disabled: true, latitude: 0, longitude: 0}, {name: x, address: \"2001:db8::11\", latitude: 40, longitude: -74}]}\n"
	"  - {name: names, endpoints: [{name: a, target: edge.Plain.test}, {name: b, target: www.signed.test}, {name: c, target: nowhere.example}]}\n"
	"  - {name: shut, keep: 0, endpoints: [{name: a, address: 192.0.2.31}, {name: x, address: \"2001:db8::31\"}]}\n"
	"  - {name: six, endpoints: [{name: x, address: \"2001:db8::41\"}]}\n"
	"  - {name: four, endpoints: [{name: a, address: 192.0.2.41}]}\n"
	"  - {name: back, fallback: shut, keep: 2, endpoints: [{name: a, address: 192.0.2.51}, {name: b, address: 192.0.2.52}, {name: c, address: 192.0.2.53}]}\n"
	"  - {name: other, endpoints: [{name: a, target: www.plain.test}]}\n"
	"steering:\n"
	"  - {name: web, pool: eu, choose: all, owners: [www.plain.test, www.signed.test, here.wild.signed.test, here.wild.plain.test],\n"
	"     rules: [{subnets: [198.51.100.0/24, \"2001:db8:500::/40\"], pool: us}, {subnets: [10.0.0.0/8, 10.0.0.0/12], countries: [DE], pool: four}, {as: [64500, 64501], pool: back},\n"
	"             {nodes: [b], pool: six}, {continents: [NA], pool: us}]}\n"
	"  - {name: dice, pool: eu, choose: weight, answers: 2, ttl: 5s, rules: [{countries: [US, CA], pool: back}, {subnets: [0.0.0.0/0], countries: [FR], pool: us}]}\n"
	"  - {name: near, pool: eu, choose: nearest, answers: 1}\n"
	"  - {name: hash, pool: us, choose: sticky, answers: 1, rules: [{subnets: [203.0.113.7/32], pool: shut}]}\n"
	"  - {name: deaf, pool: eu, choose: all, client-subnet: false, rules: [{subnets: [198.51.100.0/24], pool: us}]}\n"
	"  - {name: alias, pool: names, choose: sticky, rules: [{subnets: [198.51.100.0/24], pool: other}]}\n"
	"  - {name: closed, pool: shut, choose: all}\n"
	"  - {name: half, pool: six, choose: all, rules: [{subnets: [0.0.0.0/0], pool: four}]}\n";

#define ZONE                                                                                                                                                                                      \
	"$TTL 300\n@ SOA ns host 1 2 3 4 60\n@ NS ns\nns A 192.0.2.201\nwww A 192.0.2.202\nwww AAAA 2001:db8::202\nwww TXT x\nwww MX 1 dice\n@ MX 1 www\ndice A 192.0.2.203\ndice AAAA 2001:db8::203\n"     \
	"dice STEER dice\nnear A 192.0.2.204\nnear AAAA 2001:db8::204\nnear STEER near note\nhash A 192.0.2.205\nhash STEER hash\ndeaf A 192.0.2.206\ndeaf STEER deaf\nalias CNAME edge\n"                \
	"_steer.alias STEER alias\nedge A 192.0.2.207\nedge AAAA 2001:db8::207\nclosed A 192.0.2.208\nclosed AAAA 2001:db8::208\nclosed STEER closed\nhalf A 192.0.2.209\nhalf AAAA 2001:db8::209\n"     \
	"half STEER half\nto CNAME www\nto2 CNAME alias\nout CNAME www.plain.test.\nin CNAME dice.signed.test.\n*.wild A 192.0.2.210\n*.wild STEER dice\n*.walias CNAME edge\n_steer.x TXT y\n"             \
	"no A 192.0.2.211\nno TYPE65280 \\# 3 090102\nwrong A 192.0.2.212\nwrong TYPE65281 \\# 32 0001020304050607000100000000000000000000000000000000000000000000\nd DNAME wild\nsub NS ns.sub\n"           \
	"ns.sub A 192.0.2.213\n"

static struct config *config;
static struct steering *made;
static struct geo_map *map;
static struct dnssec_key key;
static uint8_t dnskey[DNSSEC_DNSKEY_HEAD + 32] = {1, 1, 3, 15};
static const uint8_t signed_apex[] = "\6signed\4test", plain_apex[] = "\5plain\4test";
static _Atomic uint64_t pin;
static struct store_reader *reader;
static struct engine_scratch scratch, with_cache;

/* ---- zones ---- */

static int take(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	return content_add(ctx, rr, place);
}

static struct content *content_of(const uint8_t *apex, const char *text, size_t len)
{
	struct content *c = content_new(apex);
	struct zonefile_options o = {.origin = apex, .rclass = CLASS_IN, .on_record = take, .ctx = c};
	struct diag diag;

	diag_init(&diag);
	if (zonefile_parse_bytes("zone", text, len, false, &o, &diag) < 0) {
		fprintf(stderr, "%s\n", diag.first ? diag.first->text : "?");
		abort();
	}
	diag_done(&diag);
	must(content_finish(c) == 0);
	return c;
}

static void put_line(struct text *t, const uint8_t *owner, uint32_t ttl, uint16_t type, const uint8_t *rdata, size_t len)
{
	char name[NAME_TEXT_MAX];

	name_to_text(owner, name);
	text_fmt(t, "%s %u TYPE%u \\# %zu ", name, ttl, type, len);
	for (size_t i = 0; i < len; i++)
		text_fmt(t, "%02x", rdata[i]);
	text_fmt(t, "\n");
}

static int put_variant(void *ctx, const struct variants_set *s)
{
	uint8_t rdata[VARIANT_RDATA_MAX];
	size_t len;

	for (unsigned ended = 0; ended < 2; ended++) {
		/* By the hash: a good one; one that has ended; both; none. */
		if (!((s->hash[0] & 3) == 2 || (s->hash[0] & 3) == ended))
			continue;
		must(variants_sign(s, signed_apex, &key, NOW - 9 * DAY, ended ? NOW - DAY : NOW + DAY, rdata, &len) == 0);
		put_line(ctx, s->at, s->at_ttl, RR_VARIANT, rdata, len);
	}
	return 0;
}

static bool delegated(const struct content *c, const uint8_t *owner)
{
	for (const uint8_t *up = owner; !name_equal(up, content_apex(c)); up = name_parent(up))
		if (content_lookup(c, up, RR_NS))
			return true;
	return false;
}

/* A window of a type bit map (RFC 4034 4.1.2), without the zeros at its end. */
static size_t put_window(uint8_t *out, uint8_t window, const uint8_t bits[32])
{
	uint8_t len = 32;

	while (len && !bits[len - 1])
		len--;
	out[0] = window;
	out[1] = len;
	memcpy(out + 2, bits, len);
	return len ? 2U + len : 0;
}

/* Is a name with this place in the chain of NSEC? */
static bool in_chain(const struct content *c, size_t i)
{
	const uint8_t *owner = content_rrset(c, i)->owner;

	return !delegated(c, owner) || content_lookup(c, owner, RR_NS);
}

static void put_nsec(struct text *t, const struct content *c)
{
	size_t n = content_rrset_count(c), end;

	for (size_t i = 0; i < n; i = end) {
		const uint8_t *owner = content_rrset(c, i)->owner, *next = content_apex(c);
		uint8_t rdata[NAME_LEN_MAX + 80], low[32] = {0}, high[32] = {0};
		size_t len, after;

		for (end = i; end < n && name_equal(content_rrset(c, end)->owner, owner); end++) {
			uint16_t type = content_rrset(c, end)->type;

			must(type < 256 || type >> 8 == 255);
			(type < 256 ? low : high)[(type & 255) / 8] |= (uint8_t)(0x80 >> (type & 7));
		}
		low[RR_RRSIG / 8] |= 0x80 >> (RR_RRSIG & 7);
		low[RR_NSEC / 8] |= 0x80 >> (RR_NSEC & 7);
		for (after = end; after < n && !in_chain(c, after); after++)
			;
		if (after < n)
			next = content_rrset(c, after)->owner;
		len = name_len(next);
		memcpy(rdata, next, len);
		len += put_window(rdata + len, 0, low);
		len += put_window(rdata + len, 255, high);
		if (in_chain(c, i))
			put_line(t, owner, 60, RR_NSEC, rdata, len);
	}
}

static void put_signatures(struct text *t, const struct content *c)
{
	for (size_t i = 0; i < content_rrset_count(c); i++) {
		const struct content_rrset *set = content_rrset(c, i);
		struct dnssec_rdata *records = calloc(set->count, sizeof(*records));
		struct dnssec_set s = {.owner = set->owner, .type = set->type, .ttl = set->ttl, .records = records, .count = set->count};
		uint8_t rrsig[DNSSEC_RRSIG_MAX];
		size_t len;

		must(records != NULL);
		for (uint32_t k = 0; k < set->count; k++)
			records[k] = (struct dnssec_rdata){set->records[k].rdata, set->records[k].rdlen};
		if (!delegated(c, set->owner) || set->type == RR_NSEC) {
			must(dnssec_sign(&key, content_apex(c), &s, NOW - DAY, NOW + DAY, rrsig, &len) == 0);
			put_line(t, set->owner, set->ttl, RR_RRSIG, rrsig, len);
		}
		free(records);
	}
}

static void put_zone(struct store_writer *w, const uint8_t *apex, bool sign)
{
	struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = 0, .source = ""};
	struct variants_count count;
	struct content *c;
	struct diag diag;
	struct text t;

	text_init(&t);
	text_fmt(&t, "%s", ZONE);
	if (sign)
		put_line(&t, apex, 300, RR_DNSKEY, dnskey, sizeof(dnskey));
	c = content_of(apex, t.chars, t.len);
	if (sign) {
		const struct config *all[] = {config};

		diag_init(&diag);
		(void)!variants_each(c, all, 1, &diag, put_variant, &t, &count);
		diag_done(&diag);
		content_free(c);
		c = content_of(apex, t.chars, t.len);
		put_nsec(&t, c);
		content_free(c);
		c = content_of(apex, t.chars, t.len);
		put_signatures(&t, c);
		content_free(c);
		c = content_of(apex, t.chars, t.len);
	}
	must(store_put_zone(w, apex, c, &meta) == 0);
	content_free(c);
	text_done(&t);
}

static void make_zones(void)
{
	_Atomic uint64_t *pins[1] = {&pin};
	struct store_open_info info;
	struct store_writer *w;
	char path[64], lock[80];
	uint64_t g;

	snprintf(path, sizeof(path), "/tmp/zonecast-fuzz-steering-%d.store", getpid());
	atomic_store(&pin, STORE_UNPINNED);
	must(store_writer_open(path, pins, 1, &w, &info) == 0);
	put_zone(w, signed_apex, true);
	put_zone(w, plain_apex, false);
	must(store_commit(w, &g) == 0);
	store_writer_close(w);
	must(store_reader_open(path, &pin, &reader) == 0 && cache_new(CACHE_OCTETS_MIN, &with_cache.cache) == 0);
	unlink(path);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(lock);
}

/* ---- places of addresses ---- */

static void make_map(void)
{
	static const struct geo_record places[] = {
		{.as = 0},
		{.latitude = 52, .longitude = 13, .as = 64500, .country = 'D' << 8 | 'E', .continent = 'E' << 8 | 'U', .located = 1},
		{.latitude = 40, .longitude = -74, .as = 64510, .country = 'U' << 8 | 'S', .continent = 'N' << 8 | 'A', .located = 1},
		{.as = 64501, .country = 'F' << 8 | 'R', .continent = 'E' << 8 | 'U'},
	};
	/* 0/2 64/2 128/2 192/3 224/3; all of IPv6 is one place */
	static const struct geo_v4 v4[] = {
		{0, 2U << GEO_LENGTH_SHIFT | 1}, {0x40000000, 2U << GEO_LENGTH_SHIFT | 2}, {0x80000000, 2U << GEO_LENGTH_SHIFT}, {0xc0000000, 3U << GEO_LENGTH_SHIFT | 3},
		{0xe0000000, 3U << GEO_LENGTH_SHIFT},
	};
	static const struct geo_v6 v6[] = {{{0}, 0U << GEO_LENGTH_SHIFT | 2}};
	static uint32_t index[GEO_INDEX];
	struct geo_header h = {.magic = GEO_MAGIC, .version = GEO_VERSION, .v4_count = ARRAY_LEN(v4), .v6_count = ARRAY_LEN(v6), .place_count = ARRAY_LEN(places)};
	int fd = memfd_create("map", MFD_CLOEXEC);

	h.size = sizeof(h) + sizeof(v4) + sizeof(v6) + sizeof(places) + sizeof(index);
	for (size_t i = 0, at = 0; i < GEO_INDEX; i++) {
		while (at + 1 < ARRAY_LEN(v4) && v4[at + 1].start <= (uint64_t)i << 16)
			at++;
		index[i] = (uint32_t)at;
	}
	must(write(fd, &h, sizeof(h)) == sizeof(h) && write(fd, v4, sizeof(v4)) == sizeof(v4) && write(fd, v6, sizeof(v6)) == sizeof(v6));
	must(write(fd, places, sizeof(places)) == sizeof(places) && write(fd, index, sizeof(index)) == sizeof(index));
	must(geo_map_open(fd, &map) == 0 && geo_map_check(map) == 0);
	close(fd);
}

static void set_up(void)
{
	/* RFC 8410 10.3 */
	static const char secret[] = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
	char why[DNSSEC_WHY_MAX];
	struct diag diag;

	diag_init(&diag);
	if (config_parse("/fuzz.yaml", fleet, strlen(fleet), &diag, &config) < 0) {
		fprintf(stderr, "line %u: %s\n", diag.first ? diag.first->line : 0, diag.first ? diag.first->text : "?");
		abort();
	}
	diag_done(&diag);
	must(config->pool_count == POOLS && steering_make(config, &config->nodes[0], &made) == 0);
	must(dnssec_key_private(secret, strlen(secret), &key, why) == 0 && key.public_len == 32);
	memcpy(dnskey + DNSSEC_DNSKEY_HEAD, key.public, 32);
	must(dnssec_key_adopt(&key, dnskey, sizeof(dnskey)));
	make_map();
	make_zones();
}

/* ---- judgement ---- */

enum { SEEN_MAX = 200 };
struct seen {
	struct message_rr rr[SEEN_MAX];
	unsigned count;
	struct dns_header header;
	const uint8_t *records; /* behind the question */
	size_t octets;          /* of them, without OPT */
	const uint8_t *subnet;  /* of its option, 4 octets or more; NULL: none */
	uint8_t rdata[4 * DNS_MESSAGE_MAX]; /* of all, without compression */
};

static const uint8_t *subnet_in(const struct message_rr *opt, uint16_t *len)
{
	for (size_t at = 0; at + 4 <= opt->rdlen; at += 4U + get_u16(opt->rdata + at + 2)) {
		*len = get_u16(opt->rdata + at + 2);
		if (get_u16(opt->rdata + at) == EDNS_ECS && *len >= 4)
			return opt->rdata + at + 4;
	}
	return NULL;
}

static void read_answer(const uint8_t *out, size_t len, struct seen *s)
{
	struct message_rr rr;
	struct message m;
	struct name name;
	uint16_t type, class, n;
	struct writer w = writer_of(s->rdata, sizeof(s->rdata));
	int got;

	s->count = 0;
	s->subnet = NULL;
	must(message_open(out, len, &m) == 0);
	s->header = m.header;
	for (unsigned i = m.header.qdcount; i; i--)
		must(message_question(&m, &name, &type, &class) == 0);
	s->records = out + len - reader_left(&m.r);
	s->octets = reader_left(&m.r);
	while ((got = message_next(&m, &rr)) == 1) {
		if (rr.type == RR_OPT) {
			s->subnet = subnet_in(&rr, &n);
			s->octets = (size_t)(rr.rdata - 11 - s->records); /* nothing but OPT follows */
		} else if (s->count < SEEN_MAX) {
			struct reader r = reader_of(out, len);
			size_t at = w.pos;

			r.pos = rr.rdata_pos;
			must(rdata_from_wire(rr.type, &r, rr.rdlen, &w) == 0);
			rr.rdata = s->rdata + at;
			rr.rdlen = (uint16_t)(w.pos - at);
			s->rr[s->count++] = rr;
		}
	}
	must(got == 0 && !reader_left(&m.r));
}

static bool one_of_ours(const uint8_t *address, uint16_t len)
{
	for (size_t p = 0; p < config->pool_count; p++)
		for (size_t i = 0; i < config->pools[p].endpoint_count; i++) {
			const struct config_pool_endpoint *e = &config->pools[p].endpoints[i];

			if (!e->disabled && e->address.family == (len == 4 ? 4 : 6) && memcmp(e->address.bytes, address, len) == 0)
				return true;
		}
	return address[len - 1] >= 201 || (len == 16 && address[14]);
}

/* An NSEC record of the authority section says that there is no such name. */
static bool denied(const struct seen *s, const struct name *name)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct message_rr *rr = &s->rr[i];

		if (rr->section == 2 && rr->type == RR_NSEC && name_compare(rr->owner.wire, name->wire) < 0 &&
		    (name_compare(name->wire, rr->rdata) < 0 || name_equal(rr->rdata, signed_apex)))
			return true;
	}
	return false;
}

static void judge_set(const struct seen *s, const struct message_rr *first, uint32_t now)
{
	struct dnssec_rdata records[SEEN_MAX];
	struct dnssec_set set = {.owner = first->owner.wire, .type = first->type, .records = records};
	unsigned good = 0, bad = 0;

	for (unsigned i = 0; i < s->count; i++)
		if (s->rr[i].section == 1 && s->rr[i].type == first->type && name_equal(s->rr[i].owner.wire, first->owner.wire))
			records[set.count++] = (struct dnssec_rdata){s->rr[i].rdata, s->rr[i].rdlen};
	for (unsigned i = 0; i < s->count; i++) {
		const struct message_rr *sig = &s->rr[i];

		if (sig->section != 1 || sig->type != RR_RRSIG || !name_equal(sig->owner.wire, first->owner.wire) || get_u16(sig->rdata) != first->type)
			continue;
		must(first->ttl <= get_u32(sig->rdata + 4) && sig->ttl == first->ttl);
		if (dnssec_verify(&key, signed_apex, &set, sig->rdata, sig->rdlen, now) != 0) {
			bad++;
			continue;
		}
		good++;
		if (sig->rdata[3] + (name_is_wildcard(first->owner.wire) ? 1U : 0U) < name_labels(first->owner.wire))
			must(denied(s, &first->owner));
	}
	must(good > 0 && bad == 0);
}

static void judge(const struct seen *s, bool dnssec_ok, uint16_t qtype)
{
	bool made_of_dname = false;

	for (unsigned i = 0; i < s->count; i++) {
		const struct message_rr *rr = &s->rr[i];

		for (unsigned k = 0; k < i; k++)
			must(s->rr[k].type != rr->type || s->rr[k].rdlen != rr->rdlen || memcmp(s->rr[k].rdata, rr->rdata, rr->rdlen) != 0 || !name_equal(s->rr[k].owner.wire, rr->owner.wire));
		made_of_dname = made_of_dname || rr->type == RR_DNAME;
		if (rr->type == RR_A || rr->type == RR_AAAA)
			must(one_of_ours(rr->rdata, rr->rdlen));
		if (rr->section != 1 || rr->type == RR_RRSIG || !dnssec_ok || (s->header.flags & DNS_TC) || qtype == RR_ANY || !name_is_under(rr->owner.wire, signed_apex) ||
		    (rr->type == RR_CNAME && made_of_dname) || s->count == SEEN_MAX)
			continue;
		judge_set(s, rr, NOW);
	}
}

struct turn {
	struct engine_config conf;
	struct engine_request request;
	struct store_snapshot snapshot;
	uint32_t random;
};

static void ask(struct turn *t, struct engine_scratch *with, const uint8_t *msg, size_t len, uint8_t *out, size_t cap, struct engine_result *r)
{
	t->request.msg = msg;
	t->request.len = len;
	with->random = t->random;
	with->dice = t->random;
	engine_answer(&t->conf, &t->snapshot, with, &t->request, out, cap, r);
}

/* The option in the query. */
static uint8_t *find_subnet(uint8_t *query, size_t len, uint16_t *octets)
{
	struct message_rr rr;
	struct message m;
	struct name name;
	uint16_t type, class;
	const uint8_t *at = NULL;

	if (message_open(query, len, &m) < 0)
		return NULL;
	for (unsigned i = m.header.qdcount; i; i--)
		if (message_question(&m, &name, &type, &class) < 0)
			return NULL;
	while (message_next(&m, &rr) == 1)
		if (rr.type == RR_OPT && !at)
			at = subnet_in(&rr, octets);
	return at ? query + (at - query) : NULL;
}

/* Another client in the scope that was told: of scope 0, anybody. */
static void compare_clients(struct turn *t, const uint8_t *data, size_t size, const struct seen *first)
{
	static uint8_t query[DNS_MESSAGE_MAX], out[DNS_MESSAGE_MAX];
	struct engine_result r;
	static struct seen s;
	uint16_t octets;
	uint8_t *at;
	unsigned scope;

	memcpy(query, data, size);
	at = find_subnet(query, size, &octets);
	if (!first->subnet || !at || !at[2])
		return;
	scope = first->subnet[3];
	must(scope <= (at[1] == 1 ? 32U : 128U));
	if (scope < at[2]) {
		for (unsigned bit = scope; bit < at[2]; bit++)
			if (bit % 3 == scope % 3)
				at[4 + bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		ask(t, &scratch, query, size, out, sizeof(out), &r);
		read_answer(out, r.len, &s);
		must(s.octets == first->octets && memcmp(s.records, first->records, s.octets) == 0 && s.subnet && s.subnet[3] <= scope);
	}
	if (scope == 0 && at[2] <= 32) {
		at[1] = at[1] == 1 ? 2 : 1;
		ask(t, &scratch, query, size, out, sizeof(out), &r);
		read_answer(out, r.len, &s);
		must(s.octets == first->octets && memcmp(s.records, first->records, s.octets) == 0);
	}
}

/* Any octets as a set of VARIANT records, of any number: what is found is within them. */
static void check_variants(const uint8_t *data, size_t size)
{
	const uint8_t *hash = data + 1;
	struct steer_signatures found;
	unsigned count;
	uint8_t *exact;

	if (size < 1 + STEER_SET_HASH_LEN)
		return;
	count = data[0];
	data += 1 + STEER_SET_HASH_LEN;
	size -= 1 + STEER_SET_HASH_LEN;
	exact = malloc(size ? size : 1); /* its own block, so that a sanitizer sees the end */
	must(exact != NULL);
	memcpy(exact, data, size);
	steer_variants_find(exact, size, count, RR_A, hash, NOW, &found);
	must(found.count <= STEER_SIGNATURES_MAX && (!found.good || found.count));
	for (unsigned i = 0; i < found.count; i++) {
		const struct steer_rdata *r = &found.rrsig[i];

		must(r->octets >= exact && r->octets + r->len <= exact + size);
		must(steer_signature_good(r->octets, r->len, NOW) == found.good);
		must(rrsig_covers(r->octets, r->len) == RR_A && rdata_check(RR_RRSIG, r->octets, r->len) == 0);
	}
	must((int32_t)(found.until - NOW) > 0 && (int32_t)(NOW - found.from) >= 0);
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[DNS_MESSAGE_MAX], again[DNS_MESSAGE_MAX];
	static struct seen udp, tcp;
	static struct turn t;
	static enum engine_any last_any;
	struct engine_result r, cached;
	uint8_t how;
	bool dnssec_ok;

	if (!reader)
		set_up();
	if (size && data[0] & 128) {
		check_variants(data + 1, size - 1);
		return 0;
	}
	if (size < HEAD + DNS_HEADER_LEN || size > DNS_MESSAGE_MAX)
		return 0;
	how = data[0];
	t.random = data[1] * 0x9e3779b9U;
	t.conf = (struct engine_config){.identity = {.nsid = "fuzz"}, .udp_max = how & 1 ? DNS_UDP_MIN : DNS_UDP_DEFAULT, .any = how & 2 ? ENGINE_ANY_ALL : ENGINE_ANY_ONE, .steering = made};
	if (t.conf.any != last_any)
		cache_clear(with_cache.cache);
	last_any = t.conf.any;
	t.request = (struct engine_request){.now_s = NOW, .client.family = how & 4 ? 6 : 4};
	memcpy(t.request.client.bytes, data + 2, 4);
	made->places = how & 8 ? NULL : map;
	for (unsigned i = 0; i < POOLS; i++)
		atomic_store(&made->up[i], how & 16 ? UINT64_MAX : data[6 + i]);
	data += HEAD;
	size -= HEAD;
	store_pin(reader, &t.snapshot);

	t.request.transport = ENGINE_UDP;
	ask(&t, &scratch, data, size, out, 4096, &r);
	if (r.len)
		read_answer(out, r.len, &udp);
	t.request.transport = ENGINE_TCP;
	ask(&t, &scratch, data, size, out, sizeof(out), &r);
	for (int i = 0; i < 2; i++) {
		ask(&t, &with_cache, data, size, again, sizeof(again), &cached);
		must(cached.len == r.len && memcmp(out, again, r.len) == 0 && cached.steered == r.steered && (!r.steered || (cached.pool == r.pool && cached.policy == r.policy)) &&
		     cached.unsigned_choice == r.unsigned_choice);
	}
	dnssec_ok = r.dnssec_ok;
	if (r.len) {
		read_answer(out, r.len, &tcp);
		judge(&tcp, dnssec_ok, r.qtype);
		if (!(udp.header.flags & DNS_TC))
			must(udp.octets == tcp.octets && udp.header.ancount == tcp.header.ancount);
		compare_clients(&t, data, size, &tcp);
	}
	store_unpin(reader);
	return 0;
}
