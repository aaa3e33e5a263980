/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

/* The line of `status` about the web server; nothing where there is none. http: that part of the status. */
void status_http_print(const json_t *http);
