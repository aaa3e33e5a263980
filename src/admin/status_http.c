/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/status_http.h"

#include <stdint.h>

#define COUNTER(k, m) {k, offsetof(struct board_http, m)}
static const struct {
	const char *key;
	size_t at;
} counters[] = {
	COUNTER("open", open),
	COUNTER("accepted", accepted),
	COUNTER("requests", requests),
	COUNTER("answered_bytes", answered_bytes),
	COUNTER("refused_full", full),
	COUNTER("refused_client_full", client_full),
	COUNTER("refused_unauthorized", unauthorized),
	COUNTER("refused_forbidden", forbidden),
	COUNTER("refused_misdirected", misdirected),
	COUNTER("refused_too_large", too_large),
	COUNTER("refused_bad", bad),
	COUNTER("refused_not_found", not_found),
	COUNTER("refused_busy", busy),
	COUNTER("silent", silent),
	COUNTER("slow", slow),
	COUNTER("logins", logins),
	COUNTER("logins_failed", login_failed),
	COUNTER("orders", orders),
	COUNTER("streams", streams),
	COUNTER("streams_ever", streams_ever),
	COUNTER("streams_slow", streams_slow),
};

json_t *status_http(const struct status_facts *f)
{
	const struct config_http *h = config_http_of(f->config, f->node);
	const struct ip_addr *at = NULL;
	size_t n = h ? config_http_addresses(h, f->node, &at) : 0;
	json_t *o, *listen;

	if (!h)
		return json_null();
	listen = json_array();
	for (size_t i = 0; i < n; i++) {
		struct endpoint e = {.addr = at[i], .port = h->port};
		char text[ENDPOINT_TEXT_MAX];

		json_array_append_new(listen, json_string(endpoint_text(&e, text)));
	}
	o = json_pack("{s:o, s:b, s:b}", "listen", listen, "tls", (int)h->tls.enabled, "changes", (int)h->allow_changes);
	for (size_t i = 0; o && i < ARRAY_LEN(counters); i++) {
		const char *base = (const char *)&f->board->admin.http;

		json_object_set_new(o, counters[i].key,
		                    json_integer((json_int_t)board_get((const _Atomic uint64_t *)(const void *)(base + counters[i].at))));
	}
	return o;
}
