/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/status.h"

/* How other nodes and networks look as clients see them (watch/views.c). */
json_t *status_views(const struct status_facts *f);
/* What the node of that name says of networks that it does not hold: a list of objects with network, ipv4 and ipv6 (own, seen, node, since_ms, heard_ms). */
json_t *status_views_by(const struct board *board, const char *viewer, uint64_t now_ns);
