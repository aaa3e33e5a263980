/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/* Monotonic time; the same clock in every process of the machine, never stepped. */
uint64_t clock_ns(void);
uint64_t clock_ms(void);
/* Nanoseconds since the epoch, for people. */
uint64_t clock_wall_ns(void);
/* Microseconds since the epoch, for people. */
uint64_t clock_wall_us(void);
/* Seconds since the epoch, for people and for signatures only. */
int64_t clock_wall_s(void);
/* "2026-11-20T22:21:15Z" into buf (at least 21 bytes); returns buf. */
char *clock_wall_text(int64_t wall_s, char *buf);
/* "350ms", "12s", "3m20s", "5h02m", "4d03h" into buf (at least 16 bytes); returns buf. */
char *clock_span_text(uint64_t ms, char *buf);
