/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/status_backends.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/wrap.h"

#include <stdio.h>
#include <string.h>

enum { ZONES_SHOWN = 3, WIDTH = 80, INDENT = 13 };

static const char *get_str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static long long get_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* What stands at `column`, and further lines below its beginning. */
PRINTF_LIKE(2, 3) static void print_wrapped(int column, const char *fmt, ...)
{
	struct text words, out;
	va_list ap;

	text_init(&words);
	text_init(&out);
	va_start(ap, fmt);
	text_vfmt(&words, fmt, ap);
	va_end(ap);
	if (!words.failed)
		wrap_text(words.chars, column, column, WIDTH, &out);
	if (!words.failed && !out.failed)
		printf("%s\n", out.chars);
	text_done(&words);
	text_done(&out);
}

static void print_zones(const json_t *pool)
{
	const json_t *names = json_object_get(pool, "zones"), *name;
	long long count = get_int(pool, "zone_count");
	size_t i;

	if (!count)
		printf(", no zone of this node");
	json_array_foreach(names, i, name)
		if (i < ZONES_SHOWN)
			printf("%s%s", i ? " " : ", for ", json_string_value(name));
	if (count > ZONES_SHOWN)
		printf(" and %lld more", count - ZONES_SHOWN);
}

static void print_server(const json_t *s)
{
	const json_t *w = json_object_get(s, "workers");
	char span[16];

	printf("    %-8s %s", get_str(s, "state"), get_str(s, "name"));
	if (strcmp(get_str(s, "name"), get_str(s, "address")) != 0)
		printf(" %s", get_str(s, "address"));
	if (json_is_integer(json_object_get(s, "since_ms")))
		printf("  for %s", clock_span_text((uint64_t)get_int(s, "since_ms"), span));
	printf("\n%*s", INDENT, "");
	print_wrapped(INDENT, "%s", get_str(s, "why"));
	printf("%*s", INDENT, "");
	print_wrapped(INDENT, "sent %lld, answered %lld, timeouts %lld, errors %lld, outstanding %lld%s", get_int(w, "sent"),
	              get_int(w, "answered"), get_int(w, "timeouts"), get_int(w, "errors"), get_int(w, "outstanding"),
	              get_int(w, "circuits_open") ? ", circuit open" : "");
}

void status_backends_print(const json_t *backends)
{
	const json_t *pools = json_object_get(backends, "pools"), *pool, *s;
	size_t i, n;

	if (!json_array_size(pools))
		return;
	printf("\nbackends  ");
	print_wrapped(10, "cache hits %lld (stale %lld), misses %lld, failed %lld, passed on %lld, refused %lld%s",
	              get_int(backends, "hits"), get_int(backends, "stale"), get_int(backends, "misses"),
	              get_int(backends, "failed"), get_int(backends, "passed"), get_int(backends, "refused"),
	              get_int(backends, "loops") ? ", LOOPS" : "");
	json_array_foreach(pools, i, pool) {
		printf("  %s  %lld of %zu up, %s over %s", get_str(pool, "name"), get_int(pool, "up"),
		       json_array_size(json_object_get(pool, "servers")), get_str(pool, "policy"),
		       get_str(pool, "over"));
		print_zones(pool);
		printf("\n");
		json_array_foreach(json_object_get(pool, "servers"), n, s)
			print_server(s);
	}
}
