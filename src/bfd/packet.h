/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The BFD control packet, RFC 5880 4.1. Pure. */
enum {
	BFD_VERSION = 1,
	BFD_PACKET_LEN = 24,      /* without authentication, which this speaker does not do */
	BFD_PACKET_AUTH_LEN = 26, /* the least with it */
	BFD_PACKET_MAX = 255,     /* its length field has one octet */
};

enum bfd_state { BFD_ADMIN_DOWN, BFD_DOWN, BFD_INIT, BFD_UP };
const char *bfd_state_text(enum bfd_state state);

/* Why the sender's state last changed. */
enum bfd_diag {
	BFD_DIAG_NONE,
	BFD_DIAG_TIMEOUT, /* control detection time expired */
	BFD_DIAG_ECHO,
	BFD_DIAG_NEIGHBOR_DOWN, /* neighbor signaled session down */
	BFD_DIAG_FORWARDING,
	BFD_DIAG_PATH_DOWN,
	BFD_DIAG_CONCATENATED,
	BFD_DIAG_ADMIN_DOWN,
	BFD_DIAG_REVERSE,
	BFD_DIAGS = 32, /* five bits */
};
const char *bfd_diag_text(unsigned diag);

/* Intervals are in microseconds, as on the wire. */
struct bfd_packet {
	uint8_t diag;  /* below BFD_DIAGS */
	uint8_t state; /* enum bfd_state */
	bool poll, final, control_independent, auth, demand, multipoint;
	uint8_t multiplier;
	uint32_t my_discriminator, your_discriminator;
	uint32_t desired_tx_us, required_rx_us, required_echo_us;
};

/* What RFC 5880 6.8.6 asks of a packet before any session is looked for. */
enum bfd_verdict {
	BFD_FINE,
	BFD_BAD_LENGTH, /* shorter than it says, or than it can be */
	BFD_BAD_VERSION,
	BFD_BAD_MULTIPLIER, /* 0 */
	BFD_BAD_MULTIPOINT,
	BFD_BAD_DISCRIMINATOR, /* ours or theirs is 0 where it may not be */
	BFD_BAD_AUTH,          /* it is authenticated, and no session here is */
};
/* *out is untouched unless BFD_FINE. Octets behind the packet's own length are ignored, as the RFC has it. */
enum bfd_verdict bfd_packet_read(const void *octets, size_t len, struct bfd_packet *out);

/* Always BFD_PACKET_LEN octets: `auth` is not written. */
void bfd_packet_write(const struct bfd_packet *p, uint8_t out[BFD_PACKET_LEN]);
