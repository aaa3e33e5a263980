/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the program in the kernel and the processes share: the memory of the answer cache. Included by both sides; fixed widths only. Octets of
 * DNS are in wire order, everything else in the machine's. */
#ifdef __bpf__
#include <linux/types.h>
typedef __u8 uint8_t;
typedef __u16 uint16_t;
typedef __u32 uint32_t;
typedef __u64 uint64_t;
#else
#include <stdint.h>
#endif

enum {
	XDP_UDP_MAX = 1232,         /* octets of DNS in the largest answer given (RFC 9715) */
	XDP_WAYS = 4,               /* entries of one set */
	XDP_GENERATIONS = 65536,    /* slots of zones; zones whose names fall together are invalidated together */
	XDP_TAGS = XDP_GENERATIONS / 2, /* element of the same map, two slots each, with the tags of the first set of small entries; of large ones behind */
	XDP_WORKERS_MAX = 256,
	XDP_RATE_KINDS = 8,
	XDP_LEASE_MS = 150,         /* a worker that has not renewed for so long does not answer from the kernel */
	XDP_SMALL_NAME = 64, XDP_SMALL_TAIL = 136,
	XDP_LARGE_NAME = 256, XDP_LARGE_TAIL = 1224,
	XDP_SOCKETS_MAX = 256,      /* AF_XDP sockets: queues of devices */
	XDP_PROBE_ROOM = 480,       /* octets of DNS in a probe, question or answer */
	XDP_FLOOD_MISSES = 128,
	XDP_BACKENDS_SLOT = 0,      /* of the generation of all answers of backends; zones whose names fall there share it */
	XDP_LAYOUT = 4,             /* changes with anything here */
};

/* Which variant of a question: with OPT, with DO. Of an entry besides: not for questions with CD. */
enum { XDP_EDNS = 1, XDP_DO = 2, XDP_VARIANTS = 3, XDP_NOT_CD = 4 };

/* The one element of the control map. */
struct xdp_control {
	uint32_t layout;
	uint32_t workers;            /* a packet of receive queue q is under the lease of worker q % workers */
	uint32_t small_sets, large_sets; /* powers of two, of XDP_WAYS entries */
	uint64_t key[2];             /* of the hash of questions */
	uint32_t epoch;              /* like a generation, of all zones and settings; odd: closed */
	uint32_t off;                /* not 0: everything is passed */
	uint32_t bare;               /* not 0: nothing is kept, questions go to the workers unread */
	uint32_t flood;              /* misses in a row, in a short time, after which questions go to the workers unread for a moment; 0: never */
	/* Rate limits in units of 1/64 microsecond, see limit/rate.c; cost 0: no limit. */
	uint64_t rate_cost[XDP_RATE_KINDS], rate_burst[XDP_RATE_KINDS];
	uint8_t rate_mask[2][16];    /* IPv4 in the first 4 octets, IPv6 */
	uint32_t rate_len[2];        /* octets hashed */
	uint32_t slip;
	uint32_t reserved;
	uint8_t probe_key[8];        /* of probes; known to nobody outside */
	uint64_t lease[XDP_WORKERS_MAX]; /* CLOCK_MONOTONIC in nanoseconds */
	uint8_t serving[XDP_SOCKETS_MAX]; /* 1: a worker reads this AF_XDP socket; each has one writer */
};

/* What tells of a set of XDP_WAYS entries, without a look at them, which may be those of a question with this hash: 16 bits each, entry 0 in the lowest.
 * 0 is none's. */
static inline uint64_t xdp_tag(uint64_t hash)
{
	return hash >> 48 ? hash >> 48 : 1;
}

/* One answer. lock: sequence in the upper half, odd while it is being written; the writer's number + 1 in the lower half, 0: nobody. */
struct xdp_entry {
	uint64_t lock;
	uint64_t hash;               /* of the question; 0: free */
	uint64_t until;              /* CLOCK_MONOTONIC in nanoseconds: when it is over; 0: as long as its generation */
	uint32_t generation, epoch;  /* at the time of the lookup */
	uint32_t slot;
	uint16_t qtype;
	uint8_t variant;             /* XDP_EDNS, XDP_DO, XDP_NOT_CD */
	uint8_t kind;                /* of answer, for rate limits */
	uint16_t name_len, tail_len; /* octets */
	uint16_t need;               /* least size the client must take */
	uint16_t tail_sum;           /* ones' complement sum of the tail's 16-bit words as they lie in memory */
	uint8_t flags[2];            /* of the header, without RD and CD */
	uint8_t counts[6];           /* ANCOUNT, NSCOUNT, ARCOUNT */
};
struct xdp_small {
	struct xdp_entry head;
	uint64_t name[XDP_SMALL_NAME / 8]; /* lower case, zeros behind */
	uint64_t tail[XDP_SMALL_TAIL / 8]; /* what follows the question */
};
struct xdp_large {
	struct xdp_entry head;
	uint64_t name[XDP_LARGE_NAME / 8];
	uint64_t tail[XDP_LARGE_TAIL / 8];
};

/* A service address; IPv4 as ::ffff:a.b.c.d. */
struct xdp_address {
	uint8_t addr[16];
	uint8_t port[2];
	uint8_t zero[2];
};
enum { XDP_DEVICE_ON, XDP_DEVICE_TRIAL }; /* on trial only probes are answered */
struct xdp_device {
	uint8_t mac[6];
	uint8_t state, zero;
	uint32_t first, queues;      /* its receive queues have the AF_XDP sockets first, first + 1, ...; those beyond have none */
};

/* A question that this node asks itself by way of a neighbor (doc/design/xdp.md): what an ICMP echo carries, DNS behind it. The neighbor sends
 * it back as it came; the program, or a worker behind an AF_XDP socket, answers it by another echo; that comes back to the one who asked. */
enum xdp_probe_state { XDP_PROBE_CONTROL, XDP_PROBE_ASKED, XDP_PROBE_FROM_CACHE, XDP_PROBE_FROM_WORKER, XDP_PROBE_NOT_KEPT, XDP_PROBE_NO_LEASE };
enum xdp_probe_kind { XDP_PROBE_OF_CACHE, XDP_PROBE_OF_WORKER };
struct xdp_probe {
	uint8_t key[8];
	uint8_t state;
	uint8_t kind;
	uint8_t len[2];              /* octets of DNS, of XDP_PROBE_ROOM */
	uint8_t zero[4];
};
struct xdp_prefix {
	uint32_t bits;
	uint8_t addr[16];
};

/* Of one CPU. Every packet to a service address is in `seen` and in one of the others. */
struct xdp_counters {
	uint64_t seen;
	uint64_t answered[2];        /* IPv4, IPv6 */
	uint64_t of_backends;        /* of these: what backends had answered */
	uint64_t bytes;              /* octets of DNS in them */
	uint64_t bytes_in;
	uint64_t rcodes[16];
	uint64_t limited, slipped;
	uint64_t pass_lease, pass_form, pass_options, pass_miss, pass_stale, pass_size, pass_room, pass_busy;
	uint64_t redirected;         /* of those: to an AF_XDP socket */
	uint64_t probes;             /* answered; in nothing else here */
	uint64_t slip_turn;          /* not a counter: answers beyond a limit */
};
