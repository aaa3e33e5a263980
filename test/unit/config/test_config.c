/* SPDX-License-Identifier: BSD-2-Clause */
/* Configurations that are good: values and defaults, warnings, printing, the shipped example, the manual. */
#include "config/config.h"
#include "config/schema.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "parsed.h"

static const char everything[] =
        "fleet: example\n"
        "state-dir: /var/lib/zonecast\n"
        "run-dir: /run/zonecast\n"
        "user: dns\n"
        "zones:\n" /* before what it refers to */
        "  - {name: Example.COM, file: zones/example.com.zone, network: global, key: transfer, dnssec: auto}\n"
        "  - {name: example.org, primaries: [198.51.100.7, \"[2001:db8::7]:5353\", 198.51.100.8:54], key: transfer, network: global, at-expiry: serve}\n"
        "  - {name: ., file: /srv/root.zone, allow-transfer: [0.0.0.0/0, \"2001:db8::/32\"], notify: [198.51.100.9, \"[2001:db8::9]:5353\"]}\n"
        "networks:\n"
        "  - name: global\n"
        "    prefixes: [203.0.113.0/24, \"2001:db8:53::/48\"]\n"
        "    addresses: [203.0.113.53, \"2001:db8:53::53\"]\n"
        "    as: 4200000000\n"
        "    keep-at-least: 1\n"
        "    backstop: [203.0.112.0/23]\n"
        "    check: {interval: 50ms, timeout: 150ms, fall: 3, rise: 20}\n"
        "    drain-time: 1m\n"
        "    rise-hold: 1500ms\n"
        "    rise-hold-max: 1h\n"
        "  - {name: eu, prefixes: [198.51.101.0/24], addresses: [198.51.101.53], as: 4200000000, backstop: [198.51.100.0/23], backstop-at: [fra]}\n"
        "nodes:\n"
        "  - name: hidden\n"
        "    role: primary\n"
        "    management: [192.0.2.10]\n"
        "  - name: fra\n"
        "    role: pop\n"
        "    networks: [eu, global]\n"
        "    management: [192.0.2.21, \"2001:db8::21\"]\n"
        "    site: {city: \"Frankfurt \\\"am\\\" Main \xc3\xa4\", latitude: 50.11, longitude: -8.68}\n"
        "    workers: 3\n"
        "    bgp:\n"
        "      router-id: 192.0.2.21\n"
        "      neighbors:\n"
        "        - {address: 192.0.2.1, as: 64496, password-file: ./bgp.key, bfd: {interval: 100ms}, ttl-security: true}\n"
        "        - address: \"2001:db8::1\"\n"
        "          port: 1179\n"
        "          as: 64497\n"
        "          local: \"2001:db8::21\"\n"
        "          multihop: 5\n"
        "          hold-time: 0\n"
        "          families: [ipv6]\n"
        "          next-hop: [\"2001:db8::99\", 192.0.2.99]\n"
        "          communities: [\"64500:7\", graceful-shutdown, no-export]\n"
        "          prepend: 2\n"
        "          med: 0\n"
        "          watch-routes: true\n"
        "        - address: \"fe80::1%no-such-if0\"\n"
        "          as: 64498\n"
        "          connect: both\n"
        "          extended-next-hop: true\n"
        "          role: customer\n"
        "          role-strict: true\n"
        "          max-prefixes: 0\n"
        "          at-max-prefixes: cease\n"
        "          large-communities: [\"4200000000:1:4294967295\", \"0:0:0\"]\n"
        "          de-prefer: {prepend: 0, communities: [\"64498:80\"], large-communities: [\"1:2:3\"], med: 7}\n"
        "          drain: {med: 9, prepend: 0}\n"
        "keys:\n"
        "  - {name: transfer, algorithm: hmac-sha512, secret-file: transfer.key}\n"
        "answer:\n"
        "  udp-size: 1400\n"
        "  any: all\n"
        "  report-agent: Agent.example\n"
        "  cookies: {mode: required, secret-files: [new.cookie, /srv/old.cookie]}\n"
        "  tcp: {connections: 5000, memory: 1GiB, idle: 2s, per-client: 7}\n"
        "  tls: {certificate-file: cert.pem, key-file: key.pem, port: 8853}\n"
        "  rate-limit: {answers: 0, no-names: 50, slip: 0, ipv6-prefix: 48, exempt: [10.0.0.0/8, \"2001:db8::/32\"]}\n"
        "  filters:\n"
        "    - {name: bad.example, types: [ANY, TYPE65280, a], action: refuse}\n"
        "    - {clients: [192.0.2.0/24], action: truncate}\n"
        "  xdp: native\n"
        "  xdp-cache: false\n"
        "  xdp-sockets: false\n"
        "  cache: 64MiB\n"
        "  query-log-sample: 1000\n"
        "rpki:\n"
        "  caches: [{address: 192.0.2.3, preference: 1}, {address: \"2001:db8::3\", port: 8282}]\n"
        "  invalid: alert\n"
        "  expire: 90m\n"
        "drift:\n"
        "  alert-after: 2m\n"
        "  references:\n"
        "    - {address: 192.0.2.77, zones: [Example.com, example.org]}\n"
        "    - {address: \"[2001:db8::77]:5353\"}\n"
        "history: {versions: 1000, size: 1GiB, all-for: 48h, step: 1h}\n"
        "control-group: wheel\n"
        "dnstap: {tcp: \"2001:db8::9\", port: 6001, responses: false, sample: 100, max-backlog: 8MiB, file-size: 0, files: 9}\n"
        "query-log: {file: /var/log/queries, format: json, file-size: 5MiB, files: 2}\n"
        "hooks: [{on: [withdraw, verdict], exec: [/bin/tell, \"a b\"], timeout: 3s}]\n"
        "http: {port: 8443, names: [dns.example], token-file: tokens, allow-changes: true, tls: {certificate-file: w.pem, key-file: w.key}}\n";

