/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "config/config.h"
#include "watch/probe.h"

#include <stdint.h>
#include <uv.h>

/* One check of an endpoint on its way, over TCP, HTTP or HTTPS: sockets, time and octets. See endpoint_check.c. */
struct tls_client;
struct endpoint_check;

enum { ENDPOINT_HOST_MAX = 300 }; /* octets of a name, with port */

struct endpoint_check_job {
	uv_loop_t *loop;
	const struct config_pool_check *rule; /* tcp, http or https; borrowed for as long as the check lasts */
	struct ip_addr address;
	struct tls_client *tls; /* https; borrowed likewise */
	/* Called exactly once, maybe before endpoint_check_start() returns; never after endpoint_check_cancel(). `why` is "" for a pass. */
	void (*done)(void *ctx, enum probe_outcome outcome, const char *why, uint32_t latency_us);
	void *ctx;
};

/* Begin. *out is valid until `done` is called and NULL when it has been called already; it is written before. */
void endpoint_check_start(const struct endpoint_check_job *job, struct endpoint_check **out);
/* Forget it: its memory goes when the loop has let go of its handles. NULL is fine. */
void endpoint_check_cancel(struct endpoint_check *c);
/* What stands in "Host": the rule's host or the address, with the port where it is not the scheme's. */
void endpoint_check_host(const struct config_pool_check *rule, const struct ip_addr *address, char out[ENDPOINT_HOST_MAX]);
