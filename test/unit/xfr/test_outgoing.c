/* SPDX-License-Identifier: BSD-2-Clause */
/* Transfers to a secondary: what goes out through xfr_out and in again through xfr_in is what was there; requests. */
#include "../zone/store_kit.h"
#include "base/err.h"
#include "dns/base64.h"
#include "message_kit.h"
#include "xfr/outgoing.h"
#include "xfr/pack.h"
#include "zone/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SOA(n) "@ SOA ns admin " #n " 3600 600 86400 60\n"

struct bed {
	char *folder;
	struct store_writer *w;
	struct store_snapshot s;
};

static void bed_open(struct bed *b)
{
	char path[512];
	struct store_open_info info;

	b->folder = kit_folder();
	snprintf(path, sizeof(path), "%s/store", b->folder);
	assert_int_equal(store_writer_open(path, NULL, 0, &b->w, &info), 0);
}

static const struct store_zone *bed_put(struct bed *b, const uint8_t *apex, const struct content *c)
{
	const struct store_zone *z;
	uint64_t generation;

	assert_int_equal(kit_put(b->w, apex, c), 0);
	assert_int_equal(store_commit(b->w, &generation), 0);
	store_writer_snapshot(b->w, &b->s);
	z = store_zone_get(&b->s, apex);
	assert_non_null(z);
	return z;
}

static void bed_close(struct bed *b)
{
	store_writer_close(b->w);
	kit_folder_free(b->folder);
}

static char *whole_text(const struct content *c)
{
	char *chars = NULL;
	size_t len;
	FILE *f = open_memstream(&chars, &len);

	assert_int_equal(zone_print(c, f), 0);
	fclose(f);
	return chars;
}

static struct xfr_out_settings asked(enum xfr_kind kind, const uint8_t *apex, uint32_t serial)
{
	struct xfr_out_settings o = {.request = {.id = 7, .kind = kind, .serial = serial, .udp_size = 512}};

	name_copy(&o.request.apex, apex);
	return o;
}

/* Messages of at most cap octets from x to in; the last step. */
static enum xfr_in_step pump(struct xfr_out *x, struct xfr_in *in, size_t cap, unsigned *messages)
{
	enum xfr_in_step step = XFR_IN_MORE;
	uint8_t *buf = malloc(cap);
	struct writer w = writer_of(buf, cap);
	int more;

	*messages = 0;
	while ((more = xfr_out_next(x, &w)) == 1) {
		uint8_t *exact = malloc(w.pos); /* its own block: a sanitizer sees its end */

		assert_true(w.pos <= cap);
		assert_int_equal(step, XFR_IN_MORE);
		memcpy(exact, buf, w.pos);
		step = xfr_in_feed(in, exact, w.pos);
		free(exact);
		w = writer_of(buf, cap);
		(*messages)++;
	}
	assert_int_equal(more, 0);
	assert_int_equal(w.pos, 0);
	free(buf);
	return step;
}

static struct xfr_in *new_in(enum xfr_kind kind, const uint8_t *apex, int64_t serial)
{
	struct xfr_in_settings set = {.apex = apex, .id = 7, .kind = kind, .has_serial = serial >= 0, .serial = (uint32_t)MAX(serial, (int64_t)0)};
	struct xfr_in *in = NULL;

	assert_int_equal(xfr_in_new(&set, &in), 0);
	return in;
}

/* Out of the store and in again: the same zone, to the letter. */
static void round_trip(const struct content *c, const uint8_t *apex, size_t cap)
{
	struct xfr_out_settings set = asked(XFR_AXFR, apex, 0);
	struct xfr_in *in = new_in(XFR_AXFR, apex, -1);
	struct content *got;
	struct xfr_out *x = NULL;
	struct xfr_out_facts f;
	char *before, *after;
	unsigned messages;
	struct bed b;

	bed_open(&b);
	assert_int_equal(xfr_out_zone(&set, &b.s, bed_put(&b, apex, c), &x), 0);
	if (pump(x, in, cap, &messages) != XFR_IN_WHOLE)
		fail_msg("%s", xfr_in_error(in));
	xfr_out_facts(x, &f);
	assert_int_equal(f.messages, messages);
	assert_int_equal(f.records, content_record_count(c) + 1);
	got = xfr_in_take_content(in);
	assert_int_equal(content_finish(got), 0);
	before = whole_text(c);
	after = whole_text(got);
	assert_string_equal(before, after);
	free(before);
	free(after);
	content_free(got);
	xfr_out_free(x);
	xfr_in_free(in);
	bed_close(&b);
}

