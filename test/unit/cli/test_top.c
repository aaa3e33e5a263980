/* SPDX-License-Identifier: BSD-2-Clause */
/* `top` without terminal and node: who comes most often, rates between two looks at a status, and pages of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/top.h"

#define LONG_NAME "a-name-that-is-as-long-as-a-name-may-be-in-a-fleet-file-0123456"

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

/* ---- the table ---- */

static void test_table_counts(void **state)
{
	struct top_table *t = calloc(1, sizeof(*t));
	const struct top_entry *best[3];

	(void)state;
	assert_int_equal(top_table_best(t, best, 3), 0);
	for (int i = 0; i < 6; i++)
		top_table_add(t, i % 3 ? "b" : i ? "a" : "c");
	assert_int_equal(top_table_best(t, best, 3), 3);
	assert_string_equal(best[0]->key, "b");
	assert_string_equal(best[1]->key, "a");
	assert_string_equal(best[2]->key, "c");
	assert_true(best[0]->count > 3.9 && best[0]->count < 4.1 && t->total > 5.9 && t->total < 6.1);
	assert_int_equal(top_table_best(t, best, 1), 1);
	assert_string_equal(best[0]->key, "b");
	top_table_fade(t, 0.5);
	assert_int_equal(top_table_best(t, best, 3), 3);
	assert_true(best[0]->count > 1.9 && best[0]->count < 2.1 && t->total > 2.9 && t->total < 3.1);
	free(t);
}

/* A flood of keys that come once each: those that come often are found, whenever they begin, and nothing that is not there for certain is said of the others. */
static void test_table_is_bounded(void **state)
{
	struct top_table *t = calloc(1, sizeof(*t));
	const struct top_entry *best[4];
	char key[TOP_KEY_MAX + 40];

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		snprintf(key, sizeof(key), "once%u", i);
		top_table_add(t, key);
		if (i % 10 == 0)
			top_table_add(t, "often");
		if (i % 20 == 0 && i > 100000)
			top_table_add(t, "late");
	}
	assert_int_equal(t->used, TOP_ENTRIES);
	assert_int_equal(top_table_best(t, best, 4), 4);
	assert_string_equal(best[0]->key, "often");
	assert_string_equal(best[1]->key, "late");
	assert_true(best[0]->count >= 20000 && best[0]->count - best[0]->excess <= 20000.5);
	assert_true(best[2]->count - best[2]->excess < 3);
	/* Longer keys are cut, and the same one again is the same key. */
	memset(key, 'x', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	for (int i = 0; i < 100000; i++)
		top_table_add(t, key);
	assert_int_equal(top_table_best(t, best, 4), 4);
	assert_int_equal(strlen(best[0]->key), TOP_KEY_MAX - 1);
	free(t);
}

/* ---- rates ---- */

#define FAMILIES "{'ipv4': {'announce': 'announced', 'checks': {'verdict': 'pass'}}, 'ipv6': null}"
#define STATUS                                                                                                         \
	"{'node': 'fra', 'version': '0.1.0', 'uptime_ms': 7000, 'zones': {'serving': 3, 'records': 12}, 'load': "      \
	"{'permille': 120, 'qps': 5, 'headroom': 40000},"                                                              \
	" 'queries': {'udp_ipv4': %d, 'udp_ipv6': 10, 'tcp_ipv4': 0, 'tls_ipv6': %d, 'answers': %d, 'dropped': 0, "    \
	"'cached': %d, 'rcodes': {'0': %d, '3': 7}, 'types': {'A': %d, 'AAAA': 3}},"                                   \
	" 'xdp': {'answered_ipv4': %d, 'answered_ipv6': 0, 'bytes_out': 0},"                                           \
	" 'workers': [{'cpu_ms': %d, 'bytes_in': 10, 'bytes_out': 20, 'lost': 0}, {'cpu_ms': 5}],"                     \
	" 'networks': [{'name': 'global', 'families': " FAMILIES "}]}"

static json_t *status(int udp, int tls, int answers, int cached, int good, int a, int kernel, int cpu)
{
	char text[2048];

	snprintf(text, sizeof(text), STATUS, udp, tls, answers, cached, good, a, kernel, cpu);
	return parse(text);
}

static void assert_rate(double got, double wanted)
{
	if (got < wanted - 0.01 || got > wanted + 0.01)
		fail_msg("%f is not %f", got, wanted);
}

