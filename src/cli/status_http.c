/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/status_http.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static long long number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* "web http://192.0.2.21:8053 http://[2001:db8::21]:8053: 3 connections, 1 stream, 120 requests, 2 refused" */
void status_http_print(const json_t *http)
{
	const char *scheme = json_is_true(json_object_get(http, "tls")) ? "https" : "http";
	long long refused = 0, streams = number_of(http, "streams"), open = number_of(http, "open");
	const json_t *listen = json_object_get(http, "listen"), *v;
	const char *key;
	size_t i;

	if (!json_is_object(http))
		return;
	json_object_foreach((json_t *)(uintptr_t)http, key, v) {
		if (strncmp(key, "refused_", 8) == 0)
			refused += json_integer_value(v);
	}
	printf("web");
	json_array_foreach(listen, i, v)
		printf(" %s://%s", scheme, json_string_value(v));
	printf(": %lld connection%s, %lld stream%s, %lld requests, %lld refused\n", open, open == 1 ? "" : "s", streams, streams == 1 ? "" : "s",
	       number_of(http, "requests"), refused);
}