/* Records of any owner, with names inside and octets of any value. */
static struct content *random_zone(struct rng *r, const uint8_t *apex, unsigned records)
{
	static const uint16_t types[] = {RR_NS, RR_MX, RR_TXT, RR_AAAA, RR_SRV, 65280, RR_PTR};
	struct content *c = content_new(apex);
	struct name owner, target;

	name_copy(&owner, apex);
	kit_add_soa(c, apex, 1);
	for (unsigned i = 0; i < records; i++) {
		uint16_t type = types[rng_below(r, ARRAY_LEN(types))];
		uint8_t rdata[600];
		struct writer w = writer_of(rdata, sizeof(rdata));

		while (rng_below(r, 3) && !kit_random_name(r, apex, &owner))
			;
		while (!kit_random_name(r, rng_below(r, 2) ? apex : owner.wire, &target))
			;
		for (unsigned k = type == RR_MX ? 2 : type == RR_SRV ? 6 : type == RR_AAAA ? 16 : 0; k > 0; k--)
			writer_u8(&w, (uint8_t)rng_next(r));
		if (type == RR_TXT || type == 65280) {
			unsigned len = rng_below(r, 256);

			writer_u8(&w, (uint8_t)len);
			for (; len > 0; len--)
				writer_u8(&w, (uint8_t)rng_next(r));
		} else if (type != RR_AAAA) {
			writer_bytes(&w, target.wire, target.len);
		}
		kit_add(c, owner.wire, type, rdata, w.pos);
	}
	assert_int_equal(content_finish(c), 0);
	return c;
}

static void zones_at_random(void **state)
{
	static const char *const apexes[] = {"example.", ".", "a.very.deep.zone.with.MixedCase.example."};
	struct rng r = {.s = 1};

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		struct name apex = kit_name(apexes[i % 3]);
		struct content *c = random_zone(&r, apex.wire, i < 3 ? 5000 : 1 + i * 7);

		round_trip(c, apex.wire, i % 4 ? 1000 + 500 * i : 65535);
		content_free(c);
	}
}

/* What the order of the store's trees does to the order of records; names that differ in case only. */
static void zones_written(void **state)
{
	static const char *const texts[] = {
	        SOA(1),
	        SOA(1) "@ NS ns\n@ RRSIG SOA 8 1 60 20300101000000 20200101000000 1 @ AAAA\n@ RRSIG ZONEMD 8 1 60 20300101000000 20200101000000 1 @ AAAB\n",
	        SOA(1) "@ NS ns\nns A 192.0.2.1\nsub NS ns.sub\nns.sub A 192.0.2.2\ndeep.er.sub TXT occluded\nd DNAME other.\nx.d A 192.0.2.3\n",
	        SOA(1) "WWW A 192.0.2.1\nwww.A MX 10 Www\na.a MX 10 wwW\nB.A MX 20 b.a\nb.a.a CNAME B.A.Example.\n*.w TXT a b c\n",
	        SOA(1) "@ NSEC3PARAM 1 0 0 -\n@ NS ns\n"
	               "1234567890123456789012345678901V NSEC3 1 0 0 - 1234567890123456789012345678902V NS SOA\n"
	               "1234567890123456789012345678901V RRSIG NSEC3 8 2 60 20300101000000 20200101000000 1 @ AAAA\n"
	               "1234567890123456789012345678901V TXT shared\nzz A 192.0.2.1\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct content *c = kit_content(texts[i]);

		round_trip(c, kit_apex, 65535);
		round_trip(c, kit_apex, 300);
		content_free(c);
	}
}

