/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A line of the log as one JSON object: {"time", "level", "role", "event", keys of the line ..., "text": what else it says}. Pure, without memory of its own. */
struct log_record {
	uint64_t wall_us; /* since 1970 */
	const char *level, *role;
	const char *message; /* "subject key=value key=\"value of words\" ...", without control characters */
};
/* Into out (cap at least LOG_JSON_MIN), with a newline; returns its octets. What does not fit is left out whole, so that it always is JSON. */
enum { LOG_JSON_MIN = 512, LOG_JSON_MAX = 8192 };
size_t log_json(const struct log_record *r, char *out, size_t cap);
