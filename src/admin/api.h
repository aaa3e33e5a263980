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
