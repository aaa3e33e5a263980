/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/handover.h"

#include "base/clock.h"
#include "base/err.h"
#include "proc/packet.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum { HANDOVER_MAGIC = 0x7a68616e };

int handover_pair(int out[2])
{
	int pair[2], size = HANDOVER_BUFFER / 2; /* the kernel doubles it */

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	out[0] = pair[0];
	out[1] = pair[1];
	return 0;
}

int handover_send(int fd, struct handover *head, const uint8_t *octets, int descriptor)
{
	const struct iovec iov[2] = {{head, sizeof(*head)}, {(void *)(uintptr_t)octets, head->len}};

	if (head->len > HANDOVER_OCTETS_MAX)
		return ERR_LIMIT;
	head->magic = HANDOVER_MAGIC;
	head->at_ns = clock_ns();
	return packet_send(fd, iov, ARRAY_LEN(iov), descriptor);
}

int handover_receive(int fd, struct handover_packet *packet, int *descriptor)
{
	struct iovec iov = {packet, sizeof(*packet)};
	size_t n;
	int attached, got = packet_receive(fd, &iov, &n, &attached);

	if (got != 1)
		return got;
	/* Workers run the same binary, but they are the ones that read from strangers. */
	if (attached < 0 || n < sizeof(packet->head) || packet->head.magic != HANDOVER_MAGIC || packet->head.kind > HANDOVER_TCP ||
	    n != sizeof(packet->head) + packet->head.len || (packet->head.peer.ss_family != AF_INET && packet->head.peer.ss_family != AF_INET6)) {
		if (attached >= 0)
			close(attached);
		return ERR_MALFORMED;
	}
	*descriptor = attached;
	return 1;
}

/* The address to answer from as control data; returns its length. */
static size_t source_control(const struct ip_addr *local, struct cmsghdr *c)
{
	if (local->family == 4) {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_spec_dst, local->bytes, 4);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		return CMSG_SPACE(sizeof(info));
	}
	if (local->family == 6) {
		struct in6_pktinfo info = {.ipi6_ifindex = local->zone};

		memcpy(&info.ipi6_addr, local->bytes, 16);
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		return CMSG_SPACE(sizeof(info));
	}
	return 0;
}

int handover_answer(const struct handover *head, int descriptor, const uint8_t *octets, size_t len)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = {0};
	struct iovec iov = {(void *)(uintptr_t)octets, len};
	struct msghdr msg = {
		.msg_name = (void *)(uintptr_t)&head->peer,
		.msg_namelen = head->peer.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in),
		.msg_iov = &iov, .msg_iovlen = 1};

	msg.msg_controllen = source_control(&head->local, (struct cmsghdr *)(void *)control);
	msg.msg_control = msg.msg_controllen ? control : NULL;
	for (;;) {
		if (sendmsg(descriptor, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}
