/* SPDX-License-Identifier: BSD-2-Clause */
/* The codec: what is built, octet by octet; what is read, with each error's NOTIFICATION; every truncation of every valid message. */
#include "bgp/msg.h"
#include "bgp/notify.h"
#include "bgp/update.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../unhex.h"

#define MARKER "ffffffffffffffffffffffffffffffff"

static void expect_hex(const char *name, const uint8_t *got, size_t len, const char *hex)
{
	uint8_t want[BGP_MESSAGE_MAX];
	size_t n = unhex(hex, want);

	if (n != len || memcmp(got, want, n) != 0) {
		fprintf(stderr, "%s: got ", name);
		for (size_t i = 0; i < len; i++)
			fprintf(stderr, "%02x", got[i]);
		fprintf(stderr, "\n");
		fail_msg("%s: other octets than expected", name);
	}
}

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

/* --- framing --- */

static void frame_table(void **state)
{
	static const struct {
		const char *name, *hex;
		enum bgp_verdict verdict;
		uint8_t code, subcode;
		const char *data;
		enum bgp_type type;
	} cases[] = {
	    {"nothing", "", BGP_MORE, 0, 0, "", 0},
	    {"keepalive", MARKER "001304", BGP_FINE, 0, 0, "", BGP_KEEPALIVE},
	    {"keepalive and more", MARKER "001304" MARKER, BGP_FINE, 0, 0, "", BGP_KEEPALIVE},
	    {"first octet wrong", "00", BGP_BAD, 1, 1, "", 0},
	    {"an HTTP answer", "485454502f312e3120", BGP_BAD, 1, 1, "", 0},
	    {"last marker octet wrong", "fffffffffffffffffffffffffffffffe", BGP_BAD, 1, 1, "", 0},
	    {"marker only", MARKER, BGP_MORE, 0, 0, "", 0},
	    {"length 18", MARKER "001204", BGP_BAD, 1, 2, "0012", 0},
	    {"length 0", MARKER "000004", BGP_BAD, 1, 2, "0000", 0},
	    {"length 4097", MARKER "100102", BGP_BAD, 1, 2, "1001", 0},
	    {"length 4096, to come", MARKER "100002", BGP_MORE, 0, 0, "", 0},
	    {"keepalive with a body", MARKER "001404", BGP_BAD, 1, 2, "0014", 0},
	    {"open too short", MARKER "001c01", BGP_BAD, 1, 2, "001c", 0},
	    {"update too short", MARKER "001602", BGP_BAD, 1, 2, "0016", 0},
	    {"notification too short", MARKER "001403", BGP_BAD, 1, 2, "0014", 0},
	    {"refresh too short", MARKER "001605", BGP_BAD, 1, 2, "0016", 0},
	    {"refresh too long", MARKER "001805", BGP_BAD, 1, 2, "0018", 0},
	    {"type 0", MARKER "001300", BGP_BAD, 1, 3, "00", 0},
	    {"type 6", MARKER "001306", BGP_BAD, 1, 3, "06", 0},
	    {"type 128", MARKER "001780", BGP_BAD, 1, 3, "80", 0},
	    {"end of rib", MARKER "00170200000000", BGP_FINE, 0, 0, "", BGP_UPDATE},
	    {"update of nonsense is not our business", MARKER "001702ffffffff", BGP_FINE, 0, 0, "", BGP_UPDATE},
	    {"notification", MARKER "0015030602", BGP_FINE, 0, 0, "", BGP_NOTIFICATION},
	    {"refresh", MARKER "00170500010001", BGP_FINE, 0, 0, "", BGP_ROUTE_REFRESH},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t bytes[BGP_MESSAGE_MAX];
		size_t n = unhex(cases[i].hex, bytes);
		struct bgp_frame f = {0};
		struct bgp_notify bad = {0};
		enum bgp_verdict v = bgp_frame_parse(bytes, n, &f, &bad);

		if (v != cases[i].verdict || bad.code != cases[i].code || bad.subcode != cases[i].subcode)
			fail_msg("%s: verdict %d, %u/%u", cases[i].name, v, bad.code, bad.subcode);
		expect_hex(cases[i].name, bad.data, bad.data_len, cases[i].data);
		if (v == BGP_FINE)
			assert_int_equal(f.type, cases[i].type);
	}
}

