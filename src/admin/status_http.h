/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/status.h"

/* The web server: where it listens, and its counters. null: this node has none. */
json_t *status_http(const struct status_facts *f);
