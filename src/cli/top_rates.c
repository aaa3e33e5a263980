/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/top.h"

#include "base/addr.h"
#include "cli/status_fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENT_BITS_V4 = 24, CLIENT_BITS_V6 = 56 }; /* as rate limits have them by default */

static uint64_t get(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

static int64_t get_or_none(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? (int64_t)json_integer_value(v) : -1;
}

static const char *word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

#define PUT(to, from) snprintf(to, sizeof(to), "%.*s", (int)sizeof(to) - 1, from)

static void look_at_types(const json_t *types, struct top_look *out)
{
	const char *name;
	json_t *count;

	json_object_foreach((json_t *)types, name, count) {
		if (out->types == TOP_TYPES_MAX)
			return;
		PUT(out->type[out->types].name, name);
		out->type[out->types++].count = (uint64_t)json_integer_value(count);
	}
}

void top_look(const json_t *status, uint64_t now_ms, struct top_look *out)
{
	static const char *const keys[3][2] = {{"udp_ipv4", "udp_ipv6"},
	                                       {"tcp_ipv4", "tcp_ipv6"},
	                                       {"tls_ipv4", "tls_ipv6"}};
	const json_t *q = json_object_get(status, "queries"), *xdp = json_object_get(status, "xdp"), *w;
	char number[8];
	size_t i;

	*out = (struct top_look){.at_ms = now_ms, .uptime_ms = get(status, "uptime_ms")};
	for (int t = 0; t < 3; t++)
		for (int f = 0; f < 2; f++)
			out->queries[t][f] = get(q, keys[t][f]);
	out->queries[TOP_KERNEL][0] = get(xdp, "answered_ipv4");
	out->queries[TOP_KERNEL][1] = get(xdp, "answered_ipv6");
	out->answers = get(q, "answers") + out->queries[TOP_KERNEL][0] + out->queries[TOP_KERNEL][1];
	out->dropped = get(q, "dropped");
	out->cached = get(q, "cached");
	out->truncated = get(q, "truncated");
	out->limited = get(q, "limited_dropped") + get(q, "limited_slipped") + get(q, "limited_badcookie") +
	               get(xdp, "limited_dropped") + get(xdp, "limited_slipped");
	out->filtered = get(q, "filtered_dropped") + get(q, "filtered_refused") + get(q, "filtered_truncated");
	for (int r = 0; r < TOP_RCODES; r++) {
		snprintf(number, sizeof(number), "%d", r);
		out->rcodes[r] = get(json_object_get(q, "rcodes"), number);
	}
	look_at_types(json_object_get(q, "types"), out);
	json_array_foreach(json_object_get(status, "workers"), i, w) {
		if (i >= TOP_WORKERS_MAX)
			break;
		out->workers = i + 1;
		out->cpu_ms[i] = get(w, "cpu_ms");
		out->bytes_in += get(w, "bytes_in");
		out->bytes_out += get(w, "bytes_out");
		out->lost += get(w, "lost");
	}
	out->bytes_out += get(xdp, "bytes_out");
}

/* ---- the fleet ---- */

static int badness(const char *state)
{
	static const char *const order[] = {"good",      "stopping",  "de-preferred", "graceful-shutdown", "drift",
	                                    "soft-fail", "withdrawn", "hard-fail",    "not seen"};

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (strcmp(state, order[i]) == 0)
			return (int)i;
	return 1;
}

static void worse(struct top_node *n, const char *state)
{
	if (badness(state) > badness(n->state))
		PUT(n->state, state);
}

static void look_at_family(struct top_node *n, const json_t *f)
{
	static const char *const silent[] = {"", "announced", "pass", "unknown"};
	const char *words[] = {word(f, "announce"), word(f, "verdict")};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		bool fine = false;

		for (size_t k = 0; k < ARRAY_LEN(silent); k++)
			fine |= strcmp(words[i], silent[k]) == 0;
		if (!fine)
			worse(n, words[i]);
	}
}

static void put_node(const json_t *o, bool self, const json_t *drift, struct top_node *n)
{
	const json_t *w;
	size_t i;

	*n = (struct top_node){.self = self, .heard_ms = self ? 0 : get_or_none(o, "heard_ms"), .headroom = -1};
	PUT(n->name, word(o, "name"));
	PUT(n->state, "good");
	n->zones = get(o, "zones");
	n->serving = get(o, "serving");
	if (json_is_true(json_object_get(o, "stopping")))
		worse(n, "stopping");
	json_array_foreach(json_object_get(o, "networks"), i, w) {
		look_at_family(n, json_object_get(w, "ipv4"));
		look_at_family(n, json_object_get(w, "ipv6"));
		/* The node's own figures, the same in each of its networks. */
		n->qps = MAX(n->qps, get(w, "qps"));
		n->load = MAX(n->load, get(w, "load"));
		n->headroom = MAX(n->headroom, get_or_none(w, "headroom"));
	}
	json_array_foreach(json_object_get(drift, "rows"), i, w)
		n->drift += strcmp(word(w, "node"), n->name) == 0;
	n->drift = MAX(n->drift, status_fleet_drifts(drift, n->name));
	if (n->drift)
		worse(n, "drift");
	if (n->heard_ms < 0 || (!self && status_fleet_is_silent(o)))
		worse(n, "not seen");
}

