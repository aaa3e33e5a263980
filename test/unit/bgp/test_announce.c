/* SPDX-License-Identifier: BSD-2-Clause */
/* Adj-RIB-Out: the messages between what is wanted and what a peer was told, checked by a peer that keeps a table of its own. */
#include "bgp/announce.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct bgp_rib rib;

static struct bgp_route route(const char *text, uint8_t prepend)
{
	struct bgp_route r = {.prepend = prepend};

	assert_int_equal(prefix_parse(text, &r.prefix), 0);
	return r;
}

static struct bgp_peering peering(void)
{
	struct bgp_peering p = {.local_as = 64500};

	assert_int_equal(addr_parse("10.9.0.2", &p.next_hop_v4), 0);
	assert_int_equal(addr_parse("2001:db8:9::2", &p.next_hop_v6), 0);
	return p;
}

/* The messages due, each as a word: "+PREFIX" "-PREFIX" "eor4" "eor6", read from the octets. */
static const char *drain(char *buf, size_t cap)
{
	size_t pos = 0;

	buf[0] = '\0';
	for (;;) {
		uint8_t bytes[BGP_UPDATE_LEN_MAX];
		struct writer w = writer_of(bytes, sizeof(bytes));
		struct ip_prefix p = {0};
		char text[PREFIX_TEXT_MAX];
		const uint8_t *nlri = NULL;
		size_t withdrawn, attrs;
		char sign = '+';

		if (!bgp_rib_next(&rib, &w))
			return buf;
		assert_true(writer_ok(&w));
		withdrawn = get_u16(bytes + 19);
		attrs = get_u16(bytes + 21 + withdrawn);
		p.addr.family = 4;
		if (withdrawn) {
			sign = '-';
			nlri = bytes + 21;
		} else if (attrs && bytes[24] == 14) {
			p.addr.family = 6;
			nlri = bytes + 26 + 4 + bytes[29] + 1;
		} else if (attrs && bytes[24] == 15) {
			p.addr.family = 6;
			sign = '-';
			nlri = bytes[25] > 3 ? bytes + 29 : NULL;
		} else if (attrs) {
			nlri = bytes + 23 + attrs;
		}
		if (nlri) {
			p.len = nlri[0];
			memcpy(p.addr.bytes, nlri + 1, (p.len + 7u) / 8);
			pos += (size_t)snprintf(buf + pos, cap - pos, "%s%c%s", pos ? " " : "", sign, prefix_text(&p, text));
		} else {
			pos += (size_t)snprintf(buf + pos, cap - pos, "%seor%u", pos ? " " : "", p.addr.family);
		}
		assert_true(pos < cap);
	}
}

#define EXPECT(text)                                                                                                    \
	do {                                                                                                            \
		char expect_buf[20000];                                                                                 \
		assert_string_equal(drain(expect_buf, sizeof(expect_buf)), text);                                       \
	} while (0)

static void life_of_a_session(void **state)
{
	struct bgp_route r[3] = {route("192.0.2.0/24", 0), route("2001:db8:53::/48", 0), route("198.51.100.0/24", 0)};
	struct bgp_peering p = peering();

	(void)state;
	bgp_rib_init(&rib);
	EXPECT("");
	assert_int_equal(bgp_rib_want(&rib, r, 2), 0);
	EXPECT(""); /* nobody to tell yet */
	bgp_rib_up(&rib, BGP_IPV4 | BGP_IPV6, &p);
	EXPECT("+192.0.2.0/24 +2001:db8:53::/48 eor4 eor6");
	EXPECT("");
	assert_int_equal(rib.told, 2);
	assert_int_equal(bgp_rib_want(&rib, r, 2), 0);
	EXPECT(""); /* the same again is nothing to say */

	r[0].community_count = 1;
	r[0].communities[0] = BGP_COMMUNITY_GSHUT;
	assert_int_equal(bgp_rib_want(&rib, r, 2), 0);
	EXPECT("+192.0.2.0/24");

	assert_int_equal(bgp_rib_want(&rib, r + 1, 2), 0);
	EXPECT("-192.0.2.0/24 +198.51.100.0/24"); /* what goes, goes first */
	assert_int_equal(bgp_rib_want(&rib, NULL, 0), 0);
	EXPECT("-2001:db8:53::/48 -198.51.100.0/24");
	assert_int_equal(rib.told, 0);
	assert_int_equal(rib.count, 0);
	EXPECT("");

	assert_int_equal(bgp_rib_want(&rib, r, 1), 0);
	EXPECT("+192.0.2.0/24");
	bgp_rib_down(&rib);
	EXPECT("");
	assert_int_equal(rib.told, 0);
	bgp_rib_up(&rib, BGP_IPV4, &p);
	EXPECT("+192.0.2.0/24 eor4"); /* a new session is told all */
}

static void refresh_resends_a_family(void **state)
{
	struct bgp_route r[3] = {route("192.0.2.0/24", 0), route("2001:db8:53::/48", 0), route("198.51.100.0/24", 0)};
	struct bgp_peering p = peering();

	(void)state;
	bgp_rib_init(&rib);
	assert_int_equal(bgp_rib_want(&rib, r, 3), 0);
	bgp_rib_up(&rib, BGP_IPV4 | BGP_IPV6, &p);
	EXPECT("+192.0.2.0/24 +2001:db8:53::/48 +198.51.100.0/24 eor4 eor6");
	bgp_rib_refresh(&rib, BGP_IPV4);
	EXPECT("+192.0.2.0/24 +198.51.100.0/24");
	bgp_rib_refresh(&rib, BGP_IPV6);
	bgp_rib_refresh(&rib, BGP_IPV6);
	EXPECT("+2001:db8:53::/48");
	assert_int_equal(rib.told, 3);
	assert_int_equal(bgp_rib_want(&rib, NULL, 0), 0);
	bgp_rib_refresh(&rib, BGP_IPV4);
	EXPECT("-192.0.2.0/24 -2001:db8:53::/48 -198.51.100.0/24");
	bgp_rib_refresh(&rib, BGP_IPV4);
	EXPECT(""); /* nothing announced, nothing to send */
}

