/* SPDX-License-Identifier: BSD-2-Clause */
/* Two fleet files compared: what differs, where routes come and go, and what must not be taken away. Each case is the same file with some words replaced. */
#include "base/text.h"
#include "config/change.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "parsed.h"

static const char base[] =
    "fleet: test\n"
    "networks:\n"
    "  - {name: global, prefixes: [192.0.2.0/24, \"2001:db8:53::/48\"], addresses: [192.0.2.53, \"2001:db8:53::53\"], as: 64500, backstop: [192.0.0.0/16]}\n"
    "  - {name: eu, prefixes: [198.51.100.0/24], addresses: [198.51.100.53], as: 64500}\n"
    "keys: [{name: k, secret-file: k.key}]\n"
    "nodes:\n"
    "  - {name: hidden, role: primary, management: [10.0.0.1]}\n"
    "  - {name: fra, role: pop, networks: [global, eu], management: [10.0.0.2], bgp: {neighbors: [{address: 10.9.0.1, as: 64601}, {address: \"2001:db8::1\", as: 64601, bfd: {interval: 300ms}}]}}\n"
    "  - {name: ams, role: pop, networks: [global], management: [10.0.0.3], bgp: {neighbors: [{address: 10.9.0.2, as: 64602}]}}\n"
    "zones:\n"
    "  - {name: a.example, file: a.zone, network: global}\n"
    "  - {name: b.example, file: b.zone, network: eu, key: k}\n";

/* base with each `from` (there must be one) replaced by what follows it. */
static struct config *changed(const char *const words[])
{
	char *yaml = strdup(base);
	struct config *c;

	for (size_t i = 0; words[i]; i += 2) {
		char *at = strstr(yaml, words[i]);
		struct text t;

		if (!at)
			fail_msg("\"%s\" is not in the file", words[i]);
		text_init(&t);
		text_add(&t, yaml, (size_t)(at - yaml));
		text_str(&t, words[i + 1]);
		text_str(&t, at + strlen(words[i]));
		free(yaml);
		yaml = text_take(&t);
	}
	c = parsed(yaml, strlen(yaml));
	free(yaml);
	return c;
}

static void lines_of(const struct changes *list, struct text *out)
{
	for (const struct change *c = list->first; c; c = c->next)
		text_fmt(out, "%c %s: %s [%s%s]\n", c->sign, c->subject, c->text, change_effect_text(c->effect), c->allowed ? ", allowed" : "");
}

static void expect(const char *name, const struct changes *list, const char *want)
{
	struct text got;

	text_init(&got);
	lines_of(list, &got);
	if (strcmp(got.chars, want) != 0)
		fail_msg("%s:\ngot\n%swant\n%s", name, got.chars, want);
	text_done(&got);
}

#define FRA_V4 "{address: 10.9.0.1, as: 64601}, "
#define FRA_V6 "{address: \"2001:db8::1\", as: 64601, bfd: {interval: 300ms}}"

