/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole answer path: octets in, octets out, with a store of zones that have every construct: three written below, and those of answer.zones/, which
 * real signers made (NSEC, NSEC3, opt-out; parents with children). ZONECAST_FUZZ_ZONES names another folder of NAME.zone files for longer runs.
 *
 * Whatever comes in: the answer parses to its last octet, repeats ID and question, keeps within the size that client, configuration and interface
 * allow, has each record once and in its section; a set of a signed zone has its signature and a denial its SOA and proof; what is not
 * truncated over UDP has as many records as over TCP. */
#include "answer/cache.h"
#include "answer/engine.h"
#include "base/diag.h"
#include "zone/content.h"
#include "zone/store.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char plain[] =
	"$TTL 300\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\n@ NS ns.sub\nns1 A 192.0.2.1\nns1 AAAA 2001:db8::1\n"
	"@ MX 10 mail\nmail A 192.0.2.2\nwww CNAME mail\nloop1 CNAME loop2\nloop2 CNAME loop1\nout CNAME a.example.org.\n"
	"*.wild A 192.0.2.3\n*.walias CNAME b.walias\n*.chain CNAME x.wild\nd1 DNAME d2\nd2 DNAME d1\nsub NS ns.sub\nns.sub A 192.0.2.4\nd DNAME target.example.org.\n"
	"deep.a.b.c TXT \"x\"\nbig TXT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
	"$GENERATE 1-60 many TXT \"number $ of a set that does not fit\"\n_s._tcp SRV 1 2 3 mail\n@ HTTPS 1 . alpn=h2\n";
static const char denied[] =
	"$TTL 300\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n@ DNSKEY 256 3 13 aGVsbG8=\n@ NSEC a NS SOA RRSIG NSEC DNSKEY\n"
	"@ RRSIG SOA 13 1 300 20300101000000 20200101000000 1 @ aGVsbG8=\na A 192.0.2.9\na NSEC ns1 A NSEC\nns1 NSEC *.w A NSEC\n"
	"*.w TXT y\n*.w NSEC @ TXT NSEC\na.target A 192.0.2.5\n*.c CNAME q.w\n";
static const char hashed[] =
	"$TTL 300\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n@ DNSKEY 256 3 13 aGVsbG8=\n@ NSEC3PARAM 1 0 1 AABB\n"
	"@ RRSIG SOA 13 1 300 20300101000000 20200101000000 1 @ aGVsbG8=\nsub NS ns.other.\n"
	"0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM NSEC3 1 1 1 AABB 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR NS SOA\n"
	"2T7B4G4VSA5SMI47K61MV5BV1A22BOJR NSEC3 1 1 1 AABB 0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM A RRSIG\n";

/* Zones of files, which signers made: what a validator needs is judged in answers of these. */
enum { KNOWN_MAX = 64 };
static struct known_zone {
	struct name apex;
	bool is_signed;
} known[KNOWN_MAX];
static unsigned known_count;

static _Atomic uint64_t pin;
static struct store_reader *reader;
static struct engine_scratch scratch, with_cache;
static enum engine_any last_any;

static int take(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	return content_add(ctx, rr, place);
}

static void put(struct store_writer *w, const char *name, const char *text)
{
	static const uint8_t root[1] = {0};
	struct store_zone_meta meta = {.state = text ? STORE_ZONE_SERVING : STORE_ZONE_NO_DATA, .network = 0, .source = ""};
	struct content *c = NULL;
	struct diag diag;
	struct name apex;

	diag_init(&diag);
	if (name_from_text(name, strlen(name), root, &apex) < 0)
		abort();
	if (text) {
		struct zonefile_options o = {.origin = apex.wire, .rclass = CLASS_IN, .on_record = take};

		o.ctx = c = content_new(apex.wire);
		if (zonefile_parse_bytes(name, text, strlen(text), false, &o, &diag) < 0 || content_finish(c) < 0)
			abort();
	}
	if (store_put_zone(w, apex.wire, c, &meta) < 0)
		abort();
	content_free(c);
	diag_done(&diag);
}

