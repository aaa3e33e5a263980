/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "xdp/cache.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The privileged side: the program, loaded and attached. For the supervisor, whose life is the program's: nothing is pinned, and devices are
 * attached by links that the kernel takes away with the process. */
struct xdp_program;
struct rate_table;

enum { XDP_WHY_MAX = 240, XDP_PROGRAM_DEVICES = 64 };

struct xdp_sizes {
	uint32_t workers;
	uint32_t small, large;  /* answers; rounded up to a power of two */
	uint32_t rate_entries;  /* of the table of rate limits */
};

/* How a device is attached. */
enum xdp_mode { XDP_MODE_NATIVE, XDP_MODE_GENERIC };

/* Load. ERR_UNSUPPORTED: built without; -errno: what the kernel said, in words in why. */
int xdp_program_load(const struct xdp_sizes *sizes, char why[XDP_WHY_MAX], struct xdp_program **out) MUST_CHECK;
/* Detaches. */
void xdp_program_free(struct xdp_program *p);
/* To the driver, or to the kernel's generic hook; what it does with the device's packets is xdp_program_device()'s to say. */
int xdp_program_attach(struct xdp_program *p, unsigned ifindex, enum xdp_mode mode, char why[XDP_WHY_MAX]) MUST_CHECK;
/* What to do with packets of a device (struct xdp_device); nothing is, as long as it is not known. */
int xdp_program_device(struct xdp_program *p, unsigned ifindex, const struct xdp_device *d) MUST_CHECK;
/* Nothing is done with its packets any more. 0 also when it was not known. */
int xdp_program_forget(struct xdp_program *p, unsigned ifindex) MUST_CHECK;
/* Packets for `place` go to this AF_XDP socket from when its reader says so (struct xdp_control), and to the stack again when the
 * socket is closed by its last holder; the program does not hold it. */
int xdp_program_socket(struct xdp_program *p, uint32_t place, int fd) MUST_CHECK;
/* Exactly these endpoints are answered for. On failure some may be missing. */
int xdp_program_addresses(struct xdp_program *p, const struct endpoint *at, size_t count) MUST_CHECK;

/* As in limit/rate.h, by kind. */
struct xdp_limits {
	uint32_t per_second[XDP_RATE_KINDS];
	uint8_t slip, prefix_bits[2];
	const struct ip_prefix *exempt;
	size_t exempt_count;
};
int xdp_program_limits(struct xdp_program *p, const struct xdp_limits *l) MUST_CHECK;

/* Descriptors, the program's own. */
struct xdp_maps xdp_program_maps(const struct xdp_program *p);
int xdp_program_fd(const struct xdp_program *p);
/* The table of rate limits, made and keyed: to be mapped with the size of rate_table_size(entries). */
int xdp_program_rates_fd(const struct xdp_program *p);
/* Nothing is answered while it is off. */
void xdp_program_switch(struct xdp_program *p, bool on);
/* Nothing is kept: questions are not even looked for. */
void xdp_program_bare(struct xdp_program *p, bool bare);
/* The secret of probes (struct xdp_probe). */
void xdp_program_probe_key(const struct xdp_program *p, uint8_t key[8]);
/* Sums over all CPUs. */
int xdp_program_counters(const struct xdp_program *p, struct xdp_counters *out) MUST_CHECK;
/* What was built in, for `zonecast version`. */
bool xdp_program_built(void);
