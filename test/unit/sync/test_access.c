/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may transfer, who may tell, who is told: tables over fleet files. */
#include "sync/access.h"

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "dns/name.h"
#include "proc/bundle.h"
#include "proc/role.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char fleet[] =
	"fleet: test\n"
	"networks:\n"
	"  - {name: one, prefixes: [192.0.2.0/24], addresses: [192.0.2.53], as: 64500}\n"
	"  - {name: two, prefixes: [\"2001:db8:53::/48\"], addresses: [\"2001:db8:53::53\"], as: 64500}\n"
	"nodes:\n"
	"  - {name: hidden, role: primary, management: [10.0.0.1, \"2001:db8::1\"]}\n"
	"  - {name: fra, role: pop, networks: [one], management: [10.0.0.21, \"2001:db8::21\"], bgp: {router-id: 10.0.0.21}}\n"
	"  - {name: ams, role: pop, networks: [one, two], management: [10.0.0.22], bgp: {router-id: 10.0.0.22}}\n"
	"keys:\n"
	"  - {name: k1, secret-file: /k1}\n"
	"  - {name: k2, algorithm: hmac-sha512, secret-file: /k2}\n"
	"  - {name: bad, secret-file: /bad}\n"
	"zones:\n"
	"  - {name: plain.test, file: /z, network: one}\n"
	"  - {name: Open.test, file: /z, network: one, allow-transfer: [198.51.100.0/24, \"2001:db8:7::/64\"], notify: [198.51.100.9, \"[2001:db8:7::9]:5353\"]}\n"
	"  - {name: keyed.test, file: /z, network: two, key: k1}\n"
	"  - {name: both.test, file: /z, network: two, key: k2, allow-transfer: [198.51.100.7/32]}\n"
	"  - {name: broken.test, file: /z, network: one, key: bad, notify: [198.51.100.9]}\n"
	"  - {name: theirs.test, primaries: [203.0.113.5, \"203.0.113.6:5353\"], network: one, key: k1}\n"
	"  - {name: nowhere.test, file: /z, notify: [198.51.100.9]}\n"
	"  - {name: tls.test, file: /z, network: one, tls: up, transfer-over: tls}\n"
	"  - {name: mutual.test, file: /z, network: one, tls: up, key: k1, transfer-over: mutual-tls}\n"
	"tls-auth: [{name: up, mode: opportunistic, certificate-file: /c, key-file: /k}]\n"
	"answer: {tls: {certificate-file: /c, key-file: /k, client-ca-file: /ca}}\n";

static struct config *config;
static struct bundle *bundle;

static struct access *make(const char *node)
{
	static struct role role;
	struct access *a = NULL;

	role.config = config;
	role.bundle = bundle;
	role.node = config_node_find(config, node);
	assert_int_equal(access_make(&role, &a), 0);
	return a;
}

static struct name name_of(const char *text)
{
	static const uint8_t root[1] = {0};
	struct name n;

	assert_int_equal(name_from_text(text, strlen(text), root, &n), 0);
	return n;
}

static const struct tsig_key *key_of(const struct access *a, const char *text)
{
	struct name n;

	if (!text)
		return NULL;
	n = name_of(text);
	return tsig_keys_find(access_keys(a), n.wire);
}

struct row {
	const char *node, *zone, *from, *key;
	enum access_verdict transfer, notify;
};

