/* SPDX-License-Identifier: BSD-2-Clause */
/* All paths of the web server but for its files (http_file.h), each with who may ask for it. openapi.json tells of them; a test compares. */
#include "admin/api.h"
#include "admin/metrics.h"

const struct http_route http_routes[] = {
	{HTTP_GET, "/api/v1/session", HTTP_FOR_ALL, HTTP_JSON, api_session},
	{HTTP_POST, "/api/v1/login", HTTP_FOR_ALL, HTTP_JSON, api_login},
	{HTTP_POST, "/api/v1/logout", HTTP_FOR_ALL, HTTP_JSON, api_logout},
	{HTTP_GET, "/api/v1/status", HTTP_FOR_READERS, HTTP_JSON, api_status},
	{HTTP_GET, "/api/v1/fleet", HTTP_FOR_READERS, HTTP_JSON, api_fleet},
	{HTTP_GET, "/api/v1/networks", HTTP_FOR_READERS, HTTP_JSON, api_networks},
	{HTTP_GET, "/api/v1/zones", HTTP_FOR_READERS, HTTP_JSON, api_zones},
	{HTTP_GET, "/api/v1/cache", HTTP_FOR_READERS, HTTP_JSON, api_cache},
	{HTTP_GET, "/api/v1/drift", HTTP_FOR_READERS, HTTP_JSON, api_drift},
	{HTTP_GET, "/api/v1/endpoints", HTTP_FOR_READERS, HTTP_JSON, api_endpoints},
	{HTTP_GET, "/api/v1/backends", HTTP_FOR_READERS, HTTP_JSON, api_backends},
	{HTTP_GET, "/api/v1/events", HTTP_FOR_READERS, HTTP_JSON, api_events},
	{HTTP_GET, "/api/v1/rates", HTTP_FOR_READERS, HTTP_JSON, api_rates},
	{HTTP_GET, "/api/v1/stream", HTTP_FOR_READERS, "text/event-stream", api_stream},
	{HTTP_POST, "/api/v1/orders", HTTP_FOR_CHANGES, HTTP_JSON, api_orders},
	{HTTP_GET, "/metrics", HTTP_FOR_METRICS, METRICS_CONTENT_TYPE, api_metrics},
	{HTTP_GET, "/api/v1/rssac002", HTTP_FOR_READERS, "application/yaml", api_rssac002},
};
const size_t http_route_count = ARRAY_LEN(http_routes);
