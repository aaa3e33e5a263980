/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools, policies and databases in the fleet file: values, defaults, what workers are told, mistakes. */
#include "config/change.h"
#include "config/config.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "parsed.h"

#define HEAD "fleet: f\nnodes: [{name: p, role: primary}, {name: a, role: pop}, {name: b, role: pop}]\n"

static const char everything[] =
	HEAD
	"steering:\n" /* before what it refers to */
	"  - name: www\n"
	"    owners: [WWW.example.com, \"*.example.org\"]\n"
	"    rules:\n"
	"      - {countries: [DE, at, NO, XK], continents: [eu], as: [64500, 4200000000], subnets: [10.0.0.0/8, \"2001:db8::/32\"], nodes: [b], pool: near}\n"
	"      - {nodes: [a, p], pool: far}\n"
	"      - {nodes: [b], pool: far}\n"
	"    pool: far\n"
	"    choose: nearest\n"
	"    answers: 3\n"
	"    ttl: 2m\n"
	"    client-subnet: false\n"
	"  - {name: plain, pool: names}\n"
	"  - {name: every, pool: far, choose: all}\n"
	"pools:\n"
	"  - name: near\n"
	"    endpoints:\n"
	"      - {name: one, address: 192.0.2.1, weight: 0, priority: 7, latitude: 50.5, longitude: -8.25, disabled: true}\n"
	"      - {name: two, address: \"2001:db8::2\", latitude: 0, longitude: 0}\n"
	"    check: {type: https, path: /up, host: www.example.com, status: 204, contains: \"a b\", ca-file: ca.pem, interval: 1s, rise: 3, fall: 4}\n"
	"    checked-from: [p, b]\n"
	"    keep: 2\n"
	"    fallback: far\n"
	"  - name: far\n"
	"    endpoints: [{name: x, address: 192.0.2.9, latitude: 1, longitude: 1}]\n"
	"    check: {type: dns, name: Check.example, rrtype: SOA, contains: ns1}\n"
	"  - name: names\n"
	"    endpoints: [{name: x, target: X.example}, {name: y, target: y.example}]\n"
	"    check: {type: exec, exec: [/bin/check, -v]}\n"
	"    keep: 0\n"
	"geoip: {location: city.mmdb, as: /srv/as.mmdb}\n";

static void test_values(void **state)
{
	struct config *c = parsed(everything, strlen(everything));
	const struct config_steering *www = &c->steering[0];
	const struct config_steering_rule *r = &www->rules[0];
	const struct config_pool *near = &c->pools[0], *far = &c->pools[1], *names = &c->pools[2];
	char buf[NAME_TEXT_MAX];

	(void)state;
	assert_string_equal(c->geoip.location_file, "/etc/zonecast/city.mmdb");
	assert_string_equal(c->geoip.as_file, "/srv/as.mmdb");
	assert_int_equal(c->steering_count, 3);
	assert_int_equal(c->pool_count, 3);
	assert_int_equal(www->owner_count, 2);
	assert_true(name_equal(www->owners[0], (const uint8_t *)"\3www\7example\3com"));
	assert_int_equal(www->rule_count, 3);
	assert_int_equal(r->country_count, 4);
	assert_int_equal(r->countries[0], 'D' << 8 | 'E');
	assert_int_equal(r->countries[1], 'A' << 8 | 'T');
	assert_int_equal(r->countries[2], 'N' << 8 | 'O');
	assert_int_equal(r->continent_count, 1);
	assert_int_equal(r->continents[0], 'E' << 8 | 'U');
	assert_int_equal(r->as_count, 2);
	assert_int_equal(r->as[1], 4200000000U);
	assert_int_equal(r->subnet_count, 2);
	assert_string_equal(prefix_text(&r->subnets[1], buf), "2001:db8::/32");
	assert_int_equal(r->node_count, 1);
	assert_int_equal(r->nodes[0], 2);
	assert_int_equal(r->pool, 0);
	assert_int_equal(www->pool, 1);
	assert_int_equal(www->choose, CONFIG_CHOOSE_NEAREST);
	assert_int_equal(www->answers, 3);
	assert_int_equal(www->ttl_ms, 120000);
	assert_false(www->client_subnet);
	assert_int_equal(www->line, 4);
	assert_int_equal(near->endpoint_count, 2);
	assert_int_equal(near->endpoints[0].weight, 0);
	assert_int_equal(near->endpoints[0].priority, 7);
	assert_true(near->endpoints[0].located && near->endpoints[0].disabled && near->endpoints[1].located);
	assert_true(near->endpoints[0].latitude == 50.5 && near->endpoints[0].longitude == -8.25);
	assert_string_equal(addr_text(&near->endpoints[1].address, buf), "2001:db8::2");
	assert_int_equal(near->check.type, CONFIG_CHECK_HTTPS);
	assert_int_equal(near->check.port, 443);
	assert_int_equal(near->check.status, 204);
	assert_string_equal(near->check.path, "/up");
	assert_string_equal(near->check.host, "www.example.com");
	assert_string_equal(near->check.contains, "a b");
	assert_string_equal(near->check.ca_file, "/etc/zonecast/ca.pem");
	assert_int_equal(near->check.interval_ms, 1000);
	assert_int_equal(near->check.timeout_ms, 1000); /* no longer than the interval */
	assert_int_equal(near->check.rise, 3);
	assert_int_equal(near->check.fall, 4);
	assert_int_equal(near->checked_from_count, 2);
	assert_int_equal(near->keep, 2);
	assert_int_equal(near->fallback, 1);
	assert_int_equal(far->check.port, 53);
	assert_int_equal(far->check.rrtype, 6);
	assert_int_equal(far->check.timeout_ms, 2000);
	assert_int_equal(far->fallback, UINT32_MAX);
	assert_int_equal(names->keep, 0);
	assert_int_equal(names->endpoints[0].address.family, 0);
	assert_true(name_equal(names->endpoints[0].target, (const uint8_t *)"\1x\7example"));
	assert_int_equal(names->check.exec_count, 2);
	/* defaults */
	assert_int_equal(c->steering[1].answers, 1);
	assert_int_equal(c->steering[1].choose, CONFIG_CHOOSE_WEIGHT);
	assert_int_equal(c->steering[1].ttl_ms, 30000);
	assert_true(c->steering[1].client_subnet);
	assert_int_equal(c->steering[2].answers, 0); /* with all */
	assert_int_equal(far->keep, 1);
	assert_int_equal(far->endpoints[0].weight, 100);
	assert_int_equal(far->endpoints[0].priority, 1);
	assert_string_equal(names->check.path, "/");
	config_free(c);
}

