/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of the fleet: what is said of a node, the order, the closing sentence, and that nothing is wider than a terminal, whatever names there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "cli/status_fleet.h"
#include "cli/wrap.h"

#define LONG_NAME "a-name-that-is-as-long-as-a-name-may-be-in-a-fleet-file-0123456"
#define FAMILY    "{'announce': 'announced', 'verdict': 'pass', 'causes': [], 'intent': [], 'answers': true}"
#define NETWORK                                                                                                        \
	"{'name': 'global', 'heard_ms': 0, 'ipv4': " FAMILY ", 'ipv6': " FAMILY                                        \
	", 'data_age_ms': 0, 'load': 1, 'qps': 10, 'headroom': null}"
#define NODE                                                                                                           \
	"{'name': '%s', 'role': 'pop', 'heard_ms': 300, 'why': '', 'version': '0.1.0', 'uptime_s': 60, "               \
	"'same_config': true, 'zones': 9, 'serving': 9, 'stopping': false,"                                            \
	" 'addresses': [{'address': '10.0.0.%zu', 'heard_ms': 300, 'failures': 0}, {'address': '2001:db8::%zu', "      \
	"'heard_ms': 300, 'failures': 0}], 'networks': [" NETWORK "]}"
#define SELF                                                                                                           \
	"{'name': 'me', 'role': 'pop', 'uptime_s': 60, 'zones': 9, 'serving': 9, 'stopping': false, 'networks': "      \
	"[" NETWORK "]}"

/* JSON with ' for ". */
static json_t *parse(const char *text)
{
	json_error_t error;
	char *copy = strdup(text);
	json_t *o;

	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	o = json_loads(copy, 0, &error);
	if (!o)
		fail_msg("%s\n%s", error.text, copy);
	free(copy);
	return o;
}

/* Of as many good nodes as there are names. */
static json_t *fleet(const char *const *names, size_t count)
{
	json_t *nodes = json_array();

	for (size_t i = 0; i < count; i++) {
		char text[4096];

		snprintf(text, sizeof(text), NODE, names[i], i + 1, i + 1);
		json_array_append_new(nodes, parse(text));
	}
	return json_pack("{s:{s:o, s:o}}", "peers", "self", parse(SELF), "nodes", nodes);
}

static json_t *node(json_t *status, size_t i)
{
	return json_array_get(json_object_get(json_object_get(status, "peers"), "nodes"), i);
}

static void set(json_t *o, const char *key, const char *value)
{
	json_t *v = parse(value[0] == '[' || value[0] == '{' ? value : "{}");
	char wrapped[300];

	if (value[0] == '[' || value[0] == '{') {
		json_object_set_new(o, key, v);
		return;
	}
	json_decref(v);
	snprintf(wrapped, sizeof(wrapped), "{'v': %s}", value);
	v = parse(wrapped);
	json_object_set(o, key, json_object_get(v, "v"));
	json_decref(v);
}

static char *print(const json_t *status, bool with_self, bool color)
{
	struct text out;

	text_init(&out);
	status_fleet_text(status, with_self, color, &out);
	return text_take(&out);
}

static void assert_width(const char *text)
{
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		if (strcspn(line, "\n") > STATUS_FLEET_WIDTH)
			fail_msg("%zu columns: %.*s", strcspn(line, "\n"), (int)strcspn(line, "\n"), line);
}

static const char *const names[] = {"fra", "ams", "sin"};

