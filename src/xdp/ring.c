/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_XDP (Documentation/networking/af_xdp.rst of the kernel), without a library: four rings of descriptors and one piece of memory.
 *
 *	fill ──► kernel puts a frame in ──► receive ──► answered in place ──► transmit ──► kernel sends ──► completion ──► fill
 *	                                            └─► dropped ──► fill
 *
 * A frame is always in exactly one of these places, and each ring has room for all frames, so no ring overflows and nothing is counted.
 * An answer is written over its question: the frame that came in goes out. What the kernel writes into rings is not distrusted (it could do
 * anything), but addresses are held to the memory all the same, since a descriptor decides where we write.
 *
 * A ring's producer publishes with a release store and its consumer looks with an acquire load. The kernel says by a flag when it wants to be
 * woken (XDP_USE_NEED_WAKEUP): always for sending where it copies, 32 frames a call. */
#include "xdp/ring.h"

#include "base/err.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MASK = XDP_RING_FRAMES - 1,
	SEND_TRIES = XDP_RING_FRAMES / 32 + 4,
};

struct half {
	_Atomic uint32_t *producer, *consumer;
	const _Atomic uint32_t *flags;
	void *desc;
	void *map;
	size_t map_len;
	uint32_t mine; /* what we have produced or consumed; published later */
};

struct xdp_ring {
	int fd;
	bool zero_copy;
	uint8_t *memory;
	struct half fill, receive, transmit, complete;
};

static uint64_t *addresses(const struct half *h)
{
	return h->desc;
}

static struct xdp_desc *descriptors(const struct half *h)
{
	return h->desc;
}

static int map_half(int fd, const struct xdp_ring_offset *at, size_t desc_size, uint64_t page, struct half *h)
{
	size_t len = at->desc + XDP_RING_FRAMES * desc_size;
	uint8_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)page);

	if (p == MAP_FAILED)
		return -errno;
	*h = (struct half){.producer = (void *)(p + at->producer), .consumer = (void *)(p + at->consumer), .flags = (void *)(p + at->flags),
	                   .desc = p + at->desc, .map = p, .map_len = len};
	return 0;
}

static int set_sizes(int fd)
{
	static const int rings[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING};
	int size = XDP_RING_FRAMES;

	for (size_t i = 0; i < ARRAY_LEN(rings); i++)
		if (setsockopt(fd, SOL_XDP, rings[i], &size, sizeof(size)) < 0)
			return -errno;
	return 0;
}