static void test_print(void **state)
{
	struct config *c = parsed(everything, strlen(everything)), *again;
	struct text once, twice;
	struct changes list;

	(void)state;
	text_init(&once);
	text_init(&twice);
	changes_init(&list);
	config_print(c, &once);
	again = parsed(once.chars, once.len);
	config_print(again, &twice);
	assert_string_equal(once.chars, twice.chars);
	config_changes(c, again, &list);
	assert_int_equal(list.count, 0);
	changes_done(&list);
	text_done(&once);
	text_done(&twice);
	config_free(again);
	config_free(c);
}

/* Rules by node are those of the node alone; all else stands in the same places. */
static void test_print_for_answer(void **state)
{
	static const size_t rules[] = {1, 1, 2};
	struct config *c = parsed(everything, strlen(everything));

	(void)state;
	for (size_t i = 0; i < c->node_count; i++) {
		struct config *slim;
		struct text out;

		text_init(&out);
		config_print_for_answer(c, &c->nodes[i], &out);
		slim = parsed(out.chars, out.len);
		assert_int_equal(slim->steering_count, 3);
		assert_int_equal(slim->pool_count, 3);
		assert_int_equal(slim->steering[0].rule_count, rules[i]);
		assert_int_equal(slim->steering[0].rules[0].pool, i == 2 ? 0 : 1);
		assert_int_equal(slim->steering[0].rules[0].node_count, 1);
		assert_int_equal(slim->steering[0].rules[0].nodes[0], 0);
		assert_int_equal(slim->steering[0].pool, 1);
		assert_int_equal(slim->pools[0].checked_from_count, 0);
		assert_int_equal(slim->pools[0].fallback, 1);
		assert_int_equal(slim->pools[0].endpoint_count, 2);
		/* By which a worker finds on the board what watch has written. */
		for (size_t k = 0; k < c->pool_count; k++)
			assert_true(config_pool_list(&slim->pools[k]) == config_pool_list(&c->pools[k]));
		config_free(slim);
		text_done(&out);
	}
	config_free(c);
}

