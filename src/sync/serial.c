/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/serial.h"

#include "dns/rr.h"

#include <time.h>

/* YYYYMMDD00, of UTC: the same day on every machine. */
static uint32_t of_date(int64_t now_wall_s)
{
	time_t t = (time_t)now_wall_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		return 0;
	return (uint32_t)((tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday) * 100U;
}

uint32_t serial_next(enum config_serial policy, uint32_t before, int64_t now_wall_s)
{
	uint32_t wanted = before;

	switch (policy) {
	case CONFIG_SERIAL_KEEP:
		return before;
	case CONFIG_SERIAL_INCREMENT:
		break;
	case CONFIG_SERIAL_UNIXTIME:
		wanted = (uint32_t)now_wall_s;
		break;
	case CONFIG_SERIAL_DATE:
		wanted = of_date(now_wall_s);
		break;
	}
	return serial_after(wanted, before) ? wanted : before + 1;
}
