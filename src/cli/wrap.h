/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/text.h"

#include <stddef.h>

/* A paragraph for a terminal: words broken at blanks so that no line is wider than `width`, unless a word is. The first line begins where the text stands at
 * `column`, each further one with `indent` blanks. No newline at the end. Octets that move a cursor become "?". */
void wrap_text(const char *words, int column, int indent, int width, struct text *out);