static void test_changes(void **state)
{
	static const struct {
		const char *from, *to, *subject, *text;
	} rows[] = {
		{"weight: 0", "weight: 9", "pool near endpoint one", "weight: 0 -> 9"},
		{"name: two, ", "name: too, ", "pool near endpoint two", "removed"},
		{"owners: [WWW.example.com, ", "owners: [", "steering policy www", "owners: \"www.example.com.\""},
		{"ttl: 2m", "ttl: 3m", "steering policy www", "ttl: 2m -> 3m"},
		{"city.mmdb", "country.mmdb", "", "geoip.location: \"/etc/zonecast/city.mmdb\" -> \"/etc/zonecast/country.mmdb\""},
		{"fallback: far", "keep: 1", NULL, NULL},
	};
	struct config *was = parsed(everything, strlen(everything));

	(void)state;
	for (size_t i = 0; rows[i].subject; i++) {
		char yaml[8192];
		const char *at = strstr(everything, rows[i].from);
		struct changes list;
		struct config *is;

		assert_non_null(at);
		snprintf(yaml, sizeof(yaml), "%.*s%s%s", (int)(at - everything), everything, rows[i].to, at + strlen(rows[i].from));
		is = parsed(yaml, strlen(yaml));
		changes_init(&list);
		config_changes(was, is, &list);
		assert_true(list.count >= 1);
		assert_string_equal(list.first->subject, rows[i].subject);
		assert_string_equal(list.first->text, rows[i].text);
		changes_done(&list);
		config_free(is);
	}
	config_free(was);
}

#define POOL "pools: [{name: q, endpoints: [{name: x, address: 192.0.2.1}]}]\n"
#define ENDPOINTS(e) HEAD "pools: [{name: q, endpoints: [" e "]}]\n"
#define CHECK(k) HEAD "pools: [{name: q, endpoints: [{name: x, address: 192.0.2.1}], check: {" k "}}]\n"
#define RULE(r) HEAD POOL "steering: [{name: s, pool: q, rules: [{" r "}]}]\n"