static void test_values(void **state)
{
	char buf[NAME_TEXT_MAX];
	struct diag d;
	struct config *c = parsed_with(everything, strlen(everything), &d);
	const struct config_network *g = &c->networks[0], *eu = &c->networks[1];

	(void)state;
	assert_string_equal(c->fleet, "example");
	assert_string_equal(c->user, "dns");
	assert_string_equal(c->path, "/etc/zonecast/z.yaml");
	assert_int_equal(c->network_count, 2);
	assert_string_equal(g->name, "global");
	assert_int_equal(g->prefix_count, 2);
	assert_string_equal(prefix_text(&g->prefixes[1], buf), "2001:db8:53::/48");
	assert_string_equal(addr_text(&g->addresses[0], buf), "203.0.113.53");
	assert_int_equal(g->as, 4200000000);
	assert_int_equal(g->backstop_count, 1);
	assert_int_equal(g->backstop_at_count, 0);
	assert_int_equal(g->check.interval_ms, 50);
	assert_int_equal(g->check.timeout_ms, 150);
	assert_int_equal(g->check.fall, 3);
	assert_int_equal(g->check.rise, 20);
	assert_int_equal(g->drain_ms, 60000);
	assert_int_equal(g->rise_hold_ms, 1500);
	assert_int_equal(g->rise_hold_max_ms, 3600000);
	assert_int_equal(c->history.versions, 1000);
	assert_int_equal(c->history.size, 1U << 30);
	assert_int_equal(c->history.all_for_ms, 48 * 3600000);
	assert_int_equal(c->history.step_ms, 3600000);
	assert_int_equal(c->generation, 0);
	assert_int_equal(c->hook_count, 1);
	assert_int_equal(c->hooks[0].on_count, 2);
	assert_int_equal(c->hooks[0].on[0], CONFIG_ON_WITHDRAW);
	assert_int_equal(c->hooks[0].on[1], CONFIG_ON_VERDICT);
	assert_int_equal(c->hooks[0].exec_count, 2);
	assert_string_equal(c->hooks[0].exec[1], "a b");
	assert_int_equal(c->hooks[0].timeout_ms, 3000);
	assert_string_equal(c->control_group, "wheel");
	assert_true(c->dnstap.enabled && c->dnstap.queries && !c->dnstap.responses && !c->dnstap.socket && !c->dnstap.file);
	assert_string_equal(addr_text(&c->dnstap.tcp, buf), "2001:db8::9");
	assert_int_equal(c->dnstap.port, 6001);
	assert_int_equal(c->dnstap.sample, 100);
	assert_int_equal(c->dnstap.max_backlog, 8 << 20);
	assert_int_equal(c->dnstap.file_size, 0);
	assert_int_equal(c->dnstap.files, 9);
	assert_true(c->query_log.enabled);
	assert_string_equal(c->query_log.file, "/var/log/queries");
	assert_int_equal(c->query_log.format, CONFIG_LOG_JSON);
	assert_int_equal(c->query_log.file_size, 5 << 20);
	assert_int_equal(c->query_log.files, 2);
	assert_true(c->http.enabled && c->http.tls.enabled && c->http.allow_changes && !c->http.open && !c->http.metrics_open);
	assert_int_equal(c->http.port, 8443);
	assert_int_equal(c->http.name_count, 1);
	assert_string_equal(c->http.names[0], "dns.example");
	assert_string_equal(c->http.token_file, "/etc/zonecast/tokens");
	assert_string_equal(c->http.tls.key_file, "/etc/zonecast/w.key");
	assert_null(c->http.tls.client_ca_file);
	assert_ptr_equal(config_http_of(c, &c->nodes[0]), &c->http);
	assert_true(c->rpki.enabled);
	assert_int_equal(c->rpki.cache_count, 2);
	assert_int_equal(c->rpki.caches[0].port, 323);
	assert_int_equal(c->rpki.caches[0].preference, 1);
	assert_string_equal(addr_text(&c->rpki.caches[1].address, buf), "2001:db8::3");
	assert_int_equal(c->rpki.caches[1].port, 8282);
	assert_int_equal(c->rpki.caches[1].preference, 100);
	assert_int_equal(c->rpki.invalid, CONFIG_INVALID_ALERT);
	assert_int_equal(c->rpki.expire_ms, 90 * 60000);
	assert_int_equal(c->drift.alert_after_ms, 120000);
	assert_int_equal(c->drift.reference_count, 2);
	assert_int_equal(c->drift.references[0].zone_count, 2);
	assert_true(name_equal(c->drift.references[0].zones[0], (const uint8_t *)"\7example\3com"));
	assert_int_equal(c->drift.references[0].server.port, 53);
	assert_int_equal(c->drift.references[1].zone_count, 0);
	assert_int_equal(c->drift.references[1].server.port, 5353);
	assert_true(!c->nodes[1].neighbors[0].watch_routes && c->nodes[1].neighbors[1].watch_routes);
	/* defaults */
	assert_int_equal(eu->keep_at_least, 1);
	assert_int_equal(eu->check.interval_ms, 100);
	assert_int_equal(eu->check.timeout_ms, 200);
	assert_int_equal(eu->check.fall, 2);
	assert_int_equal(eu->check.rise, 10);
	assert_int_equal(eu->drain_ms, 5000);
	assert_int_equal(eu->rise_hold_ms, 1000);
	assert_int_equal(eu->rise_hold_max_ms, 300000);
	assert_int_equal(eu->backstop_count, 1);
	assert_int_equal(eu->backstop_at_count, 1);
	assert_string_equal(eu->backstop_at[0], "fra");

	const struct config_node *fra = config_node_find(c, "fra");

	assert_ptr_equal(fra, &c->nodes[1]);
	assert_null(config_node_find(c, "ham"));
	assert_int_equal(c->nodes[0].role, CONFIG_PRIMARY);
	assert_int_equal(fra->role, CONFIG_POP);
	assert_int_equal(fra->network_count, 2);
	assert_int_equal(fra->networks[0], 1);
	assert_int_equal(fra->networks[1], 0);
	assert_int_equal(fra->management_count, 2);
	assert_string_equal(fra->city, "Frankfurt \"am\" Main \xc3\xa4");
	assert_true(fra->latitude == 50.11 && fra->longitude == -8.68);
	assert_true(fra->has_router_id);
	assert_int_equal(fra->router_id, 0xc0000215);
	assert_int_equal(fra->workers, 3);
	assert_int_equal(fra->neighbor_count, 3);

	const struct config_neighbor *a = &fra->neighbors[0], *b = &fra->neighbors[1], *link = &fra->neighbors[2];

	assert_int_equal(a->port, 179);
	assert_string_equal(a->password_file, "/etc/zonecast/bgp.key");
	assert_true(a->ttl_security && a->ipv4 && a->ipv6 && a->bfd.enabled && !a->has_med && !a->bfd.multihop);
	assert_int_equal(a->bfd.interval_ms, 100);
	assert_int_equal(a->bfd.multiplier, 3);
	assert_int_equal(a->hold_ms, 90000);
	assert_int_equal(a->multihop, 0);
	assert_int_equal(a->next_hop_v4.family, 0);
	assert_int_equal(a->local.family, 0);
	assert_int_equal(b->port, 1179);
	assert_int_equal(b->hold_ms, 0);
	assert_true(!b->ipv4 && b->ipv6 && !b->bfd.enabled && b->has_med);
	assert_int_equal(b->bfd.interval_ms, 300);
	assert_int_equal(b->multihop, 5);
	assert_string_equal(addr_text(&b->next_hop_v4, buf), "192.0.2.99");
	assert_string_equal(addr_text(&b->next_hop_v6, buf), "2001:db8::99");
	assert_string_equal(addr_text(&b->local, buf), "2001:db8::21");
	assert_int_equal(b->community_count, 3);
	assert_int_equal(b->communities[0], 64500U << 16 | 7);
	assert_int_equal(b->communities[1], 0xffff0000);
	assert_int_equal(b->communities[2], 0xffffff01);
	assert_int_equal(b->prepend, 2);
	assert_int_equal(b->med, 0);
	assert_true(a->dial == CONFIG_DIAL_ACTIVE && a->role == CONFIG_BGP_ROLE_NONE && !a->role_strict && !a->extended_next_hop && !a->interface);
	assert_true(a->local_pref == 100 && a->max_prefixes == 1000 && a->at_max_prefixes == CONFIG_AT_MAX_WARN && !a->large_count);
	assert_true(!a->de_prefer.has_prepend && !a->de_prefer.has_med && !a->de_prefer.has_local_pref && !a->drain.has_local_pref);
	assert_string_equal(link->interface, "no-such-if0");
	assert_string_equal(addr_text(&link->address, buf), "fe80::1");
	assert_true(link->dial == CONFIG_DIAL_BOTH && link->role == CONFIG_BGP_ROLE_CUSTOMER && link->role_strict && link->extended_next_hop);
	assert_true(link->max_prefixes == 0 && link->at_max_prefixes == CONFIG_AT_MAX_CEASE);
	assert_int_equal(link->large_count, 2);
	assert_int_equal(link->large[0].global, 4200000000U);
	assert_int_equal(link->large[0].local2, UINT32_MAX);
	assert_true(link->de_prefer.has_prepend && link->de_prefer.prepend == 0 && link->de_prefer.med == 7 && link->de_prefer.has_med);
	assert_true(link->de_prefer.community_count == 1 && link->de_prefer.large_count == 1 && link->de_prefer.large[0].local1 == 2);
	assert_true(link->drain.has_med && link->drain.med == 9 && link->drain.has_prepend && link->drain.prepend == 0 && !link->drain.community_count);

	assert_string_equal(c->keys[0].algorithm, "hmac-sha512");
	assert_string_equal(c->keys[0].secret_file, "/etc/zonecast/transfer.key");
	name_to_text(c->keys[0].dname.wire, buf);
	assert_string_equal(buf, "transfer.");

	assert_int_equal(c->zone_count, 3);
	name_to_text(c->zones[0].apex, buf);
	assert_string_equal(buf, "example.com.");
	assert_string_equal(c->zones[0].file, "/etc/zonecast/zones/example.com.zone");
	assert_true(c->zones[0].dnssec_auto && !c->zones[1].dnssec_auto);
	assert_int_equal(c->zones[0].line, 6);
	assert_int_equal(c->zones[1].primary_count, 3);
	assert_string_equal(endpoint_text(&c->zones[1].primaries[0], buf), "198.51.100.7:0");
	assert_string_equal(endpoint_text(&c->zones[1].primaries[1], buf), "[2001:db8::7]:5353");
	assert_null(c->zones[1].file);
	assert_true(name_is_root(c->zones[2].apex));
	assert_int_equal(c->zones[2].network, UINT32_MAX);
	assert_int_equal(c->zones[2].key, UINT32_MAX);
	assert_string_equal(c->zones[2].file, "/srv/root.zone");
	assert_int_equal(c->zones[2].allow_transfer_count, 2);
	assert_string_equal(prefix_text(&c->zones[2].allow_transfer[1], buf), "2001:db8::/32");
	assert_int_equal(c->zones[2].notify_count, 2);
	assert_string_equal(endpoint_text(&c->zones[2].notify[0], buf), "198.51.100.9:53");
	assert_string_equal(endpoint_text(&c->zones[2].notify[1], buf), "[2001:db8::9]:5353");
	assert_int_equal(c->zones[0].allow_transfer_count + c->zones[0].notify_count, 0);
	config_free(c);
	diag_done(&d);
}

