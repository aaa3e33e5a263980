/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/loaddr.h"

#include "base/err.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { NETLINK_BUFFER = 4096 };

int loaddr_up(void)
{
	struct ifreq req = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	memcpy(req.ifr_name, "lo", 3);
	if (ioctl(fd, SIOCGIFFLAGS, &req) < 0)
		err = -errno;
	if (!err && !(req.ifr_flags & IFF_UP)) {
		req.ifr_flags = (short)(req.ifr_flags | IFF_UP);
		if (ioctl(fd, SIOCSIFFLAGS, &req) < 0)
			err = -errno;
	}
	close(fd);
	return err;
}

static int request(uint16_t type, uint16_t flags, const struct ip_addr *addr)
{
	_Alignas(8) char buf[NETLINK_BUFFER];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	unsigned seq = (unsigned)time(NULL);
	bool v6 = addr->family == 6;
	struct ifaddrmsg *ifa;
	struct mnl_socket *nl;
	ssize_t n;
	int err = 0;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	nlh->nlmsg_seq = seq;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = v6 ? AF_INET6 : AF_INET;
	ifa->ifa_prefixlen = v6 ? 128 : 32;
	ifa->ifa_flags = v6 ? IFA_F_NODAD : 0;
	ifa->ifa_scope = v6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_HOST;
	ifa->ifa_index = if_nametoindex("lo");
	mnl_attr_put(nlh, IFA_LOCAL, v6 ? 16 : 4, addr->bytes);
	mnl_attr_put(nlh, IFA_ADDRESS, v6 ? 16 : 4, addr->bytes);
	if (v6 && type == RTM_NEWADDR) {
		struct ifa_cacheinfo life = {.ifa_prefered = 0, .ifa_valid = UINT32_MAX};

		mnl_attr_put(nlh, IFA_CACHEINFO, sizeof(life), &life);
	}
	nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0) {
		err = -errno;
	} else {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0 || mnl_cb_run(buf, (size_t)n, seq, mnl_socket_get_portid(nl), NULL, NULL) < 0)
			err = -errno;
	}
	mnl_socket_close(nl);
	return err;
}

int loaddr_add(const struct ip_addr *addr)
{
	int err = request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, addr);

	return err == -EEXIST ? ERR_EXISTS : err;
}

int loaddr_remove(const struct ip_addr *addr)
{
	int err = request(RTM_DELADDR, 0, addr);

	return err == -EADDRNOTAVAIL ? 0 : err;
}
