/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/status_dnstap.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "?";
}

static long long number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* "dnstap to 192.0.2.9:6000: open for 5s" */
static void print_way(const char *what, const json_t *o)
{
	char span[16];

	printf("%s to %s: %s for %s", what, text_of(o, "to"), text_of(o, "state"),
	       clock_span_text((uint64_t)number_of(o, "since_ms"), span));
	if (*text_of(o, "why"))
		printf(" (%s)", text_of(o, "why"));
}

void status_dnstap_print(const json_t *status)
{
	const json_t *tap = json_object_get(status, "dnstap"), *log = json_object_get(status, "query_log");

	if (json_is_true(json_object_get(tap, "configured"))) {
		print_way("dnstap", tap);
		printf(", %lld queries, %lld dropped, %lld KiB wait\n", number_of(tap, "events"),
		       number_of(tap, "dropped"), number_of(tap, "backlog_octets") >> 10);
		if (*text_of(tap, "note"))
			printf("  %s\n", text_of(tap, "note"));
	}
	if (json_is_true(json_object_get(log, "configured"))) {
		print_way("query log", log);
		printf(", %lld lines, %lld lost\n", number_of(log, "lines"), number_of(log, "lines_lost"));
	}
}