static struct top_view *view_new(void)
{
	struct top_view *v = calloc(1, sizeof(*v));

	v->clients = calloc(1, sizeof(*v->clients));
	v->names = calloc(1, sizeof(*v->names));
	v->kinds = calloc(1, sizeof(*v->kinds));
	return v;
}

static void view_free(struct top_view *v)
{
	free(v->clients);
	free(v->names);
	free(v->kinds);
	free(v);
}

static void test_rates(void **state)
{
	json_t *first = status(1000, 4, 500, 100, 400, 50, 30, 1000),
	       *second = status(1300, 4, 700, 180, 500, 90, 50, 2500);
	struct top_view *v = view_new();
	struct top_look one, two;

	(void)state;
	top_look(first, 10000, &one);
	top_rates(first, NULL, &one, v);
	assert_rate(v->all, 0);
	assert_rate(v->seconds, 0);
	assert_string_equal(v->node, "fra");
	top_look(second, 12000, &two);
	top_rates(second, &one, &two, v);
	assert_rate(v->seconds, 2);
	assert_rate(v->queries[TOP_UDP][0], 150);
	assert_rate(v->queries[TOP_UDP][1], 0);
	assert_rate(v->queries[TOP_KERNEL][0], 10);
	assert_rate(v->all, 160);
	assert_rate(v->answers, 110); /* those of the kernel as well */
	assert_rate(v->cached, 40);
	assert_rate(v->rcodes[0], 50);
	assert_rate(v->rcodes[3], 0);
	assert_int_equal(v->workers, 2);
	assert_rate(v->cpu[0], 0.75);
	assert_rate(v->cpu[1], 0);
	assert_int_equal(v->types, 2);
	assert_string_equal(v->type[0].name, "A");
	assert_rate(v->type[0].rate, 20);
	assert_int_equal(v->headroom, 40000);
	assert_int_equal(v->networks, 1);
	assert_string_equal(v->network[0].announce[0], "announced");
	assert_string_equal(v->network[0].verdict[0], "pass");
	assert_string_equal(v->network[0].announce[1], "");
	/* Backwards, as after a restart, and twice at the same moment: nothing, not less than nothing. */
	top_rates(first, &two, &one, v);
	assert_rate(v->all, 0);
	one.at_ms = two.at_ms + 1000;
	top_rates(first, &two, &one, v);
	assert_rate(v->all, 0);
	assert_rate(v->cpu[0], 0);
	json_decref(first);
	json_decref(second);
	/* Something else altogether. */
	first = parse("{'workers': 3, 'queries': [], 'networks': {}, 'peers': {'nodes': 'x'}, 'load': null}");
	top_look(first, 1, &one);
	top_rates(first, NULL, &one, v);
	assert_int_equal(v->nodes, 0);
	json_decref(first);
	view_free(v);
}

#define NODE(name, qps, announce, verdict, heard)                                                                      \
	"{'name': '" name "', 'heard_ms': " heard                                                                      \
	", 'zones': 9, 'serving': 9, 'stopping': false, 'networks': [{'name': 'global', 'load': 10, 'qps': " qps       \
	", 'headroom': 100,"                                                                                           \
	" 'ipv4': {'announce': '" announce "', 'verdict': '" verdict                                                   \
	"'}, 'ipv6': {'announce': 'announced', 'verdict': 'pass'}}]}"

