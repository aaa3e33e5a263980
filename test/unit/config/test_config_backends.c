/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools of name servers that answer for zones, in the fleet file: values, defaults, what each role is given, what is wrong and said, what has changed. */
#include "config/config.h"

#include "base/err.h"
#include "config/change.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "parsed.h"

#define FLEET                                                                                                          \
	"fleet: f\n"                                                                                                   \
	"networks: [{name: n, prefixes: [203.0.113.0/24], addresses: [203.0.113.53], as: 64500}, {name: m, prefixes: " \
	"[\"2001:db8:53::/48\"], addresses: [\"2001:db8:53::53\"], as: 64500}]\n"                                      \
	"tls-auth: [{name: up, ca-file: up.pem}, {name: other, ca-file: o.pem}]\n"                                     \
	"nodes:\n"                                                                                                     \
	"  - {name: p, role: primary, management: [192.0.2.10]}\n"                                                     \
	"  - {name: a, role: pop, networks: [n], management: [192.0.2.21], bgp: {neighbors: [{address: 192.0.2.1, "    \
	"as: 1}]}}\n"                                                                                                  \
	"  - {name: b, role: pop, networks: [m], management: [\"2001:db8::22\"], bgp: {router-id: 192.0.2.22, "        \
	"neighbors: "                                                                                                  \
	"[{address: \"2001:db8::1\", as: 1}]}}\n"

static const char good[] =
	FLEET "backends:\n"
	      "  - name: edge\n"
	      "    servers:\n"
	      "      - {name: one, address: 198.51.100.1, weight: 1, outstanding: 5}\n"
	      "      - {address: \"198.51.100.2:5300\"}\n"
	      "      - {address: \"2001:db8:7::3\"}\n"
	      "    policy: hash\n"
	      "    patience: 700ms\n"
	      "    stale-for: 0s\n"
	      "    proxy-protocol: true\n"
	      "    client-subnet: true\n"
	      "    pass: [transfer, notify]\n"
	      "    check: {name: Probe.example, type: A, contains: 192.0.2.7, interval: 2s, timeout: 100ms, rise: 3, "
	      "fall: 4}\n"
	      "  - {name: dot, over: tls, tls: up, policy: ordered, servers: [{address: \"[2001:db8:7::4]\"}, "
	      "{address: 198.51.100.2}], "
	      "check: {rcode: REFUSED}}\n"
	      "zones:\n"
	      "  - {name: held.example, file: h.zone, network: n}\n"
	      "  - {name: Edge.Example, backends: edge, network: n}\n"
	      "  - {name: ., backends: dot, network: m}\n"
	      "answer: {backend-cache: {size: 2GiB, ttl-max: 2h, negative-ttl-max: 5m, prefetch: 0}}\n";

static const char *text_of(const uint8_t *name)
{
	static char text[NAME_TEXT_MAX];

	name_to_text(name, text);
	return text;
}

