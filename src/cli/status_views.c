/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/status_views.h"

#include "base/attr.h"
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	FAILURES_SHOWN = 2, /* in a row: as watch/views.h */
	SPAN_TEXT = 16,
};

static const char *const families[] = {"ipv4", "ipv6"}, *const words[] = {"v4", "v6"};

static const char *get_str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static long long get_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *ago(const json_t *o, const char *key, char buf[SPAN_TEXT])
{
	return clock_span_text((uint64_t)get_int(o, key), buf);
}

static const char *named(const json_t *o)
{
	return *get_str(o, "node") ? get_str(o, "node") : "somebody";
}

/* A network that this node asks. */
static void print_seen(const json_t *f, const char *name, const char *word)
{
	char span[SPAN_TEXT];

	if (strcmp(get_str(f, "seen"), "silent") == 0)
		printf("  %-14s %s NOBODY ANSWERS for %s%s%s: %s\n", name, word, ago(f, "seen_since_ms", span),
		       *get_str(f, "node") ? ", last " : "", get_str(f, "node"), get_str(f, "why"));
	else if (strcmp(get_str(f, "seen"), "good") == 0)
		printf("  %-14s %s answered by %s for %s, %.1f ms%s%s; %lld changes\n", name, word, named(f),
		       ago(f, "since_ms", span), (double)get_int(f, "latency_us") / 1000,
		       *get_str(f, "why") ? ": " : "", get_str(f, "why"), get_int(f, "flips"));
}

/* One that it holds. */
static void print_outside(const json_t *f, const char *name, const char *word)
{
	const char *state = get_str(f, "outside");
	bool bad = strcmp(state, "silent") == 0 || strcmp(state, "filtered") == 0;
	char span[SPAN_TEXT];

	if (bad || strcmp(state, "good") == 0)
		printf("  %-14s %s %s from outside for %s: %s\n", name, word,
		       strcmp(state, "good") == 0     ? "good"
		       : strcmp(state, "silent") == 0 ? "SILENT"
		                                      : "FILTERED",
		       ago(f, "outside_since_ms", span), get_str(f, "why"));
	if (bad)
		printf("    what to do   doc/howto/outside-in.md\n");
}

static void print_told(const json_t *f, const char *word)
{
	char span[SPAN_TEXT], heard[SPAN_TEXT];
	const json_t *t;
	size_t i;

	json_array_foreach(json_object_get(f, "told"), i, t) {
		bool good = strcmp(get_str(t, "state"), "good") == 0;

		printf("    at %-11s %s %s%s for %s, said %s ago\n", get_str(t, "viewer"), word,
		       good                  ? "answered by "
		       : *get_str(t, "node") ? "NOBODY ANSWERS, last "
		                             : "NOBODY ANSWERS",
		       good ? named(t) : get_str(t, "node"), ago(t, "since_ms", span), ago(t, "heard_ms", heard));
	}
}

static void print_network(const json_t *n)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		const json_t *f = json_object_get(n, families[i]);

		if (json_is_true(json_object_get(f, "own")))
			print_outside(f, get_str(n, "name"), words[i]);
		else
			print_seen(f, get_str(n, "name"), words[i]);
		print_told(f, words[i]);
	}
}

/* Ways that answer are a number; the others are named. */
static void print_paths(const json_t *nodes)
{
	static const char *const transports[] = {"udp", "tcp"};
	unsigned asked = 0, good = 0;
	const json_t *n, *a;
	size_t i, k;

	for (int shown = 0; shown < 2; shown++) {
		json_array_foreach(nodes, i, n) {
			json_array_foreach(json_object_get(n, "addresses"), k, a) {
				for (size_t t = 0; t < ARRAY_LEN(transports); t++) {
					const json_t *p = json_object_get(a, transports[t]);
					long long failures = get_int(p, "failures");
					char span[SPAN_TEXT];

					if (!shown) {
						asked += get_int(p, "asked") > 0;
						good += get_int(p, "asked") > 0 && failures < FAILURES_SHOWN;
					} else if (failures >= FAILURES_SHOWN) {
						printf("  %-14s %s over %s: NO ANSWER to %lld questions, the last "
						       "%s%s\n",
						       get_str(n, "name"), get_str(a, "address"), transports[t],
						       failures,
						       json_is_integer(json_object_get(p, "last_ms"))
						               ? ago(p, "last_ms", span)
						               : "never",
						       json_is_integer(json_object_get(p, "last_ms")) ? " ago" : "");
					}
				}
			}
		}
		if (!shown && asked)
			printf("  port 53 of other nodes answers at %u of %u (address and transport)\n", good, asked);
	}
}

enum { FLIPS_SHOWN = 5 };

/* Clients that had a cookie of another node. */
static void print_flips(const json_t *flips)
{
	const json_t *list = json_object_get(flips, "clients"), *c;
	size_t i;

	if (!json_array_size(list))
		return;
	printf("  moved here from other nodes, by cookies: %lld queries over IPv4, %lld over IPv6\n",
	       get_int(flips, "ipv4"), get_int(flips, "ipv6"));
	json_array_foreach(list, i, c) {
		char span[SPAN_TEXT];

		if (i == FLIPS_SHOWN) {
			printf("    and %zu more client networks\n", json_array_size(list) - i);
			break;
		}
		printf("    %-20s %lld, last %s ago from %s\n", get_str(c, "prefix"), get_int(c, "count"),
		       ago(c, "last_ms", span), *get_str(c, "from") ? get_str(c, "from") : "?");
	}
}

static bool has_networks(const json_t *views)
{
	const json_t *n;
	size_t i;

	json_array_foreach(json_object_get(views, "networks"), i, n)
		for (size_t k = 0; k < ARRAY_LEN(families); k++) {
			const json_t *f = json_object_get(n, families[k]);

			if (strcmp(get_str(f, "seen"), "unknown") != 0 || strcmp(get_str(f, "outside"), "unknown") != 0)
				return true;
		}
	return false;
}

void status_views_print(const json_t *views)
{
	const json_t *n;
	size_t i;

	if (!json_array_size(json_object_get(views, "nodes")) && !has_networks(views))
		return;
	printf("\nas clients see it\n");
	json_array_foreach(json_object_get(views, "networks"), i, n)
		print_network(n);
	print_paths(json_object_get(views, "nodes"));
	print_flips(json_object_get(views, "flips"));
}
