/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* What answer workers hand to sync: connections and datagrams that ask for what workers do not do (transfers, NOTIFY, anything signed). Each worker
 * has a SOCK_SEQPACKET pair with sync, made and kept by the supervisor, so that it survives either. One packet is one request: the header,
 * the octets, and one descriptor: the connection, which is sync's from now on, or a duplicate of the UDP socket to answer from. Nothing
 * ever waits here: when sync is slow or dead the pair's buffer is full, and the worker answers for itself. What other nodes ask about this one goes to
 * watch likewise. */
enum {
	HANDOVER_OCTETS_MAX = 2 * (16384 + 2), /* octets read from a connection and not used; a datagram is shorter */
	HANDOVER_BUFFER = 256 << 10,           /* octets of the kernel's buffer of a pair, overhead included: some 200 datagrams */
	HANDOVER_OLD_MS = 3000,                /* a datagram that waited longer has been given up by who sent it */
};

enum handover_kind { HANDOVER_UDP, HANDOVER_TCP };

struct handover {
	uint32_t magic;               /* set by handover_send() */
	uint32_t kind;                /* enum handover_kind */
	uint64_t at_ns;               /* monotonic, when it was handed over */
	struct sockaddr_storage peer; /* the client */
	struct ip_addr local; /* UDP on a wildcard address: where it came to, to be answered from; else family 0 */
	/* TCP that was TLS: the descriptor is a socket pair to the worker, who has the keys. */
	bool over_tls, tls_fit,
		tls_verified; /* fit: TLS 1.3 and ALPN "dot" (RFC 9103 7.1); verified: the client has shown a good certificate */
	bool status;  /* a question about this node's status, which is for watch (watch/tell.c), by a pair that all workers share */
	uint32_t len; /* of the octets; TCP: from the length of the first message on */
};

/* A packet as it is received. */
struct handover_packet {
	struct handover head;
	uint8_t octets[HANDOVER_OCTETS_MAX];
};

/* Give `descriptor` away; the caller's own copy stays. -EAGAIN: sync takes nothing now; ERR_LIMIT: too many octets; -errno. */
int handover_send(int fd, struct handover *head, const uint8_t *octets, int descriptor) MUST_CHECK;
/* 1: a packet, *descriptor (never -1) is the caller's; 0: none there; ERR_MALFORMED: one that is none was thrown away; ERR_CLOSED, -errno. */
int handover_receive(int fd, struct handover_packet *packet, int *descriptor) MUST_CHECK;
/* Send a datagram's answer from where the question came to. -errno. */
int handover_answer(const struct handover *head, int descriptor, const uint8_t *octets, size_t len) MUST_CHECK;
/* A pair: out[0] is the worker's end. */
int handover_pair(int out[2]) MUST_CHECK;