/* Every NAME.zone of the folder: the zone NAME. */
static void put_folder(struct store_writer *w, const char *folder)
{
	struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = 0, .source = ""};
	DIR *d = opendir(folder);
	struct dirent *e;

	if (!d)
		abort();
	while ((e = readdir(d)) != NULL) {
		static const uint8_t root[1] = {0};
		struct zone_load_options o = {.on_progress = NULL};
		size_t len = strlen(e->d_name);
		struct known_zone *z = &known[known_count];
		struct content *c;
		struct diag diag;
		char path[4096];

		if (len < 6 || strcmp(e->d_name + len - 5, ".zone") != 0)
			continue;
		diag_init(&diag);
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (known_count == KNOWN_MAX || name_from_text(e->d_name, len - 5, root, &z->apex) < 0 ||
		    zone_load_file(path, z->apex.wire, &o, &diag, &c) < 0 || store_put_zone(w, z->apex.wire, c, &meta) < 0) {
			fprintf(stderr, "cannot load %s\n", path);
			abort();
		}
		z->is_signed = content_lookup(c, z->apex.wire, RR_DNSKEY) != NULL;
		known_count++;
		content_free(c);
		diag_done(&diag);
	}
	closedir(d);
}

static void set_up(void)
{
	const char *folder = getenv("ZONECAST_FUZZ_ZONES");
	_Atomic uint64_t *pins[1] = {&pin};
	struct store_open_info info;
	struct store_writer *w;
	char path[64], lock[80];
	uint64_t g;

	snprintf(path, sizeof(path), "/tmp/zonecast-fuzz-%d.store", getpid());
	atomic_store(&pin, STORE_UNPINNED);
	if (store_writer_open(path, pins, 1, &w, &info) < 0)
		abort();
	put(w, "example.com", plain);
	put(w, "example.org", denied);
	put(w, "example", hashed);
	put(w, "broken.test", NULL);
	put_folder(w, folder ? folder : ANSWER_ZONES);
	if (store_commit(w, &g) < 0)
		abort();
	store_writer_close(w);
	if (store_reader_open(path, &pin, &reader) < 0 || cache_new(CACHE_OCTETS_MIN, &with_cache.cache) < 0)
		abort();
	unlink(path);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(lock);
}

/* No section holds what belongs in another. */
static bool in_place(const struct message_rr *rr)
{
	switch (rr->type) {
	case RR_RRSIG:
		return true;
	case RR_SOA:
	case RR_NS:
	case RR_DS:
	case RR_NSEC:
	case RR_NSEC3:
		return rr->section != 3;
	case RR_A:
	case RR_AAAA:
		return rr->section != 2;
	case RR_OPT:
		return rr->section == 3;
	default:
		return rr->section == 1;
	}
}

/* What is checked against: the query as a reader of messages sees it, not as the engine does. */
struct asked {
	bool whole;          /* every record of it could be read */
	bool in_class;       /* one question, of class IN, opcode QUERY */
	unsigned opts;
	bool dnssec_ok;      /* of the last OPT */
	uint16_t size;       /* likewise */
	uint16_t type;
	size_t question_len; /* 0: no single question, or one with a pointer in it */
};

static struct asked read_query(const uint8_t *data, size_t size)
{
	struct asked a = {.size = DNS_UDP_MIN};
	struct message_rr rr;
	struct message m;
	struct name name;
	uint16_t class;
	int got;

	if (message_open(data, size, &m) < 0)
		return a;
	for (unsigned i = m.header.qdcount; i; i--)
		if (message_question(&m, &name, &a.type, &class) < 0)
			return a;
	if (m.header.qdcount == 1) {
		a.question_len = size - reader_left(&m.r) - DNS_HEADER_LEN;
		a.question_len = a.question_len == (size_t)name.len + 4 ? a.question_len : 0;
		a.in_class = class == CLASS_IN && dns_opcode(m.header.flags) == OPCODE_QUERY;
	}
	while ((got = message_next(&m, &rr)) == 1) {
		if (rr.type != RR_OPT)
			continue;
		a.opts++;
		a.size = MAX(rr.rclass, (uint16_t)DNS_UDP_MIN);
		a.dnssec_ok = rr.ttl & 0x8000;
	}
	a.whole = got == 0;
	return a;
}

