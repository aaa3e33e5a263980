/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

/* A collector that speaks Frame Streams, by a unix socket or TCP: connected to, greeted, sent to, and connected to again when it has gone. Never waits. */
enum {
	STREAM_OUT_BUFFER = 512 << 10,
	STREAM_OUT_RETRY_MS = 1000,
	STREAM_OUT_GREETING_MS = 5000, /* for a connection and the collector's ACCEPT */
	STREAM_OUT_WHY = 160,
};

enum stream_out_state { STREAM_OUT_APART, STREAM_OUT_CONNECTING, STREAM_OUT_GREETING, STREAM_OUT_OPEN };

struct stream_out {
	uv_loop_t *loop;
	struct sockaddr_storage to;
	socklen_t to_len;
	enum stream_out_state state;
	uint64_t until_ms; /* APART: then it is tried again; CONNECTING, GREETING: it must be open by then */
	int fd;            /* -1 */
	uv_poll_t *poll;   /* owned by libuv's close callback once stopped */
	int events;
	uint8_t heard[512]; /* what the collector says: a control frame at most */
	size_t heard_len;
	uint8_t *out; /* STREAM_OUT_BUFFER: from pos to len are to be sent */
	size_t pos, len;
	size_t frames_from; /* where the first whole frame begins that is not sent at all; those are sent again on another connection */
	uint64_t total, connects,
		lost;             /* octets; connections that opened; frames of which the collector has got a part */
	char why[STREAM_OUT_WHY]; /* it is not open */
	void (*on_change)(void *ctx); /* it has opened, closed, or has room */
	void *ctx;
};

/* to: a unix socket's or an endpoint's address. ERR_NO_MEMORY. s stays where it is until stream_out_close(). */
int stream_out_open(struct stream_out *s, uv_loop_t *loop, const struct sockaddr_storage *to,
                    socklen_t to_len) MUST_CHECK;
/* Octets that fit now; 0 while it is not open. */
size_t stream_out_room(const struct stream_out *s);
/* One data frame with its head. */
void stream_out_put(struct stream_out *s, const void *octets, size_t len);
/* Every few milliseconds. */
void stream_out_tick(struct stream_out *s, uint64_t now_ms);
void stream_out_close(struct stream_out *s);
