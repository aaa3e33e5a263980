/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/page.h"

const char *page_of(enum decide_reason reason)
{
	switch (reason) {
	case DECIDE_STARTING:
	case DECIDE_ZONES_MISSING:
	case DECIDE_ZONES_ANYWAY:
		return "starting";
	case DECIDE_WORKER_NONE:
	case DECIDE_WORKER_SILENT:
		return "worker-dead";
	case DECIDE_FORCED:
		return "forced";
	case DECIDE_FROZEN:
		return "frozen";
	case DECIDE_FAILED:
		return "withdrawn-hard";
	case DECIDE_LAST:
		return "last-pop";
	case DECIDE_REFUSED:
		return "rpki-invalid";
	case DECIDE_DRAINING:
		return "draining";
	case DECIDE_DRAINED:
		return "drained";
	case DECIDE_NO_VERDICT:
	case DECIDE_NO_VERDICT_OUT:
		return "checks-silent";
	case DECIDE_HELD_DOWN:
		return "held-down";
	case DECIDE_WELL:
		return "announced";
	case DECIDE_RECOVERING:
	case DECIDE_DEPREFERRED:
		return "de-preferred";
	case DECIDE_SETTLING:
	case DECIDE_KEPT:
		return "holding";
	case DECIDE_LEFT:
	case DECIDE_OUT:
	case DECIDE_CAME_BACK:
		return "left";
	case DECIDE_ABSORBING:
	case DECIDE_SHEDDING:
		return "overload";
	}
	return "announced";
}
