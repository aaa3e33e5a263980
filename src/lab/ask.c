/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/lab.h"

#include "base/clock.h"
#include "base/hash.h"
#include "dns/message.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint8_t root[1] = {0};

/* What the answer says; false when it is not the answer to id. */
static bool read_answer(const uint8_t *msg, size_t len, uint16_t id, struct lab_answer *out)
{
	struct message_rr rr;
	struct message m;
	struct name qname;
	uint16_t type, class;

	if (message_open(msg, len, &m) < 0 || m.header.id != id || !(m.header.flags & DNS_QR))
		return false;
	out->answered = true;
	out->rcode = m.header.flags & 15;
	if (m.header.qdcount && message_question(&m, &qname, &type, &class) < 0)
		return true;
	while (message_next(&m, &rr) == 1) {
		if (rr.section == 1 && rr.type == RR_SOA && rr.rdlen > 20)
			out->serial = get_u32(rr.rdata + rr.rdlen - 20);
		for (size_t at = 0; rr.type == RR_OPT && at + 4 <= rr.rdlen;) {
			uint16_t code = get_u16(rr.rdata + at), n = get_u16(rr.rdata + at + 2);

			if (at + 4 + n > rr.rdlen)
				break;
			if (code == EDNS_NSID)
				snprintf(out->nsid, sizeof(out->nsid), "%.*s", (int)MIN(n, (uint16_t)63), (const char *)rr.rdata + at + 4);
			at += 4U + n;
		}
	}
	return true;
}

void lab_ask(const struct lab *l, unsigned client, int family, const char *zone, int timeout_ms, struct lab_answer *out)
{
	struct endpoint to = {.port = 53};
	struct sockaddr_storage sa;
	uint16_t id = (uint16_t)random_u32();
	uint8_t msg[1500];
	char ns[LAB_NETNS_MAX];
	struct name name;
	uint64_t began, until;
	socklen_t salen;
	int fd, len;

	memset(out, 0, sizeof(*out));
	lab_netns(l, 'c', client, ns);
	if (addr_parse(family == 4 ? LAB_ANYCAST_V4 : LAB_ANYCAST_V6, &to.addr) < 0 || name_from_text(zone, strlen(zone), root, &name) < 0 ||
	    lab_socket_in(ns, family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM, &fd) < 0)
		return;
	salen = endpoint_to_sockaddr(&to, &sa);
	len = message_build_query(msg, sizeof(msg), id, name.wire, RR_SOA, CLASS_IN, DNS_UDP_DEFAULT, false, true);
	began = clock_ns();
	until = clock_ms() + (uint64_t)timeout_ms;
	if (len > 0 && connect(fd, (struct sockaddr *)&sa, salen) == 0 && send(fd, msg, (size_t)len, 0) == len) {
		while (!out->answered && clock_ms() < until) {
			struct pollfd p = {.fd = fd, .events = POLLIN};
			ssize_t n;

			if (poll(&p, 1, (int)(until - clock_ms())) <= 0)
				break;
			n = recv(fd, msg, sizeof(msg), 0);
			if (n < 0)
				break;
			if (read_answer(msg, (size_t)n, id, out))
				out->ms = (double)(clock_ns() - began) / 1e6;
		}
	}
	close(fd);
}

unsigned lab_catchments(const struct lab *l, bool print)
{
	unsigned right = 0;

	for (unsigned i = 0; i < LAB_REGIONS; i++)
		for (int family = 4; family <= 6; family += 2) {
			struct lab_answer a;
			char want[32];
			bool good;

			snprintf(want, sizeof(want), "pop-%s", lab_regions[lab_serving(l, i)].name);
			lab_ask(l, i, family, "example.com", 1000, &a);
			good = a.answered && a.rcode == 0 && strcmp(a.nsid, want) == 0;
			right += good;
			if (print && a.answered)
				printf("  client %s IPv%d -> %-8s %6.1f ms  rcode %u  serial %u%s\n", lab_regions[i].name, family, a.nsid, a.ms, a.rcode,
				       a.serial, good ? "" : "   (not the PoP that should)");
			else if (print)
				printf("  client %s IPv%d -> no answer\n", lab_regions[i].name, family);
		}
	return right;
}
