/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/paint.h"

#include "base/attr.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool paint_wanted(void)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(none && *none) && term && *term && strcmp(term, "dumb") != 0;
}

enum paint_color paint_of(const char *word)
{
	static const char *const good[] = {"pass",    "announced", "established", "valid",
	                                   "current", "up",        "same",        "good"};
	static const char *const open[] = {"unknown", "graceful-shutdown", "de-preferred", "not-found",
	                                   "soft",    "stopping",          "behind"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (strcmp(word, good[i]) == 0)
			return PAINT_GREEN;
	for (size_t i = 0; i < ARRAY_LEN(open); i++)
		if (strcmp(word, open[i]) == 0)
			return PAINT_YELLOW;
	return PAINT_RED;
}

const char *paint_begin(bool on, enum paint_color color)
{
	switch (color) {
	case PAINT_NONE:
		break;
	case PAINT_BOLD:
		return on ? "\033[1m" : "";
	case PAINT_DIM:
		return on ? "\033[2m" : "";
	case PAINT_RED:
		return on ? "\033[31m" : "";
	case PAINT_GREEN:
		return on ? "\033[32m" : "";
	case PAINT_YELLOW:
		return on ? "\033[33m" : "";
	case PAINT_CYAN:
		return on ? "\033[36m" : "";
	}
	return "";
}

const char *paint_end(bool on)
{
	return on ? "\033[0m" : "";
}