static void what_is_lost(void **state)
{
	static const struct {
		const char *name, *words[9], *withdraw[3], *want;
		size_t losses;
	} rows[] = {
	    {"nothing", {NULL}, {NULL}, "", 0},
	    {"one pop of two goes", {"networks: [global], management: [10.0.0.3]", "management: [10.0.0.3]"}, {NULL}, "", 0},
	    {"the only pop of a network goes", {"networks: [global, eu]", "networks: [global]"}, {NULL},
	     "! network eu: IPv4 would be withdrawn everywhere: no pop is in it any more [loss]\n", 1},
	    {"and is asked for", {"networks: [global, eu]", "networks: [global]"}, {"eu"},
	     "! network eu: IPv4 would be withdrawn everywhere: no pop is in it any more [loss, allowed]\n", 0},
	    {"another is asked for", {"networks: [global, eu]", "networks: [global]"}, {"global", "e"},
	     "! network eu: IPv4 would be withdrawn everywhere: no pop is in it any more [loss]\n", 1},
	    {"the network goes from the file", {"  - {name: eu, prefixes: [198.51.100.0/24], addresses: [198.51.100.53], as: 64500}\n", "",
	     "networks: [global, eu]", "networks: [global]", "network: eu, ", ""}, {NULL},
	     "! network eu: IPv4 would be withdrawn everywhere: the file has no such network any more [loss]\n", 1},
	    {"its name changes, nothing else", {"name: eu", "name: europe", "[global, eu]", "[global, europe]", "network: eu", "network: europe"}, {NULL}, "", 0},
	    {"its addresses change altogether", {"[198.51.100.0/24], addresses: [198.51.100.53]", "[203.0.113.0/24], addresses: [203.0.113.53]"}, {NULL},
	     "! network eu: IPv4 would be withdrawn everywhere: none of the service addresses it had is answered any more [loss]\n", 1},
	    {"one address more, one less", {"addresses: [198.51.100.53]", "addresses: [198.51.100.53, 198.51.100.54]"}, {NULL}, "", 0},
	    {"a family has no prefix left", {", \"2001:db8:53::/48\"", "", ", \"2001:db8:53::53\"", ""}, {NULL},
	     "! network global: IPv6 would be withdrawn everywhere: it has no prefix of that family any more [loss]\n", 1},
	    {"a family has no neighbor left", {FRA_V4 FRA_V6, "{address: 10.9.0.1, as: 64601, families: [ipv4]}", "as: 64602", "as: 64602, families: [ipv4]"}, {NULL},
	     "! network global: IPv6 would be withdrawn everywhere: none of its pops has a neighbor that would hear of that family any more [loss]\n", 1},
	    {"no neighbors at all", {", bgp: {neighbors: [" FRA_V4 FRA_V6 "]}", "", ", bgp: {neighbors: [{address: 10.9.0.2, as: 64602}]}", ""}, {"eu"},
	     "! network global: IPv4 would be withdrawn everywhere: none of its pops has a neighbor to announce it to any more [loss]\n"
	     "! network global: IPv6 would be withdrawn everywhere: none of its pops has a neighbor to announce it to any more [loss]\n"
	     "! network eu: IPv4 would be withdrawn everywhere: none of its pops has a neighbor to announce it to any more [loss, allowed]\n", 2},
	    {"no zone is left", {"  - {name: a.example, file: a.zone, network: global}\n", ""}, {NULL},
	     "! network global: none of its zones is left: everything would be refused [loss]\n", 1},
	    {"one zone for another", {"name: a.example, file: a.zone", "name: c.example, file: c.zone"}, {NULL}, "", 0},
	    {"no zone is left, but a catalog may bring some", {"  - {name: a.example, file: a.zone, network: global}\n",
	     "  - {name: cat.example, primaries: [10.1.1.1], key: k}\n", "keys:", "catalogs: [{zone: cat.example, members: {network: global}}]\nkeys:"}, {NULL}, "", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *old = parsed(base, strlen(base)), *next = changed(rows[i].words);
		struct changes list;
		size_t names = 0;

		while (rows[i].withdraw[names])
			names++;
		changes_init(&list);
		config_losses(old, next, rows[i].withdraw, names, &list);
		expect(rows[i].name, &list, rows[i].want);
		assert_int_equal(list.losses, rows[i].losses);
		changes_done(&list);
		config_free(old);
		config_free(next);
	}
}

static void where_routes_come_and_go(void **state)
{
	static const struct {
		const char *name, *words[7], *want;
	} rows[] = {
	    {"nothing", {NULL}, ""},
	    {"a pop leaves", {"networks: [global], management: [10.0.0.3]", "management: [10.0.0.3]"},
	     "- network global: 192.0.2.0/24 withdrawn at ams [routes]\n"
	     "- network global: 2001:db8:53::/48 withdrawn at ams [routes]\n"
	     "- network global: backstop 192.0.0.0/16 withdrawn at ams [routes]\n"},
	    {"a pop enters", {"networks: [global], management: [10.0.0.3]", "networks: [global, eu], management: [10.0.0.3]"},
	     "+ network eu: 198.51.100.0/24 announced at ams [routes]\n"},
	    {"a prefix for another", {"prefixes: [198.51.100.0/24]", "prefixes: [198.51.100.0/23]"},
	     "- network eu: 198.51.100.0/24 withdrawn at fra: everywhere [routes]\n+ network eu: 198.51.100.0/23 announced at fra [routes]\n"},
	    {"the backstop at one only", {"backstop: [192.0.0.0/16]", "backstop: [192.0.0.0/16], backstop-at: [fra]"},
	     "- network global: backstop 192.0.0.0/16 withdrawn at ams [routes]\n"},
	    {"a family at one only", {"{address: 10.9.0.2, as: 64602}", "{address: 10.9.0.2, as: 64602, families: [ipv6]}"},
	     "- network global: 192.0.2.0/24 withdrawn at ams [routes]\n- network global: backstop 192.0.0.0/16 withdrawn at ams [routes]\n"},
	    {"fewer that announce than are to be kept", {"as: 64500, backstop", "as: 64500, keep-at-least: 2, backstop", ", bgp: {neighbors: [{address: 10.9.0.2, as: 64602}]}", ""},
	     "- network global: 192.0.2.0/24 withdrawn at ams [routes]\n- network global: 2001:db8:53::/48 withdrawn at ams [routes]\n"
	     "- network global: backstop 192.0.0.0/16 withdrawn at ams [routes]\n"
	     "! network global: IPv4 is announced by 1 pops, fewer than \"keep-at-least: 2\" [warning]\n"
	     "! network global: IPv6 is announced by 1 pops, fewer than \"keep-at-least: 2\" [warning]\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *old = parsed(base, strlen(base)), *next = changed(rows[i].words);
		struct changes list;

		changes_init(&list);
		config_changes_of_routes(old, next, &list);
		expect(rows[i].name, &list, rows[i].want);
		changes_done(&list);
		config_free(old);
		config_free(next);
	}
}

static void what_differs(void **state)
{
	static const struct {
		const char *name, *words[7], *want;
	} rows[] = {
	    {"nothing", {NULL}, ""},
	    {"the root", {"fleet: test\n", "fleet: other\ngeneration: 7\n"}, "~ : fleet: \"test\" -> \"other\" [restart]\n~ : generation: 0 -> 7 [none]\n"},
	    {"deep in a network", {"as: 64500, backstop", "as: 64500, check: {fall: 5}, backstop"}, "~ network global: check.fall: 2 -> 5 [none]\n"},
	    {"the number of a network", {"as: 64500, backstop", "as: 64501, backstop", "198.51.100.53], as: 64500", "198.51.100.53], as: 64501"},
	     "~ network global: as: 64500 -> 64501 [session]\n~ network eu: as: 64500 -> 64501 [session]\n"},
	    {"lists of values", {"addresses: [198.51.100.53]", "addresses: [198.51.100.54]"},
	     "- network eu: addresses: \"198.51.100.53\" [none]\n+ network eu: addresses: \"198.51.100.54\" [none]\n"},
	    {"a neighbor's attributes", {"as: 64602", "as: 64602, prepend: 2, communities: [no-export]"},
	     "+ node ams neighbor 10.9.0.2: communities: \"65535:65281\" [routes]\n~ node ams neighbor 10.9.0.2: prepend: 0 -> 2 [routes]\n"},
	    {"a neighbor's session", {"as: 64602", "as: 64603, hold-time: 9s"},
	     "~ node ams neighbor 10.9.0.2: as: 64602 -> 64603 [session]\n~ node ams neighbor 10.9.0.2: hold-time: 90s -> 9s [session]\n"},
	    {"a neighbor's BFD", {"interval: 300ms", "interval: 100ms"}, "~ node fra neighbor 2001:db8::1: bfd.interval: 300ms -> 100ms [none]\n"},
	    {"a neighbor's attributes by state, and its limits",
	     {"as: 64602", "as: 64602, large-communities: [\"1:2:3\"], de-prefer: {prepend: 4}, drain: {communities: [\"64602:9\"]}, at-max-prefixes: cease"},
	     "+ node ams neighbor 10.9.0.2: large-communities: \"1:2:3\" [routes]\n+ node ams neighbor 10.9.0.2: de-prefer.prepend: 4 [routes]\n"
	     "+ node ams neighbor 10.9.0.2: drain.communities: \"64602:9\" [routes]\n~ node ams neighbor 10.9.0.2: at-max-prefixes: \"warn\" -> \"cease\" [none]\n"},
	    {"who connects", {"as: 64602", "as: 64602, connect: both, local: 10.9.0.3"},
	     "+ node ams neighbor 10.9.0.2: local: \"10.9.0.3\" [session]\n~ node ams neighbor 10.9.0.2: connect: \"active\" -> \"both\" [session]\n"},
	    {"a link-local neighbor", {"address: 10.9.0.2", "address: \"fe80::1%no-such-if0\""},
	     "- node ams neighbor 10.9.0.2: removed [session]\n+ node ams neighbor fe80::1%no-such-if0: added [session]\n"},
	    {"another neighbor", {"address: 10.9.0.2", "address: 10.9.0.4, port: 1179"},
	     "- node ams neighbor 10.9.0.2: removed [session]\n+ node ams neighbor 10.9.0.4 port 1179: added [session]\n"},
	    {"a node", {"name: hidden", "name: hidden2"}, "- node hidden: removed [none]\n+ node hidden2: added [none]\n"},
	    {"what needs a restart", {"management: [10.0.0.3]", "management: [10.0.0.4], workers: 3"},
	     "- node ams: management: \"10.0.0.3\" [restart]\n+ node ams: management: \"10.0.0.4\" [restart]\n~ node ams: workers: 0 -> 3 [restart]\n"},
	    {"a key", {"name: k, ", "name: k, algorithm: hmac-sha512, "}, "~ key k: algorithm: \"hmac-sha256\" -> \"hmac-sha512\" [none]\n"},
	    {"zones", {"name: a.example", "name: c.example", "file: b.zone", "file: d.zone"},
	     "- zone a.example.: removed, network global [none]\n~ zone b.example.: file: \"/etc/zonecast/b.zone\" -> \"/etc/zonecast/d.zone\" [none]\n"
	     "+ zone c.example.: added, network global [none]\n"},
	    {"answers", {"keys:", "answer: {any: all, rate-limit: {slip: 3}}\nkeys:"}, "~ : answer.any: \"one\" -> \"all\" [none]\n~ : answer.rate-limit.slip: 2 -> 3 [none]\n"},
	    {"a map that comes", {"keys:", "answer: {tls: {certificate-file: c.pem, key-file: k.pem}}\nkeys:"},
	     "+ : answer.tls: certificate-file: \"/etc/zonecast/c.pem\"... [none]\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *old = parsed(base, strlen(base)), *next = changed(rows[i].words);
		struct changes list;

		changes_init(&list);
		config_changes(old, next, &list);
		expect(rows[i].name, &list, rows[i].want);
		changes_done(&list);
		config_free(old);
		config_free(next);
	}
}

/* Thousands of zones: listed up to a limit, counted beyond it, compared in linear time. */
static void many_zones(void **state)
{
	enum { COUNT = 20000 };
	struct config *c[2];
	struct changes list;
	struct text got;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct text yaml;

		text_init(&yaml);
		text_str(&yaml, base);
		for (int z = 0; z < COUNT; z++)
			text_fmt(&yaml, "  - {name: z%d.example, file: z%s.zone, network: eu}\n", i ? z + COUNT / 2 : z, i && z % 2 ? "-other" : "");
		c[i] = parsed(yaml.chars, strlen(yaml.chars));
		text_done(&yaml);
	}
	changes_init(&list);
	config_changes(c[0], c[1], &list);
	text_init(&got);
	lines_of(&list, &got);
	assert_non_null(strstr(got.chars, "- zones: and 9900 more removed"));
	assert_non_null(strstr(got.chars, "+ zones: and 9900 more added"));
	assert_non_null(strstr(got.chars, "~ zones: more may have changed"));
	assert_int_equal(list.count, 3 * CHANGE_ZONES_SHOWN + 3);
	text_done(&got);
	changes_done(&list);
	config_free(c[0]);
	config_free(c[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_lost), cmocka_unit_test(where_routes_come_and_go), cmocka_unit_test(what_differs),
	                                   cmocka_unit_test(many_zones)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
