/* SPDX-License-Identifier: BSD-2-Clause */
/* What comes here has passed the program in the kernel: one VLAN tag at most, IPv4 without options or fragments, IPv6 without extension headers,
 * lengths that agree, a source that can be answered. All the same everything that memory safety or an answer's way depends on is looked at
 * again: the program and this one may once be of different minds. */
#include "xdp/frame.h"

#include "base/err.h"
#include "base/wire.h"
#include "xdp/bpf/layout.h"

#include <string.h>

enum {
	ETH_LEN = 14, TAG_LEN = 4, V4_LEN = 20, V6_LEN = 40, UDP_LEN = 8, ICMP_LEN = 8,
	TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd, TYPE_TAG = 0x8100,
	PROTOCOL_ICMP = 1, PROTOCOL_UDP = 17, PROTOCOL_ICMPV6 = 58,
	ECHO_REPLY = 0, ECHO = 8, ECHO_V6 = 128, ECHO_REPLY_V6 = 129,
	HOPS = 64,
	DONT_FRAGMENT = 0x4000, FRAGMENT_BITS = 0x3fff, /* more fragments, offset */
};

uint64_t xdp_sum(uint64_t sum, const void *octets, size_t len)
{
	const uint8_t *p = octets;
	uint64_t word;

	/* Eight octets at a time, as two halves: the carries of 2^30 such additions fit. The sum is that of the words as they lie in memory. */
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		sum += (word & UINT32_MAX) + (word >> 32);
	}
	word = 0;
	memcpy(&word, p, len);
	return sum + (word & UINT32_MAX) + (word >> 32);
}

uint16_t xdp_checksum(uint64_t sum)
{
	uint16_t folded, wire;
	uint8_t octets[2];

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	folded = (uint16_t)~sum;
	memcpy(octets, &folded, 2);
	wire = get_u16(octets);
	return wire;
}

static int read_ip(const uint8_t *ip, size_t len, bool v6, uint8_t *protocol, size_t *payload)
{
	if (v6) {
		if (len < V6_LEN || ip[0] >> 4 != 6)
			return ERR_MALFORMED;
		*protocol = ip[6];
		*payload = get_u16(ip + 4);
		return *payload <= len - V6_LEN ? 0 : ERR_MALFORMED;
	}
	if (len < V4_LEN || ip[0] != 0x45 || (get_u16(ip + 6) & FRAGMENT_BITS) || get_u16(ip + 2) < V4_LEN || get_u16(ip + 2) > len)
		return ERR_MALFORMED;
	*protocol = ip[9];
	*payload = get_u16(ip + 2) - (size_t)V4_LEN;
	return 0;
}

static int read_probe(const uint8_t *icmp, size_t len, const uint8_t key[8], struct xdp_question *q)
{
	struct xdp_probe p;

	if (len < ICMP_LEN + sizeof(p) + XDP_PROBE_ROOM || icmp[0] != (q->v6 ? ECHO_REPLY_V6 : ECHO_REPLY) || icmp[1])
		return ERR_MALFORMED;
	memcpy(&p, icmp + ICMP_LEN, sizeof(p));
	if (memcmp(p.key, key, sizeof(p.key)) != 0 || p.state != XDP_PROBE_ASKED || get_u16(p.len) > XDP_PROBE_ROOM)
		return ERR_MALFORMED;
	q->probe = true;
	q->message = icmp + ICMP_LEN + sizeof(p);
	q->len = get_u16(p.len);
	q->room = XDP_PROBE_ROOM;
	return 0;
}

