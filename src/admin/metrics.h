/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/view.h"
#include "base/text.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
enum { METRICS_DRIFT_ROWS = 100 /* zones that are named */, METRICS_ENDPOINTS = 512 /* endpoints that are */, METRICS_TEXT_MAX = 8 << 20 /* octets, with all that can be full being full */ };

/* Append all metrics of this node: see metrics.c. */
void metrics_write(const struct admin_view *f, struct text *out);
