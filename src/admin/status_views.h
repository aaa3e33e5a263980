/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/status.h"

/* How other nodes and networks look as clients see them (watch/views.c). */
json_t *status_views(const struct status_facts *f);