/* One thing is wrong with ams: it stands first, and the last sentence says what. */
static void test_what_is_wrong(void **state)
{
	static const struct {
		const char *what;
		bool of_network; /* the key is one of its network's IPv6 family */
		const char *key, *value;
		const char *row;  /* said in its rows; "": nothing */
		const char *said; /* in the closing sentence; NULL: all is well */
	} cases[] = {
		{"nothing", false, "uptime_s", "61", "", NULL},
		{"never", false, "heard_ms", "null",
	         "ams              pop        never  v4 v6      ?                ?  ?\n", "ams was never seen."},
		{"silent", false, "heard_ms", "61000", "ams              pop        1m01s ",
	         "ams has not been seen for 1m01s."},
		{"late, but seen", false, "heard_ms", "9999", "", NULL},
		{"hard", true, "verdict", "'hard-fail'", "v6 announced         hard-fail\n",
	         "ams fails on IPv6 of global."},
		{"withdrawn", true, "announce", "'withdrawn'", "v6 withdrawn         pass\n",
	         "ams has withdrawn IPv6 of global."},
		{"soft", true, "verdict", "'soft-fail'", "v6 announced         soft-fail\n",
	         "ams is degraded on IPv6 of global."},
		{"causes", true, "causes", "['stale', 'zones']", "    v6 is soft for: stale+zones\n", NULL},
		{"intent", true, "intent", "['behind']", "    v6 means to leave for: behind\n", NULL},
		{"draining", true, "announce", "'graceful-shutdown'", "v6 graceful-shutdown pass\n",
	         "ams is graceful-shutdown on IPv6 of global."},
		{"other file", false, "same_config", "false", "  OTHER          9/9", "ams has another fleet file."},
		{"zones", false, "serving", "7", "7/9", "ams serves 7 of 9 zones."},
		{"stopping", false, "stopping", "true", " stopping\n", "ams is stopping."},
		{"not believed", false, "why", "'it refuses (NOTAUTH)'", "    it refuses (NOTAUTH)\n",
	         "ams gives a status that is not believed."},
		{"an address", false, "addresses",
	         "[{'address': '10.0.0.2', 'heard_ms': 1, 'failures': 0}, {'address': '2001:db8::2', 'heard_ms': 9000, "
	         "'failures': 3}]",
	         "    no answer over IPv6 at 2001:db8::2 for 9s\n", "ams has not answered over IPv6 at 2001:db8::2 for 9s."},
		{"no address", false, "addresses",
	         "[{'address': '10.0.0.2', 'heard_ms': 4000, 'failures': 3}, {'address': '2001:db8::2', 'heard_ms': 3000, "
	         "'failures': 3}]",
	         "    no answer over IPv4 at 10.0.0.2 for 4s\n", "ams has not been seen for 300ms."},
		{"an address that never answered", false, "addresses",
	         "[{'address': '10.0.0.2', 'heard_ms': 1, 'failures': 0}, {'address': '2001:db8::2', 'heard_ms': null, "
	         "'failures': 9}]",
	         "    never an answer over IPv6 at 2001:db8::2\n", "ams has never answered over IPv6 at 2001:db8::2."},
		{"one question lost", false, "addresses",
	         "[{'address': '10.0.0.2', 'heard_ms': 1, 'failures': 0}, {'address': '2001:db8::2', 'heard_ms': 9000, "
	         "'failures': 1}]",
	         "  v4 (v6)    same", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *status = fleet(names, 3), *o = node(status, 1);
		char said[200], *text;

		if (cases[i].of_network)
			o = json_object_get(json_array_get(json_object_get(o, "networks"), 0), "ipv6");
		set(o, cases[i].key, cases[i].value);
		text = print(status, true, false);
		assert_width(text);
		if (!strstr(text, cases[i].row))
			fail_msg("%s: no row \"%s\" in\n%s", cases[i].what, cases[i].row, text);
		snprintf(said, sizeof(said), "\n\n1 of 4 nodes is not as it should be: %s\n", cases[i].said);
		if (cases[i].said && strlen(said) - 3 > STATUS_FLEET_WIDTH)
			assert_non_null(strstr(text, "\n\n1 of 4 nodes is not as it should be: ams "));
		else if (!strstr(text, cases[i].said ? said : "\n\nAll 4 nodes are well.\n"))
			fail_msg("%s: not said in\n%s", cases[i].what, text);
		assert_true((strstr(text, "\nams ") < strstr(text, "\nme ")) == (cases[i].said != NULL));
		assert_true(strstr(text, "\nme ") < strstr(text, "\nfra ") &&
		            strstr(text, "\nfra ") < strstr(text, "\nsin "));
		free(text);
		json_decref(status);
	}
}

static void test_order_and_sentence(void **state)
{
	json_t *status = fleet(names, 3);
	char *text;

	(void)state;
	set(node(status, 0), "stopping", "true");
	set(node(status, 2), "heard_ms", "null");
	set(node(status, 1), "serving", "8");
	text = print(status, true, false);
	assert_true(strstr(text, "\nsin ") < strstr(text, "\nams ") &&
	            strstr(text, "\nams ") < strstr(text, "\nfra ") && strstr(text, "\nfra ") < strstr(text, "\nme "));
	assert_non_null(strstr(text, "\n\n3 of 4 nodes are not as they should be: sin was never seen; ams serves 8 of "
	                             "9\n  zones; fra is stopping.\n"));
	assert_null(strstr(text, "\033"));
	free(text);
	/* Without the node itself, as in `status`. */
	text = print(status, false, false);
	assert_null(strstr(text, "\nme "));
	assert_non_null(strstr(text, "3 of 3 nodes"));
	free(text);
	/* Colours change nothing but themselves. */
	text = print(status, true, true);
	assert_non_null(strstr(text, "\033[31msin             \033[0m pop "));
	assert_non_null(strstr(text, "\033[33mfra             \033[0m pop "));
	free(text);
	json_decref(status);
}

/* Zones that differ, plain questions that are lost, and how the networks are seen. */
static void test_drift_and_views(void **state)
{
	static const char drift[] =
		"{'rows': [{'kind': 'behind', 'node': 'ams', 'zone': 'one.example.', 'network': 'global', 'alert': "
		"false, 'here': 9, 'there': 8, 'since_ms': 900, 'why': ''},"
		" {'kind': 'content', 'node': 'ams', 'zone': 'two.example.', 'network': 'global', 'alert': true, "
		"'here': 5, 'there': 5, 'since_ms': 200000, 'why': ''},"
		" {'kind': 'behind', 'node': 'sin', 'zone': 'one.example.', 'network': 'global', 'alert': false, "
		"'here': 9, 'there': 8, 'since_ms': 900, 'why': ''},"
		" {'kind': 'stuck', 'node': null, 'server': '192.0.2.77', 'zone': 'three.example.', 'alert': true, "
		"'here': 5, 'there': 4, 'since_ms': 200000, 'why': ''}], 'nodes': [{'name': 'ams', 'behind': 4, "
	        "'content': 1}, {'name': 'fra', 'behind': 0}]}";
	static const char views[] =
		"{'nodes': [{'name': 'fra', 'addresses': [{'address': '10.0.0.1', 'udp': {'failures': 0}, 'tcp': "
		"{'failures': 7}}]}],"
		" 'networks': [{'name': 'global', 'ipv4': {'own': false, 'node': 'sin', 'heard_ms': 20, 'latency_us': "
		"1260, 'failures': 0, 'outside': 'good'},"
		" 'ipv6': {'own': true, 'node': '', 'heard_ms': null, 'latency_us': 0, 'failures': 9, 'outside': "
	        "'filtered', 'outside_since_ms': 61000, 'why': 'nobody reaches it'}},"
		" {'name': 'eu', 'ipv4': {'own': false, 'seen': 'silent', 'seen_since_ms': 2000, 'node': 'sin', "
	        "'heard_ms': null, 'why': 'three were lost'}, 'ipv6': {'own': false, 'seen': 'unknown', 'node': ''}}]}";
	static const char *const said[] = {
		"    zone two.example. has other content under the same serial for 3m20s: serial\n      5, here 5\n",
		"    and 4 more zones that differ\n",
		"    zone one.example. is behind for 900ms: serial 8, here 9\n",
		"    7 plain questions over TCP to 10.0.0.1 were lost in a row\n",
		"\nANYCAST FROM HERE\n  global         v4 sin, 1.3 ms; v6 own\n",
		"    IPv6 of global is filtered from outside for 1m01s: nobody reaches it\n",
		"    IPv4 of eu, last answered by sin, is not answered here for 2s: three were\n      lost\n",
		"    zone three.example. is stuck at 192.0.2.77 for 3m20s: serial 4, here 5\n",
	};
	json_t *status = fleet(names, 3);
	char *text;

	(void)state;
	set(status, "drift", drift);
	set(status, "views", views);
	text = print(status, true, false);
	assert_width(text);
	for (size_t i = 0; i < ARRAY_LEN(said); i++)
		if (!strstr(text, said[i]))
			fail_msg("not said: %s\nin\n%s", said[i], text);
	assert_true(strstr(text, "\nams ") < strstr(text, "\nfra ") &&
	            strstr(text, "\nfra ") < strstr(text, "\nsin ") && strstr(text, "\nsin ") < strstr(text, "\nme "));
	assert_non_null(strstr(text, "\n\n3 of 4 nodes are not as they should be: ams two.example. has other content"));
	assert_non_null(strstr(text, "2 networks are seen badly."));
	free(text);
	json_decref(status);
}

/* A hundred, with the longest names there can be, everywhere. */
static void test_width(void **state)
{
	static char many[100][64];
	const char *list[100];
	json_t *status;
	char *text;

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		snprintf(many[i], sizeof(many[i]), "%s%02zu",
		         i % 2 ? "pop-" : "a-name-that-is-as-long-as-a-name-may-be-in-a-fleet-file-01234", i);
		list[i] = many[i];
	}
	status = fleet(list, 100);
	for (size_t i = 0; i < 100; i++) {
		json_t *n = node(status, i), *network = json_array_get(json_object_get(n, "networks"), 0);

		set(network, "name", "'" LONG_NAME "'");
		set(json_object_get(network, "ipv4"), "announce", "'graceful-shutdown'");
		set(json_object_get(network, "ipv6"), "announce", "'graceful-shutdown'");
		set(json_object_get(network, "ipv6"), "verdict", "'hard-fail'");
		set(json_object_get(network, "ipv4"), "verdict", "'soft-fail'");
		set(json_object_get(network, "ipv4"), "causes",
		    "['stale', 'behind', 'signatures', 'overload', 'expiry', 'zones']");
		set(n, "addresses",
		    "[{'address': '2001:db8:1234:5678:9abc:def0:1234:5678', 'heard_ms': null, 'failures': "
		    "4000000000}]");
		set(n, "zones", "99999");
		set(n, "why",
		    "'its answer of 2001:db8:1234:5678:9abc:def0:1234:5678 was not signed with the key that this fleet "
		    "uses for the status of nodes'");
	}
	set(status, "drift",
	    "{'rows': [{'kind': 'content', 'node': 'pop-01', 'alert': true, 'here': 4294967295, 'there': 4294967294, "
	    "'since_ms': 99999999999,"
	    " 'zone': 'a.zone.whose.name.is.rather.long.but.not.as.long.as.names.may.be.example.'}]}");
	set(status, "views",
	    "{'networks': [{'name': '" LONG_NAME "', 'ipv4': {'node': '" LONG_NAME
	    "', 'heard_ms': 1, 'latency_us': 99999999, 'failures': 5},"
	    " 'ipv6': {'node': '" LONG_NAME "', 'heard_ms': 1, 'latency_us': 99999999, 'failures': 5}}]}");
	text = print(status, true, false);
	/* A word cannot be broken: this name needs more than what is left of a line beside its place. */
	assert_width(text);
	assert_non_null(strstr(text, "and 95 more."));
	free(text);
	json_decref(status);
}

static void test_wrap(void **state)
{
	static const struct {
		const char *words;
		int column, indent, width;
		const char *expected;
	} cases[] = {
		{"", 0, 2, 10, ""},
		{"one two three", 0, 2, 80, "one two three"},
		{"one two three", 0, 2, 9, "one two\n  three"},
		{"one two three", 5, 1, 9, "one\n two\n three"},
		{"longer-than-the-line it is", 0, 1, 8, "longer-than-the-line\n it is"},
		{"two  blanks ", 0, 1, 80, "two blanks"},
		{"\033[31m\ttab", 0, 1, 80, "?[31m?tab"},
		{"\xc3\xa4\xc3\xb6 \xc3\xbc\xc3\xa4", 0, 1, 5, "\xc3\xa4\xc3\xb6 \xc3\xbc\xc3\xa4"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct text out;

		text_init(&out);
		wrap_text(cases[i].words, cases[i].column, cases[i].indent, cases[i].width, &out);
		assert_string_equal(out.chars, cases[i].expected);
		text_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_wrong),
		cmocka_unit_test(test_order_and_sentence),
		cmocka_unit_test(test_drift_and_views),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
