/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

/* The part of `status` about what clients see: `views` of its JSON. */
void status_views_print(const json_t *views);
