/* SPDX-License-Identifier: BSD-2-Clause */
/* The floor of a server in the kernel: UDP to port 53 goes back to where it came from with the QR bit set, IPv4 and IPv6. Swapped addresses
 * and ports leave the checksum as it was; the bit is added to it (RFC 1624). */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum { DNS_PORT = 53, QR = 0x8000 };

static __always_inline int reflect_udp(struct ethhdr *eth, struct udphdr *udp, void *end)
{
	__u8 mac[ETH_ALEN];
	__u16 *dns = (void *)(udp + 1);
	__u32 sum;
	__be16 port;

	if ((void *)(dns + 2) > end || udp->dest != bpf_htons(DNS_PORT))
		return XDP_PASS;
	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
	port = udp->dest;
	udp->dest = udp->source;
	udp->source = port;
	sum = (__u16)~udp->check + (__u16)~dns[1];
	dns[1] |= bpf_htons(QR);
	sum += dns[1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	if (udp->check)
		udp->check = (__u16)~sum ? (__u16)~sum : 0xffff;
	return XDP_TX;
}

SEC("xdp")
int reflect(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *v4 = (void *)(eth + 1);
	struct ipv6hdr *v6 = (void *)(eth + 1);
	int verdict = XDP_PASS;

	if ((void *)(v4 + 1) > end)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_IP) && v4->ihl == 5 && v4->protocol == IPPROTO_UDP) {
		verdict = reflect_udp(eth, (void *)(v4 + 1), end);
		if (verdict == XDP_TX) {
			__be32 address = v4->daddr;

			v4->daddr = v4->saddr;
			v4->saddr = address;
		}
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6) && (void *)(v6 + 1) <= end && v6->nexthdr == IPPROTO_UDP) {
		verdict = reflect_udp(eth, (void *)(v6 + 1), end);
		if (verdict == XDP_TX) {
			struct in6_addr address = v6->daddr;

			v6->daddr = v6->saddr;
			v6->saddr = address;
		}
	}
	return verdict;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