static void test_rules(void **state)
{
	static const struct row rows[] = {
		/* Without a key: nodes of the fleet and who is named; loopback is nobody. */
		{"hidden", "plain.test", "10.0.0.1", NULL, ACCESS_GRANTED, ACCESS_NO_SECONDARY},
		{"hidden", "PLAIN.test", "10.0.0.21", NULL, ACCESS_GRANTED, ACCESS_NO_SECONDARY},
		{"hidden", "plain.test", "2001:db8::21", NULL, ACCESS_GRANTED, ACCESS_NO_SECONDARY},
		{"hidden", "plain.test", "127.0.0.1", NULL, ACCESS_ADDRESS, ACCESS_NO_SECONDARY},
		{"hidden", "plain.test", "::1", NULL, ACCESS_ADDRESS, ACCESS_NO_SECONDARY},
		{"hidden", "plain.test", "192.0.2.53", NULL, ACCESS_ADDRESS, ACCESS_NO_SECONDARY},
		{"hidden", "plain.test", "127.0.0.1", "k1", ACCESS_ADDRESS, ACCESS_NO_SECONDARY},
		{"hidden", "open.test", "198.51.100.200", NULL, ACCESS_GRANTED, ACCESS_NO_SECONDARY},
		{"hidden", "open.test", "198.51.101.1", NULL, ACCESS_ADDRESS, ACCESS_NO_SECONDARY},
		{"hidden", "open.test", "2001:db8:7::1:2:3:4", NULL, ACCESS_GRANTED, ACCESS_NO_SECONDARY},
		{"hidden", "open.test", "2001:db8:7:1::1", NULL, ACCESS_ADDRESS, ACCESS_NO_SECONDARY},
		{"hidden", "open.test", "10.0.0.22", NULL, ACCESS_GRANTED, ACCESS_NO_SECONDARY},
		/* With one: that one, from anywhere. */
		{"hidden", "keyed.test", "198.51.100.1", "k1", ACCESS_GRANTED, ACCESS_NO_SECONDARY},
		{"hidden", "keyed.test", "10.0.0.21", NULL, ACCESS_UNSIGNED, ACCESS_NO_SECONDARY},
		{"hidden", "keyed.test", "10.0.0.21", "k2", ACCESS_WRONG_KEY, ACCESS_NO_SECONDARY},
		/* With both: both. */
		{"hidden", "both.test", "198.51.100.7", "k2", ACCESS_GRANTED, ACCESS_NO_SECONDARY},
		{"hidden", "both.test", "198.51.100.8", "k2", ACCESS_ADDRESS, ACCESS_NO_SECONDARY},
		{"hidden", "both.test", "10.0.0.21", "k2", ACCESS_ADDRESS, ACCESS_NO_SECONDARY},
		{"hidden", "both.test", "198.51.100.7", NULL, ACCESS_UNSIGNED, ACCESS_NO_SECONDARY},
		{"hidden", "both.test", "198.51.100.7", "k1", ACCESS_WRONG_KEY, ACCESS_NO_SECONDARY},
		/* A key that is of no use opens nothing. */
		{"hidden", "broken.test", "10.0.0.21", NULL, ACCESS_UNSIGNED, ACCESS_NO_SECONDARY},
		{"hidden", "broken.test", "10.0.0.21", "k1", ACCESS_WRONG_KEY, ACCESS_NO_SECONDARY},
		{"hidden", "elsewhere.test", "10.0.0.21", NULL, ACCESS_NO_ZONE, ACCESS_NO_ZONE},
		{"hidden", "www.plain.test", "10.0.0.21", NULL, ACCESS_NO_ZONE, ACCESS_NO_ZONE},
		{"hidden", ".", "10.0.0.21", NULL, ACCESS_NO_ZONE, ACCESS_NO_ZONE},
		/* NOTIFY: from a primary, with the key. */
		{"hidden", "theirs.test", "203.0.113.5", "k1", ACCESS_GRANTED, ACCESS_GRANTED},
		{"hidden", "theirs.test", "203.0.113.6", "k1", ACCESS_GRANTED, ACCESS_GRANTED},
		{"hidden", "theirs.test", "203.0.113.5", NULL, ACCESS_UNSIGNED, ACCESS_UNSIGNED},
		{"hidden", "theirs.test", "203.0.113.5", "k2", ACCESS_WRONG_KEY, ACCESS_WRONG_KEY},
		{"hidden", "theirs.test", "203.0.113.7", "k1", ACCESS_GRANTED, ACCESS_SOURCE},
		{"hidden", "theirs.test", "10.0.0.1", "k1", ACCESS_GRANTED, ACCESS_SOURCE},
		/* A pop has the zones of its networks, from the fleet's primaries where others have the file. */
		{"fra", "plain.test", "10.0.0.1", NULL, ACCESS_GRANTED, ACCESS_GRANTED},
		{"fra", "plain.test", "2001:db8::1", NULL, ACCESS_GRANTED, ACCESS_GRANTED},
		{"fra", "plain.test", "10.0.0.22", NULL, ACCESS_GRANTED, ACCESS_SOURCE},
		{"fra", "keyed.test", "10.0.0.1", "k1", ACCESS_NO_ZONE, ACCESS_NO_ZONE},
		{"fra", "nowhere.test", "10.0.0.1", NULL, ACCESS_NO_ZONE, ACCESS_NO_ZONE},
		{"ams", "keyed.test", "10.0.0.1", "k1", ACCESS_GRANTED, ACCESS_GRANTED},
		{"ams", "keyed.test", "10.0.0.1", NULL, ACCESS_UNSIGNED, ACCESS_UNSIGNED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct access *a = make(rows[i].node);
		struct name zone = name_of(rows[i].zone);
		const struct tsig_key *key = key_of(a, rows[i].key);
		struct ip_addr from;

		assert_int_equal(addr_parse(rows[i].from, &from), 0);
		assert_true(!rows[i].key || key);
		if (access_transfer(a, zone.wire, &from, ACCESS_OVER_CLEAR, key) != rows[i].transfer ||
		    access_notify(a, zone.wire, &from, key) != rows[i].notify)
			fail_msg("row %zu: %s at %s from %s with %s: %s, %s", i, rows[i].zone, rows[i].node,
			         rows[i].from, rows[i].key ? rows[i].key : "-",
			         access_verdict_text(access_transfer(a, zone.wire, &from, ACCESS_OVER_CLEAR, key)),
			         access_verdict_text(access_notify(a, zone.wire, &from, key)));
		access_unref(a);
	}
}

/* What the zone demands of the connection comes first; key and address hold as well. */
static void test_over(void **state)
{
	static const struct {
		const char *zone, *from, *key;
		enum access_verdict clear, tls, mutual;
	} rows[] = {
		{"plain.test", "10.0.0.21", NULL, ACCESS_GRANTED, ACCESS_GRANTED, ACCESS_GRANTED},
		{"tls.test", "10.0.0.21", NULL, ACCESS_CLEAR, ACCESS_GRANTED, ACCESS_GRANTED},
		{"tls.test", "2001:db8::21", NULL, ACCESS_CLEAR, ACCESS_GRANTED, ACCESS_GRANTED},
		{"tls.test", "198.51.100.1", NULL, ACCESS_CLEAR, ACCESS_ADDRESS, ACCESS_ADDRESS},
		{"mutual.test", "198.51.100.1", "k1", ACCESS_CLEAR, ACCESS_CERTIFICATE, ACCESS_GRANTED},
		{"mutual.test", "198.51.100.1", NULL, ACCESS_CLEAR, ACCESS_CERTIFICATE, ACCESS_UNSIGNED},
		{"mutual.test", "198.51.100.1", "k2", ACCESS_CLEAR, ACCESS_CERTIFICATE, ACCESS_WRONG_KEY},
	};
	struct access *a = make("hidden");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct name zone = name_of(rows[i].zone);
		const struct tsig_key *key = key_of(a, rows[i].key);
		struct ip_addr from;

		assert_int_equal(addr_parse(rows[i].from, &from), 0);
		assert_int_equal(access_transfer(a, zone.wire, &from, ACCESS_OVER_CLEAR, key), rows[i].clear);
		assert_int_equal(access_transfer(a, zone.wire, &from, ACCESS_OVER_TLS, key), rows[i].tls);
		assert_int_equal(access_transfer(a, zone.wire, &from, ACCESS_OVER_MUTUAL_TLS, key), rows[i].mutual);
	}
	access_unref(a);
}

