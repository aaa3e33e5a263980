/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/wire.h"

#include <stddef.h>

/* RFC 8467 4.1: blocks of octets that messages over TLS are filled up to, so that their lengths tell less. */
enum { PADDING_QUERY = 128, PADDING_ANSWER = 468 };

/* w ends with the OPT record that begins at opt_at: append a padding option (RFC 7830) that makes the message, and `after` octets that are yet to come, a multiple of
 * block. Where there is no room for that, as much as there is; where there is none, nothing. */
void padding_add(struct writer *w, size_t opt_at, size_t block, size_t after);
