/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/view.h"

struct http;
/* Once a second: what has changed goes to all streams, and those that do not keep up are closed. */
void http_stream_tick(struct http *h, const struct admin_view *v);
