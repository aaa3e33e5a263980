/* SPDX-License-Identifier: BSD-2-Clause */
#include "edge/proxy_header.h"

#include "base/wire.h"

#include <string.h>

enum { SIGNATURE_LEN = 12, HEAD_LEN = 16, VERSION_LOCAL = 0x20, VERSION_PROXY = 0x21, FAMILY_INET = 0x10, FAMILY_INET6 = 0x20, KIND_STREAM = 1, KIND_DATAGRAM = 2 };

static const uint8_t signature[SIGNATURE_LEN] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

size_t proxy_header_local(uint8_t out[PROXY_HEADER_MAX])
{
	memcpy(out, signature, SIGNATURE_LEN);
	out[SIGNATURE_LEN] = VERSION_LOCAL;
	out[SIGNATURE_LEN + 1] = 0;
	put_u16(out + SIGNATURE_LEN + 2, 0);
	return HEAD_LEN;
}

size_t proxy_header_put(uint8_t out[PROXY_HEADER_MAX], const struct endpoint *from, const struct endpoint *to, bool stream)
{
	size_t len = from->addr.family == 4 ? 4 : 16;
	uint8_t *p = out + HEAD_LEN;

	if (!from->addr.family || (to->addr.family && to->addr.family != from->addr.family))
		return proxy_header_local(out);
	memcpy(out, signature, SIGNATURE_LEN);
	out[SIGNATURE_LEN] = VERSION_PROXY;
	out[SIGNATURE_LEN + 1] = (uint8_t)((from->addr.family == 4 ? FAMILY_INET : FAMILY_INET6) | (stream ? KIND_STREAM : KIND_DATAGRAM));
	put_u16(out + SIGNATURE_LEN + 2, (uint16_t)(2 * len + 4));
	memcpy(p, from->addr.bytes, len);
	memset(p + len, 0, len);
	if (to->addr.family)
		memcpy(p + len, to->addr.bytes, len);
	put_u16(p + 2 * len, from->port);
	put_u16(p + 2 * len + 2, to->port);
	return HEAD_LEN + 2 * len + 4;
}
