/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

/* `backends` of the status, where there are any. */
void status_backends_print(const json_t *backends);