static void test_answer_values(void **state)
{
	static const char bare[] = "fleet: f\nnodes: [{name: a, role: primary}]\n";
	char buf[NAME_TEXT_MAX];
	struct diag d;
	struct config *c = parsed_with(everything, strlen(everything), &d);
	const struct config_answer *a = &c->answer;

	(void)state;
	assert_int_equal(a->udp_size, 1400);
	assert_int_equal(a->any, CONFIG_ANY_ALL);
	name_to_text(a->report_agent, buf);
	assert_string_equal(buf, "agent.example.");
	assert_int_equal(a->cookies.mode, CONFIG_COOKIES_REQUIRED);
	assert_int_equal(a->cookies.secret_file_count, 2);
	assert_string_equal(a->cookies.secret_files[0], "/etc/zonecast/new.cookie");
	assert_string_equal(a->cookies.secret_files[1], "/srv/old.cookie");
	assert_int_equal(a->tcp.connections, 5000);
	assert_int_equal(a->tcp.memory, 1U << 30);
	assert_int_equal(a->tcp.idle_ms, 2000);
	assert_int_equal(a->tcp.per_client, 7);
	assert_true(a->tls.enabled);
	assert_string_equal(a->tls.key_file, "/etc/zonecast/key.pem");
	assert_int_equal(a->tls.port, 8853);
	assert_int_equal(a->rate_limit.answers, 0);
	assert_int_equal(a->rate_limit.referrals, 5000);
	assert_int_equal(a->rate_limit.no_names, 50);
	assert_int_equal(a->rate_limit.slip, 0);
	assert_int_equal(a->rate_limit.ipv4_prefix, 24);
	assert_int_equal(a->rate_limit.ipv6_prefix, 48);
	assert_int_equal(a->rate_limit.exempt_count, 2);
	assert_int_equal(a->filter_count, 2);
	assert_int_equal(a->filters[0].type_count, 3);
	assert_int_equal(a->filters[0].types[0], 255);
	assert_int_equal(a->filters[0].types[1], 65280);
	assert_int_equal(a->filters[0].types[2], 1);
	assert_int_equal(a->filters[0].action, CONFIG_FILTER_REFUSE);
	assert_null(a->filters[1].name);
	assert_int_equal(a->filters[1].client_count, 1);
	assert_int_equal(a->filters[1].action, CONFIG_FILTER_TRUNCATE);
	assert_int_equal(a->xdp, CONFIG_XDP_NATIVE);
	assert_false(a->xdp_cache);
	assert_false(a->xdp_sockets);
	assert_int_equal(a->cache, 64U << 20);
	assert_int_equal(a->query_log_sample, 1000);
	config_free(c);
	diag_done(&d);

	c = parsed_with(bare, strlen(bare), &d);
	a = &c->answer;
	assert_int_equal(a->udp_size, 1232);
	assert_int_equal(a->any, CONFIG_ANY_ONE);
	assert_null(a->report_agent);
	assert_int_equal(a->cookies.mode, CONFIG_COOKIES_OPTIONAL);
	assert_int_equal(a->cookies.secret_file_count, 0);
	assert_int_equal(a->tcp.memory, 64U << 20);
	assert_false(a->tls.enabled);
	assert_int_equal(a->rate_limit.errors, 200);
	assert_int_equal(a->rate_limit.slip, 2);
	assert_int_equal(a->xdp, CONFIG_XDP_OFF);
	assert_true(a->xdp_cache);
	assert_true(a->xdp_sockets);
	assert_int_equal(a->cache, 8U << 20);
	assert_int_equal(a->query_log_sample, 0);
	config_free(c);
	diag_done(&d);
}

