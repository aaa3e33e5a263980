/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/http.h"

/* The functions behind http_routes.c; what each tells is in openapi.json. */

/* api_session.c */
unsigned api_session(struct http_request *r, struct text *out);
unsigned api_login(struct http_request *r, struct text *out);
unsigned api_logout(struct http_request *r, struct text *out);
/* api_status.c */
unsigned api_status(struct http_request *r, struct text *out);
unsigned api_networks(struct http_request *r, struct text *out);
/* api_fleet.c, api_zones.c, api_drift.c, api_endpoints.c, api_events.c, api_rates.c, http_stream.c, api_orders.c */
unsigned api_fleet(struct http_request *r, struct text *out);
unsigned api_zones(struct http_request *r, struct text *out);
unsigned api_cache(struct http_request *r, struct text *out);
unsigned api_drift(struct http_request *r, struct text *out);
unsigned api_endpoints(struct http_request *r, struct text *out);
unsigned api_backends(struct http_request *r, struct text *out); /* api_backends.c */
unsigned api_events(struct http_request *r, struct text *out);
unsigned api_rates(struct http_request *r, struct text *out);
unsigned api_stream(struct http_request *r, struct text *out);
unsigned api_orders(struct http_request *r, struct text *out);
/* api_metrics.c */
unsigned api_metrics(struct http_request *r, struct text *out);
unsigned api_rssac002(struct http_request *r, struct text *out);
