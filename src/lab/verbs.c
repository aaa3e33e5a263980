/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/verbs.h"

#include "base/clock.h"
#include "base/err.h"
#include "lab/node.h"
#include "lab/web.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONVERGE_MS = 60000, ASK_MS = 1000, WEB_MS = 1000 };

int lab_region_of(const char *name)
{
	for (unsigned i = 0; i < LAB_REGIONS; i++)
		if (strcmp(lab_regions[i].name, name) == 0)
			return (int)i;
	return -1;
}

int lab_wait_until_right(const struct lab *l)
{
	uint64_t until = clock_ms() + CONVERGE_MS;

	while (lab_catchments(l, false) != 2 * LAB_REGIONS) {
		if (clock_ms() > until)
			return -ETIMEDOUT;
		poll(NULL, 0, 100);
	}
	return 0;
}

/* What nodes of an earlier lab have learnt: versions of zones, orders, timers. */
static int forget_nodes(const struct lab *l)
{
	char web[LAB_PATH_MAX + 48];
	int err = 0;

	for (unsigned i = 0; !err && i < LAB_NODES; i++) {
		char name[32], path[LAB_PATH_MAX + 48];

		node_name(i, name);
		snprintf(path, sizeof(path), "%s/%s", l->dir, name);
		err = lab_run(NULL, (const char *const[]){"rm", "-rf", "--", path, NULL});
	}
	snprintf(web, sizeof(web), "%s/prometheus", l->dir);
	if (!err)
		err = lab_run(NULL, (const char *const[]){"rm", "-rf", "--", web, NULL});
	return err;
}

static void print_web(const struct lab *l)
{
	char at[LAB_WEB_TEXT], name[32];

	for (unsigned i = 0; i < LAB_NODES; i++) {
		unsigned node = i ? i - 1 : (unsigned)NODE_HIDDEN;

		lab_web_address(l, node, at);
		node_name(node, name);
		if (*at)
			printf("  dashboard of %-7s http://%s/\n", name, at);
	}
	lab_prometheus_address(l, at);
	if (*at)
		printf("  Prometheus           http://%s/\n", at);
}

/* None of it is needed for drills. */
static void start_web(const struct lab *l)
{
	struct text why;

	text_init(&why);
	if (lab_start_web(l, &why) < 0)
		printf("not all can be looked at from here: %s\n", why.chars);
	print_web(l);
	text_done(&why);
}

int lab_up(const struct lab *l)
{
	char path[LAB_PATH_MAX + 16];
	uint64_t began = clock_ms();
	struct text why;
	int err;

	if (geteuid() != 0) {
		fprintf(stderr, "zonecast: the lab needs root, to make network namespaces\n");
		return -EPERM;
	}
	lab_remove(l); /* what an earlier one left */
	mkdir(l->dir, 0755);
	snprintf(path, sizeof(path), "%s/log", l->dir);
	mkdir(path, 0755);
	text_init(&why);
	printf("building three regions: namespaces, links, latency\n");
	err = forget_nodes(l);
	if (!err)
		err = lab_build_network(l, &why);
	if (!err) {
		printf("starting routers: BIRD in eu, FRR in us and as\n");
		err = lab_start_routers(l, &why);
	}
	if (!err)
		err = lab_write_zones(l, &why);
	if (!err)
		err = lab_write_fleet(l, &why);
	if (!err)
		printf("starting zonecast: the hidden primary, and three PoPs\n");
	if (!err)
		err = lab_start_hidden(l);
	for (unsigned i = 0; !err && i < LAB_REGIONS; i++)
		err = lab_start_pop(l, i);
	if (!err) {
		fflush(stdout);
		err = lab_wait_until_right(l);
		if (err) {
			text_fmt(&why, "the clients are not answered by their own PoPs within %d s; logs are in %s/log", CONVERGE_MS / 1000, l->dir);
			lab_catchments(l, true);
		}
	}
	if (err) {
		fprintf(stderr, "zonecast: lab: %s\n", why.len ? why.chars : err_text(err));
		lab_remove(l);
	} else {
		if (!l->plain)
			start_web(l);
		printf("the lab is up after %.1f s\n", (double)(clock_ms() - began) / 1000);
	}
	text_done(&why);
	return err;
}

int lab_down(const struct lab *l)
{
	lab_remove(l);
	printf("the lab is down\n");
	return 0;
}

/* ---- status ---- */

static void print_routes(const struct lab *l, unsigned i)
{
	char ns[LAB_NETNS_MAX], ctl[LAB_PATH_MAX + 48];
	const struct lab_region *r = &lab_regions[i];
	struct text out;

	lab_netns(l, 't', i, ns);
	text_init(&out);
	printf("\ntransit %s (%s, AS %u)\n", r->name, r->router == LAB_BIRD ? "BIRD" : "FRR", r->as);
	fflush(stdout);
	if (r->router == LAB_BIRD) {
		snprintf(ctl, sizeof(ctl), "%s/t-%s/bird.ctl", l->dir, r->name);
		if (lab_capture(ns, &out, (const char *const[]){"birdc", "-r", "-s", ctl, "show", "route", LAB_PREFIX_V4, NULL}) < 0 ||
		    lab_capture(ns, &out, (const char *const[]){"birdc", "-r", "-s", ctl, "show", "route", LAB_PREFIX_V6, NULL}) < 0)
			text_str(&out, "  (birdc failed)\n");
	} else {
		snprintf(ctl, sizeof(ctl), "%s/t-%s", l->dir, r->name);
		if (lab_capture(ns, &out, (const char *const[]){"vtysh", "--vty_socket", ctl, "-c", "show bgp ipv4 unicast " LAB_PREFIX_V4 " bestpath",
		                "-c", "show bgp ipv6 unicast " LAB_PREFIX_V6 " bestpath", NULL}) < 0)
			text_str(&out, "  (vtysh failed)\n");
	}
	printf("%s", out.chars);
	text_done(&out);
}

