/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdint.h>

struct xdp_program;

/* What an answer costs on this machine, in nanoseconds of CPU. A fraction of a second of work; for the start, before any device is attached or
 * worker runs. */
struct xdp_costs {
	uint32_t kept;   /* by the program, from its cache */
	uint32_t passed; /* more for a question that it has no answer for */
	uint32_t socket; /* by a UDP socket over lo, without any work on the answer; both ends' part of the kernel */
};
/* ERR_UNSUPPORTED: it cannot be told here; -errno. */
int xdp_measure(struct xdp_program *p, struct xdp_costs *out) MUST_CHECK;