static void test_values(void **state)
{
	struct config *c = parsed(good, strlen(good));
	const struct config_backends *b = &c->backends[0], *t = &c->backends[1];
	struct endpoint source;
	char text[NAME_TEXT_MAX];

	(void)state;
	assert_int_equal(c->backend_count, 2);
	assert_string_equal(b->name, "edge");
	assert_int_equal(b->line, 9);
	assert_int_equal(b->server_count, 3);
	assert_string_equal(b->servers[0].name, "one");
	assert_string_equal(endpoint_text(&b->servers[0].at, text), "198.51.100.1:53");
	assert_int_equal(b->servers[0].weight, 1);
	assert_int_equal(b->servers[0].outstanding, 5);
	assert_string_equal(b->servers[1].name, "198.51.100.2:5300");
	assert_int_equal(b->servers[1].weight, 100);
	assert_int_equal(b->servers[1].outstanding, 10000);
	assert_string_equal(b->servers[2].name, "2001:db8:7::3");
	assert_int_equal(b->servers[2].at.port, 53);
	assert_int_equal(b->policy, CONFIG_BACKEND_HASH);
	assert_int_equal(b->over, CONFIG_BACKEND_UDP);
	assert_int_equal(b->tls, UINT32_MAX);
	assert_int_equal(b->patience_ms, 700);
	assert_int_equal(b->stale_for_ms, 0);
	assert_true(b->proxy_protocol && b->client_subnet && b->pass_notify && b->pass_transfer && !b->pass_update);
	assert_string_equal(text_of(b->check.name), "probe.example.");
	assert_int_equal(b->check.type, 1);
	assert_int_equal(b->check.rcode, 0);
	assert_string_equal(b->check.contains, "192.0.2.7");
	assert_true(b->check.interval_ms == 2000 && b->check.timeout_ms == 100 && b->check.rise == 3 &&
	            b->check.fall == 4);
	assert_true(t->over == CONFIG_BACKEND_TLS && t->tls == 0 && t->policy == CONFIG_BACKEND_ORDERED);
	assert_true(t->servers[0].at.port == 853 && t->servers[0].at.tls == 0 && t->servers[1].at.port == 853);
	assert_true(t->patience_ms == 900 && t->stale_for_ms == 24U * 3600000 && !t->proxy_protocol && !t->pass_notify);
	assert_string_equal(text_of(t->check.name), "."); /* the first zone of the pool */
	assert_true(t->check.type == 6 && t->check.rcode == 5 && !t->check.contains);
	assert_true(t->check.interval_ms == 1000 && t->check.timeout_ms == 500 && t->check.rise == 2 &&
	            t->check.fall == 2);
	assert_true(!config_zone_is_edge(&c->zones[0]) && c->zones[1].backends == 0 && c->zones[2].backends == 1);
	for (size_t i = 0; i < c->node_count; i++)
		assert_int_equal(config_zone_sources(c, &c->nodes[i], &c->zones[1], &source, 1), 0);
	assert_true(c->answer.backend_cache.size == 2U << 30 && c->answer.backend_cache.prefetch == 0);
	assert_true(c->answer.backend_cache.ttl_max_ms == 7200000 &&
	            c->answer.backend_cache.negative_ttl_max_ms == 300000);
	config_free(c);
	c = parsed(FLEET, strlen(FLEET));
	assert_true(c->answer.backend_cache.size == 256U << 20 && c->answer.backend_cache.prefetch == 10);
	assert_true(c->answer.backend_cache.ttl_max_ms == 86400000 &&
	            c->answer.backend_cache.negative_ttl_max_ms == 3600000);
	config_free(c);
}

/* Printed and read again it is the same; workers are given the zones with backends that their node serves, other roles all of them. */
static void test_print(void **state)
{
	static const struct {
		const char *node; /* NULL: for other roles; "": as a whole */
		size_t zones;
		const char *first;
	} rows[] = {{"", 3, "held.example."},
	            {NULL, 2, "edge.example."},
	            {"p", 2, "edge.example."},
	            {"a", 1, "edge.example."},
	            {"b", 1, "."}};
	struct config *c = parsed(good, strlen(good));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *again;
		struct text out, twice;

		text_init(&out);
		text_init(&twice);
		if (!rows[i].node)
			config_print_without_zones(c, &out);
		else if (*rows[i].node)
			config_print_for_answer(c, config_node_find(c, rows[i].node), &out);
		else
			config_print(c, &out);
		again = parsed(out.chars, out.len);
		assert_int_equal(again->zone_count, rows[i].zones);
		assert_string_equal(text_of(again->zones[0].apex), rows[i].first);
		assert_int_equal(again->backend_count, 2);
		/* Files of servers that zones are transferred from are told to nobody who does not transfer. */
		assert_string_equal(again->tls_auth[1].name, "other");
		assert_true(!again->tls_auth[1].ca_file == (!rows[i].node || *rows[i].node));
		assert_string_equal(again->tls_auth[0].ca_file, "/etc/zonecast/up.pem");
		for (size_t k = 0; k < 2; k++) {
			const struct config_backends *x = &c->backends[k], *y = &again->backends[k];

			assert_int_equal(x->server_count, y->server_count);
			for (size_t n = 0; n < x->server_count; n++) {
				assert_string_equal(x->servers[n].name, y->servers[n].name);
				assert_memory_equal(&x->servers[n].at, &y->servers[n].at, sizeof(x->servers[n].at));
			}
			/* A node that serves none of its zones has the name to check with all the same. */
			assert_true(name_equal(x->check.name, y->check.name));
			assert_true(x->pass_notify == y->pass_notify && x->pass_transfer == y->pass_transfer);
			assert_true(x->policy == y->policy && x->over == y->over && x->tls == y->tls &&
			            x->check.rcode == y->check.rcode);
		}
		assert_memory_equal(&c->answer.backend_cache, &again->answer.backend_cache,
		                    sizeof(c->answer.backend_cache));
		if (rows[i].node && !*rows[i].node) {
			config_print(again, &twice);
			assert_string_equal(out.chars, twice.chars);
		}
		config_free(again);
		text_done(&out);
		text_done(&twice);
	}
	config_free(c);
}