/* --- OPEN --- */

/* Body after the header: version, AS, hold, id, parameters. */
static enum bgp_verdict parse_open(const char *hex, struct bgp_open *o, struct bgp_notify *bad)
{
	uint8_t bytes[BGP_MESSAGE_MAX];
	size_t n;
	struct bgp_frame f;
	enum bgp_verdict v;

	memset(bytes, 0xff, 16);
	n = BGP_HEADER_LEN + unhex(hex, bytes + BGP_HEADER_LEN);
	put_u16(bytes + 16, (uint16_t)n);
	bytes[18] = BGP_OPEN;
	v = bgp_frame_parse(bytes, n, &f, bad);
	return v == BGP_FINE ? bgp_open_parse(&f, o, bad) : v;
}

static void open_table(void **state)
{
	/* AS 64601, hold 90, id 10.9.0.1 unless said otherwise. */
#define FIXED "04fc59005a0a090001"
	static const struct {
		const char *name, *hex;
		enum bgp_verdict verdict;
		uint8_t code, subcode;
		struct bgp_open open;
	} cases[] = {
	    {"no parameters: IPv4, old AS", FIXED "00", BGP_FINE, 0, 0, {64601, 90, 0x0a090001, 1, false, false, false, 0, false}},
	    {"one parameter, all capabilities", FIXED "16 0214 010400010001 010400020001 0200 4104fa56ea35", BGP_FINE, 0, 0,
	     {4200000053, 90, 0x0a090001, 3, true, true, false, 0, false}},
	    {"a parameter for each", FIXED "1c 0206010400010001 0206010400020001 02020200 02064104fa56ea35", BGP_FINE, 0, 0,
	     {4200000053, 90, 0x0a090001, 3, true, true, false, 0, false}},
	    {"unknown capabilities, GR, ADD-PATH, FQDN", FIXED "1a 0218 4002c078 450400010103 4902 0161 0600 4700 4104fa56ea35", BGP_FINE, 0, 0,
	     {4200000053, 90, 0x0a090001, 1, true, false, false, 0, false}},
	    {"RFC 9072", FIXED "ff ff0017 020014 010400010001 010400020001 0200 4104fa56ea35", BGP_FINE, 0, 0,
	     {4200000053, 90, 0x0a090001, 3, true, true, false, 0, false}},
	    {"RFC 9072 with a small first length", FIXED "01 ff0003 020000", BGP_FINE, 0, 0, {64601, 90, 0x0a090001, 1, false, false, false, 0, false}},
	    {"only IPv6", FIXED "08 0206010400020001", BGP_FINE, 0, 0, {64601, 90, 0x0a090001, 2, false, false, false, 0, false}},
	    {"only VPNv4: no family of ours", FIXED "08 0206010400010080", BGP_FINE, 0, 0, {64601, 90, 0x0a090001, 0, false, false, false, 0, false}},
	    {"role provider, twice", FIXED "08 0206090100090100", BGP_FINE, 0, 0, {64601, 90, 0x0a090001, 1, false, false, true, 0, false}},
	    {"extended next hops, others among them", FIXED "16 0214 0512 000100020002 000100010002 000200010002", BGP_FINE, 0, 0,
	     {64601, 90, 0x0a090001, 1, false, false, false, 0, true}},
	    {"extended next hops, not of IPv4 unicast by IPv6", FIXED "10 020e 050c 000100800002 000100010001", BGP_FINE, 0, 0,
	     {64601, 90, 0x0a090001, 1, false, false, false, 0, false}},
	    {"extended next hops, none", FIXED "04 0202 0500", BGP_FINE, 0, 0, {64601, 90, 0x0a090001, 1, false, false, false, 0, false}},
	    {"extended next hop of 5", FIXED "09 0207 05050001000100", BGP_BAD, 2, 0, {0}},
	    {"extended next hop of 7", FIXED "0b 0209 050700010001000200", BGP_BAD, 2, 0, {0}},
	    {"hold 0", "04fc5900000a09000100", BGP_FINE, 0, 0, {64601, 0, 0x0a090001, 1, false, false, false, 0, false}},
	    {"hold 3", "04fc5900030a09000100", BGP_FINE, 0, 0, {64601, 3, 0x0a090001, 1, false, false, false, 0, false}},
	    {"hold 1", "04fc5900010a09000100", BGP_BAD, 2, 6, {0}},
	    {"hold 2", "04fc5900020a09000100", BGP_BAD, 2, 6, {0}},
	    {"version 3", "03fc59005a0a09000100", BGP_BAD, 2, 1, {0}},
	    {"version 5", "05fc59005a0a09000100", BGP_BAD, 2, 1, {0}},
	    {"AS 0", "040000005a0a09000100", BGP_BAD, 2, 2, {0}},
	    {"AS 0 in the capability", FIXED "08 0206410400000000", BGP_BAD, 2, 2, {0}},
	    {"id 0", "04fc59005a0000000000", BGP_BAD, 2, 3, {0}},
	    {"parameter 1", FIXED "03 010100", BGP_BAD, 2, 4, {0}},
	    {"parameters longer than the message", FIXED "05 0200", BGP_BAD, 2, 0, {0}},
	    {"parameters shorter than the message", FIXED "00 0200", BGP_BAD, 2, 0, {0}},
	    {"parameter beyond the end", FIXED "02 0205", BGP_BAD, 2, 0, {0}},
	    {"parameter without length", FIXED "01 02", BGP_BAD, 2, 0, {0}},
	    {"capability beyond the end", FIXED "04 0202 0104", BGP_BAD, 2, 0, {0}},
	    {"capability without length", FIXED "03 0201 02", BGP_BAD, 2, 0, {0}},
	    {"multiprotocol of 3", FIXED "07 0205 0103000100", BGP_BAD, 2, 0, {0}},
	    {"multiprotocol of 5", FIXED "09 0207 01050001000100", BGP_BAD, 2, 0, {0}},
	    {"AS4 of 2", FIXED "06 0204 4102fc59", BGP_BAD, 2, 0, {0}},
	    {"refresh with a value", FIXED "05 0203 020100", BGP_BAD, 2, 0, {0}},
	    {"role of 0", FIXED "04 0202 0900", BGP_BAD, 2, 0, {0}},
	    {"two different roles", FIXED "08 0206 090100 090103", BGP_BAD, 2, 11, {0}},
	    {"RFC 9072 cut", FIXED "ff ff", BGP_BAD, 2, 0, {0}},
	    {"RFC 9072 length wrong", FIXED "ff ff0004 020000", BGP_BAD, 2, 0, {0}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct bgp_open *w = &cases[i].open;
		struct bgp_notify bad = {0};
		struct bgp_open o = {0};
		enum bgp_verdict v = parse_open(cases[i].hex, &o, &bad);

		if (v != cases[i].verdict || (v == BGP_BAD && (bad.code != cases[i].code || bad.subcode != cases[i].subcode)))
			fail_msg("%s: verdict %d, %u/%u", cases[i].name, v, bad.code, bad.subcode);
		if (v == BGP_BAD && bad.subcode == 1)
			expect_hex(cases[i].name, bad.data, bad.data_len, "0004");
		if (v == BGP_FINE && (o.as != w->as || o.hold_s != w->hold_s || o.id != w->id || o.families != w->families ||
		                      o.as4 != w->as4 || o.route_refresh != w->route_refresh || o.has_role != w->has_role ||
		                      o.role != w->role || o.extended_next_hop != w->extended_next_hop))
			fail_msg("%s: read wrong: as %u hold %u families %u as4 %d refresh %d role %d", cases[i].name, o.as,
			         o.hold_s, o.families, o.as4, o.route_refresh, o.has_role);
	}
}

static void open_written(void **state)
{
	static const struct {
		const char *name;
		struct bgp_open open;
		const char *hex;
	} cases[] = {
	    {"both families",
	     {4200000053, 90, 0x0a090002, 3, true, true, false, 0, false},
	     MARKER "003301 04 5ba0 005a 0a090002 16 0214 010400010001 010400020001 0200 4104fa56ea35"},
	    {"IPv4, small AS, role customer",
	     {64500, 0, 0x01020304, 1, true, true, true, BGP_ROLE_CUSTOMER, false},
	     MARKER "003001 04 fbf4 0000 01020304 13 0211 010400010001 0200 090103 41040000fbf4"},
	    {"extended next hop",
	     {64500, 0, 0x01020304, 3, true, true, false, 0, true},
	     MARKER "003b01 04 fbf4 0000 01020304 1e 021c 010400010001 010400020001 0200 0506000100010002 41040000fbf4"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t bytes[BGP_MESSAGE_MAX];
		struct writer w = writer_of(bytes, sizeof(bytes));
		struct bgp_open back = {0};
		struct bgp_notify bad;
		struct bgp_frame f;

		bgp_open_write(&w, &cases[i].open);
		assert_true(writer_ok(&w));
		expect_hex(cases[i].name, bytes, w.pos, cases[i].hex);
		assert_int_equal(bgp_frame_parse(bytes, w.pos, &f, &bad), BGP_FINE);
		assert_int_equal(bgp_open_parse(&f, &back, &bad), BGP_FINE);
		assert_int_equal(back.as, cases[i].open.as);
		assert_int_equal(back.families, cases[i].open.families);
		assert_int_equal(back.has_role, cases[i].open.has_role);
		assert_int_equal(back.role, cases[i].open.role);
		assert_int_equal(back.extended_next_hop, cases[i].open.extended_next_hop);
	}
}

/* The capabilities that must never be there: with graceful restart a dead node's route outlives it by minutes. */
static void open_offers_no_graceful_restart(void **state)
{
	(void)state;
	for (unsigned families = 1; families <= 3; families++) {
		uint8_t bytes[BGP_MESSAGE_MAX];
		struct writer w = writer_of(bytes, sizeof(bytes));
		struct bgp_open o = {64500, 90, 1, (uint8_t)families, true, true, true, BGP_ROLE_PEER, true};
		size_t pos = 31, n = 0;

		bgp_open_write(&w, &o);
		for (; pos < w.pos; pos += 2u + bytes[pos + 1], n++) {
			assert_int_not_equal(bytes[pos], 64);
			assert_int_not_equal(bytes[pos], 71);
			assert_int_not_equal(bytes[pos], 6);
			assert_int_not_equal(bytes[pos], 69);
			assert_int_not_equal(bytes[pos], 70);
		}
		assert_int_equal(pos, w.pos);
		assert_true(n >= 4);
	}
}

/* --- NOTIFICATION --- */

static void notify_texts(void **state)
{
	static const struct {
		const char *hex, *text;
	} cases[] = {
	    {"0202", "2/2 bad peer AS"},
	    {"0206", "2/6 unacceptable hold time"},
	    {"0205", "2/5 OPEN error"},
	    {"0400", "4/0 hold timer expired"},
	    {"0501", "5/1 unexpected message in OpenSent"},
	    {"0602", "6/2 administrative shutdown"},
	    {"0602 03 616263", "6/2 administrative shutdown: \"abc\""},
	    {"0604 05 c3bc6ec3a5", "6/4 administrative reset: \"\xc3\xbcn\xc3\xa5\""},
	    {"0602 04 1b5b3241", "6/2 administrative shutdown: \"?[2A\""},
	    {"0602 05 ffc3800a22", "6/2 administrative shutdown: \"?\xc3\x80?'\""},
	    {"0602 02 c080", "6/2 administrative shutdown: \"\?\?\""},
	    {"0602 09 616263", "6/2 administrative shutdown (data 09616263)"},
	    {"0602 00", "6/2 administrative shutdown (data 00)"},
	    {"0601 0001 01 00000002", "6/1 maximum number of prefixes reached (data 00010100000002)"},
	    {"060a", "6/10 BFD down"},
	    {"0800", "8/0 send hold timer expired"},
	    {"0000", "0/0 unknown error"},
	    {"fffe 0102", "255/254 unknown error (data 0102)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t body[256];
		struct bgp_frame f = {.type = BGP_NOTIFICATION, .body = body, .body_len = unhex(cases[i].hex, body)};
		struct bgp_notify n;
		char text[BGP_NOTIFY_TEXT_MAX];

		bgp_notify_parse(&f, &n);
		assert_string_equal(bgp_notify_text(&n, text, sizeof(text)), cases[i].text);
	}
}

static void notify_text_never_overflows(void **state)
{
	uint8_t body[2048];
	struct bgp_frame f = {.type = BGP_NOTIFICATION, .body = body};
	struct bgp_notify n;

	(void)state;
	for (unsigned fill = 0; fill < 256; fill += 5) {
		for (size_t cap = 32; cap < 420; cap++) {
			char *text = malloc(cap);

			memset(body, (int)fill, sizeof(body));
			body[0] = 6;
			body[1] = 2;
			body[2] = 255;
			f.body_len = 2 + (cap * 7) % 2000;
			bgp_notify_parse(&f, &n);
			bgp_notify_text(&n, text, cap);
			assert_true(strlen(text) < cap);
			free(text);
		}
	}
}

static void cease_text_is_cut_at_a_character(void **state)
{
	char long_text[400];
	struct bgp_notify n;

	(void)state;
	n = bgp_notify_cease(BGP_CEASE_SHUTDOWN, NULL);
	assert_int_equal(n.data_len, 0);
	n = bgp_notify_cease(BGP_CEASE_SHUTDOWN, "drain");
	assert_int_equal(n.data_len, 6);
	assert_memory_equal(n.data, "\5drain", 6);
	memset(long_text, 'a', sizeof(long_text));
	memcpy(long_text + 254, "\xc3\xbc", 2);
	long_text[399] = '\0';
	n = bgp_notify_cease(BGP_CEASE_SHUTDOWN, long_text);
	assert_int_equal(n.data[0], 254);
	assert_int_equal(n.data_len, 255);
}

/* --- UPDATE --- */

static struct bgp_peering external(void)
{
	return (struct bgp_peering){
	    .local_as = 64500, .next_hop_v4 = addr("10.9.0.2"), .next_hop_v6 = addr("2001:db8:9::2")};
}

static void update_announce(void **state)
{
	struct bgp_peering ebgp = external();
	struct bgp_peering ibgp = external();
	struct bgp_peering link = external();
	struct bgp_peering extended = {.local_as = 64500, .next_hop_v6 = addr("2001:db8:9::2"), .v4_by_v6 = true};
	struct bgp_peering peer = external();
	char text[BGP_ROUTE_TEXT_MAX];
	struct bgp_route r;
	uint8_t bytes[BGP_UPDATE_LEN_MAX];
	struct writer w;

	(void)state;
	ibgp.internal = true;
	link.next_hop_v6_link = addr("fe80::1");
	peer.only_to_customer = true;

	r = (struct bgp_route){.prefix = prefix("192.0.2.0/24")};
	w = writer_of(bytes, sizeof(bytes));
	bgp_update_announce(&w, &r, &ebgp);
	expect_hex("v4", bytes, w.pos, MARKER "002f02 0000 0014 40010100 4002060201 0000fbf4 4003040a090002 18c00002");

	r.prepend = 2;
	r.has_med = true;
	r.med = 7;
	assert_true(bgp_route_add_community(&r, BGP_COMMUNITY_GSHUT));
	assert_true(bgp_route_add_community(&r, BGP_COMMUNITY_GSHUT));
	r.large[r.large_count++] = (struct bgp_large_community){1, 2, 3};
	w = writer_of(bytes, sizeof(bytes));
	bgp_update_announce(&w, &r, &ebgp);
	expect_hex("v4, all attributes", bytes, w.pos,
	           MARKER "005402 0000 0039 40010100 40020e0203 0000fbf40000fbf40000fbf4 4003040a090002 80040400000007 "
	                  "c00804ffff0000 c0200c000000010000000200000003 18c00002");

	w = writer_of(bytes, sizeof(bytes));
	r = (struct bgp_route){.prefix = prefix("192.0.2.128/25"), .next_hop = addr("10.0.0.7"), .prepend = 3};
	bgp_update_announce(&w, &r, &ibgp);
	expect_hex("v4 iBGP: empty path, local preference", bytes, w.pos,
	           MARKER "003102 0000 0015 40010100 400200 4003040a000007 40050400000064 19c0000280");

	r = (struct bgp_route){.prefix = prefix("2001:db8:53::/48")};
	w = writer_of(bytes, sizeof(bytes));
	bgp_update_announce(&w, &r, &ebgp);
	expect_hex("v6: MP_REACH first", bytes, w.pos,
	           MARKER "004302 0000 002c 800e1c 000201 10 20010db8000900000000000000000002 00 3020010db80053 40010100 "
	                  "4002060201 0000fbf4");

	w = writer_of(bytes, sizeof(bytes));
	bgp_update_announce(&w, &r, &link);
	expect_hex("v6 over a link-local session: both next hops", bytes, w.pos,
	           MARKER "005302 0000 003c 800e2c 000201 20 20010db8000900000000000000000002 "
	                  "fe800000000000000000000000000001 00 3020010db80053 40010100 4002060201 0000fbf4");

	r = (struct bgp_route){.prefix = prefix("192.0.2.0/24")};
	w = writer_of(bytes, sizeof(bytes));
	bgp_update_announce(&w, &r, &extended);
	expect_hex("v4 by a v6 next hop", bytes, w.pos,
	           MARKER "004002 0000 0029 800e19 000101 10 20010db8000900000000000000000002 00 18c00002 40010100 "
	                  "4002060201 0000fbf4");
	assert_string_equal(bgp_route_text(&r, &extended, text, sizeof(text)), "192.0.2.0/24 nh 2001:db8:9::2 path 64500");
	extended.next_hop_v6_link = addr("fe80::1");
	assert_string_equal(bgp_route_text(&r, &extended, text, sizeof(text)), "192.0.2.0/24 nh 2001:db8:9::2,fe80::1 path 64500");
	extended.next_hop_v4 = addr("10.9.0.2"); /* one of its own is the better */
	w = writer_of(bytes, sizeof(bytes));
	bgp_update_announce(&w, &r, &extended);
	expect_hex("v4 by its own next hop", bytes, w.pos, MARKER "002f02 0000 0014 40010100 4002060201 0000fbf4 4003040a090002 18c00002");

	w = writer_of(bytes, sizeof(bytes));
	bgp_update_announce(&w, &r, &peer);
	expect_hex("only to customer", bytes, w.pos,
	           MARKER "003602 0000 001b 40010100 4002060201 0000fbf4 4003040a090002 c023040000fbf4 18c00002");
	assert_string_equal(bgp_route_text(&r, &peer, text, sizeof(text)), "192.0.2.0/24 nh 10.9.0.2 path 64500 otc 64500");

	r.has_local_pref = true;
	w = writer_of(bytes, sizeof(bytes));
	bgp_update_announce(&w, &r, &ibgp);
	expect_hex("local preference 0", bytes, w.pos, MARKER "003002 0000 0015 40010100 400200 4003040a090002 40050400000000 18c00002");

	r = (struct bgp_route){.prefix = prefix("0.0.0.0/0")};
	w = writer_of(bytes, sizeof(bytes));
	bgp_update_announce(&w, &r, &ebgp);
	assert_int_equal(bytes[w.pos - 1], 0);
}

static void update_longest_fits(void **state)
{
	struct bgp_peering p = external();
	struct bgp_route r = {.prefix = prefix("2001:db8::1/128"), .has_med = true, .prepend = BGP_PREPEND_MAX};
	uint8_t bytes[BGP_UPDATE_LEN_MAX];
	struct writer w = writer_of(bytes, sizeof(bytes));
	char text[BGP_ROUTE_TEXT_MAX];
	struct bgp_notify bad;
	struct bgp_frame f;

	(void)state;
	p.next_hop_v6_link = addr("fe80::1");
	p.only_to_customer = true;
	for (uint32_t i = 0; i < BGP_COMMUNITIES_MAX; i++)
		assert_true(bgp_route_add_community(&r, 0xffff0000u + i));
	assert_false(bgp_route_add_community(&r, 1));
	for (uint32_t i = 0; i < BGP_LARGE_COMMUNITIES_MAX; i++) {
		assert_true(bgp_route_add_large(&r, &(struct bgp_large_community){UINT32_MAX, UINT32_MAX, UINT32_MAX - i}));
		assert_true(bgp_route_add_large(&r, &(struct bgp_large_community){UINT32_MAX, UINT32_MAX, UINT32_MAX - i})); /* once */
	}
	assert_false(bgp_route_add_large(&r, &(struct bgp_large_community){1, 2, 3}));
	bgp_update_announce(&w, &r, &p);
	assert_true(writer_ok(&w));
	assert_int_equal(bgp_frame_parse(bytes, w.pos, &f, &bad), BGP_FINE);
	assert_int_equal(f.len, w.pos);
	bgp_route_text(&r, &p, text, sizeof(text));
	assert_true(strlen(text) < sizeof(text));
	for (size_t cap = 1; cap < sizeof(text); cap += 7) {
		char *small = malloc(cap);

		assert_true(strlen(bgp_route_text(&r, &p, small, cap)) < cap);
		free(small);
	}
}

static void update_refuses(void **state)
{
	struct bgp_peering p = external();
	struct bgp_peering none = {.local_as = 64500};
	uint8_t bytes[BGP_UPDATE_LEN_MAX];
	struct bgp_route bad[] = {
	    {.prefix = prefix("192.0.2.0/24"), .next_hop = addr("2001:db8::1")},
	    {.prefix = prefix("2001:db8::/32"), .next_hop = addr("192.0.2.1")},
	    {.prefix = prefix("192.0.2.0/24"), .prepend = BGP_PREPEND_MAX + 1},
	    {.prefix = prefix("192.0.2.0/24"), .community_count = BGP_COMMUNITIES_MAX + 1},
	    {.prefix = prefix("192.0.2.0/24"), .large_count = BGP_LARGE_COMMUNITIES_MAX + 1},
	    {.prefix = {.addr = addr("192.0.2.0"), .len = 33}},
	    {.prefix = {.len = 8}},
	};
	struct bgp_route fine = {.prefix = prefix("192.0.2.0/24")};
	struct writer w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		w = writer_of(bytes, sizeof(bytes));
		bgp_update_announce(&w, &bad[i], &p);
		assert_false(writer_ok(&w));
	}
	w = writer_of(bytes, sizeof(bytes));
	bgp_update_announce(&w, &fine, &none);
	assert_false(writer_ok(&w));
	w = writer_of(bytes, 30);
	bgp_update_announce(&w, &fine, &p);
	assert_false(writer_ok(&w));
}

static void update_withdraw_and_end(void **state)
{
	struct ip_prefix v4 = prefix("192.0.2.0/24"), v6 = prefix("2001:db8:53::/48");
	uint8_t bytes[BGP_UPDATE_LEN_MAX];
	struct writer w;

	(void)state;
	w = writer_of(bytes, sizeof(bytes));
	bgp_update_withdraw(&w, &v4);
	expect_hex("withdraw v4", bytes, w.pos, MARKER "001b02 0004 18c00002 0000");
	w = writer_of(bytes, sizeof(bytes));
	bgp_update_withdraw(&w, &v6);
	expect_hex("withdraw v6", bytes, w.pos, MARKER "002402 0000 000d 800f0a 000201 3020010db80053");
	w = writer_of(bytes, sizeof(bytes));
	bgp_update_end_of_rib(&w, BGP_IPV4);
	expect_hex("end of rib v4", bytes, w.pos, MARKER "001702 0000 0000");
	w = writer_of(bytes, sizeof(bytes));
	bgp_update_end_of_rib(&w, BGP_IPV6);
	expect_hex("end of rib v6", bytes, w.pos, MARKER "001d02 0000 0006 800f03 000201");
	w = writer_of(bytes, sizeof(bytes));
	bgp_keepalive_write(&w);
	expect_hex("keepalive", bytes, w.pos, MARKER "001304");
	w = writer_of(bytes, sizeof(bytes));
	bgp_refresh_write(&w, BGP_IPV6);
	expect_hex("refresh", bytes, w.pos, MARKER "001705 00020001");
}

static void refresh_table(void **state)
{
	static const struct {
		const char *hex;
		uint8_t family;
	} cases[] = {
	    {"00010001", BGP_IPV4}, {"00020001", BGP_IPV6}, {"00010101", 0}, {"00010201", 0},
	    {"00010002", 0},        {"00030001", 0},        {"00010080", 0}, {"000100ff", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t body[8];
		struct bgp_frame f = {.type = BGP_ROUTE_REFRESH, .body = body, .body_len = unhex(cases[i].hex, body)};

		assert_int_equal(bgp_refresh_parse(&f), cases[i].family);
	}
}

/* Each valid message cut everywhere: framing waits for the rest, and a body cut (with the length field made to match) is either still
 * an OPEN or an error, never a read past the end: the copy is exact, so a sanitizer sees one. */
static void every_truncation(void **state)
{
	static const char *const messages[] = {
	    MARKER "001304",
	    MARKER "003301 04 5ba0 005a 0a090002 16 0214 010400010001 010400020001 0200 4104fa56ea35",
	    MARKER "003701 04 5ba0 005a 0a090002 ff ff0017 020014 010400010001 010400020001 0200 4104fa56ea35",
	    MARKER "003901 04 5ba0 005a 0a090002 1c 0206010400010001 0206010400020001 02020200 02064104fa56ea35",
	    MARKER "001903 0602 03616263",
	    MARKER "002f02 0000 0014 40010100 4002060201 0000fbf4 4003040a090002 18c00002",
	    MARKER "001705 00010001",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		uint8_t whole[BGP_MESSAGE_MAX];
		size_t n = unhex(messages[i], whole);
		struct bgp_notify bad;
		struct bgp_frame f;

		assert_int_equal(bgp_frame_parse(whole, n, &f, &bad), BGP_FINE);
		assert_int_equal(f.len, n);
		for (size_t cut = 0; cut < n; cut++) {
			uint8_t *exact = malloc(cut ? cut : 1);
			struct bgp_open o;
			char text[BGP_NOTIFY_TEXT_MAX];
			struct bgp_notify note;

			memcpy(exact, whole, cut);
			assert_int_equal(bgp_frame_parse(exact, cut, &f, &bad), BGP_MORE);
			if (cut >= BGP_HEADER_LEN) {
				put_u16(exact + 16, (uint16_t)cut);
				if (bgp_frame_parse(exact, cut, &f, &bad) == BGP_FINE) {
					if (f.type == BGP_OPEN)
						assert_int_equal(bgp_open_parse(&f, &o, &bad), BGP_BAD);
					bgp_refresh_parse(&f);
					bgp_notify_parse(&f, &note);
					bgp_notify_text(&note, text, sizeof(text));
				} else {
					assert_int_equal(bad.code, BGP_ERR_HEADER);
				}
			}
			free(exact);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(frame_table),
	    cmocka_unit_test(open_table),
	    cmocka_unit_test(open_written),
	    cmocka_unit_test(open_offers_no_graceful_restart),
	    cmocka_unit_test(notify_texts),
	    cmocka_unit_test(notify_text_never_overflows),
	    cmocka_unit_test(cease_text_is_cut_at_a_character),
	    cmocka_unit_test(update_announce),
	    cmocka_unit_test(update_longest_fits),
	    cmocka_unit_test(update_refuses),
	    cmocka_unit_test(update_withdraw_and_end),
	    cmocka_unit_test(refresh_table),
	    cmocka_unit_test(every_truncation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
