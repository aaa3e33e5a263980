/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dnstap/ring.h"

#include <stddef.h>
#include <stdint.h>

/* dnstap messages (https://dnstap.info), as protobuf. */
enum dnstap_kind { DNSTAP_AUTH_QUERY = 1, DNSTAP_AUTH_RESPONSE = 2 };

enum {
	DNSTAP_TEXT_MAX = 255,                                    /* octets of identity and version that are sent */
	DNSTAP_MAX = TAP_MESSAGE_MAX + 2 * DNSTAP_TEXT_MAX + 160, /* octets of one */
};

/* Who says so; either may be NULL. */
struct dnstap_origin {
	const char *identity, *version;
};

/* The event's query, or its response, which it must have, into out (DNSTAP_MAX octets). Returns the octets. */
size_t dnstap_encode(const struct dnstap_origin *origin, enum dnstap_kind kind, const struct tap_event *e,
                     uint8_t *out);