/* What a node tells of itself: by its web server as anybody gets it, else by its control socket, from *reply, which is the caller's. NULL: it is silent. */
static const json_t *told(const struct lab *l, unsigned node, json_t **reply, const char **by)
{
	json_t *status = lab_web_get(l, node, "/api/v1/status", WEB_MS);

	*by = status ? "http" : "control";
	*reply = status;
	if (status)
		return status;
	*reply = node_ask(l, node, "{\"command\":\"status\"}\n", WEB_MS);
	return json_object_get(*reply, "status");
}

static const char *word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "-";
}

static json_t *node_json(const struct lab *l, unsigned node)
{
	const char *by;
	char name[32], at[LAB_WEB_TEXT];
	json_t *reply, *o;
	const json_t *status = told(l, node, &reply, &by), *network = json_array_get(json_object_get(status, "networks"), 0);
	const json_t *families = json_object_get(network, "families"), *v4 = json_object_get(families, "ipv4"), *v6 = json_object_get(families, "ipv6");
	const json_t *rows = json_object_get(json_object_get(status, "drift"), "rows");

	node_name(node, name);
	lab_web_address(l, node, at);
	o = json_pack("{s:s, s:b, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:O?}", "name", name, "answers", status != NULL, "by", status ? by : "-", "dashboard", at,
	              "serving", (json_int_t)json_integer_value(json_object_get(json_object_get(status, "zones"), "serving")), "ipv4", word(v4, "announce"), "ipv6",
	              word(v6, "announce"), "ipv4_verdict", word(json_object_get(v4, "checks"), "verdict"), "ipv6_verdict",
	              word(json_object_get(v6, "checks"), "verdict"), "drift", rows);
	json_decref(reply);
	return o;
}

static json_t *nodes_json(const struct lab *l)
{
	json_t *list = json_array();

	json_array_append_new(list, node_json(l, NODE_HIDDEN));
	for (unsigned i = 0; i < LAB_REGIONS; i++)
		json_array_append_new(list, node_json(l, i));
	return list;
}

static void print_nodes(const struct lab *l)
{
	json_t *list = nodes_json(l), *n, *row;
	size_t i, k;

	printf("\nwhat the nodes say (api/v1/status):\n");
	json_array_foreach(list, i, n) {
		if (!json_is_true(json_object_get(n, "answers")))
			printf("  %-8s does not answer\n", word(n, "name"));
		else if (strcmp(word(n, "ipv4"), "-") == 0)
			printf("  %-8s serves %lld zones\n", word(n, "name"), (long long)json_integer_value(json_object_get(n, "serving")));
		else
			printf("  %-8s serves %lld zones, v4 %s %s, v6 %s %s\n", word(n, "name"), (long long)json_integer_value(json_object_get(n, "serving")),
			       word(n, "ipv4"), word(n, "ipv4_verdict"), word(n, "ipv6"), word(n, "ipv6_verdict"));
		json_array_foreach(json_object_get(n, "drift"), k, row)
			printf("    %s at %s: %s\n", word(row, "zone"), word(row, "node"), word(row, "why"));
	}
	json_decref(list);
	print_web(l);
}

static json_t *catchments_json(const struct lab *l, unsigned *right)
{
	json_t *list = json_array();

	*right = 0;
	for (unsigned i = 0; i < LAB_REGIONS; i++)
		for (int family = 4; family <= 6; family += 2) {
			struct lab_answer a;
			char want[32];
			bool good;

			snprintf(want, sizeof(want), "pop-%s", lab_regions[lab_serving(l, i)].name);
			lab_ask(l, i, family, "example.com", ASK_MS, &a);
			good = a.answered && a.rcode == 0 && strcmp(a.nsid, want) == 0;
			*right += good;
			json_array_append_new(list, json_pack("{s:s, s:i, s:b, s:s, s:f, s:i, s:I, s:b}", "client", lab_regions[i].name, "family",
			                                      family, "answered", a.answered, "pop", a.nsid, "ms", a.ms, "rcode", (int)a.rcode, "serial",
			                                      (json_int_t)a.serial, "right", good));
		}
	return list;
}

int lab_status(const struct lab *l, bool json)
{
	char path[LAB_PATH_MAX + 16];
	unsigned right;

	snprintf(path, sizeof(path), "%s/state", l->dir);
	if (access(path, F_OK) < 0) {
		fprintf(stderr, "zonecast: there is no lab in %s; make one with: zonecast lab up\n", l->dir);
		return ERR_NOT_FOUND;
	}
	if (json) {
		json_t *list = catchments_json(l, &right), *o;
		char prometheus[LAB_WEB_TEXT];

		lab_prometheus_address(l, prometheus);
		o = json_pack("{s:o, s:i, s:i, s:o, s:s}", "catchments", list, "right", (int)right, "of", 6, "nodes", nodes_json(l), "prometheus", prometheus);

		json_dumpf(o, stdout, JSON_INDENT(2));
		printf("\n");
		json_decref(o);
	} else {
		printf("who reaches whom (by NSID):\n");
		right = lab_catchments(l, true);
		printf("%u of %d catchments right\n", right, 2 * LAB_REGIONS);
		for (unsigned i = 0; i < LAB_REGIONS; i++)
			print_routes(l, i);
		print_nodes(l);
	}
	return right == 2 * LAB_REGIONS ? 0 : ERR_INVALID;
}
