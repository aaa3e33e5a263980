/* SPDX-License-Identifier: BSD-2-Clause */
/* A question (146 octets, signed, with the root of one network's zones) and its answer (362, about one network) are some 612 octets with IPv6 and UDP headers; a node sends and receives both, as one who asks and
 * as one who is asked. With n others at an interval of t that are 2 n 612 / t octets a second: 186 kbit/s for 20 nodes at 1 s, 75 kbit/s for 100 at 12.9 s; the rest of 100 kbit/s is for questions as clients ask them (watch/views.c). Where somebody means to
 * leave it is up to ten times as much (forty for 100 nodes): seconds as a rule, and the price of the guard. */
#include "fleet/pace.h"

#include "base/attr.h"

uint32_t fleet_pace_ms(uint32_t others, uint32_t questions, bool urgent)
{
	uint32_t more = others > FLEET_ALL_AT_ONCE ? others - FLEET_ALL_AT_ONCE : 0;
	uint64_t all = urgent ? MIN((uint64_t)FLEET_FAST_MS + more * 2U, (uint64_t)FLEET_FAST_MAX_MS)
	                      : FLEET_SLOW_MS + (uint64_t)more * FLEET_SLOWER_MS;

	return (uint32_t)MAX(all / MAX(questions, 1U), (uint64_t)1);
}
