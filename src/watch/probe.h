/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "health/probe_dns.h"
#include "watch/attempt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* One question on its way over UDP or TCP: sockets, time and octets, but no opinion; whether an answer is right is the judge's. */
enum { PROBE_ANSWER_MAX = 4096 /* octets; an SOA or a name is far below */ };

struct probe;

struct probe_job {
	uv_loop_t *loop;
	struct ip_addr address;
	uint16_t port;
	bool tcp;
	bool remote;        /* another machine's address; else it must be one of this machine */
	struct ip_addr from; /* with remote: asked from there; family 0: the kernel's choice */
	uint16_t from_port; /* 0: a fresh one */
	uint16_t *used;     /* the port it asks from goes here, before `done` is called; NULL: nobody wants to know */
	uint32_t timeout_ms;
	struct probe_question question;
	/* Judges the octets of one answer; the reason of a failure goes to why[PROBE_WHY_MAX]. */
	enum probe_verdict (*judge)(void *ctx, const uint8_t *msg, size_t len, char *why);
	/* Called exactly once, maybe before probe_start() returns; never after probe_cancel(). `why` is "" for a pass. */
	void (*done)(void *ctx, enum probe_outcome outcome, const char *why, uint32_t latency_us);
	void *ctx;
};

/* Send the question. *out is valid until `done` is called and NULL when it has been called already; it is written before. */
void probe_start(const struct probe_job *job, struct probe **out);
/* Forget the probe: its memory goes when the loop has let go of its handles. */
void probe_cancel(struct probe *p);