static int compare_nodes(const void *a, const void *b)
{
	const struct top_node *x = a, *y = b;
	int order = badness(y->state) - badness(x->state);

	if (order)
		return order;
	return x->qps != y->qps ? (x->qps < y->qps ? 1 : -1) : strcmp(x->name, y->name);
}

static void put_fleet(const json_t *status, struct top_view *out)
{
	const json_t *peers = json_object_get(status, "peers"), *drift = json_object_get(status, "drift"),
		     *self = json_object_get(peers, "self"), *o;
	size_t i;

	out->nodes = 0;
	if (json_is_object(self))
		put_node(self, true, drift, &out->node_row[out->nodes++]);
	json_array_foreach(json_object_get(peers, "nodes"), i, o) {
		if (out->nodes < TOP_NODES_MAX)
			put_node(o, false, drift, &out->node_row[out->nodes++]);
	}
	qsort(out->node_row, out->nodes, sizeof(out->node_row[0]), compare_nodes);
}

static void put_networks(const json_t *status, struct top_view *out)
{
	static const char *const families[] = {"ipv4", "ipv6"};
	const json_t *n;
	size_t i;

	out->networks = 0;
	json_array_foreach(json_object_get(status, "networks"), i, n) {
		if (i >= TOP_NETWORKS_MAX)
			return;
		PUT(out->network[i].name, word(n, "name"));
		for (int f = 0; f < 2; f++) {
			const json_t *o = json_object_get(json_object_get(n, "families"), families[f]);

			PUT(out->network[i].announce[f], word(o, "announce"));
			PUT(out->network[i].verdict[f], word(json_object_get(o, "checks"), "verdict"));
		}
		out->networks = i + 1;
	}
}

/* ---- rates ---- */

static double rate(uint64_t before, uint64_t now, double seconds)
{
	return seconds > 0 && now > before ? (double)(now - before) / seconds : 0;
}

void top_rates(const json_t *status, const struct top_look *before, const struct top_look *now, struct top_view *out)
{
	static const struct top_look nothing;
	const json_t *load = json_object_get(status, "load"), *zones = json_object_get(status, "zones");
	const struct top_look *b = before ? before : &nothing;
	double s = before && now->at_ms > before->at_ms ? (double)(now->at_ms - before->at_ms) / 1000.0 : 0;

	PUT(out->node, word(status, "node"));
	PUT(out->version, word(status, "version"));
	out->seconds = s;
	out->uptime_ms = now->uptime_ms;
	out->zones = get(zones, "serving");
	out->records = get(zones, "records");
	out->load = get(load, "permille");
	out->headroom = get_or_none(load, "headroom");
	out->all = 0;
	for (int t = 0; t < TOP_TRANSPORTS; t++)
		for (int f = 0; f < 2; f++) {
			out->queries[t][f] = rate(b->queries[t][f], now->queries[t][f], s);
			out->all += out->queries[t][f];
		}
#define RATE(m) out->m = rate(b->m, now->m, s)
	RATE(answers);
	RATE(dropped);
	RATE(cached);
	RATE(truncated);
	RATE(limited);
	RATE(filtered);
	RATE(lost);
	RATE(bytes_in);
	RATE(bytes_out);
	for (int r = 0; r < TOP_RCODES; r++)
		RATE(rcodes[r]);
#undef RATE
	out->workers = now->workers;
	for (size_t i = 0; i < now->workers; i++)
		out->cpu[i] = rate(b->cpu_ms[i], now->cpu_ms[i], s) / 1000.0;
	out->types = now->types;
	for (size_t i = 0; i < now->types; i++) {
		PUT(out->type[i].name, now->type[i].name);
		/* A type may have come since. */
		out->type[i].rate = 0;
		for (size_t k = 0; before && k < b->types; k++)
			if (strcmp(b->type[k].name, now->type[i].name) == 0)
				out->type[i].rate = rate(b->type[k].count, now->type[i].count, s);
	}
	put_networks(status, out);
	put_fleet(status, out);
}

void top_sampled(struct top_view *v, const json_t *entry)
{
	char client[PREFIX_TEXT_MAX];
	struct ip_prefix p = {0};

	if (addr_parse(word(entry, "client"), &p.addr) < 0)
		return;
	p.len = p.addr.family == 4 ? CLIENT_BITS_V4 : CLIENT_BITS_V6;
	memset(p.addr.bytes + p.len / 8, 0, sizeof(p.addr.bytes) - p.len / 8);
	p.addr.zone = 0;
	top_table_add(v->clients, prefix_text(&p, client));
	v->sampled++;
	if (!*word(entry, "name"))
		return;
	top_table_add(v->names, word(entry, "name"));
	top_table_add(v->kinds, word(entry, "type"));
}