static const struct broken {
	const char *name, *yaml, *want;
} cases[] = {
	{"both", ENDPOINTS("{name: x, address: 192.0.2.1, target: a.example}"),
         "z.yaml:3:31: error: endpoint \"x\" has both \"address\" and \"target\": it is an address or a name"},
	{"neither", ENDPOINTS("{name: x}"), "z.yaml:3:31: error: endpoint \"x\" has neither \"address\" nor \"target\": it is an address or a name"},
	{"mixed", ENDPOINTS("{name: x, address: 192.0.2.1}, {name: y, target: a.example}"),
         "z.yaml:3:80: error: pool \"q\" begins with an address: a pool gives addresses or names, not both; make another pool of these"},
	{"same name", ENDPOINTS("{name: x, address: 192.0.2.1}, {name: X, address: 192.0.2.2}"),
         "z.yaml:3:69: error: endpoint \"X\" is in pool \"q\" twice"},
	{"same address", ENDPOINTS("{name: x, address: 192.0.2.1}, {name: y, address: 192.0.2.1}"),
         "z.yaml:3:81: error: this is endpoint \"x\" already"},
	{"same target", ENDPOINTS("{name: x, target: a.example}, {name: y, target: A.example.}"),
         "z.yaml:3:79: error: this is endpoint \"x\" already"},
	{"half a place", ENDPOINTS("{name: x, address: 192.0.2.1, latitude: 1}"),
         "z.yaml:3:31: error: \"latitude\" and \"longitude\" go together"},
	{"no endpoints", HEAD "pools: [{name: q, endpoints: []}]\n", "z.yaml:3:30: error: \"endpoints\" is empty (what names are steered to)"},
	{"keep", HEAD "pools: [{name: q, endpoints: [{name: x, address: 192.0.2.1}], keep: 2}]\n",
         "z.yaml:3:69: error: \"keep\" is 2, but pool \"q\" has 1 endpoint: write at most 1"},
	{"no such fallback", HEAD "pools: [{name: q, endpoints: [{name: x, address: 192.0.2.1}], fallback: r}]\n",
         "z.yaml:3:73: error: no pool is named \"r\": add it to \"pools\""},
	{"fallback to itself", HEAD "pools: [{name: q, endpoints: [{name: x, address: 192.0.2.1}], fallback: q}]\n",
         "z.yaml:3:73: error: pool \"q\" falls back to itself: end the chain somewhere"},
	{"ring",
         HEAD "pools:\n  - {name: q, endpoints: [{name: x, address: 192.0.2.1}], fallback: r}\n"
              "  - {name: r, endpoints: [{name: x, address: 192.0.2.1}], fallback: q}\n",
         "z.yaml:4:69: error: pool \"q\" falls back to itself by way of others: end the chain somewhere"},
	{"names behind addresses",
         HEAD "pools:\n  - {name: q, endpoints: [{name: x, address: 192.0.2.1}], fallback: r}\n"
              "  - {name: r, endpoints: [{name: x, target: a.example}]}\n",
         "z.yaml:4:69: error: one of these pools has addresses, the other names: clients get the one or the other"},
	{"who checks", HEAD "pools: [{name: q, endpoints: [{name: x, address: 192.0.2.1}], check: {type: tcp, port: 1}, checked-from: [a, c]}]\n",
         "z.yaml:3:110: error: no node is called \"c\""},
	{"tcp without port", CHECK("type: tcp"), "z.yaml:3:70: error: a check of type tcp needs its \"port\""},
	{"dns without name", CHECK("type: dns"), "z.yaml:3:70: error: a check of type dns needs a \"name\" to ask for"},
	{"exec without program", CHECK("type: exec"), "z.yaml:3:70: error: a check of type exec needs \"exec\": path of the program, and its arguments"},
	{"relative program", CHECK("type: exec, exec: [check]"),
         "z.yaml:3:90: error: write the absolute path of the program: there is no PATH to look for \"check\" in"},
	{"path of tcp", CHECK("type: tcp, port: 1, path: /x"), "z.yaml:3:97: error: \"path\" is for checks of type http and https: remove it"},
	{"relative path", CHECK("type: http, path: x"), "z.yaml:3:89: error: a path begins with a slash: write /x"},
	{"blank in path", CHECK("type: http, path: /x y"),
         "z.yaml:3:89: error: a path has neither blanks nor letters beyond ASCII: write them as %20"},
	{"nothing to look for", CHECK("type: http, contains: \"\""), "z.yaml:3:93: error: \"contains\" has 1 to 256 octets"},
	{"timeout", CHECK("type: http, interval: 1s, timeout: 2s"),
         "z.yaml:3:106: error: \"timeout\" is longer than \"interval\": the next check would begin before this one has ended"},
	{"insecure and ca-file", CHECK("type: https, insecure: true, ca-file: x"),
         "z.yaml:3:94: error: with \"insecure\" the \"ca-file\" is not looked at: remove one"},
	{"names by tcp", HEAD "pools: [{name: q, endpoints: [{name: x, target: a.example}], check: {type: tcp, port: 1}}]\n",
         "z.yaml:3:76: error: the pool has names: they are checked by programs (type: exec), which are given the name, or not at all (none)"},
	{"unknown country", RULE("countries: [DE, ZZ], pool: q") "geoip: {location: x}\n",
         "z.yaml:4:56: error: \"countries\": \"ZZ\" is no country of ISO 3166, such as DE or US"},
	{"UK", RULE("countries: [UK], pool: q"), "z.yaml:4:52: error: \"countries\": ISO 3166 calls that country GB"},
	{"EU", RULE("countries: [eu], pool: q"), "z.yaml:4:52: error: \"countries\": EU is a continent: write continents: [EU]"},
	{"continent", RULE("continents: [XX], pool: q"),
         "z.yaml:4:53: error: \"continents\": \"XX\" is no continent: they are AF, AN, AS, EU, NA, OC and SA"},
	{"not letters", RULE("countries: [\"D\\x05\"], pool: q"), NULL},
	{"countries without database", RULE("countries: [DE], pool: q"),
         "z.yaml:4:51: error: which country an address is in is said by a database: add geoip: {location: FILE}"},
	{"as without database", RULE("as: [1], pool: q") "geoip: {location: x}\n",
         "z.yaml:4:44: error: which AS an address is in is said by a database: add geoip: {as: FILE}"},
	{"rule for all", RULE("pool: q"), "z.yaml:4:39: error: this rule matches everybody: write its pool as the policy's own \"pool\""},
	{"rule without pool", RULE("subnets: [10.0.0.0/8]"), "z.yaml:4:39: error: a rule has no \"pool\" (where they are answered from)"},
	{"no such node", RULE("nodes: [c], pool: q"), "z.yaml:4:48: error: no node is named \"c\": add it to \"nodes\""},
	{"no such pool", HEAD POOL "steering: [{name: s, pool: r}]\n", "z.yaml:4:28: error: no pool is named \"r\": add it to \"pools\""},
	{"policy twice", HEAD POOL "steering: [{name: s, pool: q}, {name: S, pool: q}]\n",
         "z.yaml:4:39: error: steering policy \"S\" is defined twice; the first is in line 4"},
	{"an alias of itself",
         HEAD "pools:\n  - {name: q, endpoints: [{name: x, target: b.example}], fallback: r}\n"
              "  - {name: r, endpoints: [{name: y, target: A.example}]}\n"
              "steering:\n  - {name: s, pool: q, owners: [a.example]}\n",
         "z.yaml:7:21: error: endpoint \"y\" of pool \"r\" is a name that policy \"s\" answers itself: it would be an alias of itself"},
	{"owner twice", HEAD POOL "steering:\n  - {name: s, pool: q, owners: [a.example, A.example]}\n",
         "z.yaml:5:44: error: \"A.example\" is here twice"},
	{"owner of two", HEAD POOL "steering:\n  - {name: s, pool: q, owners: [a.example]}\n  - {name: t, pool: q, owners: [b.example, a.example]}\n",
         "z.yaml:6:44: error: \"a.example\" is steered by policy \"s\" (line 5) already"},
	{"nearest without places", HEAD POOL "steering: [{name: s, pool: q, choose: nearest}]\ngeoip: {location: x}\n",
         "z.yaml:4:28: error: \"choose: nearest\" needs \"latitude\" and \"longitude\" of each endpoint of pool \"q\""},
	{"nearest without database",
         ENDPOINTS("{name: x, address: 192.0.2.1, latitude: 1, longitude: 1}") "steering: [{name: s, pool: q, choose: nearest}]\n",
         "z.yaml:4:39: error: where a client is is said by a database: add geoip: {location: FILE} with coordinates (GeoLite2-City)"},
	{"names, two of them", ENDPOINTS("{name: x, target: a.example}") "steering: [{name: s, pool: q, answers: 2}]\n",
         "z.yaml:4:40: error: a name has one CNAME: with a pool of names write answers: 1"},
	{"names, all of them", ENDPOINTS("{name: x, target: a.example}") "steering: [{name: s, pool: q, choose: all}]\n",
         "z.yaml:4:39: error: a name has one CNAME: with a pool of names write answers: 1"},
	{"names and addresses",
         HEAD "pools: [{name: q, endpoints: [{name: x, address: 192.0.2.1}]}, {name: r, endpoints: [{name: x, target: a.example}]}]\n"
              "steering: [{name: s, pool: q, rules: [{subnets: [10.0.0.0/8], pool: r}]}]\n",
         "z.yaml:4:69: error: policy \"s\" gives addresses, but pool \"r\" has names: a name cannot have both"},
	{"part of a second", HEAD POOL "steering: [{name: s, pool: q, ttl: 1500ms}]\n", "z.yaml:4:36: error: a TTL is of whole seconds"},
};

