/* SPDX-License-Identifier: BSD-2-Clause */
/* A cache that says anything, at any pace: each step is an octet, a length (low six bits) of octets that come, or time that passes. */
#include "rpki/rtr.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void carry_out(struct rtr *r, bool *up, uint64_t now_ms)
{
	must(r->out_len <= sizeof(r->out) && r->in_len <= sizeof(r->in));
	must(r->have.count <= VRP_SET_MAX && r->coming.count <= VRP_SET_MAX);
	must(memchr(r->last_error, 0, sizeof(r->last_error)) != NULL);
	must(*up == (r->state >= RTR_ASKING) || r->todo != RTR_NOTHING);
	for (size_t i = 0; i < r->have.count; i++)
		must(r->have.list[i].prefix.len <= r->have.list[i].max_len);
	r->out_len = 0;
	switch (r->todo) {
	case RTR_NOTHING:
		break;
	case RTR_CONNECT:
		must(!*up);
		r->todo = RTR_NOTHING;
		*up = true;
		rtr_connected(r, now_ms);
		break;
	case RTR_CLOSE:
		*up = false;
		rtr_lost(r, NULL, 0, now_ms);
		must(r->state == RTR_DOWN && r->todo == RTR_NOTHING && r->retry_at_ms > now_ms);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ip_prefix list[] = {{.addr = {.family = 4, .bytes = {192, 0, 2}}, .len = 24},
	                           {.addr = {.family = 6, .bytes = {0x20, 1, 0xd, 0xb8}}, .len = 48}};
	struct vrp_interest ours = {0};
	char why[VRP_WHY_MAX];
	uint64_t now_ms = 1000;
	bool up = false;
	struct rtr r;

	if (vrp_interest_set(&ours, list, 2) < 0)
		return 0;
	rtr_init(&r, &ours, 3600, now_ms);
	while (size) {
		uint8_t step = *data++;
		size_t len = step & 63;

		size--;
		if (step >> 6 == 3) {
			now_ms += 1ULL << (len % 24);
			rtr_tick(&r, now_ms);
		} else if (step >> 6 == 2 && len == 0) {
			rtr_replan(&r, now_ms);
		} else if (up) {
			len = MIN(len, size);
			rtr_input(&r, data, len, now_ms);
			data += len;
			size -= len;
		} else {
			rtr_tick(&r, now_ms);
		}
		carry_out(&r, &up, now_ms);
	}
	for (size_t i = 0; i < 2; i++) {
		(void)vrp_validate(&r.have, &list[i], 64500, why);
		must(memchr(why, 0, sizeof(why)) != NULL);
	}
	rtr_done(&r);
	vrp_interest_done(&ours);
	return 0;
}
