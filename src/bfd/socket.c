/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets of BFD. What comes is received on one unconnected socket a family and port, with TTL, interface and destination beside each packet.
 * Each session sends from a socket of its own, since the RFC wants a source port that stays and is no other session's; that port is never
 * received on: neighbors answer to 3784 or 4784. Theirs is not looked at, as BIRD takes any. */
#include "bfd/socket.h"

#include "base/err.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { TTL_MAX = 255, PRIORITY_CONTROL = 6, PORT_TRIES = 64, PORTS = 65536 - BFD_SOURCE_PORT };

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

static int bind_to(int fd, const struct ip_addr *local, uint8_t family, uint16_t port)
{
	struct endpoint e = {.addr = local->family ? *local : (struct ip_addr){.family = family}, .port = port};
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(&e, &ss);

	return bind(fd, (const struct sockaddr *)&ss, len) == 0 ? 0 : -errno;
}

static int make(uint8_t family, int *fd)
{
	int s = socket(family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err = 0;

	if (s < 0)
		return -errno;
	if (family == 6)
		err = set(s, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (err) {
		close(s);
		return err;
	}
	*fd = s;
	return 0;
}

static int listen_one(uint8_t family, bool multihop, int *fd)
{
	bool v6 = family == 6;
	int s, err = make(family, &s);

	if (err)
		return err;
	err = v6 ? set(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) : set(s, IPPROTO_IP, IP_RECVTTL, 1);
	if (!err)
		err = v6 ? set(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) : set(s, IPPROTO_IP, IP_PKTINFO, 1);
	if (!err && !multihop)
		err = set(s, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err)
		err = bind_to(s, &(struct ip_addr){0}, family, multihop ? BFD_PORT_MULTIHOP : BFD_PORT);
	if (err) {
		close(s);
		return err;
	}
	*fd = s;
	return 0;
}

/* Of two sockets on one port the first is for TTL 255. */
static int steer(int fd, uint8_t family)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS,
	                 (uint32_t)SKF_NET_OFF +
	                         (family == 6 ? offsetof(struct ip6_hdr, ip6_hlim) : offsetof(struct iphdr, ttl))),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TTL_MAX, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 1),
	};
	struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) == 0 ? 0 : -errno;
}

int bfd_socket_listen(uint8_t family, bool multihop, int fd[2])
{
	int near, far, err = listen_one(family, multihop, &near);

	if (err)
		return err;
	fd[0] = near;
	if (multihop || steer(near, family) != 0)
		return 1;
	/* Without it everything comes to the first one, and is judged there. */
	if (listen_one(family, multihop, &far) != 0)
		return 1;
	fd[1] = far;
	return 2;
}

/* The source that routing chooses now, and BGP with it: kept for the session's life, though addresses come and go. */
static int choose_local(const struct bfd_path *path, struct ip_addr *out)
{
	struct endpoint e = {.port = 0};
	struct sockaddr_storage ss;
	socklen_t len = bfd_socket_target(path, &ss);
	int s, err = make(path->remote.family, &s);

	if (err)
		return err;
	if (connect(s, (const struct sockaddr *)&ss, len) != 0)
		err = -errno;
	len = sizeof(ss);
	if (!err && getsockname(s, (struct sockaddr *)&ss, &len) != 0)
		err = -errno;
	close(s);
	if (!err)
		err = endpoint_from_sockaddr((const struct sockaddr *)&ss, &e);
	if (err)
		return err;
	*out = e.addr;
	return 0;
}

int bfd_socket_open(const struct bfd_path *path, int *fd)
{
	bool v6 = path->remote.family == 6;
	struct ip_addr local = path->local;
	uint16_t port = 0;
	int s, err = local.family ? 0 : choose_local(path, &local);

	if (!err)
		err = make(path->remote.family, &s);
	if (err)
		return err;
	/* Also over several hops: who guards a session by TTL then sees 255 less the hops. */
	err = set(s, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL, TTL_MAX);
	/* Precedence only helps. */
	(void)set(s, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS, IPTOS_CLASS_CS6);
	(void)set(s, SOL_SOCKET, SO_PRIORITY, PRIORITY_CONTROL);
	if (!err && getrandom(&port, sizeof(port), 0) != (ssize_t)sizeof(port))
		err = -EIO;
	for (unsigned i = 0; !err && i < PORT_TRIES; i++) {
		err = bind_to(s, &local, path->remote.family, (uint16_t)(BFD_SOURCE_PORT + (port + i) % PORTS));
		if (err != -EADDRINUSE)
			break;
		if (i + 1 < PORT_TRIES)
			err = 0;
	}
	if (err) {
		close(s);
		return err;
	}
	*fd = s;
	return 0;
}

bool bfd_socket_outdated(int fd, const struct bfd_path *path)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct ip_addr now;
	struct endpoint e;

	return !path->local.family && choose_local(path, &now) == 0 &&
	       getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
	       endpoint_from_sockaddr((const struct sockaddr *)&ss, &e) == 0 && !addr_equal(&e.addr, &now);
}

static void take_control(struct msghdr *m, struct bfd_origin *o)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) {
			memcpy(&o->ttl, CMSG_DATA(c), sizeof(o->ttl));
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT) {
			memcpy(&o->ttl, CMSG_DATA(c), sizeof(o->ttl));
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			o->ifindex = (uint32_t)info.ipi_ifindex;
			o->to.family = 4;
			memcpy(o->to.bytes, &info.ipi_addr, 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			o->ifindex = info.ipi6_ifindex;
			o->to.family = 6;
			memcpy(o->to.bytes, &info.ipi6_addr, 16);
		}
	}
}

int bfd_socket_receive(int fd, bool multihop, struct bfd_received *out)
{
	_Alignas(struct cmsghdr) char control[256];
	struct sockaddr_storage from;
	struct iovec part = {.iov_base = out->octets, .iov_len = sizeof(out->octets)};
	struct msghdr m = {.msg_name = &from,
	                   .msg_namelen = sizeof(from),
	                   .msg_iov = &part,
	                   .msg_iovlen = 1,
	                   .msg_control = control,
	                   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
	struct endpoint e;

	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
	if (endpoint_from_sockaddr((const struct sockaddr *)&from, &e) != 0)
		return ERR_MALFORMED;
	out->len = (size_t)n;
	out->origin = (struct bfd_origin){.from = e.addr, .ttl = -1, .multihop = multihop};
	out->origin.from.zone = 0;
	take_control(&m, &out->origin);
	return 1;
}

socklen_t bfd_socket_target(const struct bfd_path *path, struct sockaddr_storage *out)
{
	struct endpoint e = {.addr = path->remote, .port = path->multihop ? BFD_PORT_MULTIHOP : BFD_PORT};

	return endpoint_to_sockaddr(&e, out);
}