static void test_nodes(void **state)
{
	static const struct {
		const char *name, *state;
	} expected[] = {{"lost", "not seen"},  {"old", "not seen"},   {"hard", "hard-fail"},
	                {"gone", "withdrawn"}, {"soft", "soft-fail"}, {"behind", "drift"},
	                {"busy", "good"},      {"me", "good"},        {"idle", "good"}};
	json_t *s = parse(
		"{'drift': {'rows': [{'node': 'behind', 'zone': 'a.'}, {'node': 'behind', 'zone': 'b.'}, {'node': "
		"null}]}, 'peers': {'self': " NODE("me", "7", "announced", "pass", "null") ", 'nodes': [" NODE("idle", "1", "announced", "pass", "20") "," NODE(
			"busy", "900",
			"announced", "pass",
			"20") "," NODE("soft", "1", "announced", "soft-fail",
	                               "20") "," NODE("gone", "0", "withdrawn", "pass",
	                                              "20") "," NODE("lost", "0", "announced", "pass",
	                                                             "null") "," NODE("old", "0", "announced", "pass",
	                                                                              "10000") "," NODE("hard", "0",
	                                                                                                "withdrawn",
	                                                                                                "hard-fail",
	                                                                                                "20") "," NODE("behind",
	                                                                                                               "3",
	                                                                                                               "announced",
	                                                                                                               "pass",
	                                                                                                               "20") "]}}");
	struct top_view *v = view_new();
	struct top_look one;

	(void)state;
	top_look(s, 1, &one);
	top_rates(s, NULL, &one, v);
	assert_int_equal(v->nodes, ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_string_equal(v->node_row[i].name, expected[i].name);
		assert_string_equal(v->node_row[i].state, expected[i].state);
	}
	assert_int_equal(v->node_row[5].drift, 2);
	assert_true(v->node_row[7].self);
	json_decref(s);
	view_free(v);
}

/* ---- pages ---- */

static void assert_page(const char *text, int width, int height)
{
	int lines = 0;

	for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
		int columns = 0;

		for (const char *c = line; *c && *c != '\n'; c++) {
			if (*c == '\033') {
				c = strchr(c, 'm');
				continue;
			}
			assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
			columns++;
		}
		if (columns > width)
			fail_msg("%d columns of %d: %.*s", columns, width, (int)strcspn(line, "\n"), line);
		lines++;
	}
	if (height && lines > height)
		fail_msg("%d lines of %d:\n%s", lines, height, text);
}

static struct top_view *full(void)
{
	struct top_view *v = view_new();
	json_t *first = status(1, 1, 1, 1, 1, 1, 1, 1),
	       *second = status(2000000000, 100, 2000000000, 1999, 90000, 7, 123456, 9999999);
	struct top_look one, two;

	top_look(first, 1, &one);
	top_look(second, 1001, &two);
	top_rates(second, &one, &two, v);
	json_decref(first);
	json_decref(second);
	for (int i = 0; i < 300; i++) {
		char text[400];
		json_t *e;

		snprintf(text, sizeof(text),
		         "{'client': '%s:%x::1', 'name': '%d." LONG_NAME "." LONG_NAME ".example.', 'type': '%s'}",
		         "2001:db8", i % 40, i % 50, i % 3 ? "A" : "AAAA");
		e = parse(text);
		top_sampled(v, e);
		json_decref(e);
	}
	v->sample = 100;
	v->workers = 200;
	for (size_t i = 0; i < 200; i++)
		v->cpu[i] = 0.5;
	v->networks = TOP_NETWORKS_MAX;
	for (size_t i = 0; i < TOP_NETWORKS_MAX; i++) {
		snprintf(v->network[i].name, TOP_NAME_MAX, LONG_NAME);
		for (int f = 0; f < 2; f++) {
			snprintf(v->network[i].announce[f], TOP_STATE_MAX, "graceful-shutdown");
			snprintf(v->network[i].verdict[f], TOP_STATE_MAX, "hard-fail");
		}
	}
	v->nodes = 100;
	for (size_t i = 0; i < 100; i++) {
		struct top_node *n = &v->node_row[i];

		*n = (struct top_node){.heard_ms = 99999999,
		                       .qps = 2000000000,
		                       .load = 1000,
		                       .headroom = 2000000000,
		                       .zones = 100000,
		                       .serving = 99999,
		                       .drift = 99999};
		snprintf(n->name, sizeof(n->name), i % 2 ? "pop%zu" : LONG_NAME, i);
		snprintf(n->state, sizeof(n->state), "graceful-shutdown");
	}
	return v;
}