/* Is the record's owner in a zone all of whose sets are signed? */
static bool of_signed_zone(const struct name *owner)
{
	const struct known_zone *best = NULL;

	for (unsigned i = 0; i < known_count; i++)
		if (name_is_under(owner->wire, known[i].apex.wire) && (!best || known[i].apex.len > best->apex.len))
			best = &known[i];
	return best && best->is_signed;
}

/* Records of one answer; beyond SEEN_MAX nothing is asked about them together. */
enum { SEEN_MAX = 96 };
static struct message_rr seen[SEEN_MAX];

static bool has(unsigned count, const struct name *owner, uint16_t type, uint8_t section, uint16_t covers)
{
	for (unsigned i = 0; i < count; i++)
		if (seen[i].section == section && seen[i].type == type && (!owner || name_equal(seen[i].owner.wire, owner->wire)) &&
		    (type != RR_RRSIG || get_u16(seen[i].rdata) == covers))
			return true;
	return false;
}

/* A CNAME that a DNAME before it makes has no signature. */
static bool synthesized(unsigned at)
{
	for (unsigned i = 0; i < at; i++)
		if (seen[i].type == RR_DNAME && name_is_under(seen[at].owner.wire, seen[i].owner.wire))
			return true;
	return false;
}

/* Each set that a validator needs signed is followed by a signature; no record comes twice; no DNSSEC for who did not ask for it. */
static void judge_records(const struct asked *a, unsigned count, bool truncated)
{
	for (unsigned i = 0; i < count; i++) {
		const struct message_rr *rr = &seen[i];
		bool proof = rr->type == RR_RRSIG || rr->type == RR_NSEC || rr->type == RR_NSEC3;

		for (unsigned k = 0; k < i; k++)
			if (seen[k].type == rr->type && seen[k].rdlen == rr->rdlen && memcmp(seen[k].rdata, rr->rdata, rr->rdlen) == 0 &&
			    name_equal(seen[k].owner.wire, rr->owner.wire))
				abort();
		if (proof && a->whole && !a->dnssec_ok && a->type != RR_ANY && rr->type != a->type)
			abort();
		if (proof || truncated || rr->section == 3 || !a->dnssec_ok || a->type == RR_ANY || (rr->type == RR_NS && rr->section == 2) ||
		    !of_signed_zone(&rr->owner) || (rr->type == RR_CNAME && synthesized(i)))
			continue;
		if (!has(count, &rr->owner, RR_RRSIG, rr->section, rr->type))
			abort();
	}
}

/* RFC 2308: a denial has its SOA, and of a signed zone its proof. */
static void judge_denial(const struct asked *a, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (seen[i].type != RR_SOA || seen[i].section != 2)
			continue;
		if (a->dnssec_ok && of_signed_zone(&seen[i].owner) && !has(count, NULL, RR_NSEC, 2, 0) && !has(count, NULL, RR_NSEC3, 2, 0))
			abort();
		return;
	}
	abort();
}

struct counts {
	uint16_t flags, answer, authority;
};

static struct counts judge(const uint8_t *query, size_t size, const uint8_t *out, const struct engine_result *r, size_t limit, bool udp, bool slip)
{
	struct asked a = read_query(query, size);
	unsigned count = 0, opts = 0;
	struct message_rr rr;
	struct message m;
	struct name name;
	struct dns_header h;
	uint16_t type, class, rcode;
	int got;

