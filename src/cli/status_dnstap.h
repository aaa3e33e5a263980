/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

/* The lines of `status` about captures, where any are configured. */
void status_dnstap_print(const json_t *status);
