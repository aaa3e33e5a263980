/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket options of BGP sessions. All are set before connect(2), so that the SYN carries them: TCP_MD5SIG (RFC 2385) and TTL are
 * judged by the peer on the first packet. */
#include "bgp/socket.h"

#include "base/err.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TTL_MAX = 255, PRIORITY_CONTROL = 6 };

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

/* RFC 5082: send 255, take only what has crossed few enough routers. Otherwise 1 for a direct eBGP peer. */
static int set_ttl(int fd, const struct bgp_neighbor_conf *c)
{
	bool v6 = c->remote.addr.family == 6;
	int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	int hops = c->multihop ? c->multihop : c->local_as == c->peer_as ? 64 : 1;
	int guard = c->multihop ? c->multihop : 1;
	int err = set(fd, level, v6 ? IPV6_UNICAST_HOPS : IP_TTL, c->ttl_security ? TTL_MAX : hops);

	if (!err && c->ttl_security)
		err = set(fd, level, v6 ? IPV6_MINHOPCOUNT : IP_MINTTL, TTL_MAX + 1 - guard);
	return err;
}

/* A key of no octets takes away what was there. */
static int set_md5(int fd, const struct bgp_neighbor_conf *c, size_t key_len)
{
	struct tcp_md5sig md5;
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(&c->remote, &ss);
	int err;

	if (!c->md5_key_len)
		return 0;
	memset(&md5, 0, sizeof(md5));
	memcpy(&md5.tcpm_addr, &ss, len);
	md5.tcpm_keylen = (uint16_t)key_len;
	memcpy(md5.tcpm_key, c->md5_key, key_len);
	err = setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &md5, sizeof(md5)) == 0 ? 0 : -errno;
	explicit_bzero(&md5, sizeof(md5));
	return err;
}

static int bind_local(int fd, const struct bgp_neighbor_conf *c, uint32_t zone)
{
	struct endpoint e = {.addr = c->local};
	struct sockaddr_storage ss;
	socklen_t len;

	if (!c->local.family)
		return 0;
	if (addr_is_link_local(&c->local))
		e.addr.zone = zone;
	len = endpoint_to_sockaddr(&e, &ss);
	return bind(fd, (const struct sockaddr *)&ss, len) == 0 ? 0 : -errno;
}

int bgp_session_listen_key(int listener, const struct bgp_neighbor_conf *c, bool on)
{
	return set_md5(listener, c, on ? c->md5_key_len : 0);
}

/* Precedence only helps; a kernel or sandbox without it is no reason not to speak. */
static void set_class(int fd, bool v6)
{
	(void)set(fd, SOL_SOCKET, SO_PRIORITY, PRIORITY_CONTROL);
	(void)set(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS, IPTOS_CLASS_CS6);
	(void)set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int bgp_socket_accepted(int fd, const struct bgp_neighbor_conf *c)
{
	set_class(fd, c->remote.addr.family == 6);
	return set_ttl(fd, c);
}

static int configure(int fd, const struct bgp_neighbor_conf *c, uint32_t zone, const char **what)
{
	int err;

	set_class(fd, c->remote.addr.family == 6);
	*what = "cannot set the TTL";
	err = set_ttl(fd, c);
	if (!err) {
		*what = "cannot set the TCP MD5 key";
		err = set_md5(fd, c, c->md5_key_len);
	}
	if (!err) {
		*what = "cannot bind to the local address";
		err = bind_local(fd, c, zone);
	}
	return err;
}

int bgp_socket_connect(const struct bgp_neighbor_conf *c, int *fd, const char **what)
{
	struct endpoint remote = c->remote;
	struct sockaddr_storage ss;
	socklen_t len;
	int err, s;

	if (!remote.port)
		remote.port = BGP_PORT;
	*what = "no such interface";
	if (c->interface[0]) {
		remote.addr.zone = if_nametoindex(c->interface);
		if (!remote.addr.zone)
			return -errno;
	}
	len = endpoint_to_sockaddr(&remote, &ss);
	*what = "cannot make a socket";
	s = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	err = configure(s, c, remote.addr.zone, what);
	if (!err) {
		*what = "cannot connect";
		if (connect(s, (const struct sockaddr *)&ss, len) != 0 && errno != EINPROGRESS)
			err = -errno;
	}
	if (err) {
		close(s);
		return err;
	}
	*fd = s;
	return 0;
}

static bool same_bytes(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

static bool usable(const struct ip_addr *a)
{
	static const uint8_t loopback6[16] = {[15] = 1};

	if (addr_is_any(a) || addr_is_link_local(a))
		return false;
	return a->family == 4 ? a->bytes[0] != 127 && !(a->bytes[0] == 169 && a->bytes[1] == 254)
	                      : memcmp(a->bytes, loopback6, 16) != 0 && a->bytes[0] != 0xff;
}

static bool address_of(const struct ifaddrs *i, struct ip_addr *out)
{
	struct endpoint e;

	if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6) ||
	    endpoint_from_sockaddr(i->ifa_addr, &e) != 0)
		return false;
	*out = e.addr;
	return true;
}

/* A usable address of `family` on the interface that holds `local`; of several the lowest, so that every session and every restart
 * finds the same. Not of a loopback: what is there are the service
 * addresses, and nobody can forward to those by name of a neighbor. */
static bool interface_address(const struct ip_addr *local, uint8_t family, struct ip_addr *out)
{
	struct ifaddrs *all, *holder = NULL;
	struct ip_addr a;
	bool found = false;

	if (getifaddrs(&all) != 0)
		return false;
	for (struct ifaddrs *i = all; i && !holder; i = i->ifa_next)
		if (address_of(i, &a) && same_bytes(&a, local) && (!local->zone || a.zone == local->zone))
			holder = i;
	for (struct ifaddrs *i = all; i && holder && !(holder->ifa_flags & IFF_LOOPBACK); i = i->ifa_next) {
		if (strcmp(i->ifa_name, holder->ifa_name) == 0 && address_of(i, &a) && a.family == family && usable(&a) &&
		    (!found || memcmp(a.bytes, out->bytes, sizeof(a.bytes)) < 0)) {
			*out = a;
			found = true;
		}
	}
	freeifaddrs(all);
	return found;
}

void bgp_next_hops(const struct bgp_neighbor_conf *c, const struct ip_addr *local, struct bgp_peering *out)
{
	struct ip_addr *hops[] = {&out->next_hop_v4, &out->next_hop_v6};
	const struct ip_addr *configured[] = {&c->next_hop_v4, &c->next_hop_v6};

	*out = (struct bgp_peering){.local_as = c->local_as, .internal = c->local_as == c->peer_as};
	/* RFC 9234 5: towards a customer, a peer, or a client of our route server. */
	out->only_to_customer = c->has_role && (c->role == BGP_ROLE_PROVIDER || c->role == BGP_ROLE_PEER || c->role == BGP_ROLE_RS);
	for (unsigned i = 0; i < ARRAY_LEN(hops); i++) {
		uint8_t family = i == 0 ? 4 : 6;

		if (configured[i]->family == family)
			*hops[i] = *configured[i];
		else if (local->family == family && !addr_is_link_local(local))
			*hops[i] = *local;
		else if (!interface_address(local, family, hops[i]))
			*hops[i] = (struct ip_addr){0};
	}
	if (addr_is_link_local(local)) {
		out->next_hop_v6_link = *local;
		out->next_hop_v6_link.zone = 0;
		/* RFC 2545 does not foresee an interface without a global address; BIRD and FRR write and take the link-local one twice. */
		if (!out->next_hop_v6.family)
			out->next_hop_v6 = out->next_hop_v6_link;
	}
}
