/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers that were waited for, to clients of UDP: gathered, and sent by one call for each run of the same socket. They leave from the address that was asked. */
#include "answer/forward_priv.h"
#include "base/wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

enum { SEND_TRIES = 3 };

uint8_t *forward_out_room(struct forward *fw)
{
	if (fw->answers.count == FORWARD_BATCH)
		forward_out_flush(fw);
	return fw->answers.octets[fw->answers.count];
}

/* On a wildcard address: from where. */
static void put_source(struct msghdr *m, const struct ip_addr *from)
{
	struct cmsghdr *c;

	m->msg_controllen = from->family == 4 ? CMSG_SPACE(sizeof(struct in_pktinfo)) : CMSG_SPACE(sizeof(struct in6_pktinfo));
	c = CMSG_FIRSTHDR(m);
	if (from->family == 4) {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_spec_dst, from->bytes, 4);
		*c = (struct cmsghdr){.cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info))};
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	} else {
		struct in6_pktinfo info = {.ipi6_ifindex = from->zone};

		memcpy(&info.ipi6_addr, from->bytes, 16);
		*c = (struct cmsghdr){.cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info))};
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	}
}

void forward_out_put(struct forward *fw, const struct forward_waiting *to, size_t len)
{
	struct forward_answers *a = &fw->answers;
	unsigned i = a->count++;
	struct msghdr *m = &a->out[i].msg_hdr;
	struct endpoint peer = {.addr = to->addr, .port = to->port};

	peer.addr.zone = to->scope;
	a->fd[i] = to->fd;
	a->iov[i] = (struct iovec){a->octets[i], len};
	*m = (struct msghdr){.msg_name = &a->peer[i], .msg_namelen = endpoint_to_sockaddr(&peer, &a->peer[i]), .msg_iov = &a->iov[i], .msg_iovlen = 1};
	if (!to->wildcard || !to->local.family)
		return;
	m->msg_control = a->control[i];
	put_source(m, &to->local);
}

/* The interface cannot take it whole: header and question, truncated (RFC 9715 R4). False: it is that already. */
static bool shrink(struct iovec *v)
{
	uint8_t *msg = v->iov_base;
	size_t len = DNS_HEADER_LEN;

	if (v->iov_len <= DNS_UDP_MIN)
		return false;
	len += name_len(msg + len) + 4;
	put_u16(msg + 2, get_u16(msg + 2) | DNS_TC);
	memset(msg + 6, 0, 6);
	v->iov_len = len;
	return true;
}

static void send_run(struct forward *fw, unsigned from, unsigned to)
{
	struct board_worker *b = fw->worker->board;
	unsigned tries = 0;

	while (from < to) {
		int n = sendmmsg(fw->answers.fd[from], fw->answers.out + from, to - from, MSG_DONTWAIT);

		if (n > 0) {
			from += (unsigned)n;
			continue;
		}
		if (errno == EINTR || ((errno == EAGAIN || errno == ENOBUFS) && ++tries < SEND_TRIES))
			continue;
		if (errno == EMSGSIZE && shrink(&fw->answers.iov[from])) {
			board_add(&b->too_big, 1);
			continue;
		}
		board_add(&b->send_failed, 1);
		from++;
	}
}

void forward_out_flush(struct forward *fw)
{
	unsigned count = fw->answers.count;

	fw->answers.count = 0;
	for (unsigned i = 0, k; i < count; i = k) {
		for (k = i + 1; k < count && fw->answers.fd[k] == fw->answers.fd[i]; k++)
			;
		send_run(fw, i, k);
	}
}
