/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A fleet of nodes with the real decision code, on simulated time, under one random schedule of faults. Everything follows from the seed. */
struct sim_result {
	const char *violation; /* NULL: none; else which invariant, static */
	uint32_t at_ms, node;
	uint32_t nodes, moves, leaves, deprefs, returns, lasts, sheds, steps;
	uint32_t back_ms;      /* after the faults ended: until all announced; 0 when faults stayed */
};

/* With trace: each event and each change goes to standard error. */
void sim_run(uint64_t seed, bool trace, struct sim_result *out);