	if (udp && a.whole)
		limit = MIN(limit, a.opts ? a.size : (size_t)DNS_UDP_MIN);
	if (r->len > limit || message_open(out, r->len, &m) < 0 || memcmp(query, out, 2) != 0)
		abort();
	h = m.header;
	rcode = h.flags & 15;
	if (!(h.flags & DNS_QR) || (h.flags & (DNS_RA | DNS_AD | 0x40)) || ((h.flags ^ get_u16(query + 2)) & (0x7800 | DNS_RD)))
		abort();
	if (h.qdcount > 1 || (a.question_len && h.qdcount == 1 && memcmp(query + DNS_HEADER_LEN, out + DNS_HEADER_LEN, a.question_len) != 0))
		abort();
	if (a.whole && a.question_len && dns_opcode(h.flags) == OPCODE_QUERY && h.qdcount == 0)
		abort();
	for (unsigned i = h.qdcount; i; i--)
		if (message_question(&m, &name, &type, &class) < 0)
			abort();
	while ((got = message_next(&m, &rr)) == 1) {
		if (!in_place(&rr))
			abort();
		if (rr.type == RR_OPT)
			opts++;
		else if (count < SEEN_MAX)
			seen[count++] = rr;
	}
	if (got < 0 || reader_left(&m.r))
		abort();
	if (opts > 1 || (opts && a.whole && !a.opts))
		abort();
	if (!udp && !slip && (h.flags & DNS_TC))
		abort(); /* no set of these zones is so large */
	if (rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN && rcode != RCODE_YXDOMAIN && (h.ancount || h.nscount))
		abort();
	if (count < SEEN_MAX) {
		judge_records(&a, count, h.flags & DNS_TC);
		if (a.in_class && !slip && !(h.flags & DNS_TC) && (h.flags & DNS_AA) &&
		    (rcode == RCODE_NXDOMAIN || (rcode == RCODE_NOERROR && !h.ancount)))
			judge_denial(&a, count);
	}
	return (struct counts){h.flags, h.ancount, h.nscount};
}

/* Through the cache: unknown to it, or put there by this question or an earlier one. */
static void compare_cached(const struct engine_config *conf, const struct store_snapshot *s, const struct engine_request *request,
                           const uint8_t *expected, size_t cap, const struct engine_result *want)
{
	static uint8_t out[DNS_MESSAGE_MAX];
	struct engine_result r;

	for (int i = 0; i < 2; i++) {
		engine_answer(conf, s, &with_cache, request, out, cap, &r);
		if (r.len != want->len || memcmp(out, expected, r.len) != 0 || r.kind != want->kind || r.zone != want->zone || r.keepable != want->keepable)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[DNS_MESSAGE_MAX];
	static const uint8_t agent[] = "\x05" "agent\x07" "example";
	static const struct cookie_secrets secrets = {.count = 2, .secret = {{1}, {2}}};
	/* The first two octets, which the query's ID makes free, choose how it is answered. */
	uint8_t how = size > 1 ? data[1] : 0;
	size_t udp_cap = size && data[0] & 1 ? DNS_UDP_MIN : 4096; /* an interface that takes no more */
	struct engine_config conf = {.identity = {.nsid = "fuzz", .version = "1"}, .udp_max = how & 1 ? DNS_UDP_MIN : DNS_UDP_DEFAULT,
	                             .any = how >> 1 & 3 ? (enum engine_any)((how >> 1 & 3) - 1) : ENGINE_ANY_ONE,
	                             .cookies = how & 8 ? &secrets : NULL, .cookies_required = how & 16, .report_agent = how & 32 ? agent : NULL};
	struct engine_request request = {.client = {.family = how & 64 ? 6 : 4}, .msg = data, .len = size, .now_s = 1700000000, .keepalive = 100};
	struct counts by[ENGINE_TLS + 1] = {{0}};
	struct store_snapshot s;
	struct engine_result r;

	if (!reader)
		set_up();
	if (last_any != conf.any)
		cache_clear(with_cache.cache);
	last_any = conf.any;
	store_pin(reader, &s);
	for (int transport = ENGINE_UDP; transport <= ENGINE_TLS; transport++) {
		bool udp = transport == ENGINE_UDP;
		size_t cap = udp ? udp_cap : sizeof(out), limit = udp ? MIN(conf.udp_max, udp_cap) : DNS_MESSAGE_MAX;

		request.transport = (enum engine_transport)transport;
		engine_answer(&conf, &s, &scratch, &request, out, cap, &r);
		compare_cached(&conf, &s, &request, out, cap, &r);
		if (!r.len)
			continue;
		by[transport] = judge(data, size, out, &r, limit, udp, false);
		engine_slip(&conf, &scratch, &request, out, cap, &r);
		judge(data, size, out, &r, limit, udp, true);
	}
	store_unpin(reader);
	/* What is whole over UDP is what TCP has. */
	if (!conf.cookies_required && !(by[0].flags & DNS_TC) && memcmp(&by[ENGINE_UDP], &by[ENGINE_TCP], sizeof(by[0])) != 0)
		abort();
	if (memcmp(&by[ENGINE_TCP], &by[ENGINE_TLS], sizeof(by[0])) != 0)
		abort();
	return 0;
}
