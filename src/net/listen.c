/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/listen.h"

#include "base/err.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	/* A worker that is being restarted finds its queue again: room for some 200 ms of queries at 50,000 a second. The kernel
	 * doubles it and caps it at net.core.rmem_max where the privilege for FORCE is missing. */
	UDP_BUFFER = 4 << 20,
	TCP_BACKLOG = 1024,
	TCP_FASTOPEN_QUEUE = 256,
	PEERS_BACKLOG = 16,
	MANAGEMENT_BACKLOG = 128,
	/* Of each connection in the kernel: an answer of 64 KiB, some queries. The kernel doubles them for its own overhead. */
	TCP_SEND_BUFFER = 64 << 10,
	TCP_RECEIVE_BUFFER = 16 << 10,
	TCP_UNACKED_MS = 20000,  /* data that is not acknowledged for so long ends the connection, also after it was closed here */
	TCP_LINGER_S = 5,        /* for the client's end after ours */
	TCP_PROBE_AFTER_S = 30,  /* of silence; idle connections live longer only where that is configured */
	TCP_PROBE_EVERY_S = 10,
	TCP_PROBES = 3,
};

static int on(int fd, int level, int name)
{
	int one = 1;

	return setsockopt(fd, level, name, &one, sizeof(one));
}

static int bound(const struct endpoint *at, int type, bool share, int *out)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(at, &sa);
	int fd = socket(sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	if ((at->addr.family == 6 && on(fd, IPPROTO_IPV6, IPV6_V6ONLY) < 0) ||
	    (share && on(fd, SOL_SOCKET, SO_REUSEPORT) < 0) ||
	    (type == SOCK_STREAM && on(fd, SOL_SOCKET, SO_REUSEADDR) < 0) ||
	    bind(fd, (struct sockaddr *)&sa, len) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

int listen_probe(const struct endpoint *at, bool udp)
{
	int fd, err;

	if (udp) {
		err = bound(at, SOCK_DGRAM, false, &fd);
		if (err < 0)
			return err;
		close(fd);
	}
	err = bound(at, SOCK_STREAM, false, &fd);
	if (err < 0)
		return err;
	if (listen(fd, 1) < 0)
		err = -errno;
	close(fd);
	return err;
}

int listen_udp(const struct endpoint *at, int *out)
{
	bool v6 = at->addr.family == 6;
	/* Never fragment here, and do not believe ICMP about the path (RFC 9715): too big for the interface is EMSGSIZE. */
	int size = UDP_BUFFER, whole = v6 ? IPV6_PMTUDISC_INTERFACE : IP_PMTUDISC_INTERFACE;
	int fd, err = bound(at, SOCK_DGRAM, true, &fd);

	if (err < 0)
		return err;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, &whole, sizeof(whole)) < 0 ||
	    (addr_is_any(&at->addr) &&
	     on(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO) < 0)) {
		err = -errno;
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

int listen_tcp(const struct endpoint *at, int *out)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{IPPROTO_TCP, TCP_FASTOPEN, TCP_FASTOPEN_QUEUE}, /* RFC 7413 */
		{IPPROTO_TCP, TCP_USER_TIMEOUT, TCP_UNACKED_MS}, /* RFC 5482 */
		{IPPROTO_TCP, TCP_LINGER2, TCP_LINGER_S},
		{IPPROTO_TCP, TCP_KEEPIDLE, TCP_PROBE_AFTER_S},
		{IPPROTO_TCP, TCP_KEEPINTVL, TCP_PROBE_EVERY_S},
		{IPPROTO_TCP, TCP_KEEPCNT, TCP_PROBES},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{SOL_SOCKET, SO_SNDBUF, TCP_SEND_BUFFER},
		{SOL_SOCKET, SO_RCVBUF, TCP_RECEIVE_BUFFER},
	};
	int fd, err = bound(at, SOCK_STREAM, true, &fd);

	if (err < 0)
		return err;
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(options[i].value)); /* TCP works without them as well */
	if (listen(fd, TCP_BACKLOG) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

void listen_fastopen(int fd, const uint8_t *key, const uint8_t *older)
{
	uint8_t keys[2 * LISTEN_FASTOPEN_KEY];

	memcpy(keys, key, LISTEN_FASTOPEN_KEY);
	if (older)
		memcpy(keys + LISTEN_FASTOPEN_KEY, older, LISTEN_FASTOPEN_KEY);
	setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, older ? sizeof(keys) : sizeof(keys) / 2);
	explicit_bzero(keys, sizeof(keys));
}

int listen_unix(const char *path, uint32_t uid, uint32_t gid, uint32_t group, int *out)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	mode_t mask;
	int fd, err = 0;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	mask = umask(0177);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		err = -errno;
	umask(mask);
	if (!err && (listen(fd, 64) < 0 || (uid != UINT32_MAX && chown(path, uid, gid) < 0)))
		err = -errno;
	/* The owner changes first: at no time are there more who may than are meant to. */
	if (!err && group != UINT32_MAX && (chown(path, UINT32_MAX, group) < 0 || chmod(path, 0660) < 0))
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

/* ttl: of what it sends, 0: the system's. */
static int listen_anywhere(const struct endpoint *at, int backlog, int ttl, int *out)
{
	bool v6 = at->addr.family == 6;
	int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP, err = 0;
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(at, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if ((v6 && on(fd, IPPROTO_IPV6, IPV6_V6ONLY) < 0) || on(fd, SOL_SOCKET, SO_REUSEADDR) < 0 ||
	    on(fd, level, v6 ? IPV6_FREEBIND : IP_FREEBIND) < 0 ||
	    (ttl && setsockopt(fd, level, v6 ? IPV6_UNICAST_HOPS : IP_TTL, &ttl, sizeof(ttl)) < 0) ||
	    bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, backlog) < 0)
		err = -errno;
	if (err)
		close(fd);
	else
		*out = fd;
	return err;
}

int listen_peers(const struct endpoint *at, int *out)
{
	return listen_anywhere(at, PEERS_BACKLOG, 255, out);
}

int listen_management(const struct endpoint *at, int *out)
{
	return listen_anywhere(at, MANAGEMENT_BACKLOG, 0, out);
}
