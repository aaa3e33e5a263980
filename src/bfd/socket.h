/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "bfd/packet.h"
#include "bfd/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	BFD_PORT = 3784,          /* RFC 5881 4 */
	BFD_PORT_MULTIHOP = 4784, /* RFC 5883 5 */
	BFD_SOURCE_PORT = 49152,  /* the first that a session may send from, RFC 5881 4 */
};

struct bfd_received {
	struct bfd_origin origin;
	size_t len;
	uint8_t octets[BFD_PACKET_MAX];
};

/* Nonblocking sockets for all packets of a family (4 or 6) and kind of path; returns how many, 1 or 2, or -errno. The second, where there is one,
 * gets what came from beyond the link to the port for neighbors on it. -EADDRINUSE: another BFD speaker has the port. */
int bfd_socket_listen(uint8_t family, bool multihop, int fd[2]) MUST_CHECK;
/* One to send a session's packets from, with a source port of its own. -EADDRNOTAVAIL: the local address is not there (yet); -ENETUNREACH
 * and the like: there is no way, and no local address was given. */
int bfd_socket_open(const struct bfd_path *path, int *fd) MUST_CHECK;
/* True when routing chooses another local address now than that socket has: its own one may be gone. Never where the path names one. */
bool bfd_socket_outdated(int fd, const struct bfd_path *path);
/* 1: a packet, 0: none is waiting, -errno. */
int bfd_socket_receive(int fd, bool multihop, struct bfd_received *out) MUST_CHECK;

/* Where the packets of a path go; returns the length. */
socklen_t bfd_socket_target(const struct bfd_path *path, struct sockaddr_storage *out);
