/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/status.h"

#include <jansson.h>

/* Pools of name servers that answer for zones, as watch and the workers find them. */
json_t *status_backends(const struct status_facts *f);
