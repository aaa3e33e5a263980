/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One AF_XDP socket: frames of one receive queue of a device, in memory shared with the kernel, and out again. One thread. */
enum {
	XDP_RING_FRAMES = 2048,     /* a power of two; each ring of the four has room for all of them */
	XDP_RING_FRAME_SIZE = 2048, /* so a socket pins 4 MiB */
};
struct xdp_ring;

/* A frame in the caller's hands, until it is sent or dropped. */
struct xdp_packet {
	uint8_t *octets;
	size_t len;
	size_t room;   /* octets there are from `octets` on */
	uint64_t addr; /* private */
};

/* Memory and rings for a socket of family AF_XDP, which is taken over; no privilege is needed. Nothing arrives before xdp_ring_bind(). -errno;
 * -ENOBUFS: more locked memory than this account may have. */
int xdp_ring_new(int fd, struct xdp_ring **out) MUST_CHECK;
/* To a receive queue: without copying where the driver can. -EBUSY while another socket has it, also for a moment after it was closed. */
int xdp_ring_bind(struct xdp_ring *r, uint32_t ifindex, uint32_t queue) MUST_CHECK;
void xdp_ring_free(struct xdp_ring *r);
int xdp_ring_fd(const struct xdp_ring *r);
/* Known after binding: the driver works in our memory. */
bool xdp_ring_zero_copy(const struct xdp_ring *r);

/* Frames that have come, at most `most`. Each has to be given back by one of the two calls below; all before the next call of this. */
unsigned xdp_ring_receive(struct xdp_ring *r, struct xdp_packet *out, unsigned most);
void xdp_ring_drop(struct xdp_ring *r, const struct xdp_packet *p);
/* len octets of it go out with the next flush. */
void xdp_ring_send(struct xdp_ring *r, const struct xdp_packet *p, size_t len);
/* Tell the kernel what there is to send, and give it free frames. True: there is more to send than it would take; call again. */
bool xdp_ring_flush(struct xdp_ring *r);
