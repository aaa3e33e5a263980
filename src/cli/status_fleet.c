/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/status_fleet.h"

#include "base/attr.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum {
	NAME_WIDTH = 16,
	SEEN_WIDTH = 16,
	AGE_SHOWN_MS = 10000, /* primaries are asked every few seconds */
};

static const char *get_str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "-";
}

static long long get_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* "340ms", "never", or "self". */
static const char *seen(const json_t *n, bool self, char buf[SEEN_WIDTH])
{
	const json_t *ms = json_object_get(n, "heard_ms");

	if (self || !json_is_integer(ms))
		return self ? "self" : "never";
	return clock_span_text((uint64_t)json_integer_value(ms), buf);
}

/* Of its addresses of a family: do they answer? "" where it has none. */
static const char *reach(const json_t *n, bool v6)
{
	const char *word = "";
	const json_t *a;
	size_t i;

	json_array_foreach(json_object_get(n, "addresses"), i, a) {
		if ((strchr(get_str(a, "address"), ':') != NULL) != v6)
			continue;
		if (json_is_integer(json_object_get(a, "heard_ms")) && !get_int(a, "failures"))
			return v6 ? "v6" : "v4";
		word = v6 ? "(v6)" : "(v4)";
	}
	return word;
}

static void join(const json_t *words, char *out, size_t cap)
{
	size_t at = 0, i;
	const json_t *w;

	out[0] = '\0';
	json_array_foreach(words, i, w) {
		int n = snprintf(out + at, cap - at, "%s%s", i ? "+" : "", json_string_value(w));

		at += n > 0 ? MIN((size_t)n, cap - at - 1) : 0;
	}
}

static void print_causes(const json_t *family, const char *name)
{
	char causes[80], intent[80];

	join(json_object_get(family, "causes"), causes, sizeof(causes));
	join(json_object_get(family, "intent"), intent, sizeof(intent));
	if (*causes)
		printf("    %s is soft for: %s\n", name, causes);
	if (*intent)
		printf("    %s means to leave for: %s\n", name, intent);
}

static void print_network(const json_t *n)
{
	const json_t *v4 = json_object_get(n, "ipv4"), *v6 = json_object_get(n, "ipv6");
	char span[16];

	printf("  %-14s v4 %-17s %-9s  v6 %-17s %s\n", get_str(n, "name"), get_str(v4, "announce"),
	       get_str(v4, "verdict"), get_str(v6, "announce"), get_str(v6, "verdict"));
	print_causes(v4, "v4");
	print_causes(v6, "v6");
	if (get_int(n, "data_age_ms") >= AGE_SHOWN_MS)
		printf("    data last known current %s ago\n",
		       clock_span_text((uint64_t)get_int(n, "data_age_ms"), span));
}

static void print_node(const json_t *n, bool self)
{
	char span[SEEN_WIDTH], up[16], reached[16], zones[32];
	const json_t *network;
	bool known = self || json_is_integer(json_object_get(n, "heard_ms"));
	size_t i;

	snprintf(reached, sizeof(reached), "%s %s", reach(n, false), reach(n, true));
	snprintf(zones, sizeof(zones), "%lld/%lld", get_int(n, "serving"), get_int(n, "zones"));
	printf("%-*s ", NAME_WIDTH, get_str(n, "name"));
	if (strlen(get_str(n, "name")) > NAME_WIDTH)
		printf("\n%*s ", NAME_WIDTH, "");
	printf("%-7s %8s  %-9s  %-6s %11s  %s%s\n", get_str(n, "role"), seen(n, self, span), self ? "" : reached,
	       !known                                                    ? "?"
	       : self || json_is_true(json_object_get(n, "same_config")) ? "same"
	                                                                 : "OTHER",
	       known ? zones : "?", known ? clock_span_text((uint64_t)get_int(n, "uptime_s") * 1000U, up) : "?",
	       json_is_true(json_object_get(n, "stopping")) ? " stopping" : "");
	if (!self && *get_str(n, "why"))
		printf("    %s\n", get_str(n, "why"));
	json_array_foreach(json_object_get(n, "networks"), i, network)
		print_network(network);
}

void status_fleet_print(const json_t *peers, bool with_self)
{
	const json_t *nodes = json_object_get(peers, "nodes"), *n;
	size_t i;

	printf("%-*s %-7s %8s  %-9s  %-6s %11s  %s\n", NAME_WIDTH, "NODE", "ROLE", "SEEN", "ANSWERS", "CONFIG", "ZONES",
	       "UP");
	if (with_self)
		print_node(json_object_get(peers, "self"), true);
	json_array_foreach(nodes, i, n)
		print_node(n, false);
}
