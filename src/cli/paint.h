/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

/* Colours for people at a terminal. */
enum paint_color {
	PAINT_NONE,
	PAINT_BOLD = 1,
	PAINT_DIM = 2,
	PAINT_RED = 31,
	PAINT_GREEN = 32,
	PAINT_YELLOW = 33,
	PAINT_CYAN = 36
};

/* Is standard output a terminal that may be coloured? Not with NO_COLOR (no-color.org), nor where TERM is "dumb" or nothing. */
bool paint_wanted(void);
/* Of a word that names a state: green, yellow for what is not known or on its way, red for all others. */
enum paint_color paint_of(const char *word);
/* What begins the colour, and what ends it; "" when not on. */
const char *paint_begin(bool on, enum paint_color color);
const char *paint_end(bool on);
