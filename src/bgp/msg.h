/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* BGP-4 messages but UPDATE (see update.h): framing, OPEN, KEEPALIVE, ROUTE-REFRESH; NOTIFICATION is in notify.h. Pure. */
enum {
	BGP_PORT = 179,
	BGP_HEADER_LEN = 19,
	BGP_MESSAGE_MAX = 4096, /* RFC 8654 (longer ones) is never offered, so this holds for the peer as well */
	BGP_OPEN_MIN = 29,
	BGP_UPDATE_MIN = 23,
	BGP_NOTIFICATION_MIN = 21,
	BGP_REFRESH_LEN = 23,
	BGP_AS_TRANS = 23456,
};

enum bgp_type { BGP_OPEN = 1, BGP_UPDATE, BGP_NOTIFICATION, BGP_KEEPALIVE, BGP_ROUTE_REFRESH, BGP_TYPES };

/* Address families we speak, as bits of a mask: always SAFI 1, unicast. */
enum bgp_family { BGP_IPV4 = 1, BGP_IPV6 = 2 };

/* RFC 9234. An anycast node at a transit is the transit's customer. */
enum bgp_role { BGP_ROLE_PROVIDER, BGP_ROLE_RS, BGP_ROLE_RS_CLIENT, BGP_ROLE_CUSTOMER, BGP_ROLE_PEER };

/* What is to be thought of received bytes. BGP_BAD comes with the NOTIFICATION to send. */
enum bgp_verdict {
	BGP_FINE,
	BGP_MORE, /* not complete yet, and nothing wrong so far */
	BGP_BAD,
};

struct bgp_notify;

/* One whole message; borrows the caller's bytes. */
struct bgp_frame {
	enum bgp_type type;
	const uint8_t *body; /* after the header */
	size_t body_len;
	size_t len;          /* with the header: what to consume */
};

/* OPEN, as sent or as understood. */
struct bgp_open {
	uint32_t as;       /* of capability 65 where there is one */
	uint16_t hold_s;
	uint32_t id;       /* host order */
	uint8_t families;  /* mask of enum bgp_family */
	bool as4;          /* capability 65 present; always sent */
	bool route_refresh;
	bool has_role;
	enum bgp_role role;
	bool extended_next_hop; /* IPv4 unicast by IPv6 next hops, RFC 8950 */
};

/* The next message of a stream. Garbage is noticed at the first wrong byte of the marker, not only when 19 bytes are there. */
enum bgp_verdict bgp_frame_parse(const uint8_t *bytes, size_t len, struct bgp_frame *out, struct bgp_notify *bad) MUST_CHECK;

/* Body of an OPEN (RFC 4271 4.2, 6.2; RFC 5492; RFC 9072). Judges form and values that are wrong for anybody; whether it is the
 * neighbor that was configured is the state machine's business. Unknown capabilities are ignored. */
enum bgp_verdict bgp_open_parse(const struct bgp_frame *f, struct bgp_open *out, struct bgp_notify *bad) MUST_CHECK;

/* Family asked for by a ROUTE-REFRESH (RFC 2918), or 0 when it is none of ours or not a plain request (RFC 7313). */
uint8_t bgp_refresh_parse(const struct bgp_frame *f);

void bgp_open_write(struct writer *w, const struct bgp_open *o);
void bgp_keepalive_write(struct writer *w);
void bgp_refresh_write(struct writer *w, enum bgp_family family);

/* Header with a length to be set by bgp_message_end(); returns where the message starts. */
size_t bgp_message_begin(struct writer *w, enum bgp_type type);
void bgp_message_end(struct writer *w, size_t start);

const char *bgp_type_text(enum bgp_type type);
uint16_t bgp_family_afi(enum bgp_family family);