int xdp_frame_open(const uint8_t *frame, size_t len, const uint8_t key[8], struct xdp_question *out)
{
	struct xdp_question q = {.eth_len = ETH_LEN};
	uint16_t type = len < ETH_LEN + TAG_LEN ? 0 : get_u16(frame + ETH_LEN - 2);
	const uint8_t *ip, *inner;
	size_t payload;
	uint8_t protocol;

	if (type == TYPE_TAG) {
		q.eth_len += TAG_LEN;
		type = get_u16(frame + ETH_LEN + TAG_LEN - 2);
	}
	if (type != TYPE_IPV4 && type != TYPE_IPV6)
		return ERR_MALFORMED;
	q.v6 = type == TYPE_IPV6;
	q.ip_len = q.v6 ? V6_LEN : V4_LEN;
	ip = frame + q.eth_len;
	if (read_ip(ip, len - q.eth_len, q.v6, &protocol, &payload) < 0)
		return ERR_MALFORMED;
	inner = ip + q.ip_len;
	if (protocol == (q.v6 ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP)) {
		if (read_probe(inner, payload, key, &q) < 0)
			return ERR_MALFORMED;
	} else {
		if (protocol != PROTOCOL_UDP || payload < UDP_LEN || get_u16(inner + 4) != payload || !get_u16(inner))
			return ERR_MALFORMED;
		q.port = get_u16(inner);
		q.message = inner + UDP_LEN;
		q.len = payload - UDP_LEN;
		q.room = SIZE_MAX;
	}
	q.client.family = q.v6 ? 6 : 4;
	memcpy(q.client.bytes, ip + (q.v6 ? 8 : 12), q.v6 ? 16 : 4);
	q.headers = (size_t)(q.message - frame);
	*out = q;
	return 0;
}

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
	uint8_t t[16];

	memcpy(t, a, n);
	memcpy(a, b, n);
	memcpy(b, t, n);
}

/* The IP header of an answer; the sum of its pseudo header. */
static uint64_t turn_ip(uint8_t *ip, bool v6, size_t payload, uint8_t protocol)
{
	uint8_t tail[4] = {(uint8_t)(payload >> 8), (uint8_t)payload, 0, protocol};

	if (v6) {
		memcpy(ip, "\x60\0\0\0", 4); /* no traffic class, no flow label */
		put_u16(ip + 4, (uint16_t)payload);
		ip[7] = HOPS;
		swap(ip + 8, ip + 24, 16);
		return xdp_sum(xdp_sum(0, ip + 8, 32), tail, 4);
	}
	ip[1] = 0;
	put_u16(ip + 2, (uint16_t)(V4_LEN + payload));
	put_u16(ip + 4, 0); /* RFC 6864 4.1: never fragmented */
	put_u16(ip + 6, DONT_FRAGMENT);
	ip[8] = HOPS;
	put_u16(ip + 10, 0);
	swap(ip + 12, ip + 16, 4);
	put_u16(ip + 10, xdp_checksum(xdp_sum(0, ip, V4_LEN)));
	return xdp_sum(xdp_sum(0, ip + 12, 8), tail, 4);
}

static size_t turn_probe(uint8_t *icmp, const struct xdp_question *q, const uint8_t *answer, size_t len, uint64_t pseudo)
{
	struct xdp_probe p;
	size_t whole = ICMP_LEN + sizeof(p) + XDP_PROBE_ROOM;

	memcpy(&p, icmp + ICMP_LEN, sizeof(p));
	p.state = XDP_PROBE_FROM_WORKER;
	put_u16(p.len, (uint16_t)len);
	memcpy(icmp + ICMP_LEN, &p, sizeof(p));
	memcpy(icmp + ICMP_LEN + sizeof(p), answer, len);
	icmp[0] = q->v6 ? ECHO_V6 : ECHO;
	put_u16(icmp + 2, 0);
	put_u16(icmp + 2, xdp_checksum(xdp_sum(q->v6 ? pseudo : 0, icmp, whole)));
	return whole;
}

static size_t turn_udp(uint8_t *udp, const uint8_t *answer, size_t len, uint64_t pseudo)
{
	size_t whole = UDP_LEN + len;
	uint16_t check;

	swap(udp, udp + 2, 2);
	put_u16(udp + 4, (uint16_t)whole);
	put_u16(udp + 6, 0);
	memcpy(udp + UDP_LEN, answer, len);
	check = xdp_checksum(xdp_sum(pseudo, udp, whole));
	put_u16(udp + 6, check ? check : 0xffff); /* RFC 768: 0 would say that there is none */
	return whole;
}

size_t xdp_frame_turn(uint8_t *frame, const struct xdp_question *q, const uint8_t *answer, size_t len)
{
	uint8_t *ip = frame + q->eth_len, *inner = ip + q->ip_len;
	size_t payload = q->probe ? ICMP_LEN + sizeof(struct xdp_probe) + XDP_PROBE_ROOM : UDP_LEN + len;
	uint64_t pseudo;

	swap(frame, frame + 6, 6);
	pseudo = turn_ip(ip, q->v6, payload, q->probe ? PROTOCOL_ICMPV6 : PROTOCOL_UDP);
	return q->eth_len + q->ip_len + (q->probe ? turn_probe(inner, q, answer, len, pseudo) : turn_udp(inner, answer, len, pseudo));
}
