/* SPDX-License-Identifier: BSD-2-Clause */
/* UPDATEs of peers, octet by octet: what is told of them, and what is thought of those that are not right (RFC 7606). */
#include "bgp/routes_in.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../unhex.h"

static char told[1024];

static void on_route(void *ctx, const struct ip_prefix *p, const struct bgp_path *path)
{
	char prefix[PREFIX_TEXT_MAX], text[BGP_PATH_TEXT_MAX];
	size_t at = strlen(told);

	(void)ctx;
	prefix_text(p, prefix);
	if (!path)
		snprintf(told + at, sizeof(told) - at, "-%s;", prefix);
	else
		snprintf(told + at, sizeof(told) - at, "+%s %s=%s%u;", prefix, bgp_path_text(path, text, sizeof(text)),
		         path->local ? "local " : path->has_origin ? "" : "none ", path->origin);
}

#define ORIGIN "400101 00"
/* 64601 64602 */
#define PATH "40020a 02 02 0000fc59 0000fc5a"
#define PATH_LEN "0011" /* of ORIGIN PATH */

static const struct {
	const char *name, *hex;
	enum bgp_update_verdict verdict;
	const char *told;
} cases[] = {
	{"end of rib", "0000 0000", BGP_UPDATE_FINE, ""},
	{"one", "0000 " PATH_LEN ORIGIN PATH "18c00002", BGP_UPDATE_FINE, "+192.0.2.0/24 64601 64602=64602;"},
	{"two", "0000 " PATH_LEN ORIGIN PATH "18c00002 19c0000280", BGP_UPDATE_FINE,
	 "+192.0.2.0/24 64601 64602=64602;+192.0.2.128/25 64601 64602=64602;"},
	{"default route", "0000 " PATH_LEN ORIGIN PATH "00", BGP_UPDATE_FINE, "+0.0.0.0/0 64601 64602=64602;"},
	{"trailing bits", "0000 " PATH_LEN ORIGIN PATH "11c000ff", BGP_UPDATE_FINE, "+192.0.128.0/17 64601 64602=64602;"},
	{"withdrawn", "0004 18c00002 0000", BGP_UPDATE_FINE, "-192.0.2.0/24;"},
	{"both, withdrawn first", "0004 18c00003 " PATH_LEN ORIGIN PATH "18c00002", BGP_UPDATE_FINE,
	 "-192.0.3.0/24;+192.0.2.0/24 64601 64602=64602;"},
	{"IPv6", "0000 0031" ORIGIN PATH "800e 1d 0002 01 10 20010db8000900000000000000000001 00 3020010db80053 " "00", BGP_UPDATE_FINE,
	 "+2001:db8:53::/48 64601 64602=64602;+::/0 64601 64602=64602;"},
	{"IPv6 with extended length", "0000 0031" ORIGIN PATH "900e 001c 0002 01 10 20010db8000900000000000000000001 00 3020010db80053", BGP_UPDATE_FINE,
	 "+2001:db8:53::/48 64601 64602=64602;"},
	{"IPv6 withdrawn", "0000 000d 800f 0a 0002 01 3020010db80053", BGP_UPDATE_FINE, "-2001:db8:53::/48;"},
	{"IPv4 in MP_REACH, by an IPv6 next hop", "0000 002e" ORIGIN PATH "800e 1a 0001 01 10 20010db8000900000000000000000001 00 20c0000235 ", BGP_UPDATE_FINE,
	 "+192.0.2.53/32 64601 64602=64602;"},
	{"multicast is nobody's business", "0000 0031" ORIGIN PATH "800e 1d 0002 02 10 20010db8000900000000000000000001 00 3020010db80053 " "00",
	 BGP_UPDATE_FINE, ""},
	{"empty path", "0000 0007 400101 00 4002 00 18c00002", BGP_UPDATE_FINE, "+192.0.2.0/24 =local 0;"},
	{"set at the end", "0000 0017 400101 00 400210 0201 0000fc59 0102 0000fc5a 0000fc5b 18c00002", BGP_UPDATE_FINE,
	 "+192.0.2.0/24 64601 {64602 64603}=none 0;"},
	{"confederation alone", "0000 000d 400101 00 400206 0301 0000fc59 18c00002", BGP_UPDATE_FINE, "+192.0.2.0/24 (64601)=local 0;"},
	{"confederation and more", "0000 0019 400101 00 400212 0301 0000fc59 0201 0000fc5a 0401 0000fc5b 18c00002", BGP_UPDATE_FINE,
	 "+192.0.2.0/24 (64601) 64602 [64603]=64602;"},
	{"unknown attribute", "0000 0014" ORIGIN PATH "c0ff00 18c00002", BGP_UPDATE_FINE, "+192.0.2.0/24 64601 64602=64602;"},
	{"second path counts for nothing", "0000 001a" ORIGIN PATH "400206 0201 0000ffff 18c00002", BGP_UPDATE_FINE, "+192.0.2.0/24 64601 64602=64602;"},
	/* treated as withdrawn */
	{"no path", "0000 0004" ORIGIN "18c00002", BGP_UPDATE_WITHDRAWN, "-192.0.2.0/24;"},
	{"segment of no AS", "0000 0009" ORIGIN "400202 0200 18c00002", BGP_UPDATE_WITHDRAWN, "-192.0.2.0/24;"},
	{"segment of kind 0", "0000 000d" ORIGIN "400206 0001 0000fc59 18c00002", BGP_UPDATE_WITHDRAWN, "-192.0.2.0/24;"},
	{"segment of kind 5", "0000 000d" ORIGIN "400206 0501 0000fc59 18c00002", BGP_UPDATE_WITHDRAWN, "-192.0.2.0/24;"},
	{"segment beyond the path", "0000 000d" ORIGIN "400206 0202 0000fc59 18c00002", BGP_UPDATE_WITHDRAWN, "-192.0.2.0/24;"},
	{"path of one octet", "0000 0008" ORIGIN "400201 02 18c00002", BGP_UPDATE_WITHDRAWN, "-192.0.2.0/24;"},
	{"attribute beyond the attributes", "0000 000b" ORIGIN "400214 02 01 0000 18c00002", BGP_UPDATE_WITHDRAWN, "-192.0.2.0/24;"},
	{"attribute without length", "0000 0013" ORIGIN PATH "4003 18c00002", BGP_UPDATE_WITHDRAWN, "-192.0.2.0/24;"},
	{"no path, IPv6", "0000 001f 800e 1c 0002 01 10 20010db8000900000000000000000001 00 3020010db80053", BGP_UPDATE_WITHDRAWN, "-2001:db8:53::/48;"},
	/* not understood at all */
	{"nothing", "", BGP_UPDATE_BROKEN, ""},
	{"no attributes' length", "0000 00", BGP_UPDATE_BROKEN, ""},
	{"withdrawn beyond the end", "0005 18c00002", BGP_UPDATE_BROKEN, ""},
	{"attributes beyond the end", "0000 0012" ORIGIN PATH, BGP_UPDATE_BROKEN, ""},
	{"prefix of 33 bits", "0000 " PATH_LEN ORIGIN PATH "18c00002 21c000020000", BGP_UPDATE_BROKEN, ""},
	{"prefix beyond the end", "0000 " PATH_LEN ORIGIN PATH "18c00002 18c000", BGP_UPDATE_BROKEN, ""},
	{"withdrawn prefix of 33 bits", "0006 21c000020000 0000", BGP_UPDATE_BROKEN, ""},
	{"IPv6 prefix of 129 bits", "0000 0008 800f 05 0002 01 8100", BGP_UPDATE_BROKEN, ""},
	{"MP_REACH too short", "0000 0007 800e 04 0002 01 10", BGP_UPDATE_BROKEN, ""},
	{"MP_UNREACH too short", "0000 0005 800f 02 0002", BGP_UPDATE_BROKEN, ""},
	{"MP_REACH twice", "0000 0010 800e 05 0002 01 00 00 800e 05 0002 01 00 00", BGP_UPDATE_BROKEN, ""},
	{"MP_UNREACH twice", "0000 000c 800f 03 0002 01 800f 03 0002 01", BGP_UPDATE_BROKEN, ""},
};

static void update_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t bytes[512];
		struct bgp_frame f = {.type = BGP_UPDATE, .body = bytes, .body_len = unhex(cases[i].hex, bytes)};
		enum bgp_update_verdict v;

		told[0] = '\0';
		v = bgp_routes_in(&f, on_route, NULL);
		if (v != cases[i].verdict || strcmp(told, cases[i].told) != 0)
			fail_msg("%s: %d, %s", cases[i].name, v, told);
	}
}

static void long_paths(void **state)
{
	uint8_t bytes[2 + 255 * 4];
	struct bgp_path p = {.segments = bytes, .len = sizeof(bytes)};
	char text[BGP_PATH_TEXT_MAX];

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	bytes[0] = 2;
	bytes[1] = 255;
	bgp_path_text(&p, text, sizeof(text));
	assert_true(strlen(text) < sizeof(text));
	assert_string_equal(text + strlen(text) - 14, "4294967295 ...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(update_table),
		cmocka_unit_test(long_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
