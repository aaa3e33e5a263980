/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "xdp/bpf/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ICMP echoes that carry probes (struct xdp_probe), pure. A neighbor sends the echo back as it came; what answers it turns it round once
 * more. */
enum { XDP_ECHO_LEN = 8 + sizeof(struct xdp_probe) + XDP_PROBE_ROOM };

struct xdp_echo {
	uint16_t id, seq;
	uint8_t state;          /* enum xdp_probe_state */
	uint8_t kind;           /* enum xdp_probe_kind */
	const uint8_t *message; /* DNS, borrowed; at most XDP_PROBE_ROOM octets */
	size_t len;
};

/* The ICMP message of an echo request. Over IPv6 the checksum is the kernel's to fill in. */
void xdp_echo_build(const struct xdp_echo *e, const uint8_t key[8], bool v6, uint8_t out[XDP_ECHO_LEN]);
/* Of an echo reply; ERR_NOT_FOUND: it is none of ours. */
int xdp_echo_read(const uint8_t *icmp, size_t len, const uint8_t key[8], bool v6, struct xdp_echo *out) MUST_CHECK;
