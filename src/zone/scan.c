/* SPDX-License-Identifier: BSD-2-Clause */
/* Every octet of a zone file is looked at here once, 16 or 32 at a time, so that nothing behind it walks octet by octet: a word's end is
 * then a matter of counting zero bits.
 *
 * With AVX2 a class is one table look-up: the low four bits of an octet choose the one member of the class with these bits, and the octet is
 * in the class if it equals it. Octets from 128 on choose 0 and so never equal. No two blanks share their low bits, nor do two of the others. Without AVX2
 * the octets are compared with each member in turn. The plain one is what the others are tested against, and what other CPUs run. */
#include "zone/scan.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

static const uint8_t class_of[256] = {[' '] = 3, ['\t'] = 3, ['\r'] = 3, ['\n'] = 2, [0] = 2, [';'] = 2, ['('] = 2, [')'] = 2, ['"'] = 2, ['\\'] = 2};

static void scan_plain(const char *text, size_t blocks, uint64_t *blank, uint64_t *stop)
{
	for (size_t b = 0; b < blocks; b++, text += SCAN_BLOCK) {
		uint64_t blanks = 0, stops = 0;

		for (unsigned i = 0; i < SCAN_BLOCK; i++) {
			uint64_t class = class_of[(uint8_t)text[i]];

			blanks |= (class & 1) << i;
			stops |= (class >> 1) << i;
		}
		blank[b] = blanks;
		stop[b] = stops;
	}
}

#ifdef __x86_64__

static inline __m128i equals(__m128i v, char c)
{
	return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

static void scan_sse2(const char *text, size_t blocks, uint64_t *blank, uint64_t *stop)
{
	for (size_t b = 0; b < blocks; b++, text += SCAN_BLOCK) {
		uint64_t blanks = 0, stops = 0;

		for (unsigned i = 0; i < SCAN_BLOCK; i += 16) {
			__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text + i));
			__m128i white = _mm_or_si128(equals(v, ' '), _mm_or_si128(equals(v, '\t'), equals(v, '\r')));
			/* "(" and ")" differ in the last bit only. */
			__m128i round = equals(_mm_or_si128(v, _mm_set1_epi8(1)), ')');
			__m128i other = _mm_or_si128(_mm_or_si128(equals(v, '\n'), equals(v, ';')), _mm_or_si128(equals(v, '"'), equals(v, '\\')));

			other = _mm_or_si128(_mm_or_si128(other, round), _mm_or_si128(white, equals(v, 0)));
			blanks |= (uint64_t)(uint32_t)_mm_movemask_epi8(white) << i;
			stops |= (uint64_t)(uint32_t)_mm_movemask_epi8(other) << i;
		}
		blank[b] = blanks;
		stop[b] = stops;
	}
}

#define NONE (char)0x80

static __attribute__((target("avx2"))) void scan_avx2(const char *text, size_t blocks, uint64_t *blank, uint64_t *stop)
{
	const __m256i whites = _mm256_setr_epi8(' ', NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, '\t', NONE, NONE, NONE, '\r', NONE, NONE,
	                                        ' ', NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, '\t', NONE, NONE, NONE, '\r', NONE, NONE);
	const __m256i others = _mm256_setr_epi8(0, NONE, '"', NONE, NONE, NONE, NONE, NONE, '(', ')', '\n', ';', '\\', NONE, NONE, NONE,
	                                        0, NONE, '"', NONE, NONE, NONE, NONE, NONE, '(', ')', '\n', ';', '\\', NONE, NONE, NONE);

	for (size_t b = 0; b < blocks; b++, text += SCAN_BLOCK) {
		uint64_t blanks = 0, stops = 0;

		for (unsigned i = 0; i < SCAN_BLOCK; i += 32) {
			__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(text + i));
			__m256i white = _mm256_cmpeq_epi8(v, _mm256_shuffle_epi8(whites, v));
			__m256i other = _mm256_cmpeq_epi8(v, _mm256_shuffle_epi8(others, v));

			blanks |= (uint64_t)(uint32_t)_mm256_movemask_epi8(white) << i;
			stops |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_or_si256(white, other)) << i;
		}
		blank[b] = blanks;
		stop[b] = stops;
	}
}

scan_fn *scan_best(void)
{
	return __builtin_cpu_supports("avx2") ? scan_avx2 : scan_sse2;
}

size_t scan_kernels(struct scan_kernel out[SCAN_KERNELS_MAX])
{
	size_t n = 0;

	out[n++] = (struct scan_kernel){"plain", scan_plain};
	out[n++] = (struct scan_kernel){"sse2", scan_sse2};
	if (__builtin_cpu_supports("avx2"))
		out[n++] = (struct scan_kernel){"avx2", scan_avx2};
	return n;
}

#else

scan_fn *scan_best(void)
{
	return scan_plain;
}

size_t scan_kernels(struct scan_kernel out[SCAN_KERNELS_MAX])
{
	out[0] = (struct scan_kernel){"plain", scan_plain};
	return 1;
}

#endif
