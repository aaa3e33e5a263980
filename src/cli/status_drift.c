/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/status_drift.h"

#include "base/attr.h"

#include <stdio.h>
#include <string.h>

enum { ROWS_SHOWN = 20 };

static const char *get_str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

void status_drift_print(const json_t *drift)
{
	const json_t *rows = json_object_get(drift, "rows"), *row;
	long long hidden = json_integer_value(json_object_get(drift, "hidden"));
	size_t i;

	if (!json_array_size(rows) && !hidden)
		return;
	printf("\ndrift\n");
	json_array_foreach(rows, i, row) {
		const char *node = get_str(row, "node");

		if (i == ROWS_SHOWN)
			break;
		printf("  %-8s %s%s  network %s, %s %s\n           %s\n", get_str(row, "kind"), get_str(row, "zone"),
		       json_is_true(json_object_get(row, "alert")) ? "  ALERT" : "", get_str(row, "network"),
		       *node ? "node" : "server", *node ? node : get_str(row, "server"), get_str(row, "why"));
	}
	if (json_array_size(rows) > ROWS_SHOWN)
		printf("  and %zu more\n", json_array_size(rows) - ROWS_SHOWN);
	if (hidden)
		printf("  up to %lld more zones that were not looked at one by one\n", hidden);
}
