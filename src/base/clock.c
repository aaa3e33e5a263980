/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { WALL_TEXT = 21, SPAN_TEXT = 16 };

uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

uint64_t clock_ms(void)
{
	return clock_ns() / 1000000U;
}

uint64_t clock_wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

uint64_t clock_wall_us(void)
{
	return clock_wall_ns() / 1000U;
}

int64_t clock_wall_s(void)
{
	return (int64_t)time(NULL);
}

char *clock_wall_text(int64_t wall_s, char *buf)
{
	time_t t = (time_t)wall_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, WALL_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(buf, WALL_TEXT, "?");
	return buf;
}

char *clock_span_text(uint64_t ms, char *buf)
{
	uint64_t s = ms / 1000;

	if (ms < 1000)
		snprintf(buf, SPAN_TEXT, "%ums", (unsigned)ms);
	else if (s < 60)
		snprintf(buf, SPAN_TEXT, "%us", (unsigned)s);
	else if (s < 3600)
		snprintf(buf, SPAN_TEXT, "%um%02us", (unsigned)(s / 60), (unsigned)(s % 60));
	else if (s < 86400)
		snprintf(buf, SPAN_TEXT, "%uh%02um", (unsigned)(s / 3600), (unsigned)(s / 60 % 60));
	else
		snprintf(buf, SPAN_TEXT, "%ud%02uh", (unsigned)(s / 86400), (unsigned)(s / 3600 % 24));
	return buf;
}
