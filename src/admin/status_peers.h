/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/status.h"

/* The node itself as it tells others, and the other nodes that it asks, off the board: {self, nodes, asked, ...}. NULL when out of memory. */
json_t *status_peers(const struct status_facts *f);
