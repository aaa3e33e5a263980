/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The header of the PROXY protocol, version 2 (section 2.2), which tells a server behind us whose question it gets: in front of a datagram, or at the start of a connection. Pure. */
enum { PROXY_HEADER_MAX = 16 + 36 };

/* from: the client; to: the address that it asked, family 0: not known (then it is the unspecified one). Both of one family, else the header says LOCAL. Its length. */
size_t proxy_header_put(uint8_t out[PROXY_HEADER_MAX], const struct endpoint *from, const struct endpoint *to, bool stream);
/* The same for a question of our own (checks). */
size_t proxy_header_local(uint8_t out[PROXY_HEADER_MAX]);