/* An answer worker is given no zone, no key and no other node, and the same settings. */
static void test_print_for_answer(void **state)
{
	struct diag d, d2;
	struct config *c = parsed_with(everything, strlen(everything), &d), *slim;
	struct text out;

	(void)state;
	text_init(&out);
	config_print_for_answer(c, config_node_find(c, "fra"), &out);
	slim = parsed_with(out.chars, out.len, &d2);
	assert_int_equal(slim->zone_count, 0);
	assert_int_equal(slim->key_count, 0);
	assert_null(config_status_key(slim));
	assert_ptr_equal(config_status_key(c), &c->keys[0]); /* the first where none is named */
	assert_int_equal(slim->node_count, 1);
	assert_string_equal(slim->nodes[0].name, "fra");
	assert_int_equal(slim->nodes[0].neighbor_count, 0);
	assert_int_equal(slim->network_count, 2);
	assert_int_equal(slim->answer.filter_count, 2);
	assert_memory_equal(&slim->answer.tcp, &c->answer.tcp, sizeof(c->answer.tcp));
	config_free(slim);
	config_free(c);
	diag_done(&d);
	diag_done(&d2);
	text_done(&out);
}

/* What counts or names other nodes is true of the whole fleet, not of what a worker is given. */
static void test_print_for_answer_of_several(void **state)
{
	static const char fleet[] =
	        "fleet: f\nnetworks: [{name: n, prefixes: [203.0.113.0/24], addresses: [203.0.113.53], as: 64500, keep-at-least: 2, "
	        "backstop: [203.0.112.0/23], backstop-at: [b]}]\n"
	        "nodes:\n"
	        "  - {name: a, role: pop, networks: [n], management: [192.0.2.2], bgp: {router-id: 192.0.2.2}}\n"
	        "  - {name: b, role: pop, networks: [n], management: [192.0.2.3], bgp: {router-id: 192.0.2.3}}\n";
	struct diag d, d2;
	struct config *c = parsed_with(fleet, strlen(fleet), &d), *slim;
	struct text out;

	(void)state;
	for (size_t i = 0; i < c->node_count; i++) {
		text_init(&out);
		config_print_for_answer(c, &c->nodes[i], &out);
		slim = parsed_with(out.chars, out.len, &d2);
		assert_int_equal(slim->node_count, 1);
		config_free(slim);
		diag_done(&d2);
		text_done(&out);
	}
	config_free(c);
	diag_done(&d);
}

