/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Which octets of a text end a word, as bit maps: octet i is bit i % 64 of word i / 64. */
enum { SCAN_BLOCK = 64 };

/* Classify `blocks` blocks of SCAN_BLOCK octets.
 *   blank: space, tab, carriage return
 *   stop:  blank, line feed, NUL, and ; ( ) " \ */
typedef void scan_fn(const char *text, size_t blocks, uint64_t *blank, uint64_t *stop);

struct scan_kernel {
	const char *name;
	scan_fn *run;
};

/* The best that this CPU can run. */
scan_fn *scan_best(void);
/* All that this CPU can run, the plain C one first; for tests. Returns how many, at most SCAN_KERNELS_MAX. */
enum { SCAN_KERNELS_MAX = 3 };
size_t scan_kernels(struct scan_kernel out[SCAN_KERNELS_MAX]);

/* The first position at or behind i whose bit is set, or is not. There must be one. */
static inline size_t scan_next(const uint64_t *map, size_t i)
{
	uint64_t w = map[i / 64] >> (i % 64);

	if (w)
		return i + (size_t)__builtin_ctzll(w);
	for (i = i / 64 + 1; !map[i]; i++)
		;
	return i * 64 + (size_t)__builtin_ctzll(map[i]);
}

static inline size_t scan_next_unset(const uint64_t *map, size_t i)
{
	uint64_t w = ~map[i / 64] >> (i % 64);

	if (w)
		return i + (size_t)__builtin_ctzll(w);
	for (i = i / 64 + 1; !~map[i]; i++)
		;
	return i * 64 + (size_t)__builtin_ctzll(~map[i]);
}
