/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ethernet frames with questions, as the program in the kernel passes them to an AF_XDP socket, pure: read, and turned round into the frame of
 * the answer. The twin of what the program itself does with answers of its own. */
enum { XDP_FRAME_HEADERS_MAX = 14 + 4 + 40 + 8 + 16 };

struct xdp_question {
	bool v6, probe;
	struct ip_addr client;
	uint16_t port;          /* of the client; of a probe, that is an ICMP echo, none */
	uint8_t eth_len, ip_len;
	size_t headers;         /* octets before the message */
	const uint8_t *message; /* in the frame */
	size_t len;
	size_t room;            /* octets an answer may have, whatever the device takes */
};

/* ERR_MALFORMED: not a frame that the program would have passed on. key: of probes. */
int xdp_frame_open(const uint8_t *frame, size_t len, const uint8_t key[8], struct xdp_question *out) MUST_CHECK;
/* The answer's frame in place of the question's; its length. There must be room for q->headers + MAX(len, XDP_PROBE_ROOM) octets. The answer is
 * not in the frame. */
size_t xdp_frame_turn(uint8_t *frame, const struct xdp_question *q, const uint8_t *answer, size_t len);

/* Ones' complement sum (RFC 1071) of octets, added to `sum`; and what goes into a header for it, for put_u16(). */
uint64_t xdp_sum(uint64_t sum, const void *octets, size_t len);
uint16_t xdp_checksum(uint64_t sum);
