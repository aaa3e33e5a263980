/* SPDX-License-Identifier: BSD-2-Clause */
/* Built without XDP (meson option xdp): loading says so, and there is no program that anything else could be asked of. */
#include "base/err.h"
#include "xdp/measure.h"
#include "xdp/program.h"

#include <stdio.h>
#include <string.h>

int xdp_program_load(const struct xdp_sizes *sizes, char why[XDP_WHY_MAX], struct xdp_program **out)
{
	(void)sizes;
	(void)out;
	snprintf(why, XDP_WHY_MAX, "this zonecast was built without XDP");
	return ERR_UNSUPPORTED;
}

void xdp_program_free(struct xdp_program *p)
{
	(void)p;
}

int xdp_program_attach(struct xdp_program *p, unsigned ifindex, enum xdp_mode mode, char why[XDP_WHY_MAX])
{
	(void)p;
	(void)ifindex;
	(void)mode;
	(void)why;
	return ERR_UNSUPPORTED;
}

int xdp_program_device(struct xdp_program *p, unsigned ifindex, const struct xdp_device *d)
{
	(void)p;
	(void)ifindex;
	(void)d;
	return ERR_UNSUPPORTED;
}

int xdp_program_forget(struct xdp_program *p, unsigned ifindex)
{
	(void)p;
	(void)ifindex;
	return ERR_UNSUPPORTED;
}

int xdp_program_socket(struct xdp_program *p, uint32_t place, int fd)
{
	(void)p;
	(void)place;
	(void)fd;
	return ERR_UNSUPPORTED;
}

int xdp_program_addresses(struct xdp_program *p, const struct endpoint *at, size_t count)
{
	(void)p;
	(void)at;
	(void)count;
	return ERR_UNSUPPORTED;
}

int xdp_program_limits(struct xdp_program *p, const struct xdp_limits *l)
{
	(void)p;
	(void)l;
	return ERR_UNSUPPORTED;
}

struct xdp_maps xdp_program_maps(const struct xdp_program *p)
{
	(void)p;
	return (struct xdp_maps){-1, -1, -1, -1};
}

int xdp_program_fd(const struct xdp_program *p)
{
	(void)p;
	return -1;
}

int xdp_program_rates_fd(const struct xdp_program *p)
{
	(void)p;
	return -1;
}

void xdp_program_switch(struct xdp_program *p, bool on)
{
	(void)p;
	(void)on;
}

int xdp_program_counters(const struct xdp_program *p, struct xdp_counters *out)
{
	(void)p;
	(void)out;
	return ERR_UNSUPPORTED;
}

void xdp_program_bare(struct xdp_program *p, bool bare)
{
	(void)p;
	(void)bare;
}

void xdp_program_probe_key(const struct xdp_program *p, uint8_t key[8])
{
	(void)p;
	memset(key, 0, 8);
}

bool xdp_program_built(void)
{
	return false;
}

int xdp_measure(struct xdp_program *p, struct xdp_costs *out)
{
	(void)p;
	(void)out;
	return ERR_UNSUPPORTED;
}
