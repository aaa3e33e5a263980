/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

/* "drift" of a node's status, for people; nothing where nothing is known to differ. */
void status_drift_print(const json_t *drift);