/* Who transfers what from whom. */
static void test_sources(void **state)
{
	static const struct {
		const char *node;
		unsigned zone;
		bool serves;
		unsigned count;
		const char *first;
	} cases[] = {
	        {"hidden", 0, true, 0, NULL},
	        {"fra", 0, true, 1, "192.0.2.10:53"},
	        {"hidden", 1, true, 3, "198.51.100.7:53"},
	        {"fra", 1, true, 3, "198.51.100.7:53"},
	        {"hidden", 2, true, 0, NULL},
	        {"fra", 2, false, 1, "192.0.2.10:53"},
	};
	struct endpoint list[CONFIG_SOURCES_MAX];
	char buf[ENDPOINT_TEXT_MAX];
	struct diag d;
	struct config *c = parsed_with(everything, strlen(everything), &d);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct config_node *node = config_node_find(c, cases[i].node);
		const struct config_zone *z = &c->zones[cases[i].zone];

		assert_int_equal(config_node_serves(node, z), cases[i].serves);
		assert_int_equal(config_zone_sources(c, node, z, list, ARRAY_LEN(list)), cases[i].count);
		if (cases[i].first)
			assert_string_equal(endpoint_text(&list[0], buf), cases[i].first);
	}
	assert_int_equal(config_zone_sources(c, &c->nodes[1], &c->zones[1], list, 2), 2);
	assert_int_equal(c->zones[0].at_expiry, CONFIG_EXPIRY_SERVFAIL);
	assert_int_equal(c->zones[1].at_expiry, CONFIG_EXPIRY_SERVE);
	config_free(c);
	diag_done(&d);
}

/* What this version reads but does not do is said, each once, with its place. */
static void test_warnings(void **state)
{
	static const char *const want[] = {
	        "/etc/zonecast/z.yaml:34:107: warning: \"ttl-security\" together with single-hop \"bfd\": FRR does multihop BFD then; with FRR write bfd: {multihop: true}",
	        "/etc/zonecast/z.yaml:34:21: warning: IPv6 prefixes go over this IPv4 session without a \"next-hop\", so the interface's \
IPv6 address is used: to be sure write next-hop: [\"2001:db8::21\"], or families: [ipv4]",
	        "/etc/zonecast/z.yaml:8:12: warning: zone \".\" is in no \"network\": no pop serves it",
	        "/etc/zonecast/z.yaml:8:54: warning: without a \"key\" anybody may copy the whole zone",
	        "/etc/zonecast/z.yaml:6:95: warning: \"dnssec: auto\": this version does not sign zones: the file is served as it is",
	};
	char line[2048];
	struct diag d;
	struct config *c = parsed_with(everything, strlen(everything), &d);
	size_t i = 0;

	(void)state;
	for (const struct diag_entry *e = d.first; e; e = e->next, i++) {
		assert_true(i < ARRAY_LEN(want));
		assert_string_equal(diag_entry_text(e, line, sizeof(line)), want[i]);
	}
	assert_int_equal(i, ARRAY_LEN(want));
	config_free(c);
	diag_done(&d);
}

/* Print, parse, print again: the same text; and every value of the first is in the second. */
static void check_print(const struct config *c)
{
	struct text once, twice;
	struct diag d;

	text_init(&once);
	text_init(&twice);
	config_print(c, &once);
	assert_false(once.failed);
	struct config *again = parsed_with(once.chars, once.len, &d);

	config_print(again, &twice);
	assert_string_equal(once.chars, twice.chars);
	assert_int_equal(c->zone_count, again->zone_count);
	assert_int_equal(c->node_count, again->node_count);
	for (size_t i = 0; i < c->network_count; i++)
		assert_memory_equal(&c->networks[i].check, &again->networks[i].check, sizeof(struct config_check));
	for (size_t i = 0; i < c->node_count; i++) {
		for (size_t j = 0; j < c->nodes[i].neighbor_count; j++) {
			const struct config_neighbor *a = &c->nodes[i].neighbors[j], *b = &again->nodes[i].neighbors[j];

			assert_memory_equal(&a->bfd, &b->bfd, sizeof(a->bfd));
			assert_memory_equal(&a->next_hop_v6, &b->next_hop_v6, sizeof(struct ip_addr));
			if (a->community_count)
				assert_memory_equal(a->communities, b->communities, a->community_count * 4);
			assert_int_equal(a->large_count, b->large_count);
			if (a->large_count)
				assert_memory_equal(a->large, b->large, a->large_count * sizeof(*a->large));
			assert_true(a->drain.med == b->drain.med && a->drain.has_med == b->drain.has_med);
			assert_true(a->de_prefer.med == b->de_prefer.med && a->de_prefer.community_count == b->de_prefer.community_count);
			assert_true(a->role == b->role && a->dial == b->dial && a->at_max_prefixes == b->at_max_prefixes);
			assert_true(!a->interface == !b->interface);
			assert_true(a->ipv4 == b->ipv4 && a->ipv6 == b->ipv6 && a->hold_ms == b->hold_ms && a->med == b->med);
		}
	}
	config_free(again);
	diag_done(&d);
	text_done(&once);
	text_done(&twice);
}

static void test_print(void **state)
{
	static const char small[] = "fleet: f\nnodes: [{name: a, role: pop, site: {city: \"\"}}]\n";
	struct diag d;
	struct config *c = parsed_with(everything, strlen(everything), &d);

	(void)state;
	check_print(c);
	config_free(c);
	diag_done(&d);
	c = parsed_with(small, strlen(small), &d);
	check_print(c);
	config_free(c);
	diag_done(&d);
}

