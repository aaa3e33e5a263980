/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

enum { SUGGEST_WORD_MAX = 64 /* bytes; longer words have no neighbours */ };

/* "Did you mean": the one of `count` words (NULLs are skipped) closest to `word` by insertions, deletions, replacements and swaps
 * of neighbouring letters, case ignored. NULL when none is close enough to be a likely slip of the fingers. */
const char *suggest_closest(const char *word, const char *const *words, size_t count);
