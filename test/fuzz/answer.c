/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole answer path: octets in, octets out, with a store of zones that have every construct. Whatever comes in, the answer parses, repeats the
 * question, and keeps within the size allowed. */
#include "answer/engine.h"
#include "base/diag.h"
#include "zone/content.h"
#include "zone/store.h"

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

static _Atomic uint64_t pin;
static struct store_reader *reader;
static struct engine_scratch scratch;

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

static void set_up(void)
{
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
	if (store_commit(w, &g) < 0)
		abort();
	store_writer_close(w);
	if (store_reader_open(path, &pin, &reader) < 0)
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

static void judge(const uint8_t *query, const uint8_t *out, const struct engine_result *r, size_t limit)
{
	struct message_rr rr;
	struct message m;
	struct name name;
	uint16_t type, class;
	int got;

	if (r->len > limit || message_open(out, r->len, &m) < 0 || memcmp(query, out, 2) != 0 || !(out[2] & 0x80))
		abort();
	for (unsigned i = m.header.qdcount; i; i--)
		if (message_question(&m, &name, &type, &class) < 0)
			abort();
	while ((got = message_next(&m, &rr)) == 1)
		if (!in_place(&rr))
			abort();
	if (got < 0 || reader_left(&m.r))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[DNS_MESSAGE_MAX];
	static const uint8_t agent[] = "\x05" "agent\x07" "example";
	static const struct cookie_secrets secrets = {.count = 2, .secret = {{1}, {2}}};
	/* The first two octets, which the query's ID makes free, choose how it is answered. */
	uint8_t how = size > 1 ? data[1] : 0;
	struct engine_config conf = {.identity = {.nsid = "fuzz", .version = "1"}, .udp_max = how & 1 ? DNS_UDP_MIN : DNS_UDP_DEFAULT,
	                             .any = how >> 1 & 3 ? (enum engine_any)((how >> 1 & 3) - 1) : ENGINE_ANY_ONE,
	                             .cookies = how & 8 ? &secrets : NULL, .cookies_required = how & 16, .report_agent = how & 32 ? agent : NULL};
	struct engine_request request = {.client = {.family = how & 64 ? 6 : 4}, .msg = data, .len = size, .now_s = 1700000000, .keepalive = 100};
	struct store_snapshot s;
	struct engine_result r;

	if (!reader)
		set_up();
	store_pin(reader, &s);
	for (int transport = ENGINE_UDP; transport <= ENGINE_TLS; transport++) {
		bool udp = transport == ENGINE_UDP;

		request.transport = (enum engine_transport)transport;
		engine_answer(&conf, &s, &scratch, &request, out, udp ? 4096 : sizeof(out), &r);
		if (!r.len)
			continue;
		judge(data, out, &r, udp ? conf.udp_max : DNS_MESSAGE_MAX);
		engine_slip(&conf, &scratch, &request, out, udp ? 4096 : sizeof(out), &r);
		judge(data, out, &r, udp ? conf.udp_max : DNS_MESSAGE_MAX);
	}
	store_unpin(reader);
	return 0;
}