/* A record that fits no message ends the transfer; the largest that does is sent. */
static void large_records(void **state)
{
	static uint8_t rdata[65535], buf[65535];
	static const struct {
		size_t len;
		int last; /* of xfr_out_next() */
	} cases[] = {{65535 - 12 - 12, 0}, {65535 - 12 - 11, ERR_LIMIT}, {65535, ERR_LIMIT}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct xfr_out_settings set = asked(XFR_AXFR, (const uint8_t *)"", 0);
		struct content *c = content_new((const uint8_t *)"");
		struct xfr_out *x = NULL;
		struct writer w;
		struct bed b;
		int more;

		kit_add_soa(c, (const uint8_t *)"", 1);
		kit_add(c, (const uint8_t *)"\001a", 65280, rdata, cases[i].len - (i < 2 ? 1 : 0));
		assert_int_equal(content_finish(c), 0);
		bed_open(&b);
		assert_int_equal(xfr_out_zone(&set, &b.s, bed_put(&b, (const uint8_t *)"", c), &x), 0);
		/* The SOA goes alone, and the record asks for more room first. */
		w = writer_of(buf, 300);
		assert_int_equal(xfr_out_next(x, &w), 1);
		assert_int_equal(get_u16(buf + 6), 1);
		for (unsigned k = 0; k < 2; k++) {
			w = writer_of(buf, 300 + k * 16384);
			assert_int_equal(xfr_out_next(x, &w), ERR_LIMIT);
			assert_int_equal(w.pos, 0);
		}
		do {
			w = writer_of(buf, sizeof(buf));
			more = xfr_out_next(x, &w);
		} while (more == 1);
		assert_int_equal(more, cases[i].last);
		xfr_out_free(x);
		bed_close(&b);
		content_free(c);
	}
}

/* The differences of `text`, which is a transfer that xfr_in reads. */
static struct xfr_in *differences(const char *text, uint32_t serial)
{
	struct xfr_in *in = new_in(XFR_IXFR, kit_apex, serial);
	uint8_t *buf = malloc(65535);
	size_t len = kit_message(text, RR_IXFR, buf);

	if (xfr_in_feed(in, buf, len) != XFR_IN_DIFFERENCES)
		fail_msg("%s", xfr_in_error(in));
	free(buf);
	return in;
}

static void differences_sent(void **state)
{
	static const char text[] = SOA(9) SOA(4) "a A 192.0.2.1\nb A 192.0.2.1\n" SOA(6) "c MX 10 a\n" SOA(6) SOA(9) "d MX 10 a.b.c.d\n" SOA(9);
	struct xfr_in *made = differences(text, 4);
	const struct xfr_differences *d = xfr_in_differences(made);
	struct text before, after;

	(void)state;
	text_init(&before);
	kit_print_differences(&before, d);
	for (size_t cap = 90; cap < 700; cap += 13) {
		struct xfr_out_settings set = asked(XFR_IXFR, kit_apex, 4);
		struct xfr_in *in = new_in(XFR_IXFR, kit_apex, 4);
		struct xfr_out *x = NULL;
		unsigned messages;

		assert_int_equal(xfr_out_differences(&set, &d->list[1].added[0], d->list, d->count, &x), 0);
		assert_int_equal(pump(x, in, cap, &messages), XFR_IN_DIFFERENCES);
		assert_true(messages > 1 || cap > 300);
		text_init(&after);
		kit_print_differences(&after, xfr_in_differences(in));
		assert_string_equal(before.chars, after.chars);
		text_done(&after);
		xfr_out_free(x);
		xfr_in_free(in);
	}
	text_done(&before);
	xfr_in_free(made);
}