/* What templates leave unsaid, and who holds a catalog. */
static void test_catalogs(void **state)
{
	static const char text[] =
		"fleet: f\n"
		"networks:\n  - {name: n, prefixes: [203.0.113.0/24], addresses: [203.0.113.53], as: 64500}\n"
		"  - {name: m, prefixes: [198.51.100.0/24], addresses: [198.51.100.53], as: 64500}\n"
		"keys: [{name: k, secret-file: k.key}, {name: l, secret-file: l.key}]\n"
		"status-key: l\n"
		"tls-auth: [{name: t, ca-file: ca.pem}]\n"
		"nodes:\n  - {name: p, role: primary, management: [192.0.2.1]}\n"
		"  - {name: a, role: pop, networks: [m], management: [192.0.2.2]}\n"
		"  - {name: b, role: pop, networks: [n], management: [192.0.2.3]}\n"
		"zones:\n  - {name: c.example, primaries: [192.0.2.9], key: k, at-expiry: serve, shrink-limit: 70}\n  - {name: made.example, network: n}\n"
		"catalogs:\n  - zone: C.example\n    members: {network: m, notify: [192.0.2.77]}\n"
		"    groups: [{name: Blue sky, key: l, primaries: [192.0.2.8, {address: 192.0.2.7, tls: t}], at-expiry: servfail}]\n"
		"  - {zone: made.example, produce: true, networks: [n]}\n";
	const struct config_template *t, *g;
	const struct config_catalog *k;
	struct endpoint sources[4];
	struct config *c;
	struct diag d;

	(void)state;
	c = parsed_with(text, strlen(text), &d);
	assert_int_equal(d.errors, 0);
	check_print(c);
	assert_ptr_equal(config_status_key(c), &c->keys[1]);
	k = &c->catalogs[0];
	assert_ptr_equal(k->zone, &c->zones[0]);
	assert_ptr_equal(c->zones[0].catalog, k);
	assert_int_equal(c->zones[0].shrink_limit, 100);
	assert_int_equal(k->members_limit, 1000000);
	assert_int_equal(k->shrink_limit, 50);
	t = config_catalog_template(k, NULL, 0);
	assert_ptr_equal(t, &k->members);
	assert_ptr_equal(config_catalog_template(k, "blue sky", 8), t);
	g = config_catalog_template(k, "Blue sky", 8);
	assert_ptr_equal(g, &k->groups[0]);
	assert_true(t->id != g->id && config_template_find(c, t->id) == t && config_template_find(c, g->id) == g);
	assert_null(config_template_find(c, 2));
	assert_true(t->zone.network == 1 && t->zone.key == 0 && t->zone.at_expiry == CONFIG_EXPIRY_SERVE && t->zone.shrink_limit == 70 && t->zone.notify_count == 1);
	assert_true(g->zone.network == 1 && g->zone.key == 1 && g->zone.at_expiry == CONFIG_EXPIRY_SERVFAIL && g->zone.notify_count == 1);
	assert_int_equal(config_zone_sources(c, &c->nodes[1], &t->zone, sources, 4), 1);
	assert_true(sources[0].port == 53 && !sources[0].tls);
	assert_int_equal(config_zone_sources(c, &c->nodes[1], &g->zone, sources, 4), 2);
	assert_true(!sources[0].tls && sources[1].tls == 1 && sources[1].port == 853);
	assert_true(config_node_serves(&c->nodes[0], k->zone));
	assert_true(config_node_serves(&c->nodes[1], k->zone));
	assert_false(config_node_serves(&c->nodes[2], k->zone));
	assert_false(config_node_serves(&c->nodes[1], c->catalogs[1].zone));
	assert_true(config_node_serves(&c->nodes[2], c->catalogs[1].zone));
	config_free(c);
	diag_done(&d);
}

static void test_example(void **state)
{
	struct config *c = NULL;
	struct diag d;

	(void)state;
	diag_init(&d);
	assert_int_equal(config_load(SOURCE_ROOT "/examples/fleet.yaml", &d, &c), 0);
	assert_int_equal(d.warnings, 0);
	assert_int_equal(c->zone_count, 3);
	check_print(c);
	for (size_t i = 0; i < c->zone_count; i++)
		assert_int_equal(access(c->zones[i].file, R_OK), 0);
	config_free(c);
	diag_done(&d);
}

/* Where members of a group are transferred from. */
static const char *members(const struct config *c, size_t catalog, const char *group)
{
	const struct config_template *t = config_catalog_template(&c->catalogs[catalog], group, group ? strlen(group) : 0);
	static char all[400];
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint got[4];
	size_t n = config_zone_sources(c, &c->nodes[1], &t->zone, got, ARRAY_LEN(got)), at = 0;

	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(all + at, sizeof(all) - at, "%s/%u ", endpoint_text(&got[i], text), got[i].tls);
	snprintf(all + at, sizeof(all) - at, "over %u", t->zone.transfer_over);
	return all;
}

