/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/stream_memory.h"
#include "base/addr.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* TLS connections whose requests sync answers: see relay.c. Of one worker. */
enum { RELAYS_MAX = 128 };

struct relays;
struct ssl_st;
struct worker;

/* memory: what its buffers count in. NULL: out of memory. */
struct relays *relays_new(struct worker *w, struct stream_memory *memory);
void relays_free(struct relays *r);
/* An epoll set that is readable while something can be done: relays_turn() then. */
int relays_fd(const struct relays *r);
unsigned relays_count(const struct relays *r);
/* Take a connection over, with len octets that were read of it, from a message for sync on. False: sync does not take it, or there are too many; nothing has changed. */
bool relays_take(struct relays *r, int fd, struct ssl_st *tls, const struct endpoint *client, const uint8_t *octets,
                 size_t len);
void relays_turn(struct relays *r, uint64_t until_ns);
/* Close what does not move any more; every few milliseconds. */
void relays_expire(struct relays *r);