/* RFC 1995 2 and 4: up to date; too large for a datagram; lists that do not join. */
static void differences_special(void **state)
{
	static const char text[] = SOA(9) SOA(4) "a A 192.0.2.1\nb A 192.0.2.1\n" SOA(6) "c MX 10 a\n" SOA(6) SOA(9) "d MX 10 a.b.c.d\n" SOA(9);
	struct xfr_in *made = differences(text, 4);
	const struct xfr_differences *d = xfr_in_differences(made);
	const struct rr *newest = &d->list[1].added[0];
	struct xfr_difference swapped[2] = {d->list[1], d->list[0]};
	static const struct {
		const char *name;
		uint32_t serial;
		size_t from, count, cap;
		bool udp, is_swapped;
		int err;
		enum xfr_in_step step;
		unsigned messages;
	} cases[] = {
	        {"up to date", 9, 0, 0, 512, true, false, 0, XFR_IN_CURRENT, 1},
	        {"up to date, over TCP", 9, 0, 0, 512, false, false, 0, XFR_IN_CURRENT, 1},
	        {"fits", 4, 0, 2, 512, true, false, 0, XFR_IN_DIFFERENCES, 1},
	        {"does not fit", 4, 0, 2, 200, true, false, 0, XFR_IN_USE_TCP, 1},
	        {"does not fit by one octet", 4, 0, 2, 0, true, false, 0, XFR_IN_USE_TCP, 1},
	        {"no space for the SOA", 4, 0, 2, 60, true, false, ERR_LIMIT, XFR_IN_MORE, 0},
	        {"from the second on", 6, 1, 1, 512, true, false, 0, XFR_IN_DIFFERENCES, 1},
	        {"of another serial", 5, 0, 2, 512, true, false, ERR_INVALID, XFR_IN_MORE, 0},
	        {"the last one missing", 4, 0, 1, 512, true, false, ERR_INVALID, XFR_IN_MORE, 0},
	        {"in the wrong order", 4, 0, 2, 512, true, true, ERR_INVALID, XFR_IN_MORE, 0},
	};
	size_t whole = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct xfr_out_settings set = asked(XFR_IXFR, kit_apex, cases[i].serial);
		struct xfr_in_settings in_set = {.apex = kit_apex, .id = 7, .kind = XFR_IXFR, .udp = cases[i].udp, .has_serial = true,
		                                 .serial = cases[i].serial};
		const struct xfr_difference *list = cases[i].is_swapped ? swapped : d->list + cases[i].from;
		struct xfr_in *in = NULL;
		struct xfr_out *x = NULL;
		struct xfr_out_facts f;
		unsigned messages;
		int err;

		set.udp = cases[i].udp;
		err = xfr_out_differences(&set, newest, list, cases[i].count, &x);
		if (cases[i].err == ERR_LIMIT) {
			uint8_t buf[60];
			struct writer w = writer_of(buf, cases[i].cap);

			assert_int_equal(xfr_out_next(x, &w), ERR_LIMIT);
			xfr_out_free(x);
			continue;
		}
		if (err != cases[i].err)
			fail_msg("%s: %d", cases[i].name, err);
		if (err)
			continue;
		assert_int_equal(xfr_in_new(&in_set, &in), 0);
		if (pump(x, in, cases[i].cap ? cases[i].cap : whole - 1, &messages) != cases[i].step)
			fail_msg("%s: %s", cases[i].name, xfr_in_error(in));
		assert_int_equal(messages, cases[i].messages);
		xfr_out_facts(x, &f);
		if (cases[i].step == XFR_IN_DIFFERENCES && cases[i].count == 2)
			whole = f.octets;
		xfr_out_free(x);
		xfr_in_free(in);
	}
	xfr_in_free(made);
}

static void no_data(void **state)
{
	struct xfr_out_settings set = asked(XFR_AXFR, kit_apex, 0);
	struct xfr_out *x = NULL;
	struct bed b;

	(void)state;
	bed_open(&b);
	assert_int_equal(xfr_out_zone(&set, &b.s, bed_put(&b, kit_apex, NULL), &x), ERR_INVALID);
	assert_null(x);
	xfr_out_free(NULL);
	bed_close(&b);
}

