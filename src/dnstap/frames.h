/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

/* Frame Streams, the writer's side: data frames, and control frames around them. */
#define FRAMES_CONTENT_TYPE "protobuf:dnstap.Dnstap"

enum frames_control { FRAMES_ACCEPT = 1, FRAMES_START = 2, FRAMES_STOP = 3, FRAMES_READY = 4, FRAMES_FINISH = 5 };

enum {
	FRAMES_CONTROL_MAX = 512, /* octets of a control frame */
	FRAMES_HEAD = 4,          /* octets before a data frame: its length */
};

/* A control frame into out (FRAMES_CONTROL_MAX octets); its octets. START and READY name the content type. */
size_t frames_control(enum frames_control kind, uint8_t *out);
void frames_data(size_t len, uint8_t out[FRAMES_HEAD]);
/* What the collector says, in its first len octets: *used of them are a control frame of *kind. 0: there is one; -EAGAIN: not whole yet; ERR_MALFORMED; ERR_UNSUPPORTED: an
 * ACCEPT without our content type. */
int frames_read(const uint8_t *octets, size_t len, size_t *used, enum frames_control *kind) MUST_CHECK;
