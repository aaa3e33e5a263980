/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>
#include <stdint.h>

/* Values as all of admin's JSON has them; new references, NULL: out of memory, which json_pack() takes. Their names are short since answers are tables of them. */
static inline json_t *num(uint64_t v)
{
	return json_integer((json_int_t)v);
}

/* Milliseconds since then, null where that never was. */
static inline json_t *age_ms(uint64_t at_ns, uint64_t now_ns)
{
	return at_ns ? num((now_ns > at_ns ? now_ns - at_ns : 0) / 1000000U) : json_null();
}

/* Text of others (a peer's message, what a check found), which may be anything. */
static inline json_t *str(const char *text)
{
	json_t *s = json_string(text);

	return s ? s : json_string("(not UTF-8)");
}