/* Ports and TLS of what zones are transferred from, on this and that node. */
static void test_tls_sources(void **state)
{
	static const char yaml[] =
		"fleet: f\n"
		"tls-auth:\n"
		"  - {name: up, server-name: ns.example, ca-file: ca.pem, certificate-file: c.pem, key-file: k.pem}\n"
		"  - {name: pinned, pins: [\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]}\n"
		"  - {name: blind, mode: opportunistic}\n"
		"answer: {tls: {certificate-file: c.pem, key-file: k.pem, client-ca-file: ca.pem, port: 8853}}\n"
		"networks: [{name: n, as: 64500, prefixes: [203.0.113.0/24], addresses: [203.0.113.1]}]\n"
		"nodes:\n"
		"  - {name: p, role: primary, management: [192.0.2.10, \"2001:db8::10\"]}\n"
		"  - {name: a, role: pop, networks: [n], management: [192.0.2.21], bgp: {neighbors: [{address: "
	        "192.0.2.1, as: 1}]}}\n"
		"zones:\n"
		"  - {name: a.example, network: n, file: a, tls: up, transfer-over: mutual-tls}\n"
		"  - {name: b.example, network: n, file: b, transfer-over: any}\n"
		"  - {name: c.example, network: n, primaries: [192.0.2.1, \"192.0.2.2:530\", {address: "
	        "\"2001:db8::3\", tls: blind}, "
		"{address: 192.0.2.4, port: 54}]}\n"
		"  - name: d.example\n"
		"    network: n\n"
		"    primaries: [192.0.2.1, {address: 192.0.2.2, port: 9853}, {address: 192.0.2.3, tls: pinned}]\n"
		"    tls: up\n"
		"    transfer-over: tls\n"
		"catalogs:\n"
		"  - zone: d.example\n"
		"    groups:\n"
		"      - {name: own, primaries: [192.0.2.5]}\n"
		"      - {name: pinned, primaries: [{address: 192.0.2.6, tls: blind}, 192.0.2.7], tls: pinned}\n"
		"  - {zone: c.example}\n";
	static const struct {
		size_t zone;
		bool pop;
		struct {
			const char *at;
			unsigned tls;
		} want[4];
	} rows[] = {
		{0, false, {{0}}},
		{0, true, {{"192.0.2.10:8853", 1}, {"[2001:db8::10]:8853", 1}}},
		{1, true, {{"192.0.2.10:53", 0}, {"[2001:db8::10]:53", 0}}},
		{2, true, {{"192.0.2.1:53", 0}, {"192.0.2.2:530", 0}, {"[2001:db8::3]:853", 3}, {"192.0.2.4:54", 0}}},
		{3, false, {{"192.0.2.1:853", 1}, {"192.0.2.2:9853", 1}, {"192.0.2.3:853", 2}}},
	};
	struct diag d;
	struct config *c = parsed_with(yaml, strlen(yaml), &d);
	char text[ENDPOINT_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct endpoint got[4];
		size_t n = config_zone_sources(c, &c->nodes[rows[i].pop], &c->zones[rows[i].zone], got, ARRAY_LEN(got)),
		       want = 0;

		while (want < ARRAY_LEN(rows[i].want) && rows[i].want[want].at)
			want++;
		assert_int_equal(n, want);
		for (size_t k = 0; k < n; k++) {
			assert_string_equal(endpoint_text(&got[k], text), rows[i].want[k].at);
			assert_int_equal(got[k].tls, rows[i].want[k].tls);
		}
	}
	/* Members of catalogs: as the catalog's zone is, or as their primaries are said to be. */
	assert_string_equal(members(c, 0, NULL), "192.0.2.1:853/1 192.0.2.2:9853/1 192.0.2.3:853/2 over 1");
	assert_string_equal(members(c, 0, "own"), "192.0.2.5:853/1 over 1");
	assert_string_equal(members(c, 0, "pinned"), "192.0.2.6:853/3 192.0.2.7:853/2 over 1");
	assert_string_equal(members(c, 1, NULL), "192.0.2.1:53/0 192.0.2.2:530/0 [2001:db8::3]:853/3 192.0.2.4:54/0 over 0");
	assert_string_equal(c->tls_auth[0].ca_file, "/etc/zonecast/ca.pem");
	assert_string_equal(c->tls_auth[0].key_file, "/etc/zonecast/k.pem");
	assert_null(c->tls_auth[1].ca_file);
	assert_int_equal(c->tls_auth[2].mode, CONFIG_TLS_OPPORTUNISTIC);
	assert_string_equal(c->answer.tls.client_ca_file, "/etc/zonecast/ca.pem");
	assert_int_equal(c->zones[0].transfer_over, CONFIG_OVER_MUTUAL_TLS);
	assert_int_equal(c->zones[1].transfer_over, CONFIG_OVER_ANY);
	check_print(c);
	config_free(c);
	diag_done(&d);
}

/* Each option has its paragraph, which begins with its path as *path*. */
static void in_manual(void *ctx, const char *path, const struct schema_row *row)
{
	char want[300];

	snprintf(want, sizeof(want), "\n*%s*", path);
	if (!strstr(ctx, want)) {
		printf("not in the manual: %s (%s)\n", path, row->help);
		fail();
	}
	assert_non_null(row->help);
	assert_true(strlen(row->help) > 10 && row->help[strlen(row->help) - 1] != '.');
}

static void test_manual(void **state)
{
	FILE *f = fopen(SOURCE_ROOT "/doc/man/zonecast.yaml.5.scd", "r");
	static char page[1 << 18];
	size_t n;

	(void)state;
	assert_non_null(f);
	n = fread(page, 1, sizeof(page) - 1, f);
	fclose(f);
	assert_true(n > 1000 && n < sizeof(page) - 1);
	page[n] = '\0';
	schema_each(in_manual, page);
}

static void test_many_zones(void **state)
{
	enum { ZONES = 100000 };
	struct config *c;
	struct text t;
	struct diag d;

	(void)state;
	text_init(&t);
	text_str(&t, "fleet: f\nnodes: [{name: a, role: primary, management: [192.0.2.1]}]\nzones:\n");
	for (int i = 0; i < ZONES; i++)
		text_fmt(&t, "  - {name: zone%d.example, file: zones/%d.zone}\n", i, i);
	c = parsed_with(t.chars, t.len, &d);
	assert_int_equal(c->zone_count, ZONES);
	assert_int_equal(c->zones[ZONES - 1].line, ZONES + 3);
	config_free(c);
	diag_done(&d);
	text_str(&t, "  - {name: ZONE7.example, file: x}\n");
	diag_init(&d);
	c = NULL;
	assert_int_equal(config_parse("z", t.chars, t.len, &d, &c), ERR_INVALID);
	assert_string_equal(d.first->text, "zone \"ZONE7.example\" is defined twice; the first is in line 11");
	diag_done(&d);
	text_done(&t);
}