static void collect(void *ctx, const struct endpoint *to)
{
	char *all = ctx, text[ENDPOINT_TEXT_MAX];

	strcat(all, endpoint_text(to, text));
	strcat(all, " ");
}

static void test_targets(void **state)
{
	static const struct {
		const char *node, *zone, *told;
	} rows[] = {
		{"hidden", "plain.test", "10.0.0.21:53 [2001:db8::21]:53 10.0.0.22:53 "},
		{"hidden", "open.test", "198.51.100.9:53 [2001:db8:7::9]:5353 10.0.0.21:53 [2001:db8::21]:53 10.0.0.22:53 "},
		{"hidden", "keyed.test", "10.0.0.22:53 "},
		{"hidden", "broken.test", ""},
		{"hidden", "nowhere.test", "198.51.100.9:53 "},
		{"hidden", "elsewhere.test", ""},
		{"fra", "plain.test", ""},
		{"fra", "open.test", "198.51.100.9:53 [2001:db8:7::9]:5353 "},
		{"fra", "keyed.test", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct access *a = make(rows[i].node);
		struct name zone = name_of(rows[i].zone);
		const struct tsig_key *key;
		char told[1000] = "";

		access_targets(a, zone.wire, collect, told);
		assert_string_equal(told, rows[i].told);
		assert_int_equal(access_key(a, zone.wire, &key), strcmp(rows[i].zone, "broken.test") != 0);
		access_unref(a);
	}
}

static void test_alone(void **state)
{
	static struct role role;
	struct ip_prefix *allowed = role.brief.allow_transfer;
	struct name zone = name_of("any.test");
	struct ip_addr from;
	struct access *a;
	char told[100] = "";

	(void)state;
	assert_int_equal(prefix_parse("127.0.0.1/32", &allowed[0]), 0);
	assert_int_equal(prefix_parse("2001:db8::/32", &allowed[1]), 0);
	role.brief.allow_transfer_count = 2;
	assert_int_equal(access_make(&role, &a), 0);
	assert_int_equal(addr_parse("127.0.0.1", &from), 0);
	assert_int_equal(access_transfer(a, zone.wire, &from, ACCESS_OVER_CLEAR, NULL), ACCESS_GRANTED);
	assert_int_equal(access_notify(a, zone.wire, &from, NULL), ACCESS_NO_SECONDARY);
	assert_int_equal(addr_parse("127.0.0.2", &from), 0);
	assert_int_equal(access_transfer(a, zone.wire, &from, ACCESS_OVER_CLEAR, NULL), ACCESS_ADDRESS);
	assert_int_equal(addr_parse("2001:db8:1::1", &from), 0);
	assert_int_equal(access_transfer(a, zone.wire, &from, ACCESS_OVER_CLEAR, NULL), ACCESS_GRANTED);
	access_targets(a, zone.wire, collect, told);
	assert_string_equal(told, "");
	access_unref(a);
	role.brief.allow_transfer_count = 0;
	assert_int_equal(access_make(&role, &a), 0);
	assert_int_equal(access_transfer(a, zone.wire, &from, ACCESS_OVER_CLEAR, NULL), ACCESS_ADDRESS);
	/* Used by two, gone with the second. */
	assert_ptr_equal(access_ref(a), a);
	access_unref(a);
	assert_int_equal(access_transfer(a, zone.wire, &from, ACCESS_OVER_CLEAR, NULL), ACCESS_ADDRESS);
	access_unref(a);
}

static int set_up(void **state)
{
	static const char secret[] = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n";
	struct diag diag;

	(void)state;
	log_setup("test", LOG_ERR);
	diag_init(&diag);
	bundle = bundle_new();
	if (!bundle || config_parse("/fleet.yaml", fleet, strlen(fleet), &diag, &config) < 0) {
		for (const struct diag_entry *e = diag.first; e; e = e->next) {
			char line[1400];

			printf("%s\n", diag_entry_text(e, line, sizeof(line)));
		}
		return -1;
	}
	diag_done(&diag);
	return bundle_add(bundle, "/fleet.yaml", fleet, strlen(fleet)) || bundle_add(bundle, "/k1", secret, strlen(secret)) ||
	       bundle_add(bundle, "/k2", secret, strlen(secret)) || bundle_add(bundle, "/bad", "not base64!", 11);
}

static int tear_down(void **state)
{
	(void)state;
	config_free(config);
	bundle_free(bundle);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules), cmocka_unit_test(test_over),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_alone),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
