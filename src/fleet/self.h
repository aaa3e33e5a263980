/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "fleet/report.h"

struct config;
struct config_node;

/* What this node says of itself, off the board. network: only of that one, "": of all it has. One that it does not have is left out. */
void self_report(const struct board *b, const struct config *config, const struct config_node *node,
                 const char *network, uint64_t now_ns, struct fleet_report *out);