static void test_broken(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct diag_entry *e;
		struct config *c = NULL;
		char got[2048] = "";
		struct diag d;

		diag_init(&d);
		int rc = config_parse("z.yaml", cases[i].yaml, strlen(cases[i].yaml), &d, &c);

		for (e = d.first; e && !strstr(diag_entry_text(e, got, sizeof(got)), ": error: "); e = e->next)
			;
		if (rc != ERR_INVALID || c || (cases[i].want && strcmp(got, cases[i].want) != 0)) {
			printf("%s: rc %d\n  got  %s\n  want %s\n", cases[i].name, rc, got, cases[i].want ? cases[i].want : "an error");
			bad++;
		}
		config_free(c);
		diag_done(&d);
	}
	assert_int_equal(bad, 0);
}

/* Chains: as long as allowed, and one more. */
static void test_chain(void **state)
{
	(void)state;
	for (int n = CONFIG_FALLBACKS_MAX; n <= CONFIG_FALLBACKS_MAX + 1; n++) {
		struct config *c = NULL;
		struct text yaml;
		struct diag d;

		text_init(&yaml);
		text_str(&yaml, HEAD "pools:\n");
		for (int i = 1; i <= n; i++) {
			text_fmt(&yaml, "  - {name: q%d, endpoints: [{name: x, address: 192.0.2.1}]", i);
			if (i < n)
				text_fmt(&yaml, ", fallback: q%d", i + 1);
			text_str(&yaml, "}\n");
		}
		diag_init(&d);
		assert_int_equal(config_parse("z.yaml", yaml.chars, yaml.len, &d, &c), n == CONFIG_FALLBACKS_MAX ? 0 : ERR_INVALID);
		config_free(c);
		diag_done(&d);
		text_done(&yaml);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),  cmocka_unit_test(test_print),  cmocka_unit_test(test_print_for_answer),
		cmocka_unit_test(test_changes), cmocka_unit_test(test_broken), cmocka_unit_test(test_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
