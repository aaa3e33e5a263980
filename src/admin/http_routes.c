/* SPDX-License-Identifier: BSD-2-Clause */
/* All paths of the web server but for its files (http_static.c), each with who may ask for it. openapi.json tells of them; a test compares. */
#include "admin/api.h"

const struct http_route http_routes[] = {
	{HTTP_GET, "/api/v1/session", HTTP_FOR_ALL, HTTP_JSON, api_session},
	{HTTP_POST, "/api/v1/login", HTTP_FOR_ALL, HTTP_JSON, api_login},
	{HTTP_POST, "/api/v1/logout", HTTP_FOR_ALL, HTTP_JSON, api_logout},
	{HTTP_GET, "/api/v1/status", HTTP_FOR_READERS, HTTP_JSON, api_status},
};
const size_t http_route_count = ARRAY_LEN(http_routes);
