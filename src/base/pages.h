/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stddef.h>

/* Arrays that may become very large. From PAGES_MIN octets on they are mappings of their own in huge pages where the kernel gives them: a page
 * fault each 2 MiB instead of each 4 KiB is a third of the time of loading a large zone. Below that they are malloc's. */
enum { PAGES_MIN = 4 << 20 };

/* As realloc(); old_bytes is what was asked for before, 0 when there is nothing yet. */
void *pages_realloc(void *p, size_t old_bytes, size_t bytes) MUST_CHECK;
void pages_free(void *p, size_t bytes);
