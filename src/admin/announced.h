/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <jansson.h>

/* What is announced to a neighbor, from the board's text (one route a line, as bgp_route_text() writes it) to JSON: an array of objects with `prefix`,
 * `next_hop`, `as_path` or `local_pref`, and where they are there `link_local`, `med`, `communities`, `large_communities`, `otc`; and `text`, the line itself.
 * The last line is left out where it has no end. */
json_t *announced_json(const char *text);