static void only_what_can_be_sent(void **state)
{
	struct bgp_route r[2] = {route("192.0.2.0/24", 0), route("2001:db8:53::/48", 0)};
	struct bgp_peering p = peering();

	(void)state;
	bgp_rib_init(&rib);
	assert_int_equal(bgp_rib_want(&rib, r, 2), 0);
	bgp_rib_up(&rib, BGP_IPV4, &p);
	EXPECT("+192.0.2.0/24 eor4"); /* IPv6 was not negotiated */
	assert_int_equal(bgp_rib_unsendable(&rib), 0);

	p.next_hop_v6 = (struct ip_addr){0};
	bgp_rib_up(&rib, BGP_IPV4 | BGP_IPV6, &p);
	EXPECT("+192.0.2.0/24 eor4 eor6");
	assert_int_equal(bgp_rib_unsendable(&rib), BGP_IPV6);
	assert_int_equal(addr_parse("2001:db8::7", &r[1].next_hop), 0);
	assert_int_equal(bgp_rib_want(&rib, r, 2), 0);
	EXPECT("+2001:db8:53::/48"); /* with a next hop of its own it can */
	assert_int_equal(bgp_rib_unsendable(&rib), 0);
	r[1].next_hop = (struct ip_addr){0};
	assert_int_equal(bgp_rib_want(&rib, r, 2), 0);
	EXPECT("-2001:db8:53::/48");
}

static void wishes_refused(void **state)
{
	static struct bgp_route many[BGP_ROUTES_MAX + 1];
	struct bgp_route twice[2] = {route("192.0.2.0/24", 0), route("192.0.2.0/24", 1)};
	struct bgp_route odd = route("192.0.2.0/24", BGP_PREPEND_MAX + 1);
	struct bgp_route good = route("192.0.2.0/24", 0);
	struct bgp_peering p = peering();

	(void)state;
	bgp_rib_init(&rib);
	assert_int_equal(bgp_rib_want(&rib, &good, 1), 0);
	assert_int_equal(bgp_rib_want(&rib, many, ARRAY_LEN(many)), ERR_LIMIT);
	assert_int_equal(bgp_rib_want(&rib, twice, 2), ERR_INVALID);
	assert_int_equal(bgp_rib_want(&rib, &odd, 1), ERR_INVALID);
	bgp_rib_up(&rib, BGP_IPV4, &p);
	EXPECT("+192.0.2.0/24 eor4"); /* the last good wish stands */
}

/* Thousands of changes while the peer reads now and then: the table never overflows, and in the end the peer has what is wanted. */
static void random_wishes_converge(void **state)
{
	static struct bgp_route want[BGP_ROUTES_MAX];
	static bool peer_has[4 * BGP_ROUTES_MAX];
	struct bgp_peering p = peering();
	uint32_t x = 12345;
	size_t count = 0;

	(void)state;
	bgp_rib_init(&rib);
	for (unsigned round = 0; round < 3000; round++) {
		unsigned reads;

		x = x * 1664525u + 1013904223u;
		if (round % 97 == 0) {
			memset(peer_has, 0, sizeof(peer_has));
			bgp_rib_up(&rib, BGP_IPV4, &p);
		}
		count = 0;
		if (x % 11) /* sometimes nothing is wanted */
			for (unsigned i = x % 1000, steps = 1 + (x >> 12) % 3; i < 4 * BGP_ROUTES_MAX && count < BGP_ROUTES_MAX; i += steps) {
				want[count] = (struct bgp_route){.prefix = {.addr = {.family = 4}, .len = 32}, .prepend = (uint8_t)(x >> 20) % 3};
				put_u16(want[count++].prefix.addr.bytes, (uint16_t)i);
			}
		assert_int_equal(bgp_rib_want(&rib, want, count), 0);
		if (round % 5 == 0)
			bgp_rib_refresh(&rib, BGP_IPV4);
		for (reads = round == 2999 ? 100000 : (x >> 8) % 64; reads; reads--) {
			uint8_t bytes[BGP_UPDATE_LEN_MAX];
			struct writer w = writer_of(bytes, sizeof(bytes));
			size_t withdrawn;

			if (!bgp_rib_next(&rib, &w))
				break;
			withdrawn = get_u16(bytes + 19);
			if (withdrawn) {
				assert_true(peer_has[get_u16(bytes + 22)]);
				peer_has[get_u16(bytes + 22)] = false;
			} else if (get_u16(bytes + 21)) {
				peer_has[get_u16(bytes + 23 + get_u16(bytes + 21) + 1)] = true;
			}
		}
		assert_true(rib.count <= BGP_RIB_ENTRIES && rib.told <= BGP_ROUTES_MAX);
	}
	for (unsigned i = 0; i < 4 * BGP_ROUTES_MAX; i++) {
		bool wanted = false;

		for (size_t k = 0; k < count; k++)
			wanted |= get_u16(want[k].prefix.addr.bytes) == i;
		assert_int_equal(peer_has[i], wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(life_of_a_session),
	    cmocka_unit_test(refresh_resends_a_family),
	    cmocka_unit_test(only_what_can_be_sent),
	    cmocka_unit_test(wishes_refused),
	    cmocka_unit_test(random_wishes_converge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