static void test_pages(void **state)
{
	static const int sizes[][2] = {{80, 24}, {80, 25}, {132, 43},  {200, 60},        {40, 8},
	                               {1, 1},   {60, 20}, {399, 399}, {100000, 100000}, {80, 0}};
	struct top_view *v = full();

	(void)state;
	snprintf(v->message, sizeof(v->message),
	         "zonecast: no node runs here\033[2J: nobody listens on a socket that has a rather long name, as "
	         "sockets may have");
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (int variant = 0; variant < 8; variant++) {
			struct top_page page = {.width = sizes[i][0],
			                        .height = sizes[i][1],
			                        .color = variant & 1,
			                        .fleet = variant & 2,
			                        .live = variant & 4,
			                        .clock = "19:05:07"};
			struct text out;

			text_init(&out);
			top_draw(v, &page, &out);
			assert_page(out.chars, MIN(MAX(page.width, TOP_WIDTH_MIN), TOP_WIDTH_MAX),
			            page.height ? MIN(MAX(page.height, TOP_HEIGHT_MIN), TOP_HEIGHT_MAX) : 0);
			assert_int_equal(strstr(out.chars, "\033") != NULL, variant & 1);
			text_done(&out);
		}
	view_free(v);
}

static void test_what_is_shown(void **state)
{
	struct top_page page = {.width = 80, .height = 24, .live = true, .clock = "19:05:07"};
	struct top_view *v = view_new();
	json_t *first = status(1000, 4, 500, 100, 400, 50, 30, 1000),
	       *second = status(1300, 4, 700, 180, 500, 90, 50, 2500), *e;
	struct top_look one, two;
	struct text out;

	(void)state;
	top_look(first, 10000, &one);
	top_look(second, 12000, &two);
	top_rates(second, &one, &two, v);
	text_init(&out);
	top_draw(v, &page, &out);
	assert_non_null(strstr(out.chars, "not sampled: answer.query-log-sample is 0"));
	text_clear(&out);
	v->sample = 10;
	for (int i = 0; i < 4; i++) {
		e = parse(i ? "{'client': '192.0.2.77', 'name': 'www.example.', 'type': 'A'}"
		            : "{'client': '2001:db8:1:2:3::4', 'name': 'example.', 'type': 'SOA'}");
		top_sampled(v, e);
		json_decref(e);
	}
	e = parse("{'lost': 7}");
	top_sampled(v, e);
	json_decref(e);
	assert_int_equal(v->sampled, 4);
	top_draw(v, &page, &out);
	{
		static const char *const said[] = {
			"fra  zonecast 0.1.0, up 7s ",
			" 19:05:07\n",
			"queries   160/s  answers 110/s  dropped 0/s  lost 0/s",
			"load      12% of the busiest worker, room for 40.0k/s more; 3 zones, 12 records\n",
			"                 UDP       TCP       TLS    kernel\n",
			"IPv4             150         0         0        10\n",
			"from      kernel 9%  cache 36%  store 55%  limited 0",
			"rcodes    NOERROR 100.0%",
			"types     A 100.0%",
			"CPU       0: 75%  1: 0%",
			"global    v4 announced pass",
			"CLIENTS                         NAMES  of one query in 10\n",
			" 75.0% 192.0.2.0/24              75.0% www.example.\n",
			" 25.0% 2001:db8:1::/56           25.0% example.\n",
			"q quit  f fleet",
		};

		for (size_t i = 0; i < ARRAY_LEN(said); i++)
			if (!strstr(out.chars, said[i]))
				fail_msg("not shown: %s\nin\n%s", said[i], out.chars);
	}
	/* The nodes' table has its last column within 80. */
	text_clear(&out);
	page.fleet = true;
	v->nodes = 1;
	v->node_row[0] = (struct top_node){.name = "fra",
	                                   .state = "graceful-shutdown",
	                                   .heard_ms = 4,
	                                   .qps = 12345678,
	                                   .load = 1000,
	                                   .headroom = 7654321,
	                                   .zones = 100000,
	                                   .serving = 100000,
	                                   .drift = 12};
	top_draw(v, &page, &out);
	if (!strstr(out.chars, " SEEN\n") ||
	    !strstr(out.chars, "fra          graceful-shutdown   12.3M  100%    7.7M 100000/100000    12     4ms\n"))
		fail_msg("%s", out.chars);
	text_clear(&out);
	e = top_json(v);
	assert_rate(json_real_value(json_object_get(e, "all")), 160);
	assert_rate(json_real_value(
			    json_object_get(json_array_get(json_object_get(json_object_get(e, "sample"), "clients"), 0),
	                                    "share")),
	            0.75);
	json_decref(e);
	text_done(&out);
	json_decref(first);
	json_decref(second);
	view_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_counts), cmocka_unit_test(test_table_is_bounded),
		cmocka_unit_test(test_rates),        cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_pages),        cmocka_unit_test(test_what_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
