/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>

enum {
	STATUS_FLEET_WIDTH = 80,
	STATUS_FLEET_SILENT_MS = 10000, /* a node that was not heard for so long is not seen, */
	STATUS_FLEET_LOST = 3,          /* and one that has left so many questions in a row unanswered at each of its addresses */
};

/* A node, of `peers`, that was heard and is not any more. */
bool status_fleet_is_silent(const json_t *node);
/* Zones of a node that are not as here, by `drift` of the status. */
size_t status_fleet_drifts(const json_t *drift, const char *name);

/* The nodes of the fleet as a node's status tells of them (`peers`, and where they are there `drift` and `views`), for people, 80 columns wide: worst first, else in the
 * order of the fleet file, and first the node itself where wanted; at the end one sentence on what is not as it should be. */
void status_fleet_text(const json_t *status, bool with_self, bool color, struct text *out);