/* EDNS comes back in the first message only, with EXPIRE when it was asked for; the question only there, in the client's case. */
static void first_message(void **state)
{
	static const uint8_t shouted[] = "\x07" "EXAMPLE";
	struct content *c = kit_content(SOA(1) "@ NS ns\na A 192.0.2.1\n");
	struct xfr_out_settings set = asked(XFR_AXFR, shouted, 0);
	const struct store_zone *z;
	struct bed b;

	(void)state;
	bed_open(&b);
	z = bed_put(&b, kit_apex, c);
	set.has_expire = true;
	set.expire_s = 4711;
	for (unsigned edns = 0; edns < 3; edns++) {
		struct xfr_in *in = new_in(XFR_AXFR, kit_apex, -1);
		struct xfr_in_facts f;
		struct xfr_out *x = NULL;
		uint8_t buf[120];
		struct writer w = writer_of(buf, sizeof(buf));
		struct message m;

		set.request.has_edns = edns > 0;
		set.request.want_expire = edns > 1;
		set.request.recursion_desired = edns > 1;
		assert_int_equal(xfr_out_zone(&set, &b.s, z, &x), 0);
		assert_int_equal(xfr_out_next(x, &w), 1);
		assert_int_equal(message_open(buf, w.pos, &m), 0);
		assert_int_equal(m.header.qdcount, 1);
		assert_int_equal(m.header.arcount, edns > 0);
		assert_int_equal(m.header.flags, DNS_QR | DNS_AA | (edns > 1 ? DNS_RD : 0));
		assert_memory_equal(buf + 12, shouted, sizeof(shouted));
		assert_int_equal(xfr_in_feed(in, buf, w.pos), XFR_IN_MORE);
		xfr_in_facts(in, &f);
		assert_int_equal(f.has_expire, edns > 1);
		assert_int_equal(f.expire_s, edns > 1 ? 4711 : 0);
		w = writer_of(buf, sizeof(buf));
		assert_int_equal(xfr_out_next(x, &w), 1);
		assert_int_equal(message_open(buf, w.pos, &m), 0);
		assert_int_equal(m.header.qdcount, 0);
		assert_int_equal(m.header.arcount, 0);
		xfr_out_free(x);
		xfr_in_free(in);
	}
	bed_close(&b);
	content_free(c);
}

/* ---- requests ---- */

static void requests_round_trip(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		struct xfr_request r = {.id = 77, .kind = i & 1 ? XFR_IXFR : XFR_AXFR, .serial = i & 1 ? 4000000000 : 0, .has_edns = (i & 2) != 0,
		                        .want_expire = (i & 6) == 6, .udp_size = i & 2 ? DNS_UDP_DEFAULT : 512},
		                   got;
		static const uint8_t soa[] = "\2ns\300\14\5admin\300\14\356\153\50\0\0\0\16\20\0\0\2\130\0\1\121\200\0\0\0";
		bool with_soa = (i & 9) == 9;
		uint8_t buf[512];
		struct writer w = writer_of(buf, sizeof(buf));

		name_copy(&r.apex, kit_apex);
		assert_int_equal(xfr_request_build(&r, with_soa ? soa : NULL, sizeof(soa), &w), 0);
		assert_int_equal(xfr_request_parse(buf, w.pos, &got), QUERY_OK);
		assert_int_equal(got.id, r.id);
		assert_int_equal(got.kind, r.kind);
		assert_int_equal(got.serial, r.serial);
		assert_int_equal(got.has_edns, r.has_edns);
		assert_int_equal(got.want_expire, r.want_expire);
		assert_int_equal(got.udp_size, r.udp_size);
		assert_true(name_equal(got.apex.wire, r.apex.wire));
		for (size_t cap = 0; cap < w.pos; cap++) {
			struct writer small = writer_of(buf, cap);

			assert_int_equal(xfr_request_build(&r, with_soa ? soa : NULL, sizeof(soa), &small), ERR_NO_SPACE);
			assert_int_equal(small.pos, 0);
		}
	}
}

