/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/api.h"

#include "admin/metrics.h"
#include "admin/rssac.h"
#include "base/clock.h"

#include <string.h>

unsigned api_metrics(struct http_request *r, struct text *out)
{
	metrics_write(r->view, out);
	return 200;
}

/* A name that is YAML as it stands. */
static bool is_service(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < 256 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == len;
}

/* ?day=yesterday (today), ?service=NAME (the fleet's). */
unsigned api_rssac002(struct http_request *r, struct text *out)
{
	const char *service = http_query(r, "service"), *day = http_query(r, "day");
	bool yesterday = day && strcmp(day, "yesterday") == 0;

	if (!service)
		service = r->view->config ? r->view->config->fleet : "zonecast";
	if (!is_service(service) || (day && !yesterday && strcmp(day, "today") != 0)) {
		r->type = HTTP_JSON;
		return http_problem(out, 400,
		                    "the day is today or yesterday, the service a name of letters, digits, - . _");
	}
	if (rssac_write(r->view, service, yesterday, clock_wall_s(), out) == 0)
		return 200;
	text_clear(out);
	r->type = HTTP_JSON;
	return http_problem(out, 404, "this node has no figures of %s", yesterday ? "yesterday" : "today");
}
