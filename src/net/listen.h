/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

/* Listening sockets. All are nonblocking, close-on-exec, IPv6-only for IPv6, and share their port through SO_REUSEPORT with their
 * siblings (one per worker) and nobody else: listen_probe() refuses a port that any other socket holds. */

/* 0 when nobody has the TCP port (and, if asked, the UDP port), else -EADDRINUSE, -EACCES, -EADDRNOTAVAIL ... */
int listen_probe(const struct endpoint *at, bool udp) MUST_CHECK;
/* A UDP socket. On a wildcard address it reports each datagram's own destination (IP_PKTINFO), so that the answer leaves from it.
 * Path MTU discovery is off and DF unset by policy (IP_PMTUDISC_OMIT): forged ICMP cannot shrink answers. */
int listen_udp(const struct endpoint *at, int *fd) MUST_CHECK;
/* A listening TCP socket. Its connections inherit small buffers, keepalive probes and a limit to unacknowledged data: what a connection that does
 * nothing can hold in the kernel is bounded. */
int listen_tcp(const struct endpoint *at, int *fd) MUST_CHECK;
/* A listening TCP socket for BGP neighbors. The address need not be there yet (IP_FREEBIND). Packets leave with a TTL of 255, since the answer to a SYN has to
 * satisfy neighbors with TTL security; what is accepted gets its own. */
int listen_peers(const struct endpoint *at, int *fd) MUST_CHECK;
/* Likewise for HTTP on the node's own addresses, with the system's TTL. */
int listen_management(const struct endpoint *at, int *fd) MUST_CHECK;
/* Keys of TCP Fast Open's cookies (RFC 7413): LISTEN_FASTOPEN_KEY octets make and check them, as many more (may be NULL) still check. With the
 * same keys on every node a cookie is good at each. Effect only where net.ipv4.tcp_fastopen allows servers (bit 2). */
enum { LISTEN_FASTOPEN_KEY = 16 };
void listen_fastopen(int fd, const uint8_t *key, const uint8_t *older);
/* A Unix stream socket at path, mode 0600, owned by uid:gid (UINT32_MAX: unchanged), or with a group (UINT32_MAX: none) mode 0660 and that group's; a leftover socket file is replaced. */
int listen_unix(const char *path, uint32_t uid, uint32_t gid, uint32_t group, int *fd) MUST_CHECK;
