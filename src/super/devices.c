/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/devices.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/icmp.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ICMP_ECHO_REPLY = 0, BUFFER_SIZE = 256 << 10 };

static bool in_network(const struct ifaddrs *a, const struct ip_addr *addr)
{
	const uint8_t *mine, *mask;
	size_t len = addr->family == 6 ? 16 : 4;

	if (!a->ifa_addr || !a->ifa_netmask || a->ifa_addr->sa_family != (addr->family == 6 ? AF_INET6 : AF_INET))
		return false;
	if (addr->family == 6) {
		mine = ((const struct sockaddr_in6 *)(const void *)a->ifa_addr)->sin6_addr.s6_addr;
		mask = ((const struct sockaddr_in6 *)(const void *)a->ifa_netmask)->sin6_addr.s6_addr;
	} else {
		mine = (const uint8_t *)&((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr;
		mask = (const uint8_t *)&((const struct sockaddr_in *)(const void *)a->ifa_netmask)->sin_addr;
	}
	if (addr_is_link_local(addr) && !addr->zone) /* its interface is not there: no other will do */
		return false;
	for (size_t i = 0; i < len; i++)
		if ((mine[i] ^ addr->bytes[i]) & mask[i])
			return false;
	return !addr->zone || addr->zone == if_nametoindex(a->ifa_name);
}

static struct device *get(struct device *list, size_t *count, const char *name)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	if (*count == DEVICES_MAX)
		return NULL;
	list[*count] = (struct device){.index = if_nametoindex(name)};
	snprintf(list[*count].name, sizeof(list[*count].name), "%.15s", name);
	return &list[(*count)++];
}

static void add_neighbor(struct device *d, const struct ip_addr *addr)
{
	for (size_t i = 0; i < d->neighbor_count; i++)
		if (addr_equal(&d->neighbor[i], addr))
			return;
	if (d->neighbor_count < DEVICE_NEIGHBORS_MAX)
		d->neighbor[d->neighbor_count++] = *addr;
}

/* What is known of the device of one of this machine's addresses. */
static void look(const struct config_node *n, const struct ifaddrs *a, struct device *list, size_t *count)
{
	struct device *d;

	/* Management addresses lie in the network of their own device, too. */
	for (size_t i = 0; i < n->management_count; i++)
		if (in_network(a, &n->management[i]))
			get(list, count, a->ifa_name);
	for (size_t i = 0; i < n->neighbor_count; i++)
		if (in_network(a, &n->neighbors[i].address)) {
			d = get(list, count, a->ifa_name);
			if (d)
				add_neighbor(d, &n->neighbors[i].address);
		}
}

static void ask_driver(struct device *d, int fd)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%.15s", d->name);
	request.ifr_data = (void *)&info;
	if (ioctl(fd, SIOCETHTOOL, &request) == 0)
		snprintf(d->driver, sizeof(d->driver), "%.31s", info.driver);
	request.ifr_data = (void *)&channels;
	if (ioctl(fd, SIOCETHTOOL, &request) == 0)
		d->queues = channels.rx_count + channels.combined_count;
	d->queues = d->queues ? d->queues : 1;
	if (ioctl(fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0)
		d->mtu = (unsigned)request.ifr_mtu;
}

size_t devices_find(const struct config_node *n, struct device list[DEVICES_MAX])
{
	struct ifaddrs *all;
	size_t count = 0;
	int fd;

	if (getifaddrs(&all) < 0)
		return 0;
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		if (!(a->ifa_flags & IFF_LOOPBACK))
			look(n, a, list, &count);
	for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
		const struct sockaddr_ll *link = (const void *)a->ifa_addr;

		if (!link || link->sll_family != AF_PACKET || link->sll_hatype != ARPHRD_ETHER || link->sll_halen != 6)
			continue;
		for (size_t i = 0; i < count; i++)
			if (strcmp(list[i].name, a->ifa_name) == 0) {
				memcpy(list[i].mac, link->sll_addr, 6);
				list[i].ethernet = true;
			}
	}
	freeifaddrs(all);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (size_t i = 0; fd >= 0 && i < count; i++)
		ask_driver(&list[i], fd);
	if (fd >= 0)
		close(fd);
	return count;
}

static int only_echo_replies(int fd, bool v6)
{
	struct icmp_filter v4 = {.data = ~(1U << ICMP_ECHO_REPLY)};
	struct icmp6_filter filter;

	if (!v6)
		return setsockopt(fd, SOL_RAW, ICMP_FILTER, &v4, sizeof(v4));
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
	return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
}

int device_echo_socket(const struct device *d, const struct ip_addr *neighbor, int *fd)
{
	const struct endpoint to = {.addr = *neighbor};
	bool v6 = neighbor->family == 6;
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(&to, &ss);
	int made = socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, v6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);
	int size = BUFFER_SIZE, err;

	if (made < 0)
		return -errno;
	(void)setsockopt(made, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)); /* the default does, too */
	if (only_echo_replies(made, v6) < 0 || setsockopt(made, SOL_SOCKET, SO_BINDTODEVICE, d->name, (socklen_t)strlen(d->name) + 1) < 0 ||
	    connect(made, (struct sockaddr *)&ss, len) < 0) {
		err = -errno;
		close(made);
		return err;
	}
	*fd = made;
	return 0;
}