static void test_limits(void **state)
{
	struct config *c = NULL;
	struct text t;
	struct diag d;

	(void)state;
	text_init(&t);
	text_str(&t, "fleet: f\nnodes:\n");
	for (int i = 0; i <= CONFIG_NODES_MAX; i++)
		text_fmt(&t, "  - {name: n%d, role: pop}\n", i);
	diag_init(&d);
	assert_int_equal(config_parse("z", t.chars, t.len, &d, &c), ERR_INVALID);
	assert_string_equal(d.first->text, "\"nodes\" has 1001 items: at most 1000 are allowed");
	diag_done(&d);
	text_clear(&t);
	text_str(&t, "fleet: ");
	for (int i = 0; i < 5000; i++)
		text_char(&t, 'x');
	diag_init(&d);
	assert_int_equal(config_parse("z", t.chars, t.len, &d, &c), ERR_INVALID);
	assert_string_equal(d.first->text, "a value of 5000 octets; at most 4096 are allowed");
	diag_done(&d);
	text_done(&t);
	diag_init(&d);
	assert_int_equal(config_parse("z", "fleet: a\0b", 10, &d, &c), ERR_INVALID);
	assert_string_equal(d.first->text, "a NUL byte: is this a text file?");
	assert_int_equal(d.first->column, 9);
	diag_done(&d);
	assert_null(c);
	/* Errors found before, and a full diag, neither stop a good file nor hide in it. */
	static const char good[] = "fleet: f\nnodes: [{name: a, role: pop}]\n";

	diag_init(&d);
	for (int i = 0; i < DIAG_ERROR_LIMIT; i++)
		diag_add(&d, DIAG_ERROR, "other", 1, 1, "x");
	assert_int_equal(config_parse("z", good, strlen(good), &d, &c), 0);
	assert_int_equal(c->node_count, 1);
	assert_int_equal(d.errors, DIAG_ERROR_LIMIT);
	config_free(c);
	diag_done(&d);
}

static void write_file(const char *folder, const char *name, const char *text, mode_t mode)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_files(void **state)
{
	char folder[] = "/tmp/zonecast-config-XXXXXX", path[512], line[2048], want[2048], dir[256];
	struct config *c = NULL;
	struct diag d;

	(void)state;
	assert_non_null(mkdtemp(folder));
	write_file(folder, "fleet.yaml",
	           "fleet: f\nnodes: [{name: a, role: primary, management: [192.0.2.1]}]\n"
	           "run-dir: \"/run/x\"\n"
	           "keys: [{name: k, secret-file: k.key}, {name: l, secret-file: l.key}, {name: m, secret-file: m.key}, {name: n, secret-file: n.key}]\n"
	           "zones:\n  - {name: a.example, file: a.zone}\n  - {name: b.example, file: b.zone}\n",
	           0644);
	write_file(folder, "a.zone", "", 0644);
	write_file(folder, "k.key", "c2VjcmV0\n", 0600);
	write_file(folder, "l.key", "c2VjcmV0\n", 0644);
	write_file(folder, "n.key", "not base64!\n", 0600);
	snprintf(path, sizeof(path), "%s/fleet.yaml", folder);
	diag_init(&d);
	assert_int_equal(config_load(path, &d, &c), 0);
	assert_int_equal(d.errors + d.warnings, 0);
	config_check_files(c, NULL, &d);
	config_check_zone_files(c, NULL, NULL, &d);
	assert_int_equal(d.errors, 4);
	snprintf(want, sizeof(want), "%s/l.key: error: others may read this secret (mode 0644): chmod o-rwx %s/l.key", folder, folder);
	assert_string_equal(diag_entry_text(d.first, line, sizeof(line)), want);
	snprintf(want, sizeof(want), "%s: error: secret file %s/m.key: No such file or directory", path, folder);
	assert_string_equal(diag_entry_text(d.first->next, line, sizeof(line)), want);
	snprintf(want, sizeof(want), "%s/n.key:1: error: a TSIG secret is base64 of at most 1024 octets: make one with openssl rand -base64 32", folder);
	assert_string_equal(diag_entry_text(d.first->next->next, line, sizeof(line)), want);
	snprintf(want, sizeof(want), "%s:7: error: zone file %s/b.zone: No such file or directory", path, folder);
	assert_string_equal(diag_entry_text(d.first->next->next->next, line, sizeof(line)), want);
	config_free(c);
	diag_done(&d);

	/* The run directory is found in a file that is broken elsewhere, below and above. */
	assert_int_equal(config_peek_run_dir(path, dir, sizeof(dir)), 0);
	assert_string_equal(dir, "/run/x");
	write_file(folder, "fleet.yaml", "quux: [run-dir, {run-dir: /no}]\nrun-dir: /run/y\nnodes: [\n", 0644);
	assert_int_equal(config_peek_run_dir(path, dir, sizeof(dir)), 0);
	assert_string_equal(dir, "/run/y");
	write_file(folder, "fleet.yaml", "fleet: run-dir\nuser: /x\n", 0644);
	assert_int_equal(config_peek_run_dir(path, dir, sizeof(dir)), 0);
	assert_string_equal(dir, CONFIG_RUN_DIR_DEFAULT);
	write_file(folder, "fleet.yaml", "]", 0644);
	assert_int_equal(config_peek_run_dir(path, dir, sizeof(dir)), ERR_NOT_FOUND);
	for (const char *const *name = (const char *const[]){"fleet.yaml", "a.zone", "k.key", "l.key", "n.key", NULL}; *name; name++) {
		snprintf(path, sizeof(path), "%s/%s", folder, *name);
		unlink(path);
	}
	assert_int_equal(config_peek_run_dir(path, dir, sizeof(dir)), -2 /* ENOENT */);
	diag_init(&d);
	c = NULL;
	assert_int_equal(config_load(path, &d, &c), -2);
	assert_int_equal(d.errors, 1);
	diag_done(&d);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),           cmocka_unit_test(test_answer_values),
		cmocka_unit_test(test_print_for_answer),
		cmocka_unit_test(test_print_for_answer_of_several), cmocka_unit_test(test_sources),
		cmocka_unit_test(test_warnings),         cmocka_unit_test(test_print), cmocka_unit_test(test_catalogs),
		cmocka_unit_test(test_example),          cmocka_unit_test(test_tls_sources),
		cmocka_unit_test(test_manual),           cmocka_unit_test(test_many_zones),
		cmocka_unit_test(test_limits),           cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
