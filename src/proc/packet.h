/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stddef.h>
#include <sys/uio.h>

/* Packets of a SOCK_SEQPACKET pair, each with at most one descriptor. Neither call waits. */

/* attached: -1 or a descriptor, which stays the caller's. -EAGAIN: the line is full; other -errno. */
int packet_send(int fd, const struct iovec *iov, size_t count, int attached) MUST_CHECK;
/* 1: *len octets came into iov, and *attached is -1 or the caller's; 0: nothing is there; ERR_CLOSED, -errno. ERR_MALFORMED: the packet was longer than iov, and is gone. */
int packet_receive(int fd, struct iovec *iov, size_t *len, int *attached) MUST_CHECK;
