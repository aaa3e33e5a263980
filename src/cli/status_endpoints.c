/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/status_endpoints.h"

#include "base/attr.h"
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_SHOWN = 16 }; /* of a pool, those that are down first */

static const char *get_str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static long long get_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool is_down(const json_t *e)
{
	return strcmp(get_str(e, "up"), "down") == 0;
}

static void print_endpoint(const json_t *e)
{
	const char *address = get_str(e, "address");
	char span[16], latency[32] = "";

	if (get_int(e, "latency_us"))
		snprintf(latency, sizeof(latency), "  %.1f ms", (double)get_int(e, "latency_us") / 1000);
	printf("    %-7s %s  %s%s", json_is_true(json_object_get(e, "disabled")) ? "off" : get_str(e, "up"), get_str(e, "name"),
	       *address ? address : get_str(e, "target"), latency);
	if (json_is_integer(json_object_get(e, "since_ms")))
		printf("  for %s", clock_span_text((uint64_t)get_int(e, "since_ms"), span));
	if (get_int(e, "others_up") || get_int(e, "others_down"))
		printf("  others: %lld up, %lld down", get_int(e, "others_up"), get_int(e, "others_down"));
	if (strcmp(get_str(e, "own"), "unknown") == 0 && strcmp(get_str(e, "up"), "unknown") != 0)
		printf("  (not by its own checks)");
	printf("\n            %s\n", get_str(e, "why"));
}

static void print_pool(const json_t *p)
{
	const json_t *list = json_object_get(p, "endpoints"), *e;
	size_t i, shown = 0;

	printf("  %s  %lld of %lld up%s%s", get_str(p, "name"), get_int(p, "up"), get_int(p, "total"),
	       strcmp(get_str(p, "state"), "good") == 0 ? "" : strcmp(get_str(p, "state"), "down") == 0 ? "  DOWN" : "  fewer than keep",
	       get_int(p, "differ") ? "  nodes do not see the same" : "");
	printf("  check %s\n", get_str(p, "check"));
	for (int down = 1; down >= 0; down--)
		json_array_foreach(list, i, e)
			if (is_down(e) == (down == 1) && shown++ < ROWS_SHOWN)
				print_endpoint(e);
	if (shown > ROWS_SHOWN)
		printf("    and %zu more\n", shown - ROWS_SHOWN);
}

void status_endpoints_print(const json_t *endpoints)
{
	const json_t *pools = json_object_get(endpoints, "pools"), *p;
	size_t i;

	if (!json_array_size(pools))
		return;
	printf("\npools of endpoints\n");
	json_array_foreach(pools, i, p)
		print_pool(p);
	if (get_int(endpoints, "hidden"))
		printf("  and %lld endpoints more that are not shown one by one\n", get_int(endpoints, "hidden"));
}
