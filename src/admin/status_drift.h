/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/status.h"

/* Zones that are not the same on this node and elsewhere, off the board: {rows, hidden, compared_ms, nodes}. NULL when out of memory. */
json_t *status_drift(const struct status_facts *f);
