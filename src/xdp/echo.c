/* SPDX-License-Identifier: BSD-2-Clause */
#include "xdp/echo.h"

#include "base/err.h"
#include "base/wire.h"
#include "xdp/frame.h"

#include <string.h>

enum { ECHO_V4 = 8, REPLY_V4 = 0, ECHO_V6 = 128, REPLY_V6 = 129 };

void xdp_echo_build(const struct xdp_echo *e, const uint8_t key[8], bool v6, uint8_t out[XDP_ECHO_LEN])
{
	struct xdp_probe p = {.state = e->state, .kind = e->kind};

	memset(out, 0, XDP_ECHO_LEN);
	out[0] = v6 ? ECHO_V6 : ECHO_V4;
	put_u16(out + 4, e->id);
	put_u16(out + 6, e->seq);
	memcpy(p.key, key, sizeof(p.key));
	put_u16(p.len, (uint16_t)e->len);
	memcpy(out + 8, &p, sizeof(p));
	memcpy(out + 8 + sizeof(p), e->message, MIN(e->len, (size_t)XDP_PROBE_ROOM));
	if (!v6)
		put_u16(out + 2, xdp_checksum(xdp_sum(0, out, XDP_ECHO_LEN)));
}

int xdp_echo_read(const uint8_t *icmp, size_t len, const uint8_t key[8], bool v6, struct xdp_echo *out)
{
	struct xdp_probe p;

	if (len != XDP_ECHO_LEN || icmp[0] != (v6 ? REPLY_V6 : REPLY_V4) || icmp[1])
		return ERR_NOT_FOUND;
	memcpy(&p, icmp + 8, sizeof(p));
	if (memcmp(p.key, key, sizeof(p.key)) != 0 || get_u16(p.len) > XDP_PROBE_ROOM)
		return ERR_NOT_FOUND;
	*out = (struct xdp_echo){.id = get_u16(icmp + 4), .seq = get_u16(icmp + 6), .state = p.state, .kind = p.kind,
	                         .message = icmp + 8 + sizeof(p), .len = get_u16(p.len)};
	return 0;
}
