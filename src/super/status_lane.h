/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

struct sock_filter;

/* Which socket of a management address gets a datagram: a program for the group of sockets that share the port (SO_ATTACH_REUSEPORT_CBPF). The first of the
 * group gets plain questions about a node's status, one of the `workers` others all else. Returns how many instructions (LANE_PROGRAM_MAX at most) are in `program`. */
enum { LANE_PROGRAM_MAX = 64 };
unsigned lane_program(unsigned workers, struct sock_filter *program);
/* Have the group of this socket go by it. -errno. */
int lane_attach(int fd, unsigned workers) MUST_CHECK;
