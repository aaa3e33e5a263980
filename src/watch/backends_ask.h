/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "health/probe_dns.h"
#include "watch/probe.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* One question to one backend, by a socket of its own: UDP, TCP or TLS. */
struct backend_ask;
struct tls_client;
struct ssl_session_st;

enum backend_ask_over { BACKEND_ASK_UDP, BACKEND_ASK_TCP, BACKEND_ASK_TLS };

struct backend_ask_job {
	uv_loop_t *loop;
	struct endpoint to;
	enum backend_ask_over over;
	struct tls_client *tls; /* over TLS; borrowed */
	struct ssl_session_st *
		*session; /* likewise: of the server's last connection, or NULL; replaced by this one's */
	bool proxy;       /* with the header of the PROXY protocol, of our own address */
	uint32_t timeout_ms;
	const uint8_t *query; /* copied; at most PROBE_QUERY_MAX octets */
	size_t len;
	enum probe_verdict (*judge)(void *ctx, const uint8_t *msg, size_t len, char *why);
	/* Once, unless it was cancelled; maybe before backend_ask_start() returns. NONE: it could not be asked, for want of something on this machine. */
	void (*done)(void *ctx, enum probe_outcome outcome, const char *why, uint32_t latency_us);
	void *ctx;
};

/* *slot is cleared before done() is called. */
void backend_ask_start(const struct backend_ask_job *job, struct backend_ask **slot);
void backend_ask_cancel(struct backend_ask *a);