static const struct {
	const char *name;
	const char *hex;
	enum query_verdict verdict;
} request_cases[] = {
        {"AXFR", "00070000000100000000000007" "6578616d706c6500" "00fc0001", QUERY_OK},
        {"IXFR without an SOA", "00070000000100000000000007" "6578616d706c6500" "00fb0001", QUERY_FORMERR},
        {"IXFR", "00070000000100000001000007" "6578616d706c6500" "00fb0001" "c00c00060001000000000016" "0000" "00000004" "00000000000000000000000000000000",
         QUERY_OK},
        {"IXFR with an SOA of another zone",
         "00070000000100000001000007" "6578616d706c6500" "00fb0001" "0000060001000000000016" "0000" "00000004" "00000000000000000000000000000000", QUERY_FORMERR},
        {"IXFR with an SOA too short", "00070000000100000001000007" "6578616d706c6500" "00fb0001" "c00c00060001000000000015" "0000" "00000004" "000000000000000000000000000000",
         QUERY_FORMERR},
        {"IXFR with an A", "00070000000100000001000007" "6578616d706c6500" "00fb0001" "c00c00010001000000000004" "c0000201", QUERY_FORMERR},
        {"IXFR with two SOAs",
         "00070000000100000002000007" "6578616d706c6500" "00fb0001" "c00c00060001000000000016" "0000" "00000004" "00000000000000000000000000000000"
         "c00c00060001000000000016" "0000" "00000004" "00000000000000000000000000000000",
         QUERY_FORMERR},
        {"SOA", "00070000000100000000000007" "6578616d706c6500" "00060001", QUERY_NO_QUESTION},
        {"AXFR of class CH", "00070000000100000000000007" "6578616d706c6500" "00fc0003", QUERY_NO_QUESTION},
        {"a response", "00078000000100000000000007" "6578616d706c6500" "00fc0001", QUERY_DROP},
        {"no header", "0007", QUERY_DROP},
        {"trailing octets", "00070000000100000000000007" "6578616d706c6500" "00fc000100", QUERY_FORMERR},
};

static void requests_parsed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(request_cases) / sizeof(request_cases[0]); i++) {
		uint8_t buf[512];
		struct writer w = writer_of(buf, sizeof(buf));
		struct xfr_request r;
		enum query_verdict v;

		assert_int_equal(hex_get(request_cases[i].hex, strlen(request_cases[i].hex), &w), 0);
		v = xfr_request_parse(buf, w.pos, &r);
		if (v != request_cases[i].verdict)
			fail_msg("%s: %d", request_cases[i].name, v);
		if (v == QUERY_OK && r.kind == XFR_IXFR)
			assert_int_equal(r.serial, 4);
	}
}

static void refusals(void **state)
{
	struct xfr_request r = {.id = 7, .kind = XFR_IXFR, .recursion_desired = true};
	uint8_t buf[512];
	struct message m;

	(void)state;
	name_copy(&r.apex, kit_apex);
	for (unsigned edns = 0; edns < 2; edns++) {
		struct writer w = writer_of(buf, sizeof(buf));
		struct xfr_in *in = new_in(XFR_IXFR, kit_apex, 4);

		r.has_edns = edns;
		assert_int_equal(xfr_request_refuse(&r, edns ? RCODE_BADCOOKIE : RCODE_REFUSED, &w), 0);
		assert_int_equal(message_open(buf, w.pos, &m), 0);
		assert_int_equal(m.header.id, 7);
		assert_int_equal(m.header.arcount, edns);
		assert_int_equal(xfr_in_feed(in, buf, w.pos), XFR_IN_USE_AXFR);
		assert_int_equal(xfr_in_cause(in), XFR_RCODE);
		assert_int_equal(xfr_in_rcode(in), edns ? RCODE_BADCOOKIE : RCODE_REFUSED);
		xfr_in_free(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(zones_at_random),     cmocka_unit_test(zones_written),  cmocka_unit_test(large_records),
	        cmocka_unit_test(differences_sent),    cmocka_unit_test(differences_special), cmocka_unit_test(no_data),
	        cmocka_unit_test(first_message),       cmocka_unit_test(requests_round_trip), cmocka_unit_test(requests_parsed),
	        cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
