/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* `peers` of a node's status as a table for people, 80 columns wide: the other nodes, and first the node itself where wanted. */
void status_fleet_print(const json_t *peers, bool with_self);