/* Who wants to do without the list of zones cannot, where zones have backends. */
static void test_head(void **state)
{
	struct config *c = NULL;
	struct diag d;

	(void)state;
	diag_init(&d);
	assert_int_equal(config_parse_head("/etc/z.yaml", good, strlen(good), &d, &c), ERR_NOT_FOUND);
	assert_null(c);
	diag_done(&d);
}

#define POOL(more) FLEET "backends: [{name: e, servers: [{address: 198.51.100.1}]" more "}]\n"
#define ZONE(more) POOL("") "zones: [{name: z.example, network: n, backends: e" more "}]\n"

static void test_wrong(void **state)
{
	static const struct {
		const char *yaml, *want;
	} rows[] = {
		{ZONE(", file: x"), "9:58: error: zone \"z.example\" has \"backends\": \"file\" has no meaning there: "
	                            "remove it; its records are the backends'"},
		{ZONE(", primaries: [192.0.2.9]"), "\"primaries\" has no meaning there: remove it; nothing is "
	                                           "transferred: write the servers in \"backends\""},
		{ZONE(", tls: up"),
	         "\"tls\" has no meaning there: remove it; write \"over: tls\" and \"tls\" at the backends"},
		{ZONE(", allow-transfer: [192.0.2.0/24]"),
	         "\"allow-transfer\" has no meaning there: remove it; write \"pass: [transfer]\""},
		{ZONE(", notify: [192.0.2.9]"), "\"notify\" has no meaning there"},
		{ZONE(", transfer-over: tls"), "\"transfer-over\" has no meaning there"},
		{ZONE(", at-expiry: serve"),
	         "\"at-expiry\" has no meaning there: remove it; write \"stale-for\" at the backends"},
		{ZONE(", max-records: 1"), "\"max-records\" has no meaning there"},
		{ZONE(", watch: false"), "\"watch\" has no meaning there"},
		{ZONE(", serial: date"), "\"serial\" has no meaning there"},
		{ZONE(", zonemd: off"), "\"zonemd\" has no meaning there"},
		{ZONE(", shrink-limit: 5"), "\"shrink-limit\" has no meaning there"},
		{ZONE(", group: g"), "\"group\" has no meaning there"},
		{ZONE(", dnssec: auto"), "\"dnssec\" has no meaning there: remove it; the backends sign it"},
		{ZONE("") "catalogs: [{zone: z.example}]\n", "zone \"z.example\" is a catalog: it must be held here"},
		{ZONE("") "catalogs: [{zone: z.example, produce: true}]\n",
	         "zone \"z.example\" is a catalog: it must be held here"},
		{POOL("") "zones: [{name: z.example, backends: d}]\n",
	         "9:37: error: no backends is named \"d\": add it to"},
		{FLEET "zones: [{name: z.example, backends: d}]\n",
	         "8:37: error: no backends is named \"d\": add it to \"backends\""},
		{POOL(", over: tls"),
	         "8:64: error: how are the servers of \"e\" known? Add tls: NAME, an entry of \"tls-auth\""},
		{POOL(", tls: up"), "\"tls\" goes with \"over: tls\": write that, or remove it"},
		{POOL(", over: quic"), "\"over\" cannot be \"quic\": it is one of udp, tcp, tls"},
		{POOL(", policy: random"), "\"policy\" cannot be \"random\""},
		{POOL(", pass: [axfr]"), "\"pass\" cannot be \"axfr\": it is one of notify, update, transfer"},
		{POOL(", pass: [notify, notify, notify, notify]"), "\"pass\" has 4 items: at most 3 are allowed"},
		{POOL(", check: {rcode: BADVERS}"), "\"rcode\" cannot be \"BADVERS\""},
		{POOL(", check: {rcode: NXDOMAIN, contains: x}"),
	         "an answer with another code than NOERROR has no records"},
		{POOL(", patience: 1ms"), "\"patience\" is 1ms: out of range, it must be from 50ms to 30s"},
		{FLEET "backends: [{name: e}]\n", "backends \"e\" has no \"servers\""},
		{FLEET "backends: [{name: e, servers: []}]\n", "\"servers\" is empty"},
		{FLEET "backends: [{name: e, servers: [{name: x}]}]\n", "a server \"x\" has no \"address\""},
		{FLEET "backends: [{name: e, servers: [{address: 192.0.2.9, name: \"a b\"}]}]\n",
	         "the name of a server has 1 to 63 letters"},
		{FLEET "backends: [{name: e, servers: [{address: 192.0.2.9, weight: 0}]}]\n",
	         "\"weight\" is 0: out of range, it must be from 1 to 10000"},
		{FLEET "backends: [{name: e, servers: [{address: 192.0.2.9}, {address: \"192.0.2.9:53\"}]}]\n",
	         "server 192.0.2.9:53 is here twice"},
		{FLEET
	         "backends: [{name: e, servers: [{name: x, address: 192.0.2.8}, {name: x, address: 192.0.2.9}]}]\n",
	         "two servers of this pool are called \"x\""},
		{FLEET
	         "backends: [{name: e, servers: [{address: 192.0.2.8}]}, {name: E, servers: [{address: 192.0.2.8}]}]\n",
	         "backends \"E\" are defined twice; the first are in line 8"},
		{FLEET "backends: [{name: e, servers: [{address: 203.0.113.53}]}]\n",
	         "8:42: error: 203.0.113.53:53 is a service address of network \"n\": questions would come back to "
	         "this fleet"},
		{FLEET "backends: [{name: e, servers: [{address: \"2001:db8::22\"}]}]\n",
	         "[2001:db8::22]:53 is the management address of node \"b\": questions would come back to this fleet"},
		{FLEET "backends: [{name: e, over: tls, tls: up, servers: [{address: 192.0.2.10}]}]\n"
	               "answer: {tls: {certificate-file: a, key-file: b}}\n",
	         "192.0.2.10:853 is the management address of node \"p\""},
		{FLEET "answer: {backend-cache: {size: 1KiB}}\n", "\"size\" is 1KiB: out of range"},
		{FLEET "answer: {backend-cache: {prefetch: 91}}\n", "\"prefetch\" is 91: out of range"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c = NULL;
		char line[1000] = "";
		bool found = false;
		struct diag d;

		diag_init(&d);
		if (config_parse("z.yaml", rows[i].yaml, strlen(rows[i].yaml), &d, &c) != ERR_INVALID)
			fail_msg("taken: %s", rows[i].yaml);
		for (const struct diag_entry *e = d.first; e && !found; e = e->next)
			found = e->severity == DIAG_ERROR &&
			        strstr(diag_entry_text(e, line, sizeof(line)), rows[i].want);
		if (!found)
			fail_msg("%s: %s, not %s", rows[i].yaml, line, rows[i].want);
		diag_done(&d);
	}
}

/* 256 servers are the most, of all pools. */
static void test_many_servers(void **state)
{
	(void)state;
	for (unsigned extra = 0; extra < 2; extra++) {
		struct config *c = NULL;
		struct text yaml;
		struct diag d;

		text_init(&yaml);
		text_str(&yaml, FLEET "backends:\n");
		for (unsigned p = 0; p < 8 + extra; p++) {
			text_fmt(&yaml, "  - {name: p%u, servers: [", p);
			for (unsigned i = 0; i < (p < 8 ? 32 : 1); i++)
				text_fmt(&yaml, "%s{address: 198.51.100.%u}", i ? ", " : "", i + 1);
			text_str(&yaml, "]}\n");
		}
		diag_init(&d);
		assert_int_equal(config_parse("z.yaml", yaml.chars, yaml.len, &d, &c), extra ? ERR_INVALID : 0);
		config_free(c);
		diag_done(&d);
		text_done(&yaml);
	}
}

/* What is no loop: our own addresses at other ports. And a pool that nothing uses is said. */
static void test_warnings(void **state)
{
	static const char yaml[] = FLEET "backends: [{name: e, servers: [{address: \"192.0.2.21:5300\"}]}]\n";
	struct config *c = NULL;
	char line[1000] = "";
	bool found = false;
	struct diag d;

	(void)state;
	diag_init(&d);
	assert_int_equal(config_parse("z.yaml", yaml, strlen(yaml), &d, &c), 0);
	for (const struct diag_entry *e = d.first; e && !found; e = e->next)
		found = strstr(diag_entry_text(e, line, sizeof(line)), "warning: backends \"e\" answer for no zone") !=
		        NULL;
	assert_true(found);
	assert_null(c->backends[0].check.name);
	config_free(c);
	diag_done(&d);
}

static void test_changes(void **state)
{
	static const struct {
		const char *from, *to, *subject, *text;
		char sign;
	} rows[] = {
		{"policy: hash", "policy: weight", "backends edge", "policy: \"hash\" -> \"weight\"", '~'},
		{"weight: 1,", "weight: 2,", "backends edge server one", "weight: 1 -> 2", '~'},
		{"address: 198.51.100.1,", "address: 198.51.100.9,", "backends edge server one",
	         "address: \"198.51.100.1:53\" -> \"198.51.100.9:53\"", '~'},
		{"      - {address: \"2001:db8:7::3\"}\n", "", "backends edge server 2001:db8:7::3", "removed", '-'},
		{"backends: edge, network: n", "file: x, network: n", "zone edge.example.", "backends: \"edge\"", '-'},
		{"prefetch: 0", "prefetch: 5", "", "answer.backend-cache.prefetch: 0 -> 5", '~'},
		{"pass: [transfer, notify]", "pass: [transfer]", "backends edge", "pass: \"notify\"", '-'},
	};
	struct config *was = parsed(good, strlen(good));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *at = strstr(good, rows[i].from);
		struct changes list;
		struct config *is;
		struct text yaml;
		bool found = false;

		text_init(&yaml);
		text_add(&yaml, good, (size_t)(at - good));
		text_str(&yaml, rows[i].to);
		text_str(&yaml, at + strlen(rows[i].from));
		is = parsed(yaml.chars, yaml.len);
		changes_init(&list);
		config_changes(was, is, &list);
		for (const struct change *c = list.first; c; c = c->next)
			found = found || (c->sign == rows[i].sign && strcmp(c->subject, rows[i].subject) == 0 &&
			                  strcmp(c->text, rows[i].text) == 0);
		for (const struct change *c = list.first; c && !found; c = c->next)
			printf("%c %s: %s\n", c->sign, c->subject, c->text);
		if (!found)
			fail_msg("%s", rows[i].text);
		changes_done(&list);
		config_free(is);
		text_done(&yaml);
	}
	config_free(was);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),  cmocka_unit_test(test_print),        cmocka_unit_test(test_head),
		cmocka_unit_test(test_wrong),   cmocka_unit_test(test_many_servers), cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