static int set_up(struct xdp_ring *r)
{
	struct xdp_umem_reg memory = {.len = (uint64_t)XDP_RING_FRAMES * XDP_RING_FRAME_SIZE, .chunk_size = XDP_RING_FRAME_SIZE};
	struct xdp_mmap_offsets at;
	socklen_t len = sizeof(at);
	int err;

	r->memory = mmap(NULL, memory.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (r->memory == MAP_FAILED) {
		r->memory = NULL;
		return -errno;
	}
	memory.addr = (uint64_t)(uintptr_t)r->memory;
	if (setsockopt(r->fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof(memory)) < 0)
		return -errno;
	err = set_sizes(r->fd);
	if (!err && getsockopt(r->fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &len) < 0)
		err = -errno;
	if (!err)
		err = map_half(r->fd, &at.fr, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING, &r->fill);
	if (!err)
		err = map_half(r->fd, &at.cr, sizeof(uint64_t), XDP_UMEM_PGOFF_COMPLETION_RING, &r->complete);
	if (!err)
		err = map_half(r->fd, &at.rx, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING, &r->receive);
	if (!err)
		err = map_half(r->fd, &at.tx, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING, &r->transmit);
	return err;
}

static void give(struct xdp_ring *r, uint64_t addr)
{
	addresses(&r->fill)[r->fill.mine++ & MASK] = addr & ~(uint64_t)(XDP_RING_FRAME_SIZE - 1);
}

int xdp_ring_new(int fd, struct xdp_ring **out)
{
	struct xdp_ring *r = calloc(1, sizeof(*r));
	int err;

	if (!r) {
		close(fd);
		return ERR_NO_MEMORY;
	}
	r->fd = fd;
	err = set_up(r);
	if (err < 0) {
		xdp_ring_free(r);
		return err;
	}
	for (uint64_t i = 0; i < XDP_RING_FRAMES; i++)
		give(r, i * XDP_RING_FRAME_SIZE);
	atomic_store_explicit(r->fill.producer, r->fill.mine, memory_order_release);
	*out = r;
	return 0;
}

int xdp_ring_bind(struct xdp_ring *r, uint32_t ifindex, uint32_t queue)
{
	const struct sockaddr_xdp at = {.sxdp_family = AF_XDP, .sxdp_flags = XDP_USE_NEED_WAKEUP, .sxdp_ifindex = ifindex, .sxdp_queue_id = queue};
	struct xdp_options options = {0};
	socklen_t len = sizeof(options);

	if (bind(r->fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	r->zero_copy = getsockopt(r->fd, SOL_XDP, XDP_OPTIONS, &options, &len) == 0 && (options.flags & XDP_OPTIONS_ZEROCOPY);
	return 0;
}

static void unmap(struct half *h)
{
	if (h->map)
		munmap(h->map, h->map_len);
}

void xdp_ring_free(struct xdp_ring *r)
{
	if (!r)
		return;
	close(r->fd);
	unmap(&r->fill);
	unmap(&r->receive);
	unmap(&r->transmit);
	unmap(&r->complete);
	if (r->memory)
		munmap(r->memory, (size_t)XDP_RING_FRAMES * XDP_RING_FRAME_SIZE);
	free(r);
}

int xdp_ring_fd(const struct xdp_ring *r)
{
	return r->fd;
}

bool xdp_ring_zero_copy(const struct xdp_ring *r)
{
	return r->zero_copy;
}

unsigned xdp_ring_receive(struct xdp_ring *r, struct xdp_packet *out, unsigned most)
{
	struct half *h = &r->receive;
	uint32_t there = atomic_load_explicit(h->producer, memory_order_acquire) - h->mine;
	unsigned n = 0;

	there = MIN(there, (uint32_t)most);
	for (uint32_t i = 0; i < there; i++) {
		const struct xdp_desc d = descriptors(h)[(h->mine + i) & MASK];
		uint64_t within = d.addr & (XDP_RING_FRAME_SIZE - 1);

		if (d.addr >= (uint64_t)XDP_RING_FRAMES * XDP_RING_FRAME_SIZE || d.len > XDP_RING_FRAME_SIZE - within)
			continue;
		out[n++] = (struct xdp_packet){.octets = r->memory + d.addr, .len = d.len, .room = XDP_RING_FRAME_SIZE - within, .addr = d.addr};
	}
	h->mine += there;
	atomic_store_explicit(h->consumer, h->mine, memory_order_release);
	return n;
}

void xdp_ring_drop(struct xdp_ring *r, const struct xdp_packet *p)
{
	give(r, p->addr);
}

void xdp_ring_send(struct xdp_ring *r, const struct xdp_packet *p, size_t len)
{
	descriptors(&r->transmit)[r->transmit.mine++ & MASK] = (struct xdp_desc){.addr = p->addr, .len = (uint32_t)len};
}

static void collect(struct xdp_ring *r)
{
	struct half *h = &r->complete;
	uint32_t there = atomic_load_explicit(h->producer, memory_order_acquire);

	for (; h->mine != there; h->mine++)
		give(r, addresses(h)[h->mine & MASK]);
	atomic_store_explicit(h->consumer, h->mine, memory_order_release);
}

static bool wants(const struct half *h)
{
	return atomic_load_explicit(h->flags, memory_order_relaxed) & XDP_RING_NEED_WAKEUP;
}

static uint32_t unsent(const struct xdp_ring *r)
{
	return r->transmit.mine - atomic_load_explicit(r->transmit.consumer, memory_order_acquire);
}

bool xdp_ring_flush(struct xdp_ring *r)
{
	atomic_store_explicit(r->transmit.producer, r->transmit.mine, memory_order_release);
	for (unsigned i = 0; i < SEND_TRIES && unsent(r) && wants(&r->transmit); i++)
		if (sendto(r->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN && errno != EBUSY && errno != EINTR)
			break; /* no memory for it just now, or the device is down */
	collect(r);
	atomic_store_explicit(r->fill.producer, r->fill.mine, memory_order_release);
	if (wants(&r->fill))
		(void)recvfrom(r->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
	return unsent(r) > 0;
}
