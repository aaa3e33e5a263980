/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of an AF_XDP socket: what is taken for a question lies within the frame, and turned round it is a frame whose checksums are right. */
#include "base/attr.h"
#include "base/wire.h"
#include "xdp/bpf/layout.h"
#include "xdp/frame.h"

#include <stdlib.h>
#include <string.h>

enum { FRAME_MAX = 1792, ICMP_HEADER = 8 };

/* Of the whole of an answer's frame: IP header, and UDP or ICMP with its pseudo header. */
static bool is_right(const uint8_t *frame, const struct xdp_question *q)
{
	const uint8_t *ip = frame + q->eth_len, *inner = ip + q->ip_len;
	size_t len = q->v6 ? get_u16(ip + 4) : get_u16(ip + 2) - 20U;
	uint8_t tail[4] = {(uint8_t)(len >> 8), (uint8_t)len, 0, ip[q->v6 ? 6 : 9]};
	uint64_t pseudo = q->v6 ? xdp_sum(xdp_sum(0, ip + 8, 32), tail, 4) : q->probe ? 0 : xdp_sum(xdp_sum(0, ip + 12, 8), tail, 4);

	return (q->v6 || xdp_checksum(xdp_sum(0, ip, 20)) == 0) && xdp_checksum(xdp_sum(pseudo, inner, len)) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[8] = {'s', 'e', 'c', 'r', 'e', 't', 'l', 'y'};
	uint8_t answer[1232], *copy, *frame;
	struct xdp_question q;
	size_t len;

	if (size > FRAME_MAX)
		return 0;
	copy = malloc(size + !size);
	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	if (xdp_frame_open(copy, size, key, &q) < 0) {
		free(copy);
		return 0;
	}
	if (q.message < copy || q.message + q.len > copy + size || q.headers != (size_t)(q.message - copy))
		abort();
	if (q.headers > XDP_FRAME_HEADERS_MAX || (q.probe && q.headers + XDP_PROBE_ROOM > size))
		abort();
	len = size ? data[size - 1] * 4U : 0;
	len = q.probe && len > XDP_PROBE_ROOM ? XDP_PROBE_ROOM : len;
	memset(answer, 0xa5, sizeof(answer));
	frame = malloc(q.headers + (len > XDP_PROBE_ROOM ? len : XDP_PROBE_ROOM));
	if (frame) {
		memcpy(frame, copy, q.probe ? q.headers + XDP_PROBE_ROOM : q.headers);
		if (xdp_frame_turn(frame, &q, answer, len) != q.headers + (q.probe ? XDP_PROBE_ROOM : len) || !is_right(frame, &q))
			abort();
	}
	free(frame);
	free(copy);
	return 0;
}
