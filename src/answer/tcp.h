/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;
struct tcp;
struct tcp_conn;

/* TCP connections of one worker (RFC 7766): many queries per connection, answered in order of arrival, idle ones closed, the number
 * bounded by `connections`; when full, the one that has been idle longest makes room. NULL: out of memory. */
struct tcp *tcp_new(struct worker *w, uint32_t connections);
void tcp_free(struct tcp *t);
/* Take the connections waiting on a listening socket. */
void tcp_accept(struct tcp *t, int listener, bool v6);
/* Events of a connection's descriptor, as epoll gave them. */
void tcp_serve(struct tcp *t, struct tcp_conn *c, uint32_t events);
/* Close what has been idle too long. */
void tcp_expire(struct tcp *t);
