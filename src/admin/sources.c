/* SPDX-License-Identifier: BSD-2-Clause */
/* HyperLogLog's estimate (Flajolet et al. 2007, section 4): the harmonic mean of 2^rank over the registers; while many are empty, how many are is the better witness (linear
 * counting). No correction for 2^32 sources and more: hashes have 64 bits. The standard error is 1.04 / sqrt(registers), 1.6 %. */
#include "admin/sources.h"

#include "base/attr.h"

/* Of 2^k, from 1 to a quarter of a million: there is no need of libm for one logarithm. ln x = 2 atanh((x - 1) / (x + 1)), for 1 <= x < 2. */
static double natural_log(double x)
{
	double sum = 0, z, power;
	int twos = 0;

	while (x >= 2) {
		x /= 2;
		twos++;
	}
	z = (x - 1) / (x + 1);
	power = z;
	for (int k = 1; k < 40; k += 2, power *= z * z)
		sum += power / k;
	return 2 * sum + twos * 0.69314718055994530942;
}

uint64_t sources_count(const struct board *b, uint64_t day, enum board_source kind)
{
	const double registers = BOARD_SKETCH, alpha = 0.7213 / (1 + 1.079 / registers);
	uint8_t rank[BOARD_SKETCH] = {0};
	unsigned workers = MIN(atomic_load(&b->supervisor.workers), (unsigned)BOARD_WORKERS_MAX), empty = 0;
	double sum = 0, estimate;

	for (unsigned i = 0; i < workers; i++) {
		const struct board_sources *s = &b->workers[i].measures.sources[day & 1];

		if (atomic_load_explicit(&s->day, memory_order_acquire) != day)
			continue;
		for (size_t k = 0; k < BOARD_SKETCH; k++)
			rank[k] = MAX(rank[k], atomic_load_explicit(&s->kind[kind].rank[k], memory_order_relaxed));
	}
	for (size_t k = 0; k < BOARD_SKETCH; k++) {
		empty += !rank[k];
		sum += 1.0 / (double)(1ULL << MIN(rank[k], 63));
	}
	estimate = alpha * registers * registers / sum;
	if (estimate <= 2.5 * registers && empty)
		estimate = registers * natural_log(registers / empty);
	return (uint64_t)(estimate + 0.5);
}
