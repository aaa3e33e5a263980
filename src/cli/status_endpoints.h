/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

/* "endpoints" of a node's status, for people; nothing where there are no pools. */
void status_endpoints_print(const json_t *endpoints);
