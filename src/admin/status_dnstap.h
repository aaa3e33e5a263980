/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/status.h"

#include <jansson.h>

/* What goes to dnstap, and into the file of sampled queries. */
json_t *status_dnstap(const struct status_facts *f);
json_t *status_query_log(const struct status_facts *f);
